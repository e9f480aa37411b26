"""Execute the lessons with papermill and place each when it has run to its end; `make notebooks` calls this.

The lessons are the notebooks with registrations in ``claims/``, and ``00_*``. The full profile with seed 0 writes in
place; any other profile or seed writes to ``build/notebooks/PROFILE-SEED/``; ``--out`` redirects either. A notebook
that fails leaves what was executed of it in the folder ``unfinished`` there, and the others still run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from helpers._base import files
from tools import surroundings

NUMBERED = "notebooks/[0-9][0-9]_*.ipynb"
LAB = "notebooks/lab.ipynb"  # no lesson: executed where it is asked for


def lessons(root: Path) -> list[Path]:
    """Return the paths of the lessons of the second edition, in their order."""
    return [
        path
        for path in sorted(root.glob(NUMBERED))
        if path.name.startswith("00_") or (root / "claims" / f"{path.stem}.toml").is_file()
    ]


def find(root: Path, wanted: list[str], in_place: bool) -> list[Path]:
    """Return the lessons, or the notebooks whose names start with one of ``wanted``, such as "01"."""
    if not wanted:
        return lessons(root)
    every = sorted([*root.glob(NUMBERED), *root.glob(LAB)])
    for start in wanted:
        if not any(path.name.startswith(start) for path in every):
            names = ", ".join(path.stem for path in every) or "none"
            raise SystemExit(f'No notebook starts with "{start}". Those in notebooks/: {names}.')
    chosen = [path for path in every if path.name.startswith(tuple(wanted))]
    frozen = [path.stem for path in chosen if path not in (*lessons(root), root / LAB)]
    if in_place and frozen:
        raise SystemExit(
            f"{', '.join(frozen)}: without registrations in claims/, so no lesson. "
            "Use PROFILE=quick, or write elsewhere with OUT=DIR."
        )
    return chosen


def with_solutions(root: Path, chosen: list[Path]) -> list[Path]:
    """Return notebooks, each lesson followed by its solutions."""
    solved = [root / "notebooks" / "solutions" / path.name for path in chosen]
    pairs = zip(chosen, solved, strict=True)
    return [path for pair in pairs for path in pair if path in chosen or path.is_file()]


def tidy(notebook: nbformat.NotebookNode) -> bytes:
    """Return a notebook's bytes without what depends on the run, its cells numbered from 1.

    Removed are times, the injected cell, the Python version, widgets, which are dead without their kernel, and what
    cells with the tag ``remove-output`` show; pieces of one stream are joined.
    """
    injected = "injected-parameters"
    notebook.cells = [c for c in notebook.cells if injected not in c.metadata.get("tags", [])]
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    count = 0
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        merged: list[nbformat.NotebookNode] = []
        removed = "remove-output" in cell.metadata.get("tags", [])
        for output in [] if removed else cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            last = merged[-1] if merged else None
            if last and output.output_type == "stream" and last.get("name") == output.name:
                last.text += output.text  # how a stream is cut into messages depends on timing
            else:
                merged.append(output)
        cell.outputs = merged
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode("utf-8")


def execute(path: Path, target: Path, unfinished: Path, profile: str, seed: int) -> None:
    """Run one notebook, then place it; until then it grows in the folder ``unfinished``."""
    import papermill

    unfinished.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        str(path),
        str(unfinished / path.name),
        parameters={"PROFILE": profile, "SEED": seed},
        kernel_name="python3",
        language="python",
        progress_bar=sys.stderr.isatty(),
        cwd=str(path.parent),
    )
    files.write(target, tidy(nbformat.read(unfinished / path.name, as_version=4)))
    (unfinished / path.name).unlink()


def run_one(path: Path, target: Path, unfinished: Path, profile: str, seed: int) -> tuple:
    """Execute one notebook, whatever happens; return its row of the summary."""
    started, status = time.monotonic(), "ok"
    name = f"solutions/{path.stem}" if path.parent.name == "solutions" else path.stem
    print(f"{name} ...", flush=True)
    try:
        execute(path, target, unfinished, profile, seed)
    except Exception as error:  # a full disk as well as a failing cell: the others still run
        status = "FAILED"
        print("\n".join(f"    {line}" for line in str(error).strip().splitlines()[-15:]))
        print(f"    executed so far, as far as it could be written: {unfinished / path.name}")
    seconds = time.monotonic() - started
    print(f"{name}: {status}, {seconds:.0f} s", flush=True)
    return name, f"{seconds:.1f}", status


def table(rows: list[tuple]) -> str:
    """Return the closing table as text."""
    rows = [("notebook", "seconds", "status"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)


def stop(number: int, frame: object) -> None:
    """Let the signal that ends a process end it as Ctrl-C does: the kernel first."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the notebooks, return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of names, such as 01 (default: all)")
    parser.add_argument("--profile", choices=("full", "quick"), default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="", help="write to this folder and nowhere else")
    parser.add_argument("--root", type=Path, default=surroundings.ROOT, help="another checkout")
    given = parser.parse_args(arguments)
    if given.seed < 0:
        parser.error(f"--seed must be 0 or larger. Received: {given.seed}")
    for stream in (sys.stdout, sys.stderr):  # a message of any letters fits any console
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    root, made = given.root.resolve(), f"{given.profile}-{given.seed}"
    in_place = made == "full-0" and not given.out
    out = Path(given.out).expanduser().resolve() if given.out else root / "build/notebooks" / made
    folder = root / "notebooks" if in_place else out
    chosen = find(root, given.names, in_place)
    if not chosen:
        print("There is no lesson yet: no notebook has a file of the same name in claims/.")
        return 0
    try:
        for place in (folder, out):
            files.require_writable(place, "Make it yours, or write elsewhere with OUT=DIR.")
    except PermissionError as error:
        raise SystemExit(str(error)) from None

    signal.signal(signal.SIGTERM, stop)
    rows = []
    try:
        with tempfile.TemporaryDirectory(prefix="notebooks-") as work:
            environment = surroundings.clean(dict(os.environ), Path(work))
            os.environ.clear()
            os.environ.update(environment, GENERALIZE_OUT=str(out))
            for path in with_solutions(root, chosen):
                target = folder / path.relative_to(root / "notebooks")
                unfinished = out / "unfinished" / path.relative_to(root / "notebooks").parent
                rows.append(run_one(path, target, unfinished, given.profile, given.seed))
    except KeyboardInterrupt:
        done = sum(row[-1] == "ok" for row in rows)
        print(f"\nInterrupted: {done} notebooks are finished and placed.")
        return 130
    print(f"\n{table(rows)}")
    return int(any(row[-1] == "FAILED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())

"""Execute the notebooks with papermill and keep what they made; `make notebooks` calls this.

The full profile with seed 0 writes in place: `notebooks/NAME.ipynb`, `results/claims/NAME.json` and the table in
`README.md`. Any other profile or seed writes under `build/PROFILE-SEED/`; `--out` redirects either. Results are placed
only when a notebook has run to its end, each file written aside and renamed. A run that is interrupted, at whatever
moment and by whatever means, leaves stamps in `build/stamps/`, so that the next call skips what was finished, and in
`build/chunks/` what the helpers kept of the notebook that was cut off. A run that reached its end leaves no stamps,
and chunks only of a notebook that failed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import nbformat
import psutil
from notebook_files import Plan, alone, count_verdicts, find, own_cells, sweep, tidy, write

MARKER = "<!-- claims:begin -->"
KERNEL = b"""\
# It listens on this machine only, and would warn at each start that it does so without encryption.
c.IPKernelApp.log_level = "ERROR"
# It ends with the runner, however that ends. Elsewhere ipykernel itself looks once a second.
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != int(os.environ.get("JPY_PARENT_PID", os.getppid())):
        os._exit(1)
"""


class PeakMemory(threading.Thread):
    """Sample the resident memory of this process's children, the kernel and its own, until the block ends."""

    def __init__(self, every=0.2):
        super().__init__(daemon=True)
        self.every, self.peak, self.ended = every, 0, threading.Event()

    def run(self):
        """Sample until the end is signalled."""
        while not self.ended.wait(self.every):
            total = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:  # it ended in between
                    continue
            self.peak = max(self.peak, total)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        self.join()


def chunks_of(path, plan):
    """Return the folder for finished parts of one notebook's computations; those of other code are removed."""
    chunks = plan.chunks / path.stem / plan.code()[:16]
    for other in chunks.parent.glob("*"):
        if other != chunks:
            shutil.rmtree(other, ignore_errors=True)
    chunks.mkdir(parents=True, exist_ok=True)
    return chunks


def slowest(notebook, count=6):
    """Return where the time went, by what papermill noted: the cells' positions and seconds, the slowest first."""
    seconds = {
        i: c.metadata.get("papermill", {}).get("duration") or 0
        for i, c in enumerate(own_cells(notebook))
    }
    most = sorted((i for i in seconds if seconds[i] >= 1), key=seconds.get, reverse=True)[:count]
    return ", ".join(f"[{i}] {seconds[i]:.0f} s" for i in most)


def execute(path, plan):
    """Run one notebook, then place it and its claims; return its row of the summary."""
    import papermill

    staging, chunks = plan.staging / path.stem, chunks_of(path, plan)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    os.environ.update(GENERALIZE_OUT=str(staging), GENERALIZE_RESUME=str(chunks))
    key, messages = plan.key(path), chunks / "messages.txt"
    messages.write_text(
        ""
    )  # the helpers report here what they find damaged: a notebook would keep a warning
    started = time.monotonic()
    try:
        with PeakMemory() as memory:
            papermill.execute_notebook(
                str(path),
                str(staging / path.name),
                parameters={"PROFILE": plan.profile, "SEED": plan.seed},
                kernel_name="python3",
                language="python",
                progress_bar=sys.stderr.isatty(),
                cwd=str(path.parent),
            )
    finally:
        said = messages.read_text(encoding="utf-8") if messages.exists() else ""
        for line in dict.fromkeys(said.splitlines()):
            print(f"    {line}")
    row = {"seconds": time.monotonic() - started, "peak": memory.peak, "status": "ok"}

    executed = nbformat.read(staging / path.name, as_version=4)
    if where := slowest(executed):
        print(f"    slowest cells: {where}")
    content = tidy(executed)
    target, claims = plan.targets(path.stem)
    made = staging / "claims" / claims.name
    row["claims"] = count_verdicts(made)
    if made.exists():
        write(claims, made.read_bytes())
    elif claims.exists():
        raise RuntimeError(
            f"{path.stem} wrote no claims, but {claims} exists: delete that file if this is meant."
        )
    write(target, content)
    row["stamp"] = stamp_of(path.stem, key, plan)
    write(plan.stamps / f"{path.stem}.json", json.dumps(row).encode())
    shutil.rmtree(staging)
    return row


def stamp_of(name, key, plan):
    """Return what tells whether a finished notebook is still as it was: what made it, and its files."""
    digests = [
        hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
        for file in plan.targets(name)
    ]
    return {"key": key, "files": digests}


def finished_before(path, plan):
    """Return the row of a notebook that an interrupted run finished and nothing has changed since, or None."""
    stamp = plan.stamps / f"{path.stem}.json"
    if not stamp.exists():
        return None
    try:
        row = json.loads(stamp.read_bytes())
        kept = {name: row[name] for name in ("seconds", "peak", "claims", "stamp")}
        summary({path.stem: {**kept, "status": "done before"}})
    except (ValueError, KeyError, TypeError, AttributeError):
        print(
            f"    {stamp.relative_to(plan.work.parent)} is damaged: {path.stem} counts as not finished."
        )
        return None
    return (
        {**kept, "status": "done before"}
        if kept["stamp"] == stamp_of(path.stem, plan.key(path), plan)
        else None
    )


def run_one(path, plan):
    """Execute one notebook or skip it; report a failure and keep its partly executed copy."""
    failed = plan.work / "failed" / path.name
    started = time.monotonic()
    try:
        row = finished_before(path, plan)
        if row is None:
            print(f"{path.stem} ...", flush=True)
            row = execute(path, plan)
            failed.unlink(missing_ok=True)
        shutil.rmtree(plan.chunks / path.stem, ignore_errors=True)
    except Exception as error:  # whatever it was, the other notebooks still run
        row = {"seconds": time.monotonic() - started, "peak": 0, "claims": {}, "status": "FAILED"}
        print("\n".join(f"    {line}" for line in str(error).strip().splitlines()[-15:]))
        partial = plan.staging / path.stem / path.name
        if partial.exists():
            write(failed, partial.read_bytes())
            print(f"    executed so far: {failed.relative_to(plan.work.parent)}")
    print(f"{path.stem}: {row['status']}, {row['seconds']:.0f} s", flush=True)
    return row


def summary(rows):
    """Return the closing table as text."""
    table = [("notebook", "seconds", "peak memory", "claims", "status")]
    for name, row in rows.items():
        claims = (
            ", ".join(f"{count} {verdict}" for verdict, count in sorted(row["claims"].items()))
            or "none"
        )
        table.append(
            (name, f"{row['seconds']:.1f}", f"{row['peak'] / 2**20:.0f} MiB", claims, row["status"])
        )
    widths = [max(map(len, column)) for column in zip(*table)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table
    )


def update_table(plan):
    """Write the claims into the README's table, where there is one; return whether that went well."""
    readme, writer = plan.root / "README.md", plan.root / "helpers" / "claims.py"
    if not (writer.exists() and readme.exists() and MARKER in readme.read_text(encoding="utf-8")):
        return True
    command = [sys.executable, "-m", "helpers.claims", "README.md", "results/claims"]
    return subprocess.run(command, cwd=plan.root).returncode == 0


def interrupt(number, frame):
    """Kill the kernel and whatever else was started, then stop: what is written so far is whole."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    raise KeyboardInterrupt


def end_with(parent):
    """End as soon as the process `parent`, whose child this is, has ended: `make` alone may be killed."""

    def watch():
        while os.getppid() == parent:
            time.sleep(0.2)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
        os._exit(1)  # as if killed: what is written so far is whole

    threading.Thread(target=watch, daemon=True).start()


def prepare(work, parent=0):
    """Set up what kernels start with: this environment's own, without the user's start-up files or plotting backend.

    A signal ends this process cleanly, and so does the end of the process `parent`.
    """
    os.environ.update(JUPYTER_PREFER_ENV_PATH="1", JUPYTER_PLATFORM_DIRS="1")
    os.environ["IPYTHONDIR"] = str(work / "ipython")
    write(work / "ipython" / "profile_default" / "ipython_kernel_config.py", KERNEL)
    for name in ("MPLBACKEND", "JUPYTER_PATH"):
        os.environ.pop(name, None)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    if parent:
        end_with(parent)


def run_all(paths, plan):
    """Run the notebooks one after the other, bring the README's table up to date, return the exit status."""
    rows = {}
    try:
        with alone(plan.lock):
            sweep(plan)
            for path in paths:
                rows[path.stem] = run_one(path, plan)
            table_ok = update_table(plan) if plan.in_place else True
            shutil.rmtree(plan.stamps, ignore_errors=True)
    except KeyboardInterrupt:
        done = sum(row["status"] != "FAILED" for row in rows.values())
        print(
            f"\nInterrupted with {done} of {len(paths)} notebooks finished; the same command goes on from there."
        )
        return 130
    print(f"\n{summary(rows)}")
    return int(not table_ok or any(row["status"] == "FAILED" for row in rows.values()))


def main(argv=None):
    """Parse the command line, run the notebooks, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "notebooks",
        nargs="*",
        help="which: the beginnings of their names, such as 01 (default: all)",
    )
    parser.add_argument("--profile", choices=("full", "quick"), default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="", help="write to this folder and nowhere else")
    parser.add_argument(
        "--parent", type=int, default=0, help="end when this process ends; make gives its own"
    )
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    args = parser.parse_args(argv)
    if args.seed < 0:
        parser.error(f"--seed must be 0 or larger. Received: {args.seed}")
    plan = Plan(
        args.root.resolve(),
        args.profile,
        args.seed,
        pathlib.Path(args.out).resolve() if args.out else None,
    )
    paths = find(plan.root, args.notebooks)

    prepare(plan.work, args.parent)
    return run_all(paths, plan)


if __name__ == "__main__":
    sys.exit(main())

"""The files of a notebook run: which notebooks, where their results go, and how they are written."""

import collections
import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import sys
import time

import nbformat

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is executed and where it goes; `out` is None for the usual place."""

    root: pathlib.Path
    profile: str
    seed: int
    out: pathlib.Path | None

    @property
    def in_place(self):
        """Whether the committed files are the ones to write."""
        return self.profile == "full" and self.seed == 0 and self.out is None

    @property
    def build(self):
        """The folder that this profile and seed writes to when it does not write in place."""
        return self.root / "build" / f"{self.profile}-{self.seed}"

    @property
    def work(self):
        """The folder of what is there only for a run; under `out` where that is given: the root may be read-only."""
        return (self.out or self.root) / "build"

    @property
    def stamps(self):
        """The folder of stamps, there only while a run is unfinished."""
        return self.work / "stamps" / f"{self.profile}-{self.seed}"

    @property
    def staging(self):
        """The folder in which notebooks run before their results are placed."""
        return self.work / "staging" / f"{self.profile}-{self.seed}"

    @property
    def chunks(self):
        """The folder of finished parts of long computations, there only while their notebook is unfinished."""
        return self.work / "chunks" / f"{self.profile}-{self.seed}"

    @property
    def lock(self):
        """The file that a run holds, so that no two use the same folders at once."""
        return self.work / "locks" / f"{self.profile}-{self.seed}"

    def targets(self, name):
        """Return the paths of the executed notebook `name` and of its claims."""
        base, results = self.out or self.build, self.out or self.build
        if self.in_place:
            base, results = self.root, self.root / "results"
        return base / "notebooks" / f"{name}.ipynb", results / "claims" / f"{name}.json"

    def made_from(self, path):
        """Return everything that the result of the notebook at `path` depends on, as text."""
        cells = [(cell.cell_type, cell.source) for cell in nbformat.read(path, as_version=4).cells]
        return repr((cells, self.profile, self.seed, self.code()))

    def key(self, path):
        """Hash everything that the result of the notebook at `path` depends on, and where it goes."""
        return hashlib.sha256((self.made_from(path) + str(self.out)).encode()).hexdigest()

    def code(self):
        """Hash what all notebooks depend on: the helpers, the data, the versions."""
        digest = hashlib.sha256(sys.version.encode())
        files = [
            *self.root.glob("helpers/**/*.py"),
            *self.root.glob("data/**/*"),
            self.root / "requirements.txt",
        ]
        for file in sorted(
            file for file in files if file.is_file() and "__pycache__" not in file.parts
        ):
            digest.update(str(file.relative_to(self.root)).encode() + file.read_bytes())
        return digest.hexdigest()


def find(root, wanted):
    """Return the notebooks of `root`, all or those whose name starts with one of `wanted`, such as "01"."""
    paths = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for start in wanted:
        if not any(path.name.startswith(start) for path in paths):
            names = ", ".join(path.stem for path in paths) or "none"
            raise SystemExit(f'No notebook starts with "{start}". Those in notebooks/: {names}.')
    if not paths:
        raise SystemExit(
            "There is no notebook in notebooks/ (names look like 01_overfitting.ipynb)."
        )
    return [path for path in paths if not wanted or path.name.startswith(tuple(wanted))]


@contextlib.contextmanager
def alone(path, patience=10):
    """Hold the lock file at `path`; a process that ends, however it does, gives it back.

    A run whose `make` was killed takes a moment to notice and end: `patience` is how many seconds to wait for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with open(path, "a") as file:
        while fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    text = "Another run with this profile and seed is going on. Wait for it, or end it."
                    raise SystemExit(text) from None
                time.sleep(0.1)
        yield


def write(path, content):
    """Write bytes aside and rename, so that `path` holds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def sweep(plan):
    """Remove what a process that was killed had written aside and not yet renamed."""
    folders = {
        plan.stamps,
        *(target.parent for target in plan.targets("")),
        *([plan.root] if plan.in_place else []),
    }
    for aside in (path for folder in folders for path in folder.glob(".*.aside")):
        aside.unlink(missing_ok=True)


def own_cells(notebook):
    """Return the notebook's cells without the one that papermill put in."""
    return [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def tidy(notebook):
    """Remove what depends on the run (times, the injected cell, the Python version) and number the cells from 1."""
    notebook.cells = own_cells(notebook)
    notebook.metadata.pop("papermill", None)
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
        merged = []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            previous = merged[-1] if merged else None
            if output.output_type == "stream" and previous and previous.get("name") == output.name:
                previous.text += output.text  # how a stream is cut into messages depends on timing
            else:
                merged.append(output)
        cell.outputs = merged
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode()


def count_verdicts(claims):
    """Return {verdict: number of claims} of a claims file, empty where there is none."""
    if not claims.exists():
        return {}
    return dict(
        collections.Counter(
            record["verdict"] for record in json.loads(claims.read_text())["claims"]
        )
    )

"""Where replicates are kept: one npz file an experiment, and an index that says what made it.

The full profile under master seed 0 is committed as ``results/replicates/WORLD/NAME.npz``; everything else lies under
``build/replicates/PROFILE-SEED/``. Outside a checkout the user's cache folder takes the place of both. A file is bytes
of arrays with fixed time stamps and nothing else, so that equal arrays make equal files; ``index.json`` beside them
holds the registration, the code, versions, processor and seconds.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import json
import os
import platform
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from helpers._base import files, paths
from helpers._base.machine import version

MOST_BYTES = 400_000  # of one file; 10 MB of all together
CONSTANTS = "constants"
STATES = ("current", "unconfirmed", "foreign", "missing")
_FACE = "helpers.experiments"  # of this room: it lists and loads
_ELSEWHERE = ("cluster", "connecting", "door", "parcels", "places", "progress")
_WITHOUT_ARRAYS = (  # modules that code_key leaves out
    *("helpers.engine.general", "helpers._jax"),
    *(f"helpers.engine.{name}" for name in _ELSEWHERE),
)
PACKAGES = ("numpy", "scipy", "scikit-learn", "tensorflow", "keras")


@dataclass(frozen=True)
class Place:
    """A folder of replicates: which profile and which master seed.

    Attributes
    ----------
    profile : {"full", "quick"}
        Whose recipes.
    seed : int
        The master seed, not the derived one.
    scale : float
        The share of the registered rows; 1 for all.
    own : bool
        Whether it holds a reader's own experiments, of ``claims/mine.toml``, which are never committed.
    thin : bool
        Whether experiments that take long have fewer rows still, or none; see `run.rows_of`.
    """

    profile: str = "full"
    seed: int = 0
    scale: float = 1.0
    own: bool = False
    thin: bool = False

    @property
    def folder(self) -> Path:
        """The folder; it need not exist."""
        if self == COMMITTED:
            root = paths.checkout()
            return (root / "results" if root else paths.cache()) / "replicates"
        part = "" if self.scale == 1.0 else f"-x{self.scale:g}"
        part += ("-thin" if self.thin else "") + ("-mine" if self.own else "")
        return paths.build() / "replicates" / f"{self.profile}-{self.seed}{part}"

    def file(self, id: str) -> Path:
        """Return the path of one experiment's file."""
        return self.folder / f"{id}.npz"


COMMITTED = Place()


@dataclass(frozen=True)
class Entry:
    """What the index says of one stored file.

    Attributes
    ----------
    registration : str
        SHA-256 of what was registered.
    code : str
        SHA-256 of the syntax trees of everything the experiment imports from `helpers`.
    arrays : str
        SHA-256 of the arrays.
    n : int
        Replicates.
    seconds : float
        That the training took.
    processor, versions : str, dict of str
        The machine and the packages; several processors where a cluster has others than the machine that led it.
    cores : int
        Those that the training could use; 0 where that was not recorded. Sums over more than about 500 examples or
        units are split among the cores, and so their last digits depend on it.
    """

    registration: str
    code: str
    arrays: str
    n: int
    seconds: float
    processor: str
    versions: dict = field(default_factory=dict)
    cores: int = 0


def flat(arrays: dict) -> dict:
    """Return a result as one dict: what stands under ``constants`` gets the prefix ``constants/``."""
    found = {name: value for name, value in arrays.items() if name != CONSTANTS}
    found |= {f"{CONSTANTS}/{name}": value for name, value in arrays.get(CONSTANTS, {}).items()}
    return {name: np.ascontiguousarray(value) for name, value in sorted(found.items())}


def digest(arrays: dict) -> str:
    """Return the SHA-256 of a result: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, value in flat(arrays).items():
        total.update(f"{name} {value.dtype.str} {value.shape} ".encode())
        total.update(value.tobytes())
    return total.hexdigest()


def to_bytes(arrays: dict) -> bytes:
    """Return the bytes of the npz file: the same for equal arrays, whenever it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, value in flat(arrays).items():
            body = io.BytesIO()
            np.lib.format.write_array(body, value, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), body.getvalue())
    return buffer.getvalue()


def from_file(path: Path) -> dict:
    """Return the arrays of a file that `to_bytes` made.

    Raises
    ------
    ValueError
        Where the file is damaged, with its name and what to do.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        remedy = "Restore it with `git checkout`, or train it again with `make experiments`."
        raise ValueError(
            f"The file {path} cannot be read as replicates: {error}. {remedy}"
        ) from error
    constants = {
        name.removeprefix(f"{CONSTANTS}/"): found.pop(name)
        for name in list(found)
        if name.startswith(f"{CONSTANTS}/")
    }
    return found | ({CONSTANTS: constants} if constants else {})


def index(place: Place = COMMITTED) -> dict[str, Entry]:
    """Return what the index of a folder says of each stored experiment."""
    path = place.folder / "index.json"
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return {id: Entry(**entry) for id, entry in content.items()}


def put(id: str, arrays: dict, entry: Entry, place: Place = COMMITTED) -> bool:
    """Keep the arrays of an experiment; return whether they differ from those that were kept.

    The file is written only where an array changed, aside and renamed. Meanwhile the index knows none of this id, so
    that a process that is killed in between leaves a file that is missing, and never one of other arrays.

    Raises
    ------
    ValueError
        Where a committed file would be larger than 400 kB.
    """
    kept = index(place)
    path = place.file(id)
    changed = not path.is_file() or id not in kept or kept[id].arrays != entry.arrays
    if changed:
        content = to_bytes(arrays)
        if place == COMMITTED and len(content) > MOST_BYTES:
            raise ValueError(
                f"The replicates of {id} take {len(content):,} bytes; at most {MOST_BYTES:,} are committed. "
                "Return fewer curves or shorter types."
            )
        if kept.pop(id, None):
            _write_index(kept, place)
        files.write(path, content)
    _write_index(kept | {id: entry}, place)
    return changed


def _write_index(kept, place):
    """Write the entries of a folder, in the order of their ids."""
    text = json.dumps({id: asdict(kept[id]) for id in sorted(kept)}, indent=1, sort_keys=True)
    files.write(place.folder / "index.json", text + "\n")


def state(id: str, registration: str, code: str | None, place: Place = COMMITTED) -> str:
    """Return what a stored file is to the present registration and code.

    Parameters
    ----------
    id : str
        The experiment.
    registration : str
        Its registration now.
    code : str or None
        Its `code_key` now; None does not ask.

    Returns
    -------
    {"current", "unconfirmed", "foreign", "missing"}
        "foreign" files are of another registration and never read; "unconfirmed" ones were made by other code or
        other versions.
    """
    entry = index(place).get(id)
    if entry is None or not place.file(id).is_file():
        return "missing"
    if entry.registration != registration:
        return "foreign"
    same = code is None or (entry.code == code and entry.versions == versions())
    return "current" if same else "unconfirmed"


def read(id: str, registration: str, place: Place = COMMITTED) -> dict | None:
    """Return the stored arrays of an experiment, or None where there are none of this registration."""
    if state(id, registration, None, place) in ("missing", "foreign"):
        return None
    arrays = from_file(place.file(id))
    if digest(arrays) != index(place)[id].arrays:
        raise ValueError(
            f"The file {place.file(id)} is not the one that index.json describes. Restore both with `git checkout`, "
            "or train it again with `make experiments FRESH=1`."
        )
    return arrays


def versions() -> dict[str, str]:
    """Return the versions that replicates depend on."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    installed = {name: version(name, f"{name}-cpu") for name in PACKAGES}
    return found | {name: given for name, given in installed.items() if given is not None}


def code_key(module: str) -> str:
    """Return the SHA-256 of the syntax trees of a module and of all it imports from `helpers`.

    Comments, docstrings, layout and the texts of errors and warnings do not enter. Neither do figures, as long as they
    live in a module of their own; the face of this room, with claims and store behind it; the general engine, in which
    no experiment may train (see `run.compute`); where a chunk is trained, as a cluster's bits are those of one machine.
    """
    total = hashlib.sha256()
    for name, text in sorted(_closure(module).items()):
        total.update(f"{name}\n{text}\n".encode())
    return total.hexdigest()


def _closure(module: str) -> dict[str, str]:
    """Return the dumped syntax trees of a module and of the modules of `helpers` that it imports, by name."""
    found, todo = {}, [module]
    while todo:
        name = todo.pop()
        path = _path_of(name)
        if name in found or path is None:
            continue
        found[name], imported = _parsed(path, path.stat().st_mtime_ns)
        todo += imported
    return found


@functools.lru_cache(maxsize=512)
def _parsed(path: Path, changed: int) -> tuple[str, tuple[str, ...]]:
    """Return the dumped syntax tree of a file, without words for people, and the names that it imports; read once."""
    tree, imported = ast.parse(path.read_text(encoding="utf-8")), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return ast.dump(_without_words(tree)), tuple(imported)


def _path_of(name: str) -> Path | None:
    """Return the source of a module of `helpers` that arrays may come from, or None."""
    parts = name.split(".")
    if parts[0] != "helpers" or len(parts) < 2 or name == _FACE:
        return None
    if any(f"{name}.".startswith(f"{other}.") for other in _WITHOUT_ARRAYS):
        return None
    path = paths.PACKAGE.joinpath(*parts[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _without_words(tree: ast.Module) -> ast.Module:
    """Remove docstrings, what is raised and what is warned of: no array comes from there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            node.exc = node.cause = None
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warn":
            node.args, node.keywords = [], []
        elif (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def only() -> bool:
    """Return whether a missing file is an error instead of a reason to train: ``GENERALIZE_STORE=only``."""
    return os.environ.get("GENERALIZE_STORE") == "only"

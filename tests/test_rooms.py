"""The rooms of `helpers` stand in one order: a module imports from its own room and from those before it."""

import ast
import graphlib
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "helpers"
ORDER = [
    *("_base", "_jax", "_tensorflow", "stats", "data", "models", "engine", "pruning", "geometry", "plots"),
    *("claims", "experiments", "classroom", "assignments", "notebook"),
]
WITHOUT_TENSORFLOW = ("_base", "_jax", "stats", "data", "plots", "claims")
PATHS = {
    ".".join(["helpers", *path.relative_to(FOLDER).with_suffix("").parts]).removesuffix(
        ".__init__"
    ): path
    for path in sorted(FOLDER.rglob("*.py"))
}
FACE = "helpers"  # imports lazily; nothing inside the package goes through it


def imported(source, names):
    """Return those of `names`, full module names, that a source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside
            if not inside <= set(names):  # something of the package itself, not only modules in it
                found.add(node.module)
    return {name for name in found if name in names}


GRAPH = {
    name: imported(path.read_text(encoding="utf-8"), PATHS) - {FACE} for name, path in PATHS.items()
}
ROOM = {name: name.split(".")[1] for name in PATHS if name != FACE}


def test_imports_are_seen_in_every_form():
    source = """
import helpers.stats
from helpers import data, fit_many
from helpers.engine.plan import make
def f():
    from helpers._base import seeds
"""
    names = [f"helpers.{name}" for name in ("stats", "data", "engine.plan", "_base", "_base.seeds")]
    assert imported(source, names) == set(names) - {"helpers._base"}


def test_every_module_stands_in_a_room_of_the_plan():
    assert set(ROOM.values()) <= set(ORDER)


@pytest.mark.parametrize("name", ROOM)
def test_a_module_imports_from_its_room_and_those_before(name):
    allowed = ORDER[: ORDER.index(ROOM[name]) + 1]
    later = {other for other in GRAPH[name] if ROOM[other] not in allowed}
    assert not later, f"{name} may import from {', '.join(allowed)}"


def test_no_module_uses_the_lazy_face():
    for name, path in PATHS.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if name != FACE and isinstance(node, ast.ImportFrom) and node.module == FACE:
                strange = [
                    alias.name for alias in node.names if f"{FACE}.{alias.name}" not in PATHS
                ]
                assert not strange, (
                    f"{name} takes {strange} from the face: import it where it lives"
                )


def test_there_is_no_circle():
    graphlib.TopologicalSorter({name: GRAPH[name] - {name} for name in ROOM}).prepare()


def reached(name):
    """Return all modules that importing one brings in, packages on the way included."""
    seen, todo = set(), [name]
    while todo:
        one = todo.pop()
        if one not in seen and one in PATHS:
            seen.add(one)
            todo += GRAPH[one] | {one.rpartition(".")[0]}
    return seen


@pytest.mark.parametrize("room", WITHOUT_TENSORFLOW)
def test_rooms_that_load_without_tensorflow(room):
    members = [name for name, home in ROOM.items() if home == room]
    assert not any("helpers._tensorflow" in reached(name) for name in members)

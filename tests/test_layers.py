"""The modules of `helpers` stand in one order, and an import points upward only."""

import ast
import graphlib
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "helpers"
ORDER = [
    *("checks", "seeds", "data", "models", "members", "optimizers", "runs", "engine", "stats", "claims"),
    *("measures", "landscape", "pruning", "plots", "notebook"),
]
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def imported(source, names):
    """Return those of `names`, modules of helpers, that the source imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("helpers.")}
        elif isinstance(node, ast.ImportFrom):
            path = (node.module or "").split(".")
            if node.level == 1:
                path = ["helpers", *filter(None, path)]
            if path[0] == "helpers":
                found |= {path[1]} if len(path) > 1 else {alias.name for alias in node.names}
    return found & set(names)


GRAPH = {name: imported((FOLDER / f"{name}.py").read_text(), MODULES) for name in MODULES}


def test_imports_are_seen_in_every_form():
    source = """
import helpers.seeds
from helpers import data, fit_many
from helpers.models import mlp
from . import checks
from .engine import fit_many
def f():
    from helpers._noise import draw
"""
    names = [*ORDER, "_noise"]
    assert imported(source, names) == {"seeds", "data", "models", "checks", "engine", "_noise"}


def test_every_module_has_its_place():
    unknown = [name for name in MODULES if name not in ORDER and not name.startswith("_")]
    assert not unknown, "a public module of helpers belongs in ORDER, in the README and in the package's own list"


@pytest.mark.parametrize("name", [name for name in MODULES if name in ORDER])
def test_an_import_points_upward_only(name):
    allowed = ORDER[: ORDER.index(name)]
    downward = {other for other in GRAPH[name] if not other.startswith("_")} - set(allowed)
    assert not downward, f"helpers.{name} may import {', '.join(allowed) or 'nothing'}"


def test_private_modules_make_no_cycle():
    graphlib.TopologicalSorter(GRAPH).prepare()


def test_a_private_module_is_imported_for_public_ones():
    used = set().union(*GRAPH.values()) | imported((FOLDER / "__init__.py").read_text(), MODULES)
    assert {name for name in MODULES if name.startswith("_")} <= used

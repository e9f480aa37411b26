"""The pages of the package's public names, in reStructuredText; Sphinx takes their docstrings."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import helpers
from tools.site import files

INTRODUCTION = """\
Use ``helpers`` in your own code
================================

Everything public, from its docstrings. Arrays have networks or replicates first: (M, ...) or (R, ...).

.. code-block:: python

   from helpers import Dataset, data, fit_many, measures, models, predict_many, pruning, stats

"""
FIRST = ("fit_many", "predict_many")  # what most readers look for


def public() -> dict[str, list[str]]:
    """Return the public names by page: those of the face first, then of each module."""
    face = {name: getattr(helpers, name) for name in helpers.__all__}
    pages = {name: names_of(one) for name, one in face.items() if inspect.ismodule(one)}
    below = {name for names in pages.values() for name in names}
    single = [name for name in face if name not in pages and name not in below]
    return {"training": sorted(single, key=lambda name: (name not in FIRST, name))} | pages


def names_of(module) -> list[str]:
    """Return the names that a module offers: its ``__all__``, or what it defines without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def directive(home: str, name: str) -> str:
    """Return the directive that documents one name."""
    value = getattr(import_module(home), name)
    if inspect.ismodule(value):
        return f".. automodule:: {value.__name__}\n   :members:\n"
    if inspect.isclass(value):
        return f".. autoclass:: {home}.{name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: {home}.{name}\n"
    return ""  # a constant is named where it is used


def page(title: str, home: str, names: list[str], about: str) -> str:
    """Return a page."""
    head = f"{title}\n{'=' * len(title)}\n\n{about}"
    return "\n".join([head, *(directive(home, name) for name in names)])


def write(folder: Path) -> None:
    """Write an index and a page for each module."""
    pages = public()
    for name, names in pages.items():
        if name == "training":
            text = page("Train many networks", "helpers", names, "")
        else:
            home = getattr(helpers, name).__name__
            about = f".. automodule:: {home}\n   :no-members:\n   :no-index:\n\n"
            text = page(f"helpers.{name}", home, names, about)
        files.renew(folder / f"{name}.rst", text)
    tree = "\n".join(f"   {name}" for name in pages)
    text = f"{INTRODUCTION}.. toctree::\n   :maxdepth: 2\n\n{tree}\n"
    files.renew(folder / "index.rst", text)

"""The pages of the package's public names, in reStructuredText; Sphinx takes their docstrings."""

from __future__ import annotations

import inspect
from pathlib import Path

import helpers
from tools.site import files
from tools.site.restructured import plain

INTRODUCTION = """\
Use ``helpers`` in your own code
================================

Everything public, from its docstrings. Arrays have networks or replicates first: (M, ...) or (R, ...).

.. code-block:: python

   from helpers import Dataset, data, fit_many, measures, models, predict_many, pruning, stats

"""
FIRST = ("fit_many", "predict_many")  # what most readers look for
LAST = "claims"


def public() -> dict[str, list[str]]:
    """Return the public names by page: those of the face first, then of each module, each name once."""
    face = {name: getattr(helpers, name) for name in helpers.__all__}
    modules = [name for name, one in face.items() if inspect.ismodule(one)]
    pages, met = {}, set()
    for page in sorted(modules, key=lambda name: (name == LAST, name)):
        module = face[page]
        pages[page] = [name for name in names_of(module) if id(getattr(module, name)) not in met]
        met |= {id(getattr(module, name)) for name in pages[page]}
    single = [name for name, one in face.items() if name not in modules and id(one) not in met]
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


def home(page: str) -> str:
    """Return where a reader imports the names of a page from."""
    return "helpers" if page == "training" else f"helpers.{page}"


def value_of(page: str, name: str):
    """Return what a name of a page stands for."""
    return getattr(helpers if page == "training" else getattr(helpers, page), name)


def title(page: str) -> str:
    """Return the title of a page."""
    return "Train many networks" if page == "training" else home(page)


def directive(page: str, name: str) -> str:
    """Return the directive that documents one name."""
    value = value_of(page, name)
    if inspect.ismodule(value):
        return f".. automodule:: {value.__name__}\n   :members:\n"
    if inspect.isclass(value):
        return f".. autoclass:: {home(page)}.{name}\n   :members:\n"
    if callable(value):
        return f".. autofunction:: {home(page)}.{name}\n"
    return ""  # a constant is named where it is used


def text_of(page: str, names: list[str]) -> str:
    """Return a page."""
    head = f"{title(page)}\n{'=' * len(title(page))}\n"
    if page != "training":
        module = getattr(helpers, page).__name__
        head += f"\n.. automodule:: {module}\n   :no-members:\n   :no-index:\n"
    return "\n".join([head, *(directive(page, name) for name in names)])


def listed(page: str, name: str) -> str:
    """Return a line of the index: a name that leads to its place, and what it is."""
    value = value_of(page, name)
    about = plain(inspect.cleandoc(value.__doc__ or "").partition("\n")[0])
    if inspect.ismodule(value):
        return f"* :py:mod:`{name} <{value.__name__}>`: {about}"
    return f"* :py:obj:`{name} <{home(page)}.{name}>`: {about}" if callable(value) else ""


def index(pages: dict[str, list[str]]) -> str:
    """Return the page that lists all names."""
    tree = "\n".join(f"   {name}" for name in pages)
    parts = [f"{INTRODUCTION}.. toctree::\n   :hidden:\n\n{tree}\n"]
    for page, names in pages.items():
        head = f":doc:`{title(page)} <{page}>`"
        lines = "\n".join(filter(None, (listed(page, name) for name in names)))
        parts.append(f"{head}\n{'-' * len(head)}\n\n{lines}\n")
    return "\n".join(parts)


def write(folder: Path) -> None:
    """Write an index and a page for each module."""
    pages = public()
    for page, names in pages.items():
        files.renew(folder / f"{page}.rst", text_of(page, names))
    files.renew(folder / "index.rst", index(pages))

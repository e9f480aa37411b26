"""Where things lie: in a checkout beside the package, in an installed wheel inside it.

Nothing is ever written into the package's own folder. Outside a checkout the store of replicates lies in the user's
cache folder, or where ``GENERALIZE_CACHE`` says.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = "why-neural-networks-generalize"  # tells this package from others that are called helpers
PACKAGE = Path(__file__).resolve().parents[1]
VARIABLE = "GENERALIZE_CACHE"
DOWNLOADS = "GENERALIZE_DOWNLOADS"


def checkout() -> Path | None:
    """Return the root of the checkout that this package is part of, or None for an installed wheel."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "claims").is_dir() else None


def shipped(name: str) -> Path:
    """Return the path of a folder or file that ships with the project: ``data``, ``claims``, ``references.bib``, ...

    In a checkout it stands at the top; the wheel carries a copy inside the package, in ``_shipped``.
    """
    root = checkout()
    return (root if root else PACKAGE / "_shipped") / name


def cache() -> Path:
    """Return the user's cache folder for this project; it need not exist."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    return base / PROJECT


def programs() -> Path:
    """Return the folder of compiled programs, see `engine.compiled`; it need not exist."""
    return cache() / "programs"


def build() -> Path:
    """Return the folder for everything that is not committed: ``build/`` in a checkout, else the user's cache."""
    root = checkout()
    return root / "build" if root else cache()


def keras_home() -> Path:
    """Return Keras's folder as Keras itself finds it, without the seconds that importing it takes."""
    if "KERAS_HOME" in os.environ:
        return Path(os.environ["KERAS_HOME"]).expanduser()
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"


def downloads() -> Path:
    """Return the folder above ``datasets/`` with downloaded files: Keras's own, unless a variable names another.

    Commands that shut out the settings in Keras's folder name it with ``GENERALIZE_DOWNLOADS``.
    """
    given = os.environ.get(DOWNLOADS)
    return Path(given).expanduser() if given else keras_home()

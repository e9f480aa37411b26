"""Run Python as if nobody had configured anything: ``python -m tools.surroundings [NAME=VALUE ...] -m pytest``.

Keras, Matplotlib, IPython, Jupyter, pytest, XLA and Python itself read settings from the environment and from files in
the home folder. None of them may change a number, a figure or a test, so commands that make or check results run
without them, and with the `helpers` of this checkout before any other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers._base import files, paths

ROOT = Path(__file__).resolve().parents[1]
DROPPED = (
    *("KERAS_", "TF_", "XLA_", "MPL", "MATPLOTLIB", "IPYTHON", "JUPYTER", "JPY_", "PYTEST_"),
    *("PYTHON", "HYPOTHESIS_"),
)
KEPT = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
# A kernel listens on this machine only, and would warn at each start that it does so unencrypted.
KERNEL = 'c.IPKernelApp.log_level = "ERROR"\n'


def clean(given: dict[str, str], work: Path) -> dict[str, str]:
    """Return the environment without anybody's settings.

    Parameters
    ----------
    given : dict of str to str
        The environment as it is.
    work : pathlib.Path
        A folder that lives as long as the command; the empty settings lie in it.

    Returns
    -------
    dict of str to str
        For a new process. Downloaded data sets are still found where Keras keeps them.
    """
    files.write(work / "ipython" / "profile_default" / "ipython_kernel_config.py", KERNEL)
    files.write(work / "matplotlibrc", "")
    (work / "keras").mkdir(exist_ok=True)
    kept = {name: v for name, v in given.items() if name in KEPT or not name.startswith(DROPPED)}
    return kept | {
        paths.DOWNLOADS: given.get(paths.DOWNLOADS, str(paths.downloads())),
        "KERAS_HOME": str(work / "keras"),
        "TF_CPP_MIN_LOG_LEVEL": "3",  # or what TensorFlow logs at import stands in a lesson's output
        "MATPLOTLIBRC": str(work / "matplotlibrc"),
        "IPYTHONDIR": str(work / "ipython"),
        "JUPYTER_CONFIG_DIR": str(work / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYTHONPATH": str(ROOT),
        "PYTHONNOUSERSITE": "1",
    }


def main(arguments: list[str]) -> int:
    """Run this Python with the arguments after those of the form NAME=VALUE; return its exit status."""
    added = {}
    while arguments and "=" in arguments[0] and not arguments[0].startswith("-"):
        name, _, added[name] = arguments.pop(0).partition("=")
    with tempfile.TemporaryDirectory(prefix="surroundings-") as work:
        environment = clean(dict(os.environ), Path(work)) | added
        try:
            return subprocess.call([sys.executable, *arguments], env=environment)
        except KeyboardInterrupt:  # the command has had it too, and said what there is to say
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

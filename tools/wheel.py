"""Build the wheel, install it into a fresh environment and use it from another folder; `make wheel` calls this.

By default the packages it depends on are borrowed from the environment that runs this, which takes seconds and no
network; ``--install`` installs them too, as a user's pip would. The checkout itself is never on the path.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from tools import surroundings

ROOT = surroundings.ROOT
USE = """
import importlib.util, pathlib, sys
import helpers
home = pathlib.Path(helpers.__file__).resolve().parent
assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), f"not the wheel's helpers: {home}"
from helpers import data, fit_many, models
points = data.mnist1d()
runs = fit_many(lambda: models.mlp((40,), 10, (4,)), points, members=2, epochs=1, batch_size=100)
assert runs.history["loss"].shape == (2, 1)
from helpers._base import paths
assert paths.checkout() is None and paths.shipped("references.bib").is_file()
if importlib.util.find_spec("helpers.claims"):
    from helpers.claims import registry
    found = registry.load()
    print(len(found.experiments), "experiments and", len(found.claims), "claims in the wheel")
print(points.n_train, "examples of MNIST-1D; two networks trained with", home)
"""


def run(*command: object, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Run a command or end with its exit status."""
    status = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, timeout=1500)
    if status.returncode:
        raise SystemExit(status.returncode)


def contents(folder: Path) -> set[str]:
    """Return the names of all files of an installed package but Python's own caches."""
    return {str(p) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


def main(arguments: list[str] | None = None) -> int:
    """Build, install, use; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install the dependencies too")
    parser.add_argument("--keep", type=Path, help="also write the wheel to this folder")
    given = parser.parse_args(arguments)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        work, isolated = Path(name), [] if given.install else ["--no-build-isolation"]
        run(*pip, "wheel", "--no-deps", *isolated, "-w", work / "dist", ROOT)
        (wheel,) = (work / "dist").glob("*.whl")
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            (given.keep / wheel.name).write_bytes(wheel.read_bytes())
        venv.create(work / "env")
        python = work / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        into = (*pip, "--python", python, "install")
        run(*into, *([] if given.install else ["--no-deps"]), wheel)
        base = {"base": str(work / "env"), "platbase": str(work / "env")}
        site = Path(sysconfig.get_path("purelib", "venv", base))
        if (
            not given.install
        ):  # a line of a .pth file: the .pth files there, of the checkout, do not count
            (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        before, elsewhere = contents(site / "helpers"), work / "elsewhere"
        elsewhere.mkdir()
        environment = surroundings.clean(dict(os.environ), work / "settings")
        del environment["PYTHONPATH"]
        run(python, "-c", USE, cwd=elsewhere, environment=environment)
        written = contents(site / "helpers") - before
        if written or any(elsewhere.iterdir()):
            raise SystemExit(f"Using the wheel wrote {sorted(written) or 'into the folder'}.")
    print(f"{wheel.name} works from any folder.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

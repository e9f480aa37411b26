"""What pyproject.toml cannot say: the wheel carries the data files, registrations and verdicts inside the package.

They lie at the top of a checkout, and `helpers/_base/paths.py` finds them in either place.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("data/*.npz", "claims/*.toml", "references.bib", "results/claims/*.json")
KEPT_AT_HOME = ("mine.toml",)  # a reader's own registrations
REQUIRED = ("data/mnist1d.npz", "references.bib")


class BuildWithShippedFiles(build_py):
    """Copy what is shipped into ``helpers/_shipped`` of the wheel; an editable install reads the checkout."""

    def run(self):
        """Build the package, from nothing: an earlier build may have left modules that are gone."""
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / "helpers", ignore_errors=True)
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "helpers" / "_shipped"
        for path in (path for pattern in SHIPPED for path in sorted(Path().glob(pattern))):
            if path.name not in KEPT_AT_HOME:
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path)
        for name in REQUIRED:
            if not (target / name).is_file():
                raise FileNotFoundError(f"{name} is missing: the wheel would not work without it.")


setup(cmdclass={"build_py": BuildWithShippedFiles})

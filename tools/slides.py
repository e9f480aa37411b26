"""Write the figures of lessons as vector graphics for slides: ``python -m tools.slides [LESSON ...]``; `make slides`.

Each lesson is executed from the stored replicates, and every figure that it shows goes to ``build/slides/NN/`` as SVG
and PDF, with captions and alt texts in ``figures.md`` there. Of an animation the last frame is kept. The rulers are no
figures: the site has them, and ``docs/teaching/worksheet_rulers.html``. The lessons themselves are not changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from helpers import plots
from tools import notebooks, surroundings

FOLDER = surroundings.ROOT / "build" / "slides"


def write(lesson: Path, folder: Path, profile: str = "full") -> list[Path]:
    """Execute one lesson and write its figures; return the paths of the SVG files.

    Parameters
    ----------
    lesson : pathlib.Path
        A notebook; it stays as it is.
    folder : pathlib.Path
        Where the figures go; what lies there is removed first.
    profile : {"full", "quick"}
        "quick" draws a few small networks, to see that everything runs.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.environ[plots.SLIDES] = str(folder.resolve())  # the kernel inherits it
    try:
        with tempfile.TemporaryDirectory(prefix="slides-") as work:
            done = Path(work) / lesson.name
            notebooks.execute(lesson, done, Path(work) / "unfinished", profile, seed=0)
    finally:
        del os.environ[plots.SLIDES]
    return sorted(folder.glob("*.svg"))


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, write the figures lesson by lesson; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="beginnings of names, such as 01 (default: all)")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args(arguments)
    for lesson in notebooks.find(surroundings.ROOT, given.lessons, in_place=True):
        folder = given.out / lesson.name[:2]
        print(f"{folder}: {len(write(lesson, folder))} figures", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Build the site: ``python -m tools.site``; `make site` calls this, and then the tests of what was built."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tools.site import DOCTREES, EXTRA, SITE, SOURCE, stage


def main(arguments: list[str] | None = None) -> int:
    """Lay out the sources, run Sphinx with warnings as errors, return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=SITE, help="where the pages go")
    parser.add_argument("--changed", action="store_true", help="only what has changed; for writing")
    given = parser.parse_args(arguments)
    try:
        from sphinx.cmd.build import build_main
    except ImportError:
        print("Sphinx is not here. `make site` installs it first.")
        return 1
    started = time.monotonic()
    for folder in () if given.changed else (SOURCE, EXTRA, DOCTREES, given.out):
        shutil.rmtree(folder, ignore_errors=True)
    pages = stage.write()
    print(f"{pages} pages laid out in {time.monotonic() - started:.0f} s")
    options = [
        "-b",
        "html",
        "-c",
        Path(__file__).parent,
        "-d",
        DOCTREES,
        "-W",
        "--keep-going",
        "-q",
    ]
    status = build_main([str(option) for option in (*options, SOURCE, given.out)])
    print(f"{given.out}: {time.monotonic() - started:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Check that notebooks carry no trace of a session: ``python -m tools.metadata FILE ...``; a commit hook calls this.

A notebook that was saved by hand holds times, a Python version and cells numbered as they were run; `make notebooks`
leaves none of that.
"""

import sys
from pathlib import Path

import nbformat

from tools.notebooks import tidy


def untidy(path: Path) -> bool:
    """Whether a notebook differs from what the runner would have placed."""
    return tidy(nbformat.read(path, as_version=4)) != path.read_bytes()


def main(names: list[str]) -> int:
    """Name the notebooks that are not tidy; return 1 if there are any."""
    found = [name for name in names if untidy(Path(name))]
    for name in found:
        print(
            f"{name} was saved by hand: execute it with `make notebooks NOTEBOOKS={Path(name).stem[:2]}`."
        )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Execute the lessons again with nbval and compare the outputs of their marked cells; `make verify` calls this.

Compared are the cells with the tag ``nbval-check-output``; every other cell must only run. Nothing is written.
"""

import os
import sys

from tools import notebooks, surroundings

OPTIONS = (
    *("-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300"),
    "--timeout=300",
    # Each lesson whole in one process: its cells share a kernel.
    *("-n", "auto", "--maxprocesses", "4", "--dist", "loadscope"),
    "-ofilterwarnings=default",  # the lessons are judged, not nbval's own code
)


def main(names: list[str]) -> int:
    """Verify the lessons, or those whose names start with one of ``names``; return the exit status."""
    root = surroundings.ROOT
    paths = notebooks.find(root, names, in_place=True)
    if not paths:
        print("There is no lesson to verify: no notebook has a file of the same name in claims/.")
        return 0
    os.environ["GENERALIZE_STORE"] = "only"  # a missing file is an error, not a reason to train
    return surroundings.main(["-m", "pytest", *OPTIONS, *map(str, paths)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Judge every claim again from the store, and train the first rows of each experiment again; `make verify` calls it."""

import sys

from helpers.experiments.__main__ import main as experiments


def main(minutes: list[str]) -> int:
    """Return the exit status: 0 where everything agrees. ``minutes``: the time for the rows, if not the default."""
    published = experiments(["--check"])
    return experiments(["--rows", *(f"--minutes={number}" for number in minutes)]) or published


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Judge every claim again from the store, and train the first rows of each experiment again; `make verify` calls it."""

import sys

from helpers.experiments.__main__ import main as experiments


def main() -> int:
    """Return the exit status: 0 where everything agrees."""
    published = experiments(["--check"])
    return experiments(["--rows"]) or published


if __name__ == "__main__":
    sys.exit(main())

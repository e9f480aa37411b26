"""``python -m helpers.claims chances [FOLDER]``: the chance of each verdict, before any data."""

import sys

from helpers.claims import planning, registry


def main(arguments):
    """Print what was asked for; return the exit status."""
    if not arguments or arguments[0] != "chances" or len(arguments) > 2:
        print(__doc__)
        return 2
    found = registry.load(*arguments[1:])
    print(planning.report(found))
    for name in registry.unguarded(found):
        print(f"{name}: no attainable gate; could it come out?")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

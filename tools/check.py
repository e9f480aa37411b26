"""Compare stored results with new ones; `make verify` calls this after the lessons. No comparison is registered yet."""

import sys


def main() -> int:
    """Return the exit status: 0 where everything agrees."""
    return 0


if __name__ == "__main__":
    sys.exit(main())

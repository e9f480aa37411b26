"""Draw the README's picture from the stored replicates: ``python -m tools.hero``."""

import sys
from pathlib import Path

from helpers import plots
from helpers.claims import registry
from helpers.experiments import noisy_line_figures, store

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENT, PICTURE = (
    "noisy_line/trained_until_it_fits",
    ROOT / "docs" / "images" / "first_the_line.png",
)


def main() -> int:
    """Write the picture; return the exit status."""
    arrays = store.read(EXPERIMENT, registry.load().registration(EXPERIMENT))
    if arrays is None:
        print(f"The store holds nothing for {EXPERIMENT}: run `make experiments`.")
        return 1
    plots.style()
    pictures = []
    plots.display = lambda shown, **_: pictures.append(shown)
    noisy_line_figures.show_path(arrays)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(pictures[0]["image/png"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

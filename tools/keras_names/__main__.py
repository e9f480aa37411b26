"""Write docs/keras_names.md: which engine takes what Keras exports; ``python -m tools.keras_names``.

Whether the fast engine takes a name it is asked, with a small model and nothing trained. The general engine takes all
others but those in `walk.REFUSED`: tests/tools/test_keras_names.py sees that, and that both train as Keras does.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from helpers._tensorflow import keras
from tools import surroundings
from tools.keras_names import walk

PAGE = surroundings.ROOT / "docs" / "keras_names.md"
HEAD = """\
# Every name of Keras

Can `fit_many` train your layer, loss or optimizer? This page names all that Keras {version} exports, and which of the
[two engines](your_own_networks.md#which-engine-a-model-gets) takes it. *Fast* is the compiled program of this package,
*general* trains the model with Keras's own code on JAX. `engine="auto"` takes the fast one where it knows everything
in a model.

A command asks each name below with a small model, and writes this page: `python -m tools.keras_names`. The tests train
every one that is taken beside plain Keras on TensorFlow, from the same weights and on the same batches: after 26 steps
all weights agree to 1e-4 of the largest. Layers that draw at random are compared at rate 0 or in inference, and the
tests see that each member draws for itself. An `Embedding` is compared under SGD: with Adam Keras's own backends
differ. A name that a new version of Keras adds fails the tests.

*Refused*: the call stops with the reason. *No case*: nothing that a training could hold, such as `serialize`. Names of
losses and metrics in small letters are functions, given as such; as a text, `loss="mse"`, they count as their class.

{counts}
"""
TITLES = {
    "layers": "Layers",
    "activations": "Activations",
    "initializers": "Initializers",
    "regularizers": "Regularizers",
    "constraints": "Constraints",
    "optimizers": "Optimizers and their options",
    "schedules": "Learning-rate schedules",
    "losses": "Losses",
    "metrics": "Metrics",
}


class Row(NamedTuple):
    """A line of the page.

    Attributes
    ----------
    name : str
        As Keras exports it; of an optimizer with options.
    engine : str
        "fast", "general", "refused" or "no case".
    remark : str
        Of what it is another name, or the reason.
    """

    name: str
    engine: str
    remark: str = ""


def answer(room: str, label: str) -> tuple[str, str]:
    """Return which engine takes something, "fast" before "general", and the reason if none does."""
    name = label.split(", ")[0]
    if name in walk.REFUSED:
        return "refused", walk.REFUSED[name][0]
    return "fast" if walk.takes("fast", walk.call_of(room, label)) else "general", ""


def rows(room: str) -> Iterator[Row]:
    """Yield a room's lines in the order of the alphabet."""
    tried = set(walk.labels(room))
    for name in sorted({*walk.exported(room), *tried}, key=lambda name: (name.lower(), name)):
        first = walk.alias(room, name) if name not in tried and name.isidentifier() else None
        if name in walk.NO_CASE[room]:
            yield Row(name, "no case", walk.NO_CASE[room][name])
        elif first:
            engine = "no case" if first in walk.NO_CASE[room] else answer(room, first)[0]
            yield Row(name, engine, f"the same as `{first}`")
        else:
            yield Row(name, *answer(room, name))


def table(lines: list[Row]) -> str:
    """Return lines as a table of Markdown."""
    shown = [
        (f"`{row.name}`" if row.name.isidentifier() else row.name, row.engine, row.remark)
        for row in lines
    ]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in [("name", "engine", "remark"), ("---",) * 3, *shown]
    )


def page() -> str:
    """Return the page, every name asked anew."""
    found = {room: list(rows(room)) for room in walk.ROOMS}
    every = [row for lines in found.values() for row in lines]
    counted = Counter(row.engine for row in every)
    kinds = [f"{counted[kind]} {kind}" for kind in ("fast", "general", "refused", "no case")]
    counts = f"Of {len(every)} lines: {', '.join(kinds)}."
    texts = [HEAD.format(version=_minor(), counts=counts)]
    texts += [f"## {TITLES[room]}\n\n{table(lines)}\n" for room, lines in found.items()]
    return "\n".join(texts)


def _minor() -> str:
    return ".".join(keras.__version__.split(".")[:2])


def main() -> int:
    """Write the page; return the exit status."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(surroundings.ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

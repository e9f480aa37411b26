"""Write docs/keras_names.md: which engine takes what Keras exports; ``python -m tools.keras_names``.

Each name is asked for at the door, with a small model and nothing trained; that what is let in trains as Keras trains
it is for tests/tools/test_keras_names.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from helpers._tensorflow import keras
from tools import surroundings
from tools.keras_names import measures, parts, training, walk

PAGE = surroundings.ROOT / "docs" / "keras_names.md"
HEAD = """\
# Every name of Keras

Which engine of `fit_many` takes what Keras {version} exports. *Fast* is the compiled program of this package, *general*
trains the model with Keras's own code on JAX. `engine="auto"` takes the fast one where it knows everything in a model.
A command asks each name below with a small model, and writes this page: `python -m tools.keras_names`. The tests train
every one that is taken beside plain Keras on TensorFlow, from the same weights and on the same batches: after 26 steps
all weights agree to 1e-4 of the largest. Layers that draw at random are compared at rate 0 or in inference, and the
tests see that each member draws for itself. A name that a new version of Keras adds fails the tests.

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


def calls(room: str) -> dict[str, walk.Call]:
    """Return a small call for everything that is tried in a room, by name."""
    if room in walk.branches():
        cases = walk.branches()[room]
        return {name: walk.branch_of({name: case}) for name, case in cases.items()}
    if room == "optimizers":
        return {
            label: walk.optimizer_of(make)
            for label, make in training.OPTIMIZERS.items()
            if not label.startswith("SGD, ") or label.split(", ")[1] not in training.SCHEDULES
        }
    if room == "schedules":
        return {
            name: walk.optimizer_of(lambda make=make: keras.optimizers.SGD(make()))
            for name, make in training.SCHEDULES.items()
        }
    if room == "losses":
        return {name: walk.loss_call(name) for name in walk.tried(room)}
    if room == "metrics":
        every = [(kind, name) for kind, names in measures.METRICS.items() for name in names]
        return {name: walk.metric_call(kind, name) for kind, name in every}
    return {
        name: walk.branch_of({name: ("vector", _started(one))})
        for name, one in parts.INITIALIZERS.items()
    }


def _started(initializer: Any) -> Callable[[Any], Any]:
    return lambda x: keras.layers.Dense(6, kernel_initializer=initializer)(x)


def answer(call: walk.Call) -> tuple[str, str]:
    """Return which engine takes a call, "fast" before "general", and the reason if none does."""
    if walk.takes("fast", call):
        return "fast", ""
    reason = walk.refusal("general", call)
    return ("general", "") if reason is None else ("refused", _first_sentence(reason))


def _first_sentence(text: str) -> str:
    line = " ".join(text.split())
    return (line.split(". ")[0].rstrip(".") + ".").replace("|", "\\\\|")


def rows(room: str) -> Iterator[Row]:
    """Yield a room's lines in the order of the alphabet."""
    tried = calls(room)
    for name in sorted({*walk.exported(room), *tried}, key=str.lower):
        if name in tried:
            yield Row(name, *answer(tried[name]))
        elif name in walk.NO_CASE[room]:
            yield Row(name, "no case", walk.NO_CASE[room][name])
        else:
            first = walk.alias(room, name)
            yield Row(name, answer(tried[first])[0], f"the same as `{first}`")


def table(lines: list[Row]) -> str:
    """Return lines as a table of Markdown."""
    shown = [
        (f"`{row.name}`" if row.name.isidentifier() else row.name, row.engine, row.remark)
        for row in lines
    ]
    return pd.DataFrame(shown, columns=["name", "engine", "remark"]).to_markdown(index=False)


def page() -> str:
    """Return the page, every name asked anew."""
    found = {room: list(rows(room)) for room in walk.ROOMS}
    every = [row for lines in found.values() for row in lines]
    counted = pd.Series([row.engine for row in every]).value_counts()
    kinds = [f"{counted.get(kind, 0)} {kind}" for kind in ("fast", "general", "refused", "no case")]
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

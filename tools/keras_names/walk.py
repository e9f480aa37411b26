"""Every public name of Keras that a network may be made of: who takes it, and that it trains as Keras trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import keras
from tools.keras_names import layers, measures, parts, training

ROOMS = {
    "layers": keras.layers,
    "activations": keras.activations,
    "initializers": keras.initializers,
    "regularizers": keras.regularizers,
    "constraints": keras.constraints,
    "optimizers": keras.optimizers,
    "schedules": keras.optimizers.schedules,
    "losses": keras.losses,
    "metrics": keras.metrics,
}
NO_CASE: dict[str, Mapping[str, str]] = {
    "layers": layers.NO_CASE,
    **parts.NO_CASE,
    **training.NO_CASE,
    "metrics": measures.NO_CASE,
}
STEPS, BATCH, EPOCHS = 26, 4, 13  # two batches of four in each epoch
RATE = 0.02


class Joined(NamedTuple):
    """A model of many branches.

    Attributes
    ----------
    model : keras.Model
        One output for each branch.
    owners : list of str
        To which branch each of the model's weights belongs.
    x, y : numpy.ndarray
        Examples (8, 12) and targets (8, branches).
    """

    model: Any
    owners: list[str]
    x: np.ndarray
    y: np.ndarray


def exported(room: str) -> list[str]:
    """Return what Keras exports in a room, in order."""
    return [name for name in dir(ROOMS[room]) if not name.startswith("_")]


def branches() -> dict[str, dict[str, tuple[str, Callable[[Any], Any]]]]:
    """Return what is tried as branches of a model: {room: {name: (kind of input, function of a tensor)}}."""
    one = {
        "activations": parts.ACTIVATIONS,
        "regularizers": parts.REGULARIZERS,
        "constraints": parts.CONSTRAINTS,
    }
    found = {
        room: {name: ("vector", case) for name, case in cases.items()}
        for room, cases in one.items()
    }
    return {"layers": {**layers.exact(), **layers.random()}, **found}


def tried(room: str) -> set[str]:
    """Return the names of a room that have a case."""
    cases: dict[str, Iterable[str]] = {
        **branches(),
        "initializers": parts.INITIALIZERS,
        "optimizers": {label.split(",")[0] for label in training.OPTIMIZERS},
        "schedules": training.SCHEDULES,
        "losses": {**training.LOSSES, **training.FUNCTIONS},
        "metrics": {name for names in measures.METRICS.values() for name in names},
    }
    return set(cases[room])


def alias(room: str, name: str) -> str | None:
    """Return under which other name Keras exports the same thing, None if this is its only or first name."""
    first = getattr(getattr(ROOMS[room], name), "__name__", name).split(".")[-1]
    same = first != name and getattr(ROOMS[room], first, None) is getattr(ROOMS[room], name)
    return first if same else None


def examples() -> np.ndarray:
    """Return eight examples (8, 12): eight normal numbers and four whole ones from 0 to 3."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(8, 8)), rng.integers(0, 4, (8, 4))], axis=1)
    return x.astype(np.float32)


def joined(cases: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Joined:
    """Return a model with one branch for each case, {name: (kind of input, function of a tensor)}."""
    inputs = keras.Input((layers.WIDTH,))
    ends = {name: layers.branch(inputs, kind, name, one) for name, (kind, one) in cases.items()}
    owner = {}
    for name, end in ends.items():
        owner.update(dict.fromkeys(map(id, keras.Model(inputs, end).weights), name))
    end = keras.layers.Concatenate()(list(ends.values())) if len(ends) > 1 else next(iter(ends.values()))
    model = keras.Model(inputs, end)
    y = np.random.default_rng(1).normal(size=(8, len(ends))).astype(np.float32)
    return Joined(model, [owner[id(v)] for v in model.weights], examples(), y)


def twin(runs: Any, model: Any, x: np.ndarray, y: np.ndarray, optimizer: Any, loss: Any, member: int = 1) -> Any:
    """Return ``model`` as plain Keras trains it from a member's initial weights on the member's batches."""
    model.compile(optimizer, loss, jit_compile=False)
    model.set_weights([w[member] for w in runs.initial_weights])
    for epoch in runs.batches(member):
        for rows in epoch:
            model.train_on_batch(x[rows], y[rows])
    return model


def distances(ours: Iterable[np.ndarray], theirs: Iterable[np.ndarray]) -> list[float]:
    """Return the largest difference in each array, relative to its largest entry."""
    return [
        float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))
        for a, b in zip(ours, theirs, strict=True)
    ]

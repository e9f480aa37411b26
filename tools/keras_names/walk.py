"""Every public name of Keras that a network may be made of: who takes it, and that it trains as Keras trains it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers import fit_many
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
_NUMPY = "computes with NumPy or TensorFlow inside: on JAX only before the data come to the network"
# What no engine takes: the reason, and what the call says of it.
REFUSED = {
    "Hashing": (_NUMPY, "ndarray conversion"),
    "HashedCrossing": (_NUMPY, "ndarray conversion"),
    "IntegerLookup": (_NUMPY, "ndarray conversion"),
    "AugMix": (
        "chooses with Python's generator, on JAX once for a whole training",
        "draws from Python's",
    ),
    "RandomCrop": ("cuts at a place that JAX would have to know beforehand", "RandomCrop"),
    "RandomElasticTransform": (
        "takes the size of a filter from a random number, which JAX would have to know beforehand",
        "Concretization",
    ),
    "RandomShear": ("Keras cannot rebuild it from its configuration", "cannot be rebuilt"),
    "SpectralNormalization": (
        "assigns a trained weight while it is called, which Keras drops on JAX",
        "assigns .*kernel",
    ),
    "MultiOptimizer": (
        "picks weights by their paths, which a model rebuilt from its configuration may not keep",
        "must not be MultiOptimizer",
    ),
    "ScheduleFreeAdamW": (
        "Keras trains otherwise with it on JAX than on TensorFlow",
        "must not be ScheduleFreeAdamW",
    ),
}
BATCH, EPOCHS = 4, 13  # two batches of four in each epoch
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
        "optimizers": {label.split(", ")[0] for label in training.OPTIMIZERS},
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
    end = (
        keras.layers.Concatenate()(list(ends.values()))
        if len(ends) > 1
        else next(iter(ends.values()))
    )
    model = keras.Model(inputs, end)
    y = np.random.default_rng(1).normal(size=(8, len(ends))).astype(np.float32)
    return Joined(model, [owner[id(v)] for v in model.weights], examples(), y)


def fit(
    model: Any, x: np.ndarray, y: np.ndarray, optimizer: Any, loss: Any, **settings: Any
) -> Any:
    """Train two members for 26 steps of four examples; ``settings`` go to `fit_many`."""
    usual = {"members": 2, "epochs": EPOCHS, "batch_size": BATCH, "seed": 4, "progress": False}
    return fit_many(model, x, y, optimizer=optimizer, loss=loss, **{**usual, **settings})


def twin(
    runs: Any,
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    optimizer: Any,
    loss: Any,
    metrics: Any = (),
) -> tuple[Any, dict[str, list[float]]]:
    """Train ``model`` by plain Keras from the second member's initial weights on that member's batches.

    Returns
    -------
    model, history
        The model, and what Keras reports of each epoch, by name.
    """
    model.compile(optimizer, loss, metrics=list(metrics), jit_compile=False)
    model.set_weights([w[1] for w in runs.initial_weights])
    batches = [rows for epoch in runs.batches(1) for rows in epoch]
    with warnings.catch_warnings():  # of layers that pass no gradient on
        warnings.filterwarnings("ignore", "Gradients do not exist")
        told = model.fit(
            ((x[rows], y[rows]) for rows in batches),
            epochs=EPOCHS,
            steps_per_epoch=len(batches) // EPOCHS,
            shuffle=False,
            verbose=0,
        )
    return model, told.history


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the largest difference of two arrays relative to the largest entry of the second."""
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-3))


def apart(made: Joined, runs: Any, model: Any) -> dict[str, tuple[float, float]]:
    """Return by branch how far the second member is from plain Keras, and how far its laziest weight has moved."""
    found: dict[str, tuple[float, float]] = {}
    rows = zip(made.owners, model.weights, runs.initial_weights, runs.weights, strict=True)
    for name, variable, first, last in rows:
        wrong, moved = found.get(name, (0.0, np.inf))
        expected = np.asarray(variable)
        idle = variable.path.endswith("key/bias") or name in layers.NO_GRADIENT
        gone = np.inf if idle else distance(first[1], expected)
        found[name] = max(wrong, distance(last[1], expected)), min(moved, gone)
    return found


Call = Callable[[str], Any]  # a small call of `fit_many`, by the name of the engine


def branch_of(cases: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> Call:
    """Return a call that trains nothing, for a model of these branches."""
    made = functools.cache(lambda: joined(cases))
    return lambda engine: fit(
        made().model, made().x, made().y, "sgd", "mse", members=1, epochs=0, engine=engine
    )


def optimizer_of(make: Callable[[], Any]) -> Call:
    """Return a call that trains nothing, for what ``make`` returns."""
    y = training.DATA["numbers"].y[:, :1]
    return lambda engine: fit(
        training.small, examples(), y, make(), "mse", members=1, epochs=0, engine=engine
    )


def loss_of(name: str) -> tuple[str, Callable[[], Any]]:
    """Return for which kind of data a loss is, and a function that makes it."""
    if name in training.FUNCTIONS:
        return training.FUNCTIONS[name], lambda: getattr(keras.losses, name)
    kind, settings = training.LOSSES[name]
    return kind, lambda: getattr(keras.losses, name)(**settings)


def loss_call(name: str) -> Call:
    """Return a call that trains nothing, with a loss."""
    kind, make = loss_of(name)
    data = training.DATA[kind]
    return lambda engine: fit(
        data.network, examples(), data.y, "sgd", make(), members=1, epochs=0, engine=engine
    )


def loss_for(kind: str) -> str:
    """Return a loss that goes with a kind of data, whatever is measured."""
    return "sparse_categorical_crossentropy" if kind == "labels" else "mse"


def metric_call(kind: str, name: str) -> Call:
    """Return a call that trains nothing, with a metric."""
    data, made = training.DATA[kind], measures.made(name, measures.METRICS[kind][name])
    return lambda engine: fit(
        data.network, examples(), data.y, "sgd", loss_for(kind), members=1, epochs=0, metrics=[made], engine=engine
    )  # fmt: skip


def refusal(engine: str, call: Call) -> str | None:
    """Return with which words an engine refuses a call; None where it takes it."""
    try:
        call(engine)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def takes(engine: str, call: Call) -> bool:
    """Whether an engine takes a call."""
    return refusal(engine, call) is None


def call_of(room: str, name: str) -> Call:
    """Return a call that trains nothing, with something of a room, by name; an optimizer's by its label."""
    if room in branches():
        return branch_of({name: branches()[room][name]})
    if room == "optimizers":
        return optimizer_of(training.OPTIMIZERS[name])
    if room == "schedules":
        return optimizer_of(lambda: keras.optimizers.SGD(training.SCHEDULES[name]()))
    if room == "losses":
        return loss_call(name)
    if room == "metrics":
        (kind,) = (kind for kind, names in measures.METRICS.items() if name in names)
        return metric_call(kind, name)
    initializer = parts.INITIALIZERS[name]
    return branch_of(
        {name: ("vector", lambda x: keras.layers.Dense(6, kernel_initializer=initializer)(x))}
    )


def labels(room: str) -> list[str]:
    """Return what is tried in a room, optimizers with their options."""
    if room != "optimizers":
        return sorted(tried(room))
    of_schedules = {f"SGD, {name}" for name in training.SCHEDULES}
    return sorted(set(training.OPTIMIZERS) - of_schedules)

"""A model as a tutorial has it against plain Keras, on a few random examples."""

import numpy as np
import pytest

from helpers._tensorflow import keras
from helpers.engine import api

L, S = keras.layers, keras.Sequential
RNG = np.random.default_rng(5)
X = RNG.normal(size=(14, 6)).astype(np.float32)
IMAGES = RNG.normal(size=(14, 6, 6, 1)).astype(np.float32)
LABELS = RNG.integers(0, 3, 14)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
SPARSE, CATEGORICAL, BINARY = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
OPTIMIZERS = ("sgd", "rmsprop", "adam", "nadam", "adamw")


BOTH = 7


def functional(ends, inputs=(6,)):
    """Return a Functional model of what a function makes of its input."""
    tensor = keras.Input(inputs)
    return keras.Model(tensor, ends(tensor))


def each(kinds, slow=()):
    """Return the names of kinds as parameters: one in `BOTH` is compiled, too, which takes five times as long."""
    marks = [[pytest.mark.both] if turn % BOTH == 0 else [] for turn in range(len(kinds))]
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in slow else more)
        for name, more in zip(kinds, marks, strict=True)
    ]


def trains_as_keras(kinds, name):
    """Assert that a member ends where Keras takes the same weights on the same batches.

    Parameters
    ----------
    kinds : dict of str to (builder, x, y, loss)
        Their optimizers take turns.
    name : str
        Which of them.
    """
    (build, x, y, loss), turn = kinds[name], list(kinds).index(name)
    y = y.astype(np.float32) if y.dtype == bool else y
    model = build()
    model.compile(OPTIMIZERS[turn % len(OPTIMIZERS)], loss=loss, run_eagerly=True)
    runs = api.fit_many(model, x, y, members=2, epochs=2, batch_size=7, seed=3, progress=False)
    model(x[:1])
    start = [w[1] for w in runs.initial_weights]
    model.set_weights(start if len(start) == len(model.weights) else _with_adapted(model, start))
    for epoch in runs.batches(1):
        for rows in epoch:
            model.train_on_batch(x[rows], y[rows])
    found, expected = runs.predict(x)[1], model(x, training=False)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(runs.model(1)(x, training=False), found, rtol=1e-5, atol=1e-6)
    if runs.settings["loss"] in ("mse", SPARSE, BINARY) and not model.losses:
        scores = runs.evaluate(x, LABELS if y is ONE_HOT and loss != "mse" else y)
        measured = model.evaluate(x, y, batch_size=len(x), verbose=0)
        np.testing.assert_allclose(next(iter(scores.values()))[1], measured, rtol=1e-4)


def _with_adapted(model, start):
    """Return weights of a model, those of layers that were adapted as they are."""
    fresh = iter(start)
    fixed = {
        id(v)
        for one in model._flatten_layers()
        if isinstance(one, L.Normalization)
        for v in one.weights
    }
    return [np.asarray(v) if id(v) in fixed else next(fresh) for v in model.weights]

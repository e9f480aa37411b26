"""Tiny networks train with members last: the same numbers as with members first, whatever a member's slot."""

import numpy as np
import pytest
from making import make

from helpers import models
from helpers._tensorflow import keras
from helpers.data import xor
from helpers.engine import api, tiny
from helpers.engine.recipe import recipe_of

L = keras.layers


@pytest.mark.compiled
@pytest.mark.parametrize("batch_size", [20, 100])
def test_every_slot_of_a_chunk_computes_the_same_bits(batch_size):
    points = xor(n=100)
    build = lambda: models.mlp((2,), 1, (3,), activation="tanh")  # noqa: E731
    drawn = api.fit_many(build, points, members=2, epochs=0).weights
    same = [np.repeat(w[:1], 300, axis=0) for w in drawn]
    runs = api.fit_many(
        build,
        points,
        members=300,
        epochs=5,
        batch_size=batch_size,
        shuffle="shared",
        initial_weights=same,
    )
    for values in (*runs.weights, runs.history["loss"], runs.history["accuracy"]):
        assert np.array_equal(values, np.broadcast_to(values[:1], values.shape))
    assert not np.array_equal(runs.weights[0], runs.initial_weights[0])


@pytest.mark.both
@pytest.mark.parametrize("stacked", [False, True])
def test_members_last_equals_members_first(stacked, float64, monkeypatch):
    """With everything that a member has of its own: rates, penalties, masks, batches, data, an end."""
    regularizer = keras.regularizers.L1L2(0.01, 0.01)
    build = lambda: keras.Sequential(  # noqa: E731
        [
            keras.Input((2,)),
            L.Dense(3, activation="tanh", kernel_regularizer=regularizer),
            L.Activation("softplus"),
            L.Dense(1, bias_regularizer=regularizer),
        ]
    )
    dataset = make("regression", (2,), 10, 1, val=7)
    if stacked:
        dataset = type(dataset).stack(
            [make("regression", (2,), 10, 1, seed=seed, val=7) for seed in range(4)]
        )
    rng = np.random.default_rng(0)
    masks = [(rng.random((4, 2, 3)) < 0.7).astype(float), None, None, None]
    stop = keras.callbacks.EarlyStopping("loss", min_delta=0.05, restore_best_weights=True)
    vary = {"l2": [0.0, 0.1, 0.2, 0.3], "learning_rate": [0.01, 0.02, 0.03, 0.04]}
    found = []
    assert tiny.suits(recipe_of(build), "mse")
    for last in (True, False):
        monkeypatch.setattr(tiny, "suits", lambda recipe, loss, last=last: last)
        runs = api.fit_many(
            build,
            dataset,
            members=4,
            epochs=6,
            batch_size=4,
            masks=masks,
            vary=vary,
            early_stopping=stop if stacked else None,
        )
        found.append([*runs.weights, *runs.history.values(), runs.stopped_epoch])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_only_sequences_of_small_dense_layers_are_tiny():
    def chain(*layers, shape=(2,)):
        return recipe_of(keras.Sequential([keras.Input(shape), *layers]))

    def functional():
        inputs = keras.Input((2,))
        return keras.Model(inputs, L.Dense(1)(L.Dense(2)(inputs)))

    small = chain(L.Dense(8, "relu"), L.Dense(1))
    assert tiny.suits(small, "binary_crossentropy")
    assert tiny.suits(recipe_of(small.keras_model()), "binary_crossentropy")  # read from its JSON
    assert not tiny.suits(small, lambda y, logits: logits[..., 0])
    for recipe in (
        chain(L.Dense(9), L.Dense(1)),
        chain(L.Dense(2)),
        chain(L.Dense(2, "softmax"), L.Dense(1)),
        chain(L.Dense(2), L.Dropout(0.5), L.Dense(1)),
        chain(L.Flatten(), L.Dense(1), shape=(2, 2)),
        recipe_of(functional),  # may skip, or use a layer twice
    ):
        assert not tiny.suits(recipe, "mse")

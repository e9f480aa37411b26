"""XOR: does it occur in all settings, with any number of points, and even with a thousand units?

The words are those of `helpers.experiments.xor`: converge, dark, starts. Source: the XOR question [xor-thread].
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.experiments import xor


def settings(seed, n, *, settings, where, how):
    """Do four units succeed more often than two in every setting?

    Each setting changes one thing in the thread's training with Keras's default start. Replicate: points and initial
    weights; the settings share the points, up to their spread and place.

    Returns
    -------
    dict
        ``two_NAME, four_NAME`` (n,) bool for each setting: which converge.
    """
    found = {}
    for name, change in settings.items():
        here = where | {key: change[key] for key in ("spread", "low") if key in change}
        change = {key: value for key, value in change.items() if key not in here}
        sets = xor.stack(seed, range(n), **here)
        for word, width in (("two", 2), ("four", 4)):
            runs = xor.train(seed, sets, width, **how | change)
            scores = runs.predict(sets.x_train)[..., 0]
            found[f"{word}_{name}"] = xor.solves(scores, sets.x_train, sets.y_train, here["low"])
    return found


def number_of_points(seed, n, *, few, many, batch, new, where, how):
    """With two units, does the number of points change how often training succeeds?

    Batches of one size and as many steps for both; judged on ``new`` points. Replicate: points of its own for each
    number, and the same initial weights.

    Returns
    -------
    dict
        ``converged_few, converged_many``: two units; ``converged_wide``: four units on the few points. (n,) bool.
    """
    arms = {"few": (few, 2), "many": (many, 2), "wide": (few, 4)}
    found = {}
    for name, (points, width) in arms.items():
        own = seeds.integer(seed, "points", points)
        sets = xor.stack(own, range(n), **where | {"points": points}, new=new)
        epochs = how["steps"] * batch // points
        runs = xor.train(seed, sets, width, **how | {"steps": epochs}, batch=batch)
        x, y = sets.x_test, sets.y_test
        found[f"converged_{name}"] = xor.solves(xor.logits(runs.weights, x), x, y)
    return found


def corners(seed, n, *, where, how):
    """Do two units get stuck more often on four single points than on blobs?

    Replicate: initial weights, the same for both, and the blobs' points.

    Returns
    -------
    dict
        ``stuck_corners, stuck_blobs`` (n,) bool.
    """
    found = {}
    for name, spread in (("corners", 0.0), ("blobs", where["spread"])):
        sets = xor.stack(seed, range(n), **where | {"spread": spread})
        runs = xor.train(seed, sets, 2, **how)
        found[f"stuck_{name}"] = ~xor.converged(runs.weights, sets)
    return found


def another_draw(seed, n, *, start, where, how):
    """Do two draws of initial weights for two units succeed equally often?

    Replicate: points, with two starts.

    Returns
    -------
    dict
        ``converged_first, converged_second`` (n,) bool.
    """
    sets = xor.stack(seed, range(n), **where)
    found = {}
    for name in ("first", "second"):
        runs = xor.train(seeds.integer(seed, name), sets, 2, start=start, **how)
        found[f"converged_{name}"] = xor.converged(runs.weights, sets)
    return found


def pathological(seed, n, *, width, longer, where, how):
    """Are there starts of four units from which training does not succeed?

    Replicate: points and a random start.

    Returns
    -------
    dict
        ``stuck`` (n,) bool: does not converge. ``verified`` (n,) bool: nor does it, by plain Keras, after ``longer``
        times as many steps on top.
    """
    sets = xor.stack(seed, range(n), **where)
    runs = xor.train(seed, sets, width, **how)
    stuck = ~xor.converged(runs.weights, sets)
    on = xor.train(
        seed, sets, width, weights=runs.weights, **how | {"steps": longer * how["steps"]}
    )
    still, verified = ~xor.converged(on.weights, sets), np.zeros(n, bool)
    for row in np.flatnonzero(stuck & still):
        scores = on.model(int(row))(sets.x_train[row]).numpy()[None, :, 0]
        verified[row] = ~xor.solves(scores, sets.x_train[row][None], sets.y_train[row][None])[0]
    return {"stuck": stuck, "verified": verified}


def thousand(seed, n, *, width, bias, where, how):
    """Is there a start of a thousand units that training never leaves?

    Kernels as Keras draws them, hidden biases so low that no unit is active on any point. Replicate: points and
    kernels.

    Returns
    -------
    dict
        ``stays`` (n,) bool: no hidden weight changes, and half of the points stay wrong. ``verified`` (n,) bool: nor do
        they in plain Keras's own `fit`.
    """
    sets = xor.stack(seed, range(n), **where)
    start = xor.begin(seed, n, width)
    start[1] = np.full_like(start[1], bias)
    runs = xor.train(seed, sets, width, weights=start, **how)
    stays, verified = np.zeros((2, n), bool)
    for row in range(n):
        begun, ended = ([w[row] for w in weights] for weights in (start, runs.weights))
        stays[row] = _same(begun, ended) and _half_wrong(runs.model(row), sets, row)
        model = runs.model(row, epoch=0)
        model.compile(
            keras.optimizers.Adam(how["rate"]), keras.losses.BinaryCrossentropy(from_logits=True)
        )
        points = sets.x_train.shape[1]
        model.fit(
            sets.x_train[row], sets.y_train[row], batch_size=points, epochs=how["steps"], verbose=0
        )
        verified[row] = _same(begun, model.get_weights()) and _half_wrong(model, sets, row)
    return {"stays": stays, "verified": verified}


def _same(begun, ended):
    """Return whether the hidden layer's weights and the output weights are as they were."""
    return all(np.array_equal(a, b) for a, b in zip(begun[:3], ended[:3], strict=True))


def _half_wrong(model, sets, row):
    """Return whether a model is right on half of its points, no more."""
    scores = np.asarray(model(sets.x_train[row]))[None, :, 0]
    return bool(xor.right(scores, sets.y_train[row][None])[0] <= 0.5)

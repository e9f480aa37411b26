"""Is flat in weights wide in inputs? Margins without an attack, and points that leave no room for one.

Minima from random labels: a network first learns its points with random labels and then the true ones, as Liu et al.
[liu2020] do; nothing pulls the boundary towards further points. Rings: two circles, and points of the outer class that
hug the inner one [huang2019].
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import basins_pairs, minima


def random_start(seed, n, *, name, first, steps=None):
    """Have minima that started from random labels narrower margins than those that started afresh?

    Replicate: data set, random labels and initial weights. Both learn the clean points alone, and stop at one loss.

    Returns
    -------
    dict
        ``margin_fresh, margin_random`` (n,): median distance of clean points from the boundary; ``tested_fresh,
        tested_random`` (n,): percent of new points right; ``matched`` (n,) bool.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    clean = minima.asked(sets, 0.0)
    coins = np.stack(
        [
            seeds.generator(seed, "labels", row).integers(0, 2, one.n_train)
            for row, one in enumerate(sets)
        ]
    ).astype(clean.y_train.dtype)
    wrong = dataclasses.replace(clean, y_train=coins)
    before = minima.train(name, seed, wrong, steps=first, record_every=first)
    kept = minima.looks(steps or minima.problem(name).steps)
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    found, groups = {}, {}
    for arm, start in (("fresh", None), ("random", before.weights)):
        runs = minima.train(name, seed, clean, steps=steps, snapshots=kept, weights=start)
        loss = runs.history["val_loss"][:, np.searchsorted(runs.epochs, kept)]
        place = minima.nearest_look(loss, minima.TARGET)
        weights = runs.weights_at(np.array(kept)[place])
        groups[arm] = loss[np.arange(n), place]
        found[f"tested_{arm}"] = 100 * minima.correct(name, weights, *new)
        found[f"margin_{arm}"] = np.concatenate(
            [
                basins_pairs.margin(
                    minima.network(name),
                    basins_pairs.one(weights, row),
                    clean.x_val[row : row + 1],
                    clean.y_val[row : row + 1],
                )
                for row in range(n)
            ]
        )
    near = np.abs(np.log(groups["fresh"] / np.maximum(groups["random"], 1e-12)))
    return {key: value.astype(np.float32) for key, value in found.items()} | {
        "matched": near <= np.log(minima.FITS)
    }


def rings(seed, n, *, hidden, steps, rate, close, every):
    """Does it take longer to fit points that leave no wide margin?

    Replicate: initial weights and, without the close points, the same rings.

    Returns
    -------
    dict
        ``steps_close, steps_far`` (n,): steps until every point is right, at most ``steps``; ``fits_close, fits_far``
        (n,) bool: whether that happened.
    """
    model, found = models.mlp((2,), 1, hidden=tuple(hidden)), {}
    for arm, count in (("close", close), ("far", 0)):
        sets = [
            data.circles(close=count, seed=seeds.integer(seed, "rings", row)) for row in range(n)
        ]
        stack = data.Dataset.stack(sets)
        stack = dataclasses.replace(stack, x_val=stack.x_train, y_val=stack.y_train)
        runs = fit_many(
            model, stack, members=n, epochs=steps, batch_size=stack.x_train.shape[1], learning_rate=rate,
            record_every=every, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        right = runs.history["val_accuracy"] >= 1 - 1e-6  # (n, looks)
        fits = right.any(axis=1)
        found[f"fits_{arm}"] = fits
        first = np.where(fits, runs.epochs[right.argmax(axis=1)], steps)
        found[f"steps_{arm}"] = first.astype(np.float32)
    return found

"""Does the size of a basin tell how well a network generalizes, and does the ratio of widths grow with the network?

Networks stop at one clean loss, as in `minima`. Their width is the mean radius of random rays that are as long as each
unit's weights (geometric mean). The *gap* is training accuracy minus test accuracy. Source: [huang2019], whose summary
[huang-summary] sets volume against gap.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.experiments import basins, minima
from helpers.geometry import landscape


@dataclasses.dataclass(frozen=True)
class Stopped:
    """Networks at one clean loss: weights (M, ...) each, loss, fit, and whether new points are right (M, N)."""

    weights: list[np.ndarray]
    loss: np.ndarray
    fit: np.ndarray
    right: np.ndarray


def stop(seed, name, sets, stack, *, hidden=None, steps=None) -> Stopped:
    """Train network i on data set i of a stack, and take it where its clean loss is nearest to the target."""
    one = minima.problem(name)
    shape = {"hidden": tuple(hidden or one.hidden), "initializer": "glorot_normal"}
    model = functools.partial(models.mlp, (one.inputs,), 1, **shape)
    kept = minima.looks(steps or one.steps)
    runs = fit_many(
        model, stack, members=len(sets), epochs=kept[-1], batch_size=stack.x_train.shape[1], learning_rate=one.rate,
        snapshots=kept, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    loss = runs.history["val_loss"][:, np.searchsorted(runs.epochs, kept)]
    place = minima.nearest_look(loss, minima.TARGET)
    weights = runs.weights_at(np.array(kept)[place])

    def right(x, y):
        return (predict_many(model, weights, x, progress=False)[..., 0] > 0) == (
            np.asarray(y) > 0.5
        )

    new = np.stack([each.x_test for each in sets]), np.stack([each.y_test for each in sets])
    return Stopped(
        weights,
        loss[np.arange(len(sets)), place],
        right(stack.x_val, stack.y_val).mean(axis=1),
        right(*new),
    )


def partly_flipped(one, share):
    """Return a data set with as many attack points as clean ones, of which the first ``share`` have the wrong label."""
    wrong, true = (landscape.attacked(one, 0.5, flipped=flag) for flag in (True, False))
    labels = np.array(true.y_train)
    count = one.n_train + round(share * one.n_train)
    labels[one.n_train : count] = wrong.y_train[one.n_train : count]
    return dataclasses.replace(true, y_train=labels)


def measured(seed, name, found, stack, *, rays, blocks, hidden=None):
    """Return what is compared, as arrays (blocks, networks in a block): network i belongs to block i // K.

    ``radius, gap`` (B, K): mean log10 radius, accuracy on clean minus on new points; ``radius_halves, gap_halves``
    (B, K, 2): by every second ray, and on two halves of the new points; ``near`` (B, K) bool: at the clean loss asked
    for, within a factor of 1.5.
    """
    shape = {"hidden": tuple(hidden or minima.problem(name).hidden), "initializer": "glorot_normal"}
    model = functools.partial(models.mlp, (minima.problem(name).inputs,), 1, **shape)
    logs = []
    for place in range(len(found.loss)):
        weights = [w[place : place + 1] for w in found.weights]
        x, y = stack.x_val[place : place + 1], stack.y_val[place : place + 1]
        ways = landscape.directions(
            model, weights, rays, "filter", seed=seeds.integer(seed, "rays", place)
        )
        logs.append(np.log10(basins.radii(model, weights, ways, x, y, kind="filter")[0]))
    logs = np.array(logs)
    halves = np.stack([logs[:, 0::2].mean(axis=1), logs[:, 1::2].mean(axis=1)], axis=1)
    middle = found.right.shape[1] // 2
    parts = [found.right[:, :middle].mean(axis=1), found.right[:, middle:].mean(axis=1)]
    gaps = found.fit[:, None] - np.stack(parts, axis=1)
    arrays = {
        "radius": logs.mean(axis=1), "gap": found.fit - found.right.mean(axis=1), "radius_halves": halves,
        "gap_halves": gaps,
    }  # fmt: skip
    near = np.abs(np.log(np.maximum(found.loss, 1e-12) / minima.TARGET)) <= np.log(minima.FITS)
    arrays["near"] = near & (found.fit >= 0.95)
    return {
        key: (v if v.dtype == bool else v.astype(np.float32)).reshape(blocks, -1, *v.shape[1:])
        for key, v in arrays.items()
    }


# ------------------------------------------------------------------------------------ experiments


def flipped_shares(seed, n, *, name, shares, rays, steps=None):
    """Across minima of one data set that learned more and more wrong labels: is the wider basin the better network?

    All have the same initial weights and the same points; what differs is how many of the further points have the
    wrong label. Replicate: data set and initial weights.

    Returns
    -------
    dict
        See `measured`, K being the shares of ``constants["share"]``; ``closeness`` (n, K): minus the gap;
        ``all_near`` (n,) bool.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    columns = []
    for share in shares:
        stack = data.Dataset.stack([partly_flipped(one, share) for one in sets])
        found = stop(seed, name, sets, stack, steps=steps)
        columns.append(measured(seed, name, found, stack, rays=rays, blocks=n))
    arrays = {key: np.concatenate([one[key] for one in columns], axis=1) for key in columns[0]}
    return _finished(arrays) | {"constants": {"share": np.array(shares)}}


def made_alike(seed, n, *, name, networks, share, rays, steps=None):
    """Among minima that differ in their initial weights only: is the wider basin the better network?

    Replicate: a data set, with so many networks; ``share`` of all points are attack points with the wrong label.

    Returns
    -------
    dict
        See `measured`, K being the networks; ``closeness`` (n, K): minus the gap; ``all_near`` (n,) bool.
    """
    sets = [minima.draw(name, seed, row) for row in range(n) for _ in range(networks)]
    stack = minima.asked(sets, share)
    found = stop(seed, name, sets, stack, steps=steps)
    return _finished(measured(seed, name, found, stack, rays=rays, blocks=n))


def _finished(arrays):
    near = arrays.pop("near")
    return arrays | {
        "closeness": -arrays["gap"],
        "most_near": near.mean(axis=1) >= 0.8,
        "all_near": near.all(axis=1),
    }


def widths(seed, n, *, name, hidden, rays, steps=None):
    """Does the ratio of widths, good over bad, grow with the number of weights?

    Replicate: data set; initial weights differ between sizes and are shared by good and bad.

    Returns
    -------
    dict
        ``ratio`` (n, W): mean radius, good over bad (geometric means), for each of ``constants["weights"]``; ``slope``
        (n,): of its log2 per doubling of the weights; ``all_near`` (n,) bool: all networks at the loss asked for.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    logs, near, counts = [], [], []
    for layers in hidden:
        arms = []
        for flipped in (False, True):
            stack = minima.asked(sets, 0.5, flipped=flipped)
            found = stop(seed, name, sets, stack, hidden=layers, steps=steps)
            one = measured(seed, name, found, stack, rays=rays, blocks=n, hidden=layers)
            arms.append(one["radius"][:, 0])
            near.append(one["near"][:, 0])
        logs.append(arms[0].astype(float) - arms[1])
        model = functools.partial(
            models.mlp, (minima.problem(name).inputs,), 1, hidden=tuple(layers)
        )
        counts.append(landscape.dimension(model, "filter"))
    ratio = np.stack(logs, axis=1)
    doublings = np.log2(counts) - np.mean(np.log2(counts))
    slope = np.array([np.sum(doublings * row) for row in ratio]) / np.sum(doublings**2)
    return {
        "ratio": (10**ratio).astype(np.float32),
        "slope": (slope * np.log2(10)).astype(np.float32),
        "all_near": np.all(near, axis=0),
        "constants": {"weights": np.array(counts, np.int32)},
    }

"""Does it help to make a network flat? Sharpness-aware minimization and weight noise against plain training.

Question: if a method looks for flat minima, does the network make fewer errors on new signals? Source: the summary of
Huang et al. [huang-summary], who call flatness an implicit regularization; methods: Foret et al. [foret2021], and noise
on the weights. MNIST-1D [greydanus2024], 1,000 training signals of ten classes, generated anew for each replicate;
networks 40-100-100-10, momentum 0.9, batches of 100, a rate that falls to zero.

All arms have as many *gradient evaluations*: a step of sharpness-aware minimization needs two, so it has half as many
steps. Each arm has the rate that made fewest errors on validation signals in a pilot on other seeds. Errors are in
percent of new signals.
"""

from __future__ import annotations

import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import draws, predict_many
from helpers.engine.recipe import recipe_of
from helpers.experiments import descent, minima
from helpers.experiments.mnist1d_depth import crossentropy
from helpers.geometry import landscape, measures

HIDDEN = (100, 100)
EDGE = 0.1  # loss at the edge of a basin
BATCH = 100
EVALUATIONS = {"plain": 1, "uphill": 2, "shaken": 1}  # of the gradient, in one step


def network(hidden=HIDDEN):
    """Return a function that builds one network."""
    return functools.partial(models.mlp, (40,), 10, hidden=tuple(hidden))


def draw(seed, row=0, *, train=1000, val=0, new=2000):
    """Return data set ``row``, generated for this replicate."""
    return data.mnist1d_fresh(train, val, new, seeds.integer(seed, "signals", row))


def begin(seed, n, hidden=HIDDEN):
    """Return n networks' initial weights, (n, ...) each; all arms start from them."""
    return draws.draw(recipe_of(network(hidden)), n, seeds.integer(seed, "fit"))


def wrong(net, weights, x, y):
    """Return each network's errors in percent, (R,) float32."""
    scores = predict_many(net, weights, x)
    return (100 * np.mean(scores.argmax(axis=-1) != y, axis=1)).astype(np.float32)


def train(
    seed, net, start, x, y, *, method, rate, evaluations, size=0.0, decay=0.0, looks=30, target=None
):  # fmt: skip
    """Return weights at the end and at evenly spaced looks, for so many evaluations of the gradient.

    With a ``target`` also those nearest to this training loss, epoch by epoch (see `descent.flattened`).
    """
    epochs = evaluations // EVALUATIONS[method] // (x.shape[1] // BATCH)
    when = sorted({round(epochs * (look + 1) / looks) for look in range(looks)} - {0})
    return descent.flattened(
        net, start, x, y, seed=seeds.integer(seed, "order"), method=method, rate=rate, size=size, decay=decay,
        epochs=epochs, batch=BATCH, looks=when, target=target,
    )  # fmt: skip


def radii(net, weights, x, y, *, kind, directions, seed):
    """Return each network's radius of the basin, geometric mean over random directions, (R,)."""
    ways = landscape.directions(net, weights, directions, kind, seed=seed)
    start = 0.05 if kind == "filter" else 0.2
    found = measures.crossing_radii(net, weights, ways, x, y, threshold=EDGE, start=start)
    return np.exp(np.log(np.maximum(found, 1e-4)).mean(axis=1)).astype(np.float32)


def methods(seed, n, *, arms, evaluations, target, directions, hidden=HIDDEN, examples=1000):
    """How many errors does each method make at equal gradient evaluations, and how flat is where it ends?

    ``arms``: for each its ``method``, ``rate`` and, where it has one, ``size`` or ``decay``. Flatness is measured where
    the training loss comes nearest to ``target`` on its way down. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For each arm, (n,): ``error_ARM`` (in the end), ``matched_error_ARM`` (at matched training loss), ``loss_ARM``
        and ``matched_loss_ARM`` (training loss), ``radius_ARM`` and ``euclid_ARM`` (of the basin at matched loss,
        relative to the weights' own lengths, and not), ``same_ARM`` (bool: matched loss equals the plain one's within
        a factor 1.5).
    """
    sets = [draw(seed, row, train=examples) for row in range(n)]
    x, y = (np.stack([getattr(one, f"{axis}_train") for one in sets]) for axis in "xy")
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    net, start, found = network(hidden), begin(seed, n, hidden), {}
    for arm, how in arms.items():
        last, kept = train(
            seeds.integer(seed, how.get("stream", "one")),
            net,
            start,
            x,
            y,
            evaluations=evaluations,
            **{k: v for k, v in how.items() if k != "stream"},
        )
        seen = np.stack([crossentropy(predict_many(net, w, x), y) for w in kept.values()], axis=1)
        look = minima.nearest_look(seen, target)
        there = [
            np.stack([list(kept.values())[k][part][row] for row, k in enumerate(look)])
            for part in range(len(last))
        ]
        found |= {
            f"error_{arm}": wrong(net, last, *new),
            f"matched_error_{arm}": wrong(net, there, *new),
            f"loss_{arm}": seen[:, -1].astype(np.float32),
            f"matched_loss_{arm}": seen[np.arange(n), look].astype(np.float32),
        }
        for name, kind in (("radius", "filter"), ("euclid", "euclidean")):
            ways = seeds.integer(seed, "directions")
            found[f"{name}_{arm}"] = radii(
                net, there, x, y, kind=kind, directions=directions, seed=ways
            )
    first = found[f"matched_loss_{next(iter(arms))}"]
    for arm in arms:
        off = np.abs(np.log(found[f"matched_loss_{arm}"] / first))
        found[f"same_{arm}"] = off <= np.log(minima.FITS)
    return found


def at_equal_loss(seed, n, *, arms, evaluations, target, directions, hidden, examples):
    """As `methods`, but with flatness measured at the epoch nearest to the target, where `methods` has every tenth.

    Returns
    -------
    dict
        As `methods`; ``same_ARM`` (bool): the loss where flatness is measured is the plain one's within a factor 1.5.
    """
    sets = [draw(seed, row, train=examples) for row in range(n)]
    x, y = (np.stack([getattr(one, f"{axis}_train") for one in sets]) for axis in "xy")
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    net, start, found = network(hidden), begin(seed, n, hidden), {}
    for arm, how in arms.items():
        last, kept = train(
            seed, net, start, x, y, evaluations=evaluations, target=target, looks=1, **how
        )
        for name, weights in (("", last), ("matched_", kept["nearest"])):
            found[f"{name}error_{arm}"] = wrong(net, weights, *new)
            lost = crossentropy(predict_many(net, weights, x), y)
            found[f"{name}loss_{arm}"] = lost.astype(np.float32)
        for name, kind in (("radius", "filter"), ("euclid", "euclidean")):
            ways = seeds.integer(seed, "directions")
            found[f"{name}_{arm}"] = radii(
                net, kept["nearest"], x, y, kind=kind, directions=directions, seed=ways
            )
    first = found[f"matched_loss_{next(iter(arms))}"]
    for arm in arms:
        off = np.abs(np.log(found[f"matched_loss_{arm}"] / first))
        found[f"same_{arm}"] = off <= np.log(minima.FITS)
    return found


def rates(seed, n, *, tries, evaluations, hidden=HIDDEN, examples=1000):
    """Which rate makes fewest errors on validation signals? The pilot behind the rates of `methods`.

    ``tries``: for each its ``method``, ``rate`` and so on. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For each try, (n,): ``validation_TRY`` (errors in percent of validation signals), ``loss_TRY``.
    """
    sets = [draw(seed, row, train=examples, val=2000, new=0) for row in range(n)]
    x, y = (np.stack([getattr(one, f"{axis}_train") for one in sets]) for axis in "xy")
    val = np.stack([one.x_val for one in sets]), np.stack([one.y_val for one in sets])
    net, start, found = network(hidden), begin(seed, n, hidden), {}
    for name, how in tries.items():
        last, _ = train(seed, net, start, x, y, evaluations=evaluations, looks=1, **how)
        found[f"validation_{name}"] = wrong(net, last, *val)
        found[f"loss_{name}"] = crossentropy(predict_many(net, last, x), y).astype(np.float32)
    return found

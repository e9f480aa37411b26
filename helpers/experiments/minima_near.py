"""Are bad minima near, are they minima, and does training find them? The worlds of `minima`, walked through.

Source: the summary of Huang et al. [huang-summary], whose minefield shows good minima among bad ones on a map made by
t-SNE, which does not keep distances [vandermaaten2008]. So distances are measured here. They are in
weight space, all weights and biases together, in units of the way that training has come from its initial weights.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many
from helpers.experiments import descent, minima

EDGE = 0.1  # loss at the edge of a basin, as in the source
FINE = 0.6  # test accuracy below which a network is bad by a milder rule
APART = 0.2  # difference of test accuracies that good and bad are to have, to compare them
FITTED = 0.001  # loss to which attacks are trained
NO_HIT = 2.0  # counts as this many ways, where no bad network was met
CURVES = 50  # replicates of which curves are kept


def length(ours, theirs=None) -> np.ndarray:
    """Return each network's distance between two lists of weights (M, ...), or from zero, (M,) float64."""
    theirs = [0.0] * len(ours) if theirs is None else theirs
    parts = [
        np.sum((a - b).astype(float) ** 2, axis=tuple(range(1, a.ndim)))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return np.sqrt(np.sum(parts, axis=0))


def repeated(arrays, times):
    """Return arrays (M, ...) with each network ``times`` times in a row, (M times, ...)."""
    return [np.repeat(a, times, axis=0) for a in arrays]


def still(seed, n, *, name, share, rate, attack, more, every):
    """Do bad minima stay bad when training goes on, on the clean points alone?

    Networks are trained until the loss of all they are asked for is at most 0.001, then ``more`` steps on the clean
    points, with the same rate and the optimizer's memory. Replicate: data set and initial weights; good and bad share
    both.

    Returns
    -------
    dict
        For good and bad, (n,): ``reached_ARM`` (bool: 0.001 within ``attack`` steps), ``kept_ARM`` (bool: reached, and
        the clean loss never above 0.1 afterwards), ``worst_ARM`` (highest clean loss), ``before_ARM, after_ARM`` (test
        accuracy), ``loss_ARM`` (clean loss in the end), ``moved_ARM`` (distance moved, over the way from the initial
        weights). (n,) also ``regained``: what the bad network makes up, over what it was behind the good one;
        ``drifted``: how far the good one moves, over the same; both are 1 where the two do not differ by 20 points.
        ``compared`` (bool: they do, and the bad one kept its loss), ``stays_bad`` (bool: after it below 0.6),
        ``path_ARM`` (50, looks): test accuracy. ``constants``: ``steps``, of the path.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    net, found, stacks = minima.network(name), {}, minima.both(sets, share)
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    for arm, stack in stacks.items():
        start = minima.train(name, seed, stack, steps=0).initial_weights
        x, y = stack.x_train, stack.y_train
        walk = descent.leashed(
            net, descent.begin(start), x, y, rate=rate, steps=attack, stop=FITTED
        )
        reached, there, way = walk.loss <= FITTED, walk.weights, length(walk.weights, start)
        path, worst = [minima.correct(name, there, *new)], np.zeros(n)
        for _ in range(more // every):
            walk = descent.leashed(net, walk, stack.x_val, stack.y_val, rate=rate, steps=every)
            worst = np.maximum(worst, walk.worst)
            path.append(minima.correct(name, walk.weights, *new))
        found |= {
            f"reached_{arm}": reached,
            f"kept_{arm}": reached & (worst <= EDGE),
            f"worst_{arm}": worst.astype(np.float32),
            f"before_{arm}": path[0],
            f"after_{arm}": path[-1],
            f"loss_{arm}": walk.loss.astype(np.float32),
            f"moved_{arm}": (length(walk.weights, there) / way).astype(np.float32),
            f"path_{arm}": np.stack(path, axis=1)[:CURVES].astype(np.float16),
        }
    found["stays_bad"] = found["after_bad"] < FINE
    behind = found["after_good"] - found["before_bad"]
    apart = behind >= APART
    for what, gain in (
        ("regained", found["after_bad"] - found["before_bad"]),
        ("drifted", np.abs(found["after_good"] - found["before_good"])),
    ):
        found[what] = np.where(apart, gain / np.where(apart, behind, 1.0), 1.0).astype(np.float32)
    found["compared"] = found["kept_bad"] & apart
    return found | {"constants": {"steps": np.arange(0, more + 1, every, dtype=np.int32)}}


def nearest(seed, n, *, name, strengths, rates, steps, every):
    """How near to a good network is the nearest bad one that an attack on a leash finds?

    Good networks have learned the clean points and the attack points with their true labels. From there the labels of
    the attack points are flipped, with a new optimizer, and the squared distance to the good network, times a
    strength, is added to the loss. At every look a network counts as bad if it gets all clean points right at a loss
    of at most 0.1, and less than 53 % of new points. Replicate: data set and initial weights, with all strengths and
    rates.

    Returns
    -------
    dict
        (n,): ``nearest`` (distance to the nearest bad network over the way that training had come; 2 where none was
        met), ``hit`` (bool), ``within`` (bool: met, and not beyond the way), ``nearest_fine`` (as ``nearest``, below
        60 %), ``share_of_length`` (that distance over the good network's length), ``start_test`` (accuracy of the good
        network), ``found_fit, found_loss, found_test`` (of the nearest bad one), ``best_rate, best_strength``;
        ``hit_rate`` (n, rates) bool: with any strength.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    stacks, net = minima.both(sets, 0.5), minima.network(name)
    good, bad = stacks["good"], stacks["bad"]
    start = minima.train(name, seed, good, steps=0).initial_weights
    rate = minima.problem(name).rate
    walk = descent.leashed(
        net, descent.begin(start), good.x_train, good.y_train, rate=rate, steps=steps, stop=FITTED
    )
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    here, way = walk.weights, length(walk.weights, start)
    grid = [(r, s) for r in rates for s in strengths]
    times = len(grid)
    x, y, clean_x, clean_y, new_x, new_y = repeated(
        [bad.x_train, bad.y_train, bad.x_val, bad.y_val, *new], times
    )
    own = {
        "rate": np.tile([r for r, _ in grid], n),
        "strength": np.tile([s for _, s in grid], n),
        "origin": repeated(here, times),
    }
    walk, looks = descent.begin(own["origin"]), []
    for _ in range(steps // every):
        walk = descent.leashed(net, walk, x, y, steps=every, **own)
        fit = minima.correct(name, walk.weights, clean_x, clean_y)
        loss = minima.losses(name, walk.weights, clean_x, clean_y)
        test = minima.correct(name, walk.weights, new_x, new_y)
        looks.append((length(walk.weights, own["origin"]), fit, loss, test))
    away, fit, loss, test = (
        np.stack(part, axis=-1).reshape(n, times, -1) for part in zip(*looks, strict=True)
    )
    ok = (fit == 1) & (loss <= EDGE)
    found = {"way": way.astype(np.float32), "start_test": minima.correct(name, here, *new)}
    # The last round, of bad networks, leaves what is reported of them.
    for what, below in (("nearest_fine", FINE), ("nearest", minima.BAD)):
        far = np.where(ok & (test < below), away, np.inf).reshape(n, -1)
        best, rows = far.argmin(axis=1), np.arange(n)
        hit = np.isfinite(far[rows, best])
        found[what] = np.where(hit, far[rows, best] / way, NO_HIT).astype(np.float32)
    tried = best // away.shape[2]
    bads = (ok & (test < minima.BAD)).any(axis=2).reshape(n, len(rates), len(strengths))
    return found | {
        "hit": hit,
        "within": hit & (found["nearest"] <= 1),
        "share_of_length": np.where(hit, far[rows, best] / length(here), NO_HIT).astype(np.float32),
        **{
            f"found_{what}": np.where(hit, part.reshape(n, -1)[rows, best], -1).astype(np.float32)
            for what, part in (("fit", fit), ("loss", loss), ("test", test))
        },
        "best_rate": np.array(grid, np.float32)[tried, 0],
        "best_strength": np.array(grid, np.float32)[tried, 1],
        "hit_rate": bads.any(axis=2),
    }


def optimizers(seed, n, *, name, kinds, epochs, batch, share):
    """Do usual optimizers end in good minima, and keep away from bad ones?

    Networks learn the clean points and as many further ones, all with true labels, in batches, with a rate that falls
    to zero. Replicate: data set and initial weights; the optimizers share both.

    Returns
    -------
    dict
        For each kind of ``kinds`` (a table of its rate), (n,): ``test_KIND`` (accuracy on new points), ``fits_KIND``
        (bool: every training point right, at a loss of at most 0.01), ``good_KIND`` (bool: 95 % or more of the new
        points), ``bad_KIND`` (bool: below 53 %), ``loss_KIND``. ``none_bad`` (n,) bool: no
        kind ends in a network that fits and is bad.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    stack = minima.both(sets, share)["good"]
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    only = dataclasses.replace(stack, x_val=None, y_val=None)
    steps = epochs * -(-stack.x_train.shape[1] // batch)
    found, bads = {}, []
    for kind, rate in kinds.items():
        runs = fit_many(
            minima.network(name), only, members=n, epochs=epochs, batch_size=batch, record_every=epochs,
            optimizer=_optimizer(kind, steps), learning_rate=rate, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        weights = [np.nan_to_num(w) for w in runs.weights]
        test, fit = (
            minima.correct(name, weights, *at) for at in (new, (only.x_train, only.y_train))
        )
        loss = minima.losses(name, weights, only.x_train, only.y_train)
        fits = (fit == 1) & (loss <= 0.01) & ~runs.diverged
        bads.append(fits & (test < minima.BAD))
        found |= {
            f"test_{kind}": test,
            f"loss_{kind}": loss.astype(np.float32),
            f"fits_{kind}": fits,
            f"good_{kind}": test >= 0.95,
            f"bad_{kind}": test < minima.BAD,
        }
    return found | {"none_bad": ~np.any(bads, axis=0)}


def _optimizer(kind, steps):
    """Return an optimizer by the name that the lesson gives it, with a rate that falls to zero."""
    falls = keras.optimizers.schedules.CosineDecay(1.0, steps)
    kinds = {
        "sgd": lambda: keras.optimizers.SGD(falls),
        "momentum": lambda: keras.optimizers.SGD(falls, momentum=0.9),
        "rmsprop": lambda: keras.optimizers.RMSprop(falls),
        "adam": lambda: keras.optimizers.Adam(falls),
    }
    if kind not in kinds:
        raise ValueError(f"Argument `kinds` must name some of {tuple(kinds)}. Received: {kind!r}.")
    return kinds[kind]()

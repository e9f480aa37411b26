"""Are good minima flatter than bad ones, and by how much are their basins larger? Pairs of `minima`, moved.

Source: the summary of Huang et al. [huang-summary]. Networks are moved along random directions in weight space whose
length is that of the weights themselves, unit by unit (filter normalization [li2018]; biases stay). Pairs are compared
at matched clean loss; with more data the minima that are found can be sharper and better [fan2025].
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.experiments import minima
from helpers.geometry import landscape, measures

EDGE = 0.1  # loss at the edge of a basin
LEFT = 0.9  # share of clean points that are still right where robustness is measured
SIZES = np.concatenate([[0], 0.01 * 1.12 ** np.arange(55)])  # of a perturbation, up to 4.5
CURVES = 50
HALVES = 2


def sizes_left(name, weights, x, y, *, directions, seed):
    """Return at which size of a perturbation 90 % of the points are left right, and the mean curves.

    Returns
    -------
    left : numpy.ndarray (M, K)
        For each direction the first size at which less than 90 % are right, by a straight line between two sizes; the
        largest size, where there is none.
    accuracy : numpy.ndarray (M, S)
        Share of points right at each of `SIZES`, mean over directions.
    """
    ways = landscape.directions(minima.network(name), weights, directions, "filter", seed=seed)
    right = landscape.along(minima.network(name), weights, ways, SIZES, x, y)["accuracy"]
    right = right.astype(float)  # (M, K, S)
    below = right < LEFT
    at = np.where(below.any(axis=2), below.argmax(axis=2), len(SIZES) - 1)
    before = np.maximum(at - 1, 0)
    high, low = (np.take_along_axis(right, k[..., None], 2)[..., 0] for k in (before, at))
    part = np.clip((high - LEFT) / np.maximum(high - low, 1e-9), 0, 1)
    return SIZES[before] + part * (SIZES[at] - SIZES[before]), right.mean(axis=1)


def pairs(seed, n, *, name, share, directions, steps):
    """How good are good and bad minima of one task, and how far can each be moved?

    Replicate: a pair of networks that share data set, initial weights, recipe and number of points.

    Returns
    -------
    dict
        For good and bad, (n,): ``test_ARM, fit_ARM, loss_ARM`` (at matched clean loss), ``last_test_ARM, last_fit_ARM,
        last_loss_ARM`` (in the end), ``left_ARM`` (size of a perturbation at which 90 % of the clean points are left
        right, geometric mean over directions), ``halves_ARM`` (n, 2): the same on two halves of the directions. For the
        bad, (n,) bool: ``is_bad`` (in the end every clean point right, less than 53 % of new points), ``verified`` (so
        again on new points of another draw), ``wrong`` (every clean point right, 40 % or less of new points),
        ``low_loss`` (is_bad at a clean loss of at most 0.001). ``matched`` (bool: a pair at equal clean loss).
        ``drop_ARM`` (n,): clean accuracy lost at the size where the bad one has lost 10 points;
        ``relative_drop``: that of the good one over that of the bad one.
        ``curve_ARM`` (50, S): clean accuracy at ``constants["sizes"]``.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    made, found, curves = minima.pair(name, seed, sets, share=share, steps=steps), {}, {}
    for arm, one in made.items():
        left, curves[arm] = sizes_left(
            name, one.weights, one.stack.x_val, one.stack.y_val,
            directions=directions, seed=seeds.integer(seed, "directions"),
        )  # fmt: skip
        logs = np.log(np.maximum(left, SIZES[1]))
        halves = [logs[:, half::HALVES].mean(axis=1) for half in range(HALVES)]
        found |= {f"left_{arm}": np.exp(logs.mean(axis=1)), f"halves_{arm}": np.stack(halves, 1)}
        for what in ("test", "fit", "loss", "last_test", "last_fit", "last_loss"):
            found[f"{what}_{arm}"] = getattr(one, what)
        found[f"curve_{arm}"] = curves[arm][:CURVES].astype(np.float16)
    found = {
        key: np.asarray(v, v.dtype if v.dtype == np.float16 else np.float32)
        for key, v in found.items()
    }
    fits, test = made["bad"].last_fit == 1, made["bad"].last_test
    again = np.stack([_anew(name, seed, row) for row in range(n)], axis=0)
    x, y = again[..., :-1].astype(np.float32), again[..., -1]
    second = minima.correct(name, made["bad"].last, x, y)
    is_bad = fits & (test < minima.BAD)
    drops = {arm: curve[:, :1] - curve for arm, curve in curves.items()}
    rows = np.arange(n), (drops["bad"] >= 0.1).argmax(axis=1)
    at = {arm: np.maximum(drop[rows], 0).astype(np.float32) for arm, drop in drops.items()}
    return found | {
        "is_bad": is_bad,
        "verified": is_bad & (second < minima.BAD),
        "wrong": fits & (test <= 0.4),
        "low_loss": is_bad & (made["bad"].last_loss <= 0.001),
        "matched": minima.matched(made["good"], made["bad"]),
        "drop_good": at["good"],
        "drop_bad": at["bad"],
        "relative_drop": at["good"] / np.maximum(at["bad"], 1e-3),
        "constants": {"sizes": SIZES.astype(np.float32)},
    }


def _anew(name, seed, row):
    """Return new points of another draw with their labels in the last column, (new, D + 1)."""
    one = minima.draw(name, seeds.integer(seed, "again"), row)
    return np.concatenate([one.x_test, np.reshape(one.y_test, (-1, 1))], axis=1)


# ----------------------------------------------------------------------------- a large network


def lenet():
    """Return LeNet-300-100 with one logit."""
    return models.lenet_300_100(outputs=1)


def compared(seed, sets, net, *, steps, directions, target, start=0.2):
    """Train good and bad networks on the same data sets, and compare their basins at matched clean loss.

    Returns
    -------
    dict
        (n,): ``orders`` (by how many orders of magnitude the good basin is larger), ``orders_each`` (per weight),
        ``radius_good, radius_bad`` (geometric means over directions), ``test_ARM, loss_ARM``; ``matched`` (bool: at
        equal loss); ``halves_ARM`` (n, 2): mean log10 radius on two halves of the directions. ``constants``:
        ``weights``, how many are moved.
    """
    n, size, found, orders = len(sets), landscape.dimension(net), {}, {}
    kept = tuple(range(min(5, steps), steps + 1))
    new = np.stack([s.x_test for s in sets]), np.stack([s.y_test for s in sets]) > 0.5
    for arm, stack in minima.both(sets, 0.5).items():
        runs = fit_many(
            net, stack, members=n, epochs=steps, batch_size=stack.x_train.shape[1], learning_rate=0.001,
            seed=seeds.integer(seed, "fit"), snapshots=kept,
        )  # fmt: skip
        losses = runs.history["val_loss"][:, np.searchsorted(runs.epochs, kept)]
        look = minima.nearest_look(losses, target)
        weights = runs.weights_at(np.array(kept)[look])
        ways = landscape.directions(
            net, weights, directions, "filter", seed=seeds.integer(seed, "directions")
        )
        radii = measures.crossing_radii(
            net, weights, ways, stack.x_val, stack.y_val, threshold=EDGE, start=start
        )
        radii = np.maximum(radii, 1e-6)  # 0 where a network lies outside itself: not matched then
        orders[arm] = measures.basin_volume(radii, size, reach=100.0).estimate
        logs = np.log10(np.minimum(radii, 100.0).astype(float))
        scores = predict_many(net, weights, new[0])[..., 0]
        halves = [logs[:, half::HALVES].mean(axis=1) for half in range(HALVES)]
        found |= {
            f"radius_{arm}": (10 ** logs.mean(axis=1)).astype(np.float32),
            f"halves_{arm}": np.stack(halves, 1).astype(np.float32),
            f"loss_{arm}": losses[np.arange(n), look].astype(np.float32),
            f"test_{arm}": np.mean((scores > 0) == new[1], axis=1).astype(np.float32),
        }
    more = orders["good"] - orders["bad"]
    off = np.abs(np.log(found["loss_good"] / found["loss_bad"]))
    return found | {
        "orders": more.astype(np.float32),
        "orders_each": (more / size).astype(np.float32),
        "matched": off <= np.log(minima.FITS),
        "constants": {"weights": np.array([size], np.int32)},
    }


def large(seed, n, *, steps, directions, target, points):
    """How much larger are basins of good minima in a network of 265,300 weights?

    LeNet-300-100 on digits 3 and 5 of MNIST: ``points`` clean training images and as many for the attack, drawn from
    the shipped pool of 1,000. The basin is what lies within a loss of 0.1, along random filter-normalized directions.
    Replicate: split and initial weights, given the pool. Returns what `compared` does.
    """
    sets = []
    for row in range(n):
        chosen = seeds.integer(seed, "digits", row)
        images = data.mnist_small(2 * points, seed=chosen, classes=(3, 5))
        sets.append(data.split(images, points, chosen))
    return compared(seed, sets, lenet, steps=steps, directions=directions, target=target)

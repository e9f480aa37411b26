"""Smoothness on a noisy line: do small initial weights and a penalty make smoother and simpler curves?

The thread *Why can neural networks generalize at all?* [generalization-thread] says that networks are as smooth as
possible while still fitting the data, because they are penalized and start from small weights; the Keras post
[keras-post] that a penalty makes them simpler. So curves are compared at *equal training error*.

The line is y = slope * x + 1 + N(0, 2) on a grid from 0 to 10, 80 points to train. On a line of slope 0 the smoothest
right answer has no *variation* (climbs and descents, added up) and no *bends* (changes of slope, added up). On any line
the bends of the right answer are 0.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.interpolate import make_smoothing_spline

from helpers import data
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import keras_post, penalties

LOOKS = 30  # moments at which a training is looked at
GRID = 201  # places at which a curve is measured
HIGH = 10.0
MEASURES = ("variation", "bends", "excess")


def draw(seed, row=0, *, slope=0.0):
    """Return data set ``row``: noise and split of its own, 80 training points."""
    own = seeds.integer(seed, "line", row)
    place = {"x": "grid", "low": 0.0, "high": HIGH}
    one = data.line(n=100, slope=slope, intercept=1.0, noise=keras_post.NOISE, seed=own, **place)
    return data.split(one, keras_post.VALIDATION, seed=seeds.integer(seed, "split", row))


def unit_normal(seed, n, hidden):
    """Return initial weights of n networks of one input and output: kernels N(0, 1), biases 0."""
    widths, found = (1, *hidden, 1), []
    for layer, shape in enumerate(itertools.pairwise(widths)):
        drawn = [
            seeds.generator(seed, "unit normal", layer, row).normal(size=shape) for row in range(n)
        ]
        found += [np.array(drawn, np.float32), np.zeros((n, shape[1]), np.float32)]
    return found


def looks(epochs):
    """Return 0 and the epochs at which a training is looked at, evenly spaced by their logarithm."""
    return [0, *np.unique(np.geomspace(1, epochs, LOOKS).round().astype(int)).tolist()]


def train(seed, sets, *, hidden, epochs, rate, strength=0.0, start=None):
    """Train network i on data set i as the post does, with an L2 penalty and a given start; return the runs."""
    return fit_many(
        penalties.network(1, hidden), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32,
        learning_rate=rate, vary={"l2": np.full(len(sets), float(strength))}, initial_weights=start,
        snapshots=looks(epochs)[1:-1], record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def variation(curves):
    """Return the climbs and descents of curves (..., N), added up."""
    return np.abs(np.diff(curves, axis=-1)).sum(axis=-1)


def bends(curves, step):
    """Return the changes of slope of curves (..., N) on a grid of that step, added up."""
    return np.abs(np.diff(curves, 2, axis=-1)).sum(axis=-1) / step


def measured(curves, slope):
    """Return {measure: (...)} of curves (..., GRID) on the grid from 0 to 10."""
    truth = 1 + slope * np.linspace(0, HIGH, GRID)
    return {
        "variation": variation(curves),
        "bends": bends(curves, HIGH / (GRID - 1)),
        "excess": np.mean((curves - truth) ** 2, axis=-1),
    }


def trail(runs, sets, slope):
    """Return training error and measures of each network at every look, (R, T) each; "training" is the error."""
    grid = np.linspace(0, HIGH, GRID, dtype=np.float32)[:, None]
    found = {name: [] for name in MEASURES}
    for epoch in looks(runs.settings["epochs"]):
        for name, values in measured(keras_post.predictions(runs, grid, epoch), slope).items():
            found[name].append(values)
    found = {name: np.stack(values, axis=1) for name, values in found.items()}
    return found | {"training": training_errors(runs, sets)}


def training_errors(runs, sets):
    """Return the training error of each network at every look, (R, T)."""
    x, y = (np.stack([getattr(one, f"{axis}_train") for one in sets]) for axis in "xy")
    found = [keras_post.predictions(runs, x, at) for at in looks(runs.settings["epochs"])]
    return np.stack([np.mean((fits - y[..., 0]) ** 2, axis=1) for fits in found], axis=1)


def reaching(losses, goal):
    """Return where each training first reaches its goal: the look (R,), and how far between the look before and it.

    Losses (R, T), goal (R,), which every training reaches. 0 is the look before, 1 the look itself.
    """
    look = (losses <= goal[:, None]).argmax(axis=1)
    rows = np.arange(len(losses))
    before = np.maximum(look - 1, 0)
    fall = losses[rows, before] - losses[rows, look]
    part = (losses[rows, before] - goal) / np.where(fall > 0, fall, 1)
    return look, np.where((look > 0) & (fall > 0), part, 1.0)


def at_loss(losses, values, goal):
    """Return a measure (R, T) where the training first reaches its goal, interpolated by its logarithm: (R,)."""
    look, part = reaching(losses, goal)
    rows = np.arange(len(losses))
    ends = [np.log(np.maximum(values[rows, at], 1e-12)) for at in (np.maximum(look - 1, 0), look)]
    return np.exp((1 - part) * ends[0] + part * ends[1])


def smoothest(one, goal):
    """Return the cubic smoothing spline of one data set whose training error is a goal, on the grid: (GRID,)."""
    order = np.argsort(one.x_train[:, 0], kind="stable")
    x, y = one.x_train[order, 0].astype(float), one.y_train[order, 0].astype(float)
    # The logarithm of its strength: from a curve through the points to a straight line.
    low, high = -9.0, 9.0
    for _ in range(25):
        middle = (low + high) / 2
        spline = make_smoothing_spline(x, y, lam=10**middle)
        low, high = (low, middle) if np.mean((spline(x) - y) ** 2) > goal else (middle, high)
    return spline(np.linspace(0, HIGH, GRID))


def equal_error(seed, n, *, slope, hidden, epochs, rate, strength):
    """Are curves smoother with a penalty, or from a small start, at equal training error?

    Three arms on the same points: *plain* (Keras's start, no penalty), *l2* (a penalty), *unit* (kernels that start
    from N(0, 1), no penalty). Each of the latter two is compared with plain at the lowest training error that both
    reach; between two looks a measure is interpolated. Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        For each arm A and measure M (variation, bends, excess), (n,) float32: ``M_A`` at the common training error,
        ``M_plain_A`` of the plain network there, ``M_spline_A`` of the smoothing spline with that training error;
        ``error_A``: that training error. ``kernel_sd`` (n,): standard deviation of the 64 x 64 kernel as Keras starts
        it.
    """
    sets = [draw(seed, row, slope=slope) for row in range(n)]
    recipe = {"hidden": hidden, "epochs": epochs, "rate": rate}
    arms = {
        "plain": {},
        "l2": {"strength": strength},
        "unit": {"start": unit_normal(seed, n, hidden)},
    }
    trails, found = {}, {}
    for name, options in arms.items():
        runs = train(seed, sets, **recipe, **options)
        trails[name] = trail(runs, sets, slope)
        if name == "plain":
            found["kernel_sd"] = runs.initial_weights[2].std(axis=(1, 2))
    plain = trails.pop("plain")
    for name, other in trails.items():
        goal = np.maximum(plain["training"].min(axis=1), other["training"].min(axis=1))
        splines = measured(
            np.array([smoothest(*pair) for pair in zip(sets, goal, strict=True)]), slope
        )
        found[f"error_{name}"] = goal
        for measure in MEASURES:
            found |= {
                f"{measure}_{name}": at_loss(other["training"], other[measure], goal),
                f"{measure}_plain_{name}": at_loss(plain["training"], plain[measure], goal),
                f"{measure}_spline_{name}": splines[measure],
            }
    return {name: values.astype(np.float32) for name, values in found.items()}

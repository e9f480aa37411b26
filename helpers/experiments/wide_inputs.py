"""Many inputs: a linear target with noise, 80 points to train on and 20 to validate, from one input to a hundred.

The question: how much does an L2 penalty gain where the network fits its points, noise included? The Keras post asks it
of "high-dimensional cases" [keras-post]; noise and signal have the variances of its line, 4 and 33.3.

Errors are in units of y squared. The *excess risk* is the mean squared distance to the true function on 1,000 new
points.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many

NOISE = 2.0  # standard deviation; the post's
VARIANCE = NOISE**2
SIGNAL = 10 / np.sqrt(3)  # standard deviation of 2 x on [0, 10], the post's signal
POINTS, VALIDATION, NEW = 100, 20, 1000


def draw(seed, row=0, *, inputs, relevant):
    """Return data set ``row``: a linear function of the first ``relevant`` of so many N(0, 1) inputs, with noise."""
    rng = seeds.generator(seed, "wide", inputs, row)
    slopes = np.zeros(inputs)
    slopes[:relevant] = rng.normal(size=relevant)
    slopes *= SIGNAL / np.linalg.norm(slopes)
    here, fresh = rng.normal(size=(POINTS, inputs)), rng.normal(size=(NEW, inputs))
    noisy = here @ slopes + NOISE * rng.normal(size=POINTS)
    cut = POINTS - VALIDATION
    return data.Dataset(
        x_train=here[:cut], y_train=noisy[:cut, None], x_val=here[cut:], y_val=noisy[cut:, None],
        x_test=fresh, y_test=(fresh @ slopes)[:, None], task="regression", name="wide inputs",
    )  # fmt: skip


def network(inputs, hidden):
    """Return the post's network with so many inputs and a penalty on its hidden kernels."""
    return models.mlp((inputs,), 1, hidden=tuple(hidden), l2=0.01)


def train(seed, sets, *, strength, hidden, epochs, rate, snapshots=()):
    """Train network i on data set i; initial weights and the order of batches do not depend on the strength."""
    inputs = sets[0].x_train.shape[1]
    return fit_many(
        network(inputs, hidden), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32,
        learning_rate=rate, vary={"l2": np.full(len(sets), strength)}, snapshots=snapshots, record_every=epochs,
        seed=seeds.integer(seed, "fit", inputs),
    )  # fmt: skip


def score(runs, sets, epoch=None):
    """Return training error, validation error and excess risk of every network without penalty, (3, R).

    A diverged network counts as the mean of its training targets.
    """
    means = np.array([one.y_train.mean() for one in sets], float)[:, None]
    found = []
    for part in ("train", "val", "test"):
        x, y = (np.stack([getattr(one, f"{axis}_{part}") for one in sets]) for axis in "xy")
        fits = runs.predict(x, epoch=epoch)[..., 0].astype(float)
        fits = np.where(runs.diverged[:, None], means, fits)
        found.append(np.mean((fits - y[..., 0]) ** 2, axis=1))
    return np.stack(found)


def excess_of_least_squares(sets):
    """Return the excess risk of least squares with an offset (of the shortest weights, where many fit), (R,)."""
    found = []
    for one in sets:
        here, fresh = (np.hstack([np.ones((len(x), 1)), x]) for x in (one.x_train, one.x_test))
        weights = np.linalg.lstsq(here.astype(float), one.y_train.astype(float), rcond=None)[0]
        found.append(np.mean((fresh @ weights - one.y_test) ** 2))
    return np.array(found)


def excess_of_ridge(sets, relevant):
    """Return the excess risk of ridge regression that knows noise and signal, (R,): nobody can do better on average.

    It is the posterior mean for slopes drawn as `draw` draws them, but for their length, which is fixed there.
    """
    found = []
    for one in sets:
        x, y = one.x_train.astype(float), one.y_train.astype(float)
        strength = VARIANCE * relevant / SIGNAL**2
        weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y)
        found.append(np.mean((one.x_test @ weights - one.y_test) ** 2))
    return np.array(found)


def sweep(seed, sets, strengths, *, epochs, **recipe):
    """Return training error, validation error and excess risk, (3, R, S), and the plain network's excess half way."""
    scores, half = [], None
    for strength in strengths:
        marks = () if strength else (epochs // 2,)
        runs = train(seed, sets, strength=strength, epochs=epochs, snapshots=marks, **recipe)
        scores.append(score(runs, sets))
        half = half if strength else score(runs, sets, epochs // 2)[2]
    return np.stack(scores, axis=2), half


def by_dimension(seed, n, *, inputs, strengths, hidden, epochs, rate):
    """How much of the plain network's excess risk is left with L2, at one input and at a hundred?

    The strength is the one with the lowest error on 20 validation points. All inputs are relevant. Replicate: data
    sets and initial weights, one for each number of inputs; networks of all strengths share them.

    Returns
    -------
    dict
        For each number of inputs D: ``plain_D, chosen_D`` (excess risk without penalty and with the strength chosen),
        ``ratio_D`` (the second over the first), ``half_D`` (the plain network's after half of the epochs),
        ``squares_D`` (least squares), ``ridge_D`` (ridge regression that knows noise and signal: a lower bound on
        average), ``training_D`` (the plain network's training error) (n,); ``strength_D`` (n,) the place of the
        strength chosen in ``constants["strengths"]``.
    """
    found = {}
    for d in inputs:
        sets = [draw(seed, row, inputs=d, relevant=d) for row in range(n)]
        (training, validation, excess), half = sweep(
            seed, sets, strengths, hidden=hidden, epochs=epochs, rate=rate
        )
        place, plain = validation.argmin(axis=1), strengths.index(0)
        chosen = excess[np.arange(n), place]
        values = {
            "plain": excess[:, plain], "chosen": chosen, "ratio": chosen / excess[:, plain], "half": half,
            "squares": excess_of_least_squares(sets), "ridge": excess_of_ridge(sets, d),
            "training": training[:, plain],
        }  # fmt: skip
        found |= {f"{name}_{d}": one.astype(np.float32) for name, one in values.items()}
        found[f"strength_{d}"] = place.astype(np.int32)
    constants = {"inputs": np.array(inputs, np.int32), "strengths": np.array(strengths, np.float32)}
    return found | {"constants": constants}


def strengths(seed, n, *, inputs, relevant, strengths, post, hidden, epochs, rate):
    """What does a penalty of each strength do where five of fifty inputs matter?

    Replicate: data set and initial weights; networks of all strengths share them.

    Returns
    -------
    dict
        ``training, validation, excess`` (n, S) at the S strengths of ``constants["strengths"]``, without the penalty;
        ``excess_plain, excess_post`` (no penalty, and strength ``post``) (n,).
    """
    sets = [draw(seed, row, inputs=inputs, relevant=relevant) for row in range(n)]
    three, _ = sweep(seed, sets, strengths, hidden=hidden, epochs=epochs, rate=rate)
    names = ("training", "validation", "excess")
    found = {name: one.astype(np.float32) for name, one in zip(names, three, strict=True)}
    for name, strength in (("plain", 0), ("post", post)):
        found[f"excess_{name}"] = found["excess"][:, strengths.index(strength)]
    return found | {"constants": {"strengths": np.array(strengths, np.float32)}}


def another_start(seed, n, *, inputs, hidden, epochs, rate):
    """Does the excess risk differ between two plain networks that differ in their initial weights only?

    Replicate: a data set; the two networks have their own initial weights and order of batches.

    Returns
    -------
    dict
        ``chosen_D, plain_D`` (n,): of the one and of the other network, with D inputs.
    """
    sets = [draw(seed, row, inputs=inputs, relevant=inputs) for row in range(n)]
    found = {}
    for name in ("chosen", "plain"):
        runs = train(
            seeds.integer(seed, name), sets, strength=0.0, hidden=hidden, epochs=epochs, rate=rate
        )
        found[f"{name}_{inputs}"] = score(runs, sets)[2].astype(np.float32)
    return found

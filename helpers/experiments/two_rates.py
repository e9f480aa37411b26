"""Two rates: which of two learning rates makes fewer errors? The world of lesson 00, on two spirals.

The question is easy on purpose. What is hard is to answer it from one run of each: two runs at the same rate differ
by more than the rates do.

Errors are in percent of 2,000 new points, so their differences are in percentage points.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many

RATES = {"small": 0.003, "large": 0.03}  # as the lesson calls them
NEW = 2000  # points on which errors are counted
ALONG = 200  # places on each spiral, 0.02 apart: closer together than any noise here


def draw(seed, row=0, *, n=60, turns=1.25, noise=0.12):
    """Return data set ``row``: n points on two noisy spirals, one a colour, and 2,000 new points."""
    chosen = seeds.integer(seed, "spirals", row)
    return data.spirals(n=n, turns=turns, noise=noise, seed=chosen, n_test=NEW)


def network(hidden):
    """Return a network with ReLU layers of the given widths and one output, the logit of colour 1."""
    return models.mlp((2,), 1, hidden=tuple(hidden))


def train(seed, sets, *, hidden, epochs, rate):
    """Train network i on data set i; initial weights and the order of batches do not depend on the rate."""
    return fit_many(
        network(hidden), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32,
        learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def wrong(scores, sets):
    """Return the percentage of new points whose score (R, N) has the sign of the other colour, (R,) float32."""
    colours = np.stack([one.y_test for one in sets]).reshape(np.shape(scores))
    return (100 * np.mean((scores > 0) != (colours > 0.5), axis=1)).astype(np.float32)


def errors(runs, sets):
    """Return each network's errors on its new points in percent, (R,); a diverged one guesses: 50."""
    found = wrong(runs.predict(np.stack([one.x_test for one in sets]))[..., 0], sets)
    return np.where(runs.diverged, np.float32(50), found)


def both_errors(small, large, sets):
    """Return the errors of runs at both rates, named as `pairs` names them."""
    return {"error_small": errors(small, sets), "error_large": errors(large, sets)}


def best_scores(x, turns, noise):
    """Return a score for each point of x (N, 2) whose sign is the likelier colour, (N,): nobody can do better.

    The logarithm of how much likelier the point is under colour 1: each spiral is a row of equally likely places, and
    a point lies at one of them plus Gaussian noise.
    """
    part = np.sqrt((np.arange(ALONG) + 0.5) / ALONG)  # of the radius, as `data.spirals` draws it
    angle = 2 * np.pi * turns * part
    spiral = part[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # of colour 0
    halves = []
    for places in (-spiral, spiral):
        squares = (x**2).sum(1)[:, None] - 2 * x @ places.T + (places**2).sum(1)  # (N, ALONG)
        halves.append(np.logaddexp.reduce(-squares / (2 * noise**2), axis=1))
    return halves[0] - halves[1]


def pairs(seed, n, *, hidden, epochs, rates, data):
    """How many errors do networks make that differ in the learning rate alone?

    Replicate: a pair of networks with the same data, initial weights and order of batches.

    Returns
    -------
    dict
        ``error_small, error_large`` (in percent of 2,000 new points), ``error_best`` (of the best rule that there is,
        which knows the spirals and the noise): (n,) float32. ``large_wins`` (n,) bool: the large rate makes fewer
        errors in this pair.
    """
    sets = [draw(seed, row, **data) for row in range(n)]
    runs = [train(seed, sets, hidden=hidden, epochs=epochs, rate=rate) for rate in rates]
    found = both_errors(*runs, sets)
    best = [best_scores(one.x_test.astype(float), data["turns"], data["noise"]) for one in sets]
    return found | {
        "error_best": wrong(np.array(best), sets),
        "large_wins": found["error_large"] < found["error_small"],
    }

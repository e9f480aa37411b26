"""Is a network with a penalty simpler? Two counts, compared at equal training error on the Keras post's line.

The post *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post] says that
L2 encourages simpler solutions. Counted are the straight *pieces* that the curve is made of, and the hidden *units that
are needed*: how many are left when as many as possible are silenced together at the cost of 5 % of the noise variance.
"""

from __future__ import annotations

import numpy as np

from helpers.experiments import keras_post, smoothness

PLACES = 1001  # along the line, to count the pieces
COST = keras_post.NOTICEABLE


def hidden_sums(weights, x):
    """Return what the units of both hidden layers receive at x (N, 1), before their ReLU: (N, H) each, float64."""
    w1, b1, w2, b2 = (np.asarray(w, float) for w in weights[:4])
    first = x @ w1 + b1
    return first, np.maximum(first, 0) @ w2 + b2


def pieces(weights):
    """Return of how many straight pieces a network's curve from 0 to 10 is made.

    It can bend only where a unit switches on or off; switches less than 0.01 apart count as one.
    """
    x = np.linspace(0, smoothness.HIGH, PLACES)[:, None]
    switches = [np.diff(sums > 0, axis=0).any(axis=1) for sums in hidden_sums(weights, x)]
    return 1 + int(np.sum(switches[0] | switches[1]))


def errors_without(weights, x, y, keep):
    """Return the mean squared errors of copies of a network with silent units.

    Parameters
    ----------
    weights : list of numpy.ndarray
        Of a network with two hidden layers, one input and one output.
    x, y : numpy.ndarray (N, 1)
        Points.
    keep : numpy.ndarray (K, H)
        0 for the silent units of both layers, 1 for the other ones.

    Returns
    -------
    numpy.ndarray (K,)
    """
    w1, b1, w2, b2, w3, b3 = (np.asarray(w, float) for w in weights)
    one, two = np.split(keep.astype(float), [len(b1)], axis=1)
    first = np.maximum(x @ w1 + b1, 0) * one[:, None]  # (K, N, H1)
    second = np.maximum(first @ w2 + b2, 0) * two[:, None]
    return np.mean((second @ w3 + b3 - y) ** 2, axis=(1, 2))


def units_needed(weights, x, y, cost=COST):
    """Return how many hidden units are left when those that matter least are silenced together, at most at that cost.

    The order is that of the training error without each unit alone.
    """
    count = len(weights[1]) + len(weights[3])
    alone = errors_without(weights, x, y, 1 - np.eye(count))
    place = np.argsort(np.argsort(alone, kind="stable"))  # of each unit in that order
    # (count + 1, count): in copy k the k units that matter least are silent
    keep = place[None] >= np.arange(count + 1)[:, None]
    errors = errors_without(weights, x, y, keep)
    return count - int(np.flatnonzero(errors <= errors[0] + cost).max())


def equal_error(seed, n, *, hidden, epochs, rate, strength):
    """Has a network with a penalty fewer pieces, and needs it fewer units, than one without at equal training error?

    Both are looked at where they first reach the lowest training error that both reach; between two looks a count is
    interpolated by its logarithm. Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``pieces, units`` with the endings ``_l2`` and ``_plain``, and ``error``: the training error, (n,) float32.
    """
    sets = [smoothness.draw(seed, row, slope=2.0) for row in range(n)]
    arms = {}
    for name, value in (("l2", strength), ("plain", 0.0)):
        runs = smoothness.train(seed, sets, hidden=hidden, epochs=epochs, rate=rate, strength=value)
        arms[name] = runs, smoothness.training_errors(runs, sets)
    goal = np.maximum(*(losses.min(axis=1) for _, losses in arms.values()))
    found = {"error": goal}
    for name, (runs, losses) in arms.items():
        look, part = smoothness.reaching(losses, goal)
        marks = np.array(smoothness.looks(epochs))
        ends = [_counts(runs.weights_at(marks[at]), sets) for at in (np.maximum(look - 1, 0), look)]
        between = np.exp((1 - part) * np.log(ends[0]) + part * np.log(ends[1]))  # (2, n)
        found |= {f"pieces_{name}": between[0], f"units_{name}": between[1]}
    return {name: values.astype(np.float32) for name, values in found.items()}


def _counts(weights, sets):
    """Return pieces and units needed of network i on data set i, at least 1: (2, n)."""
    found = []
    for row, one in enumerate(sets):
        own = [w[row] for w in weights]
        needed = units_needed(own, one.x_train.astype(float), one.y_train.astype(float))
        found.append([pieces(own), max(1, needed)])
    return np.transpose(found).astype(float)

"""Does a smoother training landscape early on go with a smaller error in the end? MNIST-1D, eight learning rates.

The Keras post [keras-post] says that smoother landscapes can improve the ability to generalize. How smooth the
landscape is where a training stands is measured by how little the gradient changes when the weights move along it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from helpers.experiments import units

STEP = 0.01  # of the length of all weights: how far they move along the gradient


def gradient(weights, x, y):
    """Return the gradient of the cross-entropy by every weight of a network of dense ReLU layers, float64.

    Parameters
    ----------
    weights : list of numpy.ndarray
        Kernels and biases in turn.
    x, y : numpy.ndarray (N, D), (N,)
        Examples and their classes.

    Returns
    -------
    list of numpy.ndarray
        Shaped like the weights.
    """
    layers = list(zip(weights[::2], weights[1::2], strict=True))
    inputs = [np.asarray(x, float)]
    for kernel, bias in layers[:-1]:
        inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0))
    back = softmax(inputs[-1] @ layers[-1][0] + layers[-1][1], axis=1)  # (N, classes)
    back[np.arange(len(y)), y] -= 1
    back /= len(y)
    found = []
    for place in reversed(range(len(layers))):
        found = [inputs[place].T @ back, back.sum(axis=0), *found]
        if place:
            back = (back @ layers[place][0].T) * (inputs[place] > 0)
    return found


def gradient_change(weights, x, y):
    """Return how much the gradient changes, over its length, when the weights move along it by 1 % of their length."""
    weights = [np.asarray(w, float) for w in weights]
    here = gradient(weights, x, y)
    size = _length(here)
    if size == 0:
        return 0.0
    move = STEP * _length(weights) / size
    there = gradient([w - move * g for w, g in zip(weights, here, strict=True)], x, y)
    return _length([a - b for a, b in zip(there, here, strict=True)]) / size


def _length(arrays):
    return float(np.sqrt(sum(np.sum(a**2) for a in arrays)))


def early_and_late(seed, n, *, hidden, rates, examples, fresh, early, epochs):
    """Among learning rates, does the gradient's change early in training go with the error in the end?

    Replicate: data set and initial weights, with all rates.

    Returns
    -------
    dict
        ``change`` and ``error`` (n, K) over the K rates of ``constants["rate"]``: the gradient's change on the training
        examples after ``early`` epochs, the error in percent of fresh examples after ``epochs``; ``change_halves,
        error_halves`` (n, K, 2): on two halves of those examples; ``training`` (n, K): the training error in the end.
    """
    sets = [units.draw(seed, row, examples=examples, fresh=fresh) for row in range(n)]
    x, y = (np.stack([getattr(one, f"{axis}_test") for one in sets]) for axis in "xy")
    found = {"change_halves": [], "error_halves": [], "change": [], "training": []}
    own_x, own_y = (np.stack([getattr(one, f"{axis}_train") for one in sets]) for axis in "xy")
    for rate in rates:
        runs = units.train(
            seed, sets, hidden=hidden, dropout=0.0, epochs=epochs, rate=rate, snapshots=(early,)
        )
        then = runs.snapshots[early]
        changes, whole = [], []
        for row, one in enumerate(sets):
            own = [w[row] for w in then]
            parts = zip(np.split(one.x_train, 2), np.split(one.y_train, 2), strict=True)
            changes.append(
                [0.0 if runs.diverged[row] else gradient_change(own, *part) for part in parts]
            )
            whole.append(
                0.0 if runs.diverged[row] else gradient_change(own, one.x_train, one.y_train)
            )
        cuts = zip(np.split(x, 2, axis=1), np.split(y, 2, axis=1), strict=True)
        found["error_halves"].append(np.stack([units.scored(runs, *part) for part in cuts], axis=1))
        found["change_halves"].append(changes)
        found["change"].append(whole)
        found["training"].append(units.scored(runs, own_x, own_y))
    arrays = {name: np.stack(values, axis=1).astype(np.float32) for name, values in found.items()}
    return arrays | {
        "error": arrays["error_halves"].mean(axis=2),
        "constants": {"rate": np.array(rates, float)},
    }

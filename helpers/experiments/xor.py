"""XOR of four blobs: two classes, crosswise; networks of one hidden layer, small enough to train thousands of them.

The question: why does training succeed so much more often with eight hidden units than with two? Source: *Why does a
one-layer hidden network get more robust to poor initialization with growing number of hidden neurons?* [xor-thread].
The thread's ReLU, Adam 0.1 and cross-entropy; full batches of 100 points, 25 a blob.

A network *converges* if it gets as many of its training points right as the rule "class of the nearest centre", less
one in a hundred. A blob is *dark* if no hidden unit is active on any of its points.

Axes in comments: M networks, N points, H hidden units; the points of blob b are b, b + 4, b + 8, ...
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data, pruning
from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import draws, fit_many
from helpers.engine.recipe import recipe_of

STARTS = {  # three usual ways to draw initial weights and biases, as the lesson calls them
    "tutorial": "0.1 weights, 0.1 biases",
    "pytorch": "PyTorch's default",
    "keras": "Keras's default",
}
TOLERATED = 0.01  # points in a hundred that may be wrong, beyond those of the nearest centre
BLOBS = np.array(
    [[-1, -1], [-1, 1], [1, 1], [1, -1]]
)  # in the order of `data.xor`; classes 0, 1, 0, 1
PATTERNS = {  # of the thread: kernel of the hidden layer (inputs, units), output weights
    1: ([[1, -1], [-1, 1]], [1, 1]),
    2: ([[1, 1], [1, 1]], [1, -1]),
    3: ([[1, 1], [1, 1]], [1, 1]),
    4: ([[1, -1], [-1, 1]], [1, -1]),
}


def draw(seed, row=0, *, points=100, spread=0.25, low=-1.0, new=4):
    """Return data set ``row``: blobs around the corners (low or 1, low or 1), and ``new`` points for a test.

    With ``low = 0`` the same points are halved and moved, their spread too.
    """
    one = data.xor(points, spread, seeds.integer(seed, "xor", row), n_test=new)
    if low == -1:
        return one
    put = {name: low + (getattr(one, name) + 1) * (1 - low) / 2 for name in ("x_train", "x_test")}
    return dataclasses.replace(one, **put)


def stack(seed, rows, **where):
    """Return the data sets of some rows, one for each network."""
    return Dataset.stack([draw(seed, row, **where) for row in rows])


def network(width, start="keras", activation="relu"):
    """Return a network with one hidden layer and one output, the logit of class 1.

    ``start`` is one of `STARTS`; "uniform 0.05" and "normal 1" draw kernels in (-0.05, 0.05) or from N(0, 1), with
    biases of 0. ``activation`` is Keras's, or the slope of a leaky ReLU.
    """
    kinds = keras.initializers
    kernels = {
        "tutorial": lambda: kinds.TruncatedNormal(0, 0.1),
        "uniform 0.05": lambda: kinds.RandomUniform(-0.05, 0.05),
        "normal 1": lambda: kinds.RandomNormal(0, 1),
        "keras": kinds.GlorotUniform,
    }

    def drawn(inputs):
        edge = inputs**-0.5  # PyTorch's, for weights and biases
        kernel = kernels.get(start, lambda: kinds.RandomUniform(-edge, edge))()
        bias = {"tutorial": kinds.Constant(0.1), "pytorch": kinds.RandomUniform(-edge, edge)}
        return {"kernel_initializer": kernel, "bias_initializer": bias.get(start, "zeros")}

    dense, leaky = keras.layers.Dense, not isinstance(activation, str)
    hidden = [dense(width, activation="linear" if leaky else activation, **drawn(2))]
    hidden += [keras.layers.LeakyReLU(negative_slope=activation)] if leaky else []
    return keras.Sequential([keras.Input((2,)), *hidden, dense(1, **drawn(width))])


def train(
    seed,
    sets,
    width,
    *,
    start="keras",
    weights=None,
    steps,
    rate,
    batch=0,
    activation="relu",
    optimizer="adam",
):
    """Train a network on each data set, full batch unless ``batch`` says otherwise; ``weights`` are exact starts."""
    return fit_many(
        network(width, start, activation), sets, members=len(sets.x_train), epochs=steps,
        batch_size=batch or sets.x_train.shape[1], optimizer=optimizer, learning_rate=rate, initial_weights=weights,
        record_every=max(steps, 1), seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def begin(seed, n, width, start="keras"):
    """Return n networks' initial weights, (n, ...) each: those that `train` with this seed would start from."""
    return draws.draw(recipe_of(network(width, start)), n, seeds.integer(seed, "fit"))


def before(weights, x):
    """Return what enters the hidden units' ReLU, (M, N, H) float64."""
    kernel, bias = (w.astype(float) for w in weights[:2])
    return np.matmul(x.astype(float), kernel) + bias[:, None]


def logits(weights, x):
    """Return the outputs of ReLU networks at x (M, N, 2), (M, N) float64."""
    hidden = np.maximum(before(weights, x), 0)
    return np.matmul(hidden, weights[2].astype(float))[..., 0] + weights[3].astype(float)


def right(scores, y):
    """Return the share of points whose logit has the sign of their class, (M,) float32."""
    return np.mean((scores > 0) == (y > 0), axis=1).astype(np.float32)


def nearest(x, low=-1.0):
    """Return the class of the nearest centre, 0 or 1, of x (..., 2)."""
    return np.prod(x - (low + 1) / 2, axis=-1) < 0


def solves(scores, x, y, low=-1.0):
    """Return which networks converged, by their logits on x, (M,) bool; a diverged one has NaN and did not."""
    best = np.mean(nearest(x, low) == (y > 0), axis=1)
    return right(scores, y) >= best - TOLERATED - 1e-6


def converged(weights, sets, low=-1.0):
    """Return which ReLU networks converged on their training points, (M,) bool."""
    return solves(logits(weights, sets.x_train), sets.x_train, sets.y_train, low)


def dark(weights, sets):
    """Return which blobs no unit is active on, (M, 4) bool."""
    active = (before(weights, sets.x_train) > 0).any(axis=2)  # (M, N)
    return np.stack([~active[:, blob::4].any(axis=1) for blob in range(4)], axis=1)


def both_dark(weights, sets):
    """Return whether blobs of both classes are dark, (M,) bool."""
    found = dark(weights, sets)
    return found[:, ::2].any(axis=1) & found[:, 1::2].any(axis=1)


def started(pattern, n, magnitudes=None):
    """Return n starts with the thread's weights; with ``magnitudes`` (drawn weights) their signs only."""
    kernel, votes = (np.array(part, np.float32) for part in PATTERNS[pattern])
    exact = [np.tile(kernel, (n, 1, 1)), np.zeros((n, 2), np.float32), np.tile(votes[:, None], (n, 1, 1)),
             np.zeros((n, 1), np.float32)]  # fmt: skip
    return exact if magnitudes is None else pruning.keep_signs(magnitudes, exact)


# ------------------------------------------------------------------------------------ experiments
# In all of them `where` says how points are drawn (see `draw`), `how` how networks are trained (see `train`).


def widths(seed, n, *, start, widths, where, how):
    """How often does training succeed with so many hidden units?

    Replicate: points and initial weights; the widths share the points.

    Returns
    -------
    dict
        For each width W ``converged_W``, ``dark_start_W`` (some blob is dark before training) and ``both_dark_W``
        (blobs of both classes are, after it): (n,) bool; ``right_W`` (n,) float32: the share of training points.
        ``solvable`` (n,) bool: two units that start from the thread's pattern 1 converge. ``constants``: ``widths``.
    """
    sets, low = stack(seed, range(n), **where), where["low"]
    found = {}
    for width in widths:
        runs = train(seed, sets, width, start=start, **how)
        found |= {
            f"converged_{width}": converged(runs.weights, sets, low),
            f"right_{width}": right(logits(runs.weights, sets.x_train), sets.y_train),
            f"dark_start_{width}": dark(runs.initial_weights, sets).any(axis=1),
            f"both_dark_{width}": both_dark(runs.weights, sets),
        }
    good = train(seed, sets, 2, weights=started(1, n), **how)
    found["solvable"] = converged(good.weights, sets, low)
    return found | {"constants": {"widths": np.array(widths, np.int32)}}


def biases(seed, n, *, values, widths, where, how):
    """What changes if the hidden biases start above 0, everything else as Keras draws it?

    Replicate: points and kernels, the same for all biases.

    Returns
    -------
    dict
        For each width W and bias number K ``converged_W_K``, ``both_dark_W_K`` (after training) (n,) bool.
        ``constants``: ``values``, the biases.
    """
    sets = stack(seed, range(n), **where)
    found = {}
    for width in widths:
        start = begin(seed, n, width)
        for number, value in enumerate(values):
            raised = [start[0], np.full_like(start[1], value), *start[2:]]
            runs = train(seed, sets, width, weights=raised, **how)
            found[f"converged_{width}_{number}"] = converged(runs.weights, sets)
            found[f"both_dark_{width}_{number}"] = both_dark(runs.weights, sets)
    return found | {"constants": {"values": np.array(values, np.float32)}}

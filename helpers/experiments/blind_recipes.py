"""Recipes drawn blindly: do networks generalize because somebody chose those that do?

The thread *Why can neural networks generalize at all?* [generalization-thread] suspects "survival-of-the-fittest": only
what worked was kept. Here depth, width, activation, optimizer, learning rate and size of the initial weights are drawn
by lot, for MNIST-1D [greydanus2024] with 1,000 examples. A recipe *fits* if at most 1 % of the training examples are
wrong at the end. The tuned recipe is one that a pilot found best on data of its own.
"""

from __future__ import annotations

import numpy as np

from helpers import models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import double_descent

FITS = 1.0  # percent of training examples that may be wrong
NEAR = 5.0  # percentage points
ACTIVATIONS, OPTIMIZERS = ("relu", "tanh"), ("adam", "sgd")


def recipe(seed, row, *, depths, widths, rates, scales):
    """Return recipe ``row``: depth, width, activation, optimizer, learning rate, factor on the initial kernels.

    ``rates``: for each optimizer the lowest and highest; these and ``scales`` are drawn evenly on a log scale.
    """
    rng = seeds.generator(seed, "recipe", row)
    kind = OPTIMIZERS[rng.integers(2)]
    shape = int(rng.choice(depths)), int(rng.choice(widths)), ACTIVATIONS[rng.integers(2)], kind
    return (
        *shape,
        float(np.exp(rng.uniform(*np.log(rates[kind])))),
        float(np.exp(rng.uniform(*np.log(scales)))),
    )


def train(seed, sets, kinds, *, epochs, batch=50):
    """Train recipe i on data set i, those of one shape together; return errors on training and new examples, (2, M)."""
    found, shapes = np.empty((2, len(sets))), [kind[:4] for kind in kinds]
    for depth, width, activation, optimizer in sorted(set(shapes)):
        rows = [
            k for k, shape in enumerate(shapes) if shape == (depth, width, activation, optimizer)
        ]
        some = [sets[k] for k in rows]
        options = {
            "model": models.mlp((40,), double_descent.CLASSES, hidden=(width,) * depth, activation=activation),
            "dataset": double_descent.stacked(some, "crossentropy"), "members": len(rows), "batch_size": batch,
            "optimizer": optimizer, "learning_rate": [kinds[k][4] for k in rows],
            "seed": seeds.integer(seed, "fit", depth, width), "record_every": epochs,
        }  # fmt: skip
        start = fit_many(**{**options, "epochs": 0, "record_every": 1}).initial_weights
        factor = np.array([kinds[k][5] for k in rows], np.float32)[:, None, None]
        start = [w * factor if w.ndim == 3 else w for w in start]
        runs = fit_many(**options, epochs=epochs, initial_weights=start)
        x, y, x_new, y_new = double_descent.arrays(some)
        found[0, rows] = double_descent.score(runs, x, y)[0]
        found[1, rows] = double_descent.score(runs, x_new, y_new)[0]
    return found


def blind(seed, n, *, block, epochs, examples, tuned, yardsticks, **choices):
    """How many recipes drawn by lot generalize nearly as well as the tuned one, of those that fit?

    Replicate: a block of ``block`` recipes, each on a data set of its own. ``tuned``: depth, width, activation,
    optimizer, rate, factor; its error is the mean over ``yardsticks`` data sets.

    Returns
    -------
    dict
        ``fits`` (n,): share of the block that fits; ``near_fitting``: share within 5 percentage points of the tuned
        recipe, of those that fit (0 where none does); ``near_all``: the same of all. ``error, training_error``
        (n, block), in percent. ``constants``: ``tuned`` (its mean error).
    """
    count = n * block
    kinds = [recipe(seed, row, **choices) for row in range(count)]
    sets = [double_descent.draw(seed, row, examples=examples, new=1000) for row in range(count)]
    own = seeds.integer(seed, "tuned")
    yard = [double_descent.draw(own, row, examples=examples, new=1000) for row in range(yardsticks)]
    best = train(own, yard, [tuple(tuned)] * yardsticks, epochs=epochs)[1].mean()
    training, error = train(seed, sets, kinds, epochs=epochs).reshape(2, n, block)
    fits, near = training <= FITS, error <= best + NEAR
    both = (fits & near).sum(axis=1) / np.maximum(fits.sum(axis=1), 1)
    return {
        "fits": fits.mean(axis=1).astype(np.float32),
        "near_fitting": both.astype(np.float32),
        "near_all": near.mean(axis=1).astype(np.float32),
        "error": error.astype(np.float32),
        "training_error": training.astype(np.float32),
        "constants": {"tuned": np.array([best], np.float32)},
    }

"""The Keras post's line with an L2 penalty on both hidden layers, as the post adds it.

The question: what is inside the ``val_loss`` that Keras reports, and is there anything for a penalty to gain? Source:
the post *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post]. Points,
split and errors are those of `helpers.experiments.keras_post`.
"""

from __future__ import annotations

import numpy as np

from helpers import data
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import keras_post

SHOWN = 50  # curves that are kept, and places of each


def train(seed, sets, *, strength, hidden, epochs, rate):
    """Train network i on data set i with a penalty on its hidden kernels.

    Initial weights and the order of batches do not depend on the strength.
    """
    return fit_many(
        keras_post.network(hidden, l2=0.01), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32,
        learning_rate=rate, vary={"l2": np.full(len(sets), strength)}, record_every=epochs,
        seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def score(runs, sets):
    """Return training error, validation error, excess risk and the ``val_loss`` that Keras reports, (4, R).

    A diverged network counts as the mean of its training targets, without a penalty.
    """
    training, validation, excess = keras_post.errors(runs, sets)
    reported = np.where(runs.diverged, validation, runs.history["val_loss"][:, -1])
    return np.stack([training, validation, excess, reported])


def strengths(seed, n, *, hidden, epochs, rate, strengths, post):
    """What does a penalty of each strength do to the error, and what to the ``val_loss`` that Keras reports?

    Replicate: noise, split and initial weights; networks of all strengths share them and the order of batches.

    Returns
    -------
    dict
        ``training, validation, excess, reported`` (n, S) at the S strengths of ``constants["strengths"]``: mean
        squared errors without the penalty, and ``val_loss``, which contains it. Of strength ``post``, the post's:
        ``lower_reported, lower_error`` (n,) bool (its ``val_loss``, or its validation error, is below that without
        penalty), ``lower_best`` (the true line's validation error is: nobody can do better on average),
        ``difference_reported, difference_error`` (n,), ``validation_plain, validation_post, excess_plain,
        excess_post`` (n,). For pictures, of the first 50: ``curves`` (50, S, 50) at ``constants["x"]`` and ``points``
        (50, 80, 2).
    """
    sets = [keras_post.draw(seed, row) for row in range(n)]
    x = sets[0].x_test[:: len(sets[0].x_test) // SHOWN]
    scores, curves = [], []
    for strength in strengths:
        runs = train(seed, sets, strength=strength, hidden=hidden, epochs=epochs, rate=rate)
        scores.append(score(runs, sets))
        curves.append(keras_post.predictions(runs, x)[:SHOWN])
    training, validation, excess, reported = np.stack(scores, axis=2).astype(np.float32)
    plain, chosen = strengths.index(0), strengths.index(post)
    found = {
        "training": training, "validation": validation, "excess": excess, "reported": reported,
        "curves": np.stack(curves, axis=1).astype(np.float32),
        "points": np.stack([np.hstack([s.x_train, s.y_train]) for s in sets[:SHOWN]]).astype(np.float32),
        "constants": {"strengths": np.array(strengths, np.float32), "x": x[:, 0].astype(np.float32)},
    }  # fmt: skip
    for name, values in (("reported", reported), ("error", validation)):
        difference = values[:, chosen] - values[:, plain]
        found |= {f"difference_{name}": difference, f"lower_{name}": difference < 0}
    best = [np.mean((1 + 2 * one.x_val - one.y_val) ** 2) for one in sets]
    found["lower_best"] = np.array(best) < validation[:, plain]
    for name, at in (("plain", plain), ("post", chosen)):
        found |= {f"validation_{name}": validation[:, at], f"excess_{name}": excess[:, at]}
    return found

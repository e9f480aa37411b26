"""The loss advantage of overfitting, and networks that fit their training set and know nothing else.

The question: does the training loss reward the function that we want? Sources: the thread *Why can neural networks
generalize at all?* [generalization-thread]; the line and the network are those of the Keras post [keras-post], the
signals those of [greydanus2024].
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data
from helpers._base import seeds
from helpers.experiments import keras_post, random_labels

TRAINED = 80  # of the post's 100 points; the others are for validation


def draw(seed, row, noise):
    """Return the post's data set ``row`` with another standard deviation of the noise."""
    one = data.line(
        n=100, slope=2.0, intercept=1.0, noise=noise, x="grid", low=0.0, high=10.0,
        seed=seeds.integer(seed, "line", row),
    )  # fmt: skip
    return data.split(one, 100 - TRAINED, seed=seeds.integer(seed, "split", row))


def loss_advantage(seed, n, *, hidden, epochs, rate, noise):
    """Is the training loss of the true function above that of the trained network?

    Replicate: noise, split and initial weights. All losses are mean squared errors on the 80 training points.

    Returns
    -------
    dict
        For each of the ``epochs`` E: ``loss_E`` (n,), ``pays_E`` (n,) bool: below the true line's; ``beats_line_E``
        (n,) bool: below that of the least-squares line, and ``excess_E`` (n,) on new points, in noise variances.
        ``loss_true, loss_line`` (n,); ``pays_line`` (n,) bool: the least-squares line's loss
        is below the true line's.
    """
    sets = [draw(seed, row, noise) for row in range(n)]
    last = max(epochs)
    runs = keras_post.train(
        seed, sets, hidden=hidden, epochs=last, rate=rate, snapshots=[e for e in epochs if e < last]
    )
    x, y = (
        np.stack([getattr(one, name)[:, 0] for one in sets]).astype(float)
        for name in ("x_train", "y_train")
    )
    truth = np.mean((1 + 2 * x - y) ** 2, axis=1)
    line = keras_post.errors_of_lines(sets)[0]
    found = {
        "loss_true": truth.astype(np.float32),
        "loss_line": line.astype(np.float32),
        "pays_line": line < truth,
    }
    for epoch in epochs:
        loss, _, excess = keras_post.errors(runs, sets, None if epoch == last else epoch)
        found |= {
            f"loss_{epoch}": loss.astype(np.float32), f"pays_{epoch}": loss < truth,
            f"beats_line_{epoch}": loss < line, f"excess_{epoch}": (excess / noise**2).astype(np.float32),
        }  # fmt: skip
    return found


def fits_and_fails(seed, n, *, train, extra, new, hidden, epochs, rate, batch):
    """Is there a network that fits all its training examples and has no success on new ones?

    It is made on purpose: it also learns ``extra`` other signals by heart, each with the name of the next class. Judged
    is what it says about its ``train`` rightly labelled examples and about signals that it has never seen. Replicate:
    all signals and initial weights.

    Returns
    -------
    dict
        ``error_training, error_new, error_again`` (n,) in percent, the last on other new signals; ``fails`` (n,) bool:
        no training error, and at most a tenth of the new signals right; ``verified`` (n,) bool: the same on the others;
        ``error_plain`` (n,): errors on new signals of the same network without the extra ones.
    """
    sets, both = [], []
    for row in range(n):
        one = random_labels.draw(seed, row, task="signals", train=train, new=new)
        more = data.mnist1d_fresh(n_train=extra, seed=seeds.integer(seed, "extra", row), n_test=0)
        sets.append(one)
        names = (more.y_train + 1) % random_labels.CLASSES
        both.append(
            dataclasses.replace(
                one,
                x_train=np.concatenate([one.x_train, more.x_train]),
                y_train=np.concatenate([one.y_train, names]),
            )
        )
    options = {"task": "signals", "hidden": hidden, "epochs": epochs, "rate": rate, "batch": batch}
    bad, _, _ = random_labels.learn_by_heart(seed, both, **options)
    plain, _, _ = random_labels.learn_by_heart(seed, sets, **options)
    training, first, again = (
        random_labels.error_on(bad, sets, part) for part in ("train", "test", "val")
    )
    nothing = 100 - random_labels.CHANCE
    fails = (training == 0) & (first >= nothing)
    return random_labels.single(
        {
            "error_training": training, "error_new": first, "error_again": again, "fails": fails,
            "verified": fails & (again >= nothing), "error_plain": random_labels.error_on(plain, sets),
        }
    )  # fmt: skip

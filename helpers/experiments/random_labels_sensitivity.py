"""Do a few examples decide what a network learns, or all of them alike? The Gini coefficient of loss sensitivity.

Arpit et al. [arpit2017] measure by how much the loss of a training example changes with its input: the sum of the
absolute values of the gradient, averaged over training. On real data, they report, a few examples have most of it, on
random data all have about as much. Data, labels and networks are those of `random_labels`; inputs can be random, too.

Their numbers hang on how long is averaged: networks that still learn random labels are compared with networks that
have long learned the true ones. So the average is taken twice: over all epochs, and up to the epoch at which the
network first gives all training labels.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments.random_features import one_thread
from helpers.experiments.random_labels import (
    answers,
    blocks,
    draw,
    looks_of,
    network,
    noise_inputs,
    relabelled,
    single,
    stacked,
    training_only,
)  # fmt: skip

ARMS = ("true", "random", "inputs")


def gini(values):
    """Return the Gini coefficient of numbers of 0 or more, along the last axis: 0 if all are equal.

    The mean absolute difference of two of them over twice their mean; 1 - 1/N if one of N has everything, 0 if all are
    0.

    Examples
    --------
    >>> float(gini(np.array([0.0, 0.0, 0.0, 4.0])))
    0.75
    """
    ordered = np.sort(np.asarray(values, float), axis=-1)
    count, total = ordered.shape[-1], ordered.sum(axis=-1)
    place = 2 * np.arange(1, count + 1) - count - 1
    return np.where(total > 0, ordered @ place / (count * np.where(total > 0, total, 1)), 0.0)


@one_thread
def sensitivity(weights, x, labels):
    """Return the sums of absolute values of the gradient of each example's loss by its input, (N,).

    Parameters
    ----------
    weights : list of ndarray
        Of one network of ReLU layers with C logits: [kernel, bias, ...].
    x, labels : ndarray (N, ...), (N,) of int
        Examples; the loss is the cross-entropy.
    """
    hidden, gates = x.reshape(len(x), -1).astype(np.float32), []
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        inner = hidden @ kernel + bias
        gates.append(inner > 0)
        hidden = np.maximum(inner, 0)
    logits = hidden @ weights[-2] + weights[-1]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    back = shares / shares.sum(axis=1, keepdims=True)  # of the loss by the logits, (N, C)
    back[np.arange(len(x)), labels] -= 1
    back = back @ weights[-2].T
    for kernel, gate in zip(weights[-4::-2], reversed(gates), strict=True):
        back = (back * gate) @ kernel.T
    return np.abs(back).sum(axis=1)


def coefficients(seed, n, *, task, sizes, hidden, epochs, rate, batch):
    """Is the loss sensitivity of training examples more unequal on true labels than on random ones?

    Three networks on each data set, with the same initial weights and order of batches: on the true labels, on random
    ones, and on normal random numbers as inputs with the labels of the first (Arpit et al.'s two kinds of random
    data). Replicate: data set, labels and initial weights.

    Returns
    -------
    dict
        (n,) for the arms A = true, random, inputs: ``gini_A``, of the mean over all epochs; ``gini_fit_A``, of the
        mean up to the first look at which all labels are given; ``fitted_A`` bool: whether that comes; ``first_A``:
        after the first epoch.
    """
    looks = np.array(looks_of(epochs))
    spans = np.diff(looks, prepend=0)  # epochs that a look stands for

    def work(seed, rows):
        sets, found = [draw(seed, row, task=task, **sizes) for row in rows], {}
        for arm in ARMS:
            own = list(sets)
            if arm == "random":
                own = [
                    relabelled(o, seed, r, share=1.0, how="redrawn")[0]
                    for o, r in zip(own, rows, strict=True)
                ]
            if arm == "inputs":
                own = [noise_inputs(o, seed, r) for o, r in zip(own, rows, strict=True)]
            runs = fit_many(
                network(task, hidden), training_only(own), members=len(own), epochs=epochs, batch_size=batch,
                learning_rate=rate, snapshots=[int(look) for look in looks[:-1]], record_every=epochs,
                seed=seeds.integer(seed, "fit"),
            )  # fmt: skip
            x, labels = stacked(own, "x_train"), stacked(own, "y_train")
            each = np.zeros((len(own), len(looks), x.shape[1]))
            known = np.zeros((len(own), len(looks)), bool)
            for at, look in enumerate(looks):
                epoch = None if look == epochs else int(look)
                weights = runs.weights if epoch is None else runs.snapshots[epoch]
                known[:, at] = (answers(runs, x, epoch) == labels).all(axis=1)
                each[:, at] = [
                    sensitivity([w[i] for w in weights], x[i], labels[i]) for i in range(len(own))
                ]
            found |= {
                f"{name}_{arm}": values for name, values in summary(each, known, spans).items()
            }
        return found

    return single(blocks(work, seed, n))


def summary(each, known, spans):
    """Return the coefficients of one arm: sensitivities (M, L, N), whether all labels are given (M, L), spans (L,)."""
    fitted = known.any(axis=1)
    last = np.where(fitted, known.argmax(axis=1), len(spans) - 1)
    until = np.arange(len(spans)) <= last[:, None]  # (M, L)
    return {
        "gini": gini(np.einsum("mln,l->mn", each, spans)),
        "gini_fit": gini(np.einsum("mln,ml->mn", each, until * spans)),
        "first": gini(each[:, 0]),
        "fitted": fitted,
    }

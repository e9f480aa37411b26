"""Infinitely wide ReLU networks in closed form: two kernels, regression with them, and a check on random networks.

The thread *Why can neural networks generalize at all?* [generalization-thread] says that a Gaussian process solves the
problem "more exactly". Which process belongs to a network is known: that of Cho and Saul's arc-cosine kernel [cho2009],
repeated once for each hidden layer [lee2018] (NNGP: only the last layer is trained), and its tangent kernel [jacot2018]
(NTK: all layers are, in small steps). Weights have variance 2 / inputs, biases are 0, as they begin in Keras.

All is computed in double precision by one thread, so that the bits do not depend on the number of cores.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from helpers import data
from helpers._base import checks, seeds
from helpers.engine import predict_many
from helpers.experiments.random_features import one_thread, stacked

KINDS = ("nngp", "ntk")


def expected_relu(cosine):
    """Return E[relu(a) relu(b)], relative to that at a = b, of normal a, b with this cosine [cho2009]."""
    cosine = np.clip(cosine, -1.0, 1.0)
    return (np.sqrt(1 - cosine**2) + (np.pi - np.arccos(cosine)) * cosine) / np.pi


def both_active(cosine):
    """Return P(a > 0 and b > 0), relative to that at a = b, of normal a, b with this cosine [cho2009]."""
    return 1 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi


def kernel(x, z, *, layers, kind="nngp"):
    """Return the kernel of an infinitely wide network of ReLU layers, without biases.

    Parameters
    ----------
    x, z : ndarray (N, D), (M, D)
        Inputs.
    layers : int
        Hidden layers, 1 or more.
    kind : {"nngp", "ntk"}
        The covariance of random networks' outputs, or the tangent kernel.

    Returns
    -------
    ndarray (N, M)
        Of a network whose hidden weights have variance 2 / inputs and whose last ones have 1 / inputs.

    Raises
    ------
    ValueError
        For another kind, or no layer.
    """
    checks.one_of("kind", kind, KINDS)
    layers = checks.integer("layers", layers, low=1)
    x, z = np.asarray(x, float), np.asarray(z, float)
    size = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(z, axis=1)) / x.shape[1]
    cosine = np.clip((x @ z.T / x.shape[1]) / np.where(size > 0, size, 1), -1, 1)
    tangent = cosine
    for _ in range(layers):  # lengths stay as they are, only the angle changes from layer to layer
        nearer = expected_relu(cosine)
        if kind == "ntk":
            tangent = nearer + tangent * both_active(cosine)
        cosine = nearer
    return size * (tangent if kind == "ntk" else cosine)


def answers(x, labels, new, *, layers, kind, noise, classes=10):
    """Return the class that regression on one-hot labels gives to new inputs (M, D): a Gaussian process's mean, (M,).

    ``noise``: added to the diagonal, as a part of its mean.
    """
    both = kernel(np.concatenate([x, new]), x, layers=layers, kind=kind)
    inner, across = both[: len(x)], both[len(x) :]
    inner[np.diag_indices(len(x))] += noise * np.trace(inner) / len(x)
    targets = np.eye(classes)[labels] - 1 / classes
    return (across @ scipy.linalg.solve(inner, targets, assume_a="pos")).argmax(axis=1)


@one_thread
def random_networks(seed, n, *, networks, signals, widths):
    """Do the outputs of random networks vary together as the arc-cosine kernel says?

    One hidden layer: then the kernel is exact at every width, and only single outputs are not normal. Replicate: a
    block of random networks, at the same signals in all blocks.

    Returns
    -------
    dict
        ``covariance_W`` (n,): sum over pairs of signals of the products of outputs times the kernel, over the sum of
        the squared kernel (1 if the kernel is right) at width W, ``linear_W``: the same with the kernel of a linear
        network. ``kurtosis_W`` (n,): mean fourth power over squared mean square, 3 for normal outputs.
    """
    from helpers import models

    x = data.mnist1d_fresh(n_train=signals, n_test=1, seed=seeds.integer(seed, "signals")).x_train
    exact = kernel(x, x, layers=1)
    plain = x.astype(float) @ x.T.astype(float) / x.shape[1]
    found = []
    for row in range(n):
        one = {}
        for width in widths:
            rng = seeds.generator(seed, "weights", row, width)
            weights = [
                rng.normal(0, (2 / x.shape[1]) ** 0.5, (networks, x.shape[1], width)),
                np.zeros((networks, width)),
                rng.normal(0, width**-0.5, (networks, width, 1)),
                np.zeros((networks, 1)),
            ]
            model = models.mlp((x.shape[1],), 1, hidden=(width,))
            f = predict_many(model, [w.astype(np.float32) for w in weights], x, progress=False)
            f = f[..., 0].astype(float)  # (networks, signals)
            seen = f.T @ f / networks
            one |= {
                f"covariance_{width}": (seen * exact).sum() / (exact**2).sum(),
                f"linear_{width}": (seen * plain).sum() / (plain**2).sum(),
                f"kurtosis_{width}": np.mean(np.mean(f**4, axis=0) / np.mean(f**2, axis=0) ** 2),
            }
        found.append(one)
    return stacked(found)

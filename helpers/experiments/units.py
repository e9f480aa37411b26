"""Dropout and the hidden units: which of them are needed, and is the network an average of its sub-networks?

Three sources of data: points of two colours in the plane, short signals of ten classes (MNIST-1D, generated anew for
each replicate), and the line of the Keras post. Sources: the thread *Why can neural networks generalize at all?*
[generalization-thread]; Srivastava et al., *Dropout* [srivastava2014].

A *sub-network* is what dropout leaves of a network: a random part of each hidden layer, its outputs scaled up as Keras
scales them. *Inference mode* is how Keras predicts: every unit speaks, nothing is scaled.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.experiments import keras_post, learning_rates

SIZES = {"mnist1d": (40, 10), "boundary": (2, 1)}  # inputs and outputs of a task


def draw(seed, row, *, examples, fresh, task="mnist1d"):
    """Return data set ``row`` of a task, "mnist1d" or "boundary": so many training examples and fresh ones of its own.

    The points of "boundary" have a tenth of wrong labels, the fresh ones none.
    """
    if task == "boundary":
        return learning_rates.draw(seed, row, points=examples, fresh=fresh)
    own = seeds.integer(seed, "signals", row)
    return data.mnist1d_fresh(n_train=examples, n_test=fresh, seed=own)


def network(hidden, dropout=0.0, task="mnist1d"):
    """Return a network with ReLU layers of the given widths; dropout, if any, after each of them."""
    inputs, outputs = SIZES[task]
    return models.mlp((inputs,), outputs, hidden=tuple(hidden), dropout=dropout)


def train(seed, sets, *, hidden, dropout, epochs, rate, task="mnist1d", **options):
    """Train network i on data set i; initial weights and batches do not depend on the rate of dropout."""
    return fit_many(
        network(hidden, dropout, task), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32,
        learning_rate=rate, record_every=options.pop("record_every", epochs), seed=seeds.integer(seed, "fit"),
        **options,
    )  # fmt: skip


def labels_of(outputs):
    """Return the classes that outputs (..., classes) or (..., 1) stand for."""
    return (outputs[..., 0] > 0).astype(int) if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)


def scored(runs, x, y):
    """Return each network's error in percent on x (R, N, D), y (R, N); a diverged one guesses."""
    outputs = runs.predict(x)
    guess = 100 - 100 / max(2, outputs.shape[-1])
    return np.where(runs.diverged, guess, 100 * np.mean(labels_of(outputs) != y, axis=1))


def without_units(weights, keep):
    """Return the weights of copies of one network in which some hidden units are silent.

    Parameters
    ----------
    weights : list of numpy.ndarray
        Of one network of dense layers, kernels and biases in turn.
    keep : list of array_like (K, H)
        For each hidden layer and copy what the outputs of its units are multiplied by: 0 silences a unit.

    Returns
    -------
    list of numpy.ndarray
        (K, ...) each: what leaves a unit is multiplied.
    """
    copies = len(keep[0])
    found = [np.repeat(np.asarray(w)[None], copies, axis=0) for w in weights]
    for layer, factor in enumerate(keep, 1):
        found[2 * layer] *= np.asarray(factor, np.float32)[:, :, None]
    return found


def one_silent(widths):
    """Return what `without_units` takes to silence each hidden unit in turn, after one copy in which all speak."""
    factors = np.concatenate([np.ones((1, sum(widths))), 1 - np.eye(sum(widths))])
    return np.split(factors, np.cumsum(widths)[:-1], axis=1)


def halves(seed, row, widths, *, dropout, copies):
    """Return what `without_units` takes to make so many random sub-networks, scaled as Keras scales them."""
    generator = seeds.generator(seed, "sub-networks", row)
    kept = [generator.random((copies, width)) >= dropout for width in widths]
    return [part / (1 - dropout) for part in kept]


def member(runs, row):
    """Return the weights of one network."""
    return [w[row] for w in runs.weights]


def unused(weights, hidden, x, task="mnist1d"):
    """Return for each hidden unit whether silencing it alone changes no predicted class of x (N, D): (H,) bool."""
    copies = without_units(weights, one_silent(hidden))
    labels = labels_of(
        predict_many(network(hidden, task=task), copies, x, progress=False)
    )  # (1 + H, N)
    return (labels[1:] == labels[0]).all(axis=1)


def idle(weights, x):
    """Return by which share the hidden layers could be smaller if all their units did as much work: 0 to 1.

    A unit's work c is the spread of its output over x (N, D) times the length of its outgoing weights. The units of a
    layer that would do all the work, if they did equal parts of it, are (sum c)^2 / sum c^2; layers are averaged.
    """
    found = []
    for layer in range(0, len(weights) - 2, 2):
        x = np.maximum(x @ weights[layer].astype(float) + weights[layer + 1], 0)
        work = x.std(axis=0) * np.linalg.norm(weights[layer + 2].astype(float), axis=1)
        busy = work.sum() ** 2 / (work**2).sum() if work.any() else 0.0
        found.append(1 - busy / len(work))
    return float(np.mean(found))


def units_used(seed, n, *, task, hidden, dropout, examples, fresh, epochs, rate):
    """How many hidden units can be silenced, one at a time, without changing a prediction?

    Epochs: of the plain network and of the one with dropout. Replicate: data set and initial weights.

    Returns
    -------
    dict
        With the endings ``_plain`` and ``_dropout``, (n,) float32: ``unused`` (share of the hidden units whose silence
        changes no predicted class of the fresh examples), ``used`` (the other ones), ``idle`` (see `idle`),
        ``training`` and ``error`` (in percent, on the training and the fresh examples).
    """
    sets = [draw(seed, row, examples=examples, fresh=fresh, task=task) for row in range(n)]
    found = {}
    arms = zip(("plain", "dropout"), (0.0, dropout), epochs, strict=True)
    for name, part, length in arms:
        runs = train(seed, sets, hidden=hidden, dropout=part, epochs=length, rate=rate, task=task)
        own = [(member(runs, row), one.x_test) for row, one in enumerate(sets)]
        share = np.array([unused(weights, hidden, x, task).mean() for weights, x in own])
        found |= {f"unused_{name}": share, f"used_{name}": 1 - share}
        found[f"idle_{name}"] = np.array([idle(weights, x) for weights, x in own])
        for what, where in (("training", "train"), ("error", "test")):
            x, y = (np.stack([getattr(one, f"{axis}_{where}") for one in sets]) for axis in "xy")
            found[f"{what}_{name}"] = scored(runs, x, y)
    return {name: values.astype(np.float32) for name, values in found.items()}


def sub_networks(seed, n, *, hidden, dropout, examples, fresh, epochs, rate, copies):
    """Does a network that was trained with dropout predict what its sub-networks predict on average?

    The average is that of the class probabilities of ``copies`` random sub-networks. Replicate: data set, initial
    weights and sub-networks.

    Returns
    -------
    dict
        (n,) float32, shares of the fresh examples: ``agree_average`` (inference mode and the average give the same
        class), ``agree_two_averages`` (two averages of so many sub-networks each), ``agree_two_parts`` (two single
        sub-networks), ``agree_part`` (one sub-network and inference mode); ``error_inference, error_average,
        error_part`` in percent (the last: the mean of the single sub-networks).
    """
    sets = [draw(seed, row, examples=examples, fresh=fresh) for row in range(n)]
    runs = train(seed, sets, hidden=hidden, dropout=dropout, epochs=epochs, rate=rate)
    rows = [
        _averaged(seed, row, runs, one, hidden, dropout, copies) for row, one in enumerate(sets)
    ]
    return {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}


def _averaged(seed, row, runs, one, hidden, dropout, copies):
    """Return what `sub_networks` returns, of one network."""
    keep = halves(seed, row, hidden, dropout=dropout, copies=2 * copies)
    every = [
        np.concatenate([np.ones((1, width)), part])
        for part, width in zip(keep, hidden, strict=True)
    ]
    logits = predict_many(
        network(hidden), without_units(member(runs, row), every), one.x_test, progress=False
    )
    chances, labels = softmax(logits.astype(float), axis=2), logits.argmax(axis=2)
    average, again = (part.mean(axis=0).argmax(axis=1) for part in np.split(chances[1:], 2))
    wrong = lambda found: 100 * np.mean(found != one.y_test)  # noqa: E731
    return {
        "agree_average": np.mean(labels[0] == average),
        "agree_two_averages": np.mean(average == again),
        "agree_two_parts": np.mean(labels[1 : copies + 1] == labels[copies + 1 :]),
        "agree_part": np.mean(labels[0] == labels[1:]),
        "error_inference": wrong(labels[0]),
        "error_average": wrong(average),
        "error_part": wrong(labels[1:]),
    }


def on_the_line(seed, n, *, hidden, dropout, epochs, rate, copies):
    """What does dropout do to the error of the Keras post's network, and what does inference mode add to it?

    Dropout: one rate or more. Replicate: noise, split, initial weights and sub-networks.

    Returns
    -------
    dict
        ``training, validation, excess`` (n,) float32 with the ending ``_plain`` and for each rate ``_10`` (percent);
        ``excess_average_10``: of the average of ``copies`` sub-networks instead of inference mode; ``harm_10`` and
        ``harm_average_10``: excess risk above the plain network's.
    """
    sets = [keras_post.draw(seed, row) for row in range(n)]
    found = {}
    for part in (0.0, *dropout):
        runs = fit_many(
            keras_post.network(hidden, dropout=part), data.Dataset.stack(sets), members=n, epochs=epochs, batch_size=32,
            learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        name = f"{100 * part:.0f}" if part else "plain"
        three = zip(
            ("training", "validation", "excess"), keras_post.errors(runs, sets), strict=True
        )
        found |= {f"{quantity}_{name}": values for quantity, values in three}
        if part:
            average = [
                _risk_of_average(seed, i, runs, one, hidden, part, copies)
                for i, one in enumerate(sets)
            ]
            found[f"excess_average_{name}"] = np.array(average)
            found[f"harm_{name}"] = found[f"excess_{name}"] - found["excess_plain"]
            found[f"harm_average_{name}"] = found[f"excess_average_{name}"] - found["excess_plain"]
    return {name: values.astype(np.float32) for name, values in found.items()}


def _risk_of_average(seed, row, runs, one, hidden, dropout, copies):
    """Return the excess risk of the average of a network's sub-networks; of the mean target where it diverged."""
    if runs.diverged[row]:
        return np.mean((one.y_train.mean() - one.y_test) ** 2)
    keep = halves(seed, row, hidden, dropout=dropout, copies=copies)
    fits = predict_many(
        keras_post.network(hidden),
        without_units(member(runs, row), keep),
        one.x_test[::5],
        progress=False,
    )
    return np.mean((fits.mean(axis=0, dtype=float) - one.y_test[::5]) ** 2)

"""Penalties on the weights: do they raise the training error, make simpler networks, find the inputs that matter?

Two tasks: the Keras post's line, and linear targets of many inputs, five of which matter, with the line's noise and
signal. Source: *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post].

Errors are in units of y squared; the noise variance is 4. A *penalty* is on the kernels of the hidden layers, as in the
post.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import keras_post

# Norm of the slopes: the signal variance is that of the post's line, 100 / 3.
SIGNAL = 10 / np.sqrt(3)
RELEVANT = 5
FRESH = 1000  # points without noise, to measure the excess risk on


def draw(seed, row=0, *, inputs=50, relevant=RELEVANT):
    """Return data set ``row``: 80 training and 20 validation points of a linear target of independent N(0, 1) inputs.

    The slopes of the first ``relevant`` inputs are of equal size and of random sign, the other ones 0.
    """
    generator = seeds.generator(seed, "wide", row)
    slopes = np.zeros(inputs)
    slopes[:relevant] = generator.choice([-1.0, 1.0], relevant) * SIGNAL / np.sqrt(relevant)
    x, fresh = generator.normal(size=(100, inputs)), generator.normal(size=(FRESH, inputs))
    y = (x @ slopes + keras_post.NOISE * generator.normal(size=100))[:, None]
    return data.Dataset(
        x_train=x[:80], y_train=y[:80], x_val=x[80:], y_val=y[80:], x_test=fresh, y_test=(fresh @ slopes)[:, None],
        task="regression", name="wide",
    )  # fmt: skip


def network(inputs, hidden, l1=0.0, l2=0.01):
    """Return a network with ReLU layers of the given widths, penalized: `fit_many` varies the strengths."""
    return models.mlp((inputs,), 1, hidden=tuple(hidden), l1=l1, l2=l2)


def train(seed, sets, strength, *, hidden, epochs, rate, kind="l2"):
    """Train network i on data set i with a penalty, "l1" or "l2"; the start does not depend on its strength."""
    inputs = sets[0].x_train.shape[1]
    model = network(inputs, hidden, **{"l1": 0.0, "l2": 0.0, kind: 0.01})
    return fit_many(
        model, data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32, learning_rate=rate,
        vary={kind: np.full(len(sets), float(strength))}, record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def excess(runs, sets):
    """Return the excess risk of network i on data set i, (R,); a diverged one predicts the mean of its targets."""
    x, y = (np.stack([getattr(one, f"{axis}_test") for one in sets]) for axis in "xy")
    means = np.array([one.y_train.mean() for one in sets])[:, None]
    fits = np.where(runs.diverged[:, None], means, keras_post.predictions(runs, x))
    return np.mean((fits - y[..., 0]) ** 2, axis=1)


def slightly_higher(seed, n, *, hidden, epochs, rate, strength, strong):
    """What does the post's penalty do to the training error, with and without the penalty counted?

    Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``training`` (mean squared error) with the endings ``_plain``, ``_l2`` and ``_strong`` (a much larger strength:
        a rival that is known to be worse), ``reported_plain, reported_l2`` (the loss that Keras prints): (n,) float32.
    """
    sets = [keras_post.draw(seed, row) for row in range(n)]
    found = {}
    for name, value in (("plain", 0.0), ("l2", strength), ("strong", strong)):
        runs = train(seed, sets, value, hidden=hidden, epochs=epochs, rate=rate)
        found[f"training_{name}"] = keras_post.errors(runs, sets)[0]
        found[f"reported_{name}"] = np.where(
            runs.diverged, found[f"training_{name}"], runs.history["loss"][:, -1]
        )
    del found["reported_strong"]
    return {name: values.astype(np.float32) for name, values in found.items()}


def recall(kernels, relevant=RELEVANT):
    """Return which share of the inputs that matter is among those with the largest weights.

    Parameters
    ----------
    kernels : numpy.ndarray (R, inputs, H)
        Of the first layer; the first ``relevant`` inputs matter.
    relevant : int
        How many those are, and how many are looked at.

    Returns
    -------
    numpy.ndarray (R,)
        By the length of each input's weights.
    """
    lengths = np.linalg.norm(kernels.astype(float), axis=2)
    top = np.argsort(-lengths, axis=1, kind="stable")[:, :relevant]
    return np.mean(top < relevant, axis=1)


def find_inputs(seed, n, *, inputs, hidden, epochs, rate, l1, l2):
    """Does an L1 penalty find the five inputs that matter, and is it better than L2?

    Each arm's strength has the lowest error on 20 validation points; 0 is among them. Replicate: data set and initial
    weights.

    Returns
    -------
    dict
        With the endings ``_plain``, ``_l1`` and ``_l2``, (n,) float32: ``found`` (share of the five inputs that matter
        among the five with the largest weights in the first layer), ``excess`` (excess risk). ``all_found_l1``,
        ``all_found_plain`` (n,) bool. ``excess_known``: of least squares on the five inputs alone. For pictures,
        ``excess_by_l1, excess_by_l2`` (n, S) over the strengths in ``constants``.
    """
    sets = [draw(seed, row, inputs=inputs) for row in range(n)]
    x, y = (np.stack([getattr(one, f"{axis}_val") for one in sets]) for axis in "xy")
    found, rows = {}, np.arange(n)
    for kind, strengths in (("l1", l1), ("l2", l2)):
        aside, risks, shares = [], [], []
        for strength in strengths:
            runs = train(seed, sets, strength, hidden=hidden, epochs=epochs, rate=rate, kind=kind)
            errors = np.mean((keras_post.predictions(runs, x) - y[..., 0]) ** 2, axis=1)
            aside.append(np.where(runs.diverged, np.inf, errors))
            risks.append(excess(runs, sets))
            shares.append(
                np.where(runs.diverged, RELEVANT / inputs, recall(np.nan_to_num(runs.weights[0])))
            )
        pick = np.argmin(aside, axis=0)
        risks, shares = np.array(risks), np.array(shares)  # (S, n)
        found |= {f"excess_{kind}": risks[pick, rows], f"found_{kind}": shares[pick, rows]}
        found |= {f"excess_by_{kind}": risks.T}
        zero = list(strengths).index(0)
        found |= {"excess_plain": risks[zero], "found_plain": shares[zero]}
    found["excess_known"] = np.array([_known(one) for one in sets])
    found = {name: values.astype(np.float32) for name, values in found.items()}
    return found | {
        "all_found_l1": found["found_l1"] == 1,
        "all_found_plain": found["found_plain"] == 1,
        "constants": {"l1": np.array(l1, float), "l2": np.array(l2, float)},
    }


def _known(one):
    """Return the excess risk of least squares on the inputs that matter, for one data set."""
    slopes = np.linalg.lstsq(one.x_train[:, :RELEVANT], one.y_train[:, 0], rcond=None)[0]
    return np.mean((one.x_test[:, :RELEVANT] @ slopes - one.y_test[:, 0]) ** 2)

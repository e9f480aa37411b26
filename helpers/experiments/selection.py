"""Choosing a strength by cross-validation, and a moment to stop: what is lost, and how often it is much.

Two tasks for the strength of an L2 penalty: the Keras post's line, and linear targets of several inputs with the line's
noise and signal. For the moment: MNIST-1D signals, generated anew for each replicate.
Sources: *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post], *Why can
neural networks generalize at all?* [generalization-thread].
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import keras_post, penalties, units

BAD = 1.5  # times the excess risk of the best strength: a bad choice
NEAR = 1.05  # times the lowest loss: still in the window
ARRIVED = 1.0  # training cross-entropy by which the pace of a training is told


def points(seed, row, inputs, count=100):
    """Return data set ``row``, so many of its 100 points to train on: the post's line, or a linear target."""
    one = penalties.draw(seed, row, inputs=inputs) if inputs > 1 else keras_post.draw(seed, row)
    x, y = (
        np.concatenate([getattr(one, f"{axis}_{part}") for part in ("train", "val")])
        for axis in "xy"
    )
    return dataclasses.replace(one, x_train=x[:count], y_train=y[:count], x_val=None, y_val=None)


def folds(seed, row, one, parts):
    """Return the data sets that leave out one of so many random parts each; the part is their validation set."""
    places = seeds.generator(seed, "folds", row).permutation(one.n_train)
    found = []
    for off in np.array_split(places, parts):
        on = np.setdiff1d(places, off)
        found.append(
            data.Dataset(
                x_train=one.x_train[on],
                y_train=one.y_train[on],
                x_val=one.x_train[off],
                y_val=one.y_train[off],
                task="regression",
                name=one.name,
            )
        )
    return found


def cross_validation(seed, n, *, inputs, examples, strengths, hidden, epochs, rate, parts):
    """What does it cost to choose the strength of L2 by cross-validation, or by its first part alone?

    Every strength is trained on all but one of the parts, part by part; the one with the lowest mean error on the parts
    left out, or on the first part, is then trained on all points. *Regret* is its excess risk above that of the best
    strength for this data set, which nobody can know. Replicate: data set, parts and initial weights.

    Returns
    -------
    dict
        ``excess`` (n, S) of the S strengths of ``constants["strength"]`` on all points; with the endings ``_folds``,
        ``_split`` and ``_none`` (strength 0) ``excess`` and ``regret`` (n,) float32 and ``bad`` (n,) bool: at least
        half as much again as the best strength's excess risk, ``excess_best``; ``split_loses, folds_lose`` (n,) bool:
        the choice of the one costs 5 % of the noise variance or more, compared with that of the other.
    """
    sets = [points(seed, row, inputs, examples) for row in range(n)]
    cuts = data.Dataset.stack(
        [cut for row, one in enumerate(sets) for cut in folds(seed, row, one, parts)]
    )
    whole = data.Dataset.stack(sets)
    options = {"epochs": epochs, "batch_size": 32, "learning_rate": rate, "record_every": epochs}
    options |= {"seed": seeds.integer(seed, "fit")}
    network = penalties.network(inputs, hidden)
    left_out, excess = [], []
    for strength in strengths:
        runs = fit_many(
            network, cuts, members=n * parts, vary={"l2": np.full(n * parts, strength)}, **options
        )
        errors = np.where(runs.diverged, np.inf, runs.history["val_mse"][:, -1])
        left_out.append(errors.reshape(n, parts))
        runs = fit_many(network, whole, members=n, vary={"l2": np.full(n, strength)}, **options)
        excess.append(penalties.excess(runs, sets))
    left_out, excess = np.stack(left_out, axis=1), np.stack(excess, axis=1)  # (n, S, parts), (n, S)
    regret = excess - excess.min(axis=1, keepdims=True)
    chosen = {
        "folds": left_out.mean(axis=2).argmin(axis=1),
        "split": left_out[:, :, 0].argmin(axis=1),
        "none": np.full(n, list(strengths).index(0)),
    }
    found, rows = {}, np.arange(n)
    for name, pick in chosen.items():
        found[f"excess_{name}"] = excess[rows, pick].astype(np.float32)
        found[f"regret_{name}"] = regret[rows, pick].astype(np.float32)
        found[f"bad_{name}"] = excess[rows, pick] >= BAD * excess.min(axis=1)
    gain = found["excess_split"] - found["excess_folds"]
    return found | {
        "split_loses": gain >= keras_post.NOTICEABLE,
        "folds_lose": gain <= -keras_post.NOTICEABLE,
        "excess": excess.astype(np.float32),
        "excess_best": excess.min(axis=1).astype(np.float32),
        "constants": {"strength": np.array(strengths, float)},
    }


def window(losses):
    """Return the first and the last epoch, counted from 1, with a loss within 5 % of the lowest: (R,) each."""
    near = losses <= NEAR * losses.min(axis=1, keepdims=True)
    return near.argmax(axis=1) + 1, near.shape[1] - near[:, ::-1].argmax(axis=1)


def arrival(losses, goal=ARRIVED):
    """Return the first epoch, counted from 1, with a loss at the goal; one more than the last where there is none."""
    there = losses <= goal
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1, losses.shape[1] + 1)


def stopping_window(seed, n, *, hidden, dropout, examples, fresh, epochs, pace, rate):
    """For how long can training be stopped without much loss, compared with how long it takes?

    *Window*: the epochs from the first to the last whose cross-entropy on fresh examples is within 5 % of the lowest.
    *Pace*: the epochs until the training cross-entropy, in inference mode, is at most 1. Epochs: of the plain training
    and of that with dropout; ``pace``: until when both are watched for it. Replicate: data set and initial weights.

    Returns
    -------
    dict
        With the endings ``_plain`` and ``_dropout``, (n,): ``first, last`` (epochs of the window), ``window`` (how many
        those are), ``pace``, ``relative`` (window over pace), ``stretch`` (last over first), float32; ``closed``
        (the window ends before training does), ``arrived`` bool.
    """
    sets = [units.draw(seed, row, examples=examples, fresh=fresh) for row in range(n)]
    found = {}
    for name, part, length in zip(("plain", "dropout"), (0.0, dropout), epochs, strict=True):
        recipe = {"hidden": hidden, "dropout": part, "rate": rate, "record_every": 1}
        runs = units.train(seed, [_watching(one, "test") for one in sets], epochs=length, **recipe)
        again = units.train(seed, [_watching(one, "train") for one in sets], epochs=pace, **recipe)
        losses, own = (one.history["val_crossentropy"] for one in (runs, again))
        losses, own = (np.where(np.isfinite(one), one, np.inf) for one in (losses, own))
        first, last = window(losses)
        arrived = arrival(own)
        found |= {
            f"{key}_{name}": values.astype(np.float32)
            for key, values in {
                "first": first, "last": last, "window": last - first + 1, "pace": arrived,
                "relative": (last - first + 1) / arrived, "stretch": last / first,
            }.items()
        }  # fmt: skip
        found |= {f"closed_{name}": last < length, f"arrived_{name}": arrived <= pace}
    return found


def _watching(one, part):
    """Return a data set whose validation examples are its test or its training examples."""
    x, y = getattr(one, f"x_{part}"), getattr(one, f"y_{part}")
    return dataclasses.replace(one, x_val=x, y_val=y, x_test=None, y_test=None)

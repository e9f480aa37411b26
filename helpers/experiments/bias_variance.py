"""Bias and variance of networks from narrow to wide, and where the variance comes from: the data or the start.

A *block* holds D data sets and, on each, I networks that differ in initial weights and order of batches. By the law of
total variance the variance of an output at a new example is a mean over data sets (of the variance between starts:
*initialisation*) plus a variance between data sets (of the mean over starts: *data*). All parts are estimated without
bias from one block, which is the replicate. Sources: Neal et al. [neal2018], Yang et al. [yang2020].
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import double_descent

NEW = 1000  # examples on which a block's networks are compared
PARTS = ("initialisation", "data", "total", "bias")


def decomposed(outputs, wanted):
    """Return variance from initialisation, from data, their sum, squared bias and mean squared error, (5,).

    outputs (D, I, N, C), float64: D data sets, I starts on each, N new examples, C outputs; wanted (N, C). Means over
    examples and outputs. Each is unbiased, so that a variance or a squared bias can come out a little below zero.
    """
    sets, starts = outputs.shape[:2]
    centre = outputs.mean(axis=1)  # (D, N, C)
    within = outputs.var(axis=1, ddof=1).mean(axis=0)
    between_raw = centre.var(axis=0, ddof=1)
    between = between_raw - within / starts
    bias = (centre.mean(axis=0) - wanted) ** 2 - between_raw / sets
    error = ((outputs - wanted) ** 2).mean(axis=(0, 1))
    return np.array([part.mean() for part in (within, between, within + between, bias, error)])


def slope(values, widths):
    """Return the slope of log2 of values (R, K) per doubling of the width, (R,); values below 1e-9 count as that."""
    x = np.log2(np.asarray(widths, float))
    x = x - x.mean()
    return np.log2(np.maximum(values, 1e-9)) @ x / (x @ x)


def plane(seed, row, *, examples, noise):
    """Return points on the square [-1, 1]^2 with a noisy wave over them, and new points with the true values."""
    rng = seeds.generator(seed, "plane", row)
    x = rng.uniform(-1, 1, (examples, 2)).astype(np.float32)
    return x, (wave(x) + rng.normal(0, noise, (examples, 1))).astype(np.float32)


def wave(x):
    """Return the true function of two inputs, (N, 1)."""
    return np.sin(np.pi * x[:, :1]) * np.cos(np.pi * x[:, 1:])


def block_data(seed, row, source, sets, examples, noise):
    """Return training inputs and targets of a block, lists of ``sets``, and its new inputs and wanted outputs."""
    own = seeds.integer(seed, "block", row)
    if source == "plane":
        pairs = [plane(own, k, examples=examples, noise=noise) for k in range(sets)]
        new = plane(own, sets, examples=NEW, noise=0.0)
    elif source == "mnist1d":
        hot = np.eye(double_descent.CLASSES, dtype=np.float32)
        pairs = []
        for k in range(sets):
            one = double_descent.draw(own, k, examples=examples, new=NEW if k == 0 else 1)
            pairs.append((one.x_train, hot[np.ravel(one.y_train)]))
            new = (one.x_test, hot[np.ravel(one.y_test)]) if k == 0 else new
    else:
        raise ValueError(f'Argument `source` must be "mnist1d" or "plane". Received: {source!r}.')
    return pairs, new


def split(
    seed,
    n,
    *,
    widths,
    few,
    sets,
    starts,
    epochs,
    rate,
    batch,
    examples,
    source="mnist1d",
    noise=0.0,
):
    """How do bias and the two parts of the variance change with the width of a network?

    Replicate: a block of ``sets`` data sets with ``starts`` networks each; all widths share the data. ``few``: so many
    widths come before the threshold; the others past it.

    Returns
    -------
    dict
        For K widths: ``initialisation, data, total, bias, risk, training`` (n, K): the parts, the mean squared error on
        new examples and that on the training examples. Slopes of log2 per doubling of the width, (n,): ``PART_all``,
        ``PART_before`` (the first ``few`` widths), ``PART_past`` (the others). ``training_past`` (n,): the largest
        training error past the threshold. ``both_fall, both_fall_again`` (n,) bool: past the threshold the slopes of
        squared bias and of the total variance are negative, on one half of the new examples and on the other.
    """
    blocks = [block_data(seed, row, source, sets, examples, noise) for row in range(n)]
    every = [pair for pairs, _ in blocks for pair in pairs for _ in range(starts)]
    stack = data.Dataset.stack(
        [data.Dataset(x_train=x, y_train=y, task="regression", name=source) for x, y in every]
    )
    inputs, outputs = every[0][0].shape[1], every[0][1].shape[1]
    found, halves = [], []
    for width in widths:
        runs = fit_many(
            models.mlp((inputs,), outputs, hidden=(width,)), stack, members=len(every), epochs=epochs,
            batch_size=batch, learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit", width),
        )  # fmt: skip
        each = sets * starts
        x_new = np.stack([new[0] for _, new in blocks for _ in range(each)])
        scores = runs.predict(x_new).astype(float).reshape(n, sets, starts, NEW, outputs)
        fit = (runs.predict(stack.x_train).astype(float) - stack.y_train) ** 2
        parts = np.array(
            [decomposed(s, new[1]) for s, (_, new) in zip(scores, blocks, strict=True)]
        )
        halves.append([
            [decomposed(s[:, :, k::2], new[1][k::2])[2:4] for k in (0, 1)]
            for s, (_, new) in zip(scores, blocks, strict=True)
        ])  # fmt: skip
        found.append(np.column_stack([parts, fit.reshape(n, -1).mean(axis=1)]))
    table = np.moveaxis(np.array(found), 0, 1)  # (n, K, 6)
    arrays = dict(zip((*PARTS, "risk", "training"), np.moveaxis(table, 2, 0), strict=True))
    for part in PARTS:
        cuts = {"all": slice(None), "before": slice(few), "past": slice(few, None)}
        for name, cut in cuts.items():
            arrays[f"{part}_{name}"] = slope(table[:, cut, PARTS.index(part)], widths[cut])
    arrays["training_past"] = arrays["training"][:, few:].max(axis=1)
    both = np.array(halves)[few:].transpose(2, 3, 1, 0)  # (halves, total and bias, n, K)
    falls = [
        (slope(half[0], widths[few:]) < 0) & (slope(half[1], widths[few:]) < 0) for half in both
    ]
    arrays |= {"both_fall": falls[0], "both_fall_again": falls[1]}
    arrays = {k: v.astype(np.float32) if v.dtype.kind == "f" else v for k, v in arrays.items()}
    return arrays | {"constants": {"widths": np.array(widths, np.int32)}}

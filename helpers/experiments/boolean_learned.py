"""How often is the function that a network learns from half of a table the one that was meant?

"Almost always (especially for simpler data)" networks "stumble upon the function we want", says the question
[generalization-thread]. On the Boolean machine a target can be made as simple as wished: a random function of k of the
seven inputs, true for exactly half of the rows, can be written down in 2^k bits; with k = 7 half of a table says
nothing about the other half. Shown are 64 of 128 rows; errors are in percent of the others.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import checks, seeds
from helpers.engine import fit_many
from helpers.experiments import boolean, boolean_complexity

FOUND = 5.0  # percent of the rows not shown that a network may miss to have found the function
TOGETHER = 1000  # networks trained in one program


def of_few_inputs(generator, count, inputs=7):
    """Return a random function of ``count`` of the inputs that is true for half of the rows, (2^inputs,) bool.

    Each of the chosen inputs matters: functions that ignore one of them are drawn again.

    Raises
    ------
    ValueError
        For fewer than one input, or more than there are.
    """
    checks.integer("count", count, low=1, high=inputs)
    chosen = np.sort(generator.permutation(inputs)[:count])
    while True:
        small = generator.permutation(np.arange(2**count) < 2 ** (count - 1))
        if matters(small).all():
            break
    bits = boolean.table(inputs)[:, chosen] > 0
    return small[bits @ (1 << np.arange(count)[::-1])]


def matters(table):
    """Return for each input of a table (P,), the first one first, whether its flip changes some answer, (I,) bool."""
    rows = np.arange(len(table))
    inputs = (len(table) - 1).bit_length()
    return np.array([np.any(table != table[rows ^ (1 << bit)]) for bit in reversed(range(inputs))])


def by_complexity(seed, n, *, counts, each, shown, hidden, epochs, rate, batch):
    """Does a network make more errors on the rows not shown, the more complex the target?

    Replicate: the rows shown; ``each`` targets of every number of inputs in ``counts``, and initial weights.

    Returns
    -------
    dict
        For K = len(counts) * each targets: ``words, flips, leaves, used`` (n, K): Lempel-Ziv complexity, sensitivity,
        leaves of a decision tree, inputs that matter; ``error`` (n, K) on the rows not shown; ``fitted`` (n,): percent
        of the networks that give all rows shown. For each count C: ``error_C`` (n,), mean; ``found_C`` (n,) bool: the
        first of these targets is found, that is at most 5 % of the other rows are missed. ``commoner_C`` (n,): error of
        always saying the commoner answer of the rows shown.
    """
    x, every = boolean.table(7), [count for count in counts for _ in range(each)]
    tables, rows = [], []
    for row in range(n):
        generator = seeds.generator(seed, "targets", row)
        tables.append([of_few_inputs(generator, count) for count in every])
        rows.append(seeds.generator(seed, "rows", row).permutation(len(x)))
    tables, rows = np.array(tables), np.array(rows)  # (n, K, 128), (n, 128)
    per = max(1, TOGETHER // len(every))
    said = np.concatenate(
        [
            taught(seeds.integer(seed, "block", at), tables[at : at + per], rows[at : at + per, :shown],
                   hidden=hidden, epochs=epochs, rate=rate, batch=batch)
            for at in range(0, n, per)
        ]
    )  # fmt: skip
    wrong = np.take_along_axis(said != tables, rows[:, None, :], axis=2)  # in the order of rows
    error = 100 * wrong[..., shown:].mean(axis=2)
    found = {
        "error": error,
        "fitted": 100 * (~wrong[..., :shown].any(axis=2)).mean(axis=1),
        "words": [[boolean_complexity.lempel_ziv(one) for one in some] for some in tables],
        "flips": boolean_complexity.sensitivity(tables),
        "leaves": [[boolean_complexity.leaves(one) for one in some] for some in tables],
        "used": np.broadcast_to(every, error.shape),
    }
    ordered = np.take_along_axis(tables, rows[:, None, :], axis=2)
    common = ordered[..., :shown].mean(axis=2, keepdims=True) > 0.5
    missed = 100 * (ordered[..., shown:] != common).mean(axis=2)
    for place, count in enumerate(counts):
        cut = slice(place * each, (place + 1) * each)
        found[f"error_{count}"] = error[:, cut].mean(axis=1)
        found[f"found_{count}"] = error[:, place * each] <= FOUND
        found[f"commoner_{count}"] = missed[:, cut].mean(axis=1)
    return {
        name: value if value.dtype == bool else value.astype(np.float32)
        for name, value in ((name, np.asarray(value)) for name, value in found.items())
    }


def taught(seed, tables, rows, *, hidden, epochs, rate, batch):
    """Return what networks say to all rows, (R, K, P) bool, each taught ``rows`` (R, m) of its own table (R, K, P)."""
    x = boolean.table(7)
    sets = [
        data.Dataset(x_train=x[own], y_train=one[own].astype(np.int32), task="binary", name="table")
        for some, own in zip(tables, rows, strict=True)
        for one in some
    ]
    runs = fit_many(
        models.mlp((7,), 1, hidden=tuple(hidden)), data.Dataset.stack(sets), members=len(sets), epochs=epochs,
        batch_size=batch, learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    said = runs.predict(x)[..., 0] > 0
    return np.where(runs.diverged[:, None], False, said).reshape(tables.shape)

"""Guess and check on the Boolean machine, and the bound on the error that follows from counting.

A *guess* is a random network; it is *accepted* if it agrees with the target in all training rows. The share of guesses
that are accepted is P(U), the probability that the machine gives to everything that fits the training set. For networks
drawn at random until one fits, the corollary of Valle-Perez et al. [valle-perez2019] bounds the expected error eps:

    -ln(1 - eps) <= (ln(1 / P(U)) + ln(2 m / delta)) / (m - 1)

for m training rows drawn independently, in all but a share delta of training sets. Nothing in it is approximated here:
P(U) is counted, with its limits, and the true error is known over all 128 rows. Errors and accuracies are in percent.
"""

from __future__ import annotations

import numpy as np
import scipy.stats

from helpers._base import seeds
from helpers.experiments import boolean

DELTA = 0.005  # for the corollary; the limits of P(U) miss as often
RANDOM = "random"  # a target drawn anew for each replicate


def limits(accepted, networks):
    """Return Clopper and Pearson's 99 % limits of a share: two numbers or arrays."""
    low = scipy.stats.beta.ppf(DELTA, accepted, networks - np.asarray(accepted) + 1)
    high = scipy.stats.beta.ppf(
        1 - DELTA, np.asarray(accepted) + 1, networks - np.asarray(accepted)
    )
    return np.where(np.asarray(accepted) == 0, 0.0, low), high


def bound(share, rows, delta=DELTA):
    """Return the largest error, in percent, that the corollary allows for an accepted share P(U); 100 for a share of 0.

    Examples
    --------
    >>> round(float(bound(1.0, 32)), 1)
    26.3
    """
    with np.errstate(divide="ignore"):
        exponent = (np.log(2 * rows / delta) - np.log(share)) / (rows - 1)
    return 100 * -np.expm1(-exponent)


def asked(name, generator, inputs):
    """Return a target by name, (P,) bool; "random" is drawn."""
    return generator.random(2**inputs) < 0.5 if name == RANDOM else boolean.target(name, inputs)


def bounds(seed, n, *, bank, machine, targets, rows):
    """How many guesses are accepted, what does the bound say, and how wrong are they really?

    Replicate: a training set of ``rows`` rows, drawn with replacement, and the random target. All share one bank.

    Returns
    -------
    dict
        For each target T: ``accepted_T`` (n,): guesses of the bank that fit; ``bound_T, least_T``: the bound in percent
        by the lower and by the upper 99 % limit of P(U); ``useful_T`` bool: the first is below 50; ``vacuous_T`` bool:
        the second is 50 or more; ``error_T``: mean error of the accepted over all rows, and ``right_T``: their
        accuracy on the unseen rows (both 50 where none is accepted); ``held_T`` bool: the error is at most the bound.
    """
    inputs = machine["inputs"]
    tables = boolean.bank(**bank, **machine)
    tables = np.array(tables)  # into memory: it is read for each replicate
    found = {}
    for row in range(n):
        generator = seeds.generator(seed, "rows", row)
        chosen = generator.integers(0, 2**inputs, rows)
        unseen = np.setdiff1d(np.arange(2**inputs), chosen)
        for name in targets:
            wanted = asked(name, seeds.generator(seed, name, row), inputs)
            places = boolean.accepted(tables, wanted, chosen)
            wrong = boolean.wrong_rows(tables[:, places], wanted)
            low, high = limits(len(places), tables.shape[1])
            here = {
                "accepted": len(places), "bound": bound(low, rows), "least": bound(high, rows),
                "error": 100 * wrong.mean() if len(places) else 50.0,
                "right": 100 - 100 * wrong[:, unseen].mean() if len(places) else 50.0,
            }  # fmt: skip
            here |= {
                "useful": here["bound"] < 50, "vacuous": here["least"] >= 50,
                "held": here["error"] <= here["bound"],
            }  # fmt: skip
            for key, value in here.items():
                found.setdefault(f"{key}_{name}", []).append(value)
    arrays = {name: np.array(values) for name, values in found.items()}
    kinds = {"f": np.float32, "i": np.int32, "b": bool}
    return {name: value.astype(kinds[value.dtype.kind]) for name, value in arrays.items()}


def random_labels(seed, n, *, machine, networks, rows):
    """Do guesses that fit random labels know anything about the other rows?

    Replicate: as many rows, without repeats, their labels and those of all others, and guesses of its own.

    Returns
    -------
    dict
        ``accepted`` (n,): guesses that fit; ``right`` (n,): their accuracy on the other rows, in percent; ``right_x1``
        (n,): that of guesses that fit x1 in the same rows; ``found`` (n,) bool: some guess was accepted.
    """
    inputs, found = machine["inputs"], []
    for row in range(n):
        generator = seeds.generator(seed, "guesses", row)
        tables = np.ascontiguousarray(boolean.functions(generator, networks, **machine).T)
        chosen = generator.permutation(2**inputs)[:rows]
        others = np.setdiff1d(np.arange(2**inputs), chosen)
        rights, counts = [], []
        for name in (RANDOM, "x1"):
            wanted = asked(name, generator, inputs)
            places = boolean.accepted(tables, wanted, chosen)
            wrong = boolean.wrong_rows(tables[:, places], wanted)[:, others]
            rights.append(100 - 100 * wrong.mean() if len(places) else 50.0)
            counts.append(len(places))
        found.append((counts[0], *rights))
    counts, right, known = np.array(found).T
    return {
        "accepted": counts.astype(np.int32), "found": counts > 0,
        "right": right.astype(np.float32), "right_x1": known.astype(np.float32),
    }  # fmt: skip

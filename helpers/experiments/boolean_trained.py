"""Does training choose on the Boolean machine as guessing does?

Both start from the same random networks. A guess is accepted as it is, if it agrees with the target in all training
rows [mingard2021] [chiang2023]; a trained network is stopped when it first agrees with all of them, or trained to the
end of its epochs. Then both are asked which of the rows that nobody showed them they get wrong.

Axes: R training sets, M networks of each, U unseen rows. Errors are in percent.
"""

from __future__ import annotations

import numpy as np
import scipy.stats

from helpers import data, models
from helpers._base import checks, seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many
from helpers.experiments import boolean

TOGETHER = 1000  # networks trained in one program


def network(machine):
    """Return the machine's network with one logit."""
    return models.mlp(
        (machine["inputs"],), 1, hidden=tuple(machine["hidden"]), activation=machine["activation"]
    )


def optimizer(name, rate):
    """Return Keras's SGD or Adam."""
    return {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}[name](rate)


def learn(seed, sets, *, target, machine, networks, arm, start="machine"):
    """Train random networks on training sets: which rows do they get wrong at the first fit, and in the end?

    Parameters
    ----------
    seed : int
        Of initial weights and batches.
    sets : list of (R', array (m,) of int)
        Number of a training set, and its rows.
    target : ndarray (P,) of bool
        What is taught.
    machine, networks, arm
        The machine; how many networks for each set; optimizer, rate, batch and epochs.
    start : {"machine", "glorot"}
        Initial weights: random networks of the machine, or Keras's own.

    Returns
    -------
    first, end, fitted : ndarray
        Where tables differ from the target, (R', M, P) bool, twice; whether all rows were fitted at some epoch,
        (R', M).
    """
    checks.one_of("start", start, ("machine", "glorot"))
    x = boolean.table(machine["inputs"], machine["values"])
    scales = {key: machine[key] for key in ("inputs", "hidden", "sigma_w", "sigma_b")}
    members, weights = [], []
    for number, rows in sets:
        y = target.astype(np.int32)
        one = data.Dataset(
            x_train=x[rows], y_train=y[rows], x_val=x[rows], y_val=y[rows], task="binary", name="table",
        )  # fmt: skip
        members += [one] * networks
        if start == "machine":
            weights.append(
                boolean.drawn(seeds.generator(seed, "start", number), networks, **scales)
            )
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=arm["epochs"], restore_best_weights=True
    )
    runs = fit_many(
        network(machine), data.Dataset.stack(members), members=len(members), epochs=arm["epochs"],
        batch_size=arm["batch"], optimizer=optimizer(arm["optimizer"], arm["rate"]),
        initial_weights=[np.concatenate(parts) for parts in zip(*weights, strict=True)] or None,
        early_stopping=stop, snapshots=[arm["epochs"]], seed=seeds.integer(seed, "fit", sets[0][0]),
    )  # fmt: skip
    fitted = (runs.history["val_accuracy"] >= 1.0).any(axis=1) & ~runs.diverged
    last = runs.snapshots[arm["epochs"]]
    shape = (len(sets), networks, len(target))
    first, end = (
        (boolean.says_yes(layers, x, machine["activation"]) != target).reshape(shape)
        for layers in (runs.weights, last)
    )
    return first, end, fitted.reshape(shape[:2])


def in_blocks(seed, sets, **how):
    """Return `learn` of all training sets, at most a thousand networks at a time; a set depends on its block alone."""
    size = max(1, TOGETHER // how["networks"])
    found = [learn(seed, sets[at : at + size], **how) for at in range(0, len(sets), size)]
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def agreement(one, two):
    """Return Spearman's rank correlation of each row of (R, U) arrays; 0 where one of them is constant."""
    return np.array(
        [
            scipy.stats.spearmanr(a, b).statistic if np.ptp(a) and np.ptp(b) else 0.0
            for a, b in zip(one, two, strict=True)
        ]
    )


def chosen_rows(seed, row, machine, rows):
    """Return the training rows of set ``row``, without repeats, and the others."""
    order = seeds.generator(seed, "rows", row).permutation(2 ** machine["inputs"])
    return order[:rows], np.sort(order[rows:])


def which_rows(seed, n, *, bank, machine, rows, networks, targets, arms):
    """Which unseen rows does a guess get wrong, and which does a trained network?

    Replicate: a training set of ``rows`` rows without repeats; the guesses of the bank that fit it, and ``networks``
    trained ones for each of ``arms``.

    Returns
    -------
    dict
        For each target T: ``guess_T`` (n, U): share of accepted guesses that are wrong in each unseen row,
        ``guess_even_T, guess_odd_T`` (n, U): of every other one, ``guess_halves_T`` (n, U, 2): both;
        ``error_guess_T`` (n,): their mean, in percent; ``accepted_T`` (n,); ``commoner_T`` (n,): error of always
        saying the commoner answer of the training rows. For each arm A: ``first_A``, ``end_A`` (n, U),
        ``first_halves_A`` (n, U, 2): the same of the trained ones, at the first fit and in the end; ``error_first_A,
        error_end_A``; ``agree_first_A, agree_end_A``: rank correlation with the guesses over rows; ``fitted_A``:
        percentage that fits at some epoch. Shares are in half precision.
    """
    tables = np.array(boolean.bank(**bank, **machine))
    sets = [chosen_rows(seed, row, machine, rows) for row in range(n)]
    found = {}
    for name in targets:
        wanted, each = boolean.target(name, machine["inputs"]), []
        for seen, unseen in sets:
            places = boolean.accepted(tables, wanted, seen)
            wrong = boolean.wrong_rows(tables[:, places], wanted)[:, unseen]
            common = wanted[seen].mean() > 0.5
            each.append((*shares(wrong), len(places), 100 * np.mean(wanted[unseen] != common)))
        keys = ("guess", "guess_halves", "accepted", "commoner")
        found |= {
            f"{key}_{name}": np.array(part)
            for key, part in zip(keys, zip(*each, strict=True), strict=True)
        }
        halves = found[f"guess_halves_{name}"]
        found[f"guess_even_{name}"], found[f"guess_odd_{name}"] = halves[..., 0], halves[..., 1]
        found[f"error_guess_{name}"] = 100 * found[f"guess_{name}"].mean(axis=1)
    for label, arm in arms.items():
        own, wanted = arm["target"], boolean.target(arm["target"], machine["inputs"])
        pairs = [(row, seen) for row, (seen, _) in enumerate(sets)]
        first, end, fitted = in_blocks(
            seed, pairs, target=wanted, machine=machine, networks=networks, arm=arm
        )
        hidden = [unseen for _, unseen in sets]
        for stage, wrong in (("first", first), ("end", end)):
            both = [shares(one[:, at]) for one, at in zip(wrong, hidden, strict=True)]
            share, halves = (np.array(part) for part in zip(*both, strict=True))
            found[f"{stage}_{label}"] = share
            found[f"error_{stage}_{label}"] = 100 * share.mean(axis=1)
            found[f"agree_{stage}_{label}"] = agreement(found[f"guess_{own}"], share)
            if stage == "first":
                found[f"first_halves_{label}"] = halves
        found[f"fitted_{label}"] = 100 * fitted.mean(axis=1)
    return {name: slim(value) for name, value in found.items()}


def shares(wrong):
    """Return the share of networks wrong in each row, of (A, U) bool: (U,), and of every other one: (U, 2)."""
    if len(wrong) < 2:
        return np.full(wrong.shape[1], 0.5), np.full((wrong.shape[1], 2), 0.5)
    return wrong.mean(axis=0), np.stack(
        [wrong[0::2].mean(axis=0), wrong[1::2].mean(axis=0)], axis=1
    )


def slim(values):
    """Return shares by rows in half precision, other floats in single, counts as integers."""
    if values.dtype.kind != "f":
        return values.astype(np.int32)
    return values.astype(np.float16 if values.ndim > 1 else np.float32)


def which_functions(seed, n, *, machine, rows, guesses, networks, target, start, arm):
    """Does training choose whole functions as often as guessing does?

    With four inputs and eight of sixteen rows to learn, 256 functions fit: few enough to be counted one by one.
    Replicate: a training set; the guesses, the same for all, that fit it, and ``networks`` trained to their first fit.

    Returns
    -------
    dict
        ``guess, trained`` (n, 256): how often each function that fits was chosen; ``halves`` (n,): the rank
        correlation of two halves of the trained, ``correlation`` (n,) of guesses and trained, ``correlation_end``:
        trained on to the end; each over the functions that one of the two found. ``overlap, overlap_end``: the sum over
        functions of the smaller share; ``best`` (n,): overlap of the accepted guesses with as many other guesses as
        there are trained networks, ``best_correlation``: their rank correlation. ``accepted, fitted`` (n,).
    """
    wanted = boolean.target(target, machine["inputs"])
    drawn = boolean.functions(seeds.generator(seed, "guesses"), guesses, **machine)
    tables = np.ascontiguousarray(drawn.T)
    sets = [chosen_rows(seed, row, machine, rows) for row in range(n)]
    pairs = [(row, seen) for row, (seen, _) in enumerate(sets)]
    first, end, fitted = in_blocks(
        seed, pairs, target=wanted, machine=machine, networks=networks, arm=arm, start=start
    )
    found = []
    for row, (seen, unseen) in enumerate(sets):
        wrong = boolean.wrong_rows(tables[:, boolean.accepted(tables, wanted, seen)], wanted)
        order = seeds.generator(seed, "halves", row).permutation(len(wrong))
        some, others = wrong[order[:networks]], wrong[order[networks:]]
        counts = counted(wrong[:, unseen])
        trained = counted(first[row][fitted[row]][:, unseen])
        later = counted(end[row][fitted[row]][:, unseen])
        few, rest = counted(some[:, unseen]), counted(others[:, unseen])
        halves = [counted(first[row][fitted[row]][k::2][:, unseen]) for k in (0, 1)]
        found.append(
            {
                "guess": counts, "trained": trained, "halves": correlation(*halves),
                "correlation": correlation(counts, trained), "correlation_end": correlation(counts, later),
                "overlap": overlap(counts, trained), "overlap_end": overlap(counts, later),
                "best": overlap(rest, few), "best_correlation": correlation(rest, few),
                "accepted": len(wrong), "fitted": 100 * fitted[row].mean(),
            }
        )  # fmt: skip
    arrays = {name: np.array([one[name] for one in found]) for name in found[0]}
    return {k: v.astype(np.float32 if v.dtype.kind == "f" else np.int32) for k, v in arrays.items()}


def counted(wrong):
    """Return how often each pattern of wrong rows (A, U) occurs, (2^U,)."""
    return np.bincount(wrong @ (1 << np.arange(wrong.shape[1])), minlength=2 ** wrong.shape[1])


def overlap(one, two):
    """Return the sum of the smaller shares of two arrays of counts: 1 if they are in proportion, 0 if disjoint."""
    if not one.sum() or not two.sum():
        return 0.0
    return float(np.minimum(one / one.sum(), two / two.sum()).sum())


def correlation(one, two):
    """Return the rank correlation of two counts over the functions that at least one of them found."""
    there = (one > 0) | (two > 0)
    if there.sum() < 3 or not np.ptp(one[there]) or not np.ptp(two[there]):
        return 0.0
    return float(scipy.stats.spearmanr(one[there], two[there]).statistic)

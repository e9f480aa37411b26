"""XOR: why wider networks fail less. Two causes side by side: blobs that start dark, pairs of units that would win.

The replicate is a block of many networks, so that each block gives the part of a difference that goes with its cause.
The words are those of `helpers.experiments.xor`: converge, dark, starts. Source: the XOR question [xor-thread].
"""

from __future__ import annotations

import itertools

import numpy as np

from helpers._base import seeds
from helpers.experiments import xor

REDRAWS = 12  # at most, until no blob starts dark: at worst half of the starts are
LIT = 0.1  # what enters a unit at a blob's centre after the shift


def _blocks(values, size):
    """Return the mean of each block, (n,) float32, of one value a network, (n * size,)."""
    return np.asarray(values, float).reshape(-1, size).mean(axis=1).astype(np.float32)


def _chosen(choose, one, two):
    """Return weights of ``one`` where ``choose`` (M,) is true, else of ``two``."""
    return [
        np.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b)
        for a, b in zip(one, two, strict=True)
    ]


def redrawn(seed, sets, width, start, weights):
    """Return starts without a dark blob: those of ``weights`` where they have none, else drawn again."""
    for attempt in range(REDRAWS):
        again = xor.begin(seeds.integer(seed, "again", attempt), len(weights[0]), width, start)
        weights = _chosen(xor.dark(weights, sets).any(axis=1), again, weights)
    return weights


def shifted(weights, sets, low=-1.0, wrong=False):
    """Return starts in which each dark blob is lit by raising one bias.

    The unit is the one that needs the smallest raise to be active at the blob's centre; ``wrong`` gives the same
    raise to the unit that would need the largest.
    """
    bias = weights[1].astype(float).copy()
    gloomy = xor.dark(weights, sets)
    centres = low + (xor.BLOBS + 1) * (1 - low) / 2
    kernel = weights[0].astype(float)
    rows = np.arange(len(bias))
    for blob, centre in enumerate(centres):
        enters = centre @ kernel + bias  # (M, H), with the shifts so far
        nearest = enters.argmax(axis=1)
        raised = np.where(gloomy[:, blob], np.maximum(LIT - enters[rows, nearest], 0), 0)
        bias[rows, enters.argmin(axis=1) if wrong else nearest] += raised
    return [weights[0], bias.astype(np.float32), *weights[2:]]


def dark_starts(seed, n, *, block, start, widths, where, how):
    """Do two units fail more often than eight because their starts leave a blob dark?

    Replicate: a block of ``block`` data sets, each with a start for every width and each arm.

    Returns
    -------
    dict
        For each width W and arm ``fail_W_ARM``: share that fails. The arms: ``plain``; ``redrawn`` until no blob is
        dark; ``shifted``: one bias raised for each dark blob; ``wrong``: the same raise on another unit. For each wider
        W and arm ``gone_W_ARM``: the part of the difference between two units and W that goes. ``dark_W, dark_left_W``:
        share of starts with a dark blob, plain and redrawn. ``fail_dark, fail_lit``: share that fails with two units,
        of starts with a dark blob and without (of all, where there are none). (n,) float32 each.
    """
    sets = xor.stack(seed, range(n * block), **where)
    found, plain = {}, {}
    for width in widths:
        first = xor.begin(seed, n * block, width, start)
        arms = {
            "plain": first,
            "redrawn": redrawn(seed, sets, width, start, first),
            "shifted": shifted(first, sets),
            "wrong": shifted(first, sets, wrong=True),
        }
        for arm, weights in arms.items():
            runs = xor.train(seed, sets, width, weights=weights, **how)
            fails = ~xor.converged(runs.weights, sets)
            plain |= {width: fails} if arm == "plain" else {}
            found[f"fail_{width}_{arm}"] = _blocks(fails, block)
        gloomy = xor.dark(first, sets).any(axis=1)
        found[f"dark_{width}"] = _blocks(gloomy, block)
        found[f"dark_left_{width}"] = _blocks(xor.dark(arms["redrawn"], sets).any(axis=1), block)
        if width == widths[0]:
            found["fail_dark"] = _share(fails=plain[width], of=gloomy, block=block)
            found["fail_lit"] = _share(fails=plain[width], of=~gloomy, block=block)
    narrow = widths[0]
    for width, arm in itertools.product(widths[1:], ("redrawn", "shifted", "wrong")):
        whole, left = (
            found[f"fail_{narrow}_{name}"] - found[f"fail_{width}_{name}"]
            for name in ("plain", arm)
        )
        found[f"gone_{width}_{arm}"] = _part(whole - left, whole)
    return found


def _share(fails, of, block):
    """Return the share that fails among some, in each block; among all where there are none."""
    fails, of = fails.reshape(-1, block), of.reshape(-1, block)
    of = of | ~of.any(axis=1, keepdims=True)
    return (np.sum(fails & of, axis=1) / of.sum(axis=1)).astype(np.float32)


def _part(gone, whole):
    """Return the part of a difference that goes, (n,) float32; 0 where there is no difference."""
    there = whole > 0
    return np.where(there, gone / np.where(there, whole, 1), 0).astype(np.float32)


def _units(weights, units):
    """Return networks of some of the hidden units, with the same output bias."""
    units = list(units)
    return [weights[0][:, :, units], weights[1][:, units], weights[2][:, units], weights[3]]


def winning_pairs(seed, n, *, block, start, where, how):
    """Do four units fail less often than two because they hold more pairs, one of which would win alone?

    Each of the six pairs of a four-unit start is trained alone. A start *has a winner* if one of them converges.
    Replicate: a block of ``block`` data sets, each with a start of four units and one of two.

    Returns
    -------
    dict
        ``fail_2, fail_4``: share that fails. ``no_winner``: share of starts of four units without a winner.
        ``fail_some, fail_none``: share that fails of those with a winner and of those without. ``gone``: the part of
        fail_2 - fail_4 that goes if starts without a winner are as frequent with four units as with two, where they are
        those that fail: fail_2 fail_none + (1 - fail_2) fail_some in the place of fail_4. ``gone_by_chance``: the same
        if each start counts as its neighbour does. (n,) float32 each.
    """
    sets, low = xor.stack(seed, range(n * block), **where), where["low"]
    fails = {}
    for width in (2, 4):
        runs = xor.train(seed, sets, width, start=start, **how)
        fails[width] = ~xor.converged(runs.weights, sets, low)
    first, wins = runs.initial_weights, np.zeros(n * block, bool)
    for pair in itertools.combinations(range(4), 2):
        alone = xor.train(seed, sets, 2, weights=_units(first, pair), **how)
        wins |= xor.converged(alone.weights, sets, low)
    found = {f"fail_{width}": _blocks(each, block) for width, each in fails.items()}
    found["no_winner"] = _blocks(~wins, block)
    neighbour = np.roll(wins.reshape(n, block), 1, axis=1).ravel()
    for name, has in (("gone", wins), ("gone_by_chance", neighbour)):
        some, none = _share(fails[4], has, block), _share(fails[4], ~has, block)
        if name == "gone":
            found |= {"fail_some": some, "fail_none": none}
        equal = found["fail_2"] * none + (1 - found["fail_2"]) * some
        found[name] = _part(equal - found["fail_4"], found["fail_2"] - found["fail_4"])
    return found


def transplant(seed, n, *, start, pool, where, how):
    """Does a losing pair of units become a network that succeeds if the pair added to it wins alone?

    On each data set ``pool`` pairs, drawn as for four units, are trained alone. The first that fails gets a partner:
    the second that fails, or the first that converges. Replicate: points and pairs.

    Returns
    -------
    dict
        ``fail_loser, fail_winner``: the four units fail, with the one partner and the other; ``usable``: two pairs
        failed and one converged; where not, the first pairs stand in. (n,) bool.
    """
    sets = xor.stack(seed, range(n), **where)
    pairs, wins = [], []
    for number in range(pool):
        drawn = xor.begin(seeds.integer(seed, "pair", number), n, 4, start)
        pairs.append(_units(drawn, (0, 1)))
        alone = xor.train(seed, sets, 2, weights=pairs[-1], **how)
        wins.append(xor.converged(alone.weights, sets))
    wins, rows = np.array(wins), np.arange(n)
    order = np.argsort(wins, axis=0, kind="stable")  # the failing ones first, in their order
    every = [np.stack(parts) for parts in zip(*pairs, strict=True)]  # (pool, n, ...)
    taken = [[part[number, rows] for part in every] for number in (*order[:2], wins.argmax(axis=0))]
    found = {"usable": (np.sum(~wins, axis=0) >= 2) & wins.any(axis=0)}
    for name, partner in (("loser", taken[1]), ("winner", taken[2])):
        rest = taken[0]
        joined = [
            np.concatenate([rest[i], partner[i]], axis=axis) for i, axis in ((0, 2), (1, 1), (2, 1))
        ]
        runs = xor.train(seed, sets, 4, weights=[*joined, rest[3]], **how)
        found[f"fail_{name}"] = ~xor.converged(runs.weights, sets)
    return found


def back_to_back(seed, n, *, block, start, where, how):
    """Does a pair of units back to back, with one vote, tell whether four units succeed?

    Back to back: both input weights of the one have the signs opposite to the other's, and their output weights have
    the same sign. Replicate: a block of ``block`` data sets with a start each.

    Returns
    -------
    dict
        ``precision``: share that converges of the starts with such a pair. ``recall``: share with such a pair of the
        starts that converge. ``share``: of starts with such a pair. (n,) float32 each.
    """
    sets = xor.stack(seed, range(n * block), **where)
    runs = xor.train(seed, sets, 4, start=start, **how)
    kernel, votes = np.sign(runs.initial_weights[0]), np.sign(runs.initial_weights[2][..., 0])
    there = np.zeros(n * block, bool)
    for a, b in itertools.combinations(range(4), 2):
        there |= (kernel[:, :, a] == -kernel[:, :, b]).all(axis=1) & (votes[:, a] == votes[:, b])
    good = xor.converged(runs.weights, sets)
    return {
        "precision": _share(good, there, block),
        "recall": _share(there, good, block),
        "share": _blocks(there, block),
    }

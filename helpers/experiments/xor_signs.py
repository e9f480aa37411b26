"""XOR: do the signs of the initial weights decide whether two units succeed?

The words are those of `helpers.experiments.xor`: converge, dark, starts. Source: the XOR question [xor-thread].
"""

from __future__ import annotations

import itertools

import numpy as np

from helpers import pruning
from helpers._base import seeds
from helpers.experiments import xor

# Of a hidden unit: the signs of its two input weights and of its output weight, its vote.
KINDS = [(a, b, vote) for a, b in ((1, 1), (-1, -1), (1, -1), (-1, 1)) for vote in (1, -1)]


def patterns(seed, n, *, exact, where, how):
    """Do the thread's four patterns of signs end as it says?

    Biases start at 0. With ``exact`` all weights are +-1, as the thread writes them; otherwise their sizes are drawn as
    Keras does, the same for all patterns. Replicate: points and sizes.

    Returns
    -------
    dict
        ``converged_K`` (n,) bool and ``right_K`` (n,) float32 for each pattern K.
    """
    sets, low = xor.stack(seed, range(n), **where), where["low"]
    sizes = None if exact else xor.begin(seed, n, 2)
    found = {}
    for pattern in xor.PATTERNS:
        runs = xor.train(seed, sets, 2, weights=xor.started(pattern, n, sizes), **how)
        found[f"converged_{pattern}"] = xor.converged(runs.weights, sets, low)
        found[f"right_{pattern}"] = xor.right(xor.logits(runs.weights, sets.x_train), sets.y_train)
    return found


def signs(seed, n, *, where, how):
    """How much of the outcome do the signs of the initial weights settle, and how much the weights themselves?

    Two units have 64 patterns of signs. Replicate: a block that has each of them three times: a start on its points,
    another start with the same signs on other points, and the first start on these other points.

    Returns
    -------
    dict
        ``first, same_signs, same_start`` (n, 64) bool: which converge, patterns in the order of pairs of `KINDS`.
        ``explained_by_signs, explained_by_start`` (n,) float32: 1 less the share of pairs that end differently over
        that of unrelated pairs, 2 p (1 - p) with p the block's share.
    """
    pairs = np.array(list(itertools.product(KINDS, KINDS)), np.float32)  # (64, unit, 3)
    count = n * len(pairs)
    tiled = np.tile(pairs, (n, 1, 1))
    sign = [np.swapaxes(tiled[..., :2], 1, 2), np.zeros((count, 2), np.float32), tiled[..., 2:],
            np.zeros((count, 1), np.float32)]  # fmt: skip
    one, two = (seeds.integer(seed, name) for name in ("one", "two"))
    here, there = (xor.stack(part, range(count), **where) for part in (one, two))
    starts = [pruning.keep_signs(xor.begin(part, count, 2), sign) for part in (one, two)]
    arms = {"first": (0, here), "same_signs": (1, there), "same_start": (0, there)}
    found = {}
    for name, (start, sets) in arms.items():
        runs = xor.train(seed, sets, 2, weights=starts[start], **how)
        found[name] = xor.converged(runs.weights, sets).reshape(n, -1)
    share = (found["first"].mean(axis=1) + found["same_signs"].mean(axis=1)) / 2
    # Where nobody or everybody converged there is nothing to explain; 1 / 64 stands in.
    unrelated = np.maximum(2 * share * (1 - share), 1 / 64)
    for name in ("signs", "start"):
        differ = np.mean(found["first"] != found[f"same_{name}"], axis=1)
        found[f"explained_by_{name}"] = (1 - differ / unrelated).astype(np.float32)
    return found

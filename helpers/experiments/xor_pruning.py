"""XOR: the smallest lottery ticket, two hidden units of a trained network put back to where they began.

The words are those of `helpers.experiments.xor`: converge, starts. Sources: the XOR question [xor-thread], whose second
answer points to Frankle and Carbin [frankle2019].

Axes in comments: n networks, N points, H hidden units.
"""

from __future__ import annotations

import itertools

import numpy as np

from helpers import pruning
from helpers._base import seeds
from helpers.experiments import xor
from helpers.experiments.xor_units import sought


def units(weights, kept):
    """Return networks of some hidden units of each network, ``kept`` (n, K) their numbers; the output bias stays."""
    kept = np.asarray(kept)
    return [
        np.take_along_axis(weights[0], kept[:, None, :], axis=2),
        np.take_along_axis(weights[1], kept, axis=1),
        np.take_along_axis(weights[2], kept[:, :, None], axis=1),
        weights[3],
    ]


def loss(weights, sets):
    """Return the cross-entropy on the training points, (n,) float64."""
    signed = np.where(sets.y_train > 0, 1, -1) * xor.logits(weights, sets.x_train)
    return np.mean(np.logaddexp(0, -signed), axis=1)


def best_pair(weights, sets):
    """Return the pair of units that does best without the others, (n, 2): the one with the lowest training loss."""
    n, width = weights[1].shape
    pairs = np.array(list(itertools.combinations(range(width), 2)))  # (P, 2)
    losses = [loss(units(weights, np.tile(pair, (n, 1))), sets) for pair in pairs]
    return pairs[np.argmin(losses, axis=0)]


def magnitudes(weights):
    """Return each hidden unit's size, (n, H): length of its incoming weights, times its outgoing one."""
    into = np.sqrt(np.sum(weights[0].astype(float) ** 2, axis=1))
    return into * np.abs(weights[2][..., 0].astype(float))


def smallest_ticket(seed, n, *, start, width, attempts, where, how):
    """Does the best pair of a trained network win because of where it began?

    The network is the first that converges, of up to ``attempts``. Replicate: points and initial weights.

    Returns
    -------
    dict
        (n,) bool. ``found``: such a network was found. Which pairs converge: ``rewound`` (the best pair, put back),
        ``replaced`` (its place in another network of as many units, with new weights), ``signs`` (the same, with the
        signs of the best pair), ``other`` (another pair of the network, put back), ``fresh`` (a network of two units),
        ``replaced_again`` (as ``replaced``, drawn anew), ``pattern`` (weights of 1, the first signs that the XOR
        question lists).
        ``as_it_is``: the best pair of the trained network, not trained again.
    """
    sets, first, last, there = sought(
        seed, n, width, False, start=start, attempts=attempts, where=where, how=how
    )
    low, best = where["low"], best_pair(last, sets)
    new = units(xor.begin(seeds.integer(seed, "new"), n, width, start), best)
    rewound = units(first, best)
    kept = pruning.keep_signs(new, rewound)
    arms = {
        "rewound": rewound,
        "replaced": new,
        "signs": [kept[0], new[1], kept[2], new[3]],
        "other": units(first, _elsewhere(best, width)),
        "fresh": xor.begin(seeds.integer(seed, "fresh"), n, 2, start),
        "replaced_again": units(xor.begin(seeds.integer(seed, "newer"), n, width, start), best),
        "pattern": xor.started(1, n),
    }
    found = {"found": there, "as_it_is": xor.converged(units(last, best), sets, low)}
    for name, weights in arms.items():
        runs = xor.train(seed, sets, 2, weights=weights, **how)
        found[name] = xor.converged(runs.weights, sets, low)
    return found


def _elsewhere(best, width):
    """Return a pair of units that are not in ``best`` (n, 2): the first two of the others."""
    free = [[u for u in range(width) if u not in pair] for pair in best.tolist()]
    return np.array([one[:2] for one in free])


def one_by_one(seed, n, *, start, width, least, attempts, where, how):
    """What is left of a network whose smallest unit goes after each training, with rewinding?

    The network is the first that converges, of up to ``attempts``; after each training the unit of the smallest
    magnitude goes, and the rest begins again at its initial weights. Replicate: points and initial weights.

    Returns
    -------
    dict
        (n,) bool. ``found``: such a network was found. For each number of units K from ``width`` - 1 down to ``least``
        ``rewound_K`` converges; ``replaced``: the last units' place with new weights; ``fresh``: a network of as many
        units.
    """
    sets, first, last, there = sought(
        seed, n, width, False, start=start, attempts=attempts, where=where, how=how
    )
    low, kept = where["low"], np.tile(np.arange(width), (n, 1))
    found, trained = {"found": there}, last
    for left in range(width - 1, least - 1, -1):
        order = np.argsort(-magnitudes(trained), axis=1, kind="stable")[:, :left]
        kept = np.take_along_axis(kept, np.sort(order, axis=1), axis=1)
        trained = xor.train(seed, sets, left, weights=units(first, kept), **how).weights
        found[f"rewound_{left}"] = xor.converged(trained, sets, low)
    arms = {
        "replaced": units(xor.begin(seeds.integer(seed, "new"), n, width, start), kept),
        "fresh": xor.begin(seeds.integer(seed, "fresh"), n, least, start),
    }
    for name, weights in arms.items():
        runs = xor.train(seed, sets, least, weights=weights, **how)
        found[name] = xor.converged(runs.weights, sets, low)
    return found

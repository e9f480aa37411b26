"""XOR: what becomes of stuck networks, and of the units of those that succeed.

The words are those of `helpers.experiments.xor`: converge, dark, starts. Source: the XOR question [xor-thread].
"""

from __future__ import annotations

import itertools

import numpy as np

from helpers._base import seeds
from helpers.data import Dataset
from helpers.experiments import xor

FEW = 0.01  # share of new points whose prediction may change where a unit counts as unused
FLAT = 1e-3  # of the largest curvature: below it a direction counts as flat


def sought(seed, n, width, stuck, *, start, attempts, where, how, new=4):
    """Return for each row the first of some trainings that got stuck (or, with ``stuck`` false, converged).

    Returns
    -------
    sets : Dataset
        The points of each.
    first, last : list of numpy.ndarray
        Initial and trained weights.
    found : numpy.ndarray (n,) of bool
        False where no training ended so; the last one stands there.
    """
    each = []
    for attempt in range(attempts):
        own = seeds.integer(seed, "attempt", attempt)
        sets = xor.stack(own, range(n), **where, new=new)
        runs = xor.train(own, sets, width, start=start, **how)
        each.append((sets, runs, xor.converged(runs.weights, sets) != stuck))
    ends = np.array([ok for *_, ok in each])  # (attempts, n)
    found = ends.any(axis=0)
    taken = np.where(found, ends.argmax(axis=0), attempts - 1)
    members = [each[number][0].member(row) for row, number in enumerate(taken)]
    rows = np.arange(n)

    def picked(name):
        every = zip(*[getattr(runs, name) for _, runs, _ in each], strict=True)
        return [np.stack(parts)[taken, rows] for parts in every]

    return Dataset.stack(members), picked("initial_weights"), picked("weights"), found


def widened(weights, fresh):
    """Return networks with the units of ``fresh`` beyond those of ``weights``, which add nothing to the output yet."""
    had = weights[0].shape[2]
    return [
        np.concatenate([weights[0], fresh[0][:, :, had:]], axis=2),
        np.concatenate([weights[1], fresh[1][:, had:]], axis=1),
        np.concatenate([weights[2], np.zeros_like(fresh[2][:, had:])], axis=1),
        weights[3],
    ]


def added_units(seed, n, *, start, added, attempts, where, how):
    """Do stuck networks of two units escape when units are added that change nothing?

    An added unit has input weights as for a network of the new width, and an output weight of 0. Then training goes on
    for as many steps, its optimizer anew. Replicate: a stuck network, the first of up to ``attempts``.

    Returns
    -------
    dict
        ``escaped_K`` (n,) bool: converges after K units were added. ``stuck`` (n,) bool: a stuck network was found.
    """
    sets, _, last, stuck = sought(
        seed, n, 2, True, start=start, attempts=attempts, where=where, how=how
    )
    found = {"stuck": stuck}
    for count in added:
        fresh = xor.begin(seeds.integer(seed, "added"), n, 2 + count, start)
        weights = widened(last, fresh)
        runs = xor.train(seed, sets, 2 + count, weights=weights, **how)
        found[f"escaped_{count}"] = xor.converged(runs.weights, sets)
    return found


def used(seed, n, *, start, width, attempts, where, how):
    """Is the rest of a network that succeeded just not used?

    A unit is *unused* if its removal alone changes the prediction of at most one new point in a hundred. Replicate: a
    network that converged, the first of up to ``attempts``, with 2,000 new points.

    Returns
    -------
    dict
        ``unused`` (n,) float32: share of units that are unused one by one. ``removable`` (n,) float32: the largest
        share that can go together, by the same rule. ``converged`` (n,) bool: such a network was found.
    """
    sets, _, last, there = sought(
        seed, n, width, False, start=start, attempts=attempts, where=where, how=how, new=2000
    )
    kept = np.array(list(itertools.product((0, 1), repeat=width)), float)  # (2^H, H)
    unused, removable = np.zeros((2, n), np.float32)
    for row in range(n):
        kernel, bias, votes, offset = (w[row].astype(float) for w in last)
        parts = np.maximum(sets.x_test[row] @ kernel + bias, 0) * votes[:, 0]  # (N, H)
        says = parts @ kept.T + offset > 0  # (N, 2^H)
        changed = np.mean(says != says[:, -1:], axis=0) <= FEW
        left = kept.sum(axis=1)
        unused[row] = changed[left == width - 1].mean()
        removable[row] = 1 - left[changed].min() / width
    return {"unused": unused, "removable": removable, "converged": there}


def pruned(seed, n, *, start, width, least, attempts, where, how):
    """How many units can be pruned away after training, with training in between?

    The unit goes whose removal raises the training loss least; the rest trains on for as many steps, from where it
    stands or (rewound) from its initial weights. Replicate: a network that converged, the first of up to ``attempts``.

    Returns
    -------
    dict
        ``trained_on_K, rewound_K`` (n,) bool: converges with K units left. ``converged`` (n,) bool: such a network was
        found.
    """
    sets, first, last, there = sought(
        seed, n, width, False, start=start, attempts=attempts, where=where, how=how
    )
    found = {"converged": there}
    for name in ("trained_on", "rewound"):
        origin, now = first, last
        for left in range(width - 1, least - 1, -1):
            kept = _without_the_least(now, sets)
            origin, now = _only(origin, kept), _only(now, kept)
            weights = origin if name == "rewound" else now
            runs = xor.train(seed, sets, left, weights=weights, **how)
            now = runs.weights
            found[f"{name}_{left}"] = xor.converged(now, sets)
    return found


def _loss(weights, sets):
    """Return the training cross-entropy, (M,)."""
    signed = np.where(sets.y_train > 0, 1, -1) * xor.logits(weights, sets.x_train)
    return np.logaddexp(0, -signed).mean(axis=1)


def _only(weights, kept):
    """Return networks of the units ``kept`` (M, K)."""
    return [
        np.take_along_axis(weights[0], kept[:, None], axis=2),
        np.take_along_axis(weights[1], kept, axis=1),
        np.take_along_axis(weights[2], kept[..., None], axis=1),
        weights[3],
    ]


def _without_the_least(weights, sets):
    """Return the units to keep, (M, H - 1): all but the one whose removal costs least."""
    count, width = weights[1].shape
    others = np.array([[u for u in range(width) if u != gone] for gone in range(width)])
    costs = [_loss(_only(weights, np.tile(kept, (count, 1))), sets) for kept in others]
    return others[np.nan_to_num(np.array(costs), nan=np.inf).argmin(axis=0)]


def ends(seed, n, *, block, count, start, widths, where, how):
    """In how many different places do stuck networks end?

    A place: which units are active at which blob's centre (in any order of the units), and the training loss to two
    decimals. Replicate: a block of ``block`` trainings a width, of whose stuck ones the first ``count`` are looked at.

    Returns
    -------
    dict
        For each width W ``places_W`` (n,) float32, the number of different places, and ``enough_W`` (n,) bool: that
        many got stuck; where not, those that did are looked at.
    """
    sets = xor.stack(seed, range(n * block), **where)
    found = {}
    for width in widths:
        runs = xor.train(seed, sets, width, start=start, **how)
        stuck = ~xor.converged(runs.weights, sets).reshape(n, block)
        centres = np.tile(xor.BLOBS, (n * block, 1, 1))
        active = xor.before(runs.weights, centres) > 0  # (M, 4, H)
        codes = np.sort(np.einsum("mbh,b->mh", active, 2 ** np.arange(4)), axis=1)
        levels = np.round(100 * np.nan_to_num(_loss(runs.weights, sets), nan=99)).astype(int)
        names = np.concatenate([codes, levels[:, None]], axis=1).reshape(n, block, -1)
        chosen = [np.flatnonzero(row)[:count] for row in stuck]
        places = [len(np.unique(names[i, rows], axis=0)) for i, rows in enumerate(chosen)]
        found[f"places_{width}"] = np.maximum(places, 1).astype(np.float32)
        found[f"enough_{width}"] = stuck.sum(axis=1) >= count
    return found


def curvatures(seed, n, *, start, attempts, where, how):
    """Are the places where two units get stuck strict minima, plateaus or saddles?

    By the nine curvatures of the training loss there. Flat: below a thousandth of the largest. Replicate: a stuck
    network, the first of up to ``attempts``.

    Returns
    -------
    dict
        ``down, flat, up`` (n,) int8: number of directions. (n,) bool: ``no_way_down``: none curves down; ``plateau``:
        none does, and some are flat; ``strict``: all curve up; ``stuck``: a stuck network was found.
    """
    sets, _, last, stuck = sought(
        seed, n, 2, True, start=start, attempts=attempts, where=where, how=how
    )
    curves = np.linalg.eigvalsh(np.nan_to_num(hessian(last, sets.x_train, sets.y_train)))
    edge = FLAT * np.maximum(curves[:, -1:], 1e-12)
    down, up = (curves < -edge).sum(axis=1), (curves > edge).sum(axis=1)
    flat = curves.shape[1] - down - up
    counts = {"down": down, "flat": flat, "up": up}
    return {name: value.astype(np.int8) for name, value in counts.items()} | {
        "no_way_down": down == 0,
        "plateau": (down == 0) & (flat > 0),
        "strict": up == curves.shape[1],
        "stuck": stuck,
    }


def hessian(weights, x, y):
    """Return the second derivatives of the mean cross-entropy of ReLU networks, (M, P, P) for P parameters.

    In the order of units' input weights and bias, unit by unit, then output weights, then the output bias.
    """
    kernel, _, votes, _ = (w.astype(float) for w in weights)
    count, inputs, width = kernel.shape
    ones = np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2).astype(float)  # (M, N, D + 1)
    enters = xor.before(weights, x)
    active = (enters > 0).astype(float)
    share = 1 / (1 + np.exp(-xor.logits(weights, x)))
    into = (active * votes[:, None, :, 0])[..., None] * ones[:, :, None]  # (M, N, H, D + 1)
    blocks = [
        into.reshape(count, -1, width * (inputs + 1)),
        enters * active,
        np.ones((*share.shape, 1)),
    ]
    slopes = np.concatenate(blocks, axis=2)
    found = np.einsum("mnp,mn,mnq->mpq", slopes, share * (1 - share), slopes, optimize=True)
    # Of a unit's input and output weights together, where the logit itself curves:
    mixed = np.einsum("mn,mnh,mnd->mhd", share - y, active, ones, optimize=True)
    for unit in range(width):
        mine, out = (
            slice(unit * (inputs + 1), (unit + 1) * (inputs + 1)),
            width * (inputs + 1) + unit,
        )
        found[:, mine, out] += mixed[:, unit]
        found[:, out, mine] += mixed[:, unit]
    return found / x.shape[1]

"""MNIST-1D: does a ticket win on signals that had no part in making it?

The words are those of `helpers.experiments.tickets`. Source: the lottery notebook that comes with MNIST-1D
[greydanus2024].
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.experiments import tickets


def transfer(seed, n, *, sizes, hidden, rates, rounds, epochs, batch):
    """How do ticket and rivals fare on a fresh data set from the same generator?

    The search sees the first data set only. On the second each arm is trained at every rate, and chooses its own by
    the second's validation signals. Replicate: two data sets and initial weights.

    Returns
    -------
    dict
        ``old_dense, old_ticket`` (n,): accuracies on the first data set. For dense, ticket, redrawn and random
        ``fresh_ARM`` (n,) on the second; ``errors_random`` (n,). ``near`` (n, 8): correlation of being kept at two
        positions of a unit's inputs that lie 1 to 8 apart.
    """
    net, how = tickets.network(hidden), {"epochs": epochs, "batch": batch}
    first = tickets.stack(seed, n, **sizes)
    second = tickets.stack(seeds.integer(seed, "fresh"), n, **sizes)
    start = tickets.begin(seed, n, net)
    new = tickets.begin(seeds.integer(seed, "new", 0), n, net)
    dense = tickets.compete(seed, first, net, start, rates=rates, **how)
    masks, _ = tickets.search(seed, first, net, start, rate=dense["rate"], rounds=rounds, **how)
    given = tickets.arms(seed, start, new, masks[-1], ("ticket", "redrawn", "random"))
    old = tickets.compete(seed, first, net, *given["ticket"], rates=rates, **how)
    found = {"old_dense": dense["accuracy"], "old_ticket": old["accuracy"]}
    for kind, arm in {"dense": (start, None), **given}.items():
        one = tickets.compete(seed, second, net, *arm, rates=rates, **how)
        found[f"fresh_{kind}"] = one["accuracy"]
    found["errors_random"] = 100 - found["fresh_random"]
    found["near"] = np.stack([together(masks[-1][0], lag) for lag in range(1, 9)], axis=1)
    return {name: value.astype(np.float32) for name, value in found.items()}


def together(mask, lag):
    """Return the correlation of being kept at positions p and p + ``lag`` of a unit's inputs, (n,).

    ``mask`` (n, positions, units); how often a position is kept at all is taken out.
    """
    found = []
    for one in mask.astype(float):
        off = one - one.mean(axis=1, keepdims=True)
        found.append(np.mean(off[lag:] * off[:-lag]) / np.mean(off**2))
    return np.array(found)

"""How smooth are networks that learned their labels by heart, true ones or random ones?

An answer to the thread *Why can neural networks generalize at all?* [generalization-thread] writes that "similar inputs
will tend to have similar outputs". Signals are MNIST-1D [greydanus2024], generated for each replicate.
"""

from __future__ import annotations

import numpy as np
import scipy.stats

from helpers._base import seeds
from helpers.experiments.neighbours import blocks
from helpers.experiments.random_labels import draw, learn_by_heart, relabelled, stacked

STEP = 0.01  # length of the small steps by which the slope is measured, in units of a signal


def distances(seed, n, *, train, test, hidden, epochs, rate, batch, pairs):
    """Do distances between new signals and between a network's outputs go together, and how steep is the network?

    Both networks of a replicate are trained until every training label is learned, one with true labels, one with
    random ones. Replicate: data set, labels, initial weights.

    Returns
    -------
    dict
        (n,) each, with the endings ``_true, _random``. ``correlation``: Spearman, over random pairs of new signals, of
        their distance and that of the network's probabilities. ``slope``: mean change of the logits along a small
        random step, over its length; ``relative``: the same over the spread of the logits; ``fitted`` bool;
        ``labels_fitted``: both are.
    """

    def work(seed, rows):
        sets = [draw(seed, row, task="signals", train=train, new=test) for row in rows]
        noise = [
            relabelled(one, seed, row, share=1.0, how="redrawn")[0]
            for one, row in zip(sets, rows, strict=True)
        ]
        x, found = stacked(sets, "x_test"), {}
        for name, own in (("true", sets), ("random", noise)):
            runs, _, fitted = learn_by_heart(
                seed, own, task="signals", hidden=hidden, epochs=epochs, rate=rate, batch=batch
            )
            logits = runs.predict(x).astype(float)
            chance = [seeds.generator(seed, "pairs", row) for row in rows]
            step = np.stack([_step(rng, one.shape) for rng, one in zip(chance, x, strict=True)])
            change = np.linalg.norm(runs.predict(x + step).astype(float) - logits, axis=-1) / STEP
            spread = np.linalg.norm(logits - logits.mean(axis=1, keepdims=True), axis=-1)
            found |= {
                f"correlation_{name}": np.array(
                    [_together(*one, pairs) for one in zip(x, logits, chance, strict=True)]
                ),
                f"slope_{name}": change.mean(axis=1),
                f"relative_{name}": change.mean(axis=1) / spread.mean(axis=1),
                f"fitted_{name}": fitted,
            }
        return found | {"labels_fitted": found["fitted_true"] & found["fitted_random"]}

    return blocks(work, seed, n)


def _step(rng, shape):
    """Return random steps of length `STEP`, one for each signal."""
    way = rng.standard_normal(shape)
    return (STEP * way / np.linalg.norm(way, axis=1, keepdims=True)).astype(np.float32)


def _together(x, logits, rng, pairs):
    """Return the rank correlation over random pairs of distances between signals and between probabilities."""
    first, second = rng.integers(0, len(x), (2, pairs))
    differ = first != second
    first, second = first[differ], second[differ]
    given = np.exp(logits - logits.max(axis=1, keepdims=True))
    given /= given.sum(axis=1, keepdims=True)
    apart = [np.linalg.norm(part[first] - part[second], axis=1) for part in (x, given)]
    return scipy.stats.spearmanr(*apart).statistic

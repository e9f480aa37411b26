"""Why least squares on features peaks at N = n: take one ingredient away. And the textbook's one-dimensional example.

Schaeffer et al. [schaeffer2024] name what must come together: small singular values of the training features, targets
that no function of the features gives exactly, and new examples that point along the same directions. The second is
Prince's example [prince2023], which ends where the double descent begins.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.experiments.random_features import (
    Fit,
    directions,
    draw,
    errors,
    features,
    one_thread,
    squared,
    stacked,
    targets,
)

POINTS, NOISE = 15, 0.3  # of the textbook's example


@one_thread
def causes(seed, n, *, examples, small, cut, others):
    """What is left of the rise towards N = n if one ingredient is taken away?

    At N = ``small`` n and N = n. ``cut``: singular values below this share of the largest are left out. *Ideal*
    targets: what the least-squares fit to ``others`` further examples with the same features says of the training
    examples, so that no residual is left. Replicate: examples and features.

    Returns
    -------
    dict
        (n,) each. ``rise, rise_cut, rise_ideal``: errors at n minus those at ``small`` n, in percentage points;
        ``log_rise, log_rise_cut, log_rise_ideal``: the same of the logarithm of the squared error.
        ``error_one, error_one_cut, error_one_ideal``: errors at n. ``recovered``: largest difference, on new examples,
        between the fit to the ideal targets and the ideal itself, at both N, over the spread of the ideal's outputs.
        ``projected``: the same between cutting singular values and projecting the new examples on the directions
        that are left.
    """
    counts, found = [round(small * examples), examples], []
    for row in range(n):
        (x, y), (x_far, y_far), (x_new, y_new) = draw(
            seed, row, examples=examples, validation=others
        )
        v, wanted = directions(seed, row, x.shape[1], counts[-1]), targets(y)
        phi, far, new = (features(part, v) for part in (x, x_far, x_new))
        seen = {name: [] for name in ("", "_cut", "_ideal")}
        gaps = []
        for count in counts:
            fit, here = Fit(phi[:, :count]), new[:, :count]
            best = Fit(far[:, :count]).weights(targets(y_far))
            ideal = fit.weights(phi[:, :count] @ best)
            left = fit.s >= cut * fit.s[0]
            onto = here @ fit.vt[left].T @ fit.vt[left]
            scores = {
                "": here @ fit.weights(wanted),
                "_cut": here @ fit.weights(wanted, cut=cut),
                "_ideal": here @ ideal,
            }
            gaps.append([
                np.abs(here @ (ideal - best)).max() / (here @ best).std(),
                np.abs(scores["_cut"] - onto @ fit.weights(wanted)).max() / scores["_cut"].std(),
            ])  # fmt: skip
            for name, values in scores.items():
                seen[name].append((errors(values, y_new), np.log(squared(values, y_new))))
        one = {"recovered": np.max(gaps, axis=0)[0], "projected": np.max(gaps, axis=0)[1]}
        for name, values in seen.items():
            (low, low_log), (high, high_log) = values
            one |= {
                f"rise{name}": high - low,
                f"log_rise{name}": high_log - low_log,
                f"error_one{name}": high,
            }
        found.append(one)
    return stacked(found)


def textbook_draw(seed, row=0):
    """Return the textbook's 15 points x, y, and 500 new places with the true values there."""
    rng = seeds.generator(seed, "textbook", row)
    x = (np.arange(POINTS) + rng.uniform(size=POINTS)) / POINTS
    places = (np.arange(500) + 0.5) / 500
    return x, true(x) + rng.normal(0, NOISE, POINTS), places, true(places)


def true(x):
    """Return the textbook's function of x."""
    return np.exp(np.sin(2 * np.pi * x))


def joints(x, units):
    """Return a constant and ReLU units whose joints lie evenly on [0, 1), (N, units + 1)."""
    return np.column_stack([np.ones(len(x)), np.maximum(x[:, None] - np.arange(units) / units, 0)])


@one_thread
def textbook(seed, n, *, units, shown):
    """What comes after the last unit of the textbook's picture, on its own fifteen points?

    ``units``: numbers of ReLU units with fixed joints; there is a constant too.
    The textbook shows up to ``shown``. Replicate: points and noise.

    Returns
    -------
    dict
        ``mse`` (n, K): squared error against the true function, without noise; ``mse_best`` (n,): the smallest up to
        ``shown`` units, chosen with the truth in hand; ``mse_five, mse_threshold, mse_last`` (n,): with 5, with 15 and
        with the most units.
    """
    curves = []
    for row in range(n):
        x, y, places, wanted = textbook_draw(seed, row)
        curves.append(
            [np.mean((_textbook_fit(x, y, count, places) - wanted) ** 2) for count in units]
        )
    mse = np.array(curves)
    few = [k for k, count in enumerate(units) if count <= shown]
    return {
        "mse": mse.astype(np.float32),
        "mse_best": mse[:, few].min(axis=1).astype(np.float32),
        "mse_five": mse[:, units.index(5)].astype(np.float32),
        "mse_threshold": mse[:, units.index(POINTS)].astype(np.float32),
        "mse_last": mse[:, -1].astype(np.float32),
        "constants": {"units": np.array(units, np.int32)},
    }


def _textbook_fit(x, y, units, places):
    """Return the fit with the smallest weights to points x, y, at other places."""
    return joints(places, units) @ Fit(joints(x, units)).weights(y[:, None])[:, 0]

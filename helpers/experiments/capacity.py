"""How many random labels fit into a network: what training finds, and what a construction can do.

The question: is there a number of weights at which anything can be learned by heart? Sources: Zhang et al.
[zhang2017], whose theorem needs 2 n + d weights for n examples of d numbers; Cover [cover1965], who counted what a
plane can separate. The examples are MNIST-1D signals [greydanus2024] with labels drawn at random from ten classes.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.special

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many

CLASSES = 10
INPUTS = 40


def signals(seed, row, examples):
    """Return signals (N, 40) and random labels (N,) of repeat ``row``."""
    x = data.mnist1d_fresh(
        n_train=examples, n_test=0, seed=seeds.integer(seed, "signals", row)
    ).x_train
    return x, seeds.generator(seed, "labels", row).integers(0, CLASSES, examples)


def weights_of(width):
    """Return how many weights 40-width-10 has, biases included."""
    return (INPUTS + 1) * width + (width + 1) * CLASSES


def fits(seed, number, sets, *, width, steps, rate):
    """Return whether each network gives all its labels at some step, (R,) bool: full batches, Adam."""
    runs = fit_many(
        models.mlp((INPUTS,), CLASSES, hidden=(width,)), data.Dataset.stack(sets), members=len(sets), epochs=steps,
        batch_size=number, learning_rate=rate, shuffle=False, seed=seeds.integer(seed, "fit", width, number),
    )  # fmt: skip
    return (runs.history["accuracy"] >= 1.0).any(axis=1)


def largest(seed, n, *, sizes, steps, rate):
    """How many random labels does a network of one hidden layer learn by heart in so many steps?

    ``sizes``: by width, as text, the numbers of examples that are tried, in ascending order. Replicate: signals, labels
    and initial weights; the examples of a smaller number are among those of a larger one.

    Returns
    -------
    dict
        ``fitted_WIDTH`` (n, K) bool at ``constants["sizes_WIDTH"]``; ``largest_WIDTH`` (n,): the largest number below
        which all were learned, half a step further (see `threshold`); ``slope`` (n,): examples for each added weight,
        from the first to the last width, ``slope_first, slope_last`` from the first to the second and from there to the
        last; ``share_WIDTH`` (n,): examples for each weight there is; ``ends_WIDTH`` (n,) bool: neither the smallest
        number was missed nor the largest learned.
    """
    found, constants, most = {}, {}, {}
    for text, numbers in sizes.items():
        width = int(text)
        pairs = [signals(seed, row, max(numbers)) for row in range(n)]
        hits = []
        for number in numbers:
            sets = [
                data.Dataset(
                    x_train=x[:number], y_train=y[:number], task="classification", num_classes=CLASSES, name="random"
                )
                for x, y in pairs
            ]  # fmt: skip
            hits.append(fits(seed, number, sets, width=width, steps=steps, rate=rate))
        hits = np.stack(hits, axis=1)
        most[width] = threshold(hits, numbers)
        found |= {
            f"fitted_{text}": hits, f"largest_{text}": most[width].astype(np.float32),
            f"share_{text}": (most[width] / weights_of(width)).astype(np.float32),
            f"ends_{text}": hits[:, 0] & ~hits[:, -1],
        }  # fmt: skip
        constants[f"sizes_{text}"] = np.array(numbers, np.int32)
    widths = sorted(most)

    def slope(low, high):
        return ((most[high] - most[low]) / (weights_of(high) - weights_of(low))).astype(np.float32)

    found["slope"] = slope(widths[0], widths[-1])
    found["slope_first"], found["slope_last"] = slope(*widths[:2]), slope(*widths[-2:])
    return found | {"constants": constants}


def threshold(hits, numbers, last=False):
    """Return the number of examples between the last of (R, K) hits before the first miss and that miss, (R,).

    The geometric middle; the smallest number where already that is missed, the largest where none is. With ``last``:
    between the last hit of all and the miss behind it.

    Notes
    -----
    Each number begins with fresh initial weights, so that a miss can be bad luck and a larger number be learned after
    it. The first miss therefore counts low, and most where luck matters most, in the smallest network; the last hit
    counts high. The claims use the first; a test compares their verdicts by the last.
    """
    numbers = np.asarray(numbers, float)
    middles = np.concatenate([numbers[:1], np.sqrt(numbers[:-1] * numbers[1:]), numbers[-1:]])
    if last:
        return middles[np.where(hits, np.arange(1, hits.shape[1] + 1), 0).max(axis=1)]
    return middles[np.cumprod(hits, axis=1).sum(axis=1)]


# ------------------------------------------------------------------------------- exact


def constructed(x, y, generator):
    """Return the weights of a network of one hidden layer that says y (N,) at x (N, D): 2 N + D numbers.

    Zhang et al.'s construction: all units share one direction a (D,); unit j has the bias -b_j (N,) and the outgoing
    weight w_j (N,), and f(x) = sum of w_j max(a x - b_j, 0). In order of a x, a bias lies before each example and
    behind the one before it; so unit j says nothing about the examples before j, and w follows example by example.

    Returns
    -------
    tuple of numpy.ndarray
        a (D,), b (N,), w (N,), float64.

    Raises
    ------
    ValueError
        For two examples at the same place along a.
    """
    x = np.asarray(x, np.float64)
    a = generator.standard_normal(x.shape[1])
    at = x @ a
    order = np.argsort(at)
    at, y = at[order], np.asarray(y, np.float64)[order]
    gaps = np.diff(at)
    if len(gaps) and gaps.min() <= 0:
        raise ValueError(
            "Argument `x` must have examples that differ along every direction. Received: two that do not."
        )
    b = at - np.concatenate([[1.0], gaps / 2])
    w = scipy.linalg.solve_triangular(np.maximum(at[:, None] - b, 0), y, lower=True)
    return a, b, w


def says(x, a, b, w):
    """Return what the constructed network says about x (N, D), (N,)."""
    return np.maximum((np.asarray(x, np.float64) @ a)[:, None] - b, 0) @ w


def construction(seed, n, *, examples):
    """Does a network of 2 n + d weights give every example its random label? Replicate: signals, labels, direction.

    Returns
    -------
    dict
        ``off`` (n,) float64: the largest distance of an output from its label, ``missed`` (n,): outputs that are not
        nearest to their label; ``weights`` (n,): numbers used.
    """
    found = {"off": [], "missed": [], "weights": []}
    for row in range(n):
        x, y = signals(seed, row, examples)
        parts = constructed(x, y, seeds.generator(seed, "direction", row))
        off = np.abs(says(x, *parts) - y)
        found["off"].append(off.max())
        found["missed"].append(np.sum(off >= 0.5))
        found["weights"].append(sum(part.size for part in parts))
    kinds = {"off": np.float64, "missed": np.int32, "weights": np.int32}
    return {name: np.array(values, kinds[name]) for name, values in found.items()}


def cover(examples, inputs):
    """Return Cover's probability that a plane through 0 separates so many random points with random labels.

    Examples
    --------
    >>> cover(20, 10)
    0.5
    """
    return float(
        2.0 ** (1 - examples) * sum(scipy.special.comb(examples - 1, k) for k in range(inputs))
    )


def planes(seed, n, *, inputs, factors):
    """How often can a plane through 0 separate random labels? Replicate: normal points and labels.

    Returns
    -------
    dict
        ``separated`` (n, K) bool at ``constants["factors"]`` times as many points as inputs, ``half`` (n,) bool: at
        twice as many.
    """
    hits = np.zeros((n, len(factors)), bool)
    for row in range(n):
        generator = seeds.generator(seed, "planes", row)
        most = round(max(factors) * inputs)
        x = generator.standard_normal((most, inputs)) * generator.choice([-1.0, 1.0], most)[:, None]
        for place, factor in enumerate(factors):
            hits[row, place] = separable(x[: round(factor * inputs)])
    return {
        "separated": hits, "half": hits[:, list(factors).index(2)],
        "constants": {"factors": np.array(factors, np.float32)},
    }  # fmt: skip


def separable(x):
    """Return whether some plane through 0 has all of x (N, D), already turned by their labels, on its positive side."""
    found = scipy.optimize.linprog(
        np.zeros(x.shape[1]), A_ub=-x, b_ub=-np.ones(len(x)), bounds=(None, None), method="highs"
    )
    return bool(found.status == 0)

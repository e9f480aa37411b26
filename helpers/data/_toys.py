"""Toys in one and two dimensions, drawn on the spot (public as ``helpers.data.line`` and so on)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from helpers._base import checks, seeds
from helpers.data._dataset import Dataset

LARGEST = 1e15  # of every length in a toy: products of two, with noise, still fit into float32


def _length(name, value, low=-LARGEST, low_open=False):
    return checks.real(name, value, low, LARGEST, low_open)


def line(
    n: int = 100,
    slope: float = 0.7,
    intercept: float = 3.0,
    noise: float = 2.0,
    x: str | ArrayLike = "uniform",
    seed: int = 0,
    *,
    low: float = 0.0,
    high: float = 20.0,
) -> Dataset:
    """Draw noisy points on a straight line, ``y = intercept + slope * x + noise * z`` with z from N(0, 1).

    Parameters
    ----------
    n : int
        Training points.
    slope, intercept : float
        The true line.
    noise : float
        Standard deviation of the noise, in units of y.
    x : {"uniform", "grid"} or array_like, shape (n,)
        Drawn uniformly from [low, high), evenly spaced with both ends, or given.
    seed : int
        The draws; x and noise have streams of their own, so the noise does not depend on ``x``, and the first
        50 points of a uniform 100 are those of ``n=50``.
    low, high : float
        Range of x, unless x is given.

    Returns
    -------
    Dataset
        Regression, x (n, 1) and y (n, 1). The test set is 1,000 midpoints of equal parts of the range with
        y ON the true line, without noise: the test MSE is the excess risk, not the prediction error (which is
        larger by ``noise**2``).

    Notes
    -----
    The defaults are those of the overfitting post; the Keras post is
    ``split(line(slope=2, intercept=1, x="grid", high=10), val=0.2)``.
    """
    n = checks.count("n", n)
    slope, intercept, noise = (
        _length("slope", slope),
        _length("intercept", intercept),
        _length("noise", noise, 0),
    )
    low, high = _length("low", low), _length("high", high)
    if high <= low:
        raise ValueError(checks.message("high", f"above low={low:g}", high))
    if isinstance(x, str):
        checks.one_of("x", x, ("uniform", "grid"), "Or pass the n values themselves.")
        at = (
            seeds.generator(seed, "data", "line", "x").uniform(low, high, n)
            if x == "uniform"
            else None
        )
        at = np.linspace(low, high, n) if at is None else at
    else:
        at = checks.array(
            "x", x, (n,), low=-LARGEST, high=LARGEST, remedy="Set n to the number of values."
        )
        low, high = at.min(), at.max()
    z = seeds.generator(seed, "data", "line", "noise").standard_normal(n)
    grid = low + (high - low) * (np.arange(1000) + 0.5) / 1000
    return Dataset(
        x_train=at[:, None],
        y_train=intercept + slope * at + noise * z,
        x_test=grid[:, None],
        y_test=intercept + slope * grid,
        task="regression",
        name="line",
    )


def _toy(name, draw, n, n_test, seed, train=None):
    """Return a binary data set of ``n`` and ``n_test`` draws: ``draw(n, generator)``, with options for training."""
    n, n_test = checks.count("n", n, 2), checks.count("n_test", n_test, 2)
    x_train, y_train = draw(n, seeds.generator(seed, "data", name, "train"), **(train or {}))
    x_test, y_test = draw(n_test, seeds.generator(seed, "data", name, "test"))
    return Dataset(
        x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test, task="binary", name=name
    )


def xor(n: int = 200, spread: float = 0.25, seed: int = 0, *, n_test: int = 1000) -> Dataset:
    """Draw four Gaussian blobs around (+-1, +-1); the label is 1 where the signs of the centre differ.

    Parameters
    ----------
    n, n_test : int
        Points, shared evenly by the four blobs (their counts differ by at most one).
    spread : float
        Standard deviation of a blob in each direction. The source names no number.
    seed : int
        The draws.

    Returns
    -------
    Dataset
        Binary, x (n, 2).
    """
    spread = _length("spread", spread, 0)
    centres = np.array(
        [[-1, -1], [-1, 1], [1, 1], [1, -1]]
    )  # neighbours differ in label, so any n is balanced

    def draw(n, generator):
        blob = np.arange(n) % 4
        return centres[blob] + spread * generator.standard_normal((n, 2)), blob % 2

    return _toy("xor", draw, n, n_test, seed)


def spirals(
    n: int = 400,
    turns: float = 1.5,
    noise: float = 0.0,
    seed: int = 0,
    *,
    radius: float = 1.0,
    kind: str = "archimedean",
    even: bool = False,
    n_test: int = 1000,
) -> Dataset:
    """Draw two interleaved spirals, each the point reflection of the other.

    Parameters
    ----------
    n, n_test : int
        Points, shared evenly by the two classes.
    turns : float
        Full turns from the centre to the rim.
    noise : float
        Standard deviation of the noise added to both coordinates, in units of x.
    seed : int
        The draws.
    radius : float
        Of the rim.
    kind : {"archimedean", "fermat"}
        Radius proportional to the angle, or to its square root.
    even : bool
        True takes u below on an even grid for the training points, class by class: no two lie arbitrarily close, and
        seeds differ by the noise alone, so split them at random for replicates. Test points are drawn either way.

    Returns
    -------
    Dataset
        Binary, x (n, 2); the test points are fresh draws.

    Notes
    -----
    With u uniform on [0, 1), the radius is ``radius * sqrt(u)`` for both kinds and the angle ``2 pi turns`` times
    sqrt(u) (Archimedean) or u (Fermat). [huang2019]_ uses both: the swiss roll is
    ``spirals(400, 5 / 3, 0.5, radius=15.7)``, the minefield
    ``spirals(400, 1.5, radius=15.35, kind="fermat", even=True)``.
    """
    turns, radius = (
        _length("turns", turns, 0, low_open=True),
        _length("radius", radius, 0, low_open=True),
    )
    noise = _length("noise", noise, 0)
    power = 1 if checks.one_of("kind", kind, ("archimedean", "fermat")) == "archimedean" else 2

    checks.flag("even", even)

    def draw(n, generator, even=False):
        label = np.arange(n) % 2
        uniform = (np.arange(n) // 2 + 0.5) / ((n + 1) // 2) if even else generator.random(n)
        part = np.sqrt(uniform)  # of the radius
        angle = 2 * np.pi * turns * part**power + np.pi * label
        x = radius * part[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return x + noise * generator.standard_normal((n, 2)), label

    return _toy("spirals", draw, n, n_test, seed, train={"even": even})


def circles(
    inner: int = 40,
    outer: int = 80,
    close: int = 10,
    seed: int = 0,
    *,
    radii: tuple[float, float, float] = (0.4, 0.95, 0.401),
    n_test: int = 1000,
) -> Dataset:
    """Draw concentric rings that leave no wide margin: a few points of the outer class hug the inner ring.

    Parameters
    ----------
    inner : int
        Points of class 0, on the first radius.
    outer : int
        Points of class 1, on the second radius.
    close : int
        Points of class 1 on the third radius, each midway in angle between two of class 0; at most ``inner``, and 0
        restores the wide margin.
    seed : int
        The rotation of the rings (within one, points are evenly spaced) and the test points.
    radii : tuple of 3 floats
        Of the three rings.
    n_test : int
        Test points: ring drawn in the proportion of the training points, angle uniform.

    Returns
    -------
    Dataset
        Binary, x (inner + outer + close, 2), in the order inner, outer, close.

    Notes
    -----
    Counts and radii as in the concentric circles of [huang2019]_.
    """
    inner, outer, n_test = (
        checks.count(*pair) for pair in (("inner", inner), ("outer", outer), ("n_test", n_test))
    )
    close = checks.integer("close", close, 0, inner)
    radii = checks.array("radii", radii, shape=(3,), low=0, high=LARGEST)
    turn = seeds.generator(seed, "data", "circles", "train").random(2)
    part = np.concatenate(
        [
            (np.arange(inner) + turn[0]) / inner,
            (np.arange(outer) + turn[1]) / outer,
            (np.arange(close) * inner // max(close, 1) + 0.5 + turn[0]) / inner,
        ]
    )
    ring = np.repeat([0, 1, 2], [inner, outer, close])
    generator = seeds.generator(seed, "data", "circles", "test")
    test_ring = generator.choice(ring, n_test)
    test_part = generator.random(n_test)

    def place(ring, part):
        return radii[ring, None] * np.stack(
            [np.cos(2 * np.pi * part), np.sin(2 * np.pi * part)], axis=1
        )

    return Dataset(
        x_train=place(ring, part),
        y_train=np.minimum(ring, 1),
        x_test=place(test_ring, test_part),
        y_test=np.minimum(test_ring, 1),
        task="binary",
        name="circles",
    )

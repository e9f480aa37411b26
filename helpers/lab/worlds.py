"""The four worlds of the lab: what is drawn, which networks learn it, and a rival that has no training.

Every run has points of its own and `MOST` of them. How many count is a matter of their weights, so that a program fits
all numbers. The worlds are those of the lessons.

Axes in comments: M runs, N points, G places of the picture, T new points, D inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from helpers import data
from helpers._base import seeds
from helpers.data import Dataset
from helpers.experiments import twenty_pixels, two_rates, xor

MOST = 100  # points of a run
SIDE = 32  # places along each side of a map, and pixels along a side of the image
NEW = SIDE**2  # new points of a plane: as many as places, so that worlds share programs
MIDDLE, UNIT = 10.0, 10.0  # of the line's x and y: networks see both from there, in such units
WITHIN = 0.05  # of the noise variance: as close to least squares as lesson 1 asks
LENGTHS = (0.15, 0.3, 0.6, 1.2)  # of the Gaussian process
NOISES = (1e-3, 1e-1, 1.0)  # its noise variance over that of the process


class Drawn(NamedTuple):
    """What the runs of a world see, and where they are looked at.

    Attributes
    ----------
    sets : Dataset
        A stack of M data sets of `MOST` points each, as networks see them.
    places : numpy.ndarray (G, D)
        Where fits are drawn, as networks see them.
    new : numpy.ndarray (T, D)
        Where fits are scored, as networks see them.
    truth : numpy.ndarray (T,)
        The true line in the world's units, or the colours 0 and 1.
    """

    sets: Dataset
    places: np.ndarray
    new: np.ndarray
    truth: np.ndarray

    @property
    def looked_at(self) -> np.ndarray:
        """Places first, new points last, (P, D): once where they are the same."""
        return self.new if self.places is self.new else np.concatenate([self.places, self.new])


@dataclass(frozen=True)
class World:
    """One choice of the list at the top of the lab.

    Attributes
    ----------
    title : str
        As the list says it.
    layers : int
        Hidden layers of the network.
    rival : str
        What the network is compared with.
    statement : str
        What a run may tell: that the network beats the rival.
    error : str
        What the number behind it is, with its unit.
    noise : str
        What the noise is.
    noises : tuple of float
        Its places.
    usual : dict of str to number
        Where the sliders begin.
    draw : callable
        ``(seed, noise, members)`` to `Drawn`. The randomness of row i depends on neither noise nor members.
    within : float
        How much worse than the rival still makes the statement true, in variances of the noise.
    middle, unit : float
        Of the values that networks see: as they stand, from ``middle``, in units of ``unit``.
    """

    title: str
    layers: int
    rival: str
    statement: str
    error: str
    noise: str
    noises: tuple[float, ...]
    usual: dict[str, float]
    draw: Callable[[int, float, int], Drawn]
    inputs: int = 2
    within: float = 0.0
    middle: float = 0.0
    unit: float = 1.0

    def number(self, error: float) -> str:
        """Return an error as a sentence says it, with its unit."""
        return f"{error:.3g} %" if self.error.endswith("in %") else f"{error:.3g}"

    def real(self, values: np.ndarray) -> np.ndarray:
        """Return values that networks see in the world's own units."""
        return values.astype(float) * self.unit + self.middle


@functools.cache
def grid(edge: float) -> np.ndarray:
    """Return the middles of SIDE x SIDE squares, row by row from the bottom, (G, 2) float32."""
    return (edge * twenty_pixels.places(SIDE)).astype(np.float32)


def line(seed: int, noise: float, members: int) -> Drawn:
    """Draw points on the noisy line of lesson 1, y = 3 + 0.7 x for x from 0 to 20."""
    slope, intercept, end = 0.7, 3.0, 20.0
    sets = [
        data.line(
            MOST, slope, (intercept + slope * MIDDLE - MIDDLE) / UNIT, noise / UNIT,
            low=-MIDDLE / UNIT, high=(end - MIDDLE) / UNIT, seed=seeds.integer(seed, "line", row),
        )
        for row in range(members)
    ]  # fmt: skip
    x = sets[0].x_test  # 1,000 places
    return Drawn(
        Dataset.stack(sets), x[::10], x[::2], intercept + slope * (x[::2, 0] * UNIT + MIDDLE)
    )


def blobs(seed: int, noise: float, members: int) -> Drawn:
    """Draw the four blobs of lesson 10; ``noise`` is how wide they are."""
    chosen = seeds.integer(seed, "new points")
    new = xor.draw(chosen, points=4, spread=noise, new=NEW)
    sets = xor.stack(seed, range(members), points=MOST, spread=noise, low=-1.0)
    return Drawn(sets, grid(2.2), new.x_test, new.y_test)


def spirals(seed: int, noise: float, members: int) -> Drawn:
    """Draw the two spirals of lesson 0."""
    new = two_rates.draw(seeds.integer(seed, "new points"), n=4, noise=noise)
    sets = [two_rates.draw(seed, row, n=MOST, noise=noise) for row in range(members)]
    return Drawn(Dataset.stack(sets), grid(1.4), new.x_test[:NEW], new.y_test[:NEW])


def pixels(seed: int, noise: float, members: int) -> Drawn:
    """Draw pixels of one image, as in lesson 8; ``noise`` is the share that is shown in the wrong colour."""
    x, white = grid(1.0), twenty_pixels.image("field_1", seeds.generator(seed, "image"), SIDE)
    sets = []
    for row in range(members):
        generator = seeds.generator(seed, "pixels", row)
        at = generator.permutation(len(x))[:MOST]
        wrong = generator.random(MOST) < noise
        sets.append(Dataset(x_train=x[at], y_train=white[at] ^ wrong, task="binary", name="pixels"))
    return Drawn(Dataset.stack(sets), x, x, white.astype(np.int32))


def least_squares(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return each run's straight line at places (P, 1), (M, P), for points x (M, N, 1) and y (M, N)."""
    return np.stack([np.polyval(np.polyfit(one[:, 0], two, 1), at[:, 0]) for one, two in zip(x, y)])


def process(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return each run's Gaussian process at places (P, 2), (M, P), for points x (M, N, 2) and y (M, N) of -1 and 1.

    As in lesson 8: squared-exponential covariance, mean 0, length and noise those of the largest marginal likelihood
    on a grid, here a coarser one. All runs go through linear algebra together.
    """
    runs, n = y.shape
    apart, best = _squares(x, x), np.full(runs, -np.inf)
    chosen, lengths = np.zeros((runs, n, n)), np.ones(runs)
    for length in LENGTHS:
        smooth = np.exp(-apart / (2 * length**2))
        for noise in NOISES:
            inner = smooth + noise * np.eye(n)
            found = _evidence(inner, y)
            better = found > best
            best, lengths = np.where(better, found, best), np.where(better, length, lengths)
            chosen[better] = inner[better]
    weights = np.linalg.solve(chosen, y[..., None])[..., 0]  # (M, N)
    scale = (1 / (np.sqrt(2) * lengths))[:, None, None]
    found = np.empty((runs, len(at)))
    for run in range(runs):  # a run at a time fits into the cache
        apart = _squares(scale[run] * at[None], scale[run] * x[run][None])[0].astype(np.float32)
        found[run] = np.exp(-apart) @ weights[run]
    return found


def _squares(one, two):
    """Return the squared distances of places (M, A, D) and (M, B, D), (M, A, B)."""
    lengths = [(part**2).sum(axis=-1) for part in (one, two)]
    found = lengths[0][:, :, None] + lengths[1][:, None] - 2 * one @ two.swapaxes(1, 2)
    return np.maximum(found, 0.0)


def _evidence(inner, y):
    """Return the log marginal likelihoods of y (M, N) under covariances (M, N, N), each at its best scale.

    One Cholesky factor of the covariance bordered by y holds both what is needed: its last row is y made white.
    """
    runs, n = y.shape
    bordered = np.empty((runs, n + 1, n + 1))
    bordered[:, :n, :n], bordered[:, :n, n], bordered[:, n, :n] = inner, y, y
    # Any corner that leaves it positive will do: y' K^-1 y is at most y' y over the smallest noise.
    bordered[:, n, n] = 2 * (y**2).sum(axis=1) / min(NOISES)
    lower = np.linalg.cholesky(bordered)
    logs = np.log(np.diagonal(lower, axis1=1, axis2=2)[:, :n]).sum(axis=1)
    variance = (lower[:, n, :n] ** 2).mean(axis=1)
    return -0.5 * n * (np.log(2 * np.pi * variance) + 1) - logs


PLANE = {
    "rival": "a Gaussian process",
    "statement": "The network makes fewer errors than a Gaussian process.",
}
WORLDS = {
    "line": World(
        "Noisy line", 2, "least squares",
        "The network is as good as least squares: its error is at most 5 % of the noise variance larger.",
        error="mean squared distance from the true line", noise="standard deviation of y",
        noises=(0.0, 0.5, 1.0, 2.0, 4.0), draw=line, inputs=1, within=WITHIN, middle=MIDDLE, unit=UNIT,
        usual={"width": 64, "l2": 0.0, "dropout": 0.0, "rate": 0.01, "noise": 2.0, "n": 80, "epochs": 200},
    ),
    "xor": World(
        "XOR", 1, **PLANE, error="errors on new points, in %", noise="standard deviation of a blob",
        noises=(0.0, 0.25, 0.5, 0.75, 1.0), draw=blobs,
        usual={"width": 4, "l2": 0.0, "dropout": 0.0, "rate": 0.1, "noise": 0.5, "n": 100, "epochs": 200},
    ),
    "spirals": World(
        "Two spirals", 2, **PLANE, error="errors on new points, in %", noise="standard deviation of each input",
        noises=(0.0, 0.06, 0.12, 0.18, 0.24), draw=spirals,
        usual={"width": 16, "l2": 0.0, "dropout": 0.0, "rate": 0.03, "noise": 0.12, "n": 60, "epochs": 200},
    ),
    "pixels": World(
        "Image from 20 pixels", 2, **PLANE, error="pixels guessed wrong, in %", noise="share of pixels shown wrong",
        noises=(0.0, 0.05, 0.1, 0.2, 0.3), draw=pixels,
        usual={"width": 64, "l2": 0.0, "dropout": 0.0, "rate": 0.01, "noise": 0.0, "n": 20, "epochs": 200},
    ),
}  # fmt: skip

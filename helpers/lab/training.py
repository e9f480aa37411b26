"""Fifty networks at one setting of the sliders: trained, compared with the rival, never compiled anew.

What may move without a new program: learning rate, L2 and dropout are numbers of each network, the points that count
are a matter of weights, the noise is in the data, and how many epochs are trained is told to the program. Only the
width has shapes: there is a program for each, and `compile_all` makes them beforehand.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from helpers import models, stats
from helpers._base import checks, seeds
from helpers.engine import Runs, fit_many
from helpers.lab.worlds import MOST, WORLDS, Drawn, World, least_squares, process

MEMBERS = 50
WIDTHS = (2, 4, 8, 16, 64)
LOOKS = (10, 20, 50, 100, 200, 500)  # epochs, from the first to the last place of the slider


@dataclass(frozen=True)
class Setting:
    """Where the controls stand.

    Attributes
    ----------
    world : str
        One of `WORLDS`.
    width : int
        Units of each hidden layer.
    l2 : float
        Strength of the penalty on the hidden layers' weights.
    dropout : float
        Share of hidden units that is switched off in each step.
    rate : float
        Learning rate of Adam.
    noise : float
        In the unit of the world.
    n : int
        Training points of each network.
    epochs : int
        Steps, because a step takes all points.
    seed : int
        Of points, initial weights and dropout: equal seeds make pairs.
    """

    world: str
    width: int
    l2: float
    dropout: float
    rate: float
    noise: float
    n: int
    epochs: int
    seed: int = 0

    def __post_init__(self):
        """Refuse what no slider can give."""
        checks.one_of("world", self.world, tuple(WORLDS))
        for name, low, high in (
            ("width", 1, None),
            ("n", 2, MOST),
            ("epochs", 1, None),
            ("seed", 0, None),
        ):
            checks.integer(name, getattr(self, name), low, high)
        checks.real("rate", self.rate, low=0, low_open=True)
        checks.real("l2", self.l2, low=0)
        checks.real("dropout", self.dropout, low=0, high=1, high_open=True)
        checks.real("noise", self.noise, low=0)


class Result(NamedTuple):
    """What the networks of one setting do.

    Attributes
    ----------
    setting : Setting
    drawn : Drawn
        Points and places.
    network, rival : numpy.ndarray (M, G)
        Fits at the places: values in the world's units, or scores whose sign is the colour.
    error, rival_error : numpy.ndarray (M,)
        On new points.
    seconds : float
        That training took; 0.0 where it had been trained before.
    """

    setting: Setting
    drawn: Drawn
    network: np.ndarray
    rival: np.ndarray
    error: np.ndarray
    rival_error: np.ndarray
    seconds: float

    @property
    def world(self) -> World:
        """The world of the setting."""
        return WORLDS[self.setting.world]

    @property
    def edge(self) -> float:
        """By how much an error may exceed the rival's for the statement to be true."""
        return self.world.within * self.setting.noise**2

    @property
    def says(self) -> np.ndarray:
        """Which single runs say that the statement is true, (M,) bool."""
        return self.error < self.rival_error + self.edge

    @property
    def share(self) -> stats.Interval:
        """The share of single runs that say so."""
        return stats.proportion_interval(int(self.says.sum()), len(self.says))


def usual(world: str, **other: Any) -> Setting:
    """Return where the sliders of a world begin, some of them moved.

    Examples
    --------
    >>> usual("line", noise=0.0).noise
    0.0
    """
    checks.one_of("world", world, tuple(WORLDS))
    return Setting(world, **{**WORLDS[world].usual, **other})


def network(world: str, width: int) -> Any:
    """Return the network: ReLU layers of one width, with places for L2 and dropout, and one output."""
    each = WORLDS[world]
    return models.mlp(each.inputs, 1, hidden=(width,) * each.layers, l2=0.01, dropout=0.5)


@functools.lru_cache(maxsize=8)
def drawn(world: str, seed: int, noise: float, members: int) -> Drawn:
    """Return what the runs see; kept, because most sliders leave it as it is."""
    return WORLDS[world].draw(seed, noise, members)


@functools.lru_cache(maxsize=8)
def rivals(world: str, seed: int, noise: float, members: int, n: int) -> np.ndarray:
    """Return the rival's fits wherever fits are looked at, (M, P)."""
    seen = drawn(world, seed, noise, members)
    x, y = seen.sets.x_train[:, :n].astype(float), seen.sets.y_train[:, :n].astype(float)
    at = seen.looked_at.astype(float)
    if WORLDS[world].inputs == 1:
        return least_squares(x, y[..., 0], at)
    return process(x, 2 * y - 1, at)


def train(setting: Setting, members: int = MEMBERS, snapshots: Iterable[int] = ()) -> Runs:
    """Train networks at a setting: a plain call of `fit_many`, full batches, Adam.

    The first n of `MOST` points weigh MOST / n, the others nothing: the loss is the mean over the first n.
    """
    sets = drawn(setting.world, setting.seed, setting.noise, members).sets
    weight = np.where(np.arange(MOST) < setting.n, MOST / setting.n, 0.0)
    return fit_many(
        network(setting.world, setting.width), sets, members=members, epochs=setting.epochs, batch_size=MOST,
        optimizer="adam", learning_rate=setting.rate, sample_weight=np.tile(weight, (members, 1)),
        vary={"l2": np.full(members, setting.l2), "dropout": np.full(members, setting.dropout)},
        snapshots=snapshots, record_every=setting.epochs, seed=seeds.integer(setting.seed, "fit"), progress=False,
    )  # fmt: skip


def look(setting: Setting, runs: Runs, seconds: float = 0.0) -> Result:
    """Return what trained networks do after ``setting.epochs``; a diverged one counts as the trivial predictor."""
    members, world = len(runs.diverged), WORLDS[setting.world]
    seen = drawn(setting.world, setting.seed, setting.noise, members)
    fits = runs.predict(seen.looked_at, epoch=setting.epochs)[..., 0]  # (M, P)
    trivial = 0.0
    if seen.sets.task == "regression":
        trivial = seen.sets.y_train[:, : setting.n].mean(axis=(1, 2))[:, None]
    fits = world.real(np.where(runs.diverged[:, None], trivial, fits))
    other = world.real(rivals(setting.world, setting.seed, setting.noise, members, setting.n))
    errors = [_errors(one[:, -len(seen.new) :], seen) for one in (fits, other)]
    at = slice(len(seen.places))
    return Result(setting, seen, fits[:, at], other[:, at], *errors, seconds)


def _errors(fits, seen):
    """Return each run's error on the new points, (M,): a mean square, or a percentage."""
    if seen.sets.task == "regression":
        return np.mean((fits - seen.truth) ** 2, axis=1)
    return 100 * np.mean((fits > 0) != (seen.truth > 0), axis=1)


class Bench:
    """Trains what is asked for, and keeps the last networks: fewer epochs of the same are read off, not trained."""

    def __init__(self, members: int = MEMBERS):
        self.members = checks.integer("members", members, 2)
        self._last: tuple[Setting, Runs] | None = None

    def __call__(self, setting: Setting) -> Result:
        """Return what the networks of a setting do."""
        if self._last is not None:
            done, runs = self._last
            if replace(done, epochs=setting.epochs) == setting and setting.epochs in runs.snapshots:
                return look(setting, runs)
        started = time.perf_counter()
        earlier = {epoch for epoch in LOOKS if epoch < setting.epochs}
        runs = train(setting, self.members, {*earlier, setting.epochs})
        seconds = time.perf_counter() - started
        self._last = setting, runs
        return look(setting, runs, seconds)

    def compile_all(self, worlds: Iterable[str], widths: Iterable[int]) -> Iterable[str]:
        """Make every program that the sliders of these worlds need, one a step; yields what comes next."""
        for world in worlds:
            for width in widths:
                yield f"{WORLDS[world].title}, width {width}"
                setting = usual(world, width=width, epochs=1)
                look(setting, train(setting, self.members, {1}))

"""Good and bad minima of one task: networks that fit the same points and are right, or wrong, everywhere else.

The questions: are there bad minima, are good ones flatter, and is that why training finds them? Source: Huang et al.
[huang2019] and their summary [huang-summary]. As there, a bad minimum is made by an *attack*: further points of the
same kind with the wrong label are learned together with the *clean* training points. Its twin, a good minimum, has the
same initial weights, the same recipe and as many further points in the same places, with their true label. (Bad minima
can also be made without further points, from random labels [liu2020].) What both
are judged on, and what every training loss below refers to, are the clean points alone.

Two problems: ``spirals``, the noiseless spirals of the paper's minefield (200 places on a fixed grid, of which a random
third is clean and the rest is the pool of the attack), and ``signals``, digits 0 and 1 of MNIST-1D [greydanus2024],
generated anew. Networks of dense ReLU layers, one logit; full batches, so that an epoch is one step.

To make pairs: ``sets = [draw(name, seed, row) for row in range(n)]``, then ``pair(name, seed, sets, share=0.5)``.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.geometry import landscape

TARGET = 0.005  # clean loss at which good and bad minima are compared, a twentieth of the edge of a basin, 0.1
BAD = 0.53  # test accuracy below which the source calls a network bad
FITS = 1.5  # factor within which two losses count as equal
DENSE = 1.05  # ratio of one look at the weights to the next, in steps


@dataclasses.dataclass(frozen=True)
class Problem:
    """A task with its network and recipe.

    Attributes
    ----------
    inputs : int
        Numbers of one example.
    hidden : tuple of int
        Widths of the ReLU layers.
    clean, pool, new : int
        Clean training points, points for the attack, new points on which networks are tested.
    rate : float
        Of Adam, constant.
    steps : int
        At most so many.
    """

    inputs: int
    hidden: tuple[int, ...]
    clean: int
    pool: int
    new: int
    rate: float
    steps: int


PROBLEMS = {
    "spirals": Problem(2, (40,) * 5, 66, 200, 10_000, 0.002, 4000),
    "signals": Problem(40, (32, 32), 100, 300, 2000, 0.003, 500),
}


def problem(name: str) -> Problem:
    """Return one of `PROBLEMS` by its name."""
    if name not in PROBLEMS:
        raise ValueError(f"Argument `name` must be one of {tuple(PROBLEMS)}. Received: {name!r}.")
    return PROBLEMS[name]


def draw(name: str, seed: int, row: int = 0) -> data.Dataset:
    """Return data set ``row``: clean training points, the pool of the attack as validation part, new test points.

    On the spirals the pool is what the clean points leave of the 200 places of the grid, and after these fresh points
    of the same spirals, which only attacks on more than two thirds of all points reach.
    """
    one, chosen = problem(name), seeds.integer(seed, name, row)
    if name == "signals":
        return data.mnist1d_fresh(one.clean, one.pool, one.new, chosen, classes=(0, 1))
    shape = {"turns": 1.5, "radius": 15.35, "kind": "fermat"}
    grid = data.spirals(200, even=True, seed=chosen, n_test=one.new, **shape)
    sets = data.split(grid, 200 - one.clean, chosen)
    more = data.spirals(
        one.clean + one.pool - 200, seed=seeds.integer(chosen, "more"), n_test=2, **shape
    )
    return dataclasses.replace(
        sets,
        x_val=np.concatenate([sets.x_val, more.x_train]),
        y_val=np.concatenate([sets.y_val, more.y_train]),
    )


def network(name: str):
    """Return a function that builds one network of a problem."""
    one = problem(name)
    return functools.partial(
        models.mlp, (one.inputs,), 1, hidden=one.hidden, initializer="glorot_normal"
    )


def asked(sets, share: float, *, flipped: bool = True) -> data.Dataset:
    """Return a stack of what networks are asked for: clean points first, then attack points, ``share`` of all.

    The validation part of the stack is the clean points alone. See `data.attacked`.
    """
    return data.Dataset.stack([landscape.attacked(one, share, flipped=flipped) for one in sets])


def both(sets, share: float) -> dict[str, data.Dataset]:
    """Return what ``good`` and ``bad`` networks are asked for: the same points, some labels flipped for bad ones."""
    return {arm: asked(sets, share, flipped=arm == "bad") for arm in ("good", "bad")}


def looks(steps: int) -> tuple[int, ...]:
    """Return the steps after which weights are kept: 10, and then ever farther apart, by a twentieth."""
    grown = np.unique(np.round(10 * DENSE ** np.arange(200)))
    return (*(int(step) for step in grown[grown < steps]), steps)


def train(name, seed, stack, *, steps=None, rate=None, snapshots=(), weights=None, **options):
    """Train network i on data set i of a stack, full batch, Adam; the same seed gives the same initial weights."""
    one = problem(name)
    return fit_many(
        network(name), stack, members=len(stack.x_train), epochs=one.steps if steps is None else steps,
        batch_size=stack.x_train.shape[1], learning_rate=one.rate if rate is None else rate, initial_weights=weights,
        snapshots=snapshots, seed=seeds.integer(seed, "fit"), **options,
    )  # fmt: skip


def correct(name, weights, x, y) -> np.ndarray:
    """Return each network's share of right answers on x (N, ...) or (M, N, ...), (M,) float32."""
    right = (predict_many(network(name), weights, x)[..., 0] > 0) == (np.asarray(y) > 0.5)
    return right.mean(axis=1).astype(np.float32)


def losses(name, weights, x, y) -> np.ndarray:
    """Return each network's mean cross-entropy on x (M, N, ...) with labels y (M, N), (M,) float64."""
    scores = predict_many(network(name), weights, x)[..., 0].astype(float)
    return np.logaddexp(0, -scores * (2.0 * np.asarray(y) - 1)).mean(axis=1)


@dataclasses.dataclass(frozen=True)
class Minima:
    """Networks at matched clean loss, one for each data set.

    Attributes
    ----------
    name : str
        Of the problem.
    stack : Dataset
        What they were asked for; ``stack.x_val, stack.y_val`` are the clean points (M, N, ...).
    weights : list of numpy.ndarray (M, ...)
        At the look whose clean loss is nearest to the target, of those up to the first that is below it.
    loss, fit, test : numpy.ndarray (M,)
        There: clean loss, share of clean points and of new points that are right.
    step : numpy.ndarray (M,) int
        When that was.
    last : list of numpy.ndarray (M, ...)
        Weights at the end of training.
    last_loss, last_fit, last_test : numpy.ndarray (M,)
        As above, at the end.
    """

    name: str
    stack: data.Dataset
    weights: list[np.ndarray]
    loss: np.ndarray
    fit: np.ndarray
    test: np.ndarray
    step: np.ndarray
    last: list[np.ndarray]
    last_loss: np.ndarray
    last_fit: np.ndarray
    last_test: np.ndarray


def nearest_look(loss: np.ndarray, target: float) -> np.ndarray:
    """Return for each network the look whose loss (M, looks) is nearest to the target on a log scale, (M,) int.

    Of the looks up to the first that is below the target; of all, where none is. A loss that is not finite is far.
    """
    below = loss <= target
    first = np.where(below.any(axis=1), below.argmax(axis=1), loss.shape[1] - 1)
    far = np.abs(np.log(np.maximum(np.nan_to_num(loss, nan=1e9, posinf=1e9), 1e-12) / target))
    far[np.arange(loss.shape[1]) > first[:, None]] = np.inf
    return far.argmin(axis=1)


def minima(name, seed, sets, *, share, flipped, target=TARGET, steps=None, rate=None) -> Minima:
    """Train a network on each data set with attack points, or their true labels, and stop at a matched clean loss."""
    stack = asked(sets, share, flipped=flipped)
    kept = looks(problem(name).steps if steps is None else steps)
    runs = train(name, seed, stack, steps=steps, rate=rate, snapshots=kept)
    losses_at = runs.history["val_loss"][:, np.searchsorted(runs.epochs, kept)]
    step = np.array(kept)[nearest_look(losses_at, target)]
    weights, members = runs.weights_at(step), np.arange(len(sets))
    new = np.stack([one.x_test for one in sets]), np.stack([one.y_test for one in sets])
    return Minima(
        name=name,
        stack=stack,
        weights=weights,
        loss=losses_at[members, np.searchsorted(kept, step)],
        fit=correct(name, weights, stack.x_val, stack.y_val),
        test=correct(name, weights, *new),
        step=step,
        last=runs.weights,
        last_loss=runs.history["val_loss"][:, -1],
        last_fit=correct(name, runs.weights, stack.x_val, stack.y_val),
        last_test=correct(name, runs.weights, *new),
    )


def pair(name, seed, sets, *, share=0.5, target=TARGET, steps=None, rate=None) -> dict[str, Minima]:
    """Return ``good`` and ``bad`` minima of the same data sets, initial weights, recipe and number of points."""
    how = {"share": share, "target": target, "steps": steps, "rate": rate}
    return {arm: minima(name, seed, sets, flipped=arm == "bad", **how) for arm in ("good", "bad")}


def matched(good: Minima, bad: Minima) -> np.ndarray:
    """Return which pairs are at equal clean loss, within a factor of 1.5, and fit 95 % of their clean points, (M,)."""
    near = np.abs(np.log(np.maximum(good.loss, 1e-12) / np.maximum(bad.loss, 1e-12)))
    return (near <= np.log(FITS)) & (good.fit >= 0.95) & (bad.fit >= 0.95)

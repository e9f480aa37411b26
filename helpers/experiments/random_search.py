"""Guess and check: are random networks that happen to fit their training points good or bad?

Source: the summary of Huang et al. [huang-summary]: a random search is more likely to land in the basin of a good
minimum than of a bad one. This can be done, without any estimate of a volume: draw the weights at random until a
network gets all training points right [chiang2023] [mingard2021] [peleg2024]. The share of draws that do is the volume
of all solutions in the measure of the draw, and it falls fast with the number of points. So the points are few, and the
tasks are pictures in the plane.

Networks 2-16-16-1 with ReLU; weights normal with variance 2 / inputs (He), biases with standard deviation 0.5. Draws
come in pairs that differ in the sign of the output layer: each of a pair is a draw, and one evaluation serves both.

Axes: B draws, P points.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many

HIDDEN = 16
BLOCK = 2000  # pairs of draws evaluated at once
FIRST = 4  # points that all draws are asked at once
TESTED = 400  # accepted networks that are tested, the first ones
NEW = 500  # points on which they are tested
GOOD, BAD = 0.8, 0.53  # test accuracies from and below which a network counts
ENOUGH = 100  # accepted draws
MOST_POINTS = 20


def _spirals(n, generator):
    one = data.spirals(
        n, 1.5, seed=int(generator.integers(2**62)), radius=2.0, kind="fermat", n_test=2
    )
    return one.x_train, one.y_train


def _moons(n, generator):
    y = np.arange(n) % 2
    angle = np.pi * generator.random(n)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 1, np.array([1, 0.5]) - x, x) - np.array([0.5, 0.25])
    return x + 0.1 * generator.standard_normal((n, 2)), y


def _xor(n, generator):
    one = data.xor(n, 0.25, seed=int(generator.integers(2**62)), n_test=2)
    return one.x_train, one.y_train


def _half_plane(n, generator):
    angle = 2 * np.pi * generator.random()
    x = generator.standard_normal((4 * n, 2))
    return _balanced(x, x @ np.array([np.cos(angle), np.sin(angle)]) > 0, n)


def _stripes(n, generator):
    x = 4 * generator.random((4 * n, 2)) - 2
    return _balanced(x, np.floor(x[:, 0]) % 2 == 0, n)


def _balanced(x, label, n):
    """Return n points, labels 0, 1, 0, 1, ..."""
    rows = np.stack([np.flatnonzero(label == k)[: n // 2] for k in (0, 1)], axis=1).ravel()
    return x[rows], np.arange(n) % 2


TASKS = {  # as the lesson calls them
    "spirals": _spirals,
    "moons": _moons,
    "xor": _xor,
    "half_plane": _half_plane,
    "stripes": _stripes,
}


def draw(task: str, seed: int, row: int = 0):
    """Return data set ``row``: (x, y) of 20 training points and (x, y) of 500 new ones of the same picture.

    Of every even number of first points half have label 1. Blobs of XOR come in turn, so that 4 points are one of each.
    """
    if task not in TASKS:
        raise ValueError(f"Argument `task` must be one of {tuple(TASKS)}. Received: {task!r}.")
    x, y = TASKS[task](MOST_POINTS + NEW, seeds.generator(seed, task, row))
    x, y = x.astype(np.float32), y.astype(bool)
    return (x[:MOST_POINTS], y[:MOST_POINTS]), (x[MOST_POINTS:], y[MOST_POINTS:])


def draws(generator, count):
    """Return the layers of ``count`` random networks, kernels (B, inputs, units) and biases (B, 1, units)."""
    layers = []
    for inputs, units in ((2, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)):
        kernel = generator.standard_normal((count, inputs, units), np.float32)
        kernel *= np.float32((2 / inputs) ** 0.5)
        bias = np.float32(0.5) * generator.standard_normal((count, 1, units), np.float32)
        layers.append((kernel, bias))
    return layers


def positive(layers, x):
    """Return where the outputs of networks at points (P, 2) are above 0, (B, P) bool."""
    (first, b1), (second, b2), (last, b3) = layers
    hidden = np.maximum(np.matmul(x, first) + b1, 0)
    hidden = np.maximum(np.matmul(hidden, second) + b2, 0)
    return (np.matmul(hidden, last) + b3)[..., 0] > 0


def kept(layers, chosen):
    """Return the layers of some networks only."""
    return [(kernel[chosen], bias[chosen]) for kernel, bias in layers]


def search(x, y, layers, begun, counts):
    """Return, for each of ``counts``, which pairs of draws hold a network that gets so many first points right.

    ``begun`` (B, FIRST): `positive` at the first points, which all tasks share a call for.

    Returns
    -------
    dict of int to (numpy.ndarray (K,) int, numpy.ndarray (K,) bool)
        The pairs, and whether it is the one with the opposite sign.
    """
    flipped = begun[:, 0] != y[0]
    right = (begun != flipped[:, None]) == y[:FIRST]  # (B, FIRST)
    found = {}
    for p in counts:
        if p <= FIRST:
            alive = np.flatnonzero(right[:, :p].all(axis=1))
            found[p] = (alive, flipped[alive])
    alive = np.flatnonzero(right.all(axis=1))
    done = FIRST
    for p in (p for p in counts if p > FIRST):
        here = positive(kept(layers, alive), x[done:p])
        alive = alive[((here != flipped[alive, None]) == y[done:p]).all(axis=1)]
        found[p], done = (alive, flipped[alive]), p
    return found


def accuracy(layers, flipped, x, y):
    """Return each network's share of right answers, (B,)."""
    return np.mean((positive(layers, x) != flipped[:, None]) == y, axis=1)


def guess(seed, n, *, tasks, counts, pairs):
    """Among random networks that fit, are there more good than bad ones, and how does that depend on the points?

    Replicate: one data set of each task, and draws of its own, which the tasks share.

    Returns
    -------
    dict
        For each task and number of points P, (n,): ``accepted_TASK_P`` (int), ``good_TASK_P`` and ``bad_TASK_P`` (share
        of those tested with a test accuracy of at least 0.8, and below 0.53; 0 where none was accepted),
        ``preferred_TASK_P`` (good over good plus bad; a half where there is neither), ``testable_TASK_P`` (bool: 100 or
        more accepted, and 20 % of them good or bad), ``mean_TASK_P`` (their mean test
        accuracy; a half where there is none).
        ``constants``: ``counts``, ``draws``.
    """
    found = {}
    for row in range(n):
        sets = {task: draw(task, seed, row) for task in tasks}
        generator = seeds.generator(seed, "draws", row)
        accepted = {(task, p): 0 for task in tasks for p in counts}
        tests = {key: [] for key in accepted}
        for _ in range(pairs // BLOCK):
            layers = draws(generator, BLOCK)
            begun = positive(layers, np.concatenate([x[:FIRST] for (x, _), _ in sets.values()]))
            for k, (task, ((x, y), new)) in enumerate(sets.items()):
                own = begun[:, k * FIRST : (k + 1) * FIRST]
                for p, (alive, flipped) in search(x, y, layers, own, counts).items():
                    key = task, p
                    accepted[key] += len(alive)
                    room = TESTED - sum(map(len, tests[key]))
                    if room > 0 and len(alive):
                        some = alive[:room], flipped[:room]
                        tests[key].append(accuracy(kept(layers, some[0]), some[1], *new))
        for (task, p), number in accepted.items():
            scored = np.concatenate([np.zeros(0), *tests[task, p]])
            for what, value in _scores(number, scored).items():
                found.setdefault(f"{what}_{task}_{p}", []).append(value)
    kinds = {"accepted": np.int32, "testable": bool}
    arrays = {k: np.array(v, kinds.get(k.split("_")[0], np.float32)) for k, v in found.items()}
    constants = {"counts": np.array(counts, np.int32), "draws": np.array([2 * pairs], np.int32)}
    return arrays | {"constants": constants}


def _scores(number, scored):
    """Return what is kept of one data set: number accepted, and test accuracies of those tested."""
    good, bad = (np.mean(v) if len(scored) else 0.0 for v in (scored >= GOOD, scored < BAD))
    return {
        "accepted": number,
        "good": good,
        "bad": bad,
        "preferred": good / (good + bad) if good + bad else 0.5,
        "testable": number >= ENOUGH and good + bad >= 0.2,
        "mean": np.mean(scored) if len(scored) else 0.5,
    }


def descent(seed, n, *, tasks, steps, rate):
    """Can training reach a good network with so few points? The same tasks and network, Adam.

    ``tasks``: how many points each has. Replicate: data set and initial weights; ten networks a data set.

    Returns
    -------
    dict
        For each task, (n,): ``trained_TASK`` (test accuracy, mean over ten networks), ``best_TASK`` (of the best of the
        ten), ``reaches_TASK`` (bool: one of the ten has 0.8), ``fits_TASK`` (share that fits all points).
    """
    found, ten = {}, 10

    def net():
        return models.mlp((2,), 1, hidden=(HIDDEN, HIDDEN), initializer="he_normal")

    for task, points in tasks.items():
        sets = [draw(task, seed, row) for row in range(n) for _ in range(ten)]
        stack = data.Dataset.stack(
            [
                data.Dataset(x_train=x[:points], y_train=y[:points].astype(np.int32), task="binary", name=task)
                for (x, y), _ in sets
            ]
        )  # fmt: skip
        runs = fit_many(
            net, stack, members=n * ten, epochs=steps, batch_size=points, learning_rate=rate,
            record_every=steps, seed=seeds.integer(seed, "fit", task),
        )  # fmt: skip
        scores = runs.predict(np.stack([new[0] for _, new in sets]))[..., 0] > 0
        right = np.mean(scores == np.stack([new[1] for _, new in sets]), axis=1).reshape(n, ten)
        fits = runs.history["accuracy"][:, -1].reshape(n, ten) == 1
        found |= {
            f"trained_{task}": right.mean(axis=1).astype(np.float32),
            f"best_{task}": right.max(axis=1).astype(np.float32),
            f"reaches_{task}": right.max(axis=1) >= GOOD,
            f"fits_{task}": fits.mean(axis=1).astype(np.float32),
        }
    return found

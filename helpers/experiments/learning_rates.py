"""Learning rates that are too high, just right or too low, on points of two colours and on the Keras post's line.

The thread *Why can neural networks generalize at all?* [generalization-thread] speaks of points in two dimensions and
of a boundary between their colours that training approaches: at too high a rate it misses the best moment, at too low
a rate it gets stuck, or needs years.

The points here lie evenly on the square from -1 to 1; above the curve ``y = 2 x^3 - x`` they have colour 1. Some labels
are wrong. Errors are in percent of new points with the right labels.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import keras_post

NEW = 2000  # points: the first half chooses, the second half judges
LOOKS = 20  # moments at which a training is looked at
TOLERATED = 1.0  # percentage points above the best rate: still a good one


def draw(seed, row=0, *, points=100, wrong=0.1, fresh=NEW):
    """Return data set ``row``: so many points, a share of them with the wrong colour, and new ones without."""
    generator = seeds.generator(seed, "boundary", row)
    x = generator.uniform(-1, 1, (points + fresh, 2))
    y = (x[:, 1] > 2 * x[:, 0] ** 3 - x[:, 0]).astype(int)
    flipped = generator.permutation(points)[: round(wrong * points)]
    y[flipped] = 1 - y[flipped]
    return data.Dataset(
        x_train=x[:points], y_train=y[:points], x_test=x[points:], y_test=y[points:], task="binary", name="boundary"
    )  # fmt: skip


def network(hidden, inputs=2):
    """Return a network with ReLU layers of the given widths and one output."""
    return models.mlp((inputs,), 1, hidden=tuple(hidden))


def looks(epochs):
    """Return the epochs at which a training is looked at, evenly spaced by their logarithm: a sorted list of int."""
    return np.unique(np.geomspace(1, epochs, LOOKS).round().astype(int)).tolist()


def each_rate(seed, sets, *, hidden, epochs, rates):
    """Yield the runs of each rate: a network on every set, with the same initial weights and batches."""
    stack, marks = data.Dataset.stack(sets), looks(epochs)
    for rate in rates:
        yield fit_many(
            network(hidden, stack.x_train.shape[-1]), stack, members=len(sets), epochs=epochs, batch_size=32,
            learning_rate=rate, snapshots=marks[:-1], record_every=epochs, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip


def at_best_moment(losses):
    """Return each training's error at the moment that the first half of the new points chooses.

    Parameters
    ----------
    losses : numpy.ndarray (R, T, 2)
        Errors at T moments on both halves.

    Returns
    -------
    numpy.ndarray (R,)
        On the second half.
    """
    chosen = losses[:, :, 0].argmin(axis=1)
    return losses[np.arange(len(losses)), chosen, 1]


def halves(wrong):
    """Return the means over the first and the second half of the last axis: (..., 2)."""
    return np.stack([part.mean(axis=-1) for part in np.split(wrong, 2, axis=-1)], axis=-1)


def width_of_good(errors, rates):
    """Return how many decades the good rates span: at most 1 point worse than the best, without a gap.

    Parameters
    ----------
    errors : numpy.ndarray (S, 2)
        Of S rates on both halves of the new points: the first chooses the best rate, the second judges.
    rates : sequence of float (S,)
        Sorted.
    """
    best = int(errors[:, 0].argmin())
    good = errors[:, 1] <= errors[best, 1] + TOLERATED
    low = high = best
    while low > 0 and good[low - 1]:
        low -= 1
    while high < len(rates) - 1 and good[high + 1]:
        high += 1
    return np.log10(rates[high] / rates[low])


def too_high(seed, n, *, hidden, epochs, rates, good, points, wrong, starts):
    """How low is the error at the best moment of a training, at each learning rate?

    The first half of the new points chooses the moment, the second half judges it. Every rate is tried from the same
    ``starts`` initial weights, and their errors are averaged. Replicate: points, wrong labels and initial weights.

    Returns
    -------
    dict
        ``error`` (n, S) at the S rates of ``constants["rate"]``, in percent at the best moment; ``error_good,
        error_highest`` (n,): at the rate ``good`` and at the highest one, (wrong + 1/2) / (points + 1) so that no error
        is 0; ``decades`` (n,): how far the good rates reach (see `width_of_good`).
    """
    sets = [draw(seed, row, points=points, wrong=wrong) for row in range(n) for _ in range(starts)]
    x, y = (np.stack([getattr(one, f"{axis}_test") for one in sets]) for axis in "xy")
    found = []
    for runs in each_rate(seed, sets, hidden=hidden, epochs=epochs, rates=rates):
        both = [halves((runs.predict(x, epoch)[..., 0] > 0) != y) for epoch in looks(epochs)]
        both = np.where(runs.diverged[:, None, None], 0.5, np.stack(both, axis=1))  # it guesses
        chosen = np.stack([at_best_moment(both[..., ::-1]), at_best_moment(both)], axis=1)
        found.append(100 * chosen.reshape(n, starts, 2).mean(axis=1))
    errors = np.stack(found, axis=1)  # (n, S, 2)
    judged = errors[:, :, 1]
    never_zero = (judged * NEW / 2 + 50) / (NEW / 2 + 1)
    return {
        "error": judged.astype(np.float32),
        "error_good": never_zero[:, list(rates).index(good)].astype(np.float32),
        "error_highest": never_zero[:, -1].astype(np.float32),
        "decades": np.array([width_of_good(one, rates) for one in errors], np.float32),
        "constants": {"rate": np.array(rates)},
    }


def too_high_on_the_line(seed, n, *, hidden, epochs, rates, good):
    """The same on the Keras post's line: the excess risk at the best moment, at each learning rate.

    Every second place on the line chooses the moment, the others judge it. Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``excess`` (n, S) at the S rates of ``constants["rate"]``; ``error_good, error_highest`` (n,): excess risk at
        the rate ``good`` and at the highest one.
    """
    sets = [keras_post.draw(seed, row) for row in range(n)]
    found = []
    for runs in each_rate(seed, sets, hidden=hidden, epochs=epochs, rates=rates):
        means = np.array([one.y_train.mean() for one in sets])[:, None]
        both = []
        for epoch in looks(epochs):
            fits = np.where(
                runs.diverged[:, None], means, keras_post.predictions(runs, sets[0].x_test, epoch)
            )
            squares = (fits - sets[0].y_test[:, 0]) ** 2
            both.append(
                np.stack([squares[:, ::2].mean(axis=1), squares[:, 1::2].mean(axis=1)], axis=1)
            )
        found.append(at_best_moment(np.stack(both, axis=1)))
    excess = np.stack(found, axis=1).astype(np.float32)
    return {
        "excess": excess,
        "error_good": excess[:, list(rates).index(good)],
        "error_highest": excess[:, -1],
        "constants": {"rate": np.array(rates)},
    }


def signals(seed, row, points):
    """Return data set ``row`` of so many MNIST-1D signals."""
    return data.mnist1d_fresh(n_train=points, seed=seeds.integer(seed, "signals", row))


def drawn(task, seed, row, points):
    """Return data set ``row`` of a task: "boundary" (no wrong labels), "xor" or "mnist1d"."""
    if task == "boundary":
        return draw(seed, row, points=points, wrong=0.0)
    if task == "xor":
        return data.xor(n=points, seed=seeds.integer(seed, "xor", row), n_test=2)
    return signals(seed, row, points)


def too_low(seed, n, *, task, hidden, points, rates, steps, goal):
    """Is a network that a low rate leaves short of its goal stuck, or merely slow?

    Full-batch gradient descent from the same initial weights: at the high rate for ``steps[0]`` steps, at the low one
    for ``steps[1]``, which is as many times longer as the rate is lower, or more. The goal is a training loss.
    Replicate: points and initial weights.

    Returns
    -------
    dict
        (n,) bool: ``short`` (the low rate has not reached the goal after ``steps[0]`` steps), ``slow`` (short, but
        reached after ``steps[1]``), ``verified`` (``slow``, and a plain Keras model with these weights is at the goal),
        ``never_low`` and ``never_high`` (not reached at the low rate in ``steps[1]`` steps, at the high one in
        ``steps[0]``), ``low_only`` (never at the low rate, but at the high one); ``loss_low, loss_high`` (n,): at the
        end.
    """
    sets = [drawn(task, seed, row, points) for row in range(n)]
    stack = data.Dataset.stack([dataclasses.replace(s, x_test=None, y_test=None) for s in sets])
    outputs = 1 if stack.task == "binary" else int(stack.num_classes)
    model = models.mlp((stack.x_train.shape[-1],), outputs, hidden=tuple(hidden))
    arms = []
    for rate, length in zip(rates, steps, strict=True):
        runs = fit_many(
            model, stack, members=n, epochs=length, batch_size=points, optimizer="sgd", learning_rate=rate,
            record_every=max(1, steps[0] // 50), seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        # A network that diverged is not at the goal.
        losses = np.where(np.isfinite(runs.history["loss"]), runs.history["loss"], np.inf)
        arms.append((runs, losses))
    (_, high), (runs, low) = arms
    short = (low[:, runs.epochs <= steps[0]] > goal).all(axis=1)
    never_low, never_high = ((losses > goal).all(axis=1) for losses in (low, high))
    slow = short & ~never_low
    return {
        "short": short,
        "slow": slow,
        "verified": slow & _at_goal(runs, stack, slow, goal),
        "never_low": never_low,
        "never_high": never_high,
        "low_only": never_low & ~never_high,
        "loss_low": np.minimum(low[:, -1], 1e30).astype(np.float32),
        "loss_high": np.minimum(high[:, -1], 1e30).astype(np.float32),
    }


def _at_goal(runs, stack, rows, goal):
    """Return whether a plain Keras model with a network's weights has a training loss at the goal, for some rows."""
    found = np.zeros(len(rows), bool)
    for row in np.flatnonzero(rows):
        logits = runs.model(int(row))(stack.x_train[row]).numpy().astype(float)
        y = stack.y_train[row]
        if stack.task == "binary":
            losses = np.logaddexp(0, np.where(y > 0.5, -1, 1) * logits[:, 0])
        else:
            losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(y)), y]
        found[row] = losses.mean() <= goal
    return found

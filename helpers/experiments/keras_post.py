"""The Keras post's example: 100 points of y = 2 x + 1 + N(0, 2) on a grid from 0 to 10, 80 to train and 20 to validate.

The question: what can a training loss, or a gap between training and validation loss, tell about new points?
Source: the post *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post].

Errors are in units of y squared; the noise variance is 4. The *excess risk* is the mean squared distance to the true
line over [0, 10].
"""

from __future__ import annotations

import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many

NOISE = 2.0  # standard deviation; the post's
VARIANCE = NOISE**2
NOTICEABLE = 0.05 * VARIANCE  # of a difference between two errors
TENTH = 0.1 * VARIANCE
VALIDATION = 20  # points, of 100


def draw(seed, row=0, validation=VALIDATION):
    """Return data set ``row``: the post's line with noise and split of its own, 80 training points on the grid.

    ``validation`` above 20 adds points of another grid and with noise of their own.
    """
    line = functools.partial(
        data.line, slope=2.0, intercept=1.0, noise=NOISE, x="grid", low=0.0, high=10.0
    )
    one = line(n=100, seed=seeds.integer(seed, "line", row))
    one = data.split(one, VALIDATION, seed=seeds.integer(seed, "split", row))
    if validation == VALIDATION:
        return one
    more = line(n=validation - VALIDATION, seed=seeds.integer(seed, "more", row))
    return data.Dataset(
        x_train=one.x_train, y_train=one.y_train, x_val=np.concatenate([one.x_val, more.x_train]),
        y_val=np.concatenate([one.y_val, more.y_train]), x_test=one.x_test, y_test=one.y_test,
        task="regression", name=one.name,
    )  # fmt: skip


def network(hidden, **options):
    """Return the post's network: ReLU layers of the given widths (the post has two of 64), one linear output."""
    return models.mlp((1,), 1, hidden=tuple(hidden), **options)


def train(seed, sets, *, hidden, epochs, rate, snapshots=(), **options):
    """Train network i on data set i as the post does, Adam in batches of 32; return the runs."""
    return fit_many(
        network(hidden), data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=32, learning_rate=rate,
        snapshots=snapshots, record_every=epochs, seed=seeds.integer(seed, "fit"), **options,
    )  # fmt: skip


def predictions(runs, x, epoch=None):
    """Return the outputs at x (R, N, 1) or (N, 1): (R, N) float64."""
    return runs.predict(x, epoch=epoch)[..., 0].astype(float)


def errors(runs, sets, epoch=None):
    """Return training error, validation error and excess risk of every network, (R,) each.

    A diverged network counts as the mean of its training targets.
    """
    parts = [
        np.stack([getattr(one, f"{axis}_{part}") for one in sets])
        for part in ("train", "val", "test")
        for axis in "xy"
    ]
    means = parts[1][..., 0].mean(axis=1, keepdims=True)  # (R, 1)
    found = []
    for x, y in zip(parts[::2], parts[1::2], strict=True):
        fits = np.where(runs.diverged[:, None], means, predictions(runs, x, epoch))
        found.append(np.mean((fits - y[..., 0]) ** 2, axis=1))
    return found


def errors_of_lines(sets):
    """Return training error, validation error and excess risk of the least-squares lines, (R,) each."""
    found = []
    for one in sets:
        line = np.polyfit(one.x_train[:, 0].astype(float), one.y_train[:, 0].astype(float), 1)
        pairs = [
            (getattr(one, f"x_{part}"), getattr(one, f"y_{part}"))
            for part in ("train", "val", "test")
        ]
        found.append([np.mean((np.polyval(line, x[:, 0]) - y[:, 0]) ** 2) for x, y in pairs])
    return np.transpose(found)


def errors_of_nearest(sets):
    """Return training error, validation error and excess risk of copying the nearest training point, (3, R) float32."""
    found = []
    for one in sets:
        at, y = one.x_train[:, 0], one.y_train[:, 0]
        pairs = [
            (getattr(one, f"x_{part}")[:, 0], getattr(one, f"y_{part}")[:, 0])
            for part in ("train", "val", "test")
        ]
        copied = [y[np.argmin(np.abs(x[:, None] - at), axis=1)] for x, _ in pairs]
        found.append([np.mean((copy - t) ** 2) for copy, (_, t) in zip(copied, pairs, strict=True)])
    return np.transpose(found).astype(np.float32)


def validation_gap(seed, n, *, hidden, epochs, rate):
    """How often is the validation error noticeably above the training error, and for a straight line?

    Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``training, validation, excess`` with the ending ``_network`` or ``_line`` (least squares on the same split),
        (n,) float32; ``noticeable_network, noticeable_line`` (n,) bool: validation above training by 5 % of the noise
        variance or more; ``gap_network, gap_line, gap_nearest`` (n,), the last of copying the nearest training point.
    """
    sets = [draw(seed, row) for row in range(n)]
    runs = train(seed, sets, hidden=hidden, epochs=epochs, rate=rate)
    found = {}
    for name, three in (("network", errors(runs, sets)), ("line", errors_of_lines(sets))):
        for quantity, values in zip(("training", "validation", "excess"), three, strict=True):
            found[f"{quantity}_{name}"] = values.astype(np.float32)
        gap = three[1] - three[0]
        found |= {f"gap_{name}": gap.astype(np.float32), f"noticeable_{name}": gap >= NOTICEABLE}
    copies = errors_of_nearest(sets)
    return found | {"gap_nearest": copies[1] - copies[0]}


def longer_training(seed, n, *, hidden, epochs, rate):
    """What do training error, validation error and excess risk do when training goes on?

    Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``training, validation, excess`` (n, E) at the epochs of ``constants["epochs"]``, and the same three with the
        endings ``_first`` (at ``constants["first"]``), ``_last`` and ``_nearest`` (copying the nearest training point:
        what a full fit of the noise costs) (n,); ``excess_oracle``: the lowest excess risk on the way.
    """
    marks, first = list(epochs["looks"]), epochs["first"]
    sets = [draw(seed, row) for row in range(n)]
    runs = train(
        seed, sets, hidden=hidden, epochs=marks[-1], rate=rate, snapshots=tuple(marks[:-1])
    )
    three = np.stack([errors(runs, sets, mark) for mark in marks], axis=2)  # (3, R, E)
    found = {}
    for quantity, values in zip(
        ("training", "validation", "excess"), three.astype(np.float32), strict=True
    ):
        found |= {
            quantity: values,
            f"{quantity}_first": values[:, marks.index(first)],
            f"{quantity}_last": values[:, -1],
        }
    copies = errors_of_nearest(sets)
    found |= {"validation_nearest": copies[1], "excess_nearest": copies[2]}
    constants = {"epochs": np.array(marks, np.int32), "first": np.array([first], np.int32)}
    return found | {"excess_oracle": found["excess"].min(axis=1), "constants": constants}


def wider(seed, n, *, narrow, wide, epochs, rate):
    """What do sixty times as many parameters change, and how far is each network from the straight line?

    Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``training, validation, excess`` with the endings ``_narrow``, ``_wide`` and ``_line`` (n,).
    """
    sets = [draw(seed, row) for row in range(n)]
    found = {}
    for name, hidden in (("narrow", narrow), ("wide", wide)):
        three = errors(train(seed, sets, hidden=hidden, epochs=epochs, rate=rate), sets)
        found |= {
            f"{q}_{name}": v.astype(np.float32)
            for q, v in zip(("training", "validation", "excess"), three)
        }
    lines = errors_of_lines(sets)
    return found | {
        f"{q}_line": v.astype(np.float32)
        for q, v in zip(("training", "validation", "excess"), lines)
    }


def interpolation(seed, n, *, hidden, steps, rate, scale):
    """Can a large network pass through the post's 80 points, and what is it worth then?

    Full batch, Adam with a cosine decay, inputs centred, divided by 10 and multiplied by ``scale``. Replicate: noise,
    split and initial weights.

    Returns
    -------
    dict
        ``training`` (mean squared error on the training points), ``excess_network, excess_line`` (n,);
        ``interpolates`` (n,) bool: a training error below a tenth of the noise variance, and ``verified``: the same by
        plain Keras; ``noticeable`` (n,) bool: a validation error above the
        training error by 5 % of the noise variance or more.
    """
    sets = [draw(seed, row) for row in range(n)]
    put = lambda x: (scale * (x / 10 - 0.5)).astype(np.float32)  # noqa: E731
    stack = data.Dataset.stack(
        [
            data.Dataset(x_train=put(s.x_train), y_train=s.y_train, task="regression", name="line")
            for s in sets
        ]
    )
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    runs = fit_many(
        network(hidden), stack, members=n, epochs=steps, batch_size=stack.n_train, optimizer=optimizer,
        record_every=steps, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    means = stack.y_train[..., 0].mean(axis=1, keepdims=True)

    def fits(x):  # a diverged network counts as the mean of its training targets
        return np.where(runs.diverged[:, None], means, predictions(runs, x))

    training = np.mean((fits(stack.x_train) - stack.y_train[..., 0]) ** 2, axis=1)
    interpolates = training < TENTH
    verified = np.zeros(n, bool)
    for row in np.flatnonzero(interpolates):  # again, by plain Keras
        again = runs.model(int(row))(stack.x_train[row]).numpy()
        verified[row] = np.mean((again - stack.y_train[row]) ** 2) < TENTH
    aside = np.stack([put(s.x_val) for s in sets]), np.stack([s.y_val[:, 0] for s in sets])
    validation = np.mean((fits(aside[0]) - aside[1]) ** 2, axis=1)
    truth = sets[0].y_test[:, 0]
    return {
        "training": training.astype(np.float32),
        "interpolates": interpolates,
        "verified": verified,
        "noticeable": validation - training >= NOTICEABLE,
        "excess_network": np.mean((fits(put(sets[0].x_test)) - truth) ** 2, axis=1).astype(
            np.float32
        ),
        "excess_line": errors_of_lines(sets)[2].astype(np.float32),
    }


def another_start(seed, n, *, hidden, epochs, rate):
    """Does the validation error differ between two networks that differ in their initial weights only?

    Replicate: noise and split; the two networks have their own initial weights and batch order.

    Returns
    -------
    dict
        ``validation_first, validation_last`` (n,): of the one and the other network.
    """
    sets = [draw(seed, row) for row in range(n)]
    found = {}
    for name in ("first", "last"):
        runs = train(seeds.integer(seed, name), sets, hidden=hidden, epochs=epochs, rate=rate)
        found[f"validation_{name}"] = errors(runs, sets)[1].astype(np.float32)
    return found


def recipes(seed, n, *, shapes, rates, epochs, late, early, sizes):
    """Among thirty recipes trained on the same points, does the training error say which is good on new points?

    The recipes: every shape with every learning rate, stopped at one of three epochs, the ``late`` ones or (another
    pool) the ``early`` ones. Replicate: noise and split, with all recipes.

    Returns
    -------
    dict
        ``training, excess`` with the endings ``_late`` and ``_early``, (n, K) over the K recipes; ``validation_S_late``
        (n, K) on S validation points for each of ``sizes``; ``chosen_by_training, chosen_by_validation`` (excess risk
        of the recipe with the lowest training error, or validation error on 20 points, among the late ones),
        ``post`` (the post's recipe, fixed beforehand), ``best`` (of the pool, not knowable) (n,);
        ``training_chooses_worse`` (n,) bool: the choice by training error has a higher excess risk than the post's
        recipe. ``constants``: ``hidden`` as text, ``rate`` and ``epoch`` of each late recipe.
    """
    sets = [draw(seed, row, max(sizes)) for row in range(n)]
    stack = data.Dataset.stack([one for one in sets for _ in rates])  # set by set, the rates within
    looks = sorted({*late, *early, *epochs})
    found = {}
    for shape in shapes:
        runs = fit_many(
            network(shape), stack, members=len(sets) * len(rates), epochs=looks[-1], batch_size=32,
            learning_rate=np.tile(rates, n), snapshots=tuple(looks[:-1]), record_every=looks[-1],
            seed=seeds.integer(seed, "fit", str(tuple(shape))),
        )  # fmt: skip
        for epoch in looks:
            found[tuple(shape), epoch] = _of_pool(runs, stack, epoch, sizes, n)
    result = {}
    for name, stops in (("late", late), ("early", early)):
        keys = [(tuple(shape), epoch) for shape in shapes for epoch in stops]
        for quantity in ("training", "excess", *(f"validation_{size}" for size in sizes)):
            result[f"{quantity}_{name}"] = np.concatenate(
                [found[key][quantity] for key in keys], axis=1
            )
    return result | _choices(result, found, shapes, rates, epochs, late)


def _of_pool(runs, stack, epoch, sizes, n):
    """Return {quantity: (n, rates)} of one shape at one epoch."""
    means = stack.y_train[..., 0].mean(axis=1, keepdims=True)

    def squares(part):
        fits = np.where(
            runs.diverged[:, None], means, predictions(runs, getattr(stack, f"x_{part}"), epoch)
        )
        return (fits - getattr(stack, f"y_{part}")[..., 0]) ** 2  # (n * rates, N)

    validation = squares("val")
    found = {"training": squares("train").mean(axis=1), "excess": squares("test").mean(axis=1)}
    found |= {f"validation_{size}": validation[:, :size].mean(axis=1) for size in sizes}
    return {name: values.reshape(n, -1).astype(np.float32) for name, values in found.items()}


def _choices(result, found, shapes, rates, epochs, late):
    """Return the excess risk of what each rule chooses among the late recipes, and of the post's recipe."""
    rows = np.arange(len(result["training_late"]))
    excess = result["excess_late"]
    post = found[(64, 64), epochs[0]]["excess"][:, list(rates).index(0.001)]
    chosen = excess[rows, result["training_late"].argmin(axis=1)]
    label = [(shape, rate, epoch) for shape in shapes for epoch in late for rate in rates]
    return {
        "chosen_by_training": chosen,
        "chosen_by_validation": excess[rows, result["validation_20_late"].argmin(axis=1)],
        "post": post,
        "best": excess.min(axis=1),
        "training_chooses_worse": chosen > post,
        "constants": {
            "width": np.array([shape[0] for shape, *_ in label], np.int32),
            "layers": np.array([len(shape) for shape, *_ in label], np.int32),
            "rate": np.array([rate for _, rate, _ in label], np.float32),
            "epoch": np.array([epoch for *_, epoch in label], np.int32),
        },
    }

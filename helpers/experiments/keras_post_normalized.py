"""The Keras post's third example: its line, with and without batch normalization.

The question: why is the network with batch normalization so much worse on new points, although its weights are fine?
Source: the post *Can good loss in a high-dimensional ANN (Keras) model predict generalization ability?* [keras-post].

One set of weights makes two functions. With *moving averages* every unit is normalized by what Keras collected while
the weights were still changing; with *recomputed statistics* by the mean and variance of the training points under
the final weights. Errors are in units of y squared; the noise variance is 4. *Harm*: validation error minus that of
the same network without batch normalization.
"""

from __future__ import annotations

import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many, predict_many
from helpers.experiments import keras_post

EPSILON = 0.001  # Keras's, in the denominator of a batch normalization
MOMENTUM = 0.99  # Keras's, of the moving averages
PIECES = 6  # arrays of a normalized layer: kernel, bias, gamma, beta, moving mean, moving variance
MEMORY = 100  # steps that averages of momentum 0.99 remember
SETTLED = 1000  # steps after which nothing is left of what they knew before
SHOWN = 50  # of the curves that are kept for pictures, and of the places where they are kept
AS_IN_THE_POST = {
    "batch": 32,
    "momentum": MOMENTUM,
    "hold": False,
    "standard": False,
    "decay": False,
}
SHIFT, SCALE = 5.0, 2.9  # mean and standard deviation of the post's inputs


def network(hidden, *, normalized, momentum=MOMENTUM, hold=False, initializer="glorot_uniform"):
    """Return the post's network, with batch normalization before every ReLU or without.

    ``hold`` keeps the first kernel and bias as they were drawn.
    """
    stack = [keras.Input((1,))]
    for width in hidden:
        stack.append(keras.layers.Dense(width, kernel_initializer=initializer))
        if normalized:
            stack.append(keras.layers.BatchNormalization(momentum=momentum))
        stack.append(keras.layers.Activation("relu"))
    stack[1].trainable = not hold
    return keras.Sequential([*stack, keras.layers.Dense(1, kernel_initializer=initializer)])


def recomputed(weights, x):
    """Return normalized weights with the mean and variance of x in the place of the moving averages, layer by layer.

    Parameters
    ----------
    weights : list of numpy.ndarray (M, ...)
        Of networks of Dense, BatchNormalization and ReLU, with one Dense layer at the end.
    x : numpy.ndarray (M, N, D)
        The training inputs of each network.
    """
    weights, hidden = list(weights), np.asarray(x, float)
    for k in range(0, len(weights) - 2, PIECES):
        kernel, bias, gamma, beta = (part.astype(float) for part in weights[k : k + 4])
        before = hidden @ kernel + bias[:, None]  # (M, N, H)
        mean, var = before.mean(axis=1), before.var(axis=1)
        weights[k + 4], weights[k + 5] = mean.astype(np.float32), var.astype(np.float32)
        scale = gamma / np.sqrt(var + EPSILON)
        hidden = np.maximum(0, (before - mean[:, None]) * scale[:, None] + beta[:, None])
    return weights


def train(seed, sets, net, *, epochs, rate, batch=32, **options):
    """Train network i on data set i as the post does, with Adam unless ``optimizer`` says otherwise."""
    return fit_many(
        net, data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=batch, learning_rate=rate,
        seed=seeds.integer(seed, "fit"), **options,
    )  # fmt: skip


def errors(net, weights, sets):
    """Return training error, validation error and error on new points (no noise in it) of stacked weights, (R,) each.

    A network whose outputs are not finite counts as the mean of its training targets.
    """
    found, means = [], np.array([one.y_train.mean() for one in sets], float)
    for part in ("train", "val", "test"):
        x, y = (np.stack([getattr(one, f"{axis}_{part}") for one in sets]) for axis in "xy")
        fits = predict_many(net, weights, x)[..., 0].astype(float)
        fits = np.where(np.isfinite(fits).all(axis=1, keepdims=True), fits, means[:, None])
        found.append(np.mean((fits - y[..., 0]) ** 2, axis=1))
    return found


def truth(x):
    """Return the post's true line at x."""
    return 2.0 * x + 1.0


def inputs(sets):
    """Return the training inputs of all data sets, (R, N, 1)."""
    return np.stack([one.x_train for one in sets])


def at(runs, epoch):
    """Return the weights of an epoch: the last one, or a snapshot."""
    return runs.weights if epoch == runs.settings["epochs"] else runs.snapshots[epoch]


def stopped(seed, sets, net, weights, *, epochs, batch=32, **options):
    """Go on training with a learning rate of zero: no weight moves, and the moving averages catch up."""
    return train(
        seeds.integer(seed, "stopped"), sets, net, epochs=epochs, rate=0.0, batch=batch, initial_weights=weights,
        **options,
    )  # fmt: skip


def switch(seed, n, *, hidden, rate, looks, epochs, after, every):
    """What happens to the harm when the weights are stopped at epoch ``epochs`` and the averages are not?

    Replicate: noise, split and initial weights; both networks share them and the order of the batches.

    Returns
    -------
    dict
        At the switch, (n,) each: ``training, validation, excess`` with the endings ``_plain``, ``_moving`` and
        ``_recomputed``; ``validation_stopped`` after ``after`` epochs with stopped weights; ``reported_plain,
        reported_normalized`` (the training loss that Keras reports); ``harm_moving, harm_recomputed, harm_stopped``
        and ``validation_truth`` (of the true line: nobody can know better). On the way: ``harm_moving_path,
        harm_recomputed_path`` (n, L) at ``constants["looks"]``, and ``harm_stopped_path`` (n, A) at
        ``constants["after"]`` epochs after the switch. For pictures, of the first 50: ``curves_plain, curves_moving,
        curves_recomputed`` (50, 50) at ``constants["x"]`` and ``points`` (50, 80, 2).
    """
    sets, looks = [keras_post.draw(seed, row) for row in range(n)], list(looks)
    nets = {on: lambda on=on: network(hidden, normalized=on) for on in (False, True)}
    runs = {
        on: train(seed, sets, net, epochs=looks[-1], rate=rate, snapshots=tuple(looks[:-1]))
        for on, net in nets.items()
    }
    kinds = {"plain": [], "moving": [], "recomputed": []}
    for look in looks:
        weights = at(runs[True], look)
        kinds["plain"].append(errors(nets[False], at(runs[False], look), sets))
        kinds["moving"].append(errors(nets[True], weights, sets))
        exact = recomputed(weights, inputs(sets))
        kinds["recomputed"].append(errors(nets[True], exact, sets))
    three = {kind: np.array(values) for kind, values in kinds.items()}  # (L, 3, R)
    here = looks.index(epochs)
    found = {
        f"{quantity}_{kind}": values[here, i]
        for kind, values in three.items()
        for i, quantity in enumerate(("training", "validation", "excess"))
    }
    rest = stopped(
        seed, sets, nets[True], at(runs[True], epochs), epochs=after, record_every=every
    ).history["val_loss"]
    plain = three["plain"][here, 1]
    found["validation_stopped"] = rest[:, -1]
    for kind in ("moving", "recomputed", "stopped"):
        found[f"harm_{kind}"] = found[f"validation_{kind}"] - plain
    for kind in ("moving", "recomputed"):
        found[f"harm_{kind}_path"] = (three[kind][:, 1] - three["plain"][:, 1]).T
    found["harm_stopped_path"] = rest - plain[:, None]
    for on, name in ((False, "plain"), (True, "normalized")):
        reported = runs[on].history["loss"][:, epochs - 1]
        spread = np.array([one.y_train.var() for one in sets])
        found[f"reported_{name}"] = np.where(runs[on].diverged, spread, reported)
    found["validation_truth"] = [np.mean((one.y_val - truth(one.x_val)) ** 2) for one in sets]
    x = sets[0].x_test[:: len(sets[0].x_test) // SHOWN]
    shown = {"plain": (nets[False], at(runs[False], epochs))}
    shown |= {"moving": (nets[True], at(runs[True], epochs))}
    shown |= {"recomputed": (nets[True], recomputed(at(runs[True], epochs), inputs(sets)))}
    for kind, (net, weights) in shown.items():
        curves = predict_many(net, [part[:SHOWN] for part in weights], x)[..., 0]
        found[f"curves_{kind}"] = np.where(np.isfinite(curves), curves, 0.0)
    pairs = [np.concatenate([one.x_train, one.y_train], axis=1) for one in sets[:SHOWN]]
    constants = {"looks": looks, "after": np.arange(every, after + 1, every), "epochs": [epochs]}
    constants = {name: np.array(values, np.int32) for name, values in constants.items()}
    return _single(found | {"points": np.stack(pairs)}) | {"constants": constants | {"x": x[:, 0]}}


def _single(found):
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def one_thing(seed, n, *, hidden, rate, epochs, arms):
    """Which one change takes the harm away?

    ``arms``: for each, what differs from the post: ``batch``, ``epochs``, ``momentum``, ``hold`` (first kernel fixed),
    ``standard`` (inputs standardized) or ``decay`` (the rate falls to zero along a cosine). Each arm is compared with a
    network without batch normalization that is trained alike. Replicate: noise, split and initial weights, with all
    arms.

    Returns
    -------
    dict
        For each arm, (n,): ``moving_ARM`` (harm with moving averages), ``stopped_ARM`` (after 1,000 more steps with
        stopped weights), ``recomputed_ARM``, and ``moved_ARM``: how far the means of the first layer's units moved
        within the last hundred steps, in standard deviations of each unit, root mean square.
    """
    sets, found = [keras_post.draw(seed, row) for row in range(n)], {}
    for name, arm in arms.items():
        options = {"epochs": epochs, "rate": rate} | AS_IN_THE_POST | arm
        parts = _arm(seed, sets, hidden, **options)
        found |= {f"{part}_{name}": values for part, values in parts.items()}
    return _single(found)


def _arm(seed, sets, hidden, *, epochs, rate, batch, momentum, hold, standard, decay):
    """Return harm with moving averages, with settled ones and with recomputed statistics, and how far means moved."""
    sets = [standardized(one) for one in sets] if standard else sets
    steps = -(-sets[0].n_train // batch)
    before = max(1, epochs - MEMORY // steps)
    plain = lambda: network(hidden, normalized=False, hold=hold)  # noqa: E731
    net = lambda: network(hidden, normalized=True, momentum=momentum, hold=hold)  # noqa: E731
    options = {"epochs": epochs, "rate": rate, "batch": batch, "record_every": epochs}
    if decay:
        falls = keras.optimizers.schedules.CosineDecay(rate, epochs * steps)
        options |= {"rate": None, "optimizer": keras.optimizers.Adam(falls)}
    base = errors(plain, train(seed, sets, plain, **options).weights, sets)[1]
    runs = train(seed, sets, net, snapshots=(before,), **options)
    more = -(-SETTLED // steps)
    settled = stopped(seed, sets, net, runs.weights, epochs=more, batch=batch, record_every=more)
    exact = recomputed(runs.weights, inputs(sets))
    early = recomputed(runs.snapshots[before], inputs(sets))
    moved = (exact[4] - early[4]) / np.sqrt(exact[5] + EPSILON)  # (R, H)
    return {
        "moving": errors(net, runs.weights, sets)[1] - base,
        "stopped": errors(net, settled.weights, sets)[1] - base,
        "recomputed": errors(net, exact, sets)[1] - base,
        "moved": np.sqrt(np.mean(moved**2, axis=1)),
    }


def compare(seed, n, *, hidden, epochs, arms):
    """What is the validation error of two networks that differ in one known way?

    ``arms``: two, each with ``normalized``, ``rate``, ``optimizer`` and ``start`` (a name; other names mean other
    initial weights and another order of the batches). Replicate: noise, split and initial weights.

    Returns
    -------
    dict
        ``validation_ARM`` (n,), with moving averages where there are any.
    """
    sets, found = [keras_post.draw(seed, row) for row in range(n)], {}
    for name, arm in arms.items():
        net = lambda arm=arm: network(hidden, normalized=arm["normalized"])  # noqa: E731
        runs = train(
            seeds.integer(seed, arm["start"]), sets, net, epochs=epochs, rate=arm["rate"],
            optimizer=arm["optimizer"], record_every=epochs,
        )  # fmt: skip
        found[f"validation_{name}"] = errors(net, runs.weights, sets)[1]
    return _single(found)


def standardized(one):
    """Return a data set whose inputs have about mean 0 and standard deviation 1."""
    put = lambda x: ((x - SHIFT) / SCALE).astype(np.float32)  # noqa: E731
    return data.Dataset(
        x_train=put(one.x_train), y_train=one.y_train, x_val=put(one.x_val), y_val=one.y_val,
        x_test=put(one.x_test), y_test=one.y_test, task="regression", name=one.name,
    )  # fmt: skip


def epochs_to(target, losses):
    """Return when a reported training loss first is at or below the target, in epochs, and whether it is at all.

    Parameters
    ----------
    target : float
        The loss.
    losses : numpy.ndarray (M, E)
        Of every epoch, as reported; not finite counts as not reached.

    Returns
    -------
    epochs : numpy.ndarray (M,)
        With a fraction, by a straight line between two epochs; E, the whole training, where it is not reached.
    reached : numpy.ndarray (M,) of bool
    """
    losses = np.where(np.isfinite(losses), losses, np.inf).astype(float)
    below = losses <= target
    reached, first = below.any(axis=1), below.argmax(axis=1)
    rows = np.arange(len(losses))
    here, last = losses[rows, first], losses[rows, np.maximum(first - 1, 0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where((first > 0) & np.isfinite(last), (last - target) / (last - here), 1.0)
    return np.where(reached, first + part, losses.shape[1]), reached


def speed(seed, n, *, hidden, epochs, rates, best, target):
    """In how many epochs does the post's network reach a training loss, each arm at its own best rate?

    ``best``: for each arm, which of ``rates`` is its best; fixed beforehand by a pilot. Replicate: noise, split and
    initial weights.

    Returns
    -------
    dict
        ``epochs_ARM`` (n,) at the arm's best rate, ``reached_ARM`` (n,) bool, ``sweep_ARM`` (n, K) epochs at each of
        ``constants["rates"]``, ``first_ARM`` (n,) at the first of them, ``least`` (n,): 1 epoch. Arms: ``plain``,
        ``normalized`` (with batch normalization) and ``he`` (no batch normalization, He initialisation).
    """
    sets = [keras_post.draw(seed, row) for row in range(n)]
    repeated = [one for one in sets for _ in rates]  # set by set, the rates within
    found = {}
    for arm, options in ARMS.items():
        net = lambda options=options: network(hidden, **options)  # noqa: E731
        runs = train(seed, repeated, net, epochs=epochs, rate=np.tile(rates, n))
        found |= of_sweep(arm, runs.history["loss"], target, rates, best[arm])
    found["least"] = np.ones(n, np.float32)
    return found | {"constants": {"rates": np.array(rates, np.float32)}}


def wide(seed, row, dimension, *, signal, examples=80, new=400):
    """Return data set ``row`` with ``dimension`` Gaussian inputs, a linear target and the post's noise.

    The target's variance is ``signal``, whatever the dimension; the test part is on the true plane.
    """
    rng = seeds.generator(seed, "wide", dimension, row)
    x = rng.standard_normal((examples + new, dimension)).astype(np.float32)
    slopes = rng.standard_normal(dimension)
    plane = 1 + x @ (slopes * np.sqrt(signal) / np.linalg.norm(slopes))
    y = plane[:examples] + rng.normal(0, keras_post.NOISE, examples)
    return data.Dataset(
        x_train=x[:examples], y_train=y[:, None].astype(np.float32), x_test=x[examples:],
        y_test=plane[examples:, None].astype(np.float32), task="regression", name="wide",
    )  # fmt: skip


def dimensions(seed, n, *, hidden, epochs, rate, inputs, signal):
    """Does batch normalization help more, the more inputs there are?

    Replicate: for each number of inputs a data set and initial weights; both networks share them and the order of
    the batches.

    Returns
    -------
    dict
        ``risk_plain, risk_moving, risk_recomputed`` (n, D): error on new points, noise included, for each of
        ``constants["inputs"]``; the same (n,) with the ending ``_most`` at the largest; ``slope_moving,
        slope_recomputed`` (n,): of log2(risk over the plain network's) per doubling of the inputs; ``noise`` (n,): the
        lowest possible risk.
    """
    risks = {"plain": [], "moving": [], "recomputed": []}
    for dimension in inputs:
        sets = [wide(seed, row, dimension, signal=signal) for row in range(n)]
        own = seeds.integer(seed, "inputs", dimension)
        for arm in (False, True):
            net = functools.partial(
                models.mlp, (dimension,), 1, hidden=tuple(hidden), batch_norm=arm
            )
            weights = train(own, sets, net, epochs=epochs, rate=rate, record_every=epochs).weights
            risks["moving" if arm else "plain"].append(risk(net, weights, sets))
        exact = recomputed(weights, np.stack([one.x_train for one in sets]))
        risks["recomputed"].append(risk(net, exact, sets))
    risks = {kind: np.array(values).T for kind, values in risks.items()}  # (R, D)
    found = {f"risk_{kind}": values for kind, values in risks.items()}
    found |= {f"risk_{kind}_most": values[:, -1] for kind, values in risks.items()}
    doublings = np.log2(inputs) - np.mean(np.log2(inputs))
    for kind in ("moving", "recomputed"):
        logs = np.log2(risks[kind] / risks["plain"])
        found[f"slope_{kind}"] = logs @ doublings / (doublings @ doublings)
    found["noise"] = np.full(n, keras_post.VARIANCE)
    return _single(found) | {"constants": {"inputs": np.array(inputs, np.int32)}}


def risk(net, weights, sets):
    """Return the error on new points with the noise variance, (R,); not finite counts as the mean of the targets."""
    x, y = (np.stack([getattr(one, f"{axis}_test") for one in sets]) for axis in "xy")
    means = np.array([one.y_train.mean() for one in sets], float)[:, None]
    fits = predict_many(net, weights, x)[..., 0].astype(float)
    fits = np.where(np.isfinite(fits).all(axis=1, keepdims=True), fits, means)
    return np.mean((fits - y[..., 0]) ** 2, axis=1) + keras_post.VARIANCE


ARMS = {
    "plain": {"normalized": False},
    "normalized": {"normalized": True},
    "he": {"normalized": False, "initializer": "he_uniform"},
}


def of_sweep(arm, losses, target, rates, best):
    """Return what a sweep over rates found for one arm, from reported losses (n * K, E)."""
    took, reached = (values.reshape(-1, len(rates)) for values in epochs_to(target, losses))
    return {
        f"sweep_{arm}": took.astype(np.float32),
        f"epochs_{arm}": took[:, list(rates).index(best)].astype(np.float32),
        f"reached_{arm}": reached[:, list(rates).index(best)],
        f"first_{arm}": took[:, 0].astype(np.float32),
    }

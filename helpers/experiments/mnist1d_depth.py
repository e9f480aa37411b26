"""MNIST-1D with networks of two layers, of eight and of three convolutions, with and without batch normalization.

The question: where does batch normalization help, and is it the start, the drift or the noise that makes the
difference? Sources: Ioffe and Szegedy [ioffe2015], Santurkar et al. [santurkar2018], He et al. [he2015]; the data are
those of Greydanus and Kobak [greydanus2024], generated anew for each replicate.

Three arms: ``plain`` (Keras's initial weights), ``normalized`` (the same with batch normalization before each ReLU)
and ``he`` (no batch normalization, He initialisation, made for ReLU). Errors are in percent of new signals. Training
losses are cross-entropies as Keras reports them: of the batches, while the weights change.
"""

from __future__ import annotations

import functools

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many
from helpers.experiments.keras_post_normalized import EPSILON, PIECES, epochs_to, recomputed

CLASSES = 10
GUESS = 90.0  # errors of a diverged network, in percent: it guesses
LOSS_OF_GUESS = float(np.log(CLASSES))
FITTED = 0.1  # a training loss below it counts as fitted
ARMS = {
    "plain": {"batch_norm": False},
    "normalized": {"batch_norm": True},
    "he": {"batch_norm": False, "initializer": "he_uniform"},
}
MATCHED = 1.15  # factor within which two training losses count as equal
TINY = 1e-9  # length of a gradient below which a network counts as dead


def draw(seed, row=0, *, train=1000, test=2000):
    """Return data set ``row``: signals of 40 numbers in ten classes, all of them generated for this replicate."""
    return data.mnist1d_fresh(
        n_train=train, n_val=0, n_test=test, seed=seeds.integer(seed, "signals", row)
    )


def training_only(sets):
    """Return the training examples of data sets, stacked."""
    return data.Dataset.stack(
        [
            data.Dataset(x_train=s.x_train, y_train=s.y_train, task=s.task, num_classes=s.num_classes, name=s.name)
            for s in sets
        ]
    )  # fmt: skip


def network(shape, arm):
    """Return a function that builds one network.

    ``shape``: {"hidden": [widths]} for dense layers, {"filters": [channels]} for convolutions over 5 places with
    stride 2.
    """
    options = dict(ARMS[arm])
    if "filters" in shape:
        return functools.partial(models.cnn1d, filters=tuple(shape["filters"]), **options)
    return functools.partial(models.mlp, (40,), CLASSES, hidden=tuple(shape["hidden"]), **options)


def train(seed, stack, net, *, epochs, rate, batch=50, optimizer="sgd", **options):
    """Train network i on data set i of a stack."""
    return fit_many(
        net, stack, members=len(stack.x_train), epochs=epochs, batch_size=batch, optimizer=optimizer,
        learning_rate=rate, seed=seeds.integer(seed, "fit"), **options,
    )  # fmt: skip


def errors(runs, sets):
    """Return each network's errors on its new signals in percent, (R,); a diverged one guesses."""
    found = []
    for scores, one in zip(runs.predict(np.stack([s.x_test for s in sets])), sets, strict=True):
        found.append(100 * np.mean(scores.argmax(axis=1) != np.ravel(one.y_test)))
    return np.where(runs.diverged, GUESS, found)


def speed(seed, n, *, shape, epochs, rates, best, target, optimizer, examples):
    """In how many epochs does each arm reach a training loss, at its own best rate, and at how many rates at all?

    ``best``: for each arm, which of ``rates`` is its fastest; fixed beforehand by a pilot. Replicate: data set and
    initial weights; the arms share the data and the order of the batches.

    Returns
    -------
    dict
        For each arm: ``epochs_ARM`` (n,) at the arm's best rate, ``reached_ARM`` (n,) bool, ``sweep_ARM`` (n, K) epochs
        at each of ``constants["rates"]`` (all epochs, where it is not reached), ``usable_ARM`` (n,): over how many
        decades of the rate the loss is reached, ``highest_ARM`` (n,): log10 of the highest such rate. Besides, (n,):
        ``gain_normalized`` (log of how many times as fast as plain), ``left_after_he`` (log of how many times as fast
        as with He initialisation), ``least`` (1 epoch), ``missed_plain, above_plain`` (decades of the grid where plain
        networks fail, and above their highest rate). ``constants``: ``rates``, ``target``.
    """
    sets = [draw(seed, row, train=examples, test=0) for row in range(n)]
    repeated = training_only([one for one in sets for _ in rates])  # set by set, the rates within
    found, decade = {}, np.log10(rates)
    step = float(np.mean(np.diff(decade)))
    for arm in ARMS:
        runs = train(
            seed,
            repeated,
            network(shape, arm),
            epochs=epochs,
            rate=np.tile(rates, n),
            optimizer=optimizer,
        )
        took, reached = (v.reshape(n, -1) for v in epochs_to(target, runs.history["loss"]))
        here = list(rates).index(best[arm])
        found |= {
            f"sweep_{arm}": took.astype(np.float32),
            f"epochs_{arm}": took[:, here].astype(np.float32),
            f"reached_{arm}": reached[:, here],
            f"usable_{arm}": (step * reached.sum(axis=1)).astype(np.float32),
            f"highest_{arm}": np.where(reached, decade, decade[0] - step).max(axis=1).astype(np.float32),
        }  # fmt: skip
    logs = {arm: np.log(found[f"epochs_{arm}"]) for arm in ARMS}
    found |= {
        "gain_normalized": logs["plain"] - logs["normalized"],
        "left_after_he": logs["he"] - logs["normalized"],
        "least": np.ones(n, np.float32),
        "missed_plain": (step * len(rates) - found["usable_plain"]).astype(np.float32),
        "above_plain": (decade[-1] - found["highest_plain"]).astype(np.float32),
    }
    constants = {"rates": np.array(rates, np.float32), "target": np.array([target], np.float32)}
    return found | {"constants": constants}


def test_error(seed, n, *, shape, epochs, rates, optimizer, examples, settle):
    """How many errors does each arm make on new signals, at a rate of its own that was fixed beforehand?

    Replicate: data set and initial weights; the arms share the data and the order of the batches.

    Returns
    -------
    dict
        For each arm of ``rates``, (n,): ``error_ARM``, ``loss_ARM`` (training loss of the last epoch), ``fitted_ARM``
        (bool: below 0.1), ``both_fitted`` (bool: plain and normalized); ``error_settled``: of the normalized network
        after ``settle`` epochs with stopped weights, so that no average lags.
    """
    sets = [draw(seed, row, train=examples) for row in range(n)]
    stack, found = training_only(sets), {}
    for arm, rate in rates.items():
        runs = train(
            seed, stack, network(shape, arm), epochs=epochs, rate=rate, optimizer=optimizer
        )
        loss = np.where(runs.diverged, LOSS_OF_GUESS, runs.history["loss"][:, -1])
        found |= {
            f"error_{arm}": errors(runs, sets).astype(np.float32),
            f"loss_{arm}": loss.astype(np.float32),
            f"fitted_{arm}": loss <= FITTED,
        }
        if arm == "normalized":
            rest = train(
                seeds.integer(seed, "stopped"), stack, network(shape, arm), epochs=settle, rate=0.0,
                initial_weights=runs.weights, record_every=settle,
            )  # fmt: skip
            settled = np.where(runs.diverged, GUESS, errors(rest, sets))
            found["error_settled"] = settled.astype(np.float32)
    return found | {"both_fitted": found["fitted_plain"] & found["fitted_normalized"]}


def compare(seed, n, *, shape, epochs, arms, examples):
    """How many errors do two networks make that differ in one known way?

    ``arms``: two, each with ``arm``, ``rate``, ``factor`` on the initial kernels and ``start`` (a name; other names
    mean other initial weights and another order of the batches). Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``error_ARM`` (n,) in percent of new signals.
    """
    sets = [draw(seed, row, train=examples) for row in range(n)]
    stack, found = training_only(sets), {}
    for name, one in arms.items():
        net, own = network(shape, one["arm"]), seeds.integer(seed, one["start"])
        drawn = train(own, stack, net, epochs=0, rate=one["rate"]).initial_weights
        start = [w * np.float32(one["factor"]) if w.ndim > 2 else w for w in drawn]
        runs = train(own, stack, net, epochs=epochs, rate=one["rate"], initial_weights=start)
        found[f"error_{name}"] = errors(runs, sets).astype(np.float32)
    return found


# ------------------------------------------------------------------------------------ why: the gradient


def loss_and_gradient(net, weights, stack):
    """Return the training loss (M,) and the gradient of all kernels, with every batch normalized by all examples.

    One full-batch step of SGD with rate 1: the gradient is the weights before minus those after.
    """
    one = fit_many(
        net, stack, members=len(weights[0]), epochs=1, batch_size=stack.n_train, shuffle=False, optimizer="sgd",
        learning_rate=1.0, initial_weights=weights, seed=0,
    )  # fmt: skip
    moved = [a - b for a, b in zip(weights, one.weights, strict=True) if a.ndim == 3]
    return one.history["loss"][:, 0].astype(float), moved


def length(kernels):
    """Return the length of all kernels of each network together, (M,)."""
    return np.sqrt(sum(np.sum(k.astype(float) ** 2, axis=(1, 2)) for k in kernels))


def change_along(net, weights, stack, share):
    """Return the training loss, and how much the gradient changes along one step, in units of its own length, (M,).

    The step goes down the gradient, by ``share`` of the length of all kernels.
    """
    loss, gradient = loss_and_gradient(net, weights, stack)
    size, start = length([w for w in weights if w.ndim == 3]), np.maximum(length(gradient), TINY)
    factor, kernels = (share * size / start)[:, None, None], iter(gradient)
    there = [(w - factor * next(kernels)).astype(w.dtype) if w.ndim == 3 else w for w in weights]
    _, after = loss_and_gradient(net, there, stack)
    change = length([b - a for a, b in zip(gradient, after, strict=True)]) / start
    return loss, np.where(np.isfinite(change), np.maximum(change, TINY), 1.0)


def gradient_change(seed, n, *, shape, epochs, rate, looks, shares, examples):
    """How much does the gradient change along a step of a given relative length, at equal training loss?

    Batch normalization is measured after ``looks`` epochs, the other arms at those of their epochs where their loss
    is nearest to it. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For each arm: ``loss_ARM`` (n,), mean over the looks, and ``changes_ARM`` (n, S): the change at each of
        ``constants["shares"]``, geometric mean over the looks; ``change_ARM`` (n,) at the middle one; ``off_ARM``
        (n,): by how much the arm's loss misses that of the normalized one.
    """
    sets = [draw(seed, row, train=examples, test=0) for row in range(n)]
    stack, found = training_only(sets), {}
    losses, changes = {}, {}
    for arm in ("normalized", "plain", "he"):
        net = network(shape, arm)
        runs = train(seed, stack, net, epochs=epochs, rate=rate, snapshots=tuple(range(1, epochs)))
        every = [weights_at(runs, e) for e in range(1, epochs + 1)]
        if arm == "normalized":
            chosen = [every[look - 1] for look in looks]
        else:
            seen = np.array([_loss(net, weights, stack) for weights in every])  # (E, n)
            chosen = [nearest(every, seen, wanted) for wanted in losses["normalized"]]
        measured = [[change_along(net, w, stack, share) for share in shares] for w in chosen]
        losses[arm] = [of_look[0][0] for of_look in measured]
        changes[arm] = np.exp(np.mean([[np.log(c) for _, c in look] for look in measured], axis=0))
    middle = len(shares) // 2
    for arm in changes:
        off = np.mean(np.array(losses[arm]) - np.array(losses["normalized"]), axis=0)
        found |= {
            f"loss_{arm}": np.mean(losses[arm], axis=0).astype(np.float32),
            f"off_{arm}": off.astype(np.float32),
            f"changes_{arm}": changes[arm].T.astype(np.float32),
            f"change_{arm}": changes[arm][middle].astype(np.float32),
        }
    return found | {"constants": {"shares": np.array(shares, np.float32)}}


def weights_at(runs, epoch):
    """Return the weights of an epoch: the last one, or a snapshot."""
    return runs.weights if epoch == runs.settings["epochs"] else runs.snapshots[epoch]


def _loss(net, weights, stack):
    """Return the cross-entropy on the training examples of networks without batch normalization, (M,)."""
    return crossentropy(predict_many(net, weights, stack.x_train), stack.y_train)


def crossentropy(scores, labels):
    """Return the mean cross-entropy of logits (M, N, C) and labels (M, N), (M,); not finite counts as guessing."""
    scores = scores.astype(float)
    scores -= scores.max(axis=-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    index = np.reshape(labels, scores.shape[:2])[..., None].astype(int)
    loss = -np.take_along_axis(scores, index, axis=-1)[..., 0].mean(axis=1)
    return np.where(np.isfinite(loss), loss, LOSS_OF_GUESS)


def nearest(every, seen, wanted):
    """Return each network's weights at the epoch whose loss (E, n) is nearest to the wanted one (n,)."""
    at = np.argmin(np.abs(seen - wanted), axis=0)
    picked = [[w[m] for w in every[epoch]] for m, epoch in enumerate(at)]
    return [np.stack(parts) for parts in zip(*picked, strict=True)]


# --------------------------------------------------------------------------------------- why: the drift


@np.errstate(over="ignore", invalid="ignore")  # where a network diverged
def moments(weights, x, normalized):
    """Return mean and spread of every hidden unit's output on x (M, N, 40), (layers, 2, M, H), in training mode."""
    hidden, found, pieces = np.asarray(x), [], PIECES if normalized else 2
    for k in range(0, len(weights) - 2, pieces):
        hidden = hidden @ weights[k] + weights[k + 1][:, None]
        if normalized:
            mean, var = hidden.mean(axis=1, keepdims=True), hidden.var(axis=1, keepdims=True)
            gamma, beta = (part[:, None] for part in weights[k + 2 : k + 4])
            hidden = gamma * (hidden - mean) / np.sqrt(var + EPSILON) + beta
        hidden = np.maximum(hidden, 0)
        found.append((hidden.mean(axis=1), hidden.std(axis=1)))
    return np.array(found)


@np.errstate(over="ignore", invalid="ignore")
def drift(path):
    """Return how far the inputs of later layers move from one epoch to the next, (E - 1, M).

    ``path`` (E, layers, 2, M, H), from `moments`: the distance of all units' means and spreads, over the length of
    the spreads before, mean over layers. 1 where a network diverged.
    """
    moved = np.sqrt(np.sum(np.diff(path, axis=0) ** 2, axis=(2, 4)))
    found = np.mean(moved / np.sqrt(np.sum(path[:-1, :, 1] ** 2, axis=3) + TINY), axis=1)
    return np.where(np.isfinite(found), found, 1.0)


def drift_put_back(seed, n, *, shape, epochs, rates, shifts, target, examples, probe):
    """Does batch normalization still speed up training when drift is put back in, more than a plain network has?

    Arms: ``plain``, ``normalized``, ``he``, each at its own rate, and those of ``shifts``: the normalized network, in
    which every unit's shift and scale after batch normalization are moved at every step by random numbers of standard
    deviation ``size`` and half of it, the same for all examples of a batch, and moved back after it. The random
    numbers wander with a memory of ``memory`` steps; with 1 they are new at every step. Replicate: data set and
    initial weights.

    Returns
    -------
    dict
        For each arm: ``epochs_ARM`` (n,) to the target, ``reached_ARM`` (n,) bool, ``drift_ARM`` (n,): mean over the
        epochs; of the first 50 replicates ``losses_ARM`` (50, E) and ``drifts_ARM`` (50, E - 1).
    """
    sets = [draw(seed, row, train=examples, test=0) for row in range(n)]
    stack, found, paths, losses = training_only(sets), {}, {}, {}
    x, every = stack.x_train[:, :probe], range(1, epochs + 1)
    for arm in ARMS:
        net, on = network(shape, arm), arm == "normalized"
        options = {"epochs": epochs, "rate": rates[arm]}
        runs = train(seed, stack, net, snapshots=tuple(every[:-1]), **options)
        paths[arm] = [moments(weights_at(runs, epoch), x, on) for epoch in every]
        losses[arm] = finite(runs.history["loss"])
        for name, shift in shifts.items() if on else ():
            start, own = runs.initial_weights, seeds.integer(seed, name)
            paths[name], losses[name] = shaken(own, stack, net, start, x=x, **shift, **options)
    for arm, path in paths.items():
        took, reached = epochs_to(target, losses[arm])
        drifts = drift(np.array(path)).T
        found |= {
            f"epochs_{arm}": took.astype(np.float32),
            f"reached_{arm}": reached,
            f"drift_{arm}": drifts.mean(axis=1).astype(np.float32),
            f"losses_{arm}": losses[arm][:50].astype(np.float32),
            f"drifts_{arm}": drifts[:50].astype(np.float32),
        }
    return found


def finite(losses):
    """Return losses, those that are not finite as those of guessing."""
    return np.where(np.isfinite(losses), losses, LOSS_OF_GUESS)


def shaken(seed, stack, net, weights, *, epochs, rate, size, memory, x, batch=50):
    """Train step by step, every normalized unit moved at random at each step; return moments and losses by epoch."""
    members, examples = stack.y_train.shape[:2]
    steps = examples // batch
    path, losses = [], []
    spreads = dict.fromkeys(range(2, len(weights) - 2, PIECES), size / 2)  # gammas
    spreads |= dict.fromkeys(range(3, len(weights) - 2, PIECES), size)  # betas
    keeps, moves = 1 - 1 / memory, {}
    generators = [seeds.generator(seed, "shaken", row) for row in range(members)]
    for _ in range(epochs):
        order = np.stack([generator.permutation(examples) for generator in generators])
        for step in range(steps):
            here = order[:, step * batch : (step + 1) * batch]
            one = batch_of(stack, here)
            fresh = {
                k: np.stack([g.normal(0, spread, weights[k].shape[1]) for g in generators])
                for k, spread in spreads.items()
            }
            moves = {
                k: keeps * moves[k] + np.sqrt(1 - keeps**2) * new if moves else new
                for k, new in fresh.items()
            }
            moved = [(w + moves.get(k, 0)).astype(np.float32) for k, w in enumerate(weights)]
            runs = fit_many(
                net, one, members=members, epochs=1, batch_size=batch, optimizer="sgd", learning_rate=rate,
                initial_weights=moved, seed=0, progress=False,
            )  # fmt: skip
            weights = [(w - moves.get(k, 0)).astype(np.float32) for k, w in enumerate(runs.weights)]
            losses.append(runs.history["loss"][:, 0])
        path.append(moments([w + moves.get(k, 0) for k, w in enumerate(weights)], x, True))
    reported = np.array(losses).reshape(epochs, steps, members).mean(axis=1).T
    return path, finite(reported)


def batch_of(stack, rows):
    """Return a stack with the training examples ``rows`` (M, B) of each data set."""
    return data.Dataset.stack(
        [
            data.Dataset(x_train=x[r], y_train=y[r], task=stack.task, num_classes=stack.num_classes, name="batch")
            for x, y, r in zip(stack.x_train, stack.y_train, rows, strict=True)
        ]
    )  # fmt: skip


# ------------------------------------------------------------------------- why: the noise of the batches


def batch_size(seed, n, *, shape, epochs, rate, sizes, target, examples):
    """Does the noise of small batches regularize, and only with batch normalization?

    Each network is judged at the epoch at which its training loss is nearest to ``target``, with recomputed
    statistics; the rate is ``rate`` times the batch size over 40. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For both arms and each size B, (n,): ``error_ARM_B`` in percent, ``gap_ARM_B`` (test minus training
        cross-entropy), ``loss_ARM_B`` (training), and ``matched`` (bool: all six within 15 % of the target);
        ``gain_ARM`` (n,): error with the largest minus error with the smallest batch.
    """
    sets = [draw(seed, row, train=examples) for row in range(n)]
    stack, found, matched = training_only(sets), {}, np.ones(n, bool)
    new = np.stack([s.x_test for s in sets]), np.stack([s.y_test for s in sets])
    for arm in ("plain", "normalized"):
        net, on = network(shape, arm), arm == "normalized"
        for size in sizes:
            runs = train(
                seed,
                stack,
                net,
                epochs=epochs,
                rate=rate * size / 40,
                batch=size,
                snapshots=tuple(range(1, epochs)),
            )
            every = [weights_at(runs, e) for e in range(1, epochs + 1)]
            every = [recomputed(w, stack.x_train) for w in every] if on else every
            seen = np.array([_loss(net, w, stack) for w in every])
            weights = nearest(every, np.log(seen), np.log(target))
            loss = _loss(net, weights, stack)
            scores = predict_many(net, weights, new[0])
            wrong = 100 * np.mean(
                scores.argmax(axis=-1) != np.reshape(new[1], scores.shape[:2]), axis=1
            )
            matched &= np.abs(np.log(loss / target)) <= np.log(MATCHED)
            found |= {
                f"error_{arm}_{size}": wrong.astype(np.float32),
                f"gap_{arm}_{size}": (crossentropy(scores, new[1]) - loss).astype(np.float32),
                f"loss_{arm}_{size}": loss.astype(np.float32),
            }
        found[f"gain_{arm}"] = found[f"error_{arm}_{sizes[-1]}"] - found[f"error_{arm}_{sizes[0]}"]
    return found | {"matched": matched, "constants": {"sizes": np.array(sizes, np.int32)}}

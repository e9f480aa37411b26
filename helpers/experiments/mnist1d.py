"""MNIST-1D: ten classes of short signals, and a network with two hidden layers of 100 that fits all its examples.

The question: which remedy helps where the training error is zero and the error on new signals is not: L2, dropout,
stopping early, more data? Sources: the Keras post [keras-post] and the thread *Why can neural networks generalize at
all?* [generalization-thread]; the data are those of [greydanus2024].

Every example is generated, so no two replicates share one. Errors are in percent, differences of them in percentage
points. *Cross-entropy* is minus the logarithm of the probability that the network gives to the right class, in
prediction mode and without penalties.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many, predict_many

CLASSES = 10
CHANCE = 100 * (1 - 1 / CLASSES)  # error of a guess, %
SHOWN = 50  # replicates whose curves are kept
BLOCK = 50  # replicates trained together: so many snapshots fit into memory
WINDOW = 5  # looks that are averaged
CUT = 0.1  # share of the hidden units that is taken out
PROBE = 200  # training examples by which units are ranked; the others show what their removal costs
SIMILAR = 1.1  # two training losses with a ratio up to this are called similar
RISE = 1.1  # so much above the stop, a loss counts as risen


def draw(seed, row=0, *, train=1000, validation=0, test=1000):
    """Return data set ``row``, all of its examples its own; 1,000 training and 1,000 new examples by default."""
    chosen = seeds.integer(seed, "mnist1d", row)
    return data.mnist1d_fresh(n_train=train, n_val=validation, n_test=test, seed=chosen)


def network(hidden, **options):
    """Return a network with ReLU layers of the given widths and ten logits."""
    return models.mlp((40,), CLASSES, hidden=tuple(hidden), **options)


def train(seed, sets, model, *, epochs, rate, batch=32, snapshots=(), **vary):
    """Train network i on data set i; initial weights and the order of batches depend on the seed alone.

    ``vary`` holds a strength of L2 or a rate of dropout, the same for all.
    """
    options = {name: np.full(len(sets), value) for name, value in vary.items()}
    return fit_many(
        model, data.Dataset.stack(sets), members=len(sets), epochs=epochs, batch_size=batch, learning_rate=rate,
        vary=options, snapshots=snapshots, record_every=epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def score(runs, x, y, epoch=None):
    """Return error in percent and cross-entropy, (2, R); a diverged network guesses."""
    found = runs.evaluate(x, y, epoch=epoch)
    both = np.array([100 * (1 - found["accuracy"].astype(float)), found["crossentropy"]])
    return np.where(runs.diverged, [[CHANCE], [np.log(CLASSES)]], both)


def path(runs, x, y, looks):
    """Return error and cross-entropy at each look, (2, R, E)."""
    return np.stack([score(runs, x, y, int(epoch)) for epoch in looks], axis=2)


def parts(sets):
    """Return stacked training and new examples: x, y, x, y."""
    names = ("x_train", "y_train", "x_test", "y_test")
    return [np.stack([getattr(one, name) for one in sets]) for name in names]


def blocks(work, seed, n):
    """Return what ``work(seed, rows)`` returns for blocks of rows, joined; a row depends on its own block alone."""
    found = []
    for number, first in enumerate(range(0, n, BLOCK)):
        rows = range(first, min(first + BLOCK, n))
        found.append(work(seeds.integer(seed, "block", number), rows))
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def nearest(losses, goal):
    """Return the place along each row of (R, E) losses whose ratio to the goal (R,) is nearest to 1, and that ratio."""
    distance = np.abs(np.log(losses / goal[:, None]))
    place = distance.argmin(axis=1)
    return place, np.exp(np.take_along_axis(distance, place[:, None], axis=1)[:, 0])


def looks_of(epochs):
    """Return the epochs that are looked at: each one at first, then every twentieth of what has passed."""
    marks = [1]
    while marks[-1] < epochs:
        marks.append(min(epochs, marks[-1] + max(1, marks[-1] // 20)))
    return marks


def single(arrays):
    """Return float arrays in single precision."""
    return {
        name: value.astype(np.float32) if value.dtype.kind == "f" else value
        for name, value in arrays.items()
    }


# ------------------------------------------------------------------------------------------- L2


def strengths(seed, n, *, hidden, epochs, rate, strengths, post, sizes):
    """What does L2 of each strength do, and what does it do at the same training loss?

    Replicate: data set and initial weights; networks of all strengths share them and the order of batches. The plain
    network is compared with that of strength ``post`` also at the epoch where its training cross-entropy was nearest
    to what the penalized network ends with.

    Returns
    -------
    dict
        ``training_error, training_loss, validation_error, error, loss`` (n, S) at the S strengths of
        ``constants["strengths"]``: on the training examples, on ``sizes["validation"]`` others, and on new ones.
        ``error_plain, error_post, error_chosen`` (without penalty, of strength ``post``, of the strength with the
        fewest validation errors), ``error_matched`` (plain, at that epoch) (n,); ``similar`` (n,) bool: there the two
        training losses are within a tenth of each other; ``epoch_matched`` (n,).
    """
    looks = looks_of(epochs)

    def work(seed, rows):
        sets = [draw(seed, row, **sizes) for row in rows]
        here = parts(sets)
        aside = [np.stack([getattr(one, name) for one in sets]) for name in ("x_val", "y_val")]
        scores, early = [], None
        for strength in strengths:
            runs = train(
                seed, sets, network(hidden, l2=0.01), epochs=epochs, rate=rate, l2=strength,
                snapshots=() if strength else looks[:-1],
            )  # fmt: skip
            if strength == 0:
                early = path(runs, *here[:2], looks)[1], path(runs, *here[2:], looks)[0]
            pairs = here[:2], aside, here[2:]
            scores.append(np.concatenate([score(runs, *pair) for pair in pairs]))
        return _of_strengths(np.stack(scores, axis=2), *early, looks, strengths, post)

    found = blocks(work, seed, n)
    return single(found) | {"constants": {"strengths": np.array(strengths, np.float32)}}


def _of_strengths(scores, losses, errors, looks, strengths, post):
    """Return the arrays of `strengths` from scores (6, R, S) and the plain network's paths (R, E)."""
    training_error, training_loss, validation_error, _, error, loss = scores
    plain, at = strengths.index(0), strengths.index(post)
    rows = np.arange(len(error))
    place, ratio = nearest(losses, training_loss[:, at])
    return {
        "training_error": training_error, "training_loss": training_loss, "validation_error": validation_error,
        "error": error, "loss": loss, "error_plain": error[:, plain], "error_post": error[:, at],
        "error_chosen": error[rows, validation_error.argmin(axis=1)], "error_matched": errors[rows, place],
        "similar": ratio <= SIMILAR, "epoch_matched": np.array(looks, np.int32)[place],
    }  # fmt: skip


# -------------------------------------------------------------------------------------- dropout


def dropout(seed, n, *, hidden, epochs, rates, share, looks):
    """Does dropout lower the error at the same training loss, and does the network lean less on few units?

    Replicate: data set and initial weights. ``rates``: the learning rate of each arm. The plain network is compared at
    its end, and at the epoch where its training cross-entropy was nearest to what the one with dropout ends with.

    Returns
    -------
    dict
        ``training_loss, error, loss`` (n, E) with the endings ``_plain`` and ``_dropout`` at the E epochs of
        ``constants["epochs"]``. ``error_end_plain, error_end_dropout, error_matched`` (plain, at that epoch) and the
        same of ``loss_end_plain, loss_end_dropout, loss_matched`` (n,); ``similar`` (n,) bool: there the two training
        losses are within a tenth of each other; ``epoch_matched``. ``rise_plain, rise_dropout, rise_matched`` (n,):
        by how many percentage points the training error rises when the most important tenth of the hidden units is
        silenced; ``loss_rise_plain, loss_rise_dropout``: the same of the cross-entropy.
    """
    shown = np.unique(np.geomspace(1, epochs, looks).round().astype(int))
    fine = sorted({*looks_of(epochs), *shown.tolist()})
    models_of = {"plain": network(hidden), "dropout": network(hidden, dropout=share)}

    def work(seed, rows):
        sets = [draw(seed, row) for row in rows]
        here = parts(sets)
        found, paths, runs_of = {}, {}, {}
        for name, model in models_of.items():
            runs = train(seed, sets, model, epochs=epochs, rate=rates[name], snapshots=fine[:-1])
            paths[name] = path(runs, *here[:2], fine)[1], *path(runs, *here[2:], fine)
            kept = [fine.index(epoch) for epoch in shown]
            for quantity, values in zip(
                ("training_loss", "error", "loss"), paths[name], strict=True
            ):
                found[f"{quantity}_{name}"] = values[:, kept]
            found |= {
                f"{q}_end_{name}": v[:, -1] for q, v in zip(("error", "loss"), paths[name][1:])
            }
            runs_of[name] = runs
        place, ratio = nearest(paths["plain"][0], paths["dropout"][0][:, -1])
        at = np.arange(len(sets)), place
        epoch = np.array(fine, np.int32)[place]
        arms = {name: runs.weights for name, runs in runs_of.items()}
        arms["matched"] = runs_of["plain"].weights_at(epoch)
        for name, weights in arms.items():
            both = rises(weights, hidden, *here[:2])
            found |= {f"rise_{name}": both[0], f"loss_rise_{name}": both[1]}
        return found | {
            "error_matched": paths["plain"][1][at], "loss_matched": paths["plain"][2][at],
            "similar": ratio <= SIMILAR, "epoch_matched": epoch,
        }  # fmt: skip

    found = blocks(work, seed, n)
    return single(found) | {"constants": {"epochs": shown.astype(np.int32)}}


def silenced(weights, keep, x, y):
    """Return error in percent and cross-entropy of networks whose units at which keep is 0 are silent, (2, K, R).

    keep is (K, R, H) over the hidden units of both layers.
    """
    times, count = keep.shape[:2]
    w1, b1, w2, b2, w3, b3 = (np.tile(w, (times, *[1] * (w.ndim - 1))) for w in weights)
    on = keep.reshape(times * count, -1, 1).astype(np.float32)
    first = w1.shape[2]
    cut = [w1, b1, w2 * on[:, :first], b2, w3 * on[:, first:], b3]  # what leaves a unit is cut
    model = network([first, w2.shape[2]])
    logits = predict_many(model, cut, np.tile(x, (times, 1, 1))).astype(float)  # (K R, N, C)
    right = np.tile(y, (times, 1))
    shifted = logits - logits.max(axis=2, keepdims=True)
    of_right = np.take_along_axis(shifted, right[..., None], axis=2)[..., 0]
    loss = np.log(np.exp(shifted).sum(axis=2)) - of_right
    error = 100 * (logits.argmax(axis=2) != right)
    return np.stack([error.mean(axis=1), loss.mean(axis=1)]).reshape(2, times, count)


def rises(weights, hidden, x, y):
    """Return by how much training error and cross-entropy rise without the most important units, (2, R).

    A unit's importance is the cross-entropy that its removal alone costs on `PROBE` training examples; the rise is
    measured on the others.
    """
    units, count = sum(hidden), len(weights[0])
    alone = []
    for some in np.array_split(np.eye(units), max(1, units // 10)):  # ten units at a time
        keep = np.repeat(1 - some[:, None], count, axis=1)  # (K, R, H)
        alone.append(silenced(weights, keep, x[:, :PROBE], y[:, :PROBE])[1])
    order = np.argsort(np.concatenate(alone), axis=0)[::-1]  # (H, R), the most important first
    keep = np.ones((2, count, units))
    np.put_along_axis(keep[1], order[: round(CUT * units)].T, 0, axis=1)
    whole, cut = np.moveaxis(silenced(weights, keep, x[:, PROBE:], y[:, PROBE:]), 1, 0)
    return cut - whole


# ------------------------------------------------------------------------------------- stopping


def stopping(seed, n, *, hidden, epochs, rate, every, noise, sizes):
    """What does training on cost after the best moment to stop, in cross-entropy and in errors?

    Looks every few epochs; their cross-entropies are averaged over five looks in a row. The stop is the middle of the
    lowest average on one half of the new examples. Stop and end are compared on the other half. Replicate: data set
    and initial weights.

    ``noise`` is the share of training labels that are replaced by other ones; 1 stands for labels, of new examples
    too, that have nothing to do with the signals.

    Returns
    -------
    dict
        All on the second half: ``loss_stop, loss_end`` (averages), ``error_stop, error_end`` (at the stop, and at the
        last epoch), ``error_early`` (at the first look: much too early), ``error_gain`` (the end's error minus that at
        the middle of the average with the fewest errors on the first half: what stopping could gain at best) (n,);
        ``rises`` (n,) bool: the end's cross-entropy is at least 1.1 times the stop's. ``epoch_stop``,
        ``training_error_end`` (n,). For pictures, of the first 50: ``training_loss, loss, error`` (50, E) at the E
        epochs of ``constants["epochs"]``.
    """
    looks = list(range(every, epochs + 1, every))

    def work(seed, rows):
        sets = [with_noise(seed, row, draw(seed, row, **sizes), noise) for row in rows]
        runs = train(seed, sets, network(hidden), epochs=epochs, rate=rate, snapshots=looks[:-1])
        x, y, new, labels = parts(sets)
        half = new.shape[1] // 2
        first = averaged(path(runs, new[:, :half], labels[:, :half], looks))
        error, loss = path(runs, new[:, half:], labels[:, half:], looks)
        at, means = np.arange(len(sets)), averaged(loss)
        stop, best = first[1].argmin(axis=1), first[0].argmin(axis=1)
        middle = WINDOW // 2
        return {
            "training_loss": path(runs, x, y, looks)[1], "loss": loss, "error": error,
            "loss_stop": means[at, stop], "loss_end": means[:, -1], "rises": means[:, -1] >= RISE * means[at, stop],
            "error_stop": error[at, stop + middle], "error_end": error[:, -1], "error_early": error[:, 0],
            "error_gain": error[:, -1] - error[at, best + middle],
            "epoch_stop": np.array(looks, np.int32)[stop + middle], "training_error_end": score(runs, x, y)[0],
        }  # fmt: skip

    found = blocks(work, seed, n)
    for name in ("training_loss", "loss", "error"):
        found[name] = found[name][:SHOWN]
    return single(found) | {"constants": {"epochs": np.array(looks, np.int32)}}


def averaged(values):
    """Return means over five looks in a row of (..., E) values: (..., E - 4)."""
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW, axis=-1)
    return windows.mean(axis=-1)


def with_noise(seed, row, one, share):
    """Return a data set with a share of other training labels; at 1 all labels are drawn anew, of new examples too."""
    chosen = seeds.integer(seed, "labels", row)
    if share < 1:
        return data.with_label_noise(one, share, chosen, other=True)[0] if share else one
    rng = seeds.generator(chosen, "random")
    return data.Dataset(
        x_train=one.x_train, y_train=rng.integers(0, CLASSES, len(one.y_train)), x_test=one.x_test,
        y_test=rng.integers(0, CLASSES, len(one.y_test)), task=one.task, name=one.name, num_classes=CLASSES,
    )  # fmt: skip


# ------------------------------------------------------------------------------------ more data


def more_data(seed, n, *, hidden, sizes, epochs, rate, strengths, validation):
    """What do ten times as many examples do, and what does L2 still gain then?

    The strength is the one with the fewest errors on ``validation`` other examples, no penalty included. Replicate:
    data sets and initial weights, for each number of examples its own data.

    Returns
    -------
    dict
        ``training, error, gap`` (of the plain network, in percent and percentage points), ``l2_error, l2_gain`` (with
        the strength chosen, and by how much it is better) (n,) and ``errors`` (n, S) at the S strengths of
        ``constants["strengths"]``, each with the endings ``_few`` and ``_many``.
    """

    def work(seed, rows):
        found = {}
        for name, size, times in zip(("few", "many"), sizes, epochs, strict=True):
            here = seeds.integer(seed, name)
            sets = [draw(here, row, train=size, validation=validation, test=2000) for row in rows]
            x, y, new, labels = parts(sets)
            aside = [np.stack([getattr(one, part) for one in sets]) for part in ("x_val", "y_val")]
            errors, watched = [], []
            for l2 in strengths:
                runs = train(here, sets, network(hidden, l2=0.01), epochs=times, rate=rate, l2=l2)
                errors.append(score(runs, new, labels)[0])
                watched.append(score(runs, *aside)[0])
                if l2 == 0:
                    plain, fitted = errors[-1], score(runs, x, y)[0]
            errors = np.stack(errors, axis=1)  # (R, S)
            chosen = errors[np.arange(len(sets)), np.argmin(watched, axis=0)]
            found |= {
                f"training_{name}": fitted, f"error_{name}": plain, f"gap_{name}": plain - fitted,
                f"errors_{name}": errors, f"l2_error_{name}": chosen, f"l2_gain_{name}": plain - chosen,
            }  # fmt: skip
        return found

    found = single(blocks(work, seed, n))
    return found | {"constants": {"strengths": np.array(strengths, np.float32)}}

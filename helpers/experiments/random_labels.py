"""Wrong labels on MNIST digits and MNIST-1D signals: what does a network learn first, and how long does nonsense take?

The question of the thread *Why can neural networks generalize at all?* [generalization-thread], with the two papers
that put it to the test: Zhang et al. [zhang2017] and Arpit et al. [arpit2017]. Digits are MNIST's, of 28 x 28 pixels,
drawn anew for each replicate from a pool of 5,000; small digits have 8 x 8 pixels, from a pool of 1,797 (what is found
holds given these pools); signals [greydanus2024] are generated, so that no two replicates share one.

Labels are *wrong* (always another class), *redrawn* (from all ten classes, so that a tenth of them stays right) or
follow a *rule* (two classes change their names, so that as many labels are wrong, and all in the same way). Shares,
accuracies and errors are in percent.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.spatial.distance

from helpers import data, models
from helpers._base import checks, seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many

CLASSES = 10
CHANCE = 100 / CLASSES  # percent right, of a guess
SHOWN = 50  # replicates whose curves are kept
BLOCK = 20  # replicates trained together: so many snapshots fit into memory
SWAPPED = (0, 1)  # the two classes that change their names under the rule: a fifth of all labels
HOW = ("wrong", "redrawn", "rule")
SHAPES = {"digits": (28, 28), "signals": (40,), "small_digits": (64,)}  # of an example, by task


def draw(seed, row, *, task, train, new):
    """Return data set ``row`` with its true labels; as many examples for validation as for the test, ``new`` each."""
    checks.one_of("task", task, tuple(SHAPES))
    chosen = seeds.integer(seed, task, row)
    if task == "signals":
        return data.mnist1d_fresh(n_train=train, n_val=new, n_test=new, seed=chosen)
    load = data.mnist_small if task == "digits" else data.digits
    both = load(n_train=train + new, n_test=new, seed=chosen)
    return data.split(both, val=new, seed=chosen)


def relabelled(one, seed, row, *, share, how):
    """Return a data set with other training labels, and which of them are wrong now, (N,) bool."""
    checks.one_of("how", how, HOW)
    if how == "rule":
        names = np.arange(CLASSES)
        names[list(SWAPPED)] = SWAPPED[::-1]
        new = dataclasses.replace(one, y_train=names[one.y_train], y_val=names[one.y_val])
    else:
        noise = seeds.integer(seed, "labels", row)
        new, _ = data.with_label_noise(one, share, seed=noise, other=how == "wrong")
    return new, new.y_train != one.y_train


def network(task, hidden, **options):
    """Return a network with ReLU layers of the given widths and ten logits."""
    return models.mlp(SHAPES[task], CLASSES, hidden=tuple(hidden), **options)


def looks_of(epochs, steps=10):
    """Return the epochs that are looked at: each one at first, then every so-manieth part of what has passed."""
    marks = [1]
    while marks[-1] < epochs:
        marks.append(min(epochs, marks[-1] + max(1, marks[-1] // steps)))
    return marks


def answers(runs, x, epoch=None):
    """Return the class that every network gives to x (M, N, ...), (M, N) int8; a diverged one says 0."""
    found = runs.predict(x, epoch=epoch).argmax(axis=-1).astype(np.int8)
    return np.where(runs.diverged[:, None], np.int8(0), found)


def stacked(sets, name):
    """Return one array of all data sets, (M, ...)."""
    return np.stack([getattr(one, name) for one in sets])


def percent(hits, where=None):
    """Return the percentage of hits (..., M, N) along the last axis, among ``where`` (M, N) if given; float64."""
    if where is None:
        return 100 * hits.mean(axis=-1, dtype=np.float64)
    return 100 * (hits & where).sum(axis=-1) / np.maximum(where.sum(axis=-1), 1)


def single(arrays):
    """Return float arrays in single precision, paths in half: they are drawn only."""
    kinds = {name: np.float16 if name.endswith("_path") else np.float32 for name in arrays}
    return {k: v.astype(kinds[k]) if v.dtype.kind == "f" else v for k, v in arrays.items()}


def blocks(work, seed, n):
    """Return what ``work(seed, rows)`` returns for blocks of rows, joined; a row depends on its own block alone."""
    found = []
    for number, first in enumerate(range(0, n, BLOCK)):
        rows = range(first, min(first + BLOCK, n))
        found.append(work(seeds.integer(seed, "block", number), rows))
    joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    return {name: v[:SHOWN] if name.endswith("_path") else v for name, v in joined.items()}


def training_only(sets):
    """Return the stack of data sets without validation and test parts, which training need not carry along."""
    nothing = {"x_val": None, "y_val": None, "x_test": None, "y_test": None}
    return data.Dataset.stack([dataclasses.replace(one, **nothing) for one in sets])


# ------------------------------------------------------------------------------- by heart, and how long


def learn_by_heart(seed, sets, *, task, hidden, epochs, rate, batch, snapshots=()):
    """Train until no training label is missed, as Keras's early stopping does on the training examples themselves.

    Returns
    -------
    runs, epochs, fitted
        With the weights of the first epoch at whose end all labels are given; that epoch (M,), the last one where that
        does not happen; whether it happens (M,).
    """
    own = [
        dataclasses.replace(one, x_val=one.x_train, y_val=one.y_train, x_test=None, y_test=None)
        for one in sets
    ]
    stop = keras.callbacks.EarlyStopping(
        "val_accuracy", mode="max", patience=PATIENCE, restore_best_weights=True
    )
    runs = fit_many(
        network(task, hidden), data.Dataset.stack(own), members=len(sets), epochs=epochs, batch_size=batch,
        learning_rate=rate, early_stopping=stop, snapshots=snapshots, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    reached = runs.history["val_accuracy"] >= 1.0  # NaN after the stop
    fitted = reached.any(axis=1) & ~runs.diverged
    took = np.where(fitted, reached.argmax(axis=1) + 1, epochs)
    return runs, took.astype(np.int32), fitted


PATIENCE = 40  # epochs without a better training accuracy


def error_on(runs, sets, part="test", epoch=None):
    """Return the errors on a part of the data sets, in percent, (M,)."""
    said = answers(runs, stacked(sets, f"x_{part}"), epoch)
    return 100 - percent(said == stacked(sets, f"y_{part}"))


def dose(seed, n, *, task, sizes, hidden, epochs, rate, batch, shares):
    """How do the errors on new examples and the epochs needed grow with the share of redrawn training labels?

    Each network is trained until it gives every training example its label. Redrawn labels of a smaller share are among
    those of a larger one, with the same values. Replicate: data set, labels and initial weights.

    Returns
    -------
    dict
        ``error, early, copied, epochs, fitted`` (n, S) at the S shares of ``constants["shares"]``: errors on new
        examples then, and at the look with the best validation accuracy; those of copying the label of the nearest
        training example; epochs needed; whether all labels were learned. ``largest_step, largest_step_early,
        largest_step_copied`` (n,): the largest part of the rise from the first to the last share that comes between two
        neighbouring shares. ``error_random`` (n,): with all labels redrawn; ``all_fitted`` (n,) bool. ``epochs_true,
        epochs_random, fitted_true, fitted_random`` (n,): with no label redrawn, and with all; ``factor``: the one
        number of epochs over the other.
    """
    looks = looks_of(epochs, 4)

    def work(seed, rows):
        sets, columns = [draw(seed, row, task=task, **sizes) for row in rows], []
        for share in shares:
            new = [
                relabelled(one, seed, row, share=share, how="redrawn")[0]
                for one, row in zip(sets, rows, strict=True)
            ]
            runs, took, fitted = learn_by_heart(
                seed,
                new,
                task=task,
                hidden=hidden,
                epochs=epochs,
                rate=rate,
                batch=batch,
                snapshots=looks,
            )
            aside = np.array([error_on(runs, sets, "val", look) for look in looks])
            later = np.array(looks)[:, None] > took
            best = np.array(looks)[np.where(later, np.inf, aside).argmin(axis=0)]
            early = np.array([error_on(runs, sets, "test", look) for look in np.unique(best)])
            early = early[np.searchsorted(np.unique(best), best), np.arange(len(sets))]
            copied = np.stack([nearest_error(one) for one in zip(sets, new, strict=True)])
            columns.append((error_on(runs, sets), early, copied, took, fitted))
        names = ("error", "early", "copied", "epochs", "fitted")
        return {
            name: np.stack(parts, axis=1)
            for name, parts in zip(names, zip(*columns, strict=True), strict=True)
        }

    found = blocks(work, seed, n)
    ends = {
        f"{name}_{end}": found[name][:, at]
        for name in ("epochs", "fitted") for end, at in (("true", 0), ("random", -1))
    }  # fmt: skip
    steps = {
        f"largest_step{ending}": largest_step(found[name])
        for ending, name in (("", "error"), ("_early", "early"), ("_copied", "copied"))
    }
    constants = {"shares": np.array(shares, np.float32)}
    ends["factor"] = ends["epochs_random"] / ends["epochs_true"]
    ends |= {"error_random": found["error"][:, -1], "all_fitted": found["fitted"].all(axis=1)}
    return single(found | ends | steps) | {"constants": constants}


def nearest_error(pair):
    """Return the error in percent of copying the label of the nearest training example; ``pair``: true, relabelled."""
    true, new = pair
    x, at = (part.reshape(len(part), -1) for part in (true.x_test, true.x_train))
    place = scipy.spatial.distance.cdist(x, at).argmin(axis=1)
    return 100 * np.mean(new.y_train[place] != true.y_test)


def largest_step(errors):
    """Return the largest step between neighbours of (n, S), as a part of the whole rise; 1 where nothing rises."""
    rise = errors[:, -1] - errors[:, 0]
    return np.where(
        rise > 0, np.diff(errors, axis=1).max(axis=1) / np.where(rise > 0, rise, 1), 1.0
    )


def noise_inputs(one, seed, row):
    """Return a data set with normal random numbers in the place of every training and test input."""
    generator = seeds.generator(seed, "inputs", row)
    parts = {
        name: generator.standard_normal(getattr(one, name).shape) for name in ("x_train", "x_test")
    }
    return dataclasses.replace(
        one, **{name: part.astype(np.float32) for name, part in parts.items()}
    )


def by_heart(seed, n, *, task, sizes, hidden, epochs, rate, batch, arms):
    """Can the network learn random labels by heart, how long does it take, and what does it know about new examples?

    Arms: ``first`` and ``again`` are two draws of random labels for the same examples, initial weights and order of
    batches; in ``noise`` the inputs are normal random numbers, and the labels those of ``first``. Replicate: data set,
    labels and initial weights.

    Returns
    -------
    dict
        For each arm, (n,): ``fitted_ARM`` bool, ``epochs_ARM``, ``error_ARM`` on new examples, percent.
    """

    def work(seed, rows):
        found = {}
        for arm in arms:
            sets = [draw(seed, row, task=task, **sizes) for row in rows]
            if arm == "noise":
                sets = [noise_inputs(one, seed, row) for one, row in zip(sets, rows, strict=True)]
            own = seeds.integer(seed, "again" if arm == "again" else "first")
            new = [
                relabelled(one, own, row, share=1.0, how="redrawn")[0]
                for one, row in zip(sets, rows, strict=True)
            ]
            runs, took, fitted = learn_by_heart(
                seed, new, task=task, hidden=hidden, epochs=epochs, rate=rate, batch=batch
            )
            found |= {
                f"fitted_{arm}": fitted,
                f"epochs_{arm}": took,
                f"error_{arm}": error_on(runs, sets),
            }
        return found

    return single(blocks(work, seed, n))

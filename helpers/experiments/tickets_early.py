"""MNIST-1D: ticket and rivals where training is stopped early, and how fast each learns.

The words are those of `helpers.experiments.tickets`, which compares accuracies after the last epoch. Frankle and Carbin
[frankle2019] compare them where the validation loss is lowest, and so does this. The search is that of the ladder.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many
from helpers.experiments import tickets


def early(seed, n, *, sizes, hidden, rates, rounds, kinds, search, level, epochs, batch):
    """Is the ticket as good as the dense network where each has its lowest validation loss, and does it learn faster?

    ``search``: ``rate`` and ``epochs`` of each round. Each arm is trained at every rate, its weights are those of its
    lowest validation loss, and a trial chooses the rate that is best on its validation signals there. Times are at the
    rate of the search, one of ``rates``. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For dense and each arm of ``kinds``, (n,): ``accuracy_ARM, errors_ARM`` (percent of new signals), ``rate_ARM``;
        ``stop_ARM`` (steps to the lowest validation loss) and ``reach_ARM`` (steps until ``level`` of the validation
        signals are right, between epochs linear); ``sweep_ARM`` (n, K). ``reached`` bool: all arms get so far;
        ``seen`` bool: no arm's lowest loss is in the last epoch. ``first``: the steps of one epoch. ``constants``:
        ``rates``.
    """
    net = tickets.network(hidden)
    sets, start = tickets.stack(seed, n, **sizes), tickets.begin(seed, n, net)
    new = tickets.begin(seeds.integer(seed, "new", 0), n, net)
    masks, _ = tickets.search(seed, sets, net, start, rounds=rounds, batch=batch, **search)
    given = {"dense": (start, None), **tickets.arms(seed, start, new, masks[-1], kinds)}
    steps = int(np.ceil(sets.x_train.shape[1] / batch))
    at, found, last, reached = list(rates).index(search["rate"]), {}, [], []
    for arm, (weights, mask) in given.items():
        tries = [
            stopped(seed, sets, net, weights, mask, rate=rate, epochs=epochs, batch=batch)
            for rate in rates
        ]
        held, tested = (np.stack([one[k] for one in tries], axis=1) for k in ("held", "tested"))
        accuracy, rate = tickets.chosen(held, tested, rates)
        own = tries[at]
        far, there = reach(own["path"], level)
        last.append(own["lowest"] == epochs - 1)
        reached.append(there)
        found |= {
            f"accuracy_{arm}": accuracy.astype(np.float32),
            f"errors_{arm}": (100 - accuracy).astype(np.float32),
            f"rate_{arm}": rate.astype(np.float32),
            f"stop_{arm}": (steps * (own["lowest"] + 1)).astype(np.float32),
            f"reach_{arm}": (steps * far).astype(np.float32),
            f"sweep_{arm}": tested.astype(np.float16),
        }
    return found | {
        "seen": ~np.any(last, axis=0),
        "reached": np.all(reached, axis=0),
        "first": np.full(n, steps, np.float32),
        "constants": {"rates": np.array(rates, np.float32)},
    }


def stopped(seed, sets, net, start, masks, *, rate, epochs, batch):
    """Train one arm at one rate and go back to its lowest validation loss.

    Returns
    -------
    dict
        (n,): ``held, tested`` (accuracy there, of validation signals and, in percent, of new ones; 0 and that of a
        guess where it diverged), ``lowest`` (its epoch, from 0); ``path`` (n, epochs): validation accuracy.
    """
    runs = fit_many(
        net, sets, members=len(sets.x_train), epochs=epochs, batch_size=batch, optimizer="adam", learning_rate=rate,
        initial_weights=start, masks=masks, seed=seeds.integer(seed, "fit"),
        early_stopping=keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True),
    )  # fmt: skip
    path = np.nan_to_num(runs.history["val_accuracy"])
    lowest = np.nan_to_num(runs.history["val_loss"], nan=np.inf).argmin(axis=1)
    held = path[np.arange(len(path)), lowest]
    return {
        "held": np.where(runs.diverged, 0.0, held),
        "tested": tickets.right(runs, sets),
        "lowest": lowest,
        "path": path,
    }


def reach(path, level):
    """Return after how many epochs each path (n, E) first gets to a level, between epochs linear, and whether it does.

    A path begins at 0 before the first epoch; one that never gets there counts as E.

    Returns
    -------
    far : numpy.ndarray (n,)
    there : numpy.ndarray (n,) of bool
    """
    path = np.pad(np.asarray(path, float), ((0, 0), (1, 0)))
    above = path >= level
    there = above.any(axis=1)
    after = np.where(there, above.argmax(axis=1), path.shape[1] - 1)
    rows = np.arange(len(path))
    low, high = path[rows, after - 1], path[rows, after]
    part = np.where(there, (level - low) / np.where(high > low, high - low, 1.0), 1.0)
    return after - 1 + part, there

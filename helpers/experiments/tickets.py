"""MNIST-1D: does a large network contain a small one that wins, and which part of it wins?

Sources: Frankle and Carbin [frankle2019] (the ticket), Zhou et al. [zhou2019] (signs), Liu et al. [liu2019] (learning
rates). The data are those of Greydanus and Kobak [greydanus2024], generated anew for each trial.

A *search* trains a network, removes the smallest weights of each layer, puts the rest back to their initial values, and
begins again. What is left, mask and initial values, is a *ticket*. Its rivals keep a part of it:

- ``dense``: the whole network, which the search began with;
- ``redrawn``: the ticket's mask, new initial values;
- ``signs``: the mask and the signs, new magnitudes; ``constant``: one magnitude for each layer;
- ``random``: the initial values, a random mask with as many weights in each layer;
- ``small``: a small dense network with as many weights;
- ``untrained``: the ticket, never trained.

Every rival is trained at each rate of one grid and keeps the rate that is best on its trial's validation signals. All
of a trial share its data and the order of its batches. Accuracies are in percent of new signals, after the last step.

Axes in comments: n trials, K rates, R rounds.
"""

from __future__ import annotations

import functools

import numpy as np

from helpers import data, models, pruning
from helpers._base import seeds
from helpers.data import Dataset
from helpers.engine import draws, fit_many, predict_many
from helpers.engine.recipe import recipe_of

CLASSES, INPUTS = 10, 40
GUESS = 10.0  # accuracy of a diverged network, in percent
WIDEST = 400  # of a small dense network


def draw(seed, row=0, *, train=2000, validation=1000, test=4000):
    """Return the signals of trial ``row``, all of them generated for it."""
    own = seeds.integer(seed, "signals", row)
    return data.mnist1d_fresh(n_train=train, n_val=validation, n_test=test, seed=own)


def stack(seed, n, **sizes):
    """Return the data of n trials, stacked."""
    return Dataset.stack([draw(seed, row, **sizes) for row in range(n)])


def network(hidden=(100, 100)):
    """Return a function that builds one network; 100 and 100 units are 15,210 parameters."""
    return functools.partial(models.mlp, (INPUTS,), CLASSES, hidden=tuple(hidden))


def begin(seed, n, net):
    """Return n networks' initial weights, (n, ...) each."""
    return draws.draw(recipe_of(net), n, seeds.integer(seed, "start"))


def train(seed, sets, net, start, masks=None, *, rate, epochs, batch=100, each=False):
    """Train network i on data set i; ``each`` records every epoch and not the last one only."""
    return fit_many(
        net, sets, members=len(sets.x_train), epochs=epochs, batch_size=batch, optimizer="adam", learning_rate=rate,
        initial_weights=start, masks=masks, record_every=1 if each else epochs, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip


def right(runs, sets):
    """Return each network's accuracy on its new signals in percent, (n,); a diverged one guesses."""
    scores = 100 * runs.evaluate(sets.x_test, sets.y_test)["accuracy"]
    return np.where(runs.diverged, GUESS, scores)


def chosen(held, tested, rates):
    """Return what a trial gets that chooses its rate on validation signals.

    ``held, tested``: (n, K) accuracies at each rate. Of rates that tie the mean counts, and the lowest is named.

    Returns
    -------
    accuracy, rate : numpy.ndarray (n,)
    """
    held = np.asarray(held, float)
    best = held >= held.max(axis=1, keepdims=True) - 1e-9
    accuracy = np.where(best, tested, 0.0).sum(axis=1) / best.sum(axis=1)
    return accuracy, np.asarray(rates, float)[best.argmax(axis=1)]


def compete(seed, sets, net, start, masks=None, *, rates, **how):
    """Train one arm at each rate and let each trial choose on its validation signals.

    Returns
    -------
    dict
        ``accuracy, rate`` (n,), ``sweep`` (n, K): accuracy on new signals at each rate. ``lowest`` (n, K): the record
        of the lowest validation loss at each, from 0.
    """
    held, tested, lowest = [], [], []
    for rate in rates:
        runs = train(seed, sets, net, start, masks, rate=rate, **how)
        held.append(np.where(runs.diverged, 0.0, runs.history["val_accuracy"][:, -1]))
        tested.append(right(runs, sets))
        lowest.append(np.nan_to_num(runs.history["val_loss"], nan=np.inf).argmin(axis=1))
    held, tested = np.stack(held, axis=1), np.stack(tested, axis=1)  # (n, K)
    accuracy, rate = chosen(held, tested, rates)
    return {"accuracy": accuracy, "rate": rate, "sweep": tested, "lowest": np.stack(lowest, axis=1)}


def stored(found, kind=np.float32):
    """Return what is kept of arms that have competed.

    ``found``: what `compete` returns, by arm. ``kind``: type of the sweeps.

    Returns
    -------
    dict
        ``accuracy_ARM, errors_ARM, rate_ARM`` (n,), ``sweep_ARM`` (n, K), one arm after the other.
    """
    kept = {}
    for arm, one in found.items():
        kept |= {
            f"accuracy_{arm}": one["accuracy"].astype(np.float32),
            f"errors_{arm}": (100 - one["accuracy"]).astype(np.float32),
            f"rate_{arm}": one["rate"].astype(np.float32),
            f"sweep_{arm}": one["sweep"].astype(kind),
        }
    return kept


def search(seed, sets, net, start, *, rate, rounds, share=pruning.SHARE, **how):
    """Return masks from dense to the last round, (R + 1) lists, and the trained networks of each round.

    ``rate``: one, or one for each trial, (n,).
    """
    masks, trained = [pruning.dense_masks(start)], []
    for _ in range(rounds):
        runs = train(seed, sets, net, start, masks[-1], rate=rate, **how)  # train what is left
        trained.append(usable(runs, start))
        masks.append(pruning.prune_by_magnitude(trained[-1], masks[-1], share, share / 2))  # prune
    return masks, trained  # rewind: the next round begins with ``start`` again


def usable(runs, start):
    """Return trained weights, with the initial ones in place of a diverged network's."""
    lost = runs.diverged
    return [
        np.where(lost.reshape(-1, *[1] * (w.ndim - 1)), s, w)
        for w, s in zip(runs.weights, start, strict=True)
    ]


def small_width(count):
    """Return the width h of a dense network 40-h-h-10 whose number of weights is nearest to ``count``."""
    widths = np.arange(1, WIDEST + 1)
    sizes = widths**2 + (INPUTS + CLASSES) * widths
    return int(widths[np.argmin(np.abs(sizes - count))])


def arms(seed, start, new, masks, kinds):
    """Return initial weights and masks of the rivals of a ticket: a dict from each of ``kinds`` to (start, masks).

    ``start`` is what the search began with, ``new`` another draw of it.
    """
    made = {
        "ticket": lambda: (start, masks),
        "redrawn": lambda: (new, masks),
        "signs": lambda: (pruning.keep_signs(new, start), masks),
        "constant": lambda: (pruning.constant_values(start), masks),
        "random": lambda: (start, pruning.random_masks(masks, seeds.integer(seed, "mask"))),
    }
    return {kind: made[kind]() for kind in kinds}


def ladder(seed, n, *, sizes, hidden, rates, rounds, redraws, epochs, batch):
    """Which part of a ticket wins, after so many rounds?

    Replicate: data set and initial weights. The search runs at the rate that the dense network chooses. Of the arms
    with new values, ``redrawn`` and ``signs``, a trial's accuracy is the mean over ``redraws`` draws.

    Returns
    -------
    dict
        For each arm ``accuracy_ARM, rate_ARM`` (n,) (the rate of the first draw) and ``sweep_ARM`` (n, K).
        ``accuracy_untrained``, ``errors_ARM`` (n,): 100 less the accuracy. ``redrawn_one, redrawn_two`` (n,): the first
        two draws. The ticket's leads (n,): ``lead`` over redrawn, ``lead_low`` where both train at the lowest rate,
        ``lead_signs`` over signs. `stops` and `survivors` say what else there is. ``constants``: ``rates``, ``left``
        (share of weights), ``small`` (width).
    """
    net, how = network(hidden), {"epochs": epochs, "batch": batch}
    sets, start = stack(seed, n, **sizes), begin(seed, n, network(hidden))
    news = [begin(seeds.integer(seed, "new", k), n, net) for k in range(redraws)]
    found = {"dense": compete(seed, sets, net, start, rates=rates, each=True, **how)}
    at = found["dense"]["rate"]
    masks, trained = search(seed, sets, net, start, rate=at, rounds=rounds, **how)
    last = masks[-1]
    for kind, given in arms(seed, start, news[0], last, ("ticket", "constant", "random")).items():
        each = kind == "ticket"
        found[kind] = compete(seed, sets, net, *given, rates=rates, each=each, **how)
    for kind in ("redrawn", "signs"):
        each = [arms(seed, start, new, last, (kind,))[kind] for new in news]
        each = [compete(seed, sets, net, *given, rates=rates, **how) for given in each]
        found[kind] = {"rate": each[0]["rate"]}
        for name in ("accuracy", "sweep"):
            found[kind][name] = sum(one[name] for one in each) / redraws
        if kind == "redrawn":
            pair = [one["accuracy"].astype(np.float32) for one in each]
    left = int(pruning.layer_counts(last)[0].sum())
    width = small_width(left)
    tiny = network((width, width))
    found["small"] = compete(seed, sets, tiny, begin(seed, n, tiny), rates=rates, **how)

    result = {"redrawn_one": pair[0], "redrawn_two": pair[-1]} | stored(found, np.float16)
    ticket = found["ticket"]
    low = ticket["sweep"][:, 0] - found["redrawn"]["sweep"][:, 0]
    result |= {
        "lead": (ticket["accuracy"] - found["redrawn"]["accuracy"]).astype(np.float32),
        "lead_low": low.astype(np.float32),
        "lead_signs": (ticket["accuracy"] - found["signs"]["accuracy"]).astype(np.float32),
    }
    scores = predict_many(net, pruning.apply(start, last), sets.x_test).argmax(axis=-1)
    hits = np.mean(scores == sets.y_test.reshape(scores.shape), axis=1)
    result["accuracy_untrained"] = (100 * hits).astype(np.float32)
    steps = int(np.ceil(sets.x_train.shape[1] / batch))
    result |= stops(found["dense"], ticket, at, rates=rates, epochs=epochs, steps=steps)
    result |= survivors(start[0], trained[-1][0], last[0])
    constants = {
        "rates": np.array(rates, np.float32),
        "left": pruning.share_remaining(last)[:1].astype(np.float32),
        "small": np.array([width], np.int32),
    }
    return result | {"constants": constants}


def stops(dense, ticket, at, *, rates, epochs, steps):
    """Return where the validation loss of the dense network and of the ticket is lowest, at one rate.

    Parameters
    ----------
    dense, ticket : dict
        Of `compete`, trained with ``each=True``.
    at : array_like (n,)
        Which rate counts in each trial, one of ``rates``.
    epochs, steps : int
        Of a training, and steps of an epoch.

    Returns
    -------
    dict
        (n,) each: ``stop_dense, stop_ticket`` in steps; ``first``: the steps of one epoch, the least there can be;
        ``seen`` bool: neither is the last epoch, after which it might have fallen further.
    """
    column = np.searchsorted(np.asarray(rates, float), at)  # rates ascend
    rows = np.arange(len(column))
    last = {
        kind: one["lowest"][rows, column] for kind, one in (("dense", dense), ("ticket", ticket))
    }
    found = {
        f"stop_{kind}": (steps * (epoch + 1)).astype(np.float32) for kind, epoch in last.items()
    }
    found["first"] = np.full(len(rows), steps, np.float32)
    found["seen"] = (last["dense"] < epochs - 1) & (last["ticket"] < epochs - 1)
    return found


def survivors(first, last, mask):
    """Return what the surviving weights of a layer have in common.

    ``first, last`` (n, D, H): initial weights and those that made ``mask``.

    Returns
    -------
    dict
        (n,) each: ``larger``, their mean initial magnitude over that of all; ``flipped``, the share whose sign had
        changed when the mask was made.
    """
    larger, flipped = [], []
    for one, other, kept in zip(first, last, mask == 1, strict=True):
        larger.append(np.abs(one[kept]).mean() / np.abs(one).mean())
        flipped.append(np.mean(np.sign(one[kept]) != np.sign(other[kept])))
    return {"larger": np.float32(larger), "flipped": np.float32(flipped)}


def levels(seed, n, *, sizes, hidden, rates, marks, kinds, epochs, batch):
    """How do ticket and rivals fare as more and more weights go?

    Replicate: data set and initial weights, as in `ladder`, with one draw of new values.

    Returns
    -------
    dict
        ``accuracy_dense`` (n,), and for each arm of ``kinds`` and each round of ``marks`` ``accuracy_ARM_ROUND`` (n,).
        ``constants``: ``marks``, ``left`` (share of weights at each).
    """
    net, how = network(hidden), {"epochs": epochs, "batch": batch}
    sets, start = stack(seed, n, **sizes), begin(seed, n, network(hidden))
    new = begin(seeds.integer(seed, "new", 0), n, net)
    dense = compete(seed, sets, net, start, rates=rates, **how)
    masks, _ = search(seed, sets, net, start, rate=dense["rate"], rounds=max(marks), **how)
    found = {"accuracy_dense": dense["accuracy"].astype(np.float32)}
    for mark in marks:
        for kind, given in arms(seed, start, new, masks[mark], kinds).items():
            one = compete(seed, sets, net, *given, rates=rates, **how)
            found[f"accuracy_{kind}_{mark}"] = one["accuracy"].astype(np.float32)
    left = [pruning.share_remaining(masks[mark])[0] for mark in marks]
    constants = {"marks": np.array(marks, np.int32), "left": np.array(left, np.float32)}
    return found | {"constants": constants}


def search_rates(seed, n, *, sizes, hidden, rates, searches, rounds, epochs, batch):
    """How much of the ticket's lead over its mask with new values hangs on the learning rate of the search?

    Replicate: data set and initial weights. Ticket and rival choose their own rates, whatever the search ran at.

    Returns
    -------
    dict
        For each search S (the number of its rate) (n,): ``ticket_S, redrawn_S, lead_S``, the accuracies and their
        difference; ``missed_S``: errors of the rival. ``constants``: ``searches``, their rates.
    """
    net, how = network(hidden), {"epochs": epochs, "batch": batch}
    sets, start = stack(seed, n, **sizes), begin(seed, n, network(hidden))
    new, found = begin(seeds.integer(seed, "new", 0), n, net), {}
    for number, rate in enumerate(searches):
        masks, _ = search(seed, sets, net, start, rate=rate, rounds=rounds, **how)
        scores = {}
        for kind, given in arms(seed, start, new, masks[-1], ("ticket", "redrawn")).items():
            one = compete(seed, sets, net, *given, rates=rates, **how)
            scores[kind] = one["accuracy"]
            found[f"{kind}_{number}"] = one["accuracy"].astype(np.float32)
        found[f"lead_{number}"] = (scores["ticket"] - scores["redrawn"]).astype(np.float32)
        found[f"missed_{number}"] = (100 - scores["redrawn"]).astype(np.float32)
    return found | {"constants": {"searches": np.array(searches, np.float32)}}

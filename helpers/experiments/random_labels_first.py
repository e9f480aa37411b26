"""What a network says about wrongly labelled training examples before it has learned them by heart.

The question: is sense learned before nonsense, and what is it that is learned late? Data, labels and networks are those
of `random_labels`; the sentence is Arpit et al.'s [arpit2017].
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments.random_labels import (
    CHANCE,
    CLASSES,
    answers,
    blocks,
    draw,
    looks_of,
    network,
    percent,
    relabelled,
    single,
    stacked,
    training_only,
)  # fmt: skip

LATE = 0.05  # share of the rightly labelled training examples that is called late
OUTSIDE = 40  # epochs of the network that learned from other examples


def sense_first(seed, n, *, task, sizes, hidden, epochs, rate, batch, share, arms):
    """What does a network say about wrongly labelled training examples, before it has learned them by heart?

    All arms share data, initial weights and, where they have as many examples, the order of batches: ``wrong`` labels
    at random, a ``rule`` that makes as many labels wrong, and ``left_out``: the wrongly labelled examples are not in
    the training set. The epoch is chosen by accuracy on validation examples whose labels are right (under the rule:
    follow the rule). Replicate: data set, labels and initial weights.

    Returns
    -------
    dict
        For each arm, (n,): ``agreement_ARM``, how often, in percent, wrongly labelled examples get their true label at
        the chosen epoch, ``rise_ARM`` that minus chance, ``chosen_ARM`` that epoch, ``end_ARM`` the agreement at the
        last, ``given_ARM`` how often they then get the label that they were given; and of the first 50, at the epochs
        ``constants["looks"]``: ``true_ARM_path``, ``given_ARM_path``, ``clean_ARM_path`` (rightly labelled training
        examples), ``new_ARM_path`` (new examples, their true labels). ``agreement_noisy`` (n,): the epoch chosen on
        validation examples with as many wrong labels. Of the arm ``wrong``: ``late_missed, clean_missed, wrong_missed``
        (n,): how often a network that was trained on other examples misses the training label of the rightly labelled
        examples that are learned last, of all of them, and of the wrongly labelled; ``late_epoch, clean_epoch,
        wrong_epoch`` (n,): when they are learned.
    """
    looks = looks_of(epochs)

    def work(seed, rows):
        sets = [draw(seed, row, task=task, **sizes) for row in rows]
        found = {}
        for arm in arms:
            found |= _arm(seed, rows, sets, arm, looks, task, hidden, rate, batch, share)
        return found

    return single(blocks(work, seed, n)) | {"constants": {"looks": np.array(looks, np.int32)}}


def _arm(seed, rows, sets, arm, looks, task, hidden, rate, batch, share):
    """Return what `sense_first` keeps of one arm."""
    how = "rule" if arm == "rule" else "wrong"
    pairs = [
        relabelled(one, seed, row, share=share, how=how)
        for one, row in zip(sets, rows, strict=True)
    ]
    new, wrong = [one for one, _ in pairs], np.stack([mask for _, mask in pairs])
    x, given, true = stacked(sets, "x_train"), stacked(new, "y_train"), stacked(sets, "y_train")
    taught = new
    if arm == "left_out":
        keep = np.argsort(wrong, axis=1, kind="stable")[:, : int((~wrong).sum(axis=1).min())]
        taught = [
            dataclasses.replace(one, x_train=one.x_train[k], y_train=one.y_train[k])
            for one, k in zip(new, keep, strict=True)
        ]
    runs = fit_many(
        network(task, hidden), training_only(taught), members=len(sets), epochs=looks[-1], batch_size=batch,
        learning_rate=rate, snapshots=looks[:-1], record_every=looks[-1], seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    said = np.stack([answers(runs, x, look) for look in looks])  # (E, M, N)
    aside = np.stack([answers(runs, stacked(sets, "x_val"), look) for look in looks])
    fresh = np.stack([answers(runs, stacked(sets, "x_test"), look) for look in looks])
    right = percent(said == true, wrong)  # (E, M)
    kept = percent(said == given, wrong)
    at = percent(aside == stacked(new, "y_val")).argmax(axis=0)
    here = np.arange(len(sets))
    found = {
        f"agreement_{arm}": right[at, here], f"rise_{arm}": right[at, here] - CHANCE,
        f"chosen_{arm}": np.array(looks, np.int32)[at],
        f"end_{arm}": right[-1], f"given_{arm}": kept[-1], f"true_{arm}_path": right.T,
        f"given_{arm}_path": kept.T, f"clean_{arm}_path": percent(said == true, ~wrong).T,
        f"new_{arm}_path": percent(fresh == stacked(sets, "y_test")).T,
    }  # fmt: skip
    if arm == "wrong":
        noisy = [
            noisy_labels(one.y_val, seed, row, share) for one, row in zip(sets, rows, strict=True)
        ]
        at = percent(aside == np.stack(noisy)).argmax(axis=0)
        found["agreement_noisy"] = right[at, here]
        outside = _outsider(seed, sets, task, hidden, rate, batch, x)
        found |= late(said == given, outside != given, wrong, looks)
    return found


def noisy_labels(labels, seed, row, share):
    """Return labels (N,) with as large a share of wrong ones as the training set has."""
    generator = seeds.generator(seed, "validation labels", row)
    shift = generator.integers(1, CLASSES, len(labels))
    picked = generator.permutation(len(labels)) < round(share * len(labels))
    return np.where(picked, (labels + shift) % CLASSES, labels)


def _outsider(seed, sets, task, hidden, rate, batch, x):
    """Return what networks say about x that learned from the test examples and their true labels, (M, N)."""
    others = [dataclasses.replace(one, x_train=one.x_test, y_train=one.y_test) for one in sets]
    runs = fit_many(
        network(task, hidden), training_only(others), members=len(sets), epochs=OUTSIDE, batch_size=batch,
        learning_rate=rate, record_every=OUTSIDE, seed=seeds.integer(seed, "outsider"),
    )  # fmt: skip
    return answers(runs, x)


def late(hits, missed, wrong, looks):
    """Return what is known of the rightly labelled examples that are learned last.

    Parameters
    ----------
    hits : numpy.ndarray of bool (E, M, N)
        Whether the training label is given at each look.
    missed, wrong : numpy.ndarray of bool (M, N)
        Whether an outsider misses the training label; whether that label is wrong.
    looks : sequence of int (E,)
        Epochs.

    Returns
    -------
    dict of numpy.ndarray (M,)
        As in `sense_first`. An example is learned at the look from which on it always gets its label; at twice the
        last epoch if never.
    """
    epochs = np.append(np.asarray(looks), 2 * looks[-1])
    since = len(looks) - np.cumprod(hits[::-1], axis=0).sum(
        axis=0
    )  # first look of the last unbroken run, (M, N)
    when = epochs[since].astype(float)
    found = {}
    for name in ("late", "clean", "wrong"):
        chosen = wrong if name == "wrong" else ~wrong
        if name == "late":
            order = np.where(
                wrong, -1.0, when + np.linspace(0, 0.5, wrong.shape[1])
            )  # ties: the later in the list
            count = max(1, round(LATE * int((~wrong).sum(axis=1).min())))
            chosen = order.argsort(axis=1).argsort(axis=1) >= wrong.shape[1] - count
        found[f"{name}_missed"] = percent(missed, chosen)
        found[f"{name}_epoch"] = (when * chosen).sum(axis=1) / chosen.sum(axis=1)
    return found

"""Two other sentences about memorizing: that dropout hinders noise only, and that new examples resemble the old ones.

The questions: does dropout keep a network from learning random labels, without harm on true ones [arpit2017]? Does a
network err more on what lies far from its training examples, as a comment on the thread [generalization-thread] says?
Data, labels and networks are those of `random_labels`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.spatial.distance

from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments.random_labels import (
    answers,
    blocks,
    draw,
    error_on,
    learn_by_heart,
    network,
    relabelled,
    single,
    stacked,
    training_only,
)  # fmt: skip


def nearness(seed, n, *, task, sizes, hidden, epochs, rate, batch):
    """Does a network that fits its training examples make more errors on new ones that lie far from them?

    Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``error_near, error_far, error`` (n,) in percent: among the fifth of the new examples that is nearest to its
        nearest training example, among the farthest fifth, among all. ``copied_near, copied_far`` (n,): of copying the
        label of that training example.
    """

    def work(seed, rows):
        sets = [draw(seed, row, task=task, **sizes) for row in rows]
        runs, _, _ = learn_by_heart(
            seed, sets, task=task, hidden=hidden, epochs=epochs, rate=rate, batch=batch
        )
        missed = answers(runs, stacked(sets, "x_test")) != stacked(sets, "y_test")
        columns = [_by_distance(one, its) for one, its in zip(sets, missed, strict=True)]
        names = ("error_near", "error_far", "copied_near", "copied_far", "error")
        return dict(zip(names, np.transpose(columns), strict=True))

    return single(blocks(work, seed, n))


def _by_distance(one, missed):
    """Return errors in percent: of the nearest and the farthest fifth, the same for copying, of all."""
    x, at = (part.reshape(len(part), -1) for part in (one.x_test, one.x_train))
    apart = scipy.spatial.distance.cdist(x, at)
    order, fifth = apart.min(axis=1).argsort(kind="stable"), len(x) // 5
    copied = one.y_train[apart.argmin(axis=1)] != one.y_test
    ends = order[:fifth], order[-fifth:]
    return [100 * values[end].mean() for values in (missed, copied) for end in ends] + [
        100 * missed.mean()
    ]


# ------------------------------------------------------------------------------- dropout


def dropout(seed, n, *, task, sizes, hidden, epochs, longer, rate, batch, drop):
    """Does dropout keep a network from learning random labels, without harm on true ones?

    Four networks on each data set: without and with dropout, on the true labels and on random ones; all share data,
    initial weights and the order of batches. Replicate: data set, labels and initial weights.

    Returns
    -------
    dict
        ``learned_plain, learned_dropped`` (n,): random training labels that are given after ``epochs``, in percent, in
        prediction mode; ``learned_later`` with dropout after ``longer``; ``error_plain, error_dropped`` (n,): errors on
        new examples of the networks that were trained on the true labels for ``epochs``; ``own_plain, own_dropped``
        (n,): true training labels that they give; ``error_half`` (n,): without dropout, from half of the examples.
    """

    def work(seed, rows):
        sets, found = [draw(seed, row, task=task, **sizes) for row in rows], {}
        noise = [
            relabelled(one, seed, row, share=1.0, how="redrawn")[0]
            for one, row in zip(sets, rows, strict=True)
        ]
        for arm, value in (("plain", 0.0), ("dropped", drop)):
            for name, taught in (("own", sets), ("learned", noise)):
                last = longer if (arm, name) == ("dropped", "learned") else epochs
                runs = fit_many(
                    network(task, hidden, dropout=0.5), training_only(taught), members=len(sets), epochs=last,
                    batch_size=batch, learning_rate=rate, vary={"dropout": np.full(len(sets), value)},
                    snapshots=[epochs] if last > epochs else [], record_every=last, seed=seeds.integer(seed, "fit"),
                )  # fmt: skip
                at = epochs if last > epochs else None
                found[f"{name}_{arm}"] = 100 - error_on(runs, taught, "train", at)
                if name == "own":
                    found[f"error_{arm}"] = error_on(runs, sets)
                if last > epochs:
                    found["learned_later"] = 100 - error_on(runs, taught, "train")
        half = [
            dataclasses.replace(one, x_train=one.x_train[::2], y_train=one.y_train[::2])
            for one in sets
        ]
        runs = fit_many(
            network(task, hidden), training_only(half), members=len(sets), epochs=epochs, batch_size=batch,
            learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit"),
        )  # fmt: skip
        return found | {"error_half": error_on(runs, sets)}

    return single(blocks(work, seed, n))

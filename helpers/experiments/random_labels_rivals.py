"""Two other sentences about memorizing: that dropout hinders noise only, and that new examples resemble the old ones.

The questions: does dropout keep a network from learning random labels, without harm on true ones [arpit2017]? Does a
network err more on what lies far from its training examples, as a comment on the thread [generalization-thread] says?
Data, labels and networks are those of `random_labels`.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.spatial.distance

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments.random_labels import (
    CHANCE,
    CLASSES,
    SHAPES,
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

PLACES = 48  # by so many places, less one, a signal of MNIST-1D is moved


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


def positions(seed, n, *, sizes, hidden, filters, epochs, rate, batch, middle):
    """Does a network that saw signals in one half of the places recognise those in the other half?

    A signal is moved by 0 to 47 of 72 places; the left half are moves below ``middle``. Three networks: ``left``,
    taught the left half, ``right``, as many signals of the other, ``folded``: a convolutional one taught the left half.
    Replicate: signals and initial weights.

    Returns
    -------
    dict
        (n,) in percent. ``inside, outside``: errors of the first on new signals of the left and of the right half;
        ``taught``: those of the second on its own half, the right one; ``inside_folded, outside_folded`` of the third;
        ``room``: by how much guessing, 90, is above ``inside``.
    """

    def drawn(row, name, shifts):
        chosen = seeds.integer(seed, name, row)
        return data.mnist1d_fresh(
            n_train=sizes["train"], n_test=sizes["new"], seed=chosen, shifts=shifts
        )

    def work(seed, rows):
        left = [drawn(row, "left", (0, middle)) for row in rows]
        right = [drawn(row, "right", (middle, PLACES)) for row in rows]
        folded = models.cnn1d(SHAPES["signals"], CLASSES, filters=tuple(filters), hidden=())
        found = {}
        for name, sets, model in (
            ("", left, network("signals", hidden)), ("_right", right, network("signals", hidden)),
            ("_folded", left, folded),
        ):  # fmt: skip
            runs = fit_many(
                model, training_only(sets), members=len(sets), epochs=epochs, batch_size=batch,
                learning_rate=rate, record_every=epochs, seed=seeds.integer(seed, "fit"),
            )  # fmt: skip
            found |= {
                f"inside{name}": error_on(runs, left),
                f"outside{name}": error_on(runs, right),
            }
        return {
            "inside": found["inside"], "outside": found["outside"], "taught": found["outside_right"],
            "inside_folded": found["inside_folded"], "outside_folded": found["outside_folded"],
            "room": 100 - CHANCE - found["inside"],
        }  # fmt: skip

    return single(blocks(work, seed, n))


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

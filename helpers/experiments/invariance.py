"""Where the lead of a convolutional network comes from, and how invariant it is.

"Another way for neural networks to generalize is using invariance", says an answer to the thread *Why can neural
networks generalize at all?* [generalization-thread]: "convolutional neural networks are approximately translation
invariant". Greydanus and Kobak [greydanus2024] shuffle the 40 positions of their signals, all signals alike: a plain
network then learns as well as before, a convolutional one does not. Signals are generated, so that no two replicates
share one; digits are drawn anew for each replicate from a pool of 5,000 MNIST images.

Errors are in percent, differences of them in percentage points.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from helpers import data, models
from helpers._base import checks, seeds
from helpers._tensorflow import keras
from helpers.engine import fit_many
from helpers.experiments.neighbours import CLASSES, answers, blocks, cnn, mlp, part, train

STEPS = 40  # positions of a signal
KINDS = ("mlp", "pooled", "strided", "averaged")  # networks for digits


def order(seed, row):
    """Return the new order of the positions in data set ``row``, (40,)."""
    return seeds.generator(seed, "positions", row).permutation(STEPS)


def reordered(one, places):
    """Return a data set of signals with all positions in another order."""
    return dataclasses.replace(one, x_train=one.x_train[:, places], x_test=one.x_test[:, places])


def with_copies(one, reach):
    """Return a data set with shifted copies of its training signals, by -reach ... reach places, cyclically."""
    shifts = range(-reach, reach + 1)
    return dataclasses.replace(
        one,
        x_train=np.concatenate([np.roll(one.x_train, shift, axis=1) for shift in shifts]),
        y_train=np.tile(one.y_train, len(shifts)),
    )


def interaction(
    seed, n, *, sizes, hidden, filters, epochs, rate, batch, cnn_epochs, cnn_rate, reach
):
    """What is left of a convolutional network's lead when the positions of all signals are shuffled alike?

    A plain network, a convolutional one, and a plain one that also sees shifted copies (in as many steps), each on
    whole and on shuffled signals. Replicate: data set, order of the positions, initial weights.

    Returns
    -------
    dict
        ``error_KIND_whole, error_KIND_shuffled`` (n,) for the kinds ``mlp, cnn, copies``; ``lead_whole,
        lead_shuffled``: the plain network's errors minus the convolutional one's; ``lost``: the first minus the
        second.
    """
    copies = 2 * reach + 1

    def work(seed, rows):
        whole = [
            data.mnist1d_fresh(
                n_train=sizes["train"],
                n_test=sizes["test"],
                seed=seeds.integer(seed, "signals", row),
            )
            for row in rows
        ]
        shuffled = [reordered(one, order(seed, row)) for one, row in zip(whole, rows, strict=True)]
        found = {}
        for name, sets in (("whole", whole), ("shuffled", shuffled)):
            plain, folded = mlp("signals", hidden), cnn("signals", filters)
            more = [with_copies(one, reach) for one in sets]
            runs = {
                "mlp": train(seed, sets, plain, epochs=epochs, rate=rate, batch=batch),
                "cnn": train(seed, sets, folded, epochs=cnn_epochs, rate=cnn_rate, batch=batch),
                "copies": train(
                    seed, more, plain, epochs=max(1, epochs // copies), rate=rate, batch=batch
                ),
            }
            x, labels = part(sets, "x_test"), part(sets, "y_test")
            for kind, one in runs.items():
                found[f"error_{kind}_{name}"] = 100 * (answers(one, x) != labels).mean(axis=1)
            found[f"lead_{name}"] = found[f"error_mlp_{name}"] - found[f"error_cnn_{name}"]
        return found | {"lost": found["lead_whole"] - found["lead_shuffled"]}

    return blocks(work, seed, n)


# ------------------------------------------------------------------------------- the same network


def permuted(seed, n, *, train_size, hidden, filters, steps, rate):
    """Is a plain network whose inputs come in another order the same network, if its first kernel does too?

    Both are trained by gradient descent on all examples, in double precision. The convolutional network keeps its
    weights, since its kernel has no place for an order of the positions. Replicate: data set, order, initial weights.

    Returns
    -------
    dict
        (n,) each, on 500 new signals. ``difference_mlp``: largest difference between the logits of the two, relative
        to the spread of the logits; ``difference_cnn``: the same of convolutional networks. ``moved_mlp``: how far
        training moved the logits, in the same unit.
    """
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # made from floatx once, and then a setting of its own
    try:
        return _permuted(seed, n, train_size, hidden, filters, steps, rate)
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def _permuted(seed, n, train_size, hidden, filters, steps, rate):
    found = {"difference_mlp": [], "difference_cnn": [], "moved_mlp": []}
    for row in range(n):
        chosen = seeds.integer(seed, "signals", row)
        one = data.mnist1d_fresh(n_train=train_size, n_test=500, seed=chosen)
        one = dataclasses.replace(
            one, x_train=one.x_train.astype(float), x_test=one.x_test.astype(float)
        )
        places = order(seed, row)
        other = reordered(one, places)
        for kind, model in (("mlp", mlp("signals", hidden)), ("cnn", cnn("signals", filters))):
            fit = {
                "members": 1, "epochs": steps, "batch_size": train_size, "learning_rate": rate, "optimizer": "sgd",
                "record_every": steps, "seed": seeds.integer(seed, "fit", row), "progress": False,
            }  # fmt: skip
            runs = fit_many(model, one, snapshots=[0], **fit)
            start = runs.weights_at(0)
            if start[0].dtype != np.float64:
                raise RuntimeError(
                    f"Networks must be in double precision. Received: {start[0].dtype}. Leave Keras's dtypes alone."
                )
            if kind == "mlp":
                start = [start[0][:, places], *start[1:]]
            again = fit_many(model, other, initial_weights=start, **fit)
            logits = runs.predict(one.x_test)
            gap = np.abs(again.predict(other.x_test) - logits).max() / logits.std()
            found[f"difference_{kind}"].append(gap)
            if kind == "mlp":
                first = runs.predict(one.x_test, epoch=0)
                found["moved_mlp"].append(np.abs(logits - first).max() / logits.std())
    return {name: np.array(values, np.float64) for name, values in found.items()}


# ------------------------------------------------------------------------------- moved digits


def moved(x, right, down):
    """Return images (..., 28, 28) moved by whole pixels; what comes in is empty, what goes out is lost."""
    found = np.zeros_like(x)
    rows, columns = x.shape[-2:]
    to = (slice(max(0, down), rows + min(0, down)), slice(max(0, right), columns + min(0, right)))
    at = (slice(max(0, -down), rows - max(0, down)), slice(max(0, -right), columns - max(0, right)))
    found[(..., *to)] = x[(..., *at)]
    return found


def network(kind, filters, units):
    """Return a network for digits: plain, or with convolutions and pooling as in Keras's MNIST example.

    ``strided``: strides of 2 in the place of pooling; ``averaged``: the mean of every channel in the place of the
    layer that knows positions.
    """
    layers = keras.layers
    if kind == "mlp":
        return models.mlp((28, 28), CLASSES, hidden=tuple(units))
    stack = [keras.Input((28, 28)), layers.Reshape((28, 28, 1))]
    for channels in filters:
        strides = 2 if kind == "strided" else 1
        stack.append(layers.Conv2D(channels, 3, strides=strides, padding="same", activation="relu"))
        if kind != "strided":
            stack.append(layers.MaxPooling2D(2))
    stack.append(layers.GlobalAveragePooling2D() if kind == "averaged" else layers.Flatten())
    return keras.Sequential([*stack, layers.Dense(CLASSES)])


def shifts(seed, n, *, sizes, kinds, filters, units, epochs, rates, batch, pixels):
    """Do networks still recognise digits that are moved by some pixels?

    Each digit is moved left, right, up and down. Only digits that all networks of the replicate get right where they
    are count: all of them begin with no error. Replicate: data set and initial weights.

    Returns
    -------
    dict
        For each kind: ``error_KIND`` (n,) on digits where they are; ``lost_KIND`` (n, P): the percentage not
        recognised when moved by the P numbers of ``constants["pixels"]``; ``lost_KIND_P`` (n,): by P pixels.
        ``counted`` (n,): digits that count.

    Raises
    ------
    ValueError
        Where the networks of a replicate have not one digit in common that all of them get right.
    """
    ways = [(1, 0), (-1, 0), (0, 1), (0, -1)]

    def work(seed, rows):
        sets = [
            data.mnist_small(
                n_train=sizes["train"],
                n_test=sizes["test"],
                seed=seeds.integer(seed, "digits", row),
            )
            for row in rows
        ]
        x, labels = part(sets, "x_test"), part(sets, "y_test")
        runs = {
            kind: train(
                seed, sets, network(kind, filters, units), epochs=epochs[kind], rate=rates[kind], batch=batch
            )
            for kind in kinds
        }  # fmt: skip
        right = {kind: answers(one, x) == labels for kind, one in runs.items()}
        count = np.all(list(right.values()), axis=0)  # (M, N)
        found = {"counted": some_count(count, rows)}
        for kind, one in runs.items():
            found[f"error_{kind}"] = 100 * (1 - right[kind].mean(axis=1))
            lost = np.zeros((len(sets), len(pixels)))
            for at, far in enumerate(pixels):
                for across, down in ways:
                    hits = answers(one, moved(x, far * across, far * down)) == labels
                    lost[:, at] += (count & ~hits).sum(axis=1) / found["counted"] / len(ways)
            found[f"lost_{kind}"] = 100 * lost
            found |= {f"lost_{kind}_{far}": 100 * lost[:, at] for at, far in enumerate(pixels)}
        return found

    return blocks(work, seed, n, size=5) | {"constants": {"pixels": np.array(pixels, np.int32)}}


def some_count(count, rows):
    """Return how many digits count in each replicate, (M,), of (M, N) bool.

    Raises
    ------
    ValueError
        Where it is none: a share of nothing is no number.
    """
    counted = count.sum(axis=1).astype(np.int32)
    if not counted.all():
        none = [int(row) for row, here in zip(rows, counted, strict=True) if not here]
        text = "long enough that all networks of a replicate get some digit right"
        remedy = f"Train longer, or test on more digits: in replicates {none} there is none."
        raise ValueError(checks.message("epochs", text, "networks that share none", remedy))
    return counted

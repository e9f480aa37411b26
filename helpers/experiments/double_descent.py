"""Networks from narrow to wide, trained until most of them fit: does the error peak where they barely can?

One hidden layer of ReLU units on MNIST-1D [greydanus2024]: 40 numbers, ten classes, every example generated anew. Each
width starts from fresh initial weights (a width that starts from a narrower one's end makes a drop of its own).
Sources: Belkin et al. [belkin2019], Nakkiran et al. [nakkiran2020], Yang et al. [yang2020].

Two losses: ``squared``, mean squared error of the ten outputs against one-hot targets, and ``crossentropy``. Errors are
in percent of new examples, squared errors means over the ten outputs.
"""

from __future__ import annotations

import numpy as np

from helpers import data, models
from helpers._base import seeds
from helpers.engine import fit_many

CLASSES = 10
CHANCE = 90.0  # errors of a diverged network, in percent
SHOWN = 50  # replicates whose curves are kept
LOSSES = ("squared", "crossentropy")


def draw(seed, row=0, *, examples=1000, noise=0.0, new=2000):
    """Return data set ``row``; a share ``noise`` of the training labels is replaced by another one."""
    chosen = seeds.integer(seed, "signals", row)
    one = data.mnist1d_fresh(n_train=examples, n_val=0, n_test=new, seed=chosen)
    return data.with_label_noise(one, noise, seed=chosen, other=True)[0] if noise else one


def stacked(sets, loss):
    """Return the training examples of data sets, stacked; for the squared loss with one-hot targets."""
    if loss not in LOSSES:
        raise ValueError(f"Argument `loss` must be one of {', '.join(LOSSES)}. Received: {loss!r}.")
    if loss == "crossentropy":
        parts = [{"y_train": one.y_train, "task": one.task, "num_classes": CLASSES} for one in sets]
    else:
        hot = np.eye(CLASSES, dtype=np.float32)
        parts = [{"y_train": hot[np.ravel(one.y_train)], "task": "regression"} for one in sets]
    return data.Dataset.stack(
        [
            data.Dataset(x_train=one.x_train, name="MNIST-1D", **part)
            for one, part in zip(sets, parts, strict=True)
        ]
    )


def network(width, inputs=40):
    """Return a network with one hidden layer of ``width`` ReLU units and ten outputs."""
    return models.mlp((inputs,), CLASSES, hidden=(width,))


def train(seed, stack, width, *, epochs, rate, batch=100, decay=0.0, snapshots=()):
    """Train network i on data set i with Adam; ``decay`` is AdamW's weight decay."""
    chosen = (
        {"optimizer": "adamw", "vary": {"weight_decay": np.full(len(stack.x_train), decay)}}
        if decay
        else {}
    )
    return fit_many(
        network(width), stack, members=len(stack.x_train), epochs=epochs, batch_size=batch, learning_rate=rate,
        snapshots=snapshots, record_every=epochs, seed=seeds.integer(seed, "fit", width), **chosen,
    )  # fmt: skip


def score(runs, x, labels, epoch=None):
    """Return errors in percent and mean squared errors per output, (2, R); a diverged network answers 0."""
    scores = runs.predict(x, epoch=epoch).astype(float)  # (R, N, 10)
    hot = np.eye(CLASSES)[labels]
    wrong = 100 * np.mean(scores.argmax(axis=2) != labels, axis=1)
    both = np.array([wrong, np.mean((scores - hot) ** 2, axis=(1, 2))])
    return np.where(runs.diverged, [[CHANCE], [1 / CLASSES]], both)


def arrays(sets):
    """Return training and new examples of data sets: x, labels, x, labels."""
    found = []
    for part in ("train", "test"):
        found.append(np.stack([getattr(one, f"x_{part}") for one in sets]))
        found.append(np.stack([np.ravel(getattr(one, f"y_{part}")) for one in sets]))
    return found


def widths(seed, n, *, widths, three, epochs, rate, loss, examples, noise=0.0, looks=(), decay=0.0):
    """How does the error on new examples change with the width of a network?

    Replicate: examples and initial weights; all widths share the examples.

    Returns
    -------
    dict
        For K widths: ``error, training_error, mse`` (n, K) after the last epoch; the same at the widths of ``three``
        (before, at and past the peak, fixed by a pilot): ``error_valley, error_peak, error_end`` and so on (n,).
        ``rise``: error at the peak minus in the valley (n,). ``paths`` (50, K, E): errors of the first 50 at the E
        epochs of ``constants["looks"]``, the last one included.
    """
    sets = [draw(seed, row, examples=examples, noise=noise) for row in range(n)]
    stack = stacked(sets, loss)
    x, y, x_new, y_new = arrays(sets)
    curves, paths = [], []
    for width in widths:
        runs = train(seed, stack, width, epochs=epochs, rate=rate, decay=decay, snapshots=looks)
        wrong, mse = score(runs, x_new, y_new)
        curves.append((wrong, score(runs, x, y)[0], mse))
        paths.append(
            [score(runs, x_new, y_new, look)[0][:SHOWN] for look in looks] + [wrong[:SHOWN]]
        )
    error, training, mse = np.moveaxis(np.array(curves), 1, 0).transpose(0, 2, 1).astype(np.float32)
    found = {"error": error, "training_error": training, "mse": mse}
    for name in ("error", "training_error", "mse"):
        for word, width in zip(("valley", "peak", "end"), three, strict=True):
            found[f"{name}_{word}"] = found[name][:, widths.index(width)]
    found["rise"] = found["error_peak"] - found["error_valley"]
    found["paths"] = np.moveaxis(np.array(paths), 2, 0).astype(np.float16)
    constants = {
        "widths": np.array(widths, np.int32),
        "looks": np.array([*looks, epochs], np.int32),
    }
    return found | {"constants": constants}


def decayed(seed, n, *, widths, epochs, rate, examples, decay):
    """Does weight decay take the rise towards the width that just fits away?

    ``widths``: in the valley and at the peak. Replicate: examples and initial weights.

    Returns
    -------
    dict
        ``rise_plain, rise_decayed`` (n,): errors at the peak minus in the valley, in percentage points;
        ``training_error_decayed`` (n,): at the peak.
    """
    sets = [draw(seed, row, examples=examples) for row in range(n)]
    stack = stacked(sets, "squared")
    x, y, x_new, y_new = arrays(sets)
    found = {}
    for name, strength in (("plain", 0.0), ("decayed", decay)):
        runs = [
            train(seed, stack, width, epochs=epochs, rate=rate, decay=strength) for width in widths
        ]
        low, high = (score(one, x_new, y_new)[0] for one in runs)
        found[f"rise_{name}"] = (high - low).astype(np.float32)
    found["training_error_decayed"] = score(runs[-1], x, y)[0].astype(np.float32)
    return found


def another_start(seed, n, *, width, epochs, rate, examples):
    """Do two networks of one width that differ in their start alone make as many errors?

    Returns
    -------
    dict
        ``error_first, error_second`` (n,): in percent of new examples.
    """
    sets = [draw(seed, row, examples=examples) for row in range(n)]
    stack = stacked(sets, "squared")
    _, _, x_new, y_new = arrays(sets)
    return {
        f"error_{name}": score(
            train(seeds.integer(seed, name), stack, width, epochs=epochs, rate=rate), x_new, y_new
        )[0].astype(np.float32)
        for name in ("first", "second")
    }

"""Predictions and scores of stacked weights, chunk by chunk."""

from __future__ import annotations

import numpy as np

from helpers._base import checks
from helpers._tensorflow import tf
from helpers.engine import losses, parcels, runtime, scores
from helpers.engine.layers import Context

PREDICT_ROWS = 1024
BLOCK_ROWS = 512  # rows of one block of `sums`


def as_members(x, width, stacked):
    """Return shared rows (B, ...) as (M, B, ...); stacked ones as they are."""
    return x if stacked else tf.broadcast_to(x[tf.newaxis], [width, *x.shape])


def sums(network, weights, x, y, width, stacked, functions, counts=None):
    """Return {name: (M,) sum over all rows} in inference mode, block by block.

    ``counts``: how much each row's "loss" counts, (N,), or (M, N) where rows are stacked.
    """
    axis = 1 if stacked else 0
    count = int(x.shape[axis])

    def block(first, rows):
        begin, size = [0] * x.shape.rank, list(x.shape)
        begin[axis], size[axis] = first, rows
        xb = as_members(tf.slice(x, begin, size), width, stacked)
        yb = as_members(
            tf.slice(y, begin[: y.shape.rank], [*size[: axis + 1], *y.shape[axis + 1 :]]),
            width,
            stacked,
        )
        logits = network(xb, weights, Context(training=False))
        found = {name: function(yb, logits) for name, function in functions.items()}  # (M, B)
        if counts is not None:
            found["loss"] *= tf.slice(counts, begin[: axis + 1], size[: axis + 1])
        return {name: tf.reduce_sum(values, axis=1) for name, values in found.items()}

    full, rest = divmod(count, BLOCK_ROWS)
    if full == 0:
        return block(0, rest)
    totals = block(0, BLOCK_ROWS)
    if full > 1:
        _, totals = tf.while_loop(
            lambda i, _: i < full,
            lambda i, t: (
                i + 1,
                tf.nest.map_structure(tf.add, t, block(i * BLOCK_ROWS, BLOCK_ROWS)),
            ),
            (tf.constant(1), totals),
        )
    return tf.nest.map_structure(tf.add, totals, block(full * BLOCK_ROWS, rest)) if rest else totals


def _predict_program(recipe, width, rows, stacked, example):
    """Return the program (weights, x) -> logits (M, rows, outputs); x is (rows, ...) or (M, rows, ...)."""

    def build():
        network = recipe.network()

        def function(weights, x):
            return network(as_members(x, width, stacked), weights, Context(training=False))

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    key = ("predict", recipe.key, recipe.dtype, width, rows, stacked)
    return runtime.cached(key, build)


def _score_program(recipe, width, rows, stacked, task, probabilities, asked, example):
    """Return the program (weights, x, y) -> {metric: (M,) sum over rows}, inference mode, no penalties."""

    def build():
        network = recipe.network()
        functions = scores.functions(task, recipe.output_shape[0], probabilities, asked)

        def function(weights, x, y):
            return sums(network, weights, x, y, width, stacked, functions)

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    key = ("score", recipe.key, recipe.dtype, width, rows, stacked, task, probabilities, asked)
    return runtime.cached(key, build)


def check_weights(name, weights, recipe, members=None):
    """Return ``weights`` as a list of (M, ...) arrays in the recipe's order and dtype, and M."""
    if not isinstance(weights, (list, tuple)) or len(weights) != len(recipe.weights):
        count = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise ValueError(
            f"Argument `{name}` must be a list of {len(recipe.weights)} arrays, one per entry of get_weights(), each "
            f"with a leading member axis. Received: {count}. Stack single networks with helpers.engine.recipe.stack."
        )
    if members is None:
        if not weights:
            text = "must hold a member axis, and this model has no weights. Call the model itself"
            raise ValueError(f"Argument `{name}` {text}.")
        members = np.shape(weights[0])[0] if np.ndim(weights[0]) else 0
        if members < 1:
            raise ValueError(
                f"Argument `{name}` must hold one member or more. Received: shape {np.shape(weights[0])}."
            )
    arrays = []
    for position, (value, spec) in enumerate(zip(weights, recipe.weights, strict=True)):
        label = f"{name}[{position}]"
        arrays.append(
            checks.array(
                label, value, shape=(members, *spec.shape), dtype=recipe.dtype, finite=False
            )
        )
    return arrays, members


def check_inputs(x, recipe, members):
    """Return x as an array of the recipe's dtype and whether it has a member axis."""
    x = checks.array("x", x, dtype=recipe.dtype)
    shape = recipe.input_shape
    if x.ndim == len(shape) + 1 and x.shape[1:] == shape:
        return x, False
    if x.ndim == len(shape) + 2 and x.shape[2:] == shape and x.shape[0] == members:
        return x, True
    dims = ", ".join(map(str, shape))
    raise ValueError(
        f"Argument `x` must have shape (N, {dims}) or ({members}, N, {dims}), one block per member. "
        f"Received: {x.shape}."
    )


def predict(recipe, weights, x, progress=None, elsewhere=None):
    """Return logits (M, N, outputs) of checked weights at checked inputs; see `helpers.predict_many`.

    What fills one chunk only is computed here, even if there is a cluster ``elsewhere``.
    """
    members = len(weights[0])
    x, stacked = check_inputs(x, recipe, members)
    total = x.shape[1] if stacked else x.shape[0]
    width = runtime.chunk_width(recipe, min(total, PREDICT_ROWS))
    if elsewhere is not None and members > width:
        parcel = parcels.prediction(recipe, weights, x, stacked, width)
        with elsewhere.sent(parcel) as work:
            return runtime.map_chunks(work, members, width, progress, elsewhere.threads())[0]

    def work(chunk, advance, stop):
        outputs = predict_chunk(recipe, weights, x, stacked, chunk, stop)
        if outputs is None:
            return None
        advance(chunk.kept)
        return [outputs]

    return runtime.map_chunks(work, members, width, progress)[0]


def predict_chunk(recipe, weights, x, stacked, chunk, stop):
    """Return logits (kept, N, outputs) of one chunk, or None where ``stop`` was set; a pure function of the rest."""
    total, width = x.shape[1] if stacked else x.shape[0], len(chunk.chosen)
    blocks = [(first, min(first + PREDICT_ROWS, total)) for first in range(0, total, PREDICT_ROWS)]
    mine = [tf.constant(w[chunk.chosen]) for w in weights]
    outputs = np.empty((chunk.kept, total, *recipe.output_shape), recipe.dtype)
    for low, high in blocks:
        if stop.is_set():
            return None
        rows = tf.constant(x[chunk.chosen, low:high] if stacked else x[low:high])
        program = _predict_program(recipe, width, high - low, stacked, (mine, rows))
        outputs[:, low:high] = program(mine, rows).numpy()[: chunk.kept]
    return outputs


def score(recipe, weights, x, y, task, probabilities=False, asked=()):
    """Return {metric: (M,) mean over N} in inference mode, without penalties.

    ``probabilities`` says that the outputs are those, instead of logits; ``asked`` is what `scores.resolve` found.
    ``y`` has a member axis exactly when ``x`` has one.
    """
    members = len(weights[0])
    x, stacked = check_inputs(x, recipe, members)
    regression = task == "regression"
    y = checks.array("y", y, dtype=recipe.dtype if regression else np.int32)
    rows = x.shape[: 2 if stacked else 1]
    if regression and recipe.output_shape == (1,) and y.shape == rows:
        y = y[..., np.newaxis]  # as Dataset takes it
    wanted = (*rows, *recipe.output_shape) if regression else rows
    if y.shape != wanted:
        raise ValueError(
            f"Argument `y` must have shape {wanted} to fit x and the model's outputs. Received: {y.shape}."
        )
    outputs = recipe.output_shape[0]
    losses.check_targets("y", y, task, outputs, outputs if task == "classification" else 2)
    total = rows[-1]
    if total == 0:
        raise ValueError("Argument `x` must hold one example or more. Received: 0.")
    width = runtime.chunk_width(recipe, min(total, BLOCK_ROWS))
    names = tuple(scores.functions(task, outputs, probabilities, asked))
    shared = None if stacked else (tf.constant(x), tf.constant(y))

    def work(chunk, advance, stop):
        mine = [tf.constant(w[chunk.chosen]) for w in weights]
        data = shared or (tf.constant(x[chunk.chosen]), tf.constant(y[chunk.chosen]))
        program = _score_program(
            recipe, width, total, stacked, task, probabilities, asked, (mine, *data)
        )
        totals = program(mine, *data)
        return [(totals[name].numpy() / total).astype(np.float64) for name in names]

    means = dict(zip(names, runtime.map_chunks(work, members, width), strict=True))
    return scores.finished(means, asked, np.sqrt)

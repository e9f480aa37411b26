"""The compiled programs: train a chunk of members, predict with one, score one.

One XLA program per shape. Hyperparameters, the number of epochs and the data are tensors, so a sweep compiles once.
Members are processed in chunks small enough for a core's cache, one Python thread per core.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from helpers import _losses, optimizers
from helpers._layers import Context
from helpers._tensorflow import XLA, tf

CHUNK_BYTES = 2_000_000
# Round numbers of members fill round chunks: 20 and 100 fill an even number of those up to 10, 500 and 1,000 of all.
WIDTHS = (1, 2, 5, 10, 50, 250)
BLOCK_ROWS = 512  # rows of one inference block
CACHE_PROGRAMS = 64  # the most that are kept; the one unused for longest goes first
ORDER_BYTES = 16_000_000  # of the batch orders handed to one call
CALL_WORK = 2e10  # floating-point operations of one program call: about half a second, so that Ctrl-C is heard
_cache, _lock = {}, threading.Lock()


def workers():
    """Return how many chunks run at once: the cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def chunk_width(recipe, rows):
    """Return how many members one program call holds, from architecture, rows per step and dtype alone.

    Bits depend on the width (measured), so it must not depend on the number of members or of cores. A chunk that is
    not full takes as long as a full one, and the last of an odd number leaves one of two cores idle. Narrower than
    the cache allows costs a tenth at most, unless the network is tiny.

    Parameters
    ----------
    recipe : Recipe
        The architecture.
    rows : int
        Examples per step.
    """
    scale = np.dtype(recipe.dtype).itemsize
    activations = sum(int(np.prod(layer.output.shape[1:])) for layer in recipe.layers) + int(
        np.prod(recipe.input_shape)
    )
    per_member = scale * (4 * recipe.size + rows * activations)
    return max(width for width in WIDTHS if width <= max(1, CHUNK_BYTES // per_member))


def part_length(recipe, rows, width):
    """Return the most epochs one program call may take: ``CALL_WORK``.

    Bounded by the memory of the batch orders too, which travel with the call.
    """
    work = 6.0 * max(recipe.size, 50) * rows * width
    return int(np.clip(min(CALL_WORK / work, ORDER_BYTES / (4 * rows * width)), 1, 128))


def cached(key, build):
    """Return the program of ``key``, built once per process."""
    with _lock:
        program = _cache.pop(key, None) or build()
        _cache[key] = program
        while len(_cache) > CACHE_PROGRAMS:
            del _cache[next(iter(_cache))]
        return program


def compiled(function, *specs):
    """Return ``function`` compiled for tensors shaped like ``specs`` (nested lists and dicts of arrays or specs)."""

    def spec(value):
        return tf.TensorSpec(value.shape, tf.as_dtype(value.dtype))

    program = tf.function(function, jit_compile=XLA, autograph=False)
    return program.get_concrete_function(*tf.nest.map_structure(spec, specs))


@dataclass(frozen=True)
class Shapes:
    """All that the training program's shape depends on besides recipe, optimizer and loss."""

    width: int
    batch: int
    part: int
    n_train: int
    n_val: int  # 0: no validation set
    stacked: bool
    shuffled: bool
    task: str
    penalised: tuple  # weight indices with an L1 or L2 penalty
    random: tuple  # layer indices of Dropout and GaussianNoise that are switched on
    masked: tuple  # weight indices with a mask


def penalty(weights, hyper, penalised):
    """Return each member's L1 and L2 penalty, (M,)."""
    total = 0.0
    for position in penalised:
        w = weights[position]
        axes = list(range(1, w.shape.rank))
        total += hyper[f"l1/{position}"] * tf.reduce_sum(tf.abs(w), axes)
        total += hyper[f"l2/{position}"] * tf.reduce_sum(tf.square(w), axes)
    return total


def _members(x, width, stacked):
    """Return shared rows (B, ...) as (M, B, ...); stacked ones as they are."""
    return x if stacked else tf.broadcast_to(x[tf.newaxis], [width, *x.shape])


def _sums(network, weights, x, y, width, stacked, scores):
    """Return {name: (M,) sum over all rows} in inference mode, block by block."""
    axis = 1 if stacked else 0
    count = int(x.shape[axis])

    def block(first, rows):
        begin, size = [0] * x.shape.rank, list(x.shape)
        begin[axis], size[axis] = first, rows
        xb = _members(tf.slice(x, begin, size), width, stacked)
        yb = _members(tf.slice(y, begin[: y.shape.rank], [*size[: axis + 1], *y.shape[axis + 1 :]]), width, stacked)
        logits = network(xb, weights, Context(training=False))
        return {name: tf.reduce_sum(score(yb, logits), axis=1) for name, score in scores.items()}

    full, rest = divmod(count, BLOCK_ROWS)
    if full == 0:
        return block(0, rest)
    totals = block(0, BLOCK_ROWS)
    if full > 1:
        _, totals = tf.while_loop(
            lambda i, _: i < full,
            lambda i, t: (i + 1, tf.nest.map_structure(tf.add, t, block(i * BLOCK_ROWS, BLOCK_ROWS))),
            (tf.constant(1), totals),
        )
    return tf.nest.map_structure(tf.add, totals, block(full * BLOCK_ROWS, rest)) if rest else totals


def training(recipe, optimizer, static, loss, shapes, example):
    """Return the program that advances one chunk by a number of epochs.

    Parameters
    ----------
    recipe : Recipe
        Architecture.
    optimizer, static : Optimizer, tuple
        The optimizer and its `Optimizer.static`.
    loss : (name or function, function)
        From `_losses.resolve`.
    shapes : Shapes
        Shapes and switches.
    example : tuple
        Arguments of a first call, for their shapes.

    Returns
    -------
    callable
        ``(count, first, every, last, weights, state, hyper, data, orders, keys, masks)`` to
        ``(weights, state, history)`` with history[name] of shape (part, M).
    """
    key = ("training", recipe.key, recipe.dtype, static, loss[0], shapes)
    return cached(key, lambda: compiled(_training_function(recipe, optimizer, static, loss[1], shapes), *example))


def _training_function(recipe, optimizer, static, loss, s):
    """Return the uncompiled function behind `training`."""
    network = recipe.network()
    trained = [i for i, w in enumerate(recipe.weights) if w.trainable]
    scores = _losses.metrics(s.task, recipe.output_shape[0])
    names = ["loss", *scores]
    full, rest = divmod(s.n_train, s.batch)
    steps = full + bool(rest)
    ordered = s.shuffled and steps > 1

    def step(weights, state, hyper, keys, masks, number, x, y):
        """One optimizer step on x (M, B, ...); returns new weights, state and {metric: (M,) sum over the batch}."""
        rows = x.shape[1]
        context = Context(True, _rates(hyper, s.random), (keys, tf.cast(number, tf.uint32)))
        watched = [weights[i] for i in trained]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            everything = list(weights)
            for i, w in zip(trained, watched, strict=True):
                everything[i] = w
            logits = network(x, everything, context)
            losses = tf.reduce_mean(loss(y, logits), axis=1)  # (M,)
            losses += penalty(everything, hyper, s.penalised)
            total = tf.reduce_sum(losses)  # summed, never averaged: each member sees only its own gradient
        gradients = tape.gradient(total, watched, unconnected_gradients="zero")
        for position, i in enumerate(trained):
            if i in s.masked:
                gradients[position] = gradients[position] * masks[s.masked.index(i)]
        watched, state = optimizers.update(static, optimizer.schedule, hyper, number, watched, gradients, state)
        weights = list(weights)
        for i, w in zip(trained, watched, strict=True):
            weights[i] = w * masks[s.masked.index(i)] if i in s.masked else w
        for i, value in context.updates.items():
            weights[i] = value
        sums = {"loss": losses * rows}
        sums |= {name: tf.reduce_sum(score(y, logits), axis=1) for name, score in scores.items()}
        return weights, state, sums

    def batch(data, order, first, rows):
        """Return rows ``first`` to ``first + rows`` of the epoch's order as (M, B, ...)."""
        x, y = data["x"], data["y"]
        if ordered:
            picked = tf.slice(order, [0, first], [s.width, rows])  # (M, B)
            depth = 1 if s.stacked else 0
            return tf.gather(x, picked, batch_dims=depth, axis=depth), tf.gather(
                y, picked, batch_dims=depth, axis=depth
            )
        axis = 1 if s.stacked else 0

        def cut(values):
            begin, size = [0] * values.shape.rank, list(values.shape)
            begin[axis], size[axis] = first, rows
            return _members(tf.slice(values, begin, size), s.width, s.stacked)

        return cut(x), cut(y)

    def epoch(number, weights, state, hyper, data, order, keys, masks):
        """One pass over the training data; returns weights, state and {metric: (M,) mean over the epoch}."""
        start = number * steps
        sums = {name: tf.zeros([s.width], recipe.dtype) for name in names}

        def body(i, weights, state, sums):
            x, y = batch(data, order, i * s.batch, s.batch)
            weights, state, more = step(weights, state, hyper, keys, masks, start + i, x, y)
            return i + 1, weights, state, tf.nest.map_structure(tf.add, sums, more)

        if full:
            loop = (tf.constant(0), weights, state, sums)
            _, weights, state, sums = tf.while_loop(lambda i, *_: i < full, body, loop) if full > 1 else body(*loop)
        if rest:  # the short last batch has a step of its own: batch norm must see its rows only
            x, y = batch(data, order, full * s.batch, rest)
            weights, state, more = step(weights, state, hyper, keys, masks, start + full, x, y)
            sums = tf.nest.map_structure(tf.add, sums, more)
        return weights, state, {name: value / s.n_train for name, value in sums.items()}

    def validate(weights, hyper, data):
        every = {"loss": loss, **scores}
        sums = _sums(network, weights, data["x_val"], data["y_val"], s.width, s.stacked, every)
        found = {f"val_{name}": value / s.n_val for name, value in sums.items()}
        found["val_loss"] += penalty(weights, hyper, s.penalised)
        return found

    def advance(count, first, every, last, weights, state, hyper, data, orders, keys, masks):
        keep = names + [f"val_{name}" for name in names] if s.n_val else names
        records = {name: tf.zeros([s.part, s.width], recipe.dtype) for name in keep}

        def body(e, weights, state, records):
            number = first + e
            order = orders[e] if ordered else None
            weights, state, row = epoch(number, weights, state, hyper, data, order, keys, masks)
            if s.n_val:
                due = tf.logical_or((number + 1) % every == 0, number + 1 == last)
                blank = {f"val_{name}": tf.zeros([s.width], recipe.dtype) for name in names}
                row |= tf.cond(due, lambda: validate(weights, hyper, data), lambda: blank)
            records = {name: tf.tensor_scatter_nd_update(records[name], [[e]], [row[name]]) for name in keep}
            return e + 1, weights, state, records

        loop = (tf.constant(0), weights, state, records)
        _, weights, state, records = tf.while_loop(lambda e, *_: e < count, body, loop)
        return weights, state, records

    return advance


def _rates(hyper, layers):
    """Return {layer index: (M,) rate} of the random layers."""
    return {i: hyper[f"rate/{i}"] for i in layers}


def predict(recipe, width, rows, stacked, example):
    """Return the program (weights, x) -> logits (M, rows, outputs); x is (rows, ...) or (M, rows, ...)."""

    def build():
        network = recipe.network()

        def function(weights, x):
            return network(_members(x, width, stacked), weights, Context(training=False))

        return compiled(function, *example)

    return cached(("predict", recipe.key, recipe.dtype, width, rows, stacked), build)


def score(recipe, width, rows, stacked, task, example):
    """Return the program (weights, x, y) -> {metric: (M,) sum over rows}, inference mode, no penalties."""

    def build():
        network, scores = recipe.network(), _losses.metrics(task, recipe.output_shape[0])

        def function(weights, x, y):
            return _sums(network, weights, x, y, width, stacked, scores)

        return compiled(function, *example)

    return cached(("score", recipe.key, recipe.dtype, width, rows, stacked, task), build)


def chunks(members, width):
    """Return the member indices of every chunk, (width,) each; the last repeats its last member to the full width."""
    return [np.minimum(np.arange(first, first + width), members - 1) for first in range(0, members, width)]


def run(task, count, bar=None):
    """Call ``task(index, advance, stop)`` for every index on one thread per core; the first error ends all.

    ``advance(amount)`` moves the progress bar; a task returns early once ``stop`` (threading.Event) is set. Ctrl-C
    sets it, waits for the running parts and is raised again.
    """
    stop, done, guard = threading.Event(), [0.0], threading.Lock()
    remaining = iter(range(count))

    def advance(amount):
        with guard:
            done[0] += amount

    def work():  # one loop per core: waiting on a future per task would take time quadratic in their number
        while not stop.is_set():
            with guard:
                index = next(remaining, None)
            if index is None:
                return
            task(index, advance, stop)

    threads = min(workers(), count)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        pending = {pool.submit(work) for _ in range(threads)}
        try:
            while pending:
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                if bar is not None:
                    bar.update(done[0] - bar.n)
        except BaseException:
            stop.set()
            raise

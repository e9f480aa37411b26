"""The compiled step: one chunk of members advanced by a number of epochs."""

from __future__ import annotations

from dataclasses import dataclass

from helpers._tensorflow import tf
from helpers.engine import inference, losses, optimizers, runtime
from helpers.engine.layers import Context


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


def training(recipe, optimizer, static, loss, shapes, example):
    """Return the program that advances one chunk by a number of epochs.

    Parameters
    ----------
    recipe : Recipe
        Architecture.
    optimizer, static : Optimizer, tuple
        The optimizer and its `Optimizer.static`.
    loss : (name or function, function)
        From `losses.resolve`.
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
    return runtime.cached(
        key,
        lambda: runtime.compiled(
            _training_function(recipe, optimizer, static, loss[1], shapes), *example
        ),
    )


def _training_function(recipe, optimizer, static, loss, s):
    """Return the uncompiled function behind `training`."""
    network = recipe.network()
    trained = [i for i, w in enumerate(recipe.weights) if w.trainable]
    scores = losses.metrics(s.task, recipe.output_shape[0])
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
            lost = tf.reduce_mean(loss(y, logits), axis=1)  # (M,)
            lost += penalty(everything, hyper, s.penalised)
            total = tf.reduce_sum(
                lost
            )  # summed, never averaged: each member sees only its own gradient
        gradients = tape.gradient(total, watched, unconnected_gradients="zero")
        for position, i in enumerate(trained):
            if i in s.masked:
                gradients[position] = gradients[position] * masks[s.masked.index(i)]
        watched, state = optimizers.update(
            static, optimizer.schedule, hyper, number, watched, gradients, state
        )
        weights = list(weights)
        for i, w in zip(trained, watched, strict=True):
            weights[i] = w * masks[s.masked.index(i)] if i in s.masked else w
        for i, value in context.updates.items():
            weights[i] = value
        sums = {"loss": lost * rows}
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
            return inference.as_members(tf.slice(values, begin, size), s.width, s.stacked)

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
            _, weights, state, sums = (
                tf.while_loop(lambda i, *_: i < full, body, loop) if full > 1 else body(*loop)
            )
        if rest:  # the short last batch has a step of its own: batch norm must see its rows only
            x, y = batch(data, order, full * s.batch, rest)
            weights, state, more = step(weights, state, hyper, keys, masks, start + full, x, y)
            sums = tf.nest.map_structure(tf.add, sums, more)
        return weights, state, {name: value / s.n_train for name, value in sums.items()}

    def validate(weights, hyper, data):
        every = {"loss": loss, **scores}
        sums = inference.sums(
            network, weights, data["x_val"], data["y_val"], s.width, s.stacked, every
        )
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
            records = {
                name: tf.tensor_scatter_nd_update(records[name], [[e]], [row[name]])
                for name in keep
            }
            return e + 1, weights, state, records

        loop = (tf.constant(0), weights, state, records)
        _, weights, state, records = tf.while_loop(lambda e, *_: e < count, body, loop)
        return weights, state, records

    return advance


def _rates(hyper, layers):
    """Return {layer index: (M,) rate} of the random layers."""
    return {i: hyper[f"rate/{i}"] for i in layers}

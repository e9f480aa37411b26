"""Training that `fit_many` does not offer, for stacked networks: a loss to stop at, a leash, a look uphill, a shake.

Two programs, compiled once and shared by all networks. `leashed` is full-batch Adam that stops each network by itself
at a given loss, keeps the state of its optimizer, and may pull the weights back to where they were. `flattened` is
gradient descent with momentum in batches, whose gradient is taken elsewhere: uphill, as sharpness-aware minimization
does [foret2021], or at weights with random noise.

Axes: M networks, W of them in one call of a program, N examples, B a batch. Each network has data of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers._base import seeds
from helpers._tensorflow import tf
from helpers.engine import draws, losses, noise, runtime
from helpers.engine.layers import Context
from helpers.engine.recipe import recipe_of

WIDTH = 10  # networks in one call; bits depend on it, so it is one number for all
MOMENTUM = 0.9
FIRST, SECOND, TINY = 0.9, 0.999, 1e-7  # Adam's, as Keras has them
METHODS = ("plain", "uphill", "shaken")


class Walk(NamedTuple):
    """Where networks stand, and what Adam remembers.

    Attributes
    ----------
    weights, mean, square : list of numpy.ndarray (M, ...)
        The weights, and Adam's two averages of the gradients.
    count : numpy.ndarray (M,) int32
        Steps taken.
    loss, worst : numpy.ndarray (M,)
        The last loss that was seen, and the highest; penalties not included.
    """

    weights: list[np.ndarray]
    mean: list[np.ndarray]
    square: list[np.ndarray]
    count: np.ndarray
    loss: np.ndarray
    worst: np.ndarray


def begin(weights) -> Walk:
    """Return a walk that begins at ``weights``, with a new optimizer."""
    zeros, members = [np.zeros_like(w) for w in weights], len(weights[0])
    return Walk(
        list(weights),
        zeros,
        [z.copy() for z in zeros],
        np.zeros(members, np.int32),
        np.full(members, np.inf, np.float32),
        np.zeros(members, np.float32),
    )


def _spread(values, like):
    """Return (M,) as (M, 1, ...), to meet an array of a weight's rank."""
    return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))


def _gradient(network, loss, weights, x, y, pull=None):
    """Return each network's mean loss (W,), without the pull, and the gradient of its own objective."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        lost = tf.reduce_mean(loss(y, network(x, weights, Context(True))), 1)
        total = tf.reduce_sum(lost + (0.0 if pull is None else pull(weights)))
    return lost, tape.gradient(total, weights)


def _leashed_program(recipe, example):
    """Return the program (walk, origin, strength, rate, stop, most, x, y) -> walk of at most so many steps."""
    key = ("leashed", recipe.key, recipe.dtype, WIDTH, example[-2].shape)

    def build():
        network = recipe.network()
        loss = losses.per_example(losses.default("binary", 1))

        def function(walk, origin, strength, rate, stop, most, x, y):
            def pull(weights):
                squares = [
                    tf.reduce_sum(tf.square(w - o), list(range(1, w.shape.rank)))
                    for w, o in zip(weights, origin, strict=True)
                ]
                return strength * tf.add_n(squares)

            def body(done, weights, mean, square, count, last, worst):
                lost, gradients = _gradient(network, loss, weights, x, y, pull)
                going = lost > stop  # NaN stops too
                number = tf.cast(count + 1, rate.dtype)
                corrected = tf.sqrt(1.0 - tf.pow(SECOND, number)) / (1.0 - tf.pow(FIRST, number))
                new = ([], [], [])
                for w, m, v, g in zip(weights, mean, square, gradients, strict=True):
                    m_new = m + (g - m) * (1 - FIRST)
                    v_new = v + (tf.square(g) - v) * (1 - SECOND)
                    moved = w - m_new * _spread(rate * corrected, w) / (tf.sqrt(v_new) + TINY)
                    for kept, old, now in zip(new, (w, m, v), (moved, m_new, v_new), strict=True):
                        kept.append(tf.where(_spread(going, w), now, old))
                count = count + tf.cast(going, tf.int32)
                return done + 1, *new, count, lost, tf.maximum(worst, lost)

            def goes_on(done, *state):
                unfinished = tf.logical_or(state[-2] > stop, tf.math.is_inf(state[-2]))
                return tf.logical_and(done < most, tf.reduce_any(unfinished))

            state = (tf.constant(0), list(walk.weights), list(walk.mean), list(walk.square))
            begun = (walk.count, tf.fill([WIDTH], tf.constant(np.inf, rate.dtype)), walk.worst)
            return tf.while_loop(goes_on, body, (*state, *begun))[1:]

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    return runtime.cached(key, build)


def leashed(net, walk, x, y, *, rate, steps, stop=-1.0, strength=0.0, origin=None) -> Walk:
    """Walk on with full-batch Adam for at most ``steps`` steps, each network until its loss is at most ``stop``.

    Parameters
    ----------
    net : callable
        Builds one network with one logit.
    walk : Walk
        From `begin`, or from the last call: the optimizer goes on with what it remembers.
    x, y : numpy.ndarray (M, N, D), (M, N)
        The points and their labels, 0 or 1.
    rate, strength : float or numpy.ndarray (M,)
        Of Adam; of the leash: the objective is the cross-entropy plus strength times the squared distance to
        ``origin``, by default the weights at the beginning.

    Returns
    -------
    Walk
        ``worst`` is the highest loss of this call.
    """
    recipe, members = recipe_of(net), len(walk.count)
    origin = walk.weights if origin is None else origin
    rate, strength = (np.broadcast_to(np.asarray(v, np.float32), members) for v in (rate, strength))
    x, y = np.asarray(x, np.float32), np.asarray(y, np.int32).reshape(members, -1)
    limits = np.float32(stop), np.int32(steps)

    def work(mine, advance, ended):
        def mine_of(nested):
            return tf.nest.map_structure(lambda a: tf.constant(a[mine.chosen]), nested)

        begun = walk._replace(worst=np.zeros(members, np.float32))
        given = (mine_of(begun), mine_of(list(origin)), mine_of(strength), mine_of(rate))
        given = (*given, *map(tf.constant, limits), mine_of(x), mine_of(y))
        found = _leashed_program(recipe, given)(*given)
        return [part.numpy() for part in tf.nest.flatten(found)]

    flat, size = runtime.map_chunks(work, members, WIDTH), len(walk.weights)
    return Walk(flat[:size], flat[size : 2 * size], flat[2 * size : 3 * size], *flat[3 * size :])


def _shakes(keys, number, stream, like):
    """Return uniform numbers of mean 0 and variance 1, shaped like a weight, from each network's key and step."""
    source = noise.Source(keys, tf.cast(number, tf.uint32))
    return (noise.uniform(source, stream, list(like.shape[1:]), like.dtype) - 0.5) * 12.0**0.5


def _flattened_program(recipe, method, batch, example):
    """Return the program (weights, slots, first, rates, size, decay, keys, x, y, order) -> (weights, slots, loss).

    One pass over the order (W, N): N / B steps, the first of number ``first``; ``rates`` (W, N / B).
    """
    key = ("flattened", recipe.key, recipe.dtype, WIDTH, method, batch, example[-3].shape)

    def build():
        network = recipe.network()
        loss = losses.per_example(losses.default("classification", recipe.output_shape[0]))

        def function(weights, slots, first, rates, size, decay, keys, x, y, order):
            def elsewhere(weights, number, xb, yb):
                if method == "uphill":
                    _, up = _gradient(network, loss, weights, xb, yb)
                    squares = [
                        tf.reduce_sum(tf.square(g), list(range(1, g.shape.rank))) for g in up
                    ]
                    share = size / (tf.sqrt(tf.add_n(squares)) + 1e-12)
                    return [w + _spread(share, w) * g for w, g in zip(weights, up, strict=True)]
                if method == "shaken":
                    return [
                        w + _spread(size * _rms(w), w) * _shakes(keys, number, i, w)
                        if w.shape.rank > 2
                        else w
                        for i, w in enumerate(weights)
                    ]
                return weights

            def body(i, weights, slots, total):
                here = tf.slice(order, [0, i * batch], [WIDTH, batch])
                xb, yb = (tf.gather(v, here, axis=1, batch_dims=1) for v in (x, y))
                rate = tf.slice(rates, [0, i], [WIDTH, 1])[:, 0]
                lost, g = _gradient(network, loss, elsewhere(weights, first + i, xb, yb), xb, yb)
                g = [
                    a + _spread(decay, a) * w if w.shape.rank > 2 else a
                    for a, w in zip(g, weights, strict=True)
                ]
                slots = [MOMENTUM * s - _spread(rate, s) * a for s, a in zip(slots, g, strict=True)]
                weights = [w + s for w, s in zip(weights, slots, strict=True)]
                return i + 1, weights, slots, total + lost

            steps = order.shape[1] // batch
            state = (tf.constant(0), list(weights), list(slots), tf.zeros([WIDTH], rates.dtype))
            _, weights, slots, total = tf.while_loop(lambda i, *_: i < steps, body, state)
            return weights, slots, total / steps

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    return runtime.cached(key, build)


def _loss_program(recipe, example):
    """Return the program (weights, x, y) -> mean loss of each network on all its examples, (W,)."""
    key = ("loss", recipe.key, recipe.dtype, WIDTH, example[1].shape)

    def build():
        network = recipe.network()
        loss = losses.per_example(losses.default("classification", recipe.output_shape[0]))

        def function(weights, x, y):
            return tf.reduce_mean(loss(y, network(x, weights, Context(False))), 1)

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    return runtime.cached(key, build)


def _rms(w):
    """Return the root mean square of each network's kernel, (W,)."""
    return tf.sqrt(tf.reduce_mean(tf.square(w), list(range(1, w.shape.rank))))


def flattened(
    net, weights, x, y, *, seed, method, rate, size=0.0, decay=0.0, epochs, batch=100, looks=(), target=None
):  # fmt: skip
    """Train with momentum 0.9 and a rate that falls to zero along a cosine; the gradient is taken elsewhere.

    Parameters
    ----------
    net : callable
        Builds one network; classification.
    weights : list of numpy.ndarray (M, ...)
        Where it starts.
    x, y : numpy.ndarray (M, N, D), (M, N)
        N a multiple of the batch size.
    method : {"plain", "uphill", "shaken"}
        "uphill": at the weights plus ``size`` along the gradient's direction, two gradients a step. "shaken": at the
        kernels plus uniform noise of standard deviation ``size`` times each kernel's root mean square.
    rate, size, decay : float or numpy.ndarray (M,)
        Decay: of L2 on the kernels, times the weights, added to the gradient.
    looks : sequence of int
        Epochs after which weights are kept.
    target : float, optional
        Keep also, under "nearest", each network's weights after the epoch whose training loss is nearest to this on a
        log scale, of the epochs up to the first that is below.

    Returns
    -------
    weights : list of numpy.ndarray (M, ...)
    kept : dict of int or str to list of numpy.ndarray
    """
    if method not in METHODS:
        raise ValueError(f"Argument `method` must be one of {METHODS}. Received: {method!r}.")
    members, examples = y.shape[:2]
    if examples % batch:
        raise ValueError(f"Argument `batch` must divide {examples} examples. Received: {batch}.")
    recipe, steps = recipe_of(net), examples // batch
    rate, size, decay = (
        np.broadcast_to(np.asarray(v, np.float32), members) for v in (rate, size, decay)
    )
    falls = 0.5 * (1 + np.cos(np.pi * np.arange(epochs * steps) / (epochs * steps)))
    x, y = np.asarray(x, np.float32), np.asarray(y, np.int32)
    keys = draws.noise_keys(seed, members)
    due = sorted(set(looks))

    def work(mine, advance, ended):
        def mine_of(array):
            return tf.constant(np.asarray(array)[mine.chosen])

        here = [mine_of(w) for w in weights]
        slots, kept = [tf.zeros_like(w) for w in here], []
        fixed = [mine_of(v) for v in (size, decay, keys, x, y)]
        orders = [seeds.generator(seed, "order", int(row)) for row in mine.chosen[: mine.kept]]
        nearest, off = [w.numpy() for w in here], np.full(WIDTH, np.inf)
        below = np.zeros(WIDTH, bool)
        for epoch in range(epochs):
            first = epoch * steps
            order = np.stack([one.permutation(examples) for one in orders]).astype(np.int32)
            order = np.concatenate([order, np.repeat(order[-1:], WIDTH - mine.kept, axis=0)])
            rates = rate[mine.chosen, None] * falls[first : first + steps].astype(np.float32)
            given = (
                here,
                slots,
                tf.constant(first),
                tf.constant(rates),
                *fixed,
                tf.constant(order),
            )
            here, slots, _ = _flattened_program(recipe, method, batch, given)(*given)
            if epoch + 1 in due:
                kept.append([w.numpy() for w in here])
            if target is not None and not below.all():
                lost = _loss_program(recipe, (here, *fixed[3:]))(here, *fixed[3:]).numpy()
                far = np.abs(np.log(np.maximum(lost, 1e-12) / target))
                better = ~below & (far < off)  # False where the loss is NaN
                off[better] = far[better]
                for best, now in zip(nearest, here, strict=True):
                    best[better] = now.numpy()[better]
                below |= lost <= target
        kept += [nearest] if target is not None else []
        return [w.numpy() for w in here] + [w for look in kept for w in look]

    flat, parts = runtime.map_chunks(work, members, WIDTH), len(weights)
    names = [*due, *(["nearest"] if target is not None else [])]
    kept = {e: flat[(i + 1) * parts : (i + 2) * parts] for i, e in enumerate(names)}
    return flat[:parts], kept

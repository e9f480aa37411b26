"""Compiled programs that move stacked networks along rays in weight space, or look at gradients of their outputs.

A ray is a network and a direction; all rays of all networks share the member axis of one program, chunk by chunk.
"""

from __future__ import annotations

import numpy as np

from helpers import _inference, _losses, _programs, checks
from helpers._layers import Context
from helpers._tensorflow import tf


def task_of(recipe, y):
    """Return the task that targets and outputs imply: floats regress, integers classify."""
    if np.asarray(y).dtype.kind == "f":
        return "regression"
    return "binary" if recipe.output_shape == (1,) else "classification"


def check_data(recipe, x, y, members):
    """Return x, y as arrays of the program's types, whether they are stacked, and the task."""
    x, stacked = _inference.check_inputs(x, recipe, members)
    task = task_of(recipe, y)
    y = checks.array("y", y, dtype=recipe.dtype if task == "regression" else np.int32)
    rows = x.shape[: 2 if stacked else 1]
    if task == "regression" and recipe.output_shape == (1,) and y.shape == rows:
        y = y[..., np.newaxis]
    wanted = (*rows, *recipe.output_shape) if task == "regression" else rows
    if y.shape != wanted or not rows[-1]:
        remedy = "Give one target per row of x, integers for labels and floats for a regression."
        raise ValueError(f"Argument `y` must have shape {wanted} to fit x. Received: {y.shape}. {remedy}")
    _losses.check_targets("y", y, task, recipe.output_shape[0], max(2, recipe.output_shape[0]))
    return x, y, stacked, task


def check_directions(directions, recipe, members):
    """Return directions as a list of (M, K, ...) arrays or None, the positions that move, and K."""
    if not isinstance(directions, (list, tuple)) or len(directions) != len(recipe.weights):
        found = len(directions) if isinstance(directions, (list, tuple)) else type(directions).__name__
        expected = f"a list of {len(recipe.weights)} arrays or None, one per entry of get_weights()"
        raise ValueError(checks.message("directions", expected, found, "Use landscape.directions."))
    moving = [i for i, d in enumerate(directions) if d is not None]
    if not moving or np.ndim(directions[moving[0]]) < 2:
        expected = "arrays (M, K, ...) for the entries that move; not all may be None"
        raise ValueError(checks.message("directions", expected, [np.shape(directions[i]) for i in moving]))
    rays = int(checks.integer("K", np.shape(directions[moving[0]])[1]))
    arrays = [None] * len(directions)
    for i in moving:
        shape = (members, rays, *recipe.weights[i].shape)
        arrays[i] = checks.array(f"directions[{i}]", directions[i], shape=shape, dtype=recipe.dtype)
    return arrays, tuple(moving), rays


def _sums(recipe, width, stacked, moving, scores):
    """Return the function (base, steps, radius, x, y) -> {name: (width,) sum over rows} at base + radius * steps."""
    network = recipe.network()

    def at(base, steps, radius, x, y):
        weights = list(base)
        for position, step in zip(moving, steps, strict=True):
            weights[position] += tf.reshape(radius, [width] + [1] * (step.shape.rank - 1)) * step
        return _programs._sums(network, weights, x, y, width, stacked, scores)

    return at


def _crossing(recipe, width, rows, stacked, moving, task, example):
    """Return the program (base, steps, x, y, search) -> (width,) first radius; search is (5,), see `crossing`."""

    def build():
        loss = _losses.resolve("auto", task, recipe.output_shape[0], recipe.dtype)[1]
        at = _sums(recipe, width, stacked, moving, {"loss": loss})

        def function(base, steps, x, y, search):
            threshold, start, growth, reach, precision = tf.unstack(search)

            def excess(radius):  # above 0 outside; NaN is outside
                mean = at(base, steps, radius, x, y)["loss"] / rows - threshold
                return tf.where(tf.math.is_nan(mean), tf.constant(np.inf, search.dtype), mean)

            # A bracket is (low, high, excess at low, excess at high); high is infinite until a point outside is met.
            def scan(radius, low, high, below, above):
                value = excess(tf.fill([width], radius))
                searching = tf.math.is_inf(high)
                out, inside = searching & (value > 0), searching & (value <= 0)
                low, below = tf.where(inside, radius, low), tf.where(inside, value, below)
                high, above = tf.where(out, radius, high), tf.where(out, value, above)
                return tf.where(radius < reach, tf.minimum(radius * growth, reach), 2 * reach), low, high, below, above

            def halve(low, high, below, above):
                middle = (low + high) / 2
                value = excess(middle)
                out = value > 0
                low, below = tf.where(out, low, middle), tf.where(out, below, value)
                return low, tf.where(out, middle, high), below, tf.where(out, value, above)

            zero, nothing = (tf.fill([width], tf.constant(v, search.dtype)) for v in (0.0, np.inf))
            first = excess(zero)
            none = first > 0  # outside at radius 0 already
            state = (start, zero, tf.where(none, zero, nothing), first, zero)
            _, low, high, below, above = tf.while_loop(
                lambda radius, low, high, *_: (radius <= reach) & tf.reduce_any(tf.math.is_inf(high)), scan, state
            )
            open_ended = tf.math.is_inf(high)
            low, high, below, above = tf.while_loop(
                lambda low, high, *_: tf.reduce_any(high - low > precision * high),
                halve,
                (low, tf.where(open_ended, low, high), below, above),
                maximum_iterations=60,
            )
            # The loss is as good as straight within the bracket: a secant adds its digits for nothing.
            share = tf.where(tf.math.is_finite(above), below / (below - above), 0.5)
            radius = low + (high - low) * tf.where(low < high, share, 0.0)
            return tf.where(none, zero, tf.where(open_ended, nothing, radius))

        return _programs.compiled(function, *example)

    key = ("crossing", recipe.key, recipe.dtype, width, rows, stacked, moving, task)
    return _programs.cached(key, build)


def _along(recipe, width, rows, stacked, moving, task, example):
    """Return the program (base, steps, x, y, radius (width,)) -> {metric: (width,) mean}."""

    def build():
        at = _sums(recipe, width, stacked, moving, _losses.metrics(task, recipe.output_shape[0]))

        def function(base, steps, x, y, radius):
            return {name: total / rows for name, total in at(base, steps, radius, x, y).items()}

        return _programs.compiled(function, *example)

    return _programs.cached(("along", recipe.key, recipe.dtype, width, rows, stacked, moving, task), build)


def _each_chunk(recipe, weights, directions, moving, rays, x, y, stacked, work):
    """Call ``work(slice of rays, width, tensors)`` for every chunk of the M * K rays, on one thread per core."""
    members = len(weights[0])
    rows = x.shape[1] if stacked else x.shape[0]
    width = _programs.chunk_width(recipe, min(rows, _programs.BLOCK_ROWS))
    groups = _programs.chunks(members * rays, width)
    flat = {i: directions[i].reshape(members * rays, *directions[i].shape[2:]) for i in moving}
    shared = None if stacked else (tf.constant(x), tf.constant(y))

    def task(index, advance, stop):
        chosen = groups[index]
        owner = chosen // rays
        base = [tf.constant(w[owner]) for w in weights]
        steps = [tf.constant(flat[i][chosen]) for i in moving]
        data = (tf.constant(x[owner]), tf.constant(y[owner])) if stacked else shared
        kept = min(width, members * rays - index * width)
        work(slice(index * width, index * width + kept), kept, (base, steps, *data), width, rows)

    _programs.run(task, len(groups))


def crossing(recipe, weights, directions, moving, rays, x, y, stacked, task, search):
    """Return the first radius (M, K) at which the mean loss passes ``search[0]``; inf where it does not.

    ``search``: threshold, first radius, growth of the scan, last radius, relative width at which bisection ends.
    """
    radii = np.empty(len(weights[0]) * rays)
    limits = tf.constant(search, recipe.dtype)

    def work(place, kept, tensors, width, rows):
        program = _crossing(recipe, width, rows, stacked, moving, task, (*tensors, limits))
        radii[place] = program(*tensors, limits).numpy()[:kept]

    _each_chunk(recipe, weights, directions, moving, rays, x, y, stacked, work)
    return radii.reshape(-1, rays)


def along(recipe, weights, directions, moving, rays, x, y, stacked, task, radii):
    """Return {metric: (M, K, R)} at base + radius * direction for every radius of ``radii`` (R,)."""
    names = tuple(_losses.metrics(task, recipe.output_shape[0]))
    found = {name: np.empty((len(weights[0]) * rays, len(radii)), np.float32) for name in names}

    def work(place, kept, tensors, width, rows):
        for r, radius in enumerate(radii):
            at = tf.fill([width], tf.constant(radius, recipe.dtype))
            program = _along(recipe, width, rows, stacked, moving, task, (*tensors, at))
            for name, mean in program(*tensors, at).items():
                found[name][place, r] = mean.numpy()[:kept]

    _each_chunk(recipe, weights, directions, moving, rays, x, y, stacked, work)
    return {name: values.reshape(-1, rays, len(radii)) for name, values in found.items()}


def input_jacobian(recipe, weights, x):
    """Return logits (M, N, C) and their gradients with respect to the inputs (M, N, C, ...); x is (M, N, ...)."""
    members, rows = x.shape[:2]
    width = _programs.chunk_width(recipe, rows)

    def build():
        network = recipe.network()

        def function(base, points):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(points)
                logits = network(points, base, Context(training=False))
                each = tf.unstack(logits, axis=-1)
            return logits, tf.stack([tape.gradient(one, points) for one in each], axis=2)

        return _programs.compiled(function, *example)

    logits = np.empty((members, rows, *recipe.output_shape), recipe.dtype)
    slopes = np.empty((members, rows, *recipe.output_shape, *recipe.input_shape), recipe.dtype)
    groups = _programs.chunks(members, width)
    example = ([tf.constant(w[groups[0]]) for w in weights], tf.constant(x[groups[0]]))
    program = _programs.cached(("input_jacobian", recipe.key, recipe.dtype, width, rows), build)

    def task(index, advance, stop):
        chosen = groups[index]
        place, kept = slice(index * width, index * width + width), min(width, members - index * width)
        found = program([tf.constant(w[chosen]) for w in weights], tf.constant(x[chosen]))
        logits[place], slopes[place] = (part.numpy()[:kept] for part in found)

    _programs.run(task, len(groups))
    return logits, slopes


def weight_jacobian(recipe, weights, x):
    """Return logits (N, C) of ONE network (no member axis) and their gradients (N, C, trainable parameters)."""
    rows, positions = len(x), [i for i, w in enumerate(recipe.weights) if w.trainable]

    def build():
        network = recipe.network()

        def function(base, points):  # every example gets a copy of the network: gradients per example in one pass
            copies = [tf.broadcast_to(w[tf.newaxis], [rows, *w.shape]) for w in base]
            with tf.GradientTape(persistent=True) as tape:
                for i in positions:
                    tape.watch(copies[i])
                logits = network(points[:, tf.newaxis], copies, Context(training=False))[:, 0]
                each = tf.unstack(logits, axis=-1)
            flat = []
            for one in each:
                gradients = tape.gradient(one, [copies[i] for i in positions])
                flat.append(tf.concat([tf.reshape(g, [rows, -1]) for g in gradients], axis=1))
            return logits, tf.stack(flat, axis=1)

        return _programs.compiled(function, *example)

    example = ([tf.constant(w) for w in weights], tf.constant(x))
    logits, gradients = _programs.cached(("weight_jacobian", recipe.key, recipe.dtype, rows), build)(*example)
    return logits.numpy(), gradients.numpy()

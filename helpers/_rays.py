"""Compiled programs that move stacked networks along rays in weight space, or look at gradients of their outputs.

A ray is a network and a direction; the rays of a network share the member axis of a program, chunk by chunk.
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


def _sums(recipe, width, moving, scores):
    """Return the function (base, steps, radius, x, y) -> {name: (width,) sum over rows} at base + radius * steps.

    ``base`` and x, y are those of ONE network, ``steps`` (width, ...) and ``radius`` (width,) of each ray.
    """
    network = recipe.network()

    def at(base, steps, radius, x, y):
        weights = [tf.broadcast_to(w[tf.newaxis], [width, *w.shape]) for w in base]
        for position, step in zip(moving, steps, strict=True):
            weights[position] += tf.reshape(radius, [width] + [1] * (step.shape.rank - 1)) * step
        return _programs._sums(network, weights, x, y, width, False, scores)

    return at


def _crossing(recipe, width, rows, moving, task, example):
    """Return the program (base, steps, x, y, start, search (4,)) -> (width,) first radius; see `crossing`."""

    def build():
        loss = _losses.resolve("auto", task, recipe.output_shape[0], recipe.dtype)[1]
        at = _sums(recipe, width, moving, {"loss": loss})

        def function(base, steps, x, y, start, search):
            threshold, growth, reach, precision = tf.unstack(search)

            def excess(radius):  # above 0 outside; NaN is outside
                mean = at(base, steps, radius, x, y)["loss"] / rows - threshold
                return tf.where(tf.math.is_nan(mean), tf.constant(np.inf, search.dtype), mean)

            # A bracket is (low, high, excess at low, excess at high); high is infinite until a point outside is met.
            def scan(radius, low, high, below, above):
                value = excess(radius)
                searching = tf.math.is_inf(high) & (radius <= reach)
                out, inside = searching & (value > 0), searching & (value <= 0)
                low, below = tf.where(inside, radius, low), tf.where(inside, value, below)
                high, above = tf.where(out, radius, high), tf.where(out, value, above)
                return tf.where(radius < reach, tf.minimum(radius * growth, reach), 2 * reach), low, high, below, above

            def wide(low, high):
                return high - low > precision * high

            def halve(low, high, below, above):  # a bracket that is narrow enough stays, whatever its neighbours need
                middle = (low + high) / 2
                value = excess(middle)
                out, inside = wide(low, high) & (value > 0), wide(low, high) & (value <= 0)
                low, below = tf.where(inside, middle, low), tf.where(inside, value, below)
                return low, tf.where(out, middle, high), below, tf.where(out, value, above)

            zero, nothing = (tf.fill([width], tf.constant(v, search.dtype)) for v in (0.0, np.inf))
            first = excess(zero)
            none = first > 0  # outside at radius 0 already
            state = (start, zero, tf.where(none, zero, nothing), first, zero)
            _, low, high, below, above = tf.while_loop(
                lambda radius, low, high, *_: tf.reduce_any((radius <= reach) & tf.math.is_inf(high)), scan, state
            )
            open_ended = tf.math.is_inf(high)
            low, high, below, above = tf.while_loop(
                lambda low, high, *_: tf.reduce_any(wide(low, high)),
                halve,
                (low, tf.where(open_ended, low, high), below, above),
                maximum_iterations=60,
            )
            # The loss is as good as straight within the bracket: a secant adds its digits for nothing.
            share = tf.where(tf.math.is_finite(above), below / (below - above), 0.5)
            radius = low + (high - low) * tf.where(low < high, share, 0.0)
            return tf.where(none, zero, tf.where(open_ended, nothing, radius))

        return _programs.compiled(function, *example)

    key = ("crossing", recipe.key, recipe.dtype, width, rows, moving, task)
    return _programs.cached(key, build)


def _along(recipe, width, rows, moving, task, example):
    """Return the program (base, steps, x, y, radii (R,)) -> {metric: (R, width) mean}."""

    def build():
        scores = _losses.metrics(task, recipe.output_shape[0])
        at = _sums(recipe, width, moving, scores)

        def function(base, steps, x, y, radii):
            def look(r, found):
                totals = at(base, steps, tf.fill([width], radii[r]), x, y)
                return r + 1, {
                    name: tf.tensor_scatter_nd_update(found[name], [[r]], [total / rows])
                    for name, total in totals.items()
                }

            looks = radii.shape[0]
            blank = {name: tf.zeros([looks, width], recipe.dtype) for name in scores}
            return tf.while_loop(lambda r, _: r < looks, look, (tf.constant(0), blank))[1]

        return _programs.compiled(function, *example)

    key = ("along", recipe.key, recipe.dtype, width, rows, moving, task, example[-1].shape[0])
    return _programs.cached(key, build)


def _most(recipe, rows):
    """Return the most rays of one call: without gradients a ray needs its weights, its step and one layer's outputs."""
    widest = max(int(np.prod(layer.output.shape[1:])) for layer in recipe.layers)
    each = np.dtype(recipe.dtype).itemsize * (2 * recipe.size + rows * widest)
    return int(np.clip(_programs.CHUNK_BYTES // each, 1, 16))


def _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work):
    """Call ``work(network, chunks, width, rows)`` for every network, on one thread per core.

    ``chunks`` gives (place, tensors) one after the other: a slice of the directions, and the arguments base, steps, x
    and y. The last reaches back into the one before, so that all have one width.
    """
    rows = x.shape[1] if stacked else x.shape[0]
    parts = -(-rays // _most(recipe, min(rows, _programs.BLOCK_ROWS)))
    width = -(-rays // parts)
    shared = None if stacked else (tf.constant(x), tf.constant(y))

    def chunks(m):
        base, data = [tf.constant(w[m]) for w in weights], shared or (tf.constant(x[m]), tf.constant(y[m]))
        for part in range(parts):
            begin = min(part * width, rays - width)
            place = slice(begin, begin + width)
            yield place, (base, [tf.constant(directions[i][m, place]) for i in moving], *data)

    _programs.run(lambda m, advance, stop: work(m, chunks(m), width, rows), len(weights[0]))


def crossing(recipe, weights, directions, moving, rays, x, y, stacked, task, start, pilot, search):
    """Return the first radius (M, K) at which the mean loss passes ``search[0]``; inf where it does not.

    With ``pilot`` only the first chunk of a network starts at ``start``. ``search``: threshold, growth of the scan,
    last radius, relative width at which bisection ends.
    """
    radii, limits = np.empty((len(weights[0]), rays)), tf.constant(search, recipe.dtype)

    def work(m, chunks, width, rows):
        first = start
        for place, tensors in chunks:
            arguments = (*tensors, tf.fill([width], tf.constant(first, recipe.dtype)), limits)
            radii[m, place] = _crossing(recipe, width, rows, moving, task, arguments)(*arguments).numpy()
            smallest = radii[m, :width].min()
            if pilot and np.isfinite(smallest):
                first = max(start, 0.7 * smallest)

    _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work)
    return radii


def along(recipe, weights, directions, moving, rays, x, y, stacked, task, radii):
    """Return {metric: (M, K, R)} at base + radius * direction for every radius of ``radii`` (R,)."""
    names = tuple(_losses.metrics(task, recipe.output_shape[0]))
    found = {name: np.empty((len(weights[0]), rays, len(radii)), np.float32) for name in names}
    radii = tf.constant(radii, recipe.dtype)

    def work(m, chunks, width, rows):
        for place, tensors in chunks:
            arguments = (*tensors, radii)
            for name, means in _along(recipe, width, rows, moving, task, arguments)(*arguments).items():
                found[name][m, place] = means.numpy().T

    _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work)
    return found


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

"""Compiled programs that move stacked networks along rays in weight space, or look at gradients of their outputs.

A ray is a network and a direction; the rays of a network share the member axis of a program, chunk by chunk.
"""

from __future__ import annotations

import numpy as np

from helpers._base import checks
from helpers._tensorflow import tf
from helpers.engine import endings, inference, losses, runtime, scores
from helpers.engine.layers import Context


def of_logits(recipe):
    """Return a classifier's `Recipe` without the softmax or sigmoid that it may end in: losses are those of logits.

    Raises
    ------
    ValueError
        Where probabilities cannot be turned back.
    """
    if endings.kind_of(recipe.template.outputs[0]) == endings.LOGITS:
        return recipe
    if recipe.without_ending is None:
        raise ValueError(
            "Argument `model` must return logits, or end in a softmax or sigmoid. Received: a model with something "
            "behind these. Measure the model without it: it has the same weights."
        )
    return recipe.without_ending


def task_of(recipe, y):
    """Return the task that targets and outputs imply: floats regress, integers classify."""
    if np.asarray(y).dtype.kind == "f":
        return "regression"
    return "binary" if recipe.output_shape == (1,) else "classification"


def check_data(recipe, x, y, members):
    """Return what is measured (`of_logits`), x, y as arrays of its types, whether they are stacked, and the task."""
    x, stacked = inference.check_inputs(x, recipe, members)
    task = task_of(recipe, y)
    y = checks.array("y", y, dtype=recipe.dtype if task == "regression" else np.int32)
    rows = x.shape[: 2 if stacked else 1]
    if task == "regression" and recipe.output_shape == (1,) and y.shape == rows:
        y = y[..., np.newaxis]
    wanted = (*rows, *recipe.output_shape) if task == "regression" else rows
    if y.shape != wanted or not rows[-1]:
        remedy = "Give one target per row of x, integers for labels and floats for a regression."
        raise ValueError(
            f"Argument `y` must have shape {wanted} to fit x. Received: {y.shape}. {remedy}"
        )
    losses.check_targets("y", y, task, recipe.output_shape[0], max(2, recipe.output_shape[0]))
    recipe = recipe if task == "regression" else of_logits(recipe)
    return recipe, x, y, stacked, task


def check_directions(directions, recipe, members):
    """Return directions as a list of (M, K, ...) arrays or None, the positions that move, and K."""
    if not isinstance(directions, (list, tuple)) or len(directions) != len(recipe.weights):
        found = (
            len(directions) if isinstance(directions, (list, tuple)) else type(directions).__name__
        )
        expected = f"a list of {len(recipe.weights)} arrays or None, one per entry of get_weights()"
        raise ValueError(checks.message("directions", expected, found, "Use landscape.directions."))
    moving = [i for i, d in enumerate(directions) if d is not None]
    if not moving or np.ndim(directions[moving[0]]) < 2:
        expected = "arrays (M, K, ...) for the entries that move; not all may be None"
        raise ValueError(
            checks.message("directions", expected, [np.shape(directions[i]) for i in moving])
        )
    rays = int(checks.integer("K", np.shape(directions[moving[0]])[1]))
    arrays = [None] * len(directions)
    for i in moving:
        shape = (members, rays, *recipe.weights[i].shape)
        arrays[i] = checks.array(f"directions[{i}]", directions[i], shape=shape, dtype=recipe.dtype)
    return arrays, tuple(moving), rays


def _sums(network, width, moving, measured):
    """Return the function (base, steps, radius, x, y) -> {name: (width,) sum over rows} at base + radius * steps.

    ``base`` and x, y are those of ONE network, ``steps`` (width, ...) and ``radius`` (width,) of each ray.
    """

    def at(base, steps, radius, x, y):
        weights = [tf.broadcast_to(w[tf.newaxis], [width, *w.shape]) for w in base]
        for position, step in zip(moving, steps, strict=True):
            weights[position] += tf.reshape(radius, [width] + [1] * (step.shape.rank - 1)) * step
        return inference.sums(network, weights, x, y, width, False, measured)

    return at


def _in_parts(steps, width, state, work):
    """Return the state after ``state = work(begin, steps[begin : begin + width], state)`` for all rays of a call.

    The last part reaches back into the one before, so that all have one width.
    """
    rays = steps[0].shape[0]

    def body(part, state):
        begin = tf.minimum(part * width, rays - width)
        some = [
            tf.slice(s, [begin] + [0] * (s.shape.rank - 1), [width, *s.shape[1:]]) for s in steps
        ]
        return part + 1, work(begin, some, state)

    return tf.while_loop(lambda part, _: part * width < rays, body, (tf.constant(0), state))[1]


def _placed(rows, begin, values):
    """Return rows (K, ...) with values (width, ...) from row ``begin`` on."""
    return tf.tensor_scatter_nd_update(
        rows, (begin + tf.range(values.shape[0]))[:, tf.newaxis], values
    )


def _crossing(recipe, width, rows, moving, task, example):
    """Return the program (base, steps (K, ...), x, y, start, pilot, search (4,)) -> (radii (K,), start).

    See `crossing`; the start returned is where the next call of the network begins.
    """

    def build():
        loss = losses.per_example(losses.default(task, recipe.output_shape[0]))
        network, score = recipe.network(), {"loss": loss}
        at = _sums(network, width, moving, score)

        def function(base, steps, x, y, start, pilot, search):
            threshold, growth, reach, precision = tf.unstack(search)

            def excess_of(totals):  # above 0 outside; NaN is outside
                mean = totals["loss"] / rows - threshold
                return tf.where(tf.math.is_nan(mean), tf.constant(np.inf, search.dtype), mean)

            def part(begin, some, state):
                radii, start = state
                found = first_radii(lambda radius: excess_of(at(base, some, radius, x, y)), start)
                smallest = tf.reduce_min(found)
                nearer = tf.maximum(start, 0.7 * smallest)
                start = tf.where(pilot & (begin == 0) & tf.math.is_finite(smallest), nearer, start)
                return _placed(radii, begin, found), start

            def first_radii(excess, start):
                # A bracket is (low, high, excess at low, at high); high is infinite until a point outside is met.
                def scan(radius, low, high, below, above):
                    value = excess(radius)
                    searching = tf.math.is_inf(high) & (radius <= reach)
                    out, inside = searching & (value > 0), searching & (value <= 0)
                    low, below = tf.where(inside, radius, low), tf.where(inside, value, below)
                    high, above = tf.where(out, radius, high), tf.where(out, value, above)
                    further = tf.where(
                        radius < reach, tf.minimum(radius * growth, reach), 2 * reach
                    )
                    return further, low, high, below, above

                def wide(low, high):
                    return high - low > precision * high

                def halve(
                    low, high, below, above
                ):  # a narrow bracket stays, whatever its neighbours need
                    middle = (low + high) / 2
                    value = excess(middle)
                    out, inside = wide(low, high) & (value > 0), wide(low, high) & (value <= 0)
                    low, below = tf.where(inside, middle, low), tf.where(inside, value, below)
                    return low, tf.where(out, middle, high), below, tf.where(out, value, above)

                zero, nothing = (
                    tf.fill([width], tf.constant(v, search.dtype)) for v in (0.0, np.inf)
                )
                state = (tf.fill([width], start), zero, nothing, zero + at_zero, zero)
                _, low, high, below, above = tf.while_loop(
                    lambda radius, low, high, *_: tf.reduce_any(
                        (radius <= reach) & tf.math.is_inf(high)
                    ),
                    scan,
                    state,
                )
                open_ended = tf.math.is_inf(high)
                low, high, below, above = tf.while_loop(
                    lambda low, high, *_: tf.reduce_any(wide(low, high)),
                    halve,
                    (low, tf.where(open_ended, low, high), below, above),
                    maximum_iterations=60,
                )
                radius = _between(low, high, below, above, threshold)
                return tf.where(open_ended, nothing, radius)

            still = [w[tf.newaxis] for w in base]
            at_zero = excess_of(inference.sums(network, still, x, y, 1, False, score))
            state = (
                tf.zeros([steps[0].shape[0]], search.dtype),
                start,
            )  # of a network that is outside at radius 0
            return tf.cond(
                at_zero[0] > 0, lambda: state, lambda: _in_parts(steps, width, state, part)
            )

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    key = ("crossing", recipe.key, recipe.dtype, width, rows, moving, task, example[1][0].shape[0])
    return runtime.cached(key, build)


def _between(low, high, below, above, threshold):
    """Return where a loss crosses the threshold within brackets, from its excess at both ends.

    Around a minimum a loss grows as a power of the radius: within the bracket its logarithm is as good as straight in
    the logarithm of the radius, which adds digits for nothing. A bracket that begins at 0, or at a loss of 0, gets a
    secant.
    """
    share = tf.where(tf.math.is_finite(above), below / (below - above), 0.5)
    secant = low + (high - low) * tf.where(low < high, share, 0.0)
    inner = below + threshold
    usable = (low > 0) & (low < high) & (inner > 0) & tf.math.is_finite(above)
    one = tf.ones_like(low)
    inner, outer = tf.where(usable, inner, one), tf.where(usable, above + threshold, 2 * one)
    power = tf.math.log(threshold / inner) / tf.math.log(outer / inner)
    return tf.where(usable, low * (high / tf.where(usable, low, one)) ** power, secant)


def _along(recipe, width, rows, moving, task, example):
    """Return the program (base, steps (K, ...), x, y, radii (R,)) -> {metric: (K, R) mean}."""

    def build():
        measured = scores.usual(task, recipe.output_shape[0])
        at = _sums(recipe.network(), width, moving, measured)

        def function(base, steps, x, y, radii):
            looks = radii.shape[0]

            def part(begin, some, found):
                def look(r, here):
                    totals = at(base, some, tf.fill([width], radii[r]), x, y)
                    return r + 1, {
                        name: tf.tensor_scatter_nd_update(here[name], [[r]], [total / rows])
                        for name, total in totals.items()
                    }

                blank = {name: tf.zeros([looks, width], recipe.dtype) for name in measured}
                here = tf.while_loop(lambda r, _: r < looks, look, (tf.constant(0), blank))[1]
                return {
                    name: _placed(found[name], begin, tf.transpose(here[name])) for name in measured
                }

            nothing = {
                name: tf.zeros([steps[0].shape[0], looks], recipe.dtype) for name in measured
            }
            return _in_parts(steps, width, nothing, part)

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    shapes = example[1][0].shape[0], example[-1].shape[0]
    key = ("along", recipe.key, recipe.dtype, width, rows, moving, task, *shapes)
    return runtime.cached(key, build)


def _most(recipe, rows):
    """Return the most rays at once: without gradients a ray needs its weights, its step and one layer's outputs."""
    widest = max(int(np.prod(layer.output.shape[1:])) for layer in recipe.layers)
    each = np.dtype(recipe.dtype).itemsize * (2 * recipe.size + rows * widest)
    return int(np.clip(runtime.CHUNK_BYTES // each, 1, 16))


def _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work):
    """Return the arrays (M, ...) of which ``work(calls, width, rows)`` computes one network's, on one thread per core.

    ``width`` rays are looked at at once. ``calls`` gives (place, tensors) one after the other: a slice of the
    directions, and the arguments base, steps, x and y. A call holds all of a network's rays, or as many as make up
    `runtime.CALL_WORK` at twenty looks each. The last call reaches back into the one before.
    """
    rows = x.shape[1] if stacked else x.shape[0]
    parts = -(-rays // _most(recipe, min(rows, inference.BLOCK_ROWS)))
    width = -(-rays // parts)
    a_call = int(
        np.clip(runtime.CALL_WORK / (40.0 * max(recipe.size, 50) * rows * width), 1, parts)
    )
    calls = -(-parts // a_call)
    size = min(-(-parts // calls) * width, rays)
    shared = None if stacked else (tf.constant(x), tf.constant(y))

    def each_call(m):
        base, data = (
            [tf.constant(w[m]) for w in weights],
            shared or (tf.constant(x[m]), tf.constant(y[m])),
        )
        for call in range(calls):
            begin = min(call * size, rays - size)
            place = slice(begin, begin + size)
            yield place, (base, [tf.constant(directions[i][m, place]) for i in moving], *data)

    def alone(chunk, advance, stop):  # a chunk of one network: its rays fill the program
        return [part[np.newaxis] for part in work(each_call(chunk.index), width, rows)]

    return runtime.map_chunks(alone, len(weights[0]), 1)


def crossing(recipe, weights, directions, moving, rays, x, y, stacked, task, start, pilot, search):
    """Return the first radius (M, K) at which the mean loss passes ``search[0]``; inf where it does not.

    With ``pilot`` only the first rays of a network, those looked at at once, start at ``start``. ``search``: threshold,
    growth of the scan, last radius, relative width at which bisection ends.
    """
    limits = tf.constant(search, recipe.dtype)

    def work(calls, width, rows):
        radii, first, fresh = np.empty(rays), tf.constant(start, recipe.dtype), pilot
        for place, tensors in calls:
            arguments = (*tensors, first, tf.constant(fresh), limits)
            found, first = _crossing(recipe, width, rows, moving, task, arguments)(*arguments)
            radii[place], fresh = found.numpy(), False
        return [radii]

    return _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work)[0]


def along(recipe, weights, directions, moving, rays, x, y, stacked, task, radii):
    """Return {metric: (M, K, R)} at base + radius * direction for every radius of ``radii`` (R,)."""
    names = tuple(scores.usual(task, recipe.output_shape[0]))
    looks = tf.constant(radii, recipe.dtype)

    def work(calls, width, rows):
        found = {name: np.empty((rays, len(radii)), np.float32) for name in names}
        for place, tensors in calls:
            arguments = (*tensors, looks)
            program = _along(recipe, width, rows, moving, task, arguments)
            for name, means in program(*arguments).items():
                found[name][place] = means.numpy()
        return list(found.values())

    found = _each_network(recipe, weights, directions, moving, rays, x, y, stacked, work)
    return dict(zip(names, found, strict=True))


def input_jacobian(recipe, weights, x):
    """Return logits (M, N, C) and their gradients with respect to the inputs (M, N, C, ...); x is (M, N, ...)."""
    members, rows = x.shape[:2]
    width = runtime.chunk_width(recipe, rows)

    def build():
        network = recipe.network()

        def function(base, points):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(points)
                logits = network(points, base, Context(training=False))
                each = tf.unstack(logits, axis=-1)
            return logits, tf.stack([tape.gradient(one, points) for one in each], axis=2)

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    def tensors(chunk):
        return [tf.constant(w[chunk.chosen]) for w in weights], tf.constant(x[chunk.chosen])

    example = tensors(runtime.chunk(0, members, width))
    key = ("input_jacobian", recipe.key, recipe.dtype, width, rows)
    program = runtime.cached(key, build)

    def work(chunk, advance, stop):
        return [part.numpy() for part in program(*tensors(chunk))]

    logits, slopes = runtime.map_chunks(work, members, width)
    return logits, slopes


def weight_jacobian(recipe, weights, x):
    """Return logits (N, C) of ONE network (no member axis) and their gradients (N, C, trainable parameters)."""
    rows, positions = len(x), [i for i, w in enumerate(recipe.weights) if w.trainable]

    def build():
        network = recipe.network()

        def function(
            base, points
        ):  # every example gets a copy of the network: gradients per example in one pass
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

        return runtime.compiled(function, *example, key=recipe.of_keras and key)

    example = ([tf.constant(w) for w in weights], tf.constant(x))
    key = ("weight_jacobian", recipe.key, recipe.dtype, rows)
    logits, gradients = runtime.cached(key, build)(*example)
    return logits.numpy(), gradients.numpy()

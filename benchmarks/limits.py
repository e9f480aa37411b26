"""What bounds `fit_many` on the first workload: its matrix products, Adam's update, and the rest, each timed alone.

    python benchmarks/limits.py [--json] [--cores 1] [--quick]

Everything runs at the shapes of one chunk, one call per core at a time, as `fit_many` runs it. ``--cores 1`` ties the
process to one core (Linux only) before TensorFlow starts its threads.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys

import contenders
import numpy as np
import workloads


def kernels(model):
    """Return the shapes of a model's kernels."""
    return [weight.shape for weight in model.get_weights() if weight.ndim == 2]


def batches(examples, batch):
    """Return the number of examples of every step of one epoch."""
    full, rest = divmod(examples, batch)
    return [batch] * full + [rest] * bool(rest)


def products(width, shapes, rows):
    """Return ``(count, xs, weights) -> gradients``: only the matrix products of ``count`` epochs of training.

    Forward, back to the kernels, and back to the inputs of all layers but the first. Every epoch takes another x of
    ``xs`` (K, M, rows, D), or XLA would compute the products once for all epochs.
    """
    from helpers._tensorflow import tf

    def step(x, weights):
        inputs = [x]
        for kernel in weights:
            inputs.append(tf.matmul(inputs[-1], kernel))  # (M, B, D) @ (M, D, H)
        gradient, found = inputs.pop(), []
        for kernel, before in zip(reversed(weights), reversed(inputs), strict=True):
            found.append(tf.matmul(before, gradient, transpose_a=True))
            if before is not x:
                gradient = tf.matmul(gradient, kernel, transpose_b=True)
        return found[::-1]

    def function(count, xs, weights):
        def body(i, _):
            x, first, found = xs[i % xs.shape[0]], 0, []
            for number in rows:
                found.append(step(x[:, first : first + number], weights))
                first += number
            return i + 1, found

        empty = [[tf.zeros((width, *shape)) for shape in shapes] for _ in rows]
        return tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), empty))[1]

    return function


def adam(static, steps):
    """Return ``(count, weights, gradients, state, hyper) -> weights``: only Adam's updates of ``count`` epochs."""
    from helpers._tensorflow import tf
    from helpers.engine import optimizers

    def function(count, weights, gradients, state, hyper):
        def body(i, weights, state):
            # Other gradients at each step, or XLA would square them once for all.
            now = [g * tf.cast(i, g.dtype) for g in gradients]
            return i + 1, *optimizers.update(static, None, hyper, i, weights, now, state)

        loop = (tf.constant(0), weights, state)
        return tf.while_loop(lambda i, *_: i < steps * count, body, loop)[1]

    return function


def measure(workload, epochs=200):
    """Time the parts of an epoch.

    Parameters
    ----------
    workload : Workload
        A perceptron with a validation set.
    epochs : int
        Of each timed call.

    Returns
    -------
    dict
        ``cores``, ``width`` (networks in a chunk), ``flops`` of the products of one network and epoch, and ``parts``:
        wall seconds per network and epoch by name; "all" is `fit_many`, and the others add up to it.
    """
    from helpers import fit_many
    from helpers._tensorflow import tf
    from helpers.engine import draws, optimizers, plan, runtime

    points, shapes, cores = workload.dataset(), kernels(workload.model()), runtime.workers()
    one = plan.make(workload.model, points, members=1, epochs=1, batch_size=workload.batch)
    width = one.shapes.width
    chunks, rows = 4 * cores, batches(points.n_train, workload.batch)

    def trained(points, members, epochs):
        options = {
            "members": members,
            "epochs": epochs,
            "batch_size": workload.batch,
            "progress": False,
        }
        return fit_many(workload.model, points, **options)

    rng = np.random.default_rng(0)
    xs = tf.constant(rng.standard_normal((8, width, points.n_train, shapes[0][0])), tf.float32)
    stacks = [
        tf.constant(rng.standard_normal((width, *shape)) / np.sqrt(shape[0]), tf.float32)
        for shape in shapes
    ]
    count = tf.constant(epochs)
    multiply = runtime.compiled(products(width, shapes, rows), count, xs, stacks)

    weights = [
        tf.constant(rng.standard_normal((width, *w.shape)), tf.float32) for w in one.recipe.weights
    ]
    state = optimizers.slots(one.static, weights)
    hyper = {
        key: tf.constant(np.repeat(values, width)) for key, values in one.hyper.optimizer.items()
    }
    arguments = (count, weights, weights, state, hyper)
    update = runtime.compiled(adam(one.static, len(rows)), *arguments)

    def orders(index):
        for member in range(width):
            generator = draws.order_generator(0, "member", index * width + member)
            draws.epoch_orders(generator, points.n_train, epochs)

    def whole(points):
        return lambda: trained(points, chunks * width, epochs)

    def everywhere(call):
        return lambda: runtime.run(lambda index, advance, stop: call(index), chunks)

    calls = {
        "all": whole(points),
        "matrix products": everywhere(lambda _: multiply(count, xs, stacks)[0][0].numpy()),
        "Adam's update": everywhere(lambda _: update(*arguments)[0].numpy()),
        "validation": whole(dataclasses.replace(points, x_val=None, y_val=None)),
        "batch orders (NumPy)": everywhere(orders),
    }
    for call in calls.values():
        call()
    # In turn, and the best of three: other work on the machine only ever adds.
    times = [{name: contenders.seconds(call) for name, call in calls.items()} for _ in range(3)]
    parts = {name: min(each[name] for each in times) / (chunks * width * epochs) for name in calls}
    parts["validation"] = parts["all"] - parts["validation"]  # timed without
    parts["gathering, activations, loss and the rest"] = 2 * parts["all"] - sum(parts.values())
    flops = 6 * sum(np.prod(shape) for shape in shapes) * points.n_train
    return {"cores": cores, "width": width, "flops": float(flops), "parts": parts}


def main(arguments=None):
    """Time the parts and print them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--cores", type=int, help="use so many cores; all by default")
    parser.add_argument("--quick", action="store_true", help="two epochs")
    options = parser.parse_args(arguments)
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    found = measure(workloads.WORKLOADS[0], 2 if options.quick else 200)
    print(json.dumps(found) if options.json else json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The JAX contenders: Adam on a multilayer perceptron, `jax.vmap` over networks and `jax.lax.scan` over steps.

Written as somebody writes it who knows JAX; batch orders come from NumPy, which was faster than sorting random keys
inside the program. The short last batch is a step of its own, and every epoch ends with a look at the validation set.
"""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import optax


def forward(params, x):
    """Return the outputs (B, C) of one network for x (B, D)."""
    for kernel, bias in params[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = params[-1]
    return x @ kernel + bias


def initial(key, sizes):
    """Return Glorot uniform kernels and zero biases, as Keras draws them."""
    draw = jax.nn.initializers.glorot_uniform()
    shapes = list(itertools.pairwise(sizes))
    return [
        (draw(k, shape), jnp.zeros(shape[1]))
        for k, shape in zip(jax.random.split(key, len(shapes)), shapes)
    ]


def scores(params, x, y, task):
    """Return the mean loss over a batch, and the metric that `fit_many` records beside it."""
    logits = forward(params, x)
    if task == "regression":
        loss = jnp.mean((logits - y) ** 2)
        return loss, loss
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
    return loss, jnp.mean(jnp.argmax(logits, axis=-1) == y)


def trainer(workload):
    """Return the function ``(key, orders (E, N), data) -> history`` that trains one network."""
    points, sizes, batch = workload.dataset(), workload.sizes, workload.batch
    if points.task == "binary" or workload.builder != "mlp" or set(workload.options) != {"hidden"}:
        raise ValueError(
            f"Workload {workload.name!r} has no JAX contender: written for plain perceptrons only."
        )
    full, rest = divmod(points.n_train, batch)
    optimizer = optax.adam(1e-3, eps=1e-7)  # Keras's epsilon
    value_and_grad = jax.value_and_grad(scores, has_aux=True)

    def train(key, orders, data):
        x, y, x_val, y_val = data

        def step(carry, rows):
            params, state = carry
            (loss, metric), gradients = value_and_grad(params, x[rows], y[rows], points.task)
            updates, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, updates), state), jnp.stack([loss, metric]) * len(
                rows
            )

        def epoch(carry, order):
            carry, sums = jax.lax.scan(step, carry, order[: full * batch].reshape(full, batch))
            total = sums.sum(axis=0)
            if rest:
                carry, more = step(carry, order[full * batch :])
                total += more
            return carry, (
                total / points.n_train,
                jnp.stack(scores(carry[0], x_val, y_val, points.task)),
            )

        params = initial(key, sizes)
        return jax.lax.scan(epoch, (params, optimizer.init(params)), orders)[1]

    return train


def epoch_orders(seed, members, workload):
    """Return every network's order of the examples in every epoch, (M, E, N) int32; N is 0 for one batch of all."""
    examples = workload.dataset().n_train
    if examples <= workload.batch:
        return np.zeros((members, workload.epochs, 0), np.int32)
    stored = np.broadcast_to(
        np.arange(examples, dtype=np.int32), (members, workload.epochs, examples)
    )
    return np.random.default_rng(seed).permuted(stored, axis=2)


def program(train, workload, width, seed):
    """Compile a `trainer` for ``width`` networks; return (seconds, ``(keys, orders) -> history``)."""
    points = workload.dataset()
    parts = points.x_train, points.y_train, points.x_val, points.y_val
    data = tuple(jnp.asarray(part) for part in parts if part is not None)
    keys = jax.random.split(jax.random.key(seed), width)
    orders = epoch_orders(seed, width, workload)
    started = time.perf_counter()
    compiled = jax.jit(jax.vmap(train, in_axes=(0, 0, None))).lower(keys, orders, data).compile()
    return time.perf_counter() - started, lambda keys, orders: compiled(keys, orders, data)


def last(history):
    """Return each network's training and validation loss of the last epoch; None without validation data."""
    train, held = history
    return np.asarray(train[:, -1, 0]), None if held is None else np.asarray(held[:, -1, 0])


def vmap(workload, seed):
    """Prepare one jitted program for all networks."""
    first, compiled = program(trainer(workload), workload, workload.members, seed)

    def run():
        keys = jax.random.split(jax.random.key(seed), workload.members)
        return last(compiled(keys, epoch_orders(seed, workload.members, workload)))

    return workload.members, first, run


def in_chunks(train, workload, described, seed):
    """Prepare a `trainer` for as many networks as one of our chunks, on a pool of one Python thread per core."""
    width = described.width
    first, compiled = program(train, workload, width, seed)
    count = -(-workload.members // width)
    keys = [jax.random.split(jax.random.key(seed * count + index), width) for index in range(count)]

    def one(index):
        return last(compiled(keys[index], epoch_orders((seed, index), width, workload)))

    def run():
        with ThreadPoolExecutor(described.workers) as pool:
            found = list(pool.map(one, range(count)))
        return tuple(
            None if part[0] is None else np.concatenate(part)[: workload.members]
            for part in zip(*found, strict=True)
        )

    return workload.members, first, run


def chunked(workload, seed):
    """Prepare the perceptron's program in our chunks."""
    return in_chunks(trainer(workload), workload, workload.described(), seed)

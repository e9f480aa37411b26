"""The JAX contender for any Keras model: `jax.vmap` over networks, `jax.lax.scan` over steps, on Keras's JAX backend.

Written as somebody writes it who knows JAX and Keras. Chunks and batch orders are those of `jax_contenders`, losses and
metrics are recorded as `fit_many` does, convolutions are those of our general engine. Keras must be on its JAX backend
when this is imported.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import keras
from jax_contenders import in_chunks

from helpers._jax import convolutions


def losses_of(task):
    """Return the functions ``(targets, outputs) -> per example`` that `fit_many` records: loss and metric."""
    losses = keras.losses
    if task == "regression":
        return losses.mean_squared_error, losses.mean_squared_error
    if task == "binary":

        def entropy(y, logits):
            return losses.binary_crossentropy(y[:, None], logits, from_logits=True)

        return entropy, lambda y, logits: (logits[:, 0] > 0) == y
    entropy = functools.partial(losses.sparse_categorical_crossentropy, from_logits=True)
    return entropy, lambda y, logits: jnp.argmax(logits, axis=-1) == y


def drawer(model):
    """Return ``key -> (trainable, other) variables`` of one network, drawn by the initializers of its layers."""
    owners = {id(v): (layer, v.name) for layer in model.layers for v in layer.weights}

    def draw(variable, key):
        if id(variable) not in owners:  # the state of a seed generator
            return jax.random.bits(key, variable.shape, variable.dtype)
        layer, name = owners[id(variable)]
        initializer = getattr(layer, f"{name}_initializer")
        initializer.seed = key  # constants have none and ignore it
        return initializer(variable.shape, variable.dtype)

    def start(key):
        keys = iter(jax.random.split(key, len(model.variables)))
        parts = model.trainable_variables, model.non_trainable_variables
        return tuple([draw(variable, next(keys)) for variable in part] for part in parts)

    return start


def trainer(workload, model):
    """Return the function ``(key, orders (E, N), data) -> history`` that trains one network."""
    points, batch = workload.dataset(), min(workload.batch, workload.dataset().n_train)
    full, rest = divmod(points.n_train, batch)
    start, (loss, metric) = drawer(model), losses_of(points.task)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)

    def scores(trainable, other, x, y, training):
        outputs, other, penalties = model.stateless_call(
            trainable, other, x, training=training, return_losses=True
        )
        value = loss(y, outputs).mean() + sum(penalties)
        return value, (other, jnp.stack([value, metric(y, outputs).mean()]))

    gradient = jax.grad(scores, has_aux=True)

    def train(key, orders, data):
        x, y, *held = data

        def step(carry, rows):
            trainable, other, state = carry
            picked = (x, y) if rows is None else (x[rows], y[rows])
            gradients, (other, seen) = gradient(trainable, other, *picked, True)
            trainable, state = optimizer.stateless_apply(state, gradients, trainable)
            return (trainable, other, state), seen * len(picked[1])

        def epoch(carry, order):
            if not order.size:  # one batch of all examples
                carry, total = step(carry, None)
            else:
                carry, sums = jax.lax.scan(step, carry, order[: full * batch].reshape(full, batch))
                total = sums.sum(axis=0)
            if rest:
                carry, more = step(carry, order[full * batch :])
                total += more
            trainable, other, _ = carry
            seen = scores(trainable, other, *held, False)[1][1] if held else None
            return carry, (total / points.n_train, seen)

        trainable, other = start(key)
        state = [variable.value for variable in optimizer.variables]
        return jax.lax.scan(epoch, (trainable, other, state), orders)[1]

    return train


def chunked(workload, described, seed):
    """Prepare the program of one of our chunks, on a pool of one Python thread per core."""
    model = keras.models.model_from_json(described.model)
    convolutions.install()  # XLA has no fast one with a filter per network
    return in_chunks(trainer(workload, model), workload, described, seed)

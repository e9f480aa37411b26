"""Networks of a few weights: members last, so that vector instructions run over members, and products written out.

A batched product of 100 rows with kernels of 2 x 2 spends its time on calls, one for each member. With members as the
last axis it is four multiplications of long rows. Axes in comments: M members, B batch, D inputs, F outputs.
"""

from __future__ import annotations

import numpy as np

from helpers._tensorflow import keras, tf

LARGEST = 16  # entries of a kernel; of larger ones the batched product is as fast
_ACTIVATIONS = {
    getattr(keras.activations, name)
    for name in "linear relu tanh sigmoid softplus softsign elu selu gelu silu exponential".split()
}


def suits(recipe, loss):
    """Return whether this is a Sequential of small Dense layers to one output, with a named loss.

    Parameters
    ----------
    recipe : Recipe
        Architecture.
    loss : str or callable
        From `losses.resolve`. A function of one's own may count on the order of its axes.
    """
    layers, kind = recipe.layers, keras.layers
    return (
        isinstance(loss, str)
        and isinstance(recipe.template, keras.Sequential)
        and recipe.output_shape == (1,)
        and len(recipe.input_shape) == 1
        and all(type(layer) in (kind.Dense, kind.Activation) for layer in layers)
        and all(layer.activation in _ACTIVATIONS for layer in layers)
        and all(int(np.prod(weight.shape)) <= LARGEST for weight in recipe.weights)
    )


def turned(arrays, back=False):
    """Return arrays (M, ...), nested, as (..., M); or back."""

    def turn(values):
        axes = list(range(values.shape.rank))
        return tf.transpose(values, [axes[-1], *axes[:-1]] if back else [*axes[1:], 0])

    return tf.nest.map_structure(turn, arrays)


def rows_first(y):
    """Return targets (M, B, ...) as (B, M, ...)."""
    return tf.transpose(y, [1, 0, *range(2, y.shape.rank)])


def network(recipe):
    """Return the network as a function of x (M, B, D) and weights (..., M) to outputs (B, M, 1)."""
    own = [{} for _ in recipe.layers]
    for position, weight in enumerate(recipe.weights):
        own[weight.layer][weight.name] = position

    def outputs(x, weights):
        columns = [tf.transpose(x[..., d]) for d in range(x.shape[-1])]  # (B, M) each
        for layer, positions in zip(recipe.layers, own, strict=True):
            if positions:
                mine = {name: weights[position] for name, position in positions.items()}
                columns = _product(columns, mine["kernel"], mine.get("bias"))
            columns = [layer.activation(column) for column in columns]
        return columns[0][..., tf.newaxis]

    return outputs


def _product(columns, kernel, bias):
    """Return the columns (B, M) of a Dense layer before its activation; kernel (D, F, M), bias (F, M) or None."""
    found = []
    for f in range(kernel.shape[1]):
        total = columns[0] * kernel[0, f]
        for d in range(1, kernel.shape[0]):
            total += columns[d] * kernel[d, f]
        found.append(total if bias is None else total + bias[f])
    return found

"""What each supported Keras layer does when every array carries a leading member axis M.

Layers with weights or randomness of their own have a function here. All others (activations, pooling, Flatten,
Reshape, Add, Concatenate, ...) treat examples one by one, so members and examples may share one axis: the
Keras layer itself runs on (M * B, ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from helpers._tensorflow import keras, tf
from helpers.engine import noise
from helpers.engine.unsupported import Unsupported

L = keras.layers


@dataclass
class Context:
    """What a forward pass knows besides inputs and weights.

    Attributes
    ----------
    training : bool
        Training or inference mode.
    rates : dict of int to tensor (M,)
        Dropout rate or noise standard deviation by layer index.
    noise : noise.Source or None
        Each member's key and the number of the optimizer step; None in inference.
    updates : dict of int to tensor
        Filled by the pass: new values of non-trainable weights, by weight index.
    calls : int
        Filled by the pass: random layers met so far, which tells two layers' bits apart.
    """

    training: bool
    rates: dict = field(default_factory=dict)
    noise: noise.Source | None = None
    updates: dict = field(default_factory=dict)
    calls: int = 0


def _per_member(values, rank):
    """Reshape (M, F) to (M, 1, ..., 1, F) of the given rank, to broadcast over examples."""
    shape = values.shape
    return tf.reshape(values, [shape[0]] + [1] * (rank - 2) + [shape[1]])


def _finish(outputs, layer, weights):
    """Add the bias and apply the activation of a Dense layer."""
    if "bias" in weights:
        outputs = outputs + _per_member(weights["bias"], outputs.shape.rank)  # (M, B, ..., F)
    return _activate(outputs, layer)


def _activate(outputs, layer):
    """Apply the activation of a Dense or convolution layer."""
    if is_of_keras(layer.activation):  # the last axis, or element by element
        return layer.activation(outputs)
    # A function of one's own may look at other axes: give it the (B, ...) it expects.
    m, b, *rest = outputs.shape
    return tf.reshape(layer.activation(tf.reshape(outputs, [m * b, *rest])), outputs.shape)


def is_of_keras(function):
    """Whether an activation is Keras's own and not somebody's function."""
    return str(getattr(function, "__module__", None) or type(function).__module__).startswith(
        "keras."
    )


def _dense(layer, index, x, weights, positions, context):
    kernel = weights["kernel"]  # (M, D, F)
    if x.shape.rank == 3:
        return _finish(tf.matmul(x, kernel), layer, weights)  # (M, B, D) @ (M, D, F)
    m, *middle, d = x.shape
    rows = tf.reshape(x, [m, int(np.prod(middle)), d])  # (M, B * ..., D)
    return _finish(
        tf.reshape(tf.matmul(rows, kernel), [m, *middle, kernel.shape[-1]]), layer, weights
    )


def _pads(layer, sizes):
    """Return [(before, after), ...] per spatial axis for the layer's padding, as TensorFlow pads."""
    pads = []
    for size, k, stride, rate in zip(
        sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        span = (k - 1) * rate
        if layer.padding == "valid":
            pads.append((0, 0))
        elif layer.padding == "causal":
            pads.append((span, 0))
        else:
            total = max((-(-size // stride) - 1) * stride + span + 1 - size, 0)
            pads.append((total // 2, total - total // 2))
    return pads


def _convolution(layer, index, x, weights, positions, context):
    """Convolve by patches and one batched matrix product: XLA has no fast convolution with a filter per example."""
    m, b, *sizes, channels = x.shape  # (M, B, S..., C)
    pads = _pads(layer, sizes)
    x = tf.pad(x, [(0, 0), (0, 0), *pads, (0, 0)])
    steps = list(zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))
    padded = [size + sum(pad) for size, pad in zip(sizes, pads, strict=True)]
    out = [
        (size - (k - 1) * rate - 1) // stride + 1
        for size, (k, stride, rate) in zip(padded, steps, strict=True)
    ]
    patches = []
    for tap in np.ndindex(*layer.kernel_size):
        window = [slice(None), slice(None)]
        for offset, (_, stride, rate), size in zip(tap, steps, out, strict=True):
            first = offset * rate
            window.append(slice(first, first + (size - 1) * stride + 1, stride))
        patches.append(x[tuple(window)])
    rows = tf.reshape(
        tf.concat(patches, axis=-1), [m, b * int(np.prod(out)), len(patches) * channels]
    )
    kernel = tf.reshape(weights["kernel"], [m, len(patches) * channels, layer.filters])
    products = tf.matmul(rows, kernel)
    if "bias" in weights:
        products = _add_bias(products, weights["bias"])
    return _activate(tf.reshape(products, [m, b, *out, layer.filters]), layer)


@tf.custom_gradient
def _add_bias(rows, bias):
    """Return rows (M, N, F) plus bias (M, F); in the gradient a product sums the rows, where XLA is slow to reduce."""

    def gradient(g):
        return g, tf.matmul(tf.ones([g.shape[0], 1, g.shape[1]], g.dtype), g)[:, 0]

    return rows + bias[:, tf.newaxis], gradient


def _batch_norm(layer, index, x, weights, positions, context):
    rank = x.shape.rank
    if context.training and layer.trainable:
        axes = list(range(1, rank - 1))  # all but members and channels
        mean = tf.reduce_mean(x, axes)  # (M, C)
        variance = tf.reduce_mean(tf.math.squared_difference(x, _per_member(mean, rank)), axes)
        for name, value in (("moving_mean", mean), ("moving_variance", variance)):
            old = context.updates.get(
                positions[name], weights[name]
            )  # a layer called twice updates twice
            kept = layer.momentum * old + (1.0 - layer.momentum) * value
            context.updates[positions[name]] = kept
    else:
        mean, variance = weights["moving_mean"], weights["moving_variance"]
    factor = tf.math.rsqrt(variance + layer.epsilon)
    factor = factor * weights["gamma"] if "gamma" in weights else factor
    shift = -mean * factor + weights["beta"] if "beta" in weights else -mean * factor
    return x * _per_member(factor, rank) + _per_member(shift, rank)


def _layer_norm(layer, index, x, weights, positions, context):
    rank = x.shape.rank
    count = len(layer.axis) if isinstance(layer.axis, (list, tuple)) else 1
    axes = list(range(rank - count, rank))
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=True)
    outputs = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)

    def spread(values):  # (M, F...) to (M, 1, ..., F...)
        return tf.reshape(values, [x.shape[0]] + [1] * (rank - 1 - count) + x.shape[rank - count :])

    if "gamma" in weights:
        outputs = outputs * spread(weights["gamma"])
    return outputs + spread(weights["beta"]) if "beta" in weights else outputs


def _rate(index, x, context):
    """Return the layer's (M,) rate shaped to broadcast against x."""
    return tf.reshape(context.rates[index], [x.shape[0]] + [1] * (x.shape.rank - 1))


def _stream(context):
    context.calls += 1
    return context.calls


def _dropout(layer, index, x, weights, positions, context):
    stream = _stream(context)
    if not context.training or index not in context.rates:  # inference, or a rate of 0
        return x
    rate = _rate(index, x, context)
    kept = noise.uniform(context.noise, stream, x.shape[1:], x.dtype) >= rate
    return tf.where(kept, x / (1.0 - rate), tf.zeros_like(x))


def _gaussian_noise(layer, index, x, weights, positions, context):
    streams = _stream(context), _stream(context)
    if not context.training or index not in context.rates:
        return x
    radius = 1.0 - noise.uniform(context.noise, streams[0], x.shape[1:], x.dtype)  # (0, 1]
    angle = noise.uniform(context.noise, streams[1], x.shape[1:], x.dtype)
    normal = tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(2 * np.pi * angle)  # Box-Muller
    return x + _rate(index, x, context) * normal


def merged(layer, index, inputs, weights, positions, context):
    """Run a layer that treats examples one by one on members and examples merged into one axis."""
    many = isinstance(inputs, (list, tuple))
    parts = list(inputs) if many else [inputs]
    m, b = parts[0].shape[:2]
    rows = [tf.reshape(p, [m * b, *p.shape[2:]]) for p in parts]
    outputs = layer(rows if many else rows[0])
    return tf.reshape(outputs, [m, b, *outputs.shape[1:]])


APPLY = {
    L.Dense: _dense,
    L.Conv1D: _convolution,
    L.Conv2D: _convolution,
    L.BatchNormalization: _batch_norm,
    L.LayerNormalization: _layer_norm,
    L.Dropout: _dropout,
    L.GaussianNoise: _gaussian_noise,
}

_POOLING = [
    getattr(L, f"{kind}{axes}D")
    for kind in ("MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling")
    for axes in (1, 2)
]
_EXAMPLEWISE = {
    *_POOLING,
    *(L.Flatten, L.Reshape, L.Activation, L.ReLU, L.LeakyReLU, L.ELU, L.Softmax),
    *(L.Rescaling, L.Normalization),
    *(L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate),
}

_ELEMENTWISE = set(
    "Add Subtract Multiply Divide TrueDivide Negative Absolute Abs Square Sqrt Rsqrt Exp Log Log1p Expm1 Sin Cos "
    "Tanh Sigmoid Relu LeakyRelu Elu Selu Gelu Silu Softplus Softsign Maximum Minimum Power Clip Sign".split()
)


def operation_is_elementwise(operation):
    """Whether a ``keras.ops`` node between layers acts on each element by itself, or is a softmax of the last axis."""
    name = type(operation).__name__
    return name in _ELEMENTWISE or (name == "Softmax" and getattr(operation, "axis", None) == -1)


def check_layer(layer):
    """Refuse, by name, a layer or a setting of a layer that has no member version."""

    def refuse(what, remedy=""):
        raise Unsupported(
            f"Layer {layer.name!r} ({type(layer).__name__}) {what}."
            + (f" {remedy}" if remedy else "")
        )

    kind = type(layer)
    if kind not in APPLY and kind not in _EXAMPLEWISE:
        names = ", ".join(sorted(k.__name__ for k in {*APPLY, *_EXAMPLEWISE}))
        refuse("is not known to the fast engine", f"It knows {names}.")
    if getattr(layer, "activity_regularizer", None) is not None:
        refuse("has an activity_regularizer, which is not supported")
    if kind in (L.Conv1D, L.Conv2D) and (layer.groups != 1 or layer.data_format != "channels_last"):
        refuse("must have groups=1 and data_format='channels_last'")
    if kind in _POOLING and layer.data_format != "channels_last":
        refuse("must have data_format='channels_last'")
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_rank", None):
        refuse("is quantized or has LoRA weights, which is not supported")
    rank = len(layer.input.shape) if not isinstance(layer.input, (list, tuple)) else None
    if kind is L.BatchNormalization:
        if layer.axis not in (-1, rank - 1):
            refuse(f"must have axis=-1. Received: axis={layer.axis}")
        if layer.renorm or layer.synchronized:
            refuse("has renorm or synchronized set, which is not supported")
    if kind is L.LayerNormalization:
        axes = sorted(
            a % rank
            for a in (layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis])
        )
        if axes != list(range(rank - len(axes), rank)):
            refuse(f"must normalize the last axes. Received: axis={layer.axis}")
        if layer.rms_scaling:
            refuse("has rms_scaling set, which Keras itself has deprecated as incorrect")
    activation = getattr(layer, "activation", None)
    if isinstance(activation, L.Layer):
        if (
            type(activation) not in (L.ReLU, L.LeakyReLU, L.ELU, L.Softmax)
            or getattr(activation, "axis", -1) != -1
        ):
            refuse(
                f"has the layer {type(activation).__name__} as its activation, which is not supported"
            )
    if kind in (L.Softmax, L.Concatenate) and 0 in np.atleast_1d(layer.axis):
        refuse("must not mix examples. Received: axis=0")
    if kind is L.Dropout and layer.noise_shape is not None:
        refuse("has a noise_shape, which is not supported")

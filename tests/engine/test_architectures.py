"""Architectures that tutorials and papers made common, each trained as it stands: equal to plain Keras."""

import numpy as np
import pytest
from against_keras import (
    BINARY,
    CATEGORICAL,
    IMAGES,
    LABELS,
    ONE_HOT,
    RNG,
    SPARSE,
    L,
    S,
    X,
    each,
    functional,
    trains_as_keras,
)

from helpers._tensorflow import keras

SERIES = RNG.normal(size=(14, 8, 2)).astype(np.float32)  # 8 times, 2 channels
RAMP = X[:, :2] @ np.array([[1.0, -2.0], [0.5, 1.0]], np.float32)  # two quantities
FLAT, PICTURES = (X, LABELS, SPARSE), (IMAGES, LABELS, SPARSE)


def graph(*shape):
    """Return a decorator: a function of a Functional model's input becomes the builder of that model."""
    return lambda ends: lambda: functional(ends, shape)


def conv(filters, size=3, activation="relu", **options):
    """Return a convolution that keeps the size of the image, unless told otherwise."""
    return L.Conv2D(filters, size, **{"padding": "same", "activation": activation, **options})


@graph(6)
def wide_and_deep(x):
    """A linear model and a network side by side (Cheng et al., 2016)."""
    deep = L.Dense(4, "relu")(L.Dense(5, "relu")(x))
    return L.Dense(1, "sigmoid")(L.Concatenate()([x, deep]))


@graph(6)
def residual_mlp(x):
    """Two blocks that normalize, transform and add (as in a transformer's feed-forward part)."""
    for _ in range(2):
        h = L.Dense(8, "gelu")(L.LayerNormalization()(x))
        x = L.Add()([x, L.Dense(6)(L.Dropout(0.0)(h))])
    return L.Dense(3, "softmax")(x)


@graph(6, 6, 1)
def residual_images(x):
    """A block that halves the image, with a projection beside it (He et al., 2016)."""
    h = L.ReLU()(L.BatchNormalization()(conv(3, activation=None, strides=2, use_bias=False)(x)))
    h = L.BatchNormalization()(conv(3, activation=None, use_bias=False)(h))
    aside = L.BatchNormalization()(conv(3, 1, activation=None, strides=2, use_bias=False)(x))
    h = L.GlobalAveragePooling2D()(L.Activation("relu")(L.Add()([h, aside])))
    return L.Dense(3, "softmax")(h)


@graph(6, 6, 1)
def dense_block(x):
    """Each layer sees all before it (Huang et al., 2017)."""
    for _ in range(2):
        x = L.Concatenate()([x, conv(2)(x)])
    return L.Dense(3, "softmax")(L.GlobalMaxPooling2D()(L.AveragePooling2D(2)(x)))


@graph(6, 6, 1)
def inception(x):
    """Branches of several sizes, joined (Szegedy et al., 2015)."""
    pooled = conv(2, 1)(L.MaxPooling2D(3, strides=1, padding="same")(x))
    joined = L.Concatenate()([conv(2, 1)(x), conv(2, 3)(conv(1, 1)(x)), conv(1, 5)(x), pooled])
    return L.Dense(3, "softmax")(L.Flatten()(joined))


@graph(6, 6, 1)
def squeezed(x):
    """Channels weighed by what the whole image holds (Hu et al., 2018)."""
    h = conv(4)(x)
    weight = L.Dense(4, "sigmoid")(L.Dense(2, "relu")(L.GlobalAveragePooling2D(keepdims=True)(h)))
    return L.Dense(3, "softmax")(L.Flatten()(L.Multiply()([h, weight])))


@graph(8, 2)
def dilated(x):
    """Causal convolutions that look further and further back (van den Oord et al., 2016)."""
    x = L.Conv1D(3, 1)(x)
    for rate in (1, 2):
        h = L.Conv1D(3, 2, dilation_rate=rate, padding="causal", activation="relu")(x)
        x = L.Add()([x, h])
    return L.Dense(1)(L.Flatten()(x))


@graph(6)
def highway(x):
    """A gate between a layer and its input (Srivastava et al., 2015)."""
    gate = L.Dense(6, "sigmoid", bias_initializer=keras.initializers.Constant(-1.0))(x)
    return L.Dense(3, "softmax")(gate * L.Dense(6, "relu")(x) + (1.0 - gate) * x)


@graph(6)
def maxout(x):
    """The largest of several linear units (Goodfellow et al., 2013)."""
    return L.Dense(3)(L.Maximum()([L.Dense(4)(x) for _ in range(3)]))


@graph(8, 2)
def set_of_points(x):
    """The same layers for each point, then a mean over points (Zaheer et al., 2017)."""
    return L.Dense(1, "sigmoid")(
        L.GlobalAveragePooling1D()(L.Dense(4, "elu")(L.Dense(4, "elu")(x)))
    )


@graph(6)
def sines(x):
    """Sines as activations, as for pictures and fields (Sitzmann et al., 2020)."""
    for _ in range(2):
        x = keras.ops.sin(3.0 * L.Dense(5)(x))
    return L.Dense(2)(x)


def frozen_base():
    """A trained base that stays, with a new head: transfer learning."""
    base = S([L.Dense(5, "relu"), L.BatchNormalization()], name="base")
    base.build((None, 6))
    base.trainable = False
    return S([keras.Input((6,)), base, L.Dense(3, "softmax")])


KINDS = {
    "autoencoder": (
        lambda: S([L.Dense(4, "relu"), L.Dense(2), L.Dense(4, "relu"), L.Dense(6)]),
        X, X, "mse",
    ),
    "denoising autoencoder": (
        lambda: S([L.GaussianNoise(0.0), L.Dense(2, "tanh"), L.Dense(6)]),
        X, X, "mae",
    ),
    "wide and deep": (wide_and_deep, X, LABELS > 0, BINARY),
    "residual perceptron": (residual_mlp, *FLAT),
    "highway": (highway, *FLAT),
    "maxout": (
        maxout, X, LABELS,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ),
    "sines": (sines, X, RAMP, "mse"),
    "several quantities": (
        lambda: S([L.Dense(5, "softplus"), L.LayerNormalization(), L.Dense(2)]),
        X, RAMP, keras.losses.Huber(),
    ),
    "self-normalizing": (
        lambda: S(
            [L.Dense(5, "selu", kernel_initializer="lecun_normal") for _ in range(3)] + [L.Dense(3, "softmax")]
        ),
        *FLAT,
    ),
    "leaky units, penalized": (
        lambda: S(
            [L.Dense(5, kernel_regularizer=keras.regularizers.L1(0.1)), L.LeakyReLU(0.1), L.Dense(3, "softmax")]
        ),
        *FLAT,
    ),
    "frozen base, new head": (frozen_base, *FLAT),
    "flattened images": (
        lambda: S([L.Flatten(), L.Dense(6, "relu"), L.Dropout(0.0), L.Dense(3, "softmax")]),
        *PICTURES,
    ),
    "LeNet": (
        lambda: S(
            [
                *(conv(2, activation="tanh"), L.AveragePooling2D(2)),
                *(conv(3, 2, activation="tanh", padding="valid"), L.AveragePooling2D(2)),
                *(L.Flatten(), L.Dense(4, "tanh"), L.Dense(3, "softmax")),
            ]
        ),
        IMAGES, ONE_HOT, CATEGORICAL,
    ),
    "VGG": (
        lambda: S(
            [
                *(L.Rescaling(2.0), conv(2), conv(2), L.MaxPooling2D(), conv(3), conv(3), L.MaxPooling2D()),
                *(L.Flatten(), L.Dense(4, "relu"), L.Dense(1, "sigmoid")),
            ]
        ),
        IMAGES, LABELS > 0, BINARY,
    ),
    "all convolutional": (
        lambda: S([conv(3), conv(3, strides=2), conv(3, 1), L.GlobalAveragePooling2D(), L.Softmax()]),
        *PICTURES,
    ),
    "residual images": (residual_images, *PICTURES),
    "dense block": (dense_block, *PICTURES),
    "inception": (inception, *PICTURES),
    "squeezed and excited": (squeezed, *PICTURES),
    "time series, classified": (
        lambda: S(
            [
                *(L.Conv1D(3, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU()),
                *(L.MaxPooling1D(), L.GlobalAveragePooling1D(), L.Dense(3, "softmax")),
            ]
        ),
        SERIES, LABELS, SPARSE,
    ),
    "time series, foretold": (dilated, SERIES, X[:, 0], "mae"),
    "set of points": (set_of_points, SERIES, LABELS > 0, BINARY),
}  # fmt: skip


SLOW = ("set of points",)  # as long as ten others


@pytest.mark.parametrize("name", each(KINDS, SLOW))
def test_an_architecture_trains_as_keras_trains_it(name):
    trains_as_keras(KINDS, name)

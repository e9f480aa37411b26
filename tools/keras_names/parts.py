"""Keras's activations, regularizers and constraints as branches, and its initializers; or why one is no case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers._tensorflow import keras

L = keras.layers
TOOL = "finds, reads or writes others and is none"
ABSTRACT = "a base for others, which computes nothing by itself"
TOOLS = dict.fromkeys(("deserialize", "get", "serialize"), TOOL)

# Those that halve the last axis stand between layers; Keras's own layers cannot say what shape they give.
_OPERATIONS = {"glu": keras.activations.glu}
_PLAIN = """
    celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear log_sigmoid log_softmax
    mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax
    squareplus tanh tanh_shrink threshold
"""


def _activated(name: str) -> Callable[[Any], Any]:
    if name == "threshold":  # takes two settings that no name gives
        return lambda x: keras.activations.threshold(L.Dense(3)(x), 0.1, 0.0)
    if name in _OPERATIONS:
        return lambda x: _OPERATIONS[name](L.Dense(4)(x))
    return lambda x: L.Dense(3, activation=name)(x)


def _held(constraint: Any) -> Callable[[Any], Any]:
    return lambda x: L.Dense(4, kernel_constraint=constraint)(x)


def _punished(regularizer: Any) -> Callable[[Any], Any]:
    return lambda x: L.Dense(4, kernel_regularizer=regularizer)(x)


ACTIVATIONS = {name: _activated(name) for name in _PLAIN.split()} | {"glu": _activated("glu")}
REGULARIZERS = {
    "L1": _punished(keras.regularizers.L1(0.01)),
    "L1L2": _punished(keras.regularizers.L1L2(0.01, 0.02)),
    "L2": _punished(keras.regularizers.L2(0.01)),
    "OrthogonalRegularizer": _punished(keras.regularizers.OrthogonalRegularizer(0.01, "columns")),
}
CONSTRAINTS = {
    "MaxNorm": _held(keras.constraints.MaxNorm(0.5)),
    "MinMaxNorm": _held(keras.constraints.MinMaxNorm(0.25, 0.5, rate=0.75)),
    "NonNeg": _held(keras.constraints.NonNeg()),
    "UnitNorm": _held(keras.constraints.UnitNorm()),
}
INITIALIZERS = {
    "Constant": keras.initializers.Constant(0.25),
    "GlorotNormal": keras.initializers.GlorotNormal(),
    "GlorotUniform": keras.initializers.GlorotUniform(),
    "HeNormal": keras.initializers.HeNormal(),
    "HeUniform": keras.initializers.HeUniform(),
    "Identity": keras.initializers.Identity(0.5),  # its configuration has no gain
    "LecunNormal": keras.initializers.LecunNormal(),
    "LecunUniform": keras.initializers.LecunUniform(),
    "Ones": keras.initializers.Ones(),
    "Orthogonal": keras.initializers.Orthogonal(0.5),
    "RandomNormal": keras.initializers.RandomNormal(0.5, 0.1),
    "RandomUniform": keras.initializers.RandomUniform(0.25, 0.75),
    "TruncatedNormal": keras.initializers.TruncatedNormal(0.5, 0.1),
    "VarianceScaling": keras.initializers.VarianceScaling(2.0, "fan_out", "uniform"),
    "Zeros": keras.initializers.Zeros(),
}
NO_CASE = {
    "activations": TOOLS,
    "regularizers": {**TOOLS, "Regularizer": ABSTRACT},
    "constraints": {**TOOLS, "Constraint": ABSTRACT},
    "initializers": {
        **TOOLS,
        "Initializer": ABSTRACT,
        "STFT": "for the kernels of a short-time Fourier transform: the STFTSpectrogram layer sets it itself",
    },
}

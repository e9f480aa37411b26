"""Builders of ordinary, uncompiled Keras models that emit logits (or regression outputs).

A builder's model is a *recipe* for `helpers.fit_many`, and just as well a model to compile and fit alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from helpers._base import builders, checks
from helpers._tensorflow import keras

_LAYERS = keras.layers
_LARGEST = 3.4e38  # what Keras makes of a penalty is a float32


def _shape(input_shape):
    """Return ``input_shape`` (an int or a tuple, without the batch axis) as a tuple of positive ints."""
    dims = (input_shape,) if not isinstance(input_shape, (tuple, list)) else tuple(input_shape)
    if not dims:
        raise ValueError(
            checks.message("input_shape", "an int or a tuple of one or more ints", input_shape)
        )
    for dim in dims:
        checks.integer("input_shape", dim, remedy="Leave the batch axis out.")
    return tuple(checks.count("input_shape", dim) for dim in dims)


def _widths(name, widths, empty=False):
    """Return the layer widths as a tuple of positive ints."""
    if not isinstance(widths, (tuple, list)) or (not widths and not empty):
        raise TypeError(
            checks.message(name, "a tuple of ints, one per layer, such as (64, 64)", widths)
        )
    return tuple(checks.count(name, w) for w in widths)


def _check_activation(activation, shape):
    """Refuse an activation that Keras does not know, or that does not keep the ``shape`` of what it is given."""
    remedy = ""
    try:
        function = keras.activations.get(activation)
        kept = (
            isinstance(function, _LAYERS.Layer)
            or tuple(function(keras.ops.zeros(shape)).shape) == shape
        )
    except Exception as error:
        kept, remedy = False, f"Calling it raised {type(error).__name__}: {str(error)[:200]}"
    if not kept:
        expected = "a Keras activation, or a function that keeps the shape of its input"
        raise ValueError(checks.message("activation", expected, activation, remedy))


def _weighted(kind, *sizes, initializer, **options):
    """Return a layer with a kernel; Keras reads ``initializer`` once, since that draws from Python's generator."""
    try:
        return kind(*sizes, kernel_initializer=initializer, **options)
    except (TypeError, ValueError) as error:
        text = "the name of a Keras initializer, or one itself"
        raise ValueError(checks.message("initializer", text, initializer)) from error


def _penalty(l1, l2):
    """Return the Keras regularizer for the two strengths, None where both are 0."""
    l1, l2 = checks.real("l1", l1, 0, _LARGEST), checks.real("l2", l2, 0, _LARGEST)
    if l1 and l2:
        return keras.regularizers.L1L2(l1=l1, l2=l2)
    return keras.regularizers.L1(l1) if l1 else keras.regularizers.L2(l2) if l2 else None


def _block(layer, activation, batch_norm, dropout):
    """Return [layer, BatchNormalization, activation, Dropout] with what is switched on."""
    parts = [layer]
    if batch_norm:
        parts.append(_LAYERS.BatchNormalization())
    parts.append(_LAYERS.Activation(activation))
    if dropout:
        parts.append(_LAYERS.Dropout(dropout))
    return parts


def _sequential(stack):
    """Return the model of Input and layers, unless it has more parameters than a 32-bit counter counts."""
    shape, parameters = (1, *stack[0].shape[1:]), 0
    for layer in stack[1:]:
        channels, shape = shape[-1], layer.compute_output_shape(shape)
        if isinstance(layer, (_LAYERS.Dense, _LAYERS.Conv1D, _LAYERS.Conv2D)):
            parameters += math.prod(getattr(layer, "kernel_size", ())) * channels * shape[-1]
    if parameters > checks.MOST:
        text = f"Arguments `input_shape`, `outputs` and the widths must make at most {checks.MOST:,} parameters."
        raise ValueError(f"{text} Received: {parameters:,}.")
    try:
        return keras.Sequential(stack)
    except Exception as error:  # only what is the caller's own can fail
        text = "Arguments `activation` and `initializer` must suit layers of these shapes."
        raise ValueError(f"{text} Received: {type(error).__name__}: {str(error)[:200]}") from error


@builders.pure
def mlp(
    input_shape: int | Sequence[int],
    outputs: int,
    hidden: Sequence[int] = (64, 64),
    activation: str | Callable[..., Any] = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    initializer: str | keras.initializers.Initializer = "glorot_uniform",
) -> keras.Sequential:
    """Build a multilayer perceptron.

    Each hidden layer is Dense, then BatchNormalization (if asked for), the activation, then Dropout (if any): the
    order of the Keras post ("keras-post"). Without batch norm this is the function of ``Dense(activation=...)``.

    Parameters
    ----------
    input_shape : int or tuple of int
        Shape of one example; more than one axis is flattened.
    outputs : int
        Units of the linear output layer: logits, or regression outputs.
    hidden : tuple of int
        Widths of the hidden layers; ``()`` gives the linear model.
    activation : str or callable
        Hidden activation.
    batch_norm : bool
        Batch normalization after each hidden Dense.
    dropout : float
        Share of hidden units dropped, in [0, 1), after each hidden activation.
    l1, l2 : float
        Penalties on the hidden kernels, added to the loss as ``l1 * sum|w| + l2 * sum w^2``.
    initializer : str or keras.initializers.Initializer
        Of all kernels.

    Returns
    -------
    keras.Sequential
        Uncompiled.

    Raises
    ------
    TypeError, ValueError
        A width, rate or strength out of range.
    """
    shape, hidden = _shape(input_shape), _widths("hidden", hidden, empty=True)
    outputs, batch_norm = checks.count("outputs", outputs), checks.flag("batch_norm", batch_norm)
    dropout, penalty = (
        checks.real("dropout", dropout, low=0, high=1, high_open=True),
        _penalty(l1, l2),
    )
    _check_activation(activation, (2, 4))
    stack = [keras.Input(shape)]
    if len(shape) > 1:
        stack.append(_LAYERS.Flatten())
    for units in hidden:
        dense = _weighted(_LAYERS.Dense, units, initializer=initializer, kernel_regularizer=penalty)
        stack += _block(dense, activation, batch_norm, dropout)
    stack.append(_weighted(_LAYERS.Dense, outputs, initializer=initializer))
    return _sequential(stack)


@builders.pure
def linear(
    input_shape: int | Sequence[int],
    outputs: int,
    initializer: str | keras.initializers.Initializer = "glorot_uniform",
) -> keras.Sequential:
    """Build one Dense layer: linear or logistic regression, trained by gradient descent.

    Parameters and returns as in `mlp`.
    """
    return mlp(input_shape, outputs, hidden=(), initializer=initializer)


@builders.pure
def lenet_300_100(
    input_shape: int | Sequence[int] = (28, 28),
    outputs: int = 10,
    initializer: str | keras.initializers.Initializer = "glorot_normal",
) -> keras.Sequential:
    """Build LeNet-300-100, the fully connected network of the lottery-ticket paper.

    266,610 parameters on 28 x 28 inputs with 10 classes. Parameters and returns as in `mlp`.

    References
    ----------
    frankle2019
    """
    return mlp(input_shape, outputs, hidden=(300, 100), initializer=initializer)


def _cnn(
    convolution,
    input_shape,
    outputs,
    filters,
    kernel_size,
    strides,
    hidden,
    penalties,
    initializer,
    block,
):
    """Build convolutions, Flatten and Dense layers; ``convolution`` is Conv1D or Conv2D, ``block`` goes to `_block`."""
    shape, filters, hidden = (
        _shape(input_shape),
        _widths("filters", filters),
        _widths("hidden", hidden, empty=True),
    )
    outputs = checks.count("outputs", outputs)
    kernel_size, strides = (
        checks.count("kernel_size", kernel_size),
        checks.count("strides", strides),
    )
    checks.flag("batch_norm", block["batch_norm"])
    checks.real("dropout", block["dropout"], low=0, high=1, high_open=True)
    axes = 1 if convolution is _LAYERS.Conv1D else 2
    _check_activation(block["activation"], (2, *[3] * axes, 4))
    if len(shape) not in (axes, axes + 1):
        kind = (
            "(steps,) or (steps, channels)"
            if axes == 1
            else "(rows, columns) or (rows, columns, channels)"
        )
        raise ValueError(checks.message("input_shape", kind, input_shape))
    stack = [keras.Input(shape)]
    if len(shape) == axes:
        stack.append(_LAYERS.Reshape((*shape, 1)))
    for channels in filters:
        options = {"initializer": initializer, "kernel_regularizer": _penalty(*penalties)}
        layer = _weighted(
            convolution, channels, kernel_size, strides=strides, padding="same", **options
        )
        stack += _block(layer, **block)
    stack.append(_LAYERS.Flatten())
    for units in hidden:
        options = {"initializer": initializer, "kernel_regularizer": _penalty(*penalties)}
        stack += _block(_weighted(_LAYERS.Dense, units, **options), **block)
    stack.append(_weighted(_LAYERS.Dense, outputs, initializer=initializer))
    return _sequential(stack)


@builders.pure
def cnn1d(
    input_shape: Sequence[int] = (40,),
    outputs: int = 10,
    filters: Sequence[int] = (25, 25, 25),
    kernel_size: int = 5,
    strides: int = 2,
    hidden: Sequence[int] = (),
    activation: str | Callable[..., Any] = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    initializer: str | keras.initializers.Initializer = "glorot_uniform",
) -> keras.Sequential:
    """Build a convolutional network for signals: by default three stride-2 layers of 25 channels (greydanus2024).

    Parameters
    ----------
    input_shape : tuple of int
        ``(steps,)`` or ``(steps, channels)``.
    filters : tuple of int
        Channels of the convolutions, "same" padding.
    kernel_size, strides : int
        Of every convolution.
    hidden : tuple of int
        Dense layers between the flattened convolutions and the output.
    outputs, activation, batch_norm, dropout, l1, l2, initializer
        As in `mlp`; dropout and penalties on convolutions and hidden layers.

    Returns
    -------
    keras.Sequential
        Uncompiled.

    References
    ----------
    greydanus2024
    """
    block = {"activation": activation, "batch_norm": batch_norm, "dropout": dropout}
    convolution = _LAYERS.Conv1D
    return _cnn(
        convolution,
        input_shape,
        outputs,
        filters,
        kernel_size,
        strides,
        hidden,
        (l1, l2),
        initializer,
        block,
    )


@builders.pure
def cnn2d(
    input_shape: Sequence[int] = (28, 28),
    outputs: int = 10,
    filters: Sequence[int] = (8, 16),
    kernel_size: int = 3,
    strides: int = 2,
    hidden: Sequence[int] = (64,),
    activation: str | Callable[..., Any] = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    initializer: str | keras.initializers.Initializer = "glorot_uniform",
) -> keras.Sequential:
    """Build a convolutional network for images; parameters as in `cnn1d`.

    ``input_shape`` is ``(rows, columns)`` or ``(rows, columns, channels)``.
    """
    block = {"activation": activation, "batch_norm": batch_norm, "dropout": dropout}
    convolution = _LAYERS.Conv2D
    return _cnn(
        convolution,
        input_shape,
        outputs,
        filters,
        kernel_size,
        strides,
        hidden,
        (l1, l2),
        initializer,
        block,
    )

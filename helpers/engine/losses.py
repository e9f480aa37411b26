"""Losses per example, for targets (M, B, ...) and logits (M, B, outputs)."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from helpers._base import checks
from helpers._tensorflow import XLA, keras, tf
from helpers.engine.unsupported import Unsupported, kind_of_error

ALIASES = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "bce": "binary_crossentropy",
    "categorical_crossentropy": "sparse_categorical_crossentropy",  # the same; labels are whole numbers here
}
_BY_TASK = {
    "regression": ("mse", "mae", "huber"),
    "binary": ("binary_crossentropy", "sparse_categorical_crossentropy", "hinge"),
    "classification": ("sparse_categorical_crossentropy",),
}


class Loss(NamedTuple):
    """A named loss with a setting that is not the default of this module.

    Attributes
    ----------
    name : str
        As `resolve` returns it.
    delta : float
        Of "huber".
    smoothing : float
        Of labels, for a crossentropy.
    from_logits : bool or None
        Whether a crossentropy takes logits. None: nobody said, and logits are meant.
    """

    name: str
    delta: float = 1.0
    smoothing: float = 0.0
    from_logits: bool | None = None


def _mse(y, logits):
    return tf.reduce_mean(tf.math.squared_difference(logits, y), axis=-1)


def _mae(y, logits):
    return tf.reduce_mean(tf.abs(logits - y), axis=-1)


def _huber(y, logits, delta=1.0):
    error = tf.abs(logits - y)
    far = error - 0.5 if delta == 1.0 else delta * error - 0.5 * delta * delta
    return tf.reduce_mean(tf.where(error <= delta, 0.5 * tf.square(error), far), axis=-1)


def _binary_crossentropy(y, logits):
    return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(y, logits.dtype), logits[..., 0])


def _hinge(y, logits):
    return tf.nn.relu(1.0 - (2.0 * tf.cast(y, logits.dtype) - 1.0) * logits[..., 0])


def _sparse_categorical_crossentropy(y, logits):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)


def _clipped(probabilities):
    """Return probabilities as Keras takes logarithms of them."""
    small = keras.config.epsilon()
    return tf.clip_by_value(probabilities, small, 1.0 - small)


def _binary_with(loss):
    """Return the binary crossentropy with settings."""

    def function(y, outputs):
        y = tf.cast(y, outputs.dtype)
        y = y * (1.0 - loss.smoothing) + 0.5 * loss.smoothing
        if loss.from_logits is not False:
            return tf.nn.sigmoid_cross_entropy_with_logits(y, outputs[..., 0])
        p = _clipped(outputs[..., 0])
        return -(y * tf.math.log(p) + (1.0 - y) * tf.math.log(1.0 - p))

    return function


def _categorical_with(loss):
    """Return the crossentropy of one output per class with settings, for labels that are whole numbers."""

    def function(y, outputs):
        if not loss.smoothing:
            logits = outputs if loss.from_logits is not False else tf.math.log(_clipped(outputs))
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        classes = outputs.shape[-1]
        wanted = tf.one_hot(y, classes, dtype=outputs.dtype)
        wanted = wanted * (1.0 - loss.smoothing) + loss.smoothing / classes
        if loss.from_logits is not False:
            return tf.nn.softmax_cross_entropy_with_logits(wanted, outputs)
        p = outputs / tf.reduce_sum(outputs, axis=-1, keepdims=True)
        return -tf.reduce_sum(wanted * tf.math.log(_clipped(p)), axis=-1)

    return function


_FUNCTIONS = {
    "mse": _mse,
    "mae": _mae,
    "huber": _huber,
    "binary_crossentropy": _binary_crossentropy,
    "hinge": _hinge,
    "sparse_categorical_crossentropy": _sparse_categorical_crossentropy,
}
_KERAS = {
    keras.losses.MeanSquaredError: "mse",
    keras.losses.MeanAbsoluteError: "mae",
    keras.losses.Huber: "huber",
    keras.losses.BinaryCrossentropy: "binary_crossentropy",
    keras.losses.SparseCategoricalCrossentropy: "sparse_categorical_crossentropy",
    keras.losses.CategoricalCrossentropy: "sparse_categorical_crossentropy",
}


def default(task, outputs):
    """Return the name of the task's loss for a model of that many outputs."""
    if task == "regression":
        return "mse"
    return (
        "binary_crossentropy"
        if task == "binary" and outputs == 1
        else "sparse_categorical_crossentropy"
    )


def resolve(loss, task, outputs, dtype="float32"):
    """Return the name of what the caller passed as ``loss``, a `Loss`, or the caller's function; see `per_example`.

    Parameters
    ----------
    loss : str, Loss, keras.losses.Loss or callable
        "auto", a Keras name, a Keras loss, or a function of targets (M, B[, outputs]) and outputs (M, B, outputs) that
        returns (M, B).
    task : str
        Of the data set.
    outputs : int
        Of the model.
    dtype : str
        Of the model.

    Raises
    ------
    TypeError, ValueError
        A loss that is unknown or does not fit the task.
    """
    if isinstance(loss, keras.losses.Loss):
        loss = _from_keras(loss)
    if isinstance(loss, type) or (
        callable(loss) and str(getattr(loss, "__module__", "")).startswith("keras.")
    ):
        shown = getattr(loss, "__name__", loss)
        remedy = "Give its name as a string, or an instance with from_logits=True."
        raise Unsupported(
            checks.message(
                "loss", "'auto', a name, a keras.losses instance or your function", shown, remedy
            )
        )
    if callable(loss):
        check_function("loss", loss, task, outputs, dtype)
        return loss
    if isinstance(loss, Loss):
        _named(loss.name, task, outputs)
        return loss
    if not isinstance(loss, str):
        raise TypeError(
            checks.message("loss", "'auto', a name, a keras.losses instance or a function", loss)
        )
    return _named(loss, task, outputs)


def _named(loss, task, outputs):
    """Return the name of a loss, if it fits the task and the number of outputs."""
    name = default(task, outputs) if loss == "auto" else ALIASES.get(loss, loss)
    if name not in _BY_TASK[task]:
        allowed = ", ".join(map(repr, ("auto", *_BY_TASK[task])))
        raise _kind_of_error(loss)(
            checks.message("loss", f"one of {allowed} for the task {task!r}, or a function", loss)
        )
    single = name in ("binary_crossentropy", "hinge")
    if single != (outputs == 1) and task != "regression":
        wanted = "1 output" if single else "one output per class"
        raise Unsupported(
            f"Argument `loss`={name!r} needs a model with {wanted}. Received: {outputs} outputs."
        )
    return name


def _kind_of_error(name):
    """Return the kind of error for a name that does not fit: `Unsupported` where Keras has it and this module not."""
    known = name == "auto" or name in {*ALIASES, *sum(_BY_TASK.values(), ())}
    return ValueError if known else kind_of_error(keras.losses.get, name)


def unknown(expected, name):
    """Return the error for the name of a loss that is not among those expected."""
    return _kind_of_error(name)(checks.message("loss", expected, name))


def per_example(loss):
    """Return the function of targets (M, B, ...) and outputs (M, B, C) to losses (M, B) that `resolve` found."""
    if callable(loss):
        return loss
    return _FUNCTIONS[loss] if isinstance(loss, str) else _with_settings(loss)


@functools.lru_cache(maxsize=64)
def _with_settings(loss):
    """Return the function of a `Loss`, the same object for equal ones."""
    if loss.name == "huber":
        return functools.partial(_huber, delta=loss.delta)
    if loss.name == "binary_crossentropy":
        return _binary_with(loss)
    return _categorical_with(loss) if "crossentropy" in loss.name else _FUNCTIONS[loss.name]


def check_function(name, function, task, outputs, dtype):
    """Call the caller's function, traced as in the program: (M, B, 1) against (M, B) broadcasts to (M, B, B) silently.

    ``name``: of the argument.
    """
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 4, outputs)).astype(dtype)
    labels = rng.integers(0, 2, (2, 4)).astype(np.int32)
    y = rng.normal(size=(2, 4, outputs)).astype(dtype) if task == "regression" else labels
    found = []
    for m, b in ((2, 3), (1, 3), (2, 4)):
        inputs = tf.constant(y[:m, :b]), tf.constant(logits[:m, :b])
        try:
            once = XLA and not found  # compiling takes longer than tracing
            traced = tf.function(
                lambda y, logits: function(y, logits), jit_compile=once, autograph=False
            )
            found.append(np.asarray(traced.get_concrete_function(*inputs)(*inputs)))
        except Exception as error:
            expected = "a function of targets (M, B[, outputs]) and logits (M, B, outputs) that TensorFlow can compile"
            remedy = f"Calling it raised {type(error).__name__}: {str(error)[:200]}"
            raise ValueError(checks.message(name, expected, function, remedy)) from error
        if found[-1].shape != (m, b):
            raise ValueError(
                f"Argument `{name}` must return one value per example, shape (M, B). Received: {found[-1].shape} for "
                f"targets {y[:m, :b].shape} and logits {logits[:m, :b].shape}."
            )
        if found[-1].dtype != dtype:
            raise ValueError(
                f"Argument `{name}` must return {dtype}, as the model does. Received: {found[-1].dtype}."
            )
    whole, first, _ = found
    if not np.allclose(first[0], whole[0], rtol=1e-5, atol=1e-6, equal_nan=True):
        raise ValueError(
            f"Argument `{name}` must treat members by themselves: member 0's values changed with member 1's."
        )


def name_of(loss):
    """Return the name of a Keras loss instance, or of a `Loss`."""
    return (loss if isinstance(loss, Loss) else _from_keras(loss)).name


def _from_keras(loss):
    """Return the `Loss` of a Keras loss instance; refuse a setting that is not honoured here."""
    name = _KERAS.get(type(loss))
    if name is None:
        known = ", ".join(kind.__name__ for kind in _KERAS)
        raise Unsupported(
            checks.message("loss", f"one of {known}, a name or a function", type(loss).__name__)
        )
    honoured = {"delta": "delta", "label_smoothing": "smoothing", "from_logits": "from_logits"}
    given = settings("loss", loss, honoured)
    return Loss(name, **{ours: given[key] for key, ours in honoured.items() if key in given})


def settings(name, given, honoured):
    """Return the settings of a Keras loss or metric; refuse one off its default that is not ``honoured`` here.

    ``name``: of the argument.
    """
    # Some are missing in the configuration of a loss.
    plain, found = (
        {**getattr(one, "_fn_kwargs", {}), **one.get_config()} for one in (type(given)(), given)
    )
    for key, value in found.items():
        if key not in (*honoured, "name", "dtype") and value != plain.get(key):
            raise Unsupported(
                f"Argument `{name}` must have {key}={plain.get(key)!r} in {type(given).__name__}. "
                f"Received: {key}={value!r}."
            )
    return found


def check_targets(name, y, task, outputs, num_classes):
    """Refuse targets (N, ...) that do not fit the model's outputs: shape, range."""
    if task == "regression":
        if y.ndim < 2 or y.shape[-1] != outputs:
            text = f"Argument `{name}` must have shape (N, {outputs}) to fit the model's outputs. Received: {y.shape}."
            raise ValueError(text)
        return
    allowed = (1, 2) if task == "binary" else (num_classes,)
    if outputs not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(
            f"Argument `model` must have {wanted} outputs for this {task} task. Received: {outputs}."
        )
    if y.size and (int(np.min(y)) < 0 or int(np.max(y)) >= max(num_classes or 2, 2)):
        raise ValueError(f"Argument `{name}` has labels outside 0..{(num_classes or 2) - 1}.")

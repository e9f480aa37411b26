"""``x, y, validation_data, validation_split`` as ``keras.Model.fit`` takes them, made a `Dataset`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from helpers._base import checks
from helpers.data import Dataset
from helpers.engine import endings, losses
from helpers.engine.unsupported import Unsupported

_TASKS = {
    **dict.fromkeys(("mse", "mae", "huber"), "regression"),
    **dict.fromkeys(("binary_crossentropy", "hinge"), "binary"),
    "sparse_categorical_crossentropy": "classification",
}


def dataset_of(
    x: Any, y: Any, validation_data: Any, validation_split: float, loss: Any, model: Any
) -> Dataset:
    """Return the data set of arrays.

    Parameters
    ----------
    x, y : array_like
        (N, ...) and (N,), (N, outputs), or one-hot (N, classes).
    validation_data : tuple of array_like or None
        ``(x_val, y_val)``.
    validation_split : float
        The share of the last examples that validates, as in Keras: before any shuffling.
    loss : str, keras.losses.Loss or callable
        It says what the targets are; "auto" leaves it to their type and the model's ending.
    model : keras.Model
        With one output.

    Raises
    ------
    TypeError, ValueError
        An argument that does not fit, or targets that may be more than one thing, named.
    """
    x = checks.array("x", x, dtype=np.float32)
    y = _targets("y", y)
    split = checks.real("validation_split", validation_split, 0, 1, high_open=True)
    if len(x) != len(y):
        raise ValueError(
            f"Arguments `x` and `y` must have the same number of examples. Received: {len(x)} and {len(y)}."
        )
    parts = {"train": (x, y)}
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            expected = "a pair (x_val, y_val)"
            raise TypeError(checks.message("validation_data", expected, validation_data))
        parts["val"] = (validation_data[0], _targets("validation_data[1]", validation_data[1]))
    elif split:
        first = first_of_validation(len(x), split)
        parts = {"train": (x[:first], y[:first]), "val": (x[first:], y[first:])}
    outputs = int(model.output_shape[-1])
    task = _task(loss, y, outputs, model)
    arrays = {}
    for part, (inputs, targets) in parts.items():
        arrays |= {f"x_{part}": inputs, f"y_{part}": _as_task(targets, task, outputs)}
    classes = outputs if task == "classification" else None
    return Dataset(**arrays, task=task, num_classes=classes, name="arrays")


def first_of_validation(count: int, split: float) -> int:
    """Return the number of the first of ``count`` examples that validates."""
    split = checks.real("validation_split", split, 0, 1, high_open=True)
    first = math.floor(count * (1 - split))
    if not 0 < first < count:
        expected = f"to leave examples for both parts of {count}"
        raise ValueError(checks.message("validation_split", expected, split))
    return first


def _targets(name, y):
    """Return targets as an array of numbers."""
    y = np.asarray(y)
    if y.ndim == 0 or y.dtype.kind not in "biuf":
        raise TypeError(checks.message(name, "an array of numbers, one row an example", y))
    return y


def _task(loss, y, outputs, model):
    """Return which task a loss is for; where it does not say, what the targets and the model's ending leave."""
    if isinstance(loss, (losses.keras.losses.Loss, losses.Loss)):
        kind = losses.name_of(loss)
        return _TASKS[kind]
    if isinstance(loss, str) and loss != "auto":
        name = losses.ALIASES.get(loss, loss)
        if name not in _TASKS:
            expected = "one of " + ", ".join(sorted({*_TASKS, *losses.ALIASES}))
            raise losses.unknown(expected, loss)
        return _TASKS[name]
    whole = y.dtype.kind in "biu"
    if not whole and not one_hot(y):
        return "regression"
    if outputs > 1:
        if callable(loss) or whole:
            return "classification"
    elif whole and endings.kind_of(model.outputs[0]) == endings.PROBABILITIES:
        return "binary"
    raise ValueError(
        "Argument `loss` must say what the targets are: whole numbers may be classes or quantities. Give its name, "
        'such as "binary_crossentropy" or "mse".'
    )


def one_hot(y):
    """Return whether targets are rows of zeros with a single one."""
    return (
        y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
    )


def _as_task(y, task, outputs):
    """Return targets as a `Dataset` takes them: labels (N,), or quantities (N, outputs)."""
    if task == "regression":
        return y
    if y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    if y.ndim == 2 and y.shape[1] == outputs:
        if not one_hot(y):
            raise Unsupported(
                "Argument `y` must be labels, or rows of zeros with a single one. Received: other rows, such as "
                f"{y[0].tolist()}. Targets that are shares of classes are not known to the fast engine."
            )
        return y.argmax(axis=1)
    if y.ndim > 1:
        raise Unsupported(
            f"Argument `y` must hold one label an example for the fast engine. Received: shape {y.shape}."
        )
    return y

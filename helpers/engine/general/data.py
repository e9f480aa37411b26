"""What a training reads: a `Dataset`, or arrays as ``keras.Model.fit`` takes them, of any shape."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers._base import checks
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import arrays, endings
from helpers.engine.general.asked import CROSSENTROPIES
from helpers.engine.general.model import GeneralModel

_OF_CLASSES = ("Sparse", "Categorical")
_OF_TWO = ("Binary", "Hinge", "SquaredHinge")


class Data(NamedTuple):
    """Training and validation arrays.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        "x", "y", and "x_val", "y_val", "w", "w_val" where there are such; (M, N, ...) where each member has its own.
    own : tuple of str
        Which of them each member has of its own.
    task, name : str
    """

    arrays: dict[str, np.ndarray]
    own: tuple[str, ...]
    task: str
    name: str

    @property
    def examples(self) -> int:
        """Training examples of one member."""
        return int(self.arrays["x"].shape["x" in self.own])


def data_of(
    dataset: Any,
    y: Any,
    validation_data: Any,
    split: Any,
    sample_weight: Any,
    loss: Any,
    model: GeneralModel,
    members: int,
) -> Data:
    """Return the data of a `Dataset`, or of arrays as `fit` takes them."""
    validation_weight = None
    if isinstance(dataset, Dataset):
        if y is not None or validation_data is not None or split:
            text = "are for arrays, and `dataset` is a Dataset, which holds its own."
            raise TypeError(f"Arguments `y`, `validation_data` and `validation_split` {text}")
        if dataset.members not in (None, members):
            raise ValueError(
                f"Argument `dataset` is a stack of {dataset.members}, one per member. Received: members={members}."
            )
        found = {"x": dataset.x_train, "y": dataset.y_train}
        if dataset.x_val is not None and dataset.y_val is not None:
            found |= {"x_val": dataset.x_val, "y_val": dataset.y_val}
        own = tuple(found) if dataset.stacked else ()
        task, name = dataset.task, dataset.name
    else:
        if y is None:
            raise TypeError(
                checks.message("dataset", "a helpers.data.Dataset, or examples with `y`", dataset)
            )
        found = {"x": numbers_of("x", dataset), "y": numbers_of("y", y)}
        if len(found["x"]) != len(found["y"]):
            raise ValueError(
                "Arguments `x` and `y` must have the same number of examples. "
                f"Received: {len(found['x'])} and {len(found['y'])}."
            )
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                expected = "a pair (x_val, y_val), or with weights"
                raise TypeError(checks.message("validation_data", expected, validation_data))
            x_val, y_val, *rest = validation_data
            found["x_val"] = numbers_of("validation_data[0]", x_val)
            found["y_val"] = numbers_of("validation_data[1]", y_val)
            validation_weight = rest[0] if rest else None
        elif split:
            first = arrays.first_of_validation(len(found["x"]), split)
            if sample_weight is not None:
                whole = checks.array("sample_weight", sample_weight)
                sample_weight, validation_weight = whole[..., :first], whole[..., first:]
            found = {
                **{name: values[:first] for name, values in found.items()},
                **{f"{name}_val": values[first:] for name, values in found.items()},
            }
        own, name = (), "arrays"
        task = _task(loss, found["y"], model)
    for key, label, weights, like in (
        ("w", "sample_weight", sample_weight, "x"),
        ("w_val", "validation_data[2]", validation_weight, "x_val"),
    ):
        if weights is None:
            continue
        values = checks.array(label, weights, dtype=np.float32)
        count = found[like].shape["x" in own]
        if values.shape not in ((count,), (members, count)):
            raise ValueError(
                f"Argument `{label}` must have shape ({count},) or ({members}, {count}), one weight an example. "
                f"Received: {values.shape}."
            )
        if values.ndim == 2 or "x" in own:
            found[key] = np.ascontiguousarray(np.broadcast_to(values, (members, count)))
            own = (*own, key)
        else:
            found[key] = values
    return Data(found, own, task, name)


def numbers_of(name: str, values: Any) -> np.ndarray:
    """Return numbers as they are trained on: floats in single precision, whole numbers as int32."""
    found = checks.array(name, values, dtype=np.asarray(values).dtype)
    if found.ndim == 0:
        raise TypeError(checks.message(name, "an array, one row an example", values))
    kind = np.float32 if found.dtype.kind == "f" else np.int32
    return checks.array(name, found, dtype=kind)


def _task(loss: Any, y: np.ndarray, model: GeneralModel) -> str:
    """Return which task arrays are for: the loss says it, or else the targets and the model's ending."""
    if isinstance(loss, keras.losses.Loss):
        name = type(loss).__name__
    elif isinstance(loss, str) and loss != "auto":
        name = CROSSENTROPIES.get(loss, loss.title().replace("_", ""))
    elif callable(loss):
        name = ""
    else:
        whole, one_hot = y.dtype.kind in "biu", arrays.one_hot(y)
        if model.output_shape[-1] == 1 and whole and model.ends_in() == endings.PROBABILITIES:
            return "binary"
        if not whole and not one_hot:
            return "regression"
        if model.output_shape[-1] != 1:
            return "classification"
        raise ValueError(
            "Argument `loss` must say what the targets are: whole numbers may be classes or quantities. Give its "
            'name, such as "binary_crossentropy" or "mse".'
        )
    if name.startswith(_OF_CLASSES) and "Hinge" not in name:
        return "classification"
    return "binary" if name.startswith(_OF_TWO) else "regression"


def fitted(data: Data, loss: Any, model: GeneralModel) -> Data:
    """Return targets as the loss takes them: rows of zeros with a single one, or with the outputs' axis."""
    outputs, found = model.output_shape, dict(data.arrays)
    for key in ("y", "y_val"):
        if key not in found:
            continue
        y, lead = found[key], 1 + (key in data.own)
        rows, sparse = map(type(loss).__name__.startswith, ("Categorical", "Sparse"))
        labels = isinstance(
            loss, keras.losses.CategoricalGeneralizedCrossEntropy
        )  # despite its name
        if rows and not labels and y.ndim - lead < len(outputs):
            found[key] = one_hot(y, outputs[-1] or 1)
        elif sparse and y.ndim - lead == len(outputs) and y.shape[-1] == 1 != outputs[-1]:
            found[key] = y[..., 0]
        elif y.ndim - lead == len(outputs) - 1 and outputs[-1] == 1:
            found[key] = y[..., np.newaxis]
    return data._replace(arrays=found)


def one_hot(y: np.ndarray, classes: int) -> np.ndarray:
    """Return labels as rows of zeros with a single one."""
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise ValueError(f"Argument `y` has labels outside 0..{classes - 1}.")
    return np.eye(classes, dtype=np.float32)[y.astype(np.int32)]


def check_data(model: GeneralModel, data: Data, loss: str) -> None:
    """Refuse examples that the model does not take; targets are Keras's to judge."""
    for key in ("x", "x_val"):
        if key not in data.arrays:
            continue
        shape = data.arrays[key].shape[1 + (key in data.own) :]
        fits = len(shape) == len(model.input_shape) and all(
            want in (None, have) for want, have in zip(model.input_shape, shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"Argument `dataset` must have examples of the model's input shape {model.input_shape}. "
                f"Received: {shape}."
            )
    if not data.examples:
        raise ValueError("Argument `x` must hold one example or more. Received: 0.")
    if data.task != "regression" and "hinge" not in loss:  # whose labels may be -1 and 1
        outputs, y = model.output_shape[-1] or 2, data.arrays["y"]
        if y.dtype.kind in "iu" and y.size and (y.min() < 0 or y.max() >= max(outputs, 2)):
            raise ValueError(f"Argument `y` has labels outside 0..{max(outputs, 2) - 1}.")

"""The general engine: M copies of any Keras model, trained by Keras's own steps on JAX in worker processes.

It takes what the fast engine has no formula for. Here stand the checks of the arguments and the plan; `_jax` trains,
`pool` keeps the workers.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import threading
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from helpers._base import checks, memory
from helpers._jax import jobs
from helpers._jax import metrics as recorded
from helpers._tensorflow import keras, keras_settings
from helpers.data import Dataset
from helpers.engine import arrays, draws, endings, losses, parcels, resume, runtime, scores, stopping
from helpers.engine.general_model import GeneralModel, check_weights
from helpers.engine.plan import Earlier, check_masks, check_snapshots
from helpers.engine.pool import POOL, Refused, lacking

WIDEST = 10  # members of a chunk: more are no faster (benchmarks/README.md)
_CLIPPING = ("clipnorm", "global_clipnorm")
_CROSSENTROPIES = {
    "binary_crossentropy": "BinaryCrossentropy",
    "bce": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}
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


@dataclass(frozen=True, eq=False)
class Plan:
    """What one call of `fit_many` is to do in the general engine; the fields of `plan.Plan` where they mean the same.

    Attributes
    ----------
    job : jobs.Training
        All that the chunks share.
    names : list of str
        Of the history.
    state_like : list of (tuple, str)
        Shape and dtype of one member's state, array by array.
    rates : numpy.ndarray (M,) or None
        Learning rates.
    """

    job: jobs.Training
    names: list[str]
    state_like: list[tuple[tuple[int, ...], str]]
    recipe: GeneralModel
    given: GeneralModel
    members: int
    epochs: int
    record_every: int
    snapshots: tuple[int, ...]
    data: dict[str, np.ndarray]
    initial: list[np.ndarray]
    masks: dict[int, np.ndarray]
    keys: np.ndarray
    rates: np.ndarray | None
    vary: dict[str, np.ndarray]
    settings: dict[str, Any]
    resumable: bool = False
    earlier: Earlier | None = None

    @property
    def first(self) -> int:
        """How many epochs were done before."""
        return 0 if self.earlier is None else self.earlier.epochs

    @property
    def work(self) -> int:
        """How many epochs of single networks are to be trained."""
        return self.members * (self.epochs - self.first)


def make(
    model: Any,
    dataset: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    validation_split: float = 0.0,
    sample_weight: Any = None,
    members: int = 100,
    epochs: int = 200,
    batch_size: int = 32,
    shuffle: str | bool = "member",
    optimizer: Any = None,
    learning_rate: Any = None,
    loss: Any = "auto",
    metrics: Any = None,
    vary: dict[str, Any] | None = None,
    initial_weights: Any = None,
    masks: Any = None,
    snapshots: Any = (),
    seed: int = 0,
    record_every: int = 1,
    early_stopping: Any = None,
    resumable: bool = False,
) -> Plan:
    """Check the arguments of `fit_many`, draw what is random about the start, and return the plan.

    Raises
    ------
    TypeError, ValueError
        An argument that does not fit, named; or what Keras on JAX says of the model.
    """
    members = checks.count("members", members)
    epochs = checks.count("epochs", epochs, low=0)
    batch_size = checks.integer("batch_size", batch_size)
    shuffle = checks.one_of("shuffle", shuffle, ("member", "shared", False))
    seed = checks.integer("seed", seed, low=0)
    record_every = checks.count("record_every", record_every)
    resumable = checks.flag("resumable", resumable)
    shape = dataset.input_shape if isinstance(dataset, Dataset) else np.shape(dataset)[1:]
    given = model if isinstance(model, GeneralModel) else GeneralModel(model, shape)
    optimizer = _optimizer(given.compiled.get("optimizer", "adam") if optimizer is None else optimizer)
    if isinstance(loss, str) and loss == "auto":
        loss = given.compiled.get("loss", "auto")
    data = _data(
        dataset, y, validation_data, validation_split, sample_weight, loss, given, members
    )
    settled = _settled(loss, given, data.task)
    recipe = given.without_ending if settled.undo else given
    assert recipe is not None
    data = _fitted(data, settled.loss, recipe)
    _check_data(given, data)
    rates, varied = _varied(optimizer, members, learning_rate, vary)
    kept_masks = _masks(recipe, members, masks, optimizer)
    asked = _metrics(given.compiled.get("metrics", ()) if metrics is None else metrics)
    usual = _usual(data, settled)
    taken = {name for name, _ in usual}
    asked = [one for one in asked if _name_of(one) not in taken]
    names = ["loss", *(name for name, _ in usual), *map(_name_of, asked)]
    monitors = [*names, *(f"val_{name}" for name in names)] if "x_val" in data.arrays else names
    rising = {n for n in names if "accuracy" in n or n.lower().endswith(("auc", "acc"))}
    rule = stopping.rule(early_stopping, monitors, rising | {f"val_{n}" for n in rising})
    _check_size(recipe, data, members, epochs, batch_size, len(monitors), resumable)
    kept = check_snapshots(snapshots, 0, epochs)
    if initial_weights is None:
        initial = recipe.draw(members, seed)
    else:
        found, _ = check_weights("initial_weights", initial_weights, recipe, members)
        initial = [np.array(values) for values in found]
    for position, mask in kept_masks.items():
        initial[position] = initial[position] * mask

    functions: list[Any] = []
    own = dict(recipe.own) | parcels.named(repr(keras.optimizers.serialize(optimizer)))
    compiled = jobs.Compiled(
        keras.optimizers.serialize(optimizer),
        _sent(settled.loss, functions),
        [_sent(one, functions) for one in asked],
        tuple(usual),
        settled.probabilities,
    )
    ending = ""
    if settled.undo:
        ending = "sigmoid" if recipe.output_shape[-1] == 1 else "softmax"
    job = jobs.Training(
        model=jobs.Model(
            recipe.config,
            parcels.packed(functions, own, whole=True),
            keras_settings(),
            ending,
            tuple(n or 1 for n in recipe.input_shape),
        ),
        compiled=compiled,
        batch_size=batch_size,
        epochs=epochs,
        first=0,
        record_every=record_every,
        seed=seed,
        shuffle=shuffle,
        snapshots=kept,
        rule=None if rule is None else rule._asdict(),
        resumable=resumable,
        width=_width(recipe, min(batch_size, data.examples)),
        own=data.own,
        data={name: v for name, v in data.arrays.items() if name not in data.own},
        like={
            name: (v.shape[name in data.own :], str(v.dtype)) for name, v in data.arrays.items()
        },
    )
    found_names, state_like = _checked(job)
    if set(found_names) != set(names):
        raise ValueError(
            f"Argument `metrics` must record one number an epoch under its name. Received: {asked}, which record "
            f"{sorted(set(found_names) - {'loss'})}."
        )
    config = compiled.optimizer["config"]
    settings = {
        "members": members,
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "optimizer": {"name": type(optimizer).__name__, **_numbers(config)},
        "schedule": config["learning_rate"] if isinstance(config["learning_rate"], dict) else None,
        "loss": _described(settled.loss),
        "outputs": "probabilities" if settled.undo or settled.probabilities else "logits",
        "seed": seed,
        "record_every": record_every,
        "early_stopping": job.rule,
        "task": data.task,
        "dataset": data.name,
        "examples": data.examples,
        "metrics": [one for one in compiled.metrics if not isinstance(one, int)],
        "usual": [list(one) for one in usual],
        "undone": ending,
        "sample_weight": {True: "own", False: "shared"}["w" in data.own] if "w" in data.arrays else "",
        "varied": sorted(varied),
        "masked": sorted(kept_masks),
        "initial_weights": "drawn" if initial_weights is None else "given",
        "dtype": sorted(set(recipe.dtypes))[0] if recipe.dtypes else "float32",
        "keras": keras_settings(),
        "engine": "general",
    }
    order = ["loss", *(name for name, _ in usual), *map(_name_of, asked)]
    return Plan(
        job=job,
        names=[*order, *(f"val_{n}" for n in order)] if "x_val" in data.arrays else order,
        state_like=state_like,
        recipe=recipe,
        given=given,
        members=members,
        epochs=epochs,
        record_every=record_every,
        snapshots=kept,
        data=data.arrays,
        initial=initial,
        masks=kept_masks,
        keys=draws.noise_keys(seed, members),
        rates=rates,
        vary=varied,
        settings=settings,
        resumable=resumable,
    )


def _checked(job: jobs.Training) -> tuple[list[str], Any]:
    """Have a worker trace one step; return what it records and what a member's state is like."""
    missing = lacking()
    if missing:
        raise ValueError(f"The general engine is not installed. {missing}")
    empty = job._replace(data={})
    try:
        return POOL.ask("check", "", empty)
    except Refused as error:
        raise refusal(error) from error


def refusal(error: Refused) -> ValueError:
    """Return what to say of a model that a worker cannot train."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", error.text).partition("Arguments received by")[0]
    text = (
        "Argument `model` (or its loss, metrics or optimizer) cannot be trained by the general engine, which runs it "
        f"with Keras on JAX. {error.kind}: {' '.join(plain.split())[:400]}"
    )
    if "/tensorflow/python/" in error.trace.replace("\\", "/") or "TracerArray" in error.kind:
        text += " Layers and functions of your own must use keras.ops instead of TensorFlow's or NumPy's operations."
    return ValueError(text)


def _optimizer(given: Any) -> Any:
    """Return a Keras optimizer, a fresh copy of what the caller gave."""
    try:
        if isinstance(given, str):
            return keras.optimizers.get(given)
        if not isinstance(given, keras.optimizers.Optimizer):
            raise TypeError(checks.message("optimizer", "a name or a keras.optimizers instance", given))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras warns of a lambda for a rate
            return keras.optimizers.deserialize(keras.optimizers.serialize(given))
    except TypeError:
        raise
    except Exception as error:
        first = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise ValueError(
            "Argument `optimizer` must be one that its configuration can rebuild; register schedules and optimizers "
            f"of your own with keras.saving.register_keras_serializable(). Keras says: {first}"
        ) from error


def _data(
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
            raise TypeError(checks.message("dataset", "a helpers.data.Dataset, or examples with `y`", dataset))
        found = {"x": _numbers_of("x", dataset), "y": _numbers_of("y", y)}
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
            found["x_val"] = _numbers_of("validation_data[0]", x_val)
            found["y_val"] = _numbers_of("validation_data[1]", y_val)
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


def _numbers_of(name: str, values: Any) -> np.ndarray:
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
        name = _CROSSENTROPIES.get(loss, loss.title().replace("_", ""))
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


class _Settled(NamedTuple):
    undo: bool
    loss: Any
    probabilities: bool


def _settled(loss: Any, model: GeneralModel, task: str) -> _Settled:
    """Decide how the losses of a model's outputs are computed: crossentropies of logits where that is seen."""
    if isinstance(loss, str):
        if loss == "auto":
            single = task == "binary" and model.output_shape[-1] == 1
            names = {"regression": "mse", "binary": "binary_crossentropy"}
            loss = names.get(task if task == "regression" or single else "", "sparse_categorical_crossentropy")
        if loss in _CROSSENTROPIES:
            loss = getattr(keras.losses, _CROSSENTROPIES[loss])
            loss, said = loss(), None
        else:
            try:
                keras.losses.get(loss)
            except ValueError as error:
                raise ValueError(checks.message("loss", "the name of one of keras.losses", loss)) from error
            said = None
    elif isinstance(loss, keras.losses.Loss):
        said = getattr(loss, "_fn_kwargs", {}).get("from_logits")
        said = loss.get_config().get("from_logits", said)
    elif callable(loss) and not isinstance(loss, type):
        said = None
    else:
        raise TypeError(checks.message("loss", "'auto', a name, a keras.losses instance or a function", loss))
    kind = type(loss).__name__
    if not (isinstance(loss, keras.losses.Loss) and "Crossentropy" in kind):
        found = model.ends_in() if task != "regression" else endings.LOGITS
        return _Settled(False, loss, found == endings.PROBABILITIES)
    if not _of_graph(model):
        settled = endings.Settled(False, None, "", not said)
        if said is None:
            raise ValueError(_UNCLEAR)
    else:
        plain = losses.Loss("binary_crossentropy", from_logits=said)
        settled = endings.settle(model.template, plain, "binary")
    if "Focal" in kind and settled.undo:  # Keras computes these of probabilities
        return _Settled(False, _with(loss, False), True)
    return _Settled(settled.undo, _with(loss, not settled.probabilities), settled.probabilities)


_UNCLEAR = (
    "Argument `loss` must say what the outputs of this model are. Give a keras.losses instance with from_logits=False "
    "for probabilities, from_logits=True for logits."
)


def _of_graph(model: GeneralModel) -> bool:
    return isinstance(model.template, (keras.Sequential, keras.src.models.Functional))


def _with(loss: Any, from_logits: bool) -> Any:
    """Return a crossentropy that takes logits, or probabilities."""
    config = loss.get_config()
    fixed = getattr(loss, "_fn_kwargs", {})
    if fixed.get("from_logits", config.get("from_logits")) == from_logits:
        return loss
    return type(loss).from_config(config | {"from_logits": from_logits})


def _fitted(data: Data, loss: Any, model: GeneralModel) -> Data:
    """Return targets as the loss takes them: rows of zeros with a single one, or with the outputs' axis."""
    outputs, found = model.output_shape, dict(data.arrays)
    for key in ("y", "y_val"):
        if key not in found:
            continue
        y, lead = found[key], 1 + (key in data.own)
        if type(loss).__name__.startswith("Categorical") and y.ndim - lead < len(outputs):
            found[key] = np.eye(outputs[-1], dtype=np.float32)[y.astype(np.int32)]
        elif y.ndim - lead == len(outputs) - 1 and outputs[-1] == 1:
            found[key] = y[..., np.newaxis]
    return data._replace(arrays=found)


def _check_data(model: GeneralModel, data: Data) -> None:
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
    if data.task != "regression":
        outputs, y = model.output_shape[-1] or 2, data.arrays["y"]
        if y.dtype.kind in "iu" and y.size and (y.min() < 0 or y.max() >= max(outputs, 2)):
            raise ValueError(f"Argument `y` has labels outside 0..{max(outputs, 2) - 1}.")


def _varied(
    optimizer: Any, members: int, learning_rate: Any, vary: Any
) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Return the learning rates (M,), or None for the optimizer's, and what differs between members."""
    vary = {} if vary is None else vary
    if not isinstance(vary, dict):
        raise TypeError(checks.message("vary", "a dict of arrays, one value per member", vary))
    if learning_rate is not None and "learning_rate" in vary:
        raise ValueError("Give the learning rates once: as `learning_rate` or in `vary`, not both.")
    other = sorted(set(vary) - {"learning_rate"})
    if other:
        raise ValueError(
            f"Argument `vary` has the key {other[0]!r}, which the general engine cannot vary: only learning_rate, and "
            "data by a stacked Dataset. Call fit_many once for each value, with the same seed."
        )
    given = vary.get("learning_rate", learning_rate)
    if given is None:
        return None, {}
    label = "learning_rate" if learning_rate is not None else "vary['learning_rate']"
    values = checks.array(label, given, low=0)
    if values.shape not in ((), (members,)):
        raise ValueError(f"Argument `{label}` must have shape ({members},). Received: {values.shape}.")
    if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        raise ValueError(
            f"Argument `{label}` must be None: the general engine does not scale a learning-rate schedule. Put the "
            "rate into the schedule."
        )
    if values.ndim:
        return values, {"learning_rate": values.copy()}
    optimizer.learning_rate = float(values)
    return None, {}


def _masks(model: GeneralModel, members: int, masks: Any, optimizer: Any) -> dict[int, np.ndarray]:
    """Return the masks (M, ...) by weight index."""
    found = check_masks(model, members, masks)
    clipped = [key for key in _CLIPPING if getattr(optimizer, key, None)]
    if found and clipped:
        raise ValueError(
            f"Argument `masks` must be None with {clipped[0]}: gradients of masked weights would count in the norm."
        )
    return found


def _metrics(given: Any) -> list[Any]:
    """Return the metrics that the caller asks for."""
    if isinstance(given, str) or not isinstance(given, (list, tuple)):
        expected = "a list of names, keras.metrics instances or functions"
        raise TypeError(checks.message("metrics", expected, given))
    for one in given:
        if isinstance(one, str):
            if one in ("accuracy", "acc", "crossentropy", "ce"):
                continue
            try:
                keras.metrics.get(one)
            except ValueError as error:
                raise ValueError(checks.message("metrics", "names of keras.metrics", one)) from error
        elif isinstance(one, type) or not callable(one):
            raise TypeError(checks.message("metrics", "names, keras.metrics instances or functions", one))
    return list(given)


def _name_of(metric: Any) -> str:
    """Return the name that Keras records a metric under."""
    if isinstance(metric, str):
        return metric
    return str(getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__))


def _usual(data: Data, settled: _Settled) -> list[tuple[str, str]]:
    """Return what is recorded anyway: names and kinds, as in the fast engine."""
    kind = "" if isinstance(settled.loss, str) else type(settled.loss).__name__
    if data.task == "regression":
        numbers = isinstance(settled.loss, str) or kind in (
            "MeanSquaredError",
            "MeanAbsoluteError",
            "Huber",
        )
        return [("mse", "mse")] if numbers else []
    y = data.arrays["y"]
    whole = y.dtype.kind in "iu" or bool(np.isin(y, (0, 1)).all())
    found = [("crossentropy", "crossentropy")]
    return [*found, ("accuracy", "accuracy")] if whole else found


def _sent(given: Any, functions: list[Any]) -> Any:
    """Return a loss or metric as `jobs.Compiled` has it; functions of the caller's own are added to a list."""
    if isinstance(given, str):
        return given
    if isinstance(given, (keras.losses.Loss, keras.metrics.Metric)):
        try:
            return keras.saving.serialize_keras_object(given)
        except Exception as error:
            first = str(error).splitlines()[0][:200]
            raise ValueError(
                f"{type(given).__name__} has no configuration that Keras can write: {first}"
            ) from error
    functions.append(given)
    return len(functions) - 1


def _described(loss: Any) -> Any:
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", "function"))


def _numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of an optimizer's configuration is a number or a flag."""
    return {k: v for k, v in config.items() if isinstance(v, (int, float, bool)) and k != "name"}


def _check_size(
    model: GeneralModel,
    data: Data,
    members: int,
    epochs: int,
    batch_size: int,
    curves: int,
    resumable: bool,
) -> None:
    """Refuse, before anything is allocated, what counters or memory cannot hold."""
    steps = -(-data.examples // batch_size)
    if epochs * steps > checks.MOST:
        expected = f"at most {checks.MOST // steps:,} with {steps:,} steps each"
        raise ValueError(checks.message("epochs", expected, epochs, "Steps are counted in 32 bits."))
    needed = (2 + 3 * resumable) * model.bytes + 4 * curves * epochs
    available = memory.limit()
    if members * needed > available:
        most = f"at most {available // needed:,}"
        expected = f"{most} for the {available / 2**30:.3g} GiB of memory that this process may use"
        remedy = f"Weights and histories take {needed:,} bytes a member."
        raise ValueError(checks.message("members", expected, members, remedy))


def _width(model: GeneralModel, rows: int) -> int:
    """Return how many members a worker trains at once, from the architecture and the rows of a step alone.

    One of a convolutional network: with a member axis its kernels become groups, which are slow on a processor.
    """
    if model.convolutional:
        return 1
    values = sum(_values(layer) for layer in model.template._flatten_layers(include_self=False))
    each = 4 * (4 * model.size + rows * values)
    return max(w for w in runtime.WIDTHS if w <= min(WIDEST, max(1, 4 * runtime.CHUNK_BYTES // each)))


def _values(layer: Any) -> int:
    """Return how many numbers a layer gives for one example, as far as its shape is known."""
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):
        return 0
    return int(np.prod([n or 1 for n in shape[1:]]))


def _identity(job: jobs.Training) -> dict[str, Any]:
    """Return a job as dicts, lists and arrays, for a digest."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return {name: plain(one) for name, one in value._asdict().items()}
        if isinstance(value, dict):
            return {str(name): plain(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one) for one in value]
        if isinstance(value, (np.ndarray, str, int, float, type(None))):
            return value
        return repr(value)

    return plain(job)


def train(plan: Plan, bar: Any = None) -> jobs.Trained:
    """Train all chunks, one worker a core; finished ones are kept where a killed run is to be resumed."""
    name, width = resume.key(_identity(plan.job)), plan.job.width

    def work(
        mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
    ) -> list[np.ndarray] | None:
        try:
            found = POOL.ask("train", name, plan.job, _members(plan, mine), advance, stop)
        except Refused as error:
            raise refusal(error) from error
        return None if found is None else _flat(plan, found)

    if not plan.job.model.own:
        work = resume.resumable(
            work,
            lambda mine: _flat(plan, _blank(plan, mine.kept)),
            lambda: {"general": name, "about": POOL.about(), "members": _members(plan, None)},
            plan.epochs - plan.first,
        )
    flat = runtime.map_chunks(work, plan.members, width, bar, POOL.size())
    return _filled(plan, flat)


def _members(plan: Plan, mine: runtime.Chunk | None) -> jobs.Members:
    """Return what a worker needs of a chunk's members; None: of all."""
    rows = np.arange(plan.members) if mine is None else mine.chosen
    state = None if plan.earlier is None else [values[rows] for values in plan.earlier.state]
    return jobs.Members(
        start=int(rows[0]),
        kept=plan.members if mine is None else mine.kept,
        weights=[values[rows] for values in plan.initial],
        masks={position: values[rows] for position, values in plan.masks.items()},
        keys=plan.keys[rows],
        rates=None if plan.rates is None else plan.rates[rows],
        data={name: plan.data[name][rows] for name in plan.job.own},
        state=state,
    )


def _blank(plan: Plan, members: int) -> jobs.Trained:
    """Return arrays of the right shapes and types for so many members, their values undefined."""
    length = plan.epochs - plan.first

    def weights() -> list[np.ndarray]:
        return [np.empty((members, *w.shape[1:]), w.dtype) for w in plan.initial]

    state = [np.empty((members, *shape), kind) for shape, kind in plan.state_like]
    return jobs.Trained(
        np.empty(members, bool),
        np.empty(members, np.int32),
        np.empty(members, np.int32),
        {name: np.empty((members, length), np.float32) for name in plan.names},
        weights(),
        {epoch: weights() for epoch in plan.snapshots if epoch},
        state if plan.resumable else [],
    )


def _flat(plan: Plan, found: jobs.Trained) -> list[np.ndarray]:
    """Return all arrays in a fixed order."""
    kept = [w for epoch in plan.snapshots if epoch for w in found.snapshots[epoch]]
    history = [found.history[name] for name in plan.names]
    return [found.finite, found.stopped, found.best, *history, *found.weights, *kept, *found.state]


def _filled(plan: Plan, flat: list[np.ndarray]) -> jobs.Trained:
    """Return what training gave, of arrays in the order of `_flat`."""
    like, each = _blank(plan, 0), iter(flat)
    finite, stopped, best = (next(each) for _ in range(3))
    if plan.earlier is not None:
        finite = finite & plan.earlier.finite
    return jobs.Trained(
        finite,
        stopped,
        best,
        {name: next(each) for name in plan.names},
        [next(each) for _ in like.weights],
        {epoch: [next(each) for _ in like.weights] for epoch in like.snapshots},
        [next(each) for _ in like.state],
    )


@dataclass(frozen=True, eq=False)
class Continuation:
    """Where a training stood after its last epoch: what `Runs.resume` needs, in memory only.

    Attributes
    ----------
    plan : Plan
    finite : numpy.ndarray (M,) bool
        Whether every loss of training was.
    state : list of numpy.ndarray (M, ...)
        From a worker.
    dataset : None
        The plan holds the arrays.
    """

    plan: Plan
    finite: np.ndarray
    state: list[np.ndarray]
    dataset: None = None

    def planned(
        self, recipe: Any, settings: Any, vary: Any, initial_weights: Any, dataset: Any, more: Any
    ) -> Plan:
        """Return the plan of so many more epochs; ``dataset`` must be None, the others are as they were."""
        del recipe, vary, initial_weights
        if dataset is not None:
            raise ValueError(
                checks.message("dataset", "None: these runs hold the arrays they were trained on", dataset)
            )
        first = settings["epochs"]
        epochs = first + checks.count("epochs", more, low=0)
        job = self.plan.job._replace(first=first, epochs=epochs)
        return dataclasses.replace(
            self.plan,
            job=job,
            epochs=epochs,
            settings={**copy.deepcopy(settings), "epochs": epochs},
            earlier=Earlier(first, self.finite, self.state),
        )


def with_snapshots(plan: Plan, snapshots: tuple[int, ...]) -> Plan:
    """Return a plan that keeps the weights of these epochs."""
    return dataclasses.replace(
        plan, snapshots=snapshots, job=plan.job._replace(snapshots=snapshots)
    )


def predict(model: GeneralModel, weights: list[np.ndarray], x: Any, bar: Any = None) -> np.ndarray:
    """Return outputs (M, N, ...) of checked weights; see `helpers.predict_many`."""
    members = len(weights[0])
    x = _numbers_of("x", x)
    rank = len(model.input_shape)
    stacked = x.ndim == rank + 2 and x.shape[0] == members
    shape = x.shape[1 + stacked :]
    if x.ndim - stacked != rank + 1 or not all(
        want in (None, have) for want, have in zip(model.input_shape, shape, strict=True)
    ):
        dims = ", ".join(map(str, model.input_shape))
        raise ValueError(
            f"Argument `x` must have shape (N, {dims}) or ({members}, N, {dims}), one block per member. "
            f"Received: {x.shape}."
        )
    job = jobs.Model(
        model.config,
        parcels.packed([], model.own, whole=True),
        keras_settings(),
        "",
        tuple(n or 1 for n in model.input_shape),
    )
    name = resume.key({"predict": list(map(str, job))})

    def work(
        mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
    ) -> list[np.ndarray] | None:
        rows = x[mine.chosen] if stacked else x
        arguments = [w[mine.chosen] for w in weights], rows, stacked
        found = POOL.ask("predict", name, job, arguments, stop=stop)
        advance(mine.kept)
        return None if found is None else [found[: mine.kept]]

    width = _width(model, min(x.shape[int(stacked)], 1024))
    try:
        return runtime.map_chunks(work, members, width, bar, POOL.size())[0]
    except Refused as error:
        raise refusal(error) from error


def evaluate(
    model: GeneralModel, weights: list[np.ndarray], x: Any, y: Any, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Return {metric: (M,)} of checked weights; see `Runs.evaluate`."""
    ending, members = settings["undone"], len(weights[0])
    inner = model.without_ending if ending else model
    assert inner is not None
    outputs = predict(inner, weights, x)  # (M, N, ...)
    y = _numbers_of("y", y)
    stacked = y.shape[:2] == outputs.shape[:2] and np.ndim(x) == len(model.input_shape) + 2
    if y.shape[int(stacked)] != outputs.shape[1]:
        raise ValueError(
            f"Argument `y` must have {outputs.shape[1]} examples, as x has. Received: {y.shape[int(stacked)]}."
        )
    targets = y if stacked else y[np.newaxis]
    if targets.ndim == outputs.ndim - 1 and outputs.shape[-1] == 1:
        targets = targets[..., np.newaxis]
    asked = [
        keras.saving.deserialize_keras_object(one) if isinstance(one, dict) else one
        for one in settings["metrics"]
    ]
    usual = [recorded.usual(*one, settings["outputs"] == "probabilities" and not ending) for one in settings["usual"]]
    found: dict[str, list[float]] = {}
    for member in range(members):
        mine = targets[member if stacked else 0]
        own = keras.src.trainers.compile_utils.CompileMetrics(asked, None)
        own.update_state(mine, recorded.ended(outputs[member], ending))
        for metric in usual:
            metric.reset_state()
            metric.update_state(mine, outputs[member])
        results = {metric.name: metric.result() for metric in usual} | own.result()
        for name, value in results.items():
            found.setdefault(name, []).append(float(value))
    return {name: np.array(values) for name, values in found.items()}

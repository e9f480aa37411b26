"""Optimizer, loss, metrics and what differs between members, checked and made ready to be sent."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple, cast

import numpy as np

from helpers._base import checks, keras_config
from helpers._tensorflow import keras
from helpers.engine import endings, losses
from helpers.engine.general.model import GeneralModel, has_graph
from helpers.engine.plan import check_masks
from helpers.engine.recipe import Recipe

_MIXING = ("Adafactor", "Lamb", "Muon")  # entries of one weight are scaled by what all of them are
_CLIPPING = ("clipnorm", "global_clipnorm")
CROSSENTROPIES = {
    "binary_crossentropy": "BinaryCrossentropy",
    "bce": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}
# Optimizers of Keras that would not train as `fit` on TensorFlow does.
_OTHER_ON_JAX = {
    "ScheduleFreeAdamW": "Keras averages with it on TensorFlow after the momentum has moved, on JAX before",
    "MultiOptimizer": "it picks weights by their paths, which a model rebuilt from its configuration may not keep",
}
_UNCLEAR = (
    "Argument `loss` must say what the outputs of this model are. Give a keras.losses instance with from_logits=False "
    "for probabilities, from_logits=True for logits."
)


def optimizer_of(given: Any) -> Any:
    """Return a Keras optimizer, a fresh copy of what the caller gave."""
    if not isinstance(given, (str, keras.optimizers.Optimizer)):
        raise TypeError(checks.message("optimizer", "a name or a keras.optimizers instance", given))
    name = given if isinstance(given, str) else type(given).__name__
    for other, reason in _OTHER_ON_JAX.items():
        if name.lower() == other.lower():
            raise ValueError(
                f"Argument `optimizer` must not be {other} for the general engine: {reason}."
            )
    try:
        found = keras.optimizers.get(given) if isinstance(given, str) else given
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras warns of a lambda for a rate
            # Not keras.optimizers.deserialize: of some of Keras's own it only gives the name back.
            return keras.saving.deserialize_keras_object(config_of(found))
    except Exception as error:
        first = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise ValueError(
            "Argument `optimizer` must be one that its configuration can rebuild; register schedules and optimizers "
            f"of your own with keras.saving.register_keras_serializable(). Keras says: {first}"
        ) from error


class Settled(NamedTuple):
    """How losses are computed: whether the model is trained without its ending, the loss, what outputs are then."""

    undo: bool
    loss: Any
    probabilities: bool


def settled_of(loss: Any, model: GeneralModel, task: str) -> Settled:
    """Decide how the losses of a model's outputs are computed: crossentropies of logits where that is seen."""
    if isinstance(loss, str):
        if loss == "auto":
            single = task == "binary" and model.output_shape[-1] == 1
            names = {"regression": "mse", "binary": "binary_crossentropy"}
            loss = names.get(
                task if task == "regression" or single else "", "sparse_categorical_crossentropy"
            )
        if loss in CROSSENTROPIES:
            loss = getattr(keras.losses, CROSSENTROPIES[loss])
            loss, said = loss(), None
        else:
            try:
                keras.losses.get(loss)
            except ValueError as error:
                raise ValueError(
                    checks.message("loss", "the name of one of keras.losses", loss)
                ) from error
            said = None
    elif isinstance(loss, keras.losses.Loss):
        said = getattr(loss, "_fn_kwargs", {}).get("from_logits")
        said = loss.get_config().get("from_logits", said)
    elif callable(loss) and not isinstance(loss, type):
        said = None
    else:
        raise TypeError(
            checks.message("loss", "'auto', a name, a keras.losses instance or a function", loss)
        )
    kind = type(loss).__name__
    if not (isinstance(loss, keras.losses.Loss) and "Crossentropy" in kind):
        found = model.ends_in() if task != "regression" else endings.LOGITS
        return Settled(False, loss, found == endings.PROBABILITIES)
    if not has_graph(model.template):
        settled = endings.Settled(False, None, "", not said)
        if said is None:
            raise ValueError(_UNCLEAR)
    else:
        plain = losses.Loss("binary_crossentropy", from_logits=said)
        settled = endings.settle(model.template, plain, "binary")
    if "Focal" in kind and settled.undo:  # Keras computes these of probabilities
        return Settled(False, _with(loss, False), True)
    return Settled(settled.undo, _with(loss, not settled.probabilities), settled.probabilities)


def _with(loss: Any, from_logits: bool) -> Any:
    """Return a crossentropy that takes logits, or probabilities."""
    config = loss.get_config()
    fixed = getattr(loss, "_fn_kwargs", {})
    if fixed.get("from_logits", config.get("from_logits")) == from_logits:
        return loss
    return type(loss).from_config(config | {"from_logits": from_logits})


def varied_of(
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
        raise ValueError(
            f"Argument `{label}` must have shape ({members},). Received: {values.shape}."
        )
    inner = keras_config.inner_of(optimizer)
    if isinstance(inner._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        raise ValueError(
            f"Argument `{label}` must be None: the general engine does not scale a learning-rate schedule. Put the "
            "rate into the schedule."
        )
    if values.ndim:
        return values, {"learning_rate": values.copy()}
    inner.learning_rate = float(values)
    return None, {}


def masks_of(
    model: GeneralModel, members: int, masks: Any, optimizer: Any
) -> dict[int, np.ndarray]:
    """Return the masks (M, ...) by weight index."""
    found = check_masks(cast(Recipe, model), members, masks)  # it has what is asked of it
    inner = keras_config.inner_of(optimizer)
    clipped = [key for key in _CLIPPING if getattr(inner, key, None)]
    mixing = type(inner).__name__ in _MIXING or any(v.constraint for v in model.template.weights)
    if found and (mixing or inner.use_ema):
        raise ValueError(
            "Argument `masks` must be None with an optimizer that mixes the entries of a weight (Adafactor, Lamb, "
            "Muon), with averages of weights and with constraints: what is masked would count in the others."
        )
    if found and clipped:
        raise ValueError(
            f"Argument `masks` must be None with {clipped[0]}: gradients of masked weights would count in the norm."
        )
    return found


def metrics_of(given: Any, usual: list[tuple[str, str]]) -> list[Any]:
    """Return the metrics that the caller asks for, without those that are recorded anyway."""
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
                raise ValueError(
                    checks.message("metrics", "names of keras.metrics", one)
                ) from error
        elif isinstance(one, type) or not callable(one):
            raise TypeError(
                checks.message("metrics", "names, keras.metrics instances or functions", one)
            )
    taken = {"loss"} | {name for name, _ in usual}
    wanted = [one for one in given if not (isinstance(one, str) and one in taken)]
    for one in wanted:
        if name_of(one) in taken:
            raise ValueError(
                f"Argument `metrics` must hold names that are not taken. Received: {name_of(one)!r}. Give it another: "
                'keras.metrics.Metric(..., name="...").'
            )
        taken.add(name_of(one))
    return wanted


def rising(names: list[str]) -> set[str]:
    """Return the names of which more is better, as Keras's callback guesses."""
    return {name for name in names if "accuracy" in name or name.lower().endswith(("auc", "acc"))}


def name_of(metric: Any) -> str:
    """Return the name that Keras records a metric under."""
    if isinstance(metric, str):
        return metric
    return str(getattr(metric, "name", None) or getattr(metric, "__name__", type(metric).__name__))


def usual_of(arrays: dict[str, np.ndarray], task: str, settled: Settled) -> list[tuple[str, str]]:
    """Return what is recorded anyway: names and kinds, as in the fast engine."""
    kind = "" if isinstance(settled.loss, str) else type(settled.loss).__name__
    if task == "regression":
        numbers = isinstance(settled.loss, str) or kind in (
            "MeanSquaredError",
            "MeanAbsoluteError",
            "Huber",
        )
        return [("mse", "mse")] if numbers else []
    y, name = arrays["y"], described(settled.loss).lower()
    whole = y.dtype.kind in "iu" or bool(np.isin(y, (0, 1)).all())
    if "hinge" in name and y.min() < 0:
        return []
    part = "binary_" if "binary" in name else ""
    found = [("crossentropy", f"{part}crossentropy")]
    return [*found, ("accuracy", f"{part}accuracy")] if whole else found


def config_of(given: Any) -> dict[str, Any]:
    """Return Keras's configuration of an optimizer, a loss or a metric."""
    found: dict[str, Any] = dict(keras.saving.serialize_keras_object(given))
    if isinstance(given, keras.losses.Huber):  # which forgets its only setting
        found["config"] = {"delta": given._fn_kwargs["delta"], **found["config"]}
    return found


def sent(given: Any, functions: list[Any]) -> Any:
    """Return a loss or metric as `jobs.Compiled` has it; functions of the caller's own are added to a list."""
    if isinstance(given, str):
        return given
    if isinstance(given, (keras.losses.Loss, keras.metrics.Metric)):
        try:
            return config_of(given)
        except Exception as error:
            first = str(error).splitlines()[0][:200]
            raise ValueError(
                f"{type(given).__name__} has no configuration that Keras can write: {first}"
            ) from error
    functions.append(given)
    return len(functions) - 1


def described(loss: Any) -> str:
    """Return what settings say of a loss."""
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", "function"))


def numbers(config: dict[str, Any]) -> dict[str, Any]:
    """Return what of an optimizer's configuration is a number or a flag."""
    return {k: v for k, v in config.items() if isinstance(v, (int, float, bool)) and k != "name"}

"""The hyperparameters of every member, of optimizer, penalties and random layers: checked and put side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers._base import checks
from helpers.engine import optimizers
from helpers.engine.optimizers import Optimizer
from helpers.engine.recipe import Recipe

LAYER_KEYS = ("l1", "l2", "dropout", "noise_stddev")


class Hyper(NamedTuple):
    """Values that enter the compiled program as tensors (M,), so that no value ever compiles anew.

    Attributes
    ----------
    optimizer : dict of str to array (M,)
        By name, from `optimizers.host_values`.
    l1, l2 : dict of int to array (M,)
        Strengths by weight index, for the weights that are penalised.
    rates : dict of int to array (M,)
        Dropout rate or noise standard deviation by layer index, for the random layers that are switched on.
    """

    optimizer: dict[str, Any]
    l1: dict[int, Any]
    l2: dict[int, Any]
    rates: dict[int, Any]


class Given(NamedTuple):
    """What the caller asked for.

    Attributes
    ----------
    values : dict of str to float
        The optimizer's hyperparameters, the learning rate replaced where one number was given for it.
    varied : dict of str to numpy.ndarray (M,)
        What differs between members, copies.
    labels : dict of str to str
        Where a value came from, for errors.
    """

    values: dict[str, float]
    varied: dict[str, np.ndarray]
    labels: dict[str, str]


def given(
    recipe: Recipe, optimizer: Optimizer, members: int, learning_rate: Any, vary: Any
) -> Given:
    """Check ``learning_rate`` and ``vary``, the arguments of `fit_many`.

    Raises
    ------
    TypeError, ValueError
        A key that nothing declares, values that are not one per member or outside their range.
    """
    vary = {} if vary is None else vary
    if not isinstance(vary, dict):
        raise TypeError(checks.message("vary", "a dict of arrays, one value per member", vary))
    if learning_rate is not None and "learning_rate" in vary:
        raise ValueError("Give the learning rates once: as `learning_rate` or in `vary`, not both.")
    values = dict(optimizer.values)
    labels = {key: f"optimizer.{key}" for key in values}
    places = {key: f"vary[{key!r}]" for key in vary}
    if learning_rate is not None:
        labels["learning_rate"] = places["learning_rate"] = "learning_rate"
        if checks.ndim(learning_rate) == 0:
            if isinstance(learning_rate, np.ndarray):
                learning_rate = learning_rate.item()
            values["learning_rate"] = checks.real("learning_rate", learning_rate, low=0)
        else:
            vary = {**vary, "learning_rate": learning_rate}
    varied = {}
    for key, each in vary.items():
        _check_declared(recipe, optimizer, key)
        labels[key] = places[key]
        each = checks.array(labels[key], each, shape=(members,), remedy="One value per member.")
        optimizers.check_hyperparameter(labels[key], key, each)
        varied[key] = each.copy()
    return Given(values, varied, labels)


def _check_declared(recipe: Recipe, optimizer: Optimizer, key: str) -> None:
    """Refuse a `vary` key that nothing declares."""
    if key in optimizer.values:
        return
    if key in ("l1", "l2"):
        declared = any(getattr(w, key) is not None and w.trainable for w in recipe.weights)
        remedy = f"Build the model with a placeholder, such as mlp(..., {key}=0.01)."
    elif key in ("dropout", "noise_stddev"):
        declared = bool(recipe.strengths(key))
        remedy = "Build the model with such a layer, such as mlp(..., dropout=0.5)."
    else:
        declared = False
        remedy = f"Known here: {', '.join((*optimizer.values, *LAYER_KEYS))}."
        if key == "weight_decay":
            remedy = "Use AdamW, or give the optimizer weight_decay=0.0 as a placeholder."
    if not declared:
        owner = "layer of the model" if key in LAYER_KEYS else f"setting of {optimizer.name}"
        text = f"Argument `vary` has the key {key!r}, which no {owner} declares."
        raise ValueError(f"{text} {remedy}")


def tensors(recipe: Recipe, members: int, asked: Given) -> Hyper:
    """Return one value per member of everything that is switched on, in the model's dtype.

    Raises
    ------
    ValueError
        A value that the dtype cannot hold.
    """
    every = {key: np.full(members, value) for key, value in asked.values.items()} | asked.varied
    found = Hyper({}, {}, {}, {})
    for key in asked.values:
        for name, values in optimizers.host_values(key, every[key]).items():
            found.optimizer[name] = _cast(recipe, asked, key, name, values)
    for position, weight in enumerate(recipe.weights):
        strengths = {"l1": weight.l1, "l2": weight.l2}
        declared = [key for key, value in strengths.items() if value is not None]
        if not weight.trainable or not any(strengths[k] or k in asked.varied for k in declared):
            continue
        for key, target in (("l1", found.l1), ("l2", found.l2)):
            values = np.full(members, strengths[key] or 0.0)
            values = asked.varied.get(key, values) if key in declared else values
            target[position] = _cast(recipe, asked, key, key, values)
    for kind in ("dropout", "noise_stddev"):
        for index, value in recipe.strengths(kind).items():
            if value or kind in asked.varied:
                values = asked.varied.get(kind, np.full(members, value))
                found.rates[index] = _cast(recipe, asked, kind, kind, values)
    return found


def _cast(recipe: Recipe, asked: Given, key: str, name: str, values: np.ndarray) -> np.ndarray:
    """Return values (M,) in the model's dtype; refuse those that become infinite."""
    with np.errstate(over="ignore"):
        cast = values.astype(recipe.dtype)
    if not np.all(np.isfinite(cast)):
        text = (
            f"Argument `{asked.labels.get(key, 'model')}`: {name} is too large for {recipe.dtype}."
        )
        raise ValueError(f"{text} Received: {values.max():g}.")
    return cast

"""Keras's optimizers with their options, and its losses, each as a case; or why one is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import keras
from tools.keras_names.parts import ABSTRACT, TOOL, TOOLS

L, S = keras.layers, keras.optimizers.schedules
optimizers = keras.optimizers
_CLASSES = 3
_RNG = np.random.default_rng(2)
_X = _RNG.normal(size=(8, 12)).astype(np.float32)
_LABELS = np.array([0, 1, 2, 0, 2, 1, 1, 0])  # each batch of four has two of one class

# Plain, and with everything that the base class of optimizers offers at once.
TOGETHER = {
    "clipnorm": 0.5,
    "use_ema": True,
    "ema_momentum": 0.75,
    "ema_overwrite_frequency": 5,
    "weight_decay": 0.01,
}
_RATES = {
    "SGD": 0.05,
    "RMSprop": 0.01,
    "Adam": 0.01,
    "AdamW": 0.01,
    "Nadam": 0.01,
    "Adamax": 0.01,
    "Adagrad": 0.05,
    "Adadelta": 1.0,
    "Adafactor": 0.01,
    "Ftrl": 0.05,
    "Lamb": 0.01,
    "Lion": 0.001,
    "Muon": 0.01,
    "ScheduleFreeAdamW": 0.01,
}
# One option of the base class at a time.
_ALONE: dict[str, dict[str, Any]] = {
    "clipnorm": {"clipnorm": 0.25},
    "global_clipnorm": {"global_clipnorm": 0.25},
    "clipvalue": {"clipvalue": 0.05},
    "use_ema": {"use_ema": True, "ema_momentum": 0.75},
    "weight_decay": {"weight_decay": 0.01},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 3},
    "loss_scale_factor": {"loss_scale_factor": 8.0},
}
_OWN: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.875}, {"momentum": 0.875, "nesterov": True}],
    "RMSprop": [{"momentum": 0.5}, {"centered": True}],
    "Adam": [{"amsgrad": True}],
    "AdamW": [{"amsgrad": True, "clipvalue": 0.05}],
    "Adafactor": [{"relative_step": False}],
    "Ftrl": [{"l1_regularization_strength": 0.01, "l2_regularization_strength": 0.01}],
    "Muon": [{"nesterov": False, "adam_lr_ratio": 0.5}],
    "ScheduleFreeAdamW": [{"warmup_steps": 5}],
}
SCHEDULES = {
    "CosineDecay": lambda: S.CosineDecay(0.01, 20, warmup_target=0.05, warmup_steps=5),
    "CosineDecayRestarts": lambda: S.CosineDecayRestarts(0.05, 5),
    "ExponentialDecay": lambda: S.ExponentialDecay(0.05, 5, 0.5),
    "InverseTimeDecay": lambda: S.InverseTimeDecay(0.05, 5, 0.5),
    "PiecewiseConstantDecay": lambda: S.PiecewiseConstantDecay([3, 9], [0.05, 0.02, 0.01]),
    "PolynomialDecay": lambda: S.PolynomialDecay(0.05, 20, power=0.5),
}


def _optimizers() -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {}

    def add(label: str, name: str, **options: Any) -> None:
        found[label] = lambda: getattr(optimizers, name)(
            **{"learning_rate": _RATES[name], **options}
        )

    for name in _RATES:
        add(name, name)
        add(f"{name}, all options", name, **TOGETHER)
        for own in _OWN.get(name, []):
            add(f"{name}, {', '.join(own)}", name, **own)
    for option, values in _ALONE.items():
        add(f"Adam, {option} alone", "Adam", **values)
    for schedule, make in SCHEDULES.items():
        found[f"SGD, {schedule}"] = lambda make=make: optimizers.SGD(make())
    found["Adam, CosineDecay"] = lambda: optimizers.Adam(SCHEDULES["CosineDecay"]())
    found["LossScaleOptimizer"] = lambda: optimizers.LossScaleOptimizer(optimizers.SGD(0.05))
    found["MultiOptimizer"] = lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.SGD(0.05), {".*second/.*": optimizers.Adam(0.01)})
    )
    return found


OPTIMIZERS = _optimizers()


def small() -> Any:
    """Return the network that optimizers are tried with: matrices, vectors and two layers with names."""
    return keras.Sequential(
        [
            keras.Input((12,)),
            L.Dense(4, "tanh", name="first"),
            L.Dense(1, name="second"),
        ]
    )


class Data(NamedTuple):
    """What an output is compared with.

    Attributes
    ----------
    network : callable
        Builds a network whose outputs are what the loss is made for.
    y : numpy.ndarray (8, ...)
        Targets.
    """

    network: Callable[[], Any]
    y: np.ndarray


def _network(units: int, activation: str | None = None, *after: Callable[[], Any]) -> Any:
    def build() -> Any:
        layers = [L.Dense(4, "tanh"), L.Dense(units, activation), *(layer() for layer in after)]
        return keras.Sequential([keras.Input((12,)), *layers])

    return build


_ONE_HOT = np.eye(_CLASSES, dtype=np.float32)[_LABELS]
_SIGNS = np.sign(_RNG.normal(size=(8, 1))).astype(np.float32)
_SHARES = _RNG.dirichlet(np.ones(_CLASSES), 8).astype(np.float32)
DATA = {
    "numbers": Data(_network(2), _RNG.normal(size=(8, 2)).astype(np.float32)),
    "positive": Data(_network(2, "softplus"), _RNG.uniform(0.5, 2, (8, 2)).astype(np.float32)),
    "shares": Data(_network(_CLASSES, "softmax"), _SHARES),
    "labels": Data(_network(_CLASSES, "softmax"), _LABELS),
    "one-hot": Data(_network(_CLASSES, "softmax"), _ONE_HOT),
    "signs": Data(_network(1), _SIGNS),
    "bits": Data(_network(1, "sigmoid"), (_SIGNS + 1) / 2),
    "points": Data(_network(_CLASSES, None, lambda: L.UnitNormalization()), _LABELS),
    "words": Data(
        _network(5 * 4, None, lambda: L.Reshape((5, 4))), _RNG.integers(1, 4, (8, 2))
    ),  # five steps, four signs
}

# Each class with the data it is for; the function of the same meaning is tried on the same.
LOSSES: dict[str, tuple[str, dict[str, Any]]] = {
    "BinaryCrossentropy": ("bits", {"label_smoothing": 0.125}),
    "BinaryFocalCrossentropy": ("bits", {}),
    "CTC": ("words", {}),
    "CategoricalCrossentropy": ("one-hot", {"label_smoothing": 0.125}),
    "CategoricalFocalCrossentropy": ("one-hot", {}),
    "CategoricalGeneralizedCrossEntropy": ("labels", {}),
    "CategoricalHinge": ("one-hot", {}),
    "Circle": ("points", {"gamma": 4.0}),
    "CosineSimilarity": ("positive", {}),
    "Dice": ("one-hot", {}),
    "Hinge": ("signs", {}),
    "Huber": ("numbers", {"delta": 0.5}),
    "KLDivergence": ("shares", {}),
    "LogCosh": ("numbers", {}),
    "MeanAbsoluteError": ("numbers", {}),
    "MeanAbsolutePercentageError": ("positive", {}),
    "MeanSquaredError": ("numbers", {}),
    "MeanSquaredLogarithmicError": ("positive", {}),
    "Poisson": ("positive", {}),
    "SparseCategoricalCrossentropy": ("labels", {}),
    "SquaredHinge": ("signs", {}),
    "Tversky": ("one-hot", {"alpha": 0.25}),
}
FUNCTIONS = {
    "binary_crossentropy": "bits",
    "binary_focal_crossentropy": "bits",
    "categorical_crossentropy": "one-hot",
    "categorical_focal_crossentropy": "one-hot",
    "categorical_hinge": "one-hot",
    "circle": "points",
    "cosine_similarity": "positive",
    "ctc": "words",
    "dice": "one-hot",
    "hinge": "signs",
    "huber": "numbers",
    "kl_divergence": "shares",
    "log_cosh": "numbers",
    "mean_absolute_error": "numbers",
    "mean_absolute_percentage_error": "positive",
    "mean_squared_error": "numbers",
    "mean_squared_logarithmic_error": "positive",
    "poisson": "positive",
    "sparse_categorical_crossentropy": "labels",
    "squared_hinge": "signs",
    "tversky": "one-hot",
}
NO_CASE = {
    "optimizers": {
        **TOOLS,
        "Optimizer": ABSTRACT,
        "OptimizerMap": "says which weights a MultiOptimizer gives to which: tried with it",
        "legacy": "a module of names that are no longer there",
        "schedules": "a module: each of its schedules is tried with SGD",
    },
    "schedules": {"deserialize": TOOL, "serialize": TOOL, "LearningRateSchedule": ABSTRACT},
    "losses": {
        **TOOLS,
        "Loss": ABSTRACT,
        "categorical_generalized_cross_entropy": "needs a setting, which only its class takes",
    },
}
__all__ = ["DATA", "FUNCTIONS", "LOSSES", "NO_CASE", "OPTIMIZERS", "SCHEDULES", "TOOL", "small"]

"""A Keras model built in a worker, and what of its variables is what.

Axes in comments: W members of a chunk come first in every array of a member.
"""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import jax
import keras
import numpy as np

from helpers._base import keras_config
from helpers._jax import metrics
from helpers._jax.jobs import Compiled, Model


def model_of(job: Model) -> tuple[Any, list[Any]]:
    """Return a model as its JSON has it, and the caller's functions."""
    keras_config.write(keras, job.settings)
    functions: list[Any] = []
    if job.own:
        functions, objects = pickle.loads(job.own)
        keras.saving.get_custom_objects().update(objects)
    model = keras.models.model_from_json(json.dumps(_undrawn(json.loads(job.config))))
    if not model.built:
        model.build((None, *job.input_shape))
    return model, functions


def _undrawn(config: Any) -> Any:
    """Return a configuration whose weights start at zero: they are given, and to draw them takes JAX seconds."""
    if isinstance(config, list):
        return [_undrawn(value) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("module") == "keras.initializers":
        return config | {"class_name": "Zeros", "config": {}}
    return {name: _undrawn(value) for name, value in config.items()}


def _deserialized(config: dict[str, Any]) -> Any:
    """Return an object of a configuration, which stays whole: Keras takes some apart."""
    return keras.saving.deserialize_keras_object(copy.deepcopy(config))


def compile_model(model: Any, functions: list[Any], how: Compiled, ending: str) -> None:
    """Compile a model, so that its own ``train_step`` and ``test_step`` compute what is recorded."""

    def made(given: Any) -> Any:
        if isinstance(given, int):
            return functions[given]
        return _deserialized(given) if isinstance(given, dict) else given

    optimizer = made(how.optimizer)
    inner = keras_config.inner_of(optimizer)
    rate: Any = getattr(inner, "_learning_rate", None)
    if type(rate) is keras.optimizers.schedules.PolynomialDecay:
        inner._learning_rate = Polynomial.from_config(rate.get_config())
    model.compile(optimizer, made(how.loss), metrics=[made(one) for one in how.metrics])
    usual = [metrics.usual(name, kind, how.probabilities) for name, kind in how.usual]
    model.recorded_anyway = usual  # Keras finds metrics that are attributes
    usual_steps = model.compute_metrics

    def compute_metrics(x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        for metric in usual:
            metric.update_state(y, y_pred)
        return usual_steps(x, y, metrics.ended(y_pred, ending), sample_weight)

    model.compute_metrics = compute_metrics
    model.optimizer.build(model.trainable_variables)  # in half precision one that scales losses


class Polynomial(keras.optimizers.schedules.PolynomialDecay):
    """Keras's polynomial decay, finite after its end: XLA divides by multiplying, and may end a little above 1."""

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step."""
        if self.cycle:
            return super().__call__(step)
        ops, steps = keras.ops, float(self.decay_steps)
        done = ops.minimum(ops.cast(step, "float32"), steps) / steps
        left = ops.power(ops.maximum(1.0 - done, 0.0), self.power)
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate


def training_or_not(model: Any, training: bool) -> dict[str, bool]:
    """Return the argument ``training`` for a model whose call takes it."""
    return {"training": training} if model._call_has_training_arg else {}


def assigned(model: Any, x: Any) -> list[str]:
    """Return the paths of the trained variables that the model assigns while it is called: a step drops that.

    And an empty text where outputs carry a mask: Keras's steps on JAX do not hand it to metrics.
    """
    outputs, found = _called(model, x, True, model.trainable_variables)
    return found + ([""] if keras.src.backend.get_keras_mask(outputs) is not None else [])


def assigned_in_inference(model: Any, x: Any) -> list[str]:
    """Return the paths of the other variables that the model assigns in inference mode, random generators aside."""
    states = set(seed_states(model))
    others = [v for i, v in enumerate(model.non_trainable_variables) if i not in states]
    return _called(model, x, False, others)[1]


def _called(model: Any, x: Any, training: bool, watched: list[Any]) -> list[Any]:
    """Return what a model gives, traced only, and the paths of those of the watched variables that it assigns."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    found: list[Any] = []

    def call(values: Any) -> None:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))) as scope:
            before = [scope.get_current_value(v) for v in watched]
            found.append(model(x, **training_or_not(model, training)))
            after = [scope.get_current_value(v) for v in watched]
        pairs = zip(before, after, watched, strict=True)
        found.append([v.path for old, new, v in pairs if new is not old])

    jax.eval_shape(call, [v.value for v in variables])
    return found


def copies_weights(model: Any, optimizer: Any) -> bool:
    """Return whether an optimizer's variables, given its configuration, depend on the weights that it is built for."""
    held, found = [v.value for v in model.trainable_variables], []
    for more in (1, 0):  # the weights as they are in the end
        for variable, value in zip(model.trainable_variables, held, strict=True):
            variable.assign(value + more)
        made = _deserialized(optimizer)
        made.build(model.trainable_variables)
        found.append(values(made.variables))
    return any(not np.array_equal(one, other) for one, other in zip(*found, strict=True))


def seed_states(model: Any) -> list[int]:
    """Return which of the variables that are not trained are the states of random generators."""
    own = {id(variable) for variable in model.weights}
    return [
        index
        for index, variable in enumerate(model.non_trainable_variables)
        if id(variable) not in own and tuple(variable.shape) == (2,)
    ]


def generator_state(keys: np.ndarray, ordinal: int) -> np.ndarray:
    """Return the state (W, 2) uint32 of one of a model's random generators, from the members' keys (W, 2)."""
    words = [np.random.SeedSequence([*map(int, key), ordinal]).generate_state(2) for key in keys]
    return np.array(words, np.uint32)


def places(model: Any) -> list[tuple[bool, int]]:
    """Return where each entry of ``get_weights()`` is: whether among the trainable variables, and its number there."""
    trained = {id(v): i for i, v in enumerate(model.trainable_variables)}
    other = {id(v): i for i, v in enumerate(model.non_trainable_variables)}
    return [
        (True, trained[id(v)]) if id(v) in trained else (False, other[id(v)]) for v in model.weights
    ]


def values(variables: list[Any]) -> list[np.ndarray]:
    """Return the values of variables as arrays."""
    return [np.asarray(jax.device_get(variable.value)) for variable in variables]

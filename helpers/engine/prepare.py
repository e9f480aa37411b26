"""A model as somebody has it, made into one that `Recipe` reads.

A builder is called. A Sequential model without an input gets that of the data set. Models inside a model are taken
apart into their layers. A Normalization layer that was adapted becomes one with these numbers as constants.
"""

from __future__ import annotations

import inspect
import json

import numpy as np

from helpers._base import checks
from helpers._tensorflow import keras
from helpers.engine.unsupported import Unsupported


def called(model):
    """Return the Keras model itself: a builder is called; anything else is checked."""
    if not isinstance(model, keras.layers.Layer) and callable(model):
        try:
            parameters = inspect.signature(model).parameters.values()
        except (
            TypeError,
            ValueError,
        ) as error:  # int, a Keras layer, ...: nothing that builds a model
            expected = "a Keras model or a function of no arguments that returns one"
            raise TypeError(checks.message("model", expected, model)) from error
        required = [
            p.name
            for p in parameters
            if p.default is p.empty
            and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        if required:
            raise TypeError(
                "Argument `model` must be a Keras model or a function of no arguments that returns one. Received: a "
                f"function that needs {', '.join(required)}. Wrap the call: lambda: builder(...)."
            )
        model = model()
        if not isinstance(model, keras.Model):
            raise TypeError(
                "Argument `model` must be a Keras model or a function of no arguments that returns one. "
                f"Received: a function that returned {type(model).__name__}."
            )
    if not isinstance(model, keras.Model):
        raise TypeError(
            checks.message(
                "model", "a Keras model or a function of no arguments that returns one", model
            )
        )
    return model


def resolve(model):
    """Return the Keras model itself, if its graph of layers can be read; see `called`."""
    model = called(model)
    if not isinstance(model, (keras.Sequential, keras.src.models.Functional)):
        raise Unsupported(
            "Argument `model` must be Sequential or Functional for the fast engine. "
            f"Received: {type(model).__name__}, a subclass whose graph cannot be read."
        )
    check_steps(model)
    base = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    if type(model).compute_loss is not base.compute_loss:
        raise Unsupported(
            "Argument `model` overrides compute_loss, which the fast engine would ignore."
        )
    return model


def check_steps(model):
    """Refuse a model with a step of its own."""
    base = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
    if type(model).train_step is not base.train_step:
        raise ValueError(
            "Argument `model` overrides train_step, which fit_many would ignore. Use plain Keras for it."
        )


def shaped(model, input_shape=None):
    """Return the model itself, or a copy that takes examples of this shape where it does not say; check both ends."""
    if type(model) is keras.Sequential and not model.built and input_shape and model.layers:
        model = _with_input(model, input_shape)
    if not model.built or (isinstance(model, keras.Sequential) and not model.inputs):
        text = "Argument `model` must have an input shape. Received: a model that has none yet."
        raise ValueError(f"{text} Start it with keras.Input(shape).")
    if not isinstance(model, keras.Sequential) and len(model.inputs) == len(model.outputs) == 1:
        if isinstance(model.input, (list, tuple, dict)) or isinstance(
            model.output, (list, tuple, dict)
        ):
            raise ValueError(
                "Argument `model` must be built as keras.Model(inputs, outputs), without lists or dicts."
            )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        counts = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise ValueError(
            f"Argument `model` must have one input and one output. Received: {counts}."
        )
    return model


def _with_input(model, shape):
    """Return a copy of a Sequential model without an input that takes examples of this shape."""
    try:
        layers = [_copy(layer) for layer in model.layers]
        return keras.Sequential([keras.Input(shape), *layers], name=model.name)
    except Exception as error:
        foreign = foreign_functions(model)
        if foreign:
            raise ValueError(unknown(foreign)) from error
        first = str(error).splitlines()[0][:300]
        raise ValueError(
            f"Argument `model` does not fit examples of the data set's shape {tuple(shape)}. Keras says: {first}"
        ) from error


def foreign_functions(model):
    """Return the activations that are not Keras's, by layer: TensorFlow's, lambdas, functions of one's own."""
    found = {}
    for layer in model.layers:
        function = getattr(layer, "activation", None)
        if function is None or isinstance(function, keras.layers.Layer):
            continue
        module = str(getattr(function, "__module__", ""))
        if not module.startswith("keras.") and not keras.saving.get_registered_name(function).count(
            ">"
        ):
            found[layer.name] = f"{module}.{getattr(function, '__name__', function)}"
    return found


def unknown(foreign):
    """Return what to say of such activations."""
    (layer, function), *_ = foreign.items()
    name = function.rsplit(".", 1)[-1].removesuffix("_v2")
    remedy = (
        f'Name Keras\'s own: activation="{name}".'
        if hasattr(keras.activations, name)
        else "Register yours with @keras.saving.register_keras_serializable()."
    )
    return (
        f"Argument `model` cannot be rebuilt from its configuration: layer {layer!r} has the activation {function}, "
        f"which is not Keras's. {remedy}"
    )


def flat(model):
    """Return a model without models inside: itself, or one of copies of all layers, from their configuration.

    Raises
    ------
    ValueError
        Where that would change the order of its weights.
    """
    if not any(isinstance(layer, keras.Model) for layer in model.layers):
        return model
    copies, names = {}, set()

    def copy(layer, path):
        if id(layer) not in copies:
            name = "_".join((*path, layer.name))
            while name in names:
                name += "_"
            names.add(name)
            copies[id(layer)] = (layer, _copy(layer, name=name))
        return copies[id(layer)][1]

    def through(operation, path):
        if isinstance(operation, keras.Model):
            return lambda inputs, **rest: run(operation, inputs, (*path, operation.name))
        return copy(operation, path) if isinstance(operation, keras.layers.Layer) else operation

    def run(inner, inputs, path):
        if isinstance(inner, keras.Sequential):
            for layer in inner.layers:
                inputs = through(layer, path)(inputs)
            return inputs
        return inner._run_through_graph(inputs, operation_fn=lambda one: through(one, path))

    inputs = keras.Input(tuple(model.input_shape[1:]), dtype=model.inputs[0].dtype)
    made = keras.Model(inputs, run(model, inputs, ()), name=model.name)
    before = [id(v) for v in model.weights]
    own = {
        id(theirs): id(ours)
        for old, new in copies.values()
        for theirs, ours in zip(old.weights, new.weights, strict=False)
    }
    before = [v for v in before if v in own]  # a layer that holds constants now has no weights
    if [own[v] for v in before] != [id(v) for v in made.weights]:
        raise Unsupported(
            "Argument `model` holds models inside whose weights come in another order than those of its layers, one "
            "after the other. Build it of layers."
        )
    return made


def with_constants(model):
    """Return a model whose Normalization layers hold what they were adapted to as constants: itself, or a copy."""
    if not any(constants(layer) for layer in model._flatten_layers(include_self=False)):
        return model
    return keras.models.model_from_json(json.dumps(_inserted(model, json.loads(model.to_json()))))


def _inserted(layer, config):
    """Return the configuration of a layer or a model, with what its Normalization layers were adapted to."""
    config["config"] |= constants(layer)
    if isinstance(layer, keras.Model):
        inner = {one.name: one for one in layer.layers}
        for entry in config["config"]["layers"]:
            if entry["config"].get("name") in inner:
                _inserted(inner[entry["config"]["name"]], entry)
    return config


def constants(layer):
    """Return mean and variance of a Normalization layer that was adapted, as its configuration takes them, or {}."""
    if type(layer) is not keras.layers.Normalization or layer.input_mean is not None:
        return {}
    if not layer.built:
        return {}
    arrays = {"mean": layer.adapt_mean, "variance": layer.adapt_variance}
    return {key: np.asarray(value).tolist() for key, value in arrays.items()}


def compiled(model):
    """Return the optimizer, the loss and the metrics of a model that was compiled, {} of others.

    "weighted" is whether some of the metrics are to be weighted as the loss is.
    """
    if not getattr(model, "compiled", False):
        return {}
    given = model._compile_config.config
    if given.get("loss_weights") is not None:
        raise ValueError(
            "Argument `model` is compiled with loss_weights, which fit_many does not honour. "
            "Put the weight into the loss."
        )
    weighted = _flat(given.get("weighted_metrics"))
    return {
        "optimizer": model.optimizer,
        "loss": model.loss,
        "metrics": _flat(given.get("metrics")) + weighted,
        "weighted": bool(weighted),
    }


def check_unweighted(compiled: dict, *weights: object) -> None:
    """Refuse sample weights where the metrics of a compiled model are to be weighted by them."""
    if compiled.get("weighted") and any(one is not None for one in weights):
        raise ValueError(
            "Argument `model` is compiled with weighted_metrics, and sample weights are given: fit_many weights the "
            "loss only. Compile it with metrics= instead, or give fit_many the metrics to record."
        )


def _flat(metrics):
    """Return the metrics that ``compile`` was given, for a model with one output, as one list."""
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if isinstance(metrics, (list, tuple)):
        return [one for inner in metrics for one in _flat(inner)]
    return [] if metrics is None else [metrics]


def _copy(layer, **changes):
    """Return a layer from the configuration of another, with some of it changed."""
    config = _inserted(layer, keras.layers.serialize(layer))
    config["config"] |= changes
    return keras.layers.deserialize(config)

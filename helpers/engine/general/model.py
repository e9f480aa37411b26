"""Any Keras model that its configuration can rebuild, read for the general engine."""

from __future__ import annotations

import functools
import json
import random
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from helpers._base import checks, seeds
from helpers._tensorflow import keras
from helpers.engine import draws, endings, parcels, prepare
from helpers.engine.recipe import Weight

_lock = threading.RLock()


class GeneralModel:
    """What the general engine needs to know of one Keras model; the model's own weight values are ignored.

    Parameters
    ----------
    model : callable or keras.Model
        A builder, or a model with one input and one output that its configuration can rebuild.
    input_shape : tuple of int, optional
        Of one example, for a model that does not say.

    Attributes
    ----------
    weights : tuple of Weight
        In the order of ``model.get_weights()``; ``layer`` is 0 and penalties are None: Keras computes them.
    dtypes : tuple of str
        Of the weights.
    input_shape, output_shape : tuple of (int or None)
        Of one example; None where any length will do.
    config : str
        JSON from which `keras_model` rebuilds a model.
    compiled : dict
        As of a `Recipe`.
    own : dict of str to object
        What of the caller's own is registered with Keras and named in the configuration.
    convolutional : bool
        Whether kernels are slid over inputs: a member axis makes such layers slow on a processor.

    Raises
    ------
    TypeError, ValueError
        Not such a model, named.
    """

    def __init__(self, model: Any, input_shape: tuple[int, ...] | None = None):
        model = prepare.called(model)
        self.compiled = prepare.compiled(model)
        prepare.check_steps(model)
        if has_graph(model):
            model = prepare.with_constants(prepare.shaped(model, input_shape))
        elif not model.built and input_shape:
            _called_once(model, input_shape)
        _check_state(model)
        self.config = _serialized(model)
        with _initializers() as drawn:
            self.template = self._rebuilt(input_shape)
        if [tuple(v.shape) for v in self.template.weights] != [
            tuple(v.shape) for v in model.weights
        ]:
            raise ValueError(
                "Argument `model` cannot be rebuilt from its configuration: a copy has other weights than it. A "
                "subclass needs get_config with all that its layers depend on."
            )
        self.dtypes = tuple(v.dtype for v in self.template.weights)
        strange = sorted({*self.dtypes} & {"float64", "bfloat16"})
        if strange:
            raise ValueError(
                "Argument `model` must have weights in single or half precision for the general engine. "
                f"Received: {strange[0]}."
            )
        self.weights = self._read_weights(drawn | _declared(model, self.template, drawn))
        shape = getattr(self.template, "input_shape", None) if has_graph(self.template) else None
        self.input_shape = tuple(shape[1:]) if shape is not None else tuple(input_shape or ())
        self.output_shape = self._output_shape()
        self.own = parcels.named(self.config)
        self.convolutional = any(
            "Conv" in type(layer).__name__
            for layer in self.template._flatten_layers(include_self=False)
        )

    def _rebuilt(self, input_shape: tuple[int, ...] | None) -> Any:
        try:
            template = keras.models.model_from_json(self.config)
            if not template.built and input_shape:
                _called_once(template, input_shape)
        except Exception as error:
            raise _unreadable(error) from error
        if not template.built:
            text = "Argument `model` must have an input shape. Received: a model that has none yet."
            raise ValueError(f"{text} Start it with keras.Input(shape).")
        return template

    def _output_shape(self) -> tuple[int | None, ...]:
        if has_graph(self.template):
            return tuple(self.template.output_shape[1:])
        found = self.template(np.zeros((1, *self.input_shape), np.float32))
        if isinstance(found, (tuple, list, dict)):
            raise ValueError("Argument `model` must have one output. Received: several.")
        return tuple(found.shape[1:])

    def _read_weights(self, drawn: dict[int, Any]) -> tuple[Weight, ...]:
        """Return the weights with their initializers, in order."""
        found, counts = [], {}  # type: ignore[var-annotated]
        for variable in self.template.weights:
            ordinal = counts.get(variable.name, 0)
            counts[variable.name] = ordinal + 1
            initializer = drawn.get(id(variable))
            if isinstance(initializer, str):
                initializer = keras.initializers.get(initializer)
            shape, trainable = tuple(variable.shape), bool(variable.trainable)
            found.append(
                Weight(variable.name, 0, shape, trainable, None, None, initializer, ordinal)
            )
        return tuple(found)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_json, (self.config, self.input_shape)

    def __repr__(self) -> str:
        return f"GeneralModel({self.size:,} parameters, {self.input_shape}->{self.output_shape})"

    @property
    def size(self) -> int:
        """Number of parameters of one network."""
        return sum(int(np.prod(w.shape)) for w in self.weights)

    @property
    def dtype(self) -> str:
        """Of masks."""
        return "float32"

    @property
    def bytes(self) -> int:
        """Memory of one network's weights."""
        sizes = zip(self.weights, self.dtypes, strict=True)
        return sum(int(np.prod(w.shape)) * np.dtype(kind).itemsize for w, kind in sizes)

    @functools.cached_property
    def without_ending(self) -> GeneralModel | None:
        """The model without its final softmax or sigmoid; None where it ends in neither."""
        if not has_graph(self.template) or endings.final(self.template) is None:
            return None
        return GeneralModel(endings.undone(self.template), self.input_shape)

    def ends_in(self) -> str:
        """Return what outputs are: "logits", "probabilities" or "unclear"."""
        graph = has_graph(self.template)
        return endings.kind_of(self.template.outputs[0]) if graph else endings.UNCLEAR

    def keras_model(self, weights: Any = None) -> Any:
        """Return a fresh ordinary Keras model, holding ``weights`` (a list in the order of get_weights) if given."""
        model = self._rebuilt(self.input_shape)
        if weights is not None:
            model.set_weights(weights)
        return model

    def draw(self, members: int, seed: int) -> list[np.ndarray]:
        """Draw the initial weights (M, ...) of every member as Keras would draw one network.

        Streams are keyed as in `draws.draw`. What a layer initializes by a function of its own is taken from the whole
        model built anew, member by member, unless that gives the same twice.
        """
        found: list[Any] = []
        others: list[int] = []
        for position, (weight, dtype) in enumerate(zip(self.weights, self.dtypes, strict=True)):
            started = weight.initializer
            windows = isinstance(started, keras.initializers.STFT)  # for kernels of one shape only
            if isinstance(started, keras.initializers.Initializer) and not windows:
                found.append(draws.draw_weight(weight, members, seed, dtype))
            else:
                found.append(np.empty((members, *weight.shape), dtype))
                others.append(position)
        if others:
            first, second = (_built_with(self, others, number) for number in (1, 2))
            same = all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
            for member in range(members):
                number = seeds.integer(seed, "weights", member)
                values = first if same else _built_with(self, others, number)
                for position, value in zip(others, values, strict=True):
                    found[position][member] = value
        return found


def _check_state(model: Any) -> None:
    """Refuse a model that remembers batches or was made for one size of them, and constants that would be lost."""
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False):
            raise ValueError(
                f"Layer {layer.name!r} is stateful: it goes on from batch to batch, and batches are drawn anew here."
            )
        if not has_graph(model) and prepare.constants(layer):
            raise ValueError(
                f"Layer {layer.name!r} was adapted to data and stands inside a subclass, whose copies would lose that."
            )
    if has_graph(model) and model.input_shape[0] is not None:
        raise ValueError(
            "Argument `model` must take batches of any size. "
            f"Received: batches of {model.input_shape[0]}. Start it with keras.Input(shape)."
        )


def _declared(model: Any, copy: Any, drawn: dict[int, Any]) -> dict[int, Any]:
    """Return what the layers of a model say of its variables' initializers, by id of the same variables of a copy.

    What the copy was drawn by comes from a configuration, which forgets some settings, such as an Identity's gain.
    """
    owners = {
        id(variable): layer
        for layer in model._flatten_layers()
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables)
    }
    found = {}
    for theirs, ours in zip(model.weights, copy.weights, strict=True):
        initializer = getattr(owners.get(id(theirs)), f"{theirs.name}_initializer", None)
        kind = type(drawn.get(id(ours)))
        if isinstance(initializer, keras.initializers.Initializer) and type(initializer) is kind:
            found[id(ours)] = initializer
    return found


def _built_with(model: GeneralModel, positions: list[int], number: int) -> list[np.ndarray]:
    """Return some weights of the model built anew, its initializers seeded with a number."""
    kept = random.getstate()
    random.seed(number)  # where Keras takes seeds from that nobody gave
    try:
        weights = model.keras_model().get_weights()
    finally:
        random.setstate(kept)
    return [weights[position] for position in positions]


def _from_json(config: str, input_shape: tuple[int, ...]) -> GeneralModel:
    return GeneralModel(keras.models.model_from_json(config), input_shape)


def has_graph(model: Any) -> bool:
    """Return whether a model's one input and one output are known as symbolic tensors."""
    return isinstance(model, (keras.Sequential, keras.src.models.Functional))


def _called_once(model: Any, input_shape: tuple[int, ...]) -> None:
    """Have a subclass make its weights."""
    try:
        model(np.zeros((1, *input_shape), np.float32))
    except Exception as error:
        first = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise ValueError(
            f"Argument `model` does not fit examples of the data set's shape {tuple(input_shape)}. Keras says: {first}"
        ) from error


def _serialized(model: Any) -> str:
    """Return the model's JSON, without what it is compiled with."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*lambda.*")
            config = json.loads(model.to_json())
    except Exception as error:
        raise _unreadable(error) from error
    config.pop("compile_config", None)
    return json.dumps(config)


def _unreadable(error: Exception) -> ValueError:
    first = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    return ValueError(
        "Argument `model` cannot be rebuilt from its configuration. Register layers, functions and models of your own "
        f"with keras.saving.register_keras_serializable(), with get_config. Keras says: {first}"
    )


@contextmanager
def _initializers() -> Iterator[dict[int, Any]]:
    """Give a dict that learns of every variable made meanwhile what drew it: {id of the variable: initializer}."""
    found: dict[int, Any] = {}
    kind = keras.src.backend.common.variables.Variable
    inner: Any = None

    def init(self: Any, initializer: Any, *arguments: Any, **keywords: Any) -> None:
        found[id(self)] = initializer
        inner(self, initializer, *arguments, **keywords)

    with _lock:  # of one call at a time
        inner = kind.__init__
        kind.__init__ = init
        try:
            yield found
        finally:
            kind.__init__ = inner


def check_weights(
    name: str, weights: Any, model: GeneralModel, members: int | None = None
) -> tuple[list[np.ndarray], int]:
    """Return ``weights`` as a list of (M, ...) arrays in the model's order and dtypes, and M."""
    count = len(model.weights)
    if not isinstance(weights, (list, tuple)) or len(weights) != count:
        received = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise ValueError(
            f"Argument `{name}` must be a list of {count} arrays, one per entry of get_weights(), each with a leading "
            f"member axis. Received: {received}."
        )
    if members is None:
        members = int(np.shape(weights[0])[0]) if weights and np.ndim(weights[0]) else 0
        if members < 1:
            raise ValueError(f"Argument `{name}` must hold one member or more.")
    arrays = [
        checks.array(f"{name}[{i}]", value, shape=(members, *spec.shape), dtype=dtype, finite=False)
        for i, (value, spec, dtype) in enumerate(
            zip(weights, model.weights, model.dtypes, strict=True)
        )
    ]
    return arrays, members

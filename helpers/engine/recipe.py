"""A Keras model turned into one whose layers carry a leading member axis.

`Recipe` reads an ordinary Keras model (Sequential or Functional, skips included) once: its layers, the shapes,
initializers and penalties of its weights. `Recipe.network` then gives the same graph as a pure function of
stacked weights: every array gains a leading axis M, and member i never meets member j.
"""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import warnings
from dataclasses import dataclass, field

import numpy as np

from helpers._base import builders
from helpers._tensorflow import keras
from helpers.engine import endings, prepare
from helpers.engine.layers import APPLY, check_layer, is_of_keras, merged, operation_is_elementwise
from helpers.engine.unsupported import Unsupported

MOST_READ = 32
_read, _lock = {}, threading.Lock()


@dataclass(frozen=True)
class Weight:
    """One entry of ``model.get_weights()``: where it sits, how it is drawn, how it is penalised."""

    name: str  # "kernel", "bias", "gamma", ...
    layer: int  # index of its layer among the recipe's layers
    shape: tuple[int, ...]
    trainable: bool
    l1: float | None  # None: the layer declares no such penalty
    l2: float | None
    initializer: object = field(compare=False, repr=False)
    ordinal: int = (
        0  # counts weights of the same name, so kernel 2 is kernel 2 with or without batch norm
    )


def _penalties(variable, layer):
    """Return (l1, l2) of the variable's regularizer, None for what it does not declare."""
    found = variable.regularizer
    if found is None:
        return None, None
    kinds = keras.regularizers
    if type(found) is kinds.L1:
        return float(found.l1), None
    if type(found) is kinds.L2:
        return None, float(found.l2)
    if type(found) is kinds.L1L2:
        return float(found.l1), float(found.l2)
    raise Unsupported(
        f"Layer {layer.name!r} has the regularizer {type(found).__name__}; only L1, L2 and L1L2 are supported."
    )


class Recipe:
    """What `fit_many` needs to know of one Keras model; the model's own weight values are ignored.

    A Sequential model without an input, models inside a model, and layers that were adapted to data are prepared first
    (see `prepare`).

    Pickled as its JSON. Activations, initializers and layers that are not Keras's own must be known to the process that
    reads it, as for any Keras model that is loaded.

    Parameters
    ----------
    model : callable or keras.Model
        A zero-argument builder, or a Sequential or Functional model with one input and one output.
    input_shape : tuple of int, optional
        Of one example, for a Sequential model that does not say.

    Attributes
    ----------
    layers : tuple of keras.layers.Layer
        The template's layers, inputs left out.
    weights : tuple of Weight
        In the order of ``model.get_weights()``.
    input_shape, output_shape : tuple of int
        Of one example.
    dtype : str
        "float32" or "float64".
    key : tuple
        Equal for models that compile to the same program: names, seeds, initializers and strengths left out.
    config : str
        JSON from which `keras_model` rebuilds a model.
    of_keras : bool
        Whether all activations and initializers are Keras's own.
    compiled : dict
        "optimizer" and "loss" of a model that was compiled; empty for others, and for one read from JSON.

    Raises
    ------
    TypeError, ValueError
        Not a model of that kind, or a layer or setting that is not supported, named.
    """

    def __init__(self, model, input_shape=None):
        model = prepare.resolve(model)
        self.compiled = prepare.compiled(model)
        model = prepare.with_constants(prepare.flat(prepare.shaped(model, input_shape)))
        self.template = model
        self.layers = tuple(
            layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
        )
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise ValueError(
                "Argument `model` is Sequential and holds one layer twice, which Keras cannot rebuild from its "
                "configuration. Use a Functional model to share a layer."
            )
        for operation in getattr(model, "operations", []):
            if not isinstance(operation, keras.layers.Layer) and not operation_is_elementwise(
                operation
            ):
                raise Unsupported(
                    f"Operation {type(operation).__name__!r} between layers is not supported: only elementwise "
                    "operations are. Use a layer (Concatenate, Flatten, Reshape, a pooling layer) instead."
                )
        for layer in self.layers:
            check_layer(layer)
        self.input_shape = tuple(model.input_shape[1:])
        self.output_shape = tuple(model.output_shape[1:])
        if len(self.output_shape) != 1 or None in self.input_shape:
            raise Unsupported(
                "Argument `model` must map inputs of a fixed shape to (batch, outputs). "
                f"Received: {model.input_shape} to {model.output_shape}."
            )
        self.weights = self._read_weights(model)
        dtypes = {layer.compute_dtype for layer in self.layers} | {v.dtype for v in model.weights}
        if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
            raise Unsupported(
                f"Argument `model` must be all float32 or all float64. Received: dtypes {sorted(dtypes)}."
            )
        (self.dtype,) = dtypes or {"float32"}
        self.config = _serialized(model)
        # A custom activation is known to Keras by name only; its identity tells two of one name apart.
        custom = [getattr(layer, "activation", None) for layer in self.layers]
        custom = [id(f) for f in custom if f is not None and not is_of_keras(f)]
        drawn = [weight.initializer for weight in self.weights]
        self.of_keras = not custom and all(is_of_keras(type(initializer)) for initializer in drawn)
        self.key = (_canonical(self.config), tuple(w.trainable for w in self.weights), *custom)

    def _read_weights(self, model):
        """Match every entry of ``model.weights`` with the layer that owns it."""
        owner = {
            id(v): (index, layer) for index, layer in enumerate(self.layers) for v in layer.weights
        }
        found, counts = [], {}
        for variable in model.weights:
            index, layer = owner[id(variable)]
            name = variable.name
            if variable.constraint is not None:
                raise Unsupported(
                    f"Layer {layer.name!r} has a constraint on {name!r}; constraints are not supported."
                )
            l1, l2 = _penalties(variable, layer)
            trainable = bool(variable.trainable)
            if trainable != layer.trainable and not name.startswith("moving_"):
                raise ValueError(
                    f"Layer {layer.name!r} has trainable={layer.trainable} and its {name} {trainable}: a Keras model "
                    "rebuilt from its configuration would lose that. Set `layer.trainable` instead."
                )
            ordinal = counts.get(name, 0)
            counts[name] = ordinal + 1
            initializer = getattr(layer, f"{name}_initializer")
            if not isinstance(initializer, keras.initializers.Initializer):
                raise Unsupported(
                    f"Layer {layer.name!r} has the {name} initializer {initializer!r}, which cannot be seeded per "
                    "member. Use or subclass a keras.initializers class."
                )
            found.append(
                Weight(name, index, tuple(variable.shape), trainable, l1, l2, initializer, ordinal)
            )
        return tuple(found)

    def __reduce__(self):
        return _from_json, (self.config,)

    def __repr__(self):
        return f"Recipe({len(self.layers)} layers, {self.size:,} parameters, {self.input_shape}->{self.output_shape})"

    @property
    def size(self):
        """Number of parameters of one network."""
        return sum(int(np.prod(w.shape)) for w in self.weights)

    def strengths(self, kind):
        """Return {layer index: value} of the layers that declare ``kind``: "dropout" or "noise_stddev"."""
        wanted, attribute = {
            "dropout": (keras.layers.Dropout, "rate"),
            "noise_stddev": (keras.layers.GaussianNoise, "stddev"),
        }[kind]
        return {
            i: float(getattr(layer, attribute))
            for i, layer in enumerate(self.layers)
            if isinstance(layer, wanted)
        }

    @functools.cached_property
    def without_ending(self):
        """The `Recipe` of the model without its final softmax or sigmoid; None where it ends in neither."""
        if endings.final(self.template) is None:
            return None
        return Recipe(endings.undone(self.template))

    def keras_model(self, weights=None):
        """Return a fresh ordinary Keras model, holding ``weights`` (a list in the order of get_weights) if given."""
        model = keras.models.model_from_json(self.config)
        if weights is not None:
            model.set_weights(weights)
        return model

    def network(self):
        """Return the member network: ``network(x, weights, context)``.

        Returns
        -------
        callable
            Maps x (M, B, ...), a list of stacked weights and a `Context` to logits (M, B, outputs). What training
            changes besides gradients (batch-norm statistics) is left in ``context.updates``, by weight index.
        """
        own = {i: [] for i in range(len(self.layers))}
        for position, weight in enumerate(self.weights):
            own[weight.layer].append((weight.name, position))
        cell = {}
        ordinals = {id(layer): i for i, layer in enumerate(self.layers)}

        def member_layer(layer):
            if isinstance(layer, keras.layers.InputLayer) or not isinstance(
                layer, keras.layers.Layer
            ):
                return layer  # elementwise operations act on any shape
            return _MemberLayer(layer, ordinals[id(layer)], own[ordinals[id(layer)]], cell)

        inputs = keras.Input(batch_shape=(None, None, *self.input_shape), dtype=self.dtype)
        with _as_if_uncompiled(self.template) as template:
            graph = keras.models.clone_model(
                template, input_tensors=inputs, clone_function=member_layer
            )

        def network(x, weights, context):
            cell["weights"], cell["context"] = weights, context
            try:
                return graph(x, training=context.training)
            finally:
                cell.clear()

        return network


@contextlib.contextmanager
def _as_if_uncompiled(model):
    """Hide that a model is compiled: Keras would compile a clone too, and look for functions that it does not know."""
    with _lock:
        kept, model.compiled = model.compiled, False
        try:
            yield model
        finally:
            model.compiled = kept


def _from_json(config):
    """Return the recipe of a model's JSON; unlike `recipe_of`, never one read before."""
    return Recipe(keras.models.model_from_json(config))


def _serialized(model):
    """Return the model's JSON, tried once: what cannot be rebuilt cannot be saved or handed out as a Keras model."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "error", message=".*lambda.*"
            )  # Keras warns where it writes one
            config = json.loads(model.to_json())
            config.pop("compile_config", None)
            config = json.dumps(config)
            if (
                type(model) is keras.Sequential
            ):  # one by one: Keras would rebuild the graph at every layer
                for layer in json.loads(config)["config"]["layers"]:
                    keras.layers.deserialize(layer)
            else:
                keras.models.model_from_json(config)
    except Exception as error:
        foreign = prepare.foreign_functions(model)
        if foreign:
            raise ValueError(prepare.unknown(foreign)) from error
        raise ValueError(
            "Argument `model` cannot be rebuilt from its configuration. Give own functions by name, registered with "
            "keras.saving.register_keras_serializable(). Keras says: "
            + str(error).splitlines()[0][:300]
        ) from error
    return config


# Settings that do not change the compiled program: they are drawn, or enter as tensors.
_FREE = {"seed", "build_config", "registered_name", "module", "keras_version", "rate", "stddev"}


def _canonical(config):
    """Return the model's JSON with names replaced by ordinals and what does not shape the program removed."""
    names = {}

    def rename(node):  # only where a layer's name stands: an activation may be called like a layer
        if isinstance(node, list):
            return [rename(value) for value in node]
        return names.get(node, node) if isinstance(node, str) else node

    def walk(node):
        if isinstance(node, dict):
            kept = {}
            for key, value in node.items():
                if key in _FREE or key.endswith("_initializer"):
                    continue
                if key in ("name", "keras_history", "input_layers", "output_layers"):
                    kept[key] = rename(value)
                elif key.endswith("_regularizer") and value is not None:
                    kept[key] = value["class_name"]
                else:
                    kept[key] = walk(value)
            return kept
        return [walk(value) for value in node] if isinstance(node, list) else node

    tree = json.loads(config)
    for layer in tree["config"]["layers"]:
        names[layer["config"].get("name", layer.get("name"))] = f"#{len(names)}"
        names.setdefault(layer.get("name"), names[layer["config"].get("name", layer.get("name"))])
    tree["config"].pop("name", None)
    return json.dumps(walk(tree), sort_keys=True)


class _MemberLayer(keras.layers.Layer):
    """Stands where a layer stood and applies it with a leading member axis.

    The template lives in a closure: Keras would add the variables of a layer held as an attribute.
    """

    def __init__(self, template, index, own, cell):
        super().__init__(name=f"member_{index}", dtype=template.dtype_policy)
        apply = APPLY.get(type(template), merged)

        def run(inputs):
            weights = {name: cell["weights"][position] for name, position in own}
            positions = dict(own)
            return apply(template, index, inputs, weights, positions, cell["context"])

        self._run, self._shape = run, template.compute_output_shape

    def call(
        self, inputs, mask=None
    ):  # functional graphs repeat the mask=None of the layer's first call
        return self._run(inputs)

    def compute_output_shape(self, input_shape):
        if isinstance(input_shape, list):
            return (input_shape[0][0], *self._shape([tuple(s[1:]) for s in input_shape]))
        return (input_shape[0], *self._shape(tuple(input_shape[1:])))


def recipe_of(model, input_shape=None):
    """Return the `Recipe` of a model; that of a pure builder (see `builders`) with the same plain arguments is kept."""
    key = _plainly(model)
    if key is None:
        return Recipe(model, input_shape)
    key = (*key, input_shape)
    with _lock:
        found = _read.pop(key, None)
    found = found or Recipe(model, input_shape)  # not under the lock
    with _lock:
        if found.of_keras:
            _read[key] = found
        while len(_read) > MOST_READ:  # the one unused for longest goes first
            del _read[next(iter(_read))]
    return found


def _plainly(model):
    """Return what determines the model of a pure builder with plain arguments, None for anything else.

    Any other builder may have a memory, and objects among the arguments may change.
    """

    def plain(value):
        return (
            all(map(plain, value))
            if type(value) is tuple
            else type(value) in (int, float, bool, str, type(None))
        )

    partial = isinstance(model, functools.partial)
    builder, args, keywords = (
        (model.func, model.args, model.keywords) if partial else (model, (), {})
    )
    if not builders.is_pure(builder) or not plain((*args, *keywords.values())):
        return None
    config = keras.config
    surroundings = config.dtype_policy().name, config.floatx(), config.image_data_format()
    return (
        builder,
        repr((args, sorted(keywords.items()))),
        surroundings,
    )  # repr: 1, 1.0 and True are equal


def stack(weights):
    """Stack M lists of weights, each as ``model.get_weights()`` gives it, into one list of (M, ...) arrays."""
    if not weights:
        raise ValueError(
            "Argument `weights` must be a list of one or more lists of arrays. Received: none."
        )
    return [np.stack(parts) for parts in zip(*weights, strict=True)]


def unstack(weights, member):
    """Return the weights of one member, ready for ``model.set_weights``."""
    return [w[member] for w in weights]


__all__ = ["Recipe", "Weight", "recipe_of", "stack", "unstack"]

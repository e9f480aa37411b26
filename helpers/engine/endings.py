"""What the outputs of a classifier are: logits, or the probabilities of a final softmax or sigmoid.

Losses are computed from logits wherever Keras's `fit` does so: also for a model that ends in softmax or sigmoid, whose
final activation Keras undoes. Where something stands behind that activation (a Reshape, an average of two heads), Keras
takes logarithms of clipped probabilities, and so do we.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from helpers._tensorflow import keras
from helpers.engine.losses import Loss

L = keras.layers
LOGITS, PROBABILITIES, UNCLEAR = "logits", "probabilities", "unclear"
_NAMES = ("softmax", "sigmoid")
_PASSING = (L.Flatten, L.Reshape, L.Dropout, L.GaussianNoise)  # what comes in, comes out
_JOINING = (L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate)


class Settled(NamedTuple):
    """What is trained, for what was asked.

    Attributes
    ----------
    undo : bool
        Whether the model is trained without its final activation.
    loss : str, Loss or callable
        From `losses.resolve`, of the outputs of what is trained.
    outputs : {"logits", "probabilities"}
        Of the model as it was given.
    probabilities : bool
        Whether what is trained has probabilities as outputs.
    """

    undo: bool
    loss: object
    outputs: str
    probabilities: bool


def settle(model, loss, task) -> Settled:
    """Decide how the losses of a model's outputs are computed.

    Parameters
    ----------
    model : keras.Model
        With one output.
    loss : str, Loss or callable
        From `losses.resolve`.
    task : str
        Of the data set.

    Raises
    ------
    ValueError
        Where outputs may be either and the loss does not say, or where both contradict each other.
    """
    if task == "regression":
        return Settled(False, loss, LOGITS, False)
    found = kind_of(model.outputs[0])
    said = loss.from_logits if isinstance(loss, Loss) else None
    if found == LOGITS and said is False:
        raise ValueError(
            "Argument `loss` must have from_logits=True, as the outputs of the model are logits. "
            "Received: from_logits=False. Or end the model in a softmax or sigmoid."
        )
    if found == UNCLEAR and said is None:
        raise ValueError(
            "Argument `loss` must say what the outputs of this model are: probabilities stand before its last "
            "operations, which may have changed them. Give a keras.losses instance with from_logits=False for "
            "probabilities, from_logits=True for logits."
        )
    crossentropy = not callable(loss) and "crossentropy" in (
        loss if isinstance(loss, str) else loss.name
    )
    if found == PROBABILITIES and crossentropy and final(model) is not None:
        return Settled(True, _without(loss), PROBABILITIES, False)  # whatever from_logits, as Keras
    if found == LOGITS or said is True:
        return Settled(False, loss if found == UNCLEAR else _without(loss), LOGITS, False)
    if crossentropy and not isinstance(loss, Loss):
        loss = Loss(loss)
    if isinstance(loss, Loss):
        loss = loss._replace(from_logits=False)
    return Settled(False, loss, PROBABILITIES, True)


def _without(loss):
    """Return a loss that says nothing about its inputs: they are logits."""
    if not isinstance(loss, Loss):
        return loss
    loss = loss._replace(from_logits=None)
    return loss.name if loss == Loss(loss.name) else loss


def kind_of(tensor):
    """Return what a symbolic tensor of a model holds: "logits", "probabilities" or "unclear"."""
    operation, inputs = _made(tensor)
    if operation is None:
        return LOGITS
    if _turns_into_probabilities(operation):
        return PROBABILITIES
    activation = getattr(operation, "activation", None)
    if getattr(activation, "__name__", "").startswith(_NAMES):  # TensorFlow's, or somebody's own
        return UNCLEAR
    kinds = {kind_of(one) for one in inputs} if _passes(operation) else {LOGITS}
    if len(kinds) == 1:
        (kind,) = kinds
        both = kind == PROBABILITIES and not isinstance(
            operation, (*_PASSING, L.Activation, L.Average, L.Concatenate)
        )
        return UNCLEAR if both else kind
    return UNCLEAR


def _passes(operation):
    """Return whether what an operation returns may still be what came in."""
    if not isinstance(operation, L.Layer):
        return True
    if isinstance(operation, (L.Activation, *_PASSING, *_JOINING)):
        return True
    return "Pooling" in type(operation).__name__


def _made(tensor):
    """Return the operation that made a symbolic tensor and its inputs; (None, []) for an input of the model."""
    history = tensor._keras_history
    operation = history.operation
    if isinstance(operation, L.InputLayer):
        return None, []
    return operation, operation._inbound_nodes[history.node_index].input_tensors


def _turns_into_probabilities(operation):
    """Return whether an operation is, or ends in, Keras's softmax or sigmoid."""
    if isinstance(operation, L.Softmax):
        return True
    if not isinstance(operation, L.Layer):
        return type(operation).__name__ in ("Softmax", "Sigmoid")
    activation = getattr(operation, "activation", None)
    return isinstance(activation, L.Softmax) or activation in (
        keras.activations.softmax,
        keras.activations.sigmoid,
    )


def final(model):
    """Return the operation whose softmax or sigmoid Keras undoes for the loss, or None.

    Its activation is the last thing that happens to the outputs; a layer with linear activation behind it returns the
    tensor itself. A layer that the model calls twice is left alone.
    """
    operation, inputs = _made(model.outputs[0])
    while isinstance(operation, L.Activation) and operation.activation is keras.activations.linear:
        operation, inputs = _made(inputs[0])
    if operation is None or not _turns_into_probabilities(operation):
        return None
    return None if _calls(model, operation) > 1 else operation


def _calls(model, operation):
    """Return how often a model calls an operation."""
    if isinstance(model, keras.Sequential):
        return 1
    nodes = {id(node) for depth in model._nodes_by_depth.values() for node in depth}
    return sum(id(node) in nodes for node in operation._inbound_nodes)


def undone(model):
    """Return a copy of a model, from its configuration, whose final softmax or sigmoid is left out.

    It has the same weights in the same order. The model is one for which `final` finds something.
    """
    last = final(model)
    if not isinstance(last, L.Layer):  # an operation such as keras.ops.sigmoid
        config = keras.Model(model.inputs[0], last._inbound_nodes[-1].input_tensors[0]).to_json()
        return keras.models.model_from_json(config)
    config = json.loads(model.to_json())
    for layer in config["config"]["layers"]:
        if layer["config"].get("name", layer.get("name")) != last.name:
            continue
        if isinstance(last, L.Softmax):
            kept = {key: layer["config"][key] for key in ("name", "trainable", "dtype")}
            layer |= {"class_name": "Activation", "registered_name": None, "config": kept}
        layer["config"]["activation"] = "linear"
    return keras.models.model_from_json(json.dumps(config))

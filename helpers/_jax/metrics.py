"""What every training records beside the loss, as Keras metrics; for a Keras on any backend."""

from __future__ import annotations

from typing import Any

import keras

ops = keras.ops


def usual(name: str, kind: str, probabilities: bool) -> Any:
    """Return a metric: the mean over examples of a function of targets and outputs."""

    def accuracy(y: Any, outputs: Any) -> Any:
        if outputs.shape[-1] == 1:
            border = 0.5 if probabilities else 0.0
            found = ops.cast(outputs > border, "float32")
            return ops.cast(
                ops.equal(ops.cast(as_outputs(y, outputs), "float32"), found), "float32"
            )
        labels = y if len(y.shape) < len(outputs.shape) else ops.argmax(y, axis=-1)
        found = ops.argmax(outputs, axis=-1)
        return ops.cast(ops.equal(ops.cast(labels, found.dtype), found), "float32")

    def crossentropy(y: Any, outputs: Any) -> Any:
        logits = not probabilities
        if outputs.shape[-1] == 1:
            y = ops.cast(as_outputs(y, outputs), outputs.dtype)
            return ops.binary_crossentropy(y, outputs, from_logits=logits)
        if len(y.shape) < len(outputs.shape):
            return ops.sparse_categorical_crossentropy(y, outputs, from_logits=logits)
        return ops.categorical_crossentropy(y, outputs, from_logits=logits)

    def mse(y: Any, outputs: Any) -> Any:
        return keras.losses.mean_squared_error(as_outputs(y, outputs), outputs)

    def binary_accuracy(y: Any, outputs: Any) -> Any:
        found = ops.cast(outputs > (0.5 if probabilities else 0.0), "float32")
        right = ops.equal(ops.cast(as_outputs(y, outputs), "float32"), found)
        return ops.mean(ops.cast(right, "float32"), -1)

    def binary_crossentropy(y: Any, outputs: Any) -> Any:
        y = ops.cast(as_outputs(y, outputs), outputs.dtype)
        return ops.mean(ops.binary_crossentropy(y, outputs, from_logits=not probabilities), -1)

    known = (accuracy, crossentropy, mse, binary_accuracy, binary_crossentropy)
    (function,) = (one for one in known if one.__name__ == kind)
    return keras.metrics.MeanMetricWrapper(function, name=name)


def as_outputs(y: Any, outputs: Any) -> Any:
    """Return targets with as many axes as outputs."""
    return ops.expand_dims(y, -1) if len(y.shape) < len(outputs.shape) else y


def ended(outputs: Any, ending: str) -> Any:
    """Return what the model as it was given returns, of the outputs of what is trained."""
    if not ending:
        return outputs
    return ops.sigmoid(outputs) if ending == "sigmoid" else ops.softmax(outputs)

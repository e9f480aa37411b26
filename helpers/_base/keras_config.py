"""Keras's settings and objects, for whichever Keras, on TensorFlow or on JAX, a process has."""

from __future__ import annotations

from typing import Any


def read(keras: Any) -> dict[str, Any]:
    """Return Keras's configuration, from keras.json or the caller: builders of models read it."""
    config = keras.config
    return {
        "floatx": config.floatx(),
        "dtype_policy": config.dtype_policy().name,
        "image_data_format": config.image_data_format(),
        "epsilon": config.epsilon(),
    }


def write(keras: Any, settings: dict[str, Any]) -> None:
    """Set Keras's configuration to what `read` has returned, here or in another process."""
    config = keras.config
    config.set_floatx(settings["floatx"])
    # Made from floatx once, and then a setting of its own.
    config.set_dtype_policy(settings["dtype_policy"])
    config.set_image_data_format(settings["image_data_format"])
    config.set_epsilon(settings["epsilon"])


def inner_of(optimizer: Any) -> Any:
    """Return the optimizer inside one that scales losses, or itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)

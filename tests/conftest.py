"""Fixtures that several test modules share."""

import numpy as np
import pytest

from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import compiled, losses, runtime


def pytest_collection_modifyitems(items):
    """Start with the longest tests: one of them at the end would keep one worker busy and the others idle."""
    items.sort(
        key=lambda item: [item.get_closest_marker(name) is None for name in ("notebook", "slow")]
    )


@pytest.fixture
def float64():
    """Build models in double precision, where a bug and a rounding error look different."""
    # Both: the global policy is made from floatx once and then stays.
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def uncompiled(monkeypatch):
    """Run programs as on a machine whose TensorFlow cannot compile with XLA: they begin five times as soon.

    For tests that ask what a program computes, where others ask whether XLA compiles its parts.
    """
    monkeypatch.setattr(compiled, "XLA", False)
    monkeypatch.setattr(losses, "XLA", False)
    monkeypatch.setattr(runtime, "_cache", {})


def make(task, shape=(3,), n=10, outputs=1, seed=0, val=0):
    """Return a small random data set of the given task and input shape."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + val, *shape)).astype(np.float32)
    if task == "regression":
        y = rng.normal(size=(n + val, outputs)).astype(np.float32)
    else:
        y = rng.permutation(np.arange(n + val) % outputs).astype(np.int32)
    held = {"x_val": x[n:], "y_val": y[n:]} if val else {}
    classes = None if task == "regression" else outputs
    return Dataset(
        x_train=x[:n], y_train=y[:n], **held, task=task, name="random", num_classes=classes
    )


@pytest.fixture
def line():
    """Return twelve points of a noisy line with three held out."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (15, 1)).astype(np.float32)
    y = 2 * x + rng.normal(0, 0.1, x.shape).astype(np.float32)
    return Dataset(
        x_train=x[:12], y_train=y[:12], x_val=x[12:], y_val=y[12:], task="regression", name="line"
    )

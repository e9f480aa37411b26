"""Fixtures that several test modules share."""

import os

import numpy as np
import pytest

from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import compiled, losses, runtime
from tools import surroundings


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


@pytest.fixture
def line():
    """Return twelve points of a noisy line with three held out."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (15, 1)).astype(np.float32)
    y = 2 * x + rng.normal(0, 0.1, x.shape).astype(np.float32)
    return Dataset(
        x_train=x[:12], y_train=y[:12], x_val=x[12:], y_val=y[12:], task="regression", name="line"
    )


@pytest.fixture
def clean_surroundings(tmp_path, monkeypatch):
    """Have kernels start without anybody's settings, as in `make notebooks`."""
    wanted = surroundings.clean(dict(os.environ), tmp_path / "settings")
    for name in os.environ.keys() - wanted:
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)

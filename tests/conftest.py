"""Fixtures that several test modules share."""

import os

import numpy as np
import pytest

from helpers._base import files
from helpers._tensorflow import XLA, keras
from helpers.data import Dataset
from helpers.engine import compiled, losses, runtime
from helpers.engine.general.pool import POOL
from tools import surroundings

JAX = "JAX_DISABLE_MOST_OPTIMIZATIONS"  # read where a worker of the general engine starts


def pytest_addoption(parser):
    parser.addoption(
        "--compiled",
        action="store_true",
        help="have XLA compile programs in every test but those marked traced",
    )


@pytest.hookimpl(tryfirst=True)  # before fixtures of any scope
def pytest_runtest_setup(item):
    """Have XLA compile a test's programs or not: where they are only traced, they begin five times as soon.

    Most tests ask what a program computes. Compiled are those that ask about bits and kept programs, marked so, and
    those of `make slow`. Of the general engine every program is compiled, with fewer optimizations for tests that are
    marked traced.
    """
    marked = {mark.name for mark in item.iter_markers()}
    asked = item.config.getoption("--compiled") or marked & {"compiled", "slow"}
    here = bool(XLA and asked and "traced" not in marked)
    if here != compiled.XLA:
        compiled.XLA = losses.XLA = here
        runtime._cache = {}
    fewer = "traced" in marked
    if fewer != (JAX in os.environ):
        POOL.close()
        if fewer:
            os.environ[JAX] = "1"
        else:
            del os.environ[JAX]


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


# Put before a kernel's first cell: few small networks train sooner than XLA compiles, and of an animation the first
# frame and the last show whether it can be drawn.
SOONER = """
from helpers import _tensorflow, plots

_tensorflow.XLA, whole = False, plots.animate
plots.animate = lambda figure, draw, frames, *other, **more: whole(
    figure, draw, [*frames][:: max(len(frames) - 1, 1)], *other, **more
)
"""


@pytest.fixture
def uncompiled_kernels(clean_surroundings, tmp_path):
    """Have kernels do less; `make verify` executes the lessons as they are."""
    startup = tmp_path / "settings" / "ipython" / "profile_default" / "startup"
    files.write(startup / "sooner.py", SOONER)


@pytest.fixture
def one_worker(monkeypatch):
    """Have one process compile a general program for all members, not one for each core the same."""
    monkeypatch.setattr(runtime, "workers", lambda: 1)

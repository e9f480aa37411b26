"""Small random data sets that several test modules share."""

import numpy as np
import pytest

from helpers.data import Dataset


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


def marked(names, chosen, mark=pytest.mark.both):
    """Return names as parameters, the chosen ones with a mark."""
    return [pytest.param(name, marks=mark if name in chosen else []) for name in names]

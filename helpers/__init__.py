"""Why do neural networks generalize? Helpers that train hundreds of Keras networks as one compiled program.

What most notebooks need: ``from helpers import Dataset, claims, data, fit_many, models, notebook, plots, stats``.
TensorFlow is imported by the first name that needs it: data, intervals and the ledger load without.
"""

from importlib import import_module

_HOME = {
    "Dataset": "helpers.data",
    "Runs": "helpers.runs",
    "fit_many": "helpers.engine",
    "predict_many": "helpers.engine",
}
__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a public name where it lives, on first use."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]

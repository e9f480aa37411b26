"""Why do neural networks generalize? Helpers that train hundreds of Keras networks as one compiled program.

What most notebooks need: ``from helpers import Dataset, claims, data, fit_many, models, notebook, plots, stats``.
TensorFlow is imported by the first name that needs it: data, intervals and claims load without.
"""

from importlib import import_module

from helpers._base.paths import PROJECT as PROJECT

_HOME = {
    "Dataset": "helpers.data",
    "Runs": "helpers.engine",
    "cluster": "helpers.engine.cluster",
    "fit_many": "helpers.engine",
    "predict_many": "helpers.engine",
}
_ROOMS = {  # modules that stand deeper than their public name
    "landscape": "helpers.geometry.landscape",
    "measures": "helpers.geometry.measures",
}
__all__ = sorted(
    {
        *_HOME,
        *_ROOMS,
        "claims",
        "data",
        "experiments",
        "models",
        "notebook",
        "plots",
        "pruning",
        "stats",
    }
)


def __getattr__(name):
    """Import a public name where it lives, on first use."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name in __all__:
        return import_module(f"helpers.{name}")
    raise AttributeError(f"module 'helpers' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})

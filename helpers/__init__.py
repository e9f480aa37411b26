"""Why do neural networks generalize? Helpers that train hundreds of Keras networks as one compiled program.

Everything a notebook needs: ``from helpers import claims, data, fit_many, models, notebook, plots, stats``.
"""

from helpers.data import Dataset
from helpers.engine import fit_many, predict_many
from helpers.runs import Runs

__all__ = ["Dataset", "Runs", "fit_many", "predict_many"]

"""`fit_many` and `predict_many`: hundreds of Keras networks trained as one compiled program."""

from helpers.engine.api import fit_many, predict_many
from helpers.engine.runs import Runs

__all__ = ["Runs", "fit_many", "predict_many"]

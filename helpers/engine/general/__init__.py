"""The general engine: M copies of any Keras model, trained by Keras's own steps on JAX in worker processes.

It takes what the fast engine has no formula for. `model` reads the model, `data` and `asked` the other arguments, and
`plan` puts them together; `pool` keeps the worker processes, which run `helpers._jax`, and `running` asks them.
"""

from helpers.engine.general.model import GeneralModel, check_weights
from helpers.engine.general.plan import Continuation, Plan, make, with_snapshots
from helpers.engine.general.pool import lacking, without
from helpers.engine.general.running import evaluate, predict, train

__all__ = [
    "Continuation",
    "GeneralModel",
    "Plan",
    "check_weights",
    "evaluate",
    "lacking",
    "make",
    "predict",
    "train",
    "with_snapshots",
    "without",
]

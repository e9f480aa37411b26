"""What `Runs.resume` needs besides the runs themselves, kept where `fit_many` was asked for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.data import Dataset
from helpers.engine import resume
from helpers.engine.optimizers import Optimizer
from helpers.engine.stopping import Rule


@dataclass(frozen=True, eq=False)
class Continuation:
    """Where a training stood after its last epoch, and the arguments that `Runs` does not hold.

    Attributes
    ----------
    optimizer : Optimizer
        With the values that were used.
    loss : str, callable or None
        None where it was a function and the runs come from files.
    masks : dict of int to numpy.ndarray (M, ...)
        By weight index.
    rule : Rule or None
        Of early stopping.
    digest : str
        Of the data, from `data_digest`.
    finite : numpy.ndarray (M,) bool
        Whether every loss and metric of training was.
    state : list of numpy.ndarray (M, ...)
        The arrays of `program.State` in the order of ``tf.nest.flatten``.
    dataset : Dataset or None
        None where the runs come from files.
    """

    optimizer: Optimizer
    loss: str | Callable[..., Any] | None
    masks: dict[int, np.ndarray]
    rule: Rule | None
    digest: str
    finite: np.ndarray
    state: list[np.ndarray]
    dataset: Dataset | None = None

    def text(self) -> dict[str, Any]:
        """Return what of it is JSON."""
        return {
            "optimizer": dataclasses.asdict(self.optimizer),
            "loss": self.loss if isinstance(self.loss, str) else None,
            "early_stopping": None if self.rule is None else self.rule._asdict(),
            "digest": self.digest,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what of it is arrays, by name."""
        masks = {f"masks/{position}": mask for position, mask in self.masks.items()}
        return {"finite": self.finite, **masks} | {
            f"state/{i}": values for i, values in enumerate(self.state)
        }

    @classmethod
    def read(cls, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Continuation:
        """Return it from its `text` and `arrays`, without a data set."""
        rule, count = text["early_stopping"], sum(name.startswith("state/") for name in arrays)
        return cls(
            optimizer=Optimizer(**text["optimizer"]),
            loss=text["loss"],
            masks={
                int(name.removeprefix("masks/")): values
                for name, values in arrays.items()
                if name.startswith("masks/")
            },
            rule=None if rule is None else Rule(**rule),
            digest=text["digest"],
            finite=arrays["finite"],
            state=[arrays[f"state/{i}"] for i in range(count)],
        )


def data_digest(data: Mapping[str, np.ndarray], task: str) -> str:
    """Return a digest of the arrays that training reads and of what they are for."""
    return resume.key({"data": dict(data), "task": task})

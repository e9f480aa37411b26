"""What `Runs.resume` needs besides the runs themselves, kept where `fit_many` was asked for it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers._base import checks
from helpers.data import Dataset
from helpers.engine import plan, resume
from helpers.engine.losses import Loss
from helpers.engine.optimizers import Optimizer
from helpers.engine.plan import Plan
from helpers.engine.recipe import Recipe
from helpers.engine.scores import Score
from helpers.engine.stopping import Rule


@dataclass(frozen=True, eq=False)
class Continuation:
    """Where a training stood after its last epoch, and the arguments that `Runs` does not hold.

    Attributes
    ----------
    optimizer : Optimizer
        With the values that were used.
    loss : str, Loss, callable or None
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
    metrics : tuple of Score, or None
        What was asked for; None where a function was among it and the runs come from files.
    counts : dict of str to numpy.ndarray
        How much examples count: "w" and "w_val", where given.
    """

    optimizer: Optimizer
    loss: str | Loss | Callable[..., Any] | None
    masks: dict[int, np.ndarray]
    rule: Rule | None
    digest: str
    finite: np.ndarray
    state: list[np.ndarray]
    dataset: Dataset | None = None
    metrics: tuple[Score, ...] | None = ()
    counts: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls, made: Plan, finite: np.ndarray, state: list[np.ndarray], dataset: Dataset | None
    ) -> Continuation:
        """Return where the training of a plan stands; masks are copied, for the caller may change them."""
        return cls(
            optimizer=made.optimizer,
            loss=made.loss,
            masks={position: mask.copy() for position, mask in made.masks.items()},
            rule=made.shapes.stopping,
            digest=data_digest(made.data, made.shapes.task),
            finite=finite,
            state=state,
            dataset=dataset,
            metrics=made.shapes.asked,
            counts={name: made.data[name] for name in ("w", "w_val") if name in made.data},
        )

    def planned(
        self,
        recipe: Recipe,
        settings: dict[str, Any],
        vary: dict[str, np.ndarray],
        initial_weights: list[np.ndarray],
        dataset: Dataset | None,
        more: int,
    ) -> Plan:
        """Return the plan of so many more epochs, for what else `Runs` holds.

        Raises
        ------
        TypeError, ValueError
            What the files of runs do not hold, other data, or a number of epochs that does not fit, named.
        """
        if self.loss is None or self.metrics is None:
            what = "loss" if self.loss is None else "metric"
            text = f"These runs were trained with a {what} function, which their files do not hold."
            remedy = "Resume the runs that fit_many returned, before they are saved."
            raise ValueError(f"{text} {remedy}")
        expected = "the data set that the runs were trained on"
        if dataset is None:
            remedy = "Files do not hold it."
            raise ValueError(checks.message("dataset", expected, None, remedy))
        first, count = settings["epochs"], range(len(recipe.weights))
        made = plan.make(
            recipe,
            dataset,
            members=settings["members"],
            epochs=first + checks.count("epochs", more, low=0),
            batch_size=settings["batch_size"],
            shuffle=settings["shuffle"],
            optimizer=self.optimizer,
            loss=self.loss,
            vary=vary,
            initial_weights=initial_weights,
            masks=[self.masks.get(i) for i in count] if self.masks else None,
            seed=settings["seed"],
            record_every=settings["record_every"],
            early_stopping=self.rule,
            resumable=True,
            metrics=self.metrics,
            sample_weight=self.counts.get("w"),
            validation_weight=self.counts.get("w_val"),
        )
        if data_digest(made.data, dataset.task) != self.digest:
            remedy = (
                "Its training or validation examples are other ones, or have been changed since."
            )
            raise ValueError(checks.message("dataset", expected, dataset, remedy))
        return dataclasses.replace(
            made,
            settings={**copy.deepcopy(settings), "epochs": made.epochs},
            earlier=plan.Earlier(first, self.finite, self.state),
        )

    def text(self) -> dict[str, Any]:
        """Return what of it is JSON."""
        return {
            "optimizer": dataclasses.asdict(self.optimizer),
            "loss": None if callable(self.loss) else self.loss,
            "metrics": None if any(callable(s.kind) for s in self.metrics or ()) else self.metrics,
            "early_stopping": None if self.rule is None else self.rule._asdict(),
            "digest": self.digest,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what of it is arrays, by name."""
        masks = {f"masks/{position}": mask for position, mask in self.masks.items()}
        counts = {f"counts/{name}": values for name, values in self.counts.items()}
        state = {f"state/{i}": values for i, values in enumerate(self.state)}
        return {"finite": self.finite, **masks, **counts, **state}

    @classmethod
    def read(cls, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Continuation:
        """Return it from its `text` and `arrays`, without a data set."""
        rule, count = text["early_stopping"], sum(name.startswith("state/") for name in arrays)
        asked = text.get("metrics", ())
        return cls(
            optimizer=Optimizer(**text["optimizer"]),
            loss=Loss(*text["loss"]) if isinstance(text["loss"], list) else text["loss"],
            masks={
                int(name.removeprefix("masks/")): values
                for name, values in arrays.items()
                if name.startswith("masks/")
            },
            rule=None if rule is None else Rule(**rule),
            digest=text["digest"],
            finite=arrays["finite"],
            state=[arrays[f"state/{i}"] for i in range(count)],
            metrics=None if asked is None else tuple(Score(*score) for score in asked),
            counts={
                name.removeprefix("counts/"): values
                for name, values in arrays.items()
                if name.startswith("counts/")
            },
        )


def data_digest(data: Mapping[str, np.ndarray], task: str) -> str:
    """Return a digest of the arrays that training reads and of what they are for."""
    return resume.key({"data": dict(data), "task": task})

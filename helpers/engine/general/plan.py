"""What one call of `fit_many` is to do in the general engine, checked and drawn before anything is trained."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers._base import checks
from helpers._jax import jobs
from helpers._tensorflow import keras, keras_settings
from helpers.data import Dataset
from helpers.engine import draws, endings, parcels, runtime, stopping
from helpers.engine.general import asked
from helpers.engine.general.data import Data, check_data, data_of, fitted
from helpers.engine.general.model import GeneralModel, check_weights
from helpers.engine.general.pool import POOL, Refused, lacking
from helpers.engine.plan import Earlier, check_fits, check_snapshots
from helpers.engine.prepare import check_unweighted

WIDEST = 10  # members of a chunk: more are no faster (benchmarks/README.md)


@dataclass(frozen=True, eq=False)
class Plan:
    """What one call of `fit_many` is to do in the general engine; the fields of `plan.Plan` where they mean the same.

    Attributes
    ----------
    job : jobs.Training
        All that the chunks share.
    names : list of str
        Of the history.
    state_like : list of (tuple, str)
        Shape and dtype of one member's state, array by array.
    rates : numpy.ndarray (M,) or None
        Learning rates.
    """

    job: jobs.Training
    names: list[str]
    state_like: list[tuple[tuple[int, ...], str]]
    recipe: GeneralModel
    given: GeneralModel
    members: int
    epochs: int
    record_every: int
    snapshots: tuple[int, ...]
    data: dict[str, np.ndarray]
    initial: list[np.ndarray]
    masks: dict[int, np.ndarray]
    keys: np.ndarray
    rates: np.ndarray | None
    vary: dict[str, np.ndarray]
    settings: dict[str, Any]
    resumable: bool = False
    earlier: Earlier | None = None

    @property
    def first(self) -> int:
        """How many epochs were done before."""
        return 0 if self.earlier is None else self.earlier.epochs

    @property
    def work(self) -> int:
        """How many epochs of single networks are to be trained."""
        return self.members * (self.epochs - self.first)


def make(
    model: Any,
    dataset: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    validation_split: float = 0.0,
    sample_weight: Any = None,
    members: int = 100,
    epochs: int = 200,
    batch_size: int = 32,
    shuffle: str | bool = "member",
    optimizer: Any = None,
    learning_rate: Any = None,
    loss: Any = "auto",
    metrics: Any = None,
    vary: dict[str, Any] | None = None,
    initial_weights: Any = None,
    masks: Any = None,
    snapshots: Any = (),
    seed: int = 0,
    record_every: int = 1,
    early_stopping: Any = None,
    resumable: bool = False,
) -> Plan:
    """Check the arguments of `fit_many`, draw what is random about the start, and return the plan.

    Raises
    ------
    TypeError, ValueError
        An argument that does not fit, named; or what Keras on JAX says of the model.
    """
    members = checks.count("members", members)
    epochs = checks.count("epochs", epochs, low=0)
    batch_size = checks.integer("batch_size", batch_size)
    shuffle = checks.one_of("shuffle", shuffle, ("member", "shared", False))
    seed = checks.integer("seed", seed, low=0)
    record_every = checks.count("record_every", record_every)
    resumable = checks.flag("resumable", resumable)
    shape = dataset.input_shape if isinstance(dataset, Dataset) else np.shape(dataset)[1:]
    given = GeneralModel(model, shape)
    compiled = given.compiled
    optimizer = asked.optimizer_of(
        compiled.get("optimizer", "adam") if optimizer is None else optimizer
    )
    if isinstance(loss, str) and loss == "auto":
        loss = compiled.get("loss", "auto")
    data = data_of(
        dataset, y, validation_data, validation_split, sample_weight, loss, given, members
    )
    if metrics is None:
        check_unweighted(compiled, data.arrays.get("w"), data.arrays.get("w_val"))
    settled = asked.settled_of(loss, given, data.task)
    recipe = given.without_ending if settled.undo else given
    assert recipe is not None
    data = fitted(data, settled.loss, recipe)
    check_data(given, data, asked.described(settled.loss))
    rates, varied = asked.varied_of(optimizer, members, learning_rate, vary)
    kept_masks = asked.masks_of(recipe, members, masks, optimizer)
    usual = asked.usual_of(data.arrays, data.task, settled)
    wanted = asked.metrics_of(compiled.get("metrics", ()) if metrics is None else metrics, usual)
    single_ones = type(settled.loss).__name__.startswith("Categorical")
    names = ["loss", *(name for name, _ in usual), *map(asked.name_of, wanted)]
    recorded = [*names, *(f"val_{n}" for n in names)] if "x_val" in data.arrays else names
    rule = stopping.rule(early_stopping, recorded, asked.rising(recorded))
    needed = (2 + 3 * resumable) * recipe.bytes + 4 * len(recorded) * epochs
    check_fits(members, epochs, -(-data.examples // batch_size), needed)
    kept = check_snapshots(snapshots, 0, epochs)
    initial = _initial_weights(recipe, members, initial_weights, seed)
    for position, mask in kept_masks.items():
        initial[position] = initial[position] * mask

    functions: list[Any] = []
    how = jobs.Compiled(
        asked.config_of(optimizer),
        asked.sent(settled.loss, functions),
        [asked.sent(one, functions) for one in wanted],
        tuple(usual),
        settled.probabilities,
    )
    job = jobs.Training(
        model=job_of(recipe, _ending(given) if settled.undo else "", functions, repr(how)),
        compiled=how,
        batch_size=batch_size,
        epochs=epochs,
        first=0,
        record_every=record_every,
        seed=seed,
        shuffle=shuffle,
        snapshots=kept,
        rule=None if rule is None else rule._asdict(),
        resumable=resumable,
        width=width_of(recipe, min(batch_size, data.examples)),
        own=data.own,
        data={name: v for name, v in data.arrays.items() if name not in data.own},
        like={name: (v.shape[name in data.own :], str(v.dtype)) for name, v in data.arrays.items()},
    )
    state_like = _checked(job, names)
    settings = _settings(job, data, members, settled.loss)
    settings |= {
        "varied": sorted(varied),
        "masked": sorted(kept_masks),
        "initial_weights": "drawn" if initial_weights is None else "given",
        "dtype": min(recipe.dtypes, default="float32"),
        "input_shape": [n or 1 for n in recipe.input_shape],
        "one_hot": single_ones,
    }
    return Plan(
        job=job,
        names=recorded,
        state_like=state_like,
        recipe=recipe,
        given=given,
        members=members,
        epochs=epochs,
        record_every=record_every,
        snapshots=kept,
        data=data.arrays,
        initial=initial,
        masks=kept_masks,
        keys=draws.noise_keys(seed, members),
        rates=rates,
        vary=varied,
        settings=settings,
        resumable=resumable,
    )


def _settings(job: jobs.Training, data: Data, members: int, loss: Any) -> dict[str, Any]:
    """Return what of `Runs.settings` a job says; metrics that are functions are left out, as files do not hold them."""
    how = job.compiled
    config = how.optimizer["config"]
    probabilities = bool(job.model.ending) or how.probabilities
    weighted = ("own" if "w" in data.own else "shared") if "w" in data.arrays else ""
    return {
        "members": members,
        "epochs": job.epochs,
        "batch_size": job.batch_size,
        "shuffle": job.shuffle,
        "optimizer": {"name": how.optimizer["class_name"], **asked.numbers(config)},
        "schedule": config["learning_rate"]
        if isinstance(config.get("learning_rate"), dict)
        else None,
        "loss": asked.described(loss),
        "outputs": "probabilities" if probabilities else "logits",
        "undone": job.model.ending,
        "seed": job.seed,
        "record_every": job.record_every,
        "early_stopping": job.rule,
        "task": data.task,
        "dataset": data.name,
        "examples": data.examples,
        "metrics": [one for one in how.metrics if not isinstance(one, int)],
        "usual": [list(one) for one in how.usual],
        "sample_weight": weighted,
        "keras": keras_settings(),
        "engine": "general",
    }


def job_of(
    model: GeneralModel, ending: str = "", functions: Sequence[Any] = (), texts: str = ""
) -> jobs.Model:
    """Return a model as a worker builds it, with the caller's functions and what of Keras's registry texts name."""
    own = model.own | parcels.named(texts)
    shape = tuple(n or 1 for n in model.input_shape)
    code = parcels.packed(functions, own, whole=True)
    return jobs.Model(model.config, code, keras_settings(), ending, shape)


def _ending(model: GeneralModel) -> str:
    """Return what the outputs of a model that is trained without it pass in the end."""
    last = endings.final(model.template)
    activation = getattr(last, "activation", None)
    softmax = type(last).__name__ == "Softmax" or isinstance(activation, keras.layers.Softmax)
    return "softmax" if softmax or activation is keras.activations.softmax else "sigmoid"


def _initial_weights(model: GeneralModel, members: int, given: Any, seed: int) -> list[np.ndarray]:
    """Return the weights (M, ...) that were given, copies, or draw them."""
    if given is None:
        return model.draw(members, seed)
    found, _ = check_weights("initial_weights", given, model, members)
    return [np.array(values) for values in found]


def _checked(job: jobs.Training, names: Sequence[str]) -> list[tuple[tuple[int, ...], str]]:
    """Have a worker trace one step and compare what it records; return what a member's state is like."""
    missing = lacking()
    if missing:
        raise ValueError(f"The general engine is not installed. {missing}")
    try:
        found, state_like = POOL.ask("check", "", job._replace(data={}))
    except Refused as error:
        raise refusal(error) from error
    if set(found) != set(names):
        raise ValueError(
            "Argument `metrics` must record one number each under its name. "
            f"Received: {', '.join(sorted(set(names) ^ set(found)))}."
        )
    return state_like


def refusal(error: Refused) -> ValueError:
    """Return what to say of a model that a worker cannot train."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", error.text).partition("Arguments received by")[0]
    text = (
        "Argument `model` (or its loss, metrics or optimizer) cannot be trained by the general engine, which runs it "
        f"with Keras on JAX. {error.kind}: {' '.join(plain.split())[:400]}"
    )
    if "/tensorflow/python/" in error.trace.replace("\\", "/") or "TracerArray" in error.kind:
        text += " Layers and functions of your own must use keras.ops instead of TensorFlow's or NumPy's operations."
    return ValueError(text)


def width_of(model: GeneralModel, rows: int) -> int:
    """Return how many members a worker trains at once, from the architecture and the rows of a step alone.

    One of a convolutional network: with a member axis its kernels become groups, which are slow on a processor.
    """
    if model.convolutional:
        return 1
    values = sum(_values(layer) for layer in model.template._flatten_layers(include_self=False))
    each = 4 * (4 * model.size + rows * values)
    return max(
        w for w in runtime.WIDTHS if w <= min(WIDEST, max(1, 4 * runtime.CHUNK_BYTES // each))
    )


def _values(layer: Any) -> int:
    """Return how many numbers a layer gives for one example, as far as its shape is known."""
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):
        return 0
    return int(np.prod([n or 1 for n in shape[1:]]))


@dataclass(frozen=True, eq=False)
class Continuation:
    """Where a training stood after its last epoch: what `Runs.resume` needs, in memory only.

    Attributes
    ----------
    plan : Plan
    finite : numpy.ndarray (M,) bool
        Whether every loss of training was.
    state : list of numpy.ndarray (M, ...)
        From a worker.
    dataset : None
        The plan holds the arrays.
    """

    plan: Plan
    finite: np.ndarray
    state: list[np.ndarray]
    dataset: None = None

    def planned(
        self, recipe: Any, settings: Any, vary: Any, initial_weights: Any, dataset: Any, more: Any
    ) -> Plan:
        """Return the plan of so many more epochs; ``dataset`` must be None, the others are as they were."""
        del recipe, vary, initial_weights
        if dataset is not None:
            raise ValueError(
                checks.message(
                    "dataset", "None: these runs hold the arrays they were trained on", dataset
                )
            )
        first = settings["epochs"]
        epochs = first + checks.count("epochs", more, low=0)
        job = self.plan.job._replace(first=first, epochs=epochs)
        return dataclasses.replace(
            self.plan,
            job=job,
            epochs=epochs,
            settings={**copy.deepcopy(settings), "epochs": epochs},
            earlier=Earlier(first, self.finite, self.state),
        )


def with_snapshots(plan: Plan, snapshots: tuple[int, ...]) -> Plan:
    """Return a plan that keeps the weights of these epochs."""
    return dataclasses.replace(
        plan, snapshots=snapshots, job=plan.job._replace(snapshots=snapshots)
    )

"""What one call of `fit_many` is to do, checked and drawn before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from helpers._base import checks, memory
from helpers._tensorflow import keras_settings
from helpers.data import Dataset
from helpers.engine import (
    draws,
    endings,
    hyper,
    inference,
    losses,
    optimizers,
    prepare,
    runtime,
    scores,
    stopping,
    tiny,
)
from helpers.engine.hyper import Hyper
from helpers.engine.optimizers import Optimizer, Static
from helpers.engine.program import Shapes
from helpers.engine.recipe import Recipe, recipe_of


class Earlier(NamedTuple):
    """A training that is continued.

    Attributes
    ----------
    epochs : int
        Done.
    finite : numpy.ndarray (M,) bool
        Whether every loss and metric of training was.
    state : list of numpy.ndarray (M, ...)
        The arrays of `program.State` after them, in the order of ``tf.nest.flatten``.
    """

    epochs: int
    finite: np.ndarray
    state: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that training M members depends on, besides the machine and the versions: arrays, texts and numbers.

    A plan can be pickled, sent to another process and trained there, chunk by chunk, by `train.chunk`: the model and
    the optimizer travel as Keras's configuration. A loss function of one's own is pickled as any function is (by name:
    a lambda cannot be), and own activations, initializers and schedules must be registered with Keras there too.

    Attributes
    ----------
    recipe : Recipe
        The model that is trained.
    given : Recipe
        The model as it was given: the same, unless that ends in a softmax or sigmoid (see `endings`).
    optimizer, static : Optimizer, Static
        The optimizer, and what of it shapes the compiled program.
    loss : str, Loss or callable
        From `losses.resolve`, of the outputs of what is trained.
    members, epochs, batch_size, seed, record_every : int
        As in `fit_many`.
    shuffle : {"member", "shared", False}
        As in `fit_many`.
    snapshots : tuple of int
        Sorted.
    shapes : Shapes
        The compiled program's.
    hyper : Hyper
        Hyperparameters, (M,) each.
    data : dict of str to numpy.ndarray
        "x", "y" and, with a validation set, "x_val", "y_val", in the model's dtype; "w" and "w_val" where examples have
        weights.
    initial : list of numpy.ndarray (M, ...)
        Initial weights, masked.
    masks : dict of int to numpy.ndarray (M, ...)
        By weight index.
    keys : numpy.ndarray (M, 2) uint32
        Of dropout and noise.
    vary : dict of str to numpy.ndarray (M,)
        What differs between members.
    settings : dict
        For `Runs.settings`.
    resumable : bool
        Whether the state after the last epoch is kept.
    earlier : Earlier or None
        What training goes on from; the initial weights if None. ``epochs`` counts its epochs too.
    start : int
        The number of the first member: not 0 where the plan is a part of another, see `parcels`.
    """

    recipe: Recipe
    given: Recipe
    optimizer: Optimizer
    static: Static
    loss: str | losses.Loss | Callable[..., Any]
    members: int
    epochs: int
    batch_size: int
    seed: int
    record_every: int
    shuffle: str | bool
    snapshots: tuple[int, ...]
    shapes: Shapes
    hyper: Hyper
    data: dict[str, np.ndarray]
    initial: list[np.ndarray]
    masks: dict[int, np.ndarray]
    keys: np.ndarray
    vary: dict[str, np.ndarray]
    settings: dict[str, Any]
    resumable: bool = False
    earlier: Earlier | None = None
    start: int = 0

    @property
    def first(self) -> int:
        """How many epochs were done before."""
        return 0 if self.earlier is None else self.earlier.epochs

    @property
    def work(self) -> int:
        """How many epochs of single networks are to be trained."""
        return self.members * (self.epochs - self.first)

    @property
    def of_keras(self) -> bool:
        """Whether no code of the caller's own is trained: a loss, an activation or a schedule."""
        own_activations = len(self.recipe.key) > 2
        functions = [self.loss, *(score.kind for score in self.shapes.asked)]
        return not any(map(callable, functions)) and not own_activations and self.optimizer.of_keras

    @property
    def own(self) -> list[str]:
        """Which of the data each member has of its own, the members first."""
        each = {"w"} if self.shapes.weighted == "own" else set()
        return [name for name in self.data if self.shapes.stacked or name in each]


def make(
    model: Any,
    dataset: Dataset,
    *,
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
    validation_weight: Any = None,
) -> Plan:
    """Check the arguments of `fit_many`, draw what is random about the start, and return the plan.

    ``model``, ``optimizer``, ``metrics`` and ``early_stopping`` may also be what an earlier call has read of them.
    ``validation_weight``: how much each validation example counts, (N_val,).

    Raises
    ------
    TypeError, ValueError
        An argument that does not fit, named.
    """
    shape = dataset.input_shape if isinstance(dataset, Dataset) else None
    recipe = given = model if isinstance(model, Recipe) else recipe_of(model, shape)
    if optimizer is None:
        optimizer = given.compiled.get("optimizer", "adam")
    if isinstance(loss, str) and loss == "auto":
        loss = given.compiled.get("loss", "auto")
    members = checks.count("members", members)
    epochs = checks.count("epochs", epochs, low=0)
    batch_size = checks.integer("batch_size", batch_size)
    shuffle = checks.one_of("shuffle", shuffle, ("member", "shared", False))
    seed = checks.integer("seed", seed, low=0)
    read = optimizer if isinstance(optimizer, Optimizer) else Optimizer.of(optimizer)
    resumable = checks.flag("resumable", resumable)
    _check_dataset(recipe, dataset, members)
    loss = losses.resolve(loss, dataset.task, recipe.output_shape[0], recipe.dtype)
    settled = endings.settle(recipe.template, loss, dataset.task)
    loss, recipe = settled.loss, given.without_ending if settled.undo else given
    outputs = recipe.output_shape[0]
    ending = ("sigmoid" if outputs == 1 else "softmax") if settled.undo else ""
    if metrics is None:
        prepare.check_unweighted(given.compiled, sample_weight, validation_weight)
        asked_scores = scores.of_compiled(
            given.compiled.get("metrics", ()), dataset.task, outputs, ending
        )
    else:
        asked_scores = scores.resolve(metrics, dataset.task, outputs, ending, recipe.dtype)
    monitors = scores.recorded(dataset.task, outputs, _validated(dataset), asked_scores)
    rule = stopping.rule(early_stopping, monitors, scores.rising(asked_scores))
    counts = _counts(dataset, members, sample_weight, validation_weight, recipe.dtype)
    copies = 2  # of a member's weights, initial and final
    if resumable:  # the state; and masks, which the caller may change
        slots = optimizers.slot_names(read.static(vary if isinstance(vary, dict) else ()))
        best = rule is not None and rule.restore_best_weights
        copies += 1 + len(slots) + best + (masks is not None)
    _check_size(recipe, dataset, members, epochs, batch_size, copies, asked_scores)

    # Hyperparameters, masks and initial weights, one of each per member.
    asked = hyper.given(recipe, read, members, learning_rate, vary)
    read = replace(read, values=asked.values)
    values = hyper.tensors(recipe, members, asked)
    kept = check_masks(recipe, members, masks)
    initial = _initial_weights(recipe, members, initial_weights, seed)
    for position, mask in kept.items():
        initial[position] = initial[position] * mask

    # What is recorded, and the shapes of the program.
    epochs_kept = check_snapshots(snapshots, 0, epochs)
    record_every = checks.count("record_every", record_every)
    shapes = _shapes(
        recipe,
        dataset,
        batch_size,
        values,
        counts,
        shuffled=shuffle is not False,
        masked=tuple(sorted(kept)),
        tiny=tiny.suits(recipe, loss),
        stopping=rule,
        probabilities=settled.probabilities,
        asked=asked_scores,
    )
    keys = draws.noise_keys(seed, members) if shapes.random else np.zeros((members, 2), np.uint32)

    settings = {
        "members": members,
        "epochs": epochs,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "optimizer": {
            "name": read.name,
            **asked.values,
            "nesterov": read.nesterov,
            "centered": read.centered,
        },
        "schedule": read.schedule,
        "loss": _described(loss),
        "outputs": settled.outputs,
        "seed": seed,
        "record_every": record_every,
        "early_stopping": None if rule is None else rule._asdict(),
        "task": dataset.task,
        "dataset": dataset.name,
        "examples": dataset.n_train,
        "metrics": [list(score) for score in asked_scores if not callable(score.kind)],
        "sample_weight": shapes.weighted,
        "varied": sorted(asked.varied),
        "masked": sorted(kept),
        "initial_weights": "drawn" if initial_weights is None else "given",
        "dtype": recipe.dtype,
        "keras": keras_settings(),
        "engine": "fast",
    }
    return Plan(
        recipe=recipe,
        given=given,
        optimizer=read,
        static=read.static(asked.varied),
        loss=loss,
        members=members,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        record_every=record_every,
        shuffle=shuffle,
        snapshots=epochs_kept,
        shapes=shapes,
        hyper=values,
        data=_arrays(dataset, recipe.dtype) | counts,
        initial=initial,
        masks=kept,
        keys=keys,
        vary=asked.varied,
        settings=settings,
        resumable=resumable,
    )


def _described(loss: Any) -> Any:
    """Return what settings say of a loss: its name, or its name and settings."""
    if isinstance(loss, losses.Loss):
        return loss._asdict()
    return loss if isinstance(loss, str) else getattr(loss, "__name__", "function")


def _check_dataset(recipe: Recipe, dataset: Dataset, members: int) -> None:
    """Check the data against the model and the number of members."""
    if not isinstance(dataset, Dataset):
        raise TypeError(checks.message("dataset", "a helpers.data.Dataset", dataset))
    stacked = dataset.members
    if stacked is not None and stacked != members:
        raise ValueError(
            f"Argument `dataset` is a stack of {stacked}, one per member. Received: members={members}."
        )
    if tuple(dataset.input_shape) != recipe.input_shape:
        raise ValueError(
            f"Argument `dataset` must have examples of the model's input shape {recipe.input_shape}. "
            f"Received: {tuple(dataset.input_shape)}."
        )
    outputs = recipe.output_shape[0]
    for name in ("y_train", "y_val"):
        y = getattr(dataset, name)
        if y is not None:
            label = f"dataset.{name}"
            losses.check_targets(label, y, dataset.task, outputs, dataset.num_classes)


def _check_size(
    recipe: Recipe,
    dataset: Dataset,
    members: int,
    epochs: int,
    batch_size: int,
    copies: int,
    asked: tuple[scores.Score, ...],
) -> None:
    """Refuse, before anything is allocated, what counters or memory cannot hold; ``copies`` of the weights are kept."""
    # The copies of a member's weights, and its history: loss and metrics, each on both sets.
    curves = len(scores.recorded(dataset.task, recipe.output_shape[0], 1, asked))
    needed = copies * recipe.size * np.dtype(recipe.dtype).itemsize + 4 * curves * epochs
    check_fits(members, epochs, -(-dataset.n_train // batch_size), needed)


def check_fits(members: int, epochs: int, steps: int, needed: int) -> None:
    """Refuse more steps than counters hold, and members of so many bytes each that memory does not hold them."""
    if epochs * steps > checks.MOST:
        expected = f"at most {checks.MOST // steps:,} with {steps:,} steps each"
        remedy = "Steps are counted in 32 bits."
        raise ValueError(checks.message("epochs", expected, epochs, remedy))
    available = memory.limit()
    if members * needed > available:
        most = f"at most {available // needed:,}"
        expected = f"{most} for the {available / 2**30:.3g} GiB of memory that this process may use"
        remedy = f"Weights and histories take {needed:,} bytes a member."
        raise ValueError(checks.message("members", expected, members, remedy))


def check_masks(recipe: Recipe, members: int, masks: Any) -> dict[int, np.ndarray]:
    """Return the masks (M, ...) by weight index."""
    if masks is None:
        return {}
    if not isinstance(masks, (list, tuple)) or len(masks) != len(recipe.weights):
        count = len(masks) if isinstance(masks, (list, tuple)) else type(masks).__name__
        raise ValueError(
            f"Argument `masks` must be a list of {len(recipe.weights)} arrays or None, one per entry of "
            f"get_weights(). Received: {count}."
        )
    found = {}
    for position, (mask, weight) in enumerate(zip(masks, recipe.weights, strict=True)):
        if mask is None:
            continue
        label = f"masks[{position}]"
        mask = checks.array(label, mask, shape=(members, *weight.shape), dtype=recipe.dtype)
        if not weight.trainable:
            raise ValueError(
                f"Argument `{label}` must be None: {weight.name} is not trained. Received: an array."
            )
        other = mask[(mask != 0) & (mask != 1)]
        if other.size:
            raise ValueError(
                f"Argument `{label}` must hold only 0 and 1. Received: {other[0]:g} among them."
            )
        found[position] = mask
    return found


def _initial_weights(recipe: Recipe, members: int, given: Any, seed: int) -> list[np.ndarray]:
    """Return the weights (M, ...) that were given, copies, or draw them."""
    if given is None:
        return draws.draw(recipe, members, seed)
    arrays, _ = inference.check_weights("initial_weights", given, recipe, members)
    return [
        np.array(checks.array(f"initial_weights[{position}]", values, dtype=recipe.dtype))
        for position, values in enumerate(arrays)
    ]


def check_snapshots(snapshots: Any, first: int, last: int) -> tuple[int, ...]:
    """Return the epochs whose weights are kept, sorted; refuse those outside ``first`` to ``last``."""
    if checks.ndim(snapshots) == 0 and not isinstance(snapshots, (set, frozenset)):
        expected = "a sequence of epochs, such as (0, 100)"
        raise TypeError(checks.message("snapshots", expected, snapshots))
    return tuple(sorted({checks.integer("snapshots", s, low=first, high=last) for s in snapshots}))


def _shapes(
    recipe: Recipe,
    dataset: Dataset,
    batch_size: int,
    values: Hyper,
    counts: Mapping[str, np.ndarray],
    **decided: Any,
) -> Shapes:
    """Return all that the compiled program's shape depends on; ``decided`` are fields of it."""
    batch = min(batch_size, dataset.n_train)
    width = runtime.chunk_width(recipe, batch)
    return Shapes(
        width=width,
        batch=batch,
        part=runtime.part_length(recipe, dataset.n_train, width),
        n_train=dataset.n_train,
        n_val=_validated(dataset),
        stacked=dataset.stacked,
        task=dataset.task,
        penalised=tuple(values.l1),
        random=tuple(values.rates),
        weighted={0: "", 1: "shared", 2: "own"}[counts["w"].ndim if "w" in counts else 0],
        val_weighted="w_val" in counts,
        **decided,
    )


def _validated(dataset: Dataset) -> int:
    """Return how many examples a member is validated on."""
    return 0 if dataset.x_val is None else dataset.x_val.shape[1 if dataset.stacked else 0]


def _counts(
    dataset: Dataset, members: int, train: Any, val: Any, dtype: str
) -> dict[str, np.ndarray]:
    """Return how much examples count, where the caller said so: "w" (N,) or (M, N), and "w_val" alike."""
    found = {}
    for key, label, given, count in (
        ("w", "sample_weight", train, dataset.n_train),
        ("w_val", "validation_data[2]", val, _validated(dataset)),
    ):
        if given is None:
            continue
        values = checks.array(label, given, dtype=dtype)
        shapes = (
            [(count,)] if key == "w_val" and not dataset.stacked else [(count,), (members, count)]
        )
        if values.shape not in shapes:
            raise ValueError(
                f"Argument `{label}` must have shape {' or '.join(map(str, shapes))}, one weight an example. "
                f"Received: {values.shape}."
            )
        if dataset.stacked:
            values = np.broadcast_to(values, (members, count))
        found[key] = np.array(values)
    return found


def _arrays(dataset: Dataset, dtype: str) -> dict[str, np.ndarray]:
    """Return the arrays that training reads, floats in the model's dtype."""
    found = {"x": dataset.x_train, "y": dataset.y_train}
    x, y = dataset.x_val, dataset.y_val
    if x is not None and y is not None and _validated(dataset):
        found |= {"x_val": x, "y_val": y}
    return {
        name: values.astype(dtype, copy=False) if values.dtype.kind == "f" else values
        for name, values in found.items()
    }

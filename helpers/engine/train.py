"""Training as functions of a plan: `chunk` trains some members, `collect` makes one result of all.

Axes in comments: M members of the chunk, E epochs, N examples; every array of a member has M first.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import tf
from helpers.engine import draws, losses, optimizers, program, resume, runtime
from helpers.engine.plan import Plan
from helpers.engine.program import Inputs, State
from helpers.engine.runs import Runs

Tensors = dict[str, Any]


class Trained(NamedTuple):
    """What training gives for some members.

    Attributes
    ----------
    finite : numpy.ndarray (M,) bool
        Whether every training loss was, in the model's dtype.
    history : dict of str to numpy.ndarray (M, E) float32
        By metric, of every epoch; "val_" values only where an epoch is recorded.
    weights : list of numpy.ndarray (M, ...)
        After the last epoch.
    snapshots : dict of int to list of numpy.ndarray (M, ...)
        By epoch, without epoch 0.
    """

    finite: np.ndarray
    history: dict[str, np.ndarray]
    weights: list[np.ndarray]
    snapshots: dict[int, list[np.ndarray]]

    def flat(self) -> list[np.ndarray]:
        """Return all arrays in a fixed order."""
        kept = [w for weights in self.snapshots.values() for w in weights]
        return [self.finite, *self.history.values(), *self.weights, *kept]


def blank(plan: Plan, members: int) -> Trained:
    """Return arrays of the right shapes and types for so many members, their values undefined."""
    scores = losses.metrics(plan.shapes.task, plan.recipe.output_shape[0])
    names = ["loss", *scores]
    if plan.shapes.n_val:
        names += [f"val_{name}" for name in names]

    def weights() -> list[np.ndarray]:
        return [np.empty((members, *w.shape[1:]), w.dtype) for w in plan.initial]

    return Trained(
        np.empty(members, bool),
        {name: np.empty((members, plan.epochs), np.float32) for name in names},
        weights(),
        {epoch: weights() for epoch in plan.snapshots if epoch},
    )


def _filled(plan: Plan, arrays: Sequence[np.ndarray]) -> Trained:
    """Return `Trained` of arrays in the order of `Trained.flat`."""
    names, each = blank(plan, 0), iter(arrays)
    return Trained(
        next(each),
        {name: next(each) for name in names.history},
        [next(each) for _ in names.weights],
        {epoch: [next(each) for _ in names.weights] for epoch in names.snapshots},
    )


def chunk(
    plan: Plan,
    index: int,
    *,
    shared: Tensors | None = None,
    advance: runtime.Advance = lambda amount: None,
    stop: threading.Event | None = None,
) -> Trained | None:
    """Train one chunk of members from their initial weights to the last epoch; a pure function of plan and index.

    Parameters
    ----------
    plan : Plan
        From `plan.make`.
    index : int
        Which chunk, below `chunks(plan)`.
    shared : dict of str to tensor, optional
        `tensors(plan)`, made once for all chunks.
    advance : callable
        Told how many epochs of how many members are done.
    stop : threading.Event, optional
        Looked at between two calls of the compiled program.

    Returns
    -------
    Trained or None
        Of the chunk's members, the same bits whichever chunks are trained elsewhere; None where ``stop`` was set.
    """
    shapes, mine = plan.shapes, runtime.chunk(index, plan.members, plan.shapes.width)
    found = blank(plan, mine.kept)
    found.finite.fill(True)
    state, inputs = _start(plan, mine, shared)
    generators = _order_generators(plan, mine)
    size = (shapes.part, shapes.width, shapes.n_train) if shapes.ordered else (1,)
    orders = np.zeros(size, np.int32)  # (E, M, N)
    every, last, done = tf.constant(plan.record_every), tf.constant(plan.epochs), 0

    # From one snapshot to the next, in parts that are short enough for Ctrl-C.
    for target in sorted({*plan.snapshots, plan.epochs} - {0}):
        while done < target:
            if stop is not None and stop.is_set():
                return None
            count = min(shapes.part, target - done)
            if shapes.ordered:
                _draw_orders(generators, orders[:count])
                inputs = inputs._replace(orders=tf.constant(orders))
            arguments = (tf.constant(count), tf.constant(done), every, last, state, inputs)
            step = program.training(
                plan.recipe, plan.optimizer, plan.static, plan.loss, shapes, arguments
            )
            state, records = step(*arguments)  # records[name]: (part, M), of which `count` rows
            losses_seen = records["loss"].numpy()[:count, : mine.kept]
            found.finite[:] &= np.isfinite(losses_seen).all(axis=0)
            with np.errstate(over="ignore"):  # double precision holds losses that float32 cannot
                for name, values in records.items():
                    rows = values.numpy()[:count, : mine.kept]
                    found.history[name][:, done : done + count] = rows.T
            done += count
            advance(mine.kept * count)
        if target in found.snapshots:
            _copy(state, found.snapshots[target], mine.kept)
    _copy(state, found.weights, mine.kept)
    return found


def chunks(plan: Plan) -> int:
    """Return the number of chunks of a plan."""
    return -(-plan.members // plan.shapes.width)


def tensors(plan: Plan, chosen: np.ndarray | None = None) -> Tensors:
    """Return the data as tensors: whole, or the rows of the chosen members of a stack."""
    return {
        name: tf.constant(values if chosen is None else values[chosen])
        for name, values in plan.data.items()
    }


def _start(plan: Plan, mine: runtime.Chunk, shared: Tensors | None) -> tuple[State, Inputs]:
    """Return the tensors of a chunk before its first step; the last member is repeated to the full width."""

    def rows(values: np.ndarray) -> Any:
        return tf.constant(values[mine.chosen])  # (width, ...)

    weights = [rows(w) for w in plan.initial]
    trained = [w for w, spec in zip(weights, plan.recipe.weights, strict=True) if spec.trainable]
    data = tensors(plan, mine.chosen) if plan.shapes.stacked else shared or tensors(plan)
    inputs = Inputs(
        hyper=tf.nest.map_structure(rows, plan.hyper),
        data=data,
        orders=tf.constant(np.zeros(1, np.int32)),
        keys=rows(plan.keys),
        masks=[rows(plan.masks[position]) for position in plan.shapes.masked],
    )
    return State(weights, optimizers.slots(plan.static, trained)), inputs


def _order_generators(plan: Plan, mine: runtime.Chunk) -> list[np.random.Generator]:
    """Return the generators of the batch orders: one for each kept member, or one for all."""
    if not plan.shapes.ordered:
        return []
    place = mine.place
    members = range(1) if plan.shuffle == "shared" else range(place.start, place.stop)
    return [draws.order_generator(plan.seed, plan.shuffle, member) for member in members]


def _draw_orders(generators: Sequence[np.random.Generator], orders: np.ndarray) -> None:
    """Fill orders (E, M, N) with the next epochs; the last generator's go to the rest of the chunk."""
    for slot, generator in enumerate(generators):
        end = None if slot + 1 == len(generators) else slot + 1
        drawn = draws.epoch_orders(generator, orders.shape[2], len(orders))  # (E, N)
        orders[:, slot:end] = drawn[:, np.newaxis]


def _copy(state: State, target: Sequence[np.ndarray], kept: int) -> None:
    """Copy the kept members' weights into arrays."""
    for store, values in zip(target, state.weights, strict=True):
        store[...] = values.numpy()[:kept]


def every_chunk(plan: Plan, bar: Any = None) -> Trained:
    """Train all chunks, one Python thread per core; finished ones are kept where a killed run is to be resumed.

    Not with code of the caller's own, which could change unnoticed: see `Plan.of_keras` and `resume`.
    """
    shared = None if plan.shapes.stacked else tensors(plan)

    def work(
        mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
    ) -> list[np.ndarray] | None:
        found = chunk(plan, mine.index, shared=shared, advance=advance, stop=stop)
        return None if found is None else found.flat()

    if plan.of_keras:
        work = resume.resumable(
            work, lambda mine: blank(plan, mine.kept).flat(), lambda: _depends(plan), plan.epochs
        )
    return _filled(plan, runtime.map_chunks(work, plan.members, plan.shapes.width, bar))


def _depends(plan: Plan) -> dict[str, Any]:
    """Return all that the bits of the chunks depend on, besides the package, the versions and the machine."""
    return {
        "model": (*plan.recipe.key, plan.recipe.dtype, plan.loss),
        "data": plan.data,
        "weights": [plan.initial, plan.masks],
        "optimizer": [plan.static, plan.hyper],
        "random": [plan.seed, plan.shuffle],
        "length": [plan.members, plan.epochs, plan.batch_size, plan.record_every, plan.snapshots],
        "shapes": tuple(vars(plan.shapes).values()),
    }


def collect(plan: Plan, chunks: Sequence[Trained]) -> Runs:
    """Return the finished runs.

    Parameters
    ----------
    plan : Plan
        From `plan.make`.
    chunks : sequence of Trained
        Of all members, in order: one for each chunk, or one for all from `every_chunk`.

    Returns
    -------
    Runs
        With the initial weights and settings of the plan.
    """
    flat = [each.flat() for each in chunks]
    arrays = [
        parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in zip(*flat, strict=True)
    ]
    whole = _filled(plan, arrays)
    if len(whole.finite) != plan.members:
        raise ValueError(f"All {plan.members} members are needed. Received: {len(whole.finite)}.")

    # A validation loss or metric alone may be too large for float32, or a weight after the last step.
    finite = whole.finite.copy()
    for values in (*whole.history.values(), *whole.weights):
        finite &= np.isfinite(values.reshape(plan.members, -1)).all(axis=1)

    epochs = np.arange(1, plan.epochs + 1)
    recorded = epochs[(epochs % plan.record_every == 0) | (epochs == plan.epochs)]
    history = {
        name: np.ascontiguousarray(values[:, recorded - 1])
        for name, values in whole.history.items()
    }
    kept = {
        epoch: whole.snapshots[epoch] if epoch else [w.copy() for w in plan.initial]
        for epoch in plan.snapshots
    }
    initial = [w.copy() for w in plan.initial]
    return Runs(
        plan.recipe,
        copy.deepcopy(plan.settings),
        copy.deepcopy(plan.vary),
        history,
        recorded,
        initial,
        whole.weights,
        kept,
        ~finite,
    )

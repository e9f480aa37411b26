"""Training as functions of a plan: `chunk` trains some members; `runs.collect` makes one result of all.

Axes in comments: M members of the chunk, E epochs, N examples; every array of a member has M first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import tf
from helpers.engine import (
    cluster,
    draws,
    optimizers,
    parcels,
    program,
    resume,
    runtime,
    scores,
    stopping,
)
from helpers.engine.plan import Plan
from helpers.engine.program import Inputs, State

Tensors = dict[str, Any]
Work = Callable[[runtime.Chunk, runtime.Advance, threading.Event], list[np.ndarray] | None]


class Trained(NamedTuple):
    """What training gives for some members.

    Attributes
    ----------
    finite : numpy.ndarray (M,) bool
        Whether every training loss was, in the model's dtype.
    stopped, best : numpy.ndarray (M,) int32
        The epochs at which members stopped early and had their best value, from 1; 0 where there is none.
    history : dict of str to numpy.ndarray (M, E) float32
        By metric, of every epoch of the plan; "val_" values only where an epoch is recorded. NaN after a stop.
    weights : list of numpy.ndarray (M, ...)
        After the last epoch, or of the best one where these are restored.
    snapshots : dict of int to list of numpy.ndarray (M, ...)
        By epoch, without epoch 0.
    state : list of numpy.ndarray (M, ...)
        The arrays of `program.State` after the last epoch; empty unless the plan is resumable.
    """

    finite: np.ndarray
    stopped: np.ndarray
    best: np.ndarray
    history: dict[str, np.ndarray]
    weights: list[np.ndarray]
    snapshots: dict[int, list[np.ndarray]]
    state: list[np.ndarray]

    def flat(self) -> list[np.ndarray]:
        """Return all arrays in a fixed order."""
        kept = [w for weights in self.snapshots.values() for w in weights]
        every = [*self.history.values(), *self.weights, *kept, *self.state]
        return [self.finite, self.stopped, self.best, *every]


def blank(plan: Plan, members: int) -> Trained:
    """Return arrays of the right shapes and types for so many members, their values undefined."""
    shapes = plan.shapes
    outputs = plan.recipe.output_shape[0]
    names = scores.recorded(shapes.task, outputs, shapes.n_val, shapes.asked)
    length = plan.epochs - plan.first

    def weights() -> list[np.ndarray]:
        return [np.empty((members, *w.shape[1:]), w.dtype) for w in plan.initial]

    state = tf.nest.flatten(_state(plan, slice(1))) if plan.resumable else []
    return Trained(
        np.empty(members, bool),
        np.empty(members, np.int32),
        np.empty(members, np.int32),
        {name: np.empty((members, length), np.float32) for name in names},
        weights(),
        {epoch: weights() for epoch in plan.snapshots if epoch},
        [np.empty((members, *s.shape[1:]), s.dtype.as_numpy_dtype) for s in state],
    )


def filled(plan: Plan, arrays: Sequence[np.ndarray]) -> Trained:
    """Return `Trained` of arrays in the order of `Trained.flat`."""
    names, each = blank(plan, 0), iter(arrays)
    return Trained(
        next(each),
        next(each),
        next(each),
        {name: next(each) for name in names.history},
        [next(each) for _ in names.weights],
        {epoch: [next(each) for _ in names.weights] for epoch in names.snapshots},
        [next(each) for _ in names.state],
    )


def chunk(
    plan: Plan,
    index: int,
    *,
    shared: Tensors | None = None,
    advance: runtime.Advance = lambda amount: None,
    stop: threading.Event | None = None,
) -> Trained | None:
    """Train one chunk of members from where they stand to the last epoch; a pure function of plan and index.

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
    rule, found = shapes.stopping, _begun(plan, mine)
    state, inputs = _state(plan, mine.chosen), _inputs(plan, mine, shared)
    _look(found, state)
    generators = _order_generators(plan, mine)
    size = (shapes.part, shapes.width, shapes.n_train) if shapes.ordered else (1,)
    orders = np.zeros(size, np.int32)  # (E, M, N)
    # A rule looks at every epoch, recorded or not.
    watched = rule is not None and rule.monitor.startswith("val_")
    every, last = tf.constant(1 if watched else plan.record_every), tf.constant(plan.epochs)
    done = plan.first

    # From one snapshot to the next, in parts that are short enough for Ctrl-C.
    for target in sorted({*plan.snapshots, plan.epochs} - {0}):
        while done < target:
            if stop is not None and stop.is_set():
                return None
            if found.stopped.all():  # what the history holds from here on is NaN
                advance(mine.kept * (target - done))
                done = target
                break
            count = min(shapes.part, target - done)
            if shapes.ordered:
                _draw_orders(generators, orders[:count])
                inputs = inputs._replace(orders=tf.constant(orders))
            arguments = (tf.constant(count), tf.constant(done), every, last, state, inputs)
            step = program.training(
                plan.recipe, plan.optimizer, plan.static, plan.loss, shapes, arguments
            )
            state, records = step(*arguments)  # records[name]: (part, M), of which `count` rows
            _look(found, state)
            _record(found, records, done - plan.first, np.arange(done + 1, done + count + 1))
            done += count
            advance(mine.kept * count)
        if target in found.snapshots:
            _copy(state, found.snapshots[target], mine.kept)
    _copy(state, found.weights, mine.kept)
    if rule is not None and rule.restore_best_weights:
        chosen = found.best > 0  # the others were never looked at
        for store, values in zip(found.weights, state.watch.best_weights, strict=True):
            store[chosen] = values.numpy()[: mine.kept][chosen]
    for store, values in zip(found.state, tf.nest.flatten(state), strict=False):
        store[...] = values.numpy()[: mine.kept]
    return found


def chunks(plan: Plan) -> int:
    """Return the number of chunks of a plan."""
    return -(-plan.members // plan.shapes.width)


def tensors(plan: Plan, chosen: np.ndarray | None = None) -> Tensors:
    """Return as tensors the data that members share; or, of what is each one's own, that of the chosen ones."""
    if chosen is None:
        return {n: tf.constant(v) for n, v in plan.data.items() if n not in plan.own}
    return {n: tf.constant(plan.data[n][chosen]) for n in plan.own}


def _begun(plan: Plan, mine: runtime.Chunk) -> Trained:
    """Return what is to be filled for a chunk, before its first epoch."""
    found = blank(plan, mine.kept)
    found.finite[:] = True if plan.earlier is None else plan.earlier.finite[mine.place]
    found.stopped.fill(0)
    found.best.fill(0)
    for values in found.history.values():
        values.fill(np.nan)
    return found


def _state(plan: Plan, chosen: np.ndarray | slice) -> State:
    """Return what training changes before the first step, for the chosen members."""
    weights = [tf.constant(w[chosen]) for w in plan.initial]
    trained = [w for w, spec in zip(weights, plan.recipe.weights, strict=True) if spec.trainable]
    slots = optimizers.slots(plan.static, trained)
    state = State(weights, slots, stopping.start(plan.shapes.stopping, weights))
    if plan.earlier is None:
        return state
    return tf.nest.pack_sequence_as(state, [tf.constant(s[chosen]) for s in plan.earlier.state])


def _inputs(plan: Plan, mine: runtime.Chunk, shared: Tensors | None) -> Inputs:
    """Return what training reads of a chunk; the last member is repeated to the full width."""

    def rows(values: np.ndarray) -> Any:
        return tf.constant(values[mine.chosen])  # (width, ...)

    data = (tensors(plan) if shared is None else shared) | tensors(plan, mine.chosen)
    return Inputs(
        hyper=tf.nest.map_structure(rows, plan.hyper),
        data=data,
        orders=tf.constant(np.zeros(1, np.int32)),
        keys=rows(plan.keys),
        masks=[rows(plan.masks[position]) for position in plan.shapes.masked],
    )


def _order_generators(plan: Plan, mine: runtime.Chunk) -> list[np.random.Generator]:
    """Return the generators of the batch orders, one for each kept member or one for all, past the epochs done."""
    if not plan.shapes.ordered:
        return []
    place, first = mine.place, plan.start
    members = (
        range(1) if plan.shuffle == "shared" else range(first + place.start, first + place.stop)
    )
    generators = [draws.order_generator(plan.seed, plan.shuffle, member) for member in members]
    for done in range(0, plan.first, plan.shapes.part):
        for generator in generators:
            count = min(plan.shapes.part, plan.first - done)
            draws.epoch_orders(generator, plan.shapes.n_train, count)
    return generators


def _draw_orders(generators: Sequence[np.random.Generator], orders: np.ndarray) -> None:
    """Fill orders (E, M, N) with the next epochs; the last generator's go to the rest of the chunk."""
    for slot, generator in enumerate(generators):
        end = None if slot + 1 == len(generators) else slot + 1
        drawn = draws.epoch_orders(generator, orders.shape[2], len(orders))  # (E, N)
        orders[:, slot:end] = drawn[:, np.newaxis]


def _look(found: Trained, state: State) -> None:
    """Note which members have stopped, and when they were best."""
    if state.watch:
        kept = len(found.stopped)
        found.stopped[:] = state.watch.stopped_epoch.numpy()[:kept]
        found.best[:] = state.watch.best_epoch.numpy()[:kept]


def _record(found: Trained, records: Tensors, column: int, epochs: np.ndarray) -> None:
    """Put the history of some epochs, rows of records, into columns from a given one on."""
    ran = stopping.ran(found.stopped, epochs)  # (M, E)
    kept, count = ran.shape
    losses_seen = records["loss"].numpy()[:count, :kept].T
    found.finite[:] &= (np.isfinite(losses_seen) | ~ran).all(axis=1)
    with np.errstate(over="ignore"):  # double precision holds losses that float32 cannot
        for name, values in records.items():
            rows = values.numpy()[:count, :kept].T
            found.history[name][:, column : column + count] = np.where(ran, rows, np.nan)


def _copy(state: State, target: Sequence[np.ndarray], kept: int) -> None:
    """Copy the kept members' weights into arrays."""
    for store, values in zip(target, state.weights, strict=True):
        store[...] = values.numpy()[:kept]


def every_chunk(plan: Plan, bar: Any = None) -> Trained:
    """Train all chunks, one Python thread per core; finished ones are kept where a killed run is to be resumed.

    Not with code of the caller's own, which could change unnoticed: see `Plan.of_keras` and `resume`. Inside
    `helpers.cluster` the chunks are trained there.
    """
    elsewhere = cluster.current()
    if elsewhere is None:
        return _whole(plan, _here(plan), bar)
    with elsewhere.sent(parcels.training(plan)) as work:
        others = {"processors": sorted(elsewhere.others)} if elsewhere.others else {}
        return _whole(plan, work, bar, elsewhere.threads(), others)


def _here(plan: Plan) -> Work:
    """Return the function that trains a chunk in this process."""
    shared = tensors(plan)

    def work(
        mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
    ) -> list[np.ndarray] | None:
        found = chunk(plan, mine.index, shared=shared, advance=advance, stop=stop)
        return None if found is None else found.flat()

    return work


def _whole(
    plan: Plan,
    work: Work,
    bar: Any = None,
    threads: int | None = None,
    others: dict[str, Any] | None = None,
) -> Trained:
    """Return what ``work`` trains, chunk by chunk; ``others`` is what the bits depend on besides."""
    if plan.of_keras:
        work = resume.resumable(
            work,
            lambda mine: blank(plan, mine.kept).flat(),
            lambda: _depends(plan) | (others or {}),
            plan.epochs - plan.first,
        )
    return filled(plan, runtime.map_chunks(work, plan.members, plan.shapes.width, bar, threads))


def _depends(plan: Plan) -> dict[str, Any]:
    """Return all that the bits of the chunks depend on, besides the package, the versions and the machine."""
    return {
        "model": (*plan.recipe.key, plan.recipe.dtype, plan.loss),
        "data": plan.data,
        "weights": [plan.initial, plan.masks],
        "earlier": plan.earlier,
        "optimizer": [plan.static, plan.hyper],
        "random": [plan.seed, plan.shuffle],
        "length": [plan.members, plan.epochs, plan.batch_size, plan.record_every, plan.snapshots],
        "kept": plan.resumable,
        "shapes": tuple(vars(plan.shapes).values()),
    }

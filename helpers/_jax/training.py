"""What a worker does: check a training, train a chunk, predict, score.

Axes in comments: W members of a chunk, E epochs, N examples.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from helpers._base import keras_config, orders
from helpers._jax import building, program
from helpers._jax.jobs import Members, Trained, Training
from helpers._jax.stopping import Watch

ORDER_BYTES = 16_000_000  # of the batch orders handed to one call
MOST_EPOCHS = 64  # of one call: between calls a worker says how far it is


class Ready(NamedTuple):
    """A training whose model is built and whose programs are made."""

    job: Training
    steps: program.Steps
    run: Callable[..., Any]
    places: list[tuple[bool, int]]
    length: int  # epochs of one call
    data: dict[str, Any]
    val: dict[str, Any]


def ready(job: Training) -> Ready:
    """Build a training's model and programs, which are compiled when they are first called."""
    model, functions = building.model_of(job.model)
    given = [job.like[name] for name in ("x", "y", "w") if name in job.like]
    batch = tuple(np.zeros((1, *shape[1:]), kind) for shape, kind in given)
    steps = program.Steps(job, model, functions, batch)
    members = job.width if job.shuffle == "member" else 1
    length = ORDER_BYTES // (4 * members * job.examples)
    length = 1 if job.rule is not None else int(np.clip(length, 1, MOST_EPOCHS))
    run = program.epochs(job, steps, "x_val" in job.like)
    shared = {name: jnp.asarray(v) for name, v in job.data.items() if name not in job.own}
    data = {name: v for name, v in shared.items() if not name.endswith("_val")}
    val = {name[:-4]: v for name, v in shared.items() if name.endswith("_val")}
    return Ready(job, steps, run, building.places(model), length, data, val)


def check(job: Training) -> tuple[list[str], list[tuple[tuple[int, ...], str]]]:
    """Trace a step of training and one of validation; nothing is computed.

    Returns
    -------
    names : list of str
        Of what is recorded.
    state : list of (tuple of int, str)
        Shape and dtype of the arrays of one member's state.
    """
    made = ready(job)
    model, steps = made.steps.model, made.steps
    state = steps.state(
        [model.trainable_variables, model.non_trainable_variables],
        [v.value for v in model.optimizer.variables],
    )
    every = {n: jax.ShapeDtypeStruct(shape, kind) for n, (shape, kind) in job.like.items()}
    data = {name: v for name, v in every.items() if not name.endswith("_val")}
    val = {name[:-4]: v for name, v in every.items() if name.endswith("_val")} or data
    order = np.arange(job.examples, dtype=np.int32)
    shape, kind = job.like["x"]
    example = jnp.zeros((1, *shape[1:]), kind)
    lost = building.assigned(model, example)
    if "" in lost:
        raise ValueError(
            "its outputs carry a mask, which metrics would not see: end it with a layer that reads the mask, such as a "
            "recurrent one that returns its last output, or leave masking out"
        )
    if lost:
        raise ValueError(
            f"a layer assigns {lost[0]} in its call, which is trained: Keras's steps on JAX would lose that"
        )
    if "x_val" in job.like and (lost := building.assigned_in_inference(model, example)):
        raise ValueError(
            f"a layer assigns {lost[0]} in inference mode, too: `fit` keeps what validation assigns, and this would "
            "lose it. Leave the validation data out"
        )
    if building.copies_weights(model, job.compiled.optimizer):
        raise ValueError(
            "its optimizer begins with copies of the weights, which networks get only afterwards"
        )
    drawn = _drawn()
    after, _ = jax.eval_shape(lambda s, d: steps.epoch(s, d, order, {}), state, data)
    if _drawn() != drawn:
        raise ValueError(
            "a layer draws from Python's or NumPy's global generator in its call: once for a whole training on JAX"
        )
    _same(state, after)
    jax.eval_shape(steps.validated, state, val)
    found = [(tuple(a.shape), str(a.dtype)) for a in jax.tree.leaves(state[:3])]
    if job.rule is not None:
        found += [((), "float32"), *[((), "int32")] * 3]
        if job.rule["restore_best_weights"]:
            found += [(tuple(w.shape), w.dtype) for w in model.weights]
    return steps.names, found


def _drawn() -> str:
    """Return where the global generators of Python and NumPy stand."""
    numbers: Any = np.random.get_state()  # noqa: NPY002 - the one that others use
    return repr((random.getstate(), numbers[1:3]))


def _same(before: Any, after: Any) -> None:
    """Refuse a model whose variables change their shape or type in a step."""
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        if old.shape != new.shape or old.dtype != new.dtype:
            raise ValueError(
                f"a variable of {old.dtype}{list(old.shape)} becomes {new.dtype}{list(new.shape)} in a step"
            )


def train(made: Ready, mine: Members, advance: Callable[[float], None]) -> Trained:
    """Train a chunk from where its members stand to the last epoch."""
    job, steps = made.job, made.steps
    state, watch = _begun(made, mine)
    masks = {
        str(made.places[position][1]): jnp.asarray(mask, mine.weights[position].dtype)
        for position, mask in mine.masks.items()
    }
    own = {name: jnp.asarray(values) for name, values in mine.data.items()}
    data = made.data | {name: v for name, v in own.items() if not name.endswith("_val")}
    val = made.val | {name[:-4]: v for name, v in own.items() if name.endswith("_val")}
    generators = _generators(job, mine)
    seen = np.full((job.epochs - job.first, job.width, len(steps.names)), np.nan, np.float32)
    seen_val = seen.copy()
    kept: dict[int, list[np.ndarray]] = {}
    ends = sorted({*(s for s in job.snapshots if s > job.first), job.epochs} - {job.first})
    done = job.first
    for end in ends:
        while done < end:
            count = min(made.length, end - done)
            order = _orders(job, generators, made.length, count, job.examples)
            active = np.ones(job.width, bool) if watch is None else watch.active()
            if not active.any():  # nothing moves any more
                done += count
                advance(mine.kept * count)
                continue
            state, found, found_val = made.run(
                state, jnp.asarray(active), done, count, order, masks, data, val
            )
            at = slice(done - job.first, done - job.first + count)
            seen[at, active] = np.asarray(found)[:count, active]
            seen_val[at, active] = np.asarray(found_val)[:count, active]
            done += count
            if watch is not None:
                name = job.rule["monitor"]  # type: ignore[index]
                table = seen_val if name.startswith("val_") else seen
                index = steps.names.index(name.removeprefix("val_"))
                latest = state
                value = table[done - 1 - job.first, :, index]
                watch.update(done - 1, value, lambda s=latest: _weights(made, s))
            advance(mine.kept * count)
        if end in job.snapshots:
            kept[end] = _weights(made, state)
    if job.first in job.snapshots and job.first:
        kept[job.first] = _weights(made, _begun(made, mine)[0])
    return _trained(made, mine, state, watch, seen, seen_val, kept)


def _trained(
    made: Ready,
    mine: Members,
    state: Any,
    watch: Watch | None,
    seen: np.ndarray,
    seen_val: np.ndarray,
    kept: dict[int, list[np.ndarray]],
) -> Trained:
    """Return what is recorded of the members that count."""
    job, steps = made.job, made.steps
    stopped = np.zeros(job.width, np.int32) if watch is None else watch.stopped_epoch
    best = np.zeros(job.width, np.int32) if watch is None else watch.best_epoch
    epochs = np.arange(job.first + 1, job.epochs + 1)
    ran = (stopped == 0) | (epochs[:, np.newaxis] <= stopped)  # (E, W)
    losses = seen[:, :, steps.names.index("loss")]
    history = {name: seen[:, :, i].T for i, name in enumerate(steps.names)}
    if "x_val" in job.like:
        history |= {f"val_{name}": seen_val[:, :, i].T for i, name in enumerate(steps.names)}
    weights = _weights(made, _averaged(made, state))
    if watch is not None and watch.best_weights:
        chosen = best > 0  # the others were never looked at
        for store, values in zip(weights, watch.best_weights, strict=True):
            store[chosen] = values[chosen]
    after = [] if not job.resumable else [np.asarray(a) for a in jax.tree.leaves(state[:3])]
    if job.resumable and watch is not None:
        after += watch.state()

    def mine_of(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [np.ascontiguousarray(a[: mine.kept]) for a in arrays]

    finite = (np.isfinite(losses) | ~ran).all(axis=0)
    finite, stopped, best = mine_of([finite, stopped, best])
    return Trained(
        finite,
        stopped,
        best,
        {name: np.ascontiguousarray(values[: mine.kept]) for name, values in history.items()},
        mine_of(weights),
        {epoch: mine_of(kept[epoch]) for epoch in sorted(kept)},
        mine_of(after),
    )


def _begun(made: Ready, mine: Members) -> tuple[Any, Watch | None]:
    """Return the state before the first epoch, and what early stopping has seen."""
    job, model = made.job, made.steps.model
    trained: list[Any] = [None] * len(model.trainable_variables)
    other = [_repeated(v, job.width) for v in building.values(model.non_trainable_variables)]
    for (is_trained, index), values in zip(made.places, mine.weights, strict=True):
        (trained if is_trained else other)[index] = values
    for ordinal, index in enumerate(building.seed_states(model)):
        other[index] = building.generator_state(mine.keys, ordinal)
    optimizer = [_repeated(v, job.width) for v in building.values(model.optimizer.variables)]
    if mine.rates is not None:
        rate = keras_config.inner_of(model.optimizer)._learning_rate
        (index,) = [i for i, v in enumerate(model.optimizer.variables) if v is rate]
        optimizer[index] = mine.rates.astype(optimizer[index].dtype)
    watched = None
    if mine.state is not None:
        counts = len(trained), len(other), len(optimizer)
        each = iter(mine.state)
        trained, other, optimizer = ([next(each) for _ in range(n)] for n in counts)
        watched = list(each)
    metrics = [_repeated(v, job.width) for v in made.steps.state([[], []], [])[3]]
    groups = (trained, other, optimizer, metrics)
    state = tuple([jnp.array(v) for v in group] for group in groups)  # copies: they are given away
    if job.rule is None:
        return state, None
    return state, Watch(job.rule, _weights(made, state), watched)


def _repeated(values: np.ndarray, width: int) -> np.ndarray:
    return np.broadcast_to(values, (width, *np.shape(values)))


def _weights(made: Ready, state: Any) -> list[np.ndarray]:
    """Return the weights (W, ...) in the order of ``get_weights()``, copies."""
    return [np.array(state[0 if trained else 1][index]) for trained, index in made.places]


def _averaged(made: Ready, state: Any) -> Any:
    """Return the state with an optimizer's averages in the place of weights, as ``fit`` ends with them."""
    optimizer = made.steps.model.optimizer
    inner = keras_config.inner_of(optimizer)
    if not getattr(inner, "use_ema", False) or not made.job.epochs:
        return state
    places = {id(v): i for i, v in enumerate(optimizer.variables)}
    averages = [state[2][places[id(v)]] for v in inner._model_variables_moving_average]
    return averages, *state[1:]


def _generators(job: Training, mine: Members) -> list[np.random.Generator]:
    """Return the generators of the batch orders, one a member or one for all, past the epochs done."""
    if not job.shuffle or job.examples <= job.batch_size:
        return []
    members = [0]
    if job.shuffle == "member":
        members = [mine.start + min(i, mine.kept - 1) for i in range(job.width)]
    found = [orders.order_generator(job.seed, job.shuffle, member) for member in members]
    for _ in range(job.first):
        for generator in found:
            orders.epoch_orders(generator, job.examples, 1)
    return found


def _orders(
    job: Training, generators: list[np.random.Generator], length: int, count: int, examples: int
) -> np.ndarray:
    """Return the next orders (P, W, N), or (P, N) where all have the same; only ``count`` are drawn."""
    each = job.shuffle == "member"
    shape = (length, job.width, examples) if each else (length, examples)
    found = np.empty(shape, np.int32)
    found[...] = np.arange(examples, dtype=np.int32)
    for slot, generator in enumerate(generators):
        drawn = orders.epoch_orders(generator, examples, count)
        if each:
            found[:count, slot] = drawn
        else:
            found[:count] = drawn
    return found


def predict(model: Any, weights: list[np.ndarray], x: np.ndarray, stacked: bool) -> np.ndarray:
    """Return outputs (W, N, ...) of a model's copies in inference mode."""
    trained, other = _filled(model, weights)
    run = program.predictions(model, stacked)
    return program.in_blocks(lambda rows: run(trained, other, rows), x, int(stacked))


def _filled(model: Any, weights: list[np.ndarray]) -> tuple[list[Any], list[Any]]:
    """Return the trainable and the other variables (W, ...) that hold these weights."""
    width = len(weights[0])
    trained: list[Any] = [None] * len(model.trainable_variables)
    other = [_repeated(v, width) for v in building.values(model.non_trainable_variables)]
    for (is_trained, index), values in zip(building.places(model), weights, strict=True):
        (trained if is_trained else other)[index] = values
    return trained, other

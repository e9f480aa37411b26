"""Compiled functions of a chunk: some epochs, predictions, scores. Keras's own steps, with a member axis by ``vmap``.

A state is a tuple of four lists, as ``train_step`` of Keras's JAX trainer takes it: trainable variables, other
variables, the optimizer's, the metrics'. Every array of a chunk has its W members first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from helpers._jax import building
from helpers._jax.jobs import Training

PREDICT_ROWS = 1024


class Steps:
    """Keras's steps for one member: pure functions of its state and data.

    Attributes
    ----------
    model : keras.Model
        Compiled, and built for the data.
    names : list of str
        Of what a step records.
    """

    def __init__(self, job: Training, model: Any, functions: Sequence[Any], batch: tuple):
        building.compile_model(model, list(functions), job.compiled, job.model.ending)
        model._symbolic_build(data_batch=batch)  # losses and metrics make their variables
        self.model, self._job = model, job
        self._blank = building.values(model.metrics_variables)
        state = self.state([model.trainable_variables, model.non_trainable_variables], [])
        shapes = jax.eval_shape(lambda: self._results(state[3]))
        self.names = list(shapes)

    def state(self, variables: Sequence[Any], optimizer: Any) -> tuple[Any, ...]:
        """Return the state of these variables, metrics begun anew."""
        values = [[getattr(v, "value", v) for v in group] for group in variables]
        return (*values, list(optimizer), list(self._blank))

    def _results(self, metrics: Any) -> dict[str, Any]:
        pairs = list(zip(self.model.metrics_variables, metrics, strict=True))
        with building.keras.StatelessScope(state_mapping=pairs):
            return dict(self.model.get_metrics_result())

    def epoch(
        self, state: Any, data: Mapping[str, Any], order: Any, masks: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        """Return the state after an epoch on rows in this order (N,), and what it records: (names,)."""
        size = min(self._job.batch_size, order.shape[0])
        full = order.shape[0] // size

        def step(state: Any, rows: Any) -> tuple[Any, None]:
            _, state = self.model.train_step(state, tuple(d[rows] for d in _parts(data)))
            trained, *others = state
            kept = [w * masks[str(i)] if str(i) in masks else w for i, w in enumerate(trained)]
            return (kept, *others), None

        state = (*state[:3], list(self._blank))
        state, _ = jax.lax.scan(step, state, order[: full * size].reshape(full, size))
        if full * size < order.shape[0]:
            state, _ = step(state, order[full * size :])
        return state, self._stacked(self._results(state[3]))

    def validated(self, state: Any, data: Mapping[str, Any]) -> Any:
        """Return what is recorded of validation data or of new data: (names,)."""
        trained, other, *_ = state
        count = data["x"].shape[0]
        size = min(
            self._job.batch_size, count
        )  # as `fit` validates: not every loss is a mean over examples
        full, rest = divmod(count, size)

        def step(metrics: Any, rows: Any) -> tuple[Any, None]:
            batch = tuple(d[rows] for d in _parts(data))
            _, (_, _, metrics) = self.model.test_step((trained, other, metrics), batch)
            return metrics, None

        metrics = list(self._blank)
        rows = jnp.arange(count)
        if full:
            whole = rows[: full * size].reshape(full, size)
            metrics, _ = jax.lax.scan(step, metrics, whole)
        if rest:
            metrics, _ = step(metrics, rows[-rest:])
        return self._stacked(self._results(metrics))

    def _stacked(self, results: Mapping[str, Any]) -> Any:
        return jnp.stack([jnp.asarray(results[name], jnp.float32) for name in self.names])


def _parts(data: Mapping[str, Any]) -> list[Any]:
    """Return x, y and, where examples have weights, these."""
    return [data[name] for name in ("x", "y", "w") if name in data]


def epochs(job: Training, steps: Steps, validated: bool) -> Callable[..., Any]:
    """Return the compiled ``(state, active, first, count, orders, masks, data, val)`` to state and records.

    ``orders``: (P, N), or (P, W, N) of each member's own, of which ``count`` are used. Records: (P, W, names), and of
    validation, NaN where an epoch is not recorded. Members that are not ``active`` (W,) stay as they are.
    """
    own_order = job.shuffle == "member"

    def axes(data: Mapping[str, Any], suffix: str = "") -> dict[str, int | None]:
        return {name: 0 if name + suffix in job.own else None for name in data}

    def part(
        state: Any,
        active: Any,
        first: Any,
        count: Any,
        orders: Any,
        masks: Any,
        data: Any,
        val: Any,
    ) -> tuple[Any, Any, Any]:
        train = jax.vmap(steps.epoch, in_axes=(0, axes(data), 0 if own_order else None, 0))
        check = jax.vmap(steps.validated, in_axes=(0, axes(val, "_val")))
        blank = jnp.full((orders.shape[0], job.width, len(steps.names)), jnp.nan, jnp.float32)

        def body(index: Any, carry: Any) -> Any:
            state, seen, seen_val = carry
            new, found = train(state, data, orders[index], masks)
            if job.rule is not None:
                new = jax.tree.map(lambda a, b: jnp.where(_spread(active, a), a, b), new, state)
            if validated:
                number = first + index + 1
                due = (number % job.record_every == 0) | (number == job.epochs)
                due |= job.rule is not None
                values = jax.lax.cond(
                    due, lambda: check(new, val), lambda: jnp.full_like(found, jnp.nan)
                )
                seen_val = seen_val.at[index].set(values)
            return new, seen.at[index].set(found), seen_val

        return jax.lax.fori_loop(0, count, body, (state, blank, blank))

    return jax.jit(part, donate_argnums=0)


def _spread(flags: Any, like: Any) -> Any:
    """Return flags (W,) with as many axes as an array (W, ...)."""
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


@functools.lru_cache(maxsize=8)
def predictions(model: Any, stacked: bool) -> Callable[..., Any]:
    """Return the compiled ``(trainable, other, x)`` to outputs (W, N, ...) in inference mode."""

    def one(trained: Any, other: Any, x: Any) -> Any:
        outputs, _ = model.stateless_call(
            trained, other, x, **building.training_or_not(model, False)
        )
        return outputs

    return jax.jit(jax.vmap(one, in_axes=(0, 0, 0 if stacked else None)))


def in_blocks(function: Callable[[Any], Any], x: np.ndarray, axis: int) -> np.ndarray:
    """Return what a function gives of rows, `PREDICT_ROWS` at a time and the rest, joined along axis 1."""
    count = x.shape[axis]
    cuts = list(range(PREDICT_ROWS, count, PREDICT_ROWS))
    return np.concatenate([np.asarray(function(p)) for p in np.split(x, cuts, axis)], axis=1)

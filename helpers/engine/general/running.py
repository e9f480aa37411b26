"""Plans trained by the workers, predictions and scores of what they trained."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers._jax import jobs, metrics
from helpers._tensorflow import keras, keras_settings
from helpers.engine import cluster, parcels, resume, runtime
from helpers.engine.general.data import numbers_of, one_hot
from helpers.engine.general.model import GeneralModel
from helpers.engine.general.plan import Plan, job_of, refusal, width_of
from helpers.engine.general.pool import POOL, Refused, lacking


class Shared(NamedTuple):
    """What all chunks of a training share; it can be sent to another machine.

    Attributes
    ----------
    name : str
        Of the job: equal names are equal jobs.
    job : jobs.Training
    names : list of str
        Of what is recorded.
    snapshots : tuple of int
    about : dict of str
        What the bits depend on besides: see `about`.
    """

    name: str
    job: jobs.Training
    names: list[str]
    snapshots: tuple[int, ...]
    about: dict[str, str]


def about() -> dict[str, str]:
    """Return what trains here: JAX and Keras, what they run on, and a digest of the code of the workers."""
    code = {name: made for name, made in resume.SOURCES.items() if name.startswith("_jax/")}
    return POOL.about() | {"code": resume.key(code)}


def train(plan: Plan, bar: Any = None) -> jobs.Trained:
    """Train all chunks, one worker a core; finished ones are kept where a killed run is to be resumed.

    Inside `helpers.cluster` the chunks are trained there, in processes that its workers start.
    """
    shared = Shared(
        resume.key(identity(plan.job)), plan.job, plan.names, tuple(plan.snapshots), about()
    )
    elsewhere = cluster.current()
    if elsewhere is None:

        def work(
            mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
        ) -> list[np.ndarray] | None:
            try:
                return chunk(shared, members_of(plan, mine), advance, stop)
            except Refused as error:
                raise refusal(error) from error

        return _whole(plan, shared, work, bar, POOL.size())
    parcel = parcels.Parcel(
        kind="general_rows",
        settings=keras_settings(),
        own=b"",  # a job holds its own
        head=pickle.dumps(shared),
        data={},
        rows=lambda mine: members_of(plan, mine),
        amount=plan.epochs - plan.first,
    )
    with elsewhere.sent(parcel) as sent:
        return _whole(plan, shared, sent, bar, elsewhere.threads(), sorted(elsewhere.others))


def chunk(
    shared: Shared, members: jobs.Members, moved: Callable[[float], None], stop: Any
) -> list[np.ndarray] | None:
    """Train the members of one chunk in a worker of this machine; None where ``stop`` was set meanwhile."""
    found = POOL.ask("train", shared.name, shared.job, members, moved, stop)
    return None if found is None else _flat(shared, found)


def check_here(shared: Shared) -> None:
    """Refuse to train what was sent where JAX is missing, or another one.

    Raises
    ------
    RuntimeError
        With what differs.
    """
    if lacking():
        raise RuntimeError(f"A worker of the cluster has no general engine. {lacking()}")
    mine = about()
    differ = [
        f"{name} {mine.get(name)}, not {wanted}"
        for name, wanted in shared.about.items()
        if mine.get(name) != wanted
    ]
    if differ:
        raise RuntimeError(
            f"A worker of the cluster has another general engine: {', '.join(differ)}."
        )


def _whole(
    plan: Plan, shared: Shared, work: Any, bar: Any, threads: int, others: Sequence[str] = ()
) -> jobs.Trained:
    """Return what ``work`` trains, chunk by chunk; ``others`` are processors of other machines."""
    if not plan.job.model.own:
        work = resume.resumable(
            work,
            lambda mine: _flat(shared, _blank(plan, mine.kept)),
            lambda: {
                "general": shared.name,
                "about": shared.about,
                "members": members_of(plan, None),
                "processors": list(others),
            },
            plan.epochs - plan.first,
        )
    return _filled(plan, runtime.map_chunks(work, plan.members, plan.job.width, bar, threads))


def members_of(plan: Plan, mine: runtime.Chunk | None) -> jobs.Members:
    """Return what a worker needs of a chunk's members; None: of all."""
    rows = np.arange(plan.members) if mine is None else mine.chosen
    state = None if plan.earlier is None else [values[rows] for values in plan.earlier.state]
    return jobs.Members(
        start=int(rows[0]),
        kept=plan.members if mine is None else mine.kept,
        weights=[values[rows] for values in plan.initial],
        masks={position: values[rows] for position, values in plan.masks.items()},
        keys=plan.keys[rows],
        rates=None if plan.rates is None else plan.rates[rows],
        data={name: plan.data[name][rows] for name in plan.job.own},
        state=state,
    )


def _blank(plan: Plan, members: int) -> jobs.Trained:
    """Return arrays of the right shapes and types for so many members, their values undefined."""
    length = plan.epochs - plan.first

    def weights() -> list[np.ndarray]:
        return [np.empty((members, *w.shape[1:]), w.dtype) for w in plan.initial]

    state = [np.empty((members, *shape), kind) for shape, kind in plan.state_like]
    return jobs.Trained(
        np.empty(members, bool),
        np.empty(members, np.int32),
        np.empty(members, np.int32),
        {name: np.empty((members, length), np.float32) for name in plan.names},
        weights(),
        {epoch: weights() for epoch in plan.snapshots if epoch},
        state if plan.resumable else [],
    )


def _flat(shared: Shared, found: jobs.Trained) -> list[np.ndarray]:
    """Return all arrays in a fixed order."""
    kept = [w for epoch in shared.snapshots if epoch for w in found.snapshots[epoch]]
    history = [found.history[name] for name in shared.names]
    return [found.finite, found.stopped, found.best, *history, *found.weights, *kept, *found.state]


def _filled(plan: Plan, flat: list[np.ndarray]) -> jobs.Trained:
    """Return what training gave, of arrays in the order of `_flat`."""
    like, each = _blank(plan, 0), iter(flat)
    finite, stopped, best = (next(each) for _ in range(3))
    if plan.earlier is not None:
        finite = finite & plan.earlier.finite
    return jobs.Trained(
        finite,
        stopped,
        best,
        {name: next(each) for name in plan.names},
        [next(each) for _ in like.weights],
        {epoch: [next(each) for _ in like.weights] for epoch in like.snapshots},
        [next(each) for _ in like.state],
    )


def predict(model: GeneralModel, weights: list[np.ndarray], x: Any, bar: Any = None) -> np.ndarray:
    """Return outputs (M, N, ...) of checked weights; see `helpers.predict_many`."""
    members = len(weights[0])
    x = numbers_of("x", x)
    rank = len(model.input_shape)
    stacked = x.ndim == rank + 2 and x.shape[0] == members
    shape = x.shape[1 + stacked :]
    if x.ndim - stacked != rank + 1 or not all(
        want in (None, have) for want, have in zip(model.input_shape, shape, strict=True)
    ):
        dims = ", ".join(map(str, model.input_shape))
        raise ValueError(
            f"Argument `x` must have shape (N, {dims}) or ({members}, N, {dims}), one block per member. "
            f"Received: {x.shape}."
        )
    job = job_of(model)
    name = resume.key({"predict": list(map(str, job))})

    def work(
        mine: runtime.Chunk, advance: runtime.Advance, stop: threading.Event
    ) -> list[np.ndarray] | None:
        rows = x[mine.chosen] if stacked else x
        arguments = [w[mine.chosen] for w in weights], rows, stacked
        found = POOL.ask("predict", name, job, arguments, stop=stop)
        advance(mine.kept)
        return None if found is None else [found[: mine.kept]]

    width = width_of(model, min(x.shape[int(stacked)], 1024))
    try:
        return runtime.map_chunks(work, members, width, bar, POOL.size())[0]
    except Refused as error:
        raise refusal(error) from error


def evaluate(
    model: GeneralModel, weights: list[np.ndarray], x: Any, y: Any, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Return {metric: (M,)} of checked weights; see `Runs.evaluate`."""
    ending, members = settings["undone"], len(weights[0])
    inner = model.without_ending if ending else model
    assert inner is not None
    outputs = predict(inner, weights, x)  # (M, N, ...)
    y = numbers_of("y", y)
    stacked = y.shape[:2] == outputs.shape[:2] and np.ndim(x) == len(model.input_shape) + 2
    if y.shape[int(stacked)] != outputs.shape[1]:
        raise ValueError(
            f"Argument `y` must have {outputs.shape[1]} examples, as x has. Received: {y.shape[int(stacked)]}."
        )
    targets = y if stacked else y[np.newaxis]
    if targets.ndim == outputs.ndim - 1 and outputs.shape[-1] == 1:
        targets = targets[..., np.newaxis]
    if settings["one_hot"] and targets.ndim < outputs.ndim:
        targets = one_hot(targets, outputs.shape[-1])
    usual = [
        metrics.usual(name, kind, settings["outputs"] == "probabilities" and not ending)
        for name, kind in settings["usual"]
    ]
    found: dict[str, list[float]] = {}
    for member in range(members):
        mine = targets[member if stacked else 0]
        asked = [
            keras.saving.deserialize_keras_object(one) if isinstance(one, dict) else one
            for one in settings["metrics"]
        ]
        own = keras.src.trainers.compile_utils.CompileMetrics(asked, None)
        own.update_state(mine, metrics.ended(outputs[member], ending))
        for metric in usual:
            metric.reset_state()
            metric.update_state(mine, outputs[member])
        results = {metric.name: metric.result() for metric in usual} | own.result()
        for name, value in results.items():
            found.setdefault(name, []).append(float(value))
    return {name: np.array(values) for name, values in found.items()}


def identity(job: jobs.Training) -> dict[str, Any]:
    """Return a job as dicts, lists and arrays, for a digest."""

    def plain(value: Any) -> Any:
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return {name: plain(one) for name, one in value._asdict().items()}
        if isinstance(value, dict):
            return {str(name): plain(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one) for one in value]
        if isinstance(value, (np.ndarray, str, int, float, type(None))):
            return value
        return repr(value)

    return plain(job)

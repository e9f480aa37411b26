"""What is sent to a worker, packed here and opened there: one parcel for all chunks, and rows for each of them.

Everything travels as bytes and arrays: the scheduler, which need not have this package, unpickles what it passes on.
"""

from __future__ import annotations

import pickle
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import keras, keras_settings
from helpers.engine.runtime import Chunk


class Parcel(NamedTuple):
    """All that the chunks of a call share, and how the rest of a chunk is had.

    Attributes
    ----------
    kind : str
        A function of `engine.worker`.
    settings : dict
        Keras's, under which the rest is to be read and run.
    own : bytes
        Functions (loss and metrics) and Keras objects of the caller's own; empty where there are none.
    head : bytes
        Plan, or recipe and width.
    data : dict of str to numpy.ndarray
        Arrays that all chunks read.
    rows : callable
        `Chunk` to what only that chunk needs: arrays (M, ...) of its members.
    amount : float
        What a member counts on the progress bar.
    """

    kind: str
    settings: dict[str, Any]
    own: bytes
    head: bytes
    data: dict[str, np.ndarray]
    rows: Callable[[Chunk], Any]
    amount: float


def training(plan: Any) -> Parcel:
    """Return the parcel of a `Plan`; a chunk's rows are the fields of a plan of these members alone.

    Raises
    ------
    TypeError
        Code of the caller's own that cannot be pickled.
    """
    functions = [f for f in (plan.loss, *(s.kind for s in plan.shapes.asked)) if callable(f)]
    empty = dict.fromkeys(("initial", "masks", "keys", "hyper", "earlier"))
    head = replace(
        plan,
        **empty,
        given=plan.recipe,
        data={},
        vary={},
        settings={},
    )
    head = with_functions(head, [None] * len(functions))
    texts = plan.recipe.config + repr(plan.optimizer.schedule)
    return Parcel(
        kind="train_rows",
        settings=keras_settings(),
        own=packed(
            functions, {} if plan.recipe.of_keras and plan.optimizer.of_keras else named(texts)
        ),
        head=pickle.dumps(head),
        data={name: values for name, values in plan.data.items() if name not in plan.own},
        rows=lambda chunk: _members(plan, chunk.place),
        amount=plan.epochs - plan.first,
    )


def with_functions(plan: Any, functions: Sequence[Any]) -> Any:
    """Return a plan whose functions of the caller's own, or the places of these, are replaced: loss first, metrics."""
    left = list(functions)

    def replaced(value: Any) -> Any:
        return left.pop(0) if callable(value) or value is None else value

    loss = replaced(plan.loss)
    asked = tuple(score._replace(kind=replaced(score.kind)) for score in plan.shapes.asked)
    return replace(plan, loss=loss, shapes=replace(plan.shapes, asked=asked))


def prediction(
    recipe: Any, weights: list[np.ndarray], x: np.ndarray, stacked: bool, width: int
) -> Parcel:
    """Return the parcel of predictions: checked weights (M, ...) at x (N, ...), or (M, N, ...) if stacked."""
    own = packed([], {} if recipe.of_keras else named(recipe.config))
    return Parcel(
        kind="predict_rows",
        settings=keras_settings(),
        own=own,
        head=pickle.dumps((recipe, width)),
        data={} if stacked else {"x": x},
        rows=lambda chunk: ([w[chunk.place] for w in weights], x[chunk.place] if stacked else None),
        amount=1,
    )


def _members(plan: Any, place: slice) -> dict[str, Any]:
    """Return the fields of a plan for some members."""

    def rows(values: np.ndarray) -> np.ndarray:
        return values[place]

    hyper, earlier = plan.hyper, plan.earlier
    if earlier is not None:
        state = [rows(values) for values in earlier.state]
        earlier = earlier._replace(finite=rows(earlier.finite), state=state)
    fields = {
        "start": plan.start + place.start,
        "members": place.stop - place.start,
        "initial": [rows(values) for values in plan.initial],
        "masks": {position: rows(values) for position, values in plan.masks.items()},
        "keys": rows(plan.keys),
        "hyper": type(hyper)(*({name: rows(v) for name, v in part.items()} for part in hyper)),
        "earlier": earlier,
    }
    return fields | {"data": {name: rows(plan.data[name]) for name in plan.own}}


def named(texts: str) -> dict[str, Any]:
    """Return the Keras objects of the caller's own whose names stand in a configuration."""
    return {
        name: own
        for name, own in keras.saving.get_custom_objects().items()
        if name.rpartition(">")[2] in texts
    }


def packed(
    functions: Sequence[Callable[..., Any]], objects: Mapping[str, Any], whole: bool = False
) -> bytes:
    """Return code of the caller's own as bytes; what is defined in a notebook travels whole.

    ``whole``: so does what is defined in modules that are not installed, which need not be importable there then.
    """
    if not functions and not objects:
        return b""
    import cloudpickle  # of the extras `cluster` and `general`

    modules = _not_installed([*functions, *objects.values()]) if whole else []
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps((list(functions), dict(objects)))
    except Exception as error:  # whatever an object says when it is pickled
        what = "`loss` or `metrics`" if functions else "`model`"
        raise TypeError(
            f"Argument {what} holds code of yours that cannot be sent to workers: {error}. Define functions that use "
            "only their arguments, constants and modules: no open files, locks, tensors or models from outside."
        ) from error
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _not_installed(values: Sequence[Any]) -> list[Any]:
    """Return the modules that define these functions and classes and lie outside of Python's own folders."""
    folders = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platlib", "purelib"))
    names = {getattr(value, "__module__", None) or type(value).__module__ for value in values}
    modules = [sys.modules[name] for name in sorted(names - {"__main__"}) if name in sys.modules]
    return [m for m in modules if not str(getattr(m, "__file__", folders[0])).startswith(folders)]

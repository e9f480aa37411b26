"""What a worker of `helpers.cluster` does: train or predict one chunk, the same bits as the process that sent it.

`door.enter` imports this module in the worker, once its versions are compared and TensorFlow's settings are made.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from helpers._base.machine import processor
from helpers._tensorflow import keras, keras_set, keras_settings, tf
from helpers.engine import inference, parcels, runtime, train
from helpers.engine.general import running

admitted: list[dict] = []  # what `door.enter` has found to be so here
MOST_HELD = (
    4  # parcels, and as many codes of the callers' own; the one unused for longest goes first
)

_lock, _held, _owned = threading.Lock(), {}, {}
_turn, _inside = threading.Condition(), [0]


class Held(NamedTuple):
    """A parcel that is opened: plan, (recipe, width) or `running.Shared`, arrays, and these as tensors for training."""

    head: Any
    data: dict[str, np.ndarray]
    tensors: dict[str, Any]


class Unwanted:
    """Whether the task that runs in this thread was cancelled; looked at as a `threading.Event` would be."""

    def __init__(self):
        from distributed import get_worker
        from distributed.worker import thread_state

        self._tasks, self._key = get_worker().state.tasks, thread_state.key

    def is_set(self) -> bool:
        """Return whether nobody waits for the task any more."""
        task = self._tasks.get(self._key)
        return task is None or task.state == "cancelled"


def train_rows(parcel: tuple[Any, ...], rows: bytes) -> tuple[str, list[np.ndarray]]:
    """Train the members of one chunk.

    Parameters
    ----------
    parcel : tuple
        From `door.held`.
    rows : bytes
        What of the plan concerns the chunk alone, pickled.

    Returns
    -------
    processor : str
    arrays : list of numpy.ndarray
        As `Trained.flat` has them; empty where the task was cancelled meanwhile.
    """
    with _as_sent(parcel) as held:
        fields = pickle.loads(rows)
        plan = replace(held.head, **(fields | {"data": held.data | fields["data"]}))
        found = train.chunk(plan, 0, shared=held.tensors, stop=Unwanted())
    return processor(), [] if found is None else found.flat()


def predict_rows(parcel: tuple[Any, ...], rows: bytes) -> tuple[str, list[np.ndarray]]:
    """Predict with the members of one chunk; see `train_rows`."""
    with _as_sent(parcel) as held:
        (recipe, width), (weights, x) = held.head, pickle.loads(rows)
        stacked = x is not None
        x = x if stacked else held.data["x"]
        chunk = runtime.chunk(0, len(weights[0]), width)
        found = inference.predict_chunk(recipe, weights, x, stacked, chunk, Unwanted())
    return processor(), [] if found is None else [found]


def general_rows(parcel: tuple[Any, ...], rows: bytes) -> tuple[str, list[np.ndarray]]:
    """Train the members of one chunk in a process of the general engine; see `train_rows`."""
    with _as_sent(parcel) as held:
        running.check_here(held.head)
        found = running.chunk(held.head, pickle.loads(rows), lambda amount: None, Unwanted())
    return processor(), found or []


@contextlib.contextmanager
def _as_sent(parcel: tuple[Any, ...]) -> Iterator[Held]:
    """Open a parcel, with Keras set as it is where that comes from; tasks that want it otherwise wait."""
    settings = parcel[1]
    with _turn:
        _turn.wait_for(lambda: not _inside[0] or keras_settings() == settings)
        if keras_settings() != settings:
            keras_set(settings)
            runtime.forget()
        _inside[0] += 1
    try:
        yield _opened(parcel)
    finally:
        with _turn:
            _inside[0] -= 1
            _turn.notify_all()


def _opened(parcel):
    """Return the `Held` of a parcel, made once for all chunks."""
    name, _, own, head, data = parcel
    with _lock:
        if name not in _held:
            functions = _own(own)
            found = pickle.loads(head)
            if functions:
                found = parcels.with_functions(found, functions)
            trains = not isinstance(found, tuple)  # a plan
            tensors = {key: tf.constant(values) for key, values in data.items() if trains}
            _held[name] = Held(found, data, tensors)
        return _kept(_held, name)


def _own(own):
    """Return functions of the caller's own, a list; Keras's registry learns the objects that come with them.

    Equal bytes give the same objects, so that programs which call them are compiled once.
    """
    if not own:
        return []
    name = hashlib.sha256(own).digest()
    if name not in _owned:
        try:
            _owned[name] = pickle.loads(own)
        except Exception as error:  # whatever an import says
            raise RuntimeError(
                f"A worker cannot load code of yours: {type(error).__name__}: {error}. Define it in the notebook or "
                "script itself, or send its module with client.upload_file."
            ) from error
    functions, objects = _kept(_owned, name)
    keras.saving.get_custom_objects().update(objects)
    return functions


def _kept(cache, name):
    """Return an entry, which becomes the youngest, and drop the oldest beyond `MOST_HELD`."""
    cache[name] = cache.pop(name)
    while len(cache) > MOST_HELD:
        del cache[next(iter(cache))]
    return cache[name]

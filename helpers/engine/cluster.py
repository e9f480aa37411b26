"""`helpers.cluster`: the chunks of `fit_many` and `predict_many` on the workers of dask.distributed.

A chunk is a pure function of what is sent (`parcels`), so it does not matter which worker computes it, or how often:
the scheduler gives the chunks of a worker that dies to others. What all chunks share is the result of a task, too: it
goes to the scheduler once, from worker to worker, and is made anew where it is lost.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from helpers._base import checks
from helpers._base.machine import processor
from helpers.engine import connecting, door
from helpers.engine.parcels import Parcel
from helpers.engine.places import LOOK, Places
from helpers.engine.runtime import Advance, Chunk

FEWEST = 64  # chunks that have a thread here, or four for each thread of the workers: more may come

_current: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@contextlib.contextmanager
def cluster(client: Any, *, timeout: float = 60) -> Iterator[Cluster]:
    """Let the workers of a dask cluster train and predict what `fit_many` and `predict_many` are asked for.

    The networks are the same to the bit as those trained here, whatever the number of workers, as long as processors
    are of one model. Chunks of a worker that dies are computed by others.

    Parameters
    ----------
    client : distributed.Client or str
        A client; or the address of a scheduler, such as "tcp://10.0.0.1:8786", or the path of its scheduler file,
        ending in ".json".
    timeout : float
        Seconds to wait for the scheduler and for the first worker.

    Yields
    ------
    Cluster
        ``processors``: the models that the workers have.

    Raises
    ------
    ImportError
        Without dask.distributed, the extra ``cluster``.
    RuntimeError
        Where workers have other versions than this process, or another state of this package, named.
    TimeoutError
        Where no scheduler or no worker is there in time.
    TypeError, ValueError
        An argument that does not fit, named.

    Warns
    -----
    UserWarning
        Where a worker's processor is of another model: then results agree statistically only.

    Notes
    -----
    `Runs.resume` trains there as well. `Runs.predict`, `Runs.evaluate`, and predictions of so few networks that they
    are one chunk are computed here. Data travel once a call, weights with their chunk. Workers may come and go
    meanwhile; each compiles a program once.

    A loss function of your own travels whole if it is defined in a notebook or script; else workers import its module.
    Threads that you start do not inherit the cluster.

    Everything that is sent is code to a worker: use only clusters whose members trust each other.

    Examples
    --------
    >>> import helpers, numpy as np
    >>> from distributed import Client
    >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    >>> line = helpers.Dataset(x_train=x, y_train=2 * x, task="regression", name="line")
    >>> model = helpers.models.linear((1,), 1)
    >>> with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
    ...     with helpers.cluster(client):
    ...         there = helpers.fit_many(model, line, members=3, epochs=2)
    >>> here = helpers.fit_many(model, line, members=3, epochs=2)
    >>> np.array_equal(there.history["loss"], here.history["loss"])
    True
    """
    timeout = checks.real("timeout", timeout, low=0, low_open=True)
    with contextlib.ExitStack() as stack:
        found = Cluster(connecting.connected(client, timeout, stack))
        found.greet(timeout)
        token = _current.set(found)
        try:
            yield found
        finally:
            _current.reset(token)


def current() -> Cluster | None:
    """Return the cluster of the innermost ``with helpers.cluster``, or None."""
    return _current.get()


class Cluster:
    """A dask client whose workers have been looked at; made by `cluster`.

    Attributes
    ----------
    client : distributed.Client
        In use.
    processors : set of str
        Of the workers that were there at first, and of all that have computed since.
    """

    def __init__(self, client: Any):
        self.client = client
        self.processors: set[str] = set()
        self._wanted = door.wanted()
        self._admission = door.packed(door.enter)

    @property
    def others(self) -> set[str]:
        """The processors of workers that are not this machine's."""
        return self.processors - {processor()}

    def threads(self) -> int:
        """Return how many chunks may wait or be under way at once."""
        return max(FEWEST, 4 * sum(self.client.nthreads().values()))

    def greet(self, timeout: float) -> None:
        """Wait for the first worker, compare all that are there with this process; see `cluster` for what is raised."""
        try:
            self.client.wait_for_workers(1, timeout=timeout)
        except TimeoutError as error:
            raise TimeoutError(
                f"The cluster {self.client.scheduler.address} has no workers after {timeout:g} seconds. Start some, or "
                "wait longer with timeout=."
            ) from error
        ours = self._wanted["versions"]
        # By what dask has of its own first: code for another Python cannot be run there.
        seen = self.client.get_versions()["workers"]
        pythons = {a: ".".join(w["host"]["python"].split(".")[:2]) for a, w in seen.items()}
        strange = {a: [f"Python {p}"] for a, p in pythons.items() if p != ours["python"]}
        if not strange:
            found = self._described()
            strange = {a: door.differences(ours, one["versions"]) for a, one in found.items()}
            self.processors |= {one["processor"] for one in found.values()}
        strange = {address: texts for address, texts in sorted(strange.items()) if texts}
        if strange:
            raise RuntimeError(door.refusal(strange))
        if self.others:
            warnings.warn(
                f"Workers have other processors than this machine ({processor()}): {', '.join(sorted(self.others))}. "
                "Networks trained there are other ones in the last digits, and agree statistically only.",
                stacklevel=5,
            )

    def _described(self) -> dict[str, dict[str, Any]]:
        """Return what `door.described` says of each worker; one that has gone meanwhile is left out."""
        told = self.client.run(door.unpacked(), door.packed(door.described), on_error="return")
        for error in told.values():
            if isinstance(error, Exception) and not isinstance(error, OSError):
                raise error
        return {address: one for address, one in told.items() if isinstance(one, dict)}

    @contextlib.contextmanager
    def sent(
        self, parcel: Parcel
    ) -> Iterator[Callable[[Chunk, Advance, threading.Event], list[np.ndarray] | None]]:
        """Send what all chunks share; give the function that has one computed, for `runtime.map_chunks`."""
        import dask

        name = uuid.uuid4().hex
        shared = (name, parcel.settings, parcel.own, parcel.head, pickle.dumps(parcel.data))
        quiet = dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 PB"})
        with self._still_there(), quiet:
            # Not `door.admitted`: the others would wait until one worker has imported TensorFlow.
            held = self._submit(door.held(), *shared)

        places = Places(self.client.nthreads)

        def work(chunk, advance, stop):
            with self._still_there(), places.taken(stop) as address:
                if address is None:
                    return None
                what = (parcel.kind, held, pickle.dumps(parcel.rows(chunk)))
                future = self._submit(
                    door.admitted(),
                    self._admission,
                    self._wanted,
                    *what,
                    workers=[address],
                    allow_other_workers=True,  # it may be gone
                )
                arrays = self._waited(future, stop, places)
            if arrays is not None:
                advance(parcel.amount * chunk.kept)
            return arrays

        try:
            yield work
        finally:
            held.release()  # workers drop it once no chunk needs it

    def _submit(self, task: Callable[..., Any], *arguments: Any, **where: Any) -> Any:
        """Return the future of a function that is sent as code; "helpers" stands in front on dask's dashboard."""
        key = f"helpers-{uuid.uuid4().hex}"
        return self.client.submit(task, *arguments, key=key, pure=False, **where)

    @contextlib.contextmanager
    def _still_there(self) -> Iterator[None]:
        """Name the cause of whatever a client says that has lost its scheduler, or was closed."""
        from distributed.client import FutureCancelledError

        try:
            yield
        except Exception as error:
            if self.client.status == "running" and not isinstance(error, FutureCancelledError):
                raise
            raise ConnectionError(
                "The cluster was lost while it worked: its scheduler has ended, or the client was closed. Connect "
                "again, and repeat the call."
            ) from error

    def _waited(
        self, future: Any, stop: threading.Event, places: Places
    ) -> list[np.ndarray] | None:
        """Return the arrays of a chunk, or None once ``stop`` is set; the task is cancelled then."""
        from distributed import KilledWorker

        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(LOOK) and not future.done():  # a client that is closed calls nobody
            if stop.is_set():
                future.cancel()
                return None
            places.look()
        try:
            where, arrays = future.result()
        except KilledWorker as error:
            raise RuntimeError(
                "A chunk has ended the worker that computed it several times, each time another one. Mostly they have "
                "too little memory: start fewer workers on a machine, each with more (memory_limit=)."
            ) from error
        self.processors.add(where)
        return arrays

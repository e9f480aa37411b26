"""Which worker of a cluster gets the next chunk.

Left alone, the scheduler gives all chunks to the worker that holds what they share (measured: the others stay idle). So
each chunk is sent to the worker with the fewest for its threads, and waits here while all have enough.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

AHEAD = 2  # chunks a thread: the one that it works on, and the next
FRESH = 1.0  # seconds for which the list of workers is taken to be right
LOOK = 0.1  # seconds between two looks at whether the call was interrupted


class Places:
    """The chunks that each worker has.

    Parameters
    ----------
    threads : callable
        Returns {address: threads} of the workers that there are: they may come and go.
    """

    def __init__(self, threads: Callable[[], dict[str, int]]):
        self._threads, self._known, self._asked = threads, {}, -FRESH
        self._given, self._turn = Counter(), threading.Condition()

    @contextlib.contextmanager
    def taken(self, stop: threading.Event) -> Iterator[str | None]:
        """Wait for a place and give the address of its worker; None once ``stop`` is set."""
        address = self._next(stop)
        try:
            yield address
        finally:
            with self._turn:
                self._given[address] -= 1
                self._turn.notify()

    def _next(self, stop):
        """Return the worker with the fewest chunks for its threads, once one has room."""
        with self._turn:
            while not stop.is_set():
                if time.monotonic() - self._asked > FRESH:
                    self._known, self._asked = self._threads(), time.monotonic()
                load = {a: self._given[a] / n for a, n in self._known.items() if n}
                address = min(load, key=load.get, default=None)
                if address is not None and load[address] < AHEAD:
                    self._given[address] += 1
                    return address
                self._turn.wait(LOOK)
        return None

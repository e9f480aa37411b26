"""Which worker of a cluster gets the next chunk.

Left alone, the scheduler gives all chunks to the worker that holds what they share (measured: the others stay idle). So
each chunk is sent to the worker with the fewest for its threads, and waits here while all have enough.
"""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

AHEAD = 2  # chunks a thread: the one that it works on, and the next
FRESH = 1.0  # seconds for which the list of workers is taken to be right
LOOK = 0.1  # seconds between two looks at whether the call was interrupted
SILENCE = 30.0  # seconds without any worker after which that is said


class Places:
    """The chunks that each worker has.

    Parameters
    ----------
    threads : callable
        Returns {address: threads} of the workers that there are: they may come and go.
    """

    def __init__(self, threads: Callable[[], dict[str, int]]):
        self._threads, self._known, self._asked = threads, {}, -FRESH
        self._seen, self._said = time.monotonic(), False
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

    def look(self) -> None:
        """Ask who is there, for a chunk that is under way.

        Warns
        -----
        UserWarning
            Once a call, where no worker has been there for `SILENCE`. It goes on as soon as there is one again.
        """
        with self._turn:
            self._ask()

    def _ask(self):
        """Bring the list of workers up to date if it is older than FRESH."""
        now = time.monotonic()
        if now - self._asked <= FRESH:
            return
        self._known, self._asked = self._threads(), now
        if self._known:
            self._seen = now
        elif now - self._seen > SILENCE and not self._said:
            self._said = True
            warnings.warn(
                f"The cluster has had no workers for {now - self._seen:.0f} seconds. The call waits for some; "
                "interrupt it to give up.",
                stacklevel=2,
            )

    def _next(self, stop):
        """Return the worker with the fewest chunks for its threads, once one has room."""
        with self._turn:
            while not stop.is_set():
                self._ask()
                load = {a: self._given[a] / n for a, n in self._known.items() if n}
                address = min(load, key=load.get, default=None)
                if address is not None and load[address] < AHEAD:
                    self._given[address] += 1
                    return address
                self._turn.wait(LOOK)
        return None

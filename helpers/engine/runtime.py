"""How programs run: members in chunks small enough for a core's cache, one Python thread per core.

One XLA program per shape, compiled once a process or found on disk. Hyperparameters, the number of epochs and the data
are tensors, so a sweep compiles once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np

from helpers._tensorflow import tf
from helpers.engine.compiled import program

CHUNK_BYTES = 2_000_000
# Round numbers of members fill round chunks: 20 and 100 fill an even number of those up to 10, 500 and 1,000 of all.
WIDTHS = (1, 2, 5, 10, 50, 250)
CACHE_PROGRAMS = 64  # the most that are kept; the one unused for longest goes first
ORDER_BYTES = 16_000_000  # of the batch orders handed to one call
CALL_WORK = 2e10  # floating-point operations of one program call: about half a second, so that Ctrl-C is heard
_cache: dict[tuple, Any] = {}
_lock = threading.Lock()

Advance = Callable[[float], None]


def workers() -> int:
    """Return how many chunks run at once: the cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def chunk_width(recipe: Any, rows: int) -> int:
    """Return how many members one program call holds, from architecture, rows per step and dtype alone.

    Bits depend on the width (measured), so it must not depend on the number of members or of cores. A chunk that is
    not full takes as long as a full one, and the last of an odd number leaves one of two cores idle. Narrower than
    the cache allows costs a tenth at most, unless the network is tiny.

    Parameters
    ----------
    recipe : Recipe
        The architecture.
    rows : int
        Examples per step.
    """
    scale = np.dtype(recipe.dtype).itemsize
    activations = sum(int(np.prod(layer.output.shape[1:])) for layer in recipe.layers) + int(
        np.prod(recipe.input_shape)
    )
    per_member = scale * (4 * recipe.size + rows * activations)
    return max(width for width in WIDTHS if width <= max(1, CHUNK_BYTES // per_member))


def part_length(recipe: Any, rows: int, width: int) -> int:
    """Return the most epochs one program call may take: ``CALL_WORK``.

    Bounded by the memory of the batch orders too, which travel with the call.
    """
    work = 6.0 * max(recipe.size, 50) * rows * width
    return int(np.clip(min(CALL_WORK / work, ORDER_BYTES / (4 * rows * width)), 1, 512))


def forget() -> None:
    """Drop all programs of this process: they were traced under other settings of Keras."""
    with _lock:
        _cache.clear()


def cached(key, build):
    """Return the program of ``key``, built once per process."""
    with _lock:
        found = _cache.pop(key, None) or build()
        _cache[key] = found
        while len(_cache) > CACHE_PROGRAMS:
            del _cache[next(iter(_cache))]
        return found


def compiled(function, *specs, key=None):
    """Return ``function`` compiled for tensors shaped like ``specs`` (nested lists and dicts of arrays or specs).

    With a ``key`` of texts and numbers that tells all that it computes, it may come from disk; see `compiled.program`.
    """

    def spec(value):
        return tf.TensorSpec(value.shape, tf.as_dtype(value.dtype))

    return program(function, tf.nest.map_structure(spec, specs), key)


class Chunk(NamedTuple):
    """The members that one program call holds.

    Attributes
    ----------
    index : int
        Its number.
    chosen : numpy.ndarray (width,)
        Its members; a chunk that is not full repeats its last member to the full width.
    kept : int
        How many of them count, from the first on.
    """

    index: int
    chosen: np.ndarray
    kept: int

    @property
    def place(self) -> slice:
        """Where the kept members stand among all."""
        return slice(int(self.chosen[0]), int(self.chosen[0]) + self.kept)


def chunk(index: int, members: int, width: int) -> Chunk:
    """Return one of the `chunks`."""
    first = index * width
    chosen = np.minimum(np.arange(first, first + width), members - 1)
    return Chunk(index, chosen, min(width, members - first))


def chunks(members: int, width: int) -> list[Chunk]:
    """Return all chunks of so many members, in order."""
    return [chunk(index, members, width) for index in range(-(-members // width))]


def map_chunks(
    work: Callable[[Chunk, Advance, threading.Event], Sequence[np.ndarray] | None],
    members: int,
    width: int,
    bar: Any = None,
    threads: int | None = None,
) -> list[np.ndarray]:
    """Return the arrays (M, ...) of which ``work`` computes each chunk's part, on one thread per core.

    Parameters
    ----------
    work : callable
        ``(chunk, advance, stop)`` to arrays whose first ``chunk.kept`` rows are those of its members, of the same kinds
        for every chunk; ``advance`` and ``stop`` as in `run`. What it returns once ``stop`` is set does not matter.
    members, width : int
        M, and how many of them a chunk holds.
    bar : tqdm.tqdm, optional
        Moved by ``advance``.
    threads : int, optional
        How many chunks are worked on at once, where the work is done elsewhere.

    Returns
    -------
    list of numpy.ndarray
        (M, ...) each.
    """
    whole: list[np.ndarray] = []
    guard = threading.Lock()

    def task(index: int, advance: Advance, stop: threading.Event) -> None:
        one = chunk(index, members, width)
        parts = work(one, advance, stop)
        if parts is None:  # stopped: the error that stopped it is raised by `run`
            return
        with guard:  # allocated once the first chunk has told shapes and types
            if not whole:
                whole.extend(np.empty((members, *part.shape[1:]), part.dtype) for part in parts)
        for target, part in zip(whole, parts, strict=True):
            target[one.place] = part[: one.kept]

    run(task, -(-members // width), bar, threads)
    return whole


def run(
    task: Callable[[int, Advance, threading.Event], None],
    count: int,
    bar: Any = None,
    threads: int | None = None,
) -> None:
    """Call ``task(index, advance, stop)`` for every index on one thread per core; the first error ends all.

    ``advance(amount)`` moves the progress bar; a task returns early once ``stop`` (threading.Event) is set. Ctrl-C
    sets it, waits for the running parts and is raised again.
    """
    stop, done, guard = threading.Event(), [0.0], threading.Lock()
    remaining = iter(range(count))

    def advance(amount):
        with guard:
            done[0] += amount

    def work():  # one loop per core: waiting on a future per task would take time quadratic in their number
        while not stop.is_set():
            with guard:
                index = next(remaining, None)
            if index is None:
                return
            task(index, advance, stop)

    threads = min(threads or workers(), count)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:  # from the first thread on: Ctrl-C may come while they are started
            pending = {pool.submit(work) for _ in range(threads)}
            while pending:
                finished, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
                if bar is not None:
                    bar.update(done[0] - bar.n)
        except BaseException:
            stop.set()
            raise

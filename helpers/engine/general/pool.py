"""The worker processes of the general engine: started with the first call that needs them, and kept.

One a core, each on one thread, with Keras on JAX (`helpers._jax`). A worker that dies is started again and asked anew:
what it answers depends on the question alone. Where JAX finds a GPU there is one worker.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from helpers._base import memory, paths
from helpers._tensorflow import PROGRAMS
from helpers.engine import compiled, resume, runtime

MEMORY = 1_500_000_000  # a worker's share: its packages take 0.5 GB; one that has more when it is done is ended
TRIES = 3  # of one question whose workers die
PATIENCE = 300.0  # seconds until a worker that starts is given up
_ANSWER = "GENERALIZE_GENERAL"  # "off": as if JAX were not installed
_forbidden: ContextVar[str] = ContextVar("forbidden", default="")  # why, within `without`


class Died(RuntimeError):
    """A worker ended before it answered."""


class Refused(ValueError):
    """What a worker said of a model that it cannot train.

    Attributes
    ----------
    kind, text, trace : str
        Of the error there.
    """

    def __init__(self, kind: str, text: str, trace: str):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.trace = kind, text, trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Refused, (self.kind, self.text, self.trace)


def lacking() -> str:
    """Return why there is no general engine here, "" if there is one."""
    if _forbidden.get():
        return _forbidden.get()
    if os.environ.get(_ANSWER) == "off" or find_spec("jax") is None:
        return "Install the extra `general` for it: pip install jax cloudpickle."
    return ""


@contextlib.contextmanager
def without(reason: str) -> Iterator[None]:
    """Do as if there were no general engine, for a reason that a refusal repeats."""
    before = _forbidden.set(reason)
    try:
        yield
    finally:
        _forbidden.reset(before)


def _programs() -> dict[str, str]:
    """Return the settings by which JAX keeps compiled programs beside those of the fast engine, and makes room there.

    Empty where nothing is to be kept, or where somebody chose a folder for JAX.
    """
    if os.environ.get(PROGRAMS) == "off" or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return {}
    try:
        home = paths.programs()
        compiled._prune(home)  # the files of both
        folder = home / f"jax-{resume.key(resume.machine())[:32]}"
    except (OSError, RuntimeError):  # no home folder
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


class Worker:
    """One process, which is asked one question at a time."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        root = str(Path(__file__).parents[3])
        flags = os.environ.get("XLA_FLAGS", "")
        ours = {
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]),
            "XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen=false".strip(),
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers._jax"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | ours | _programs(),
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
        self._answers: queue.Queue[Any] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.owner = os.getpid()
        self.held: set[str] = set()  # names of jobs that it was sent; it may have dropped some
        try:
            self.about = self._answer(None, lambda amount: None, PATIENCE)
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def memory(self) -> float:
        """Bytes that it has; without end where it has ended."""
        try:
            return float(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return float("inf")

    def _listen(self) -> None:
        """Put what the process says into the queue, and None when it has ended."""
        with contextlib.suppress(Exception):
            while True:
                self._answers.put(pickle.load(self._process.stdout))  # type: ignore[arg-type]
        self._answers.put(None)

    def ask(self, question: tuple[Any, ...], moved: Any, stop: threading.Event | None) -> Any:
        """Return the answer, or None where ``stop`` was set before it came; the process has ended then.

        Raises
        ------
        Died
            The process ended.
        Refused
            It raised an error.
        """
        try:
            pickle.dump(question, self._process.stdin, protocol=pickle.HIGHEST_PROTOCOL)  # type: ignore[arg-type]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except OSError as error:
            raise Died(self._last_words()) from error
        return self._answer(stop, moved)

    def _answer(self, stop: threading.Event | None, moved: Any, patience: float = 0.0) -> Any:
        waited = 0.0
        while True:
            if stop is not None and stop.is_set():
                self.end()
                return None
            try:
                answer = self._answers.get(timeout=0.2)
            except queue.Empty:
                waited += 0.2
                if patience and waited > patience:
                    raise Died(f"it did not start within {patience:g} s") from None
                continue
            if answer is None:
                raise Died(self._last_words())
            kind, *content = answer
            if kind == "moved":
                moved(*content)
            elif kind == "lacks":
                raise LookupError(*content)
            elif kind == "failed":
                raise Refused(*content)
            else:
                return content[0]  # "done", or "ready" as it starts

    def _last_words(self) -> str:
        """Return how the process ended and the last that it wrote."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        code = self._process.returncode
        ended = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return ended + (f", {lines[-1][:300]}" if lines else "")

    def end(self) -> None:
        """End the process."""
        if self.owner_is_here():
            self._process.kill()
            self._process.wait()
            self._listener.join()  # it has read to the end
            for stream in (self._process.stdin, self._process.stdout, self._said):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]

    def owner_is_here(self) -> bool:
        """Whether this process started it, not one that this is a fork of."""
        return getattr(self, "owner", os.getpid()) == os.getpid()


class Pool:
    """All workers of this process, and who of them has nothing to do."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._lock = threading.Lock()

    def size(self) -> int:
        """Return how many workers may run at once: one a core, as far as memory allows; one where there is a GPU."""
        if self.about()["on"] != "cpu":
            return 1
        return max(1, min(runtime.workers(), memory.limit() // MEMORY))

    @contextlib.contextmanager
    def _lent(self) -> Iterator[Worker]:
        with self._lock:
            self._idle = [worker for worker in self._idle if worker.owner_is_here()]
            worker = self._idle.pop() if self._idle else None
        worker = worker or Worker()
        try:
            yield worker
        except Refused:
            self._back(worker)
            raise
        except BaseException:
            worker.end()
            raise
        else:
            self._back(worker)

    def _back(self, worker: Worker) -> None:
        if worker.memory() > MEMORY:  # of programs that it keeps: a new one begins without
            worker.end()
        else:
            with self._lock:
                self._idle.append(worker)

    def ask(
        self,
        what: str,
        name: str,
        job: Any,
        arguments: Any = None,
        moved: Callable[[float], None] = lambda amount: None,
        stop: threading.Event | None = None,
    ) -> Any:
        """Return a worker's answer; None where ``stop`` was set before it came.

        Parameters
        ----------
        what : {"check", "train", "predict"}
        name : str
            Of the job: equal names are equal jobs.
        job : jobs.Training or jobs.Model
        arguments : object
            What only this question needs.
        moved : callable
            Told how many network-epochs are done.
        stop : threading.Event, optional
            Set where nobody waits any more.

        Raises
        ------
        RuntimeError
            Workers died, again and again.
        Refused
            The worker raised an error.
        """
        for left in reversed(range(TRIES)):
            done = [0.0]

            def count(amount: float, done: list[float] = done) -> None:
                done[0] += amount
                moved(amount)

            try:
                with self._lent() as worker:
                    sent = None if name in worker.held else job
                    try:
                        answer = worker.ask((what, name, sent, arguments), count, stop)
                    except LookupError:
                        answer = worker.ask((what, name, job, arguments), count, stop)
                    if what != "check":
                        worker.held.add(name)
                    return answer
            except Died as error:
                moved(-done[0])
                if not left:
                    raise RuntimeError(
                        f"A worker process of the general engine ended {TRIES} times on the same networks: {error}. "
                        "If the machine ended it for its memory, use smaller batches or fewer cores (taskset)."
                    ) from error
        raise AssertionError("unreachable")

    def about(self) -> dict[str, str]:
        """Return what a worker says of itself: "keras", "jax" and what it runs "on"."""
        with self._lent() as worker:
            return dict(worker.about)

    def close(self) -> None:
        """End all workers that have nothing to do."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()


POOL = Pool()
atexit.register(POOL.close)

"""What stands at the door of a cluster: whether a worker is such that it computes the same bits as this process.

A worker may lack this package or hold another state of it, so the functions here are sent as code (`packed`) and import
nothing but the standard library until the worker is let in. TensorFlow reads its settings once, when it starts:
`enter` sets them before.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from helpers._base import machine
from helpers._base.machine import cores, processor, sources, version

# Of the environment, what TensorFlow and XLA read on a processor: any of it may change bits.
SENT = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "KERAS_BACKEND")
THREADS = "TF_NUM_INTRAOP_THREADS"  # sums over large batches are split among so many
NOT_SENT = ("TF_CPP_", THREADS)  # levels of the log; what `threads` tells
TRAINING = ("_base", "_tensorflow.py", "data", "models.py", "engine")  # rooms that training imports
BLOCKED = "tensorflow"  # once it is imported its settings stay


def versions() -> dict[str, str | None]:
    """Return what must be the same here and there; None where something is not installed."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "numpy": version("numpy"),
        "keras": version("keras"),
        "tensorflow": version("tensorflow-cpu", "tensorflow"),
        "helpers": code(),
    }


def code() -> str | None:
    """Return a digest of the sources that training runs, as imported; None where `helpers` is missing or another's."""
    running = sys.modules.get("helpers.engine.resume")
    if running is None:
        found = importlib.util.find_spec("helpers")
        folder = found and found.submodule_search_locations
        if not folder or not os.path.isdir(os.path.join(folder[0], "engine")):
            return None
        every = sources(folder[0])
    else:
        every = running.SOURCES
    rooms = sorted(item for item in every.items() if item[0].split("/")[0] in TRAINING)
    return hashlib.sha256(repr(rooms).encode()).hexdigest()[:16]


def threads() -> int:
    """Return how many threads TensorFlow has, or will have, for the parts of an operation."""
    started = sys.modules.get("helpers._tensorflow")
    asked = started.tf.config.threading.get_intra_op_parallelism_threads() if started else 0
    return asked or int(os.environ.get(THREADS) or 0) or cores()


def settings() -> dict[str, str]:
    """Return the environment variables that may change bits: as TensorFlow has read them, if it has."""
    running = sys.modules.get("helpers.engine.resume")
    found = os.environ if running is None else running.VARIABLES
    return {
        name: value
        for name, value in sorted(found.items())
        if name.startswith(SENT) and not name.startswith(NOT_SENT)
    }


def described() -> dict[str, Any]:
    """Return what this process is: "versions" and "processor"."""
    return {"versions": versions(), "processor": processor()}


def differences(here: Mapping[str, str | None], there: Mapping[str, str | None]) -> list[str]:
    """Return in which versions a worker differs, in words."""
    found = []
    for name, ours in here.items():
        theirs = there.get(name)
        if theirs == ours:
            continue
        if name == "helpers":
            found.append("no helpers" if theirs is None else "another state of helpers")
        elif theirs is None:
            found.append(f"no {name}")
        else:
            found.append(f"{name} {theirs} instead of {ours}")
    return found


def refusal(strange: Mapping[str, list[str]]) -> str:
    """Return the sentences that refuse workers: {address: differences}."""
    shown = [f"{address} has {', '.join(texts)}" for address, texts in list(strange.items())[:5]]
    more = [f"and {len(strange) - 5} more"] if len(strange) > 5 else []
    return (
        "Workers must have the Python, the packages and the helpers of this process, or the networks would be other "
        f"ones. Received: {'; '.join(shown + more)}. Make the same environment there, with `make env` in a checkout of "
        "the same commit, and start the workers with its Python."
    )


def wanted() -> dict[str, Any]:
    """Return what a worker must be to compute what this process would."""
    return {"versions": versions(), "threads": threads(), "settings": settings()}


def enter(ours: Mapping[str, Any]) -> Any:
    """Let a worker in: compare it, set what TensorFlow reads when it starts, and return `engine.worker`.

    Raises
    ------
    RuntimeError
        Where the worker has other versions, or has started TensorFlow with other settings.
    """
    texts = differences(ours["versions"], versions())
    if texts:
        raise RuntimeError(refusal({"a worker that came later": texts}))
    if (threads(), settings()) != (ours["threads"], ours["settings"]):
        if BLOCKED in sys.modules:
            raise RuntimeError(
                "A worker has started TensorFlow with other settings than this process: "
                f"{threads()} threads and {settings()} instead of {ours['threads']} and {ours['settings']}. "
                "Start the workers again, with client.restart()."
            )
        for name in settings():
            del os.environ[name]
        os.environ.update(ours["settings"])
        os.environ.pop(THREADS, None)
        if cores() != ours["threads"]:
            os.environ[THREADS] = str(ours["threads"])
    return importlib.import_module("helpers.engine.worker")


def packed(function: Callable[..., Any]) -> bytes:
    """Return a function of this module as code, which needs no `helpers` where it is run."""
    import cloudpickle  # of the extra `cluster`

    ours = (sys.modules[__name__], machine)
    for module in ours:
        cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(function)
    finally:
        for module in ours:
            cloudpickle.unregister_pickle_by_value(module)


# Functions inside functions are sent as code: neither the scheduler nor a worker needs `helpers` to read them.


def unpacked() -> Callable[..., Any]:
    """Return a function that calls one of `door.packed`."""

    def run(code, *arguments):
        import pickle

        return pickle.loads(code)(*arguments)

    return run


def held() -> Callable[..., Any]:
    """Return a function that gives a parcel as it is: the result of a task, made anew by others where it is lost."""

    def run(name, settings, own, head, data):
        import pickle

        return name, settings, own, head, pickle.loads(data)

    return run


def admitted() -> Callable[..., Any]:
    """Return a function that calls one of `engine.worker`, in a worker that is let in first."""

    def run(code, wanted, function, *arguments):
        import pickle
        import sys

        worker = sys.modules.get("helpers.engine.worker")
        if wanted not in getattr(worker, "admitted", ()):
            worker = pickle.loads(code)(wanted)
            worker.admitted.append(wanted)
        return getattr(worker, function)(*arguments)

    return run

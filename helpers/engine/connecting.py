"""From what the caller of `helpers.cluster` gives to a dask client that is in use."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from helpers._base import checks
from helpers.engine.places import LOOK

REMEDY = "Is the scheduler running, and can this machine reach it?"
PATIENCE = 2.0  # seconds beyond the timeout: what dask itself takes to give up


def connected(client: Any, timeout: float, stack: contextlib.ExitStack) -> Any:
    """Return a client that is in use; one that is made here is closed with ``stack``.

    Raises
    ------
    ImportError
        Without dask.distributed.
    TimeoutError
        Where nothing answers in time.
    TypeError, ValueError
        Neither a client that is open nor an address.
    """
    try:
        import distributed
    except ImportError as error:
        raise ImportError(
            'helpers.cluster needs dask.distributed, the extra `cluster`: pip install "distributed>=2025.7".'
        ) from error
    if isinstance(client, (str, os.PathLike)):
        return stack.enter_context(_made(os.fspath(client), timeout))
    if not isinstance(client, distributed.Client) or client.asynchronous:
        remedy = "Of a LocalCluster or another cluster object give Client(cluster)."
        expected = "a distributed.Client (not an asynchronous one) or an address"
        raise TypeError(checks.message("client", expected, client, remedy))
    if client.status in ("closing", "closed"):
        expected = "a client that is open"
        raise ValueError(checks.message("client", expected, client, "Make a new Client."))
    return client


def _made(text: str, timeout: float) -> Any:
    """Return a new client of a scheduler, by its address or scheduler file."""
    import distributed

    found: list[Any] = []
    late = threading.Event()

    def make() -> None:
        try:
            made = distributed.Client(
                _address(text, timeout), timeout=timeout, set_as_default=False
            )
        except Exception as error:  # whatever dask or a network says
            made = error
        found.append(made)
        if late.is_set() and not isinstance(made, Exception):
            made.close()

    # In a thread of its own: dask waits for ever where somebody takes the connection and says nothing.
    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(timeout + PATIENCE)
    late.set()
    made = found[0] if found else TimeoutError("it does not answer")
    if not isinstance(made, Exception):
        return made
    expected = "a client, or the address of a scheduler that answers"
    kind = TimeoutError if isinstance(made, OSError) else ValueError
    says = f"{REMEDY} Dask says: {type(made).__name__}: {str(made)[:200]}"
    raise kind(checks.message("client", expected, text, says)) from made


def _address(text: str, timeout: float) -> str:
    """Return an address as it is, or the one in a scheduler file, which may have to be written first."""
    if not text.endswith(".json"):
        return text
    end = time.monotonic() + timeout
    while True:
        try:
            return str(json.loads(Path(text).read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError, TypeError):  # none, half of it, or another file
            if time.monotonic() > end:
                raise TimeoutError(f"no file {text} with an address") from None
            time.sleep(LOOK)

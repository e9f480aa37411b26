"""Finished chunks kept on disk, so that a computation that was killed goes on where it stopped.

Only where the environment variable GENERALIZE_RESUME names a folder, as `make notebooks` has it. A chunk is one file,
in a folder named by a hash of all that its bits depend on. It holds a SHA-256 digest, then the bytes of arrays whose
shapes and types the reader knows: nothing in it is parsed, let alone unpickled.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import platform
import shutil
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

from helpers._tensorflow import XLA, keras, tf

VARIABLE = "GENERALIZE_RESUME"
MESSAGES = "messages.txt"
KEEP_AFTER = (
    1.0  # seconds for which a call runs before its chunks are kept: short calls pay nothing
)
SPARE_BYTES = 1_000_000_000  # of the disk, which chunks never take


def _environment(folder):
    """Return what a chunk depends on besides its arguments: the source of this package, versions, the compiler."""
    folder = Path(folder)
    files = sorted(folder.rglob("*.py"))  # of every room, each by its place
    source = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    versions = (sys.version, np.__version__, tf.__version__, keras.__version__)
    return source, versions, platform.machine(), XLA, os.environ.get("XLA_FLAGS")


_HERE = _environment(
    Path(__file__).parents[1]
)  # as imported: an edit changes nothing that this process computes


def resumable(task, filled, depends, work):
    """Return ``task``, or one that also keeps finished chunks and takes up those of a run that was killed.

    Parameters
    ----------
    task : callable
        ``(index, advance, stop)``, as `runtime.run` calls it; fills the arrays of one chunk.
    filled : callable
        Chunk index to the list of arrays, views (M, ...), that ``task`` fills.
    depends : callable
        Returns dicts, lists and tuples of arrays, texts and numbers: all that the bits depend on. Called once, and
        only if there is something to keep or to take up.
    work : int
        What one member counts on the progress bar.

    Returns
    -------
    callable
        Like ``task``. A file that is damaged or foreign is reported, computed again and replaced; a folder that cannot
        be written to is reported, and the computation goes on without.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return task
    earlier = _earlier(folder)
    started, guard, broken = time.monotonic(), threading.Lock(), threading.Event()

    @functools.cache
    def home():
        return Path(folder) / key((_HERE, depends()))

    def path_of(index):
        with guard:  # hashed by one thread, for all
            return home() / f"{index:05}"

    def resumed(index, advance, stop):
        arrays = filled(index)
        path = path_of(index) if earlier else None
        there = path is not None and path.parent.name in earlier and os.path.lexists(path)
        if there:
            if _load(path, arrays):
                advance(work * len(arrays[0]))
                return
            _report(folder, f"Chunk {path} is damaged or foreign: it is computed again.")
        task(index, advance, stop)
        due = there or time.monotonic() - started > KEEP_AFTER
        if (
            not due or stop.is_set() or broken.is_set()
        ):  # where a stop was asked for, the chunk may be unfinished
            return
        try:
            _store(path_of(index), arrays)
        except OSError as error:
            with guard:  # said by one thread, for all
                if not broken.is_set():
                    text = f"Chunks cannot be kept in {folder} ({error.strerror}): the computation goes on without."
                    _report(folder, text)
                broken.set()

    return resumed


@functools.cache
def _earlier(folder):
    """Return what the folder held when this process first asked: only what an earlier one left is taken up."""
    return frozenset(os.listdir(folder)) - {MESSAGES} if os.path.isdir(folder) else frozenset()


def _report(folder, text):
    """Give a warning, or leave it to the runner where that has put a file for it: notebooks would keep a warning."""
    try:
        with open(Path(folder) / MESSAGES, "r+", encoding="utf-8") as file:  # never made here
            file.seek(0, os.SEEK_END)
            file.write(text + "\n")
    except OSError:
        warnings.warn(text, RuntimeWarning, stacklevel=2)


def _digest(path, parts):
    """Return the digest that stands first in a chunk's file; of its place too: elsewhere the file is foreign."""
    digest = hashlib.sha256(f"{path.parent.name}/{path.name}".encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def _load(path, arrays):
    """Fill the arrays from a chunk's file; return whether it was whole and its own, and leave them alone if not."""
    size = hashlib.sha256().digest_size
    try:
        fits = path.stat().st_size == size + sum(array.nbytes for array in arrays)
        content = path.read_bytes() if fits else b""
    except OSError:
        return False
    body = np.frombuffer(content, np.uint8)[size:]
    if content[:size] != _digest(path, [body]):
        return False
    for array in arrays:
        array[...] = body[: array.nbytes].view(array.dtype).reshape(array.shape)
        body = body[array.nbytes :]
    return True


def _store(path, arrays):
    """Write a chunk aside and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < SPARE_BYTES + sum(array.nbytes for array in arrays):
        raise OSError(errno.ENOSPC, "the disk is nearly full")
    arrays = [np.ascontiguousarray(array) for array in arrays]
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        with open(aside, "wb") as file:
            for part in (_digest(path, arrays), *arrays):
                file.write(part)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def key(value):
    """Return a name, 64 hexadecimal digits, for dicts, lists and tuples of arrays, texts and numbers."""
    digest = hashlib.sha256()

    def add(value):  # each with its type and length, so that no two structures read alike
        if isinstance(value, dict):
            digest.update(b"dict")
            value = [part for name in sorted(value) for part in (name, value[name])]
        if isinstance(value, (list, tuple)):
            digest.update(f"[{len(value)}]".encode())
            for part in value:
                add(part)
        elif isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value))
        elif isinstance(value, (str, int, float, type(None), np.generic)):
            text = repr(value.item() if isinstance(value, np.generic) else value).encode()
            digest.update(f"{len(text)}:".encode() + text)
        else:
            raise TypeError(f"A {type(value).__name__} has no stable bytes.")

    add(value)
    return digest.hexdigest()

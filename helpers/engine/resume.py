"""A cache on disk of the pure function that trains a chunk, so that a run that was killed goes on where it stopped.

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

from helpers._base.machine import sources
from helpers._tensorflow import XLA, keras, tf

VARIABLE = "GENERALIZE_RESUME"
MESSAGES = "messages.txt"
KEEP_AFTER = (
    1.0  # seconds for which a call runs before its chunks are kept: short calls pay nothing
)
SPARE_BYTES = 1_000_000_000  # of the disk, which chunks never take


# Of the environment, what TensorFlow, XLA, oneDNN and the CUDA libraries read: any of it may change bits.
PREFIXES = ("TF_", "XLA_", "KERAS_", "ONEDNN_", "DNNL_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_")
ONLY_MESSAGES = "TF_CPP_"  # levels of the log


def variables():
    """Return the environment variables that may change bits."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIXES) and not name.startswith(ONLY_MESSAGES)
    }


def _processor():
    """Return what tells the processor: programs are compiled for the instructions that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return [platform.machine(), platform.processor()]
    wanted = ("model name", "flags", "Features")
    return [platform.machine(), *sorted({line for line in lines if line.startswith(wanted)})]


# As imported: an edit or a variable set later changes nothing that this process computes.
SOURCES, VARIABLES = sources(Path(__file__).parents[1]), variables()
_HERE = [
    SOURCES,
    [sys.version, np.__version__, tf.__version__, keras.__version__],
    _processor(),
    XLA,
    VARIABLES,
]


def machine():
    """Return all that bits depend on besides the arguments: `_HERE`, and what can be set while a process runs."""
    devices = [device.name for device in tf.config.list_physical_devices()]
    shorter = tf.config.experimental.tensor_float_32_execution_enabled()
    return [_HERE, variables(), devices, shorter]


def resumable(function, blank, depends, epochs):
    """Return ``function``, or one that also keeps finished chunks and takes up those of a run that was killed.

    Parameters
    ----------
    function : callable
        ``(chunk, advance, stop)`` to a list of arrays, or None where it was stopped, as `runtime.map_chunks` calls it.
        Beyond ``advance`` a pure function of the chunk.
    blank : callable
        Chunk to arrays of the shapes and types that ``function`` returns.
    depends : callable
        Returns dicts, lists and tuples of arrays, texts and numbers: all that the bits depend on. Called once, and
        only if there is something to keep or to take up.
    epochs : int
        What one member counts on the progress bar.

    Returns
    -------
    callable
        Like ``function``. A file that is damaged or foreign is reported, computed again and replaced; a folder that
        cannot be written to is reported once, and the computation goes on without.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return function
    earlier = _earlier(folder)
    started, guard, broken = time.monotonic(), threading.Lock(), threading.Event()

    @functools.cache
    def home():
        return Path(folder) / key((machine(), depends()))

    def path_of(chunk):
        with guard:  # hashed by one thread, for all
            return home() / f"{chunk.index:05}"

    def keep(path, arrays):
        try:
            store(path, arrays)
        except OSError as error:
            with guard:  # said by one thread, for all
                if not broken.is_set():
                    text = f"Chunks cannot be kept in {folder} ({error.strerror}): the computation goes on without."
                    _report(folder, text)
                broken.set()

    def resumed(chunk, advance, stop):
        path = path_of(chunk) if earlier else None
        there = path is not None and path.parent.name in earlier and os.path.lexists(path)
        if there:
            found = _load(path, blank(chunk))
            if found is not None:
                advance(epochs * chunk.kept)
                return found
            _report(folder, f"Chunk {path} is damaged or foreign: it is computed again.")
        arrays = function(chunk, advance, stop)
        due = there or time.monotonic() - started > KEEP_AFTER
        if arrays is not None and due and not broken.is_set():
            keep(path_of(chunk), arrays)
        return arrays

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


def digest(path, parts):
    """Return the digest that stands first in a chunk's file; of its place too: elsewhere the file is foreign."""
    digest = hashlib.sha256(f"{path.parent.name}/{path.name}".encode())
    for part in parts:
        digest.update(part)
    return digest.digest()


def _load(path, arrays):
    """Return a chunk's arrays, of the shapes and types of those given, or None unless the file is whole and its own."""
    size = hashlib.sha256().digest_size
    try:
        fits = path.stat().st_size == size + sum(array.nbytes for array in arrays)
        content = path.read_bytes() if fits else b""
    except OSError:
        return None
    body = np.frombuffer(content, np.uint8)[size:]
    if content[:size] != digest(path, [body]):
        return None
    for array in arrays:
        array[...] = body[: array.nbytes].view(array.dtype).reshape(array.shape)
        body = body[array.nbytes :]
    return arrays


def store(path, arrays):
    """Write a chunk aside and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < SPARE_BYTES + sum(array.nbytes for array in arrays):
        raise OSError(errno.ENOSPC, "the disk is nearly full")
    arrays = [np.ascontiguousarray(array) for array in arrays]
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        with open(aside, "wb") as file:
            for part in (digest(path, arrays), *arrays):
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

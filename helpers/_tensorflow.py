"""TensorFlow imported once, quietly; everything else imports it from here.

TensorFlow writes C++ log lines straight to file descriptor 2, where no Python setting reaches them and Jupyter saves
them into outputs: while TensorFlow is imported and compiles its first program, they go to a little process that keeps
them, and shows them if this one dies on the way (an unknown flag in XLA_FLAGS, a processor without AVX): the cause of
a death is told nowhere else.

Its threads stay as TensorFlow sets them, one per core. `fit_many` calls programs from one Python thread per core, but
XLA runs their steps in TensorFlow's intra-op pool: with a pool of one thread the calls wait for each other (measured:
half the speed on two cores).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers._base import keras_config, paths

_ALIVE = b"\0alive\0"
# Reads to the end, which comes when the other side closes the pipe or dies, and then shows what was said unless the
# last of it is `_ALIVE`.
_KEEPER = (
    "import sys; said = sys.stdin.buffer.read(); "
    f"said.endswith({_ALIVE!r}) or sys.stderr.buffer.write(said)"
)

# Set to "off": no compiled programs on disk, see `engine.compiled`.
PROGRAMS = "GENERALIZE_PROGRAMS"
FLAGS, FOLDER = "TF_XLA_FLAGS", "tf_xla_persistent_cache_directory"

KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what is written to file descriptor 2 to itself, unless this process dies of what happens meanwhile.

    Python's own ``sys.stderr`` is kept as well; its errors still surface as exceptions.
    """
    # ipykernel reads descriptor 2 inside the process that may die; it has put the real one aside.
    real = getattr(sys.stderr, "_original_stdstream_copy", None)
    try:
        sys.stderr.flush()
        saved = os.dup(2)
        keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=saved if real is None else real,
            start_new_session=True,  # Ctrl-C is for this process
        )
    except (AttributeError, OSError, ValueError):  # no descriptor 2, or no process to be had
        yield
        return
    pipe = keeper.stdin.fileno()
    try:
        os.dup2(pipe, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        with contextlib.suppress(OSError):  # the keeper was killed
            os.write(pipe, _ALIVE)
        with contextlib.suppress(OSError):
            keeper.stdin.close()
        try:
            keeper.wait(5)
        except subprocess.TimeoutExpired:  # somebody else holds the pipe open
            keeper.kill()
            keeper.wait()


@contextlib.contextmanager
def _written() -> Iterator[Path | None]:
    """Have TensorFlow write what XLA compiles for the processor into a new folder; give that, or None if it is not to.

    It reads the flag once, with its first program. A user's own folder stays, and so does a file of flags.
    """
    given = os.environ.get(FLAGS, "").strip()
    folder = None
    if FOLDER not in given and given[:1] in ("", "-") and os.environ.get(PROGRAMS) != "off":
        with contextlib.suppress(OSError):
            _sweep()
            folder = Path(tempfile.mkdtemp(prefix=f"generalize-{os.getpid()}-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if folder is None or len(str(folder).split()) > 1:  # flags are parted by blanks
        yield None
        return
    ours = f"--{FOLDER}={folder} --tf_xla_persistent_cache_device_types=CPU"
    os.environ[FLAGS] = f"{given} {ours}".strip()
    try:
        yield folder
    finally:  # a child process makes a folder of its own
        if given:
            os.environ[FLAGS] = given
        else:
            del os.environ[FLAGS]


def _sweep() -> None:
    """Remove the folders of `_written` that killed processes left: a day old, and no such process is alive."""
    for folder in Path(tempfile.gettempdir()).glob("generalize-*-*"):
        with contextlib.suppress(OSError, ValueError):
            owner = int(folder.name.split("-")[1])
            old = time.time() - folder.stat().st_mtime > 24 * 3600
            if old and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
                shutil.rmtree(folder, ignore_errors=True)


def _import() -> tuple[Any, Any, bool, Path | None]:
    """Import TensorFlow, try XLA on one addition; return (tf, keras, whether XLA compiles, where TensorFlow writes)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _quiet(), _written() as scratch:
        import keras
        import tensorflow as tf

        try:
            tf.function(lambda x: x + 1.0, jit_compile=True)(tf.zeros(1))
            xla = True
        except (tf.errors.OpError, ValueError, RuntimeError):
            xla = False
    if scratch is not None and not os.listdir(scratch):  # TensorFlow had read the flag before
        scratch = None
    return tf, keras, xla, scratch


def _forget_keras_json(keras):
    """Undo what a user's ``keras.json`` has set: results must not depend on it. Calls of ``keras.config`` still count.

    Keras reads that file when it is imported, which a notebook may have done before us; a value that is not the
    file's was set by a call and stays.
    """
    try:
        content = (paths.keras_home() / "keras.json").read_text(encoding="utf-8")
        given = json.loads(content)
    except (OSError, ValueError):  # none, or none that Keras could read
        return
    for name, default in KERAS_DEFAULTS.items():
        value = getattr(keras.config, name)()
        if value != default and value == given.get(name):
            getattr(keras.config, f"set_{name}")(default)


tf, keras, XLA, SCRATCH = _import()
_forget_keras_json(keras)

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"helpers needs Keras on the TensorFlow backend. Received: backend={keras.backend.backend()!r}. "
        "Unset KERAS_BACKEND or set it to 'tensorflow' before Python starts."
    )
if not XLA:
    warnings.warn(
        "This TensorFlow cannot compile with XLA (as on Windows): programs run uncompiled, much slower.",
        stacklevel=2,
    )


def keras_settings() -> dict[str, Any]:
    """Return Keras's configuration, from keras.json or the caller: builders of models read it."""
    return keras_config.read(keras)


def keras_defaults() -> dict[str, Any]:
    """Set Keras's configuration to its defaults, whatever the user's keras.json says; for lessons and experiments.

    `fit_many` itself trains what it is given, in double precision too, and writes the configuration into
    ``runs.settings``. What reproduces published numbers calls this first.

    Returns
    -------
    dict
        What was set otherwise, by name: "floatx", "dtype_policy", "image_data_format", "epsilon".

    Examples
    --------
    >>> from helpers._tensorflow import keras_defaults
    >>> keras_defaults()  # nothing was set otherwise
    {}
    """
    defaults = {**KERAS_DEFAULTS, "dtype_policy": "float32"}
    found = keras_settings()
    keras_set(defaults)
    return {name: value for name, value in found.items() if value != defaults[name]}


def keras_set(settings: dict[str, Any]) -> None:
    """Set Keras's configuration to what `keras_settings` has returned, here or in another process."""
    keras_config.write(keras, settings)

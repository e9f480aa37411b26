"""TensorFlow imported once, quietly; everything else imports it from here.

TensorFlow writes C++ log lines straight to file descriptor 2, where no Python setting reaches them and Jupyter saves
them into outputs: the descriptor points at the null device while TensorFlow is imported and compiles its first program.

Its threads stay as TensorFlow sets them, one per core. `fit_many` calls programs from one Python thread per core, but
XLA runs their steps in TensorFlow's intra-op pool: with a pool of one thread the calls wait for each other (measured:
half the speed on two cores).
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings

from helpers._base import paths

KERAS_DEFAULTS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}


@contextlib.contextmanager
def _silent_descriptor():
    """Point file descriptor 2 at the null device; Python's own ``sys.stderr`` errors still surface as exceptions."""
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (AttributeError, OSError, ValueError):  # no descriptor 2: nothing to silence
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _import():
    """Import TensorFlow, try XLA on one addition; return (tf, keras, whether XLA compiles)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_descriptor():
        import keras
        import tensorflow as tf

        try:
            tf.function(lambda x: x + 1.0, jit_compile=True)(tf.zeros(1))
            xla = True
        except (tf.errors.OpError, ValueError, RuntimeError):
            xla = False
    return tf, keras, xla


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


tf, keras, XLA = _import()
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

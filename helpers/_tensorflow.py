"""TensorFlow imported once, quietly and with one intra-op thread; everything else imports it from here.

`fit_many` runs one Python thread per core, each on a chunk of members, so TensorFlow's own threads would
only get in the way. TensorFlow writes C++ log lines straight to file descriptor 2, where no Python setting
reaches them and Jupyter saves them into outputs: the descriptor points at the null device while TensorFlow
is imported and compiles its first program.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings


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
    """Import TensorFlow, set the threads, try XLA on one addition; return (tf, keras, xla, threads_set)."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_descriptor():
        import keras
        import tensorflow as tf

        try:
            if tf.config.threading.get_intra_op_parallelism_threads() != 1:
                tf.config.threading.set_intra_op_parallelism_threads(1)
            threads_set = True
        except RuntimeError:  # TensorFlow already runs: its threads are fixed
            threads_set = False
        try:
            tf.function(lambda x: x + 1.0, jit_compile=True)(tf.zeros(1))
            xla = True
        except (tf.errors.OpError, ValueError, RuntimeError):
            xla = False
    return tf, keras, xla, threads_set


tf, keras, XLA, _THREADS_SET = _import()

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"helpers needs Keras on the TensorFlow backend. Received: backend={keras.backend.backend()!r}. "
        "Unset KERAS_BACKEND or set it to 'tensorflow' before Python starts."
    )
if not _THREADS_SET:
    warnings.warn(
        "TensorFlow was running before helpers was imported, so its intra-op threads could not be set to 1: "
        "same results, slower. Import helpers first.",
        stacklevel=2,
    )
if not XLA:
    warnings.warn(
        "This TensorFlow cannot compile with XLA (as on Windows): programs run uncompiled, much slower.", stacklevel=2
    )

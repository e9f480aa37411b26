"""Compiled programs kept on disk, so that a new process neither traces nor compiles what an earlier one did.

TensorFlow keeps XLA's machine code itself (``tf_xla_persistent_cache_directory``), but finds it again by a hash that
covers the names of all functions, which it numbers in the order in which a process makes them. Here a traced program
becomes a GraphDef whose functions are named by a hash of what they do, and is called from there whether or not
anything is kept: the bits do not depend on the cache.

TensorFlow would take damaged machine code for good, and fail where it cannot write. So it sees only a folder of this
process, `SCRATCH`: a file's machine code is put there once the file's digest is right, and what TensorFlow leaves there
goes into a file. Nobody may write to the cache who may not run code as its owner.

Nothing is kept of code of the caller's own, which a key cannot see; nor where the cache cannot be written to. Functions
of this package that are replaced while it runs are not seen either: whoever does that sets GENERALIZE_PROGRAMS=off.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from helpers._base import paths
from helpers._tensorflow import PROGRAMS, SCRATCH, XLA, keras_settings, tf
from helpers.engine import resume

MOST_BYTES = 500_000_000  # of all files; those unused for longest go first


class Traced(NamedTuple):
    """A traced program, apart from the process that traced it.

    Attributes
    ----------
    name : str
        With which the names of its functions begin.
    graph : bytes
        A GraphDef: placeholders "in0", "in1", ..., and one call of the function that XLA compiles.
    outputs : list of str
        The tensors that it returns.
    structure : nested lists, tuples and dicts
        Theirs, around None.
    code : dict of str to bytes
        TensorFlow's files of machine code, by name; empty before the first call.
    """

    name: str
    graph: bytes
    outputs: list[str]
    structure: Any
    code: dict[str, bytes]


def program(function: Callable[..., Any], specs: tuple[Any, ...], key: Any = None) -> Callable:
    """Return ``function`` compiled by XLA, from disk if it is there.

    Parameters
    ----------
    function : callable
        Of nested tensors.
    specs : tuple of nested tf.TensorSpec
        Of its arguments.
    key : tuple, optional
        Texts and numbers that tell all that ``function`` computes, besides versions and machine. Without one, and with
        anything else in it, nothing is taken from disk or kept.
    """
    path = _path(key, specs)
    traced = None if path is None else _load(path)
    if traced is not None:
        with contextlib.suppress(OSError):  # else it is compiled
            SCRATCH.mkdir(exist_ok=True)  # a fork that ended may have removed it
            for name, content in traced.code.items():
                (SCRATCH / name).write_bytes(content)
            os.utime(path)
        return _guarded(traced, specs, lambda: _traced(function, specs, "again"), path)
    traced = _traced(function, specs)
    if traced is None:
        concrete = tf.function(function, jit_compile=XLA, autograph=False)
        return concrete.get_concrete_function(*specs)
    call, first = _called(traced, specs), threading.Lock()

    def fresh(*arguments):
        result = call(*arguments)
        if path is not None and first.acquire(blocking=False):  # never released: once only
            _keep(path, traced)
        return result

    return fresh


def _guarded(traced, specs, again, path):
    """Return a program from disk that is traced and compiled anew should TensorFlow refuse it."""
    calls, guard, first = [_called(traced, specs)], threading.Lock(), threading.Lock()

    def guarded(*arguments):
        try:
            result = calls[-1](*arguments)
            if first.acquire(blocking=False):  # never released: once only
                _remove(traced)  # TensorFlow has read it
            return result
        except tf.errors.OpError:
            with guard:
                if len(calls) == 1:
                    with contextlib.suppress(OSError):  # a folder that is only read
                        path.unlink()
                    calls.append(_called(again(), specs))
        return calls[-1](*arguments)

    return guarded


def _remove(traced):
    """Remove a program's machine code from where TensorFlow looks for it."""
    with contextlib.suppress(OSError):
        for name in traced.code:
            (SCRATCH / name).unlink(missing_ok=True)


def _traced(function, specs, mark="program"):
    """Return a traced function, or None where it cannot leave this process: without XLA, or holding tensors."""
    if not XLA:
        return None
    structure = []

    def flat(*tensors):
        result = function(*tf.nest.pack_sequence_as(specs, tensors))
        structure.append(tf.nest.map_structure(lambda _: None, result))
        return tf.nest.flatten(result)

    wanted = tf.nest.flatten(specs)
    concrete = tf.function(flat, jit_compile=True, autograph=False).get_concrete_function(*wanted)
    if concrete.captured_inputs:
        return None
    with tf.Graph().as_default() as graph:
        outputs = concrete(
            *(
                tf.compat.v1.placeholder(spec.dtype, spec.shape, f"in{i}")
                for i, spec in enumerate(wanted)
            )
        )
    definition = graph.as_graph_def()
    for part in definition.library.function:
        for node in part.node_def:
            node.ClearField("experimental_debug_info")
    _rename(definition, mark)
    name = f"{mark}_{resume.key(np.frombuffer(_bytes(definition), np.uint8))[:32]}"
    _rename(definition, name)
    names = [tensor.name for tensor in outputs]
    return Traced(name, _bytes(definition), names, structure[-1], {})


def _bytes(definition):
    """Return a GraphDef's bytes, the same in every process."""
    return definition.SerializeToString(deterministic=True)


def _rename(definition, prefix):
    """Name the functions of a GraphDef by their order: TensorFlow's names count what the process made before."""
    functions = definition.library.function
    names = {each.signature.name: f"{prefix}_{i}" for i, each in enumerate(functions)}
    for each in functions:
        each.signature.name = names[each.signature.name]
    for nodes in (definition.node, *(each.node_def for each in functions)):
        for value in (value for node in nodes for value in node.attr.values()):
            for called in (value.func, *value.list.func):
                if called.name:
                    called.name = names.get(called.name, called.name)


def _called(traced, specs):
    """Return the function of nested tensors that a traced program is."""
    definition = tf.compat.v1.GraphDef.FromString(traced.graph)

    def imported(*tensors):
        given = {f"in{i}:0": tensor for i, tensor in enumerate(tensors)}
        return tf.graph_util.import_graph_def(definition, given, traced.outputs, name="")

    run = tf.compat.v1.wrap_function(imported, tf.nest.flatten(specs))

    def call(*arguments):
        return tf.nest.pack_sequence_as(traced.structure, run(*tf.nest.flatten(arguments)))

    return call


def _path(key, specs):
    """Return the file of a program, or None where nothing is to be kept."""
    if SCRATCH is None or not key or os.environ.get(PROGRAMS) == "off":
        return None
    shapes = [(tuple(spec.shape), spec.dtype.name) for spec in tf.nest.flatten(specs)]
    # Machine code is cut for a number of threads.
    threads = [os.cpu_count(), tf.config.threading.get_intra_op_parallelism_threads()]
    try:
        home = paths.programs() / resume.key((resume.machine(), threads))[:32]
        return home / resume.key((key, shapes, keras_settings()))[:32]
    except (TypeError, RuntimeError):  # something of the caller's own in the key; no home folder
        return None


def _load(path):
    """Return the program in a file, or None unless the file is whole and its own."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    size = len(resume.digest(path, []))
    if content[:size] != resume.digest(path, [content[size:]]):
        return None
    return Traced(*pickle.loads(content[size:]))


def _keep(path, traced):
    """Write a program with the machine code that TensorFlow has left, and remove the oldest files."""
    with contextlib.suppress(OSError):  # a folder that is full or cannot be written to
        code = {}
        for file in SCRATCH.glob("*.pb"):
            content = file.read_bytes()
            if traced.name.encode() in content:  # programs of the caller's own lie there too
                code[file.name] = content
                file.unlink()
        if code:
            body = pickle.dumps(tuple(traced._replace(code=code)))
            resume.store(path, [np.frombuffer(body, np.uint8)])
            _prune(path.parents[1])


def _prune(home):
    """Remove the files unused for longest until the rest takes at most `MOST_BYTES`."""
    found = []
    for path in home.glob("*/*"):
        with contextlib.suppress(OSError):  # removed by another process
            found.append((path.stat().st_mtime, path.stat().st_size, path))
    total = 0
    for _, size, path in sorted(found, reverse=True):
        total += size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)

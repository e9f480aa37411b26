"""Every contender: the same networks trained on the same data, each in a process of its own.

    python benchmarks/contenders.py fit_many keras-post [--json] [--seed 1] [--quick] [--sweep members|width]

A contender prepares itself, which includes a first call that compiles everything, and returns a function that does
the work once more, compiled. That function returns the losses that the work ended with, so that the driver can see that
all contenders computed the same thing. Thread numbers are left as each library sets them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import workloads


def seconds(call):
    """Return the wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def compiled_model(workload, **options):
    """Return one network, compiled with the loss and metric that `fit_many` records too."""
    from helpers._tensorflow import keras

    task, model = workload.dataset().task, workload.model()
    if task == "regression":
        loss, metrics = "mse", []
    elif task == "binary":
        loss, metrics = (
            keras.losses.BinaryCrossentropy(from_logits=True),
            [keras.metrics.BinaryAccuracy(threshold=0.0)],
        )
    else:
        loss, metrics = keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]
    model.compile(optimizer="adam", loss=loss, metrics=metrics, **options)
    model.optimizer.build(model.trainable_variables)
    return model


def fitted(model, epochs, **arguments):
    """Return (seconds of a first epoch, run): ``run()`` fits the network again from its start, already compiled."""
    variables = [*model.variables, *model.optimizer.variables]
    start = [variable.numpy() for variable in variables]
    first = seconds(lambda: model.fit(epochs=1, verbose=0, **arguments))

    def run():
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        history = model.fit(epochs=epochs, verbose=0, **arguments).history
        return [history["loss"][-1]], [history["val_loss"][-1]] if "val_loss" in history else None

    return first, run


def fit(workload, seed):
    """Prepare plain Keras as a tutorial writes it, for one network.

    Without a seed: once TensorFlow's global seed is set, Keras 3.15 shuffles the same way in every epoch, which is
    another experiment: with batch norm the losses then end elsewhere.
    """
    points = workload.dataset()
    held = None if points.x_val is None else (points.x_val, points.y_val)
    arguments = {
        "x": points.x_train,
        "y": points.y_train,
        "batch_size": workload.batch,
        "validation_data": held,
    }
    return 1, *fitted(compiled_model(workload), workload.epochs, **arguments)


def fit_tuned(workload, seed):
    """Prepare `fit` for one network as somebody tunes it who knows Keras.

    A ``tf.data`` pipeline without the parts that cost more than they bring on small arrays (a thread pool, autotuning,
    graph rewriting; caching and prefetching what is in memory were slower too), a whole epoch of steps in one call, and
    XLA for the step if it is faster, which is tried on a few epochs beforehand.
    """
    from helpers._tensorflow import keras, tf

    keras.utils.set_random_seed(seed)
    points = workload.dataset()
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.threading.private_threadpool_size = 1

    def batches(x, y, shuffle):
        rows = tf.data.Dataset.from_tensor_slices((x, y))
        rows = rows.shuffle(len(y)) if shuffle and len(y) > workload.batch else rows
        return rows.batch(workload.batch).with_options(options)

    held = None if points.x_val is None else batches(points.x_val, points.y_val, False)
    arguments = {
        "x": batches(points.x_train, points.y_train, True),
        "validation_data": held,
        "shuffle": False,
    }
    steps = -(-points.n_train // workload.batch)
    trial, found = min(workload.epochs, 5), []
    for jit in (False, True):
        model = compiled_model(workload, jit_compile=jit, steps_per_execution=steps)
        first, run = fitted(model, workload.epochs, **arguments)
        tried = seconds(lambda model=model: model.fit(epochs=trial, verbose=0, **arguments))
        found.append((tried, first, run))
    _, first, run = min(found, key=lambda entry: entry[0])
    return 1, first, run


def trainer(workload, seed=0):
    """Return the function of members and epochs that trains a workload with `fit_many` and gives the history."""
    from helpers import fit_many as train

    points = workload.dataset()

    def call(members, epochs):
        return train(
            workload.model,
            points,
            members=members,
            epochs=epochs,
            batch_size=workload.batch,
            seed=seed,
            progress=False,
        ).history

    return call


def fit_many(workload, seed):
    """Prepare our own: all networks, with the history of every epoch."""
    call = trainer(workload, seed)

    def run():
        history = call(workload.members, workload.epochs)
        held = history["val_loss"][:, -1] if "val_loss" in history else None
        return history["loss"][:, -1], held

    # The program is that of a whole chunk for any number of epochs: one network and epoch compile what the run uses.
    # In the general engine each process compiles, and all of them are needed.
    few = workload.members if callable(workload.builder) else 1
    return workload.members, seconds(lambda: call(few, 1)), run


def random_weights(workload, count, seed):
    """Return stacked weights of random networks: normal, with variance 1 / inputs, and small biases."""
    rng, stacks = np.random.default_rng(seed), []
    for weight in workload.model().get_weights():
        scale = 1 / np.sqrt(weight.shape[0]) if weight.ndim > 1 else 0.1
        stacks.append(
            np.float32(scale) * rng.standard_normal((count, *weight.shape), dtype=np.float32)
        )
    return stacks


def predict(workload, seed):
    """Prepare a loop of Keras's ``predict`` over networks, with one model that takes up each one's weights."""
    count = min(workload.members, workloads.PREDICT_LOOP)
    weights, model, x = (
        random_weights(workload, count, seed),
        workload.model(),
        workload.dataset().x_train,
    )

    def run():
        squares = []
        for member in range(count):
            model.set_weights([stack[member] for stack in weights])
            squares.append(np.mean(model.predict(x, verbose=0) ** 2))
        return squares, None

    return count, seconds(lambda: model.predict(x, verbose=0)), run


def predict_many(workload, seed):
    """Prepare our own predictions of all networks."""
    from helpers import predict_many as outputs

    weights, x = random_weights(workload, workload.members, seed), workload.dataset().x_train
    first = seconds(
        lambda: outputs(workload.model, [stack[:1] for stack in weights], x, progress=False)
    )

    def run():
        found = outputs(workload.model, weights, x, progress=False)
        return np.einsum("mno,mno->m", found, found) / found[0].size, None

    return workload.members, first, run


def jax_pure(kind):
    """Return a contender of `jax_contenders`."""

    def prepare(workload, seed):
        module = importlib.import_module("jax_contenders")
        return getattr(module, kind)(workload, seed)

    return prepare


def jax_keras(workload, seed):
    """Prepare the Keras model itself on Keras's JAX backend; a process on TensorFlow tells its JSON."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as other:
        described = other.submit(workload.described).result()
    os.environ["KERAS_BACKEND"] = "jax"  # read when Keras is imported
    return importlib.import_module("jax_keras").chunked(workload, described, seed)


CONTENDERS = {
    "fit": fit,
    "fit-tuned": fit_tuned,
    "jax-vmap": jax_pure("vmap"),
    "jax-chunked": jax_pure("chunked"),
    "jax-keras": jax_keras,
    "fit_many": fit_many,
    "predict": predict,
    "predict_many": predict_many,
}


def sgemm(size=2048):
    """Return the rate of a float32 matrix product through NumPy in GFLOP/s, best of five."""
    a = np.random.default_rng(0).random((size, size), dtype=np.float32)
    return 2 * size**3 / min(seconds(lambda: a @ a) for _ in range(5)) / 1e9


def summary(values):
    """Return count, mean, standard deviation and range of the networks' losses, or None where there are none."""
    if values is None:
        return None
    values = np.asarray(values, float)
    return {
        "n": len(values),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "low": float(values.min()),
        "high": float(values.max()),
    }


def measure(name, workload, seed=0, calls=1):
    """Time one contender.

    Parameters
    ----------
    name : str
        One of `CONTENDERS`.
    workload : Workload
        What to do.
    seed : int
        Of initial weights and batch order.
    calls : int
        Timed calls, whose median is taken; fewer where they take long.

    Returns
    -------
    dict
        ``networks``, ``first`` (seconds of the call that compiles), ``seconds`` of the run, ``loss`` and ``val_loss``
        at its end, ``epochs``, ``examples``; ``kernel_weights`` and ``sgemm`` (GFLOP/s) where a target asks for it.
    """
    networks, first, run = CONTENDERS[name](workload, seed)
    times = []
    while len(times) < calls and sum(times) < 2:
        started = time.perf_counter()
        losses, held = run()
        times.append(time.perf_counter() - started)
    found = {"networks": networks, "first": first, "seconds": statistics.median(times)}
    found |= {"loss": summary(losses), "val_loss": summary(held)}
    found |= {"epochs": workload.epochs, "examples": workload.dataset().n_train}
    if name == "fit_many" and any(target.against == "sgemm" for target in workload.targets):
        kernels = [weight.size for weight in workload.model().get_weights() if weight.ndim > 1]
        found |= {"kernel_weights": sum(kernels), "sgemm": sgemm()}
    return found


def main(arguments=None):
    """Time one contender and print what was found; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("workload")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="three networks, two epochs")
    parser.add_argument(
        "--sweep", choices=("members", "width"), help="along one panel of the growth figure"
    )
    options = parser.parse_args(arguments)
    try:
        workload = workloads.find(options.workload, options.quick)
    except ValueError as error:
        parser.error(str(error))
    if options.sweep:
        points = workloads.sweep(workload, options.sweep, options.quick)
        found = [
            {"size": size} | measure(options.contender, one, options.seed, 3)
            for size, one in points
        ]
    else:
        found = measure(options.contender, workload, options.seed)
    print(json.dumps(found) if options.json else json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

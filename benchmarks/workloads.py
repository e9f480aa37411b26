"""What is timed: one frozen description per workload, from which every contender builds its networks and data."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from helpers import data

KERAS = ("fit", "fit-tuned")
PURE_JAX = ("jax-vmap", "jax-chunked")  # written for perceptrons
JAX = (*PURE_JAX, "jax-keras")
PREDICT_LOOP = (
    20  # networks that the loop of Keras's `predict` runs: it takes the same time for each
)


@dataclass(frozen=True)
class Target:
    """A speed to reach, printed beside what was measured.

    Parameters
    ----------
    against : str
        The contender whose time per network is divided by ours; "sgemm": our share of the machine's rate of matrix
        products; "rate": our networks a second.
    value : float
        At least this is asked for.
    """

    against: str
    value: float


class Described(NamedTuple):
    """What programs without TensorFlow need to know of a workload.

    Attributes
    ----------
    model : str
        JSON of one network.
    width : int
        Networks in one of our chunks.
    workers : int
        Chunks that run at once.
    """

    model: str
    width: int
    workers: int


@dataclass(frozen=True)
class Workload:
    """Networks to train, or to predict with.

    Parameters
    ----------
    name, title : str
        For the command line and for the table.
    dataset : callable
        Returns the `helpers.data.Dataset`.
    builder : str or callable
        A function, or the name of one of `helpers.models`, called with input shape, outputs and ``options``.
    options : dict
        Its keyword arguments.
    batch, epochs : int
        Examples per step (the last step of an epoch may have fewer), passes over the training examples.
    members : int
        Networks that the contenders train that train many.
    contenders : tuple of str
        Ours is the last.
    targets : tuple of Target
        What is asked of ours.
    """

    name: str
    title: str
    dataset: Callable
    builder: str | Callable = "mlp"
    options: dict = field(default_factory=dict)
    batch: int = 0
    epochs: int = 0
    members: int = 1
    contenders: tuple = (*KERAS, "jax-keras", "fit_many")
    targets: tuple = ()

    def model(self):
        """Return one uncompiled network as an ordinary Keras model (imports TensorFlow)."""
        models, points = importlib.import_module("helpers.models"), self.dataset()
        build = self.builder if callable(self.builder) else getattr(models, self.builder)
        return build(points.input_shape, points.outputs, **self.options)

    def described(self):
        """Return the network as JSON, and how `fit_many` would chunk it (imports TensorFlow)."""
        runtime = importlib.import_module("helpers.engine.runtime")
        recipe = importlib.import_module("helpers.engine.recipe").Recipe(self.model)
        width = runtime.chunk_width(recipe, min(self.batch, self.dataset().n_train))
        return Described(recipe.config, width, runtime.workers())

    @property
    def sizes(self):
        """Widths of a multilayer perceptron from its inputs to its outputs (tuple of int), for the JAX contenders."""
        points = self.dataset()
        return (int(np.prod(points.input_shape)), *self.options["hidden"], points.outputs)


@functools.cache
def keras_post():
    """Return the data of the Keras post: 80 training and 20 validation points of a noisy line."""
    return data.split(data.line(slope=2, intercept=1, x="grid", high=10), val=0.2)


def tested(dataset):
    """Return a data set whose test examples are its validation set: nothing is chosen by it here."""
    return dataclasses.replace(dataset, x_val=dataset.x_test, y_val=dataset.y_test)


@functools.cache
def mnist1d():
    """Return the canonical 4,000 training signals of MNIST-1D, validated on its 1,000 test signals."""
    return tested(data.mnist1d())


@functools.cache
def mnist_small():
    """Return 4,000 training digits and 1,000 to validate on."""
    return tested(data.mnist_small())


@functools.cache
def xor():
    """Return 100 points of XOR."""
    return data.xor(n=100)


@functools.cache
def plane():
    """Return 400 points of the plane, only to predict at."""
    return data.spirals(n=400)


def _mnist1d_mlp(
    suffix="", title="", ratio=25, contenders=(*KERAS, "jax-keras", "fit_many"), more=(), **options
):
    """Return a variant of the MNIST-1D perceptron."""
    return Workload(
        f"mnist1d-mlp{suffix}",
        f"40-100-100-10 MLP{title}, MNIST-1D",
        mnist1d,
        options={"hidden": (100, 100), **options},
        batch=100,
        epochs=20,
        members=40,
        contenders=contenders,
        targets=(Target("fit", ratio), LEVEL, *more),
    )


def gru(input_shape, outputs):
    """Return a recurrent network that reads a signal value by value (imports TensorFlow)."""
    keras = importlib.import_module("helpers._tensorflow").keras
    layers = [keras.Input(input_shape), keras.layers.Reshape((*input_shape, 1))]
    return keras.Sequential([*layers, keras.layers.GRU(32), keras.layers.Dense(outputs)])


def transformer(input_shape, outputs):
    """Return one block of a small transformer, over ten patches of a signal (imports TensorFlow)."""
    keras = importlib.import_module("helpers._tensorflow").keras
    layers, inputs = keras.layers, keras.Input(input_shape)
    x = layers.Dense(32)(layers.Reshape((10, -1))(inputs))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, "gelu")(x)))
    return keras.Model(inputs, layers.Dense(outputs)(layers.GlobalAveragePooling1D()(x)))


def separable(input_shape, outputs):
    """Return a network of separable convolutions (imports TensorFlow)."""
    keras = importlib.import_module("helpers._tensorflow").keras
    layers = keras.layers
    blocks = [layers.SeparableConv2D(n, 3, strides=2, activation="relu") for n in (16, 32)]
    stack = [keras.Input(input_shape), *blocks, layers.GlobalAveragePooling2D()]
    return keras.Sequential([*stack, layers.Dense(outputs)])


def _general(name, title, dataset, builder, epochs=5, members=20):
    """Return a workload of the general engine, which is Keras on JAX itself."""
    return Workload(
        name,
        title,
        dataset,
        builder,
        batch=100,
        epochs=epochs,
        members=members,
        contenders=(*KERAS, "fit_many"),
    )


def images():
    """Return `mnist_small` with an axis of channels."""
    flat = mnist_small()
    shape = (28, 28, 1)
    parts = {f"x_{part}": getattr(flat, f"x_{part}") for part in ("train", "val", "test")}
    shaped = {k: v if v is None else v.reshape(len(v), *shape) for k, v in parts.items()}
    return dataclasses.replace(flat, **shaped)


LEVEL = Target("jax-keras", 1.0)  # at least level with chunked JAX on every row
WORKLOADS = (
    Workload(
        "keras-post",
        "64-64 MLP of the Keras post",
        keras_post,
        options={"hidden": (64, 64)},
        batch=32,
        epochs=200,
        members=1000,
        contenders=(*KERAS, *JAX, "fit_many"),
        targets=(
            Target("fit", 2500),
            Target("jax-vmap", 2.5),
            Target("jax-chunked", 1.1),
            LEVEL,
            Target("sgemm", 0.30),
        ),
    ),
    _mnist1d_mlp(contenders=(*KERAS, *JAX, "fit_many"), more=(Target("jax-vmap", 1.5),)),
    _mnist1d_mlp("-bn", " with batch norm", 15, batch_norm=True),
    _mnist1d_mlp("-dropout", " with dropout 0.5", 12, dropout=0.5),
    Workload(
        "mnist1d-cnn",
        "three stride-2 convolutions of 25 channels, MNIST-1D",
        mnist1d,
        "cnn1d",
        batch=100,
        epochs=10,
        members=20,
        targets=(Target("fit", 8), LEVEL),
    ),
    Workload(
        "lenet-300-100",
        "LeNet-300-100, MNIST subset",
        mnist_small,
        "lenet_300_100",
        batch=60,
        epochs=5,
        members=20,
        targets=(Target("fit", 5), LEVEL),
    ),
    _general("gru", "GRU of 32 units over 40 values, MNIST-1D", mnist1d, gru),
    _general(
        "transformer", "one transformer block over 10 patches, MNIST-1D", mnist1d, transformer
    ),
    _general("separable", "two separable convolutions, MNIST subset", images, separable, 3, 8),
    Workload(
        "xor",
        "2-2-1 MLP, XOR, full batch",
        xor,
        options={"hidden": (2,)},
        batch=100,
        epochs=1000,
        members=10_000,
        # `fit` has no target here and takes longest
        contenders=("fit-tuned", "jax-keras", "fit_many"),
        targets=(LEVEL, Target("rate", 2500)),
    ),
    Workload(
        "predict",
        "random 2-25-25-1 MLPs at 400 points, no training",
        plane,
        options={"hidden": (25, 25)},
        members=100_000,
        contenders=("predict", "predict_many"),
    ),
)

# Time against the number of networks and against width: fewer epochs, so that 4,096 networks stay affordable.
GROWTH = dataclasses.replace(WORKLOADS[0], name="growth", epochs=50, targets=())
GROWTH_MEMBERS = (1, 4, 16, 64, 256, 1024, 4096)
GROWTH_WIDTHS = (8, 16, 32, 64, 128, 256, 512)
GROWTH_WIDTH_MEMBERS = 16


def find(name, quick=False):
    """Return the workload of a name.

    Parameters
    ----------
    name : str
        One of `WORKLOADS`, or "growth".
    quick : bool
        Three networks and two epochs: whether everything runs, not how fast.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    known = {workload.name: workload for workload in (*WORKLOADS, GROWTH)}
    if name not in known:
        raise ValueError(
            f"Argument `workload` must be one of {', '.join(known)}. Received: {name!r}."
        )
    workload = known[name]
    return (
        dataclasses.replace(workload, members=3, epochs=min(workload.epochs, 2))
        if quick
        else workload
    )


def sweep(workload, panel, quick=False):
    """Return [(size, workload)] along one panel of the growth figure: "members" or "width"."""
    if panel == "members":
        sizes = GROWTH_MEMBERS[:2] if quick else GROWTH_MEMBERS
        return [(size, dataclasses.replace(workload, members=size)) for size in sizes]
    sizes = GROWTH_WIDTHS[:2] if quick else GROWTH_WIDTHS
    few = dataclasses.replace(workload, members=min(workload.members, GROWTH_WIDTH_MEMBERS))
    return [(size, dataclasses.replace(few, options={"hidden": (size, size)})) for size in sizes]

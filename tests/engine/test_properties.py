"""`fit_many` and the builders under calls that Hypothesis draws.

No valid call ends in an exception or an unreported NaN, and every invalid one in an error that names the argument.
"""

import dataclasses
import functools
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make, marked
from wrong_values import (
    MOST,
    NAN,
    NO_FLAG,
    NO_INTEGER,
    NO_NUMBER,
    NO_SEED,
    SEED,
    changes,
    no_array,
    no_real,
    no_size,
    refused,
)

from helpers import models
from helpers._tensorflow import keras, tf
from helpers.data import Dataset
from helpers.engine import api, runtime
from helpers.engine.recipe import Recipe

# fit_many: valid calls --------------------------------------------------------------------------------------------


def noisy():
    noise = keras.layers.GaussianNoise(0.1)
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, "tanh"), noise, keras.layers.Dense(3)]
    )


def cubic(y, logits):
    return tf.reduce_mean(tf.abs(y - logits) ** 3, axis=-1)


def decaying():
    return keras.optimizers.AdamW(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5), weight_decay=0.1
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """One compiled program: everything else that a call is drawn with enters it as a tensor."""

    build: object
    task: str
    classes: int = 1
    shape: tuple = (2,)
    loss: object = "auto"
    optimizer: object = "adam"
    vary: str = ""
    shuffled: bool = True
    batch: int = 2
    val: int = 0
    stacked: bool = False
    masked: int | None = None

    @functools.cached_property
    def weights(self):
        return Recipe(self.build).weights


SGD = functools.partial(keras.optimizers.SGD, 0.1, momentum=0.9, nesterov=True)
RMSPROP = functools.partial(keras.optimizers.RMSprop, 0.1, momentum=0.5, centered=True)
OPTIONS = {"batch_norm": True, "dropout": 0.3}
CASES = {
    "penalties": Case(
        lambda: models.mlp((2,), 1, (3,), l1=0.1, l2=0.1),
        "regression",
        optimizer="sgd",
        vary="l1 l2",
        val=3,
    ),
    "batch norm and dropout": Case(
        lambda: models.mlp((2,), 2, (3,), **OPTIONS),
        "regression",
        2,
        (2,),
        "mae",
        SGD,
        "momentum dropout",
        masked=0,
    ),
    "noise, stacked": Case(
        noisy,
        "classification",
        3,
        optimizer=RMSPROP,
        vary="rho epsilon noise_stddev",
        shuffled=False,
        stacked=True,
    ),
    "logistic": Case(
        lambda: models.linear((2,), 1),
        "binary",
        2,
        vary="beta_1 beta_2",
        batch=9,
        val=2,
        masked=0,
        shuffled=False,
    ),
    "signals": Case(
        lambda: models.cnn1d((4,), 1, (2,), 3),
        "binary",
        2,
        (4,),
        "hinge",
        decaying,
        "weight_decay",
        masked=2,
    ),
    "images": Case(
        lambda: models.cnn2d((3, 3), 2, (2,), hidden=(2,), **OPTIONS),
        "binary",
        2,
        (3, 3),
        optimizer="rmsprop",
        val=1,
    ),
    "own loss": Case(
        lambda: models.mlp((2,), 1, ()), "regression", loss=cubic, stacked=True, val=3, batch=3
    ),
}
SCALES = st.sampled_from([0.0, 1e-30, 1.0, 1.0, 1.0, 100.0, 1e19, 1e30])
RANGES = dict.fromkeys(
    ("momentum", "beta_1", "beta_2", "rho", "dropout"), st.floats(0, 1, exclude_max=True)
)


@st.composite
def calls(draw, case, shapes):
    """Draw a dataset and options for a valid call of `fit_many` that runs one case's program."""
    count, epochs = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sets = [make(case.task, case.shape, 5, case.classes, seed, case.val) for seed in range(count)]
    scale = np.float32(draw(SCALES))
    parts = ["x_train", "x_val"] if case.val else ["x_train"]
    sets = [
        dataclasses.replace(s, **{part: scale * getattr(s, part) for part in parts}) for s in sets
    ]

    def each(values):
        return st.lists(values, min_size=count, max_size=count).map(
            lambda found: np.array(found, float)
        )

    rates = st.sampled_from([0.0, 1e-3, 0.1, 10.0, 1e19, 3e38]) | st.floats(0, 1)
    options = {
        "members": count,
        "epochs": epochs,
        "batch_size": case.batch,
        "shuffle": draw(st.sampled_from(["member", "shared"])) if case.shuffled else False,
        "loss": case.loss,
        "learning_rate": draw(st.none() | rates | each(rates)),
        "snapshots": draw(st.sets(st.integers(0, epochs))),
        "record_every": draw(st.integers(1, 5)),
        "seed": draw(SEED),
        "vary": {
            key: draw(each(RANGES.get(key, SCALES)))
            for key in case.vary.split()
            if draw(st.booleans())
        },
        "resumable": draw(st.booleans()),
        "progress": draw(st.booleans()),
    }
    if draw(st.booleans()):
        size = draw(SCALES)
        options["initial_weights"] = [size * rng.normal(size=(count, *shape)) for shape in shapes]
    if case.masked is not None:
        options["masks"] = [None] * len(shapes)
        kept = draw(st.sampled_from([0.0, 0.5, 1.0]))
        options["masks"][case.masked] = rng.random((count, *shapes[case.masked])) < kept
    return Dataset.stack(sets) if case.stacked else sets[0], options


BOTH = ("batch norm and dropout", "penalties")


@pytest.mark.parametrize("name", marked(CASES, BOTH))
@settings(max_examples=10)
@given(drawn=st.data())
def test_valid_training_ends_in_finite_numbers_or_says_which_members_diverged(name, drawn):
    case = CASES[name]
    optimizer = case.optimizer if isinstance(case.optimizer, str) else case.optimizer()
    dataset, options = drawn.draw(calls(case, [w.shape for w in case.weights]))
    runs = api.fit_many(case.build, dataset, optimizer=optimizer, **options)
    count, epochs, every = options["members"], options["epochs"], options["record_every"]
    assert list(runs.epochs) == [e for e in range(1, epochs + 1) if e % every == 0 or e == epochs]
    scores = ["loss", "mse"] if case.task == "regression" else ["loss", "crossentropy", "accuracy"]
    assert set(runs.history) == {*scores, *(f"val_{score}" for score in scores if case.val)}
    for values in runs.history.values():
        assert values.shape == (count, len(runs.epochs)) and values.dtype == np.float32
        assert np.all(np.isfinite(values).all(axis=1) | runs.diverged)
    assert set(runs.snapshots) == set(options["snapshots"]) and len(runs.diverged) == count
    for weights in (runs.initial_weights, runs.weights, *runs.snapshots.values()):
        for position, (values, spec) in enumerate(zip(weights, case.weights, strict=True)):
            assert values.shape == (count, *spec.shape) and values.dtype == np.float32
            assert np.all(np.isfinite(values).reshape(count, -1).all(axis=1) | runs.diverged)
            if position == case.masked:
                assert not np.any(
                    values[~runs.diverged][~options["masks"][position][~runs.diverged]]
                )
    if drawn.draw(st.booleans()):
        again = api.fit_many(case.build, dataset, optimizer=optimizer, **options)
        assert all(
            np.array_equal(*pair, equal_nan=True)
            for pair in zip(runs.weights, again.weights, strict=True)
        )
        assert all(
            np.array_equal(runs.history[k], again.history[k], equal_nan=True) for k in runs.history
        )


# fit_many: invalid calls ------------------------------------------------------------------------------------------

NET = models.mlp((2,), 1, (3,), l2=0.1, dropout=0.1)
SMALL = make("regression", (2,), 6, 1, val=2)
STOP = keras.callbacks.EarlyStopping
SHAPES = [(2, *weight.shape) for weight in Recipe(NET).weights]
ONES = [np.ones(shape) for shape in SHAPES]
STEPS = [
    keras.optimizers.Adam(**{key: value})
    for key in ("learning_rate", "epsilon")
    for value in (-1.0, NAN)
]
SETS = [make("regression", (3,), 6), make("regression", (2,), 6, 2), Dataset.stack([SMALL] * 3)]
WRONG_CALLS = {
    "model": NO_NUMBER
    | st.sampled_from([None, 3, keras.Sequential, keras.layers.Dense(1), print, lambda: 3]),
    "dataset": NO_NUMBER | st.sampled_from([None, 3, NET, *SETS]),
    "members": no_size() | st.none(),
    "epochs": no_size(0),
    "batch_size": NO_INTEGER | st.integers(max_value=0),
    "shuffle": NO_NUMBER | st.sampled_from([None, True, 0, np.False_]),
    "optimizer": NO_NUMBER
    | st.sampled_from([None, 3, "ftrl", "LossScaleOptimizer", keras.optimizers.SGD, *STEPS]),
    "learning_rate": no_real(0.0)
    | no_array((2,), -1.0, 1e39).filter(lambda value: getattr(value, "shape", 1) != ()),
    "loss": NO_NUMBER
    | st.sampled_from(
        [None, 3, len, lambda y: y, lambda y, z: z, lambda y, z: np.array(z)[..., 0]]
    ),
    "vary": st.sampled_from([[1], "l2", 3, {1: [0, 0]}, {"l1": [0, 0]}, {"momentum": [0, 0]}])
    | st.dictionaries(
        st.sampled_from(["l2", "beta_1", "dropout"]), no_array((2,), -1.0, 1e39), min_size=1
    ),
    "initial_weights": st.sampled_from([3, "text", {}, [], NET])
    | st.builds(
        lambda i, wrong: [*ONES[:i], wrong, *ONES[i + 1 :]], st.just(2), no_array(SHAPES[2], 1e39)
    ),
    "masks": st.sampled_from([3, "text", {}, [], NET, [None]])
    | no_array(SHAPES[2], 0.5, 1e39).map(lambda wrong: [None, None, wrong, None]),
    "snapshots": NO_NUMBER | st.sampled_from([None, 3, [-1], [3], [1, 3.0], [True]]),
    "seed": NO_SEED,
    "record_every": no_size(),
    "early_stopping": NO_NUMBER.filter(lambda value: value is not None)
    | st.sampled_from(
        [STOP, [STOP()], STOP("val_accuracy"), STOP(patience=-1), STOP(baseline=NAN)]
    ),
    "resumable": NO_FLAG,
    "progress": NO_FLAG,
}


@settings(max_examples=250)
@given(changes(WRONG_CALLS))
def test_training_is_refused_with_the_name_of_the_argument(change):
    options = {"model": NET, "dataset": SMALL, "members": 2, "epochs": 2, "batch_size": 4} | dict(
        [change]
    )
    with mock.patch.object(runtime, "run", lambda *_: pytest.fail("training started")):
        refused(
            lambda: api.fit_many(options.pop("model"), options.pop("dataset"), **options), change[0]
        )


# models -----------------------------------------------------------------------------------------------------------

WIDTHS, PENALTY = (
    st.lists(st.integers(1, 3), max_size=2).map(tuple),
    st.sampled_from([0, 0.0, 0.1, 1e30]),
)
COMMON = {
    "activation": st.sampled_from(
        ["relu", "tanh", "softmax", None, tf.nn.relu, keras.layers.LeakyReLU(0.2)]
    ),
    "initializer": st.sampled_from(
        ["he_normal", "zeros", "orthogonal", keras.initializers.Constant(0.5)]
    ),
    "batch_norm": st.booleans(),
    "dropout": st.floats(0, 1, exclude_max=True),
    "l1": PENALTY,
    "l2": PENALTY,
}
NO_WIDTHS = no_size().map(lambda wrong: (2, wrong)) | st.integers() | NO_NUMBER
WRONG_COMMON = {
    "outputs": no_size() | st.none(),
    "hidden": NO_WIDTHS,
    "activation": NO_NUMBER | st.sampled_from(["glu", "threshold", len, 3, lambda x: None]),
    "initializer": NO_NUMBER
    | st.sampled_from(["glorot", len, 3, keras.initializers.Constant([1.0, 2.0, 3.0, 4.0])]),
    "batch_norm": NO_FLAG,
    "dropout": no_real(0.0, 1.0, high_open=True),
    "l1": no_real(0.0),
    "l2": no_real(0.0),
}
NO_SHAPE = no_size().map(lambda wrong: (3, wrong)) | st.sampled_from([None, (), (MOST, MOST)])
BUILDERS = {models.mlp: (3,), models.cnn1d: (4, 1), models.cnn2d: (3, 4)}


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: builder.__name__)
@settings(max_examples=25)
@given(drawn=st.data())
def test_builders_return_models_of_the_asked_shape_or_name_the_argument(builder, drawn):
    shape, outputs = BUILDERS[builder], drawn.draw(st.integers(1, 3))
    options = drawn.draw(st.fixed_dictionaries({"hidden": WIDTHS}, optional=COMMON))
    built = builder(shape, outputs, **options)
    assert (
        built.output_shape == (None, outputs)
        and built.input_shape == (None, *shape)
        and not built.compiled
    )
    extra = (
        {}
        if builder is models.mlp
        else {"kernel_size": no_size(), "strides": no_size(), "filters": NO_WIDTHS}
    )
    shapes = NO_SHAPE if builder is models.mlp else NO_SHAPE | st.just((3, 3, 3, 3))
    name, value = drawn.draw(changes(WRONG_COMMON | extra | {"input_shape": shapes}))
    refused(
        lambda: builder(**({"input_shape": shape, "outputs": 1, "hidden": (2,)} | {name: value})),
        name,
    )

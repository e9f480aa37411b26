"""Bad input is refused before any training, by an error that names argument, expectation, finding and remedy."""

import time
import types
from fractions import Fraction

import numpy as np
import pytest
from making import make

from helpers import models
from helpers._base import checks, memory
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import api, runtime
from helpers.engine.draws import draw
from helpers.engine.recipe import Recipe

L = keras.layers


def net():
    """Return the network that most cases are called with."""
    return models.mlp((3,), 1, hidden=(4,))


REG = make("regression", (3,), 12, 1, val=3)
CLS = make("classification", (3,), 12, 3)
BIN = make("binary", (3,), 12, 2)
W = draw(Recipe(net), 4, 0)
ONES = [np.ones((4, 3, 4)), None, None, None]


def with_layer(*layers, shape=(3,)):
    """Return a builder of Input, the layers, Dense(1)."""
    return lambda: keras.Sequential(
        [keras.Input(shape), *(layer() for layer in layers), L.Flatten(), L.Dense(1)]
    )


class Subclass(keras.Model):
    """A model whose graph cannot be read."""

    def call(self, x):
        return x


class OwnStep(keras.Model):
    """A functional model with a training step of its own."""

    def train_step(self, data):
        return {}


def ends():
    """Return input and output of a small graph."""
    inputs = keras.Input((3,))
    return inputs, L.Dense(1)(inputs)


def half_frozen():
    model = net()
    model.layers[0].kernel.trainable = False
    return model


def two_inputs():
    a, b = keras.Input((3,)), keras.Input((3,))
    return keras.Model([a, b], L.Dense(1)(L.Add()([a, b])))


def reshaping_operation():
    inputs = keras.Input((3,))
    return keras.Model(inputs, L.Dense(1)(keras.ops.reshape(inputs, (-1, 3))))


# (call with the changed arguments, exception, what its message must say)
CASES = {
    "members=0": (
        {"members": 0},
        ValueError,
        r"`members` must be an integer of at least 1\. Received: members=0",
    ),
    "members=2.5": (
        {"members": 2.5},
        TypeError,
        r"`members` must be an integer.*Received: members=2\.5",
    ),
    "members=True": ({"members": True}, TypeError, "`members`"),
    "epochs=-1": ({"epochs": -1}, ValueError, "`epochs` must be an integer of at least 0"),
    "batch_size=0": ({"batch_size": 0}, ValueError, "`batch_size`"),
    "seed=-1": ({"seed": -1}, ValueError, "`seed`"),
    "record_every=0": ({"record_every": 0}, ValueError, "`record_every`"),
    "shuffle": (
        {"shuffle": "members"},
        ValueError,
        r"`shuffle` must be one of 'member', 'shared', False",
    ),
    "shuffle=1": ({"shuffle": True}, ValueError, "`shuffle`"),
    "snapshot": ({"snapshots": (3,)}, ValueError, r"`snapshots` must be an integer from 0 to 2"),
    "resumable": ({"resumable": 1}, TypeError, "`resumable` must be True or False"),
    "early stopping": ({"early_stopping": 5}, TypeError, "`early_stopping` must be a keras.*=5"),
    "progress": ({"progress": "yes"}, TypeError, "`progress` must be True or False"),
    "nan learning rate": (
        {"learning_rate": np.nan},
        ValueError,
        "`learning_rate` must be a finite number",
    ),
    "negative learning rate": ({"learning_rate": -0.1}, ValueError, "`learning_rate`"),
    "nan in rates": (
        {"learning_rate": [0.1, np.nan, 0.1, 0.1]},
        ValueError,
        "`learning_rate` must be finite.*1 of 4",
    ),
    "short rates": (
        {"learning_rate": [0.1, 0.1]},
        ValueError,
        r"shape \(4,\).*\(2,\).*One value per member",
    ),
    "rate twice": (
        {"learning_rate": [0.1] * 4, "vary": {"learning_rate": [0.1] * 4}},
        ValueError,
        "not both",
    ),
    "scalar rate twice": (
        {"learning_rate": 0.5, "vary": {"learning_rate": [0.1] * 4}},
        ValueError,
        "not both",
    ),
    "huge rate": ({"learning_rate": 1e39}, ValueError, "too large for float32"),
    "text rates": ({"vary": {"learning_rate": ["0.1"] * 4}}, TypeError, "a numeric array"),
    "no snapshots": ({"snapshots": None}, TypeError, "a sequence of epochs"),
    "vary list": ({"vary": [1, 2]}, TypeError, "`vary` must be a dict"),
    "vary unknown": (
        {"vary": {"lr": [0.1] * 4}},
        ValueError,
        "key 'lr'.*no setting of Adam declares.*learning_rate",
    ),
    "vary momentum": (
        {"vary": {"momentum": [0.1] * 4}},
        ValueError,
        "'momentum', which no setting of Adam",
    ),
    "vary weight decay": ({"vary": {"weight_decay": [0.1] * 4}}, ValueError, "Use AdamW"),
    "vary l2": (
        {"vary": {"l2": [0.1] * 4}},
        ValueError,
        r"no layer of the model declares.*mlp\(\.\.\., l2=0\.01\)",
    ),
    "vary frozen l2": (
        {
            "model": with_layer(lambda: L.Dense(2, kernel_regularizer="l2", trainable=False)),
            "vary": {"l2": [0.1] * 4},
        },
        *(ValueError, "no layer of the model declares"),
    ),
    "vary dropout": (
        {"vary": {"dropout": [0.1] * 4}},
        ValueError,
        "no layer of the model declares",
    ),
    "dropout of 1": (
        {"model": with_layer(lambda: L.Dropout(0.5)), "vary": {"dropout": [0.1, 0.2, 0.3, 1.0]}},
        *(ValueError, r"vary\['dropout'\].*\[0, 1\)"),
    ),
    "beta of 1": ({"vary": {"beta_1": [1.0] * 4}}, ValueError, r"vary\['beta_1'\].*\[0, 1\)"),
    "optimizer name": (
        {"optimizer": "sdg"},
        ValueError,
        "`optimizer` must be one of SGD, RMSprop, Adam, AdamW",
    ),
    "optimizer type": ({"optimizer": 3}, TypeError, "`optimizer`"),
    "optimizer kind": (
        {"optimizer": "adagrad"},
        ValueError,
        "one of SGD, RMSprop, Adam, AdamW.*Adagrad",
    ),
    "clipping": (
        {"optimizer": keras.optimizers.SGD(0.1, clipnorm=1.0)},
        ValueError,
        "clipnorm=1.0",
    ),
    "ema": ({"optimizer": keras.optimizers.Adam(use_ema=True)}, ValueError, "use_ema"),
    "amsgrad": ({"optimizer": keras.optimizers.Adam(amsgrad=True)}, ValueError, "amsgrad"),
    "loss name": (
        {"loss": "crossentropy"},
        ValueError,
        "`loss` must be one of 'auto', 'mse'.*task 'regression'",
    ),
    "loss of another task": ({"loss": "binary_crossentropy"}, ValueError, "task 'regression'"),
    "loss from probabilities": (
        {"dataset": BIN, "loss": keras.losses.BinaryCrossentropy()},
        *(ValueError, "from_logits=True"),
    ),
    "loss of examples by examples": (
        {
            "dataset": BIN,
            "loss": lambda y, logits: (
                keras.ops.expand_dims(keras.ops.cast(y, "float32"), 1) - logits
            ),
        },
        *(ValueError, r"one value per example, shape \(M, B\)\. Received: \(2, 3, 3\)"),
    ),
    "loss mixes members": (
        {
            "loss": lambda y, logits: (
                keras.ops.mean((y - logits) ** 2, axis=-1) / float(np.prod(y.shape))
            )
        },
        *(ValueError, "treat members by themselves"),
    ),
    "loss of keras": (
        {"loss": keras.losses.mean_squared_error},
        ValueError,
        "Give its name as a string",
    ),
    "loss class": ({"loss": keras.losses.MeanSquaredError}, ValueError, "a keras.losses instance"),
    "loss type": ({"loss": 3}, TypeError, "`loss`"),
    "dataset type": (
        {"dataset": (REG.x_train, REG.y_train)},
        TypeError,
        "`dataset` must be a helpers.data.Dataset",
    ),
    "input shape": (
        {"dataset": make("regression", (5,), 12)},
        ValueError,
        r"input shape \(3,\).*Received: \(5,\)",
    ),
    "target columns": (
        {"dataset": make("regression", (3,), 12, 2)},
        ValueError,
        r"shape \(N, 1\).*outputs",
    ),
    "classes": ({"dataset": CLS}, ValueError, "must have 3 outputs.*Received: 1"),
    "stack length": ({"dataset": Dataset.stack([REG, REG])}, ValueError, "a stack of 2.*members=4"),
    "model type": ({"model": "mlp"}, TypeError, "`model` must be a Keras model or a function"),
    "builder returns": ({"model": lambda: 3}, TypeError, "a function that returned int"),
    "subclass": ({"model": Subclass}, ValueError, "Sequential or Functional"),
    "no layers": ({"model": lambda: keras.Sequential([])}, ValueError, r"keras\.Input\(shape\)"),
    "two inputs": ({"model": two_inputs}, ValueError, "2 inputs"),
    "operation": ({"model": reshaping_operation}, ValueError, "Operation 'Reshape'.*elementwise"),
    "unsupported layer": (
        {"model": with_layer(lambda: L.PReLU())},
        ValueError,
        r"\(PReLU\) is not known to the fast engine.*Dense",
    ),
    "dropout as activation": (
        {"model": with_layer(lambda: L.Dense(2, activation=L.Dropout(0.5)))},
        *(ValueError, "the layer Dropout as its activation"),
    ),
    "softmax over examples": (
        {"model": with_layer(lambda: L.Softmax(axis=0))},
        ValueError,
        "must not mix examples",
    ),
    "frozen kernel alone": (
        {"model": lambda: half_frozen()},
        ValueError,
        "Set `layer.trainable` instead",
    ),
    "own train_step": ({"model": lambda: OwnStep(*ends())}, ValueError, "overrides train_step"),
    "inputs in a list": (
        {"model": lambda: keras.Model(*([end] for end in ends()))},
        ValueError,
        "without lists",
    ),
    "builder with arguments": (
        {"model": models.mlp},
        TypeError,
        "needs input_shape, outputs. Wrap the call",
    ),
    "a layer twice": (
        {"model": lambda: keras.Sequential([keras.Input((3,)), *[L.Dense(3)] * 2])},
        ValueError,
        "twice",
    ),
    "batch norm axis": (
        {
            "model": with_layer(lambda: L.BatchNormalization(axis=1), shape=(3, 2)),
            "dataset": make("regression", (3, 2)),
        },
        *(ValueError, "axis=-1. Received: axis=1"),
    ),
    "constraint": (
        {"model": with_layer(lambda: L.Dense(2, kernel_constraint="non_neg"))},
        *(ValueError, "constraint on 'kernel'"),
    ),
    "regularizer": (
        {"model": with_layer(lambda: L.Dense(2, kernel_regularizer="orthogonal_regularizer"))},
        *(ValueError, "only L1, L2 and L1L2"),
    ),
    "noise shape": (
        {"model": with_layer(lambda: L.Dropout(0.5, noise_shape=(None, 1)))},
        ValueError,
        "noise_shape",
    ),
    "mixed dtypes": (
        {"model": with_layer(lambda: L.Dense(2, dtype="float64"))},
        ValueError,
        "all float32 or all float64",
    ),
    "output rank": (
        {"model": lambda: keras.Sequential([keras.Input((3, 1)), L.Dense(1)])},
        *(ValueError, r"\(batch, outputs\)"),
    ),
    "function initializer": (
        {
            "model": with_layer(
                lambda: L.Dense(2, kernel_initializer=lambda shape, dtype=None: np.ones(shape))
            )
        },
        *(ValueError, "cannot be seeded per member"),
    ),
    "lambda activation": (
        {"model": with_layer(lambda: L.Dense(2, activation=lambda x: x))},
        ValueError,
        "register_keras",
    ),
    "masks length": ({"masks": [None]}, ValueError, "`masks` must be a list of 4"),
    "mask shape": (
        {"masks": [np.ones((3, 4)), None, None, None]},
        ValueError,
        r"`masks\[0\]` must have shape \(4, 3, 4\)",
    ),
    "mask values": ({"masks": [0.5 * ONES[0], None, None, None]}, ValueError, "only 0 and 1"),
    "weights length": ({"initial_weights": W[:2]}, ValueError, "list of 4 arrays.*Received: 2"),
    "weights members": (
        {"initial_weights": [w[:2] for w in W]},
        ValueError,
        r"shape \(4, 3, 4\). Received: shape \(2",
    ),
    "huge members": (
        {"members": 2**40},
        ValueError,
        r"`members` must be an integer of at most 2,147,483,647\. Rec",
    ),
    "huge epochs": (
        {"epochs": 10**400},
        ValueError,
        "`epochs` must be an integer of at most 2,147,483,647",
    ),
    "huge step count": (
        {"epochs": 2**31 - 1, "batch_size": 5},
        *(ValueError, "`epochs` must be at most 715,827,882 with 3 steps each"),
    ),
    "huge record_every": (
        {"record_every": 2**31},
        ValueError,
        "`record_every` must be an integer of at most",
    ),
    "endless rate": (
        {"learning_rate": 10**400},
        ValueError,
        "`learning_rate` must be a finite number.*Received",
    ),
    "huge fraction": (
        {"learning_rate": Fraction(10**400, 3)},
        ValueError,
        "`learning_rate` must be a finite number",
    ),
    "ragged rates": (
        {"learning_rate": [[0.1], [0.1, 0.2]]},
        TypeError,
        "`learning_rate` must be a numeric array",
    ),
    "ragged snapshots": (
        {"snapshots": [[1], [1, 2]]},
        TypeError,
        r"`snapshots` must be an integer.*snapshots=\[1\]",
    ),
    "too many digits": (
        {"shuffle": 10**5000},
        ValueError,
        "`shuffle` must be one of.*Received: shuffle=<int>",
    ),
    "vary too large": (
        {
            "model": lambda: models.mlp((3,), 1, hidden=(4,), l2=0.1),
            "vary": {"l2": [0, 0, 0, 1e39]},
        },
        *(ValueError, r"`vary\['l2'\]`: l2 is too large for float32\. Received: 1e\+39"),
    ),
    "l1 too large": (
        {"model": with_layer(lambda: L.Dense(2, kernel_regularizer=keras.regularizers.L1L2(1e39)))},
        *(ValueError, "`model`: l1 is too large for float32"),
    ),
    "epsilon too large": (
        {"optimizer": keras.optimizers.Adam(epsilon=1e39)},
        *(ValueError, "`optimizer.epsilon`: epsilon is too large for float32"),
    ),
    "no epsilon": (
        {"optimizer": keras.optimizers.Adam(epsilon=None)},
        TypeError,
        "`optimizer.epsilon` must be",
    ),
    "text as decay": (
        {"optimizer": keras.optimizers.SGD(weight_decay="1")},
        TypeError,
        "`optimizer.weight_decay`",
    ),
    "rate function": (
        {"optimizer": keras.optimizers.SGD(lambda: 0.1)},
        ValueError,
        "schedule.*cannot be copied",
    ),
    "rate class": (
        {"optimizer": keras.optimizers.SGD(dict)},
        ValueError,
        "cannot be copied|`optimizer` must",
    ),
    "optimizer wrapper": (
        {"optimizer": "LossScaleOptimizer"},
        ValueError,
        "`optimizer` must be one of SGD",
    ),
    "type as builder": (
        {"model": int},
        TypeError,
        "`model` must be a Keras model or a function of no arguments",
    ),
    "layer as model": (
        {"model": L.Dense(1)},
        TypeError,
        "`model` must be a Keras model or a function of no arguments",
    ),
    "loss of one argument": (
        {"loss": lambda y: y},
        ValueError,
        "`loss` must be a function of targets.*TypeError",
    ),
    "loss in numpy": (
        {"loss": lambda y, z: np.abs(np.array(y - z))[..., 0]},
        ValueError,
        "TensorFlow can compile",
    ),
    "loss of three rows": (
        {"loss": lambda y, logits: keras.ops.reshape(y - logits, (-1, 3))},
        *(ValueError, r"one value per example, shape \(M, B\)|TensorFlow can compile"),
    ),
    "loss in double": (
        {"loss": lambda y, logits: keras.ops.cast(y - logits, "float64")[..., 0]},
        *(ValueError, "`loss` must return float32, as the model does. Received: float64"),
    ),
    "mask beyond float32": (
        {"masks": [1e39 * ONES[0], None, None, None]},
        ValueError,
        "must fit into float32.*1e.39",
    ),
    "weights beyond float32": (
        {"initial_weights": [1e39 * ONES[0], *W[1:]]},
        *(
            ValueError,
            r"`initial_weights\[0\]` must fit into float32\. Received: values up to 1e\+39",
        ),
    ),
    "weights nan": (
        {"initial_weights": [W[0] * np.nan, *W[1:]]},
        ValueError,
        r"`initial_weights\[0\]` must be finite",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_fit_many_refuses(case, monkeypatch):
    change, kind, text = CASES[case]
    monkeypatch.setattr(runtime, "run", lambda *_: pytest.fail("training started"))
    arguments = {"model": net, "dataset": REG, "members": 4, "epochs": 2, "engine": "fast"} | change
    started = time.process_time()  # whatever else the machine does
    with pytest.raises(kind, match="(?s)" + text):
        api.fit_many(arguments.pop("model"), arguments.pop("dataset"), **arguments)
    assert time.process_time() - started < 5  # seconds at most: nothing was compiled or trained


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda: models.mlp((3,), 1, hidden=(4, -1)),
            ValueError,
            "`hidden` must be an integer of at least 1",
        ),
        (lambda: models.mlp((3,), 1, hidden=64), TypeError, r"such as \(64, 64\)"),
        (lambda: models.mlp((3,), 0), ValueError, "`outputs`"),
        (lambda: models.mlp((None, 3), 1), TypeError, "Leave the batch axis out"),
        (lambda: models.mlp((3,), 1, dropout=1.0), ValueError, "`dropout`"),
        (lambda: models.mlp((3,), 1, l2=-0.1), ValueError, "`l2`"),
        (lambda: models.mlp((3,), 1, batch_norm="yes"), TypeError, "`batch_norm`"),
        (lambda: models.cnn1d((40, 1, 1)), ValueError, r"\(steps,\) or \(steps, channels\)"),
        (lambda: models.cnn2d((28,)), ValueError, r"\(rows, columns\)"),
        (lambda: models.cnn2d((28, 28), filters=()), TypeError, "`filters`"),
        (lambda: models.cnn1d((40,), kernel_size=0), ValueError, "`kernel_size`"),
        (
            lambda: models.mlp((3,), 2**31),
            ValueError,
            "`outputs` must be an integer of at most 2,147,483,647",
        ),
        (
            lambda: models.mlp((2**20, 2**20), 1),
            ValueError,
            r"`input_shape`.*at most 2,147,483,647 param.*Received: 7",
        ),
        (lambda: models.cnn2d(kernel_size=2**20), ValueError, "at most 2,147,483,647 parameters"),
        (lambda: models.mlp((3,), 1, hidden=(), l2=-1), ValueError, "`l2`"),
        (
            lambda: models.mlp((3,), 1, l1=1e39),
            ValueError,
            r"`l1` must be a finite number in \[0, 3\.4e\+38\]",
        ),
        (
            lambda: models.mlp((3,), 1, activation="swoosh"),
            ValueError,
            "`activation` must be a Keras.*'swoosh'",
        ),
        (
            lambda: models.mlp((3,), 1, activation="glu"),
            ValueError,
            "`activation`.*keeps the shape of its input",
        ),
        (
            lambda: models.cnn1d(activation=len),
            ValueError,
            "`activation`.*Calling it raised AttributeError",
        ),
        (
            lambda: models.cnn1d(initializer="gloriot"),
            ValueError,
            "`initializer` must be the name.*'gloriot'",
        ),
        (
            lambda: models.cnn1d(initializer="identity"),
            ValueError,
            "`initializer` must suit layers of these shapes",
        ),
    ],
)
def test_builders_refuse(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_more_members_than_memory_holds_are_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(
        memory.psutil, "virtual_memory", lambda: types.SimpleNamespace(total=10_000)
    )
    with pytest.raises(
        ValueError, match=r"`members` must be at most \d+ for the .* GiB of memory.*=60"
    ):
        api.fit_many(net, REG, members=60, epochs=2)


def test_an_object_that_cannot_be_shown_is_still_refused():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no repr")

    with pytest.raises(
        TypeError, match="`members` must be an integer of at least 1. Received: members=<Broken>"
    ):
        checks.integer("members", Broken())


def test_numbers_are_taken_by_their_value():
    assert checks.real("x", Fraction(1, 4)) == 0.25 and checks.real("x", 10**30) == 1e30
    for wrong in (10**400, -(10**400), Fraction(10**400, 3)):
        with pytest.raises(ValueError, match="`x` must be a finite number"):
            checks.real("x", wrong)


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (
            [2**32 + 1],
            {"dtype": np.int32},
            r"`y` must lie in \[-2.147.*\]. Received.*4.29497e.09",
        ),  # wrapped to 1
        ([1.0, np.nan], {"dtype": np.int64}, "`y` must be finite. Received: 1 of 2"),
        ([1e300], {"dtype": np.int64}, "`y` must lie in"),
        (
            [1e39, 1],
            {"dtype": np.float32},
            r"`y` must fit into float32\. Received: values up to 1e\+39",
        ),
        ([1e39, np.inf], {"dtype": np.float32, "finite": False}, "`y` must fit into float32"),
        (
            np.float32([1, 2]),
            {"high": 1},
            r"`y` must lie in \[-inf, 1\]. Received: values in \[1, 2\]",
        ),
        ([True, False], {"low": 0.5}, r"Received: values in \[0, 1\]"),
    ],
)
def test_arrays_are_checked_before_they_are_converted(value, options, text):
    with pytest.raises(ValueError, match=text):
        checks.array("y", value, **options)
    assert checks.array("y", np.float32([1, 2]), high=1e100).dtype == np.float64


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_names_that_no_folder_can_have_are_refused(name):
    with pytest.raises(ValueError, match="`folder` must be the path of a folder.*The system says"):
        checks.folder("folder", name)


@pytest.mark.parametrize(
    ("weights", "x", "text"),
    [
        ([w[:0] for w in W], np.ones((2, 3)), "one member or more"),
        (W, np.ones((2, 4)), r"`x` must have shape \(N, 3\) or \(4, N, 3\)"),
        (W, np.ones((3, 2, 3)), r"\(4, N, 3\)"),
        (W, np.full((2, 3), np.nan), "`x` must be finite"),
        ([W[0][:, :2], *W[1:]], np.ones((2, 3)), r"`weights\[0\]` must have shape \(4, 3, 4\)"),
        (W[0], np.ones((2, 3)), r"recipe\.stack"),
    ],
)
def test_predict_many_refuses(weights, x, text):
    with pytest.raises(ValueError, match=text):
        api.predict_many(net, weights, x)


def test_a_model_without_weights_has_no_members_to_tell_apart():
    still = keras.Sequential([keras.Input((2, 3)), L.Flatten()])
    with pytest.raises(ValueError, match=r"`weights`.*no weights"):
        api.predict_many(still, [], np.zeros((4, 2, 3)))

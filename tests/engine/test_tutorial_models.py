"""Models as tutorials have them, trained as they are: without an input, with a final softmax, nested, compiled."""

import numpy as np
import pytest
from against_keras import (
    BINARY,
    CATEGORICAL,
    IMAGES,
    LABELS,
    ONE_HOT,
    SPARSE,
    L,
    S,
    X,
    each,
    functional,
    trains_as_keras,
)

from helpers._tensorflow import keras, tf
from helpers.data import Dataset
from helpers.engine import api, endings
from helpers.engine.recipe import Recipe


def adapted():
    """Return a Normalization layer that has seen data far from 0."""
    layer = L.Normalization()
    layer.adapt(3 * X + 2)
    return layer


def heads(join):
    """Return a model with two softmax heads that are joined."""
    return lambda: functional(
        lambda x: join([L.Dense(3, "softmax")(x), L.Dense(3, activation="softmax")(x)])
    )


def body():
    """Return a model inside a model inside a model; two layers of one name."""
    inner = functional(lambda x: L.Add()([L.Dense(6, "tanh", name="dense")(x), x]))
    return S([L.Dense(6, "relu", name="dense"), inner, L.Dropout(0.0)])


def reused():
    """Return a Functional model that calls a model inside it twice."""
    inner = S([L.Dense(6, "tanh")])
    return functional(lambda x: L.Dense(3)(inner(inner(x))))


def convolutional(*rest):
    """Return an image classifier as tutorials write it."""
    return S([L.Rescaling(0.5, offset=0.25), L.Conv2D(2, 3, activation="relu"), *rest])


# name: (builder, x, y, the loss that it is compiled with)
KINDS = {
    "no input": (lambda: S([L.Dense(4, "relu"), L.Dense(1)]), X, X[:, :2].sum(axis=1), "mse"),
    "softmax": (lambda: S([L.Dense(4, "relu"), L.Dense(3, "softmax")]), X, LABELS, SPARSE),
    "one-hot": (lambda: S([L.Dense(3, "softmax")]), X, ONE_HOT, CATEGORICAL),
    "softmax layer": (lambda: S([L.Dense(3), L.Softmax()]), X, LABELS, SPARSE),
    "softmax as activation layer": (
        lambda: S([L.Dense(3, activation=L.Softmax())]),
        *(X, LABELS, SPARSE),
    ),
    "activation": (lambda: S([L.Dense(3), L.Activation("softmax")]), X, LABELS, SPARSE),
    "softmax, then linear": (
        lambda: S([L.Dense(3, "softmax"), L.Activation("linear")]),
        *(X, LABELS, SPARSE),
    ),
    "softmax, then reshaped": (
        lambda: S([L.Dense(3, "softmax"), L.Reshape((3,))]),
        *(X, LABELS, SPARSE),
    ),
    "softmax, then flat": (lambda: S([L.Dense(3, "softmax"), L.Flatten()]), X, LABELS, SPARSE),
    "softmax as operation": (
        lambda: functional(lambda x: keras.ops.softmax(L.Dense(3)(x))),
        *(X, LABELS, SPARSE),
    ),
    "average of heads": (heads(L.Average()), X, LABELS, SPARSE),
    "sigmoid": (lambda: S([L.Dense(4, "tanh"), L.Dense(1, "sigmoid")]), X, LABELS > 0, BINARY),
    "sigmoid as operation": (
        lambda: functional(lambda x: keras.ops.sigmoid(L.Dense(1)(x))),
        *(X, LABELS > 0, BINARY),
    ),
    "tiny sigmoid": (
        lambda: S([keras.Input((2,)), L.Dense(2, "relu"), L.Dense(1, "sigmoid")]),
        *(X[:, :2], LABELS > 0, BINARY),
    ),
    "logits": (
        lambda: S([L.Dense(3)]),
        *(X, LABELS, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    ),
    "smoothed one-hot": (
        lambda: S([L.Dense(3, "softmax")]),
        *(X, ONE_HOT, keras.losses.CategoricalCrossentropy(label_smoothing=0.25)),
    ),
    "smoothed one-hot of reshaped": (
        lambda: S([L.Dense(3, "softmax"), L.Reshape((3,))]),
        *(X, ONE_HOT, keras.losses.CategoricalCrossentropy(label_smoothing=0.25)),
    ),
    "smoothed binary": (
        lambda: S([L.Dense(1, "sigmoid")]),
        *(X, LABELS > 0, keras.losses.BinaryCrossentropy(label_smoothing=0.25)),
    ),
    "huber": (lambda: S([L.Dense(1)]), X, 3 * X[:, 0], keras.losses.Huber(delta=0.25)),
    "nested": (lambda: S([body(), S([L.Dense(3, "softmax")])]), X, LABELS, SPARSE),
    "nested and called twice": (reused, X, ONE_HOT, "mse"),
    "normalization": (lambda: S([adapted(), L.Dense(3, "softmax")]), X, LABELS, SPARSE),
    "nested normalization": (
        lambda: S([S([adapted(), L.Dense(4)]), L.Dense(1)]),
        *(X, X[:, 0], "mse"),
    ),
    "images": (lambda: convolutional(L.Flatten(), L.Dense(3, "softmax")), IMAGES, LABELS, SPARSE),
    "images, pooled": (
        lambda: convolutional(
            L.MaxPooling2D(), L.Flatten(), L.Dropout(0.0), L.Dense(3), L.Softmax()
        ),
        *(IMAGES, ONE_HOT, CATEGORICAL),
    ),
    "images, averaged": (
        lambda: convolutional(
            L.Conv2D(3, 2, padding="same"), L.GlobalAveragePooling2D(), L.Softmax()
        ),
        *(IMAGES, LABELS, SPARSE),
    ),
    "normalized batches": (
        lambda: S(
            [L.Dense(4, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Dense(3, "softmax")]
        ),
        *(X, LABELS, SPARSE),
    ),
}


@pytest.mark.parametrize("name", each(KINDS))
def test_a_model_of_a_tutorial_trains_as_keras_trains_it(name):
    trains_as_keras(KINDS, name)


def test_outputs_are_what_the_model_returns_and_scores_are_of_the_same():
    build, x, y, _ = KINDS["softmax"]
    runs = api.fit_many(build, x, y, members=2, epochs=1, progress=False)
    np.testing.assert_allclose(runs.predict(x).sum(axis=-1), 1, rtol=1e-5)
    picked = np.take_along_axis(runs.predict(x), y[None, :, None], axis=-1)[..., 0]
    scores = runs.evaluate(x, y)
    np.testing.assert_allclose(scores["crossentropy"], -np.log(picked).mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(scores["accuracy"], (runs.predict(x).argmax(-1) == y).mean(axis=1))


def test_where_outputs_may_be_either_the_call_asks_and_then_obeys():
    build = heads(lambda pair: (pair[0] + pair[1]) * 0.5)
    with pytest.raises(
        ValueError, match="must say what the outputs of this model are.*from_logits"
    ):
        api.fit_many(build, X, LABELS, members=2, epochs=1, loss=SPARSE)
    outputs = {}
    for said in (True, False):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=said)
        runs = api.fit_many(build, X, LABELS, members=2, epochs=3, loss=loss, resumable=True)
        model = build()
        model.compile("adam", loss=loss, run_eagerly=True)
        model.set_weights([w[0] for w in runs.initial_weights])
        for epoch in runs.batches(0):
            for rows in epoch:
                model.train_on_batch(X[rows], LABELS[rows])
        np.testing.assert_allclose(runs.predict(X)[0], model.predict(X, verbose=0), atol=1e-5)
        outputs[said] = runs.resume(1).predict(X)
    assert not np.allclose(outputs[True], outputs[False])


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        (lambda x: L.Dense(3)(x), "logits"),
        (lambda x: L.Dense(3, "relu")(L.Dense(3, "softmax")(x)), "logits"),
        (lambda x: L.BatchNormalization()(L.Dense(3, "sigmoid")(x)), "logits"),
        (lambda x: L.Dropout(0.5)(L.Dense(3, "softmax")(x)), "probabilities"),
        (lambda x: L.Concatenate()([L.Dense(1, "sigmoid")(x)] * 3), "probabilities"),
        (lambda x: L.Add()([L.Dense(3, "softmax")(x)] * 2), "unclear"),
        (lambda x: L.Average()([L.Dense(3, "softmax")(x), L.Dense(3)(x)]), "unclear"),
        (lambda x: L.Dense(3, activation=tf.nn.softmax)(x), "unclear"),
        (lambda x: 1.0 - L.Dense(3, "sigmoid")(x), "unclear"),
    ],
)
def test_what_outputs_are_is_read_from_the_graph(ends, kind):
    assert endings.kind_of(functional(ends).outputs[0]) == kind


def test_a_loss_of_probabilities_is_refused_for_logits():
    loss = keras.losses.SparseCategoricalCrossentropy()
    with pytest.raises(
        ValueError, match="from_logits=True, as the outputs of the model are logits"
    ):
        api.fit_many(lambda: S([L.Dense(3)]), X, LABELS, members=1, epochs=1, loss=loss)


def test_what_a_call_says_goes_before_what_the_model_was_compiled_with():
    model = S([L.Dense(3, "softmax")])
    model.compile("sgd", loss=CATEGORICAL, metrics=["accuracy"])
    runs = api.fit_many(model, X, ONE_HOT, members=1, epochs=1, optimizer="nadam")
    assert runs.settings["optimizer"]["name"] == "Nadam" and runs.settings["loss"] == SPARSE
    assert (
        api.fit_many(model, X, ONE_HOT, members=1, epochs=1).settings["optimizer"]["name"] == "SGD"
    )
    assert not runs.model(0).compiled
    model.compile("sgd", loss=CATEGORICAL, metrics=[keras.metrics.AUC()])
    with pytest.warns(UserWarning, match="does not record the metrics"):
        api.fit_many(model, X, ONE_HOT, members=1, epochs=1)


def test_arrays_are_split_as_keras_splits_them():
    build = KINDS["no input"][0]
    y = X[:, 0]
    runs = api.fit_many(build, X, y, members=2, epochs=2, validation_split=0.3, seed=1)
    first = int(np.floor(len(X) * 0.7))
    train, val = (X[:first], y[:first]), (X[first:], y[first:])
    whole = Dataset(
        x_train=train[0], y_train=train[1], x_val=val[0], y_val=val[1], task="regression", name="a"
    )
    other = api.fit_many(build, *train, members=2, epochs=2, seed=1, validation_data=val)
    third = api.fit_many(build, whole, members=2, epochs=2, seed=1)
    for one in (other, third):
        assert np.array_equal(runs.history["val_loss"], one.history["val_loss"])


WHOLE = Dataset(x_train=X, y_train=LABELS, task="classification", name="d")
BAD = {
    "labels or numbers": (
        {"model": lambda: S([L.Dense(1)])},
        *(ValueError, "must say what the targets are"),
    ),
    "shares of classes": (
        {"y": ONE_HOT * 0.5 + 0.1, "loss": CATEGORICAL},
        *(ValueError, "shares of classes"),
    ),
    "lengths": ({"y": LABELS[:5]}, ValueError, "same number of examples"),
    "split": ({"validation_split": 0.999}, ValueError, "leave examples for both parts"),
    "pair": ({"validation_data": X}, TypeError, r"a pair \(x_val, y_val\)"),
    "text": ({"y": LABELS.astype(str)}, TypeError, "an array of numbers"),
    "unknown loss": ({"loss": "poisson"}, ValueError, "`loss` must be one of"),
    "both": ({"dataset": WHOLE}, TypeError, "are for arrays"),
    "no fit": (
        {"model": lambda: S([L.Conv2D(2, 3), L.Flatten(), L.Dense(3)])},
        *(ValueError, "does not fit examples of the data set's shape"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_arrays_that_do_not_fit_are_named(name):
    changes, error, says = BAD[name]
    arguments = {"model": lambda: S([L.Dense(3, "softmax")]), "dataset": X, "y": LABELS, **changes}
    with pytest.raises(error, match=says):
        api.fit_many(**arguments, members=1, epochs=1, engine="fast")


@pytest.mark.parametrize(
    "schedule",
    [
        keras.optimizers.schedules.PolynomialDecay(0.25, 5, 0.125, power=0.5),
        keras.optimizers.schedules.PolynomialDecay(0.25, 5, 0.125, power=0.5, cycle=True),
        keras.optimizers.schedules.CosineDecay(0.25, 5, alpha=0.5),
        keras.optimizers.schedules.CosineDecayRestarts(0.25, 5),
        keras.optimizers.schedules.ExponentialDecay(0.25, 5, 0.5, staircase=True),
        keras.optimizers.schedules.InverseTimeDecay(0.25, 5, 0.5),
        keras.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.25, 0.125, 0.0625]),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_schedule_is_keras_own_after_its_end_too(schedule):
    flat = S([keras.Input((1,)), L.Dense(1, use_bias=False, kernel_initializer="zeros")])
    x, y = np.ones((1, 1), np.float32), np.array([-1000.0], np.float32)
    steps = 40  # with the mean absolute error a step moves the weight by the rate
    runs = api.fit_many(
        flat, x, y, members=1, epochs=steps, loss="mae", optimizer=keras.optimizers.SGD(schedule),
        snapshots=range(steps), progress=False,
    )  # fmt: skip
    path = [runs.snapshots[e][0].item() for e in range(steps)] + [runs.weights[0].item()]
    expected = [float(schedule(step)) for step in range(steps)]
    np.testing.assert_allclose(-np.diff(path), expected, rtol=1e-4, atol=1e-6)


def test_an_initializer_that_is_an_array_is_taken_as_it_is():
    prior = np.array([0.5, -1.0, 2.0])
    start = keras.initializers.Constant(prior)
    runs = api.fit_many(
        lambda: S([L.Dense(3, bias_initializer=start)]), X, LABELS, members=2, epochs=0
    )
    assert np.array_equal(runs.initial_weights[1], np.tile(prior, (2, 1)))


def test_models_whose_weights_would_change_places_are_refused():
    def crossed():
        first, second = S([L.Dense(6)]), L.Dense(6)
        return functional(lambda x: L.Add()([first(L.Dense(6)(x)), second(x)]))

    model = crossed()
    try:
        recipe = Recipe(model)
    except ValueError as error:
        assert "come in another order" in str(error)
    else:
        assert [w.shape for w in recipe.weights] == [tuple(v.shape) for v in model.weights]

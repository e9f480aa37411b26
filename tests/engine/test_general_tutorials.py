"""Models as tutorials have them in the general engine: equal to plain Keras, or refused with the reason."""

import numpy as np
import pytest

from helpers import fit_many
from helpers._tensorflow import keras, tf
from helpers.engine.general import pool

pytestmark = [
    pytest.mark.skipif(bool(pool.lacking()), reason="JAX, the extra `general`, is missing"),
    pytest.mark.usefixtures("one_worker"),
]
L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4)).astype(np.float32)
SERIES = RNG.normal(size=(12, 3, 4)).astype(np.float32)
WORDS = RNG.integers(0, 20, (12, 9)).astype(np.int32)
FILMS = RNG.normal(size=(12, 3, 6, 6, 1)).astype(np.float32)
Y = RNG.normal(size=12).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 12)]


def stack(inputs, *layers):
    return keras.Sequential([keras.Input(inputs), *layers])


def shared():
    """One recurrent layer, called twice."""
    inputs = keras.Input((9,), dtype="int32")
    layer = L.GRU(4, return_sequences=True)
    x = layer(layer(L.Embedding(20, 4)(inputs)))
    return keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(x)))


def nested():
    """A model inside, called twice."""
    inner = stack((4,), L.Dense(4, "tanh"), L.UnitNormalization())
    inputs = keras.Input((4,))
    return keras.Model(inputs, L.Dense(1)(inner(inner(inputs))))


def masked():
    """Words of which one is padding."""
    inputs = keras.Input((9,), dtype="int32")
    x = L.Embedding(20, 4, mask_zero=True)(inputs)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    return keras.Model(inputs, L.Dense(1)(L.LSTM(3)(x)))


def films():
    layers = L.ConvLSTM2D(2, 3), L.BatchNormalization(), L.Flatten(), L.Dense(1)
    return stack((3, 6, 6, 1), *layers)


def half():
    """Computed in half precision, kept in single."""
    layers = L.Dense(4, "tanh", dtype="mixed_float16"), L.PReLU(dtype="mixed_float16")
    return stack((4,), *layers, L.Dense(1, dtype="float32"))


def plain():
    return stack((4,), L.UnitNormalization(), L.Dense(1))


def probabilities():
    return stack((4,), L.UnitNormalization(), L.Dense(3, "softmax"))


def doubled(y, outputs):
    return keras.ops.mean(2.0 * keras.ops.square(y - outputs), axis=-1)


def of_tensorflow(y, outputs):
    return tf.reduce_mean(tf.square(y - outputs), axis=-1)


SMOOTHED = keras.losses.CategoricalCrossentropy(label_smoothing=0.25)
KINDS = {
    "shared": (shared, WORDS, Y, "mse", 1e-4),
    "nested": (nested, X, Y, "mse", 1e-4),
    "masked": (masked, WORDS, Y, "mse", 1e-4),
    "films": (films, FILMS, Y, "mse", 1e-4),
    "half precision": (half, X, Y, "mse", 1e-2),
    "own loss": (plain, X, Y, doubled, 1e-4),
    "smoothed labels": (probabilities, X, ONE_HOT, SMOOTHED, 1e-4),
    "Huber's delta": (plain, X, 3 * Y, keras.losses.Huber(delta=0.25), 1e-4),
}


def fit(build, x, y, loss, **settings):
    settings = {"members": 2, "epochs": 6, "batch_size": 4, "optimizer": "sgd"} | settings
    return fit_many(build, x, y, loss=loss, engine="general", progress=False, **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_a_tutorial_trains_as_keras_trains_it(kind):
    build, x, y, loss, tolerance = KINDS[kind]
    runs = fit(build, x, y, loss)
    model = build()
    model.compile("sgd", loss, jit_compile=False)
    model.set_weights([w[1] for w in runs.initial_weights])
    targets = y if y.ndim > 1 else y[:, np.newaxis]
    for epoch in runs.batches(1):
        for rows in epoch:
            model.train_on_batch(x[rows], targets[rows])
    for ours, theirs in zip(runs.weights, model.get_weights(), strict=True):
        assert np.abs(ours[1] - theirs).max() <= tolerance * max(np.abs(theirs).max(), 1e-3)


def two_inputs():
    first, second = keras.Input((4,)), keras.Input((4,))
    return keras.Model([first, second], L.Dense(1)(L.Concatenate()([first, second])))


def two_outputs():
    inputs = keras.Input((4,))
    return keras.Model(inputs, [L.Dense(1)(inputs), L.Dense(1)(inputs)])


def stateful():
    """Goes on with the next batch where it was at the end of the last."""
    return keras.Sequential(
        [keras.Input(batch_shape=(4, 3, 4)), L.GRU(3, stateful=True), L.Dense(1)]
    )


def of_python():
    return stack((4,), L.Lambda(lambda x: 2 * x), L.Dense(1))


@pytest.mark.parametrize(
    ("build", "x", "loss", "says"),
    [
        (two_inputs, X, "mse", "one input and one output"),
        (two_outputs, X, "mse", "one input and one output"),
        (stateful, SERIES, "mse", "stateful"),
        (of_python, X, "mse", "cannot be rebuilt from its configuration"),
        (plain, X, of_tensorflow, "keras.ops instead"),
    ],
    ids=["two inputs", "two outputs", "stateful", "Lambda", "loss of TensorFlow"],
)
def test_what_cannot_be_trained_is_refused_with_the_reason(build, x, loss, says):
    with pytest.raises(ValueError, match=says):
        fit(build, x, Y, loss, epochs=0)

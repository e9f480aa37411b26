"""`metrics=` and `sample_weight=` as Keras means them, and measures of models that end in a softmax."""

import numpy as np
import pytest
from making import marked

from helpers import measures
from helpers._tensorflow import keras, tf
from helpers.data import Dataset
from helpers.engine import api, runtime
from helpers.engine.runs import Runs

L, S, M = keras.layers, keras.Sequential, keras.metrics
RNG = np.random.default_rng(8)
X = RNG.normal(size=(23, 4)).astype(np.float32)
Y = X[:, :1] ** 2 + 0.1
CLASSES = RNG.integers(0, 7, 23)
SIGNS = (X[:, 1] > 0).astype(int)
WEIGHTS = RNG.uniform(0, 2, 23).astype(np.float32)
SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


def net(outputs, ending=None):
    return lambda: S([keras.Input((4,)), L.Dense(5, "tanh"), L.Dense(outputs, activation=ending)])


def tiny():
    return S([keras.Input((2,)), L.Dense(2, "tanh"), L.Dense(1)])


def own_error(y, outputs):
    return tf.reduce_mean(tf.abs(outputs - y) ** 3, axis=-1)


# name: (builder, y, loss, metrics)
KINDS = {
    "regression": (net(1), Y, "mse", ["mae", M.RootMeanSquaredError(), "mean_squared_error"]),
    "softmax": (
        net(7, "softmax"),
        CLASSES,
        SPARSE,
        [
            *("sparse_categorical_accuracy", M.SparseTopKCategoricalAccuracy(3, name="top")),
            M.SparseCategoricalCrossentropy(),
        ],
    ),
    "logits": (
        net(7),
        CLASSES,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        [M.SparseCategoricalCrossentropy(from_logits=True, name="ce"), "acc"],
    ),
    "sigmoid": (
        net(1, "sigmoid"),
        SIGNS,
        BINARY,
        [
            "binary_accuracy",
            M.BinaryAccuracy(threshold=0.3, name="above"),
            "mae",
            M.BinaryCrossentropy(),
        ],
    ),
    "one logit": (
        net(1),
        SIGNS,
        keras.losses.BinaryCrossentropy(from_logits=True),
        [
            M.BinaryAccuracy(threshold=0.0),
            M.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        ],
    ),
}


def by_keras(build, start, y, loss, metrics, batches, weights):
    """Return the history of plain Keras on given batches of 17 examples, validated on the others, and the model."""
    copies = [m if isinstance(m, str) else type(m).from_config(m.get_config()) for m in metrics]
    y = np.reshape(y, (-1, 1)) if build().output_shape[-1] == 1 else y
    model = build()
    model.compile("sgd", loss=loss, metrics=copies, run_eagerly=True)
    model.set_weights(start)
    history = {}
    for epoch in batches:
        rows = np.concatenate(epoch)
        w = {} if weights is None else {"sample_weight": weights[rows]}
        last = (X[17:], y[17:]) if weights is None else (X[17:], y[17:], weights[17:])
        seen = model.fit(
            X[rows],
            y[rows],
            batch_size=len(epoch[0]),
            shuffle=False,
            validation_data=last,
            verbose=0,
            **w,
        )
        for name, values in seen.history.items():
            history.setdefault(name, []).extend(values)
    return history, model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "name",
    marked(KINDS, ("softmax", "sigmoid")),
)
def test_history_is_that_of_keras(name, weighted):
    build, y, loss, metrics = KINDS[name]
    more = {"sample_weight": WEIGHTS[:17]} if weighted else {}
    val = (X[17:], y[17:], *([WEIGHTS[17:]] if weighted else []))
    runs = api.fit_many(
        build, X[:17], y[:17], validation_data=val, members=2, epochs=2, batch_size=5, loss=loss,
        optimizer="sgd", metrics=metrics, seed=4, progress=False, **more,
    )  # fmt: skip
    start = [w[1] for w in runs.initial_weights]
    counts = WEIGHTS if weighted else None
    found, model = by_keras(build, start, y, loss, metrics, runs.batches(1), counts)
    for key, values in found.items():
        ours = {"mean_squared_error": "mse"}.get(key, key)
        ours = ours if ours in runs.history else key
        np.testing.assert_allclose(runs.history[ours][1], values, rtol=2e-4, atol=1e-6, err_msg=key)
    np.testing.assert_allclose(
        runs.model(1).predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-5
    )
    scored = runs.evaluate(X[17:], y[17:])
    for key in {*scored} - {"crossentropy"}:
        np.testing.assert_allclose(scored[key][1], runs.history[f"val_{key}"][1, -1], rtol=1e-4)


def test_weights_of_one_change_nothing_and_whole_numbers_repeat_examples():
    runs = api.fit_many(net(1), X, Y, members=3, epochs=3, batch_size=23, seed=1)
    ones = api.fit_many(
        net(1), X, Y, members=3, epochs=3, batch_size=23, seed=1, sample_weight=np.ones(23)
    )
    np.testing.assert_allclose(ones.history["loss"], runs.history["loss"], rtol=1e-6)
    count = RNG.integers(0, 3, 23)
    count[0] += 23 - count.sum() if count.sum() < 23 else 0
    again = np.repeat(np.arange(23), count)
    repeated = api.fit_many(net(1), X[again], Y[again], members=3, epochs=3, batch_size=99, seed=1)
    weights = count * 23 / count.sum()
    weighted = api.fit_many(
        net(1), X, Y, members=3, epochs=3, batch_size=23, seed=1, sample_weight=weights
    )
    np.testing.assert_allclose(weighted.history["loss"], repeated.history["loss"], rtol=1e-4)


@pytest.mark.both
@pytest.mark.parametrize("build, x", [(net(1), X), (tiny, X[:, :2])], ids=["products", "tiny"])
@pytest.mark.parametrize("batch", [6, pytest.param(99, marks=pytest.mark.slow)])
def test_weights_of_its_own_are_each_members_and_stay_so_in_another_chunk(
    build, x, batch, monkeypatch
):
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 2)
    each = RNG.uniform(0, 2, (5, 23))
    same = {"epochs": 3, "batch_size": batch, "seed": 2, "loss": "mse", "progress": False}
    runs = api.fit_many(build, x, Y, members=5, sample_weight=each, **same)
    for member in (0, 4):
        alone = api.fit_many(build, x, Y, members=5, sample_weight=each[member], **same)
        np.testing.assert_array_equal(runs.weights[0][member], alone.weights[0][member])
    stack = Dataset.stack([Dataset(x_train=x, y_train=Y, task="regression", name="one")] * 5)
    stacked = api.fit_many(build, stack, members=5, sample_weight=each, **same)
    np.testing.assert_allclose(stacked.history["loss"], runs.history["loss"], rtol=1e-5)


def test_a_split_takes_the_last_weights_for_validation():
    split = api.fit_many(
        net(1), X, Y, members=2, epochs=2, validation_split=0.3, sample_weight=WEIGHTS
    )
    parts = (X[16:], Y[16:], WEIGHTS[16:])
    given = api.fit_many(
        net(1),
        X[:16],
        Y[:16],
        members=2,
        epochs=2,
        validation_data=parts,
        sample_weight=WEIGHTS[:16],
    )
    assert {k: v.tobytes() for k, v in split.history.items()} == {
        k: v.tobytes() for k, v in given.history.items()
    }


def test_metrics_that_are_to_be_weighted_are_refused_with_weights():
    def build():
        model = net(1)()
        model.compile("adam", "mse", weighted_metrics=["mae"])
        return model

    same = {"members": 2, "epochs": 1, "progress": False}
    with pytest.raises(ValueError, match="weighted_metrics"):
        api.fit_many(build, X, Y, sample_weight=WEIGHTS, **same)
    assert "mae" in api.fit_many(build, X, Y, **same).history
    given = api.fit_many(build, X, Y, sample_weight=WEIGHTS, metrics=["mae"], **same)
    assert "mae" in given.history


def test_weights_and_metrics_survive_files_and_resuming(tmp_path):
    options = {
        "metrics": ["mae"],
        "sample_weight": WEIGHTS,
        "batch_size": 7,
        "members": 3,
        "seed": 9,
    }
    whole = api.fit_many(net(1), X, Y, epochs=5, **options)
    part = api.fit_many(net(1), X, Y, epochs=2, resumable=True, **options)
    assert part.resume(3).history["mae"].tobytes() == whole.history["mae"].tobytes()
    part.save(tmp_path / "runs")
    loaded, data = (
        Runs.load(tmp_path / "runs"),
        Dataset(x_train=X, y_train=Y, task="regression", name="arrays"),
    )
    assert loaded.resume(3, dataset=data).history["mae"].tobytes() == whole.history["mae"].tobytes()
    assert loaded.evaluate(X, Y)["mae"].shape == (3,)


def test_a_metric_of_ones_own_is_recorded_and_can_stop_training():
    stop = keras.callbacks.EarlyStopping("val_own_error", mode="min", patience=1)
    runs = api.fit_many(
        net(1),
        X,
        Y,
        validation_split=0.3,
        members=2,
        epochs=3,
        metrics=[own_error],
        early_stopping=stop,
    )
    predicted = runs.predict(X[16:])
    kept = np.where(runs.stopped_epoch, runs.stopped_epoch, 3) - 1
    expected = np.mean(np.abs(predicted - Y[16:]) ** 3, axis=(1, 2))
    found = runs.history["val_own_error"][np.arange(2), kept]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_metrics_of_a_compiled_model_are_recorded_and_the_others_named():
    model = net(1)()
    model.compile(
        "adam", "mse", metrics=["mae", "mse", M.RootMeanSquaredError(), M.AUC(), own_error]
    )
    with pytest.warns(UserWarning, match="does not record the metrics .*AUC.*own_error"):
        runs = api.fit_many(model, X, Y, members=2, epochs=1)
    assert list(runs.history) == ["loss", "mse", "mae", "root_mean_squared_error"]


BAD = {
    "no list": ({"metrics": "mae"}, TypeError, "`metrics` must be a list"),
    "unknown": ({"metrics": ["auc"]}, ValueError, "means over examples.*runs.predict"),
    "no mean": ({"metrics": [M.AUC()]}, ValueError, "AUC"),
    "of classes": ({"metrics": ["accuracy"]}, ValueError, "means nothing for a regression"),
    "taken": ({"metrics": ["mae", M.MeanSquaredError(name="mae")]}, ValueError, "not taken"),
    "a setting": ({"metrics": [M.MeanSquaredError(name="loss")]}, ValueError, "not taken"),
    "a scalar": ({"metrics": [lambda y, p: tf.reduce_mean(y - p)]}, ValueError, r"shape \(M, B\)"),
    "too few weights": ({"sample_weight": np.ones(5)}, ValueError, r"shape \(23,\) or \(3, 23\)"),
    "no number": ({"sample_weight": [np.nan] * 23}, ValueError, "sample_weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_refused_by_name(name):
    options, error, match = BAD[name]
    with pytest.raises(error, match=match):
        api.fit_many(net(1), X, Y, members=3, epochs=1, engine="fast", **options)


def test_measures_of_a_model_that_ends_in_a_softmax_are_those_of_its_logits():
    runs = api.fit_many(net(7, "softmax"), X, CLASSES, members=2, epochs=2)
    found = [measures.margins(build, runs.weights, X[:4]) for build in (net(7, "softmax"), net(7))]
    np.testing.assert_array_equal(*found)

    def joined():
        x = keras.Input((4,))
        return keras.Model(x, L.Average()([L.Dense(7, "softmax")(x), L.Dense(7, "softmax")(x)]))

    weights = api.fit_many(joined, X, CLASSES, members=2, epochs=1).weights
    with pytest.raises(ValueError, match="must return logits, or end in a softmax"):
        measures.margins(joined, weights, X[:4])


def test_an_activation_that_is_not_of_keras_is_named_with_the_remedy():
    def bump(x):
        return x * x

    for function, match in (
        (tf.nn.softmax, 'activation tensorflow.*which is not Keras\'s.*activation="softmax"'),
        (bump, "bump, which is not Keras's. Register yours"),
    ):
        for start in ([], [keras.Input((4,))]):
            model = S([*start, L.Dense(7, activation=function)])
            with pytest.raises(ValueError, match=match) as caught:
                api.fit_many(model, X, CLASSES, members=2, epochs=1)
            assert len(str(caught.value)) < 300

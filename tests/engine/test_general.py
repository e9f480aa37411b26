"""The general engine: a member equals plain Keras whatever the model, and what one engine means the other means."""

import os
import pathlib
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from helpers import fit_many, predict_many
from helpers._tensorflow import keras, tf
from helpers.engine import general, runtime
from helpers.engine.general import pool, running
from helpers.engine.general.pool import POOL
from helpers.engine.runs import Runs
from helpers.engine.unsupported import Unsupported

pytestmark = pytest.mark.skipif(bool(pool.lacking()), reason="JAX, the extra `general`, is missing")
L, K = keras.layers, keras
RNG = np.random.default_rng(0)
TOKENS = RNG.integers(0, 20, (22, 9)).astype(np.int32)
SERIES = RNG.normal(size=(22, 6, 4)).astype(np.float32)
IMAGES = RNG.normal(size=(22, 8, 8, 1)).astype(np.float32)
X = SERIES[:, 0]
LABELS = RNG.integers(0, 3, 22)
TWO = (TOKENS.sum(axis=1) > 85).astype(np.int32)
SPARSE = K.losses.SparseCategoricalCrossentropy(from_logits=True)


def text_classifier():
    """A tutorial's: words, a recurrent layer, a probability."""
    stack = [K.Input((9,), dtype="int32"), L.Embedding(20, 4), L.GRU(5), L.Dense(1, "sigmoid")]
    return K.Sequential(stack)


def transformer():
    """One block of a small transformer."""
    inputs = K.Input((6, 4))
    x = L.Dense(8)(inputs)
    x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))
    x = L.LayerNormalization()(x + L.Dense(8)(L.Dense(12, "gelu")(x)))
    return K.Model(inputs, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def separable():
    """A convolutional network whose layers the fast engine does not know."""
    stack = [K.Input((8, 8, 1)), L.SeparableConv2D(3, 3, activation="relu")]
    return K.Sequential(
        [*stack, L.BatchNormalization(), L.DepthwiseConv2D(3), L.Flatten(), L.Dense(3)]
    )


def autoencoder():
    """Images to images."""
    down = L.Conv2D(3, 3, strides=2, padding="same", activation="relu")
    return K.Sequential(
        [K.Input((8, 8, 1)), down, L.Conv2DTranspose(1, 3, strides=2, padding="same")]
    )


def recurrent():
    """Both directions; the bias of an LSTM is drawn by a function of the layer's own."""
    return K.Sequential([K.Input((6, 4)), L.Bidirectional(L.LSTM(3)), L.Dense(3)])


def tagger():
    """A label for each place of a series."""
    return K.Sequential([K.Input((6, 4)), L.SimpleRNN(4, return_sequences=True), L.Dense(3)])


def multi_label():
    """Several yes or no at once."""
    return K.Sequential([K.Input((4,)), L.Dense(5, "tanh"), L.Dense(3, "sigmoid")])


@K.saving.register_keras_serializable("tests")
class Scale(L.Layer):
    """A layer of one's own, written with ``keras.ops``."""

    def build(self, input_shape):
        """Make the factors."""
        self.factors = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="factors")

    def call(self, inputs):
        """Scale the squashed inputs."""
        return K.ops.tanh(inputs) * self.factors


@K.saving.register_keras_serializable("tests")
class OfTensorFlow(L.Layer):
    """A layer of one's own, written for one backend."""

    def call(self, inputs):
        """Call TensorFlow."""
        return tf.nn.relu(inputs)


@K.saving.register_keras_serializable("tests")
class Subclass(K.Model):
    """A model whose graph cannot be read."""

    def __init__(self, units=4, **keywords):
        super().__init__(**keywords)
        self.units, self.first, self.last = units, L.Dense(units, "relu"), L.Dense(3)

    def call(self, inputs):
        """Apply both layers."""
        return self.last(self.first(inputs))

    def get_config(self):
        """Return the arguments."""
        return {"units": self.units}


def own_layer():
    """A model with a layer of one's own."""
    return K.Sequential([K.Input((4,)), L.Dense(5), Scale(), L.Dense(3)])


KINDS = {
    "text classifier": (text_classifier, TOKENS, TWO, "binary_crossentropy"),
    "transformer": (transformer, SERIES, LABELS, SPARSE),
    "separable": (separable, IMAGES, LABELS, SPARSE),
    "autoencoder": (autoencoder, IMAGES, IMAGES, "mse"),
    "recurrent": (recurrent, SERIES, LABELS, SPARSE),
    "tagger": (tagger, SERIES, RNG.integers(0, 3, (22, 6)), SPARSE),
    "multi-label": (multi_label, X, RNG.integers(0, 2, (22, 3)), "binary_crossentropy"),
    "own layer": (own_layer, X, LABELS, SPARSE),
    "subclass": (Subclass, X, LABELS, SPARSE),
}
SLOW = ("transformer", "recurrent", "tagger", "separable", "subclass")


def fit(build, x, y, loss="auto", **options):
    """Train three members for three epochs of three steps, the last one short."""
    options = {"members": 3, "epochs": 3, "batch_size": 10, "optimizer": "sgd"} | options
    return fit_many(build, x, y, loss=loss, progress=False, **options)


def by_keras(runs, build, x, y, loss, member=1, optimizer="sgd", weights=None):
    """Return the weights that plain Keras ends with, from the same start on the same batches."""
    model = build()
    if not model.built:
        model(x[:1])
    model.set_weights([w[member] for w in runs.initial_weights])
    model.compile(optimizer, loss)
    for epoch in runs.batches(member):
        for rows in epoch:
            given = None if weights is None else weights[rows]
            model.train_on_batch(x[rows], y[rows], sample_weight=given)
    return model.get_weights()


def close(ours, theirs, relative=1e-4):
    """Assert that weights are equal, relative to the largest of each array."""
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a - b).max() <= relative * max(np.abs(b).max(), 1e-3)


def same(runs, others):
    """Assert that two trainings gave the same bits."""
    for a, b in zip(runs.weights, others.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert runs.history.keys() == others.history.keys()
    for name, values in runs.history.items():
        np.testing.assert_array_equal(values, others.history[name])


@pytest.mark.usefixtures("one_worker")
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.slow] if k in SLOW else []) for k in KINDS]
)
def test_a_member_equals_plain_keras(kind):
    build, x, y, loss = KINDS[kind]
    weights = RNG.uniform(0.5, 2, len(x)).astype(np.float32) if kind == "own layer" else None
    runs = fit(build, x, y, loss, epochs=9, sample_weight=weights)
    assert runs.settings["engine"] == "general"
    theirs = by_keras(runs, build, x, y, loss, weights=weights)
    moved = [
        np.abs(a[1] - b[1]).max() for a, b in zip(runs.weights, runs.initial_weights, strict=True)
    ]
    assert max(moved) > 1e-3
    close([w[1] for w in runs.weights], theirs)
    outputs = runs.predict(x)
    np.testing.assert_allclose(
        outputs[1], runs.model(1).predict(x, verbose=0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.usefixtures("one_worker")
def test_an_embedding_gets_the_gradient_of_all_its_rows_at_once():
    """On TensorFlow Keras gives Adam the rows that were looked up one by one: squared before they are added."""
    runs = fit(text_classifier, TOKENS, TWO, "binary_crossentropy", optimizer="adam", epochs=1)
    model, optimizer = text_classifier(), K.optimizers.Adam()
    model.set_weights([w[1] for w in runs.initial_weights])
    optimizer.build(model.trainable_variables)
    for rows in runs.batches(1)[0]:
        with tf.GradientTape() as tape:
            wanted = TWO[rows][:, None].astype(np.float32)
            loss = K.losses.BinaryCrossentropy()(wanted, model(TOKENS[rows], training=True))
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], model.trainable_variables)
    close([w[1] for w in runs.weights], model.get_weights(), 1e-3)


def mlp(rate=0.0):
    """A model that both engines know."""
    hidden = L.Dense(6, "relu", kernel_regularizer="l2")
    stack = [K.Input((4,)), hidden, L.BatchNormalization(), L.Dropout(rate), L.Dense(3, "softmax")]
    return K.Sequential(stack)


def test_the_two_engines_agree():
    masks = [None] * len(mlp().weights)
    masks[0] = RNG.integers(0, 2, (12, 4, 6))
    options = {
        "validation_split": 0.3,
        "members": 12,
        "epochs": 5,
        "learning_rate": np.geomspace(0.001, 0.3, 12),
        "optimizer": K.optimizers.SGD(momentum=0.9),
        "masks": masks,
        "snapshots": (0, 2),
        "record_every": 2,
        "sample_weight": RNG.uniform(0.5, 1.5, 22),
    }
    fast, other = (fit(mlp, X, LABELS, engine=name, **options) for name in ("fast", "general"))
    for stage in ("initial_weights", "weights"):
        for a, b in zip(getattr(fast, stage), getattr(other, stage), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for a, b in zip(fast.snapshots[2], other.snapshots[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert list(fast.history) == list(other.history)
    for name, values in fast.history.items():
        np.testing.assert_allclose(values, other.history[name], rtol=1e-4, atol=1e-5)
    assert fast.epochs.tolist() == other.epochs.tolist()
    assert not np.any(other.weights[0][masks[0] == 0])
    ours, theirs = other.evaluate(X, LABELS), fast.evaluate(X, LABELS)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("restore", [pytest.param(False, marks=pytest.mark.slow), True])
def test_early_stopping_is_that_of_the_fast_engine(restore):
    stops = K.callbacks.EarlyStopping(
        "val_loss", patience=1, min_delta=0.001, restore_best_weights=restore
    )
    rates = [0.01, 0.1, 0.5, 1.0, 2.0]
    options = {"members": 5, "epochs": 8, "early_stopping": stops, "learning_rate": rates}
    fast, other = (
        fit(mlp, X, LABELS, engine=name, validation_split=0.3, **options)
        for name in ("fast", "general")
    )
    assert (other.stopped_epoch > 0).any()
    np.testing.assert_array_equal(fast.stopped_epoch, other.stopped_epoch)
    np.testing.assert_array_equal(fast.best_epoch, other.best_epoch)
    for a, b in zip(fast.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(np.isnan(fast.history["loss"]), np.isnan(other.history["loss"]))


@pytest.mark.slow
def test_same_call_same_bits_in_new_processes_with_other_neighbours():
    options = {"engine": "general", "shuffle": "member", "snapshots": (1,)}
    first = fit(lambda: mlp(0.4), X, LABELS, members=13, **options)
    POOL.close()
    again = fit(lambda: mlp(0.4), X, LABELS, members=13, **options)
    same(first, again)
    fewer = fit(lambda: mlp(0.4), X, LABELS, members=3, **options)
    for a, b in zip(first.weights, fewer.weights, strict=True):
        np.testing.assert_array_equal(a[:3], b)
    plain = fit(lambda: mlp(0.0), X, LABELS, members=3, **options)
    assert not np.array_equal(plain.weights[0], fewer.weights[0])  # dropout did something


def test_resume_goes_on_as_one_call_would():
    stops = K.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    options = {"engine": "general", "optimizer": "adam", "early_stopping": stops}
    whole = fit(lambda: mlp(0.4), X, LABELS, epochs=7, record_every=2, **options)
    start = fit(
        lambda: mlp(0.4),
        X,
        LABELS,
        epochs=3,
        record_every=2,
        resumable=True,
        snapshots=(1,),
        **options,
    )
    both = start.resume(4, snapshots=(3, 5))
    same(whole, both)
    assert sorted(both.snapshots) == [1, 3, 5]
    assert both.epochs.tolist() == whole.epochs.tolist()


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing():
    options = {"members": 4, "epochs": 400, "engine": "general"}
    first = fit(mlp, X, LABELS, **options)
    shot = []

    def shoot():
        while not shot:
            for child in psutil.Process().children():
                if "helpers._jax" in child.cmdline() and child.cpu_percent(0.05) > 0:
                    os.kill(child.pid, signal.SIGKILL)
                    shot.append(child.pid)
                    return

    hunter = threading.Thread(target=shoot)
    hunter.start()
    again = fit(mlp, X, LABELS, **options)
    shot.append(0)  # where the training was over before a worker was seen at work
    hunter.join()
    same(first, again)


def test_nobody_waits_for_what_is_stopped():
    with POOL._lent() as worker:
        pid = worker.pid
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    began = time.monotonic()
    plan = general.make(mlp, X, LABELS, members=1, epochs=100_000, optimizer="sgd", loss="auto")
    members = running.members_of(plan, runtime.chunk(0, 1, plan.job.width))
    assert POOL.ask("train", "endless", plan.job, members, lambda n: stop.set(), stop) is None
    assert time.monotonic() - began < 60
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_worker_that_has_grown_is_ended(monkeypatch):
    monkeypatch.setattr(pool, "MEMORY", 0)
    with POOL._lent() as worker:
        pass
    assert not psutil.pid_exists(worker.pid)


def test_runs_are_saved_and_read(tmp_path):
    runs = fit(*KINDS["text classifier"], snapshots=(1,), metrics=[K.metrics.AUC(name="auc")])
    assert "auc" in runs.history
    runs.save(tmp_path / "runs")
    read = Runs.load(tmp_path / "runs")
    np.testing.assert_array_equal(read.predict(TOKENS), runs.predict(TOKENS))
    found, kept = read.evaluate(TOKENS, TWO), runs.evaluate(TOKENS, TWO)
    assert set(found) == {"crossentropy", "accuracy", "auc"}
    for name in found:
        np.testing.assert_array_equal(found[name], kept[name])
    np.testing.assert_array_equal(
        predict_many(text_classifier, runs.weights, TOKENS, progress=False), runs.predict(TOKENS)
    )
    with pytest.raises(ValueError, match="do not hold what `resume` needs"):
        read.resume(1)


@pytest.mark.usefixtures("one_worker")
def test_metrics_and_scores_are_keras_for_every_member():
    y, metrics = RNG.integers(0, 2, (22, 3)), [K.metrics.BinaryAccuracy(name="right"), "mae"]
    options = {"metrics": metrics, "optimizer": K.optimizers.SGD(0.5), "batch_size": 22}
    runs = fit(multi_label, X, y, "binary_crossentropy", validation_split=0.4, **options)
    scores = runs.evaluate(X, y)
    np.testing.assert_allclose(runs.history["crossentropy"], runs.history["loss"], rtol=1e-4)
    for member in range(3):
        model = runs.model(member)
        model.compile("sgd", "binary_crossentropy", metrics=["binary_accuracy", "mae"])
        for x, wanted, found in (
            (X[13:], y[13:], {name: v[member, -1] for name, v in runs.history.items()}),
            (X, y, {f"val_{name}": v[member] for name, v in scores.items()}),
        ):
            loss, right, mae = model.evaluate(x, wanted, verbose=0)
            expected = {"crossentropy": loss, "accuracy": right, "right": right, "mae": mae}
            for name, value in expected.items():
                np.testing.assert_allclose(found[f"val_{name}"], value, rtol=1e-4, err_msg=name)


@pytest.mark.usefixtures("one_worker")
def test_losses_that_are_sums_validate_in_batches_as_fit_does():
    loss = K.losses.MeanSquaredError(reduction="sum")
    rate = K.optimizers.SGD(1e-4)
    runs = fit(
        autoencoder,
        IMAGES,
        IMAGES,
        loss,
        optimizer=rate,
        epochs=1,
        batch_size=4,
        validation_split=0.4,
    )
    model = runs.model(1)
    model.compile("sgd", loss)
    seen = model.evaluate(IMAGES[13:], IMAGES[13:], batch_size=4, verbose=0)
    np.testing.assert_allclose(runs.history["val_loss"][1, 0], seen, rtol=1e-4)


@pytest.mark.usefixtures("one_worker")
def test_averages_of_weights_are_those_of_fit():
    optimizer = K.optimizers.SGD(0.3, use_ema=True, ema_momentum=0.5)
    runs = fit(own_layer, X, LABELS, SPARSE, optimizer=optimizer, epochs=2)
    model = own_layer()
    model.set_weights([w[1] for w in runs.initial_weights])
    model.compile(K.optimizers.SGD(0.3, use_ema=True, ema_momentum=0.5), SPARSE)
    for epoch in runs.batches(1):
        for rows in epoch:
            model.train_on_batch(X[rows], LABELS[rows])
    model.optimizer.finalize_variable_values(model.trainable_variables)
    close([w[1] for w in runs.weights], model.get_weights())
    none = fit(own_layer, X, LABELS, SPARSE, optimizer=optimizer, epochs=0)
    for a, b in zip(none.weights, none.initial_weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("one_worker")
def test_rates_differ_in_half_precision_too():
    def build():
        return K.Sequential([K.Input((4,)), L.Dense(4), L.PReLU(), L.Dense(3)])

    K.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        runs = fit(build, X, LABELS, SPARSE, learning_rate=[0.0, 0.1, 1.0])
    finally:
        K.mixed_precision.set_dtype_policy("float32")
    pairs = zip(runs.weights[0], runs.initial_weights[0], strict=True)
    moved = [np.abs(w - v).max() for w, v in pairs]
    assert moved[0] == 0 < moved[1] < moved[2]


def test_what_a_nested_normalization_was_adapted_to_stays():
    norm = L.Normalization()
    norm.adapt(10 * X + 3)
    inner = K.Sequential([K.Input((4,)), norm, L.Dense(3)])
    runs = fit(K.Sequential([K.Input((4,)), inner, L.PReLU()]), X, LABELS, SPARSE, epochs=0)
    layers = runs.model(0)._flatten_layers()
    (again,) = (layer for layer in layers if isinstance(layer, L.Normalization))
    np.testing.assert_allclose(again.mean, norm.mean, rtol=1e-5)


def test_the_run_says_which_engine_it_has(capsys):
    fit_many(own_layer, X, LABELS, loss=SPARSE, members=1, epochs=0)
    said = capsys.readouterr().out
    assert "general engine" in said and "(Scale)" in said and said.count("\n") == 1
    assert fit(lambda: mlp(), X, LABELS, epochs=0).settings["engine"] == "fast"
    with pytest.raises(Unsupported, match=r"\(Scale\) is not known to the fast engine"):
        fit(own_layer, X, LABELS, SPARSE, engine="fast")
    with pytest.raises(ValueError, match="`engine`"):
        fit(own_layer, X, LABELS, SPARSE, engine="slow")


def test_without_jax_it_is_refused_with_how_to_get_it(monkeypatch):
    monkeypatch.setenv("GENERALIZE_GENERAL", "off")
    with pytest.raises(ValueError, match=r"\(Scale\).*pip install jax"):
        fit(own_layer, X, LABELS, SPARSE)
    with pytest.raises(ValueError, match="not installed"):
        fit(mlp, X, LABELS, engine="general")


def test_programs_are_kept_beside_those_of_the_fast_engine_or_where_somebody_said(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("GENERALIZE_CACHE", str(tmp_path))
    monkeypatch.delenv("GENERALIZE_PROGRAMS", raising=False)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    there = pool._programs()["JAX_COMPILATION_CACHE_DIR"]
    assert there.startswith(str(tmp_path / "programs"))
    worker = pool.Worker()
    try:
        monkeypatch.setattr(pool.POOL, "_idle", [worker])
        monkeypatch.setattr(pool.POOL, "size", lambda: 1)
        fit(lambda: K.Sequential([K.Input((4,)), L.PReLU(), L.Dense(3)]), X, LABELS, SPARSE)
    finally:
        worker.end()
    assert list(pathlib.Path(there).iterdir())
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    assert pool._programs() == {}
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("GENERALIZE_PROGRAMS", "off")
    assert pool._programs() == {}


def two_inputs():
    """A model with two inputs."""
    a, b = K.Input((4,)), K.Input((4,))
    return K.Model([a, b], L.Dense(3)(L.PReLU()(a + b)))


class Stepping(K.Model):
    """A model with a training step of its own."""

    def train_step(self, data):
        """Do nothing."""


def stepping():
    """Return such a model."""
    inputs = K.Input((4,))
    return Stepping(inputs, L.Dense(3)(inputs))


def remembering():
    """A model that goes on from batch to batch."""
    return K.Sequential([K.Input(batch_shape=(2, 4, 1)), L.SimpleRNN(3, stateful=True)])


def sized():
    """A model for batches of two."""
    return K.Sequential([K.Input(batch_shape=(2, 4)), L.PReLU(), L.Dense(3)])


def weighed():
    """A model whose loss is weighed when it is compiled."""
    model = own_layer()
    model.compile("sgd", SPARSE, loss_weights=3.0)
    return model


def weighted_metrics():
    """A model whose metrics are to be weighted as the loss is."""
    model = own_layer()
    model.compile("sgd", SPARSE, weighted_metrics=["accuracy"])
    return model


MASKS = [np.ones((3, *w.shape)) if i == 0 else None for i, w in enumerate(own_layer().weights)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"vary": {"momentum": [0.1, 0.2, 0.3]}},
            "`vary` has the key 'momentum'.*only learning_rate",
        ),
        ({"learning_rate": [0.1, 0.2]}, "`learning_rate` must have shape"),
        ({"loss": "mean_error"}, "`loss` must be"),
        ({"metrics": ["beauty"]}, "`metrics` must be"),
        ({"metrics": "accuracy"}, "`metrics` must be a list"),
        ({"optimizer": "quick"}, "`optimizer` must be"),
        ({"optimizer": 3}, "`optimizer` must be"),
        ({"epochs": -1}, "`epochs`"),
        ({"sample_weight": np.ones(3)}, "`sample_weight` must have shape"),
        ({"initial_weights": [np.ones(3)]}, "`initial_weights` must be a list of"),
        ({"masks": [np.ones(3)]}, "`masks` must be a list of"),
        ({"early_stopping": K.callbacks.EarlyStopping("val_loss")}, "`early_stopping.monitor`"),
        ({"snapshots": (9,)}, "`snapshots`"),
        ({"model": two_inputs}, "one input and one output"),
        ({"model": stepping}, "train_step"),
        ({"x": X[:, :3]}, "input shape"),
        ({"y": LABELS[:5]}, "same number of examples"),
        ({"y": LABELS + 7}, "labels outside 0..2"),
        ({"y": LABELS - 1, "loss": K.losses.CategoricalCrossentropy(from_logits=True)}, "outside"),
        ({"metrics": [K.metrics.MeanSquaredError(name="accuracy")]}, "names that are not taken"),
        ({"metrics": [K.metrics.MeanSquaredError(name="loss")]}, "names that are not taken"),
        ({"model": remembering}, "stateful"),
        ({"model": sized}, "batches of any size"),
        ({"model": weighed}, "loss_weights"),
        ({"model": weighted_metrics, "sample_weight": np.ones(len(X))}, "weighted_metrics"),
        ({"masks": MASKS, "optimizer": K.optimizers.Lamb()}, "mixes the entries"),
    ],
)
def test_bad_input_is_refused_at_the_door(change, message):
    given = {"model": own_layer, "x": X, "y": LABELS, "loss": SPARSE, "engine": "general"} | change
    model, x, y, loss = (given.pop(name) for name in ("model", "x", "y", "loss"))
    with pytest.raises((TypeError, ValueError), match=message):
        fit(model, x, y, loss, **given)


def test_outputs_with_a_mask_are_refused():
    def build():
        words = L.Embedding(20, 4, mask_zero=True)
        return K.Sequential([K.Input((9,), dtype="int32"), words, L.Dense(3)])

    with pytest.raises(ValueError, match="outputs carry a mask"):
        fit(build, TOKENS, TOKENS % 3, SPARSE)


@K.saving.register_keras_serializable("tests")
class Counter(L.Layer):
    """A layer that counts how often it is called."""

    def build(self, input_shape):
        """Start at zero."""
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, inputs):
        """Count."""
        self.calls.assign_add(1.0)
        return inputs


def test_what_validation_would_assign_is_refused_and_training_keeps_it():
    def build():
        return K.Sequential([K.Input((4,)), Counter(), L.Dense(3)])

    runs = fit(build, X, LABELS, SPARSE, epochs=2, batch_size=11)
    assert runs.weights[0].tolist() == [4.0] * 3
    with pytest.raises(ValueError, match=r"calls in inference mode, too.*Leave the validation"):
        fit(build, X, LABELS, SPARSE, validation_data=(X, LABELS))


@K.saving.register_keras_serializable("tests")
class Returning(K.optimizers.SGD):
    """An optimizer that goes half of the way back to where it began."""

    def build(self, variables):
        """Copy the weights."""
        super().build(variables)
        self.begun = [self.add_variable_from_reference(v, "begun") for v in variables]
        for copy, variable in zip(self.begun, variables, strict=True):
            copy.assign(variable)


def test_an_optimizer_that_copies_the_weights_is_refused():
    with pytest.raises(ValueError, match="begins with copies of the weights"):
        fit(own_layer, X, LABELS, SPARSE, optimizer=Returning(0.1))


def test_layers_of_another_backend_are_refused_with_the_reason():
    def build():
        return K.Sequential([K.Input((4,)), OfTensorFlow(), L.Dense(3)])

    with pytest.raises(ValueError, match="must use keras.ops instead of TensorFlow's"):
        fit(build, X, LABELS, SPARSE)

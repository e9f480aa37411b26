"""Early stopping of each member: what Keras's own callback does in `fit`, and nothing else."""

import functools

import numpy as np
import pytest
from making import make, marked

from helpers import models
from helpers._tensorflow import keras
from helpers.engine import api, plan, runtime
from helpers.engine.recipe import unstack
from helpers.engine.runs import Runs

Stopping = keras.callbacks.EarlyStopping
DATA = make("classification", (3,), 10, 3, val=6)
# Two that learn, one that oscillates, one that stands still and one that diverges.
RATES = np.array([0.5, 0.0625, 16.0, 0.0, np.inf])
EPOCHS = 16


def net():
    return models.mlp((3,), 3, (4,), batch_norm=True)


def rates():
    """Return the learning rates, the last of which makes the loss NaN in the first epoch."""
    # Keras's callback raises an error on finite values that single precision cannot hold.
    return np.where(np.isinf(RATES), 1e200 if keras.config.floatx() == "float64" else 1e30, RATES)


def fit(data=DATA, **options):
    """Train five members of different learning rates."""
    given = {"members": 5, "epochs": EPOCHS, "batch_size": 4, "optimizer": "sgd"}
    given |= {"learning_rate": rates()}
    return api.fit_many(net, data, **{**given, **options})


def batches(runs, member):
    """Return a member's batches (x, y), a list per epoch until it stopped."""
    x, y = DATA.x_train.astype("float64"), DATA.y_train
    return [[(x[rows], y[rows]) for rows in epoch] for epoch in runs.batches(member)]


@functools.cache
def compiled():
    """Return a compiled Keras model, one for all members and rules: SGD remembers nothing."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    crossentropy = keras.metrics.SparseCategoricalCrossentropy(
        from_logits=True, name="crossentropy"
    )
    model = net()
    model.compile("sgd", loss, metrics=["accuracy", crossentropy])
    return model


def twin(runs, member):
    """Return a Keras model with a member's initial weights and learning rate."""
    model = compiled()
    model.set_weights(unstack(runs.initial_weights, member))
    model.optimizer.learning_rate.assign(rates()[member])
    return model


HELD = (DATA.x_val.astype("float64"), DATA.y_val)


def keras_fit(runs, member, settings):
    """Train a member by `fit` with the callback; return it, the history and the weights that are left."""
    model, callback = twin(runs, member), Stopping(**settings)
    epochs = batches(runs, member)
    stream = (batch for epoch in epochs for batch in epoch)
    options = {"validation_data": HELD, "callbacks": [callback], "verbose": 0, "shuffle": False}
    history = model.fit(stream, epochs=EPOCHS, steps_per_epoch=len(epochs[0]), **options)
    return callback, history.history, model.get_weights()


def keras_loop(runs, member, settings):
    """Return the same by the loop that `fit` has, which takes a hundred times as long."""
    model, callback, history = twin(runs, member), Stopping(**settings), {}
    callback.set_model(model)
    model.stop_training = False
    callback.on_train_begin()
    for epoch, rows in enumerate(batches(runs, member)):
        logs = {}
        for x, y in rows:
            for name, value in model.train_on_batch(x, y, return_dict=True).items():
                logs[name] = logs.get(name, 0.0) + float(value) * len(x) / len(DATA.x_train)
        held = model.test_on_batch(*HELD, return_dict=True)
        logs |= {f"val_{name}": float(value) for name, value in held.items()}
        for name, value in logs.items():
            history.setdefault(name, []).append(value)
        callback.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callback.on_train_end()
    return callback, history, model.get_weights()


RESTORED = {"patience": 2, "min_delta": 0.02, "restore_best_weights": True}
RULES = {  # settings, and where the members stop
    "defaults": ({}, [5, 2, 3, 2, 2]),
    "restored": (RESTORED, [5, 3, 4, 3, 3]),
    "accuracy": (
        {**RESTORED, "monitor": "accuracy", "mode": "max", "patience": 6},
        [14, 10, 14, 7, 7],
    ),
    "baseline": ({"monitor": "loss", "baseline": 0.8, "patience": 9}, [0, 11, 9, 9, 9]),
    "late": ({**RESTORED, "monitor": "val_accuracy", "start_from_epoch": 5}, [10, 8, 8, 8, 8]),
    "never looked at": ({"start_from_epoch": EPOCHS, "restore_best_weights": True}, [0] * 5),
}


def check(runs, member, callback, history, weights):
    """Compare a member with what Keras has found."""
    length, stopped = len(history["loss"]), callback.stopped_epoch
    assert runs.stopped_epoch[member] == (stopped + 1 if stopped else 0)
    assert len(runs.batches(member)) == length
    seen = callback.best is not None
    assert runs.best_epoch[member] == (callback.best_epoch + 1 if seen else 0)
    for name, values in history.items():
        if "accuracy" in name and runs.diverged[member]:
            continue  # of NaN, it is what one makes of it
        ours = runs.history[name][member]
        np.testing.assert_allclose(ours[:length], values, rtol=1e-6, err_msg=name)
        assert np.isnan(ours[length:]).all()
    for ours, theirs in zip(unstack(runs.weights, member), weights, strict=True):
        if not runs.diverged[member]:  # which are infinite and which NaN is the compilers' own
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


BOTH = ("restored", "accuracy")


@pytest.mark.parametrize("rule", marked(RULES, BOTH))
def test_each_member_stops_as_keras_stops_it(rule, float64):
    settings, expected = RULES[rule]
    runs = fit(early_stopping=Stopping(**settings))
    for member in range(5):
        check(runs, member, *keras_loop(runs, member, settings))
    assert runs.diverged.tolist() == [False] * 4 + [True]
    assert runs.stopped_epoch.tolist() == expected  # some rules stop some members and not others
    if rule == "restored":
        for member in (0, 2):
            check(runs, member, *keras_fit(runs, member, settings))


@pytest.fixture(scope="module")
def stopped():
    """Members of which some stop, recorded every second epoch."""
    rule = Stopping(**RESTORED)
    return fit(early_stopping=rule, record_every=2, snapshots=(0, 3, EPOCHS))


def test_what_follows_a_stop_is_nan_and_no_divergence(stopped):
    last = np.where(stopped.stopped_epoch, stopped.stopped_epoch, EPOCHS)
    after = stopped.epochs > last[:, None]
    assert after.any() and not stopped.diverged[:4].any() and stopped.diverged[4]
    for values in stopped.history.values():
        assert np.isnan(values[after]).all() and np.isfinite(values[:4][~after[:4]]).all()
    frame = stopped.to_frame()
    assert len(frame) == np.count_nonzero(~after)
    assert not frame[frame.member < 4].isna().any(axis=None)
    assert [len(stopped.batches(member)) for member in range(5)] == last.tolist()
    assert f"{np.count_nonzero(stopped.stopped_epoch)} stopped early" in repr(stopped)


def test_snapshots_are_of_the_training_and_weights_what_it_left(stopped):
    member = int(np.flatnonzero(stopped.stopped_epoch)[0])
    plain = fit(epochs=int(stopped.stopped_epoch[member]))
    left = fit(epochs=int(stopped.best_epoch[member]))
    pairs = ((stopped.snapshots[EPOCHS], plain.weights), (stopped.weights, left.weights))
    for a, b in ((a, b) for one, other in pairs for a, b in zip(one, other, strict=True)):
        np.testing.assert_allclose(a[member], b[member], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(stopped.weights_at(EPOCHS)[0], stopped.snapshots[EPOCHS][0])


def test_a_stop_is_saved_with_the_runs(stopped, tmp_path):
    stopped.save(tmp_path / "runs")
    loaded = Runs.load(tmp_path / "runs")
    for name in ("stopped_epoch", "best_epoch", "diverged"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(stopped, name))
    assert loaded.settings == stopped.settings
    assert loaded.settings["early_stopping"]["monitor"] == "val_loss"
    assert loaded.to_frame().equals(stopped.to_frame())


@pytest.mark.compiled
def test_neighbours_chunks_parts_and_what_is_recorded_change_no_bit(monkeypatch):
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 2)
    rule = Stopping(**RESTORED)
    monkeypatch.setattr(runtime, "part_length", lambda recipe, rows, width: 5)
    whole = fit(early_stopping=rule, snapshots=(3, 9))
    few = fit(early_stopping=rule, members=3, learning_rate=rates()[:3])
    monkeypatch.setattr(runtime, "part_length", lambda recipe, rows, width: 100)
    long = fit(early_stopping=rule, record_every=EPOCHS)
    for other, count in ((few, 3), (long, 5)):
        np.testing.assert_array_equal(other.stopped_epoch, whole.stopped_epoch[:count])
        np.testing.assert_array_equal(other.best_epoch, whole.best_epoch[:count])
        for a, b in zip(other.weights, whole.weights, strict=True):
            np.testing.assert_array_equal(a, b[:count])
    np.testing.assert_array_equal(few.history["val_loss"], whole.history["val_loss"][:3])


def test_the_callback_is_only_read_and_may_have_been_used():
    used = Stopping(monitor="loss", min_delta=0.02, patience=2)
    used.min_delta = -0.02  # as `fit` leaves it
    before = dict(vars(used))
    made = plan.make(net, DATA, members=2, epochs=3, early_stopping=used)
    assert vars(used) == before
    assert made.settings["early_stopping"] == {
        "monitor": "loss",
        "mode": "min",
        "min_delta": 0.02,
        "patience": 2,
        "baseline": None,
        "restore_best_weights": False,
        "start_from_epoch": 0,
    }


class Mine(Stopping):
    """A subclass, whose code is not honoured."""


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ("val_loss", TypeError, "`early_stopping` must be a keras.*Received.*'val_loss'"),
        (Stopping, TypeError, "`early_stopping` must be .* instance"),
        ([Stopping()], TypeError, "`early_stopping` must be"),
        (Mine(), ValueError, "`early_stopping`.*Received: early_stopping='Mine'"),
        (Stopping("val_mse"), ValueError, "`early_stopping.monitor`.*'val_accuracy'.*'val_mse'"),
        (Stopping(patience=1.5), TypeError, "`early_stopping.patience` must be an integer"),
        (Stopping(patience=-1), ValueError, "`early_stopping.patience` must be an integer"),
        (Stopping(min_delta=np.nan), ValueError, "`early_stopping.min_delta` must be a finite"),
        (Stopping(baseline="low"), TypeError, "`early_stopping.baseline` must be a finite"),
        (Stopping(start_from_epoch=-1), ValueError, "`early_stopping.start_from_epoch`"),
        (Stopping(restore_best_weights="yes"), TypeError, "`early_stopping.restore_best_weights`"),
    ],
)
def test_what_cannot_be_honoured_is_refused_before_any_training(given, kind, text, monkeypatch):
    monkeypatch.setattr(runtime, "run", lambda *_: pytest.fail("training started"))
    with pytest.raises(kind, match=text):
        fit(early_stopping=given)


def test_a_validation_monitor_needs_a_validation_set():
    with pytest.raises(ValueError, match=r"`early_stopping.monitor`.*validation examples"):
        fit(make("classification", (3,), 10, 3), early_stopping=Stopping())

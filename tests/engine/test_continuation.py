"""`Runs.resume`: a training in two calls is the training in one, bit for bit."""

import dataclasses

import numpy as np
import pytest
from making import make, marked

from helpers import models
from helpers._tensorflow import keras
from helpers.data import Dataset
from helpers.engine import api, plan, runtime
from helpers.engine.runs import Runs

OPT = keras.optimizers
LINE = make("regression", (3,), 10, 1, val=4)
LABELS = make("classification", (3,), 10, 3, val=4)
STACK = Dataset.stack([make("regression", (3,), 10, 1, seed=i, val=4) for i in range(5)])
FIRST, MORE = 4, 5  # epochs: neither a multiple of the parts of three, nor of record_every
DECAY = OPT.schedules.CosineDecay(0.1, 20)
MASK = [np.random.default_rng(0).integers(0, 2, (5, 3, 4)), None, None, None]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Train in chunks of two members, the last padded, and in calls of three epochs."""
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 2)
    monkeypatch.setattr(runtime, "part_length", lambda recipe, rows, width: 3)


def net(outputs=1, **options):
    return lambda: models.mlp((3,), outputs, (4,), **options)


def fit(epochs, model=None, dataset=LINE, **options):
    """Train five members."""
    given = {"members": 5, "batch_size": 4, "epochs": epochs}
    return api.fit_many(model or net(), dataset, **{**given, **options})


def everything(runs):
    """Return all arrays of runs, by name."""
    found = {name: getattr(runs, name) for name in ("epochs", "diverged")}
    found |= {name: getattr(runs, name) for name in ("stopped_epoch", "best_epoch")}
    lists = {"initial": runs.initial_weights, "weights": runs.weights, **runs.snapshots}
    found |= {(name, i): w for name, weights in lists.items() for i, w in enumerate(weights)}
    return found | runs.history


def assert_same(one, other):
    """All arrays of two runs agree bit for bit, and so do the settings."""
    a, b = everything(one), everything(other)
    assert list(a) == list(b) and one.settings == other.settings
    for name, values in a.items():
        assert values.dtype == b[name].dtype and values.tobytes() == b[name].tobytes(), name


CASES = {
    "adam, noise, schedule": {
        "model": net(dropout=0.3, batch_norm=True),
        "optimizer": OPT.Adam(DECAY),
        "learning_rate": 0.5,
        "record_every": 3,
    },
    "adamw, a stack, vary": {
        "model": net(l2=0.1),
        "dataset": STACK,
        "optimizer": OPT.AdamW(0.01, weight_decay=0.1),
        "vary": {"l2": np.linspace(0, 0.1, 5), "beta_1": np.linspace(0.5, 0.9, 5)},
        "shuffle": "shared",
    },
    "rmsprop, masks": {
        "optimizer": OPT.RMSprop(0.01, momentum=0.5, centered=True, weight_decay=0.01),
        "masks": MASK,
        "shuffle": False,
        "record_every": 2,
    },
    "nesterov, one diverges": {
        "optimizer": OPT.SGD(0.01, momentum=0.9, nesterov=True),
        "learning_rate": np.array([0.01, 0.02, 1e6, 0.02, 0.01]),
    },
    "sgd, full batch": {"optimizer": "sgd", "batch_size": 10, "record_every": 100},
    "early stopping": {
        "model": net(3, batch_norm=True),
        "dataset": LABELS,
        "learning_rate": np.array([0.0, 0.1, 0.5, 0.01, 0.001]),
        "early_stopping": keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        "record_every": 2,
    },
}


COMPILED = ("adam, noise, schedule", "early stopping")  # the others ask what is handed on


@pytest.mark.parametrize("name", marked(CASES, COMPILED, pytest.mark.compiled))
def test_two_calls_are_one_bit_for_bit(name, tmp_path):
    options = CASES[name]
    whole = fit(FIRST + MORE, snapshots=(0, 2, FIRST, 6), **options)
    first = fit(FIRST, snapshots=(0, 2), resumable=True, **options)
    before = {name: values.copy() for name, values in everything(first).items()}
    assert_same(fit(FIRST, snapshots=(0, 2), **options), first)  # what is kept changes nothing
    assert_same(first.resume(MORE, snapshots=(FIRST, 6)), whole)
    assert all(np.array_equal(v, before[k], equal_nan=True) for k, v in everything(first).items())

    # From files, in three steps, one of which is none.
    first.save(tmp_path / "runs")
    loaded = Runs.load(tmp_path / "runs")
    assert_same(loaded, first)
    data = options.get("dataset", LINE)
    second = loaded.resume(1, snapshots=[FIRST], dataset=data).resume(0)
    second.save(tmp_path / "runs")
    third = Runs.load(tmp_path / "runs").resume(MORE - 1, snapshots={6}, dataset=data)
    assert_same(third, whole)
    if "early_stopping" in options:  # some had stopped, some stop later
        assert 0 < np.count_nonzero(first.stopped_epoch) < 5 and whole.stopped_epoch.max() > FIRST
    if "learning_rate" in options and max(np.ravel(options["learning_rate"])) == 1e6:
        assert whole.diverged.tolist() == [False, False, True, False, False]


def test_a_double_precision_training_with_a_loss_of_ones_own_goes_on(float64, tmp_path):
    options = {"loss": lambda y, logits: keras.ops.mean((y - logits) ** 2, axis=-1)}
    first = fit(FIRST, resumable=True, **options)
    assert_same(first.resume(MORE), fit(FIRST + MORE, **options))
    first.save(tmp_path / "runs")
    with pytest.raises(ValueError, match="loss function"):
        Runs.load(tmp_path / "runs").resume(MORE, dataset=LINE)


@pytest.fixture
def first():
    return fit(FIRST, resumable=True, record_every=3)


def test_it_goes_on_from_what_was_trained_whatever_has_been_done_to_the_weights(first):
    for w in first.weights:
        w[...] = 0
    assert_same(first.resume(MORE), fit(FIRST + MORE, record_every=3))


def test_nothing_is_kept_unless_asked_for(tmp_path):
    runs = fit(FIRST)
    with pytest.raises(ValueError, match=r"fit_many\(\.\.\., resumable=True\)"):
        runs.resume(MORE)
    runs.save(tmp_path / "runs")
    with np.load(tmp_path / "runs" / "arrays.npz") as arrays:
        assert not [name for name in arrays if name.startswith("resume")]
    with pytest.raises(ValueError, match="resumable=True"):
        Runs.load(tmp_path / "runs").resume(MORE)


def test_what_is_kept_counts_as_memory(monkeypatch):
    needed = []
    monkeypatch.setattr(plan.memory, "limit", lambda: 1)
    for options in ({}, {"resumable": True}, {"resumable": True, "optimizer": "sgd"}):
        with pytest.raises(ValueError, match=r"`members`.* take ") as error:
            fit(FIRST, **options)
        text = str(error.value).split("take ")[1]
        needed.append(int(text.split(" bytes")[0].replace(",", "")))
    size = 4 * (3 * 4 + 4 + 4 + 1)  # bytes of the weights
    assert [n - needed[0] for n in needed] == [0, 3 * size, size]  # Adam's two moments


def other(name):
    """Return the data with one value changed."""
    values = getattr(LINE, name).copy()
    values.flat[-1] += 1
    return dataclasses.replace(LINE, **{name: values})


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda r: r.resume(-1), ValueError, "`epochs` must be an integer of at least 0"),
        (lambda r: r.resume(1.5), TypeError, "`epochs` must be an integer"),
        (lambda r: r.resume(1, snapshots=(3,)), ValueError, "`snapshots`.* from 4 to 5"),
        (lambda r: r.resume(1, snapshots=6), TypeError, "`snapshots` must be a sequence"),
        (lambda r: r.resume(1, dataset=LINE.x_train), TypeError, "`dataset` must be a helpers"),
        (lambda r: r.resume(1, dataset=LABELS), ValueError, "`model` must have|`dataset` must be"),
        (lambda r: r.resume(1, dataset=other("y_val")), ValueError, "`dataset` must be the data"),
        (lambda r: r.resume(1, dataset=other("x_train")), ValueError, "`dataset` must be the data"),
        (lambda r: r.resume(1, progress="yes"), TypeError, "`progress`"),
    ],
)
def test_resume_refuses(first, monkeypatch, call, kind, text):
    monkeypatch.setattr(runtime, "run", lambda *_: pytest.fail("training started"))
    with pytest.raises(kind, match=text):
        call(first)


def test_files_hold_no_data_and_data_that_have_changed_are_noticed(first, tmp_path):
    first.save(tmp_path / "runs")
    with pytest.raises(ValueError, match="`dataset` must be the data set"):
        Runs.load(tmp_path / "runs").resume(1)
    mine = dataclasses.replace(LINE, x_train=LINE.x_train.copy())
    runs = fit(1, dataset=mine, resumable=True)
    mine.x_train.flags.writeable = True
    mine.x_train[0] += 1
    with pytest.raises(ValueError, match="have been changed since"):
        runs.resume(1)

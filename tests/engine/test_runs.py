"""`Runs`: predictions, scores, tables, saving and loading."""

import json
import os

import numpy as np
import pytest
from making import make

from helpers import models
from helpers._tensorflow import keras
from helpers.engine import api
from helpers.engine.runs import Runs


@pytest.fixture(scope="module")
def trained():
    """Three little classifiers with snapshots and a varied learning rate."""
    data = make("classification", (3,), 12, 3, val=6)
    runs = api.fit_many(
        lambda: models.mlp((3,), 3, (4,), batch_norm=True, dropout=0.2),
        data,
        members=3,
        epochs=5,
        batch_size=5,
        snapshots=(0, 2),
        vary={"learning_rate": [0.01, 0.02, 0.03]},
    )
    return data, runs


def test_weights_at_picks_an_epoch_per_member(trained):
    _, runs = trained
    found = runs.weights_at([2, 0, 5])
    for k, weight in enumerate(found):
        expected = [runs.snapshots[2][k][0], runs.initial_weights[k][1], runs.weights[k][2]]
        np.testing.assert_array_equal(weight, np.stack(expected))
    np.testing.assert_array_equal(runs.weights_at(2)[0], runs.snapshots[2][0])
    with pytest.raises(ValueError, match="kept epochs"):
        runs.weights_at([2, 3, 5])
    with pytest.raises(ValueError, match="one for each of 3 members"):
        runs.weights_at([2, 5])


def test_model_predict_and_evaluate_agree_with_keras(trained):
    data, runs = trained
    for epoch in (None, 0, 2, 5):
        logits = runs.predict(data.x_val, epoch=epoch)
        scores = runs.evaluate(data.x_val, data.y_val, epoch=epoch)
        assert logits.shape == (3, 6, 3) and set(scores) == {"crossentropy", "accuracy"}
        model = runs.model(1, epoch=epoch)
        np.testing.assert_allclose(
            logits[1], model.predict(data.x_val, verbose=0), rtol=1e-4, atol=1e-6
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(loss=loss, metrics=["accuracy"])
        expected = model.evaluate(data.x_val, data.y_val, verbose=0)
        np.testing.assert_allclose(
            [scores["crossentropy"][1], scores["accuracy"][1]], expected, rtol=1e-5
        )
    np.testing.assert_allclose(
        scores["crossentropy"], runs.history["val_crossentropy"][:, -1], rtol=1e-5
    )


def test_evaluate_takes_examples_of_each_member(trained):
    data, runs = trained
    x, y = np.stack([data.x_val] * 3), np.stack([data.y_val] * 3)
    shared, own = runs.evaluate(data.x_val, data.y_val), runs.evaluate(x, y)
    for key in shared:
        np.testing.assert_allclose(shared[key], own[key], rtol=1e-6)


def test_save_and_load_keep_everything(trained, tmp_path):
    data, runs = trained
    runs.save(tmp_path / "runs")
    runs.save(tmp_path / "runs")  # earlier runs may be replaced
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["arrays.npz", "runs.json"]
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]  # nothing left aside
    loaded = Runs.load(tmp_path / "runs")
    assert loaded.settings == json.loads(json.dumps(runs.settings))
    assert loaded.snapshots.keys() == runs.snapshots.keys()
    for a, b in [(loaded.weights, runs.weights), (loaded.snapshots[2], runs.snapshots[2])]:
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert np.array_equal(loaded.predict(data.x_val), runs.predict(data.x_val))
    assert loaded.to_frame().equals(runs.to_frame())
    assert np.array_equal(np.concatenate(loaded.batches(2)[4]), np.concatenate(runs.batches(2)[4]))


def test_an_interrupted_save_leaves_the_earlier_runs(trained, tmp_path, monkeypatch):
    _, runs = trained
    runs.save(tmp_path / "runs")

    def broken(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(KeyboardInterrupt):
        runs.save(tmp_path / "runs")
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    assert Runs.load(tmp_path / "runs").members == 3


def test_a_save_that_fails_between_its_renames_puts_the_earlier_runs_back(
    trained, tmp_path, monkeypatch
):
    _, runs = trained
    runs.save(tmp_path / "runs")
    rename, calls = os.replace, []

    def second_fails(source, target):
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(KeyboardInterrupt):
        runs.save(tmp_path / "runs")
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    assert Runs.load(tmp_path / "runs").members == 3


def test_save_never_deletes_a_file_that_it_did_not_write(trained, tmp_path):
    _, runs = trained
    runs.save(tmp_path / "runs")
    (tmp_path / "runs" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="earlier runs only"):
        runs.save(tmp_path / "runs")
    assert (tmp_path / "runs" / "notes.txt").read_text(encoding="utf-8") == "mine"


def test_settings_tell_the_learning_rate_that_was_used(line):
    sgd = keras.optimizers.SGD(0.01, momentum=0.5, nesterov=True)
    runs = api.fit_many(
        lambda: models.mlp((1,), 1, (2,)),
        line,
        members=2,
        epochs=1,
        optimizer=sgd,
        learning_rate=0.5,
    )
    assert runs.settings["optimizer"] == {
        "name": "SGD",
        "learning_rate": 0.5,
        "momentum": 0.5,
        "nesterov": True,
        "centered": False,
    }


def test_load_and_save_refuse_what_is_not_runs(trained, tmp_path):
    _, runs = trained
    with pytest.raises(FileNotFoundError, match=r"holds no runs\.json"):
        Runs.load(tmp_path)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="folder of earlier runs"):
        runs.save(tmp_path)
    runs.save(tmp_path / "new")
    text = json.loads((tmp_path / "new" / "runs.json").read_text(encoding="utf-8"))
    (tmp_path / "new" / "runs.json").write_text(json.dumps(text | {"schema": 99}), encoding="utf-8")
    with pytest.raises(ValueError, match="schema 99"):
        Runs.load(tmp_path / "new")


def test_to_frame_is_tidy(trained):
    _, runs = trained
    frame = runs.to_frame()
    assert len(frame) == 15
    assert list(frame.columns[:3]) == ["member", "epoch", "learning_rate"]
    row = frame[(frame.member == 1) & (frame.epoch == 4)].iloc[0]
    assert row.val_loss == runs.history["val_loss"][1, 3] and row.learning_rate == 0.02


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda r, d: r.predict(d.x_val, epoch=3), r"kept epochs \[0, 2, 5\]"),
        (lambda r, d: r.predict(d.x_val[:, :2]), r"shape \(N, 3\)"),
        (lambda r, d: r.model(3), "from 0 to 2"),
        (lambda r, d: r.batches(-1), "from 0 to 2"),
        (lambda r, d: r.evaluate(d.x_val, d.y_val[:-1]), r"must have shape \(6,\)"),
        (lambda r, d: r.evaluate(d.x_val, d.y_val + 5), "labels outside"),
        (lambda r, d: r.evaluate(d.x_val[:0], d.y_val[:0]), "one example or more"),
    ],
)
def test_bad_arguments_are_refused(trained, call, match):
    data, runs = trained
    with pytest.raises(ValueError, match=match):
        call(runs, data)

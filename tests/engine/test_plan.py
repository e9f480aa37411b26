"""Plans: frozen, picklable, trained to the same bits elsewhere; limits, surroundings and the path without XLA."""

import dataclasses
import doctest
import inspect
import json
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from helpers import _tensorflow, models
from helpers._base import memory
from helpers._tensorflow import keras
from helpers.engine import api, plan, runs, runtime, train
from helpers.engine.recipe import Recipe
from helpers.engine.runs import collect

ROOT = pathlib.Path(__file__).parents[2]
SCHEDULE = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.05, 20), momentum=0.9)
CASES = {
    "plain": {},
    "schedule": {"optimizer": SCHEDULE},
    "varied": {"vary": {"dropout": np.linspace(0, 0.5, 7), "l2": np.linspace(0, 0.1, 7)}},
    "shared order": {"shuffle": "shared", "snapshots": (0, 2)},
    "early stopping": {"early_stopping": keras.callbacks.EarlyStopping("loss"), "resumable": True},
}


def build():
    return models.mlp((1,), 1, hidden=(4,), dropout=0.2, l2=0.01, batch_norm=True)


@pytest.mark.both
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_a_pickled_plan_trains_chunk_by_chunk_to_the_same_bits(line, monkeypatch, options):
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 3)
    options = {"members": 7, "epochs": 4, "batch_size": 5, **options}
    whole = api.fit_many(build, line, **options)
    copy = pickle.loads(pickle.dumps(plan.make(build, line, **options)))
    order = (2, 0, 1)  # any
    parts = dict(zip(order, (train.chunk(copy, index) for index in order), strict=True))
    found = collect(copy, [parts[index] for index in range(train.chunks(copy))])
    assert found.settings == whole.settings
    for a, b in zip(found.weights, whole.weights, strict=True):
        assert np.array_equal(a, b)
    for name, values in whole.history.items():
        assert np.array_equal(found.history[name], values, equal_nan=True)
    for epoch, weights in whole.snapshots.items():
        assert all(map(np.array_equal, found.snapshots[epoch], weights))


def test_a_plan_is_frozen_and_needs_all_its_members(line):
    made = plan.make(build, line, members=2, epochs=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.epochs = 2
    with pytest.raises(ValueError, match="2 members"):
        collect(made, [train.blank(made, 1)])


def test_make_takes_what_fit_many_takes():
    ours, theirs = (inspect.signature(f).parameters for f in (plan.make, api.fit_many))
    for_arrays = {"y", "validation_data", "validation_split"}  # made a data set before
    mine = [name for name in ours if name != "validation_weight"]  # the third of validation_data
    assert [*mine, "engine", "progress"] == [name for name in theirs if name not in for_arrays]
    assert all(ours[name].default == theirs[name].default for name in mine)


@pytest.mark.traced
def test_without_xla_a_member_equals_plain_keras(line):
    small = lambda: models.mlp((1,), 1, hidden=(4,), batch_norm=True)  # noqa: E731
    # Not Adam: before batch norm a bias has no gradient but rounding, which Adam would make large.
    options = {"epochs": 5, "batch_size": 5, "shuffle": False}
    runs = api.fit_many(small, line, members=3, optimizer="sgd", **options)
    attributes = next(iter(runtime._cache.values())).function_def.attr
    assert not attributes["_XlaMustCompile"].b  # it did run without
    model = Recipe(small).keras_model([w[1] for w in runs.initial_weights])
    model.compile("sgd", "mse")
    history = model.fit(
        line.x_train,
        line.y_train,
        **options,
        verbose=0,
        validation_data=(line.x_val, line.y_val),
    ).history
    for ours, theirs in zip(runs.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours[1], theirs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(runs.history["val_loss"][1], history["val_loss"], rtol=1e-4)
    predicted = runs.predict(line.x_val)[1]
    np.testing.assert_allclose(predicted, model.predict(line.x_val, verbose=0), rtol=1e-4)


V1 = "12:cpu,cpuacct:/a\n4:memory:/docker/abc\n"
GROUPS = {
    "none": ("", {}, None),
    "version 2": ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "9000"}, 9000),
    "version 2, the least": ("0::/a\n", {"a/memory.max": "7000", "memory.max": "8000"}, 7000),
    "version 2, in a container": ("0::/\n", {"memory.max": "6000"}, 6000),
    "version 1": (V1, {"memory/docker/abc/memory.limit_in_bytes": "5000"}, 5000),
    "version 1, in a container": (V1, {"memory/memory.limit_in_bytes": "4000"}, 4000),
    "version 1, no limit": (V1, {"memory/memory.limit_in_bytes": "9223372036854771712"}, None),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_memory_limit_of_a_control_group_counts(tmp_path, case):
    lines, files, limit = GROUPS[case]
    files = {f"sys/fs/cgroup/{name}": text + "\n" for name, text in files.items()}
    for name, text in (files | {"proc/self/cgroup": lines}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    whole = memory.psutil.virtual_memory().total
    assert memory.limit(tmp_path) == (limit or whole)
    assert memory.limit(tmp_path / "not Linux") == whole


def test_too_large_a_run_is_refused_by_the_limit(line, monkeypatch):
    monkeypatch.setattr(memory, "limit", lambda: 900)
    with pytest.raises(ValueError, match="`members`"):
        plan.make(build, line, members=10, epochs=1)


def process(code, **environment):
    """Run a program; return its status, output and errors."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, timeout=240
    )
    return done.returncode, done.stdout, done.stderr


def test_importing_says_nothing():
    assert process("import helpers._tensorflow; print('here')") == (0, "here\n", "")


@pytest.mark.parametrize(
    "name", ["XLA_FLAGS", pytest.param("TF_XLA_FLAGS", marks=pytest.mark.slow)]
)
def test_the_cause_of_a_death_at_import_is_shown(name):
    status, output, errors = process("import helpers._tensorflow", **{name: "--no_such_flag=1"})
    assert status and not output
    assert "no_such_flag" in errors and name in errors


SURROUNDED = """
import hashlib, json
from helpers._tensorflow import keras_defaults
otherwise = keras_defaults()
import numpy as np
from helpers import Dataset, fit_many, models
x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
line = Dataset(x_train=x, y_train=2 * x, task="regression", name="line")
runs = fit_many(lambda: models.mlp((1,), 1, (4,)), line, members=2, epochs=2)
found = hashlib.sha256(b"".join(w.tobytes() for w in runs.weights)).hexdigest()
print(json.dumps([found, runs.settings["dtype"], runs.settings["keras"], sorted(otherwise)]))
"""


CHANGED = """\
from helpers._tensorflow import keras
keras.config.set_floatx("float64"); keras.config.set_dtype_policy("float64")
keras.config.set_image_data_format("channels_first"); keras.config.set_epsilon(1e-5)
"""


def here(code, capsys):
    """Run a program in this process; return what it prints."""
    runtime.forget()  # traced under other settings
    exec(code, {})
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_what_somebody_set_in_keras_is_shut_out_or_recorded(tmp_path, capsys):
    theirs = {"floatx": "float64", "image_data_format": "channels_first", "epsilon": 1e-5}
    text = json.dumps({**theirs, "backend": "tensorflow"})
    (tmp_path / "keras.json").write_text(text, encoding="utf-8")
    left = SURROUNDED.replace("= keras_defaults()", "= []")
    by_file = json.loads(process(left, KERAS_HOME=str(tmp_path))[1])
    try:
        # In this process, whose Keras is as Keras comes.
        plain, by_call, left_as_it_is = (
            here(code, capsys) for code in (SURROUNDED, CHANGED + SURROUNDED, CHANGED + left)
        )
    finally:
        _tensorflow.keras_defaults()
    assert plain[1] == "float32" and plain[3] == []
    assert by_file[:3] == plain[:3] == by_call[:3]  # a keras.json counts nowhere
    assert by_call[3] == ["dtype_policy", "epsilon", "floatx", "image_data_format"]
    assert left_as_it_is[1] == "float64" and theirs.items() <= left_as_it_is[2].items()


@pytest.mark.parametrize("module", [api, runs, _tensorflow], ids=lambda module: module.__name__)
def test_examples_run(module):
    assert doctest.testmod(module).failed == 0

"""Chunks kept on disk: taken up bit for bit, and nothing damaged or foreign ever is."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from helpers import fit_many, models
from helpers._tensorflow import keras
from helpers.engine import draws, plan, recipe, resume, runtime, train


def network(**options):
    """Return a builder of a little regression network."""
    return lambda: models.mlp((1,), 1, **{"hidden": (4,), **options})


def fit(data, **options):
    """Train ten members in three chunks, the third of which is padded."""
    given = {"members": 10, "epochs": 4, "batch_size": 5, "snapshots": (0, 2), "record_every": 3}
    return fit_many(options.pop("model", network()), data, **{**given, **options})


def everything(runs):
    """Return all arrays of some runs."""
    snapshots = [w for weights in runs.snapshots.values() for w in weights]
    stops = [runs.diverged, runs.stopped_epoch, runs.best_epoch]
    return [*runs.history.values(), *stops, *runs.initial_weights, *runs.weights, *snapshots]


def same(one, other):
    """Whether all arrays of two runs agree bit for bit."""
    return all(
        a.tobytes() == b.tobytes() for a, b in zip(everything(one), everything(other), strict=True)
    )


def kept_files(folder):
    """Return the chunks kept in a folder, by number."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Keep chunks of four members in a new folder from the first second on."""
    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 4)
    monkeypatch.setattr(resume, "KEEP_AFTER", -1)
    monkeypatch.setattr(resume, "SPARE_BYTES", 0)
    monkeypatch.setenv(resume.VARIABLE, str(tmp_path / "chunks"))
    resume._earlier.cache_clear()
    yield tmp_path / "chunks"
    resume._earlier.cache_clear()


@pytest.fixture
def trained(monkeypatch):
    """List the numbers of the chunks that are trained."""
    found, chunk = [], train.chunk

    def listed(planned, index, **options):
        found.append(index)
        return chunk(planned, index, **options)

    monkeypatch.setattr(train, "chunk", listed)
    return found


def again(data, trained, **options):
    """Call `fit` as a new process would; return the runs and which chunks were trained."""
    resume._earlier.cache_clear()
    trained.clear()
    return fit(data, **options), sorted(trained)


def given(last=0.1):
    """Return initial weights in another memory order; ``last`` is the last bias of member 8."""
    shapes = ((1, 4), (4,), (4, 1), (1,))
    weights = [np.linspace(-1, 1, 10 * int(np.prod(shape))).reshape(10, *shape) for shape in shapes]
    weights[3][8] = last
    return [np.asfortranarray(w) for w in weights]


LAST_BUT_ONE = {"optimizer": "sgd", "learning_rate": [0.01] * 8 + [1e30, 0.01]}
CASES = {
    "plain": {},
    "batch norm, dropout, weights diverge": {
        "model": network(batch_norm=True, dropout=0.2),
        **LAST_BUT_ONE,
    },
    "given weights": {"initial_weights": given()},
    "only a loss diverges": {
        "initial_weights": given(1e25),
        **LAST_BUT_ONE,
        "learning_rate": [0.01] * 8 + [0, 0.01],
    },
    "no epochs": {"epochs": 0, "snapshots": (0,)},
    "some stop early, resumable": {
        "early_stopping": keras.callbacks.EarlyStopping("loss", restore_best_weights=True),
        "resumable": True,
    },
}


@pytest.mark.both
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_kept_chunks_are_taken_up_bit_for_bit(line, folder, trained, monkeypatch, options):
    first = fit(line, **options)
    assert sorted(trained) == [0, 1, 2] and len(kept_files(folder)) == 3
    kept_files(folder)[1].unlink()
    assert again(line, trained, **options)[1] == [1]
    resumed, computed = again(line, trained, **options)
    assert not computed and same(resumed, first)
    assert resumed.diverged.tolist() == [
        "optimizer" in options and member == 8 for member in range(10)
    ]
    monkeypatch.delenv(resume.VARIABLE)
    assert same(fit(line, **options), first)


def test_chunks_of_runs_that_were_resumed_are_taken_up(line, folder, trained, monkeypatch):
    first = fit(line, resumable=True)
    whole = first.resume(3, snapshots=(5,))
    kept = kept_files(folder)
    assert len(kept) == 6 and same(whole, fit(line, epochs=7, snapshots=(0, 2, 5)))
    resume._earlier.cache_clear()
    trained.clear()
    again = first.resume(3, snapshots=(5,))
    assert not trained and same(again, whole) and same(again.resume(2), whole.resume(2))
    earlier = first._continuation  # a state that differs by one bit
    earlier.state[0].view(np.uint32).flat[0] ^= 1
    trained.clear()
    first.resume(3, snapshots=(5,))
    assert sorted(trained) == [0, 1, 2]


def test_a_model_in_double_precision_is_taken_up(folder, trained, line, float64):
    first = fit(line)
    resumed, computed = again(line, trained)
    assert resumed.weights[0].dtype == np.float64 and not computed and same(resumed, first)


def test_nothing_is_kept_unless_asked_for(line, folder, monkeypatch):
    monkeypatch.setattr(resume, "KEEP_AFTER", 1000)
    fit(line)  # a call that was short
    monkeypatch.setattr(resume, "KEEP_AFTER", -1)
    monkeypatch.delenv(resume.VARIABLE)
    fit(line)
    assert not folder.exists()


def test_a_process_takes_up_what_earlier_ones_left_and_not_its_own(line, folder, trained):
    fit(line)
    fit(line)
    assert len(trained) == 6


@keras.saving.register_keras_serializable()
class Halved(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.01 / (1.0 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable()
def bent(x):
    return keras.ops.tanh(x)


@pytest.mark.parametrize(
    "options",
    [
        {"loss": lambda y, logits: keras.ops.mean((y - logits) ** 2, axis=-1)},
        {"model": network(activation=bent)},
        {"optimizer": keras.optimizers.SGD(Halved())},
    ],
    ids=["loss", "activation", "schedule"],
)
def test_code_of_the_callers_own_is_never_taken_up(line, folder, options):
    fit(line, **options)
    assert not folder.exists()


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE = {
    "a bit flipped": lambda path: path.write_bytes(flip(path.read_bytes())),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another chunk": lambda path: shutil.copy(path.with_name("00000"), path),
    "an npz": lambda path: np.savez(path.open("wb"), np.arange(5.0)),
    "a pickle": lambda path: np.savez(
        path.open("wb"), np.array([Malicious(path.parents[2] / "executed")], object)
    ),
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.filterwarnings("ignore:unclosed file")  # the test's own
def test_a_damaged_or_foreign_file_is_reported_and_replaced(
    line, folder, trained, tmp_path, monkeypatch, damage
):
    first = fit(line)
    path = kept_files(folder)[1]
    good = path.read_bytes()
    damage(path)
    monkeypatch.setattr(resume, "KEEP_AFTER", 1000)  # replaced however short the call
    with pytest.warns(
        RuntimeWarning, match=f"{path.name} is damaged or foreign: it is computed again"
    ) as said:
        resumed, computed = again(line, trained)
    assert computed == [1] and same(resumed, first) and len(said) == 1
    assert path.read_bytes() == good
    assert again(line, trained)[1] == []
    assert not (tmp_path / "executed").exists()


def test_a_file_of_another_call_is_foreign(line, folder, trained):
    fit(line, seed=1)
    other = kept_files(folder)[1]
    first = fit(line)
    (mine,) = {path for path in kept_files(folder) if path.name == other.name} - {other}
    shutil.copy(other, mine)
    with pytest.warns(RuntimeWarning, match="damaged or foreign"):
        resumed, computed = again(line, trained)
    assert computed == [1] and same(resumed, first)


@pytest.mark.parametrize("obstacle", ["a file in the way", "a full disk", "a folder in the way"])
def test_a_folder_that_cannot_be_written_to_is_reported_once_and_ends_nothing(
    line, folder, monkeypatch, obstacle
):
    first = fit(line)
    if obstacle == "a file in the way":
        shutil.rmtree(folder)
        folder.touch()
    elif obstacle == "a full disk":
        monkeypatch.setattr(resume, "SPARE_BYTES", 10**18)
    else:
        for path in kept_files(folder):
            path.unlink()
            path.mkdir()
    with pytest.warns(
        RuntimeWarning, match="cannot be kept in .*: the computation goes on without"
    ) as said:
        assert same(fit(line), first)
    assert len(said) == 1
    assert not list(folder.rglob("*.aside"))


def test_reports_are_left_to_the_runner_where_it_listens(line, folder, trained):
    fit(line)
    kept_files(folder)[1].write_bytes(b"")
    (folder / "messages.txt").touch()
    assert again(line, trained)[1] == [1]  # and no warning, which would be an error here
    assert "00001 is damaged" in (folder / "messages.txt").read_text(encoding="utf-8")


def test_an_unfinished_chunk_is_not_kept_and_a_loaded_one_counts_as_work(folder):
    chunk, done, stop = runtime.chunk(0, 4, 4), [], threading.Event()

    def call(result):
        def function(*_):
            return result

        blank = lambda chunk: [np.zeros((chunk.kept, 2))]  # noqa: E731
        kept = resume.resumable(function, blank, lambda: "what", 3)
        return kept(chunk, done.append, stop)

    assert call(None) is None and not folder.exists()
    call([np.full((4, 2), 7.0)])
    resume._earlier.cache_clear()
    (found,) = call(None)
    assert np.all(found == 7) and done == [12]


def name_of(data, model=None, **options):
    """Return the name under which chunks of a call are kept."""
    given = {"members": 3, "epochs": 4, "batch_size": 5, "snapshots": (2,)}
    made = plan.make(model or network(dropout=0.1), data, **{**given, **options})
    return resume.key(train._depends(made))


def changed(data, name):
    """Return a data set with the last bit of one array's last value changed."""
    values = getattr(data, name).copy()
    values.view(np.uint32)[-1] ^= 1
    return dataclasses.replace(data, **{name: values})


def test_the_name_changes_with_all_that_matters_and_with_nothing_else(line):
    weights = draws.draw(recipe.Recipe(network(dropout=0.1)), 3, 0)
    nudged = [w.copy() for w in weights]
    nudged[2].view(np.uint32)[1, 0, 0] ^= 1
    mask = [
        None,
        np.ones_like(weights[1]),
        None,
        None,
    ]  # of biases, which start at zero whatever it says
    thinned = [None, mask[1] * [[1, 1, 1, 0]], None, None]
    decay = keras.optimizers.schedules.ExponentialDecay
    names = [
        name_of(line),
        *(name_of(changed(line, part)) for part in ("x_train", "y_train", "x_val", "y_val")),
        name_of(dataclasses.replace(line, x_val=None, y_val=None)),
        name_of(line, initial_weights=nudged),
        *(name_of(line, masks=masks) for masks in (mask, thinned)),
        *(name_of(line, **{name: 2}) for name in ("members", "epochs", "batch_size", "seed", "record_every")),
        *(name_of(line, early_stopping=keras.callbacks.EarlyStopping(**rule)) for rule in (
            {}, {"monitor": "loss"}, {"mode": "max"}, {"min_delta": 0.1}, {"patience": 1}, {"baseline": 0},
            {"baseline": 1}, {"restore_best_weights": True}, {"start_from_epoch": 1})),
        name_of(line, resumable=True),
        *(name_of(line, shuffle=shuffle) for shuffle in ("shared", False)),
        *(name_of(line, snapshots=snapshots) for snapshots in ((), (1,), (0, 2))),
        *(name_of(line, loss=loss) for loss in ("mae", "huber")),
        name_of(line, learning_rate=0.002),
        *(name_of(line, vary={"learning_rate": [0.001, 0.001, last]}) for last in (0.002, 0.003)),
        name_of(line, vary={"dropout": [0.1, 0.1, 0.2]}),
        *(name_of(line, optimizer=optimizer) for optimizer in ("sgd", "rmsprop", "adamw")),
        name_of(line, optimizer=keras.optimizers.Adam(beta_1=0.8)),
        name_of(line, optimizer=keras.optimizers.Adam(epsilon=1e-6)),
        *(name_of(line, optimizer=keras.optimizers.SGD(0.01, 0.9, nesterov=nesterov)) for nesterov in (False, True)),
        *(name_of(line, optimizer=keras.optimizers.Adam(decay(0.01, 10, rate))) for rate in (0.5, 0.6)),
        *(name_of(line, model=network(**{"dropout": 0.1, **other}))
          for other in ({"dropout": 0.2}, {"activation": "tanh"}, {"l2": 0.1}, {"l2": 0.2}, {"batch_norm": True})),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert {
        name_of(line),  # a new model, whose layers have other names
        name_of(line, initial_weights=weights),
        name_of(line, optimizer=keras.optimizers.Adam()),
        name_of(line, learning_rate=0.001),
        name_of(dataclasses.replace(line, name="another", x_test=line.x_val, y_test=line.y_val)),
    } == {names[0]}


def test_the_name_changes_with_the_source_of_every_room(tmp_path):
    room = tmp_path / "engine"
    room.mkdir()
    sources = []
    for name, text in (("one", "A = 1\n"), ("one", "A = 2\n"), ("two", "A = 2\n")):
        (room / f"{name}.py").write_text(text, encoding="utf-8")
        sources.append(resume.sources(tmp_path))
    (room / "one.py").replace(tmp_path / "one.py")  # the same text in another place
    sources.append(resume.sources(tmp_path))
    assert len({resume.key(found) for found in sources}) == 4
    assert {"_tensorflow.py", "engine/resume.py", "_base/seeds.py"} <= set(resume._HERE[0])


@pytest.mark.parametrize(
    "name", ["TF_DETERMINISTIC_OPS", "XLA_FLAGS", "TF_XLA_FLAGS", "KERAS_HOME"]
)
def test_the_name_changes_with_the_environment(line, folder, trained, monkeypatch, name):
    monkeypatch.delenv(name, raising=False)
    first = fit(line)
    monkeypatch.setenv(name, "something else")
    assert again(line, trained)[1] == [0, 1, 2]
    monkeypatch.delenv(name)
    monkeypatch.setenv("TF_CPP_MIN_VLOG_LEVEL", "1")  # messages only
    resumed, computed = again(line, trained)
    assert not computed and same(resumed, first)


def test_the_name_tells_structures_apart():
    ones = np.ones(2, np.float32)
    alike = [
        ["a", "b"],
        ["ab"],
        [["a"], "b"],
        [["a", "b"]],
        "ab",
        {"a": "b"},
        {"b": "a"},
        1,
        1.0,
        True,
        "1",
        None,
    ]
    alike += [ones, ones.astype(np.float64), ones[None], [ones], ones.view(np.int32), []]
    assert len({resume.key(value) for value in alike}) == len(alike)
    with pytest.raises(TypeError, match="object has no stable bytes"):
        resume.key([object()])


ROOT = pathlib.Path(__file__).parents[2]
TRAINING = """
import hashlib, sys
import numpy as np
from helpers import Dataset, fit_many, models
from helpers.engine import resume, runtime, train
resume.KEEP_AFTER, resume.SPARE_BYTES = -1, 0
runtime.chunk_width = lambda recipe, rows: 2
chunk = train.chunk
def listed(plan, index, **options):
    print(index, file=sys.stderr, flush=True)
    return chunk(plan, index, **options)
train.chunk = listed
x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
data = Dataset(x_train=x, y_train=np.sin(5 * x), task="regression", name="wave")
build = lambda: models.mlp((1,), 1, hidden=(32, 32))
runs = fit_many(build, data, members=24, epochs=1500, snapshots=(500,))
arrays = (*runs.history.values(), *runs.weights, *runs.snapshots[500])
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


def start(folder, log):
    """Start the training in a process of its own; the numbers of the chunks that it trains go to a file."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment[resume.VARIABLE] = str(folder)
    command = [sys.executable, "-W", "ignore", "-c", TRAINING]
    with log.open("w", encoding="utf-8") as errors:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", env=environment
        )


def end(process, patience=240):
    """Return what a process prints; it is killed where it takes too long."""
    try:
        output, _ = process.communicate(timeout=patience)
    finally:
        process.kill()
        process.wait(60)
    assert process.returncode == 0
    return output


def uninterrupted(monkeypatch, capsys):
    """Return what the training prints in this process."""
    changed = (
        (resume, "KEEP_AFTER"),
        (resume, "SPARE_BYTES"),
        (runtime, "chunk_width"),
        (train, "chunk"),
    )
    for module, name in changed:  # back afterwards
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.delenv(resume.VARIABLE, raising=False)
    exec(TRAINING, {})
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.timeout(900)  # of four trainings
def test_a_killed_training_goes_on_from_its_chunks(tmp_path, monkeypatch, capsys):
    folder, log, kept = tmp_path / "chunks", tmp_path / "log", {}
    numbers = lambda paths: {int(path.name) for path in paths}  # noqa: E731
    whole = lambda: sorted(folder.rglob("[0-9]" * 5))  # noqa: E731
    for count in (2, 7):
        process, deadline = start(folder, log), time.monotonic() + 240
        while len(whole()) < count and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.communicate(timeout=60)
        found = {path: path.read_bytes() for path in whole()}
        assert count <= len(found) < 12 and found.items() >= kept.items()
        assert not numbers(kept) & set(map(int, log.read_text(encoding="utf-8").split()))
        kept = found
    damaged = min(kept)
    damaged.write_bytes(flip(kept.pop(damaged)))
    resumed = end(start(folder, log))
    assert sorted(map(int, log.read_text(encoding="utf-8").split())) == sorted(
        set(range(12)) - numbers(kept)
    )
    assert resumed == uninterrupted(monkeypatch, capsys)

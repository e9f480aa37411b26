"""Killed at any moment: no file is half written, the next run goes on, and nothing damaged or foreign is taken up."""

import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
import sys
import threading
import time

import nbformat
import numpy as np
import psutil
import pytest
from test_runner import CLAIMS, TOOL, add_notebook, run

from helpers import fit_many, models
from helpers._base import files
from helpers._tensorflow import keras
from helpers.engine import plan, resume, runtime

sys.path.insert(0, str(TOOL.parent))
import notebook_files
import run_notebooks

sys.path.pop(0)


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
    return [*runs.history.values(), runs.diverged, *runs.initial_weights, *runs.weights, *snapshots]


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
    found, train = [], plan.Job.train

    def listed(job, index, advance, stop):
        found.append(index)
        train(job, index, advance, stop)

    monkeypatch.setattr(plan.Job, "train", listed)
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
}


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
    assert "00001 is damaged" in (folder / "messages.txt").read_text()


def test_an_unfinished_chunk_is_not_kept_and_a_loaded_one_counts_as_work(folder):
    array, done, stop = np.zeros((4, 2)), [], threading.Event()

    def call():
        return resume.resumable(lambda *_: array.fill(7), lambda index: [array], lambda: "what", 3)

    stop.set()
    call()(0, done.append, stop)
    assert not folder.exists()
    call()(0, done.append, threading.Event())
    array.fill(0)
    resume._earlier.cache_clear()
    call()(0, done.append, stop)
    assert np.all(array == 7) and done == [12]


def name_of(
    data, model=None, initial_weights=None, masks=None, snapshots=(2,), record_every=1, **options
):
    """Return the name under which chunks of a call are kept."""
    given = {
        "count": 3, "epochs": 4, "batch_size": 5, "shuffle": "member", "optimizer": "adam", "learning_rate": None,
        "loss": "auto", "vary": None, "seed": 0,
    }  # fmt: skip
    job = plan.Job(model or network(dropout=0.1), data, **{**given, **options})
    job.start(initial_weights, masks)
    job.keep(snapshots, record_every)
    return resume.key(job._depends())


def changed(data, name):
    """Return a data set with the last bit of one array's last value changed."""
    values = getattr(data, name).copy()
    values.view(np.uint32)[-1] ^= 1
    return dataclasses.replace(data, **{name: values})


def test_the_name_changes_with_all_that_matters_and_with_nothing_else(line):
    weights = plan.members.draw(plan.members.Recipe(network(dropout=0.1)), 3, 0)
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
        *(name_of(line, **{name: 2}) for name in ("count", "epochs", "batch_size", "seed", "record_every")),
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


def test_the_name_changes_with_the_source_and_the_structure(tmp_path):
    (tmp_path / "engine.py").write_text("WIDTH = 1\n")
    environments = [resume._HERE, resume._environment(tmp_path)]
    (tmp_path / "engine.py").write_text("WIDTH = 2\n")
    environments.append(resume._environment(tmp_path))
    assert len({resume.key(found) for found in environments}) == 3
    assert {"engine.py", "runtime.py", "_resume.py"} <= set(resume._HERE[0])
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


WORK = """\
import time
with open("../log", "a") as log:
    print("NAME", file=log)
time.sleep(0.3)"""


ENDLESS = """\
import pathlib, time
pathlib.Path("../asleep").touch()
time.sleep(3600)"""


def tree(root, **notebooks):
    """Make a copy of what `make notebooks` needs, with little notebooks."""
    (root / "tools").mkdir(parents=True)
    for path in (TOOL, TOOL.with_name("notebook_files.py"), TOOL.parent.parent / "Makefile"):
        shutil.copy(path, root / path.relative_to(TOOL.parent.parent))
    (root / "tools" / "make_env.sh").write_text("exit 0\n")  # this environment is there already
    for name, cells in notebooks.items():
        add_notebook(root, f"01_{name}", *(cell.replace("NAME", f"01_{name}") for cell in cells))


def make(root):
    """Start `make notebooks`."""
    command = ["make", "notebooks", f"VENV={sys.prefix}"]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(process, who="all"):
    """Kill `make` alone, the runner alone, or both; return them and all that they had started, once that has ended."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    for victim in {"make": family[:1], "runner": family[1:2], "all": family[:2]}[who]:
        victim.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while [one for one in family if lives(one)] and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = [one for one in family if lives(one)]
    assert not alive, "a runner or a kernel lives on and would write into the next run's folders"
    return family


def lives(process):
    """Whether a process still does anything."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def content(root):
    """Return {name: bytes} of all that a run places."""
    placed = [*(root / "notebooks").glob("*"), *(root / "results").rglob("*")]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in placed if path.is_file()
    }


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@needs_make
@pytest.mark.parametrize("who", ["make", "runner"])
def test_whoever_is_killed_the_kernel_ends_too(tmp_path, who):
    tree(tmp_path, endless=[ENDLESS])
    process = make(tmp_path)
    while not (tmp_path / "asleep").exists() and process.poll() is None:
        time.sleep(0.02)
    assert len(kill(process, who)) == 3


@needs_make
@pytest.mark.slow
def test_make_notebooks_survives_being_killed_at_random_moments(tmp_path):
    three = dict.fromkeys(("first", "second", "third"), (WORK, CLAIMS))
    tree(tmp_path / "calm", **three)
    started = time.monotonic()
    assert make(tmp_path / "calm").wait() == 0
    duration, final = time.monotonic() - started, content(tmp_path / "calm")
    assert len(final) == 6

    root, moments = tmp_path / "killed", random.Random(1)
    tree(root, **three)
    initial, log, stamps = content(root), root / "log", root / "build" / "stamps" / "full-0"
    executed = lambda: log.read_text().split() if log.exists() else []  # noqa: E731
    before = {}
    for who in ("runner", "make", "all", "make", "runner"):
        process = make(root)
        try:
            process.wait(duration * moments.uniform(0.1, 0.7))
        except subprocess.TimeoutExpired:
            kill(process, who)
        for name, found in content(root).items():
            if not name.endswith(".aside"):
                assert found in (initial.get(name), final[name]), f"{name} is neither old nor new"
                json.loads(found)
        finished = {path.stem: executed().count(path.stem) for path in stamps.glob("*.json")}
        assert all(
            executed().count(name) == count for name, count in before.items() if name in finished
        )
        before = finished
    assert make(root).wait() == 0
    assert all(executed().count(name) == count for name, count in before.items())
    assert content(root) == final
    left = {
        path.relative_to(root / "build").parts[0]
        for path in (root / "build").rglob("*")
        if path.is_file()
    }
    assert left <= {"ipython", "locks"}


def test_what_a_killed_run_can_leave_is_put_right(tmp_path):
    path = add_notebook(tmp_path, "01_first", CLAIMS.replace("NAME", "01_first"))
    before = path.read_bytes()
    assert run(tmp_path).returncode == 0
    final, build, place = content(tmp_path), tmp_path / "build", pathlib.Path("full-0")
    path.write_bytes(before)  # its claims were placed, the notebook itself was not
    asides = [
        tmp_path / "notebooks" / ".01_first.ipynb.1.aside",
        tmp_path / "results" / "claims" / ".a.json.2.aside",
    ]
    asides += [tmp_path / ".README.md.3.aside", build / "stamps" / place / ".01_first.json.4.aside"]
    staged = [
        build / "staging" / place / "01_first" / name
        for name in ("claims/01_first.json", "01_first.ipynb")
    ]
    chunks = [
        build / "chunks" / place / "01_first" / code / "key" / "00000" for code in ("old", "older")
    ]
    stamp = build / "stamps" / place / "01_first.json"
    for left in (*asides, *staged, *chunks, stamp):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"{")
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "01_first.json is damaged: 01_first counts as not finished" in result.stdout
    assert content(tmp_path) == final
    assert not [left for left in (*asides, *staged, *chunks, stamp) if left.exists()]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b'{"seconds": 1',
        b"[]",
        b"\xff\xfe",
        b'{"seconds": "1", "peak": 0, "claims": {}, "stamp": {}}',
    ],
)
def test_a_damaged_stamp_counts_as_not_finished(tmp_path, capsys, damaged):
    plan = notebook_files.Plan(tmp_path, "full", 0, None)
    path = add_notebook(tmp_path, "01_first")
    notebook_files.write(plan.stamps / "01_first.json", damaged)
    assert run_notebooks.finished_before(path, plan) is None
    assert "01_first.json is damaged: 01_first counts as not finished" in capsys.readouterr().out
    row = {
        "seconds": 1.0,
        "peak": 0,
        "claims": {},
        "stamp": run_notebooks.stamp_of("01_first", plan.key(path), plan),
    }
    notebook_files.write(plan.stamps / "01_first.json", json.dumps(row).encode())
    assert run_notebooks.finished_before(path, plan)["status"] == "done before"
    notebook_files.write(plan.targets("01_first")[1], b"{}")  # claims that this run did not write
    assert run_notebooks.finished_before(path, plan) is None


def test_parts_that_other_code_has_kept_are_removed_when_a_notebook_starts(tmp_path):
    path = add_notebook(tmp_path, "01_first")
    plan = notebook_files.Plan(tmp_path, "full", 0, None)
    mine = run_notebooks.chunks_of(path, plan)
    (mine / "part").touch()
    assert run_notebooks.chunks_of(path, plan) == mine and (mine / "part").exists()
    (tmp_path / "requirements.txt").touch()
    assert run_notebooks.chunks_of(path, plan) != mine and not mine.exists()


@pytest.mark.parametrize(
    ("write", "old", "new"), [(notebook_files.write, b"o", b"n"), (files.write, "o", "n")]
)
def test_a_file_is_written_aside_and_renamed(tmp_path, monkeypatch, write, old, new):
    path, seen = tmp_path / "file", []
    write(path, old)

    def cut_off(aside, target):
        seen.append(pathlib.Path(aside))
        assert target == path and path.read_text() == "o" and seen[0].read_text() == "n"
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write(path, new)
    assert path.read_text() == "o" and seen[0].match(
        ".*.aside"
    )  # the name that `sweep` and git know


def test_only_one_run_at_a_time_uses_the_folders(tmp_path):
    def hold():
        with notebook_files.alone(tmp_path / "lock", patience=0.2):
            return True

    with (
        notebook_files.alone(tmp_path / "lock"),
        pytest.raises(SystemExit, match="Another run .* is going on"),
    ):
        hold()
    assert hold()


SMALL_CHUNKS = """\
from helpers.engine import plan, resume, runtime
resume.KEEP_AFTER, resume.SPARE_BYTES = -1, 0
runtime.chunk_width = lambda recipe, rows: 2
train = plan.Job.train
def listed(job, index, advance, stop):
    with open("../log", "a") as log:
        print(index, file=log)
    train(job, index, advance, stop)
plan.Job.train = listed"""
FIT = """\
import hashlib
import numpy as np
from helpers import Dataset, fit_many, models
x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
data = Dataset(x_train=x, y_train=np.sin(5 * x), task="regression", name="wave")
runs = fit_many(lambda: models.mlp((1,), 1, hidden=(32, 32)), data, members=24, epochs=1500, snapshots=(500,))
arrays = (*runs.history.values(), *runs.weights, *runs.snapshots[500])
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())"""


@pytest.mark.slow
def test_a_killed_training_goes_on_from_its_chunks(tmp_path, monkeypatch, capsys):
    path = add_notebook(tmp_path, "01_fit", SMALL_CHUNKS, FIT)
    root, moments = tmp_path, random.Random(2)
    chunks = lambda: sorted((root / "build" / "chunks").rglob("[0-9]" * 5))  # noqa: E731
    numbers = lambda paths: {int(path.name) for path in paths}  # noqa: E731
    trained = lambda: [int(line) for line in (root / "log").read_text().split()]  # noqa: E731
    kept, start = {}, 0
    for count in (2, 7):
        command = [sys.executable, TOOL, "--root", root]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(chunks()) < count and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.2))
        kill(process)
        found = {chunk: chunk.read_bytes() for chunk in chunks()}
        assert count <= len(found) < 12 and found.items() >= kept.items()
        assert not numbers(kept) & set(trained()[start:])
        kept, start = found, len(trained())
    damaged = min(kept)
    damaged.write_bytes(flip(kept.pop(damaged)))
    result = run(root)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{damaged.name} is damaged or foreign: it is computed again" in result.stdout
    assert sorted(trained()[start:]) == sorted(set(range(12)) - numbers(kept))
    assert not (root / "build" / "chunks" / "full-0" / "01_fit").exists()

    monkeypatch.setattr(runtime, "chunk_width", lambda recipe, rows: 2)
    exec(FIT, {})  # without interruption, in this process
    (output,) = nbformat.read(path, as_version=4).cells[-2].outputs
    assert (output.name, output.text) == ("stdout", capsys.readouterr().out)

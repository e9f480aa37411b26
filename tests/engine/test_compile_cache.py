"""Compiled programs on disk: the same bits in a new process, and nothing damaged, foreign or of the caller's own."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers._tensorflow import tf
from helpers.engine import compiled, resume

# Processes have deadlines of their own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
# Trains little networks of several widths, each with a cache of its own, and predicts; prints of each what came out and
# how many programs were traced.
CHILD = """
import hashlib, json, os, sys
import numpy as np
from helpers import Dataset, fit_many, models
from helpers.engine import compiled, runtime
traced, made = compiled._traced, []
compiled._traced = lambda *args: made.append(args) or traced(*args)
x = np.linspace(-1, 1, 12, dtype=np.float32)[:, None]
line = Dataset(x_train=x, y_train=x**2, task="regression", name="line")
found = []
for folder, width, loss in json.loads(sys.argv[1]):
    os.environ["GENERALIZE_CACHE"] = folder
    made.clear()
    runtime.forget()
    runs = fit_many(
        models.mlp((1,), 1, hidden=(width,)), line,
        members=3, epochs=3, batch_size=12, loss=eval(loss), progress=False,
    )
    parts = [*runs.weights, runs.history["loss"], runs.predict(x)]
    found.append([hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), len(made)])
print(json.dumps(found))
"""
OWN = "lambda y, logits: abs(y - logits)[..., 0]"


def fit(*jobs, **variables):
    """Train (folder, width, loss) in a new process; return the digest and the number of traced programs of each."""
    # The last, which `make test` sets: Keras opens files without naming an encoding, an error here.
    dropped = ("TF_XLA_FLAGS", compiled.PROGRAMS, "PYTHONWARNDEFAULTENCODING")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    texts = json.dumps([(str(folder), width, loss) for folder, width, loss in jobs])
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, texts],
        env={**kept, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=600,
    )
    assert found.returncode == 0, found.stderr
    return [tuple(one) for one in json.loads(found.stdout)]


def files(folder):
    """Return the content of all files by path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def broken(first, second):
    """Cut one file off, and change one bit of the machine code in the other."""
    content = bytearray(second.read_bytes())
    content[-len(content) // 3] ^= 1
    second.write_bytes(content)
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])


def exchanged(first, second):
    """Have one file hold another program, whole, and leave the other empty."""
    first.write_bytes(second.read_bytes())
    second.write_bytes(b"")


def refused(*paths):
    """Put machine code into files that is none, under digests that are right."""
    for path in paths:
        kept = compiled._load(path)
        body = pickle.dumps(tuple(kept._replace(code=dict.fromkeys(kept.code, b"no program"))))
        path.write_bytes(resume.digest(path, [body]) + body)


HARM = {"whole": None, "broken": broken, "exchanged": exchanged, "refused": refused}


class Session(NamedTuple):
    """What one process found: the files before it, what it trained, the files after it, each by case."""

    before: dict
    found: dict
    after: dict


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """Return what three processes find, one after the other: after the first one files are harmed."""
    home = tmp_path_factory.mktemp("programs")
    folders = {name: home / name for name in HARM}
    # Each with a network of its own: TensorFlow remembers what a process has compiled before.
    jobs = [(folder, 4 + place, '"auto"') for place, folder in enumerate(folders.values())]
    (home / "a file").write_text("no folder can be made here", encoding="utf-8")
    more = [(home / "own", 8, OWN), (home / "a file", 4, '"auto"')]
    sessions = []
    for number in range(3):
        before = {name: files(folder) for name, folder in folders.items()}
        found = fit(*jobs, *more) if number == 1 else fit(*jobs)
        found = dict(zip([*folders, "own", "a file"], found, strict=False))
        after = {name: files(folder) for name, folder in folders.items()}
        sessions.append(Session(before, found, after))
        for name, harm in HARM.items():
            if harm and number == 0:
                harm(*after[name])
    return home, sessions


def test_a_second_process_takes_all_programs_from_disk_bit_for_bit(sessions):
    _, (first, second, third) = sessions
    digest, traced = first.found["whole"]
    assert traced == len(first.after["whole"]) == 2  # training and prediction
    assert second.found["whole"] == third.found["whole"] == (digest, 0)
    assert third.after["whole"] == first.after["whole"]


def test_without_the_cache_the_bits_are_the_same(sessions, tmp_path):
    _, (first, second, _) = sessions
    assert second.found["a file"] == first.found["whole"]
    job = (tmp_path / "off", 4, '"auto"')
    assert fit(job, **{compiled.PROGRAMS: "off"}) == [first.found["whole"]]
    assert not files(tmp_path)


@pytest.mark.parametrize("case", ["broken", "exchanged"])
def test_damaged_and_foreign_files_are_compiled_anew_and_replaced(sessions, case):
    _, (first, second, third) = sessions
    digest, traced = first.found[case]
    assert traced == 2 and second.before[case] != first.after[case]
    assert second.found[case] == (digest, traced)
    assert third.found[case] == (digest, 0)


def test_what_tensorflow_refuses_is_traced_anew(sessions):
    _, (first, second, _) = sessions
    assert second.before["refused"] != first.after["refused"]
    assert second.found["refused"] == first.found["refused"]


def test_code_of_the_callers_own_is_never_kept(sessions):
    home, (_, second, _) = sessions
    assert second.found["own"][1] == 2 and len(files(home / "own")) == 1  # only the prediction


def test_a_folder_of_the_users_own_stays_theirs(tmp_path):
    own = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path / 'own'}"}
    fit((tmp_path / "ours", 4, '"auto"'), **own)
    assert files(tmp_path / "own") and not files(tmp_path / "ours")


def test_other_flags_of_xla_have_programs_of_their_own(tmp_path, monkeypatch):
    specs = [tf.TensorSpec((2,), tf.float32)]
    monkeypatch.setattr(compiled, "SCRATCH", tmp_path)
    found = {compiled._path(("a",), specs), compiled._path(("b",), specs)}
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    found.add(compiled._path(("a",), specs))
    found.add(compiled._path(("a", lambda y: y), specs))
    assert len({path and path.parent for path in found}) == 3  # two machines, and none for own code
    assert len(found) == 4


def test_files_unused_for_longest_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "MOST_BYTES", 25)
    for age in range(4):
        path = tmp_path / f"machine {age % 2}" / f"program {age}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(10))
        os.utime(path, (1e9 - age, 1e9 - age))
    compiled._prune(tmp_path)
    assert sorted(path.name for path in files(tmp_path)) == ["program 0", "program 1"]

"""Compiled programs on disk: the same bits in a new process, and nothing damaged, foreign or of the caller's own."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from helpers._tensorflow import tf
from helpers.engine import compiled, resume

ROOT = Path(__file__).resolve().parents[2]
# Trains two little networks, predicts, and prints what came out and how many programs were traced.
CHILD = """
import hashlib, sys
import numpy as np
from helpers import Dataset, fit_many, models
from helpers.engine import compiled
traced, made = compiled._traced, []
compiled._traced = lambda *args: made.append(args) or traced(*args)
x = np.linspace(-1, 1, 12, dtype=np.float32)[:, None]
line = Dataset(x_train=x, y_train=x**2, task="regression", name="line")
loss = eval(sys.argv[1])
runs = fit_many(
    models.mlp((1,), 1, hidden=(4,), batch_norm=True), line,
    members=3, epochs=3, batch_size=5, loss=loss, progress=False,
)
parts = [*runs.weights, runs.history["loss"], runs.predict(x)]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), len(made))
"""


def fit(folder, loss='"auto"', **variables):
    """Train in a new process; return the digest of the results and how many programs it traced."""
    # The last, which `make test` sets: Keras opens files without naming an encoding, an error here.
    dropped = ("TF_XLA_FLAGS", compiled.PROGRAMS, "PYTHONWARNDEFAULTENCODING")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, loss],
        env={**kept, "GENERALIZE_CACHE": str(folder), "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    digest, traced = found.stdout.split()
    return digest, int(traced)


def files(folder):
    """Return the content of all files by path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """Return a folder with programs and what the process that made them found."""
    folder = tmp_path_factory.mktemp("programs")
    return folder, fit(folder)


def test_a_second_process_takes_all_programs_from_disk_bit_for_bit(warm):
    folder, (digest, traced) = warm
    before = files(folder)
    assert traced == len(before) == 2  # training and prediction
    assert fit(folder) == (digest, 0)
    assert files(folder) == before


def test_without_the_cache_the_bits_are_the_same(warm, tmp_path):
    _, (digest, traced) = warm
    assert fit(tmp_path / "off", **{compiled.PROGRAMS: "off"}) == (digest, traced)
    assert not files(tmp_path)
    (tmp_path / "file").write_text("no folder can be made here", encoding="utf-8")
    assert fit(tmp_path / "file") == (digest, traced)


def test_damaged_and_foreign_files_are_compiled_anew_and_replaced(warm):
    folder, (digest, traced) = warm
    before = files(folder)
    one, other = before
    one.write_bytes(before[one][: len(before[one]) // 2])
    content = bytearray(before[other])
    content[-len(content) // 3] ^= 1  # one bit, of the machine code
    other.write_bytes(content)
    assert fit(folder) == (digest, traced)
    one.write_bytes(other.read_bytes())  # whole, but of another program
    other.write_bytes(b"")
    assert fit(folder) == (digest, traced)
    assert fit(folder) == (digest, 0)


def test_code_of_the_callers_own_is_never_kept(tmp_path):
    own = "lambda y, logits: abs(y - logits)[..., 0]"
    first, traced = fit(tmp_path, own)
    assert len(files(tmp_path)) == traced - 1  # only the prediction
    second, _ = fit(tmp_path, own.replace("abs(y - logits)", "((y - logits) ** 2)"))
    assert first != second


def test_a_folder_of_the_users_own_stays_theirs(tmp_path):
    own = {"TF_XLA_FLAGS": f"--tf_xla_persistent_cache_directory={tmp_path / 'own'}"}
    fit(tmp_path / "ours", **own)
    assert files(tmp_path / "own") and not files(tmp_path / "ours")


def test_what_tensorflow_refuses_is_traced_anew(warm):
    folder, (digest, traced) = warm
    for path in files(folder):  # the digests are right, the machine code is none
        kept = compiled._load(path)
        body = pickle.dumps(tuple(kept._replace(code=dict.fromkeys(kept.code, b"no program"))))
        path.write_bytes(resume.digest(path, [body]) + body)
    assert fit(folder) == (digest, traced)


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

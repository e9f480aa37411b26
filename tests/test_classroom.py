"""The class pool: one replicate a student, written, read, and left out where it does not belong."""

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers import PROJECT, classroom
from helpers._base import handed_in
from helpers.claims import registry, replicates
from helpers.experiments import run
from helpers.experiments.store import Place

KNOWN = registry.load()
ID = "ours/large-rate-is-better"
QUANTITY = classroom.question(KNOWN.claims[ID])


@pytest.fixture
def quick(monkeypatch):
    """Have replicates trained by the quick recipe: who hands in waits for one full replicate instead."""
    full = run.compute
    small = lambda experiment, known, place, n: full(  # noqa: E731
        experiment, known, dataclasses.replace(place, profile="quick"), n
    )
    monkeypatch.setattr(run, "compute", small)


def written(folder, seed, value, **changed):
    """Write a file as a student would have it, and return its path."""
    content = {
        "course": PROJECT,
        "format": classroom.FORMAT,
        "claim": ID,
        "registration": KNOWN.registration(QUANTITY.experiment),
        "seed": seed,
        "value": value,
        "versions": {},
    } | changed
    content["digest"] = handed_in.digest(content)
    path = folder / f"student {seed}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_what_is_handed_in_is_the_first_row_under_ones_own_seed(quick, tmp_path):
    path, value, agrees = classroom.hand_in(ID, 11, tmp_path, KNOWN)
    experiment = KNOWN.experiments[QUANTITY.experiment]
    arrays = run.compute(experiment, KNOWN, Place("full", 11), 1)
    (expected,) = replicates.effects(KNOWN.claims[ID], QUANTITY, arrays)
    assert value == expected and agrees == (expected >= QUANTITY.region.at_least)
    (pool,), left_out = classroom.collect([path], KNOWN)
    assert pool.values.tolist() == [value] and not left_out and not pool.left_out
    assert classroom.hand_in(ID, 11, tmp_path, KNOWN)[1] == value
    assert classroom.hand_in(ID, 12, tmp_path, KNOWN)[1] != value


def test_the_class_stands_beside_the_stored_replicates(tmp_path):
    values = [-1.0, 0.5, 1.0, 3.0]
    files = [written(tmp_path, seed, value) for seed, value in enumerate(values, 1)]
    (pool,), _ = classroom.collect(files, KNOWN)
    assert pool.values.tolist() == values and pool.agree.tolist() == [False, False, True, True]
    _, entry = run.obtain(QUANTITY.experiment, KNOWN)
    assert len(pool.stored) == entry.n == len(pool.stored_agree)
    assert pool.word == "supported" and pool.wrong == 2
    assert "2 of 4 would have written the wrong sentence" in classroom.told(pool)
    drawn = classroom.figure(pool, KNOWN)
    assert sum(bar.get_height() for bar in drawn.axes[0].patches) == 4
    assert sum(bar.get_height() for bar in drawn.axes[1].patches) == len(pool.stored)
    plt.close(drawn)


@pytest.mark.parametrize(
    ("word", "wrong"),
    [("supported", 1), ("contradicted", 2), ("open", None), ("weaker than stated", None)],
)
def test_who_is_wrong_follows_from_the_verdict(word, wrong):
    agree = np.array([True, True, False])
    pool = classroom.Pool("a/b", np.arange(3.0), np.arange(3.0), agree, agree, word, 0, ())
    assert pool.wrong == wrong


def test_damaged_doubled_and_foreign_files_are_named_and_left_out(tmp_path):
    (tmp_path / "twice").mkdir()
    good, twice = written(tmp_path, 1, 2.0), written(tmp_path / "twice", 1, 2.0)
    changed = written(tmp_path, 2, 2.0)
    changed.write_text(changed.read_text(encoding="utf-8").replace("2.0", "9.0"), encoding="utf-8")
    cut = tmp_path / "cut.json"
    cut.write_bytes(good.read_bytes()[:40])
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}', encoding="utf-8")
    older = written(tmp_path, 3, 2.0, registration="0" * 64)
    unknown = written(tmp_path, 4, 2.0, claim="a/b")
    unlike = written(tmp_path, 5, 2.0, format=0)
    no_estimate = next(id for id, claim in KNOWN.claims.items() if claim.kind == "existence")
    other_kind = written(tmp_path, 6, 2.0, claim=no_estimate)
    odd = written(tmp_path, 7, 2.0, claim=["a"])
    absent = tmp_path / "absent.json"
    given = [good, twice, changed, cut, other, older, unknown, unlike, other_kind, odd, absent]
    (pool,), left_out = classroom.collect(given, KNOWN)
    assert pool.values.tolist() == [2.0]
    assert len(pool.left_out) == 1 and "doubled: seed 1" in pool.left_out[0][1]
    reasons = dict(left_out)
    assert "changed after it was written" in reasons[str(changed)]
    assert "damaged" in reasons[str(cut)] and "damaged" in reasons[str(absent)]
    assert "not written by hand_in" in reasons[str(other)]
    assert "registered otherwise" in reasons[str(older)]
    assert "'a/b'" in reasons[str(unknown)] and "another version" in reasons[str(unlike)]
    assert no_estimate in reasons[str(other_kind)] and "foreign" in reasons[str(odd)]
    assert len(left_out) == 9


def test_a_replicate_that_the_experiment_leaves_out_is_counted_apart(tmp_path):
    files = [written(tmp_path, 1, None), written(tmp_path, 2, 4.0)]
    (pool,), _ = classroom.collect(files, KNOWN)
    assert pool.not_counted == 1 and pool.values.tolist() == [4.0]
    assert "1 more do not count" in classroom.told(pool)


@pytest.mark.parametrize(
    ("id", "seed", "says"),
    [("no/claim", 1, "registered claim"), (ID, 0, "number of your own"), (ID, 1.5, "seed")],
)
def test_what_cannot_be_handed_in_is_refused_before_it_trains(id, seed, says, tmp_path):
    with pytest.raises((ValueError, TypeError), match=says):
        classroom.hand_in(id, seed, tmp_path, KNOWN)
    assert not list(tmp_path.iterdir())


def test_no_file_is_an_error():
    with pytest.raises(ValueError, match="No file was handed in"):
        classroom.collect([], KNOWN)


def test_the_command_writes_a_picture_and_names_what_it_left_out(tmp_path, capsys):
    written(tmp_path, 1, 2.0)
    (tmp_path / "cut.json").write_text("{", encoding="utf-8")
    assert classroom.main([str(tmp_path / "*.json"), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "ours_large-rate-is-better.png").stat().st_size > 1000
    assert "left out" in capsys.readouterr().out
    assert classroom.main([str(tmp_path / "cut.json")]) == 1

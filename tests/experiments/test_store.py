"""The store: equal arrays make equal files, foreign ones are never read, damage is seen."""

import ast
import dataclasses

import numpy as np
import pytest

from helpers._base import paths
from helpers.claims import registry
from helpers.experiments import run, store
from helpers.experiments.store import Entry, Place

ARRAYS = {
    "gap": np.linspace(0, 1, 7, dtype=np.float32),
    "fits": np.arange(7) % 2 == 0,
    "constants": {"epochs": np.array([1, 2], np.int32)},
}


def entry(arrays=ARRAYS, **changes):
    """Return an index entry as `run` makes it."""
    found = Entry(
        "registered", "code", store.digest(arrays), 7, 1.5, "a processor", store.versions()
    )
    return dataclasses.replace(found, **changes)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Keep the stores of a test in a folder of its own."""
    (tmp_path / "claims").mkdir()
    monkeypatch.setattr(paths, "checkout", lambda: tmp_path)
    return Place()


def same(one, other):
    """Whether two results hold the same arrays."""
    one, other = store.flat(one), store.flat(other)
    return list(one) == list(other) and all(
        np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype
        for name in one
    )


def test_what_is_kept_comes_back_bit_for_bit(place):
    assert store.put("world/name", ARRAYS, entry(), place)
    assert same(store.read("world/name", "registered", place), ARRAYS)
    assert place.file("world/name").relative_to(paths.checkout()).as_posix() == (
        "results/replicates/world/name.npz"
    )


def test_equal_arrays_make_equal_bytes_and_are_written_once(place):
    assert store.to_bytes(ARRAYS) == store.to_bytes(dict(reversed(ARRAYS.items())))
    store.put("world/name", ARRAYS, entry(), place)
    before = place.file("world/name").stat().st_mtime_ns
    assert not store.put("world/name", ARRAYS, entry(seconds=9.0), place)
    assert place.file("world/name").stat().st_mtime_ns == before
    assert store.index(place)["world/name"].seconds == 9.0


def test_one_other_bit_is_another_file(place):
    changed = ARRAYS | {"gap": np.nextafter(ARRAYS["gap"], np.float32(2))}
    assert store.digest(changed) != store.digest(ARRAYS)
    store.put("world/name", ARRAYS, entry(), place)
    assert store.put("world/name", changed, entry(changed), place)


@pytest.mark.parametrize(
    ("registration", "code", "wanted"),
    [
        ("registered", "code", "current"),
        ("registered", "other code", "unconfirmed"),
        ("registered", None, "current"),
        ("another", "code", "foreign"),
    ],
)
def test_the_state_of_a_file(place, registration, code, wanted):
    assert store.state("world/name", registration, code, place) == "missing"
    store.put("world/name", ARRAYS, entry(), place)
    assert store.state("world/name", registration, code, place) == wanted


def test_a_file_made_under_other_versions_is_unconfirmed_and_read(place):
    store.put("world/name", ARRAYS, entry(versions={"numpy": "1.0"}), place)
    assert store.state("world/name", "registered", "code", place) == "unconfirmed"
    assert same(store.read("world/name", "registered", place), ARRAYS)


def test_a_file_of_another_registration_is_never_read(place):
    store.put("world/name", ARRAYS, entry(), place)
    assert store.read("world/name", "another", place) is None


def test_stores_of_other_profiles_seeds_and_scales_lie_apart(place):
    folders = {
        Place(*key).folder for key in (("full", 0), ("quick", 0), ("full", 1), ("full", 0, 0.5))
    }
    assert len(folders) == 4
    store.put("world/name", ARRAYS, entry(), Place("full", 1))
    assert store.read("world/name", "registered", place) is None


@pytest.mark.parametrize("harm", [b"", b"not an archive"])
def test_a_damaged_file_is_named_with_a_remedy(place, harm):
    store.put("world/name", ARRAYS, entry(), place)
    place.file("world/name").write_bytes(harm)
    with pytest.raises(ValueError, match=r"name\.npz.*git checkout"):
        store.read("world/name", "registered", place)


def test_a_file_with_a_number_changed_is_refused(place):
    store.put("world/name", ARRAYS, entry(), place)
    changed = ARRAYS | {"gap": ARRAYS["gap"] + np.float32(0.5)}
    place.file("world/name").write_bytes(store.to_bytes(changed))
    with pytest.raises(ValueError, match="is not the one that index.json describes"):
        store.read("world/name", "registered", place)


def test_a_committed_file_that_is_too_large_is_refused_before_it_is_written(place):
    large = {"noise": np.random.default_rng(0).random((400, 400))}
    with pytest.raises(ValueError, match="400,000"):
        store.put("world/name", large, entry(large), place)
    assert not place.file("world/name").exists()
    assert store.put("world/name", large, entry(large), Place("full", 5))


def test_docstrings_and_comments_do_not_change_the_code_key_and_code_does(tmp_path, monkeypatch):
    def key(text):
        (tmp_path / "world.py").write_text(text, encoding="utf-8")
        return store.code_key("helpers.world")

    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    plain = key("def f(x):\n    return x + 1\n")
    assert key('"""Says."""\ndef f(x):\n    """Do."""\n    return x + 1  # one\n') == plain
    assert key("def f(x):\n    return x + 2\n") != plain
    refusing = "def f(x):\n    if x < 0:\n        raise ValueError({!r})\n    return x\n"
    assert key(refusing.format("negative")) == key(refusing.format("below 0"))
    warning = "import warnings\n\ndef f(x):\n    warnings.warn({!r})\n    return x\n"
    assert key(warning.format("slow")) == key(warning.format("very slow"))


def test_the_code_key_reaches_the_engine_and_no_figures():
    found = store._closure("helpers.experiments.noisy_line")
    assert {"helpers.engine.program", "helpers.data._toys", "helpers.models"} <= set(found)
    assert not [name for name in found if name.endswith("_figures") or "general" in name]


@pytest.mark.parametrize(
    "world", sorted({run.module_of(e) for e in registry.load().experiments.values()})
)
def test_the_code_key_leaves_out_what_judges_stores_and_sends(world):
    found = set(store._closure(world))
    assert world in found
    assert not [name for name in found if name.startswith("helpers.claims")]
    assert not found & {
        "helpers.experiments",
        "helpers.experiments.store",
        "helpers.engine.cluster",
    }


def test_worlds_never_import_figures():
    for path in (paths.PACKAGE / "experiments").glob("*.py"):
        if not path.stem.endswith("_figures"):
            assert "_figures" not in ast.dump(ast.parse(path.read_text(encoding="utf-8"))), (
                path.name
            )

"""The record of every registration that was trained: append-only."""

import dataclasses

import pytest

from helpers.claims import draws
from helpers.claims.draws import Draw


def draw(**changes):
    one = Draw("2026-01-01", "world/longer", "abc", "", "def", "a/b: supported")
    return dataclasses.replace(one, **changes)


def test_draws_are_appended_and_nothing_else_changes(tmp_path):
    path = tmp_path / "results" / "registrations.csv"
    assert draws.count("world/longer", path) == 0
    assert draws.register(path, draw())
    before = path.read_bytes()
    assert not draws.register(path, draw(date="2026-01-02"))
    assert path.read_bytes() == before
    assert draws.register(path, draw(experiment="world/second"))
    assert draws.register(path, draw(hash="other", changed='recipe.epochs was [1, "x, y"]'))
    told = path.read_bytes()
    again = draw(hash="other", changed='recipe.epochs was [1, "x, y"]', date="2026-01-03")
    assert not draws.register(path, again)  # by a run that was killed before it could do the rest
    assert path.read_bytes() == told
    assert draws.register(path, draw(hash="other", arrays="again"))
    assert path.read_bytes().startswith(before)
    assert draws.count("world/longer", path) == 3
    assert draws.lines(path)[2].changed == 'recipe.epochs was [1, "x, y"]'
    assert path.read_text(encoding="utf-8").splitlines()[0] == ",".join(draws.COLUMNS)


def test_a_date_is_a_text(tmp_path):
    with pytest.raises(TypeError, match="date"):
        draws.register(tmp_path / "x.csv", draw(date=20260101))

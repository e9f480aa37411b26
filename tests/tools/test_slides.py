"""The figures of a lesson for slides: each one that the lesson shows, in vectors, and the lesson stays as it is."""

import nbformat
import pytest

from tools import notebooks, slides, surroundings


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_lesson_gives_each_of_its_figures_and_is_not_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(surroundings.ROOT))  # the kernel's package is this one
    lesson = notebooks.lessons(surroundings.ROOT)[0]
    before = lesson.read_bytes()
    (tmp_path / "00").mkdir()
    (tmp_path / "00" / "09.svg").write_text("of an earlier run", encoding="utf-8")
    found = slides.write(lesson, tmp_path / "00", "quick")
    cells = nbformat.reads(before.decode("utf-8"), as_version=4).cells
    shown = [
        o for cell in cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert [path.name for path in found] == [f"{k:02}.svg" for k in range(1, len(shown) + 1)]
    assert (tmp_path / "00" / "figures.md").read_text(encoding="utf-8").count(".svg)") == len(found)
    assert lesson.read_bytes() == before

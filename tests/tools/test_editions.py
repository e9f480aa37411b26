"""The editions for a class: what students must not get, that both say the same, and that a lesson runs unpacked."""

import inspect
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import nbformat
import pytest

from helpers import assignments
from tools import answers, editions, notebooks, surroundings

ROOT = surroundings.ROOT
STEMS = [path.stem for path in notebooks.lessons(ROOT)]
PLANS = sorted((ROOT / "docs" / "teaching").glob("[0-9][0-9].md"))
each_lesson = pytest.mark.parametrize("stem", STEMS)


@pytest.fixture(scope="module")
def student():
    return editions.student(STEMS)


@pytest.fixture(scope="module")
def instructor():
    return editions.instructor(STEMS)


def cells(files, stem):
    return nbformat.reads(files[f"notebooks/{stem}.ipynb"].decode("utf-8"), as_version=4).cells


def solutions(stem):
    path = ROOT / "notebooks" / "solutions" / f"{stem}.ipynb"
    found = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in found if "solution" in cell.metadata.get("tags", [])]


def texts(files):
    """Return whatever students can read: pages, programs, and the sources of cells."""
    found = {
        place: content.decode("utf-8")
        for place, content in files.items()
        if place.endswith((".md", ".py"))
    }
    sources = {stem: "\n".join(cell.source for cell in cells(files, stem)) for stem in STEMS}
    return found | sources


def test_no_solution_and_no_plan_is_among_the_students_files(student):
    assert not [place for place in student if "solutions" in place or "teaching" in place]
    every = texts(student)
    for stem in STEMS:
        for solution in solutions(stem):
            assert not [place for place, text in every.items() if solution in text]
    assert not [
        place for place, text in every.items() if 'class="answers"' in text or "## Answers" in text
    ]


def test_assignments_are_in_both_editions_their_answers_and_rubrics_in_one(student, instructor):
    for number in assignments.SHEETS:
        place = f"notebooks/assignments/{number}.ipynb"
        assert student[place] == instructor[place]
        assert f"docs/teaching/assignments/{number}.md" in instructor
    assert set(editions.FOR_INSTRUCTORS) <= instructor.keys() - student.keys()
    every = "\n".join(texts(student).values())
    for function in (
        answers.series,
        answers.derived,
        answers.mistakes,
        answers._of_line,
        answers._basins,
    ):
        body = inspect.getsource(function).split('"""')[-1].strip()
        assert body in (ROOT / "tools" / "answers.py").read_text(encoding="utf-8")
        assert body not in every


@each_lesson
def test_students_get_starters_and_no_outputs_and_no_way_to_what_they_lack(student, stem):
    found = cells(student, stem)
    assert not [cell for cell in found if cell.get("outputs") or cell.get("execution_count")]
    assert any("exercise" in cell.metadata.get("tags", []) for cell in found)
    prose = "\n".join(cell.source for cell in found if cell.cell_type == "markdown")
    assert not re.findall(r"\]\([^)]*(?:teaching|solutions)[^)]*\)", prose)


@pytest.mark.parametrize("edition", ["student", "instructor"])
def test_links_between_the_files_of_an_edition_hold(request, edition):
    files = request.getfixturevalue(edition)
    pages = {
        place: content.decode("utf-8") for place, content in files.items() if place.endswith(".md")
    }
    for stem in STEMS:
        prose = (cell.source for cell in cells(files, stem) if cell.cell_type == "markdown")
        pages[f"notebooks/{stem}.ipynb"] = "\n".join(prose)
    places = {
        *files,
        *(str(parent) for place in files for parent in pathlib.PurePosixPath(place).parents),
    }
    broken = []
    for place, text in pages.items():
        for _, link in editions.LINK.findall(re.sub(r"`[^`]*`", "", text)):
            target = os.path.normpath(os.path.join(os.path.dirname(place), link.partition("#")[0]))
            if not link.startswith(("http", "#")) and target not in places:
                broken.append((place, link))
    assert not broken


@each_lesson
def test_the_instructors_lesson_is_the_students_with_the_plan_in_front(student, instructor, stem):
    plan, *rest = cells(instructor, stem)
    assert plan.metadata.tags == ["plan"] and "A plan for" in plan.source
    mine = cells(student, stem)
    assert [cell.id for cell in rest] == [cell.id for cell in mine]
    assert [c.source for c in rest if c.cell_type == "code"] == [
        c.source for c in mine if c.cell_type == "code"
    ]
    assert any(cell.get("outputs") for cell in rest)
    place = f"notebooks/solutions/{stem}.ipynb"
    assert instructor[place] == (ROOT / place).read_bytes()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_minutes_of_a_plan_add_up(path):
    text = path.read_text(encoding="utf-8")
    (length,) = re.findall(r"^## A plan for (\d+) minutes", text, re.MULTILINE)
    plan = re.split(r"^## ", text.split("## A plan for", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    minutes = [int(found) for found in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)]
    assert minutes and sum(minutes) == int(length)
    assert f"Together: {length} minutes" in plan


def test_every_lesson_has_a_worksheet_without_answers_but_with_something_to_write(student):
    for path in PLANS:
        sheet = student[f"worksheets/{path.stem}.md"].decode("utf-8")
        assert "____" in sheet and "Answers" not in sheet and "<!--" not in sheet


def test_a_lesson_that_is_dropped_is_named_but_not_linked():
    kept = [stem for stem in STEMS if not stem.startswith("01")]
    files = editions.student(kept)
    assert "notebooks/01_overfitting.ipynb" not in files and "worksheets/01.md" not in files
    assert "docs/teaching/01.md" not in editions.instructor(kept)
    pages = [content.decode("utf-8") for place, content in files.items() if place.endswith(".md")]
    prose = ["".join(cell.source for cell in cells(files, stem)) for stem in kept]
    assert not [text for text in (*pages, *prose) if "01_overfitting.ipynb)" in text]


def test_make_offers_only_what_an_edition_can_do(student, instructor):
    offered = {
        edition: set(re.findall(r"^([a-z]+):", files["Makefile"].decode("utf-8"), re.MULTILINE))
        for edition, files in (("student", student), ("instructor", instructor))
    }
    teaching = {"grade", "slides"}
    absent = teaching | {"editions", "test", "slow", "bench", "site", "prose", "verify", "wheel"}
    assert {"help", "env", "lab", "notebooks", "experiments", "class"} <= offered["student"]
    assert not offered["student"] & absent
    assert offered["instructor"] == offered["student"] | teaching
    for files in (student, instructor):
        told = files["Makefile"].decode("utf-8")
        (phony,) = re.findall(r"^\.PHONY: (.*)", told, re.MULTILINE)
        assert set(phony.split()) == set(re.findall(r"^([a-z]+):", told, re.MULTILINE))


def test_equal_files_make_equal_zips(tmp_path):
    files = {"b.sh": b"x", "a.md": b"y"}
    for name in ("one", "two"):
        editions.pack(tmp_path / name / "course.zip", files)
    one, two = ((tmp_path / name / "course.zip").read_bytes() for name in ("one", "two"))
    assert one == two
    with zipfile.ZipFile(tmp_path / "one" / "course.zip") as archive:
        assert archive.namelist() == ["course/a.md", "course/b.sh"]
        assert archive.getinfo("course/b.sh").external_attr >> 16 == 0o755


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.timeout(600)
def test_a_students_lesson_runs_from_the_unpacked_zip_with_its_own_package(tmp_path, student):
    editions.pack(tmp_path / "student.zip", student)
    with zipfile.ZipFile(tmp_path / "student.zip") as archive:
        archive.extractall(tmp_path)
    root = tmp_path / "student"
    environment = os.environ | {"PYTHONPATH": str(root)}
    ours = subprocess.run(
        [sys.executable, "-c", "import helpers; print(helpers.__file__)"],
        cwd=root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert pathlib.Path(ours.stdout.strip()).is_relative_to(root), ours.stderr
    status = editions.run(tmp_path / "student.zip", "quick", ["01"])
    assert status == 0

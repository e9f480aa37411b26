"""Lessons keep to their budgets and their shape; solutions are the source of the exercises."""

import re

import nbformat
import pytest

from helpers.claims import verdict
from tools import notebooks, prose, surroundings

ROOT = surroundings.ROOT
LESSONS = notebooks.lessons(ROOT)
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@each_lesson
def test_a_lesson_keeps_to_its_budgets(path):
    found, allowed = prose.counts(prose.read(path)), prose.budgets(path)
    over = {name: f"{n} of {allowed[name]}" for name, n in found.items() if n > allowed[name]}
    assert not over


def test_a_short_lesson_gets_its_share_of_each_budget_but_not_of_a_cell():
    full, half = (prose.budgets(ROOT / f"{name}.ipynb") for name in ("01_any", *prose.SHARES))
    assert full == prose.BUDGETS
    assert {name for name in full if half[name] == full[name] / 2} == full.keys() - {
        *prose.PER_CELL
    }


@each_lesson
def test_never_more_than_two_code_cells_without_a_sentence_between(path):
    run = longest = 0
    for cell in prose.read(path).cells:
        visible = cell.cell_type == "code" and not prose.folded(cell)
        run = run + 1 if visible else run if cell.cell_type == "code" else 0
        longest = max(longest, run)
    assert longest <= 2


@each_lesson
def test_cells_that_only_set_up_or_report_are_folded_in_both_ways(path):
    for cell in prose.read(path).cells:
        hidden = "hide-input" in cell.metadata.get("tags", [])
        assert cell.cell_type != "code" or hidden == prose.folded(cell), cell.source


@each_lesson
def test_little_code_stands_before_the_first_figure(path):
    before = 0
    for cell in prose.read(path).cells:
        if cell.cell_type == "code":
            if any("image/png" in output.get("data", {}) for output in cell.outputs):
                break
            before += 0 if prose.folded(cell) else prose.lines(cell.source)
    assert before <= 10


FIT = re.compile(r"\.fit\(\s*[\w.]*x_train\b[^)]*\)", re.DOTALL)  # on arrays


@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: path.stem)
def test_a_run_of_ones_own_shuffles_anew_in_each_epoch(path):
    """After `keras.utils.set_random_seed`, `fit` on arrays takes the same batches in the same order in every epoch."""
    code = "\n".join(c.source for c in prose.read(path).cells if c.cell_type == "code")
    if "set_random_seed" in code:
        assert all("shuffle=False" in call for call in FIT.findall(code) if "epochs" in call)


@each_lesson
def test_a_lesson_has_ten_questions_with_folded_answers_a_short_one_five(path):
    wanted, word = {1.0: (10, "Ten"), 0.5: (5, "Five")}[prose.share(path)]
    found = [text for text in prose.read(path).prose if text.startswith(f"## {word} questions")]
    assert len(found) == 1, f"one Markdown cell must begin with '## {word} questions'"
    (quiz,) = found
    assert quiz.count("<details>") == quiz.count("</details>") == wanted


def test_lesson_zero_shows_a_ruler_for_each_verdict():
    found = prose.read(ROOT / "notebooks" / "00_why_fifty_runs.ipynb").outputs
    cards = [output.data.get("text/html", "") for output in found if "data" in output]
    shown = [card for card in cards if 'class="claim"' in card and "A post" in card]
    assert len(shown) == len(verdict.WORDS)
    for word, card in zip(verdict.WORDS, shown, strict=True):
        assert f" {word}</b>" in card


@each_lesson
def test_each_lesson_has_its_solutions_and_its_page_for_teachers(path):
    assert path.stem in {solution.stem for solution in SOLUTIONS}, "write notebooks/solutions/ too"
    page = ROOT / "docs" / "teaching" / f"{path.stem[:2]}.md"
    assert page.is_file(), f"write {page.relative_to(ROOT)} too"


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_starters_in_the_place_of_solutions_give_the_exercises_of_the_lesson(path):
    wanted = []
    for cell in from_exercises(path):
        solved = "solution" in cell.metadata.get("tags", [])
        starter = cell.metadata.get("starter")
        assert not solved or starter, "a solution's metadata hold the lesson's cell as `starter`"
        assert not solved or starter != cell.source
        wanted.append(starter if solved else cell.source)
    asked = [cell.source for cell in from_exercises(ROOT / "notebooks" / path.name)]
    assert asked[: len(wanted)] == wanted


def from_exercises(path):
    """Return the cells of a notebook from the one on that begins with "## Exercises"."""
    cells = nbformat.read(path, as_version=4).cells
    starts = [i for i, cell in enumerate(cells) if cell.source.startswith("## Exercises")]
    assert starts, f"no Markdown cell of {path.name} begins with '## Exercises'"
    return cells[starts[0] :]

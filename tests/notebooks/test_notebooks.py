"""The committed notebooks: executed, tidy, small, described, and running from end to end in the quick profile."""

import pathlib
import re

import nbformat
import pytest

from tools import metadata, notebooks

ROOT = pathlib.Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LESSONS = notebooks.lessons(ROOT)
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path):
    """Return the notebook and its code cells."""
    notebook = nbformat.read(path, as_version=4)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(path):
    """Return all outputs of the notebook's cells."""
    return [output for cell in read(path)[1] for output in cell.outputs]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def test_no_two_notebooks_have_one_number():
    numbers = [path.name[:2] for path in PATHS]
    assert numbers and len(set(numbers)) == len(numbers) and PATHS == LESSONS


@each_notebook
def test_it_is_valid_and_uses_the_kernel_of_the_environment(path):
    notebook, _ = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


@each_notebook
def test_one_cell_holds_the_parameters_of_the_full_profile(path):
    found = [cell for cell in read(path)[1] if "parameters" in tags(cell)]
    assert len(found) == 1
    values = {}
    exec(found[0].source, values)
    assert (values["PROFILE"], values["SEED"]) == ("full", 0)


@each_notebook
def test_it_is_committed_as_the_runner_left_it(path):
    assert not metadata.untidy(path)


@each_notebook
def test_no_cell_failed_or_wrote_to_stderr(path):
    kinds = [(output.output_type, output.get("name")) for output in outputs(path)]
    assert not [kind for kind in kinds if kind[0] == "error" or kind[1] == "stderr"]


@each_notebook
def test_no_output_names_a_path_of_the_machine(path):
    text = "\n".join(
        str(value)
        for output in outputs(path)
        for value in (output.get("text", ""), *output.get("data", {}).values())
    )
    text = re.sub(r"[A-Za-z0-9+/=\n]{200,}", "", text)  # encoded pictures
    assert not re.findall(r"(?<![\w.])/(?:work|home|root|tmp|Users)(?:/\S*|\b)", text)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_code_cells_are_short(path):
    long = {cell.id: len(cell.source.splitlines()) for cell in read(path)[1]}
    assert not {cell: lines for cell, lines in long.items() if lines > 25}


@each_notebook
def test_it_starts_under_its_own_name_behind_the_guard(path):
    code = "\n".join(cell.source for cell in read(path)[1])
    assert f'notebook.start("{path.stem}", PROFILE, SEED)' in code
    assert 'assert hasattr(helpers, "PROJECT")' in code


@each_notebook
def test_every_marked_number_is_filled_in(path):
    text = "\n".join(c.source for c in read(path)[0].cells if c.cell_type == "markdown")
    assert "?<!--" not in text, "run `make experiments` again: it fills them in"


@each_notebook
def test_the_file_is_small(path):
    assert path.stat().st_size < 2_000_000


@each_notebook
def test_some_outputs_are_compared_by_nbval(path):
    checked = [cell for cell in read(path)[1] if "nbval-check-output" in tags(cell)]
    assert checked, "tag the cell of the closing table: nbval-check-output"
    assert not [cell.id for cell in checked if not cell.outputs]


@each_notebook
def test_every_image_has_a_text_for_those_who_cannot_see_it(path):
    bare = []
    for number, output in enumerate(outputs(path)):
        data = output.get("data", {})
        image = [kind for kind in data if kind.startswith("image/")]
        html = re.findall(r"<img\b[^>]*>", data.get("text/html", ""))
        if (image and not html) or [tag for tag in html if not re.search(r"\balt=([\"'])\S", tag)]:
            bare.append(number)
    assert not bare


def solved(path):
    """Return a lesson with its solutions in the place of its exercises."""
    lesson = nbformat.read(path, as_version=4)
    cells = nbformat.read(path.parent / "solutions" / path.name, as_version=4).cells
    first = next(i for i, cell in enumerate(lesson.cells) if "exercise" in tags(cell))
    lesson.cells = lesson.cells[:first] + [cell for cell in cells if "solution" in tags(cell)]
    return lesson


@pytest.mark.notebook
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # papermill's own; what a kernel says stands in the outputs
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_it_runs_from_end_to_end_in_the_quick_profile(
    path, tmp_path, monkeypatch, uncompiled_kernels
):
    # One lesson trains its experiment as well; `-m slow` trains one of each function.
    if not path.name.startswith("00_"):
        monkeypatch.setenv("GENERALIZE_STORE", "only")
    monkeypatch.setenv("GENERALIZE_OUT", str(tmp_path))
    results = {file: file.read_bytes() for file in (ROOT / "results").rglob("*.*")}
    given, done = tmp_path / path.name, tmp_path / "done" / path.name
    nbformat.write(solved(path), given)
    notebooks.execute(given, done, tmp_path / "unfinished", "quick", 0)
    assert {file: file.read_bytes() for file in (ROOT / "results").rglob("*.*")} == results
    assert outputs(done)
    assert not [out for out in outputs(done) if out.get("name") == "stderr"]

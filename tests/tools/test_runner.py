"""`tools/run_notebooks.py` on a small tree of its own, with notebooks that need no TensorFlow."""

import json
import pathlib
import signal
import subprocess
import sys
import time

import nbformat
import pytest

TOOL = pathlib.Path(__file__).parents[2] / "tools" / "run_notebooks.py"
CLAIMS = """\
import json, os, pathlib
folder = pathlib.Path(os.environ["GENERALIZE_OUT"]) / "claims"
folder.mkdir(parents=True)
verdicts = ["supported", "supported", "contradicted"]
record = {"profile": PROFILE, "claims": [{"verdict": verdict} for verdict in verdicts]}
_ = (folder / "NAME.json").write_text(json.dumps(record))"""
SLEEP = """\
import pathlib, time
if not pathlib.Path("../awake").exists():
    pathlib.Path("../asleep").touch()
    time.sleep(60)"""

LAST = """\
print(PROFILE, end=" ")
print(SEED)
SEED"""


def add_notebook(root, name, *sources):
    """Write an unexecuted notebook with a parameters cell, the given cells and one that says what it was run with."""
    code = nbformat.v4.new_code_cell
    parameters = code(
        'PROFILE = "full"\nSEED = 0', metadata={"tags": ["parameters"]}, id="parameters"
    )
    title = nbformat.v4.new_markdown_cell("# Why?", id="title")
    cells = [code(source, id=f"cell-{i}") for i, source in enumerate((*sources, LAST))]
    notebook = nbformat.v4.new_notebook(cells=[title, parameters, *cells])
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    (root / "notebooks").mkdir(exist_ok=True)
    path = root / "notebooks" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def run(root, *options):
    """Run the tool on `root` to its end."""
    command = [sys.executable, TOOL, "--root", root, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def printed(path):
    """Return what the notebook's last cell printed."""
    return nbformat.read(path, as_version=4).cells[-1].outputs[0].text


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run a tree of three notebooks, the second of which fails, once for several tests."""
    root = tmp_path_factory.mktemp("tree")
    paths = [
        add_notebook(root, "01_good", CLAIMS.replace("NAME", "01_good")),
        add_notebook(root, "02_bad", "print('before')", "raise ValueError('on purpose')"),
        add_notebook(root, "03_good", "import time\ntime.sleep(1.2)"),
    ]
    sources = [path.read_bytes() for path in paths]
    return root, paths, sources, run(root)


def test_one_failing_notebook_hides_no_other_and_is_reported(executed):
    root, paths, sources, result = executed
    assert result.returncode == 1, result.stdout + result.stderr
    assert "ValueError: on purpose" in result.stdout
    assert [printed(paths[i]) for i in (0, 2)] == ["full 0\n", "full 0\n"]
    assert paths[1].read_bytes() == sources[1]
    partial = nbformat.read(root / "build" / "failed" / "02_bad.ipynb", as_version=4)
    assert "before" in str(partial.cells)
    table = result.stdout.split("notebook ")[-1]
    assert "2 supported" in table and "1 contradicted" in table
    assert [line.split()[-1] for line in table.splitlines()[1:]] == ["ok", "FAILED", "ok"]
    assert not (root / "build" / "stamps").exists() or not list(
        (root / "build" / "stamps").rglob("*.json")
    )


def test_it_says_where_the_time_went(executed):
    said = executed[-1].stdout
    assert (
        "slowest cells: [2] 1 s\n03_good: ok" in said
        and "slowest" not in said[: said.index("03_good")]
    )


def test_claims_are_placed_only_for_a_notebook_that_ran_to_its_end(executed):
    root, *_ = executed
    assert [path.name for path in (root / "results" / "claims").iterdir()] == ["01_good.json"]
    assert (
        json.loads((root / "results" / "claims" / "01_good.json").read_text())["profile"] == "full"
    )


def test_an_executed_notebook_carries_no_trace_of_the_runner(executed):
    _, paths, sources, _ = executed
    notebook, source = (
        nbformat.read(paths[0], as_version=4),
        nbformat.reads(sources[0].decode(), as_version=4),
    )
    nbformat.validate(notebook)
    assert "papermill" not in paths[0].read_text() and "injected" not in paths[0].read_text()
    assert [(cell.id, cell.source, cell.metadata) for cell in notebook.cells] == [
        (cell.id, cell.source, cell.metadata) for cell in source.cells
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [output.output_type for output in code[-1].outputs] == ["stream", "execute_result"]
    assert code[-1].outputs[1].execution_count == 3


def test_a_second_call_executes_again_and_gives_the_same_bytes(executed):
    root, paths, *_ = executed
    before = paths[0].read_bytes()
    written = paths[0].stat().st_mtime_ns
    result = run(root, "01")
    assert result.returncode == 0, result.stdout + result.stderr
    # A kernel that shuts down may lose a race with its own sockets and print a traceback of ipykernel's; no warnings.
    assert "warn" not in result.stderr.lower()
    assert paths[0].stat().st_mtime_ns > written
    assert paths[0].read_bytes() == before


@pytest.mark.parametrize(
    ("options", "folder", "says"),
    [
        (("--profile", "quick"), "build/quick-0", "quick 0\n"),
        (("--seed", "7"), "build/full-7", "full 7\n"),
        (("--out", "OUT"), "elsewhere", "full 0\n"),
    ],
    ids=["quick", "seed", "out"],
)
def test_any_other_run_leaves_the_committed_files_alone(tmp_path, options, folder, says):
    path = add_notebook(tmp_path, "01_good", CLAIMS.replace("NAME", "01_good"))
    before = path.read_bytes()
    result = run(
        tmp_path,
        *[str(tmp_path / "elsewhere") if option == "OUT" else option for option in options],
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert path.read_bytes() == before
    assert not (tmp_path / "results").exists()
    assert printed(tmp_path / folder / "notebooks" / "01_good.ipynb") == says
    assert (tmp_path / folder / "claims" / "01_good.json").exists()


def test_an_interrupted_run_is_resumed_where_it_stopped(tmp_path):
    sources = {"01_first": (), "02_sleeps": (SLEEP,), "03_last": ()}
    paths = [add_notebook(tmp_path, name, *cells) for name, cells in sources.items()]
    before = paths[1].read_bytes()
    command = [sys.executable, TOOL, "--root", tmp_path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while (
        not (tmp_path / "asleep").exists()
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, output + errors
    assert "1 of 3 notebooks finished; the same command goes on from there" in output
    assert "Traceback" not in errors
    assert paths[1].read_bytes() == before
    assert not [path for path in (tmp_path / "notebooks").iterdir() if path not in paths]

    (tmp_path / "awake").touch()
    first = paths[0].stat().st_mtime_ns
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines()[-3:]] == ["before", "ok", "ok"]
    assert paths[0].stat().st_mtime_ns == first
    assert printed(paths[2]) == "full 0\n"
    assert not list((tmp_path / "build").rglob("stamps/*/*.json"))


def test_a_changed_helper_undoes_what_an_interrupted_run_had_finished(tmp_path):
    sys.path.insert(0, str(TOOL.parent))
    try:
        import notebook_files
    finally:
        sys.path.pop(0)
    path = add_notebook(tmp_path, "01_first")
    helper = tmp_path / "helpers" / "engine.py"
    helper.parent.mkdir()
    helper.write_text("WIDTH = 1\n")
    keys = [notebook_files.Plan(tmp_path, "full", 0, None).key(path)]
    helper.write_text("WIDTH = 2\n")
    keys += [notebook_files.Plan(tmp_path, "full", seed, None).key(path) for seed in (0, 1)]
    add_notebook(tmp_path, "01_first", "1 + 1")
    keys.append(notebook_files.Plan(tmp_path, "full", 0, None).key(path))
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [(("09",), 'starts with "09"'), (("--seed", "-1"), "must be 0 or larger")],
)
def test_a_wrong_call_is_refused_with_what_to_do(tmp_path, options, message):
    add_notebook(tmp_path, "01_good")
    result = run(tmp_path, *options)
    assert result.returncode != 0
    assert message in result.stderr


def test_an_empty_folder_is_an_error(tmp_path):
    assert "no notebook in notebooks/" in run(tmp_path).stderr

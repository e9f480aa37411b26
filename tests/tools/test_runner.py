"""`tools.notebooks` on a small tree of its own, with notebooks that need no TensorFlow."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

from tools import metadata, notebooks

ROOT = pathlib.Path(__file__).parents[2]
LAST = """\
print(PROFILE, end=" ")
print(SEED)
SEED"""


def add_notebook(root, name, *sources, registered=True):
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
    for folder in ("notebooks", "claims"):
        (root / folder).mkdir(exist_ok=True)
    if registered:
        (root / "claims" / f"{name}.toml").touch()
    path = root / "notebooks" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def command(root, *options):
    """Return the command that runs the tool on `root`."""
    return [sys.executable, "-E", "-m", "tools.notebooks", "--root", root, *options]


def run(root, *options, **environment):
    """Run the tool on `root` to its end; the settings of Python count only where a test gives some."""
    given = command(root, *options)
    return subprocess.run(
        [part for part in given if part != "-E" or not environment],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=os.environ | environment,
    )


def printed(path):
    """Return what the notebook's last cell printed."""
    return nbformat.read(path, as_version=4).cells[-1].outputs[0].text


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run a tree of three lessons, the second of which fails, and a notebook that is none, for several tests."""
    root = tmp_path_factory.mktemp("tree")
    failing = ("print('before')", "raise ValueError('on purpose: σ ≠ 1')")
    paths = [
        add_notebook(root, "01_good", "print('a')", "print('b')"),
        add_notebook(root, "02_bad", *failing),
        add_notebook(root, "00_method", registered=False),
        add_notebook(root, "04_unregistered", registered=False),
    ]
    sources = [path.read_bytes() for path in paths]
    # A console of few letters, where no message may end the run.
    return root, paths, sources, run(root, PYTHONIOENCODING="ascii")


def test_one_failing_notebook_hides_no_other_and_is_reported_on_any_console(executed):
    root, paths, sources, result = executed
    assert result.returncode == 1, result.stdout + result.stderr
    assert r"ValueError: on purpose: \u03c3 \u2260 1" in result.stdout
    assert [printed(paths[i]) for i in (0, 2)] == ["full 0\n", "full 0\n"]
    partial = root / "build" / "notebooks" / "full-0" / "unfinished" / "02_bad.ipynb"
    assert "before" in str(nbformat.read(partial, as_version=4).cells)
    rows = [line.split() for line in result.stdout.split("notebook ")[-1].splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows] == [
        ("00_method", "ok"),
        ("01_good", "ok"),
        ("02_bad", "FAILED"),
    ]
    assert [path.read_bytes() == before for path, before in zip(paths, sources)] == [
        *(False, True, False, True)
    ]


def test_an_executed_notebook_carries_no_trace_of_the_runner(executed):
    _, paths, sources, _ = executed
    notebook = nbformat.read(paths[0], as_version=4)
    source = nbformat.reads(sources[0].decode(), as_version=4)
    nbformat.validate(notebook)
    text = paths[0].read_text(encoding="utf-8")
    assert "papermill" not in text and "injected" not in text
    assert [(cell.id, cell.source, cell.metadata) for cell in notebook.cells] == [
        (cell.id, cell.source, cell.metadata) for cell in source.cells
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert [output.output_type for output in code[-1].outputs] == ["stream", "execute_result"]
    assert code[-1].outputs[1].execution_count == 4


def test_a_second_call_gives_the_same_bytes_and_leaves_nothing_behind(executed):
    root, paths, *_ = executed
    before = paths[0].read_bytes()
    written = paths[0].stat().st_mtime_ns
    result = run(root, "01")
    assert result.returncode == 0, result.stdout + result.stderr
    # A kernel that shuts down may lose a race with its own sockets and print a traceback of ipykernel's; no warnings.
    assert "warn" not in result.stderr.lower()
    assert paths[0].stat().st_mtime_ns > written
    assert paths[0].read_bytes() == before
    left = [path.name for path in (root / "build").rglob("*") if path.is_file()]
    assert left == ["02_bad.ipynb"]


@pytest.mark.parametrize(
    ("options", "folder", "says"),
    [
        (("--profile", "quick"), "build/notebooks/quick-0", "quick 0\n"),
        (("--seed", "7"), "build/notebooks/full-7", "full 7\n"),
        (("--out", "OUT"), "else where", "full 0\n"),
    ],
    ids=["quick", "seed", "out"],
)
def test_any_other_run_leaves_the_committed_files_alone(tmp_path, options, folder, says):
    path = add_notebook(
        tmp_path, "01_good", registered=False
    )  # one without registrations may run so
    before = path.read_bytes()
    given = [str(tmp_path / "else where") if option == "OUT" else option for option in options]
    result = run(tmp_path, *given, "01")
    assert result.returncode == 0, result.stdout + result.stderr
    assert path.read_bytes() == before
    assert printed(tmp_path / folder / "01_good.ipynb") == says


def test_an_interrupted_run_says_what_is_finished_and_breaks_nothing(tmp_path):
    asleep = "import pathlib, time\npathlib.Path('../asleep').touch()\ntime.sleep(60)"
    paths = [add_notebook(tmp_path, "01_first"), add_notebook(tmp_path, "02_sleeps", asleep)]
    before = paths[1].read_bytes()
    with subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background ignore it
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (tmp_path / "asleep").exists() and process.poll() is None:
            assert time.monotonic() < deadline, "the second notebook never started"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "1 notebooks are finished" in output and "notebooks.py" not in output
    assert printed(paths[0]) == "full 0\n"
    assert paths[1].read_bytes() == before
    assert sorted((tmp_path / "notebooks").iterdir()) == paths


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_kernel_of_a_killed_run_ends_too(tmp_path):
    text = "import os, pathlib, time\npathlib.Path('../pid').write_text(str(os.getpid()))\ntime.sleep(60)"
    add_notebook(tmp_path, "01_sleeps", text)
    with subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not (pid := tmp_path / "pid").exists() or not pid.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline and process.poll() is None, "it never started"
            time.sleep(0.05)
        process.kill()
    kernel = int(pid.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 30
    while psutil.pid_exists(kernel) and psutil.Process(kernel).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the kernel lives on"
        time.sleep(0.1)


def test_a_full_disk_is_a_failure_of_that_notebook_alone(tmp_path, monkeypatch, capsys):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("papermill.execute_notebook", full)
    row = notebooks.run_one(tmp_path / "01_a.ipynb", tmp_path / "a", tmp_path / "b", "full", 0)
    assert row[0] == "01_a" and row[-1] == "FAILED"
    assert "No space left on device" in capsys.readouterr().out


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is a thing of Linux")
def test_an_unwritable_folder_is_noticed_before_the_work(tmp_path):
    add_notebook(tmp_path, "01_good")
    result = run(tmp_path, "--out", "/proc/here")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "Cannot write to /proc/here" in result.stderr and "OUT=DIR" in result.stderr
    assert "01_good ..." not in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("09",), 'starts with "09"'),
        (("--seed", "-1"), "must be 0 or larger"),
        (("04",), "04_old: without registrations"),
    ],
)
def test_a_wrong_call_is_refused_with_what_to_do(tmp_path, options, message):
    add_notebook(tmp_path, "01_good")
    add_notebook(tmp_path, "04_old", registered=False)
    result = run(tmp_path, *options)
    assert result.returncode != 0
    assert message in result.stderr


def test_without_a_registration_there_is_no_lesson(tmp_path):
    add_notebook(tmp_path, "01_old", registered=False)
    result = run(tmp_path)
    assert result.returncode == 0 and "There is no lesson yet" in result.stdout


def test_tidy_joins_the_pieces_of_a_stream():
    output = nbformat.v4.new_output
    pieces = [output("stream", name="stdout", text=t) for t in ("a", "b")]
    cell = nbformat.v4.new_code_cell(
        "x", outputs=[*pieces, output("stream", name="stderr", text="c")]
    )
    made = json.loads(notebooks.tidy(nbformat.v4.new_notebook(cells=[cell])))
    assert [out["text"] for out in made["cells"][0]["outputs"]] == [["ab"], ["c"]]


def test_a_notebook_saved_by_hand_is_named_with_what_to_do(tmp_path, capsys):
    path = add_notebook(tmp_path, "01_good")
    path.write_bytes(notebooks.tidy(nbformat.read(path, as_version=4)))
    assert metadata.main([str(path)]) == 0
    by_hand = nbformat.read(path, as_version=4)
    by_hand.cells[1].execution_count = 7
    nbformat.write(by_hand, path)
    assert metadata.main([str(path)]) == 1
    assert "make notebooks NOTEBOOKS=01" in capsys.readouterr().out

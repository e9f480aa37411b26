"""Killed at any moment: no file is half written, the next run goes on, and nothing damaged or foreign is taken up."""

import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

import psutil
import pytest
from test_runner import CLAIMS, TOOL, add_notebook, run

from helpers._base import files

sys.path.insert(0, str(TOOL.parent))
import notebook_files
import run_notebooks

sys.path.pop(0)


WORK = """\
import time
with open("../log", "a") as log:
    print("NAME", file=log)
time.sleep(0.3)"""


ENDLESS = """\
import pathlib, time
pathlib.Path("../asleep").touch()
time.sleep(3600)"""


def tree(root, **notebooks):
    """Make a copy of what `make notebooks` needs, with little notebooks."""
    (root / "tools").mkdir(parents=True)
    for path in (TOOL, TOOL.with_name("notebook_files.py"), TOOL.parent.parent / "Makefile"):
        shutil.copy(path, root / path.relative_to(TOOL.parent.parent))
    (root / "tools" / "make_env.sh").write_text("exit 0\n")  # this environment is there already
    for name, cells in notebooks.items():
        add_notebook(root, f"01_{name}", *(cell.replace("NAME", f"01_{name}") for cell in cells))


def make(root):
    """Start `make notebooks`."""
    command = ["make", "notebooks", f"VENV={sys.prefix}"]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill(process, who="all"):
    """Kill `make` alone, the runner alone, or both; return them and all that they had started, once that has ended."""
    family = [psutil.Process(process.pid)]
    family += family[0].children(recursive=True)
    for victim in {"make": family[:1], "runner": family[1:2], "all": family[:2]}[who]:
        victim.kill()
    process.wait(60)
    deadline = time.monotonic() + 60
    while [one for one in family if lives(one)] and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = [one for one in family if lives(one)]
    assert not alive, "a runner or a kernel lives on and would write into the next run's folders"
    return family


def lives(process):
    """Whether a process still does anything."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def content(root):
    """Return {name: bytes} of all that a run places."""
    placed = [*(root / "notebooks").glob("*"), *(root / "results").rglob("*")]
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in placed if path.is_file()
    }


needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@needs_make
@pytest.mark.parametrize("who", ["make", "runner"])
def test_whoever_is_killed_the_kernel_ends_too(tmp_path, who):
    tree(tmp_path, endless=[ENDLESS])
    process = make(tmp_path)
    deadline = time.monotonic() + 120
    while not (tmp_path / "asleep").exists() and process.poll() is None:
        assert time.monotonic() < deadline, "the notebook never started"
        time.sleep(0.02)
    assert len(kill(process, who)) == 3


@needs_make
@pytest.mark.slow
def test_make_notebooks_survives_being_killed_at_random_moments(tmp_path):
    three = dict.fromkeys(("first", "second", "third"), (WORK, CLAIMS))
    tree(tmp_path / "calm", **three)
    started = time.monotonic()
    assert make(tmp_path / "calm").wait(300) == 0
    duration, final = time.monotonic() - started, content(tmp_path / "calm")
    assert len(final) == 6

    root, moments = tmp_path / "killed", random.Random(1)
    tree(root, **three)
    initial, log, stamps = content(root), root / "log", root / "build" / "stamps" / "full-0"
    executed = lambda: log.read_text().split() if log.exists() else []  # noqa: E731
    before = {}
    for who in ("runner", "make", "all", "make", "runner"):
        process = make(root)
        try:
            process.wait(duration * moments.uniform(0.1, 0.7))
        except subprocess.TimeoutExpired:
            kill(process, who)
        for name, found in content(root).items():
            if not name.endswith(".aside"):
                assert found in (initial.get(name), final[name]), f"{name} is neither old nor new"
                json.loads(found)
        finished = {path.stem: executed().count(path.stem) for path in stamps.glob("*.json")}
        assert all(
            executed().count(name) == count for name, count in before.items() if name in finished
        )
        before = finished
    assert make(root).wait(300) == 0
    assert all(executed().count(name) == count for name, count in before.items())
    assert content(root) == final
    left = {
        path.relative_to(root / "build").parts[0]
        for path in (root / "build").rglob("*")
        if path.is_file()
    }
    assert left <= {"ipython", "locks"}


def test_what_a_killed_run_can_leave_is_put_right(tmp_path):
    path = add_notebook(tmp_path, "01_first", CLAIMS.replace("NAME", "01_first"))
    before = path.read_bytes()
    assert run(tmp_path).returncode == 0
    final, build, place = content(tmp_path), tmp_path / "build", pathlib.Path("full-0")
    path.write_bytes(before)  # its claims were placed, the notebook itself was not
    asides = [
        tmp_path / "notebooks" / ".01_first.ipynb.1.aside",
        tmp_path / "results" / "claims" / ".a.json.2.aside",
    ]
    asides += [tmp_path / ".README.md.3.aside", build / "stamps" / place / ".01_first.json.4.aside"]
    staged = [
        build / "staging" / place / "01_first" / name
        for name in ("claims/01_first.json", "01_first.ipynb")
    ]
    chunks = [
        build / "chunks" / place / "01_first" / code / "key" / "00000" for code in ("old", "older")
    ]
    stamp = build / "stamps" / place / "01_first.json"
    for left in (*asides, *staged, *chunks, stamp):
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"{")
    result = run(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "01_first.json is damaged: 01_first counts as not finished" in result.stdout
    assert content(tmp_path) == final
    assert not [left for left in (*asides, *staged, *chunks, stamp) if left.exists()]


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b'{"seconds": 1',
        b"[]",
        b"\xff\xfe",
        b'{"seconds": "1", "peak": 0, "claims": {}, "stamp": {}}',
    ],
)
def test_a_damaged_stamp_counts_as_not_finished(tmp_path, capsys, damaged):
    plan = notebook_files.Plan(tmp_path, "full", 0, None)
    path = add_notebook(tmp_path, "01_first")
    notebook_files.write(plan.stamps / "01_first.json", damaged)
    assert run_notebooks.finished_before(path, plan) is None
    assert "01_first.json is damaged: 01_first counts as not finished" in capsys.readouterr().out
    row = {
        "seconds": 1.0,
        "peak": 0,
        "claims": {},
        "stamp": run_notebooks.stamp_of("01_first", plan.key(path), plan),
    }
    notebook_files.write(plan.stamps / "01_first.json", json.dumps(row).encode())
    assert run_notebooks.finished_before(path, plan)["status"] == "done before"
    notebook_files.write(plan.targets("01_first")[1], b"{}")  # claims that this run did not write
    assert run_notebooks.finished_before(path, plan) is None


def test_parts_that_other_code_has_kept_are_removed_when_a_notebook_starts(tmp_path):
    path = add_notebook(tmp_path, "01_first")
    plan = notebook_files.Plan(tmp_path, "full", 0, None)
    mine = run_notebooks.chunks_of(path, plan)
    (mine / "part").touch()
    assert run_notebooks.chunks_of(path, plan) == mine and (mine / "part").exists()
    (tmp_path / "requirements.txt").touch()
    assert run_notebooks.chunks_of(path, plan) != mine and not mine.exists()


@pytest.mark.parametrize(
    ("write", "old", "new"), [(notebook_files.write, b"o", b"n"), (files.write, "o", "n")]
)
def test_a_file_is_written_aside_and_renamed(tmp_path, monkeypatch, write, old, new):
    path, seen = tmp_path / "file", []
    write(path, old)

    def cut_off(aside, target):
        seen.append(pathlib.Path(aside))
        assert target == path and path.read_text() == "o" and seen[0].read_text() == "n"
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        write(path, new)
    assert path.read_text() == "o" and seen[0].match(
        ".*.aside"
    )  # the name that `sweep` and git know


def test_only_one_run_at_a_time_uses_the_folders(tmp_path):
    def hold():
        with notebook_files.alone(tmp_path / "lock", patience=0.2):
            return True

    with (
        notebook_files.alone(tmp_path / "lock"),
        pytest.raises(SystemExit, match="Another run .* is going on"),
    ):
        hold()
    assert hold()

"""The whole chain on a world of two seconds, from TOML to README; and what breaks it."""

import csv
import errno
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

import distributed
import numpy as np
import pytest

from helpers import experiments
from helpers._base import files, machine, paths, seeds
from helpers.claims import draws, ledger, registry
from helpers.engine import cluster
from helpers.experiments import judge, run, stability, store
from helpers.experiments.__main__ import in_turn
from helpers.experiments.__main__ import main as command
from helpers.experiments.store import Place

TOML = """
[experiment."tiny/two_rates"]
function = "tiny.two_rates"
n = 60
recipe = { gain = 2.0 }
quick = { n = 4 }
n_check = 5

[[claim]]
id = "ours/second-is-better"
kind = "estimate"
role = "ours"
statement = "The second rate lowers the error by 0.5 or more."
experiment = "tiny/two_rates"
values = "second"
baseline = "first"
statistic = "mean difference"
region = { at_most = -0.5 }
reason = "a test"
known = "nothing"
gates = [ { kind = "attainable", values = "oracle", baseline = "first" } ]
"""
PAGE = "# Results\n" + "".join(
    f"\n<!-- {part}:begin -->\n\n<!-- {part}:end -->\n" for part in ("claims", "times", "stability")
)
README = "It falls by ?<!-- ours/second-is-better estimate .2f -->.\n"


def two_rates(seed, n, *, gain):
    """Return the errors of two invented rates, of which the second is better by ``gain``."""
    rows = [seeds.generator(seed, "row", row).normal(size=2) for row in range(n)]
    first, second = np.transpose(rows)
    return {
        "first": (5 + first).astype(np.float32),
        "second": (5 - gain + second).astype(np.float32),
        "oracle": (5 + first - 3).astype(np.float32),
        "low": first < 0.5,
        "constants": {"gain": np.array([gain], np.float32)},
    }


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Give a checkout with one lesson whose experiment takes no time."""
    for folder in ("claims", "results", "notebooks", "docs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "claims" / "90_tiny.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "results" / "README.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "README.md").write_text(README, encoding="utf-8")
    monkeypatch.setattr(paths, "checkout", lambda: tmp_path)
    monkeypatch.setattr(paths, "shipped", lambda name: tmp_path / name)
    world = types.ModuleType("helpers.experiments.tiny")
    world.two_rates = two_rates
    monkeypatch.setitem(sys.modules, "helpers.experiments.tiny", world)
    return tmp_path


def train(**options):
    """Train what is due and publish; return what was trained."""
    known = registry.load()
    done = run.train_due(known, say=lambda text: None, **options)
    judge.publish(known, "2026-01-01")
    return [one.id for one in done]


def test_a_cluster_trains_and_its_other_processors_are_noted(root, capsys):
    options = {"n_workers": 1, "dashboard_address": ":0"}
    with distributed.Client(processes=False, **options) as client:
        assert command(["--dask", client.scheduler.address]) == 0
        assert ": 1\n" in capsys.readouterr().out
        assert store.index()["tiny/two_rates"].processor == machine.processor()
        with cluster.cluster(client) as elsewhere:
            elsewhere.processors.add("another model")
            train(fresh=True)
    assert store.index()["tiny/two_rates"].processor == f"{machine.processor()} and another model"


@pytest.mark.parametrize("what", ["--status", "--check", "--rows"])
def test_a_cluster_is_refused_where_nothing_would_train_on_it(root, what, capsys):
    with pytest.raises(SystemExit):
        command([what, "--dask", "tcp://nowhere:1"])
    assert "--dask" in capsys.readouterr().err


def test_ones_own_replicates_are_said_to_be_where_they_are(root, capsys):
    (root / "claims" / "mine.toml").write_text(
        TOML.replace("tiny/two_rates", "mine/rates").replace("ours/second", "mine/second"),
        encoding="utf-8",
    )
    assert command(["mine"]) == 0
    told = capsys.readouterr().out
    (kept,) = (line.split("kept in ")[1] for line in told.splitlines() if "kept in" in line)
    assert (Place(own=True).folder / "mine/rates.npz").is_file()
    assert kept == str(Place(own=True).folder) != str(Place().folder)
    command(["mine", "--status"])
    assert "never trained" not in capsys.readouterr().out


def test_from_the_registration_to_the_readme(root):
    assert train() == ["tiny/two_rates"]
    record = ledger.load(root / "results" / "claims")["ours/second-is-better"]
    assert (record.word, record.n) == ("supported", 60)
    table = (root / "results" / "README.md").read_text(encoding="utf-8")
    assert "The second rate lowers the error" in table and "supported" in table
    assert f"falls by {record.estimate:.2f}<!--" in (root / "README.md").read_text(encoding="utf-8")
    assert judge.differences() == []


def test_a_run_that_is_repeated_trains_and_writes_nothing(root):
    train()
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.is_file()}
    assert train() == []
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.*") if path.is_file()} == before


def test_another_region_is_another_draw_and_the_old_one_stays_on_record(root):
    train()
    path = root / "claims" / "90_tiny.toml"
    path.write_text(TOML.replace("at_most = -0.5", "at_most = -1.2"), encoding="utf-8")
    known = registry.load()
    assert store.read("tiny/two_rates", known.registration("tiny/two_rates")) is None  # foreign
    assert train() == ["tiny/two_rates"]
    lines = draws.lines(root / "results" / "registrations.csv")
    assert len(lines) == 2 and lines[0].hash != lines[1].hash
    assert "at_most was -0.5" in lines[1].changed


def test_another_wording_is_no_new_draw(root):
    train()
    path = root / "claims" / "90_tiny.toml"
    path.write_text(TOML.replace("The second rate lowers", "Rate two lowers"), encoding="utf-8")
    assert train() == []
    path = root / "results" / "registrations.csv"
    assert draws.count("tiny/two_rates", path) == 1
    assert "The second rate lowers" in draws.lines(path)[-1].changed  # the old text stays on record
    assert judge.differences() == [] and train() == [] and len(draws.lines(path)) == 2


def test_a_readers_own_claim_gives_a_registered_experiment_no_other_seed(root):
    train()
    before = registry.load().seed("tiny/two_rates")
    mine = TOML[TOML.index("[[claim]]") :].replace("ours/second-is-better", "ours/mine")
    (root / "claims" / "mine.toml").write_text(mine, encoding="utf-8")
    assert registry.load().seed("tiny/two_rates") == before
    assert train() == [] and judge.differences() == []


@pytest.mark.parametrize(
    ("old", "new"), [('values = "second"', 'values = "secnd"'), ('"oracle"', '"oracel"')]
)
def test_an_array_that_is_not_returned_is_named_before_anything_is_stored(root, old, new):
    (root / "claims" / "90_tiny.toml").write_text(TOML.replace(old, new), encoding="utf-8")
    with pytest.raises(
        ValueError, match=f"{new.split()[-1].strip(chr(34))}.*ours/second-is-better"
    ):
        train()
    assert not store.index() and not (root / "results" / "registrations.csv").exists()


def test_a_pilot_says_what_n_asks_for_and_can_be_read(root, capsys):
    assert command(["tiny", "--seed", "1001", "--scale", "0.5"]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "pilot_sd" in line]
    found = experiments.load("tiny/two_rates", seed=1001, scale=0.5)
    gain = found["second"].astype(float) - found["first"]
    assert len(found) == 30 and said.startswith(f"ours/second-is-better: {gain.mean():.4g} [")
    assert f"pilot_sd = {gain.std():.3g}" in said and "with n = 60 the half-width is" in said
    assert "supported" not in said
    with pytest.raises(ValueError, match="SEED and SCALE"):
        experiments.load("tiny/two_rates")


def test_a_pilot_looks_at_what_a_selection_leaves(root, capsys):
    chosen = '{ kind = "selection", values = "low" }, { kind = "attainable"'
    toml = TOML.replace('{ kind = "attainable"', chosen)
    (root / "claims" / "90_tiny.toml").write_text(toml, encoding="utf-8")
    assert command(["tiny", "--seed", "1001", "--scale", "0.5"]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if "pilot_sd" in line]
    found = experiments.load("tiny/two_rates", seed=1001, scale=0.5)
    keep = found["low"].astype(bool)
    gain = (found["second"].astype(float) - found["first"])[keep]
    assert 0 < keep.sum() < 30 and f"], {keep.sum()} replicates" in said
    assert f"pilot_sd = {gain.std(ddof=1):.3g}; with n = {2 * keep.sum()} the" in said


def test_data_before_the_registration_is_committed_are_warned_of(root, capsys):
    git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    command(["tiny"])
    assert "claims/ is not committed" in capsys.readouterr().out
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "registered"], check=True)
    command(["tiny"])
    assert "not committed" not in capsys.readouterr().out


def test_what_other_code_made_is_said_to_be_there(root, capsys, monkeypatch):
    train()
    monkeypatch.setattr(store, "code_key", lambda module: "another")
    command(["tiny"])
    assert "1 of 1 made by other code" in capsys.readouterr().out


def test_a_mark_that_names_nothing_is_listed_with_its_file(root):
    train()
    (root / "docs" / "page.md").write_text("?<!-- ours/secnd estimate .2f -->\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"docs/page\.md: .*ours/secnd"):
        judge.publish()
    assert [line for line in judge.differences() if line.startswith("docs/page.md: ")]


def test_a_run_that_is_stopped_leaves_no_draw_unrecorded(root):
    known = registry.load()

    def stop(id):
        judge.enter(id, known)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.train_due(known, say=lambda text: None, stored=stop)
    assert len(draws.lines(root / "results" / "registrations.csv")) == 1


def test_a_check_that_finds_nothing_to_check_fails(root):
    assert command(["--rows"]) == 1
    assert any("its replicates are missing" in line for line in judge.differences())
    train()
    assert command(["--rows"]) == 0 == command(["--check"])


def change(root, **changes):
    """Put other arrays into the store as somebody would who also mends the index."""
    place, known = Place(), registry.load()
    arrays = store.read("tiny/two_rates", known.registration("tiny/two_rates"))
    for name, (row, value) in changes.items():
        arrays[name] = arrays[name].copy()
        arrays[name][row] = value
    entry = store.index(place)["tiny/two_rates"].__class__(
        **{**vars(store.index(place)["tiny/two_rates"]), "arrays": store.digest(arrays)}
    )
    store.put("tiny/two_rates", arrays, entry, place)


def test_a_number_changed_in_a_checked_row_is_caught(root):
    train()
    known = registry.load()
    experiment = known.experiments["tiny/two_rates"]

    def rows():
        stored = store.read(experiment.id, known.registration(experiment.id))
        return run.first_rows(experiment, known, stored, store.index()[experiment.id])

    assert rows() == []
    change(root, second=(3, 4.5))
    assert [difference.array for difference in rows()] == ["second"]
    assert (
        judge.differences()
    )  # its verdict, its draw and the numbers in the texts no longer follow either


def test_rows_of_another_processor_may_differ_by_little_and_not_by_much():
    rng = np.random.default_rng(0)
    kept = rng.normal(size=100).astype(np.float32)
    near = kept[:20] + np.float32(1e-3)
    assert run.compared(kept, near, exact=False) == "" and run.compared(kept, near, exact=True)
    assert run.compared(kept, kept[:20] + np.float32(2), exact=False)


def test_rows_trained_with_another_number_of_cores_count_as_those_of_another_processor(
    root, monkeypatch
):
    train()
    assert store.index()["tiny/two_rates"].cores == machine.cores() >= 1
    change(root, second=(3, store.read("tiny/two_rates", registration())["second"][3] + 1e-4))
    assert command(["--rows"]) == 1
    monkeypatch.setattr(machine, "cores", lambda: 64)
    assert command(["--rows"]) == 0
    change(root, second=(slice(5), 40.0))
    assert command(["--rows"]) == 1


def registration():
    """Return the registration of the world's one experiment."""
    return registry.load().registration("tiny/two_rates")


def test_rows_that_there_is_no_time_for_are_listed_and_fail_nothing(root, capsys):
    train()
    assert command(["--rows", "--minutes=1e-9"]) == 0
    assert "not trained again, 1e-09 minutes are over: tiny/two_rates" in capsys.readouterr().out


def test_rows_of_every_function_come_before_the_second_of_one():
    known, kept = registry.load(), store.index()
    due = [e for e in known.experiments.values() if e.n_check and e.id in kept]
    turn = in_turn(due, kept)
    functions = {e.function for e in due}
    assert {e.function for e in turn[: len(functions)]} == functions
    assert sorted(e.id for e in turn) == sorted(e.id for e in due)


def test_a_published_verdict_that_was_touched_is_seen(root):
    train()
    path = root / "results" / "claims" / "90_tiny.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"supported"', '"open"'), encoding="utf-8"
    )
    assert any("ours/second-is-better" in line for line in judge.differences())


def test_a_number_in_a_text_that_was_touched_is_seen(root):
    train()
    (root / "README.md").write_text(
        "It falls by 7<!-- ours/second-is-better estimate .2f -->.\n", encoding="utf-8"
    )
    assert judge.differences() == ["README.md is not what the results say: run `make experiments`"]


def test_where_only_the_store_may_be_read_a_missing_file_is_an_error(root, monkeypatch):
    monkeypatch.setenv("GENERALIZE_STORE", "only")
    with pytest.raises(FileNotFoundError, match="make experiments ONLY=tiny/two_rates"):
        run.obtain("tiny/two_rates")
    train()
    arrays, entry = run.obtain("tiny/two_rates")
    assert len(arrays["first"]) == entry.n == 60


def test_a_readers_own_registration_is_trained_on_demand_and_never_judged_into_results(root):
    mine = TOML.replace("tiny/two_rates", "mine/other").replace(
        "ours/second-is-better", "ours/mine"
    )
    (root / "claims" / "mine.toml").write_text(mine, encoding="utf-8")
    assert train() == ["tiny/two_rates"]
    assert train(only=["mine"]) == ["mine/other"]
    assert not (root / "results" / "replicates" / "mine").exists()
    assert len(run.obtain("mine/other")[0]["first"]) == 60
    assert "ours/mine" not in ledger.load(root / "results" / "claims")
    assert len(draws.lines(root / "results" / "registrations.csv")) == 1


def test_fewer_rows_of_the_same_seed(root):
    known = registry.load()
    run.train_due(known, Place("full", 0, 0.1), say=lambda text: None)
    few = store.read("tiny/two_rates", known.registration("tiny/two_rates"), Place("full", 0, 0.1))
    whole = run.compute(known.experiments["tiny/two_rates"], known)
    assert len(few["first"]) == 6 and np.array_equal(few["first"], whole["first"][:6])


def test_other_master_seeds_have_stores_and_a_table_of_their_own(root, capsys, monkeypatch):
    train()
    index = root / "results" / "replicates" / "index.json"
    entries = json.loads(index.read_text(encoding="utf-8"))
    entries["tiny/two_rates"]["seconds"] = 60.0
    index.write_text(json.dumps(entries), encoding="utf-8")
    monkeypatch.setattr(run, "SECONDS", 12.0)
    assert command(["--stability", "1", "2", "3", "--scale", "0.5"]) == 0
    assert "1 claims, 1 with the published verdict" in capsys.readouterr().out
    with open(root / "results" / "stability.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["published"], row["pooled"], row["n"], row["pooled_n"]) == (
        *("supported", "supported", "60", "36"),  # three times 12 seconds, at one each
    )
    each = [float(one) for one in row["seeds"].split()]
    assert len(set(each)) == 3
    assert float(row["pooled_estimate"]) == pytest.approx(np.mean(each), abs=1e-4)
    assert judge.differences() == []
    monkeypatch.setattr(run, "DEAREST", 0.5)  # it takes too long
    assert run.rows_of(registry.load().experiments["tiny/two_rates"], stability.place(1)) == 0
    assert "from 3 other master seeds" in (root / "results" / "README.md").read_text("utf-8")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_run_that_is_killed_at_any_moment_is_made_good_by_the_next(root):
    def everything():
        known = registry.load()
        enter = functools.partial(judge.enter, known=known, day="2026-01-01")
        train(fresh=True, stored=enter)

    def results():
        files = {p.relative_to(root): p.read_bytes() for p in root.rglob("*.*") if p.is_file()}
        for timed in ("results/replicates/index.json", "results/README.md"):  # they hold seconds
            del files[Path(timed)]
        return files, {id: (one.arrays, one.registration) for id, one in store.index().items()}

    def killed(seconds):
        """Train in a copy of this process that is killed; return whether it was still at work."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, from Python 3.12 on
            child = os.fork()
        if child == 0:
            try:
                everything()
            finally:  # whatever it raised: the copy must not go on with the other tests
                os._exit(0)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    started = time.monotonic()
    everything()
    whole, expected, at_work = time.monotonic() - started, results(), 0
    for share in np.linspace(0.02, 1.2, 25):
        shutil.rmtree(root / "results")
        (root / "results").mkdir()
        (root / "results" / "README.md").write_text(PAGE, encoding="utf-8")
        at_work += killed(share * whole)
        everything()
        for aside in root.rglob(".*.aside"):  # of the process that was killed
            aside.unlink()
        found, wanted = results(), expected
        differ = {
            p for p in found[0].keys() | wanted[0].keys() if found[0].get(p) != wanted[0].get(p)
        }
        assert not differ, {p: (found[0].get(p), wanted[0].get(p)) for p in differ}
        assert found == wanted
    assert at_work > 5


def test_a_run_killed_between_the_arrays_and_the_index_leaves_no_strangers(root, monkeypatch):
    train()
    world, write = sys.modules["helpers.experiments.tiny"], files.write

    def killed_after_arrays(path, content):
        write(path, content)
        if str(path).endswith(".npz"):
            raise KeyboardInterrupt

    monkeypatch.setattr(world, "two_rates", lambda seed, n, gain: two_rates(seed + 1, n, gain=gain))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(files, "write", killed_after_arrays)
        train(fresh=True)
    known = registry.load()
    assert [state for _, state in run.status(known)] == ["missing"]
    assert train() == ["tiny/two_rates"]


def test_a_full_disk_leaves_what_was_there(root, monkeypatch):
    train()
    before = {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()}

    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    world = sys.modules["helpers.experiments.tiny"]
    monkeypatch.setattr(world, "two_rates", lambda seed, n, gain: two_rates(seed + 1, n, gain=gain))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("pathlib.Path.write_bytes", full)
        train(fresh=True)
    assert {path: path.read_bytes() for path in root.rglob("*.*") if path.is_file()} == before


def test_two_runs_in_one_checkout_do_not_mix(root, capsys):
    lock = paths.build() / "experiments.lock"
    held = (
        "import sys, time; from helpers._base import files\n"
        "with files.alone(sys.argv[1], ''): print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", held, lock], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert command([]) == 1
        assert f"Process {other.pid} trains in this folder" in capsys.readouterr().out
        assert not store.index()
        other.kill()
    assert command([]) == 0 and store.index()

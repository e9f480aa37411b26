"""The benchmark's report says the right thing in dumb cases, its page is current, and it runs end to end."""

import json
import pathlib
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import bench  # noqa: E402
import growth  # noqa: E402
import report  # noqa: E402
import workloads  # noqa: E402

RECORD = ROOT / "results" / "bench" / "bench.json"
PAGE = ROOT / "benchmarks" / "README.md"


def run(networks, seconds, mean=1.0, sd=0.1, **more):
    """Return one repeat of a contender as `contenders.measure` describes it."""
    loss = {"n": networks, "mean": mean, "sd": sd, "low": mean - sd, "high": mean + sd}
    found = {"networks": networks, "first": 2.0, "seconds": seconds, "loss": loss, "val_loss": loss}
    return found | {"epochs": 200, "examples": 80} | more


@pytest.fixture
def record():
    """Return a record of round numbers: 10 s a fit, 4 ms a network of ours."""
    ours = run(1000, 4.0, kernel_weights=4000, sgemm=100.0)
    parts = {"all": 4e-5, "matrix products": 2e-5, "Adam's update": 5e-6}
    point = {"size": 1, "seconds": 0.5}
    return {
        "schema": 1,
        "quick": False,
        "repeats": 3,
        "commit": "abc",
        "machine": {
            "cpu": "A processor",
            "cores": 2,
            "memory_gib": 8.0,
            "os": "an OS",
            "load_before": 0.0,
        },
        "versions": {
            "python": "3.12.1",
            "tensorflow": "2",
            "keras": "3",
            "numpy": "2",
            "jax": "0.9",
            "optax": "0.2",
        },
        "workloads": {
            "keras-post": {
                "fit": [run(1, 9.0), run(1, 10.0), run(1, 12.0)],
                "jax-vmap": [run(1000, 8.0)] * 3,
                "fit_many": [ours] * 3,
            }
        },
        "limit": [{"cores": 1, "width": 19, "flops": 2e6, "parts": parts}],
        "growth": {
            "epochs": 50,
            "width_members": 16,
            "members": {"fit_many": [point, {"size": 4096, "seconds": 8.0}]},
            "width": {"fit_many": [{"size": 8, "seconds": 0.1}, {"size": 512, "seconds": 1.0}]},
            "fit": run(1, 2.5),
        },
    }


def cells(record, contender):
    """Return the row of a contender."""
    (row,) = [row for row in report.rows(record) if row[1] == contender]
    return dict(zip(report.HEAD, row, strict=True))


def test_a_ratio_is_seconds_per_network_over_ours_and_is_judged_against_its_target(record):
    row = cells(record, "fit")
    assert row[report.MEASURED] == "2,500× (2,250–3,000)"
    assert row["target"] == "2,500×: ✓ reached"
    row = cells(record, "jax-vmap")
    assert (row["per network"], row[report.MEASURED]) == (
        "8.00 ms",
        "2.00× (2.00–2.00)",
    )
    assert row["target"] == "2.5×: ✗ not reached"


def test_the_share_of_sgemm_counts_six_operations_a_kernel_weight_and_example(record):
    row = cells(record, "fit_many")  # 6 * 4000 * 80 * 200 in 4 ms: 96 GFLOP/s
    assert row[report.MEASURED] == "96.0 GFLOP/s, 96 % of sgemm"
    assert row["target"] == "30 %: ✓ reached"


def test_a_rate_is_networks_a_second(record):
    record["workloads"] = {"xor": {"fit_many": [run(10_000, 10.0)]}}
    row = cells(record, "fit_many")
    assert row[report.MEASURED] == "1,000 networks/s"
    assert row["target"] == "2,500 networks/s: ✗ not reached"


@pytest.mark.parametrize("key", ["loss", "val_loss"])
def test_other_losses_are_flagged(record, key):
    assert "differs" not in " ".join(cells(record, "jax-vmap").values())
    record["workloads"]["keras-post"]["jax-vmap"][0] = run(1000, 8.0) | {
        key: run(1000, 8.0, mean=1.2)["loss"]
    }
    assert cells(record, "jax-vmap")["final loss"].endswith("⚠ differs")


def test_losses_that_are_not_numbers_are_flagged(record):
    record["workloads"]["keras-post"]["fit"] = [run(1, 10.0, mean=float("nan"))] * 3
    assert cells(record, "fit")["final loss"].endswith("⚠ differs")


def test_a_single_network_may_lie_where_single_networks_lie():
    ours = [run(1000, 4.0)]
    assert report.agrees([run(1, 10.0, mean=1.3, sd=0.0)], ours, "loss")
    assert not report.agrees([run(1, 10.0, mean=1.5, sd=0.0)], ours, "loss")
    assert not report.agrees([run(1000, 10.0, mean=1.3)], ours, "loss")


def test_a_missing_validation_loss_on_one_side_is_flagged():
    without = run(1, 1.0) | {"val_loss": None}
    assert not report.agrees([without], [run(2, 1.0)], "val_loss")
    assert report.agrees([without], [without], "val_loss")


def test_a_quick_run_judges_no_target(record):
    record["quick"] = True
    assert "reached" not in report.section(record)


def test_the_section_says_how_to_install_jax_where_it_was_missing(record):
    assert "pip install" not in report.section(record)
    record["versions"]["jax"] = None
    assert report.HOW_JAX in report.section(record) and "[test]" in report.HOW_JAX


def test_the_section_names_machine_versions_limit_and_figure(record):
    text = report.section(record)
    for words in (
        "A processor, 2 cores, 8 GiB, an OS",
        "Python 3.12.1",
        "JAX 0.9",
        "commit abc",
        "3 repeats",
    ):
        assert words in text
    assert "| matrix products | 20.0 µs | 50 % |" in text
    assert "100 GFLOP/s" in text and "2,500× as fast" in text  # 10 s against 200 epochs of 20 µs
    assert "](../results/bench/growth.png)" in text
    assert "4,096 in 8.00 s" in text and "2.84 h" in text  # 4096 fits of 2.5 s


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (7200, "2.00 h"),
        (90, "1.50 min"),
        (12.34, "12.3 s"),
        (0.00412, "4.12 ms"),
        (5e-6, "5.00 µs"),
        (0, "0 ns"),
    ],
)
def test_times_have_a_unit(seconds, text):
    assert report.duration(seconds) == text


def test_updating_the_page_replaces_what_is_between_the_markers(record, tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"before\n\n{report.BEGIN}\nold\n{report.END}\n\nafter\n", encoding="utf-8")
    assert report.update_page(page, record) and not report.update_page(page, record)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert report.section(record) in text
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="bench:begin"):
        report.update_page(page, record)


def test_the_page_has_the_table_of_the_committed_record():
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    old, new = report.renewed(PAGE, record)
    assert old == new, "run `make bench`"


def test_the_growth_figure_has_two_panels_and_names_what_is_extrapolated(record):
    figure = growth.figure(record["growth"])
    members, width = figure.axes
    assert [ax.get_xscale() + ax.get_yscale() for ax in (members, width)] == ["loglog"] * 2
    assert any("extrapolated" in text.get_text() for text in width.get_legend().get_texts())
    plt.close(figure)


def test_every_target_names_a_contender_or_a_measure_of_ours():
    for workload in workloads.WORKLOADS:
        assert {target.against for target in workload.targets} <= {
            *workload.contenders,
            "sgemm",
            "rate",
        }


def test_every_row_that_trains_is_asked_to_be_level_with_jax():
    for workload in workloads.WORKLOADS:
        if callable(workload.builder):  # the general engine is Keras on JAX itself
            continue
        trains, asked = workload.epochs > 0, workloads.LEVEL in workload.targets
        assert trains == ("jax-keras" in workload.contenders) == asked, workload.name
        assert workload.contenders[-1] == ("fit_many" if trains else "predict_many")


def test_programs_on_other_backends_are_told_model_and_chunks():
    described = workloads.find("mnist1d-cnn").described()
    assert json.loads(described.model)["class_name"] == "Sequential"
    assert described.width >= 1 and described.workers >= 1


def test_an_unknown_workload_is_refused_by_name():
    with pytest.raises(ValueError, match="must be one of keras-post, .* Received: 'mnist'"):
        workloads.find("mnist")
    command = [sys.executable, ROOT / "benchmarks" / "bench.py", "--only", "keras-post", "mnist"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert result.returncode == 2
    assert "must be some of keras-post" in result.stderr and "Received: mnist" in result.stderr


def test_a_part_measured_again_replaces_the_old_one_and_says_so(record):
    new = record | {
        "commit": "def",
        "workloads": {
            "keras-post": {"fit_many": [run(1000, 5.0, kernel_weights=4000, sgemm=100.0)]}
        },
    }
    del new["growth"], new["limit"]
    found = bench.merged(record, new)
    assert found["workloads"] == new["workloads"] and found["growth"] == record["growth"]
    assert "commit abc, keras-post at def." in report.section(found)
    assert "again" not in record
    with pytest.raises(ValueError, match="cores 2, this run with 4"):
        bench.merged(record, new | {"machine": record["machine"] | {"cores": 4}})


def test_an_update_needs_to_know_which_part():
    command = [sys.executable, ROOT / "benchmarks" / "bench.py", "--update"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert result.returncode == 2 and "goes with --only" in result.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is a thing of Linux")
def test_a_folder_that_cannot_be_written_to_is_noticed_before_twenty_minutes():
    with pytest.raises(SystemExit, match=r"Cannot write to /proc/here.*--out DIR"):
        bench.main(["--out", "/proc/here"])


@pytest.mark.slow
def test_a_quick_run_goes_end_to_end_and_leaves_the_page_alone(tmp_path):
    page = PAGE.read_bytes()
    options = [
        "--quick",
        "--only",
        "predict",
        "--contenders",
        "predict",
        "--out",
        tmp_path,
    ]
    command = [sys.executable, ROOT / "benchmarks" / "bench.py", *options]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert report.section(record) in result.stdout
    assert record["quick"] and record["repeats"] == 1
    assert list(record["workloads"]) == ["predict"]
    (predicting,) = record["workloads"].values()
    assert list(predicting) == ["predict", "predict_many"]
    for runs in predicting.values():
        (only,) = runs
        assert only["seconds"] > 0 and only["first"] > 0
    # The same random networks, so the same predictions.
    theirs, ours = (predicting[name][0]["loss"] for name in ("predict", "predict_many"))
    assert theirs["mean"] == pytest.approx(ours["mean"], rel=1e-4)
    assert PAGE.read_bytes() == page

"""The lab without a browser: where it begins, that its numbers are `fit_many`'s, and that no move compiles."""

import dataclasses
import pathlib
import re
import threading

import nbformat
import numpy as np
import pytest

from helpers import lab, models
from helpers._base import seeds
from helpers.data import Dataset
from helpers.engine import fit_many, runtime
from helpers.experiments import twenty_pixels
from helpers.lab import __main__ as timing
from helpers.lab import picture, tasks, training, worlds
from tools import metadata, notebooks

ROOT = pathlib.Path(__file__).parents[2]
NOTEBOOK = ROOT / notebooks.LAB
each_world = pytest.mark.parametrize("world", lab.WORLDS)


def small(world="line", **other):
    """Return a setting that trains at once."""
    return lab.usual(world, **{"width": 2, "epochs": 10, **other})


@pytest.fixture(scope="module")
def opened():
    """A lab of a few networks, as a reader has it before the first move."""
    return lab.start(worlds=("line", "pixels"), widths=(2, 4), members=4, seed=3)


@each_world
def test_each_world_begins_at_places_of_its_sliders(world):
    shown = lab.Lab((world,), lab.WIDTHS, 4, 0)
    assert shown.setting() == lab.usual(world)
    assert all(slider.continuous_update is False for slider in shown.sliders.values())


@each_world
def test_noise_and_number_of_runs_leave_a_run_its_randomness(world):
    draw = lab.WORLDS[world].draw
    low, high = (draw(1, noise, 3) for noise in lab.WORLDS[world].noises[1:3])
    more = draw(1, lab.WORLDS[world].noises[1], 5)
    assert np.array_equal(more.sets.x_train[:3], low.sets.x_train)
    assert np.array_equal(more.sets.y_train[:3], low.sets.y_train)
    assert low.sets.x_train.shape == high.sets.x_train.shape
    assert not np.array_equal(more.sets.x_train[0], more.sets.x_train[1])
    if world in ("line", "pixels"):  # the noise is in y
        assert np.array_equal(high.sets.x_train, low.sets.x_train)


def test_the_line_is_that_of_lesson_1():
    seen = lab.WORLDS["line"].draw(0, 2.0, 20)
    x, y = (lab.WORLDS["line"].real(part) for part in (seen.sets.x_train, seen.sets.y_train))
    assert x.min() >= 0 and x.max() <= 20
    assert np.std(y - 3 - 0.7 * x) == pytest.approx(2, rel=0.05)
    assert seen.truth == pytest.approx(3 + 0.7 * lab.WORLDS["line"].real(seen.new[:, 0]))


@each_world
def test_the_numbers_are_those_of_a_plain_fit_many_on_the_points_that_count(world):
    setting = small(world, n=20, l2=0.001, seed=5)
    result = lab.Bench(3)(setting)
    sets = lab.WORLDS[world].draw(5, setting.noise, 3).sets
    fewer = [
        Dataset(x_train=x[:20], y_train=y[:20], task=sets.task, name="fewer")
        for x, y in zip(sets.x_train, sets.y_train)
    ]
    layers = (2,) * lab.WORLDS[world].layers
    runs = fit_many(
        models.mlp(sets.input_shape, 1, hidden=layers, l2=0.001), Dataset.stack(fewer), members=3, epochs=10,
        batch_size=20, learning_rate=setting.rate, seed=seeds.integer(5, "fit"),
    )  # fmt: skip
    fits = lab.WORLDS[world].real(runs.predict(result.drawn.new)[..., 0])
    if world == "line":
        errors = np.mean((fits - result.drawn.truth) ** 2, axis=1)
        assert result.error == pytest.approx(errors, rel=1e-3)
    else:
        errors = 100 * np.mean((fits > 0) != (result.drawn.truth > 0), axis=1)
        assert result.error == pytest.approx(errors, abs=0.2)  # a point or two on the edge


@pytest.mark.compiled
def test_epochs_that_were_passed_are_read_off_with_the_same_bits():
    bench, fewer = lab.Bench(3), small(epochs=20, dropout=0.25)
    bench(dataclasses.replace(fewer, epochs=50))
    read, trained = bench(fewer), lab.Bench(3)(fewer)
    assert read.seconds == 0 < trained.seconds
    assert np.array_equal(read.network, trained.network)


def test_equal_seeds_make_pairs_and_others_do_not():
    one, same, other = (lab.Bench(3)(small(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.error, same.error) and not np.array_equal(one.error, other.error)
    assert "+0, " in picture.change(one, same)


def test_the_process_is_that_of_lesson_8(monkeypatch):
    setting = lab.usual("pixels", n=30)
    seen = training.drawn("pixels", 0, 0.0, 3)
    monkeypatch.setattr(twenty_pixels, "LENGTHS", worlds.LENGTHS)
    monkeypatch.setattr(twenty_pixels, "NOISES", worlds.NOISES)
    white = seen.truth > 0
    found = training.rivals("pixels", 0, 0.0, 3, setting.n) > 0
    for run in range(3):
        apart = ((seen.sets.x_train[run, : setting.n, None] - seen.places) ** 2).sum(axis=2)
        lesson, _ = twenty_pixels.by_process(white, apart.argmin(axis=1), worlds.SIDE)
        assert np.mean(found[run] == lesson) > 0.995


def test_least_squares_is_least_squares():
    x = np.linspace(-1, 1, 9)[None, :, None]
    line = worlds.least_squares(x, 2 * x[..., 0] - 1, x[0])
    assert line[0] == pytest.approx(2 * x[0, :, 0] - 1)


def test_a_diverged_network_counts_as_the_trivial_predictor():
    setting = small("spirals", noise=0.0)
    runs = training.train(setting, 3)
    runs.weights[0][:] = np.nan
    runs.diverged[:] = True
    errors = training.look(setting, runs).error
    assert errors == pytest.approx(50)


def test_what_single_runs_say_is_counted_with_wilsons_interval():
    result = lab.Bench(6)(small("spirals"))
    says = (result.error < result.rival_error).sum()
    assert result.share.estimate == says / 6 and result.share.method == "Wilson"
    first, share, mean = picture.finding(result, 2)
    assert f"{result.error[1]:.3g}" in first and f"{says} say yes" in share
    assert f"{result.error.mean():.3g}" in mean


def test_errors_are_said_with_their_unit():
    result = lab.Bench(3)(small("spirals"))
    assert f"{result.error[0]:.3g} %, that of" in picture.finding(result)[0]
    assert "+0 points, " in picture.change(result, result)
    assert "%, that of" not in picture.finding(lab.Bench(3)(small()))[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("world", "moon"),
        ("width", 0),
        ("n", 101),
        ("n", 1),
        ("epochs", 0),
        ("rate", 0.0),
        ("rate", float("nan")),
        ("l2", -1.0),
        ("dropout", 1.0),
        ("noise", -0.1),
        ("seed", -1),
        ("epochs", 2.5),
    ],
)
def test_a_setting_that_no_slider_has_is_refused_by_name(name, value):
    with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
        dataclasses.replace(small(), **{name: value})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"worlds": ("moon",)}, "worlds"),
        ({"widths": (3,)}, "widths"),
        ({"members": 1}, "members"),
        ({"seed": -1}, "seed"),
        ({"worlds": ()}, "worlds"),
        ({"widths": ()}, "widths"),
    ],
)
def test_a_lab_that_cannot_be_is_refused_by_name(given, name):
    with pytest.raises((TypeError, ValueError), match=f"`{name}`"):
        lab.start(**{"worlds": ("line",), "widths": (2,), "members": 4, **given})


@pytest.mark.parametrize("run", [0, 4])
def test_a_run_that_there_is_not_is_refused(run):
    with pytest.raises(ValueError, match="`run`"):
        picture.draw(lab.Bench(3)(small()), run)


@pytest.mark.slow
def test_no_move_compiles(opened):
    before = set(runtime._cache)
    for world in (*opened.worlds, "line"):
        opened.world.value = world
        for name, slider in opened.sliders.items():
            for place in (len(slider.options) - 1, 0):
                slider.index = place
                opened.wait()
                assert getattr(opened.result.setting, name) == slider.value
    opened.seed.value = 8
    opened.same.value = False
    opened.next.click()
    opened.wait()
    assert set(runtime._cache) == before
    assert opened.box.children[1].value.endswith(" s")


def test_stale_moves_are_dropped(monkeypatch):
    shown = lab.start(worlds=("line",), widths=(2,), members=3)
    train, begun, go = training.train, threading.Event(), threading.Event()
    asked = []

    def slow(setting, *rest):
        asked.append(setting.rate)
        begun.set()
        assert go.wait(60)
        return train(setting, *rest)

    monkeypatch.setattr(training, "train", slow)
    picture_before = shown.picture.value
    shown.sliders["rate"].value = 0.001
    assert begun.wait(60)
    for rate in (0.003, 0.03, 0.1):
        shown.sliders["rate"].value = rate
    assert shown.status.value == "training ..." and shown.picture.value == picture_before
    go.set()
    shown.wait()
    assert asked == [0.001, 0.1] and shown.dropped == 1
    assert shown.result.setting.rate == 0.1 and shown.picture.value != picture_before


def test_a_failure_beside_the_notebook_is_shown(monkeypatch, opened):
    def fail(*given):
        raise ValueError("on purpose: <1>")

    monkeypatch.setattr(training, "train", fail)
    opened.seed.value += 1
    opened.wait()
    assert "on purpose: &lt;1&gt;" in opened.status.value
    monkeypatch.undo()
    opened.seed.value += 1
    opened.wait()
    assert opened.status.value.endswith(" s")


def test_the_run_at_the_left_is_chosen_without_training(opened):
    result = opened.result
    opened.run.value = 3
    opened.wait()
    assert opened.result is result and "Run 3 says" in opened.words.value
    opened.next.click()
    opened.wait()
    assert opened.run.value == 4 and "Run 4 says" in opened.words.value


@each_world
def test_every_picture_is_drawn_without_a_warning(world):
    bench = lab.Bench(4)
    noises = lab.WORLDS[world].noises
    for other in ({}, {"n": 2}, {"noise": noises[0]}, {"noise": noises[-1], "l2": 10.0}):
        result = bench(small(world, **other))
        tag = picture.tag(result, 4)
        assert tag.startswith('<img alt="') and "Of 4 single runs" in tag


def test_the_notebook_is_short_tidy_and_carries_no_widget():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not metadata.untidy(NOTEBOOK)
    assert len(notebook.cells) <= 6 and notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    live = [cell for cell in code if "remove-output" in cell.metadata.get("tags", [])]
    assert len(live) == 1 and "lab.start" in live[0].source and not live[0].outputs
    assert "widgets" not in notebook.metadata
    (shown,) = [o for cell in code for o in cell.outputs if "image/png" in o.get("data", {})]
    assert '<img alt="Noisy line.' in shown.data["text/html"]


@pytest.mark.notebook
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # papermill's own
def test_the_notebook_runs_with_its_sliders_where_they_begin(tmp_path, uncompiled_kernels):
    done = tmp_path / "done" / "lab.ipynb"
    notebooks.execute(NOTEBOOK, done, tmp_path / "unfinished", "quick", 0)
    outputs = [
        o for cell in nbformat.read(done, as_version=4).cells for o in cell.get("outputs", [])
    ]
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_the_example_of_its_page_runs():
    page = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(example, names)
    assert names["runs"].weights[0].shape[0] == names["result"].share.n == lab.MEMBERS


def test_its_page_holds_what_the_command_writes(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    monkeypatch.setattr(timing, "table", lambda: "its times\n")
    monkeypatch.setattr(timing.tasks, "answers", lambda: f"what {lab.MEMBERS} say\n")
    page = tmp_path / "lab.md"
    page.write_text(text, encoding="utf-8")
    timing.main([str(page)])
    assert "its times\n\nwhat 50 say\n" in capsys.readouterr().out
    new = page.read_text(encoding="utf-8")
    assert "<!-- times -->\nits times\n<!-- end" in new and "-->\nwhat 50 say\n<!--" in new
    table = text.split("<!-- times -->", 1)[1].split("<!-- end of times -->", 1)[0]
    assert [table.count(f"| {lab.WORLDS[world].title} |") for world in ("line", "spirals")] == [
        2,
        2,
    ]
    assert f"{lab.MEMBERS} networks, {timing.POINTS} points, {timing.EPOCHS} epochs" in table
    answers = text.split("<!-- answers -->", 1)[1].split("<!-- end of answers -->", 1)[0]
    for number, task in enumerate(tasks.TASKS, 1):
        assert f"**{number}. {lab.WORLDS[task.world].title}.** {task.why}" in answers
        assert all(f"| {name} |" in answers for name in task.settings)


def test_an_answer_is_what_the_lab_shows():
    found = training.Bench(4)(lab.usual("line", width=2, n=5, epochs=2))
    cells = tasks.say(found).split(" | ")
    assert float(cells[0]) == pytest.approx(found.error.mean(), rel=0.01)
    assert cells[2] == f"{found.says.sum()} of 4"

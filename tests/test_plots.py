"""Figures draw what they were given, and never reach a reader without words."""

import base64
import html.parser
import io
import json
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbconvert
import nbformat
import numpy as np
import pytest
from PIL import Image

from helpers import plots, stats


@pytest.fixture
def ax():
    """Return axes that are closed afterwards."""
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_show_displays_a_picture_with_alt_text_and_a_caption(ax, monkeypatch):
    shown = []
    monkeypatch.setattr(plots, "display", lambda *args, **options: shown.append((args, options)))
    alt = "A line that rises from left to right."
    plots.show(ax.figure, "A caption of reasonable length.", alt)
    (picture, options), (caption, _) = shown
    png = picture[0]["image/png"]
    assert png.startswith(b"\x89PNG")
    assert base64.b64encode(png).decode() in picture[0]["text/html"]
    assert options["metadata"] == {"image/png": {"alt": alt}}
    assert "reasonable" in caption[0].data
    assert not plt.fignum_exists(ax.figure.number)


@pytest.mark.parametrize("template", ["lab", "classic", "basic"])
def test_the_alt_text_is_in_the_html_that_readers_get(template, monkeypatch):
    alt = 'The line "rises" where x < 0 & stays.'
    shown = []
    monkeypatch.setattr(plots, "display", lambda data, **options: shown.append((data, options)))
    plots.show(plt.figure(figsize=(2, 1)), "A caption of reasonable length.", alt)
    data, options = shown[0]
    png = base64.b64encode(data["image/png"]).decode()
    output = nbformat.v4.new_output(
        "display_data", data={**data, "image/png": png}, metadata=options["metadata"]
    )
    cell = nbformat.v4.new_code_cell("show()", outputs=[output])
    page, _ = nbconvert.HTMLExporter(template_name=template).from_notebook_node(
        nbformat.v4.new_notebook(cells=[cell])
    )
    found = []
    reader = html.parser.HTMLParser()
    reader.handle_startendtag = reader.handle_starttag = lambda tag, attributes: (
        found.append(dict(attributes).get("alt")) if tag == "img" else None
    )
    reader.feed(page)
    assert found == [alt]


def test_a_matplotlibrc_changes_no_figure(monkeypatch):
    plots.style()
    standard = dict(mpl.rcParams)
    monkeypatch.setitem(mpl.rcParams, "savefig.dpi", 17)
    monkeypatch.setitem(mpl.rcParams, "lines.linewidth", 9)
    plots.style()
    assert dict(mpl.rcParams) == standard


@pytest.mark.parametrize(
    ("caption", "alt"), [("", "A long enough alternative text."), ("A long enough caption.", "x")]
)
def test_show_refuses_a_figure_without_words(ax, caption, alt):
    with pytest.raises(ValueError, match="20 characters"):
        plots.show(ax.figure, caption, alt)


def test_pictures_are_the_same_bytes_every_time(monkeypatch):
    pictures = []
    monkeypatch.setattr(plots, "display", lambda data, **_: pictures.append(data))
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1])
        plots.show(
            figure, "A caption of reasonable length.", "A line that rises from left to right."
        )
    assert pictures[0]["image/png"] == pictures[2]["image/png"]


def test_over_epochs_draws_the_interval_of_stats(ax):
    values = np.random.default_rng(0).normal(size=(12, 2))
    plots.over_epochs(ax, [1, 2], values, replicates=5)
    found = [stats.mean_interval(column) for column in values.T]
    (bars,) = [container for container in ax.containers if hasattr(container, "has_yerr")]
    ends = [segment[:, 1] for segment in bars[2][0].get_segments()]
    np.testing.assert_allclose(ends, [[f.low, f.high] for f in found])
    assert len(ax.lines) == 5 + 1 + 2  # replicates, mean, two rows of caps


@pytest.mark.parametrize(("agrees", "share"), [("right", "75 %"), ("left", "25 %")])
def test_the_histogram_splits_at_the_edge(ax, agrees, share):
    plots.runs_histogram(ax, [-1.0, 1.0, 2.0, 3.0], mine=1.5, edge=0.5, agrees=agrees)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"inside the region: {share}" in labels and "your run" in labels
    assert sum(patch.get_height() for patch in ax.patches) == 4
    assert not [
        p
        for p in ax.patches
        if p.get_height() and p.get_x() < 0.5 - 1e-9 < p.get_x() + p.get_width() - 2e-9
    ]


def test_a_band_holds_its_share_and_refuses_curves_of_another_length(ax):
    curves = np.tile(np.linspace(0, 1, 101)[:, None], (1, 3))
    plots.band(ax, [0, 1, 2], curves, coverage=0.9)
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.05, 0.95))
    with pytest.raises(ValueError, match="`curves` must have shape"):
        plots.band(ax, [0, 1], curves)


def animate(monkeypatch, frames, alt="A dot < moves from left to right.", **options):
    """Return the HTML of an animation whose frame k draws a dot at k."""
    shown = []
    monkeypatch.setattr(plots, "display", lambda *args, **_: shown.append(args[0]))
    figure, axes = plt.subplots(figsize=(2, 1))

    def draw(k):
        axes.clear()
        axes.plot([k], [0], "o")
        axes.set_xlim(0, 9)

    plots.animate(figure, draw, frames, "A caption of reasonable length.", alt, **options)
    assert not plt.fignum_exists(figure.number)
    return shown[0]["text/html"]


def test_an_animation_is_a_still_picture_that_becomes_a_player_where_scripts_run(monkeypatch):
    player = animate(monkeypatch, [1, 2, 5])
    frames = json.loads(re.search(r"frames = (\[.*?\])", player)[1])
    assert len(frames) == len(set(frames)) == 3
    assert all(base64.b64decode(frame).startswith(b"\x89PNG") for frame in frames)
    still = re.search(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', player)
    assert still[1] == "A dot &lt; moves from left to right." and still[2] == frames[-1]
    assert 'labels = ["1", "2", "5"]' in player
    assert player == animate(monkeypatch, [1, 2, 5])


def test_no_colour_changes_from_frame_to_frame(monkeypatch):
    player = animate(monkeypatch, [1, 2, 5])
    frames = json.loads(re.search(r"frames = (\[.*?\])", player)[1])
    pictures = [Image.open(io.BytesIO(base64.b64decode(frame))) for frame in frames]
    assert len({tuple(picture.getpalette()) for picture in pictures}) == 1
    blue = np.array([int(plots.BLUE[i : i + 2], 16) for i in (1, 3, 5)])
    for picture in pictures:
        away = np.abs(np.asarray(picture.convert("RGB"), int) - blue).sum(axis=2)
        assert away.min() <= 3  # the dot is as blue as it was drawn


@pytest.mark.parametrize(
    ("frames", "options", "message"),
    [
        ([], {}, "frames"),
        (range(61), {}, "Leave out frames"),
        ([1], {"milliseconds": 0}, "milliseconds"),
    ],
)
def test_an_animation_refuses_what_it_cannot_play(monkeypatch, frames, options, message):
    with pytest.raises(ValueError, match=message):
        animate(monkeypatch, frames, **options)


def test_the_histogram_says_what_the_caller_calls_its_sides(ax):
    plots.runs_histogram(ax, [-1.0, 1.0, 2.0, 3.0], edge=0.0, names=("above zero", "below", "zero"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "above zero: 75 %",
        "below",
        "zero, 0",
    ]


def test_figures_are_kept_for_slides_with_their_words_and_of_an_animation_the_last_frame(
    monkeypatch, tmp_path
):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        monkeypatch.setenv(plots.SLIDES, str(folder))
        monkeypatch.setattr(plots, "display", lambda *_, **__: None)
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1])
        plots.show(
            figure, "A caption of reasonable length.", "A line that rises from left to right."
        )
        animate(monkeypatch, [1, 2, 5])
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == two  # equal figures, equal bytes
    assert sorted(one) == ["01.pdf", "01.svg", "02.pdf", "02.svg", "figures.md"]
    assert b"<svg" in one["01.svg"] and one["02.pdf"].startswith(b"%PDF")
    told = one["figures.md"].decode()
    assert "![A line that rises from left to right.](01.svg)" in told and "02.svg" in told
    assert told.count("The last frame of an animation") == 1

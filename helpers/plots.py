"""Figure functions on arrays, in one style; `show` attaches caption and alt text.

Colours are Okabe and Ito's, told apart by colour-blind readers; every series also differs by line style or marker, so
that figures can be read in black and white. Intervals are computed by `helpers.stats` and only drawn here.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike
from PIL import Image

from helpers import stats
from helpers._base import checks, files

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW, BLACK, GREY = "#56B4E9", "#E69F00", "#000000", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, BLACK, GREY)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
FRAME_COLOURS = 64
MOST_FRAMES = 60  # of an animation: a notebook stays below 2 MB
# Names a folder where each figure that is shown is kept for slides, too.
SLIDES = "GENERALIZE_SLIDES"

# Without scripts, as on GitHub, the picture stays: it is the last frame. With them, it begins at the first.
PLAYER = """<div id="{name}"><img alt="{alt}" src="data:image/png;base64,{still}" style="max-width:100%"></div>
<script>
setTimeout(function () {{
  const box = document.getElementById("{name}"), frames = {frames}, labels = {labels};
  if (!box || box.children.length > 1) return;
  const picture = box.querySelector("img"), bar = document.createElement("div");
  const button = document.createElement("button"), slider = document.createElement("input");
  const label = document.createElement("span");
  bar.style.cssText = "display:flex;align-items:center;gap:12px;margin:6px 0 14px";
  button.style.minWidth = "4.5em";
  let timer = null;
  function show(i) {{
    slider.value = i;
    label.textContent = labels[i];
    picture.src = "data:image/png;base64," + frames[i];
  }}
  function pause() {{ clearInterval(timer); timer = null; button.textContent = "Play"; }}
  function play() {{
    if (+slider.value === frames.length - 1) show(0);
    button.textContent = "Pause";
    timer = setInterval(function () {{
      if (+slider.value === frames.length - 1) pause(); else show(+slider.value + 1);
    }}, {milliseconds});
  }}
  button.onclick = function () {{ if (timer) pause(); else play(); }};
  slider.oninput = function () {{ pause(); show(+slider.value); }};
  slider.type = "range"; slider.min = 0; slider.max = frames.length - 1;
  slider.setAttribute("aria-label", "frame"); slider.style.flex = "0 1 50%";
  bar.append(button, slider, label); box.append(bar);
  pause(); show(0);
}}, 0);
</script>"""


def style() -> None:
    """Set the one style of all figures: seaborn's white grid, our palette, opaque background, readable sizes.

    It starts from Matplotlib's defaults, so that nobody's ``matplotlibrc`` changes a figure.
    """
    mpl.rcdefaults()
    sns.set_theme(style="whitegrid", context="notebook", palette=PALETTE)
    mpl.rcParams.update(
        {
            "figure.figsize": (8.0, 4.5),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#E5E5E5",
            "legend.frameon": True,
            "legend.framealpha": 0.9,
            "legend.edgecolor": "#CCCCCC",
            "figure.constrained_layout.use": True,
        }
    )


def percent(axis: Axis) -> None:
    """Write the shares along an axis (``ax.xaxis`` or ``ax.yaxis``) in percent."""
    axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def show(figure: Figure, caption: str, alt: str) -> None:
    """Display a figure as a picture with alt text, its caption below, and close it.

    The picture is HTML, where JupyterLab and nbconvert keep the alt text (they ignore it in an output's metadata), and
    PNG for what cannot show HTML, such as a PDF made by LaTeX.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Closed afterwards, so that Jupyter does not show it twice.
    caption : str
        Markdown: what is drawn, n and interval; at least 20 characters.
    alt : str
        The finding in words, for those who cannot see the picture; at least 20 characters.
    """
    _described(caption, alt)
    png = _small(_drawn(figure, bbox_inches="tight"), 256)
    _keep(figure, caption, alt)
    plt.close(figure)
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    tag = f'<img alt="{html.escape(alt)}" src="{source}" style="max-width:100%">'
    picture = {"text/html": tag, "image/png": png, "text/plain": alt}
    display(picture, metadata={"image/png": {"alt": alt}}, raw=True)
    display(Markdown(f"*{caption}*"))


def animate(
    figure: Figure,
    draw: Callable[[Any], Any],
    frames: Sequence[Any],
    caption: str,
    alt: str,
    milliseconds: int = 200,
    label: Callable[[Any], str] = str,
) -> None:
    """Display an animation that can be played, paused and stepped through, its caption below, and close the figure.

    Where scripts do not run (GitHub, a notebook that is not trusted) the last frame stands as a still picture.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn anew for each frame, at its own size: nothing is cropped, so that nothing jumps.
    draw : callable
        ``draw(frame)`` changes the figure for one of `frames`.
    frames : sequence
        At most 60.
    caption : str
        Markdown: what is drawn, n and interval; at least 20 characters.
    alt : str
        The finding in words, for those who cannot see the picture; at least 20 characters.
    milliseconds : int
        Time of a frame.
    label : callable
        Of a frame: the text that stands beside the controls.
    """
    _described(caption, alt)
    frames = list(frames)
    checks.integer(
        "len(frames)", len(frames), 1, MOST_FRAMES, "Leave out frames: a notebook stays small."
    )
    checks.integer("milliseconds", milliseconds, 1)
    pictures = []
    for frame in frames:
        draw(frame)
        pictures.append(_drawn(figure))
        figure.set_layout_engine(
            "none"
        )  # laid out once, or axes would jump with the width of their labels
    _keep(figure, f"{caption} (The last frame of an animation.)", alt)
    plt.close(figure)
    together = Image.new("RGB", (pictures[0].width, sum(one.height for one in pictures)))
    for index, one in enumerate(pictures):
        together.paste(one, (0, index * one.height))
    # One palette for all, so that no colour changes from frame to frame; this method keeps lines' own colours.
    palette = together.quantize(FRAME_COLOURS, Image.Quantize.FASTOCTREE)
    pictures = [base64.b64encode(_small(one, palette=palette)).decode("ascii") for one in pictures]
    name = (
        "animation-" + hashlib.sha256("".join(pictures).encode()).hexdigest()[:12]
    )  # the same in every run
    player = PLAYER.format(
        name=name,
        alt=html.escape(alt),
        still=pictures[-1],
        frames=json.dumps(pictures),
        labels=json.dumps([label(frame) for frame in frames]).replace("<", "\\u003c"),
        milliseconds=milliseconds,
    )
    display({"text/html": player, "text/plain": alt}, raw=True)
    display(Markdown(f"*{caption}*"))


def _described(caption, alt):
    """Refuse a figure without caption or alt text."""
    for name, text in (("caption", caption), ("alt", alt)):
        if not isinstance(text, str) or len(text.strip()) < 20:
            raise ValueError(checks.message(name, "a sentence of 20 characters or more", text))


def _keep(figure, caption, alt):
    """Write a figure as SVG and PDF, its texts in a page beside them, where the environment asks for slides."""
    if not os.environ.get(SLIDES):
        return
    folder = Path(os.environ[SLIDES])
    name = f"{len(list(folder.glob('*.svg'))) + 1:02}"
    told = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # equal figures, equal bytes
    with mpl.rc_context({"svg.hashsalt": "generalize"}):
        for kind, metadata in told.items():
            drawn = io.BytesIO()
            figure.savefig(drawn, format=kind, bbox_inches="tight", metadata=metadata)
            files.write(folder / f"{name}.{kind}", drawn.getvalue())
    page = folder / "figures.md"
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    files.write(page, f"{before}![{alt}]({name}.svg)\n\n{name}. *{caption}*\n\n")


def _drawn(figure, **options):
    """Return the figure as a picture of red, green and blue."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", **options)
    return Image.open(drawn).convert("RGB")


def _small(picture, *colours, **palette):
    """Return a picture as PNG with a palette: a third of the bytes, the same picture to the eye."""
    small = io.BytesIO()
    quantized = picture.quantize(*colours, dither=Image.Dither.NONE, **palette)
    quantized.save(small, format="png", optimize=True)
    return small.getvalue()


def band(
    ax: Axes,
    x: ArrayLike,
    curves: ArrayLike,
    color: str = BLUE,
    line: str = "-",
    label: str | None = None,
    coverage: float = 0.9,
    thin: int = 30,
) -> None:
    """Draw replicates as thin lines, the band that holds a share of them, and their mean.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    x : array_like (N,)
        Common abscissa.
    curves : array_like (M, N)
        One row per replicate.
    color, line, label : str
        Of the mean.
    coverage : float
        Share of replicates inside the band at each x.
    thin : int
        How many single replicates to draw.
    """
    curves = checks.array("curves", curves, shape=(None, len(x)), finite=False)
    low, high = np.nanquantile(curves, [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
    ax.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
    for curve in curves[:thin]:
        ax.plot(x, curve, color=color, alpha=0.15, linewidth=0.6)
    ax.plot(
        x, np.transpose([low, high]), color=color, linewidth=1
    )  # the band shows under many curves too
    ax.plot(x, np.nanmean(curves, axis=0), color=color, linestyle=line, linewidth=2.2, label=label)


def over_epochs(
    ax: Axes,
    epochs: ArrayLike,
    values: ArrayLike,
    color: str = BLUE,
    line: str = "-",
    marker: str = "o",
    label: str | None = None,
    level: float = stats.LEVEL,
    replicates: int = 40,
) -> None:
    """Draw the mean of a quantity against epochs with its interval, replicates behind it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    epochs : array_like (E,)
        Abscissa.
    values : array_like (M, E)
        One row per independent replicate.
    color, line, marker, label
        Of the mean.
    level : float
        Of the interval.
    replicates : int
        How many single replicates to draw, thin.
    """
    values = checks.array("values", values, shape=(None, len(epochs)))
    found = [stats.mean_interval(column, level) for column in values.T]
    middle = np.array([f.estimate for f in found])
    errors = np.array([[f.estimate - f.low, f.high - f.estimate] for f in found]).T
    for row in values[:replicates]:
        ax.plot(epochs, row, color=color, alpha=0.12, linewidth=0.6)
    ax.errorbar(
        epochs,
        middle,
        yerr=errors,
        color=color,
        linestyle=line,
        marker=marker,
        capsize=3,
        linewidth=2,
        label=label,
    )


def runs_histogram(
    ax: Axes,
    values: ArrayLike,
    mine: float | None = None,
    edge: float | None = None,
    agrees: str = "right",
    unit: str = "",
    names: tuple[str, str, str] = ("inside the region", "outside", "edge"),
) -> None:
    """Draw the histogram of all runs, the share on the region's side of an edge, and the reader's own run.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    values : array_like (n,)
        One per run.
    mine : float or None
        The reader's run, marked.
    edge : float or None
        Splits the histogram; no split if None.
    agrees : {"right", "left"}
        On which side of the edge the region lies.
    unit : str
        Label of the abscissa.
    names : (str, str, str)
        How the legend calls the side that agrees, the other, and the line between them.
    """
    values = checks.array("values", values, shape=(None,))
    checks.one_of("agrees", agrees, ("right", "left"))
    bins = np.histogram_bin_edges(values, bins="auto" if len(values) >= 20 else 8)
    if edge is None:
        ax.hist(values, bins=bins, color=BLUE, alpha=0.8, label=f"all {len(values)} runs")
    else:
        yes = values >= edge if agrees == "right" else values <= edge
        width = bins[1] - bins[0]
        bins = edge + width * np.arange(
            np.floor((bins[0] - edge) / width), np.ceil((bins[-1] - edge) / width) + 1
        )
        share = f"{100 * np.mean(yes):.0f} %"
        ax.hist(values[yes], bins=bins, color=BLUE, alpha=0.85, label=f"{names[0]}: {share}")
        ax.hist(values[~yes], bins=bins, color=ORANGE, alpha=0.85, hatch="//", label=names[1])
        ax.axvline(edge, color=BLACK, linewidth=1.5, linestyle=":", label=f"{names[2]}, {edge:g}")
    if mine is not None:
        ax.axvline(mine, color=PINK, linewidth=2.5, linestyle="-.", label="your run")
    ax.set(xlabel=unit, ylabel="runs")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


def verdict_intervals(
    ax: Axes,
    intervals: Sequence[tuple[float, float, float]],
    labels: Sequence[str],
    edges: Sequence[float],
    region: tuple[float, float] | None = None,
) -> None:
    """Draw intervals against the edges that decide a verdict, one row each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    intervals : sequence of (low, estimate, high)
        From top to bottom.
    labels : sequence of str
        One per interval.
    edges : sequence of float
        Vertical lines, for example -d and d.
    region : tuple of float or None
        Shaded: where the statement holds.
    """
    rows = np.arange(len(intervals))[::-1]
    if region is not None:
        ax.axvspan(*region, color=GREEN, alpha=0.15, linewidth=0)
    for edge in edges:
        ax.axvline(edge, color=BLACK, linewidth=1, linestyle=":")
    for row, (low, middle, high), marker in zip(rows, intervals, MARKERS * 9, strict=False):
        ax.errorbar(
            middle,
            row,
            xerr=[[middle - low], [high - middle]],
            color=BLUE,
            marker=marker,
            capsize=4,
            linewidth=2,
        )
    ax.set_yticks(rows, labels)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.grid(visible=False, axis="y")

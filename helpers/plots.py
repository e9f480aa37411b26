"""Figure functions on arrays, in one style; `show` attaches caption and alt text.

Colours are Okabe and Ito's, told apart by colour-blind readers; every series also differs by line style or marker, so
that figures can be read in black and white. Intervals are computed by `helpers.stats` and only drawn here.
"""

from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import Markdown, display

from helpers import checks, stats

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW, BLACK, GREY = "#56B4E9", "#E69F00", "#000000", "#999999"
PALETTE = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, BLACK, GREY)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def style():
    """Set the one style of all figures: seaborn's white grid, our palette, opaque background, readable sizes."""
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


def show(figure, caption, alt):
    """Display a figure as a picture with alt text, its caption below, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Closed afterwards, so that Jupyter does not show it twice.
    caption : str
        Markdown: what is drawn, n and interval.
    alt : str
        The finding in words, for those who cannot see the picture; at least 20 characters.
    """
    for name, text in (("caption", caption), ("alt", alt)):
        if not isinstance(text, str) or len(text.strip()) < 20:
            raise ValueError(checks.message(name, "a sentence of 20 characters or more", text))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    picture = {"image/png": buffer.getvalue(), "text/plain": alt}
    display(picture, metadata={"image/png": {"alt": alt}}, raw=True)
    display(Markdown(f"*{caption}*"))


def band(ax, x, curves, color=BLUE, line="-", label=None, coverage=0.9, thin=30):
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
    ax.plot(x, np.nanmean(curves, axis=0), color=color, linestyle=line, linewidth=2.2, label=label)


def over_epochs(ax, epochs, values, color=BLUE, line="-", marker="o", label=None, level=stats.LEVEL, replicates=40):
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
        epochs, middle, yerr=errors, color=color, linestyle=line, marker=marker, capsize=3, linewidth=2, label=label
    )


def runs_histogram(ax, values, mine=None, edge=None, agrees="right", unit=""):
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
    """
    values = checks.array("values", values, shape=(None,))
    checks.one_of("agrees", agrees, ("right", "left"))
    bins = np.histogram_bin_edges(values, bins="auto" if len(values) >= 20 else 8)
    if edge is None:
        ax.hist(values, bins=bins, color=BLUE, alpha=0.8, label=f"all {len(values)} runs")
    else:
        yes = values >= edge if agrees == "right" else values <= edge
        width = bins[1] - bins[0]
        bins = edge + width * np.arange(np.floor((bins[0] - edge) / width), np.ceil((bins[-1] - edge) / width) + 1)
        share = f"{100 * np.mean(yes):.0f} %"
        ax.hist(values[yes], bins=bins, color=BLUE, alpha=0.85, label=f"inside the region: {share}")
        ax.hist(values[~yes], bins=bins, color=ORANGE, alpha=0.85, hatch="//", label="outside")
        ax.axvline(edge, color=BLACK, linewidth=1.5, linestyle=":", label=f"edge, {edge:g}")
    if mine is not None:
        ax.axvline(mine, color=PINK, linewidth=2.5, linestyle="-.", label="your run")
    ax.set(xlabel=unit, ylabel="runs")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)


def verdict_intervals(ax, intervals, labels, edges, region=None):
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
            middle, row, xerr=[[middle - low], [high - middle]], color=BLUE, marker=marker, capsize=4, linewidth=2
        )
    ax.set_yticks(rows, labels)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.grid(visible=False, axis="y")

"""The lab's one figure and its words: one run, fifty runs, and what each single run says.

Drawn without pyplot, which a thread beside the notebook's own must not use.
"""

from __future__ import annotations

import base64
import html
import io

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from helpers import plots, stats
from helpers._base import checks, seeds
from helpers.lab.training import Result
from helpers.lab.worlds import SIDE

THIN = 8  # runs that are drawn as thin lines
BAND = (0.05, 0.95)
MAP = LinearSegmentedColormap.from_list("share", [plots.SKY, "#FFFFFF", plots.YELLOW])


def draw(result: Result, run: int = 1) -> Figure:
    """Return the figure: left one run, right all, below what each single run says.

    Parameters
    ----------
    result : Result
        Of `training.look`.
    run : int
        The one at the left, from 1.

    Raises
    ------
    ValueError
        For a run that there is not.
    """
    one = checks.integer("run", run, 1, len(result.error)) - 1
    sizes = {"axes.titlesize": 11, "axes.labelsize": 10, "xtick.labelsize": 9, "ytick.labelsize": 9}
    with mpl.rc_context(sizes):
        figure = Figure(figsize=(9, 5.6), dpi=100, layout="none")
        FigureCanvasAgg(figure)
        left = figure.add_axes((0.075, 0.385, 0.41, 0.56))
        right = figure.add_axes((0.565, 0.385, 0.41, 0.56), sharex=left, sharey=left)
        each = _curves if result.drawn.sets.task == "regression" else _maps
        each(left, right, result, one)
        yes, no = result.says.sum(), (~result.says).sum()
        left.set_title(f"One run, number {run}: it says {_word(result.says[one])}", y=1.01)
        right.set_title(f"{yes + no} runs: {yes} say yes, {no} say no", y=1.01)
        _single_runs(figure.add_axes((0.075, 0.1, 0.9, 0.105)), result, one)
    return figure


def _curves(left, right, result, one):
    """Draw the line's fits: one with its points and rival, and all with their mean and band."""
    world, seen, n = result.world, result.drawn, result.setting.n
    x, at = world.real(seen.places[:, 0]), world.real(seen.new[:, 0])
    dashed = {"color": plots.ORANGE, "linestyle": "--"}
    for ax in (left, right):
        ax.plot(at, seen.truth, color=plots.BLACK, linestyle=":", linewidth=2, label="true line")
        ax.set(xlabel="x", xlim=(0, 2 * world.unit), xticks=range(0, 21, 5), ylim=(-4, 24))
    points = [world.real(part[one, :n, 0]) for part in (seen.sets.x_train, seen.sets.y_train)]
    left.plot(*points, "o", color=plots.GREY, markersize=4)
    left.plot(x, result.rival[one], **dashed, linewidth=1.8, label=world.rival)
    left.plot(x, result.network[one], color=plots.BLUE, linewidth=2.2, label="network")
    plots.band(right, x, result.network, label="mean of the networks", thin=THIN)
    ends = np.quantile(result.rival, BAND, axis=0)
    right.plot(x, ends[0], **dashed, linewidth=1.2, label=f"90 % of {world.rival}")
    right.plot(x, ends[1], **dashed, linewidth=1.2)
    left.set(ylabel="y")
    for ax in (left, right):
        ax.legend(loc="upper left", fontsize=9)


def _maps(left, right, result, one):
    """Draw the plane's fits: one map with its points and rival, and the share of all with their edges."""
    seen, n = result.drawn, result.setting.n
    side = np.unique(seen.places[:, 0])
    ends, edge = (side[0], side[-1]), side[-1] * SIDE / (SIDE - 1)
    share = (result.network > 0).mean(axis=0)  # (G,)
    look = {"origin": "lower", "extent": (-edge, edge, -edge, edge), "interpolation": "bilinear"}
    right.imshow(share.reshape(SIDE, SIDE), vmin=0, vmax=1, cmap=MAP, **look)
    score = np.clip(result.network[one], -1e6, 1e6).reshape(SIDE, SIDE)
    levels, pale = [-2e6, 0, 2e6], (plots.SKY, plots.YELLOW)
    left.contourf(side, side, score, levels=levels, colors=pale, alpha=0.75)
    x, y = seen.sets.x_train[one, :n], seen.sets.y_train[one, :n]
    for colour, (marker, color) in enumerate((("o", plots.BLUE), ("s", plots.ORANGE))):
        dots = {"s": 26, "edgecolor": "white", "linewidth": 0.6, "zorder": 3}
        left.scatter(*x[y == colour].T, color=color, marker=marker, **dots)

    def border(ax, values, level, color, width, line="-"):
        if values.min() < level < values.max():  # else there is none, and Matplotlib would warn
            form = {"colors": color, "linewidths": width, "linestyles": line}
            ax.contour(side, side, values.reshape(SIDE, SIDE), levels=[level], **form)

    border(left, result.rival[one], 0, plots.BLACK, 1.4, "--")
    for fit in result.network[:THIN]:
        border(right, fit, 0, plots.GREY, 0.5)
    border(right, share, 0.5, plots.BLUE, 2.2)
    for level in BAND:
        border(right, share, level, plots.BLUE, 1, "--")
    keys = [f"dashed: {result.world.rival}", "thick: half of the runs; dashed: 5 and 95 %"]
    if seen.places is seen.new:  # the image is known
        keys[0] += "; dotted: the image"
        for ax in (left, right):
            border(ax, seen.truth, 0.5, plots.PINK, 2.4, ":")
    for ax, key in zip((left, right), keys, strict=True):
        ax.set(xlabel=f"first input\n{key}", aspect="equal", xlim=ends, ylim=ends)
        ax.grid(visible=False)
    left.set(ylabel="second input")


def _single_runs(ax, result, one):
    """Draw each run's error beyond the rival's, marked by what it says."""
    gap, edge = result.error - result.rival_error, result.edge
    height = seeds.generator(0, "height").uniform(-0.6, 0.6, len(gap))  # no dot hides another
    low, high = min(gap.min(), 0), max(gap.max(), edge)
    margin = 0.04 * (high - low) or 1.0
    ax.axvspan(low - margin, edge, color=plots.GREEN, alpha=0.13, linewidth=0)
    ax.axvline(edge, color=plots.BLACK, linewidth=1, linestyle=":")
    for chosen, form in ((result.says, "o"), (~result.says, "s")):
        color = plots.GREEN if form == "o" else plots.GREY
        ax.plot(gap[chosen], height[chosen], form, color=color, markersize=5, alpha=0.75)
    ax.scatter(gap[one], height[one], 140, "none", edgecolor=plots.BLACK, linewidth=1.8, zorder=3)
    ax.axvline(gap.mean(), color=plots.BLACK, linewidth=2)
    ax.set(xlim=(low - margin, high + margin), ylim=(-1, 1), yticks=[])
    ax.set_xlabel(f"{result.world.error}: the network minus {result.world.rival}")
    key = "Each run: green circles say yes, grey squares no. Thick line: the mean. Ring: the run at the left"
    ax.set_title(key, fontsize=10, y=1.05)


def _word(says):
    """Return yes or no."""
    return "yes" if says else "no"


def finding(result: Result, run: int = 1) -> list[str]:
    """Return what one run says, what all say, and what their mean says: three sentences of plain text."""
    one, share, number = run - 1, result.share, result.world.number
    mean, other = result.error.mean(), result.rival_error.mean()
    true = bool(mean < other + result.edge)
    wrong = int((result.says != true).sum())
    ends = f"{100 * share.level:.0f} % interval {100 * share.low:.0f} to {100 * share.high:.0f} %"
    return [
        f"Run {run} says {_word(result.says[one])}: its error is {number(result.error[one])}, that of "
        f"{result.world.rival} {number(result.rival_error[one])}.",
        f"Of {share.n} single runs {int(result.says.sum())} say yes: {100 * share.estimate:.0f} %, {ends}.",
        f"The mean of the errors says {_word(true)}: {number(mean)}, against {number(other)}. "
        f"{wrong} of {share.n} runs would have told you otherwise.",
    ]


def change(result: Result, earlier: Result) -> str:
    """Return how the error has changed since an earlier result with the same seed: a sentence on pairs of runs."""
    found = stats.paired_interval(result.error, earlier.error)
    fewer = int((result.error < earlier.error).sum())
    unit = " points" if result.world.number(0).endswith("%") else ""
    return (
        f"Against the setting before, pair by pair, the error has changed by {found.estimate:+.3g}{unit}, "
        f"{100 * found.level:.0f} % interval {found.low:+.3g} to {found.high:+.3g}; it is smaller in {fewer} of "
        f"{found.n} pairs."
    )


def alt(result: Result, run: int = 1) -> str:
    """Return the finding for those who cannot see the picture."""
    return f"{result.world.title}. {result.world.statement} {' '.join(finding(result, run))}"


def caption(result: Result) -> str:
    """Return what is drawn, and n."""
    one, world = result.setting, result.world
    if world.within:
        fits = "Blue: networks, with mean and 90 % band; orange: "
    else:
        fits = "Colours: what a network, or how many networks, say; dashed black, left: "
    return (
        f"{world.title}: {len(result.error)} networks, width {one.width}, {one.n} points each, noise {one.noise:g} "
        f"({world.noise}), {one.epochs} epochs. {fits}{world.rival}. *{world.statement}* {finding(result)[1]}"
    )


def show(result: Result, run: int = 1) -> None:
    """Show the figure as the lessons do, as a still picture with caption and alt text."""
    plots.show(draw(result, run), caption(result).replace("*", ""), alt(result, run))


def tag(result: Result, run: int = 1) -> str:
    """Return the figure as an ``img`` that holds it, with its alt text."""
    drawn = io.BytesIO()
    draw(result, run).savefig(drawn, format="png", pil_kwargs={"compress_level": 1})
    source = base64.b64encode(drawn.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(alt(result, run))}" src="data:image/png;base64,{source}" style="max-width:100%">'


def question(result: Result) -> str:
    """Return the question and the statement that runs say yes or no to, as HTML."""
    return f"<b>What would one run have told you?</b> <i>{html.escape(result.world.statement)}</i>"


def words(result: Result, run: int = 1, earlier: Result | None = None) -> str:
    """Return the answers as HTML."""
    sentences = [html.escape(one) for one in finding(result, run)]
    if earlier is not None:
        sentences.append(html.escape(change(result, earlier)))
    each = "".join(f"<li>{one}</li>" for one in sentences)
    return f"<ul style='margin:0;line-height:1.4'>{each}</ul>"

"""The pictures of lesson 01's first half; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from helpers import plots, stats
from helpers.data import Dataset
from helpers.experiments import noisy_line
from helpers.experiments.noisy_line import VARIANCE

PARTS = {
    "offset": ("too high or too low", plots.BLUE, ""),
    "slope": ("too steep or too flat", plots.SKY, "//"),
    "wiggle": ("wiggle", plots.ORANGE, "xx"),
}


def _line_of(x, y, at):
    return np.polyval(np.polyfit(x, y, 1), at)


def show_riddle(found: Mapping, row: int = 0) -> None:
    """Show three fits of one data set without saying which is which."""
    x, points = found["constants"]["x"].astype(float), found["points"][row].astype(float)
    one = Dataset(x_train=points[:, :1], y_train=points[:, 1:], task="regression", name="line")
    inside = np.linspace(points[:, 0].min(), points[:, 0].max(), 1500)
    wild = noisy_line.polynomial([one], inside, len(points) - 1)[0]
    figure, ax = plt.subplots(figsize=(8, 4.3))
    ax.plot(*points.T, "o", color=plots.GREY, markersize=4, label="100 points")
    ax.plot(inside, wild, color=plots.ORANGE, linewidth=1, linestyle=":", label="A")
    ax.plot(x, _line_of(*points.T, x), color=plots.GREEN, linewidth=2, linestyle="--", label="B")
    ax.plot(x, found["curves"][row], color=plots.BLUE, linewidth=2.5, label="C")
    ax.set(xlabel="x", ylabel="y", ylim=(-6, 26))
    ax.set_title("One has 2 parameters, one 100, one 40,701. Which is which?")
    ax.legend(loc="upper left", ncols=4)
    plots.show(
        figure,
        "Three fits to the same 100 points.",
        "Three curves through 100 noisy points around a straight line: A swings wildly from point to point, "
        "B is a straight line, C bends a little and stays near B. The network with 40,701 parameters is C.",
    )


def show_fit(one: Dataset, curve: np.ndarray) -> None:
    """Show the reader's own data set with the network's curve and the least-squares line."""
    x, truth = noisy_line.places(one)
    at, y = noisy_line.points(one)
    line = noisy_line.least_squares([one], x)[0]
    figure, ax = plt.subplots(figsize=(8, 4))
    ax.plot(at, y, "o", color=plots.GREY, markersize=4, label="your 100 points")
    ax.plot(x, line, "--", color=plots.GREEN, linewidth=2, label="least-squares line")
    ax.plot(x, np.ravel(curve), color=plots.BLUE, linewidth=2.5, label="your network")
    ax.set(xlabel="x", ylabel="y", title="Your run: which of the three sentences would you write?")
    ax.legend(loc="upper left", ncols=3)
    excess = np.mean((np.ravel(curve) - truth) ** 2)
    plots.show(
        figure,
        f"Your network's mean squared distance to the true line is {excess:.2f}; "
        f"that of the least-squares line is {np.mean((line - truth) ** 2):.2f}.",
        "Your data set with the curve of your network and the least-squares line.",
    )


def show_fits(sets: Sequence[Dataset], curves: np.ndarray) -> None:
    """Show many networks and many least-squares lines, each fitted to points of its own."""
    x, truth = noisy_line.places(sets[0])
    lines = noisy_line.least_squares(sets, x)
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.9), sharey=True)
    panels = ((curves, plots.BLUE, "network"), (lines, plots.GREEN, "least squares"))
    for ax, (fits, color, name) in zip(axes, panels, strict=True):
        plots.band(ax, x, fits, color=color, label="mean", thin=50)
        ax.plot(x, truth, "--", color=plots.BLACK, linewidth=1.5, label="true line")
        ax.set(xlabel="x", title=f"{name}: {np.mean((fits - truth) ** 2):.2f} from the truth")
        ax.legend(loc="upper left")
    axes[0].set(ylabel="fitted y")
    plots.show(
        figure,
        f"{len(sets)} data sets. Thin: single fits. Shaded: nine of ten fits. "
        "In the titles: the mean squared distance to the true line.",
        "The networks' curves form a band around the true line that is wider than that of the least-squares lines.",
    )


def show_excess(found: Mapping) -> None:
    """Show each data set's difference in excess risk between network and line."""
    gap = found["excess_network"].astype(float) - found["excess_line"]
    mean = stats.mean_interval(gap)
    share = np.mean(gap <= 0.2)
    figure, ax = plt.subplots(figsize=(8, 3.2))
    high = np.quantile(gap, 0.985)
    plots.runs_histogram(
        ax, np.minimum(gap, high), edge=0.2, agrees="left",
        names=("as good as the line", "worse", "5 % of the noise variance"),
    )  # fmt: skip
    ax.errorbar(
        mean.estimate, ax.get_ylim()[1] * 1.04, xerr=[[mean.estimate - mean.low], [mean.high - mean.estimate]],
        fmt="D", color=plots.BLACK, capsize=5, label="mean, 99 % interval",
    )  # fmt: skip
    ax.set(xlabel="error on new points, network minus line", ylabel="data sets", xlim=(None, high))
    ax.set_title(
        f"One run says 'as good' in {share:.0%} of cases; the mean does not".replace("%", " %")
    )
    ax.legend(loc="upper right")
    plots.show(
        figure,
        f"{len(gap)} data sets, one network each; the largest 1.5 % are drawn at the right end.",
        f"A histogram with a long right tail: {share:.0%} of single runs lie below 0.2, "
        f"yet the mean is {mean.estimate:.2f}.",
    )


def show_parts(found: Mapping, arms: Mapping[str, str]) -> None:
    """Show how each arm's excess risk splits into offset, slope and wiggle.

    Parameters
    ----------
    found : dict of numpy.ndarray
        From an experiment that returns ``offset_ARM`` and so on.
    arms : dict of str to str
        The ending of each arm, and how the figure calls it, from top to bottom.
    """
    figure, ax = plt.subplots(figsize=(8, 0.75 * len(arms) + 1.7))
    for place, arm in enumerate(arms):
        left = 0.0
        for part, (words, color, hatch) in PARTS.items():
            value = float(found[f"{part}_{arm}"].mean())
            ax.barh(
                place, value, 0.6, left, color=color, hatch=hatch, edgecolor="white",
                label=words if place == 0 else None,
            )  # fmt: skip
            left += value
        ax.text(left + 0.008, place, f"{left:.2f}", va="center")
    ax.set_yticks(range(len(arms)), list(arms.values()))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    totals = {arm: float(found[f"excess_{arm}"].mean()) for arm in arms}
    ax.set(xlabel="mean squared distance to the true line", xlim=(0, 1.15 * max(totals.values())))
    shift = float(found[f"offset_{next(iter(arms))}"].mean()) / totals[next(iter(arms))]
    ax.set_title(
        f"{shift:.0%} of the network's error is a shift of the whole curve".replace("%", " %")
    )
    ax.legend(loc="lower right")
    n = len(found[f"excess_{next(iter(arms))}"])
    listed = ", ".join(f"{name} {totals[arm]:.2f}" for arm, name in arms.items())
    plots.show(
        figure,
        f"Means over {n} data sets; each bar is the whole error on new points.",
        f"Stacked bars of the error on new points: {listed}.",
    )


def show_path(found: Mapping, marks: Sequence[int] = (74, 981, 20000)) -> None:
    """Show training error against excess risk while the network is trained until it fits."""
    training = np.median(found["training"], axis=0)
    excess = np.median(found["excess"], axis=0)
    steps = found["constants"]["steps"]
    figure, ax = plt.subplots(figsize=(8, 4.6))
    late = steps >= 40
    for row in range(min(60, len(found["training"]))):
        ax.plot(
            found["training"][row][late],
            found["excess"][row][late],
            color=plots.BLUE,
            alpha=0.08,
            linewidth=0.7,
        )
    ax.plot(
        training[late],
        excess[late],
        "o-",
        color=plots.BLUE,
        linewidth=2.5,
        markersize=4,
        label="network, entering from the right",
    )
    for mark, side in zip(marks, ("right", "left", "left"), strict=True):
        place = int(np.argmin(np.abs(steps - mark)))
        ax.annotate(
            f"step {steps[place]:,}",
            (training[place], excess[place]),
            textcoords="offset points",
            xytext=(0, 8),
            ha=side,
        )
    spots = (
        ("the post's network, 200 epochs", "training_post", "excess_post", "s", plots.PINK),
        ("nearest point, copied", None, "excess_nearest", "v", plots.ORANGE),
        ("least-squares line", "training_line", "excess_line", "D", plots.GREEN),
    )
    for name, across, up, marker, color in spots:
        at = np.median(found[across]) if across in found else 0.0 if across is None else 1 - 2 / 100
        ax.plot(at, np.median(found[up]), marker, color=color, markersize=10, label=name)
    ax.axhline(VARIANCE, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.text(1.32, VARIANCE * 1.06, "the noise itself", ha="right", color="#555555")
    ax.set(
        xlabel="training error, in units of the noise variance", ylabel="error on new points",
        yscale="log", xlim=(-0.04, 1.35), ylim=(0.03, 12),
    )  # fmt: skip
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    lowest, last = excess[late].min(), excess[-1]
    rises = last > 4 * lowest
    after = "then it learns the noise" if rises else "and that is all"
    ax.set_title(f"First it learns the line ({lowest:.1f}), {after} ({last:.1f})")
    ax.legend(loc="lower left", fontsize=10)
    plots.show(
        figure,
        f"{len(found['training'])} data sets. Thick and marks: medians; thin: sixty single networks. "
        "Training goes from right to left.",
        f"The network's error on new points first falls to {lowest:.1f} while its training error falls to the noise "
        f"variance, and ends at {last:.1f} when the training error is far below it.",
    )

"""The pictures of lesson 11 that show rulers, widths and gaps; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.experiments import basins

LOOKS = {"good": (plots.BLUE, "-", "o"), "bad": (plots.ORANGE, "--", "s")}
NAMES = {  # of the rulers, two lines at most
    "filter": "rays, in units of\neach unit's weights",
    "euclidean": "rays, plain length",
    "stretched": "stretched rays,\nplain length",
    "mass": "chance of a draw",
    "mass_stretched": "chance of a draw,\nstretched rays",
    "hessian": "curvature",
}
ROUND = [digit * 10.0**power for power in range(-4, 2) for digit in (1, 2, 3, 4, 6)]  # of a width


def show_ellipse(found: Mapping[str, Any]) -> None:
    """Show rays in an ellipse, and by how much a thousand of them underrate one in more dimensions.

    Parameters
    ----------
    found : dict
        Arrays of the experiment ``basins/known_shapes``.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.9), width_ratios=(5, 4))
    turn = np.linspace(0, 2 * np.pi, 200)
    left.plot(4 * np.cos(turn), np.sin(turn), color=plots.BLACK, linewidth=1.5)
    angles = np.pi / 14 + 2 * np.pi * np.arange(14) / 14
    radii = 1 / np.sqrt((np.cos(angles) / 4) ** 2 + np.sin(angles) ** 2)
    for angle, radius in zip(angles, radii, strict=True):
        left.plot([0, radius * np.cos(angle)], [0, radius * np.sin(angle)], color=plots.BLUE)
    share = np.mean(radii**2) / 4
    left.set(aspect="equal", xlim=(-4.3, 4.3), ylim=(-2.2, 2.2))
    left.axis("off")
    left.set_title(f"2 dimensions: {len(angles)} rays find {100 * share:.0f} %", fontsize=11)
    sizes, lost = found["constants"]["dimensions"], found["missing"]
    right.plot(sizes, lost.T, "o", color=plots.BLUE, markersize=4, alpha=0.4)
    right.plot(sizes, lost.mean(axis=0), color=plots.BLUE, linewidth=2)
    right.plot(
        sizes, found["constants"]["predicted"], ":", color=plots.BLACK, label="if all rays saw the mean curvature"
    )  # fmt: skip
    right.set(xscale="log", xlabel="dimensions", ylabel="orders of magnitude missed")
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.set_title("A thousand rays, more dimensions", fontsize=11)
    right.legend(loc="upper left", fontsize=9)
    most = lost[:, -1].mean()
    figure.suptitle(
        f"Rays measure an ellipse well, and miss {most:.0f} zeros in {sizes[-1]:,} dimensions",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    plots.show(
        figure,
        "Left: rays evenly spread, axes 4 to 1; the area from the mean of the squared rays. Right: a thousand random "
        f"rays in ellipsoids whose axes spread over a factor of a hundred; dots: {len(lost)} draws.",
        f"In two dimensions rays find {100 * share:.0f} % of an ellipse's area. With the dimension the volume that "
        f"they miss grows to {most:.0f} orders of magnitude in {sizes[-1]:,} dimensions.",
    )


def show_walks(distance: np.ndarray, loss: Mapping[str, np.ndarray]) -> None:
    """Show the training loss of the reader's two networks along random walks away from them.

    Parameters
    ----------
    distance : numpy.ndarray (R,)
        How far, in units of the weights' own length.
    loss : dict of array_like (K, R)
        For "good" and "bad": along each of K directions.
    """
    figure, ax = plt.subplots(figsize=(7, 3.6))
    ax.axhline(basins.EDGE, color=plots.BLACK, linewidth=1.3, linestyle=":")
    ax.text(distance[-1], basins.EDGE * 1.1, "edge of the basin", ha="right", fontsize=9)
    reached = {}
    for name, values in loss.items():
        color, line, _ = LOOKS[name]
        values = np.asarray(values)
        ax.plot(distance, values.T, line, color=color, linewidth=1.2)
        ax.plot([], [], line, color=color, label=name)
        outside = values > basins.EDGE
        reached[name] = float(
            np.median(np.where(outside.any(axis=1), distance[outside.argmax(axis=1)], distance[-1]))
        )
    ax.set(
        xlabel="distance, as a share of the length of all weights",
        ylabel="training loss",
        yscale="log",
    )
    ax.set_title("How far can you walk before the loss passes 0.1?")
    ax.legend(loc="lower right")
    plots.show(
        figure,
        f"Your two networks, {len(values)} random directions each. Both begin at a training loss of about 0.005.",
        f"The loss of the good network passes 0.1 at {reached['good']:.2f} times its length, that of "
        f"the bad one at {reached['bad']:.2f}.",
    )


def show_fifty(radius: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> None:
    """Show test accuracy against the width of the basin for the reader's networks."""
    figure, ax = plt.subplots(figsize=(7, 3.8))
    for name, values in radius.items():
        color, _, marker = LOOKS[name]
        ax.plot(values, 100 * test[name], marker, color=color, alpha=0.6, markersize=7, label=name)
    least = np.finfo(np.float32).tiny  # a few small networks may have no basin at all
    logs = {name: np.mean(np.log(np.maximum(values, least))) for name, values in radius.items()}
    ratio = np.exp(logs["good"] - logs["bad"])
    ax.set(
        xlabel="mean radius, in units of each unit's weights",
        ylabel="test accuracy, %",
    )
    ax.set_xlim(0, None)
    ax.set_title(f"The good basins are {ratio:.1f} times as wide as the bad ones")
    ax.legend(loc="center left")
    plots.show(
        figure,
        f"{len(values)} pairs of networks, one dot each.",
        f"Good networks have wide basins and high test accuracy, bad ones narrow basins and about 50 %; the ratio of "
        f"widths is {ratio:.1f}.",
    )


def show_counts(found: Mapping[str, Any], turned: int) -> None:
    """Show what an ellipsoid's rays miss against their number, and what stretched rays miss; ``turned``: dimensions."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7), width_ratios=(3, 4))
    counts, size = found["constants"]["counts"], found["constants"]["dimensions"][-1]
    left.plot(counts, found["by_count"].T, color=plots.BLUE, linewidth=0.7, alpha=0.5)
    left.plot(counts, found["by_count"].mean(axis=0), "o-", color=plots.BLUE, linewidth=2)
    left.set(
        xscale="log", ylim=(0, None), xlabel="number of rays", ylabel="orders of magnitude missed"
    )
    left.set_title(f"More rays hardly help\n({size:,} dimensions)", fontsize=11)
    rows = {
        f"{size:,} dimensions, axes along\nthe weights: plain rays": found["by_count"][:, -1],
        f"{size:,} dimensions, axes along\nthe weights: stretched rays": found["stretched"],
        f"{turned:,} dimensions,\nturned: plain rays": found["turned_plain"],
        f"{turned:,} dimensions,\nturned: stretched rays": found["turned_stretched"],
    }
    for place, values in enumerate(rows.values()):
        right.barh(place, values.mean(), 0.55, color=plots.GREY)
        right.text(values.mean() + 15, place, f"{abs(values.mean()):.0f}", va="center")
    right.set_yticks(range(len(rows)), list(rows))
    right.set(
        ylim=(len(rows) - 0.4, -0.6),
        xlabel="orders of magnitude missed",
        xlim=(0, 1.25 * found["by_count"][:, -1].max()),
    )
    right.grid(visible=False, axis="y")
    right.set_title("Stretching helps if the axes are known", fontsize=11)
    left.yaxis.set_major_formatter("{x:,.0f}")
    right.xaxis.set_major_formatter("{x:,.0f}")
    plots.show(
        figure,
        f"Left: {len(found['by_count'])} draws (thin) and their mean. Right: "
        "means of a thousand rays.",
        f"From 2 to {counts[-1]:,} rays what is missed falls from {found['by_count'][:, 0].mean():,.0f} to "
        f"{found['by_count'][:, -1].mean():.0f} orders. Stretched rays miss nothing if the axes are the weights, and "
        "as much as plain rays if the ellipsoid is turned.",
    )


def ratios(found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return for each ruler the interval of the ratio of sizes, good over bad, of the matched pairs."""
    keep = found["matched"]
    return {
        ruler: stats.ratio_interval(
            found[f"{ruler}_good"][keep].astype(float), found[f"{ruler}_bad"][keep].astype(float)
        )
        for ruler in basins.RULERS
    }


def show_rulers(spirals: Mapping[str, np.ndarray], signals: Mapping[str, np.ndarray]) -> None:
    """Show the ratio of sizes per weight, good over bad, by each ruler and on both problems."""
    figure, ax = plt.subplots(figsize=(8, 4.4))
    ax.axvline(1, color=plots.BLACK, linewidth=1)
    ax.axvline(1.1, color=plots.BLACK, linewidth=1.3, linestyle=":", label="stated: 1.10")
    shown = {}
    looks = {"spirals": (plots.PINK, "o", spirals), "signals": (plots.GREEN, "^", signals)}
    for number, (name, (color, marker, found)) in enumerate(looks.items()):
        shown[name] = ratios(found)
        for place, one in enumerate(shown[name].values()):
            ends = [[one.estimate - one.low], [one.high - one.estimate]]
            ax.errorbar(
                one.estimate, place + 0.22 * (number - 0.5), xerr=np.maximum(ends, 0), fmt=marker, color=color,
                markersize=8, capsize=4, label=name if not place else None,
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_xticks([1, 1.5, 2, 3, 4], ["1", "1.5", "2", "3", "4"])
    ax.minorticks_off()
    ax.set_yticks(range(len(NAMES)), list(NAMES.values()))
    ax.set(xlabel="size per weight, good over bad", ylim=(len(NAMES) - 0.4, -0.6))
    seen = sum(one.low >= 1.1 for one in shown["spirals"].values())
    ax.set_title(f"{seen} of {len(NAMES)} rulers find the good basin larger by a tenth or more")
    ax.legend(loc="lower right")
    text = "; ".join(
        f"{words.replace(chr(10), ' ')} {a.estimate:.4g} and {b.estimate:.4g}"
        for words, a, b in zip(
            NAMES.values(), *(one.values() for one in shown.values()), strict=True
        )
    )
    plots.show(
        figure,
        f"{spirals['matched'].sum()} and {signals['matched'].sum()} pairs at the same training loss; 99 % intervals. "
        "Size per weight: the n-th root of the volume or chance.",
        f"Ratios of sizes per weight on spirals and signals: {text}.",
    )


def show_gaps(shares: Mapping[str, Any], alike: Mapping[str, Any]) -> None:
    """Show width against gap, across shares of wrong labels and among networks made alike."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 4.0))
    levels = shares["constants"]["share"]
    for column, share in enumerate(levels):
        color = plt.get_cmap("cividis")(0.9 * share)
        marker = plots.MARKERS[column % len(plots.MARKERS)]
        left.plot(
            10 ** shares["radius"][:, column], 100 * shares["gap"][:, column], marker, color=color, markersize=6,
            alpha=0.8, label=f"{100 * share:.0f} %",
        )  # fmt: skip
    left.legend(title="wrong labels", fontsize=8, title_fontsize=8)
    left.set_title("More and more wrong labels", fontsize=11)
    for row in range(min(6, len(alike["gap"]))):
        right.plot(
            10 ** alike["radius"][row], 100 * alike["gap"][row], plots.MARKERS[row % len(plots.MARKERS)],
            markersize=6, alpha=0.8,
        )  # fmt: skip
    right.set_title("Other initial weights only", fontsize=11)
    for ax in (left, right):
        ax.set(xscale="log", xlabel="width of the basin, in units of each unit's weights")
        ax.set(ylabel="gap, percentage points")
        ax.minorticks_off()
        low, high = ax.get_xlim()
        ax.set_xticks([tick for tick in ROUND if low < tick < high], minor=False)
        ax.xaxis.set_major_formatter("{x:g}")
    across, within = (
        stats.rank_correlations(one["radius"], one["closeness"]).mean() for one in (shares, alike)
    )
    figure.suptitle(
        "Wider basins, smaller gaps: clear among networks made different,\nweaker among networks made alike"
        if across > within
        else "Wider basins, smaller gaps: as clear among networks made alike\nas among networks made different",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    plots.show(
        figure,
        f"Spirals. Gap: training minus test accuracy. Left: {len(shares['gap'])} data sets, a network for each share "
        f"of wrong labels among the further points. Right: six of {len(alike['gap'])} data sets, a marker each, "
        f"{alike['gap'].shape[1]} networks each.",
        f"Mean rank correlation of width and generalization within a data set: {across:.2f} across shares of wrong "
        f"labels, {within:.2f} among networks made alike.",
    )

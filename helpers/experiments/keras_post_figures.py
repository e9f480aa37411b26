"""The pictures of lesson 01's second half; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from helpers import plots, stats


def show_gaps(found: Mapping) -> None:
    """Show the gap between validation and training error of many runs, without saying whose it is."""
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.6), sharex=True, sharey=True)
    both = np.concatenate([found["gap_network"], found["gap_line"]]).astype(float)
    bins = 0.2 + 0.4 * np.arange(
        np.floor((both.min() - 0.2) / 0.4), np.ceil((both.max() - 0.2) / 0.4) + 1
    )
    for ax, arm, name in zip(axes, ("network", "line"), ("A", "B"), strict=True):
        gap = found[f"gap_{arm}"].astype(float)
        above = f"0.2 or more: {100 * np.mean(gap >= 0.2):.0f} %"
        ax.hist(gap[gap < 0.2], bins=bins, color=plots.BLUE, label="less than 0.2")
        ax.hist(
            gap[gap >= 0.2],
            bins=bins,
            color=plots.ORANGE,
            hatch="//",
            edgecolor="white",
            label=above,
        )
        ax.axvline(0.2, color=plots.BLACK, linewidth=1.5, linestyle=":")
        ax.legend(loc="upper right", fontsize=10)
        ax.set(xlabel="validation minus training error", title=f"{name}: mean gap {gap.mean():.2f}")
    axes[0].set(ylabel="runs")
    plots.show(
        figure,
        f"{len(found['gap_line']):,} runs each, with noise and split of their own. One panel is a network of 4,353 "
        "parameters, the other a straight line.",
        "Two histograms of the gap between validation and training error that cannot be told apart; A is the network, "
        "B the straight line.",
    )


def show_choices(found: Mapping, row: int = 0) -> None:
    """Show thirty recipes on one data set, and what each rule chooses on all."""
    training, excess = found["training_late"], found["excess_late"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(5, 4))
    left.plot(training[row], excess[row], "o", color=plots.GREY, markersize=5, label="a recipe")
    marks = (
        ("lowest training error", training[row], "s", plots.ORANGE),
        ("lowest validation error", found["validation_20_late"][row], "^", plots.BLUE),
    )
    for name, values, marker, color in marks:
        at = int(np.argmin(values))
        left.plot(
            training[row, at], excess[row, at], marker, color=color, markersize=11, label=name
        )
    spread = np.quantile(training[row], 0.9)
    left.set(xlabel="training error", ylabel="error on new points", yscale="log")
    shown = excess[row][training[row] <= spread]
    left.set(xlim=(training[row].min() - 0.02, spread + 0.02), title="one data set")
    left.set(ylim=(0.7 * shown.min(), 5 * shown.max()))
    left.legend(loc="upper right", fontsize=10)
    (low, high), (left_end, right_end) = left.get_ylim(), left.get_xlim()
    inside = (left_end <= training[row]) & (training[row] <= right_end)
    outside = int(np.sum(~(inside & (low <= excess[row]) & (excess[row] <= high))))
    chosen = {
        "by\ntraining": (found["chosen_by_training"], plots.ORANGE),
        "by\nvalidation": (found["chosen_by_validation"], plots.BLUE),
        "the post's\nrecipe": (found["post"], plots.PINK),
        "the best,\nunknown": (found["best"], plots.GREY),
    }
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    for place, (values, color) in enumerate(chosen.values()):
        across = place + rng.uniform(-0.25, 0.25, len(values))
        right.plot(across, values, ".", color=color, alpha=0.35, markersize=4)
        right.plot(
            [place - 0.35, place + 0.35], [np.median(values)] * 2, color=plots.BLACK, linewidth=2.5
        )
    right.set(
        yscale="log",
        ylabel="error on new points",
        ylim=(0.7 * found["best"].min(), None),
        title=f"{len(training)} data sets",
    )
    right.set_xticks(range(len(chosen)), list(chosen))
    for ax in (left, right):
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    worse = np.mean(found["training_chooses_worse"])
    middle = np.mean(found["chosen_by_training"] > np.median(excess, axis=1))
    correlation = stats.rank_correlations(training, excess).mean()
    figure.suptitle(
        f"The lowest training error chooses worse than the post's recipe in {worse:.0%} of data sets".replace(
            "%", " %"
        )
    )
    plots.show(
        figure,
        f"Left: thirty recipes on one data set, of which {outside} lie outside. Right: the error of what each rule "
        f"chooses, {len(training)} data sets; bars are medians. Choosing by training error is worse than the median of "
        f"the thirty in {100 * middle:.0f} % of them. "
        f"The mean rank correlation of training error and error on new points is {correlation:.2f}.",
        "Among recipes with a low training error those with the lowest have the largest error on new points; choosing "
        "by training error is worse than the recipe of the Keras post in most data sets.",
    )

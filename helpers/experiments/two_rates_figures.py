"""The pictures of lesson 00; each takes arrays or runs and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.data import Dataset
from helpers.engine import Runs
from helpers.experiments import two_rates

AXIS = "errors at the small rate minus errors at the large rate, percentage points"
COUNTS = (10, 50, 200, 1000)  # pairs, of which the interval is compared
SIDE = 160  # places along each side of a map


def gains(found: Mapping) -> np.ndarray:
    """Return by how many percentage points the large rate is better in each pair, (R,)."""
    return found["error_small"].astype(float) - found["error_large"]


def show_ten(found: Mapping) -> None:
    """Show the errors of up to ten pairs, a row each, and which rate each of them speaks for."""
    gain = gains(found)[:10]
    rows = np.arange(len(gain))
    says = ["large" if one > 0 else "small" if one < 0 else "neither" for one in gain]
    small, large = (found[f"error_{name}"][: len(gain)] for name in two_rates.RATES)
    figure, ax = plt.subplots(figsize=(8, 0.36 * len(gain) + 1.5))
    ax.hlines(rows, small, large, color=plots.GREY, linewidth=2)
    ax.plot(
        small, rows, "o", color=plots.ORANGE, markersize=11, markerfacecolor="white",
        markeredgewidth=2.5, label=f"small learning rate, {two_rates.RATES['small']:g}",
    )  # fmt: skip
    ax.plot(
        large, rows, "s", color=plots.BLUE, markersize=7,
        label=f"large learning rate, {two_rates.RATES['large']:g}",
    )  # fmt: skip
    for row, word in enumerate(says):
        ax.text(1.02, row, word, transform=ax.get_yaxis_transform(), va="center")
    ax.set_yticks(rows, [f"person {row + 1}" for row in rows])
    ax.invert_yaxis()
    ax.set(xlabel="errors on new points, in %")
    large_says, small_says = says.count("large"), says.count("small")
    title = (
        f"{large_says} of {len(gain)} people say 'large', {small_says} say 'small'. Who is right?"
    )
    ax.set_title(title)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    plots.show(
        figure,
        f"{len(gain)} pairs of networks; fewer errors are better. At the right: the better rate.",
        f"Pairs of dots: {large_says} times the large rate makes fewer errors, {small_says} times the small one, "
        f"{says.count('neither')} times neither.",
    )


def show_pair(one: Dataset, small: Runs, large: Runs) -> None:
    """Show where the two networks of a pair see which colour, and how many errors each makes."""
    side = np.linspace(-1.35, 1.35, SIDE, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=2).reshape(-1, 2)
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 4.5), sharey=True)
    wrong = {}
    for ax, (name, runs) in zip(axes, {"small": small, "large": large}.items(), strict=True):
        scores = runs.predict(grid)[0].reshape(SIDE, SIDE)
        ax.contourf(side, side, scores > 0, levels=1, colors=("#BFE5DA", "#DDDDDD"))
        for colour, marker, face in ((0, "o", plots.GREEN), (1, "s", "#555555")):
            here = one.x_train[np.ravel(one.y_train) == colour]
            ax.plot(*here.T, marker, color=face, markeredgecolor="white", markersize=6)
        wrong[name] = float(two_rates.errors(runs, [one])[0])
        ax.set_title(f"{name} rate, {two_rates.RATES[name]:g}: {wrong[name]:.1f} % errors")
        ax.set(xlabel="first input", aspect="equal")
    axes[0].set(ylabel="second input")
    better = min(wrong, key=wrong.get) if wrong["small"] != wrong["large"] else "neither"
    plots.show(
        figure,
        f"Your {one.n_train} points, and the colour that each network gives to every place. The better rate in your "
        f"pair: {better}.",
        f"Two maps of the plane in two colours; the better rate in this pair is: {better}.",
    )


def _bar(ax, row, low, high, color, height, label=None):
    ax.barh(row, high - low, height, low, color=color, label=label, zorder=2)


def _difference_axis(ax):
    """Draw no effect, and say on which side which rate is better."""
    ax.axvline(0, color=plots.BLACK, linewidth=1.5, zorder=3)
    top = {"transform": ax.get_xaxis_transform(), "va": "bottom", "fontsize": 10}
    ax.text(0, 1.01, "small is better  ◂  ", ha="right", **top)
    ax.text(0, 1.01, "  ▸  large is better", ha="left", **top)
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=AXIS)


def show_fifty(found: Mapping) -> None:
    """Show each pair's difference, and below it the standard deviation of pairs and the interval of their mean."""
    gain = gains(found)
    mean, spread = stats.mean_interval(gain), float(gain.std(ddof=1))
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    figure, ax = plt.subplots(figsize=(8, 3.7))
    up = 2 + rng.uniform(-0.3, 0.3, len(gain))
    for here, color, marker in ((gain > 0, plots.BLUE, "s"), (gain <= 0, plots.ORANGE, "o")):
        ax.plot(gain[here], up[here], marker, color=color, alpha=0.7, markersize=6)
    ax.plot(
        gain[0], up[0], "*", color=plots.PINK, markeredgecolor=plots.BLACK, markersize=17,
        label="your first pair", zorder=4,
    )  # fmt: skip
    _bar(ax, 1, mean.estimate - spread, mean.estimate + spread, "#C8C8C8", 0.34)
    _bar(ax, 0, mean.low, mean.high, plots.BLACK, 0.34)
    ax.plot([mean.estimate] * 2, [1, 0], "D", color="white", markeredgecolor=plots.BLACK, zorder=4)
    names = ("99 % interval\nof the mean", "mean ± standard\ndeviation of pairs")
    ax.set_yticks(range(3), [*names, f"{len(gain)} single pairs"])
    ax.set(ylim=(-0.5, 2.6))
    _difference_axis(ax)
    ax.legend(loc="lower right")
    wrong = np.mean(gain <= 0)
    says = "the mean of all does" if mean.low > 0 else "the mean of all leaves it open"
    says = "the mean of all says 'small'" if mean.high < 0 else says
    title = f"{wrong:.0%} of single pairs do not say 'large'; {says}".replace("%", " %")
    ax.set_title(title, pad=22)
    plots.show(
        figure,
        f"Mean {mean.estimate:.1f}, standard deviation {spread:.1f}, 99 % interval from {mean.low:.1f} to "
        f"{mean.high:.1f}.",
        f"{len(gain)} differences scatter on both sides of 0; the interval of their mean is much narrower than "
        "they scatter.",
    )


def show_counts(found: Mapping, counts: Sequence[int] = COUNTS) -> None:
    """Show how the spread of pairs and the interval of their mean change with the number of pairs."""
    gain = gains(found)
    counts = [n for n in counts if n <= len(gain)] or [len(gain)]
    figure, ax = plt.subplots(figsize=(8, 0.62 * len(counts) + 1.8))
    for row, n in enumerate(counts):
        mean, spread = stats.mean_interval(gain[:n]), gain[:n].std(ddof=1)
        ends = mean.estimate - spread, mean.estimate + spread
        labels = ("mean ± standard deviation of pairs", "99 % interval of the mean")
        _bar(ax, row, *ends, "#C8C8C8", 0.6, None if row else labels[0])
        _bar(ax, row, mean.low, mean.high, plots.BLACK, 0.24, None if row else labels[1])
        ax.plot(mean.estimate, row, "D", color="white", markeredgecolor=plots.BLACK, zorder=4)
    ax.set_yticks(range(len(counts)), [f"{n:,} pairs" for n in counts])
    ax.invert_yaxis()
    ax.use_sticky_edges = False  # room beside the bars
    ax.margins(x=0.06)
    _difference_axis(ax)
    ax.set_title("More pairs do not scatter less, but their mean is known better", pad=22)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=2)
    paired = gain.std(ddof=1)
    apart = np.std(found["error_small"] - np.roll(found["error_large"], 1), ddof=1)
    plots.show(
        figure,
        f"The first {', '.join(f'{n:,}' for n in counts)} of {len(gain):,} pairs, others than above. Their standard "
        f"deviation is {paired:.1f}. If both networks had data of their own, it would be {apart:.1f}: without pairs "
        f"the same interval takes {apart**2 / paired**2:.1f} times as many runs.",
        "From 10 to 1,000 pairs the bar of the standard deviation keeps about its length, that of the interval "
        "shrinks to less than a tenth.",
    )

"""The pictures of lesson 07; each takes arrays and shows one figure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import data, plots, stats
from helpers.experiments import random_features

CONSTANT = 0.09  # squared error of answering a tenth everywhere
DRAWN = 30  # single replicates behind a mean
TWO = (("error", "errors, in %"), ("mse", "squared error"))


def show_riddle(found: Mapping) -> None:
    """Show errors and squared errors of the same networks against their width."""
    widths = found["constants"]["widths"]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.9))
    for ax, (name, label), color in zip(axes, TWO, (plots.BLUE, plots.ORANGE), strict=True):
        plots.over_epochs(ax, widths, found[name].astype(float), color=color, replicates=DRAWN)
        by_width(ax, widths)
        ax.set(ylabel=f"{label}, on new signals")
    means = {name: found[name].mean(axis=0, dtype=float) for name, _ in TWO}
    axes[0].set_title(f"fewest errors: {widths[means['error'].argmin()]:,} units")
    axes[1].set_title(f"lowest squared error: {widths[means['mse'].argmin()]:,} units")
    figure.suptitle("The same networks, measured in two ways")
    plots.show(
        figure,
        f"{len(found['error'])} data sets of 1,000 signals, squared loss; thin: single data sets; means with 99 % "
        "intervals.",
        f"Errors are fewest with {widths[means['error'].argmin()]:,} units, the squared error is lowest with "
        f"{widths[means['mse'].argmin()]} units; in between both have a peak.",
    )


def told(fitted: np.ndarray, outputs: np.ndarray, one: data.Dataset) -> str:
    """Return in words how a network does: outputs (N, 10) for the training and the new examples of a data set."""
    wrong = [
        100 * np.mean(scores.argmax(axis=1) != np.ravel(labels))
        for scores, labels in ((fitted, one.y_train), (outputs, one.y_test))
    ]
    mse = np.mean((outputs - np.eye(10)[np.ravel(one.y_test)]) ** 2)
    return f"errors {wrong[0]:.0f} % in training; new: {wrong[1]:.1f} %, squared error {mse:.3f}"


def by_width(ax, widths: Sequence[int], label: str = "hidden units") -> None:
    """Label a logarithmic axis of widths."""
    ax.set(xscale="log", xlabel=label)
    ax.set_xticks(widths, [f"{width:,}" for width in widths])
    ax.minorticks_off()


def show_fifty(widths: Sequence[int], found: np.ndarray) -> None:
    """Show errors and squared errors of the reader's networks: found (2, W, M), a dot a network."""
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    told = []
    for ax, (_, label), values, color in zip(
        axes, TWO, found, (plots.BLUE, plots.ORANGE), strict=True
    ):
        for place, row in enumerate(values):
            ax.plot(
                place + rng.uniform(-0.2, 0.2, len(row)),
                row,
                "o",
                color=color,
                alpha=0.4,
                markersize=4,
            )
            ax.plot([place - 0.3, place + 0.3], [row.mean()] * 2, color=plots.BLACK, linewidth=2.5)
        shown = [
            f"{mean:.1f}" if color == plots.BLUE else f"{mean:.3f}" for mean in values.mean(axis=1)
        ]
        ax.set_xticks(range(len(widths)), [f"{width:,}" for width in widths])
        ax.set(xlabel="hidden units", ylabel=f"{label}, on new signals")
        ax.set_title(f"{label.split(',')[0]}: {', '.join(shown)}")
        ax.grid(visible=False, axis="x")
        told.append(f"{label}: " + ", ".join(shown))
    plots.show(
        figure,
        f"{found.shape[2]} networks of each width, on data sets of their own; lines and titles: means.",
        f"With {', '.join(str(width) for width in widths)} units, " + "; ".join(told) + ".",
    )


def show_player(
    seed: int, counts: Sequence[int], *, examples: int = 200, shown: float = 1.5
) -> None:
    """Show one draw as features are added: an output along a path between new signals, and both errors.

    The path leads through five signals that the fit never saw.
    """
    (x, y), _, (x_new, y_new) = random_features.draw(seed, examples=examples)
    v = random_features.directions(seed, 0, x.shape[1], max(counts))
    corners = x_new[:5]
    share = np.linspace(0, 1, 40, endpoint=False)[:, None]
    path = np.concatenate([(1 - share) * a + share * b for a, b in itertools.pairwise(corners)])
    parts = [random_features.features(part, v) for part in (x, x_new, path)]
    curves, scores = [], []
    for count in counts:
        weights = random_features.Fit(parts[0][:, :count]).weights(random_features.targets(y))
        outputs = parts[1][:, :count] @ weights
        curves.append(parts[2][:, :count] @ weights[:, 0])
        scores.append(
            (random_features.errors(outputs, y_new), random_features.squared(outputs, y_new))
        )
    error, mse = np.transpose(scores)
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 2.9), width_ratios=(1.3, 1, 1))

    def draw(count):
        now = list(counts).index(count)
        for ax in axes:
            ax.clear()
        axes[0].plot(
            np.arange(len(path)) / 40, np.clip(curves[now], -shown, shown), color=plots.BLUE
        )
        axes[0].set(
            ylim=(-1.05 * shown, 1.05 * shown),
            xlabel="from signal to signal",
            ylabel="output of class 0",
        )
        axes[0].set_title(str(count))
        for ax, values, (_, label), color in zip(
            axes[1:], (error, mse), TWO, (plots.BLUE, plots.ORANGE), strict=True
        ):
            ax.plot(counts[: now + 1], values[: now + 1], color=color, linewidth=2)
            ax.plot(count, values[now], "o", color=color)
            ax.axvline(examples, color=plots.BLACK, linestyle=":", linewidth=1)
            ax.set(xlabel="features", title=label, xlim=(-0.03 * counts[-1], 1.03 * counts[-1]))
        axes[1].set_ylim(error.min() - 1, error.max() + 1)
        axes[2].set(yscale="log", ylim=(mse.min() / 2, mse.max() * 2))

    worst = int(np.argmax(mse))
    plots.animate(
        figure,
        draw,
        counts,
        f"One draw, {examples} examples. Left: an output along straight lines through five new signals, cut at "
        f"{shown:g}. Dotted: as many features as examples.",
        f"The output is calm with few features, wild at {counts[worst]} features, where the squared error is largest, "
        f"and calmer again with {counts[-1]}.",
        label="{} features".format,
    )


def show_features(found: Mapping, digits: Mapping) -> None:
    """Show errors and squared errors of random features against their number, for signals and for digits."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.9))
    n = int(found["constants"]["examples"][0])
    ratio = found["constants"]["counts"] / n
    sources = (
        ("MNIST-1D", found, plots.BLUE, "-", "o"),
        ("digits", digits, plots.GREEN, "-.", "s"),
    )
    for ax, (words, one, color, line, marker) in zip(axes[:2], sources, strict=True):
        _many(ax, ratio, one["error"].astype(float), np.mean, color, line, marker, words)
        mean = one["error"].mean(axis=0, dtype=float)
        for share, side, shift in (
            (0.4, "right", (-2, -14)),
            (1, "left", (7, -4)),
            (20, "center", (-4, 7)),
        ):
            k = int(np.argmin(abs(ratio - share)))
            ax.annotate(
                f"{mean[k]:.0f}", (ratio[k], mean[k]), shift, textcoords="offset points", ha=side
            )
        ax.set(title=f"{words}: fewest at {ratio[mean.argmin()]:g}", ylabel="errors, in %")
    for words, one, color, line, marker in sources:
        _many(axes[2], ratio, one["mse"].astype(float), np.median, color, line, marker, words)
    axes[2].axhline(
        CONSTANT,
        color=plots.GREY,
        linestyle="--",
        linewidth=1.5,
        label=f"always answering 0.1: {CONSTANT:.2f}",
    )
    axes[2].set(yscale="log", ylim=(0.03, 10), ylabel="squared error", title="squared error")
    axes[2].set_yticks([0.05, 0.1, 0.2, 1, 10], ["0.05", "0.1", "0.2", "1", "10"])
    for ax in axes:
        ax.axvline(1, color=plots.BLACK, linestyle=":", linewidth=1)
        ax.set(xscale="log", xlabel="features per example")
        ax.set_xticks([0.1, 0.4, 1, 4, 20], ["0.1", "0.4", "1", "4", "20"])
        ax.minorticks_off()
    figure.legend(*axes[2].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    peak = ratio[found["error"].mean(axis=0, dtype=float).argmax()]
    few, most = (np.median(found[f"mse_{place}"].astype(float)) for place in ("small", "large"))
    plots.show(
        figure,
        f"{n} examples; {len(found['error'])} draws (digits: {len(digits['error'])}); means; "
        "squared error: medians, cut at 10. Numbers: errors at 0.4, 1 and 20 features per example.",
        f"Errors and squared errors are largest where features per example are {peak:g}. At 20 the errors are fewer "
        f"than at 0.4; the squared error on MNIST-1D is {most:.3f} against {few:.3f}.",
    )


def _many(ax, x, values, middle, color, line, marker, words):
    """Draw single rows of values (R, K), thin, and their mean or median."""
    for row in values[:DRAWN]:
        ax.plot(x, row, color=color, alpha=0.12, linewidth=0.6)
    style = {"linestyle": line, "marker": marker, "markersize": 3.5, "linewidth": 2.2}
    ax.plot(x, middle(values, axis=0), color=color, label=words, **style)


def show_why(found: Mapping, causes: Mapping) -> None:
    """Show errors with and without a tuned ridge penalty, and what is left of the rise without one ingredient."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.1), width_ratios=(1.25, 1))
    ratio = found["constants"]["counts"] / found["constants"]["examples"][0]
    for name, color, line, words in (
        ("error", plots.BLUE, "-", "no penalty"),
        ("error_ridge", plots.PINK, "--", "ridge penalty, tuned"),
    ):
        plots.band(left, ratio, found[name].astype(float), color, line, words, thin=0)
    left.set(xscale="log", xlabel="features per example", ylabel="errors on new signals, in %")
    left.set_ylim(None, left.get_ylim()[1] + 4)  # room for the legend
    left.set_xticks([0.1, 0.4, 1, 4, 20], ["0.1", "0.4", "1", "4", "20"])
    left.minorticks_off()
    left.legend(loc="upper left")
    ridge = found["rise_ridge"].mean(dtype=float)
    left.set_title(
        f"rise, {len(found['error'])} draws: {found['rise'].mean(dtype=float):+.0f} points, with penalty {ridge:+.0f}",
        fontsize=11,
    )
    kinds = (
        ("rise", "all there"),
        ("rise_cut", "small singular\nvalues cut"),
        ("rise_ideal", "nothing left\nto miss"),
    )
    rng, means = np.random.default_rng(0), []
    for place, (name, _) in enumerate(kinds):
        values = causes[name].astype(float)
        one = stats.mean_interval(values)
        means.append(one.estimate)
        right.plot(
            values,
            place + rng.uniform(-0.2, 0.2, len(values)),
            "o",
            color=plots.SKY,
            markersize=4,
            alpha=0.6,
        )
        right.errorbar(
            one.estimate, place, xerr=[[one.estimate - one.low], [one.high - one.estimate]], color=plots.BLACK,
            marker="D", markerfacecolor="white", markersize=7, capsize=4, linewidth=2,
        )  # fmt: skip
    right.axvline(0, color=plots.BLACK, linewidth=1, linestyle=":")
    right.set_yticks(range(3), [words for _, words in kinds])
    right.invert_yaxis()
    right.grid(visible=False, axis="y")
    right.set(
        xlabel="rise of the errors, in points",
    )
    right.set_title(
        f"rise, {len(causes['rise'])} draws: {', '.join(f'{mean:+.0f}' for mean in means)} points",
        fontsize=11,
    )
    plots.show(
        figure,
        "Left: means, shaded nine of ten draws. Rise: errors at 1 minus errors at 0.4 features per example; dots: "
        "draws; diamonds: means with 99 % intervals.",
        f"Towards as many features as examples errors rise by {found['rise'].mean(dtype=float):.1f} points, with a "
        f"tuned penalty by {ridge:.1f}; without small singular values by {means[1]:.1f}, without residuals by "
        f"{means[2]:.1f}.",
    )


def show_networks(squared: tuple[Mapping, Mapping], cross: tuple[Mapping, Mapping]) -> None:
    """Show errors against the width for both losses, without and with label noise, and training errors below."""
    figure, grid = plt.subplots(
        2, 2, figsize=(9, 5), sharey="row", sharex="col", height_ratios=(2, 1)
    )
    titles = ("squared loss, 1,000 signals", "cross-entropy, 2,000 signals")
    rises = []
    for (upper, lower), pair, title in zip(grid.T, (squared, cross), titles, strict=True):
        widths = pair[0]["constants"]["widths"]
        looks = (
            (plots.BLUE, "-", "o", "all labels right"),
            (plots.BLACK, "--", "s", "15 % of them wrong"),
        )
        for one, (color, line, marker, words) in zip(pair, looks, strict=True):
            style = (color, line, marker, words)
            plots.over_epochs(upper, widths, one["error"].astype(float), *style, replicates=15)
            training = one["training_error"].mean(axis=0, dtype=float)
            lower.plot(widths, training, color=color, linestyle=line, marker=marker)
            rises.append(one["rise"].mean(dtype=float))
        upper.set_title(f"{title}:\n{rises[-2]:+.1f} points, with wrong labels {rises[-1]:+.1f}")
        by_width(lower, widths)
    grid[0, 0].set_ylabel("errors, in %")
    grid[1, 0].set_ylabel("training\nerrors, in %")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    counts = ", ".join(str(len(one["error"])) for one in (*squared, *cross))
    plots.show(
        figure,
        f"Above: new signals, means with 99 % intervals, thin: single data sets. Below: training. n = {counts}. In the "
        "titles: from 32 to 128 units, right from 16 to 96.",
        f"From the valley to the width that just fits, errors change by {rises[0]:.1f} points with the squared loss, "
        f"{rises[1]:.1f} with wrong labels; with cross-entropy by {rises[2]:.1f} and {rises[3]:.1f}.",
    )


def show_split(found: Mapping) -> None:
    """Show squared bias and both parts of the variance against the width."""
    widths = found["constants"]["widths"]
    figure, ax = plt.subplots(figsize=(8, 4.4))
    lines = (
        ("total", plots.BLACK, "-", "o", "variance, together"),
        ("initialisation", plots.SKY, "--", "s", "variance from the start"),
        ("data", plots.BLUE, "-.", "^", "variance from the data"),
        ("bias", plots.GREEN, ":", "D", "squared bias"),
    )
    for name, color, line, marker, words in lines:
        plots.over_epochs(
            ax, widths, found[name].astype(float), color, line, marker, words, replicates=20
        )
    first = int(np.argmax(found["training"].mean(axis=0, dtype=float) < 0.005))
    edge = np.sqrt(float(widths[first - 1]) * float(widths[first])) if first else float(widths[0])
    ax.axvspan(edge, 1.15 * widths[-1], color=plots.GREY, alpha=0.18, linewidth=0)
    by_width(ax, widths)
    ax.set(
        ylabel="squared error, per output",
        xlim=(0.88 * widths[0], 1.15 * widths[-1]),
        ylim=(0, None),
    )
    right = 1.1 * widths[-1]
    ax.text(
        right, ax.get_ylim()[1] * 0.97, "all examples fitted", ha="right", va="top", fontsize=10
    )
    ax.legend(loc="upper left")
    total = found["total"].mean(axis=0, dtype=float)
    top = int(total.argmax())
    start = found["initialisation"].mean(axis=0, dtype=float)
    why = ", then the part from the start falls" if start[-1] < start[top] / 2 else ""
    ax.set_title(f"Variance: largest at {widths[top]} units{why}")
    plots.show(
        figure,
        f"{len(found['total'])} blocks (thin), 200 signals a data set, squared loss; means with 99 % intervals.",
        f"The variance is largest, {total[top]:.3f}, at {widths[top]} units and {total[-1]:.3f} at {widths[-1]}, where "
        f"{start[-1]:.3f} come from the start, {total[-1] - start[-1]:.3f} from the data.",
    )

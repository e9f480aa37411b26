"""The pictures of the penalty on the Keras post's line; each takes arrays or runs and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots
from helpers.data import Dataset

PLAIN, PENALIZED = "without penalty", "with L2 0.01"


def _bars(ax, errors, reported):
    """Draw two reported losses as an error and, hatched on top, a penalty."""
    for place, (name, color) in enumerate(((PLAIN, plots.BLUE), (PENALIZED, plots.GREEN))):
        ax.bar(place, errors[place], 0.6, color=color, label=f"{name}: error")
        more = reported[place] - errors[place]
        ax.bar(
            place, more, 0.6, errors[place], color=plots.ORANGE, hatch="//", edgecolor="white",
            label="penalty" if place else None,
        )  # fmt: skip
        ax.text(place, reported[place], f" {reported[place]:.2f}", ha="center", va="bottom")
    ax.set_xticks((0, 1), (PLAIN, PENALIZED))
    ax.margins(y=0.15)


def show_pair(one: Dataset, curves: Mapping[str, np.ndarray], losses: Mapping[str, float]) -> None:
    """Show the reader's own two curves and the two numbers that Keras prints.

    Parameters
    ----------
    one : Dataset
        The reader's points.
    curves, losses : dict of str to numpy.ndarray or float
        By name, without the penalty first: predictions at the test points, ``val_loss``.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.8, 3.9), width_ratios=(3, 2))
    left.plot(one.x_train, one.y_train, "o", color=plots.GREY, markersize=4, label="80 points")
    looks = ((plots.BLUE, "-"), (plots.GREEN, "--"))
    for (name, curve), (color, line) in zip(curves.items(), looks, strict=True):
        left.plot(one.x_test[:, 0], np.ravel(curve), line, color=color, linewidth=2.5, label=name)
    left.set(xlabel="x", ylabel="y", title="two curves, nearly the same")
    left.legend(loc="upper left")
    for place, (value, (color, _)) in enumerate(zip(losses.values(), looks, strict=True)):
        right.bar(place, value, 0.6, color=color)
        right.text(place, value, f"{value:.2f}", ha="center", va="bottom")
    right.set_xticks((0, 1), (PLAIN, PENALIZED))
    right.set(ylabel="val_loss, as Keras prints it", title="two numbers")
    right.margins(y=0.15)
    plots.show(
        figure,
        "Your data: two curves, and the two validation losses that Keras prints. Lower is better.",
        "Noisy points on a line with the curves of two networks, and two bars for the validation losses that Keras "
        "reports for them.",
    )


def show_differences(reported: np.ndarray) -> None:
    """Show by how much ``val_loss`` is higher with the penalty, a dot a data set."""
    count, above = len(reported), int(np.sum(reported > 0))
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    figure, ax = plt.subplots(figsize=(8, 2.6))
    up = rng.uniform(-0.3, 0.3, count)
    ax.plot(reported, up, "s", color=plots.ORANGE, alpha=0.7, markersize=7)
    ax.axvline(0, color=plots.BLACK, linewidth=1.5)
    ax.set(ylim=(-0.6, 0.6), yticks=(), xlabel="val_loss with L2 0.01 minus val_loss without")
    ax.set_title(f"In {above} of your {count} pairs Keras reports the higher val_loss with L2")
    plots.show(
        figure,
        f"{count} pairs of networks; mean {reported.mean():.2f}. Left of 0 L2 looks good, right bad. "
        "Height has no meaning.",
        f"{count} differences of reported validation losses; {above} lie above 0, where the penalty looks bad.",
    )


def show_penalty(found: Mapping) -> None:
    """Show what the reported loss is made of, and the differences run by run, with and without the penalty in it."""
    strengths = found["constants"]["strengths"].tolist()
    at = [strengths.index(0), int(np.argmin(np.abs(np.array(strengths) - 0.01)))]
    n = len(found["excess"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), width_ratios=(4, 5))
    errors, reported = (found[name][:, at].mean(axis=0) for name in ("validation", "reported"))
    _bars(left, errors, reported)
    left.set(ylabel="mean val_loss that Keras reports", title="What is in the number")
    left.set_ylim(0, 1.6 * reported.max())  # room for the legend above the bars
    left.legend(loc="upper left")
    rows = (
        ("error", "error alone", plots.GREEN),
        ("reported", "error + penalty, as reported", plots.ORANGE),
    )
    both = np.concatenate([found["difference_error"], found["difference_reported"]])
    bins = np.linspace(*np.quantile(both, (0.003, 0.995)), 41)
    for name, words, color in rows:
        values, lower = found[f"difference_{name}"], found[f"lower_{name}"].mean()
        label = f"{words}: lower in {lower:.1%}".replace("%", " %")
        hatch = "//" if name == "reported" else None
        right.hist(
            values, bins=bins, color=color, alpha=0.65, label=label, hatch=hatch, edgecolor="white"
        )
    right.axvline(0, color=plots.BLACK, linewidth=1.5)
    right.set(
        xlabel="with L2 0.01 minus without", ylabel="data sets", title="Is L2 lower? Run by run"
    )
    right.set_ylim(0, 1.35 * right.get_ylim()[1])  # the same for this legend
    right.legend(loc="upper right")
    figure.suptitle("The reported loss contains the penalty; the error hardly changes")
    plots.show(
        figure,
        f"{n:,} pairs of networks. Left: means; hatched: the penalty. Right: the differences, with and without it.",
        "The two validation errors are nearly equal. The reported loss of the penalized network is higher by its "
        "penalty. Differences in error scatter around zero, those of the reported loss lie mostly above it.",
    )


def show_strengths(
    line: Mapping, others: Mapping[str, tuple[Sequence[float], np.ndarray]], row: int = 0
) -> None:
    """Play the strength from 0 to too much: the curve on the line, and the error on new data in three tasks.

    Parameters
    ----------
    line : dict of numpy.ndarray
        From `keras_post_penalty.strengths`.
    others : dict of str to (sequence of float, numpy.ndarray)
        Strengths and mean errors on new data of every task that is drawn at the right, the line included.
    row : int
        Which data set is drawn at the left.
    """
    strengths = line["constants"]["strengths"].astype(float)
    x, curves = line["constants"]["x"].astype(float), line["curves"][row]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    looks = ((plots.PINK, "-", "o"), (plots.SKY, "--", "s"), (plots.YELLOW, "-.", "^"))

    def draw(at):
        place = int(np.argmin(np.abs(strengths - at)))
        left.clear(), right.clear()
        left.plot(*line["points"][row].T, "o", color=plots.GREY, markersize=4, label="80 points")
        left.plot(x, 1 + 2 * x, ":", color=plots.BLACK, zorder=5, label="true line")
        color = plots.GREEN if at else plots.BLUE
        left.plot(x, curves[place], color=color, linewidth=3, label="network")
        left.set(xlabel="x", ylabel="y", title=f"the line, L2 {at:g}")
        left.legend(loc="upper left")
        for (name, (tried, errors)), (color, style, marker) in zip(
            others.items(), looks, strict=True
        ):
            steps = [int(np.argmin(np.abs(strengths - one))) for one in tried]
            relative = 100 * np.asarray(errors) / errors[0]
            right.plot(steps, relative, style, color=color, marker=marker, markersize=5, label=name)
            if place in steps:
                right.plot(
                    place, relative[steps.index(place)], marker, color=color, markersize=13,
                    markeredgecolor=plots.BLACK,
                )  # fmt: skip
        right.axhline(100, color=plots.BLACK, linewidth=1)
        right.axvline(place, color=plots.GREY, linewidth=5, alpha=0.4)
        right.set_xticks(range(len(strengths)), [f"{one:g}" for one in strengths], rotation=60)
        right.set(ylim=(0, 215), xlabel="L2 strength")
        right.set_ylabel("error on new data, % of that without penalty", fontsize=11)
        right.set_title("Below 100 %: L2 helps")
        right.legend(loc="upper left")

    plots.animate(
        figure, draw, strengths,
        "Left: one network on the line. Right: mean error on new data in the three tasks, noise included.",
        "Up to a strength of about 1 the curve on the line hardly changes, then it becomes flat. With fifty inputs and "
        "on MNIST-1D the error on new data first falls with the strength and then rises; on the line it only rises.",
        label="L2 {:g}".format, milliseconds=700,
    )  # fmt: skip

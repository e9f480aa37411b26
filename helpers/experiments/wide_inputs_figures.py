"""The pictures of three tasks side by side, and of the number of inputs; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots
from helpers.experiments.wide_inputs import VARIANCE

TASKS = ("the line", "fifty inputs", "MNIST-1D")


def errors_of(line: Mapping, wide: Mapping, digits: Mapping) -> dict[str, tuple]:
    """Return strengths, training error and error on new data (R, S) of the three tasks, by name.

    Regressions with the noise in both, MNIST-1D in percent.
    """
    found = {}
    for name, one in zip(TASKS, (line, wide, digits), strict=True):
        strengths = one["constants"]["strengths"].astype(float)
        if name == "MNIST-1D":
            pair = one["training_error"], one["error"]
        else:
            pair = one["training"], one["excess"] + VARIANCE
        found[name] = (strengths, *(values.astype(float) for values in pair))
    return found


def _unit(name):
    return "error in %" if name == "MNIST-1D" else "mean squared error"


def show_needs(tasks: Mapping[str, tuple]) -> None:
    """Show training error and error on new data without any penalty, and ask who needs one."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3))
    for ax, (name, (strengths, training, new)) in zip(axes, tasks.items(), strict=True):
        plain = list(strengths).index(0)
        values = training[:, plain].mean(), new[:, plain].mean()
        for place, value in enumerate(values):
            faces = {"color": plots.BLUE} if place else {"facecolor": "none", "hatch": "//"}
            ax.bar(place, value, 0.6, **faces, edgecolor=plots.BLUE)
            ax.text(place, value, f"{value:.1f}", ha="center", va="bottom")
        ax.set_xticks((0, 1), ("training", "new data"))
        ax.set(ylabel=_unit(name), title=name)
        ax.margins(y=0.15)
    figure.suptitle("Three networks without any remedy: which of them needs one?")
    plots.show(
        figure,
        "Error on the training examples and on new data, means over "
        + ", ".join(f"{len(new):,} ({name})" for name, (_, _, new) in tasks.items())
        + " data sets.",
        "On the line training error and error on new data are nearly equal. With fifty inputs and on MNIST-1D the "
        "training error is zero, and the error on new data is large.",
    )


def show_three(tasks: Mapping[str, tuple]) -> None:
    """Show training error and error on new data against the strength of the penalty in three tasks."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 4.1))
    for ax, (name, (strengths, training, new)) in zip(axes, tasks.items(), strict=True):
        steps = np.arange(len(strengths))
        curves = (
            (training, "training", "--", "o"),
            (new, "new data", "-", "^"),
        )
        for values, words, line, marker in curves:
            plots.over_epochs(
                ax, steps, values, plots.GREEN, line, marker, label=words, replicates=0
            )
        plain, best = new[:, 0].mean(), new.mean(axis=0).min()
        ax.axhline(plain, color=plots.BLUE, linewidth=2, linestyle=":")
        ax.set_xticks(steps, [f"{s:g}" for s in strengths], rotation=60, fontsize=9)
        ax.set(
            xlabel="L2 strength",
            ylabel=_unit(name),
            ylim=(0, 100 if name == "MNIST-1D" else 2 * plain),
        )
        ax.set_title(f"{name}: {plain:.1f},\nwith L2 at best {best:.1f}")
    axes[0].legend(loc="upper left")
    figure.suptitle("L2 helps where the network fits its examples and fails on new ones")
    plots.show(
        figure,
        "Means with 99 % intervals over "
        + ", ".join(f"{len(new):,}" for _, _, new in tasks.values())
        + " data sets; some points lie above the frame. Dotted: new data without "
        "penalty.",
        "On the line no strength lowers the error on new data. With fifty inputs and on MNIST-1D it falls as the "
        "penalty grows, and rises again where the penalty is too strong.",
    )

"""The pictures of lesson 03's second half; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats

LOOKS = {  # colour, line, marker, words
    "plain": (plots.GREEN, "-.", "^", "plain"),
    "he": (plots.YELLOW, "--", "s", "He initialisation"),
    "normalized": (plots.BLUE, "-", "o", "batch normalization"),
    "gentle": (plots.SKY, "--", "v", "batch norm., a little drift put back"),
    "wandering": (plots.BLACK, (0, (5, 1, 1, 1)), "P", "batch norm., wandering drift put back"),
    "jumping": (plots.PINK, ":", "D", "batch norm., jumping drift put back"),
}


KINDS = ("plain", "he", "normalized")


def show_rates(found: Mapping[str, Mapping]) -> None:
    """Show in how many epochs each kind reaches the training loss, against the learning rate; a panel a network."""
    figure, axes = plt.subplots(1, len(found), figsize=(9, 4.3))
    factors, most = {}, []
    for ax, (name, arrays) in zip(np.atleast_1d(axes), found.items(), strict=True):
        rates = arrays["constants"]["rates"]
        longest = max(arrays[f"sweep_{kind}"].max() for kind in KINDS)
        for kind in KINDS:
            color, line, marker, words = LOOKS[kind]
            took = arrays[f"sweep_{kind}"].astype(float)  # all epochs where it is not reached
            low, high = np.quantile(took, [0.05, 0.95], axis=0)
            ax.fill_between(rates, low, high, color=color, alpha=0.15, linewidth=0)
            style = {"color": color, "linestyle": line, "marker": marker, "label": words}
            ax.plot(rates, np.median(took, axis=0), **style)
        most.append(longest)
        best = {kind: np.log(arrays[f"epochs_{kind}"].astype(float)).mean() for kind in KINDS}
        factors[name] = {kind: np.exp(best[kind] - best["plain"]) for kind in KINDS}
        ax.axhline(longest, color=plots.BLACK, linestyle=":", linewidth=1.5)
        ax.set(xscale="log", xlabel="learning rate", ylabel="epochs to the training loss")
        ax.set_xticks(rates[::2], [f"{rate:.2g}" for rate in rates[::2]])
        ax.minorticks_off()
        ax.set_ylim(0, 1.08 * longest)
        times, start = factors[name]["normalized"], factors[name]["he"]
        ax.set_title(
            f"{name}, epochs relative to plain:\nbatch norm. {times:.2f}, He initialisation {start:.2f}"
        )
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    one = next(iter(found.values()))
    n = " and ".join(str(len(arrays["epochs_plain"])) for arrays in found.values())
    within = f"{most[0]:g}" + "".join(f" ({epochs:g})" for epochs in most[1:])
    told = "; ".join(
        f"{name}: batch normalization {f['normalized']:.2f}, He initialisation {f['he']:.2f}"
        for name, f in factors.items()
    )
    plots.show(
        figure,
        f"Epochs to a training loss of {one['constants']['target'][0]:g}; on the dotted line: not within {within} "
        f"epochs. Medians, shaded nine of ten networks, n = {n}. In the titles: each kind at its own best rate.",
        f"Curves of epochs against learning rate. How many times as many epochs as plain: {told}. With batch "
        "normalization the curve reaches further to high rates.",
    )


def show_errors(found: Mapping) -> None:
    """Show the errors of the three arms on new signals, a dot a network."""
    arms = KINDS
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    figure, ax = plt.subplots(figsize=(8, 3.4))
    means = []
    for row, arm in enumerate(arms):
        color, _, marker, _ = LOOKS[arm]
        values = found[f"error_{arm}"].astype(float)
        ax.plot(
            values,
            row + rng.uniform(-0.25, 0.25, len(values)),
            marker,
            color=color,
            alpha=0.35,
            markersize=4,
        )
        one = stats.mean_interval(values)
        means.append(one.estimate)
        ax.errorbar(
            one.estimate,
            row,
            xerr=[[one.estimate - one.low], [one.high - one.estimate]],
            color=plots.BLACK,
            marker="D",
            markersize=8,
            markerfacecolor="white",
            capsize=5,
            linewidth=2,
        )
    ax.set_yticks(
        range(3), [f"{LOOKS[arm][3]}: {mean:.1f} %" for arm, mean in zip(arms, means, strict=True)]
    )
    ax.set(xlabel="errors on new signals, in %")
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    gap = means[0] - means[2]
    ax.set_title(f"Batch normalization: {gap:.1f} percentage points fewer errors")
    plots.show(
        figure,
        f"{len(found['error_plain'])} data sets, each dot a network; diamonds: means with 99 % intervals.",
        f"Errors on new signals: plain {means[0]:.1f} %, He initialisation {means[1]:.1f} %, batch normalization "
        f"{means[2]:.1f} %.",
    )


def show_why(drift: Mapping, gradient: Mapping) -> None:
    """Show the training losses with drift put back in, the drift itself, and the change of the gradient."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 4.9))
    arms = ("plain", "he", "normalized", "gentle", "wandering", "jumping")
    arms = [arm for arm in arms if f"losses_{arm}" in drift]
    for arm in arms:
        color, line, _, words = LOOKS[arm]
        losses, drifts = (drift[f"{name}_{arm}"].astype(float) for name in ("losses", "drifts"))
        epochs = np.arange(1, losses.shape[1] + 1)
        style = {"linestyle": line, "color": color, "linewidth": 2.2}
        left.plot(epochs, losses.mean(axis=0), label=words, **style)
        middle.plot(epochs[1:], drifts.mean(axis=0), **style)
    left.set(xlabel="epoch", ylabel="training loss", title="progress")
    middle.set(xlabel="epoch", ylabel="drift in an epoch, in spreads", title="drift", yscale="log")
    shares = 100 * gradient["constants"]["shares"]
    for arm in KINDS:
        color, line, marker, _ = LOOKS[arm]
        change = np.exp(np.log(gradient[f"changes_{arm}"].astype(float)).mean(axis=0))
        right.plot(shares, change, linestyle=line, color=color, marker=marker, linewidth=2.2)
    right.set(xscale="log", yscale="log", xlabel="step, % of the weights", title="gradient")
    right.set_ylabel("change, in lengths of the gradient")
    for ax, ticks in ((middle, (0.03, 0.1, 0.3, 1)), (right, (0.2, 0.5, 1, 2, 5, 10, 20, 50))):
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    right.set_xticks(shares, [f"{share:g}" for share in shares])
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    took = {arm: drift[f"epochs_{arm}"].mean() for arm in arms}
    words = {"plain": "plain", "he": "He initialisation", "normalized": "batch norm."}
    words["jumping"] = "jumping drift"
    last = drift["losses_plain"].shape[1]
    late = {arm: " or more" if (drift[f"epochs_{arm}"] >= last).any() else "" for arm in took}
    told = ", ".join(f"{words[arm]} {took[arm]:.0f}{late[arm]}" for arm in words if arm in took)
    figure.suptitle(f"Epochs to a training loss of 1: {told}")
    plots.show(
        figure,
        f"Eight layers. Left and middle: n = {len(drift['epochs_plain'])}, rates best for a loss of 0.5, "
        f"drift put back at that of batch normalization. Right: n = {len(gradient['change_plain'])}, loss "
        f"{gradient['loss_plain'].mean():.1f}.",
        "Mean epochs to a training loss of 1: "
        + ", ".join(f"{LOOKS[arm][3]} {value:.0f}{late[arm]}" for arm, value in took.items())
        + ". Along a step the gradient changes less with batch normalization; with He initialisation as much as in the "
        "plain network.",
    )

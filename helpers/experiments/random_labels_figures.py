"""The pictures of lesson 06; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.experiments import capacity

LOOKS = {  # colour, line, marker
    "true": (plots.BLUE, "-", "o"),
    "given": (plots.ORANGE, "--", "s"),
    "clean": (plots.GREEN, "-.", "^"),
    "left_out": (plots.PINK, "-.", "v"),
    "rule": (plots.BLACK, "--", "P"),
    "copied": (plots.SKY, ":", "D"),
}
GUESS = 10.0  # percent right, of a guess


def _curve(ax, epochs, values, kind, label):
    """Draw the mean of (R, E) with the runs behind it."""
    color, line, _ = LOOKS[kind]
    values = np.asarray(values, float)
    ax.plot(epochs, values.T, color=color, alpha=0.12, linewidth=0.8)
    ax.plot(epochs, values.mean(axis=0), line, color=color, linewidth=2.8, label=label)


def _epochs(ax, epochs, label="epoch"):
    """Prepare a logarithmic axis of epochs with plain numbers, and a percentage upwards."""
    ax.set(xscale="log", xlabel=label, ylim=(-3, 103))
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if epochs[0] <= t <= epochs[-1]]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.minorticks_off()


def show_first(found: Mapping) -> None:
    """Show what networks say about wrongly labelled training examples, epoch by epoch."""
    epochs = found["constants"]["looks"]
    figure, ax = plt.subplots(figsize=(8, 4.2))
    _curve(ax, epochs, found["true_wrong_path"], "true", "get their true label, never shown")
    _curve(ax, epochs, found["given_wrong_path"], "given", "get the wrong label, shown in training")
    ax.axhline(GUESS, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.text(epochs[-1], GUESS + 2, "guessing", ha="right", color=plots.GREY, fontsize=11)
    _epochs(ax, epochs)
    ax.set(ylabel="wrongly labelled digits, in %")
    means = np.asarray(found["true_wrong_path"], float).mean(axis=0)
    best = int(means.argmax())
    ax.set_title(
        f"Wrong labels: {means[best]:.0f} % corrected at epoch {epochs[best]}, {means[-1]:.0f} % at epoch {epochs[-1]}"
    )
    ax.legend(loc="center left", bbox_to_anchor=(0.01, 0.31))
    n = len(found["true_wrong_path"])
    plots.show(
        figure,
        f"{n} networks (thin) and their means, each trained on 1,000 digits with a fifth of the labels wrong. Drawn: "
        "what they say about these 200, while they are trained.",
        f"Two curves over the epochs. The share of wrongly labelled digits that get their true label is highest at "
        f"epoch {epochs[best]}, {means[best]:.0f} %, and ends at {means[-1]:.0f} %; the share that get the wrong label "
        "rises to nearly all.",
    )


def show_mine(true: Mapping, random: Mapping, new: tuple[float, float]) -> None:
    """Show the training accuracy of the reader's two networks, and what they know of new signals.

    ``true, random``: the ``history`` of Keras; ``new``: accuracies on new signals, from 0 to 1.
    """
    figure, ax = plt.subplots(figsize=(8, 3.6))
    for past, kind, name, share in zip(
        (true, random), ("true", "given"), ("true labels", "random labels"), new, strict=True
    ):
        color, line, _ = LOOKS[kind]
        accuracy = 100 * np.asarray(past["accuracy"])
        label = f"{name}; new signals: {100 * share:.0f} %"
        ax.plot(
            np.arange(1, len(accuracy) + 1), accuracy, line, color=color, linewidth=2.5, label=label
        )
    ax.axhline(GUESS, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.set(xlabel="epoch", ylabel="training labels given, in %", ylim=(-3, 103))
    ends = [100 * past["accuracy"][-1] for past in (true, random)]
    ax.set_title(
        f"Your two networks give {ends[0]:.0f} and {ends[1]:.0f} % of their training labels"
    )
    ax.legend(loc="lower right")
    plots.show(
        figure,
        "Training accuracy as Keras reports it, and in the legend the accuracy on 1,000 new signals; dotted: guessing.",
        f"Two rising curves: training accuracy with true labels ends at {ends[0]:.0f} %, with random labels at "
        f"{ends[1]:.0f} %. On new signals {100 * new[0]:.0f} and {100 * new[1]:.0f} %.",
    )


def show_fifty(true: np.ndarray, random: np.ndarray) -> None:
    """Show the training accuracies (M, E), from 0 to 1, of many networks with true and with random labels."""
    figure, ax = plt.subplots(figsize=(8, 3.8))
    halves = []
    for values, kind, name in ((true, "true", "true labels"), (random, "given", "random labels")):
        values = 100 * np.asarray(values, float)
        epochs = np.arange(1, values.shape[1] + 1)
        _curve(ax, epochs, values, kind, name)
        reached = values >= 99.5
        took = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, values.shape[1])
        halves.append(took)
    ax.axhline(GUESS, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.set(xlabel="epoch", ylabel="training labels given, in %", ylim=(-3, 103))
    means = [took.mean() for took in halves]
    ax.set_title(
        f"To 99.5 %: {means[0]:.0f} epochs with true labels, {means[1]:.0f} with random ones"
    )
    ax.legend(loc="lower right")
    plots.show(
        figure,
        f"{len(true)} networks of each kind, each with its own 1,000 signals; thick: means.",
        f"Two bundles of rising curves. 99.5 % of the training labels are reached after {means[0]:.0f} epochs with "
        f"true labels on average, after {means[1]:.0f} with random ones.",
    )


def show_longer(found: Mapping[str, Mapping]) -> None:
    """Show the epochs needed with true and with random labels, a panel a data set, a line a network."""
    figure, axes = plt.subplots(1, len(found), figsize=(9, 3.8))
    told = []
    for ax, (name, arrays) in zip(np.atleast_1d(axes), found.items(), strict=True):
        pairs = np.stack([arrays["epochs_true"], arrays["epochs_random"]], axis=1).astype(float)
        ax.plot([0, 1], pairs.T, color=plots.GREY, alpha=0.5, linewidth=1)
        for at, kind in enumerate(("true", "given")):
            color, _, marker = LOOKS[kind]
            ax.plot(
                np.full(len(pairs), at), pairs[:, at], marker, color=color, alpha=0.6, markersize=5
            )
        times = np.exp(np.mean(np.log(pairs[:, 1] / pairs[:, 0])))
        told.append(f"{name} {times:.1f}")
        ax.set_xticks([0, 1], ["true", "random"])
        ax.set(xlim=(-0.4, 1.4), ylim=(0, 1.1 * pairs.max()), title=f"{name}: {times:.1f} times")
    np.atleast_1d(axes)[0].set_ylabel("epochs until all labels are given")
    n = ", ".join(str(len(arrays["epochs_true"])) for arrays in found.values())
    plots.show(
        figure,
        f"Each line is a data set of 1,000 examples and one network, n = {n}. In the titles: how many times as "
        "many epochs random labels take, geometric mean.",
        f"Epochs until all training labels are given, random labels over true ones: {', '.join(told)} times.",
    )


def play_first(found: Mapping) -> None:
    """Play how networks meet the noise: each is a point, its wrongly labelled digits by what it says about them."""
    epochs = found["constants"]["looks"]
    true, given, clean = (
        np.asarray(found[f"{name}_wrong_path"], float) for name in ("true", "given", "clean")
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), width_ratios=(1, 1))
    spots = {int(epoch): at for at, epoch in enumerate(epochs)}

    def draw(epoch):
        at = spots[epoch]
        left.clear()
        color, _, marker = LOOKS["true"]
        left.plot(given[:, at], true[:, at], marker, color=color, alpha=0.6)
        left.plot([0, 100], [100, 0], ":", color=plots.GREY, linewidth=1.5)
        left.set(xlim=(-4, 104), ylim=(-4, 104), title=f"{len(true)} networks at epoch {epoch}")
        left.set(xlabel="get the wrong label, in %", ylabel="get the true label, in %")
        right.clear()
        for values, kind, label in (
            (clean, "clean", "rightly labelled: learned"),
            (true, "true", "wrongly labelled: corrected"),
            (given, "given", "wrongly labelled: learned"),
        ):
            color, line, marker = LOOKS[kind]
            style = {"linestyle": line, "color": color, "marker": marker, "markersize": 4}
            right.plot(
                epochs[: at + 1], values.mean(axis=0)[: at + 1], label=label, linewidth=2.5, **style
            )
        _epochs(right, epochs)
        right.set_xlim(epochs[0] * 0.9, epochs[-1] * 1.1)
        right.set(ylabel="of these digits, in %", title="all networks, mean")
        if not figure.legends:  # once, so that nothing jumps
            handles = right.get_legend_handles_labels()
            figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=10)

    best = int(true.mean(axis=0).argmax())
    plots.animate(
        figure,
        draw,
        sorted({*epochs[::3].tolist(), int(epochs[-1])}),
        "Left: a point is a network's 200 wrongly labelled digits; dotted: true or given label. Right: means. "
        f"n = {len(true)}.",
        f"The points first climb towards the corner where all wrongly labelled digits get their true label, mean "
        f"{true.mean(axis=0)[best]:.0f} % at epoch {epochs[best]}, then slide down to the corner where all get the "
        f"wrong one, {given.mean(axis=0)[-1]:.0f} % at epoch {epochs[-1]}.",
        label="epoch {}".format,
        milliseconds=350,
    )


ARMS = {
    "left_out": "not in the training set",
    "wrong": "wrong at random",
    "rule": "wrong by a rule",
}


def show_why(found: Mapping) -> None:
    """Show the agreement with the true label in three arms, and who misses what is learned late."""
    epochs = found["constants"]["looks"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(5, 4))
    ends, most = {}, {}
    for arm, kind in zip(ARMS, ("left_out", "true", "rule"), strict=True):
        values = np.asarray(found[f"true_{arm}_path"], float)
        most[arm] = values.mean(axis=0).max()
        _curve(left, epochs, values, kind, ARMS[arm])
        ends[arm] = found[f"agreement_{arm}"].mean()
    _epochs(left, epochs)
    never = most["rule"] < 1
    left.set(ylabel="get their true label, in %")
    left.set_title("wrong by a rule: never corrected" if never else "what the networks say")
    left.legend(loc="center left", bbox_to_anchor=(0.02, 0.25), fontsize=10)
    groups = {"clean": "right, all", "late": "right,\nlearned last", "wrong": "wrong"}
    means = []
    for at, name in enumerate(groups):
        one = stats.mean_interval(found[f"{name}_missed"].astype(float))
        means.append(one.estimate)
        reach = [[one.estimate - one.low], [one.high - one.estimate]]
        right.errorbar(
            at,
            one.estimate,
            reach,
            color=plots.BLACK,
            marker="o",
            markersize=9,
            capsize=6,
            linewidth=2,
        )
        right.text(at + 0.12, one.estimate, f"{one.estimate:.0f} %", va="center")
    right.set_xticks(range(3), list(groups.values()))
    right.set(xlim=(-0.4, 2.7), ylim=(-3, 108), ylabel="training labels missed, in %")
    right.set_title("what an outsider misses")
    plots.show(
        figure,
        f"Left: the wrongly labelled digits, under the rule the zeros and ones; n = {len(found['agreement_wrong'])}. "
        "Right: how often an outsider misses a training label, with 99 % intervals; *learned last* is the last "
        "twentieth of the rightly labelled.",
        f"At the epoch that validation picks the true label is given to {ends['left_out']:.0f} % of these digits if "
        f"they are left out, {ends['wrong']:.0f} % if wrong at random, {ends['rule']:.0f} % if wrong by a rule. An "
        f"outsider misses {means[0]:.0f} % of the right labels, {means[1]:.0f} % of those learned last, and "
        f"{means[2]:.0f} % of the wrong ones.",
    )


KINDS = {  # of the curves over the share of redrawn labels
    "error": ("given", "learned by heart"),
    "copied": ("copied", "copying the nearest example"),
    "early": ("true", "stopped where validation is best"),
}


def show_dose(found: Mapping[str, Mapping]) -> None:
    """Show the errors on new examples against the share of redrawn labels; a panel a data set."""
    figure, axes = plt.subplots(1, len(found), figsize=(9, 4.2), sharey=True)
    told = []
    for ax, (name, arrays) in zip(np.atleast_1d(axes), found.items(), strict=True):
        shares = 100 * arrays["constants"]["shares"].astype(float)
        for key, (kind, label) in KINDS.items():
            color, line, marker = LOOKS[kind]
            values = arrays[key].astype(float)
            ax.plot(shares, values.T, color=color, alpha=0.15, linewidth=0.8)
            ax.plot(
                shares,
                values.mean(axis=0),
                line,
                color=color,
                marker=marker,
                linewidth=2.5,
                label=label,
            )
        step = arrays["largest_step"].mean()
        told.append(f"{name}: {100 * step:.0f} %")
        ax.axhline(100 - GUESS, color=plots.GREY, linestyle=":", linewidth=1.5)
        ax.set(
            xlabel="labels redrawn, in %",
            ylim=(0, 100),
            title=f"{name}: largest step {100 * step:.0f} %",
        )
    axes = np.atleast_1d(axes)
    axes[0].set_ylabel("errors on new examples, in %")
    axes[0].legend(loc="upper left", fontsize=10)
    n = " and ".join(str(len(arrays["error"])) for arrays in found.values())
    plots.show(
        figure,
        f"1,000 training examples, n = {n}; thin: single networks. In the titles: the largest step of the orange "
        "curve, in percent of its whole rise. Validation labels are right. Dotted: guessing.",
        "Errors on new examples against the share of redrawn labels, for networks that learned all labels by heart, "
        "those stopped by validation, and copying the nearest example. The largest step of the first: "
        f"{'; '.join(told)} of the way.",
    )


INPUTS = 40  # numbers of a signal


def show_capacity(found: Mapping, widths: Sequence[int] = (8, 16, 32)) -> None:
    """Show how many random labels were learned against the number of weights, with two lines to compare with."""
    weights = np.array([capacity.weights_of(width) for width in widths], float)
    most = np.stack([found[f"largest_{width}"] for width in widths], axis=1).astype(float)
    mean, slope = most.mean(axis=0), float(found["slope"].mean())
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    figure, ax = plt.subplots(figsize=(8, 4.0))
    reach = np.array([0, 1.2 * weights[-1]])
    ax.plot(reach, reach, ":", color=plots.GREY, linewidth=2, label="one label for each weight")
    theorem = np.array([INPUTS, reach[1]])  # [zhang2017]: n labels for 2 n + d weights
    ax.plot(
        theorem,
        (theorem - INPUTS) / 2,
        "--",
        color=plots.BLACK,
        linewidth=1.5,
        label="theorem, one output: 2n + d weights for n labels",
    )
    for at, width in enumerate(widths):
        spread = weights[at] + rng.uniform(-18, 18, len(most))
        label = None if at else "learned, one repeat"
        ax.plot(spread, most[:, at], "o", color=plots.ORANGE, alpha=0.4, markersize=5, label=label)
        ax.annotate(
            f"width {width}", (weights[at], mean[at]), (14, -12), textcoords="offset points"
        )
    ax.plot(weights, mean, "D-", color=plots.ORANGE, markersize=8, label="learned, mean")
    ax.set(
        xlabel="weights of the network", ylabel="random labels learned by heart", xlim=(0, reach[1])
    )
    ax.set_ylim(0, 1.3 * mean[-1])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    ax.set_title(f"Each added weight makes room for {slope:.2f} labels")
    ax.legend(loc="upper left")
    told = ", ".join(f"{m:,.0f} at width {width}" for m, width in zip(mean, widths, strict=True))
    each = ", ".join(f"{share:.2f}" for share in mean / weights)
    plots.show(
        figure,
        f"MNIST-1D signals, random labels, 5,000 Adam steps; {len(most)} repeats (dots): halfway from the largest "
        "number learned to the next.",
        f"Labels learned by heart: {told}; {slope:.2f} for each added weight. For each weight there is: {each}.",
    )

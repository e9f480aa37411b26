"""The pictures of lesson 05; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats

LOOKS = {  # colour, line, marker, words
    "dense": (plots.BLACK, "-", "o", "dense: all weights"),
    "ticket": (plots.BLUE, "-", "D", "ticket: mask and initial weights"),
    "constant": (plots.SKY, "--", "v", "mask and signs, one size a layer"),
    "signs": (plots.GREEN, "-.", "^", "mask and signs, new sizes"),
    "redrawn": (plots.ORANGE, "--", "s", "mask, new weights"),
    "random": (plots.PINK, ":", "P", "initial weights, random mask"),
    "small": (plots.YELLOW, (0, (5, 1, 1, 1)), "X", "small dense network"),
}
SHORT = {
    "dense": "dense",
    "ticket": "ticket",
    "redrawn": "its mask, new weights",
    "random": "random mask",
}
RIDDLE = ("redrawn", "dense", "random", "ticket", "signs", "small")  # in the order A to F
LADDER = ("ticket", "constant", "signs", "redrawn", "random", "small")
PAIRS = {  # of the XOR question's networks: array, words
    "fresh": "a new network of two",
    "replaced": "two units of a new eight",
    "signs": "these, with the best pair's signs",
    "rewound": "best pair of eight, put back",
}
STARTS = {
    "tutorial": ("#222222", "o", "tutorial"),
    "pytorch": ("#777777", "s", "PyTorch"),
    "keras": ("#AAAAAA", "^", "Keras"),
}


def _row(ax, values, row, look, dots=True):
    """Draw one arm as a row of dots with its mean and interval; return the mean."""
    color, _, marker, _ = look
    rng = np.random.default_rng(row)  # of where the dots are drawn only
    if dots:
        up = row + rng.uniform(-0.27, 0.27, len(values))
        ax.plot(values, up, marker, color=color, alpha=0.3, markersize=4)
    one = stats.mean_interval(values)
    ax.errorbar(
        one.estimate, row, xerr=[[one.estimate - one.low], [one.high - one.estimate]],
        color=plots.BLACK, marker="D", markersize=7, markerfacecolor="white", capsize=5, linewidth=2,
    )  # fmt: skip
    return one.estimate


def show_riddle(ladder: Mapping) -> None:
    """Show the accuracies of six kinds of network without saying which is which."""
    figure, ax = plt.subplots(figsize=(8, 3.6))
    for row, arm in enumerate(RIDDLE):
        look = (plots.GREY, "-", "o", "")
        _row(ax, ladder[f"accuracy_{arm}"].astype(float), row, look)
    ax.set_yticks(range(len(RIDDLE)), "ABCDEF"[: len(RIDDLE)])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="accuracy on new signals, in %")
    left = 100 * ladder["constants"]["left"][0]
    ax.set_title(
        f"One is the whole network, the others have {left:.0f} % as many weights. Which one?"
    )
    plots.show(
        figure,
        f"Six kinds of network on MNIST-1D, {len(ladder['accuracy_dense'])} of each; diamonds: means with 99 % "
        "intervals.",
        "Six rows of dots, A to F, without names; two or three of them lie about equally far right.",
    )


def answer(ladder: Mapping) -> str:
    """Return which letter is the dense network, with its mean accuracy; `show_ladder` names the others."""
    letter = "ABCDEF"[RIDDLE.index("dense")]
    return f"{letter}, with {ladder['accuracy_dense'].mean():.1f} %. Below the other letters return with names."


def show_pairs(found: Mapping[str, Mapping], pruned: Mapping[str, Mapping]) -> None:
    """Show how often pairs of units converge, by what they keep of a trained network.

    Parameters
    ----------
    found, pruned : dict of dict
        Arrays of ``xor_tickets/START`` and ``xor_tickets/ten_to_two_START``, by start.
    """
    rows = {**PAIRS, "rewound_2": "ten units pruned to two, put back"}
    figure, ax = plt.subplots(figsize=(8, 3.9))
    shares = {name: {} for name in rows}
    for place, start in enumerate(found):
        color, marker, words = STARTS[start]
        for row, name in enumerate(rows):
            values = pruned[start][name] if name == "rewound_2" else found[start][name]
            one = stats.proportion_interval(int(np.sum(values)), len(values))
            shares[name][words] = one.estimate
            error = np.maximum([[one.estimate - one.low], [one.high - one.estimate]], 0)
            ax.errorbar(
                one.estimate, row + 0.2 * (place - 1), xerr=error, color=color, marker=marker, markersize=7,
                capsize=3, linewidth=2, label=words if row == 0 else None,
            )  # fmt: skip
    ax.set_yticks(range(len(rows)), list(rows.values()))
    ax.invert_yaxis()
    ax.set(xlabel="share that converges (succeeds)", xlim=(0, 1))
    plots.percent(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.legend(title="initial weights", loc="upper right")
    gains = [shares["rewound"][w] - shares["replaced"][w] for w in shares["rewound"]]
    least, most = (100 * end for end in (min(gains), max(gains)))
    ax.set_title(f"The best pair, put back, against a new one:\n{least:+.0f} to {most:+.0f} points")
    n, m = (len(next(iter(one.values()))["found"]) for one in (found, pruned))
    told = "; ".join(
        f"{rows[name]}: " + ", ".join(f"{w} {100 * s:.0f} %" for w, s in each.items())
        for name, each in shares.items()
    )
    plots.show(
        figure,
        f"Pairs of hidden units on XOR, trained again; n = {n:,} networks a mark (last row {m:,}), with 99 % "
        "intervals.",
        f"Share of pairs that converge. {told}.",
    )


def show_mine(scores: Mapping[str, np.ndarray], left: float) -> None:
    """Show the reader's own networks: accuracies (M,) by arm of `LOOKS`, with a share ``left`` of the weights."""
    figure, ax = plt.subplots(figsize=(8, 0.7 + 0.62 * len(scores)))
    means = {}
    for row, (arm, values) in enumerate(scores.items()):
        means[arm] = _row(ax, 100 * np.asarray(values, float), row, LOOKS[arm])
    ax.set_yticks(range(len(scores)), [f"{LOOKS[a][3]}: {m:.1f} %" for a, m in means.items()])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="accuracy on new signals, in %")
    ax.set_title(f"Your networks, with {100 * left:.0f} % of the weights")
    told = ", ".join(f"{LOOKS[a][3]} {m:.1f} %" for a, m in means.items())
    count = len(next(iter(scores.values())))
    plots.show(
        figure,
        f"{count} networks of each kind, one learning rate for all; diamonds: means with 99 % intervals.",
        f"Mean accuracies of the reader's networks: {told}.",
    )


def show_levels(levels: Mapping) -> None:
    """Show ticket and rivals against the share of weights that is left."""
    left = 100 * levels["constants"]["left"].astype(float)
    marks = levels["constants"]["marks"]
    figure, ax = plt.subplots(figsize=(8, 4))
    dense = stats.mean_interval(levels["accuracy_dense"].astype(float))
    ax.axhspan(dense.low, dense.high, color=plots.GREY, alpha=0.25, linewidth=0)
    ax.axhline(dense.estimate, color=plots.BLACK, linewidth=1.5, label="dense")
    last = {}
    for arm in ("ticket", "redrawn", "random"):
        color, line, marker, words = LOOKS[arm]
        values = np.stack([levels[f"accuracy_{arm}_{mark}"] for mark in marks], axis=1)
        plots.over_epochs(
            ax, left, values.astype(float), color, line, marker, label=words, replicates=0
        )
        last[arm] = values.astype(float).mean(axis=0)
    ax.set(xscale="log", xlabel="weights left, in %", ylabel="accuracy on new signals, in %")
    ax.set_xticks(left, [f"{share:.0f}" if share >= 10 else f"{share:.1f}" for share in left])
    ax.minorticks_off()
    ax.invert_xaxis()
    ax.legend(loc="lower left")
    off = last["ticket"] - dense.estimate
    ax.set_title(
        f"Ticket minus dense: {off[0]:+.1f} points at {left[0]:.0f} %, {off[-1]:+.1f} at {left[-1]:.1f} %"
    )
    told = "; ".join(
        f"{SHORT[arm]}: "
        + ", ".join(f"{v:.1f} % at {s:.3g} %" for v, s in zip(each, left, strict=True))
        for arm, each in last.items()
    )
    plots.show(
        figure,
        f"Means with 99 % intervals, n = {len(levels['accuracy_dense'])} trials; line and grey band: dense. Own "
        "learning rates.",
        f"Accuracy against the share of weights left. Dense {dense.estimate:.1f} %. {told}.",
    )


def show_early(early: Mapping, ladder: Mapping) -> None:
    """Show the ticket's lead over the dense network by when training stops, and how fast each kind learns."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.2, 1])
    rows = {"lowest\nvalidation loss": early, "after\n50 epochs": ladder}
    means = [
        _row(left, (one["accuracy_ticket"] - one["accuracy_dense"]).astype(float), row, LOOKS["ticket"])
        for row, one in enumerate(rows.values())
    ]  # fmt: skip
    left.axvline(0, color=plots.BLACK, linewidth=1.5)
    levels = [
        "\n".join(f"{arm} {one[f'accuracy_{arm}'].mean():.1f} %" for arm in ("ticket", "dense"))
        for one in rows.values()
    ]
    left.set_yticks(
        range(len(rows)), [f"{row}:\n{two}" for row, two in zip(rows, levels, strict=True)]
    )
    left.set(xlabel="difference in percentage points", ylim=(1.5, -0.5))
    left.set_title(f"Ticket minus dense: {means[0]:+.1f} or {means[1]:+.1f} points", fontsize=11)
    steps = {
        arm: _row(right, early[f"reach_{arm}"].astype(float), row, LOOKS[arm])
        for row, arm in enumerate(SHORT)
    }
    right.set_yticks(
        range(len(SHORT)), [f"{SHORT[arm]}: {mean:.0f}" for arm, mean in steps.items()]
    )
    right.invert_yaxis()
    right.set(xlabel="steps until 40 % are right", xlim=(0, None))
    right.set_title("How fast each kind learns", fontsize=11)
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
    n = " and ".join(str(len(one["accuracy_dense"])) for one in rows.values())
    told = ", ".join(f"{SHORT[arm]} {mean:.0f}" for arm, mean in steps.items())
    lowest = " and ".join(
        f"{100 * np.mean(early[f'rate_{arm}'] == early['constants']['rates'].min()):.0f} % of {words}"
        for arm, words in (("ticket", "tickets"), ("dense", "dense networks"))
    )
    plots.show(
        figure,
        f"Means, 99 % intervals, n = {n} trials, two experiments. Left: own rates; stopped early, {lowest} chose the "
        "lowest. Right: all at 0.01.",
        f"Ticket minus dense: {means[0]:+.1f} points where each has its lowest validation loss, {means[1]:+.1f} after "
        f"50 epochs. Mean steps to 40 % of the validation signals: {told}.",
    )


def show_ladder(ladder: Mapping) -> None:
    """Show how far each rival of the ticket stays behind the dense network, trial by trial."""
    dense = ladder["accuracy_dense"].astype(float)
    figure, ax = plt.subplots(figsize=(8.5, 4.1))
    means = {}
    for row, arm in enumerate(LADDER):
        means[arm] = _row(ax, ladder[f"accuracy_{arm}"].astype(float) - dense, row, LOOKS[arm])
    ax.axvline(0, color=plots.BLACK, linewidth=1.5)
    letters = {arm: f" ({letter})" for letter, arm in zip("ABCDEF", RIDDLE, strict=True)}
    names = [f"{LOOKS[a][3]}{letters.get(a, '')}: {m:+.1f}" for a, m in means.items()]
    ax.set_yticks(range(len(LADDER)), names)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="accuracy minus dense, in percentage points")
    lost, whole = means["ticket"] - means["redrawn"], means["ticket"] - means["random"]
    ax.set_title(f"New weights cost the ticket {lost:.1f} points,\na random mask {whole:.1f}")
    left = 100 * ladder["constants"]["left"][0]
    plots.show(
        figure,
        f"{left:.1f} % of the weights, n = {len(dense)} trials, own learning rates. Dots: trials; diamonds: means, "
        "99 % intervals; line: dense. Letters: of the first figure.",
        f"Accuracy minus dense in percentage points: {', '.join(names)}.",
    )


def show_rates(ladder: Mapping, lenet: Mapping) -> None:
    """Show the accuracy of each arm against the learning rate that all would share, on MNIST-1D and on LeNet."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.3))
    told = []
    for ax, (name, found) in zip(axes, {"MNIST-1D": ladder, "LeNet": lenet}.items(), strict=True):
        rates = found["constants"]["rates"].astype(float)
        mean = {arm: found[f"sweep_{arm}"].astype(float).mean(axis=0) for arm in SHORT}
        for arm in SHORT:
            color, line, marker, _ = LOOKS[arm]
            values = found[f"sweep_{arm}"].astype(float)
            plots.over_epochs(
                ax, rates, values, color, line, marker, label=SHORT[arm], replicates=0
            )
        ax.set(xscale="log", xlabel="learning rate of all", ylabel="accuracy, in %")
        ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
        ax.minorticks_off()
        leads = [m - r for m, r in zip(mean["ticket"], mean["redrawn"], strict=True)]
        left = 100 * found["constants"]["left"][0]
        ax.set_title(f"{name}, {left:.1f} % of the weights left", fontsize=11)
        text = ", ".join(f"{lead:.1f} at {rate:g}" for lead, rate in zip(leads, rates, strict=True))
        told.append(f"{name}: ticket minus its mask with new weights {text}")
    axes[0].set_ylim(bottom=max(axes[0].get_ylim()[0], 38))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    n = " and ".join(str(len(found["accuracy_dense"])) for found in (ladder, lenet))
    lead = {k: float(ladder[k].mean()) for k in ("lead_low", "lead")}
    least = ladder["constants"]["rates"][0]
    figure.suptitle(
        f"MNIST-1D: the ticket leads its mask with new weights by {lead['lead_low']:.1f} points at {least:g},\n"
        f"by {lead['lead']:.1f} if each has its own rate",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    plots.show(
        figure,
        f"Means with 99 % intervals, n = {n} trials. The left panel begins at 38 %.",
        f"Accuracy against the learning rate. {'; '.join(told)}.",
    )


def show_search(found: Mapping) -> None:
    """Show the accuracy of the ticket and of its mask with new weights, by the learning rate of the search."""
    rates = found["constants"]["searches"]
    figure, ax = plt.subplots(figsize=(8, 3.6))
    leads = [float(found[f"lead_{k}"].mean()) for k in range(len(rates))]
    places = np.arange(len(rates))
    for arm in ("ticket", "redrawn"):
        color, line, marker, _ = LOOKS[arm]
        values = np.stack([found[f"{arm}_{k}"] for k in range(len(rates))], axis=1).astype(float)
        plots.over_epochs(ax, places, values, color, line, marker, label=SHORT[arm], replicates=0)
    ax.set_xticks(places, [f"{rate:g}" for rate in rates])
    ax.set(xlabel="learning rate of the search", ylabel="accuracy on\nnew signals, in %")
    ax.set_xlim(-0.3, len(rates) - 0.7)
    ax.legend(loc="best")
    text = ", ".join(f"{lead:.1f}" for lead in leads)
    ax.set_title(f"The ticket's lead by the rate of the search: {text} points")
    told = ", ".join(f"{lead:.1f} at {rate:g}" for lead, rate in zip(leads, rates, strict=True))
    plots.show(
        figure,
        f"Means with 99 % intervals, n = {len(found['lead_0'])} trials. Whatever the search ran at, both then choose "
        "their own rates.",
        f"The ticket's lead over its mask with new weights, by the rate of the search: {told}.",
    )

"""The pictures of lesson 08 about the Boolean machine; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots

WORDS = {
    "x1": "x1",
    "x7": "x7",
    "and2": "x1 and x2",
    "or2": "x1 or x2",
    "maj3": "majority of 3",
    "maj7": "majority of 7",
    "parity2": "x1 differs from x2",
    "random": "random labels",
}
ONCE = 1e7 / 2.0**128  # how often ten million draws by lot would find a given function
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def show_ranks(ranks: Mapping, simpler: Mapping) -> None:
    """Show how often each function was found, by rank, and how simple random networks are against their own shuffle."""
    told = ranks["constants"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.0))
    left.plot(told["rank"], told["count"], "o-", color=plots.BLUE, markersize=4)
    left.set(
        xscale="log", yscale="log", xlabel="rank of the function", ylabel="networks of ten million"
    )
    left.set_title("Few functions come often, most once")
    bits = np.log2(128)  # that the measure counts for each word
    by, mixed = (simpler[f"{kind}_words"].ravel() / bits for kind in ("by", "mixed"))
    edges = np.arange(0, 24) - 0.25
    right.hist(
        mixed,
        edges,
        color=plots.ORANGE,
        alpha=0.8,
        hatch="//",
        label="the same, rows in random order",
    )
    right.hist(by, edges, color=plots.BLUE, alpha=0.75, label="random networks")
    right.set(xlabel="new words in the table", ylabel="networks")
    right.set_title(f"Simpler than its own shuffle: {simpler['simpler'].mean():.1f} %")
    right.yaxis.set_major_formatter("{x:,.0f}")
    right.legend(loc="upper left", fontsize=9)
    digit, power = f"{ONCE:.0e}".split("e")
    plots.show(
        figure,
        f"Left: the third commonest function, the first that is not constant, was met {told['count'][2]:,.0f} "
        f"times; by lot {digit}·10{power.translate(RAISED)} times. Right: {by.size:,} networks with at least "
        "16 ones and 16 zeros.",
        f"A falling curve of counts over ranks, from {told['count'][0]:,.0f} down to 1, and two histograms: the "
        "functions of random networks are simpler than their own answers in random order in "
        f"{simpler['simpler'].mean():.1f} % of cases.",
    )


def show_rows(steps: Mapping, trained: Mapping, target: str = "and2") -> None:
    """Show the share of networks wrong in each unseen row, guessed against trained, and the errors of four kinds.

    ``steps``: looked at after each step; ``trained``: other training sets, to the end of training.
    """
    guess, first = (100 * steps[f"{name}_{target}"].astype(float) for name in ("guess", "step"))
    agree = steps[f"agree_step_{target}"]
    one = int(np.argsort(agree)[len(agree) // 2])  # the middle one of all training sets
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1, 1))
    left.plot(guess[one], first[one], "o", color=plots.BLUE, alpha=0.6)
    most = 1.08 * max(guess[one].max(), first[one].max())
    left.plot([0, most], [0, most], ":", color=plots.GREY, linewidth=2)
    left.set(xlabel="guesses wrong there, in %", ylabel="SGD wrong there at its first fit, in %")
    left.set_title(f"96 unseen rows: rank correlation {agree[one]:.2f}")
    kinds = {"guessed": "guess", "SGD, first\nfit": "step", "end of that\nepoch": "epoch"}
    paths = np.stack([steps[f"error_{kind}_{target}"] for kind in kinds.values()], axis=1)
    last = trained[f"error_end_sgd_{target}"].astype(float)
    means = [*paths.mean(axis=0, dtype=float), last.mean()]
    right.plot(range(3), paths.T, color=plots.GREY, alpha=0.35, linewidth=0.8)
    right.plot(np.full(len(last), 3), last, "o", color=plots.GREY, alpha=0.35, markersize=4)
    right.plot(range(3), means[:3], "D-", color=plots.ORANGE, markersize=9, linewidth=2.5)
    right.plot(range(2, 4), means[2:], "D--", color=plots.ORANGE, markersize=9, linewidth=2.5)
    for at, height in enumerate(means):
        right.annotate(f"{height:.1f} %", (at, height), (8, 8), textcoords="offset points")
    right.set_xticks(range(4), [*kinds, "epoch 150"])
    right.set(
        xlim=(-0.25, 3.6),
        ylabel="errors on the unseen rows, in %",
    )
    right.set_title(f"Trained on to epoch 150: {means[3]:.1f} %")
    right.set_ylim(0, None)
    plots.show(
        figure,
        f"Target: {WORDS[target]}. Left: the middle of {len(agree)} training sets; dotted: equal. Right: "
        "all (grey) and means; epoch 150: other sets.",
        "Rows that guesses get wrong are also those that trained networks get wrong, rank correlation "
        f"{agree[one]:.2f}. Errors: guessed {means[0]:.1f} %, at the first step that fits {means[1]:.1f} %, at the end "
        f"of the first epoch that fits {means[2]:.1f} %, at epoch 150 {means[3]:.1f} %.",
    )


def show_bounds(found: Mapping, others: Mapping, trained: Mapping, hard: Mapping) -> None:
    """Show the bound and the true errors, target by target: guessed, at the first epoch that fits, trained on."""
    places = {
        name: arrays for arrays in (found, others) for name in WORDS if f"bound_{name}" in arrays
    }
    names = sorted(places, key=lambda name: places[name][f"bound_{name}"].mean())
    ends = {name: places[name][f"bound_{name}"].mean() for name in names}
    figure, ax = plt.subplots(figsize=(8.5, 4.4))
    wide = {"markersize": 26, "markeredgewidth": 4, "color": plots.BLACK}
    for at, name in enumerate(names):
        least = places[name][f"least_{name}"].mean()
        ax.plot([at, at], [least, ends[name]], color=plots.BLACK, linewidth=4)
        ax.plot([at, at], [least, ends[name]], "_", **wide)
        if np.mean(places[name][f"accepted_{name}"] > 0) > 0.5:
            error = places[name][f"error_{name}"].mean()
            ax.plot(at - 0.15, error, "o", color=plots.BLUE, markersize=9)
        for source in (trained, hard):
            if f"error_first_sgd_{name}" in source:
                scale = 96 / 128  # from the unseen rows to all rows
                first, end = (
                    scale * source[f"error_{stage}_sgd_{name}"].mean() for stage in ("first", "end")
                )
                ax.plot(at, first, "s", color=plots.ORANGE, markersize=8)
                ax.plot(at + 0.15, end, "^", color=plots.GREEN, markersize=8)
    ax.axhline(50, color=plots.GREY, linestyle=":", linewidth=2)
    ax.plot([], [], "_", label="the bound", **(wide | {"markersize": 14}))
    for marker, color, label in (
        ("o", plots.BLUE, "accepted guesses"),
        ("s", plots.ORANGE, "SGD, first epoch that fits"),
        ("^", plots.GREEN, "SGD, epoch 150"),
    ):
        ax.plot([], [], marker, color=color, label=label, markersize=8)
    ax.set_xticks(range(len(names)), [WORDS[name] for name in names], rotation=25, ha="right")
    ax.set(ylabel="errors over all 128 rows, in %", ylim=(-2, 103))
    some = sum(end < 50 for end in ends.values())
    ax.set_title(f"Below 50 % for {some} of {len(names)} targets, and far above the true errors")
    ax.legend(loc="upper left", fontsize=10)
    told = ", ".join(f"{WORDS[name]} {end:.0f} %" for name, end in ends.items())
    plots.show(
        figure,
        f"Means over {len(found['bound_x1']):,} training sets of 32 rows ({len(next(iter(others.values())))} for "
        f"majorities and x1 differs from x2), for SGD {len(trained['error_guess_x1'])} or "
        f"{len(hard['error_guess_or2'])} others. Black: the bound by both ends of the interval of P. No blue: "
        "hardly any guess fits. No SGD on random labels.",
        f"Bounds by the lower limit of the count: {told}. The true errors lie far below.",
    )

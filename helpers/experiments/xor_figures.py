"""The pictures of lesson 10 that show shares and intervals; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.experiments import xor

NAMES = {"tutorial": "tutorial", "pytorch": "PyTorch", "keras": "Keras"}
LOOKS = {  # of each start: colour, line, marker
    "tutorial": (plots.BLUE, "-", "o"),
    "pytorch": (plots.PINK, "--", "s"),
    "keras": (plots.GREEN, "-.", "^"),
}
FEW, MANY = plots.SKY, plots.BLACK  # two units, more units

READINGS = {  # of the thread's patterns, as the lesson calls them
    "xor/patterns_exact": "weights of ±1,\nblobs at ±1",
    "xor/patterns_exact_01": "weights of ±1,\nblobs at 0 and 1",
    "xor/patterns_drawn": "drawn sizes,\nblobs at ±1",
    "xor/patterns_drawn_01": "drawn sizes,\nblobs at 0 and 1",
}


def show_fifty(right: Mapping[str, np.ndarray]) -> None:
    """Show the share of right points of each network, a row of dots for each width."""
    figure, ax = plt.subplots(figsize=(8, 2.9))
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    looks = ((FEW, "o"), (MANY, "s"))
    for row, ((_, values), (color, marker)) in enumerate(zip(right.items(), looks, strict=True)):
        up = row + rng.uniform(-0.3, 0.3, len(values))
        ax.plot(values, up, marker, color=color, alpha=0.6, markersize=7)
    wins = [int(np.sum(values > 0.98)) for values in right.values()]
    names = [f"{name}:\n{n} of {len(v)} succeed" for (name, v), n in zip(right.items(), wins)]
    ax.set_yticks(range(len(right)), names)
    ax.set(xlabel="share of points that the network gets right", ylim=(-0.6, 1.6))
    plots.percent(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.invert_yaxis()
    ax.set_title("Networks solve three blobs or four, seldom anything in between")
    plots.show(
        figure,
        "Each dot is a network: points and initial weights of its own.",
        f"Of the networks with two units {wins[0]} get all points right and most of the others three quarters; "
        f"of those with eight {wins[1]} get all right.",
    )


def show_widths(found: Mapping[str, Mapping]) -> None:
    """Show the share that converges against the number of hidden units, for each start."""
    figure, ax = plt.subplots(figsize=(8, 4.2))
    ax.axhspan(0.4, 0.6, color="#D9D9D9", linewidth=0, label='"around half"')
    ax.axhline(0.95, color=plots.BLACK, linewidth=1.2, linestyle=":", label='"reliably": 95 %')
    shares = {}
    for number, (start, one) in enumerate(found.items()):
        units = one["constants"]["widths"]
        ends = [_interval(one[f"converged_{width}"]) for width in units]
        shares[start] = {width: end[1] for width, end in zip(units.tolist(), ends, strict=True)}
        _points(ax, np.log2(units) + 0.03 * (number - 1), ends, start, NAMES[start])
    ax.set_xticks(np.log2(units), [str(width) for width in units])
    ax.set(xlabel="hidden units", ylabel="share that converges", ylim=(-0.03, 1.03))
    plots.percent(ax.yaxis)
    ax.set_title("How often two units succeed depends on how initial weights are drawn")
    ax.legend(loc="lower right")
    text = "; ".join(
        f"{NAMES[start]}: " + ", ".join(f"{100 * s:.0f} % at {w}" for w, s in each.items())
        for start, each in shares.items()
    )
    plots.show(
        figure,
        f"{len(one['converged_2']):,} trainings for each dot, with 99 % intervals.",
        f"The share that converges rises with the number of units, from different heights. {text}.",
    )


def _interval(values):
    """Return low, estimate and high of a share."""
    found = stats.proportion_interval(int(np.sum(values)), len(values))
    return found.low, found.estimate, found.high


def _points(ax, x, ends, start, label):
    """Draw shares with their intervals, joined by a line."""
    low, middle, high = np.array(ends).T
    color, line, marker = LOOKS[start]
    errors = np.maximum([middle - low, high - middle], 0)
    ax.errorbar(
        x, middle, yerr=errors, color=color, linestyle=line, marker=marker, markersize=7, capsize=4,
        linewidth=2, label=label,
    )  # fmt: skip


def show_signs(readings: Mapping[str, Mapping], signs: Mapping) -> None:
    """Show what becomes of the thread's four patterns, and how much signs and the whole start explain.

    Parameters
    ----------
    readings : dict of dict
        Arrays of the experiments in `READINGS`.
    signs : dict of numpy.ndarray
        From the experiment ``xor/signs``.
    """
    table = np.array(
        [[np.mean(one[f"converged_{k}"]) for k in xor.PATTERNS] for one in readings.values()]
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.9), width_ratios=(5, 4))
    left.imshow(table, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for i, j in np.ndindex(table.shape):
        color = "white" if table[i, j] < 0.5 else "black"
        left.text(j, i, f"{100 * table[i, j]:.0f} %", ha="center", va="center", color=color)
    left.set_xticks(range(4), [f"{k} {mark}" for k, mark in zip(xor.PATTERNS, "✓✓✗✗")])
    left.set(xlabel="pattern (the XOR question says: ✓ converges, ✗ stuck)")
    left.set_yticks(range(len(table)), [READINGS[name] for name in readings])
    left.grid(visible=False)
    left.set_title("Share that converges", fontsize=11)
    rows = ("signs", "start")
    for place, name in enumerate(rows):
        values = signs[f"explained_by_{name}"].astype(float)
        found = stats.mean_interval(values)
        right.barh(place, found.estimate, 0.55, color=plots.GREY)
        right.errorbar(
            found.estimate, place, xerr=[[found.estimate - found.low], [found.high - found.estimate]],
            color=plots.BLACK, capsize=5,
        )  # fmt: skip
        right.text(
            0.03,
            place,
            f"{100 * found.estimate:.0f} %",
            va="center",
            fontweight="bold",
        )
    right.set_yticks(range(2), ["the same\nsix signs", "the same\ninitial weights"])
    right.set(xlim=(0, 1), ylim=(1.6, -0.6), xlabel="of the outcome explained")
    plots.percent(right.xaxis)
    right.grid(visible=False, axis="y")
    right.set_title("Whether two networks end alike", fontsize=11)
    explained = [100 * np.mean(signs[f"explained_by_{name}"]) for name in rows]
    plots.show(
        figure,
        f"Left: {len(next(iter(readings.values()))['converged_1']):,} trainings a cell. Right: {len(signs['first'])} "
        "blocks of 64 pairs on different points, 99 % intervals; 0 %: alike by chance, 100 %: always.",
        f"The thread's list is right in some readings only. Signs explain {explained[0]:.0f} % of the outcome, the "
        f"initial weights {explained[1]:.0f} %.",
    )


def show_escapes(found: Mapping[str, Mapping], added: Sequence[int] = (0, 1, 2, 6)) -> None:
    """Show which share of stuck networks escapes after so many units were added that change nothing."""
    figure, ax = plt.subplots(figsize=(8, 3.8))
    texts, sizes = [], []
    for number, (start, one) in enumerate(found.items()):
        stuck = one["stuck"]
        sizes.append(int(stuck.sum()))
        counts = [count for count in added if f"escaped_{count}" in one]
        ends = [_interval(one[f"escaped_{count}"][stuck]) for count in counts]
        _points(ax, np.arange(len(counts)) + 0.05 * (number - 1), ends, start, NAMES[start])
        texts.append(
            f"{NAMES[start]}: "
            + ", ".join(f"{100 * e[1]:.0f} % with {c}" for c, e in zip(counts, ends))
        )
    ax.set_xticks(range(len(counts)), [str(count) for count in counts])
    ax.set(xlabel="units added to two", ylabel="share that escapes", ylim=(-0.03, 1.03))
    plots.percent(ax.yaxis)
    ax.set_title("Two added units that change nothing free most stuck networks")
    ax.legend(loc="lower right")
    plots.show(
        figure,
        f"{min(sizes)} to {max(sizes)} stuck networks a line, 99 % intervals. None added: a fresh "
        "Adam, as many steps.",
        f"Share of stuck networks that escapes. {'; '.join(texts)}.",
    )


CAUSES = {  # rows of `show_causes`: words, whether of the dark starts, array
    "no dark starts,\n2 against 8 units": ("dark", "gone_8_redrawn"),
    "a bias raised,\nright unit, 2 against 8": ("dark", "gone_8_shifted"),
    "a bias raised,\nwrong unit, 2 against 8": ("dark", "gone_8_wrong"),
    "no dark starts,\n2 against 4 units": ("dark", "gone_4_redrawn"),
    "winning pairs as rare,\n2 against 4 units": ("pairs", "gone"),
}


def show_causes(dark: Mapping[str, Mapping], pairs: Mapping[str, Mapping]) -> None:
    """Show the part of the difference in failures that disappears without each of two causes, for each start."""
    figure, ax = plt.subplots(figsize=(8, 4.9))
    ax.axvline(0.5, color=plots.BLACK, linewidth=1.5, linestyle=":", label="half of the difference")
    ax.axvline(0, color=plots.BLACK, linewidth=1)
    texts, gone = [], {}
    for place, (name, (world, values)) in enumerate(CAUSES.items()):
        for number, (start, one) in enumerate({"dark": dark, "pairs": pairs}[world].items()):
            if values not in one:  # few widths in the quick profile
                continue
            found = stats.mean_interval(one[values].astype(float))
            gone.setdefault(values, []).append(found.estimate)
            color, _, marker = LOOKS[start]
            ax.errorbar(
                found.estimate, place + 0.22 * (number - 1),
                xerr=[[found.estimate - found.low], [found.high - found.estimate]], color=color,
                marker=marker, markersize=8, capsize=4, linewidth=2,
                label=None if place else NAMES[start],
            )  # fmt: skip
            texts.append(f"{' '.join(name.split())}, {NAMES[start]}: {100 * found.estimate:.0f} %")
    ax.set_yticks(range(len(CAUSES)), list(CAUSES))
    ax.set(xlim=(-0.15, 1.05), xlabel="part of the difference in failures that disappears")
    plots.percent(ax.xaxis)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    clear = max(gone["gone_8_redrawn"] + gone["gone_4_redrawn"]) < 0.5 < min(gone["gone"])
    title = "With winning pairs as rare more than half of the difference\ndisappears, without dark starts little"
    ax.set_title(title if clear else "What disappears without each cause?")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=4)
    counts = len(dark["keras"]["fail_2_plain"]), len(pairs["keras"]["fail_2"])
    plots.show(
        figure,
        f"Means of {counts[0]} blocks of 100, for pairs {counts[1]} of 200; 99 % intervals.",
        f"Part of the difference that disappears. {'; '.join(texts)}.",
    )


def explain_causes(dark: Mapping[str, Mapping], pairs: Mapping[str, Mapping]) -> str:
    """Return the numbers behind `show_causes` as HTML: dark starts, shifts, and the weighing for Keras's start."""
    gloomy = ", ".join(f"{NAMES[s]} {100 * one['dark_2'].mean():.0f} %" for s, one in dark.items())
    right, wrong = (
        " and ".join(f"{100 * dark[start][f'gone_8_{arm}'].mean():.0f} %" for start in ("pytorch", "keras"))
        for arm in ("shifted", "wrong")
    )  # fmt: skip
    none, stuck, others, rare, four = (
        100 * float(np.mean(pairs["keras"][name]))
        for name in ("no_winner", "fail_none", "fail_some", "fail_2", "fail_4")
    )  # two units are one pair: where they fail, no pair wins
    equal = (rare * stuck + (100 - rare) * others) / 100
    before, after = round(rare) - round(four), round(rare) - round(equal)  # as printed
    return (
        f"<p>Two units start with a dark blob in: {gloomy}. With PyTorch's and Keras's start a raised bias takes "
        f"{right} of the difference with it on the right unit, {wrong} on the wrong one.</p>"
        f"<p>The weighing, for Keras's start: {none:.0f} % of the starts with four units have no winner, and of these "
        f"{stuck:.0f} % get stuck; of the others {others:.0f} %. With two units {rare:.0f} % have none. Were winners "
        f"as rare with four, {rare / 100:.2f} · {stuck:.0f} + {1 - rare / 100:.2f} · {others:.0f} = {equal:.0f} % "
        f"would get stuck, not {four:.0f} %. The difference of {before} percentage points shrinks to "
        f"{after}.</p>"
    )

"""The pictures of lesson 04: decision maps, minima moved and walked on, guess and check, flatter networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.experiments import minima, random_search

REACH = 17.0  # of the maps, in units of x
SIDE = 110  # pixels
GOOD, BAD = (plots.BLUE, "-", "o"), (plots.ORANGE, "--", "s")  # colour, line, marker
REGIONS = ("#CFE3F2", "#FBE0C8")


def places(side: int = SIDE) -> np.ndarray:
    """Return the places of a map, (side * side, 2)."""
    line = np.linspace(-REACH, REACH, side)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2).astype(np.float32)


def surface(ax, scores: np.ndarray, x: np.ndarray, y: np.ndarray, title: str) -> None:
    """Draw what a network answers at `places` (side * side,), and the points that it learned."""
    side = round(len(scores) ** 0.5)
    line = np.linspace(-REACH, REACH, side)
    picture = scores.reshape(side, side) > 0
    ax.contourf(line, line, picture, levels=[-0.5, 0.5, 1.5], colors=REGIONS)
    ax.contour(line, line, picture, levels=[0.5], colors="black", linewidths=0.7)
    for label, (color, _, marker) in enumerate((GOOD, BAD)):
        some = np.ravel(y) == label
        ax.plot(*x[some].T, marker, color=color, markeredgecolor="black", markersize=5)
    ax.set(aspect="equal", xticks=(), yticks=(), xlim=(-REACH, REACH), ylim=(-REACH, REACH))
    ax.set_title(title)


def show_two(scores: Sequence[np.ndarray], x, y, tests: Sequence[float]) -> None:
    """Show the maps of two networks that get all points right, without saying which is good."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2))
    for ax, one, name in zip(axes, scores, "AB", strict=True):
        surface(ax, one, x, y, name)
    figure.suptitle("Both networks get all 66 points right. Which one would you trust?")
    worse, better = sorted(tests)
    plots.show(
        figure,
        "What two networks answer everywhere (shaded), and the 66 points of two spirals that both get right.",
        f"Two maps with the same points. One follows the two spirals and gets {100 * better:.0f} % of new points "
        f"right, the other is in shreds between the points: {100 * worse:.0f} %.",
    )


def show_mine(maps: Mapping[str, np.ndarray], mine, tests: Mapping[str, float]) -> None:
    """Show the reader's two networks with their accuracy on new points."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2))
    for ax, (name, scores) in zip(axes, maps.items(), strict=True):
        title = f"{name}: {100 * tests[name]:.0f} % of new points right"
        surface(ax, scores, mine.x_train, mine.y_train, title)
    told = "; ".join(f"{name} {100 * test:.0f} %" for name, test in tests.items())
    plots.show(
        figure,
        "Your two networks: the same initial weights, the same recipe, the same points. Dots: the clean points.",
        f"Maps of two networks that learned the same points with different labels of the attack points: {told}.",
    )


def show_fifty(tests: Mapping[str, np.ndarray], fits: Mapping[str, np.ndarray]) -> None:
    """Show the accuracy on new points of each network, a row of dots for each kind."""
    figure, ax = plt.subplots(figsize=(8, 2.8))
    rng = np.random.default_rng(0)  # of where the dots are drawn only
    names = []
    for row, (name, values) in enumerate(tests.items()):
        color, _, marker = (GOOD, BAD)[row]
        up = row + rng.uniform(-0.3, 0.3, len(values))
        ax.plot(values, up, marker, color=color, alpha=0.6, markersize=6)
        names.append(f"{name}:\n{100 * np.mean(fits[name]):.0f} % fit")
    ax.axvline(minima.BAD, color=plots.BLACK, linestyle=":", linewidth=1.5)
    ax.set_yticks(range(len(tests)), names)
    ax.set(xlabel="share of new points that the network gets right", ylim=(-0.6, 1.6))
    plots.percent(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.invert_yaxis()
    means = [f"{100 * values.mean():.0f} %" for values in tests.values()]
    ax.set_title(f"One recipe, two kinds of labels: {means[0]} and {means[1]} of new points right")
    plots.show(
        figure,
        "Each dot is a network. Fit: all 66 clean points right. Dotted: 53 %, below which Huang et al. call it bad.",
        f"With true labels the networks get {means[0]} of new points right, with flipped ones {means[1]}.",
    )


def show_robust(found: Mapping[str, Mapping]) -> None:
    """Show the accuracy left against the size of the perturbation, good and bad; a panel a problem."""
    figure, axes = plt.subplots(1, len(found), figsize=(9, 3.8), sharey=True)
    told = []
    for ax, (name, one) in zip(np.atleast_1d(axes), found.items(), strict=True):
        keep = one["matched"]
        sizes = one["constants"]["sizes"][1:]
        for arm, (color, line, marker) in (("good", GOOD), ("bad", BAD)):
            curves = one[f"curve_{arm}"].astype(float)[:, 1:]
            ax.plot(sizes, curves[:12].T, color=color, linewidth=0.5, alpha=0.3)
            ax.plot(
                sizes, curves.mean(axis=0), line, color=color, marker=marker, markevery=6, label=arm, linewidth=2.4
            )  # fmt: skip
        middle = {a: np.exp(np.log(one[f"left_{a}"][keep]).mean()) for a in ("good", "bad")}
        ax.axhline(0.9, color=plots.BLACK, linestyle=":", linewidth=1.5)
        ratio = np.exp(np.log(one["left_good"] / one["left_bad"])[keep].mean())
        ax.annotate(
            "", xy=(middle["good"], 0.9), xytext=(middle["bad"], 0.9),
            arrowprops={"arrowstyle": "<->", "linewidth": 2, "color": plots.BLACK},
        )  # fmt: skip
        ax.set(
            xscale="log",
            xlabel="size of the move, in % of each unit's weights",
            title=f"{name}: {ratio:.1f} times as far",
        )
        ax.set_xlim(sizes[0], min(sizes[-1], 2.5))
        ax.set_xticks((0.01, 0.1, 1), ("1 %", "10 %", "100 %"))
        ax.minorticks_off()
        told.append(f"{name} {ratio:.1f}")
    first = np.atleast_1d(axes)[0]
    first.set(ylabel="clean points still right", ylim=(0.45, 1.02))
    plots.percent(first.yaxis)
    first.legend(loc="lower left")
    drawn, n = (
        " and ".join(str(count) for count in counts)
        for counts in zip(
            *((len(one["curve_bad"]), np.sum(one["matched"])) for one in found.values()),
            strict=True,
        )
    )
    plots.show(
        figure,
        f"Each network is moved along random directions. Thick: means of {drawn} networks; thin: single ones. Arrows, "
        f"at 90 % of the points, and titles: pairs at equal loss, n = {n}.",
        "Until 10 % of the clean points are wrong, good minima can be moved farther than bad ones: "
        + ", ".join(told) + " times as far.",
    )  # fmt: skip


def show_circles(radius: float, orders: float, weights: int) -> None:
    """Show two circles whose radii differ as the basins' do, and what this makes in n dimensions."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.9), width_ratios=[1, 1.5])
    for size, (color, line, _), name in ((radius, GOOD, "good"), (1.0, BAD, "bad")):
        left.add_patch(
            plt.Circle((0, 0), size, fill=False, color=color, linestyle=line, linewidth=3)
        )
        left.annotate(
            name, (0, size), xytext=(0, 5), textcoords="offset points", ha="center", va="bottom",
            color=color, fontweight="bold",
        )  # fmt: skip
    edge = 1.25 * radius
    left.set(xlim=(-edge, edge), ylim=(-edge, edge), aspect="equal")
    left.set_title(f"radii: {radius:.2f} to 1")
    left.set_axis_off()
    numbers = np.logspace(0.3, np.log10(weights), 60)
    right.plot(numbers, numbers * np.log10(radius), color=plots.GREEN, linewidth=2.6)
    small = numbers * np.log10(10 ** (10_000 / 268_346))
    right.plot(numbers, small, color=plots.PINK, linewidth=2.6, linestyle="--")
    right.annotate(
        f"ratio of radii {radius:.2f}",
        (300, 300 * np.log10(radius)),
        xytext=(-10, 22),
        textcoords="offset points",
        ha="right",
        color=plots.GREEN,
        fontweight="bold",
    )
    right.plot(weights, orders, "*", color=plots.BLACK, markersize=13)
    right.annotate(
        f"{orders:,.0f}", (weights, orders), xytext=(-8, 6), textcoords="offset points", ha="right"
    )
    right.annotate(
        "ratio 1.09",
        (20_000, 20_000 * np.log10(1.0896)),
        xytext=(12, -20),
        textcoords="offset points",
        color=plots.PINK,
        fontweight="bold",
    )
    right.axhline(10_000, color=plots.BLACK, linestyle=":", linewidth=1.5)
    right.set(
        xscale="log",
        yscale="log",
        xlabel="number of weights",
        ylabel="orders of magnitude in volume",
        ylim=(None, 1e6),
    )
    right.set_title("the volume is the radius to the power of n")
    plots.show(
        figure,
        "Left: mean radii of the two basins in the large network. Right: ratio of two balls' volumes in n dimensions. "
        "Dotted: the 10,000 orders of Huang et al. Star: volumes averaged over rays, not radii.",
        f"Two circles, with radii {radius:.2f} and 1. In {weights:,} dimensions the volumes of such balls differ by "
        "tens of thousands of orders of magnitude; 10,000 need a ratio of radii of 1.09 only.",
    )


def show_near_and_walks(near: Mapping, found: Mapping[str, Mapping]) -> None:
    """Show how far the nearest bad network is, and what becomes of bad ones while training goes on."""
    figure, axes = plt.subplots(
        1, 1 + len(found), figsize=(9, 3.9), width_ratios=[0.9] + [1] * len(found)
    )
    middle = _near(axes[0], near)
    told, low = [], []
    for ax, (name, one) in zip(axes[1:], found.items(), strict=True):
        steps, ends = one["constants"]["steps"], {}
        for arm, (color, line, marker) in (("good", GOOD), ("bad", BAD)):
            paths = one[f"path_{arm}"].astype(float)
            ax.plot(steps, paths[:25].T, color=color, linewidth=0.6, alpha=0.35)
            ax.plot(
                steps,
                paths.mean(axis=0),
                line,
                color=color,
                marker=marker,
                label=arm,
                linewidth=2.4,
            )
            ends[arm] = [f"{100 * share:.0f} %" for share in paths.mean(axis=0)[[0, -1]]]
        first, last = (np.sum(one["path_bad"][:, at] < minima.BAD) for at in (0, -1))
        low.append(f"{name} {first} of {len(one['after_bad'])}, then {last}")
        ax.axhline(minima.BAD, color=plots.BLACK, linestyle=":", linewidth=1.5)
        ax.set(
            xlabel="further steps", ylim=(0.4, 1.02), title=f"{name}: {' to '.join(ends['bad'])}"
        )
        plots.percent(ax.yaxis)
        told.append(
            f"{name}: bad ones from {' to '.join(ends['bad'])}, good ones from {' to '.join(ends['good'])}"
        )
    axes[1].set(ylabel="new points right")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    plots.show(
        figure,
        f"Left: for {len(near['hit'])} good networks the nearest bad one, in units of the distance from the "
        f"initial weights ({np.sum(~near['hit'])} met none; title: the median; sideways means nothing). "
        "Others: training on clean points; titles: bad ones before and after. Below 53 %, dotted: "
        f"{'; '.join(low)}.",
        f"The nearest bad network is at {middle:.2f} of that distance, in the middle. Training on: "
        + "; ".join(told)
        + ".",
    )


def _near(ax, found):
    """Draw the distances to the nearest bad network on the way from the initial weights; return their median."""
    values, hit = found["nearest"].astype(float), found["hit"]
    aside = np.random.default_rng(0).uniform(
        -0.3, 0.3, len(values)
    )  # of where marks are drawn only
    ax.plot(aside[hit], values[hit], "s", color=plots.ORANGE, alpha=0.65, markersize=5)
    ax.plot([0.6, 0.6], [0, 1], color=plots.BLUE, linewidth=4)
    for at, text in ((0, "good network"), (1, "initial weights")):
        ax.plot(0.6, at, "o", color=plots.BLUE, markersize=9)
        ax.annotate(text, (0.5, at), ha="right", va="bottom" if at else "top", fontsize=10)
    middle = float(np.median(values))
    ax.set(
        xlim=(-0.75, 0.8),
        ylim=(-0.12, 1.14),
        xticks=(),
        ylabel="distance from the good network",
        title=f"nearest bad: {middle:.2f}",
    )
    ax.grid(visible=False, axis="x")
    return middle


TASKS = {  # colour, line, marker, words
    "half_plane": (plots.GREEN, "-", "^", "half-plane"),
    "xor": (plots.SKY, "-", "v", "XOR"),
    "moons": (plots.BLACK, "-", "o", "two moons"),
    "stripes": (plots.PINK, ":", "D", "stripes"),
    "spirals": (plots.YELLOW, "--", "s", "spirals"),
}


def show_guesses(found: Mapping) -> None:
    """Show, by task, good networks among good and bad random ones that fit, against the number of points."""
    figure = plt.figure(figsize=(9, 5.2))
    grid = figure.add_gridspec(2, 5, height_ratios=[1, 2.3])
    counts = found["constants"]["counts"]
    pictures = [figure.add_subplot(grid[0, k]) for k in range(5)]
    main, ends = figure.add_subplot(grid[1, :]), {}
    tasks = {task: look for task, look in TASKS.items() if f"good_{task}_{counts[0]}" in found}
    for ax, (task, (color, line, marker, words)) in zip(pictures, tasks.items(), strict=False):
        _, (x, y) = random_search.draw(task, 0, 1)
        ax.scatter(*x.T, s=5, c=np.where(y, "#C8C8C8", color))
        ax.set(aspect="equal", adjustable="datalim", xticks=(), yticks=())
        ax.set_title(words, color=color, fontsize=11)
        shown = [p for p in counts if np.mean(found[f"testable_{task}_{p}"]) >= 0.5]
        means = [
            found[f"preferred_{task}_{p}"][found[f"testable_{task}_{p}"]].mean() for p in shown
        ]
        under = (
            {"markersize": 15, "markerfacecolor": "none"}
            if task == "stripes"
            else {"markersize": 8}
        )
        main.plot(
            shown, means, line, color=color, marker=marker, label=words, linewidth=2.4, **under
        )
        ends[words] = means[-1] if means else np.nan
    main.axhline(0.5, color=plots.BLACK, linestyle=":", linewidth=1.5, label="as many good as bad")
    main.set(
        xlabel="training points",
        ylabel="good, as a share of good and bad",
        ylim=(-0.08, 1.04),
        xticks=counts,
    )
    plots.percent(main.yaxis)
    for handle in main.legend(loc="lower right", ncols=2).legend_handles:
        handle.set_markersize(8)
    mostly = [words for words, share in ends.items() if share > 0.5]
    main.set_title(f"Good ones outnumber bad ones on: {', '.join(mostly) or 'no picture'}")
    n, drawn = len(found[f"testable_moons_{counts[0]}"]), found["constants"]["draws"][0]
    plots.show(
        figure,
        f"{n} data sets a task, each with {drawn:,} random networks. Marks: means. A data set counts if 100 networks "
        "fit and a fifth of these are good or bad. No mark: fewer than half count.",
        "Good ones among good and bad random networks that fit, at the largest number of points: "
        + ", ".join(f"{words} {100 * share:.0f} %" for words, share in ends.items()) + ".",
    )  # fmt: skip


ARMS = {
    "plain": (plots.GREEN, "^", "plain"),
    "sam": (plots.BLUE, "o", "sharpness-aware"),
    "noise": (plots.ORANGE, "s", "noise on the weights"),
    "decay": (plots.PINK, "D", "weight decay"),
}


def show_flatter(found: Mapping) -> None:
    """Show how each method changes the errors, and the radius of the basin in two units, against plain training."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.7))
    rng, told, short, early = np.random.default_rng(0), [], [], []
    others = [arm for arm in ARMS if arm != "plain"]
    for row, arm in enumerate(others):
        color, marker, words = ARMS[arm]
        change = (found[f"error_{arm}"] - found["error_plain"]).astype(float)
        one = stats.mean_interval(change)
        left.plot(
            change,
            row + rng.uniform(-0.25, 0.25, len(change)),
            marker,
            color=color,
            alpha=0.3,
            markersize=4,
        )
        left.errorbar(
            one.estimate, row, xerr=[[one.estimate - one.low], [one.high - one.estimate]], color=plots.BLACK,
            marker="D", markersize=8, markerfacecolor="white", capsize=5, linewidth=2,
        )  # fmt: skip
        for kind, up, fill in (("radius", -0.13, color), ("euclid", 0.13, "white")):
            ratio = stats.ratio_interval(found[f"{kind}_{arm}"], found[f"{kind}_plain"])
            right.errorbar(
                ratio.estimate, row + up, xerr=[[ratio.estimate - ratio.low], [ratio.high - ratio.estimate]],
                color=color, marker=marker, markersize=9, markerfacecolor=fill, capsize=4, linewidth=2,
            )  # fmt: skip
        flat = np.exp(np.mean(np.log(found[f"radius_{arm}"] / found["radius_plain"])))
        told.append(f"{words} {one.estimate:.1f} points, radius times {flat:.2f}")
        short.append(f"{words} {one.estimate:.1f}")
        matched = (found[f"matched_error_{arm}"] - found["matched_error_plain"]).mean()
        early.append(f"{matched:.1f} ({words})")
    for ax, none, label, title in (
        (left, 0, "errors minus plain's, percentage points", "errors on new signals"),
        (right, 1, "radius of the basin over plain training's", "flatness, at equal loss"),
    ):
        ax.axvline(none, color=plots.BLACK, linestyle=":", linewidth=1.5, label="plain training")
        ax.set(xlabel=label, title=title)
        ax.grid(visible=False, axis="y")
        ax.invert_yaxis()
    left.set_yticks(range(len(others)), [ARMS[arm][2] for arm in others])
    right.set_yticks(range(len(others)), [""] * len(others))
    for fill, words in (
        (plots.GREY, "radius relative to the weights"),
        ("white", "plain distance"),
    ):
        right.plot([], [], "o", color=plots.GREY, markersize=9, markerfacecolor=fill, label=words)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(
        f"Errors against plain training's, in percentage points:\n{', '.join(short)}",
        fontsize="medium",
    )
    plots.show(
        figure,
        f"{len(found['error_plain'])} data sets. Plain training is wrong on {found['error_plain'].mean():.0f} %. "
        "Means, 99 % intervals. Errors: in the end. Flatness: earlier, at equal training loss; errors there: "
        f"{', '.join(early)}.",
        "Against plain training: " + "; ".join(told) + ".",
    )

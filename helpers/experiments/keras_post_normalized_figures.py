"""The pictures of lesson 03's first half; each takes arrays or runs and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.data import Dataset
from helpers.engine import fit_many, predict_many
from helpers.experiments import keras_post_normalized as world

LOOKS = {  # colour, line, width
    "plain": (plots.GREEN, "-.", 2.2),
    "moving": (plots.BLUE, "-", 2.6),
    "recomputed": (plots.ORANGE, "--", 2.6),
}
NAMES = {
    "plain": "without batch normalization",
    "moving": "with it, moving averages",
    "recomputed": "with it, recomputed statistics",
}
AXIS = "validation error minus that without batch normalization"


def _points(ax, points, size=4):
    ax.plot(*np.asarray(points).T, "o", color=plots.GREY, markersize=size, label="80 points")


def _truth(ax, x):
    ax.plot(x, 1 + 2 * np.asarray(x), ":", color=plots.BLACK, linewidth=1.5, label="true line")


def show_riddle(found: Mapping, row: int = 0) -> None:
    """Show the points of one data set and three curves, of which two belong to the same weights."""
    x = found["constants"]["x"]
    figure, ax = plt.subplots(figsize=(8, 4.2))
    _points(ax, found["points"][row])
    _truth(ax, x)
    for letter, kind in zip("ABC", ("moving", "plain", "recomputed"), strict=True):
        color, line, width = LOOKS[kind]
        ax.plot(
            x,
            found[f"curves_{kind}"][row],
            line,
            color=color,
            linewidth=width,
            label=f"curve {letter}",
        )
    ax.set(xlabel="x", ylabel="y")
    ax.set_title("Two of these three curves are the same trained network")
    ax.legend(loc="upper left")
    plots.show(
        figure,
        "One data set, two trained networks, three curves.",
        "Noisy points on a line with three fitted curves: A, far from the line in places, is a network with batch "
        "normalization and its moving averages, C, near the line, the same weights with recomputed statistics; B is "
        "the network without batch normalization.",
    )


def show_mine(one: Dataset, plain: np.ndarray, normalized: np.ndarray) -> None:
    """Show the reader's points and the curves of both networks, as `predict` gives them."""
    figure, ax = plt.subplots(figsize=(8, 4.0))
    _points(ax, np.concatenate([one.x_train, one.y_train], axis=1))
    _truth(ax, one.x_test[:, 0])
    for kind, curve in (("plain", plain), ("moving", normalized)):
        color, line, width = LOOKS[kind]
        label = NAMES[kind].split(",")[0] + " batch normalization" * (kind == "moving")
        ax.plot(
            one.x_test[:, 0],
            np.ravel(curve),
            line,
            color=color,
            linewidth=width,
            label=label.replace("it batch", "batch"),
        )
    ax.set(xlabel="x", ylabel="y", title="Your two networks, as Keras uses them on new points")
    ax.legend(loc="upper left")
    plots.show(
        figure,
        "Your 80 training points and the two curves that `predict` returns.",
        "Your data set with the curves of your two networks, one with batch normalization and one without.",
    )


def show_fifty(sets: Sequence[Dataset], plain: np.ndarray, normalized: np.ndarray) -> None:
    """Show the curves of many networks of both kinds, and their mean validation errors."""
    x = sets[0].x_test[:, 0]
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.0), sharex=True, sharey=True)
    means = []
    for ax, kind, curves in zip(axes, ("plain", "moving"), (plain, normalized), strict=True):
        color, line, _ = LOOKS[kind]
        curves = np.asarray(curves)[..., 0]
        plots.band(ax, x, curves, color=color, line=line, label="mean")
        _truth(ax, x)
        places = np.stack([one.x_val[:, 0] for one in sets])
        wanted = np.stack([one.y_val[:, 0] for one in sets])
        found = np.array([np.interp(p, x, curve) for p, curve in zip(places, curves, strict=True)])
        means.append(float(np.mean((found - wanted) ** 2)))
        name = "with" if kind == "moving" else "without"
        ax.set(xlabel="x", title=f"{name} batch normalization: {means[-1]:.1f}")
        ax.legend(loc="upper left")
    axes[0].set(ylabel="y")
    plots.show(
        figure,
        f"{len(sets)} data sets. Thin: single networks. Shaded: nine of ten. In the titles: the mean validation error; "
        "the noise alone costs 4.",
        f"Two bands of curves. Mean validation error {means[0]:.1f} without batch normalization, {means[1]:.1f} "
        "with it. Without it the band lies around the true line.",
    )


def show_switch(
    found: Mapping, one: Dataset, weights: Sequence[np.ndarray], *, seed: int, frames: Sequence[int]
) -> None:
    """Play what happens after the switch: the reader's curve, and the mean harm of the registered networks.

    Parameters
    ----------
    found : dict
        From the experiment `switch`.
    one, weights : Dataset, list of numpy.ndarray
        The reader's data set and the trained weights of one network with batch normalization.
    seed : int
        Of the order of batches after the switch.
    frames : sequence of int
        Epochs after the switch; the first may be 0.
    """
    weights, x = [np.asarray(part)[None] for part in weights], one.x_test
    width = weights[0].shape[-1]
    net = lambda: world.network([width, width], normalized=True)  # noqa: E731
    rest = fit_many(
        net, one, members=1, epochs=max(frames), learning_rate=0.0, initial_weights=weights, seed=seed,
        snapshots=[frame for frame in frames if 0 < frame < max(frames)],
    )  # fmt: skip
    kept = rest.snapshots | {0: weights, max(frames): rest.weights}
    curves = {frame: predict_many(net, kept[frame], x)[0, :, 0] for frame in frames}
    exact = predict_many(net, world.recomputed(weights, one.x_train[None]), x)[0, :, 0]
    path = Path(found)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(5, 4))

    def draw(frame):
        left.clear()
        _points(left, np.concatenate([one.x_train, one.y_train], axis=1))
        for kind, curve in (("moving", curves[frame]), ("recomputed", exact)):
            color, line, thick = LOOKS[kind]
            left.plot(
                x[:, 0], curve, line, color=color, linewidth=thick, label=NAMES[kind].split(", ")[1]
            )
        left.set(xlabel="x", ylabel="y", title="your network: no weight moves")
        left.set_ylim(one.y_train.min() - 3, one.y_train.max() + 3)
        left.legend(loc="upper left")
        path.draw(right, frame)

    plots.animate(
        figure,
        draw,
        frames,
        f"Left: your network. Right: {path.n} registered networks, means with 99 % intervals.",
        f"The mean harm falls from {path.start:.1f} at the switch to {path.end:.1f} although no weight moves; with "
        f"recomputed statistics it is {path.exact:.1f} at the switch.",
        label="{} epochs after the switch".format,
        milliseconds=350,
    )


class Path:
    """The mean harm before and after the switch, of a registered experiment."""

    def __init__(self, found):
        constants = found["constants"]
        self.epochs, self.looks = int(constants["epochs"][0]), constants["looks"]
        here = (self.looks <= self.epochs) & (
            self.looks >= 0.75 * self.epochs
        )  # before, it is huge
        self.before = {
            kind: _means(found[f"harm_{kind}_path"][:, here]) for kind in ("moving", "recomputed")
        }
        self.looks = self.looks[here]
        both = np.concatenate([found["harm_moving"][:, None], found["harm_stopped_path"]], axis=1)
        self.after, self.stopped = np.concatenate([[0], constants["after"]]), _means(both)
        self.n = len(both)
        self.start, self.end = self.stopped[0][0], self.stopped[0][-1]
        self.exact = self.before["recomputed"][0][-1]

    def draw(self, ax, frame):
        """Draw the path, with a mark at so many epochs after the switch."""
        ax.clear()
        for kind, marker in (("moving", "o"), ("recomputed", "s")):
            color, line, _ = LOOKS[kind]
            mean, reach = self.before[kind]
            ax.errorbar(
                self.looks,
                mean,
                reach,
                color=color,
                linestyle=line,
                marker=marker,
                capsize=3,
                label=NAMES[kind].split(", ")[1],
            )
        shown = self.after <= frame
        mean, reach = self.stopped
        x = self.epochs + self.after
        ax.errorbar(
            x[shown],
            mean[shown],
            reach[:, shown],
            color=plots.BLUE,
            linestyle="-",
            marker="D",
            markersize=4,
            capsize=2,
            label="moving averages, weights stopped",
        )
        ax.axvline(self.epochs, color=plots.BLACK, linestyle=":", linewidth=1.5)
        ax.axhline(0, color=plots.BLACK, linewidth=1)
        ax.set(xlabel="epoch")
        ax.set_ylabel("validation error, with minus without")
        ax.set_xlim(self.looks[0] - 5, x[-1] + 5)
        ax.set_ylim(
            min(-0.3, float(np.min(mean)) - 0.3),
            1.2 * float(np.max(self.before["moving"][0] + self.before["moving"][1][1])),
        )
        ax.set_title(f"{self.n} networks: the harm")
        ax.legend(loc="upper right", fontsize=10)


def _means(values):
    """Return the means (K,) of (R, K), and how far their intervals reach down and up, (2, K)."""
    found = [stats.mean_interval(column) for column in np.asarray(values, float).T]
    mean = np.array([one.estimate for one in found])
    reach = np.array([[one.estimate - one.low, one.high - one.estimate] for one in found]).T
    return mean, reach


PARTS = {  # of the harm: which difference, colour, hatch
    "the lag: it goes once the weights stop": ("moving", "stopped", "#C8C8C8", ""),
    "the rest: it stays": ("stopped", None, "#555555", "//"),
}


ARMS = {
    "post": "the post: 32, 32, 16",
    "sixteen_equal_steps": "batches of 16, 600 steps",
    "halves": "batches of 40, 600 steps",
    "full": "one batch of 80, 600 steps",
    "held": "first layer held fixed",
    "standard": "inputs standardized",
    "longer": "3,000 steps instead of 600",
    "decay": "rate decays to zero",
    "momentum": "momentum 0.9, not 0.99",
}


def show_arms(found: Mapping) -> None:
    """Show the harm of each arm of the experiment `one_thing`, split into the lag and the rest."""
    arms = {arm: name for arm, name in ARMS.items() if f"moving_{arm}" in found}
    rows = np.arange(len(arms))
    figure, ax = plt.subplots(figsize=(9, 0.5 * len(arms) + 1.6))
    total = np.zeros(len(arms))
    for name, (one, two, color, hatch) in reversed(PARTS.items()):
        values = [
            np.mean(found[f"{one}_{arm}"]) - (np.mean(found[f"{two}_{arm}"]) if two else 0.0)
            for arm in arms
        ]
        ax.barh(rows, values, 0.6, total, color=color, hatch=hatch, edgecolor="white", label=name)
        total = total + values
    mean, reach = _means(np.stack([found[f"moving_{arm}"] for arm in arms], axis=1))
    ax.errorbar(mean, rows, xerr=reach, fmt="none", ecolor=plots.BLACK, capsize=4)
    ax.axvline(0, color=plots.BLACK, linewidth=1)
    ax.set_yticks(rows, list(arms.values()))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel=AXIS)
    kept = np.mean(found["moving_momentum"]) / np.mean(found["moving_post"])
    ax.set_title(f"With a momentum of 0.9 only {kept:.0%} of the harm is left".replace("%", " %"))
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=1)
    n = len(found[f"moving_{next(iter(arms))}"])
    plots.show(
        figure,
        f"Means over {n} data sets; black: 99 % intervals of the whole. Each variant against plain "
        "networks trained alike.",
        "Stacked bars of the harm for each change: "
        + ", ".join(f"{name} {value:.1f}" for name, value in zip(arms.values(), mean, strict=True))
        + ".",
    )

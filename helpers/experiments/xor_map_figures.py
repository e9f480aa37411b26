"""The pictures of lesson 10 that show maps of the plane; each takes networks' outputs and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots
from helpers.data import Dataset
from helpers.experiments.xor_figures import FEW, MANY

SIDE = 90  # places along each side of a map
GRID = np.stack(np.meshgrid(*[np.linspace(-2, 2, SIDE, dtype=np.float32)] * 2), axis=2)
PLACES = GRID.reshape(-1, 2)  # where maps ask for predictions


def share(values: np.ndarray) -> str:
    """Return the share of true values as a text, such as "19 %"."""
    return f"{100 * np.mean(values):.0f} %" if len(values) else "none"


def _map(ax, scores, one=None, title=""):
    """Draw the probability of class 1 that a network gives to every place, and the points."""
    chance = 1 / (1 + np.exp(-np.clip(scores.reshape(SIDE, SIDE), -30, 30)))
    # Strong colours where the network is sure, white where it says one half.
    ax.imshow(chance, extent=(-2, 2, -2, 2), origin="lower", cmap="PuOr_r", vmin=-0.3, vmax=1.3)
    if scores.min() < 0 < scores.max():
        ax.contour(
            chance, levels=[0.5], extent=(-2, 2, -2, 2), colors=[plots.BLACK], linewidths=1.2
        )
    if one is not None:
        for label, marker in ((0, "o"), (1, "^")):
            some = one.x_train[np.ravel(one.y_train) == label][:100]
            ax.plot(*some.T, marker, color=plots.BLACK, markersize=3, alpha=0.6)
    ax.set(xticks=[], yticks=[], xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
    ax.set_title(title, fontsize=11)
    ax.grid(visible=False)


def show_riddle(one: Dataset, scores: np.ndarray) -> None:
    """Show eight networks of two units on the same points without saying which have solved it.

    Parameters
    ----------
    one : Dataset
        The points.
    scores : numpy.ndarray (8, N)
        Logits at `PLACES`.
    """
    figure, axes = plt.subplots(2, 4, figsize=(8.5, 4.8))
    for ax, each, name in zip(axes.flat, scores, "ABCDEFGH", strict=True):
        _map(ax, each, one, name)
    figure.suptitle(
        "Eight times the same network and points. Which have separated the four blobs?",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    plots.show(
        figure,
        "Triangles: class 1, circles: class 0. Orange: the network says 1; purple: 0. Paler: less sure. Black line: "
        "where the answer changes.",
        "Eight maps of the plane by networks of two hidden units; some fold around two opposite blobs, the others "
        "leave at least one blob on the wrong side.",
    )


def show_mine(one: Dataset, model: Any) -> None:
    """Show the reader's own Keras model: what it says everywhere, and its share of right points."""
    says = np.ravel(model.predict(one.x_train, batch_size=5000, verbose=0)) > 0
    right = np.mean(says == np.ravel(one.y_train))
    figure, ax = plt.subplots(figsize=(4.2, 4.2))
    scores = np.ravel(model.predict(PLACES, batch_size=5000, verbose=0))
    _map(ax, scores, one, f"your run: {100 * right:.0f} % of the points right")
    if not scores.min() < 0 < scores.max():
        ax.text(0, 0, "one answer everywhere", ha="center", va="center", fontweight="bold")
    plots.show(
        figure,
        "Some points; orange: 1, purple: 0, white: one half.",
        f"A map of your network's predictions; it is right on {100 * right:.0f} % of the points.",
    )


def play_biases(found: Mapping, one: Dataset, scores: np.ndarray) -> None:
    """Play what becomes of six networks of two units, and of all, as the first biases rise from 0 to 2.

    Parameters
    ----------
    found : dict of numpy.ndarray
        From the experiment ``xor/biases``.
    one : Dataset
        The six networks' points.
    scores : numpy.ndarray (B, 6, N)
        Their logits at `PLACES`, for each bias.
    """
    values = found["constants"]["values"].astype(float)
    shares = {w: [np.mean(found[f"converged_{w}_{k}"]) for k in range(len(values))] for w in (2, 4)}
    dark = [np.mean(found[f"both_dark_2_{k}"]) for k in range(len(values))]
    ends = [
        share(found[f"both_dark_2_{k}"][~found[f"converged_2_{k}"]]) for k in (0, len(values) - 1)
    ]
    texts = [f"{100 * s:.0f} % at {value:g}" for s, value in zip(shares[2], values, strict=True)]
    figure = plt.figure(figsize=(8.5, 3.9))
    grid = figure.add_gridspec(2, 5)
    maps = [figure.add_subplot(grid[row, column]) for row in range(2) for column in range(3)]
    curve = figure.add_subplot(grid[:, 3:])

    def draw(bias):
        at = int(np.argmin(np.abs(values - bias)))
        for ax, each in zip(maps, scores[at], strict=True):
            ax.clear()
            _map(ax, each, one)
        curve.clear()
        for width, color, line, marker in ((2, FEW, "-", "o"), (4, MANY, "--", "s")):
            curve.plot(
                values, shares[width], line, color=color, marker=marker, label=f"{width} units converge"
            )  # fmt: skip
        curve.plot(values, dark, ":", color=FEW, marker="^", label="2 units end in the dark")
        curve.axvline(bias, color=plots.GREY, linewidth=3, alpha=0.7)
        curve.set(
            xlabel="hidden biases at the start", ylabel="share of trainings", ylim=(0, 1.38), title=str(bias),
        )  # fmt: skip
        curve.set_yticks(np.linspace(0, 1, 6))
        plots.percent(curve.yaxis)
        curve.legend(loc="upper center", fontsize=9)

    plots.animate(
        figure, draw, values,
        f"Left: six networks of two units. Right: {len(found['converged_2_0']):,} trainings. In the dark: no unit is "
        f"active on one blob of each class; {ends[0]} of the stuck networks end there at bias {values[0]:g}, "
        f"{ends[1]} at {values[-1]:g}.",
        "Of networks of two units, more converge with biases of about 1 than with 0 or 2, and fewer and fewer end in "
        f"the dark. Shares that converge: {', '.join(texts)}.",
        label="bias {:.2f}".format, milliseconds=900,
    )  # fmt: skip

"""The pictures of lesson 11 that look at basins in a plane and under rescaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots
from helpers.experiments import basins
from helpers.experiments.basins_pairs import one
from helpers.geometry import landscape, measures

ANGLES, STEPS = 48, 30  # of a map in polar coordinates


def plane(
    model: Any, weights: Sequence[np.ndarray], x: Any, y: Any, reach: float, seed: int
) -> Any:
    """Return the loss of one network in a random plane, (angles, radii): up to ``reach``, in "filter" units."""
    spans = landscape.directions(model, weights, 2, "filter", seed=seed)
    turn = 2 * np.pi * np.arange(ANGLES) / ANGLES
    ways = [
        None
        if span is None
        else (
            np.cos(turn).reshape(1, -1, *[1] * (span.ndim - 2)) * span[:, :1]
            + np.sin(turn).reshape(1, -1, *[1] * (span.ndim - 2)) * span[:, 1:]
        ).astype(span.dtype)
        for span in spans
    ]
    return landscape.along(model, weights, ways, np.linspace(0, reach, STEPS), x, y)[
        "crossentropy"
    ][0]


def show_planes(
    model: Any,
    arms: Mapping[str, tuple],
    widths: Mapping[str, Any],
    reach: float = 1.5,
    seed: int = 0,
) -> None:
    """Show the basins of a good and a bad network in a random plane, and what n dimensions make of the ratio.

    Parameters
    ----------
    model : callable
        Builds one network.
    arms : dict of (weights, x, y)
        For "good" and "bad": networks (M, ...) and their training points; the first is drawn.
    widths : dict
        Arrays of an experiment of `basins_ranks.widths`.
    reach, seed : float, int
        Of the maps.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.5), width_ratios=(4, 4, 5))
    turn, radii = 2 * np.pi * np.arange(ANGLES + 1) / ANGLES, np.linspace(0, reach, STEPS)
    across, areas = np.outer(np.cos(turn), radii), {}
    up = np.outer(np.sin(turn), radii)
    for ax, (name, (weights, x, y)) in zip(axes, arms.items()):
        loss = plane(model, one(weights, 0), x[:1], y[:1], reach, seed)
        loss = np.concatenate([loss, loss[:1]])
        logs = np.log10(np.clip(loss, 1e-3, 10))
        ax.contourf(across, up, logs, levels=np.linspace(-3, 1, 17), cmap="cividis")
        ax.contour(across, up, logs, levels=[np.log10(basins.EDGE)], colors="white", linewidths=2)
        edge = np.where(
            (loss > basins.EDGE).any(axis=1), radii[(loss > basins.EDGE).argmax(axis=1)], reach
        )
        areas[name] = np.mean(edge[:-1] ** 2)
        ax.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        ax.set_xlabel("in units of each unit's weights", fontsize=9)
        ax.set_title(f"{name}: basin in a plane", fontsize=11)
    wide = np.sqrt(areas["good"] / max(areas["bad"], np.finfo(np.float32).tiny))  # may be none
    sizes = widths["constants"]["weights"]
    orders = sizes * np.log10(widths["ratio"].astype(float))
    axes[2].plot(sizes, orders.T, color=plots.GREEN, linewidth=0.5, alpha=0.4)
    axes[2].plot(sizes, orders.mean(axis=0), "o-", color=plots.GREEN, linewidth=2)
    for size, ratio, order in zip(
        sizes, widths["ratio"].mean(axis=0), orders.mean(axis=0), strict=True
    ):
        axes[2].annotate(
            f"×{ratio:.1f}",
            (size, order),
            xytext=(7, -9),
            textcoords="offset points",
            fontsize=9,
        )
    axes[2].set(
        xscale="log", yscale="log", xlabel="number of weights", ylabel="ratio of volumes,\norders of magnitude",
        xlim=(None, 1.9 * sizes[-1]),
    )  # fmt: skip
    axes[2].set_title("The same to the power of n", fontsize=11)
    figure.suptitle(
        f"Modest in a plane, up to {orders.mean(axis=0)[-1]:,.0f} zeros in n dimensions",
        fontsize="medium", fontweight="bold",
    )  # fmt: skip
    plots.show(
        figure,
        "Left and middle: your first pair, each in units of its own weights; darker: lower loss; white line: loss 0.1. "
        f"Right: {len(orders)} pairs for each size, ratio of mean radii (×) to the power of the number of weights.",
        f"In a plane the good basin is {wide:.1f} times as wide. The ratio of radii lies between "
        f"{widths['ratio'].mean(axis=0).min():.1f} and {widths['ratio'].mean(axis=0).max():.1f} for all sizes, while "
        f"the orders of magnitude grow from {orders.mean(axis=0)[0]:.0f} to {orders.mean(axis=0)[-1]:,.0f}.",
    )


def play_rescaling(
    model: Any, weights: Sequence[np.ndarray], x: Any, y: Any, factors: Sequence[float]
) -> None:
    """Play what becomes of the loss along rays if one layer is multiplied by a factor and the next divided by it.

    Parameters
    ----------
    model : callable
        Builds one network.
    weights, x, y : list of numpy.ndarray, numpy.ndarray, numpy.ndarray
        One network, with a leading axis of 1, and its training points.
    factors : sequence of float
        A frame each.
    """
    reaches = {"euclidean": 8.0, "filter": 1.0}
    curves, steepest = {}, []
    for factor in factors:
        moved = landscape.rescaled(weights, 0, factor)
        steepest.append(measures.gauss_newton_curvatures(model, moved, x, y)[0, 0])
        for kind, reach in reaches.items():
            ways = landscape.directions(model, moved, 8, kind, seed=1)
            curves[factor, kind] = landscape.along(
                model, moved, ways, np.linspace(0, reach, 40), x, y
            )["crossentropy"][0]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.5))
    titles = {"euclidean": "plain length", "filter": "in units of each unit's weights"}

    def draw(factor):
        for ax, (kind, reach) in zip(axes, reaches.items(), strict=True):
            ax.clear()
            ax.axhline(basins.EDGE, color=plots.BLACK, linewidth=1.3, linestyle=":")
            ax.plot(
                np.linspace(0, reach, 40), curves[factor, kind].T, color=plots.BLUE, linewidth=1
            )
            ax.set(
                ylim=(0, 0.5),
                xlim=(0, reach),
                xlabel=f"distance, {titles[kind]}",
                ylabel="training loss",
            )
        sharp = steepest[factors.index(factor)]
        figure.suptitle(
            f"{factor}: the same function, largest curvature {sharp:,.1f}",
            fontsize="medium", fontweight="bold",
        )  # fmt: skip

    plots.animate(
        figure, draw, factors,
        "One of your good networks, eight random rays; dotted: the edge of the basin.",
        f"Rescaling moves the loss along rays of plain length, and the largest curvature between {min(steepest):.1f} "
        f"and {max(steepest):,.0f}; along rays in units of each unit's weights nothing changes.",
        label="layer 1 × {0:g}, layer 2 ÷ {0:g}".format, milliseconds=500,
    )  # fmt: skip

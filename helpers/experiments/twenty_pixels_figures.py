"""The pictures of lesson 08 about images from a few pixels; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots, stats
from helpers.experiments import twenty_pixels as pixels

NAMES = {
    "half_plane": "half-plane",
    "disc": "disc",
    "field_1": "field, length a half",
    "field_04": "field, length a fifth",
    "field_01": "field, a twentieth",
    "checkers": "checkerboard",
    "photo": "photograph",
    "noise": "noise",
    "shuffled": "half-plane, shuffled",
}
WHO = {  # colour, marker, name
    "network": (plots.BLUE, "o", "network"),
    "process": (plots.ORANGE, "s", "Gaussian process"),
    "nearest": (plots.GREEN, "^", "nearest pixel"),
}
HALF = 50.0  # percent right, of ignorance


def _picture(ax, white, title, at=None):
    """Draw an image (P,) bool; where ``at`` is given only those pixels, as large squares."""
    side = round(len(white) ** 0.5)
    ax.set(xticks=[], yticks=[], aspect="equal", title=title)
    ax.title.set_fontsize(11)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(True)
    if at is None:
        ax.imshow(white.reshape(side, side), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        return
    ax.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5), facecolor="#C9DDEE")
    size = 40 if len(at) <= 50 else 12
    style = {"marker": "s", "s": size, "edgecolors": plots.BLACK, "linewidths": 0.6}
    ax.scatter(at % side, at // side, c=np.where(white[at], "white", "black"), **style)


def _unpacked(constants, family):
    """Return the stored picture of a family: white (P,), order (N,), guesses of both (K, P)."""
    many = pixels.SIDE**2
    white = np.unpackbits(constants[f"white_{family}"], count=many).astype(bool)
    guesses = {
        who: np.unpackbits(constants[f"guess_{who}_{family}"], axis=-1, count=many).astype(bool)
        for who in ("network", "process")
    }
    return white, constants[f"shown_{family}"], guesses


def show_riddle(found: Mapping) -> None:
    """Show two images, 20 of their pixels, and what was guessed; the network's means stand in the title."""
    constants = found["constants"]
    k = int(np.argmin(np.abs(constants["shown"] - 20)))
    figure, axes = plt.subplots(2, 4, figsize=(9, 4.9))
    for row, family in zip(axes, ("half_plane", "field_04"), strict=True):
        white, order, guesses = _unpacked(constants, family)
        at = order[: constants["shown"][k]]
        _picture(row[0], white, f"{len(at)} pixels are shown", at)
        for ax, who in zip(row[1:], guesses, strict=False):
            right = pixels.right(guesses[who][k], white, at)
            _picture(ax, guesses[who][k], f"{WHO[who][2].split()[-1]}: {right:.0f} %")
        _picture(row[3], white, "the image")
    means = [found[f"network_{name}"][:, k].mean() for name in ("half_plane", "field_04")]
    figure.suptitle(
        f"From 20 of 4,096 pixels networks get {means[0]:.0f} % of a half-plane right, "
        f"{means[1]:.0f} % of a wavy field",
        fontweight="bold", fontsize=12, x=0.01, ha="left",
    )  # fmt: skip
    plots.show(
        figure,
        "Above a half-plane, below a wavy field. Half is white: 50 % is ignorance. Process: Gaussian, explained later. "
        f"Title: means of {len(found['network_half_plane'])} images.",
        f"A half-plane and a wavy field, 20 of their pixels, and the guesses of a network and of a Gaussian process. "
        f"On average the network gets {means[0]:.0f} % of a half-plane right, and {means[1]:.0f} % of a wavy field.",
    )


def show_mine(white: np.ndarray, at: np.ndarray, guess: np.ndarray) -> None:
    """Show the reader's image (P,), the pixels shown (N,), and the network's guess."""
    figure, axes = plt.subplots(1, 3, figsize=(8, 3.1))
    right = pixels.right(guess, white, at)
    _picture(axes[0], white, f"{len(at)} pixels are shown", at)
    _picture(axes[1], guess, f"your network: {right:.0f} % right")
    _picture(axes[2], white, "the image")
    plots.show(
        figure,
        f"Pixels right: counted over the {len(white) - len(at):,} that were not shown; 50 % is ignorance.",
        f"Twenty pixels, a network's guess at the whole image, and the image. The guess is right in {right:.0f} %.",
    )


def show_fifty(rights: np.ndarray, shuffled: np.ndarray) -> None:
    """Show the accuracies (M,) of many networks on images of their own, and on others with shuffled pixels."""
    figure, ax = plt.subplots(figsize=(8, 3.2))
    edges = np.arange(44, 101, 2)
    ax.hist(rights, edges, color=plots.BLUE, alpha=0.85, label="half-planes")
    ax.hist(
        shuffled, edges, color=plots.ORANGE, alpha=0.85, hatch="//", label="half-planes, shuffled"
    )
    ax.axvline(HALF, color=plots.GREY, linestyle=":", linewidth=2)
    ax.set(xlabel="other pixels right, in %", ylabel="networks")
    ax.set_title(
        f"Half-planes: {rights.min():.0f} to {rights.max():.0f} %. Shuffled: about {shuffled.mean():.0f} %"
    )
    ax.legend(loc="upper center")
    plots.show(
        figure,
        f"{len(rights)} networks of each kind, each with an image of its own. Dotted: ignorance.",
        f"Two histograms: on half-planes networks get {rights.min():.0f} to {rights.max():.0f} % right, on shuffled "
        f"ones {shuffled.min():.0f} to {shuffled.max():.0f} %.",
    )


def show_families(found: Mapping) -> None:
    """Show who gets how much right, family by family, and by how much the network leads the process."""
    names = [name for name in NAMES if f"network_{name}" in found]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True, width_ratios=(5, 4))
    rows = np.arange(len(names))[::-1]
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, 100)  # of where dots are drawn only
    for y, name in zip(rows, names, strict=True):
        some = found[f"network_{name}"][: len(jitter)]
        left.plot(some, y + jitter[: len(some)], ".", color=plots.BLUE, alpha=0.15, markersize=4)
    for who, (color, marker, label) in WHO.items():
        means = [found[f"{who}_{name}"].mean() for name in names]
        left.plot(means, rows, marker, color=color, markersize=8, alpha=0.9, label=label)
    left.axvline(HALF, color=plots.GREY, linestyle=":", linewidth=2)
    left.set_yticks(rows, [NAMES[name] for name in names])
    left.set(xlabel="other pixels right, in %", xlim=(35, 101), title="The smoother, the better")
    left.legend(loc="lower right", fontsize=10)
    leads = {}
    for y, name in zip(rows, names, strict=True):
        one = stats.paired_interval(
            found[f"network_{name}"].astype(float), found[f"process_{name}"].astype(float)
        )
        leads[name] = one.estimate
        right.plot([one.low, one.high], [y, y], color=plots.BLUE, linewidth=3)
        right.plot(one.estimate, y, "o", color=plots.BLUE, markersize=7)
    right.axvline(0, color=plots.BLACK, linewidth=1.2)
    right.set(xlabel="network minus process, points")
    right.set_title(f"Half-planes: {leads['half_plane']:.1f} points ahead")
    best, worst = max(leads, key=leads.get), min(leads, key=leads.get)
    plots.show(
        figure,
        f"{len(found['network_half_plane'])} images of each kind. Left: means, and 100 networks (dots). Right: "
        "differences with 99 % intervals.",
        f"The network's lead over the Gaussian process is largest on the family {NAMES[best]}, {leads[best]:.1f} "
        f"points, and smallest on {NAMES[worst]}, {leads[worst]:.1f} points.",
    )


def play_numbers(found: Mapping) -> None:
    """Play one half-plane and one field, guessed from ever more pixels, and how the means of all images grow."""
    constants = found["constants"]
    shown = constants["shown"]
    figure, axes = plt.subplots(2, 4, figsize=(9, 4.8), width_ratios=(1, 1, 1, 1.5))

    def draw(count):
        k = int(np.flatnonzero(shown == count)[0])
        for row, family in zip(axes, ("half_plane", "field_04"), strict=True):
            white, order, guesses = _unpacked(constants, family)
            at = order[:count]
            for ax in row:
                ax.clear()
            _picture(row[0], white, f"{count} pixels", at)
            for ax, who in zip(row[1:], guesses, strict=False):
                guess = guesses[who][k]
                _picture(ax, guess, f"{WHO[who][2]}\n{pixels.right(guess, white, at):.0f} % right")
            for who in guesses:
                color, marker, label = WHO[who]
                means = found[f"{who}_{family}"].mean(axis=0)
                row[3].plot(shown[: k + 1], means[: k + 1], f"{marker}-", color=color, label=label)
            row[3].set(xscale="log", xlim=(4, 700), ylim=(48, 101), ylabel="right, in %")
            row[3].set_xticks([5, 20, 100, 500], ["5", "20", "100", "500"])
            row[3].minorticks_off()
            row[3].set_title("means", fontsize=11)
        axes[1, 3].set_xlabel("pixels shown")
        axes[1, 3].legend(loc="lower right", fontsize=8)

    n = len(found["network_half_plane"])
    ends = {
        family: [found[f"{who}_{family}"].mean(axis=0)[-1] for who in ("network", "process")]
        for family in ("half_plane", "field_04")
    }
    plots.animate(
        figure, draw, shown,
        f"One image of each kind from 5 to {shown[-1]} pixels; right: means of {n} images.",
        f"With {shown[-1]} pixels the network gets {ends['half_plane'][0]:.0f} % of a half-plane right and the "
        f"Gaussian process {ends['half_plane'][1]:.0f} %, on the field {ends['field_04'][0]:.0f} and "
        f"{ends['field_04'][1]:.0f} %.",
        label="{} pixels".format, milliseconds=900,
    )  # fmt: skip

"""The pictures of dropout and of stopping on MNIST-1D; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np

from helpers import plots

LOOKS = {"plain": (plots.BLUE, "-"), "dropout": (plots.PINK, "--")}


def _ticks(ax, epochs):
    marks = [mark for mark in (1, 3, 10, 30, 100, 300) if mark <= epochs[-1]]
    ax.set_xscale("log")
    ax.set_xticks(marks, [str(mark) for mark in marks])
    ax.minorticks_off()
    ax.set(xlabel="epoch")


def show_dropout(found: Mapping) -> None:
    """Show training cross-entropy, error and cross-entropy on new signals along training, without and with dropout."""
    epochs = found["constants"]["epochs"]
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.8))
    panels = (
        ("training_loss", "training cross-entropy"),
        ("error", "error on new signals, %"),
        ("loss", "cross-entropy on new signals"),
    )
    for ax, (quantity, words) in zip(axes, panels, strict=True):
        for name, (color, line) in LOOKS.items():
            values = found[f"{quantity}_{name}"].astype(float)
            plots.band(ax, epochs, values, color=color, line=line, label=name, thin=0)
        ax.set(ylabel=words)
        _ticks(ax, epochs)
    axes[0].legend(loc="lower left")
    axes[1].set_ylim(0, 100)
    figure.suptitle("Dropout: fewer errors, and a far smaller loss on new signals")
    plots.show(
        figure,
        f"{len(found['error_end_plain'])} training sets: means, and bands that hold nine of ten. All at prediction "
        "time.",
        "With dropout the training cross-entropy falls more slowly. The plain network's cross-entropy on new signals "
        "falls for some epochs and then rises steeply while its error stays level; with dropout the error ends lower "
        "and the cross-entropy rises less.",
    )


def show_stopping(found: Mapping) -> None:
    """Show cross-entropy and error on new signals along one training: the one rises again, the other does not."""
    epochs = found["constants"]["epochs"]
    n = len(found["loss_stop"])
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.9))
    panels = (("loss", "cross-entropy"), ("error", "error in %"))
    for ax, (quantity, words) in zip(axes, panels, strict=True):
        plots.band(ax, epochs, found[quantity].astype(float), thin=30)
        stop, end = (found[f"{quantity}_{where}"].astype(float).mean() for where in ("stop", "end"))
        ax.axvline(
            np.median(found["epoch_stop"]), color=plots.BLACK, linestyle=":",
            label="the stop (median)",
        )  # fmt: skip
        ax.set(xlabel="epoch", ylabel=f"{words} on new signals", ylim=(0, None))
        numbers = (
            f"{stop:.1f} % to {end:.1f} %" if quantity == "error" else f"{stop:.1f} to {end:.1f}"
        )
        ax.set_title(f"{words.split()[0]}: {numbers}")
        ax.legend(loc="lower right")
    figure.suptitle("After the best moment to stop the loss rises, the error does not")
    plots.show(
        figure,
        f"Thick: mean of {len(found['loss'])} networks; shaded: nine of ten; thin: single ones. In the titles: "
        f"means of all {n:,} at stop and end.",
        "The cross-entropy on new signals falls for some twenty epochs and then more than doubles; the error of the "
        "same networks falls and stays level.",
    )

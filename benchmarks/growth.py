"""The figure of growth: time against the number of networks, and against their width."""

from __future__ import annotations

import matplotlib.pyplot as plt

from helpers import plots

FIGURE = "growth.png"


def curve(found, panel, name):
    """Return sizes and seconds of one curve of the growth figure."""
    points = found[panel].get(name, [])
    return [point["size"] for point in points], [point["seconds"] for point in points]


def figure(found):
    """Return the growth figure: time against the number of networks, and against width."""
    plots.style()
    colours = {"fit_many": plots.BLUE, "jax-vmap": plots.ORANGE}
    fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    for ax, panel in zip(axes, ("members", "width"), strict=True):
        for (name, colour), line, marker in zip(colours.items(), plots.LINES, plots.MARKERS):
            sizes, times = curve(found, panel, name)
            if sizes:
                ax.plot(sizes, times, color=colour, linestyle=line, marker=marker, label=name)
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(sizes := curve(found, panel, "fit_many")[0], [f"{size:,}" for size in sizes])
        ax.minorticks_off()
    one = found.get("fit")
    if one:
        sizes, _ = curve(found, "members", "fit_many")
        times = [size * one["seconds"] for size in sizes]
        axes[0].plot(
            sizes,
            times,
            color=plots.BLACK,
            linestyle=":",
            label="fit, extrapolated from one network",
        )
        axes[0].plot(sizes[:1], times[:1], color=plots.BLACK, marker="^", linestyle="none")
    axes[0].set(title="64-64 networks", xlabel="networks", ylabel="time, s")
    axes[1].set(
        title=f"{found['width_members']} networks", xlabel="units in each of the two hidden layers"
    )
    axes[1].legend(*axes[0].get_legend_handles_labels(), loc="upper left")  # where no curve runs
    fig.suptitle(
        f"Data of the Keras post, {found['epochs']} epochs, without compiling", fontsize="medium"
    )
    return fig

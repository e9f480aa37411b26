"""The pictures of lesson 09; each takes arrays and shows one figure."""

from __future__ import annotations

from collections.abc import Container, Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from helpers import plots, stats
from helpers.experiments import adversarial, neighbours

LOOKS = {  # colour, line, marker
    "cnn": (plots.GREEN, "-", "^"),
    "nngp": (plots.BLACK, ":", "D"),
    "mlp": (plots.BLUE, "-", "o"),
    "one": (plots.ORANGE, "--", "s"),
    "means": (plots.GREY, "-.", "v"),
    "averaged": (plots.PINK, ":", "D"),
    "other": (plots.SKY, "--", "s"),  # a plain network that is trained otherwise
}
PAIRS = {  # rows of the figure of agreement: array, words, look
    "kappa_mlp_twin": ("network and its twin", "mlp"),
    "kappa_mlp_nngp": ("network and Gaussian process", "nngp"),
    "kappa_mlp_few": ("network and 5 neighbours", "one"),
    "kappa_mlp_one": ("network and nearest neighbour", "one"),
    "kappa_stranger_one": ("stranger and nearest neighbour", "one"),
}


def _interval(values):
    """Return mean and 99 % interval of a replicate's values."""
    return stats.mean_interval(np.asarray(values, float))


def show_agreement(found: Mapping, told: Container[str] = PAIRS) -> None:
    """Show the kappas of errors of pairs of rules: a row a pair, a dot a replicate; "?" for pairs that are not told."""
    figure, ax = plt.subplots(figsize=(8.5, 4.2))
    rng, means = np.random.default_rng(0), {}  # chance: where the dots are drawn only
    for at, (name, (words, look)) in enumerate(PAIRS.items()):
        values, (color, _, marker) = np.asarray(found[name], float), LOOKS[look]
        if name not in told:
            ax.text(1.02, at, "?", va="center", fontsize=16, transform=ax.get_yaxis_transform())
            means[words] = None
            continue
        heights = at + rng.uniform(-0.16, 0.16, len(values))
        ax.plot(values, heights, marker, color=color, alpha=0.35, markersize=5)
        one = _interval(values)
        means[words] = one.estimate
        ax.plot([one.low, one.high], [at, at], color=color, linewidth=4)
        ax.plot(one.estimate, at, marker, color=color, markersize=10, markeredgecolor="white")
        ax.text(one.estimate, at - 0.27, f"{one.estimate:.2f}", ha="center", fontsize=11)
    ax.axvline(0, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.set_yticks(range(len(PAIRS)), list(means))
    ax.set(ylim=(len(PAIRS) - 0.5, -0.6), xlim=(-0.03, 0.68))
    ax.set_xlabel("kappa of errors (0: chance, 1: the same signals)")
    twin, one = found["kappa_mlp_twin"].mean(), found["kappa_mlp_one"].mean()
    if "kappa_mlp_twin" in told:
        ax.set_title(f"Kappa with its twin: {twin:.2f}; with its nearest neighbour: {one:.2f}")
    else:
        ax.set_title(f"Kappa with its nearest neighbour: {one:.2f}. With whom is it larger?")
    kappas = "; ".join(
        f"{words}: {'?' if mean is None else f'{mean:.2f}'}" for words, mean in means.items()
    )
    plots.show(
        figure,
        f"Small: {len(found['kappa_mlp_one'])} data sets; large: means, 99 % intervals."
        if "kappa_mlp_twin" in told
        else "Kappa: do both err on the same new signals (MNIST-1D)? Twin: another start; stranger: other training "
        "signals.",
        f"Kappa of errors. {kappas}.",
    )


def show_mine(network: np.ndarray, neighbour: np.ndarray) -> None:
    """Show how often a network and the nearest neighbour are right and wrong together; (N,) bool each."""
    p, q = network.mean(), neighbour.mean()
    seen = {
        "both right": (np.mean(network & neighbour), p * q),
        "only the network right": (np.mean(network & ~neighbour), p * (1 - q)),
        "only the neighbour right": (np.mean(~network & neighbour), (1 - p) * q),
        "both wrong": (np.mean(~network & ~neighbour), (1 - p) * (1 - q)),
    }
    figure, ax = plt.subplots(figsize=(8, 3.3))
    for at, (here, chance) in enumerate(seen.values()):
        ax.barh(at, 100 * here, color=plots.BLUE, height=0.6, label="seen" if at == 0 else None)
        ax.plot(
            [100 * chance] * 2, [at - 0.4, at + 0.4], "--", color=plots.BLACK, linewidth=2.5,
            label="by chance" if at == 0 else None,
        )  # fmt: skip
    value = neighbours.kappa(network, neighbour)
    ax.set_yticks(range(4), list(seen))
    ax.invert_yaxis()
    ax.set(xlabel="new signals, in %")
    ax.set_title(f"Your network and the nearest neighbour: kappa {value:.2f}")
    ax.legend(loc="center right")
    plots.show(
        figure,
        f"{len(network):,} new signals; dashed: what two rules that are right as often would share by chance.",
        f"The network is right on {100 * p:.0f} %, the neighbour on {100 * q:.0f} %, both on "
        f"{100 * seen['both right'][0]:.0f} %; by chance {100 * p * q:.0f} %. Kappa {value:.2f}.",
    )


def show_fifty(twins: np.ndarray, nearest: np.ndarray) -> None:
    """Show the kappas (M,) of many networks with their twins, and with the nearest neighbour."""
    figure, ax = plt.subplots(figsize=(8, 3.4))
    edges = np.linspace(min(nearest.min(), twins.min()), max(nearest.max(), twins.max()), 25)
    for values, look, words in ((nearest, "one", "nearest neighbour"), (twins, "mlp", "its twin")):
        color, line, _ = LOOKS[look]
        label = f"with {words}: {values.mean():.2f}"
        ax.hist(values, edges, color=color, alpha=0.55, label=label)
        ax.axvline(values.mean(), color=color, linestyle=line, linewidth=2.5)
    ax.set(xlabel="kappa of errors", ylabel="networks")
    more = int(np.sum(twins > nearest))
    ax.set_title(f"{more} of {len(twins)} networks err more like their twin")
    ax.set_ylim(0, 1.3 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper center")
    plots.show(
        figure,
        f"{len(twins)} networks, each with its own 1,000 training signals; lines: means.",
        f"Kappa with the nearest neighbour {nearest.mean():.2f} on average, with a twin {twins.mean():.2f}; the twin "
        f"is ahead for {more} of {len(twins)}.",
    )


RULES = {
    "cnn": "convolutional network",
    "nngp": "Gaussian process",
    "mlp": "network",
    "one": "nearest neighbour",
    "means": "k-means",
}


def show_accuracy(found: Mapping[int, Mapping]) -> None:
    """Show the accuracy of five rules against the number of training signals; a thin line joins means only."""
    sizes, ends = sorted(found), {}
    figure, ax = plt.subplots(figsize=(8.5, 4.4))
    for rule, words in RULES.items():
        color, line, marker = LOOKS[rule]
        values = [np.asarray(found[size][f"accuracy_{rule}"], float) for size in sizes]
        for size, some in zip(sizes, values, strict=True):
            ax.plot([size] * len(some), some, marker, color=color, alpha=0.15, markersize=4)
        means = [some.mean() for some in values]
        ends[words] = means
        ax.plot(sizes, means, line, marker=marker, color=color, linewidth=2.5, label=words)
    ax.axhline(10, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.set(
        xscale="log", xlabel="training signals", ylabel="right on new signals, in %", ylim=(0, 95)
    )
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.legend(loc="upper left", fontsize=10)
    told = ", ".join(f"{words} {means[-1]:.0f} %" for words, means in ends.items())
    ax.set_title(
        f"{sizes[-1]:,} signals: k-means {ends['k-means'][-1]:.0f} %, network {ends['network'][-1]:.0f} %, "
        f"convolutional {ends['convolutional network'][-1]:.0f} %"
    )
    n = ", ".join(str(len(found[size]["accuracy_mlp"])) for size in sizes)
    plots.show(
        figure,
        f"MNIST-1D, recipes not tuned; pale: single data sets, n = {n}; dotted at 10 %: guessing.",
        f"Accuracy grows with the number of training signals. With {sizes[-1]:,}: {told}.",
    )


KINDS = {
    "mlp": ("network", "mlp"), "copies": ("network, shifted copies", "other"), "cnn": ("convolutional network", "cnn"),
}  # fmt: skip


def show_shuffled(found: Mapping) -> None:
    """Show the errors of three networks on whole and on shuffled signals, a thin line a data set."""
    figure, ax = plt.subplots(figsize=(8, 4.2))
    told = []
    for kind, (words, look) in KINDS.items():
        color, line, marker = LOOKS[look]
        pairs = np.stack([found[f"error_{kind}_{name}"] for name in ("whole", "shuffled")])
        ax.plot([0, 1], pairs, line, color=color, alpha=0.2, linewidth=1)
        means = pairs.mean(axis=1)
        ax.plot(
            [0, 1], means, line, marker=marker, color=color, linewidth=3, markersize=9, label=words
        )
        told.append(f"{words}: {means[0]:.0f} and {means[1]:.0f} %")
    ax.set_xticks([0, 1], ["positions as they are", "positions shuffled"])
    ax.set(xlim=(-0.25, 1.25), ylim=(0, 62), ylabel="errors on new signals, in %")
    leads = [found[f"lead_{name}"].mean() for name in ("whole", "shuffled")]
    ax.set_title(f"The convolutional lead: {leads[0]:.0f} points, shuffled {leads[1]:.0f}")
    ax.legend(loc="lower right")
    plots.show(
        figure,
        f"All signals of a data set are shuffled alike. Thin: {len(found['lost'])} data sets; thick: means.",
        f"Errors with positions as they are, and shuffled: {'; '.join(told)}.",
    )


NETWORKS = {
    "mlp": ("plain network", "mlp"), "pooled": ("convolutions and pooling", "cnn"),
    "averaged": ("then averaged over positions", "averaged"),
}  # fmt: skip


def show_shifts(found: Mapping) -> None:
    """Show how many recognised digits networks lose when these are moved, a thin line a replicate."""
    pixels = np.concatenate([[0], found["constants"]["pixels"]])
    figure, ax = plt.subplots(figsize=(8, 4.0))
    told, two = [], {}
    for kind, (words, look) in NETWORKS.items():
        color, line, marker = LOOKS[look]
        lost = np.pad(np.asarray(found[f"lost_{kind}"], float), ((0, 0), (1, 0)))
        ax.plot(pixels, lost.T, line, color=color, alpha=0.2, linewidth=1)
        error = found[f"error_{kind}"].mean()
        label = f"{words}: {error:.0f} % errors unmoved"
        ax.plot(
            pixels, lost.mean(axis=0), line, marker=marker, color=color, linewidth=3, label=label
        )
        two[kind] = lost.mean(axis=0)[2]
        told.append(f"{words} {two[kind]:.0f} %")
    ax.axhline(5, color=plots.GREY, linestyle=":", linewidth=1.5)
    ax.set_xticks(pixels)
    ax.set(
        xlabel="moved by, in pixels of 28", ylabel="recognised digits lost, in %", ylim=(-3, 103)
    )
    ax.set_title(f"Moved by two pixels: convolutions lose {two['pooled']:.0f} % of their digits")
    ax.legend(loc="upper left", fontsize=10)
    plots.show(
        figure,
        f"Only digits that all three recognise unmoved count. Thin: {len(found['counted'])} replicates; dotted grey: "
        "5 %. Plainly false, on the card: what the plain network lost in a pilot.",
        f"Lost when moved by two pixels: {', '.join(told)}.",
    )


ARMS = {
    "clean": ("network", *LOOKS["mlp"]),
    "noisy": ("network, 40 % wrong labels", *LOOKS["other"]),
}


def show_pixels(found: Mapping, best=(1, 2, 3, 5, 7, 10), random=(5, 10, 50)) -> None:
    """Show the share of digits that change class by chosen and by random pixels, and of a neighbour's digits."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, width_ratios=(3, 2))
    told, rows = [], len(found["best_10_clean"])
    curves = [
        (axes[0], best, "best_{}_noisy", *ARMS["noisy"]),
        (axes[0], best, "best_{}_clean", *ARMS["clean"]),
        (axes[0], best, "neighbour_{}", "nearest neighbour", *LOOKS["one"]),
        (axes[1], random, "random_{}_noisy", *ARMS["noisy"]),
        (axes[1], random, "random_{}_clean", *ARMS["clean"]),
    ]
    for ax, counts, name, label, color, line, marker in curves:
        values = 100 * np.stack([found[name.format(p)] for p in counts], axis=1).astype(float)
        ax.plot(counts, values.T, line, color=color, alpha=0.2, linewidth=1)
        means = values.mean(axis=0)
        ax.plot(counts, means, line, marker=marker, color=color, linewidth=3, label=label)
        kind = "chosen" if ax is axes[0] else "random"
        told.append(f"{label}: {means[-1]:.0f} % by {counts[-1]} {kind} pixels")
    ten = [100 * found[f"{name}_10_clean"].mean() for name in ("best", "random")]
    for ax, counts, word, share in zip(
        axes, (best, random), ("chosen", "random"), ten, strict=True
    ):
        ax.set(xlabel=f"{word} pixels", ylim=(-3, 103), title=f"ten {word}: {share:.0f} %")
        ax.set_xticks(counts)
    axes[0].set_ylabel("digits that change class, in %")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    plots.show(
        figure,
        f"Digits that were recognised before; thin: {rows} networks, each with digits of its own. In the titles: "
        "networks with true labels. The neighbour's pixels are chosen to fool the neighbour.",
        f"{'; '.join(told)}.",
    )


def play_path(one, weights: list, most: int = 15) -> None:
    """Play how a digit is changed pixel by pixel until the network errs, with its nearest training digits beside it.

    ``one``: data set of digits; ``weights``: of one network with two hidden layers. The digit: of the first twenty that
    the network recognises, the one that needs the median number of pixels.
    """
    x, new = (neighbours.flat(part).astype(np.float32) for part in (one.x_train, one.x_test))
    logits = adversarial.logits_from(new @ weights[0] + weights[1], weights)
    known = np.flatnonzero(logits.argmax(axis=1) == one.y_test)[:20]
    paths = [adversarial.greedy(new[at], one.y_test[at], weights, most) for at in known]
    which = int(np.argsort([needed for _, needed in paths], kind="stable")[len(paths) // 2])
    images, needed = paths[which]
    needed = min(needed, most)
    label = int(one.y_test[known[which]])
    near = [neighbours.nearest(x, image[None], 5)[0] for image in images[: needed + 1]]
    given = adversarial.logits_from(images @ weights[0] + weights[1], weights).astype(float)
    given = np.exp(given - given.max(axis=1, keepdims=True))
    given /= given.sum(axis=1, keepdims=True)

    figure = plt.figure(figsize=(9, 4.6))
    upper, lower = figure.subfigures(2, 1, height_ratios=(3, 1.15))
    picture, bars = upper.subplots(1, 2, width_ratios=(3, 4))
    small = lower.subplots(1, 5)

    def told(count):
        return f"{count} pixel{'' if count == 1 else 's'} changed"

    def draw(count):
        picture.clear()
        picture.imshow(images[count].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        for at in np.flatnonzero(images[count] != images[0]):
            row, column = divmod(int(at), 28)
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, linewidth=2)
            box.set_edgecolor(plots.PINK)
            picture.add_patch(box)
        picture.set_axis_off()
        says = int(given[count].argmax())
        picture.set_title(f"the network says {says}")
        bars.clear()
        colors = [plots.BLUE if k == label else plots.GREY for k in range(10)]
        bars.bar(range(10), 100 * given[count], color=colors)
        bars.set(ylim=(0, 100), xlabel="class", ylabel="given by the network, in %")
        bars.set_xticks(range(10))
        bars.set_title(f"a {label}, {told(count)}")
        for ax, at in zip(small, near[count], strict=True):
            ax.clear()
            ax.imshow(x[at].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
            ax.set_axis_off()
            ax.set_title(f"{one.y_train[at]}", fontsize=12, loc="center")

    end = int(given[needed].argmax())
    same = int(np.sum(one.y_train[near[needed]] == label))
    plots.animate(
        figure,
        draw,
        range(needed + 1),
        f"A test digit; pink frames: changed pixels. Bars: its class {label} in blue, the others in grey. Below: its "
        "five nearest training digits.",
        f"After {needed} changed pixels the network says {end} for a {label}. Of its five nearest training digits "
        f"{same} are still a {label}.",
        label=told,
        milliseconds=700,
    )

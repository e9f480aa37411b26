"""A monochrome image from a few of its pixels: what a network must do [generalization-thread].

An image of 64 x 64 pixels is a function on a square; a network that is shown 20 pixels at random has to guess the
others. Each image is cut at its median, so that half of its pixels are white, and half is what ignorance gets. Families
differ in how smooth they are: half-planes, discs, Gaussian fields of three lengths, checkerboards, photographs, noise;
and half-planes whose pixels were shuffled, where nothing can be known.

Places are in [-1, 1], lengths in the same units. Accuracies are in percent of the pixels not shown.
Axes: R images, N pixels shown, P pixels of an image.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.spatial.distance
from sklearn.datasets import load_sample_images

from helpers import data, models
from helpers._base import checks, seeds
from helpers.engine import fit_many
from helpers.experiments import kernels
from helpers.experiments.random_features import one_thread

SIDE = 64
WAVES = 500  # of a Gaussian field
TILES = 4  # of a checkerboard, along a side
LENGTHS = np.geomspace(0.05, 4.0, 18)  # of the Gaussian process
NOISES = (1e-4, 1e-2, 1e-1, 1.0)  # its noise variance over that of the process
FIELDS = {"field_1": 1.0, "field_04": 0.4, "field_01": 0.1}  # half, a fifth, a twentieth of a side
FAMILIES = ("half_plane", "disc", *FIELDS, "checkers", "photo", "noise", "shuffled")


# ------------------------------------------------------------------------------------------ images


@functools.cache
def places(side=SIDE):
    """Return the middles of all pixels, row by row, (P, 2) float32."""
    at = ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)
    return np.stack(np.meshgrid(at, at, indexing="xy"), axis=-1).reshape(-1, 2)


def image(family, generator, side=SIDE):
    """Return a random image, (P,) bool: exactly half of its pixels are white.

    Raises
    ------
    ValueError
        For a family that is not in ``FAMILIES``.
    """
    checks.one_of("family", family, FAMILIES)
    x = places(side).astype(float)
    if family in ("half_plane", "shuffled"):
        angle = 2 * np.pi * generator.random()
        grey = x @ np.array([np.cos(angle), np.sin(angle)])
    elif family == "disc":
        grey = -np.linalg.norm(x - (2 * generator.random(2) - 1), axis=1)
    elif family in FIELDS:
        waves = generator.standard_normal((2, WAVES)) / FIELDS[family]
        grey = np.cos(x @ waves + 2 * np.pi * generator.random(WAVES)).sum(axis=1)
    elif family == "checkers":
        grey = np.sin((x + 2 * generator.random(2)) * np.pi * TILES / 2).prod(axis=1)
    elif family == "photo":
        grey = crop(generator, side)
    else:
        grey = generator.random(len(x))
    white = cut(grey, generator)
    return generator.permuted(white) if family == "shuffled" else white


def cut(grey, generator):
    """Return which half of the pixels is brighter, (P,) bool; ties are broken at random."""
    order = np.lexsort((generator.random(len(grey)), grey))
    white = np.zeros(len(grey), bool)
    white[order[len(grey) // 2 :]] = True
    return white


@functools.cache
def photographs():
    """Return scikit-learn's two photographs in grey, (2, 427, 640) float."""
    return np.stack(load_sample_images().images).mean(axis=-1)


def crop(generator, side):
    """Return a random square of a photograph, every second pixel of it, (P,)."""
    pictures = photographs()
    height, width = (size - 2 * side for size in pictures.shape[1:])
    one, top, left = (int(generator.integers(most)) for most in (2, height, width))
    return pictures[one, top : top + 2 * side : 2, left : left + 2 * side : 2].ravel()


def draw(seed, row, family, shown, side=SIDE):
    """Return image ``row`` of a family, (P,) bool, and which pixels are shown, (N,): the first of a random order."""
    white = image(family, seeds.generator(seed, family, row), side)
    order = seeds.generator(seed, "pixels", row).permutation(len(white))
    return white, order[:shown]


# ------------------------------------------------------------------------------------------ who guesses


def network(hidden):
    """Return the network: two inputs, ReLU layers, one logit."""
    return models.mlp((2,), 1, hidden=tuple(hidden))


def by_network(seed, whites, shown, *, hidden, steps, rate, side=SIDE):
    """Return what networks guess for all pixels, (R, P) bool: one for each image, full batches, Adam."""
    x = places(side)
    sets = [
        data.Dataset(
            x_train=x[at], y_train=white[at].astype(np.int32), task="binary", name="pixels"
        )
        for white, at in zip(whites, shown, strict=True)
    ]
    runs = fit_many(
        network(hidden), data.Dataset.stack(sets), members=len(sets), epochs=steps, batch_size=len(shown[0]),
        learning_rate=rate, record_every=steps, seed=seeds.integer(seed, "fit"),
    )  # fmt: skip
    found = runs.predict(x)[..., 0] > 0
    return np.where(runs.diverged[:, None], False, found)


def by_nearest(white, at, side=SIDE):
    """Return the colour of the nearest pixel shown, for all pixels (P,)."""
    x = places(side)
    return white[at][scipy.spatial.distance.cdist(x, x[at]).argmin(axis=1)]


@one_thread
def by_process(white, at, side=SIDE):
    """Return what a Gaussian process guesses, (P,) bool, and its length: squared-exponential covariance, mean 0.

    Length and noise are those of the largest marginal likelihood on a grid, the variance is the best one for each. The
    colours are -1 and +1, and the guess is the sign of the posterior mean.
    """
    x, y = places(side).astype(float), np.where(white[at], 1.0, -1.0)
    fits = [
        (evidence(x[at], y, length, noise), length, noise) for length in LENGTHS for noise in NOISES
    ]
    _, length, noise = max(fits)
    mean = covariance(x, x[at], length) @ np.linalg.solve(
        covariance(x[at], x[at], length) + noise * np.eye(len(y)), y
    )
    return mean > 0, length


@one_thread
def by_own_kernel(white, at, *, layers, kind, side=SIDE):
    """Return what the process of infinitely wide networks guesses, (P,) bool; its covariance is `kernels.kernel`.

    Inputs are the two places and a 1, which stands for the biases; otherwise a network without biases would give all
    pixels on a ray from the middle one colour. The noise is that of the largest marginal likelihood.
    """
    x, y = (
        np.column_stack([places(side), np.ones(side**2)]).astype(float),
        np.where(white[at], 1.0, -1.0),
    )
    across = kernels.kernel(x, x[at], layers=layers, kind=kind)
    inner = across[at]
    inner, across = (part / np.mean(np.diag(inner)) for part in (inner, across))
    noise = max(NOISES, key=lambda noise: likelihood(inner + noise * np.eye(len(y)), y))
    return across @ np.linalg.solve(inner + noise * np.eye(len(y)), y) > 0


def covariance(one, two, length):
    """Return exp(-d^2 / (2 length^2)) for the distances d of places (A, 2) and (B, 2)."""
    return np.exp(-scipy.spatial.distance.cdist(one, two, "sqeuclidean") / (2 * length**2))


def evidence(x, y, length, noise):
    """Return the log marginal likelihood of y (N,) at x (N, 2), at the best variance of the process."""
    return likelihood(covariance(x, x, length) + noise * np.eye(len(y)), y)


def likelihood(inner, y):
    """Return the log marginal likelihood of y (N,) under a covariance (N, N), at its best scale."""
    lower = np.linalg.cholesky(inner)
    white = np.linalg.solve(lower, y)
    n, variance = len(y), white @ white / len(y)
    return -0.5 * n * (np.log(2 * np.pi * variance) + 1) - np.log(np.diag(lower)).sum()


# ------------------------------------------------------------------------------------------ the experiments


def right(guess, white, at):
    """Return the percentage of pixels guessed right, of those that were not shown."""
    hidden = np.ones(len(white), bool)
    hidden[at] = False
    return 100 * np.mean(guess[hidden] == white[hidden])


def families(seed, n, *, shown, hidden, steps, rate, names, side=SIDE):
    """How many of the other pixels do a network, a Gaussian process and the nearest pixel get right?

    Replicate: an image of each family, and which of its pixels are shown (the same places in all families).

    Returns
    -------
    dict
        For each family F: ``network_F, process_F, nearest_F, mean_F`` (n,): percentage right; ``mean``: always the
        commoner colour of those shown; ``short_F``: what the process misses; ``gain_F``: network minus mean. ``slope``
        (n,): by how many points the
        network gains if the length of a Gaussian field grows e-fold, the least-squares slope over three lengths;
        ``slope_nearest``: the same of copying the nearest pixel; ``slope_possible``: of the network if it made no error
        on the smoothest.
    """
    found = {}
    for family in names:
        pairs, guesses = _guessed(seed, n, family, shown, hidden, steps, rate, side)
        guesses["nearest"] = [by_nearest(*pair, side) for pair in pairs]
        guesses["mean"] = [np.full(len(w), w[one].mean() > 0.5) for w, one in pairs]
        found |= _scored(family, pairs, guesses)
        found[f"short_{family}"] = 100 - found[f"process_{family}"]
        found[f"gain_{family}"] = found[f"network_{family}"] - found[f"mean_{family}"]
    logs = np.log(list(FIELDS.values()))
    for name, who in (("slope", "network"), ("slope_nearest", "nearest")):
        heights = np.stack([found[f"{who}_{field}"] for field in FIELDS], axis=1)
        found[name] = slope(heights, logs)
    heights = np.stack([found[f"network_{field}"] for field in FIELDS], axis=1)
    best = np.where(logs == logs.max(), 100.0, heights)  # the smoothest without an error
    found["slope_possible"] = slope(best, logs)
    return {name: value.astype(np.float32) for name, value in found.items()}


def rivals(seed, n, *, shown, hidden, steps, rate, names, side=SIDE):
    """Does a network guess better than the Gaussian process that it would be if it were infinitely wide?

    Replicate: an image of each family, and which of its pixels are shown.

    Returns
    -------
    dict
        For each family F: ``network_F, process_F, nngp_F, ntk_F`` (n,): percentage right, of a network, of the process
        with the bell-shaped covariance, and of the two processes of infinitely wide networks of as many layers.
        ``lead_F``: network minus nngp; ``short_F``: what the nngp misses.
    """
    found = {}
    for family in names:
        pairs, guesses = _guessed(seed, n, family, shown, hidden, steps, rate, side)
        for kind in kernels.KINDS:
            guesses[kind] = [
                by_own_kernel(*pair, layers=len(hidden), kind=kind, side=side) for pair in pairs
            ]
        found |= _scored(family, pairs, guesses)
        found[f"lead_{family}"] = found[f"network_{family}"] - found[f"nngp_{family}"]
        found[f"short_{family}"] = 100 - found[f"nngp_{family}"]
    return {name: value.astype(np.float32) for name, value in found.items()}


def _guessed(seed, n, family, shown, hidden, steps, rate, side):
    """Return n images with the pixels shown of each, and what network and process guess."""
    pairs = [draw(seed, row, family, shown, side) for row in range(n)]
    whites, at = zip(*pairs, strict=True)
    network = by_network(seed, whites, at, hidden=hidden, steps=steps, rate=rate, side=side)
    return pairs, {
        "network": network,
        "process": [by_process(*pair, side)[0] for pair in pairs],
    }


def _scored(family, pairs, guesses):
    """Return the percentage right (n,) of each kind of guess."""
    return {
        f"{who}_{family}": np.array([right(one, *p) for one, p in zip(guess, pairs, strict=True)])
        for who, guess in guesses.items()
    }


def slope(heights, at):
    """Return the least-squares slopes of heights (R, K) over places (K,), (R,)."""
    centred = at - at.mean()
    return heights @ centred / np.sum(centred**2)


def numbers(seed, n, *, shown, hidden, steps, rate, names, side=SIDE):
    """How do the guesses grow with the number of pixels shown? Replicate: an image; more pixels contain the fewer.

    Returns
    -------
    dict
        For each family F: ``network_F, process_F`` (n, K) at ``constants["shown"]``. Constants: ``shown_F`` (N,), the
        pixels of the first image in their order, ``white_F`` and ``guess_network_F, guess_process_F`` (K, P / 8) uint8:
        its pixels and what was guessed, packed.
    """
    found, constants = {}, {"shown": np.array(shown, np.int32)}
    for family in names:
        each = {"network": [], "process": []}
        pictures = {"network": [], "process": []}
        for count in shown:
            pairs = [draw(seed, row, family, count, side) for row in range(n)]
            whites, at = zip(*pairs, strict=True)
            guesses = {
                "network": by_network(seed, whites, at, hidden=hidden, steps=steps, rate=rate, side=side),
                "process": [by_process(*pair, side)[0] for pair in pairs],
            }  # fmt: skip
            for who, guess in guesses.items():
                each[who].append(
                    [right(one, *pair) for one, pair in zip(guess, pairs, strict=True)]
                )
                pictures[who].append(np.packbits(guess[0]))
        constants |= {
            f"shown_{family}": at[0].astype(np.int32),
            f"white_{family}": np.packbits(whites[0]),
        }
        for who, values in each.items():
            found[f"{who}_{family}"] = np.array(values, np.float32).T
            constants[f"guess_{who}_{family}"] = np.array(pictures[who])
    return found | {"constants": constants}

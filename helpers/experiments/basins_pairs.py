"""Good and bad minima at one training loss: their basins by six rulers, in planes, and in input space.

Pairs come from `minima`: the same initial weights, recipe and points; the bad one learns half of them with the wrong
label. All measures refer to the clean points. Sources: [huang2019], [huang-summary]; rescaling: Dinh et al. [dinh2017].
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.engine import predict_many
from helpers.experiments import basins, minima
from helpers.geometry import landscape, measures

ARMS = ("good", "bad")
FINE = 0.05  # size of the perturbation that makes boundaries wiggle
SIDE = 36  # points of a side of the grid on which labels are compared
RADIUS = 15.35  # of the spirals
FAR = 3.0  # a boundary that is farther counts as this
STRONG = (0.05, 0.2, 1.0, 5.0, 20.0)  # factors of the rescaling
NAME = "spirals"


def one(weights, row):
    """Return the weights of one network, with a leading axis of 1."""
    return [w[row : row + 1] for w in weights]


def in_planes(model, weights, x, y, *, planes, angles, seed):
    """Return the width of basins in random planes, (M,): the radius of the circle of the mean area.

    A plane is spanned by two "filter" directions; ``angles`` rays in it, evenly spread, give its area.
    """
    spans = landscape.directions(model, weights, 2 * planes, "filter", seed=seed)
    turn = 2 * np.pi * np.arange(angles) / angles
    ways = []
    for span in spans:
        if span is None:
            ways.append(None)
            continue
        first, second = span[:, :planes, None], span[:, planes:, None]  # (M, planes, 1, ...)
        shape = (1, 1, angles, *[1] * (span.ndim - 2))
        mixed = np.cos(turn).reshape(shape) * first + np.sin(turn).reshape(shape) * second
        ways.append(mixed.reshape(len(span), planes * angles, *span.shape[2:]).astype(span.dtype))
    found = basins.radii(model, weights, ways, x, y, kind="filter")
    return np.sqrt(np.mean(found**2, axis=1))


def disc():
    """Return the points of a grid on the disc that the spirals fill, (G, 2) float32."""
    side = np.linspace(-RADIUS, RADIUS, SIDE)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    return points[np.linalg.norm(points, axis=1) <= RADIUS].astype(np.float32)


def relabelled(model, weights, points, *, directions, seed, size=FINE):
    """Return the share of points (G, ...) that change their label if one network's weights are moved by ``size``."""
    ways = landscape.directions(model, weights, directions, "filter", seed=seed)
    stack = [np.repeat(w, directions + 1, axis=0) for w in weights]
    for w, way in zip(stack, ways, strict=True):
        if way is not None:
            w[1:] += size * way[0]
    labels = predict_many(model, stack, points, progress=False)[..., 0] > 0
    return float(np.mean(labels[1:] != labels[0]))


def margin(model, weights, x, y):
    """Return the median distance of training points from the boundary, (M,); on the wrong side it is 0."""
    how = {"looks": 10}
    if x.shape[-1] == 2:
        how = {"directions": measures.compass(32), "reach": FAR, "looks": 15, "halvings": 8}
    far = np.minimum(measures.margins(model, weights, x, **how), FAR)
    right = (predict_many(model, weights, x, progress=False)[..., 0] > 0) == (y > 0.5)
    return np.median(np.where(right, far, 0.0), axis=1)


def compare(seed, n, *, name, rays, planes, angles, wiggles, steps=None):
    """Are basins of bad minima smaller, and by which ruler?

    Replicate: data set and initial weights, the same for good and bad.

    Returns
    -------
    dict
        ``matched`` (n,) bool: a pair at equal clean loss that fits its clean points; ``tested_ARM`` (n,): percent of
        new points right; for each ruler R ``R_ARM`` (n,): size per weight, and ``width_ARM``: mean radius of "filter"
        rays; ``plane_ARM``: width in random planes, and ``plane_decades``: log10 of their ratio; ``changed_ARM``: share
        of the plane (of new signals) relabelled after a move by 5 %; ``margin_ARM``; ``length_ARM``: the factor
        exp(-w^2 / 2) in ``mass``, per weight.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    model = minima.network(name)
    found = minima.pair(name, seed, sets, steps=steps)
    scale = landscape.initial_scale(model)
    arrays: dict[str, list] = {}
    for arm in ARMS:
        group = found[arm]
        arrays[f"tested_{arm}"] = list(100 * group.test)
        for row in range(n):
            weights, own = one(group.weights, row), seeds.integer(seed, "rulers", row)
            x, y = group.stack.x_val[row : row + 1], group.stack.y_val[row : row + 1]
            points = disc() if name == NAME else sets[row].x_test[:500]
            values = basins.all_rulers(model, weights, x, y, rays=rays, seed=own)
            values["plane"] = in_planes(
                model,
                weights,
                x,
                y,
                planes=planes,
                angles=angles,
                seed=seeds.integer(own, "planes"),
            )
            values["margin"] = margin(model, weights, x, y)
            values["changed"] = [
                relabelled(
                    model, weights, points, directions=wiggles, seed=seeds.integer(own, "wiggles")
                )
            ]
            square = sum(np.sum((w / s) ** 2) for w, s in zip(weights, scale, strict=True))
            values["length"] = [np.exp(-square / 2 / landscape.dimension(model, "gaussian"))]
            for key, value in values.items():
                arrays.setdefault(f"{key}_{arm}", []).append(float(value[0]))
    planes_apart = np.log10(arrays["plane_good"]) - np.log10(arrays["plane_bad"])
    return {key: np.array(value, np.float32) for key, value in arrays.items()} | {
        "plane_decades": planes_apart.astype(np.float32),
        "matched": minima.matched(found["good"], found["bad"]),
    }


def another_start(seed, n, *, name, rays, steps=None):
    """Do two good minima that differ in their initial weights only have basins of one size? A control.

    Returns
    -------
    dict
        ``filter_first, filter_second, mass_first, mass_second`` (n,): sizes per weight.
    """
    sets = [minima.draw(name, seed, row) for row in range(n)]
    model, arrays = minima.network(name), {}
    scale = landscape.initial_scale(model)
    for arm in ("first", "second"):
        group = minima.minima(
            name, seeds.integer(seed, arm), sets, share=0.5, flipped=False, steps=steps
        )
        rows = {"filter": [], "mass": []}
        for row in range(n):
            weights, own = one(group.weights, row), seeds.integer(seed, "rulers", row)
            x, y = group.stack.x_val[row : row + 1], group.stack.y_val[row : row + 1]
            rows["filter"] += list(
                basins.along_rays(model, weights, x, y, kind="filter", rays=rays, seed=own)[0]
            )
            rows["mass"] += list(
                basins.mass(model, weights, x, y, rays=rays, seed=own, scale=scale)
            )
        arrays |= {f"{key}_{arm}": np.array(value, np.float32) for key, value in rows.items()}
    return arrays


def rescaled(seed, n, *, rays, steps=None):
    """Can one function have minima of very different sharpness? Dinh et al.'s rescaling, on good networks.

    The weights and biases of the second ReLU layer are multiplied by a factor, the next layer's weights divided by it.
    Replicate: data set and initial weights.

    Returns
    -------
    dict
        ``steepest, euclidean, filter`` (n, F): largest curvature and mean radii for each factor of
        ``constants["factor"]``; ``same`` (n,): the largest difference of a logit over the largest logit, float64;
        ``filter_moves`` (n,): the largest relative difference of the mean "filter" radius from that of factor 1;
        ``sharper`` (n,) bool: curvature a hundred times larger, the function the same to 0.001, and ``verified``: by a
        finite difference along the steepest direction of a NumPy copy in double precision.
    """
    sets = [minima.draw(NAME, seed, row) for row in range(n)]
    group = minima.minima(NAME, seed, sets, share=0.5, flipped=False, steps=steps)
    model = minima.network(NAME)
    found = {key: [] for key in ("steepest", "euclidean", "filter", "same", "sharper", "verified")}
    for row in range(n):
        x, y = group.stack.x_val[row : row + 1], group.stack.y_val[row : row + 1]
        own, line, first = seeds.integer(seed, "rulers", row), {}, None
        for factor in STRONG:
            weights = landscape.rescaled(one(group.weights, row), 2, factor)
            line.setdefault("steepest", []).append(
                measures.gauss_newton_curvatures(model, weights, x, y)[0, 0]
            )
            for kind in ("euclidean", "filter"):
                ways = landscape.directions(model, weights, rays, kind, seed=own)
                radii = basins.radii(model, weights, ways, x, y, kind=kind, start=1e-3)
                line.setdefault(kind, []).append(radii.mean())
            logits = predict_many(model, weights, sets[row].x_test[:500], progress=False)[0, :, 0]
            line.setdefault("logits", []).append(logits.astype(float))
        first = line.pop("logits")
        middle = first[STRONG.index(1.0)]
        same = max(np.max(np.abs(z - middle)) / np.max(np.abs(middle)) for z in first)
        spread = max(line["steepest"]) / min(line["steepest"])
        for key, value in line.items():
            found[key].append(value)
        found["same"].append(same)
        found["sharper"].append(spread >= 100 and same <= 1e-3)
        found["verified"].append(_sharper_again(one(group.weights, row), x[0], y[0]))
    arrays = {key: np.array(value) for key, value in found.items()}
    base = arrays["filter"][:, STRONG.index(1.0)]
    arrays["filter_moves"] = np.max(np.abs(arrays["filter"] / base[:, None] - 1), axis=1)
    kept = {"same": float, "filter_moves": float, "sharper": bool, "verified": bool}
    return {key: value.astype(kept.get(key, np.float32)) for key, value in arrays.items()} | {
        "constants": {"factor": np.array(STRONG)}
    }


def _sharper_again(weights, x, y):
    """Return whether, in double precision, the loss bends 100 times as much along the rescaled kernel, at one function.

    By NumPy and second differences: no code in common with what is verified.
    """
    sharp, plain = (
        [w[0].astype(float) for w in landscape.rescaled(weights, 2, factor)]
        for factor in (STRONG[0], 1.0)
    )
    same = np.allclose(_forward(sharp, x), _forward(plain, x), rtol=1e-3, atol=1e-3)
    return bool(same and _bend(sharp, x, y, 2) >= 100 * _bend(plain, x, y, 2))


def _forward(weights, x):
    """Return the logits of a chain of dense ReLU layers, (N,) float64."""
    z = x.astype(float)
    for layer in range(0, len(weights), 2):
        z = z @ weights[layer] + weights[layer + 1]
        z = np.maximum(z, 0) if layer < len(weights) - 2 else z
    return z[:, 0]


def _bend(weights, x, y, place, step=1e-4):
    """Return how the loss bends, (float), where kernel ``place`` grows and shrinks: its second difference."""
    length = np.linalg.norm(weights[place])

    def loss(move):
        moved = list(weights)
        moved[place] = weights[place] * (1 + move / length)
        return np.mean(np.logaddexp(0, -_forward(moved, x) * (2.0 * y - 1)))

    step = step * length
    return abs(loss(step) - 2 * loss(0) + loss(-step)) / step**2

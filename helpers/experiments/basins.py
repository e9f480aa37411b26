"""Six rulers for the size of a basin, and shapes of which the size is known.

The question: how large is the set of weights around a minimum where the training loss is below 0.1, its *basin*?
Sources: Huang et al. [huang2019] and their summary [huang-summary], who measure along random rays; Wu et al. [wu2017],
who measure curvature; Scherlis and Belrose [scherlis2025], who weigh by the chance of being drawn and stretch rays.

All sizes are *per weight*: the n-th root of a volume in n dimensions, so that a ratio of sizes compares widths. Sizes
from one ruler can be compared; sizes from two rulers have different units.

Axes: M networks, K rays, P weights.
"""

from __future__ import annotations

import numpy as np

from helpers._base import seeds
from helpers.geometry import landscape, measures

EDGE = 0.1  # loss at the edge of a basin
RULERS = {  # as the lesson calls them
    "filter": "rays, as long as each unit's weights",
    "euclidean": "rays, plain length",
    "stretched": "stretched rays, plain length",
    "mass": "chance of being drawn, rays",
    "mass_stretched": "chance of being drawn, stretched rays",
    "hessian": "curvature",
}
DAMPINGS = (1e-6, 1e-4, 1e-2)  # of the curvature ruler; the second is the one of the claim
STRETCHES = (1.0, 0.1, 0.01)  # damping of stretched rays, in units of the mean curvature
STARTS = {"filter": 0.005, "euclidean": 0.05, "gaussian": 0.3}  # first radii looked at
REACH = 1000.0


def radii(model, weights, ways, x, y, *, kind, start=None):
    """Return how far each ray stays in its basin, (M, K); a ray that never leaves counts as `REACH`."""
    found = measures.crossing_radii(
        model, weights, ways, x, y, threshold=EDGE, start=start or STARTS[kind], reach=REACH, precision=0.05, pilot=True
    )  # fmt: skip
    # Outside its basin from the start: no size at all. Such networks are left out by each claim's selection.
    return np.minimum(np.maximum(found, 1e-6), REACH)


def per_weight(log10_volume, dimension):
    """Return the n-th root of a volume that is given as its decimal logarithm."""
    return 10 ** (np.asarray(log10_volume, float) / dimension)


def along_rays(model, weights, x, y, *, kind, rays, seed):
    """Return the size by random rays, (M,), and the radii, (M, K)."""
    ways = landscape.directions(model, weights, rays, kind, seed=seed)
    found = radii(model, weights, ways, x, y, kind=kind)
    n = landscape.dimension(model, kind)
    return per_weight(measures.basin_volume(found, n, reach=REACH).estimate, n), found


def stretched(model, weights, x, y, *, kind, rays, seed, diagonal, scale=None):
    """Return the largest size, (M,), of three by rays that follow the curvature, each with another damping.

    Few rays see too little of a volume, never too much on average, so the largest estimate is the nearest.
    """
    n = landscape.dimension(model, kind)
    if kind == "gaussian":
        diagonal = [d * s**2 for d, s in zip(diagonal, scale, strict=True)]
    mean = sum(d.reshape(len(d), -1).sum(axis=1) for d in diagonal) / n
    ways = landscape.directions(model, weights, rays, kind, seed=seed, scale=scale)
    sizes = []
    for share in STRETCHES:
        turned = measures.preconditioned(ways, diagonal, mean * share)
        found = radii(model, weights, turned, x, y, kind=kind, start=STARTS[kind] / 10)
        volume = (
            measures.gaussian_mass(found, weights, turned, scale)
            if kind == "gaussian"
            else measures.basin_volume(found, n, reach=REACH).estimate
        )
        sizes.append(per_weight(volume, n))
    return np.max(sizes, axis=0)


def mass(model, weights, x, y, *, rays, seed, scale):
    """Return the chance that a draw of initial weights lands in the basin, per weight, (M,), by plain rays."""
    ways = landscape.directions(model, weights, rays, "gaussian", seed=seed, scale=scale)
    found = radii(model, weights, ways, x, y, kind="gaussian")
    n = landscape.dimension(model, "gaussian")
    return per_weight(measures.gaussian_mass(found, weights, ways, scale), n)


def by_curvature(model, weights, x, y):
    """Return the size of the ellipsoid that the curvature at the minimum describes, for each damping, (D, M)."""
    n = landscape.dimension(model, "euclidean")
    curved = measures.gauss_newton_curvatures(model, weights, x, y)
    volumes = [measures.quadratic_volume(curved, n, threshold=EDGE, damping=d) for d in DAMPINGS]
    return per_weight(volumes, n)


def all_rulers(model, weights, x, y, *, rays, seed):
    """Measure basins with every ruler.

    Parameters
    ----------
    model : callable
        Builds one network.
    weights : list of numpy.ndarray (M, ...)
        Minima.
    x, y : numpy.ndarray (M, N, ...), (M, N)
        Training points.
    rays, seed : int
        Of each ruler that uses rays.

    Returns
    -------
    dict
        For each of `RULERS` the size per weight, (M,); ``hessian_low, hessian_high`` with other dampings; ``width``:
        the mean radius of the rays "filter" (geometric mean), (M,).
    """
    seed_of = {name: seeds.integer(seed, name) for name in RULERS}
    scale = landscape.initial_scale(model)
    diagonal = measures.gauss_newton_diagonal(model, weights, x, y)
    found = {}
    found["filter"], paths = along_rays(
        model, weights, x, y, kind="filter", rays=rays, seed=seed_of["filter"]
    )
    found["width"] = 10 ** np.log10(paths).mean(axis=1)
    found["euclidean"], _ = along_rays(
        model, weights, x, y, kind="euclidean", rays=rays, seed=seed_of["euclidean"]
    )
    same = {"rays": rays, "diagonal": diagonal}
    found["stretched"] = stretched(
        model, weights, x, y, kind="euclidean", seed=seed_of["euclidean"], **same
    )
    found["mass"] = mass(model, weights, x, y, rays=rays, seed=seed_of["mass"], scale=scale)
    found["mass_stretched"] = stretched(
        model, weights, x, y, kind="gaussian", seed=seed_of["mass"], scale=scale, **same
    )
    found["hessian_low"], found["hessian"], found["hessian_high"] = by_curvature(
        model, weights, x, y
    )
    return found


# ------------------------------------------------------------------------------- known shapes


def ellipsoid(curvatures, directions, edge=EDGE):
    """Return the radii of the ellipsoid {d' H d / 2 <= edge}, H diagonal (P,), along directions (K, P) of length 1."""
    return np.sqrt(2 * edge / (directions**2 @ curvatures))


def unit(generator, count, dimension):
    """Return ``count`` directions of length 1, evenly spread, (count, dimension) float64."""
    drawn = generator.standard_normal((count, dimension))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def missing(curvatures, found, truth=None):
    """Return by how many orders of magnitude rays with these radii (K,) underrate an ellipsoid's volume."""
    n = len(curvatures)
    if truth is None:
        truth = measures.quadratic_volume(curvatures[None], n, threshold=EDGE, damping=0.0)[0]
    return truth - measures.basin_volume(found[None], n).estimate[0]


def known_shapes(seed, n, *, dimensions, directions, flattest, steepest, turned):
    """How much of an ellipsoid's volume do random rays miss?

    Replicate: the directions, and a rotation. Curvatures spread evenly, on a log scale, from ``flattest`` to
    ``steepest``. In ``turned`` dimensions the ellipsoid is turned at random, so that its axes are not the weights.

    Returns
    -------
    dict
        ``missing`` (n, D) float32: orders of magnitude for each of ``dimensions``, and ``missing_most`` (n,) for the
        last; ``low, high`` (n, D): the bootstrap interval's ends, as distances from the truth; ``by_count`` (n, C): for
        the last dimension, against the number of directions; ``stretched`` (n,): what stretched rays miss where the
        axes are the weights; ``turned_plain, turned_stretched`` (n,): both for the turned ellipsoid. ``constants``:
        ``dimensions``, ``counts``, and ``predicted`` (D,), from the mean curvature in place of the geometric mean.
    """
    counts = np.unique(np.geomspace(2, directions, 10).astype(int))
    shapes = [np.geomspace(flattest, steepest, d) for d in dimensions]
    names = ("missing", "low", "high", "by_count", "stretched", "turned_plain", "turned_stretched")
    rows = {name: [] for name in names}
    for row in range(n):
        lines = {"missing": [], "low": [], "high": []}
        for curved in shapes:
            d = len(curved)
            ways = unit(seeds.generator(seed, "directions", row, d), directions, d)
            found = ellipsoid(curved, ways)
            truth = measures.quadratic_volume(curved[None], d, threshold=EDGE, damping=0.0)[0]
            volume = measures.basin_volume(found[None], d)
            ends = (volume.estimate, volume.high, volume.low)
            for name, end in zip(lines, ends, strict=True):
                lines[name].append(truth - end[0])
        for name, values in lines.items():
            rows[name].append(values)
        rows["by_count"].append([missing(curved, found[:count], truth) for count in counts])
        stretch = curved**-0.5 / np.exp(np.mean(np.log(curved**-0.5)))
        rows["stretched"].append(
            missing(curved, np.sqrt(2 * EDGE / ((ways * stretch) ** 2 @ curved)), truth)
        )
        for name, value in zip(
            ("turned_plain", "turned_stretched"),
            _turned(seed, row, np.geomspace(flattest, steepest, turned), directions),
            strict=True,
        ):
            rows[name].append(value)
    arrays = {name: np.array(values, np.float32) for name, values in rows.items()}
    predicted = [
        len(c) / 2 * (np.log10(c.mean()) - np.log10(c).mean()) for c in shapes
    ]  # arithmetic for geometric mean
    return arrays | {
        "missing_most": arrays["missing"][:, -1].copy(),
        "constants": {
            "dimensions": np.array(dimensions, np.int32),
            "counts": counts.astype(np.int32),
            "predicted": np.array(predicted),
        },
    }


def _turned(seed, row, curved, directions):
    """Return what plain and stretched rays miss of a turned ellipsoid, whose diagonal no longer says its shape."""
    d = len(curved)
    generator = seeds.generator(seed, "turned", row)
    axes = np.linalg.qr(generator.standard_normal((d, d)))[0]
    hessian = (axes * curved) @ axes.T
    ways = unit(generator, directions, d)
    stretch = np.diag(hessian) ** -0.5
    stretch /= np.exp(np.mean(np.log(stretch)))
    return [
        missing(curved, np.sqrt(2 * EDGE / np.einsum("kp,pq,kq->k", v, hessian, v, optimize=True)))
        for v in (ways, ways * stretch)
    ]

"""Basins of minima: radii along directions, volumes, prior mass, curvature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from helpers._base import checks, seeds
from helpers.engine import inference
from helpers.engine.recipe import recipe_of
from helpers.geometry import _rays

LOG10 = np.log(10.0)


def crossing_radii(
    model: Any,
    weights: Sequence[ArrayLike],
    directions: Sequence[ArrayLike | None],
    x: ArrayLike,
    y: ArrayLike,
    *,
    threshold: float = 0.1,
    start: float = 0.01,
    reach: float = 100.0,
    growth: float = 1.25,
    precision: float = 0.01,
    pilot: bool = False,
) -> np.ndarray:
    """Return the radius at which the mean loss first passes a threshold, along every direction of every network.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.
    weights : list of array_like
        (M, ...) each: the minima.
    directions : list of array_like or None
        (M, K, ...) each; None where nothing moves. A radius counts multiples of the direction, so it is a distance
        only along directions of length 1.
    x, y : array_like
        Inputs and targets, (N, ...) shared or (M, N, ...). Float targets mean squared error, whole numbers
        cross-entropy.
    threshold : float
        Cut-off c of the basin {mean loss <= c}.
    start, reach : float
        First and last radius looked at.
    growth : float
        Of the radius from one look to the next, above 1; a barrier narrower than that may be stepped over.
    precision : float
        Relative width of the bracket at which bisection ends and interpolation finishes, 1e-6 to 0.5: radii are
        precise to about its square.
    pilot : bool
        Scan only the first few directions of each network from ``start``, and the others from 0.7 times the smallest
        radius that these have: fewer looks, and the same radii up to ``precision``.

    Returns
    -------
    numpy.ndarray
        (M, K). Zero for a network that lies above the threshold itself; ``inf`` for a direction that does not cross
        it up to ``reach``.

    Raises
    ------
    ValueError, TypeError
        For shapes that do not fit, or limits out of order.

    Notes
    -----
    Radii of [huang2019]_, found by bisection. A NaN or infinite loss counts as above the threshold.
    """
    recipe = recipe_of(model)
    weights, members = inference.check_weights("weights", weights, recipe)
    directions, moving, rays = _rays.check_directions(directions, recipe, members)
    recipe, x, y, stacked, task = _rays.check_data(recipe, x, y, members)
    threshold = checks.real("threshold", threshold, 0, low_open=True)
    start = checks.real("start", start, 0, low_open=True)
    reach = checks.real("reach", reach, start)
    growth = checks.real("growth", growth, 1, low_open=True)
    precision = checks.real(
        "precision", precision, 1e-6, 0.5, remedy="float32 cannot tell closer radii apart."
    )
    pilot = checks.flag("pilot", pilot)
    search = (threshold, growth, reach, precision)
    return _rays.crossing(
        recipe, weights, directions, moving, rays, x, y, stacked, task, start, pilot, search
    )


def log10_ball(dimension: int) -> float:
    """Return log10 of the volume of the unit ball in ``dimension`` dimensions."""
    n = checks.integer("dimension", dimension)
    return (n / 2 * np.log(np.pi) - scipy.special.gammaln(n / 2 + 1)) / LOG10


@dataclass(frozen=True)
class BasinVolume:
    """Estimated volumes of M basins, decimal logarithms; each array is (M,).

    Attributes
    ----------
    estimate : numpy.ndarray
        log10 of ball volume times mean r^n over the directions.
    lower : numpy.ndarray
        The same with the mean of n log10 r: below the first by Jensen's inequality.
    low, high : numpy.ndarray
        Percentile bootstrap interval of the estimate over its directions. It measures how much the sampled directions
        matter, and says nothing of directions that were never sampled.
    uncrossed : numpy.ndarray
        Share of directions without a crossing, counted with radius ``reach``: where it is above 0, the true
        volume is larger or infinite.
    mean_log10_radius : numpy.ndarray
        Mean log10 r, the width of the basin.
    """

    estimate: np.ndarray
    lower: np.ndarray
    low: np.ndarray
    high: np.ndarray
    uncrossed: np.ndarray
    mean_log10_radius: np.ndarray


def _log10_mean(terms, axis=-1):
    """Return log10 of the mean of 10**terms."""
    return scipy.special.logsumexp(terms * LOG10, axis=axis) / LOG10 - np.log10(terms.shape[axis])


def _positive(radii):
    """Refuse radii of 0 and NaN."""
    if np.isnan(radii).any() or (radii == 0).any():
        remedy = "A radius of 0 means a network above the threshold: it has no basin. Leave it out and say so."
        raise ValueError(checks.message("radii", "above 0 and not NaN", radii, remedy))
    return radii


def _closed(radii, reach):
    """Return radii (M, K), positive, with those that never cross set to ``reach``, and the share of these, (M,)."""
    radii = _positive(checks.array("radii", radii, shape=(None, None), finite=False, low=0.0))
    missing = np.isinf(radii)
    if missing.any() and reach is None:
        text = f"{int(missing.sum())} of {radii.size} radii are infinite: they count as it."
        raise ValueError(checks.message("reach", "the last radius that was searched", reach, text))
    closed = np.where(
        missing, np.inf if reach is None else checks.real("reach", reach, 0, low_open=True), radii
    )
    return closed, missing.mean(axis=1)


def basin_volume(
    radii: ArrayLike,
    dimension: int,
    *,
    reach: float | None = None,
    level: float = 0.99,
    resamples: int = 200,
    seed: int = 0,
) -> BasinVolume:
    """Estimate basin volumes from radii along random directions.

    Parameters
    ----------
    radii : array_like (M, K)
        From `crossing_radii`, along directions spread evenly over the unit sphere of the space measured.
    dimension : int
        n: how many parameters the directions move.
    reach : float, optional
        What a direction without a crossing counts as; needed where ``radii`` holds an infinity.
    level : float
        Of the bootstrap interval.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    BasinVolume
        With one entry per network.

    Notes
    -----
    V = omega_n E[r^n] over directions, for a basin seen whole from its minimum (star-shaped) [huang2019]_. With n in
    the thousands the largest sampled radius decides, so the estimate grows with K and is far too small: for a
    quadratic basin it starts from omega_n (2 c / mean curvature)^(n/2), while the true volume has the geometric mean
    of the curvatures in place of the arithmetic one (`quadratic_volume`).
    """
    n = checks.integer("dimension", dimension)
    level = checks.real("level", level, 0, 1, low_open=True, high_open=True)
    radii, uncrossed = _closed(radii, reach)
    log_r = np.log10(radii)
    ball = log10_ball(n)
    generator = seeds.generator(seed, "basin_volume")
    picks = generator.integers(
        0, radii.shape[1], (checks.integer("resamples", resamples, 2), radii.shape[1])
    )
    resampled = np.stack([_log10_mean(n * log_r[:, pick]) for pick in picks])  # (resamples, M)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    width = log_r.mean(axis=1)
    return BasinVolume(
        ball + _log10_mean(n * log_r), ball + n * width, ball + low, ball + high, uncrossed, width
    )


def gaussian_mass(
    radii: ArrayLike,
    weights: Sequence[ArrayLike],
    directions: Sequence[ArrayLike | None],
    scale: Sequence[float | None],
) -> np.ndarray:
    """Estimate the mass of basins under a Gaussian prior: the chance that a random draw of the weights lands inside.

    Parameters
    ----------
    radii : array_like (M, K)
        From `crossing_radii` along ``directions``; infinite where the loss is never passed: no cut-off is needed.
    weights : list of array_like
        (M, ...) each: the minima.
    directions : list of array_like or None
        (M, K, ...) each, of kind "gaussian": uniform on the sphere, times ``scale``; or those after `preconditioned`.
    scale : list of float or None
        Standard deviation of the prior by entry; its mean is zero. Entries whose direction is None stay out.

    Returns
    -------
    numpy.ndarray
        (M,) log10 of the mass: 0 for a basin that is everything.

    Notes
    -----
    In coordinates divided by ``scale``: n omega_n (2 pi)^(-n/2) times the mean over directions u of the integral of
    r^(n-1) exp(-|z + r v|^2 / 2) up to the radius, as in [scherlis2025]_; v = u, or P u with det P = 1. With s = r |v|
    the integral is |v|^-n times the one along v / |v|. The integrand is log-concave; Gauss-Legendre rules around its
    maximum.
    """
    radii = _positive(checks.array("radii", radii, shape=(None, None), finite=False, low=0.0))
    centre, slopes, squares, n = np.zeros(len(radii)), np.zeros(radii.shape), 0.0, 0
    for w, d, s in zip(weights, directions, scale, strict=True):
        if d is not None:
            d = checks.array(
                "directions", d, shape=(*radii.shape, *np.shape(w)[1:]), dtype=np.float32
            )
            w = np.asarray(w, float).reshape(len(radii), -1) / checks.real(
                "scale", s, 0, low_open=True
            )
            flat = d.reshape(*radii.shape, -1)
            centre += np.sum(w**2, axis=1)
            slopes += np.einsum("mp,mkp->mk", w / s, flat, optimize=True)
            squares = squares + np.einsum("mkp,mkp->mk", flat, flat, dtype=float) / s**2
            n += w.shape[1]
    lengths = np.sqrt(squares)  # 1 without preconditioning
    along = _radial(radii * lengths, slopes / lengths, n) / LOG10 - n * np.log10(lengths)
    mass = _log10_mean(along) - centre / 2 / LOG10
    return log10_ball(n) + np.log10(n) - n / 2 * np.log10(2 * np.pi) + mass


def _radial(radii, slopes, n):
    """Return the natural logarithm of the integral of r^(n-1) exp(-r slope - r^2/2) from 0 to radii, all (M, K)."""

    def log_integrand(r):  # (..., M, K)
        return (n - 1) * np.log(r) - r * slopes - r**2 / 2

    tiny = np.finfo(float).tiny
    peak = np.maximum(np.minimum((-slopes + np.sqrt(slopes**2 + 4 * (n - 1))) / 2, radii), tiny)
    bend = np.sqrt(
        (n - 1) / peak**2 + 1
    )  # -f'' is at least bend^2 left of the peak, and at least 1 right of it
    rise = (
        (n - 1) / peak - slopes - peak
    )  # f' at the peak: 0, or above where the radius cuts the rise off
    left = np.maximum(peak - np.minimum(9 / bend, 40 / np.maximum(rise, bend)), 0)
    nodes, shares = np.polynomial.legendre.leggauss(80)
    top, total = log_integrand(peak), 0.0
    for low, high in ((left, peak), (peak, np.minimum(radii, peak + 9))):
        r = np.maximum(low + (high - low) * (nodes.reshape(-1, 1, 1) + 1) / 2, tiny)
        total = total + np.tensordot(shares / 2, np.exp(log_integrand(r) - top), axes=1) * (
            high - low
        )
    return top + np.log(total)


def quadratic_volume(
    curvatures: ArrayLike, dimension: int, *, threshold: float, damping: float
) -> np.ndarray:
    """Return log10 of the volume of an ellipsoid {d' (H + damping) d / 2 <= threshold}.

    Parameters
    ----------
    curvatures : array_like (M, R)
        Eigenvalues of the Hessian; the other ``dimension - R`` are zero. Negative ones count as zero.
    dimension : int
        n of R or more.
    threshold : float
        Rise of the loss at the rim.
    damping : float
        Added to every eigenvalue, 0 or above; a flat direction makes the volume infinite without it.

    Returns
    -------
    numpy.ndarray
        (M,); ``inf`` where an undamped eigenvalue is zero.

    Notes
    -----
    log omega_n + (n/2) log(2 c) - (1/2) log det(H + damping), as in the Hessian estimates of [wu2017]_.
    """
    curvatures = np.maximum(checks.array("curvatures", curvatures, shape=(None, None)), 0)
    n = checks.integer("dimension", dimension, curvatures.shape[1])
    threshold = checks.real("threshold", threshold, 0, low_open=True)
    damping = checks.real("damping", damping, 0)
    with np.errstate(divide="ignore"):
        log_det = np.log10(curvatures + damping).sum(axis=1)
        if n > curvatures.shape[1]:
            log_det = log_det + (n - curvatures.shape[1]) * np.log10(damping)
    return log10_ball(n) + n / 2 * np.log10(2 * threshold) - log_det / 2

"""Curvature of minima by the Gauss-Newton part of the Hessian: eigenvalues, diagonal, and directions that follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike

from helpers._base import checks
from helpers.engine import inference
from helpers.engine.recipe import recipe_of
from helpers.geometry import _rays


def gauss_newton_curvatures(
    model: Any, weights: Sequence[ArrayLike], x: ArrayLike, y: ArrayLike
) -> np.ndarray:
    """Return the eigenvalues of the Gauss-Newton part of the Hessian of the mean loss.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.
    weights : list of array_like
        (M, ...) each.
    x, y : array_like
        As in `crossing_radii`; the targets say which loss, their values do not enter.

    Returns
    -------
    numpy.ndarray
        (M, R) in descending order, R = min(N * outputs, parameters); all others are zero.

    Notes
    -----
    J' D J / N with J the gradients of the logits and D the second derivative of the loss with respect to the logits.
    What is left out is weighted with the residuals, and vanishes where the training points are fitted.
    """
    found = []
    for rows in _each_root(model, weights, x, y):
        gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
        found.append(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0))
    return np.stack(found)


def gauss_newton_diagonal(
    model: Any, weights: Sequence[ArrayLike], x: ArrayLike, y: ArrayLike
) -> list[np.ndarray | None]:
    """Return the diagonal of the Gauss-Newton part of the Hessian: the curvature along each single weight.

    Parameters
    ----------
    model, weights, x, y
        As in `gauss_newton_curvatures`.

    Returns
    -------
    list of numpy.ndarray or None
        (M, ...) float64 in the order of ``get_weights()``, None where nothing is trained. Its sum is the trace.
    """
    specs = recipe_of(model).weights
    flat = np.stack([np.sum(rows**2, axis=0) for rows in _each_root(model, weights, x, y)])
    sizes = [int(np.prod(spec.shape)) if spec.trainable else 0 for spec in specs]
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    return [
        part.reshape(len(flat), *spec.shape) if spec.trainable else None
        for part, spec in zip(parts, specs, strict=True)
    ]


def preconditioned(
    directions: Sequence[ArrayLike | None],
    diagonal: Sequence[ArrayLike | None],
    damping: float | ArrayLike,
) -> list[np.ndarray | None]:
    """Stretch directions where a basin is flat and shrink them where it is curved, leaving volumes as they are.

    Parameters
    ----------
    directions : list of array_like or None
        (M, K, ...) each, from `landscape.directions`, of kind "euclidean" or "gaussian".
    diagonal : list of array_like or None
        (M, ...) each: curvatures, from `gauss_newton_diagonal`; for "gaussian" times ``scale**2``.
    damping : float or array_like (M,)
        Above 0: added to every curvature.

    Returns
    -------
    list of numpy.ndarray or None
        (M, K, ...) each: the directions times P = (diagonal + damping)^(-1/2) / c, with c such that det P = 1.

    Notes
    -----
    As P keeps volumes, radii along its directions go into `basin_volume` and `gaussian_mass` as they are
    [scherlis2025]_. For an ellipsoid whose axes are the weights' all radii are then equal, and the estimate is exact.
    """
    moving = [i for i, d in enumerate(directions) if d is not None]
    if not moving or any(diagonal[i] is None for i in moving):
        expected = "curvatures wherever a direction moves"
        raise ValueError(checks.message("diagonal", expected, [d is not None for d in diagonal]))
    members = len(directions[moving[0]])
    damping = np.broadcast_to(checks.array("damping", damping), members).astype(float)
    if (damping <= 0).any():
        remedy = "A flat direction would be stretched without end."
        raise ValueError(checks.message("damping", "above 0", damping, remedy))
    logs = {}
    for i in moving:
        shape = np.shape(directions[i])
        part = checks.array(f"diagonal[{i}]", diagonal[i], shape=(members, *shape[2:]), low=0.0)
        logs[i] = -0.5 * np.log(part.reshape(members, -1) + damping[:, None])
    sizes = sum(part.shape[1] for part in logs.values())
    mean = sum(part.sum(axis=1) for part in logs.values()) / sizes  # of log P before c, (M,)
    found: list[np.ndarray | None] = [None] * len(directions)
    for i in moving:
        d = np.asarray(directions[i])
        factor = np.exp(logs[i] - mean[:, None]).reshape(members, 1, *d.shape[2:])
        found[i] = (d * factor).astype(d.dtype)
    return found


def _each_root(model, weights, x, y):
    """Yield for each network B (N * outputs, parameters) float64 such that B'B is the Gauss-Newton matrix."""
    recipe = recipe_of(model)
    weights, members = inference.check_weights("weights", weights, recipe)
    recipe, x, y, stacked, task = _rays.check_data(recipe, x, y, members)
    for m in range(members):
        logits, jacobian = _rays.weight_jacobian(
            recipe, [w[m] for w in weights], x[m] if stacked else x
        )
        n, c, p = jacobian.shape
        if task == "regression":
            factor = np.broadcast_to(np.sqrt(2 / c) * np.eye(c), (n, c, c))
        elif task == "binary":
            chance = scipy.special.expit(logits.astype(float))
            factor = np.sqrt(chance * (1 - chance))[..., np.newaxis]
        else:
            chance = scipy.special.softmax(logits.astype(float), axis=1)
            root = np.sqrt(chance)
            factor = (
                root[:, :, None] * np.eye(c) - chance[:, :, None] * root[:, None, :]
            )  # B B' = diag(p) - p p'
        rows = np.einsum("nck,ncp->nkp", factor, jacobian.astype(float))
        yield rows.reshape(n * c, p) / np.sqrt(n)

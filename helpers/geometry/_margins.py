"""Margins: how far inputs lie from the decision boundary of their network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from helpers._base import checks
from helpers.engine import inference
from helpers.engine.recipe import recipe_of
from helpers.geometry import _rays


def margins(
    model: Any,
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    *,
    directions: ArrayLike | None = None,
    reach: float = 1.0,
    looks: int = 24,
    halvings: int = 12,
) -> np.ndarray:
    """Return how far every input lies from the nearest decision boundary of its network.

    Parameters
    ----------
    model : callable or keras.Model
        With one logit, or one per class.
    weights : list of array_like
        (M, ...) each.
    x : array_like
        (N, ...) or (M, N, ...).
    directions : array_like (K, ...), optional
        Unit vectors in input space to look along; `compass` gives them in the plane. None follows the gradient
        of the logits instead (in many dimensions), which gives an upper bound on the distance.
    reach : float
        How far along ``directions``; unused without them.
    looks : int
        Points per direction before bisection, or steps along the gradient.
    halvings : int
        Of the bracket.

    Returns
    -------
    numpy.ndarray
        (M, N), in units of x; ``inf`` where no boundary was met.

    Notes
    -----
    Without directions: repeated steps to the boundary of the linearised network, as in [moosavi2016]_, then bisection
    between the input and the point reached. Exact for a linear network.
    """
    recipe = _rays.of_logits(recipe_of(model))
    weights, members = inference.check_weights("weights", weights, recipe)
    x, stacked = inference.check_inputs(x, recipe, members)
    looks, halvings = checks.integer("looks", looks), checks.integer("halvings", halvings)
    x = x if stacked else np.broadcast_to(x, (members, *x.shape))
    label = _label(inference.predict(recipe, weights, x))  # (M, N)
    axes = (1,) * len(recipe.input_shape)
    if directions is None:
        ways = (_boundary(recipe, weights, x, label, looks) - x)[
            :, :, None
        ]  # (M, N, 1, ...), of length = distance
        ends = np.ones(ways.shape[:3])
        length = np.sqrt(np.sum(np.square(ways, dtype=float), axis=tuple(range(3, ways.ndim))))
    else:
        directions = checks.array(
            "directions", directions, shape=(None, *recipe.input_shape), dtype=recipe.dtype
        )
        ways = np.broadcast_to(directions, (members, x.shape[1], *directions.shape))
        reach = checks.real("reach", reach, 0, low_open=True)
        ends = np.linspace(0, reach, looks + 1)[1:]
        length = np.linalg.norm(directions.reshape(len(directions), -1), axis=1)
    rays = ways.shape[2]

    def same(radius):  # (M, N, K) -> whether the label at x + radius * way is that of x
        points = x[:, :, None] + radius.reshape(*radius.shape, *axes).astype(recipe.dtype) * ways
        flat = points.reshape(members, -1, *recipe.input_shape)
        return (
            _label(inference.predict(recipe, weights, flat)).reshape(members, -1, rays)
            == label[:, :, None]
        )

    if directions is None:
        high = np.where(same(ends), np.inf, ends)
        low = np.zeros_like(high)
    else:
        high, low = (
            np.full((members, x.shape[1], rays), np.inf),
            np.zeros((members, x.shape[1], rays)),
        )
        for end in ends:
            if np.isfinite(high).any(axis=2).all():
                break
            inside = same(np.full(high.shape, end))
            open_ended = np.isinf(high)
            high = np.where(open_ended & ~inside, end, high)
            low = np.where(open_ended & inside, end, low)
    for _ in range(halvings):
        middle = np.where(np.isfinite(high), (low + high) / 2, 0)
        inside = same(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, np.minimum(high, middle))
    met = np.isfinite(
        high
    )  # a constant network has ways of no length: infinity times 0 is no number
    return np.min(np.where(met, np.where(met, (low + high) / 2, 0) * length, np.inf), axis=2)


def compass(count: int = 64) -> np.ndarray:
    """Return ``count`` unit vectors (count, 2), evenly spread over the circle."""
    angle = 2 * np.pi * np.arange(checks.integer("count", count, 3)) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _label(logits):
    """Return labels (M, N) of logits (M, N, C)."""
    return (logits[..., 0] > 0).astype(int) if logits.shape[-1] == 1 else logits.argmax(axis=-1)


def _boundary(recipe, weights, x, label, steps):
    """Return points (M, N, ...) just across the boundary that repeated linearisation finds from x."""
    points = np.array(x)
    for _ in range(steps):
        logits, slopes = _rays.input_jacobian(recipe, weights, points)
        moved = _label(logits) != label
        if moved.all():
            break
        slopes = slopes.reshape(*slopes.shape[:3], -1).astype(float)
        if logits.shape[-1] == 1:
            gap, normal = logits[..., 0].astype(float), slopes[:, :, 0]
        else:  # to the class whose boundary is nearest
            own = label[:, :, None]
            gaps = np.take_along_axis(logits, own, 2).astype(float) - logits
            normals = np.take_along_axis(slopes, own[..., None], 2) - slopes
            lengths = np.maximum(np.linalg.norm(normals, axis=-1), 1e-12)
            distance = np.where(np.arange(logits.shape[-1]) == own, np.inf, np.abs(gaps) / lengths)
            nearest = distance.argmin(axis=2)[..., None]
            gap = np.take_along_axis(gaps, nearest, 2)[..., 0]
            normal = np.take_along_axis(normals, nearest[..., None], 2)[:, :, 0]
        square = np.maximum(np.sum(normal**2, axis=-1), 1e-24)
        step = -(1.02 * gap / square)[..., None] * normal
        points = points + np.where(moved[..., None], 0, step).reshape(points.shape).astype(
            points.dtype
        )
    return points

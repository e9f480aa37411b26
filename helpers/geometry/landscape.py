"""The loss as a function of the weights: directions, slices, rescalings, and data that lead to bad minima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from helpers._base import checks, seeds
from helpers.data import attacked
from helpers.engine import draws, inference, runtime
from helpers.engine.recipe import recipe_of
from helpers.geometry import _rays

__all__ = ["along", "attacked", "dimension", "directions", "initial_scale", "moved", "rescaled"]

KINDS = ("filter", "euclidean", "gaussian")


def initial_scale(model: Any) -> list[float | None]:
    """Return the standard deviation of every entry of the weights at initialisation, as a list of floats.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.

    Returns
    -------
    list of float or None
        In the order of ``get_weights()``. An entry that starts constant (a bias at zero) takes the scale of the last
        kernel before it; None where nothing is trained.

    Notes
    -----
    Measured on 64 draws of the model's own initializers.
    """
    recipe = recipe_of(model)
    scales, last = [], None
    for spec, drawn in zip(recipe.weights, draws.draw(recipe, 64, 0), strict=True):
        spread = float(np.std(drawn, dtype=float))
        last = spread if spread > 0 else last
        scales.append(last if spec.trainable else None)
    if any(
        scale is None for scale, spec in zip(scales, recipe.weights, strict=True) if spec.trainable
    ):
        raise ValueError(
            checks.message(
                "model", "a model whose first trained weights are drawn at random", model
            )
        )
    return scales


def _moving(recipe, kind):
    """Return the positions in get_weights() that a kind of direction moves."""
    rank = 2 if kind == "filter" else 1
    return [
        i for i, spec in enumerate(recipe.weights) if spec.trainable and len(spec.shape) >= rank
    ]


def dimension(model: Any, kind: str = "filter") -> int:
    """Return how many parameters the `directions` of a kind move."""
    recipe = recipe_of(model)
    checks.one_of("kind", kind, KINDS)
    return sum(int(np.prod(recipe.weights[i].shape)) for i in _moving(recipe, kind))


def directions(
    model: Any,
    weights: Sequence[ArrayLike],
    count: int,
    kind: str = "filter",
    *,
    seed: int = 0,
    scale: Sequence[float | None] | None = None,
) -> list[np.ndarray | None]:
    """Draw random directions in weight space, for every network its own.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.
    weights : list of array_like
        (M, ...) each.
    count : int
        K, directions per network.
    kind : {"filter", "euclidean", "gaussian"}
        "filter": for every output unit or filter a random direction as long as the filter itself; biases and all
        else of one axis stay [li2018]_, [huang2019]_. "euclidean": uniform on the unit sphere of all trained
        parameters. "gaussian": the same in coordinates divided by ``scale``.
    seed : int
        The draw: network m has directions of its own, the same under one seed and kind.
    scale : list of float, optional
        Of "gaussian": see `initial_scale`.

    Returns
    -------
    list of numpy.ndarray or None
        (M, K, ...) in the order of ``get_weights()``, None where nothing moves.

    Notes
    -----
    A radius along "filter" is relative to the filters' lengths, so rescaling a ReLU layer does not change it.
    """
    recipe = recipe_of(model)
    weights, members = inference.check_weights("weights", weights, recipe)
    count = checks.integer("count", count)
    checks.one_of("kind", kind, KINDS)
    if kind == "gaussian":
        wanted = sum(spec.trainable for spec in recipe.weights)
        given = 0 if scale is None else len([s for s in scale if s is not None])
        if given != wanted or len(scale) != len(recipe.weights):
            remedy = "Use initial_scale(model)."
            raise ValueError(
                checks.message("scale", f"a list with {wanted} numbers", scale, remedy)
            )
    moving = _moving(recipe, kind)
    found = [
        np.empty((members, count, *spec.shape), recipe.dtype) if i in moving else None
        for i, spec in enumerate(recipe.weights)
    ]

    def draw(m, advance, stop):
        generator = seeds.generator(seed, "directions", m)
        for i in moving:
            generator.standard_normal(dtype=recipe.dtype, out=found[i][m])
        if kind == "filter":
            for i in moving:
                units = found[i][m].reshape(
                    count, -1, found[i][m].shape[-1]
                )  # (K, weights of a unit, units)
                norms = np.sqrt(np.einsum("kwu,kwu->ku", units, units))
                own = np.sqrt(np.sum(np.square(weights[i][m]).reshape(-1, units.shape[-1]), axis=0))
                units *= (own / norms)[:, np.newaxis]
        else:
            rows = [found[i][m].reshape(count, -1) for i in moving]
            square = sum(np.einsum("kw,kw->k", row, row) for row in rows)
            for i in moving:
                length = np.sqrt(square).reshape(count, *[1] * len(recipe.weights[i].shape))
                found[i][m] *= (1.0 if kind == "euclidean" else scale[i]) / length

    runtime.run(draw, members)  # one thread per core
    return found


def along(
    model: Any,
    weights: Sequence[ArrayLike],
    directions: Sequence[ArrayLike | None],
    radii: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
) -> dict[str, np.ndarray]:
    """Return loss and accuracy of stacked networks moved along directions: one-dimensional slices of the landscape.

    Parameters
    ----------
    model : callable or keras.Model
        As in `fit_many`.
    weights : list of array_like
        (M, ...) each.
    directions : list of array_like or None
        (M, K, ...) each, as from `directions`.
    radii : array_like (R,)
        Multiples of the direction; 0 is the network itself, negative ones go the other way.
    x, y : array_like
        (N, ...) shared or (M, N, ...); integer targets are labels, floats a regression.

    Returns
    -------
    dict of numpy.ndarray
        (M, K, R) each: "crossentropy" and "accuracy", or "mse"; inference mode, without penalties.
    """
    recipe = recipe_of(model)
    weights, members = inference.check_weights("weights", weights, recipe)
    steps, moving, rays = _rays.check_directions(directions, recipe, members)
    recipe, x, y, stacked, task = _rays.check_data(recipe, x, y, members)
    radii = checks.array("radii", radii, shape=(None,))
    return _rays.along(recipe, weights, steps, moving, rays, x, y, stacked, task, radii)


def moved(
    weights: Sequence[ArrayLike], directions: Sequence[ArrayLike | None], radius: float | ArrayLike
) -> list[np.ndarray]:
    """Return stacked weights moved by ``radius`` along their directions, one direction per network.

    Parameters
    ----------
    weights, directions : list of array_like
        (M, ...) and (M, 1, ...) each; a direction of None leaves its entry.
    radius : float or array_like (M,)
        How far.

    Returns
    -------
    list of numpy.ndarray
        (M, ...) each.
    """
    radius = np.broadcast_to(checks.array("radius", radius), len(weights[0]))
    return [
        np.asarray(w)
        if d is None
        else w + radius.reshape(-1, *[1] * (np.ndim(w) - 1)).astype(w.dtype) * d[:, 0]
        for w, d in zip(weights, directions, strict=True)
    ]


def rescaled(
    weights: Sequence[ArrayLike], position: int, factor: float | ArrayLike
) -> list[np.ndarray]:
    """Rescale a hidden ReLU layer and undo it in the next: other weights, the same function.

    Parameters
    ----------
    weights : list of array_like
        (M, ...) each, of a chain of Dense layers with biases, ReLU after the layer rescaled.
    position : int
        Of that layer's kernel in ``get_weights()``.
    factor : float or array_like (M,)
        Above 0: multiplies kernel and bias; the next kernel is divided by it.

    Returns
    -------
    list of numpy.ndarray
        (M, ...) each.

    Notes
    -----
    relu(a z) = a relu(z) for a > 0: the construction of [dinh2017]_.
    """
    position = checks.integer("position", position, 0, len(weights) - 3)
    shapes = [np.shape(w)[1:] for w in weights[position : position + 3]]
    if [len(s) for s in shapes] != [2, 1, 2] or shapes[0][1] != shapes[2][0]:
        expected = "the position of a Dense kernel followed by its bias and the next Dense kernel"
        raise ValueError(
            checks.message("position", expected, position, f"There the shapes are {shapes}.")
        )
    factor = np.broadcast_to(checks.array("factor", factor), len(weights[0]))
    if (factor <= 0).any():
        raise ValueError(
            checks.message("factor", "above 0", factor, "ReLU commutes with positive factors only.")
        )
    scales = {position: factor, position + 1: factor, position + 2: 1 / factor}
    found = [np.array(w) for w in weights]
    for i, scale in scales.items():
        found[i] *= scale.reshape(-1, *[1] * (found[i].ndim - 1)).astype(found[i].dtype)
    return found

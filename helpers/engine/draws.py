"""All that is drawn on the host: initial weights, batch orders, and the keys of the noise drawn on the device.

Every stream is keyed by (seed, purpose, member), so more members never change the earlier ones, and runs with the same
seed share what they have in common.

Initial weights are drawn as Keras would draw one network, but not by Keras: it would take a leading member axis for a
receptive field, and a call per kernel costs 0.4 ms. The standard initializers are drawn in NumPy with their exact
distribution, all others by Keras, member by member.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from helpers._base import seeds
from helpers._base.orders import epoch_orders, noise_keys, order_generator
from helpers._tensorflow import keras


def draw(recipe, members, seed):
    """Draw the initial weights of every member as Keras would draw one network.

    Streams are keyed by (seed, member, weight name, ordinal), so models that differ by layers without kernels
    share kernels at equal seeds. Seeds set on initializers are ignored: they would make all members equal.

    Parameters
    ----------
    recipe : Recipe
        The model.
    members : int
        M.
    seed : int
        The experiment's seed.

    Returns
    -------
    list of numpy.ndarray
        (M, ...) each, in the order of ``get_weights()``.
    """
    return [draw_weight(w, members, seed, recipe.dtype) for w in recipe.weights]


def draw_weight(weight, members, seed, dtype):
    """Return one weight of every member, (M, *shape)."""
    kind, scale = _distribution(weight.initializer, weight.shape)
    out = np.empty((members, *weight.shape), dtype)
    if kind == "constant":
        out[...] = scale  # a number, or an array that fits the shape
        return out
    for member in range(members):
        rng = seeds.generator(seed, "weights", member, weight.name, weight.ordinal)
        if kind == "uniform":
            out[member] = rng.uniform(*scale, size=weight.shape)
        elif kind == "normal":
            out[member] = rng.normal(*scale, size=weight.shape)
        elif kind == "truncated_normal":  # cut at two standard deviations, as Keras does
            tails = rng.uniform(ndtr(-2.0), ndtr(2.0), size=weight.shape)
            out[member] = scale[0] + scale[1] * ndtri(tails)
        else:
            out[member] = np.asarray(_reseeded(weight.initializer, rng)(weight.shape, dtype=dtype))
    return out


def _distribution(initializer, shape):
    """Return (kind, parameters) of a standard Keras initializer for one network's ``shape``, or ("other", None)."""
    kinds = keras.initializers
    if type(initializer) is kinds.Zeros:
        return "constant", 0.0
    if type(initializer) is kinds.Ones:
        return "constant", 1.0
    if type(initializer) is kinds.Constant:
        return "constant", np.asarray(initializer.value, float)
    if type(initializer) is kinds.RandomUniform:
        return "uniform", (initializer.minval, initializer.maxval)
    if type(initializer) is kinds.RandomNormal:
        return "normal", (initializer.mean, initializer.stddev)
    if type(initializer) is kinds.TruncatedNormal:
        return "truncated_normal", (initializer.mean, initializer.stddev)
    if (
        isinstance(initializer, kinds.VarianceScaling)
        and type(initializer).__call__ is kinds.VarianceScaling.__call__
    ):
        if initializer.input_axes is None and initializer.output_axes is None:
            return _variance_scaling(initializer, shape)
    return "other", None


def _variance_scaling(initializer, shape):
    """Return (kind, parameters) of Glorot, He, LeCun and their like (glorot2010, he2015)."""
    receptive = int(np.prod(shape[:-2]))
    fan_in, fan_out = (
        (shape[0], shape[0]) if len(shape) == 1 else (shape[-2] * receptive, shape[-1] * receptive)
    )
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[
        initializer.mode
    ]
    variance = initializer.scale / max(1.0, fan)
    if initializer.distribution == "uniform":
        limit = np.sqrt(3 * variance)
        return "uniform", (-limit, limit)
    if initializer.distribution == "untruncated_normal":
        return "normal", (0.0, np.sqrt(variance))
    return "truncated_normal", (
        0.0,
        np.sqrt(variance) / 0.87962566103423978,
    )  # sd of the cut standard normal


def _reseeded(initializer, rng):
    """Return a copy of ``initializer`` seeded from ``rng``; deterministic ones come back as they are."""
    config = initializer.get_config()
    if "seed" in config:
        config["seed"] = int(rng.integers(2**31))
        return type(initializer).from_config(config)
    first, second = (np.asarray(initializer((2, 2))) for _ in range(2))
    if not np.array_equal(first, second):
        raise ValueError(
            f"Initializer {type(initializer).__name__} is random but takes no `seed` in its configuration, so members "
            "cannot be drawn reproducibly. Add one, or pass `initial_weights`."
        )
    return initializer


__all__ = ["draw", "epoch_orders", "noise_keys", "order_generator"]

"""Masks for pruning, and the values that surviving weights start from.

Everything works on lists of stacked ``(M, ...)`` arrays in the order of Keras's ``get_weights()`` and returns masks in
the form that ``fit_many(masks=...)`` takes: 0/1 arrays for kernels, None for everything else. A kernel is an entry with
three axes or more, the member axis included, so biases and the vectors of normalization layers are never pruned.

Iterative magnitude pruning with rewinding [frankle2019]_ is four lines::

    masks = [pruning.dense_masks(start)]
    for _ in range(15):
        runs = fit_many(model, dataset, initial_weights=start, masks=masks[-1], ...)
        masks.append(pruning.prune_by_magnitude(runs.weights, masks[-1]))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from helpers._base import checks, seeds

SHARE, OUTPUT_SHARE = 0.2, 0.1  # of the surviving weights of a layer, per round [frankle2019]


def dense_masks(weights: Sequence[ArrayLike]) -> list[np.ndarray | None]:
    """Return masks that keep every weight.

    Parameters
    ----------
    weights : list of array_like (M, ...)
        In the order of ``get_weights()``.

    Returns
    -------
    list of (numpy.ndarray (M, ...) float32 or None)
        Ones for each kernel, None for the rest.

    Raises
    ------
    TypeError, ValueError
        Where `weights` is no list of stacked weights of one number of members, or holds no kernel.
    """
    weights = _weights("weights", weights)
    return [np.ones(w.shape, np.float32) if w.ndim >= 3 else None for w in weights]


def prune_by_magnitude(
    weights: Sequence[ArrayLike],
    masks: Sequence[ArrayLike | None],
    share: float = SHARE,
    output_share: float = OUTPUT_SHARE,
) -> list[np.ndarray | None]:
    """Remove a share of the surviving weights of each layer, the smallest in magnitude.

    Parameters
    ----------
    weights : list of array_like (M, ...)
        Trained under `masks`.
    masks : list of (array_like (M, ...) or None)
        What has survived so far; None keeps an entry out of the pruning.
    share, output_share : float
        Removed from the surviving weights, in [0, 1]; `output_share` from the last kernel.

    Returns
    -------
    list of (numpy.ndarray (M, ...) float32 or None)
        Nested in `masks`. Each member is pruned by its own weights alone.

    Raises
    ------
    TypeError, ValueError
        For shares out of range, masks that are not 0/1, or shapes that differ.

    Notes
    -----
    Of k survivors exactly ``round(share * k)`` go; of equal magnitudes the one stored first goes first.

    References
    ----------
    frankle2019
    """
    weights, masks = _pair(weights, masks)
    share, output_share = (
        checks.real(name, value, 0, 1)
        for name, value in (("share", share), ("output_share", output_share))
    )
    last = _kernels(masks)[-1]
    pruned = list(masks)
    for i in _kernels(masks):
        left = _count(masks[i])
        gone = np.rint((output_share if i == last else share) * left).astype(int)
        pruned[i] = _largest(weights[i], masks[i], left - gone)
    return pruned


def one_shot(
    weights: Sequence[ArrayLike], like: Sequence[ArrayLike | None]
) -> list[np.ndarray | None]:
    """Remove in one step as many weights as other masks did, the smallest in magnitude.

    Parameters
    ----------
    weights : list of array_like (M, ...)
        Usually of trained dense networks.
    like : list of (array_like (M, ...) or None)
        Masks whose counts, per member and layer, are copied.

    Returns
    -------
    list of (numpy.ndarray (M, ...) float32 or None)
        Masks of the same counts.
    """
    weights, like = _pair(weights, like, "like")
    return [
        None if mask is None else _largest(w, np.ones_like(mask), _count(mask))
        for w, mask in zip(weights, like, strict=True)
    ]


def random_masks(like: Sequence[ArrayLike | None], seed: int) -> list[np.ndarray | None]:
    """Draw masks at random, with as many weights per member and layer as other masks keep.

    Parameters
    ----------
    like : list of (array_like (M, ...) or None)
        Masks whose counts are copied.
    seed : int
        The draw; members and layers have streams of their own.

    Returns
    -------
    list of (numpy.ndarray (M, ...) float32 or None)
        Masks of the same counts.
    """
    like, seed = _masks("like", like), checks.integer("seed", seed, low=0)
    drawn = list(like)
    for i in _kernels(like):
        size = like[i][0].size
        scores = np.stack(
            [seeds.generator(seed, "masks", m, i).random(size) for m in range(len(like[i]))]
        )
        drawn[i] = _largest(
            1 + scores.reshape(like[i].shape), np.ones_like(like[i]), _count(like[i])
        )
    return drawn


def unit_masks(weights: Sequence[ArrayLike], kept: ArrayLike) -> list[np.ndarray | None]:
    """Return masks that remove hidden units of networks with one hidden layer.

    Parameters
    ----------
    weights : list of array_like
        Kernel (M, D, H), bias (M, H), kernel (M, H, C), bias (M, C).
    kept : array_like of bool (M, H)
        Which units stay; the others lose all incoming and outgoing weights.

    Returns
    -------
    list of (numpy.ndarray (M, ...) float32 or None)
        Masks for both kernels. A removed unit's bias is left, and has no way out.
    """
    weights = _weights("weights", weights)
    shapes = [w.shape for w in weights]
    fits = [len(s) for s in shapes] == [3, 2, 3, 2] and shapes[0][2] == shapes[1][1] == shapes[2][1]
    if not fits:
        expected = "[kernel (M, D, H), bias (M, H), kernel (M, H, C), bias (M, C)]"
        raise ValueError(
            checks.message("weights", expected, shapes, "Unit removal knows one hidden layer only.")
        )
    members, _, hidden = shapes[0]
    kept = checks.array("kept", kept, shape=(members, hidden), dtype=np.float32)
    _zero_one("kept", kept)
    first = np.broadcast_to(kept[:, np.newaxis], shapes[0])
    return [first.copy(), None, np.broadcast_to(kept[..., np.newaxis], shapes[2]).copy(), None]


def apply(weights: Sequence[ArrayLike], masks: Sequence[ArrayLike | None]) -> list[np.ndarray]:
    """Return the weights with masked ones set to zero.

    Parameters
    ----------
    weights : list of array_like (M, ...)
        In the order of ``get_weights()``.
    masks : list of (array_like (M, ...) or None)
        0/1 or None per entry.

    Returns
    -------
    list of numpy.ndarray (M, ...)
        New arrays.
    """
    weights, masks = _pair(weights, masks)
    return [
        w.copy() if mask is None else np.where(mask == 1, w, 0).astype(w.dtype)
        for w, mask in zip(weights, masks)
    ]


def layer_counts(masks: Sequence[ArrayLike | None]) -> np.ndarray:
    """Return how many weights each layer keeps: (M, layers) int, one column per mask that is not None."""
    masks = _masks("masks", masks)
    return np.stack([_count(masks[i]) for i in _kernels(masks)], axis=1)


def share_remaining(masks: Sequence[ArrayLike | None]) -> np.ndarray:
    """Return the share of maskable weights that each member keeps: (M,); biases do not count."""
    masks = _masks("masks", masks)
    return layer_counts(masks).sum(axis=1) / sum(masks[i][0].size for i in _kernels(masks))


def remaining_counts(
    sizes: Sequence[int], rounds: int, share: float = SHARE, output_share: float = OUTPUT_SHARE
) -> np.ndarray:
    """Return how many weights iterative pruning leaves, without training anything.

    Parameters
    ----------
    sizes : sequence of int
        Weights of each kernel, the output layer's last; (235200, 30000, 1000) for LeNet-300-100.
    rounds : int
        Of pruning.
    share, output_share : float
        As in `prune_by_magnitude`.

    Returns
    -------
    numpy.ndarray (rounds + 1, layers)
        Counts by round, from dense. Rounds 3, 7, 9, 12, 15 and 18 of LeNet-300-100 leave 51.3, 21.1, 13.5, 7.0, 3.6
        and 1.85 %.

    References
    ----------
    frankle2019
    """
    sizes = checks.array("sizes", sizes, shape=(None,), dtype=np.int64, low=1)
    rounds = checks.integer("rounds", rounds, low=0)
    share, output_share = (
        checks.real("share", share, 0, 1),
        checks.real("output_share", output_share, 0, 1),
    )
    shares = np.array([share] * (len(sizes) - 1) + [output_share])
    counts = [sizes]
    for _ in range(rounds):
        counts.append(counts[-1] - np.rint(shares * counts[-1]).astype(int))
    return np.stack(counts)


def keep_signs(values: Sequence[ArrayLike], weights: Sequence[ArrayLike]) -> list[np.ndarray]:
    """Return the magnitudes of one list of weights with the signs of another.

    Parameters
    ----------
    values : list of array_like (M, ...)
        Give the magnitudes of the kernels: for example a fresh draw.
    weights : list of array_like (M, ...)
        Give the signs of the kernels, and every other entry.

    Returns
    -------
    list of numpy.ndarray (M, ...)
        New arrays; a weight of exactly 0 gives 0, having no sign.

    References
    ----------
    zhou2019
    """
    values, weights = _weights("values", values), _weights("weights", weights)
    _same("values", values, [w.shape for w in weights])
    return [
        np.abs(v) * np.sign(w) if w.ndim >= 3 else w.copy()
        for v, w in zip(values, weights, strict=True)
    ]


def constant_values(
    weights: Sequence[ArrayLike], signs: str = "kept", seed: int = 0
) -> list[np.ndarray]:
    """Replace every weight of a kernel by plus or minus the standard deviation of that kernel.

    Parameters
    ----------
    weights : list of array_like (M, ...)
        Initial weights, dense: their standard deviation is that of the layer's initial distribution.
    signs : {"kept", "random"}
        Those of `weights`, or drawn with equal chances.
    seed : int
        Of the drawn signs; members and layers have streams of their own.

    Returns
    -------
    list of numpy.ndarray (M, ...)
        New arrays; entries that are no kernels are copied.

    References
    ----------
    zhou2019
    """
    weights, seed = _weights("weights", weights), checks.integer("seed", seed, low=0)
    kept = checks.one_of("signs", signs, ("kept", "random")) == "kept"
    result = []
    for i, w in enumerate(weights):
        if w.ndim < 3:
            result.append(w.copy())
            continue
        if kept:
            sign = np.sign(w)
        else:
            drawn = [
                seeds.generator(seed, "signs", m, i).integers(0, 2, w.shape[1:])
                for m in range(len(w))
            ]
            sign = 2 * np.stack(drawn) - 1
        spread = w.std(axis=tuple(range(1, w.ndim)), keepdims=True, dtype=np.float64)
        result.append((sign * spread).astype(w.dtype))
    return result


def _kernels(arrays):
    """Return the positions of the masks that are not None."""
    return [i for i, a in enumerate(arrays) if a is not None]


def _count(mask):
    """Return the kept weights of each member, (M,) int."""
    return np.count_nonzero(mask.reshape(len(mask), -1), axis=1)


def _largest(weights, mask, counts):
    """Return the mask of the ``counts`` (M,) largest magnitudes under ``mask``; of equal ones the last stored stay."""
    flat, alive = np.abs(weights).reshape(len(weights), -1), mask.reshape(len(mask), -1) == 1
    order = np.argsort(
        np.where(alive, flat, -1.0), axis=1, kind="stable"
    )  # the removed first, then by magnitude
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[np.newaxis], axis=1)
    return (rank >= order.shape[1] - counts[:, np.newaxis]).astype(np.float32).reshape(mask.shape)


def _list(name, arrays):
    if not isinstance(arrays, (list, tuple)) or not len(arrays):
        remedy = "Pass runs.weights or runs.initial_weights."
        raise TypeError(
            checks.message(
                name, "a list of (M, ...) arrays, one per entry of get_weights()", arrays, remedy
            )
        )


def _weights(name, weights):
    """Return a list of finite arrays with one number of members and at least one kernel."""
    _list(name, weights)
    finite = "A diverged network has no magnitudes to compare: leave it out, or put its initial weights in its place."
    arrays = [np.asarray(w) for w in weights]
    kinds = [a.dtype if a.dtype.kind == "f" else np.float32 for a in arrays]
    arrays = [
        checks.array(f"{name}[{i}]", a, dtype=kinds[i], remedy=finite) for i, a in enumerate(arrays)
    ]
    if min(w.ndim for w in arrays) < 2 or len({len(w) for w in arrays}) != 1:
        shapes = [w.shape for w in arrays]
        remedy = "Weights of one network are stacked by adding a first axis: [w[None] for w in model.get_weights()]."
        raise ValueError(
            checks.message(name, "arrays (M, ...) with one number of members M", shapes, remedy)
        )
    if all(w.ndim < 3 for w in arrays):
        shapes = [w.shape for w in arrays]
        raise ValueError(
            checks.message(name, "a list with a kernel: an array of three axes or more", shapes)
        )
    return arrays


def _zero_one(name, mask):
    if not np.all((mask == 0) | (mask == 1)):
        bad = mask[(mask != 0) & (mask != 1)].ravel()[0]
        raise ValueError(checks.message(name, "an array of 0 and 1", float(bad)))


def _masks(name, masks):
    """Return a list of 0/1 float32 arrays or None, with one number of members and at least one mask."""
    _list(name, masks)
    if all(mask is None for mask in masks):
        raise ValueError(
            checks.message(name, "a list with a mask", masks, "Start from dense_masks(weights).")
        )
    found = []
    for i, mask in enumerate(masks):
        if mask is not None:
            mask = checks.array(f"{name}[{i}]", mask, dtype=np.float32)
            _zero_one(f"{name}[{i}]", mask)
        found.append(mask)
    shapes = [mask.shape for mask in found if mask is not None]
    if min(map(len, shapes)) < 2 or len({s[0] for s in shapes}) != 1:
        raise ValueError(
            checks.message(name, "arrays (M, ...) with one number of members M", shapes)
        )
    return found


def _pair(weights, masks, name="masks"):
    """Return weights and masks, checked to fit each other."""
    weights, masks = _weights("weights", weights), _masks(name, masks)
    _same(name, masks, [w.shape for w in weights])
    return weights, masks


def _same(name, arrays, shapes):
    """Refuse a list whose length or shapes differ from the wanted ones."""
    if len(arrays) != len(shapes):
        raise ValueError(
            checks.message(f"len({name})", f"{len(shapes)}, one entry per weight", len(arrays))
        )
    for i, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        if array is not None and array.shape != shape:
            text = f"Argument `{name}[{i}]` must have shape {shape}. Received: shape {array.shape}."
            raise ValueError(
                f"{text} Weights and masks belong to one architecture and number of members."
            )

"""Convolutions as products of shifted windows: on a processor many times as fast as XLA's own on one thread.

Measured with 28 x 28 images in batches of 100, an epoch of one network: two separable convolutions 117 and 13 ms, two
plain ones with strides 217 and 24 ms, 32 and 64 filters without strides 3.3 and 0.45 s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

MOST_TAPS = 128  # places of a kernel: each is an operation of the program
MOST_BYTES = 256_000_000  # of all windows of one convolution
xla = jax.lax.conv_general_dilated


def install() -> None:
    """Let `jax.lax.conv_general_dilated`, by which Keras convolves, be `convolve` where the device is a processor."""
    if jax.default_backend() == "cpu":
        setattr(jax.lax, "conv_general_dilated", convolve)  # noqa: B010 - for whoever checks types


def convolve(
    lhs: Any,
    rhs: Any,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    **other: Any,
) -> Any:
    """Return what `jax.lax.conv_general_dilated` returns, up to rounding.

    Channels last, with one group or one for each channel; anything else is left to XLA, as are kernels of more than
    `MOST_TAPS` places and windows of more than `MOST_BYTES`.
    """
    last = lhs.ndim - 1
    numbers = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    images = (0, last, *range(1, last))
    by_channel = feature_group_count > 1 and feature_group_count == lhs.shape[-1]
    if (
        (numbers.lhs_spec, numbers.out_spec) == (images, images)
        and numbers.rhs_spec == (last, last - 1, *range(last - 1))
        and all(value is None for value in other.values())
        and set(lhs_dilation or (1,)) == {1}
        and (feature_group_count == 1 or by_channel)
    ):
        windows = _windows(lhs, rhs.shape[:-2], window_strides, padding, rhs_dilation)
        if windows is not None:
            return _by_channel(windows, rhs) if by_channel else _plain(windows, rhs)
    return xla(
        lhs,
        rhs,
        window_strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        feature_group_count=feature_group_count,
        **other,
    )


def _windows(
    images: Any,
    sizes: Sequence[int],
    strides: Sequence[int],
    padding: Any,
    rates: Sequence[int] | None,
) -> list[Any] | None:
    """Return what each place of a kernel sees, (B, S..., C) each; None where that is too much, or of unknown size."""
    if not all(isinstance(length, int) for length in images.shape):  # Keras asks for shapes only
        return None
    rates = tuple(rates or (1,) * len(sizes))
    spans = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(images.shape[1:-1], spans, strides, padding)
    ends = [
        length + sum(pads) - span + 1
        for length, pads, span in zip(images.shape[1:-1], padding, spans, strict=True)
    ]
    if min(min(pads) for pads in padding) < 0 or min(ends) < 1 or np.prod(sizes) > MOST_TAPS:
        return None
    looks = [-(-end // stride) for end, stride in zip(ends, strides, strict=True)]
    numbers = images.shape[0] * images.shape[-1] * np.prod(looks) * np.prod(sizes)
    if numbers * images.dtype.itemsize > MOST_BYTES:
        return None
    padded = jnp.pad(images, [(0, 0), *padding, (0, 0)])
    found = []
    for taps in np.ndindex(*sizes):
        starts = [tap * rate for tap, rate in zip(taps, rates, strict=True)]
        seen = [slice(s, s + e, n) for s, e, n in zip(starts, ends, strides, strict=True)]
        found.append(padded[:, *seen])
    return found


def _plain(windows: list[Any], kernel: Any) -> Any:
    """Return the products of all windows, side by side, with a kernel (S..., C, F)."""
    return jnp.concatenate(windows, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def _by_channel(windows: list[Any], kernel: Any) -> Any:
    """Return the sum over places, each channel with a kernel (S..., 1, C x N) of its own, N filters a channel."""
    copies = kernel.shape[-1] // windows[0].shape[-1]
    wide = [jnp.repeat(one, copies, axis=-1) if copies > 1 else one for one in windows]
    return sum(
        one * each for one, each in zip(wide, kernel.reshape(-1, kernel.shape[-1]), strict=True)
    )

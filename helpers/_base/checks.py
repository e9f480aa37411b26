"""Argument checks at public doors.

Every check returns the value in its canonical type or raises a ``TypeError`` or ``ValueError`` that
names the argument, what was expected, what was received and, where it helps, what to do.
"""

from __future__ import annotations

import numbers
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

MOST = 2**31 - 1  # what the 32-bit counters of the compiled programs hold


def message(name: str, expected: str, received: object, remedy: str = "") -> str:
    """Build the one sentence shape that all errors share.

    Parameters
    ----------
    name : str
        The argument as the caller wrote it, for example ``"members"``.
    expected : str
        What it must be, continuing "must be ...".
    received : object
        What it was; shown by ``repr``, shortened to 80 characters.
    remedy : str
        What to do, a full sentence; optional.

    Returns
    -------
    str
        The message.
    """
    try:
        shown = repr(received)
    except (
        Exception
    ):  # an object whose repr fails, a whole number of more digits than Python writes
        shown = f"<{type(received).__name__}>"
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return f"Argument `{name}` must be {expected}. Received: {name}={shown}." + (
        f" {remedy}" if remedy else ""
    )


def integer(name: str, value: Any, low: int = 1, high: int | None = None, remedy: str = "") -> int:
    """Return ``value`` as an int in [low, high]; booleans and fractions are refused."""
    expected = (
        f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    )
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(message(name, expected, value, remedy))
    if value < low or (high is not None and value > high):
        raise ValueError(message(name, expected, value, remedy))
    return int(value)


def count(name: str, value: Any, low: int = 1) -> int:
    """Return ``value`` as an int of at least ``low`` that a 32-bit counter holds: sizes, epochs, labels."""
    value = integer(name, value, low)
    if value > MOST:
        raise ValueError(message(name, f"an integer of at most {MOST:,}", value))
    return value


def real(
    name: str,
    value: Any,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
    remedy: str = "",
) -> float:
    """Return ``value`` as a finite float between the bounds; an open bound is itself refused."""
    left, right = (
        "(" if low_open or low == -np.inf else "[",
        ")" if high_open or high == np.inf else "]",
    )
    expected = f"a finite number in {left}{low:g}, {high:g}{right}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message(name, expected, value, remedy))
    try:
        number = float(value)
    except OverflowError:  # a whole number or fraction beyond the range of floats
        number = np.inf
    below = number <= low if low_open else number < low
    above = number >= high if high_open else number > high
    if not np.isfinite(number) or below or above:
        raise ValueError(message(name, expected, value, remedy))
    return number


def flag(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(message(name, "True or False", value))
    return bool(value)


def one_of(name: str, value: Any, options: Collection[Any], remedy: str = "") -> Any:
    """Return ``value`` if it is one of ``options``."""
    if not any(
        value is option or (type(value) is type(option) and value == option) for option in options
    ):
        raise ValueError(message(name, "one of " + ", ".join(map(repr, options)), value, remedy))
    return value


def array(
    name: str,
    value: ArrayLike,
    shape: Sequence[int | None] | None = None,
    dtype: DTypeLike = np.float64,
    finite: bool = True,
    low: float = -np.inf,
    high: float = np.inf,
    remedy: str = "",
) -> np.ndarray:
    """Return ``value`` as an array of ``dtype``.

    Parameters
    ----------
    name, value : str, array_like
        The argument.
    shape : tuple of int or None, optional
        Expected shape, ``None`` for a free axis; None allows any shape.
    dtype : dtype
        Target; an integer target refuses fractions.
    finite : bool
        Refuse NaN and infinities.
    low, high : float
        Closed bounds on every element.
    remedy : str
        Added to the error.

    Returns
    -------
    numpy.ndarray
        The converted array (a view where no conversion was needed).
    """
    try:
        found = np.asarray(value)
        if found.dtype.kind not in "biuf":
            raise ValueError("ragged, complex or not numeric")
    except (TypeError, ValueError) as error:
        raise TypeError(message(name, "a numeric array", value, remedy)) from error
    remedy = f" {remedy}" if remedy else ""
    if shape is not None:
        fits = found.ndim == len(shape) and all(
            want is None or want == have for want, have in zip(shape, found.shape, strict=True)
        )
        if not fits:
            wanted = (
                "("
                + ", ".join("any" if s is None else str(s) for s in shape)
                + ("," if len(shape) == 1 else "")
                + ")"
            )
            raise ValueError(
                f"Argument `{name}` must have shape {wanted}. Received: shape {found.shape}.{remedy}"
            )
    dtype, floating = np.dtype(dtype), found.dtype.kind == "f"
    if floating and (finite or dtype.kind in "iu") and not np.all(np.isfinite(found)):
        bad = f"{np.sum(~np.isfinite(found))} of {found.size} values NaN or infinite"
        raise ValueError(f"Argument `{name}` must be finite. Received: {bad}.{remedy}")
    if floating and dtype.kind in "iu" and np.any(found != np.round(found)):
        raise ValueError(message(name, "whole numbers", value) + remedy)
    if dtype.kind in "iu":  # seen before the cast, which would wrap around
        low, high = max(low, np.iinfo(dtype).min), min(high, np.iinfo(dtype).max)
    least, most = (found.min().item(), found.max().item()) if found.size else (low, high)
    if least < low or most > high:
        span = f"values in [{float(least):g}, {float(most):g}]"
        raise ValueError(
            f"Argument `{name}` must lie in [{low:g}, {high:g}]. Received: {span}.{remedy}"
        )
    with np.errstate(over="ignore"):
        result = found.astype(dtype, copy=False)
    if dtype.kind == "f" and found.dtype != dtype and np.any(np.isinf(result) & np.isfinite(found)):
        largest = np.max(np.abs(found), where=np.isfinite(found), initial=0)
        raise ValueError(
            f"Argument `{name}` must fit into {dtype}. Received: values up to {largest:g}.{remedy}"
        )
    return result


def ndim(value: ArrayLike) -> int:
    """Return the number of axes of ``value``, as NumPy does, but 1 for nested sequences of unequal lengths."""
    try:
        return np.ndim(value)
    except ValueError:
        return 1


def folder(name: str, value: str | os.PathLike[str]) -> Path:
    """Return ``value`` as a Path if it can name a folder (a file of that name is refused)."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(message(name, "a path", value))
    try:
        path = Path(value)
        blocked = not stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        blocked = False
    except (
        TypeError,
        ValueError,
        OSError,
    ) as error:  # bytes or a null inside, too long, not allowed to look
        raise ValueError(
            message(name, "the path of a folder", value, f"The system says: {error}.")
        ) from error
    if blocked:
        raise ValueError(message(name, "a folder", str(path), "A file of that name is in the way."))
    return path

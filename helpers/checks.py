"""Argument checks at public doors.

Every check returns the value in its canonical type or raises a ``TypeError`` or ``ValueError`` that
names the argument, what was expected, what was received and, where it helps, what to do.
"""

from __future__ import annotations

import numbers
import os
from pathlib import Path

import numpy as np


def message(name, expected, received, remedy=""):
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
    shown = repr(received)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return f"Argument `{name}` must be {expected}. Received: {name}={shown}." + (f" {remedy}" if remedy else "")


def integer(name, value, low=1, high=None, remedy=""):
    """Return ``value`` as an int in [low, high]; booleans and fractions are refused."""
    expected = f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(message(name, expected, value, remedy))
    if value < low or (high is not None and value > high):
        raise ValueError(message(name, expected, value, remedy))
    return int(value)


def real(name, value, low=-np.inf, high=np.inf, low_open=False, high_open=False, remedy=""):
    """Return ``value`` as a finite float between the bounds; an open bound is itself refused."""
    left, right = "(" if low_open or low == -np.inf else "[", ")" if high_open or high == np.inf else "]"
    expected = f"a finite number in {left}{low:g}, {high:g}{right}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message(name, expected, value, remedy))
    below = value <= low if low_open else value < low
    above = value >= high if high_open else value > high
    if not np.isfinite(value) or below or above:
        raise ValueError(message(name, expected, value, remedy))
    return float(value)


def flag(name, value):
    """Return ``value`` if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(message(name, "True or False", value))
    return bool(value)


def one_of(name, value, options, remedy=""):
    """Return ``value`` if it is one of ``options``."""
    if not any(value is option or (type(value) is type(option) and value == option) for option in options):
        raise ValueError(message(name, "one of " + ", ".join(map(repr, options)), value, remedy))
    return value


def array(name, value, shape=None, dtype=np.float64, finite=True, low=-np.inf, high=np.inf, remedy=""):
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
        result = found.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise TypeError(message(name, "a numeric array", value, remedy)) from error
    if shape is not None:
        fits = result.ndim == len(shape) and all(
            want is None or want == have for want, have in zip(shape, result.shape, strict=True)
        )
        if not fits:
            wanted = (
                "(" + ", ".join("any" if s is None else str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"
            )
            text = f"Argument `{name}` must have shape {wanted}. Received: shape {result.shape}."
            raise ValueError(text + (f" {remedy}" if remedy else ""))
    if np.issubdtype(np.dtype(dtype), np.integer) and found.dtype.kind == "f" and np.any(found != np.round(found)):
        raise ValueError(message(name, "whole numbers", value, remedy))
    if finite and result.dtype.kind == "f" and not np.all(np.isfinite(result)):
        bad = int(np.sum(~np.isfinite(result)))
        text = f"Argument `{name}` must be finite. Received: {bad} of {result.size} values NaN or infinite."
        raise ValueError(text + (f" {remedy}" if remedy else ""))
    if result.size and (np.min(result) < low or np.max(result) > high):
        span = f"values in [{np.min(result):g}, {np.max(result):g}]"
        text = f"Argument `{name}` must lie in [{low:g}, {high:g}]. Received: {span}."
        raise ValueError(text + (f" {remedy}" if remedy else ""))
    return result


def folder(name, value):
    """Return ``value`` as a Path if it can name a folder (a file of that name is refused)."""
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(message(name, "a path", value))
    path = Path(value)
    if path.exists() and not path.is_dir():
        raise ValueError(message(name, "a folder", str(path), "A file of that name is in the way."))
    return path

"""One seed to independent random streams, one per member and purpose."""

from __future__ import annotations

import zlib

import numpy as np

from helpers._base import checks


def sequence(seed, *key):
    """Return the SeedSequence of ``seed`` for a key of integers and names.

    Parameters
    ----------
    seed : int
        The experiment's seed, 0 or more.
    *key : int or str
        What the stream is for, for example ``"weights", member, ordinal``. Names enter by their CRC-32,
        so a stream stays the same whichever other streams exist.

    Returns
    -------
    numpy.random.SeedSequence
        Independent of that of every other key.
    """
    seed = checks.integer("seed", seed, low=0)
    numbers = tuple(zlib.crc32(k.encode()) if isinstance(k, str) else int(k) for k in key)
    return np.random.SeedSequence(seed, spawn_key=numbers)


def generator(seed, *key):
    """Return a NumPy generator of its own for ``seed`` and ``key`` (see `sequence`)."""
    return np.random.Generator(np.random.PCG64(sequence(seed, *key)))

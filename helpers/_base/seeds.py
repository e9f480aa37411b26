"""One seed to independent random streams, one per member and purpose."""

from __future__ import annotations

import hashlib
import json
import zlib

import numpy as np

from helpers._base import checks


def sequence(seed: int, *key: int | str) -> np.random.SeedSequence:
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


def generator(seed: int, *key: int | str) -> np.random.Generator:
    """Return a NumPy generator of its own for ``seed`` and ``key`` (see `sequence`)."""
    return np.random.Generator(np.random.PCG64(sequence(seed, *key)))


def integer(seed: int, *key: int | str) -> int:
    """Return the 63-bit integer of ``seed`` for a key of integers and names: a seed that others derive from.

    Parameters
    ----------
    seed : int
        The seed above it, 0 or more: a master seed, or one that came from here.
    *key : int or str
        What it is for, for example ``"noisy_line/longer_training", row``. The whole key enters by its SHA-256, so that
        no two keys meet, and neighbouring seeds have nothing in common: never write ``seed + 1``.

    Returns
    -------
    int
        In [0, 2**63).

    Examples
    --------
    >>> integer(0, "data", 1) != integer(1, "data", 0)
    True
    """
    parts = [k if isinstance(k, str) else checks.integer("key", k, low=0) for k in key]
    digest = hashlib.sha256(json.dumps(parts).encode("ascii")).digest()  # "1" and 1 differ
    words = np.frombuffer(digest, "<u4").tolist()
    found = np.random.SeedSequence(checks.integer("seed", seed, low=0), spawn_key=words)
    return int(found.generate_state(1, np.uint64)[0]) >> 1

"""Batch orders and the keys of noise, for every engine."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers._base import seeds


def order_generator(seed: int, shuffle: Any, member: int) -> np.random.Generator:
    """Return the generator of a member's batch orders: its own, or one that all share."""
    return seeds.generator(seed, "batches", *(() if shuffle == "shared" else (member,)))


def epoch_orders(rng: np.random.Generator, examples: int, epochs: int) -> np.ndarray:
    """Return the next ``epochs`` random orders of the examples, (E, N) int32; consumes ``rng``."""
    return rng.permuted(
        np.broadcast_to(np.arange(examples, dtype=np.int32), (epochs, examples)), axis=1
    )


def noise_keys(seed: int, members: int) -> np.ndarray:
    """Return the keys of the random generators behind dropout and noise layers, (M, 2) uint32."""
    keys = [seeds.sequence(seed, "dropout", member).generate_state(2) for member in range(members)]
    return np.array(keys, np.uint32)

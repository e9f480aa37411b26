"""Streams: the same for ever, independent for every key."""

import numpy as np
import pytest

from helpers._base import seeds


def test_streams_of_training_never_change():
    found = seeds.generator(7, "weights", 3, 1).integers(0, 2**32, 3)
    assert found.tolist() == [485421723, 1931774510, 2154588015]
    assert seeds.sequence(7, "weights", 3).spawn_key == (449999704, 3)


def test_derived_seeds_never_change():
    assert seeds.integer(0, "noisy_line/longer_training", 12) == 4332869030258027876


def test_neighbouring_seeds_and_keys_share_nothing():
    keys = [
        (seed, *key)
        for seed in range(20)
        for key in [(), ("a",), ("b",), ("1",), ("a", "b"), ("ab",), *(("a", i) for i in range(30))]
    ]
    keys += [(seed, i) for seed in range(20) for i in range(30)]
    assert len({seeds.integer(*key) for key in keys}) == len(keys)
    assert seeds.integer(0, "a", 1) != seeds.integer(1, "a", 0)


def test_names_that_share_a_crc_do_not_share_a_seed():
    first, second = "plumless", "buckeroo"
    assert seeds.sequence(0, first).spawn_key == seeds.sequence(0, second).spawn_key
    assert seeds.integer(0, first) != seeds.integer(0, second)


def test_derived_seeds_are_uniform_in_every_bit():
    found = np.array([seeds.integer(0, "uniform", i) for i in range(4000)], np.uint64)
    assert found.max() < 2**63
    bits = (found[:, None] >> np.arange(63, dtype=np.uint64)) & np.uint64(1)
    # 63 means of 4,000 fair coins: standard deviation 0.008, the largest of 63 below 5 of them.
    assert np.all(np.abs(bits.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(4000))
    worst = np.abs(np.corrcoef(bits.T) - np.eye(63)).max()
    assert worst < 6 / np.sqrt(4000)


def test_streams_of_derived_seeds_are_uncorrelated():
    rows = [np.random.default_rng(seeds.integer(s, "x", i)).normal(size=500)
            for s in range(4) for i in range(10)]  # fmt: skip
    assert np.abs(np.corrcoef(rows) - np.eye(40)).max() < 6 / np.sqrt(500)


@pytest.mark.parametrize("bad", [-1, 1.5, True, None])
def test_a_seed_or_key_that_is_no_natural_number_or_name_is_refused(bad):
    with pytest.raises((TypeError, ValueError), match="`seed`"):
        seeds.integer(bad, "a")
    with pytest.raises((TypeError, ValueError), match="`key`"):
        seeds.integer(0, "a", bad)

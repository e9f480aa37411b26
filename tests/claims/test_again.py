"""What other master seeds say: the ratio is chi-squared for honest intervals, and the page lists what differs."""

import math

import numpy as np
import pytest

from helpers import stats
from helpers.claims import again


def test_the_ratio_of_independent_replicates_is_about_chi_squared():
    rng, found = np.random.default_rng(4), []
    for _ in range(150):
        seeds = rng.normal(size=(5, 30))
        found.append(again.ratio(seeds.mean(1).tolist(), stats.mean_interval(seeds.ravel())))
    low, high = again.limits(5)
    assert np.mean(found) == pytest.approx(1, abs=0.2)
    assert np.mean([one < low or one > high for one in found]) < 0.03


def test_what_the_replicates_of_a_seed_share_is_seen():
    rng = np.random.default_rng(5)
    seeds = rng.normal(size=(5, 1)) + rng.normal(size=(5, 30))
    found = again.ratio(seeds.mean(1).tolist(), stats.mean_interval(seeds.ravel()))
    assert found > again.limits(5)[1]


def test_equal_estimates_have_no_ratio():
    assert math.isnan(again.ratio([1.0, 1.0], stats.proportion_interval(20, 20)))


def row(claim, pooled="supported", ratio="1.10", outside=""):
    return {
        "claim": claim,
        "published": "supported",
        "pooled": pooled,
        "n": "20",
        "pooled_n": "25",
        "seeds": "1 2 3 4 5",
        "ratio": ratio,
        "outside": outside,
    }


def test_the_page_lists_what_differs_with_its_reason():
    rows = [row("a/one"), row("a/two", "open"), row("a/three", ratio="4.2", outside="above")]
    text = again.section(rows, {"a/two": "fewer replicates"})
    assert "3 claims were judged again from 5 other master seeds" in text
    assert "2 have the published verdict" in text
    assert "| [a/two](#a/two) | supported | 20 | open | 25 | fewer replicates |" in text
    assert "| [a/three](#a/three) | 4.2 | 1 2 3 4 5 | - |" in text
    assert "[a/one]" not in text
    assert again.section([], {}).startswith("No other")

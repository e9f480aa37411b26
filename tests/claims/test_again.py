"""What other master seeds say: the ratio is chi-squared for honest intervals, and the page lists what differs."""

import math

import numpy as np
import pytest

from helpers import stats
from helpers.claims import again


def ratio(seeds):
    """Return the ratio of replicates, a row a seed."""
    each = [stats.mean_interval(one) for one in seeds]
    return again.ratio(each, stats.mean_interval(seeds.ravel()), "mean")


def test_the_ratio_of_independent_replicates_is_about_chi_squared():
    rng, found = np.random.default_rng(4), []
    for _ in range(150):
        seeds = rng.normal(size=(5, 30))
        found.append(ratio(seeds))
    low, high = again.limits(5)
    assert np.mean(found) == pytest.approx(1, abs=0.2)
    assert np.mean([one < low or one > high for one in found]) < 0.03


def test_what_the_replicates_of_a_seed_share_is_seen():
    rng = np.random.default_rng(5)
    seeds = rng.normal(size=(5, 1)) + rng.normal(size=(5, 30))
    assert ratio(seeds) > again.limits(5)[1]


def test_equal_estimates_have_no_ratio():
    all_of = stats.proportion_interval(10, 10)
    assert math.isnan(again.ratio([all_of] * 2, stats.proportion_interval(20, 20), "proportion"))


def test_of_ratios_it_is_that_of_their_logarithms():
    seeds = np.random.default_rng(6).normal(size=(5, 30))
    each = [stats.ratio_interval(np.exp(one), np.ones(30)) for one in seeds]
    together = stats.ratio_interval(np.exp(seeds.ravel()), np.ones(150))
    assert again.ratio(each, together, "ratio") == pytest.approx(ratio(seeds), rel=1e-6)


def test_three_replicates_a_seed_are_enough():
    rng = np.random.default_rng(7)
    found = [ratio(rng.normal(size=(5, 3))) for _ in range(300)]
    low, high = again.limits(5)
    assert np.mean([one < low or one > high for one in found]) < 0.04


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
    assert "2 have the published verdict, 0 another one; 1 are decided" in text
    assert "| [a/two](#a/two) | supported | 20 | open | 25 | fewer replicates |" in text
    assert "| [a/three](#a/three) | 4.2 | 1 2 3 4 5 | - |" in text
    assert "[a/one]" not in text and "Not tried" not in text
    assert "too long: [a/four](#a/four)." in again.section(rows, {}, ["a/four"])
    assert again.section([], {}).startswith("No other")


def test_what_is_decided_otherwise_comes_first():
    text = again.section([row("a/one", "open"), row("a/two", "contradicted")], {})
    assert "0 have the published verdict, 1 another one" in text
    assert text.index("a/two") < text.index("a/one")

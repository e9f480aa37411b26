"""Measure how often each interval of `helpers.stats` contains the truth.

A script, not a test: ``python tests/simulate_coverage.py [--repeats 500]`` prints a table in about two minutes on one
core. Its results are quoted in the docstrings of `helpers.stats`. Wilson's coverage is a finite sum and hence exact;
all others carry a Monte Carlo error, printed at the end.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers import stats
from helpers._base import seeds

LEVEL = 0.99
DRAWS = {  # name: (draw(rng, shape), true mean)
    "normal": (lambda rng, shape: rng.normal(0.0, 1.0, shape), 0.0),
    "exponential": (lambda rng, shape: rng.exponential(1.0, shape), 1.0),
    "lognormal": (lambda rng, shape: rng.lognormal(0.0, 1.0, shape), math.exp(0.5)),
    "lognormal pairs": (
        lambda rng, shape: rng.lognormal(size=shape) - rng.lognormal(size=shape),
        0.0,
    ),
}


def report(method, case, n, covered, exact=False):
    """Print one row: share covered, and the shares that lie wholly below and wholly above the truth."""
    inside, below, above = covered
    shares = f"{inside:9.4f} {below:9.4f} {above:9.4f}"
    print(f"{method:14s} {case:28s} {n:>9} {shares} {'exact' if exact else ''}", flush=True)


def tally(intervals, truth):
    """Return the shares of intervals that contain, lie below and lie above `truth`."""
    low = np.array([i.low for i in intervals])
    high = np.array([i.high for i in intervals])
    return np.mean((low <= truth) & (truth <= high)), np.mean(high < truth), np.mean(low > truth)


def means(repeats):
    """Student t at n = 10, 20, 49; from 50 on the interval that BCa extends, with t alone beside it."""
    for n in (10, 20, 49, 50, 100, 200):
        for case, (draw, truth) in DRAWS.items():
            many = repeats if n >= stats.BOOTSTRAP_FROM else 10 * repeats
            x = draw(seeds.generator(0, "coverage", case, n), (many, n))
            intervals = [stats.mean_interval(row, LEVEL) for row in x]
            report(intervals[0].method, case, n, tally(intervals, truth))
            if n >= stats.BOOTSTRAP_FROM:
                half = (
                    scipy.stats.t.ppf((1 + LEVEL) / 2, n - 1) * x.std(axis=1, ddof=1) / math.sqrt(n)
                )
                low, high = x.mean(axis=1) - half, x.mean(axis=1) + half
                shares = (
                    np.mean((low <= truth) & (truth <= high)),
                    np.mean(high < truth),
                    np.mean(low > truth),
                )
                report("(Student t)", case, n, shares)


def ratios(repeats):
    """Geometric mean of paired ratios: normal and skewed log ratios, a common factor per pair cancelling."""
    for n in (10, 20, 100):
        for case in ("normal", "exponential"):
            rng, (draw, mean) = seeds.generator(0, "ratio", case, n), DRAWS[case]
            many = repeats if n >= stats.BOOTSTRAP_FROM else 10 * repeats
            common = rng.lognormal(0.0, 1.0, (many, n))
            arm = common * np.exp(0.1 + 0.3 * (draw(rng, (many, n)) - mean))
            found = [stats.ratio_interval(a, b, LEVEL) for a, b in zip(arm, common, strict=True)]
            report("ratio", case + " log ratios", n, tally(found, math.exp(0.1)))


def wilson():
    """Exact coverage: the binomial probabilities of the counts whose interval contains p."""
    for n in (20, 100, 1000):
        found = [stats.proportion_interval(k, n, LEVEL) for k in range(n + 1)]
        low, high = np.array([i.low for i in found]), np.array([i.high for i in found])
        for p in (0.05, 0.5, 0.95):
            weight = scipy.stats.binom.pmf(np.arange(n + 1), n, p)
            shares = (
                weight[(low <= p) & (p <= high)].sum(),
                weight[high < p].sum(),
                weight[low > p].sum(),
            )
            report("Wilson", f"p = {p}", n, shares, exact=True)


def newcombe(repeats):
    """Differences of independent proportions."""
    for n in (20, 100, 1000):
        for p1, p2 in ((0.5, 0.5), (0.95, 0.85), (0.95, 0.5), (0.05, 0.05)):
            rng = seeds.generator(0, "newcombe", n, int(100 * p1), int(100 * p2))
            once = lru_cache(maxsize=None)(
                lambda a, b, n=n: stats.proportion_difference_interval(a, n, b, n, LEVEL)
            )
            k1, k2 = rng.binomial(n, p1, 5 * repeats), rng.binomial(n, p2, 5 * repeats)
            found = [once(int(a), int(b)) for a, b in zip(k1, k2, strict=True)]
            report("Newcombe", f"p1 = {p1}, p2 = {p2}", n, tally(found, p1 - p2))


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=500, help="BCa intervals per row; others more"
    )
    repeats, start = parser.parse_args().repeats, time.perf_counter()
    print(
        f"nominal coverage {LEVEL}, repeats {repeats}: share of intervals containing, below, above the truth"
    )
    wilson()
    newcombe(repeats)
    ratios(repeats)
    means(repeats)
    error = math.sqrt(LEVEL * (1 - LEVEL) / repeats)
    print(
        f"Monte Carlo standard error of a BCa row near nominal: {error:.4f}; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()

"""From arrays to intervals.

Every array has the replicate first. An interval is at 99 % (`stats.LEVEL`) and cut to the range of its quantity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy.stats

from helpers import stats
from helpers.claims import verdict
from helpers.claims.entries import Region
from helpers.stats import LEVEL, Interval

Arrays = Mapping[str, np.ndarray]
ArraysOf = Callable[[str], Arrays | None]

SHARES = ("proportion", "difference of proportions")


def of(arrays: Arrays, name: str) -> np.ndarray:
    """Return one array of an experiment by name.

    Raises
    ------
    ValueError
        Where the experiment returns none of that name.
    """
    if name not in arrays or name == "constants":
        there = ", ".join(sorted(key for key in arrays if key != "constants")) or "none"
        raise ValueError(
            f"The experiment returns no array {name!r}, which a claim names. It returns: {there}."
        )
    return np.asarray(arrays[name])


def effects(statistic: str, values: np.ndarray, baseline: np.ndarray | None = None) -> np.ndarray:
    """Return the quantity of each replicate: (R,) values, differences, ratios or rank correlations."""
    if statistic == "rank correlation":
        return stats.rank_correlations(values, baseline)
    values = np.asarray(values, dtype=float)
    if baseline is None:
        return values
    baseline = np.asarray(baseline, dtype=float)
    if baseline.shape != values.shape:
        text = "Arguments `values`, `baseline` must have one number for each replicate."
        raise ValueError(f"{text} Received: shapes {values.shape} and {baseline.shape}.")
    return values / baseline if statistic == "ratio" else values - baseline


def interval(
    statistic: str,
    values: np.ndarray,
    baseline: np.ndarray | None = None,
    level: float = LEVEL,
) -> Interval:
    """Return the interval of a statistic.

    Parameters
    ----------
    statistic : str
        One of `verdict.STATISTICS`.
    values, baseline : array_like (R,) or (R, K)
        One number for each replicate; of a rank correlation K pairs for each data set. Shares are arrays of bool, or
        of 0 and 1; other statistics refuse bool, whose t interval would be the wrong one.
    level : float
        Nominal coverage.

    Returns
    -------
    Interval
        mean, mean difference: Student t with BCa from 50 replicates. ratio: the same of log ratios. proportion:
        Wilson. difference of proportions: Newcombe for pairs (`paired_shares`). rank correlation: of the mean of the
        correlations within each data set, cut to [-1, 1].

    Raises
    ------
    ValueError
        Where values do not suit the statistic, are not finite, or are fewer than two.
    """
    if statistic in SHARES:
        one = successes("values", values)
        if statistic == "proportion":
            return stats.proportion_interval(int(one.sum()), len(one), level)
        return paired_shares(one, successes("baseline", baseline), level)
    for name, array in (("values", values), ("baseline", baseline)):
        if array is not None and np.asarray(array).dtype == bool:
            text = f"Argument `{name}` must hold numbers for a {statistic}. Received: bool."
            raise ValueError(text + " Register a proportion, or a difference of proportions.")
    if statistic == "mean":
        return stats.mean_interval(values, level)
    if statistic == "mean difference":
        return stats.paired_interval(values, baseline, level)
    if statistic == "ratio":
        return stats.ratio_interval(values, baseline, level)
    return stats.rank_correlation(values, baseline, level)


def successes(name: str, values: np.ndarray) -> np.ndarray:
    """Return yes or no for each replicate, (R,) bool; refuse anything else, by name."""
    values = np.asarray(values)
    if values.ndim != 1 or len(values) < 2 or not np.all((values == 0) | (values == 1)):
        text = f"Argument `{name}` must hold true or false for each of two replicates or more."
        raise ValueError(f"{text} Received: shape {values.shape}, {values.dtype}.")
    return values.astype(bool)


def wilson(counts, n: int, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's interval for many counts of n at once; `stats.proportion_interval` takes one."""
    z = scipy.stats.norm.ppf((1 + level) / 2)
    p = np.asarray(counts) / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def reachable(region: Region, n: int) -> bool:
    """Return whether any count of n replicates puts Wilson's interval wholly into a region.

    Examples
    --------
    >>> reachable(Region(at_least=0.95), 100), reachable(Region(at_least=0.95), 300)
    (False, True)
    """
    ends = zip(*wilson(np.arange(n + 1), n), strict=True)
    return any(verdict.contains(region, a) and verdict.contains(region, b) for a, b in ends)


def paired_shares(one: np.ndarray, two: np.ndarray, level: float = LEVEL) -> Interval:
    """Return Newcombe's interval of the difference of two shares over the same replicates.

    Parameters
    ----------
    one, two : array_like (R,) of bool
        Row i of both comes from the same replicate.
    level : float
        Nominal coverage.

    Returns
    -------
    Interval
        Within [-1, 1].

    Notes
    -----
    Method 10 of Newcombe's paper on paired data (Statistics in Medicine 17, 1998, 2635-2650): Wilson's limits of each
    share, joined as for independent arms but less the correlation phi of the two, whose numerator is corrected for
    continuity: of a positive ``ad - bc`` half the number of pairs is taken off, down to 0.
    """
    one, two = successes("values", one), successes("baseline", two)
    if one.shape != two.shape:
        raise ValueError(
            f"Arguments `values`, `baseline` must be pairs. Received: {len(one)} and {len(two)} rows."
        )
    n = len(one)
    first = stats.proportion_interval(int(one.sum()), n, level)
    second = stats.proportion_interval(int(two.sum()), n, level)
    phi = _phi(one, two)
    below, above = (
        math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))
        for a, b in (
            (first.estimate - first.low, second.high - second.estimate),
            (first.high - first.estimate, second.estimate - second.low),
        )
    )
    centre = first.estimate - second.estimate
    ends = max(-1.0, centre - below), min(1.0, centre + above)
    return Interval(centre, *ends, first.level, n, "Newcombe, paired")


def _phi(one, two):
    a, d = float(np.sum(one & two)), float(np.sum(~one & ~two))
    b, c = float(np.sum(one & ~two)), float(np.sum(~one & two))
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    top = a * d - b * c
    top = max(0.0, top - len(one) / 2) if top > 0 else top
    return top / math.sqrt(margins) if margins else 0.0


def extremes(values: np.ndarray, baseline: np.ndarray | None = None) -> Interval:
    """Return the least and the largest draw, for claims of kind exact; NaN where one is not a number."""
    found = effects("mean difference", values, baseline)
    low, high = float(np.min(found)), float(np.max(found))
    return Interval(float(np.mean(found)), low, high, 1.0, len(found), "every draw")


def instances(values: np.ndarray, verified: np.ndarray | None = None) -> Interval:
    """Return the share of replicates that are an instance, for claims of kind existence, with Wilson's interval."""
    found = successes("values", values)
    if verified is not None:
        found &= successes("verified", verified)
    return stats.proportion_interval(int(found.sum()), len(found))


def one_run(found: np.ndarray, region: Region, strict_at: float | None = None) -> float:
    """Return the share of replicates that alone lie in the region: one run would have said yes.

    Parameters
    ----------
    found : array_like (R,)
        From `effects`.
    region : Region
        As registered.
    strict_at : float or None
        No effect, where the region begins there: it is no support.
    """
    inside = [verdict.contains(region, value) and value != strict_at for value in found]
    return float(np.mean(inside))

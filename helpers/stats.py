"""Intervals behind every claim, thin over SciPy.

Units are independent data sets: several initialisations on one data set are averaged first (`average_units`).
The functions `*_interval` and `rank_correlation` return an `Interval`; none draws from a caller's generator, so equal
data give equal intervals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from helpers._base import checks, seeds

LEVEL = 0.99  # of every interval in a claim
BOOTSTRAP_FROM = 50  # units; Student t below
RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A point estimate with its two-sided interval.

    Parameters
    ----------
    estimate, low, high : float
        In the unit of the quantity.
    level : float
        Nominal coverage, for example 0.99.
    n : int
        Independent units behind it (of the first arm where two arms differ in size).
    method : str
        How the ends were found, for example ``"Student t"``.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int
    method: str


def _level(value):
    return checks.real("level", value, 0.0, 1.0, low_open=True, high_open=True)


def _units(name, values):
    """Return `values` as a finite (n,) float array of two units or more."""
    values = checks.array(name, values, shape=(None,))
    if len(values) < 2:
        text = f"Argument `{name}` must hold at least 2 independent units. Received: {len(values)}."
        raise ValueError(text + " One replicate has no spread to measure: train more.")
    return values


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the interval of a mean: Student t, from 50 units on extended by a BCa bootstrap.

    Parameters
    ----------
    values : array_like (n,)
        One finite value per independent unit, n of 2 or more.
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        Of zero width where all values are equal.

    Raises
    ------
    ValueError
        For fewer than 2 units, or values that are not finite.

    Notes
    -----
    t: ``mean +- t_{n-1} s / sqrt(n)``. BCa [efron1987]: 10,000 resamples from a generator of its own with a fixed
    seed, hence deterministic; data are standardised first, so that shift and scale change nothing but rounding; at
    the level ``2 Phi(sqrt(n / (n - 1)) t) - 1`` that makes up for the narrowness of resamples [hesterberg2015]. From
    50 units on the interval holds all that either of the two holds: t misses too often where the data are skewed, BCa
    where they are symmetric with heavy tails (differences of pairs), because it takes chance asymmetry for skewness.

    Coverage measured at level 0.99 with ``tests/simulate_coverage.py --repeats 2000`` (20,000 intervals for each t,
    2,000 for each other entry, whose standard error is 0.002 to 0.004); in brackets what t alone covers there:

    =============== ====== ====== ====== ============== ============== ==============
    data            t 10   t 20   t 49   both 50        both 100       both 200
    =============== ====== ====== ====== ============== ============== ==============
    normal          0.991  0.989  0.990  0.990 (0.990)  0.990 (0.988)  0.991 (0.991)
    exponential     0.953  0.966  0.977  0.991 (0.978)  0.993 (0.987)  0.993 (0.987)
    lognormal       0.912  0.928  0.949  0.980 (0.952)  0.983 (0.964)  0.986 (0.971)
    lognormal pairs 0.996  0.996  0.994  0.996 (0.996)  0.996 (0.996)  0.994 (0.994)
    =============== ====== ====== ====== ============== ============== ==============

    So: exact for normal data; about nominal or above from 50 units on; short for strong right skew, where the
    intervals that miss lie below the mean. Pairs are differences of two lognormal values. Lognormal here has skewness
    6.2: where replicates look like that, a ratio is the better quantity.
    """
    values, level = _units("values", values), _level(level)
    n, centre, spread = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    bootstrap = n >= BOOTSTRAP_FROM
    method = "Student t and BCa bootstrap" if bootstrap else "Student t"
    if (
        np.ptp(values) <= 8 * np.finfo(float).eps * np.max(np.abs(values)) or spread == 0
    ):  # constant up to rounding
        return Interval(centre, centre, centre, level, n, method)
    t = float(scipy.stats.t.ppf((1 + level) / 2, n - 1))
    low, high = -t / math.sqrt(n), t / math.sqrt(n)
    if bootstrap:
        ends = scipy.stats.bootstrap(
            ((values - centre) / spread,),
            np.mean,
            confidence_level=min(math.erf(t * math.sqrt(n / (n - 1) / 2)), 1 - 1e-15),
            n_resamples=RESAMPLES,
            method="BCa",
            batch=max(1, 2_000_000 // n),  # 16 MB of resamples at a time
            rng=seeds.generator(0, "bootstrap"),
        ).confidence_interval
        low = min(
            max(low, (values.min() - centre) / spread), ends.low
        )  # neither leaves the range of the values
        high = max(min(high, (values.max() - centre) / spread), ends.high)
    return Interval(
        centre, centre + spread * float(low), centre + spread * float(high), level, n, method
    )


def paired_interval(values: ArrayLike, baseline: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the interval of the mean difference ``values - baseline`` by pair.

    Parameters
    ----------
    values, baseline : array_like (n,)
        Row i of both comes from the same data set (or initialisation).
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        See `mean_interval` for method and measured coverage.

    Raises
    ------
    ValueError
        Where lengths differ, for fewer than 2 pairs, or values that are not finite.
    """
    values = _units("values", values)
    baseline = checks.array(
        "baseline", baseline, shape=values.shape, remedy="Pairs need one value in each arm."
    )
    return mean_interval(values - baseline, level)


def ratio_interval(
    values: ArrayLike, baseline: ArrayLike | None = None, level: float = LEVEL
) -> Interval:
    """Return the interval of the geometric mean of ``values / baseline`` by pair.

    Parameters
    ----------
    values : array_like (n,)
        Positive.
    baseline : array_like (n,) or None
        Positive, paired with `values`; None where `values` are ratios already.
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        `mean_interval` of the log ratios, carried back by exp.

    Raises
    ------
    ValueError
        Where a value is zero or negative, lengths differ, or fewer than 2 pairs are given.

    Notes
    -----
    Coverage measured at level 0.99 (see `mean_interval` for the settings), true ratio exp(0.1): normal log ratios
    0.989, 0.989, 0.989 at n = 10, 20, 100; exponential ones 0.951, 0.964, 0.990. Lognormal ratios are thus safe.
    """
    values = _units("values", values)
    logs = np.log(_positive("values", values))
    if baseline is not None:
        logs = logs - np.log(
            _positive("baseline", checks.array("baseline", baseline, shape=values.shape))
        )
    found = mean_interval(logs, level)
    ends = (
        math.exp(min(max(x, -700.0), 700.0)) for x in (found.estimate, found.low, found.high)
    )  # within floats
    return Interval(*ends, found.level, found.n, found.method + " of log ratios")


def _positive(name, values):
    if np.min(values) <= 0:
        text = f"Argument `{name}` must be positive for a ratio. Received: a smallest value of {np.min(values):g}."
        remedy = " Where a quantity may be zero or negative, use the difference values - threshold * baseline instead."
        raise ValueError(text + remedy)
    return values


def proportion_interval(successes: int, n: int, level: float = LEVEL) -> Interval:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    successes : int
        From 0 to n.
    n : int
        Independent trials, 1 or more.
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        Within [0, 1], never of zero width.

    Notes
    -----
    [wilson1927], without continuity correction.

    Exact coverage at level 0.99 (a binomial sum, `tests/simulate_coverage.py`), at n = 20, 100, 1,000: p = 0.5 has
    0.988, 0.988, 0.990; p = 0.05 and 0.95 have 0.984, 0.989, 0.989. There the intervals that miss lie on the side of
    p towards 0.5: all of them up to n = 100, two thirds at 1,000.
    """
    n = checks.integer("n", n)
    successes, level = checks.integer("successes", successes, low=0, high=n), _level(level)
    ends = scipy.stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return Interval(successes / n, float(ends.low), float(ends.high), level, n, "Wilson")


def proportion_difference_interval(
    k1: int, n1: int, k2: int, n2: int, level: float = LEVEL
) -> Interval:
    """Return Newcombe's hybrid score interval of ``k1 / n1 - k2 / n2`` for independent arms.

    Parameters
    ----------
    k1, n1, k2, n2 : int
        Successes and trials of the first and the second arm.
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        Within [-1, 1]; its `n` is n1. Wider than needed where the arms are positively correlated pairs.

    Notes
    -----
    Method 10 of [newcombe1998], from the Wilson limits (l, u) of each arm:
    ``low = p1 - p2 - sqrt((p1 - l1)^2 + (u2 - p2)^2)``, ``high = p1 - p2 + sqrt((u1 - p1)^2 + (p2 - l2)^2)``.

    Coverage measured at level 0.99 (10,000 draws, standard error 0.001) at n1 = n2 = 20, 100, 1,000: p = (0.5, 0.5)
    0.985, 0.990, 0.990; (0.95, 0.85) 0.999, 0.993, 0.991; (0.95, 0.5) 0.990, 0.990, 0.991; (0.05, 0.05) 1.000, 0.996,
    0.991. Conservative where n is small and both arms lie near the same end; 0.985 is the lowest.
    """
    one, two = proportion_interval(k1, n1, level), proportion_interval(k2, n2, level)
    estimate = one.estimate - two.estimate
    below = math.hypot(one.estimate - one.low, two.high - two.estimate)
    above = math.hypot(one.high - one.estimate, two.estimate - two.low)
    return Interval(
        estimate,
        max(-1.0, estimate - below),
        min(1.0, estimate + above),
        one.level,
        one.n,
        "Newcombe",
    )


def rank_correlations(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return Spearman's rank correlation of x and y within each data set.

    Parameters
    ----------
    x, y : array_like (D, K)
        K pairs (recipes, networks) for each of D data sets; K of 3 or more.

    Returns
    -------
    numpy.ndarray (D,)
        Each in [-1, 1]; ties share their mean rank.

    Raises
    ------
    ValueError
        Where shapes differ, K is below 3, or a row is constant (it has no ranks to correlate).
    """
    x = checks.array("x", x, shape=(None, None))
    y = checks.array("y", y, shape=x.shape)
    if x.shape[1] < 3:
        raise ValueError(
            f"Arguments `x`, `y` must hold at least 3 pairs a data set. Received: {x.shape[1]}."
        )
    for name, rows in (("x", x), ("y", y)):
        constant = np.flatnonzero(np.ptp(rows, axis=1) == 0)
        if len(constant):
            text = f"Argument `{name}` must vary within each data set. Received: row {constant[0]} constant."
            raise ValueError(
                text + " A constant has no rank correlation: leave that pool out, and say so."
            )
    return np.array([scipy.stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)])


def rank_correlation(x: ArrayLike, y: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the interval, over data sets, of Spearman's correlation within a data set.

    Parameters
    ----------
    x, y : array_like (D, K)
        K pairs for each of D data sets (see `rank_correlations`).
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    Interval
        `mean_interval` of the D correlations, ends cut to [-1, 1]; its `n` is D.
    """
    found = mean_interval(rank_correlations(x, y), level)
    low, high = max(-1.0, found.low), min(1.0, found.high)
    return Interval(
        found.estimate, low, high, found.level, found.n, found.method + " of Spearman correlations"
    )


def average_units(values: ArrayLike, groups: ArrayLike) -> np.ndarray:
    """Average the runs of each unit, so that data sets and not initialisations are counted.

    Parameters
    ----------
    values : array_like (n,)
        One finite value per run.
    groups : array_like (n,)
        Label of the data set that each run used; numbers or text.

    Returns
    -------
    numpy.ndarray (G,)
        Means in the sorted order of the labels. Two arms averaged with equal `groups` stay paired.
    """
    values = checks.array("values", values, shape=(None,))
    _, unit = np.unique(labels(groups, values.shape), return_inverse=True)
    return np.bincount(unit, weights=values) / np.bincount(unit)


def labels(groups: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``groups`` as an array of ``shape`` that sorts: numbers, none of them NaN, or text."""
    try:
        found = np.asarray(groups)
        different = np.unique(found)
    except (TypeError, ValueError) as error:  # of unequal lengths, or of kinds that do not compare
        raise TypeError(
            checks.message("groups", "an array of numbers or of text", groups)
        ) from error
    if found.shape != shape:
        text = f"Argument `groups` must have one label per value, shape {shape}."
        raise ValueError(f"{text} Received: shape {found.shape}.")
    if np.any(different != different):
        raise ValueError(checks.message("groups", "labels that are not NaN", groups))
    return found


def required_n(
    pilot_values: ArrayLike, half_width: float, level: float = LEVEL, assurance: float | None = None
) -> int:
    """Return the smallest number of units whose t interval is expected to be narrow enough.

    Parameters
    ----------
    pilot_values : array_like (m,)
        Units from other seeds: paired differences for a difference, log ratios for a ratio.
    half_width : float
        Wanted, in the unit of `pilot_values`; by our rule d / 2.
    level : float
        Nominal coverage in (0, 1).
    assurance : float or None
        None takes the pilot's standard deviation as it is. A number in (0.5, 1) takes its upper confidence limit
        (chi-squared, normal data), so that the half-width is reached with that probability.

    Returns
    -------
    int
        Smallest n of 2 or more with ``t_{n-1} s / sqrt(n) <= half_width``.
    """
    values, level = _units("pilot_values", pilot_values), _level(level)
    half_width = checks.real("half_width", half_width, 0.0, low_open=True)
    spread = float(np.std(values, ddof=1))
    if assurance is not None:
        assurance = checks.real("assurance", assurance, 0.5, 1.0, low_open=True, high_open=True)
        spread *= math.sqrt(
            (len(values) - 1) / scipy.stats.chi2.ppf(1 - assurance, len(values) - 1)
        )
    tail = (1 + level) / 2
    n = max(
        2, math.ceil((scipy.stats.norm.ppf(tail) * spread / half_width) ** 2)
    )  # t needs a few more than z
    while scipy.stats.t.ppf(tail, n - 1) * spread / math.sqrt(n) > half_width:
        n += 1
    return n

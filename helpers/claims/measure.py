"""From arrays to intervals, and from gates to answers.

Every array has the replicate first. An interval is at 99 % (`stats.LEVEL`) and cut to the range of its quantity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.stats

from helpers import stats
from helpers.claims import verdict
from helpers.claims.entries import Gate, Region, Setting
from helpers.stats import LEVEL, Interval

Arrays = Mapping[str, np.ndarray]
ArraysOf = Callable[[str], Arrays | None]

SELECTED_AT_LEAST = 0.8  # of the pairs
DISATTENUATED = 0.85  # the correlation asked for must be at most this share of the ceiling
CAPPED = ("proportion", "rank correlation")
SHARES = ("proportion", "difference of proportions")
QUESTIONS = {
    "attainable": "Was there anything to gain?",
    "manipulation": "Did we really make what we compare?",
    "reliability": "Can this ruler measure it?",
    "selection": "Who is left?",
}
QUESTION_OF_RIVAL = (
    "Would something worse have been noticed?"  # attainable, where no effect is asked for
)


@dataclass(frozen=True)
class GateResult:
    """What a gate measured.

    Parameters
    ----------
    kind, passed : str, bool
        See `entries.Gate`; False where its data are not there.
    question, answer : str
        As the lesson asks and answers it.
    value, low, high : float or None
        What was measured, in the gate's unit, with its interval.
    needed : float or None
        The value that it had to reach; None for a region.
    """

    kind: str
    passed: bool
    question: str
    answer: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    needed: float | None = None


def short(value: float) -> str:
    """Return a number with three significant digits, and no more decimals than they need.

    Examples
    --------
    >>> short(0.0446), short(1234.5), short(-2.0)
    ('0.0446', '1,234', '-2')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: float | None, statistic: str = "") -> str:
    """Return a number as its axis shows it: shares in percent, differences of shares in percentage points."""
    if value is None or not math.isfinite(value):
        return "–" if value is None else f"{value:g}"
    if statistic == "proportion":
        return f"{short(100 * value)} %"
    return short(100 * value) if statistic == "difference of proportions" else short(value)


def stated(region: Region, statistic: str, direction: bool = False) -> str:
    """Return a region in words and in the units of its axis; ``direction``: it begins at no effect.

    Examples
    --------
    >>> stated(Region(at_least=0.95), "proportion"), stated(Region(at_least=0.0), "mean", direction=True)
    ('at least 95 %', 'above 0')
    """
    unit = " points" if statistic == "difference of proportions" else ""
    low, high = number(region.at_least, statistic), number(region.at_most, statistic)
    if region.at_least is not None and region.at_most is not None:
        return f"{low.removesuffix(' %')} to {high}{unit}"
    above, below = ("above", "below") if direction else ("at least", "at most")
    return f"{above} {low}{unit}" if region.at_most is None else f"{below} {high}{unit}"


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
        one = _successes("values", values)
        if statistic == "proportion":
            return stats.proportion_interval(int(one.sum()), len(one), level)
        return paired_shares(one, _successes("baseline", baseline), level)
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


def _successes(name, values):
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
    one, two = _successes("values", one), _successes("baseline", two)
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
    found = _successes("values", values)
    if verified is not None:
        found &= _successes("verified", verified)
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


# ------------------------------------------------------------------------------------------ gates


def gate(gate: Gate, setting: Setting, arrays: Arrays, own: Interval) -> GateResult:
    """Measure one gate of an estimate (of kind manipulation: of any claim).

    Parameters
    ----------
    gate : Gate
        As registered; a selection is measured by `selected`.
    setting : Setting
        The quantity that it guards.
    arrays : dict of arrays
        Of the gate's experiment, only the rows that count.
    own : Interval
        The claim's own, whose width is the planned one.

    Returns
    -------
    GateResult
    """
    if gate.kind == "manipulation":
        return _manipulation(gate, arrays)
    aim = verdict.target(setting.region, setting.statistic, setting.reference, setting.smallest)
    if gate.kind == "reliability":
        return _reliability(gate, setting, arrays)
    if aim.shape in verdict.WITHOUT_DIFFERENCE:
        return _rival(gate, setting, arrays, own, aim)
    if aim.shape == "band" or gate.best is not None or setting.statistic in CAPPED:
        return _capped(gate, setting, arrays, own, aim)
    return _largest_effect(gate, setting, arrays, aim)


def without_data(gate: Gate) -> GateResult:
    """Return the result of a gate whose data are not there."""
    return GateResult(gate.kind, False, _question(gate), "Not measured: its data are not here.")


def _question(gate, usual=""):
    return gate.question or usual or QUESTIONS[gate.kind]


def _answer(gate, passed, found, rest, statistic, usual="", needed=None):
    text = f"{'Yes' if passed else 'No'}: {number(found.estimate, statistic)}"
    if found.low != found.high:
        ends = [number(end, statistic) for end in (found.low, found.high)]
        text += f" [{ends[0].removesuffix(' %')}, {ends[1].removesuffix(' %')}]"
    return GateResult(
        gate.kind,
        bool(passed),
        _question(gate, usual),
        f"{text}; {rest}.",
        found.estimate,
        found.low,
        found.high,
        needed,
    )


def _named(arrays, name):
    return of(arrays, name) if name else None


def _manipulation(gate, arrays):
    found = interval(gate.statistic, of(arrays, gate.values), _named(arrays, gate.baseline))
    passed = all(verdict.contains(gate.region, end) for end in (found.low, found.high))
    return _answer(
        gate, passed, found, f"asked for: {stated(gate.region, gate.statistic)}", gate.statistic
    )


def _largest_effect(gate, setting, arrays, aim):
    """Ask that the largest possible effect is 2 d from no effect.

    With a baseline of its own the gate is measured and signed like the claim. Without one, where the claim is a
    difference, its values are the size of the largest effect, positive towards the region.
    """
    values = of(arrays, gate.values)
    if not gate.baseline and setting.statistic.endswith(("difference", "of proportions")):
        statistic = "proportion" if values.dtype == bool else "mean"
        found = interval(statistic, values)
        needed = 2 * aim.distance
        passed = found.low >= needed
    else:
        statistic = setting.statistic
        found = interval(statistic, values, _named(arrays, gate.baseline))
        needed = aim.outward(aim.nothing + 2 * aim.distance)
        passed = aim.turned(found.low, found.high)[0] >= aim.inward(needed)
    return _answer(
        gate, passed, found, f"{number(needed, statistic)} was needed", statistic, needed=needed
    )


def _rival(gate, setting, arrays, own, aim):
    """Ask that a rival that is known to be worse lies 2 d from no effect, in the place of the claim's values.

    Where the measure ends before that (a correlation of 1.4), it must lie beyond the edge by half the claim's interval.
    """
    baseline = gate.baseline or setting.baseline
    values = of(arrays, gate.values)
    found = interval(setting.statistic, values, _named(arrays, baseline))
    low, high = aim.turned(found.low, found.high)
    below, above = aim.nothing - 2 * aim.distance, aim.nothing + 2 * aim.distance
    if setting.statistic in verdict.RANGES and aim.shape == "non-inferiority":
        ends = sorted(aim.inward(end) for end in verdict.RANGES[setting.statistic])
        own_low, own_high = aim.turned(own.low, own.high)
        if below < ends[0]:
            below = aim.low - (own_high - own_low) / 2
    passed = high <= below or (aim.shape == "equivalence" and low >= above)
    needed = aim.outward(above if aim.shape == "equivalence" and low > aim.nothing else below)
    text = f"the worse rival had to reach {number(needed, setting.statistic)}"
    return _answer(gate, passed, found, text, setting.statistic, QUESTION_OF_RIVAL, needed)


def _capped(gate, setting, arrays, own, aim):
    """Ask that the best possible value lies beyond the region's edge by the planned half-width."""
    best = _best(gate, setting, arrays)
    down = aim.shape == "band" and aim.nothing > aim.high
    edge, way = (aim.high, -1) if down else (aim.low, 1)
    reach = way * aim.inward([best.low, best.high])
    half = _planned(setting, float(aim.outward(way * min(reach))), own, aim)
    passed = min(reach) - half >= way * edge
    needed = aim.outward(edge + way * half)
    text = f"{number(needed, setting.statistic)} was needed: the size stated, and room for half an interval"
    return _answer(gate, passed, best, text, setting.statistic, needed=needed)


def _best(gate, setting, arrays):
    if gate.best is not None:
        return Interval(gate.best, gate.best, gate.best, 1.0, own_n(arrays), "known")
    return interval(setting.statistic, of(arrays, gate.values), _named(arrays, gate.baseline))


def own_n(arrays: Arrays) -> int:
    """Return the number of replicates of an experiment's arrays."""
    return next((len(value) for key, value in arrays.items() if key != "constants"), 0)


def _planned(setting, best, own, aim):
    """Return half the width that an interval at the best possible value has, in working form."""
    if setting.statistic != "proportion":
        low, high = aim.turned(own.low, own.high)
        return float(high - low) / 2
    low, high = wilson(np.array([best * own.n]), own.n)
    # Of Wilson's interval only the side towards the edge counts; at a share of 1 the other has no width.
    return float(max(best - low[0], high[0] - best))


def _reliability(gate, setting, arrays):
    """Ask that the correlation asked for is within 85 % of the highest that the measures' reliabilities allow.

    Spearman-Brown of the mean rank correlation of two halves within a data set, for each measure; the ceiling is the
    root of the product; its interval from jackknife pseudo-values over data sets.
    """
    names = [name for name in (gate.first, gate.second) if name]
    halves = [_half_correlations(of(arrays, name), name) for name in names]
    n, total = len(halves[0]), [half.sum() for half in halves]
    whole = _ceiling([s / n for s in total])
    left_out = np.array(
        [_ceiling([(s - half[i]) / (n - 1) for s, half in zip(total, halves)]) for i in range(n)]
    )
    found = stats.mean_interval(n * whole - (n - 1) * left_out)
    found = Interval(
        whole, max(0.0, found.low), min(1.0, found.high), found.level, n, "jackknife of ceilings"
    )
    asked = max(abs(x) for x in (setting.region.at_least, setting.region.at_most) if x is not None)
    needed = asked / DISATTENUATED
    text = f"a highest possible correlation of {short(needed)} was needed"
    return _answer(gate, found.low >= needed, found, text, setting.statistic, needed=needed)


def _half_correlations(halves, name):
    if halves.ndim != 3 or halves.shape[2] != 2 or len(halves) < 3:
        text = (
            f"Array `{name}` must hold two halves of the measure, shape (R, K, 2), R of 3 or more."
        )
        raise ValueError(f"{text} Received: shape {halves.shape}.")
    return stats.rank_correlations(halves[:, :, 0], halves[:, :, 1])


def _ceiling(correlations):
    """Return the root of the product of reliabilities; of one measure (the other is exact) its root."""
    product = 1.0
    for r in correlations:
        product *= max(0.0, 2 * r / (1 + r)) if r > -1 else 0.0
    return math.sqrt(product)


def selected(gate: Gate, arrays: Arrays) -> tuple[np.ndarray, GateResult]:
    """Return which replicates meet a selection's condition in both groups, (R,) of bool, and the gate's result."""
    keep = _successes(gate.values, of(arrays, gate.values))
    if gate.baseline:
        keep = keep & _successes(gate.baseline, of(arrays, gate.baseline))
    share = float(keep.mean())
    passed = share >= SELECTED_AT_LEAST
    text = f"{'Enough' if passed else 'Too few'}: {keep.sum():,} of {len(keep):,}"
    answer = f"{text}; {SELECTED_AT_LEAST:.0%} were needed."
    result = GateResult(
        gate.kind, passed, _question(gate), answer, share, share, share, SELECTED_AT_LEAST
    )
    return keep, result


def rows(arrays: Arrays, keep: np.ndarray) -> dict[str, np.ndarray]:
    """Return the replicates that count, of every array that has one row for each."""
    return {
        key: np.asarray(value)[keep]
        for key, value in arrays.items()
        if key != "constants" and np.ndim(value) and len(value) == len(keep)
    }

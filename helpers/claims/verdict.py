"""From an interval to a verdict: the whole rule, and nothing else.

Everything is brought to one form first (`Target`): ratios on the log scale, and turned so that larger is nearer to
what the sentence says. Then one function, `classify`, gives each interval exactly one outcome.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from helpers._base import checks
from helpers.claims.entries import Region
from helpers.stats import Interval

WORDS = ("supported", "weaker than stated", "contradicted", "open", "not testable here")
SUPPORTED, WEAKER, CONTRADICTED, OPEN, NOT_TESTABLE = WORDS
KINDS = ("estimate", "existence", "bound", "exact")
NOTHING = {  # no effect of each statistic; a mean and a proportion name theirs
    "mean": None,
    "proportion": None,
    "mean difference": 0.0,
    "difference of proportions": 0.0,
    "rank correlation": 0.0,
    "ratio": 1.0,
}
STATISTICS = tuple(NOTHING)
RANGES = {
    "proportion": (0.0, 1.0),
    "difference of proportions": (-1.0, 1.0),
    "rank correlation": (-1.0, 1.0),
}
COMMON_SMALLEST = {"ratio": 1.10, "proportion": 0.10, "difference of proportions": 0.10}
WITHOUT_DIFFERENCE = ("equivalence", "non-inferiority")  # regions that contain no effect
PARTS_ORDER = (CONTRADICTED, NOT_TESTABLE, OPEN, WEAKER, SUPPORTED)
HARD_GATES = ("manipulation", "selection")  # guard every verdict
# Half-width over d from which an effect that is absent is called absent in less than half of the cases: the estimate,
# with standard error half-width / 2.58, must come to lie within d / 2 - half-width of no effect.
COULD_SHOW_NONE = 0.5 / (1 + scipy.stats.norm.ppf(0.75) / scipy.stats.norm.ppf(0.995))


@dataclass(frozen=True)
class Verdict:
    """A word of `WORDS` and what stands beside it, for example ``Verdict("contradicted", "reversed")``."""

    word: str
    detail: str = ""

    def __str__(self):
        return f"{self.word} ({self.detail})" if self.detail else self.word


# In the order of the codes that `classify` returns.
OUTCOMES = (
    Verdict(SUPPORTED),
    Verdict(CONTRADICTED, "reversed"),
    Verdict(CONTRADICTED, "as good as none"),
    Verdict(CONTRADICTED, "outside"),
    Verdict(WEAKER),
    Verdict(WEAKER, "perhaps nothing"),
    Verdict(WEAKER, "near miss"),
    Verdict(OPEN, "size"),
    Verdict(OPEN, "direction"),
)
_CODE = {str(outcome): code for code, outcome in enumerate(OUTCOMES)}


@dataclass(frozen=True)
class Target:
    """A region in working form: on the log scale for ratios, turned by `sign` so that the claim points upwards.

    Parameters
    ----------
    shape : str
        size, direction (begins at no effect), band, equivalence or non-inferiority.
    log : bool
        Whether the log was taken.
    sign : int
        -1 where the claim points downwards.
    nothing, distance : float
        No effect, and d: the distance that half-widths and gates are measured by.
    low, high : float
        The region.
    outer_low, outer_high : float
        The outer band; the region itself where there is none.
    """

    shape: str
    log: bool
    sign: int
    nothing: float
    distance: float
    low: float
    high: float
    outer_low: float
    outer_high: float

    def inward(self, values):
        """Return numbers in the working form."""
        with np.errstate(divide="ignore"):
            values = np.log(values) if self.log else np.asarray(values, dtype=float)
        return self.sign * values

    def outward(self, value: float) -> float:
        """Return a number of the working form as the claim writes it."""
        value = self.sign * value
        return math.exp(value) if self.log else value

    def turned(self, low, high):
        """Return the ends of an interval in the working form, the lower one first."""
        low, high = self.inward(low), self.inward(high)
        return (low, high) if self.sign > 0 else (high, low)


def nothing(statistic: str, reference: float | None = None) -> float:
    """Return no effect: 0 for differences and correlations, 1 for ratios, else the reference.

    Raises
    ------
    ValueError
        Where a mean or proportion comes without a reference, or another statistic with one.
    """
    checks.one_of("statistic", statistic, STATISTICS)
    fixed = NOTHING[statistic]
    if (fixed is None) == (reference is None):
        need = "the value at which the sentence is plainly false" if fixed is None else "left out"
        raise ValueError(checks.message("reference", f"{need} for a {statistic}", reference))
    return fixed if reference is None else float(reference)


def target(
    region: Region, statistic: str, reference: float | None = None, smallest: float | None = None
) -> Target:
    """Bring a region into working form.

    Parameters
    ----------
    region : Region
        As registered.
    statistic : str
        One of `STATISTICS`.
    reference : float or None
        No effect, for a mean or proportion.
    smallest : float or None
        The measure's common smallest effect (a ratio for ratios), used where the region begins at no effect; None
        takes `COMMON_SMALLEST`.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        Where region, statistic, reference and smallest effect do not fit together.
    """
    none = nothing(statistic, reference)
    log = statistic == "ratio"
    if log and min(x for x in (region.at_least, region.at_most) if x is not None) <= 0:
        raise ValueError(checks.message("region", "positive for a ratio", str(region)))
    scale = math.log if log else float
    if region.at_least is not None and region.at_most is not None:
        return _two_sided(region, scale, scale(none), log)
    sign = 1 if region.at_most is None else -1
    edge = sign * scale(region.at_least if sign > 0 else region.at_most)
    none = sign * scale(none)
    if region.outer is not None:
        raise ValueError(checks.message("outer", "left out for a one-sided region", region.outer))
    if edge == none:
        shape, distance = "direction", _smallest(statistic, smallest)
    else:
        shape, distance = "size" if edge > none else "non-inferiority", abs(edge - none)
    return Target(shape, log, sign, none, distance, edge, math.inf, edge, math.inf)


def _smallest(statistic, smallest):
    smallest = COMMON_SMALLEST.get(statistic) if smallest is None else smallest
    if smallest is None:
        remedy = "The region begins at no effect: name the measure's common smallest effect."
        raise ValueError(
            checks.message("smallest", f"given for a {statistic}", smallest, remedy=remedy)
        )
    if statistic == "ratio":
        low = checks.real("smallest", smallest, 0, low_open=True)
        if low == 1:
            raise ValueError(checks.message("smallest", "a ratio other than 1", smallest))
        return abs(math.log(low))
    return checks.real("smallest", smallest, 0, low_open=True)


def _two_sided(region, scale, none, log):
    low, high = scale(region.at_least), scale(region.at_most)
    if low >= high:
        raise ValueError(checks.message("between", "a lower and a higher number", str(region)))
    if low < none < high:
        if region.outer is not None:
            remedy = "The region contains no effect: it is an equivalence, and its edges decide."
            raise ValueError(checks.message("outer", "left out", region.outer, remedy))
        distance = min(none - low, high - none)
        return Target("equivalence", log, 1, none, distance, low, high, low, high)
    if none in (low, high):
        remedy = "Register two parts: a direction, and a size that is at most so large."
        text = "a region that does not begin at no effect, where it has two ends"
        raise ValueError(checks.message("between", text, str(region), remedy))
    if region.outer is None:
        remedy = "Beyond it the sentence is plainly false, between the two it is a near miss."
        raise ValueError(checks.message("outer", "given, with `between`", None, remedy))
    out_low, out_high = scale(region.outer[0]), scale(region.outer[1])
    gaps = [gap for gap in (low - out_low, out_high - high) if gap != 0]
    if not gaps or min(gaps) < 0 or out_low <= none <= out_high:
        text = "wider than the region, and without no effect in it"
        raise ValueError(checks.message("outer", text, region.outer))
    return Target("band", log, 1, none, min(gaps), low, high, out_low, out_high)


def distance(
    region: Region, statistic: str, reference: float | None = None, smallest: float | None = None
) -> float:
    """Return d, from no effect to the region (CLAIMS: "How large must n be?"); of log ratios for a ratio.

    Examples
    --------
    >>> distance(Region(at_least=0.2), "mean difference")
    0.2
    >>> distance(Region(at_least=0.4, at_most=0.6, outer=(0.25, 0.75)), "proportion", reference=0.0)
    0.15
    """
    return round(target(region, statistic, reference, smallest).distance, 12)


def classify(low, high, aim: Target) -> np.ndarray:
    """Return, for intervals in working form, the codes of their outcomes (indices of `OUTCOMES`).

    Parameters
    ----------
    low, high : array_like (n,)
        Ends, in working form (`Target.turned`).
    aim : Target
        From `target`.

    Returns
    -------
    numpy.ndarray (n,)
        Exactly one outcome for each interval.

    Notes
    -----
    The region and the neighbourhood of no effect include their ends; where the region *begins* at no effect, that
    point itself is no support: two arms that are equal to the last bit differ in no direction.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    none, half = aim.nothing, aim.distance / 2
    inside = (low > none) if aim.shape == "direction" else (low >= aim.low) & (high <= aim.high)
    includes_none = (low <= none) & (none <= high)
    outside = (high < aim.outer_low) | (low > aim.outer_high)
    code = _CODE
    rules = [(inside, code["supported"])]  # the first that holds decides
    if aim.shape in ("band", *WITHOUT_DIFFERENCE):
        rules += [(outside, code["contradicted (outside)"])]
    else:
        rules += [(high < none, code["contradicted (reversed)"])]
    if aim.shape == "band":
        missed = (high < aim.low) | (low > aim.high)
        rules += [(missed, code["weaker than stated (near miss)"])]
    if aim.shape == "size":
        near = includes_none & (low >= none - half) & (high <= none + half)
        short = high < aim.low
        rules += [
            (near, code["contradicted (as good as none)"]),
            (short & includes_none, code["weaker than stated (perhaps nothing)"]),
            (short, code["weaker than stated"]),
        ]
    rules += [(includes_none, code["open (direction)"])]
    return np.select(*zip(*rules, strict=True), default=code["open (size)"])


def judge(
    interval: Interval,
    region: Region | None,
    statistic: str = "",
    reference: float | None = None,
    smallest: float | None = None,
    kind: str = "estimate",
) -> Verdict:
    """Return the verdict on a measured interval, gates aside.

    Parameters
    ----------
    interval : Interval
        At 99 %. Of kind exact: the least and the largest draw. Of kind existence: its estimate is the share of
        replicates that are an instance, verified again.
    region : Region or None
        None for an existence.
    statistic, reference, smallest : str, float or None, float or None
        As registered; an estimate alone uses them.
    kind : str
        estimate, existence, bound or exact.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> str(judge(Interval(0.09, 0.04, 0.15, 0.99, 400, "t"), Region(at_least=0.2), "mean difference"))
    'weaker than stated'
    """
    checks.one_of("kind", kind, KINDS)
    if kind == "existence":
        return Verdict(SUPPORTED) if interval.estimate > 0 else Verdict(OPEN, "none found")
    if kind == "estimate":
        aim = target(region, statistic, reference, smallest)
        return OUTCOMES[int(classify(*aim.turned(interval.low, interval.high), aim))]
    inside = contains(region, interval.low) and contains(region, interval.high)
    if inside:
        return Verdict(SUPPORTED)
    return Verdict(OPEN, "bound") if kind == "bound" else Verdict(CONTRADICTED, "counterexample")


def contains(region: Region, value: float) -> bool:
    """Return whether a region holds a value, ends included; NaN never."""
    above = region.at_least is None or value >= region.at_least
    below = region.at_most is None or value <= region.at_most
    return bool(above and below and value == value)


def guard(verdict: Verdict, failed: Iterable[str], shape: str = "size") -> Verdict:
    """Return the verdict after gates.

    Parameters
    ----------
    verdict : Verdict
        From `judge`.
    failed : iterable of str
        Kinds of the gates that failed.
    shape : str
        Of the `Target`.

    Notes
    -----
    Manipulation and selection guard every verdict. Attainable and reliability guard the disappointing ones only:
    supported and reversed stand. Where the region contains no effect, it is the other way round: there a rival that
    nobody can tell apart, or a ruler too coarse, would support anything.
    """
    failed = sorted(set(failed))
    hard = [kind for kind in failed if kind in HARD_GATES]
    stands = verdict.word == SUPPORTED or verdict.detail == "reversed"
    if shape in WITHOUT_DIFFERENCE:
        stands = verdict.word != SUPPORTED
    if hard or (failed and not stands):
        return Verdict(NOT_TESTABLE, ", ".join(hard or failed))
    return verdict


def combine_parts(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict on a claim of several parts.

    The first that is present of contradicted, not testable here, open, weaker than stated, supported decides; its
    details are those of the parts that have it.
    """
    word = next(word for word in PARTS_ORDER if any(v.word == word for v in verdicts))
    return Verdict(word, _details(v for v in verdicts if v.word == word))


def common_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict of several main settings: their common one, or open (reading) where they differ."""
    if len({verdict.word for verdict in verdicts}) > 1:
        return Verdict(OPEN, "reading")
    return Verdict(verdicts[0].word, _details(verdicts))


def _details(verdicts):
    return ", ".join(dict.fromkeys(v.detail for v in verdicts if v.detail))


def could_show_none(low: float, high: float, aim: Target) -> bool:
    """Return whether an interval of this width could have shown that an effect is absent, more often than not."""
    low, high = aim.turned(low, high)
    return bool((high - low) / 2 <= COULD_SHOW_NONE * aim.distance)

"""What a claim is, and when it holds: `Claim`, its regions, and the pure function `verdict`."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from typing import NamedTuple

from helpers._base import checks

ROLES = ("source", "literature", "ours")
STATISTICS = ("mean", "ratio", "proportion", "proportion_difference")
REPLICATES = {  # what a replicate redraws, as a card says it
    "data+split+init": "data, split and initialisation",
    "data+init": "data and initialisation",
    "data+split": "data and split",
    "data": "data",
    "split+init": "split and initialisation",
    "split": "split",
    "init+order": "initialisation and batch order",
    "init": "initialisation",
    "order": "batch order",
    "none": "nothing",
}


@dataclass(frozen=True)
class Direction:
    """A region beyond the smallest effect on one side: the source asserts "greater" or "less".

    Parameters
    ----------
    asserts : {"greater", "less"}
        Sign of the difference (or side of 1, for a ratio) that the source asserts.
    """

    asserts: str

    def __post_init__(self):
        checks.one_of("asserts", self.asserts, ("greater", "less"))


@dataclass(frozen=True)
class Band:
    """A closed region [low, high]; one end may be infinite.

    Parameters
    ----------
    low, high : float
        In the unit of the quantity, low below high.
    """

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self):
        ends = self.low, self.high
        for name, end in zip(("low", "high"), ends, strict=True):
            if isinstance(end, bool) or not isinstance(end, numbers.Real):
                raise TypeError(
                    checks.message(name, "a number, infinite where the region is open", end)
                )
        if not self.low < self.high or ends == (-math.inf, math.inf):
            text = "a region with low < high and at least one finite end"
            raise ValueError(checks.message("low, high", text, ends))
        for name, end in zip(("low", "high"), ends, strict=True):
            if abs(end) != math.inf:
                checks.real(name, end)


class Verdict(NamedTuple):
    """The verdict on a claim, and its detail ("" where there is none)."""

    verdict: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement made testable, before its data exist.

    Parameters
    ----------
    id : str
        ``"source/name"`` in lower case, digits and hyphens.
    source : str
        Key in ``references.bib``.
    role : {"source", "literature", "ours"}
        Whose statement it is.
    words : str
        The source's deciding words, at most ten; may be empty only where the role is "ours".
    statement : str
        The statement, paraphrased; claims no more than `replicates_over` allows.
    quantity, unit : str
        What is measured, and in what; the unit may be empty.
    region : Direction or Band
        Where the statement holds; not for ``kind="exact"``. A proportion takes a Band.
    smallest_effect : float
        d above 0 in the quantity's unit. For a ratio with a Direction it is the threshold on the ratio itself: above 1
        for "greater" (1.10), within (0, 1) for "less" (0.9). Optional for a Band, whose ends decide.
    reason : str
        Where d (or the band's ends) comes from: the source's adverb, not the outcome.
    replicates_over : str
        What a replicate redraws: a key of ``REPLICATES``.
    n : int
        Planned number of independent units, from a pilot on other seeds.
    recipe : str
        Data, network, optimizer, epochs: enough to repeat it.
    kind : {"estimate", "exact"}
        "exact" for facts and identities: tested, no interval.
    statistic : {"mean", "ratio", "proportion", "proportion_difference"}
        Mean of values (of paired differences where a baseline is recorded); geometric mean ratio; share of ones;
        difference of the shares of two independent arms.
    share_at_least : float or None
        Share of replicates that must show the asserted sign: 0.60 for "typically", 0.95 for "almost certainly".
    settings : {None, "all", "open"}
        Where several settings are recorded, supported means in all of them. "all": the statement is about every one
        of them, so one contradicts it. "open": the source leaves the setting open, so only all together contradict it.
    """

    id: str
    source: str
    role: str
    statement: str
    quantity: str
    recipe: str
    words: str = ""
    unit: str = ""
    region: Direction | Band | None = None
    smallest_effect: float | None = None
    reason: str = ""
    replicates_over: str = "none"
    n: int | None = None
    kind: str = "estimate"
    statistic: str = "mean"
    share_at_least: float | None = None
    settings: str | None = None

    def __post_init__(self):
        if not isinstance(self.id, str) or not re.fullmatch(
            r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*", self.id
        ):
            raise ValueError(
                checks.message("id", "'source/name' in lower case, digits and hyphens", self.id)
            )
        for name in ("source", "statement", "quantity", "recipe"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(
                    checks.message(
                        name, f"text that is not empty (claim {self.id})", getattr(self, name)
                    )
                )
        for name in ("words", "unit", "reason"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(
                    checks.message(name, f"text (claim {self.id})", getattr(self, name))
                )
        checks.one_of("role", self.role, ROLES)
        checks.one_of("kind", self.kind, ("estimate", "exact"))
        checks.one_of("statistic", self.statistic, STATISTICS)
        checks.one_of("settings", self.settings, (None, "all", "open"))
        checks.one_of("replicates_over", self.replicates_over, tuple(REPLICATES))
        if len(self.words.split()) > 10 or (not self.words.strip() and self.role != "ours"):
            raise ValueError(
                checks.message("words", "one to ten of the source's words", self.words)
            )
        if self.kind == "estimate":
            self._check_estimate()
        elif (
            self.region is not None
            or self.n is not None
            or self.share_at_least is not None
            or self.settings
        ):
            text = f"Claim {self.id} is exact and takes no `region`, `n`, `share_at_least` or `settings`."
            raise ValueError(text + " Leave them out, or use kind='estimate'.")

    def _check_estimate(self):
        direction, d = isinstance(self.region, Direction), self.smallest_effect
        if not direction and not isinstance(self.region, Band):
            raise TypeError(checks.message("region", "a Direction or a Band", self.region))
        if self.replicates_over == "none" or not self.reason.strip():
            text = f"Claim {self.id} needs `replicates_over` and `reason`: what a replicate redraws, and where the"
            raise ValueError(
                text
                + f" threshold comes from. Received: {self.replicates_over!r}, {self.reason!r}."
            )
        checks.integer("n", self.n, low=2)
        if direction and self.statistic == "ratio":
            greater = self.region.asserts == "greater"
            low, high = (1.0, math.inf) if greater else (0.0, 1.0)
            remedy = "A ratio's smallest effect is its threshold: above 1 for 'greater', below 1 for 'less'."
            checks.real(
                "smallest_effect", d, low, high, low_open=True, high_open=True, remedy=remedy
            )
        elif direction or d is not None:
            checks.real(
                "smallest_effect", d, 0.0, low_open=True, remedy="The Direction carries the sign."
            )
        if direction and self.statistic == "proportion":
            text = "a proportion has no sign; use a Band such as Band(0.95, 1) for `region`."
            raise ValueError(f"Claim {self.id}: {text}")
        if self.statistic == "proportion" and not (self.region.low < 1 and self.region.high > 0):
            raise ValueError(
                checks.message("region", "a Band that meets [0, 1] for a proportion", self.region)
            )
        if self.share_at_least is not None:
            checks.real(
                "share_at_least", self.share_at_least, 0.0, 1.0, low_open=True, high_open=True
            )
            if not direction or self.settings or self.statistic == "proportion_difference":
                text = f"Claim {self.id}: `share_at_least` counts replicates with the asserted sign, so it needs a"
                raise ValueError(text + " Direction, one setting, and a mean or a ratio.")

    def ends(self):
        """Return the region's closed ends (low, high) in the quantity's unit; infinite where open."""
        if isinstance(self.region, Band):
            return float(self.region.low), float(self.region.high)
        d = float(self.smallest_effect)
        if self.region.asserts == "greater":
            return d, math.inf
        return -math.inf, d if self.statistic == "ratio" else -d


def verdict(interval, region, smallest_effect=None, ratio=False):
    """Compare an interval with the region of a statement.

    Parameters
    ----------
    interval : stats.Interval
        Anything with finite `low` and `high`.
    region : Direction or Band
        Closed: touching its edge from inside is inside.
    smallest_effect : float or None
        d of a Direction (for a ratio, its threshold); a Band needs none.
    ratio : bool
        The quantity is a ratio: null value 1, d counted on the log scale.

    Returns
    -------
    Verdict
        ("supported" | "contradicted" | "inconclusive", detail).

    Notes
    -----
    With the quantity signed so that the source asserts "greater": supported if ``low >= d``, contradicted if
    ``high < d`` and then "reversed" (``high < -d``), "too small to matter" (``-d <= low``) or "absent or reversed";
    otherwise inconclusive, with "right sign, size open" where ``low > 0``.
    """
    try:
        low, high = float(interval.low), float(interval.high)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            checks.message("interval", "a stats.Interval, or like one", interval)
        ) from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(checks.message("interval", "finite with low <= high", (low, high)))
    if not isinstance(region, (Band, Direction)):
        raise TypeError(checks.message("region", "a Direction or a Band", region))
    ratio = checks.flag("ratio", ratio)
    if isinstance(region, Band):
        if region.low <= low and high <= region.high:
            return Verdict("supported")
        return Verdict("contradicted" if high < region.low or low > region.high else "inconclusive")
    d = checks.real("smallest_effect", smallest_effect, 0.0, low_open=True)
    if ratio and low <= 0:
        raise ValueError(checks.message("interval", "positive for a ratio", (low, high)))
    d = abs(math.log(d)) if ratio else d
    if ratio:
        low, high = math.log(low), math.log(high)
    if region.asserts == "less":
        low, high = -high, -low
    if low >= d:
        return Verdict("supported")
    if high < d:
        small = "too small to matter" if low >= -d else "absent or reversed"
        return Verdict("contradicted", "reversed" if high < -d else small)
    return Verdict("inconclusive", "right sign, size open" if low > 0 else "")


def combine(parts, rule):
    """Return the joint verdict of several: supported if all are, contradicted if any is ("all") or all are ("open")."""
    if all(part == "supported" for part in parts):
        return "supported"
    refuted = [part == "contradicted" for part in parts]
    return "contradicted" if (any(refuted) if rule == "all" else all(refuted)) else "inconclusive"


def asserted(low, high):
    """Return the region in words."""
    if math.isfinite(low) and math.isfinite(high):
        return f"between {low:g} and {high:g}"
    return f"at least {low:g}" if math.isfinite(low) else f"at most {high:g}"

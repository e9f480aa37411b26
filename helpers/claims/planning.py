"""Before any data: the chance of each verdict, so that n is chosen and no registration is hopeless."""

from __future__ import annotations

import math

import numpy as np
import scipy.stats

from helpers._base import checks
from helpers.claims.entries import Claim, Region, Setting
from helpers.claims.measure import wilson
from helpers.claims.registry import Registry
from helpers.claims.verdict import OUTCOMES, WITHOUT_DIFFERENCE, Target, classify, target
from helpers.stats import LEVEL


def truths(aim: Target) -> dict[str, float]:
    """Return the truths, in working form, for which the chances of each verdict are printed before any data.

    For a size or direction -d, 0, d/2, d, 1.5 d and 2 d from no effect; for an equivalence or non-inferiority 0, d/2,
    d and 2 d towards the nearer edge; for a band its middle, its edge, and d/2, d and 1.5 d beyond it (d is the edge
    of the outer band), and no effect.
    """
    d, none = aim.distance, aim.nothing
    if aim.shape == "band":
        lower = 0 < aim.low - aim.outer_low <= aim.outer_high - aim.high or (
            aim.outer_high == aim.high
        )
        edge, way = (aim.low, -1) if lower else (aim.high, 1)
        beyond = {"the edge": 0, "d/2 beyond": 0.5, "d beyond": 1, "1.5 d beyond": 1.5}
        found = {name: edge + way * size * d for name, size in beyond.items()}
        return {"the middle": (aim.low + aim.high) / 2, **found, "no effect": none}
    if aim.shape in WITHOUT_DIFFERENCE:
        way = 1 if aim.high - none <= none - aim.low else -1
        sizes = {"0": 0, "d/2": 0.5, "d": 1, "2 d": 2}
    else:
        way, sizes = 1, {"-d": -1, "0": 0, "d/2": 0.5, "d": 1, "1.5 d": 1.5, "2 d": 2}
    return {name: none + way * size * d for name, size in sizes.items()}


def chances(
    region: Region,
    statistic: str,
    n: int,
    sd: float | None = None,
    reference: float | None = None,
    smallest: float | None = None,
    level: float = LEVEL,
) -> dict[str, dict[str, float]]:
    """Return the chance of each verdict before any data, at each of the truths of `truths`.

    Parameters
    ----------
    region, statistic, reference, smallest : Region, str, float or None, float or None
        As registered.
    n : int
        Replicates, 2 or more.
    sd : float or None
        Standard deviation of one replicate (of its log ratio for a ratio). None for a proportion.
    level : float
        Of the interval.

    Returns
    -------
    dict of str to dict of str to float
        By truth, by outcome (``str`` of each of `OUTCOMES` that can occur). For a proportion by its binomial sum over
        Wilson's intervals, at truths in [0, 1]; else for normal replicates and Student's t.

    Examples
    --------
    >>> found = chances(Region(at_least=0.95), "proportion", 300, reference=0.5)
    >>> round(found["halfway to 1"]["supported"], 2)
    0.24
    """
    aim = target(region, statistic, reference, smallest)
    n = checks.integer("n", n, low=2)
    if statistic == "proportion":
        found = _share_chances(aim, n, level)
    else:
        found = _t_chances(aim, n, checks.real("sd", sd, 0, low_open=True), level)
    return {name: _by_outcome(weights) for name, weights in found.items()}


def share_chance(
    region: Region, n: int, truth: float, reference: float, level: float = LEVEL
) -> dict[str, float]:
    """Return the chance of each verdict on a proportion at one true share (see `chances`).

    Examples
    --------
    >>> round(share_chance(Region(at_least=0.95), 300, 0.985, 0.5)["supported"], 2)
    0.7
    """
    aim = target(region, "proportion", reference, None)
    return _by_outcome(_binomial(aim, n, truth, level))


def _share_chances(aim, n, level):
    """Return the chances at the truths within [0, 1], and halfway from the edge to the end where 1.5 d lies beyond."""
    found = {name: aim.outward(value) for name, value in truths(aim).items()}
    if "1.5 d" in found and not 0 <= found["1.5 d"] <= 1:
        end = 1 if aim.sign > 0 else 0
        found[f"halfway to {end}"] = (aim.outward(aim.low) + end) / 2
    inside = {name: truth for name, truth in found.items() if 0 <= truth <= 1}
    return {name: _binomial(aim, n, truth, level) for name, truth in inside.items()}


def _binomial(aim, n, truth, level):
    """Return the chance of each outcome code, summed over all counts."""
    counts = np.arange(n + 1)
    codes = classify(*aim.turned(*wilson(counts, n, level)), aim)
    chance = scipy.stats.binom.pmf(counts, n, truth)
    return np.bincount(codes, weights=chance, minlength=len(OUTCOMES))


def _t_chances(aim, n, sd, level):
    # Midpoints of equal shares of probability: 2,001 of the estimate times 41 of its measured spread.
    z = scipy.stats.norm.ppf((np.arange(2001) + 0.5) / 2001)[:, None]
    spread = np.sqrt(scipy.stats.chi2.ppf((np.arange(41) + 0.5) / 41, n - 1) / (n - 1))
    half = scipy.stats.t.ppf((1 + level) / 2, n - 1) * sd * spread / math.sqrt(n)
    found = {}
    for name, truth in truths(aim).items():
        centre = truth + z * sd / math.sqrt(n)
        codes = classify(centre - half, centre + half, aim).ravel()
        found[name] = np.bincount(codes, minlength=len(OUTCOMES)) / codes.size
    return found


def _by_outcome(weights):
    pairs = zip(OUTCOMES, weights, strict=True)
    return {str(outcome): float(weight) for outcome, weight in pairs if weight > 0}


def half_width(quantity: Setting, n: int, level: float = LEVEL) -> float | None:
    """Return the planned half-width in units of d, at a truth on the region's edge; None without a pilot's spread.

    At most 1/2, and 1/3 where that is affordable: only then can an absent effect be called absent.
    """
    aim = target(quantity.region, quantity.statistic, quantity.reference, quantity.smallest)
    if quantity.statistic == "proportion":
        low, high = wilson(np.array([aim.outward(aim.low) * n]), n, level)
        return float(high[0] - low[0]) / 2 / aim.distance
    if quantity.pilot_sd is None:
        return None
    t = scipy.stats.t.ppf((1 + level) / 2, n - 1)
    return float(t * quantity.pilot_sd / math.sqrt(n) / aim.distance)


def plan(claim: Claim, registry: Registry) -> list[str]:
    """Return, line by line, what can come out of a claim in each setting, before any data."""
    lines = [f"{claim.id} ({claim.kind}): {claim.statement}"]
    if claim.kind != "estimate":
        return [*lines, "    no chances: what decides is not the size of an interval"]
    for setting in (*claim.main, *claim.elsewhere):
        for quantity in claim.quantities(setting):
            if quantity.experiment:
                n = registry.experiments[quantity.experiment].n
                part = f", {quantity.name}" if claim.parts else ""
                lines += [f"  {setting.name or 'main'}{part}", *_planned(quantity, n)]
    return lines


def _planned(quantity, n):
    half = half_width(quantity, n)
    if half is None:
        return [f"    n = {n}: give pilot_sd, the standard deviation of one replicate in a pilot"]
    found = chances(
        quantity.region,
        quantity.statistic,
        n,
        quantity.pilot_sd,
        quantity.reference,
        quantity.smallest,
    )
    warning = "" if half <= 0.5 else ": MORE than d/2, n is too small"
    lines = [f"    {quantity.region}; n = {n}, half-width {half:.2f} d{warning}"]
    for truth, outcomes in found.items():
        shown = sorted(outcomes.items(), key=lambda pair: -pair[1])
        texts = [f"{word} {chance:.2f}" for word, chance in shown if chance >= 0.005]
        lines.append(f"    truth {truth:>14}: " + ", ".join(texts))
    return lines


def report(registry: Registry) -> str:
    """Return `plan` of every claim that stands, as one text."""
    standing = [claim for claim in registry.claims.values() if not claim.withdrawn]
    return "\n".join(line for claim in standing for line in plan(claim, registry))

"""One claim under several master seeds: pooled estimate, verdict, and whether its intervals tell the truth."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import scipy.stats

from helpers import checks, stats
from helpers._claim import Band, Direction, combine, verdict

FEWEST = 5  # seeds that are pooled: an interval from two or three is too wide to say anything
LIMITS = {"proportion": (0.0, 1.0), "proportion_difference": (-1.0, 1.0)}


def honest_range(seeds, level=stats.LEVEL):
    """Return where the standard deviation of estimates over their standard error lies, if the intervals are honest.

    Parameters
    ----------
    seeds : int
        Independent estimates behind the standard deviation.
    level : float
        Probability of the range, for normal estimates.

    Returns
    -------
    tuple of float
        0.44 and 1.62 for ten seeds.
    """
    tails = scipy.stats.chi2.ppf([(1 - level) / 2, (1 + level) / 2], seeds - 1)
    low, high = np.sqrt(tails / (seeds - 1))
    return float(low), float(high)


def standard_error(part, ratio):
    """Return the standard error that a recorded interval claims, on the log scale for a ratio; 0 for no width."""
    low, high = part["ci_low"], part["ci_high"]
    if ratio:
        low, high = math.log(low), math.log(high)
    t = part["method"].startswith("Student t")
    tail = (1 + part["level"]) / 2
    return (high - low) / 2 / float(scipy.stats.t.ppf(tail, part["n"] - 1) if t else scipy.stats.norm.ppf(tail))


def region_of(record):
    """Return the region of a record as a Band or a Direction."""
    if record["direction"]:
        return Direction(record["direction"])
    low, high = record["region_low"], record["region_high"]
    return Band(-math.inf if low is None else low, math.inf if high is None else high)


def parts(record):
    """Return {setting or "": the part of the record that holds its interval}."""
    return {part["name"]: part for part in record["settings"]} if record["settings"] else {"": record}


def pooled(records):
    """Pool the records that one claim got under several master seeds.

    Parameters
    ----------
    records : list of dict
        Of one claim, from independent seeds; two or more, of kind "estimate".

    Returns
    -------
    dict
        ``verdict``, ``seeds`` (how many) and ``settings``: for each setting (or "") ``estimates`` (one per seed),
        ``estimate``, ``ci_low``, ``ci_high`` (Student t over the seeds, cut off where a share cannot go), ``verdict``,
        and ``ratio``: the standard deviation of the estimates over the root mean square of the standard errors that
        their intervals claim. None where all estimates agree or no interval has a width.

    Notes
    -----
    Ratios are pooled on the log scale. The standard errors come from the intervals' half-widths, Student t quantiles
    where the interval used them and normal ones elsewhere. `honest_range` says which ratios chance can explain.
    """
    claim, found = records[0], {}
    ratio = claim["statistic"] == "ratio"
    for name, part in parts(claim).items():
        same = [parts(record)[name] for record in records]
        values = np.array([each["estimate"] for each in same], float)
        errors = np.array([standard_error(each, ratio) for each in same])
        interval = stats.ratio_interval if ratio else stats.mean_interval
        pool = interval(values, level=part["level"])
        if claim["statistic"] in LIMITS:  # Student t knows nothing of them, and a region may end there
            low, high = np.clip((pool.low, pool.high), *LIMITS[claim["statistic"]])
            pool = dataclasses.replace(pool, low=float(low), high=float(high))
        spread, claimed = np.std(np.log(values) if ratio else values, ddof=1), np.sqrt(np.mean(errors**2))
        judged = [verdict(pool, region_of(claim), claim["smallest_effect"], ratio).verdict]
        if claim["share_at_least"] is not None:
            ones = sum(round(each["share_with_sign"] * each["n"]) for each in same)
            share = stats.proportion_interval(ones, sum(each["n"] for each in same), part["level"])
            judged.append(verdict(share, Band(claim["share_at_least"], math.inf)).verdict)
        found[name] = {
            "estimates": values.tolist(),
            "estimate": pool.estimate,
            "ci_low": pool.low,
            "ci_high": pool.high,
            "verdict": combine(judged, "all"),
            "ratio": float(spread / claimed) if spread > 0 and claimed > 0 else None,
        }
    verdicts = [part["verdict"] for part in found.values()]
    return {"verdict": combine(verdicts, claim["settings_rule"]), "seeds": len(records), "settings": found}


def load(folder):
    """Read the files of all master seeds and pool each claim.

    Parameters
    ----------
    folder : path
        Holds ``seed-01.json`` and so on, from `tools/stability.py`.

    Returns
    -------
    dict of str to dict
        Claim id to what `pooled` returns, for claims with an interval under `FEWEST` seeds or more.

    Raises
    ------
    ValueError
        For a file that is not of that kind.
    """
    records = {}
    for path in sorted(checks.folder("folder", folder).glob("seed-*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            claims = content["claims"] if content["schema"] == 1 else None
        except (ValueError, KeyError, TypeError):
            claims = None
        if not isinstance(claims, list):
            raise ValueError(f"{path.name} must hold claims of one seed, schema 1. Remove it and run `make stability`.")
        for record in claims:
            if record["kind"] == "estimate":
                records.setdefault(record["id"], []).append(record)
    return {id: pooled(same) for id, same in records.items() if len(same) >= FEWEST}

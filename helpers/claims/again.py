"""What other master seeds say of a claim: how far their estimates lie apart, and the section of the results page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from helpers.claims.measure import SHARES
from helpers.claims.verdict import NOT_TESTABLE, OPEN
from helpers.stats import LEVEL, Interval


def ratio(seeds: Sequence[Interval], together: Interval, statistic: str) -> float:
    """Return the variance of the seeds' estimates over the one that their common interval implies.

    It is about 1 where replicates are independent; times its degrees of freedom it is chi-squared. NaN where all
    estimates are equal, as where every replicate succeeds.

    Parameters
    ----------
    seeds : sequence of Interval
        One a seed, of about as many replicates each.
    together : Interval
        Of all of them.
    statistic : str
        One of `verdict.STATISTICS`: ratios are compared by their logarithms, as their interval is made.
    """
    estimates, low, high = [one.estimate for one in seeds], together.low, together.high
    if statistic == "ratio":
        estimates, low, high = np.log(estimates), math.log(low), math.log(high)
    quantile = scipy.stats.norm if statistic in SHARES else scipy.stats.t(together.n - 1)
    error = (high - low) / (2 * quantile.ppf((1 + LEVEL) / 2))
    if np.ptp(estimates) == 0 or not error > 0 or not math.isfinite(error):
        return math.nan
    return float(np.var(estimates, ddof=1) / (len(estimates) * error**2))


def limits(seeds: int) -> tuple[float, float]:
    """Return where `ratio` lies for 99 claims of 100, if replicates are independent and intervals right."""
    low, high = scipy.stats.chi2.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], seeds - 1) / (seeds - 1)
    return float(low), float(high)


def section(
    rows: Sequence[Mapping[str, str]], reasons: Mapping[str, str], untried: Sequence[str] = ()
) -> str:
    """Return the generated part of the results page on other master seeds.

    Parameters
    ----------
    rows : sequence of mappings
        Those of ``results/stability.csv``.
    reasons : mapping
        A sentence for each claim that is listed, by id; what has none is listed with a dash.
    untried : sequence of str
        Ids of the claims that were judged from the published replicates only.
    """
    if not rows:
        return "No other master seed has been trained yet."
    seeds = len(rows[0]["seeds"].split())
    low, high = limits(seeds)
    differ = sorted((one for one in rows if one["published"] != one["pooled"]), key=_undecided)
    otherwise = sum(not _undecided(one) for one in differ)
    apart = [one for one in rows if one["outside"]]
    measured = sum(one["ratio"] != "" for one in rows)
    lines = [
        f"{len(rows)} claims were judged again from {seeds} other master seeds together, each with new data, weights "
        f"and orders, and with fewer replicates. {len(rows) - len(differ)} have the published verdict, {otherwise} "
        f"another one; {len(differ) - otherwise} are decided by the published or by the other replicates only.",
    ]
    if untried:
        names = ", ".join(f"[{id}](#{id})" for id in untried)
        lines += ["", f"Not tried, as one replicate takes too long: {names}."]
    if differ:
        lines += [
            "",
            "| claim | published | n | from other seeds | n | why |",
            "| --- | --- | --- | --- | --- | --- |",
            *(
                f"| [{one['claim']}](#{one['claim']}) | {one['published']} | {one['n']} | {one['pooled']} | "
                f"{one['pooled_n']} | {reasons.get(one['claim'], '-')} |"
                for one in differ
            ),
        ]
    lines += [
        "",
        "The ratio compares how far the seeds' estimates lie apart with what the interval of all replicates says. "
        f"It can be formed for {measured} claims. By chance 1 of 100 lies outside {low:.2f} to {high:.2f}; "
        f"{len(apart)} do{':' if apart else '.'}",
    ]
    if apart:
        lines += [
            "",
            "| claim | ratio | estimates of the seeds | why |",
            "| --- | --- | --- | --- |",
            *(
                f"| [{one['claim']}](#{one['claim']}) | {one['ratio']} | {one['seeds']} | "
                f"{reasons.get(one['claim'], '-')} |"
                for one in apart
            ),
        ]
    return "\n".join(lines)


def _undecided(row: Mapping[str, str]) -> bool:
    """Return whether only one of the two verdicts decides something."""
    return bool({row["published"], row["pooled"]} & {OPEN, NOT_TESTABLE})

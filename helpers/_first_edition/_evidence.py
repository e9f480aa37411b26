"""From replicates to the numbers of a record: interval, shares, and how far they lie from the deciding edge."""

from __future__ import annotations

import math

import numpy as np

from helpers import stats
from helpers._base import checks
from helpers._first_edition._claim import Band, Direction, Verdict, combine, verdict

TRIVIAL = (
    "A diverged network counts as the trivial predictor (the mean, or chance) and is never dropped: put that "
    "predictor's value in its place and mark it True in `diverged` (or `baseline_diverged`), bool of shape (n,)."
)

LARGEST = 1e100  # of a value: its square still fits into a float


def _mask(name, value, n):
    if value is None:
        return np.zeros(n, bool)
    text = f"Argument `{name}` must be bool of shape ({n},). Received:"
    try:
        mask = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{text} rows of unequal lengths.") from error
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(f"{text} {mask.dtype} of shape {mask.shape}.")
    return mask


def _estimate(statistic, a, b):
    """Return the interval function's point estimate, cheaply; None without data."""
    if not len(a) or (b is not None and not len(b)):
        return None
    if statistic == "ratio":
        if np.min(a) <= 0 or (b is not None and np.min(b) <= 0):
            return None
        return float(
            np.exp(np.clip(np.mean(np.log(a) - (0.0 if b is None else np.log(b))), -700, 700))
        )
    return float(np.mean(a) - (0.0 if b is None else np.mean(b)))


def interval(statistic, a, b, level):
    if statistic == "ratio":
        return stats.ratio_interval(a, b, level)
    if statistic == "proportion":
        return stats.proportion_interval(int(a.sum()), len(a), level)
    if statistic == "proportion_difference":
        return stats.proportion_difference_interval(
            int(a.sum()), len(a), int(b.sum()), len(b), level
        )
    return stats.mean_interval(a, level) if b is None else stats.paired_interval(a, b, level)


def _one_run_agrees(claim, a, b):
    """Return the share of single runs whose own value lies in the region; None where one run cannot tell."""
    low, high = claim.ends()
    if (
        claim.statistic == "proportion_difference"
    ):  # independent arms: every pair of one run from each
        p, q = float(a.mean()), float(b.mean())
        outcomes = ((1.0, p * (1 - q)), (0.0, p * q + (1 - p) * (1 - q)), (-1.0, (1 - p) * q))
        share = sum(weight for value, weight in outcomes if low <= value <= high)
        return share if any(low <= value <= high for value, _ in outcomes) else None
    if claim.statistic == "proportion" and not (low <= 0 <= high or low <= 1 <= high):
        return None  # a band such as [0.4, 0.6] holds neither outcome of one run
    with np.errstate(
        divide="ignore", invalid="ignore", over="ignore"
    ):  # single runs of an averaged ratio may be zero
        single = a if b is None else a / b if claim.statistic == "ratio" else a - b
    return float(np.mean((low <= single) & (single <= high)))


def measure(claim, level, values, baseline, groups, diverged, baseline_diverged):
    """Return the fields of a record that come from the data of one setting, and its Interval."""
    bounds = {"low": -LARGEST, "high": LARGEST, "remedy": TRIVIAL}
    a = checks.array("values", values, shape=(None,), **bounds)
    arms = claim.statistic == "proportion_difference"
    if (claim.statistic == "proportion" and baseline is not None) or (arms and baseline is None):
        text = "a difference of proportions needs" if arms else "a proportion takes no"
        raise ValueError(f"Claim {claim.id}: {text} `baseline`.")
    b = None
    if baseline is not None:
        b = checks.array("baseline", baseline, shape=(None,) if arms else a.shape, **bounds)
    elif baseline_diverged is not None:
        raise ValueError(
            "Argument `baseline_diverged` must come with `baseline`. Received: baseline=None."
        )
    if claim.statistic.startswith("proportion"):
        if groups is not None:
            text = f"Claim {claim.id}: `groups` would turn 0/1 outcomes into shares; one outcome per data set, or"
            raise ValueError(text + " statistic='mean' on the shares.")
        for name, arm in (("values", a), ("baseline", b)):
            if arm is not None and not np.all((arm == 0) | (arm == 1)):
                raise ValueError(checks.message(name, "0 or 1 (or bool) for a proportion", arm))
    for name, arm in (("values", a), ("baseline", b)):
        if arm is not None and not len(arm):
            raise ValueError(f"Argument `{name}` must hold one value or more. Received: none.")
    lost = _mask("diverged", diverged, len(a))
    lost_b = _mask("baseline_diverged", baseline_diverged, 0 if b is None else len(b))
    keep = ~lost if arms or b is None else ~(lost | lost_b)
    kept = [a[keep], None if b is None else b[~lost_b] if arms else b[keep]]
    single = (a, b)
    if groups is not None:
        labels = stats.labels(groups, a.shape)
        a, b = (None if arm is None else stats.average_units(arm, labels) for arm in (a, b))
        kept = [None if arm is None else stats.average_units(arm, labels[keep]) for arm in kept]
    found = interval(claim.statistic, a, b, level)
    fields = {
        "estimate": found.estimate,
        "ci_low": found.low,
        "ci_high": found.high,
        "level": level,
        "method": found.method,
        "n": len(a),
        "n_baseline": None if b is None else len(b),
        "runs": len(single[0]),
        "diverged": int(lost.sum() + lost_b.sum()),
        "estimate_without_diverged": _estimate(claim.statistic, *kept),
        "one_run_agrees": _one_run_agrees(claim, *single),
        "share_with_sign": None,
        "share_ci_low": None,
        "share_ci_high": None,
    }
    if isinstance(claim.region, Direction) and not arms:
        with np.errstate(over="ignore"):
            effect = (
                (a if b is None else a / b) - 1
                if claim.statistic == "ratio"
                else a
                if b is None
                else a - b
            )
        signed = effect if claim.region.asserts == "greater" else -effect
        share = stats.proportion_interval(int(np.sum(signed > 0)), len(signed), level)
        fields |= {
            "share_with_sign": share.estimate,
            "share_ci_low": share.low,
            "share_ci_high": share.high,
        }
    return fields, found


def judge(claim, fields, found):
    """Return the Verdict on one setting, the share of replicates included where the claim asks for it."""
    result = verdict(found, claim.region, claim.smallest_effect, claim.statistic == "ratio")
    if claim.share_at_least is None:
        return result
    ends = stats.Interval(
        fields["share_with_sign"], fields["share_ci_low"], fields["share_ci_high"], 0, 0, ""
    )
    share = verdict(ends, Band(claim.share_at_least, math.inf)).verdict
    joint = combine([result.verdict, share], "all")
    if joint != "supported" and result.verdict != joint:
        few = "too few replicates with the sign"
        return Verdict(joint, few if joint == "contradicted" else "share of replicates open")
    return Verdict(joint, result.detail)


def clears(claim, part):
    """Return whether an interval clears the edge that decides its verdict by half its width (share included)."""
    low, high = part["ci_low"], part["ci_high"]
    left, right = claim.ends()
    if claim.statistic == "proportion":  # 0 and 1 decide nothing
        left, right = -math.inf if left <= 0 else left, math.inf if right >= 1 else right
    if claim.statistic == "ratio":
        low, high, left, right = (
            math.log(x) if x > 0 else -math.inf for x in (low, high, left, right)
        )
    needed = [_room(low, high, left, right)]
    if claim.share_at_least is not None:
        needed.append(
            _room(part["share_ci_low"], part["share_ci_high"], claim.share_at_least, math.inf)
        )
    return all(r == "in" for r in needed) if part["verdict"] == "supported" else "out" in needed


def _room(low, high, left, right):
    """Return "in" or "out" where the interval is so by half its width, otherwise ""."""
    margin = (high - low) / 2
    inside, outside = min(low - left, right - high), max(left - high, low - right)
    return (
        "in"
        if inside >= margin and inside > 0
        else "out"
        if outside >= margin and outside > 0
        else ""
    )

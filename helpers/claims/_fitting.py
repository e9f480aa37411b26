"""Whether the pieces of a quantity fit together: statistic, arrays, region, gates; `helpers.claims._reading` asks."""

from __future__ import annotations

import math
from dataclasses import replace

from helpers.claims import verdict

PAIRED = ("mean difference", "difference of proportions", "rank correlation")  # need a baseline
ALONE = ("mean", "proportion")  # take none
KEYS_OF_KIND = {  # keys of a quantity that a kind has no use for
    "existence": {"baseline", "statistic", "region", "reference", "smallest", "pilot_sd"},
    "exact": {"statistic", "reference", "smallest", "pilot_sd"},
    "bound": {"reference", "smallest", "pilot_sd"},
    "estimate": set(),
}


def complete(where, setting, kind, place):
    """Refuse a quantity that lacks something or whose pieces do not fit; return it, defaults filled in."""
    for key in sorted(KEYS_OF_KIND[kind]):
        if getattr(setting, key) not in (None, ""):
            where.fail(
                f"{place}{key}", f"left out for kind {kind}", getattr(setting, key), "Remove it."
            )
    if not setting.values:
        where.fail(f"{place}values", "the name of an array", None, "Name it.")
    if kind != "existence":
        if setting.region is None:
            where.fail(f"{place}region", "given", None, "Say where the sentence is true.")
        if not setting.reason:
            where.fail(f"{place}reason", "given with a region", None, "Say why this region.")
    setting = _fitting(where, setting, kind, place)
    _gates_fit(where, setting, kind, place)
    return setting


def _fitting(where, setting, kind, place):
    if kind in ("existence", "exact"):
        return setting
    default = ("mean difference" if setting.baseline else "mean") if kind == "bound" else None
    statistic = setting.statistic or default
    where.choice(f"{place}statistic", statistic, verdict.STATISTICS)
    setting = replace(setting, statistic=statistic)
    if setting.unit:
        where.choice(f"{place}unit", setting.unit, ("percent", "share"))
        if statistic not in ("mean", "mean difference"):
            text = "left out: only means and their differences have one"
            where.fail(f"{place}unit", text, setting.unit, "Remove it.")
    arrays_fit(where, statistic, setting.baseline, place)
    _in_range(where, setting, place)
    if kind == "bound":
        if setting.region.at_least is not None and setting.region.at_most is not None:
            remedy = "A bound is measured from one side."
            where.fail(f"{place}region", "one-sided for a bound", str(setting.region), remedy)
        return setting
    try:
        verdict.target(setting.region, statistic, setting.reference, setting.smallest)
    except ValueError as error:
        text = "region, statistic, reference and smallest that fit together"
        where.fail(f"{place}region", text, f"{setting.region}; {error}", "See docs/verdicts.md.")
    return setting


def arrays_fit(where, statistic, baseline, place):
    if statistic in PAIRED and not baseline:
        where.fail(f"{place}baseline", f"given for a {statistic}", None, "Name the array.")
    if statistic in ALONE and baseline:
        text = f"left out for a {statistic}"
        where.fail(f"{place}baseline", text, baseline, "Take the mean difference, or remove it.")


def _in_range(where, setting, place):
    least, most = verdict.RANGES.get(setting.statistic, (-math.inf, math.inf))
    region = setting.region
    edges = [region.at_least, region.at_most, setting.reference, *(region.outer or ())]
    for edge in edges:
        if edge is not None and not least <= edge <= most:
            text = f"within [{least:g}, {most:g}] for a {setting.statistic}"
            where.fail(f"{place}region", text, edge, "Shares are written 0.95, not 95.")


def _gates_fit(where, setting, kind, place):
    kinds = [gate.kind for gate in setting.gates]
    if kind != "estimate" and set(kinds) - {"manipulation"}:
        text = f"of kind manipulation only, for kind {kind}"
        where.fail(f"{place}gates", text, ", ".join(kinds), "Remove the others.")
    if kinds.count("selection") > 1:
        where.fail(f"{place}gates", "one selection at most", kinds, "Make it one array.")
    if "reliability" in kinds and setting.statistic != "rank correlation":
        text = "without reliability, unless a rank correlation"
        where.fail(f"{place}gates", text, setting.statistic, "Remove it.")
    if kind == "estimate" and "attainable" not in kinds:
        aim = verdict.target(setting.region, setting.statistic, setting.reference, setting.smallest)
        if aim.shape in verdict.WITHOUT_DIFFERENCE:
            text = f"with an attainable gate, because the region makes it an {aim.shape}"
            remedy = "Name as its values a rival that is known to be worse, or another region."
            where.fail(f"{place}gates", text, kinds or "none", remedy)

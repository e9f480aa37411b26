"""What a pilot says: of each quantity the estimate, how far one replicate scatters, and which n that asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from helpers.claims import gates, measure, planning
from helpers.claims.entries import Claim, Setting
from helpers.claims.registry import Registry
from helpers.experiments import judge
from helpers.experiments.store import Place


def lines(known: Registry, place: Place, ids: Iterable[str]) -> list[str]:
    """Return a line for each quantity of each claim on these experiments, as stored in a place.

    No verdict is given: a pilot's replicates decide nothing. The half-width is that of the registered n, or of the
    share of it that a selection leaves, in units of the distance d of the verdicts; it should be 0.5 at most.
    """
    wanted, found, read = set(ids), [], judge.reader(known, place)
    for claim in known.claims.values():
        for setting in (*claim.main, *claim.elsewhere):
            if setting.experiment in wanted and (arrays := read(setting.experiment)) is not None:
                n = known.experiments[setting.experiment].n
                for quantity in claim.quantities(setting):
                    words = " ".join(word for word in (claim.id, quantity.name) if word)
                    counted, keep, _ = gates.counted(quantity, arrays)
                    said = f"the selection leaves {keep.sum()} of {len(keep)} replicates"
                    if keep.sum() > 1:
                        said = _said(claim, quantity, counted, int(n * keep.mean()))
                    found.append(f"{words}: {said}")
    return found


def spread(quantity: Setting, arrays: measure.Arrays) -> float | None:
    """Return the standard deviation of one replicate, of its log for a ratio (`pilot_sd`); None for a proportion."""
    if quantity.statistic == "proportion":
        return None
    values, baseline = _arrays(quantity, arrays)
    effects = measure.effects(quantity.statistic, values, baseline)
    return float(np.std(np.log(effects) if quantity.statistic == "ratio" else effects, ddof=1))


def _arrays(quantity, arrays):
    return (
        measure.of(arrays, quantity.values),
        measure.of(arrays, quantity.baseline) if quantity.baseline else None,
    )


def _said(claim: Claim, quantity: Setting, arrays: measure.Arrays, n: int) -> str:
    """Return what the replicates say of one quantity."""
    values, baseline = _arrays(quantity, arrays)
    if claim.kind != "estimate":
        return f"from {np.min(values):.4g} to {np.max(values):.4g} in {len(values)} replicates"
    one = measure.interval(quantity.statistic, values, baseline)
    text = f"{one.estimate:.4g} [{one.low:.4g}, {one.high:.4g}], {one.n} replicates"
    found = spread(quantity, arrays)
    if found is not None:
        text += f"; pilot_sd = {found:.3g}"
    half = planning.half_width(replace(quantity, pilot_sd=found), n)
    return text if half is None else f"{text}; with n = {n:,} the half-width is {half:.2f} d"

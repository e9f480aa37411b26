"""The single replicates behind a verdict: what histograms show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helpers.claims import gates, measure
from helpers.claims.entries import Claim, Setting


def effects(claim: Claim, quantity: Setting, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the measured quantity of each replicate that counts.

    Parameters
    ----------
    claim : Claim
        As registered.
    quantity : Setting
        One of ``claim.quantities(setting)``.
    arrays : dict of numpy.ndarray
        Of the setting's experiment.

    Returns
    -------
    numpy.ndarray (R,)
        Values, differences by pair, ratios or rank correlations; 0 and 1 for shares.
    """
    arrays, _, _ = gates.counted(quantity, arrays)
    values = measure.of(arrays, quantity.values)
    baseline = measure.of(arrays, quantity.baseline) if quantity.baseline else None
    if claim.kind == "existence":
        verified = measure.of(arrays, claim.verified) if claim.verified else True
        return (np.asarray(values, bool) & np.asarray(verified, bool)).astype(float)
    statistic = "mean difference" if claim.kind == "exact" else quantity.statistic
    return measure.effects(statistic, values, baseline)

"""Gates: could a claim have come out at all? From arrays to answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from helpers import stats
from helpers.claims import measure, verdict
from helpers.claims._numbers import number, short, stated
from helpers.claims.entries import Gate, Setting
from helpers.claims.measure import Arrays
from helpers.stats import Interval

SELECTED_AT_LEAST = 0.8  # of the pairs
DISATTENUATED = 0.85  # the correlation asked for must be at most this share of the ceiling
CAPPED = ("proportion", "rank correlation")
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
        See `registry.Gate`; False where its data are not there.
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


def ask(gate: Gate, setting: Setting, arrays: Arrays, own: Interval) -> GateResult:
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


def _answer(gate, passed, found, rest, statistic, usual="", needed=None, unit=""):
    text = f"{'Yes' if passed else 'No'}: {number(found.estimate, statistic, unit)}"
    if found.low != found.high:
        ends = [number(end, statistic, unit) for end in (found.low, found.high)]
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


def _at_least(needed, statistic, way, unit):
    """Return a limit in words; `way` is the sign of the direction that passes."""
    return f"{number(needed, statistic, unit)} or {'more' if way > 0 else 'less'}"


def _named(arrays, name):
    return measure.of(arrays, name) if name else None


def _manipulation(gate, arrays):
    found = measure.interval(
        gate.statistic, measure.of(arrays, gate.values), _named(arrays, gate.baseline)
    )
    passed = all(verdict.contains(gate.region, end) for end in (found.low, found.high))
    return _answer(
        gate, passed, found, f"asked for: {stated(gate.region, gate.statistic)}", gate.statistic
    )


def _largest_effect(gate, setting, arrays, aim):
    """Ask that the largest possible effect is 2 d from no effect.

    With a baseline of its own the gate is measured and signed like the claim. Without one, where the claim is a
    difference, its values are the size of the largest effect, positive towards the region.
    """
    values = measure.of(arrays, gate.values)
    if not gate.baseline and setting.statistic.endswith(("difference", "of proportions")):
        statistic = "proportion" if values.dtype == bool else "mean"
        found = measure.interval(statistic, values)
        needed = 2 * aim.distance
        passed, way = found.low >= needed, 1
    else:
        statistic = setting.statistic
        found = measure.interval(statistic, values, _named(arrays, gate.baseline))
        needed = aim.outward(aim.nothing + 2 * aim.distance)
        passed, way = aim.turned(found.low, found.high)[0] >= aim.inward(needed), aim.sign
    text = f"{_at_least(needed, statistic, way, setting.unit)} was needed"
    return _answer(gate, passed, found, text, statistic, needed=needed, unit=setting.unit)


def _rival(gate, setting, arrays, own, aim):
    """Ask that a rival that is known to be worse lies 2 d from no effect, in the place of the claim's values.

    Where the measure ends before that (a correlation of 1.4), it must lie beyond the edge by half the claim's interval.
    """
    baseline = gate.baseline or setting.baseline
    values = measure.of(arrays, gate.values)
    found = measure.interval(setting.statistic, values, _named(arrays, baseline))
    low, high = aim.turned(found.low, found.high)
    below, above = aim.nothing - 2 * aim.distance, aim.nothing + 2 * aim.distance
    if setting.statistic in verdict.RANGES and aim.shape == "non-inferiority":
        ends = sorted(aim.inward(end) for end in verdict.RANGES[setting.statistic])
        own_low, own_high = aim.turned(own.low, own.high)
        if below < ends[0]:
            below = aim.low - (own_high - own_low) / 2
    passed = high <= below or (aim.shape == "equivalence" and low >= above)
    needed = aim.outward(above if aim.shape == "equivalence" and low > aim.nothing else below)
    text = f"it had to reach {number(needed, setting.statistic, setting.unit)}"
    return _answer(
        gate, passed, found, text, setting.statistic, QUESTION_OF_RIVAL, needed, setting.unit
    )


def _capped(gate, setting, arrays, own, aim):
    """Ask that the best possible value lies beyond the region's edge by the planned half-width."""
    best = _best(gate, setting, arrays)
    down = aim.shape == "band" and aim.nothing > aim.high
    edge, way = (aim.high, -1) if down else (aim.low, 1)
    reach = way * aim.inward([best.low, best.high])
    half = _planned(setting, float(aim.outward(way * min(reach))), own, aim)
    passed = min(reach) - half >= way * edge
    needed = aim.outward(edge + way * half)
    limit = _at_least(needed, setting.statistic, way * aim.sign, setting.unit)
    text = f"{limit} was needed: the size stated, and room for half an interval"
    return _answer(gate, passed, best, text, setting.statistic, needed=needed, unit=setting.unit)


def _best(gate, setting, arrays):
    if gate.best is not None:
        return Interval(gate.best, gate.best, gate.best, 1.0, own_n(arrays), "known")
    return measure.interval(
        setting.statistic, measure.of(arrays, gate.values), _named(arrays, gate.baseline)
    )


def own_n(arrays: Arrays) -> int:
    """Return the number of replicates of an experiment's arrays."""
    return next((len(value) for key, value in arrays.items() if key != "constants"), 0)


def _planned(setting, best, own, aim):
    """Return half the width that an interval at the best possible value has, in working form."""
    if setting.statistic != "proportion":
        low, high = aim.turned(own.low, own.high)
        return float(high - low) / 2
    low, high = measure.wilson(np.array([best * own.n]), own.n)
    # Of Wilson's interval only the side towards the edge counts; at a share of 1 the other has no width.
    return float(max(best - low[0], high[0] - best))


def _reliability(gate, setting, arrays):
    """Ask that the correlation asked for is within 85 % of the highest that the measures' reliabilities allow.

    Spearman-Brown of the mean rank correlation of two halves within a data set, for each measure; the ceiling is the
    root of the product; its interval from jackknife pseudo-values over data sets.
    """
    names = [name for name in (gate.first, gate.second) if name]
    halves = [_half_correlations(measure.of(arrays, name), name) for name in names]
    n, total = len(halves[0]), [half.sum() for half in halves]
    if n < 3:  # a jackknife of two says nothing
        answer = "Not measured: fewer than three replicates."
        return GateResult(gate.kind, False, _question(gate), answer)
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
    text = f"a highest possible correlation of {short(needed)} or more was needed"
    return _answer(gate, found.low >= needed, found, text, setting.statistic, needed=needed)


def _half_correlations(halves, name):
    if halves.ndim != 3 or halves.shape[2] != 2:
        text = f"Array `{name}` must hold two halves of the measure, shape (R, K, 2)."
        raise ValueError(f"{text} Received: shape {halves.shape}.")
    return stats.rank_correlations(halves[:, :, 0], halves[:, :, 1])


def _ceiling(correlations):
    """Return the root of the product of reliabilities; of one measure (the other is exact) its root."""
    product = 1.0
    for r in correlations:
        product *= max(0.0, 2 * r / (1 + r)) if r > -1 else 0.0
    return math.sqrt(product)


def counted(quantity: Setting, arrays: Arrays) -> tuple[Arrays, np.ndarray, GateResult | None]:
    """Return the arrays of the replicates that a quantity's selection leaves, which they are, and the gate's result."""
    chosen = next((gate for gate in quantity.gates if gate.kind == "selection"), None)
    if chosen is None:
        return arrays, np.ones(len(measure.of(arrays, quantity.values)), bool), None
    keep, result = selected(chosen, arrays)
    return rows(arrays, keep), keep, result


def selected(gate: Gate, arrays: Arrays) -> tuple[np.ndarray, GateResult]:
    """Return which replicates meet a selection's condition in both groups, (R,) of bool, and the gate's result."""
    keep = measure.successes(gate.values, measure.of(arrays, gate.values))
    if gate.baseline:
        keep = keep & measure.successes(gate.baseline, measure.of(arrays, gate.baseline))
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

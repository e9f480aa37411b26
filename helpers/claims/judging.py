"""From a claim and its arrays to a record: intervals, then the verdict, then gates; and the same for controls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from helpers import stats
from helpers.claims import gates as gating
from helpers.claims import measure, verdict
from helpers.claims._numbers import short
from helpers.claims.entries import Claim, Control, Setting
from helpers.claims.ledger import NO_DATA, ControlResult, Measured, Record, SettingResult
from helpers.claims.measure import ArraysOf
from helpers.claims.verdict import NOT_TESTABLE, Verdict
from helpers.stats import LEVEL

DIGITS = 10  # significant, of every number in a record: what different processors agree on
SAME_LEVEL = 0.999  # of the interval of a control of kind same
NO_EFFECT = "there is no effect to explain"


def judge_claim(
    claim: Claim, arrays_of: ArraysOf, controls: Iterable[ControlResult] = ()
) -> Record:
    """Judge one claim from the arrays of its experiments.

    Parameters
    ----------
    claim : Claim
        From the registry.
    arrays_of : function
        Takes an experiment's id; returns its arrays by name, or None where they are not there.
    controls : iterable of ControlResult
        Those of other claims are left out.

    Returns
    -------
    Record
    """
    main = tuple(_setting(claim, one, arrays_of) for one in claim.main)
    elsewhere = tuple(_setting(claim, one, arrays_of) for one in claim.elsewhere)
    common = verdict.common_verdict([Verdict(one.word, one.detail) for one in main])
    missing = any(one.detail == NO_DATA for one in main)
    tested = (one.name for one in (*main, *elsewhere) if one.detail != NO_DATA)
    same = ("id", "lesson", "kind", "source", "role", "words", "statement", "known", "reason")
    return Record(
        **{name: getattr(claim, name) for name in (*same, "withdrawn", "in_lesson")},
        word=common.word,
        detail=common.detail,
        nearest=next(tested, "") if missing else "",
        main=main,
        elsewhere=elsewhere,
        controls=tuple(one for one in controls if one.claim == claim.id),
    )


def _setting(claim, setting, arrays_of):
    arrays = arrays_of(setting.experiment) if setting.experiment else None
    quantities = claim.quantities(setting)
    if arrays is None:
        parts = tuple(_shell(claim, q, Verdict(NOT_TESTABLE, NO_DATA)) for q in quantities)
    else:
        parts = tuple(_measured(claim, q, arrays, arrays_of) for q in quantities)
    found = verdict.combine_parts([Verdict(part.word, part.detail) for part in parts])
    return SettingResult(setting.name, setting.experiment, found.word, found.detail, parts)


def _shell(claim, quantity, found, **measured):
    """Return a `Measured` with what is registered and the verdict."""
    aim = _aim(quantity) if claim.kind == "estimate" else None
    return Measured(
        name=quantity.name if claim.parts else "",
        values=quantity.values,
        baseline=quantity.baseline,
        statistic=quantity.statistic,
        unit=quantity.unit,
        region=quantity.region,
        reference=quantity.reference,
        distance=_rounded(aim.distance) if aim else None,
        shape=aim.shape if aim else "",
        word=found.word,
        detail=found.detail,
        **measured,
    )


def _aim(quantity):
    return verdict.target(
        quantity.region, quantity.statistic, quantity.reference, quantity.smallest
    )


def _measured(claim, quantity, arrays, arrays_of):
    """Judge one quantity: interval, then verdict, then gates."""
    over_all, gates = None, []
    counted, keep, result = gating.counted(quantity, arrays)
    if result:
        gates.append(result)
        over_all, _ = _interval(claim, quantity, arrays)
        if keep.sum() < 2:  # nothing is left to measure
            found = Verdict(NOT_TESTABLE, "selection")
            return _shell(claim, quantity, found, gates=(result,), over_all=_exact(over_all))
    found, singles = _interval(claim, quantity, counted)
    gates += _gates(quantity, counted, arrays_of, found)
    return _shell(
        claim,
        quantity,
        *_guarded(claim, quantity, found, gates),
        gates=tuple(_exact(gate) for gate in gates),
        interval=_exact(found),
        over_all=_exact(over_all),
        one_run=_rounded(one_run(claim, quantity, singles)),
        **_width(claim, quantity, found),
    )


def _interval(claim, quantity, arrays):
    """Return the interval of a quantity and its value in each replicate."""
    values = measure.of(arrays, quantity.values)
    baseline = measure.of(arrays, quantity.baseline) if quantity.baseline else None
    if claim.kind == "existence":
        verified = measure.of(arrays, claim.verified) if claim.verified else None
        both = np.asarray(values, bool) & (True if verified is None else verified.astype(bool))
        return measure.instances(values, verified), both
    if claim.kind == "exact":
        singles = measure.effects("mean difference", values, baseline)
        return measure.extremes(values, baseline), singles
    found = measure.interval(quantity.statistic, values, baseline)
    return found, measure.effects(quantity.statistic, values, baseline)


def one_run(claim: Claim, quantity: Setting, singles: np.ndarray) -> float:
    """Return the share of single replicates (R,) that alone lie where the sentence is true."""
    if claim.kind == "existence":
        return float(np.mean(singles))
    strict = None
    if claim.kind == "estimate" and _aim(quantity).shape == "direction":
        strict = verdict.nothing(quantity.statistic, quantity.reference)
    return measure.one_run(singles, quantity.region, strict)


def _gates(quantity, counted, arrays_of, own):
    results = []
    for gate in quantity.gates:
        if gate.kind == "selection":
            continue
        arrays = arrays_of(gate.experiment) if gate.experiment else counted
        missing = arrays is None
        results.append(
            gating.without_data(gate) if missing else gating.ask(gate, quantity, arrays, own)
        )
    return results


def _guarded(claim, quantity, found, gates):
    """Return the verdict after gates, as the only item of a tuple (see `_shell`)."""
    plain = verdict.judge(
        found,
        quantity.region,
        quantity.statistic,
        quantity.reference,
        quantity.smallest,
        claim.kind,
    )
    shape = _aim(quantity).shape if claim.kind == "estimate" else ""
    failed = [gate.kind for gate in gates if not gate.passed]
    return (verdict.guard(plain, failed, shape),)


def _width(claim, quantity, found):
    """Return what is said beside the verdict: whether this n could have shown that there is none."""
    if claim.kind != "estimate" or _aim(quantity).shape != "size":
        return {}
    return {"could_show_none": verdict.could_show_none(found.low, found.high, _aim(quantity))}


# --------------------------------------------------------------------------------------- controls


def judge_control(control: Control, claim: Claim, arrays_of: ArraysOf) -> ControlResult:
    """Judge one control.

    Parameters
    ----------
    control : Control
        *same*: the 99.9 % interval includes no effect. *known*: supported in the claim's region. *cause*: at least
        half of the claim's effect goes.
    claim : Claim
        The claim that it is about.
    arrays_of : function
        As for `judge_claim`.

    Returns
    -------
    ControlResult
        Failed where data are missing.
    """
    quantity = _quantity_of(control, claim)
    arrays = arrays_of(control.experiment)
    if arrays is None:
        return _control(control, False, "its data are not here")
    if control.whole:
        return _paired_cause(control, arrays)
    level = SAME_LEVEL if control.kind == "same" else LEVEL
    baseline = measure.of(arrays, control.baseline) if control.baseline else None
    found = measure.interval(
        quantity.statistic, measure.of(arrays, control.values), baseline, level
    )
    if control.kind == "same":
        none = verdict.nothing(quantity.statistic, quantity.reference)
        passed = found.low <= none <= found.high
        return _control(control, passed, f"no effect is {short(none)}", found)
    if control.kind == "known":
        word = verdict.judge(
            found, quantity.region, quantity.statistic, quantity.reference, quantity.smallest
        )
        return _control(control, word.word == verdict.SUPPORTED, str(word), found)
    return _cause(control, claim, quantity, found, arrays_of)


def _quantity_of(control, claim):
    quantities = claim.quantities(claim.main[0])
    return next((q for q in quantities if q.name == control.part), quantities[0])


def _control(control, passed, answer, found=None):
    return ControlResult(
        control.claim,
        control.kind,
        control.experiment,
        control.statement,
        bool(passed),
        answer,
        _exact(found),
    )


def _cause(control, claim, quantity, found, arrays_of):
    """Ask whether, at 99 %, at most half of the effect is left.

    The effect that is left is compared with the claim's own, both from no effect and towards the region; its upper
    limit is by the squares of both intervals' sides (as Newcombe's), since the two come from different experiments.
    """
    arrays = arrays_of(quantity.experiment) if quantity.experiment else None
    if arrays is None:
        return _control(control, False, "the claim's own data are not here", found)
    whole, _ = _interval(claim, quantity, arrays)
    aim = _aim(quantity)
    (left, left_high), (full, full_low) = (
        (aim.inward(one.estimate) - aim.nothing, aim.turned(one.low, one.high)[end] - aim.nothing)
        for one, end in ((found, 1), (whole, 0))
    )
    upper = left - full / 2 + math.hypot(left_high - left, (full - full_low) / 2)
    share = left / full if full else math.nan
    text = _left(share) if full_low > 0 else NO_EFFECT
    return _control(control, full_low > 0 and upper <= 0, text, found)


def _paired_cause(control, arrays):
    """Ask it of effects that the control brings itself, replicate by replicate.

    ``values`` is the effect without the cause, ``whole`` the effect with it; the interval of the mean of
    ``values - whole / 2`` must lie on the side of no effect.
    """
    left = measure.of(arrays, control.values).astype(float)
    full = measure.of(arrays, control.whole).astype(float)
    whole, rest = stats.mean_interval(full), stats.mean_interval(left - full / 2)
    share = left.mean() / full.mean() if full.mean() else math.nan
    if whole.low > 0:
        return _control(control, rest.high <= 0, _left(share), rest)
    return _control(
        control,
        whole.high < 0 and rest.low >= 0,
        _left(share) if whole.high < 0 else NO_EFFECT,
        rest,
    )


def _left(share):
    percent = f"{share:.0%}".replace("%", " %")
    return f"{'nothing' if share < 0 else percent} of the effect is left" + (
        f" ({percent})" if share < 0 else ""
    )


def _rounded(value):
    return value if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


def _exact(entry):
    """Return an Interval or GateResult with numbers of `DIGITS` digits; None stays."""
    if entry is None:
        return None
    numbers = {k: v for k, v in vars(entry).items() if isinstance(v, float)}
    return dataclasses.replace(entry, **{k: _rounded(v) for k, v in numbers.items()})

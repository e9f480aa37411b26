"""From a claim and its arrays to a record, and records to files.

``results/claims/LESSON.json`` holds the records of one lesson; ``results/registrations.csv`` has a line for each draw.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from helpers import stats
from helpers._base import checks, files, paths
from helpers.claims import measure, verdict
from helpers.claims.entries import Claim, Control, Region
from helpers.claims.measure import ArraysOf, GateResult
from helpers.claims.verdict import NOT_TESTABLE, Verdict
from helpers.stats import LEVEL, Interval

DIGITS = 10  # significant, of every number in a record: what different processors agree on
SAME_LEVEL = 0.999  # of the interval of a control of kind same
NO_DATA = "no data"
NO_EFFECT = "there is no effect to explain"
NOTES = {  # beside a verdict that stands although a gate failed
    "attainable": "nothing to gain here",
    "reliability": "measured with a coarse ruler",
}
COLUMNS = ("date", "experiment", "hash", "changed", "arrays", "verdicts")


@dataclass(frozen=True)
class Measured:
    """One quantity in one setting, judged.

    Parameters
    ----------
    name : str
        Of the part; empty where there is one quantity.
    values, baseline, statistic : str
        As registered.
    region, reference : Region or None, float or None
        As registered.
    distance : float or None
        d, of an estimate (of log ratios for a ratio).
    shape : str
        size, direction, band, equivalence or non-inferiority (`verdict.Target`); empty unless an estimate.
    word, detail : str
        The verdict after gates.
    gates : tuple of GateResult
        In the order registered.
    interval : Interval or None
        Of what counts; None where there are no data, or fewer than two replicates are left.
    over_all : Interval or None
        Of all replicates, where a selection left some out.
    one_run : float or None
        Share of single replicates that lie in the region: one run would have said yes.
    could_show_none : bool or None
        Whether an interval of this width could have shown that an effect is absent; None where none is looked for.
    """

    name: str
    values: str
    baseline: str
    statistic: str
    region: Region | None
    reference: float | None
    distance: float | None
    shape: str
    word: str
    detail: str = ""
    gates: tuple[GateResult, ...] = ()
    interval: Interval | None = None
    over_all: Interval | None = None
    one_run: float | None = None
    could_show_none: bool | None = None


@dataclass(frozen=True)
class SettingResult:
    """A claim in one setting: its verdict, and each part's."""

    name: str
    experiment: str
    word: str
    detail: str
    parts: tuple[Measured, ...]

    @property
    def deciding(self) -> Measured:
        """The first part whose verdict is that of the setting."""
        return next((part for part in self.parts if part.word == self.word), self.parts[0])


@dataclass(frozen=True)
class ControlResult:
    """A control, judged: same, known or cause, with its answer and what was measured."""

    claim: str
    kind: str
    experiment: str
    statement: str
    passed: bool
    answer: str
    interval: Interval | None = None


@dataclass(frozen=True)
class Record:
    """A claim and what came of it.

    Parameters
    ----------
    id, lesson, kind, source, role, words, statement, known, reason, withdrawn, in_lesson
        As registered; see `entries.Claim`.
    word, detail : str
        The verdict.
    nearest : str
        Name of the nearest setting that was tested, where the main setting's data are not here.
    main, elsewhere : tuple of SettingResult
        What decided, and what stands beside it.
    controls : tuple of ControlResult
        Of this claim.
    """

    id: str
    lesson: str
    kind: str
    source: str
    role: str
    words: str
    statement: str
    known: str
    reason: str
    withdrawn: str
    in_lesson: bool
    word: str
    detail: str
    nearest: str
    main: tuple[SettingResult, ...]
    elsewhere: tuple[SettingResult, ...] = ()
    controls: tuple[ControlResult, ...] = ()

    @property
    def deciding(self) -> Measured:
        """The part, of the first main setting, whose verdict decided."""
        setting = next((one for one in self.main if one.word == self.word), self.main[0])
        return setting.deciding

    @property
    def parts(self) -> tuple[Measured, ...]:
        """Every part in the first main setting; one where the claim has no parts."""
        return self.main[0].parts

    @property
    def interval(self) -> Interval | None:
        """Interval of what decided, None without data."""
        return self.deciding.interval

    @property
    def estimate(self) -> float | None:
        """Estimate of what decided, None without data."""
        return self.interval.estimate if self.interval else None

    @property
    def n(self) -> int:
        """Replicates behind what decided, 0 without data."""
        return self.interval.n if self.interval else 0

    @property
    def gates(self) -> tuple[GateResult, ...]:
        """Gates of what decided."""
        return self.deciding.gates

    @property
    def one_run(self) -> float | None:
        """Share of single replicates that would have said yes, of what decided."""
        return self.deciding.one_run

    @property
    def verdict(self) -> Verdict:
        """Word and detail as one value."""
        return Verdict(self.word, self.detail)

    @property
    def experiments(self) -> tuple[str, ...]:
        """Ids of the main settings' experiments."""
        return tuple(dict.fromkeys(one.experiment for one in self.main if one.experiment))

    def to_json(self) -> dict:
        """Return plain JSON values; infinities and NaN as text."""
        return _plain(self)

    @classmethod
    def from_json(cls, values: dict) -> Record:
        """Return the record that `to_json` wrote."""
        return _built(cls, values)


# ---------------------------------------------------------------------------------------- judging


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
    counted, over_all, gates = arrays, None, []
    chosen = next((gate for gate in quantity.gates if gate.kind == "selection"), None)
    if chosen:
        keep, result = measure.selected(chosen, arrays)
        gates.append(result)
        over_all, _ = _interval(claim, quantity, arrays)
        if keep.sum() < 2:  # nothing is left to measure
            found = Verdict(NOT_TESTABLE, "selection")
            return _shell(claim, quantity, found, gates=(result,), over_all=_exact(over_all))
        counted = measure.rows(arrays, keep)
    found, singles = _interval(claim, quantity, counted)
    gates += _gates(quantity, counted, arrays_of, found)
    return _shell(
        claim,
        quantity,
        *_guarded(claim, quantity, found, gates),
        gates=tuple(_exact(gate) for gate in gates),
        interval=_exact(found),
        over_all=_exact(over_all),
        one_run=_rounded(_one_run(claim, quantity, singles)),
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


def _one_run(claim, quantity, singles):
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
            measure.without_data(gate) if missing else measure.gate(gate, quantity, arrays, own)
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


def note(measured: Measured) -> str:
    """Return what the table adds to a verdict that stands although a gate failed; else an empty text."""
    if measured.word == NOT_TESTABLE:
        return ""
    failed = [gate.kind for gate in measured.gates if not gate.passed]
    return ", ".join(NOTES[kind] for kind in dict.fromkeys(failed) if kind in NOTES)


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
        return _control(control, passed, f"no effect is {measure.short(none)}", found)
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
    return f"{share:.0%} of the effect is left".replace("%", " %")


# ------------------------------------------------------------------------------------------ files


def write(folder: str | Path, lesson: str, records: Iterable[Record]) -> bool:
    """Write the records of one lesson to ``folder/LESSON.json``, atomically.

    Returns
    -------
    bool
        Whether the file changed; equal records give equal bytes.
    """
    path = Path(folder) / f"{lesson}.json"
    document = {"lesson": lesson, "claims": [record.to_json() for record in records]}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text)
    return True


def load(folder: str | Path | None = None) -> dict[str, Record]:
    """Read the records of every lesson, by claim id; None takes the project's own ``results/claims``."""
    folder = Path(folder) if folder is not None else paths.shipped("results") / "claims"
    found = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        found |= {one["id"]: Record.from_json(one) for one in document["claims"]}
    return found


def _rounded(value):
    return value if value is None or not math.isfinite(value) else float(f"{value:.{DIGITS}g}")


def _exact(entry):
    """Return an Interval or GateResult with numbers of `DIGITS` digits; None stays."""
    if entry is None:
        return None
    numbers = {k: v for k, v in vars(entry).items() if isinstance(v, float)}
    return dataclasses.replace(entry, **{k: _rounded(v) for k, v in numbers.items()})


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


@cache
def _hints(cls):
    return typing.get_type_hints(cls)


def _built(kind, value):
    """Return a value of an annotated type from its JSON form."""
    if value is None:
        return None
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        kind = next(one for one in typing.get_args(kind) if one is not type(None))
    if dataclasses.is_dataclass(kind):
        return kind(**{key: _built(_hints(kind)[key], one) for key, one in value.items()})
    if typing.get_origin(kind) is tuple:
        return tuple(_built(typing.get_args(kind)[0], one) for one in value)
    return float(value) if kind is float else value


# ---------------------------------------------------------------------------------- registrations


@dataclass(frozen=True)
class Draw:
    """A line of ``registrations.csv``: a registration that was trained in full, at master seed 0.

    Parameters
    ----------
    date, experiment, hash : str
        ``YYYY-MM-DD``; id; its registration.
    changed : str
        What changed since the line before, old texts included (see `registry.changed`).
    arrays : str
        SHA-256 of the arrays.
    verdicts : str
        ``claim: verdict`` of each claim on it.
    """

    date: str
    experiment: str
    hash: str
    changed: str
    arrays: str
    verdicts: str


def register(path: str | Path, draw: Draw) -> bool:
    """Append a draw, unless the experiment's last line has the same registration and arrays, and nothing was changed.

    A line that changes neither is a change of wording: ``changed`` holds the old text.

    Returns
    -------
    bool
        Whether a line was added. What stands in the file is never changed.
    """
    path = Path(path)
    if not draw.changed and is_last(path, draw.experiment, draw.hash, draw.arrays):
        return False
    for column in COLUMNS:
        if not isinstance(getattr(draw, column), str):
            raise TypeError(checks.message(column, "a text", getattr(draw, column)))
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.is_file() or not path.stat().st_size
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS] if new else [])
        writer.writerow(dataclasses.astuple(draw))
    return True


def is_last(path: str | Path, experiment: str, hash: str, arrays: str) -> bool:
    """Return whether the last line of an experiment has this registration and these arrays."""
    last = [(one.hash, one.arrays) for one in drawn(path) if one.experiment == experiment][-1:]
    return last == [(hash, arrays)]


def drawn(path: str | Path) -> list[Draw]:
    """Return every line of ``registrations.csv``; none where there is no file."""
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [Draw(**row) for row in csv.DictReader(file)]


def draws(experiment: str, path: str | Path | None = None) -> int:
    """Return how many draws of an experiment are on record; None takes the project's own file."""
    path = Path(path) if path is not None else paths.shipped("results") / "registrations.csv"
    return len({(one.hash, one.arrays) for one in drawn(path) if one.experiment == experiment})


def verdicts(records: Iterable[Record]) -> str:
    """Return the verdicts of records as one text for a `Draw`."""
    return "; ".join(f"{record.id}: {record.verdict}" for record in records)

"""Records of judged claims, and their files: ``results/claims/LESSON.json`` holds those of one lesson."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from helpers._base import files, paths
from helpers.claims.entries import Region
from helpers.claims.gates import GateResult
from helpers.claims.verdict import NOT_TESTABLE, Verdict
from helpers.stats import Interval

NO_DATA = "no data"
NOTES = {  # beside a verdict that stands although a gate failed
    "attainable": "nothing to gain here",
    "reliability": "measured with a coarse ruler",
}


@dataclass(frozen=True)
class Measured:
    """One quantity in one setting, judged.

    Parameters
    ----------
    name : str
        Of the part; empty where there is one quantity.
    values, baseline, statistic, unit : str
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
    unit: str = ""


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
        As registered; see `registry.Claim`.
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


def note(measured: Measured) -> str:
    """Return what the table adds to a verdict that stands although a gate failed; else an empty text."""
    if measured.word == NOT_TESTABLE:
        return ""
    failed = [gate.kind for gate in measured.gates if not gate.passed]
    return ", ".join(NOTES[kind] for kind in dict.fromkeys(failed) if kind in NOTES)


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

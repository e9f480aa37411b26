"""What a registration consists of, as frozen dataclasses; `helpers.claims.registry` reads them from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

# Fields that no verdict depends on: they may be mended without a new seed.
NO_WORDING = frozenset(
    {
        *("statement", "reason", "known", "question", "unit"),  # wording
        *("lesson", "in_lesson", "withdrawn", "pilot_sd"),  # place, standing and plan
    }
)


class RegistrationError(ValueError):
    """Something registered would mislead.

    Parameters
    ----------
    file, entry, field : str
        Where: the file's name, the id of the experiment or claim, the key.
    expected : str
        What the field must be.
    received : object
        What it was.
    remedy : str
        What to do, a full sentence.
    """

    def __init__(
        self, file: str, entry: str, field: str, expected: str, received: Any, remedy: str
    ):
        shown = received if isinstance(received, str) else repr(received)
        shown = shown if len(shown) <= 120 else shown[:117] + "..."
        super().__init__(
            f"{file}, {entry}: `{field}` must be {expected}. Received: {shown}. {remedy}"
        )
        self.file, self.entry, self.field = file, entry, field


@dataclass(frozen=True)
class Experiment:
    """One entry ``[experiment."WORLD/NAME"]``.

    Parameters
    ----------
    id, lesson, function : str
        The name everywhere; the file's stem; ``"module.function"`` in `helpers.experiments`.
    n : int
        Replicates of the full profile.
    recipe : dict
        Arguments of the function, full profile.
    quick : dict
        What differs in the quick profile, its ``n`` included.
    n_check : int
        First rows that every check trains anew; 0 for none.
    """

    id: str
    lesson: str
    function: str
    n: int
    recipe: Mapping[str, Any]
    quick: Mapping[str, Any]
    n_check: int

    def recipe_for(self, profile: str = "full") -> dict[str, Any]:
        """Return the arguments for a profile, ``"full"`` or ``"quick"``."""
        if profile == "full":
            return dict(self.recipe)
        return {**self.recipe, **{k: v for k, v in self.quick.items() if k != "n"}}

    def n_for(self, profile: str = "full") -> int:
        """Return the number of replicates for a profile."""
        return self.n if profile == "full" else self.quick["n"]


@dataclass(frozen=True)
class Region:
    """Where the quantity must lie for the sentence to be true, ends included.

    Parameters
    ----------
    at_least, at_most : float or None
        Both for a band (TOML: ``between``).
    outer : tuple of float or None
        The outer band, beyond which a band is contradicted.
    """

    at_least: float | None = None
    at_most: float | None = None
    outer: tuple[float, float] | None = None

    def __str__(self):
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        return (
            f"at most {self.at_most:g}" if self.at_least is None else f"at least {self.at_least:g}"
        )


@dataclass(frozen=True)
class Gate:
    """A condition without which a verdict would not count; keys that its kind does not use are empty.

    Parameters
    ----------
    kind : str
        attainable, manipulation, reliability or selection.
    values, baseline : str
        Arrays; of a selection, the condition in the one or in both groups.
    statistic, region, reference : str, Region or None, float or None
        Of a manipulation.
    best : float or None
        Best possible value of a capped measure, where it is known without data.
    first, second : str
        Of a reliability: arrays (R, K, 2) with two halves of each of both measures.
    experiment : str
        Where its arrays lie; empty for the setting's own.
    question : str
        As the lesson asks it; empty for the usual one.
    """

    kind: str
    values: str = ""
    baseline: str = ""
    statistic: str = ""
    region: Region | None = None
    reference: float | None = None
    best: float | None = None
    first: str = ""
    second: str = ""
    experiment: str = ""
    question: str = ""


@dataclass(frozen=True)
class Setting:
    """One quantity in one setting: a main reading, one elsewhere, or one of several parts.

    Parameters
    ----------
    name : str
        Shown; empty for the only main setting.
    experiment : str
        Its id; empty where the data are not here, and in `Claim.parts`.
    region, reason : Region or None, str
        See `Region`; why this and no other.
    values, baseline, statistic : str
        Arrays of the experiment, and what is made of them.
    reference : float or None
        No effect, for a mean or proportion.
    smallest : float or None
        The measure's common smallest effect, where the region begins at no effect.
    gates : tuple of Gate
        Registered with it.
    pilot_sd : float or None
        Standard deviation of one replicate in a pilot (of log ratios for a ratio); for planning only.
    unit : str
        Of a mean or mean difference, for those who read it: "percent" or "share" (of 1; shown in percent) where the
        array holds such; else empty.
    """

    name: str = ""
    experiment: str = ""
    region: Region | None = None
    reason: str = ""
    values: str = ""
    baseline: str = ""
    statistic: str = ""
    reference: float | None = None
    smallest: float | None = None
    gates: tuple[Gate, ...] = ()
    pilot_sd: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Claim:
    """One entry ``[[claim]]``.

    Parameters
    ----------
    id, lesson, kind, source, role : str
        ``"source/name"``; the file's stem; estimate, existence, bound or exact; a key; source, literature or ours.
    words, statement : str
        The source's, verbatim, and what is tested.
    main, elsewhere : tuple of Setting
        What decides, and what stands beside it; each complete, with what it inherits from the claim.
    parts : tuple of Setting
        Several quantities, each judged in every setting; empty where there is one.
    known, reason : str
        What was known when it was written; why this region.
    gates : tuple of Gate
        Of the claim; each setting and part holds its own copy.
    withdrawn : str
        Why it was withdrawn; empty for a claim that stands.
    in_lesson : bool
        False for one that stands in the results only.
    verified : str
        Of an existence: the array that says that an instance was verified again.
    """

    id: str
    lesson: str
    kind: str
    source: str
    role: str
    words: str
    statement: str
    main: tuple[Setting, ...]
    elsewhere: tuple[Setting, ...] = ()
    parts: tuple[Setting, ...] = ()
    known: str = ""
    reason: str = ""
    gates: tuple[Gate, ...] = field(default=())
    withdrawn: str = ""
    in_lesson: bool = True
    verified: str = ""

    def quantities(self, setting: Setting) -> tuple[Setting, ...]:
        """Return what is judged in a setting: each part there, or the setting itself."""
        parts = tuple(replace(part, experiment=setting.experiment) for part in self.parts)
        return parts or (setting,)

    @property
    def experiments(self) -> frozenset[str]:
        """Ids of all experiments that the claim uses: in main, elsewhere or a gate."""
        return self._used(*self.main, *self.elsewhere)

    @property
    def deciding(self) -> frozenset[str]:
        """Ids of the experiments that its verdict depends on: in main, or a gate there."""
        return self._used(*self.main)

    def _used(self, *settings):
        found = [quantity for one in settings for quantity in self.quantities(one)]
        gates = {gate.experiment for quantity in found for gate in quantity.gates}
        return frozenset({one.experiment for one in found} | gates) - {""}


@dataclass(frozen=True)
class Control:
    """One entry ``[[control]]``: an experiment on a claim's experiment.

    Parameters
    ----------
    claim, kind, experiment : str
        The claim that it guards; same, known or cause; where its arrays lie.
    values, baseline : str
        Arrays in the place of the claim's; empty for the same names.
    part : str
        Name of the claim's part that it is about; empty for the only or first one.
    statement : str
        What it shows, a sentence.
    whole : str
        Of a cause: the effect with the cause in place, paired with ``values``, the effect without it; empty where the
        claim's own effect is the whole one.
    """

    claim: str
    kind: str
    experiment: str
    values: str
    baseline: str = ""
    part: str = ""
    statement: str = ""
    whole: str = ""

"""Graded assignments: what is asked, numbers that belong to one student alone, and the file that is handed in.

Name and ``MY_SEED`` together give the seed of all data and networks. The notebooks are in ``notebooks/assignments/``;
``make grade`` reads what was handed in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers._base import checks, handed_in, seeds
from helpers.claims import verdict
from helpers.experiments import store

FORMAT = 1
VERDICTS = (verdict.SUPPORTED, verdict.WEAKER, verdict.CONTRADICTED, verdict.OPEN)
LONGEST = 4000  # characters of a text
NOBODY = "Your Name"  # as the notebooks have it


@dataclass(frozen=True)
class Item:
    """One answer that is asked for.

    Attributes
    ----------
    kind : {"prediction", "series", "number", "choice", "text"}
        A prediction is a number, and any number gets its points. A series has one number for each replicate.
    points : int
    options : tuple of str
        Of a choice.
    """

    kind: str
    points: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """An assignment: how many replicates a series has, what differs between students, and the items by name."""

    replicates: int
    given: dict[str, tuple]
    items: dict[str, Item]

    @property
    def points(self) -> int:
        """The sum over the items."""
        return sum(item.points for item in self.items.values())


def _items(**found):
    """Return items by name from (kind, points) or (kind, points, options)."""
    return {name: Item(*parts) for name, parts in found.items()}


SHEETS = {
    "01": Sheet(
        40,
        {"size": (0.1, 0.2, 0.5, 1.0)},
        _items(
            prediction=("prediction", 1), network=("series", 3), line=("series", 2), one_run=("text", 2),
            mean=("number", 1), deviation=("number", 1), low=("number", 1), high=("number", 1), share=("number", 1),
            verdict=("choice", 2, VERDICTS), runs_needed=("number", 1),
            refuted_if=("choice", 2, ("it goes", "it halves", "it stays", "it changes sign")),
            decayed=("series", 2), left=("number", 1), control=("text", 3),
        ),
    ),
    "04": Sheet(
        20,
        {"size": (1.1, 2.0, 2.8, 4.0), "weights": (200_000, 500_000, 1_000_000, 3_000_000)},
        _items(
            prediction=("prediction", 1), good=("series", 2), bad=("series", 2), one_pair=("text", 2),
            radius_good=("series", 2), radius_bad=("series", 2), ratio=("number", 2), wider=("number", 1),
            verdict=("choice", 2, VERDICTS), orders=("number", 1), needed=("number", 1),
            rescaled=("choice", 1, ("plain", "relative", "both", "neither")), control=("text", 3), reason=("text", 2),
        ),
    ),
    "07": Sheet(
        20,
        {"examples": (100, 140, 180, 220), "penalty": (0.3, 1.0, 3.0)},
        _items(
            prediction=("prediction", 1), errors_few=("series", 1), errors_one=("series", 1),
            errors_many=("series", 1), squared_few=("series", 1), squared_one=("series", 1),
            squared_many=("series", 1), gain=("number", 1), ratio=("number", 1),
            verdict_errors=("choice", 2, VERDICTS), verdict_squared=("choice", 2, VERDICTS), advert=("text", 2),
            ridge=("series", 1), left=("number", 1), units_128=("series", 1), units_512=("series", 1),
            one_run=("text", 2), control=("text", 3),
        ),
    ),
}  # fmt: skip


def seed_of(name: str, my_seed: int) -> int:
    """Return the seed that belongs to a student: of the name, its spaces and capitals aside, and ``MY_SEED``."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(checks.message("name", "your name", name, "Write it between quotes."))
    my_seed = checks.integer("my_seed", my_seed, low=1, remedy="Choose a number of your own.")
    return seeds.integer(my_seed, "assignment", " ".join(name.casefold().split()))


def given_to(number: str, seed: int) -> dict[str, Any]:
    """Return what differs between students: of each list in ``Sheet.given`` the value that the seed picks."""
    found = SHEETS[number].given
    return {name: values[seeds.integer(seed, name) % len(values)] for name, values in found.items()}


@dataclass(frozen=True)
class Work:
    """An assignment of one student, as `begin` returns it.

    Attributes
    ----------
    number : str
        "01", "04" or "07".
    name : str
    my_seed : int
    profile : {"full", "quick"}
        "quick" has few replicates and shorter training, and is not graded.
    """

    number: str
    name: str
    my_seed: int
    profile: str

    @property
    def seed(self) -> int:
        """The seed of all data and networks."""
        return seed_of(self.name, self.my_seed)

    @property
    def given(self) -> dict[str, Any]:
        """The values that are this student's own."""
        return given_to(self.number, self.seed)

    @property
    def replicates(self) -> int:
        """How many numbers a series has."""
        return self.pick(SHEETS[self.number].replicates, 4)

    def pick(self, full, quick):
        """Return ``quick`` in the quick profile, ``full`` otherwise."""
        return quick if self.profile == "quick" else full

    def hand_in(self, answers: Mapping[str, Any], folder: str | Path = "class") -> Path | None:
        """Write the answers to a file for the lecturer, and say what is missing.

        Parameters
        ----------
        answers : dict
            By the item's name; None where there is no answer yet.
        folder : path
            Where the file goes.

        Returns
        -------
        pathlib.Path or None
            The file; None, and no file, where nothing is answered.

        Raises
        ------
        ValueError, TypeError
            For an answer that the assignment does not ask for, or of the wrong kind.
        """
        items = SHEETS[self.number].items
        for key in answers:
            checks.one_of("answers", key, items)
        kept = {
            key: _checked(key, item, answers[key], self.replicates)
            for key, item in items.items()
            if _answered(answers.get(key))
        }
        missing = [key for key in items if key not in kept]
        print(f"Answered: {len(kept)} of {len(items)}. Missing: {', '.join(missing) or 'nothing'}.")
        if not kept:
            return None
        if self.name == NOBODY:
            raise ValueError(checks.message("name", "your own name", self.name, "Set NAME."))
        content = {
            "format": FORMAT,
            "assignment": self.number,
            "name": " ".join(self.name.split()),
            "my_seed": self.my_seed,
            "profile": self.profile,
            "answers": kept,
            "versions": store.versions(),
        }
        plain = re.sub(r"[^a-z0-9]+", "-", content["name"].casefold()).strip("-")
        mark = hashlib.sha256(content["name"].casefold().encode()).hexdigest()[:6]
        path = Path(folder) / f"assignment-{self.number}-{plain}-{mark}.json"
        handed_in.write(path, content)
        print(f"Hand in the file {path}.")
        return path


def begin(number: str, name: str, my_seed: int, profile: str = "full") -> Work:
    """Return a student's own assignment, and say what is given.

    Parameters
    ----------
    number : {"01", "04", "07"}
        The lesson that it belongs to.
    name : str
        The student's.
    my_seed : int
        A number of the student's own, 1 or larger.
    profile : {"full", "quick"}
        "quick" only shows that everything runs.

    Raises
    ------
    ValueError
        For another number, no name, or a seed below 1.
    """
    checks.one_of("number", number, SHEETS)
    checks.one_of("profile", profile, ("full", "quick"))
    work = Work(number, name, my_seed, profile)
    own = ", ".join(f"{key} {value}" for key, value in work.given.items())
    print(f"{SHEETS[number].points} points. Yours alone: {own}, and the seed {work.seed}.")
    return work


def work_of(content: Mapping[str, Any]) -> Work:
    """Return the assignment that a file belongs to."""
    return Work(*(content[key] for key in ("assignment", "name", "my_seed", "profile")))


def _answered(value):
    """Return whether a value is an answer: anything but None and an empty text."""
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _checked(key, item, value, replicates):
    """Return an answer as JSON keeps it, or refuse it by its name."""
    name = f'answers["{key}"]'
    if item.kind == "series":
        values = checks.array(name, value, shape=(replicates,))
        return [float(one) for one in values]
    if item.kind in ("number", "prediction"):
        return checks.real(name, float(value) if isinstance(value, np.generic) else value)
    if item.kind == "choice":
        return checks.one_of(name, value, item.options)
    if not isinstance(value, str) or len(value) > LONGEST:
        raise TypeError(checks.message(name, f"a text of at most {LONGEST:,} characters", value))
    return value.strip()


def readable(content: Mapping[str, Any]) -> str:
    """Return "" for what `Work.hand_in` writes, or the reason why a file of the course is something else."""
    if content.get("format") != FORMAT or content.get("assignment") not in SHEETS:
        return "foreign: no assignment, or one of another version"
    if reason := handed_in.changed(content):
        return reason
    items = SHEETS[content["assignment"]].items
    try:
        work = work_of(content)
        seed_of(work.name, work.my_seed)
        for key, value in content["answers"].items():
            _checked(key, items[key], value, work.replicates)
    except (KeyError, TypeError, ValueError) as error:
        return f"damaged: {error}"
    return ""

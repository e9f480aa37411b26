"""Grade assignments that were handed in: ``python -m tools.grade FILE ...``; `make grade` calls this.

Every number is computed anew from the student's name and ``MY_SEED`` (a minute each, kept in ``build/grade``). Training
amplifies rounding, so a series that another processor made differs a little: it is accepted if it goes with ours.
What follows from a series (a mean, an interval, a verdict) is checked exactly, from the student's own series. Free text
is not judged: it is printed for the grader, with the points that it can get.
"""

from __future__ import annotations

import argparse
import difflib
import glob
import hashlib
import inspect
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.stats

from helpers import assignments
from helpers._base import files, handed_in, paths
from tools import answers

# Rank correlation from which on a series is the student's own; rounding alone leaves 0.9.
GOES_WITH = 0.5
LEVEL = 0.5  # of our standard deviation: as far the typical value may lie from ours
EXACT = 0.01  # relative, of what follows from a series
ALIKE = 0.85  # of two texts
SHORT = 40  # characters: shorter texts may be equal by chance


@dataclass
class Graded:
    """One submission: what it is, its points by item, remarks, and the texts that wait for the grader."""

    path: Path
    content: dict
    points: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The student's."""
        return self.content["name"]

    @property
    def work(self) -> assignments.Work:
        """The student's assignment."""
        return assignments.work_of(self.content)


def read(
    given: Iterable[str | Path], profile: str = "full"
) -> tuple[list[Graded], list[tuple[str, str]]]:
    """Read submissions; return those that count, and the other files with the reason why they do not."""
    found: list[Graded] = []
    left_out, seen = [], {}
    for path in sorted({Path(path) for path in given}, key=str):
        content, reason = handed_in.read(path)
        reason = reason or assignments.readable(content)
        if not reason and content["profile"] != profile:
            reason = f"the {content['profile']} profile: ask for the full one"
        who = None if reason else (content["assignment"], content["name"].casefold())
        if who in seen:
            reason = f"doubled: {content['name']} is in {seen[who]} too, which counts"
        if reason:
            left_out.append((str(path), reason))
        else:
            seen[who] = path.name
            found.append(Graded(path, content))
    return found, left_out


def expected(work: assignments.Work, folder: Path) -> dict[str, np.ndarray]:
    """Return our series of a student's assignment; kept in a folder, so that a second look takes no time."""
    code = hashlib.sha256(inspect.getsource(answers).encode()).hexdigest()[:12]
    path = folder / f"{work.number}-{work.seed}-{work.profile}-{code}.npz"
    if not path.is_file():
        kept = io.BytesIO()
        np.savez(kept, **answers.series(work))
        files.write(path, kept.getvalue())
    with np.load(path) as stored:
        return {name: stored[name].astype(float) for name in stored.files}


def close(value: float, right: float, tolerance: float = EXACT) -> bool:
    """Return whether a number is right; shares and ratios near 0 may be off by a thousandth."""
    return bool(abs(value - right) <= max(tolerance * abs(right), 0.001))


def own(values: Sequence[float], right: np.ndarray) -> str:
    """Return "" where a series goes with ours, or what is wrong with it."""
    values_, spread = np.asarray(values, float), max(float(np.std(right)), 1e-9)
    if np.allclose(values_, right, rtol=EXACT, atol=1e-9):
        return ""
    if np.ptp(right) == 0 or np.ptp(values_) == 0:
        return "it does not vary as ours does"
    together = scipy.stats.spearmanr(values_, right).statistic
    if together < GOES_WITH:
        return (
            f"it does not belong to this name and seed (rank correlation with ours {together:.2f})"
        )
    away = abs(np.median(values_) - np.median(right))
    if away > LEVEL * spread:
        return f"its level is off: median {np.median(values_):.3g}, ours {np.median(right):.3g}"
    return ""


def grade(one: Graded, ours: dict[str, np.ndarray]) -> None:
    """Fill in points and remarks of one submission."""
    items, given = assignments.SHEETS[one.work.number].items, one.content["answers"]
    series = {name: np.asarray(given.get(name, ours[name]), float) for name in ours}
    right = answers.derived(one.work, ours)
    try:
        with np.errstate(all="ignore"):
            follows = answers.derived(one.work, series)
            slips = answers.mistakes(one.work, series)
    except ValueError:  # such as a ratio with a radius of 0: nothing follows from such a series
        follows, slips = right, {}
    for name, item in items.items():
        if name not in given:
            one.points[name] = 0.0
            one.remarks.append(f"{name}: no answer")
            continue
        value, why = given[name], ""
        if item.kind == "text":
            continue
        if item.kind == "series":
            why = own(value, ours[name])
        elif item.kind == "choice":
            options = {right[name], follows[name]}
            why = "" if value in options else f'"{value}"; it is "{follows[name]}"'
        elif item.kind == "number" and not any(close(value, x[name]) for x in (right, follows)):
            named = [text for slip, text in slips.get(name, ()) if close(value, slip)]
            why = f"{value:.4g}; it is {follows[name]:.4g}" + "".join(f" ({x})" for x in named[:1])
        one.points[name] = 0.0 if why else float(item.points)
        if why:
            one.remarks.append(f"{name}: {why}")


def copies(found: Sequence[Graded]) -> None:
    """Flag what two submissions of one assignment share and two students would not."""
    for k, one in enumerate(found):
        for other in found[:k]:
            if one.work.number != other.work.number:
                continue
            mine, theirs = one.content["answers"], other.content["answers"]
            items = assignments.SHEETS[one.work.number].items
            same = [
                name
                for name, item in items.items()
                if item.kind == "series" and name in mine and mine[name] == theirs.get(name)
            ]
            alike = [
                name
                for name, item in items.items()
                if item.kind == "text"
                and min(len(mine.get(name, "")), len(theirs.get(name, ""))) >= SHORT
                and _likeness(mine[name], theirs[name]) >= ALIKE
            ]
            shared = [f"numbers of {', '.join(same)}"] * bool(same)
            shared += [f"nearly the same text in {', '.join(alike)}"] * bool(alike)
            shared += ["the same MY_SEED"] * (one.content["my_seed"] == other.content["my_seed"])
            for left, right in ((one, other), (other, one)) if shared else ():
                left.flags.append(f"shared with {right.name}: {'; '.join(shared)}")


def _likeness(first, second):
    """Return how alike two texts are, from 0 to 1, capitals and spaces aside."""
    first, second = (" ".join(text.casefold().split()) for text in (first, second))
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()


def told(one: Graded) -> str:
    """Return the report on one submission."""
    sheet = assignments.SHEETS[one.work.number]
    waiting = {
        k: v for k, v in sheet.items.items() if v.kind == "text" and k in one.content["answers"]
    }
    open_points = sum(item.points for item in waiting.values())
    lines = [
        f"{one.name}, assignment {one.work.number}: {sum(one.points.values()):g} of "
        f"{sheet.points - open_points} points, and up to {open_points} for texts ({one.path})"
    ]
    lines += [f"    FLAG {flag}" for flag in one.flags]
    lines.append(
        "    " + ", ".join(f"{k} {v:g}/{sheet.items[k].points}" for k, v in one.points.items())
    )
    lines += [f"    does not fit: {remark}" for remark in one.remarks]
    lines += [
        f"    to read, {item.points} points, {name}: {one.content['answers'][name]}"
        for name, item in waiting.items()
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Read, grade and report; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", help="what students handed in; * is allowed")
    parser.add_argument("--profile", choices=("full", "quick"), default="full")
    parser.add_argument(
        "--kept", type=Path, default=paths.build() / "grade", help="folder of our series"
    )
    options = parser.parse_args(arguments)
    given = [path for pattern in options.files for path in (glob.glob(pattern) or [pattern])]
    found, left_out = read(given, options.profile)
    for one in found:
        grade(one, expected(one.work, options.kept))
    copies(found)
    print(
        "\n".join([told(one) for one in found] + [f"left out: {p}: {why}" for p, why in left_out])
    )
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

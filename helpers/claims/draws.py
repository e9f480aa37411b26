"""``results/registrations.csv``: a line for each registration that was trained in full, append-only."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers._base import checks, files, paths
from helpers.claims.ledger import Record

COLUMNS = ("date", "experiment", "hash", "changed", "arrays", "verdicts")


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
    before = [one for one in lines(path) if one.experiment == draw.experiment][-1:]
    told = [(one.hash, one.changed, one.arrays) for one in before]
    if told == [(draw.hash, draw.changed, draw.arrays)]:
        return False  # by a process that was killed before it could do the rest
    text = path.read_bytes().decode("utf-8") if path.is_file() else ""
    added = io.StringIO()
    writer = csv.writer(added, lineterminator="\n")
    writer.writerows([] if text else [COLUMNS])
    writer.writerow(dataclasses.astuple(draw))
    files.write(path, text + added.getvalue())
    return True


def is_last(path: str | Path, experiment: str, hash: str, arrays: str) -> bool:
    """Return whether the last line of an experiment has this registration and these arrays."""
    last = [(one.hash, one.arrays) for one in lines(path) if one.experiment == experiment][-1:]
    return last == [(hash, arrays)]


def lines(path: str | Path) -> list[Draw]:
    """Return every line of ``registrations.csv``; none where there is no file."""
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [Draw(**row) for row in csv.DictReader(file)]


def count(experiment: str, path: str | Path | None = None) -> int:
    """Return how many draws of an experiment are on record; None takes the project's own file."""
    path = Path(path) if path is not None else paths.shipped("results") / "registrations.csv"
    return len({(one.hash, one.arrays) for one in lines(path) if one.experiment == experiment})


def verdicts(records: Iterable[Record]) -> str:
    """Return the verdicts of records as one text for a `Draw`."""
    return "; ".join(f"{record.id}: {record.verdict}" for record in records)

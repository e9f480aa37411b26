"""From stored replicates to verdicts: joins registry, store and the rule, and writes what the project publishes.

`publish` writes ``results/claims``, ``results/controls.json``, ``results/registrations.csv``, the table of
``results/README.md`` and the marked numbers of lessons and documents. `differences` computes all of it again and says
what is not as it stands there.
"""

from __future__ import annotations

import csv
import datetime
import json
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from helpers._base import files, paths
from helpers.claims import again, draws, judging, ledger, registry, show
from helpers.claims.ledger import ControlResult, Record
from helpers.claims.registry import Registry
from helpers.experiments import store
from helpers.experiments.store import COMMITTED, Place

BEGIN, END = "<!-- claims:begin -->", "<!-- claims:end -->"
TIMES = ("<!-- times:begin -->", "<!-- times:end -->")
OTHERS = ("<!-- stability:begin -->", "<!-- stability:end -->")
TEXTS = (
    "README.md",
    "results/README.md",
    "docs/**/*.md",
    "notebooks/**/*.ipynb",
)  # that hold marked numbers


def reader(known: Registry, place: Place = COMMITTED) -> Callable[[str], dict | None]:
    """Return a function from an experiment's id to its stored arrays, each read once; None where there are none."""

    @cache
    def arrays_of(id: str) -> dict | None:
        return store.read(id, known.registration(id), place)

    return arrays_of


def record(id: str, known: Registry, arrays_of: Callable[[str], dict | None]) -> Record:
    """Return one claim with its controls, judged."""
    claim = known.claims[id]
    own = [judging.judge_control(c, claim, arrays_of) for c in known.controls if c.claim == id]
    return judging.judge_claim(claim, arrays_of, own)


def records(known: Registry, place: Place = COMMITTED) -> dict[str, Record]:
    """Return every claim but a reader's own, judged from the stored replicates, by id."""
    arrays_of = reader(known, place)
    return {
        id: record(id, known, arrays_of)
        for id, claim in known.claims.items()
        if claim.lesson != registry.MINE
    }


def by_lesson(found: Iterable[Record]) -> dict[str, list[Record]]:
    """Return records by lesson, in the order of registration."""
    lessons: dict[str, list[Record]] = {}
    for one in found:
        lessons.setdefault(one.lesson, []).append(one)
    return dict(sorted(lessons.items()))


def section(found: Iterable[Record]) -> str:
    """Return the generated part of ``results/README.md``: the headline, then a table a lesson."""
    found = list(found)
    lines = [show.headline(found), ""]
    for lesson, mine in by_lesson(found).items():
        lines += [
            f"### [{lesson}](../notebooks/{lesson}.ipynb)",
            "",
            show.table(mine, draws.count),
            "",
        ]
    return "\n".join(lines)


def texts(root: Path) -> dict[str, str]:
    """Return the documents that may rest on results, by their place: pages, and the Markdown of notebooks."""
    found = {}
    for path in sorted({path for pattern in TEXTS for path in root.glob(pattern)}):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        found[path.relative_to(root).as_posix()] = text
    return found


def _wanted(root: Path, found: dict[str, Record]) -> dict[Path, str]:
    """Return the text that every published file ought to have, ledgers aside."""
    controls = [asdict(control) for one in found.values() for control in one.controls]
    text = json.dumps(controls, indent=1, ensure_ascii=False) + "\n"
    wanted = {root / "results" / "controls.json": text}
    page = root / "results" / "README.md"
    with open(page, encoding="utf-8", newline="") as file:  # its line ends as they are
        text = file.read()
    wanted[page] = files.renewed(text, page.name, BEGIN, END, section(found.values()))
    wanted[page] = files.renewed(wanted[page], page.name, *TIMES, _times())
    reasons = root / "results" / "stability.toml"
    why = tomllib.loads(reasons.read_text(encoding="utf-8")) if reasons.is_file() else {}
    others = again.section(rows := other_seeds(root), why, _untried(found, rows))
    wanted[page] = files.renewed(wanted[page], page.name, *OTHERS, others)
    for path in sorted({path for pattern in TEXTS for path in root.glob(pattern)} - {page}):
        text = path.read_text(encoding="utf-8")
        try:
            if path.suffix == ".ipynb":
                wanted[path] = _numbers_of_notebook(text, found)
            else:
                wanted[path] = show.fill_numbers(text, found)
        except ValueError as error:
            raise ValueError(f"{path.relative_to(root)}: {error}") from error
    return wanted


def _times() -> str:
    """Return how long the stored experiments took, by experiment, the longest first."""
    kept = store.index()
    rows = sorted(kept.items(), key=lambda item: -item[1].seconds)
    cores = " or ".join(sorted({str(one.cores) for one in kept.values() if one.cores}))
    total = sum(one.seconds for one in kept.values()) / 60
    return "\n".join(
        [
            f"{len(kept)} experiments in {total:,.0f} minutes on {cores or 'some'} cores, as the index says.",
            "",
            "<details><summary>Minutes by experiment</summary>",
            "",
            "| experiment | n | minutes |",
            "| --- | ---: | ---: |",
            *(f"| `{id}` | {one.n:,} | {one.seconds / 60:.1f} |" for id, one in rows),
            "",
            "</details>",
        ]
    )


def _untried(found: dict[str, Record], rows: Iterable[dict[str, str]]) -> list[str]:
    """Return the ids of claims that have an interval but no row from other master seeds."""
    tried = {row["claim"] for row in rows}
    return [
        id for id, one in found.items() if one.interval and not one.withdrawn and id not in tried
    ]


def other_seeds(root: Path) -> list[dict[str, str]]:
    """Return the rows of ``results/stability.csv`` as they stand there; none where there is no such file."""
    path = root / "results" / "stability.csv"
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _numbers_of_notebook(text: str, found: dict[str, Record]) -> str:
    """Return a notebook's text with the marked numbers of its Markdown cells filled in."""
    notebook = json.loads(text)
    changed = False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            old = "".join(cell["source"])
            new = show.fill_numbers(old, found)
            if new != old:
                cell["source"], changed = new.splitlines(keepends=True), True
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n" if changed else text


def publish(known: Registry | None = None, day: str | None = None) -> list[Path]:
    """Judge every claim again and write all that follows from it; return the files that changed.

    Parameters
    ----------
    known : Registry, optional
        The project's own by default.
    day : str, optional
        The date of new lines in ``registrations.csv``; today by default.

    Raises
    ------
    FileNotFoundError
        Outside a checkout, where there is nothing to publish into.
    """
    root = paths.checkout()
    if root is None:
        text = "Results are published from a checkout of the project only. Clone it, and run there."
        raise FileNotFoundError(text)
    known = registry.load() if known is None else known
    for id in store.index():
        if id in known.experiments:
            enter(id, known, day)
    found = records(known)
    changed = [
        root / "results" / "claims" / f"{lesson}.json"
        for lesson, mine in by_lesson(found.values()).items()
        if ledger.write(root / "results" / "claims", lesson, mine)
    ]
    for path, text in _wanted(root, found).items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            files.write(path, text)
            changed.append(path)
    return changed


def enter(id: str, known: Registry, day: str | None = None) -> bool:
    """Add a line to ``registrations.csv`` for a stored experiment that is new, has other arrays or another wording.

    What was registered before stands in ``results/registered.json``, from which the changed fields are read.

    Returns
    -------
    bool
        Whether a line was added.
    """
    root, entry = paths.checkout(), store.index().get(id)
    if root is None or entry is None or known.experiments[id].lesson == registry.MINE:
        return False
    if entry.registration != known.registration(id):
        return False
    kept = root / "results" / "registered.json"
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    now = {"registered": known.document(id), "wording": known.wording(id)}
    changes = "; ".join(registry.changed(before[id], now)) if id in before else "new"
    path = root / "results" / "registrations.csv"
    if not changes and draws.is_last(path, id, entry.registration, entry.arrays):
        return False  # before anything is judged
    arrays_of = reader(known)
    mine = [judging.judge_claim(claim, arrays_of) for claim in known.claims_on(id)]
    day = day or datetime.date.today().isoformat()
    draw = draws.Draw(day, id, entry.registration, changes, entry.arrays, draws.verdicts(mine))
    added = draws.register(path, draw)
    if changes:
        before[id] = now
        text = json.dumps(before, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        files.write(kept, text)
    return added


def differences(known: Registry | None = None) -> list[str]:
    """Compute every verdict, table and number again; return what differs from what is published, a line each."""
    root = paths.checkout()
    known = registry.load() if known is None else known
    if root is None:
        return ["there is no checkout to compare with"]
    found = records(known)
    published = ledger.load(root / "results" / "claims")
    lines = [f"claim {id}: not in results/claims" for id in found if id not in published]
    lines += [
        f"claim {id}: in results/claims, not registered" for id in published if id not in found
    ]
    lines += [
        f"claim {id}: {published[id].verdict} is published, {one.verdict} follows from the store"
        if published[id].verdict != one.verdict
        else f"claim {id}: wording or numbers differ from what follows from registration and store"
        for id, one in found.items()
        if id in published and published[id].to_json() != one.to_json()
    ]
    try:
        wanted = _wanted(root, found)
    except ValueError as error:  # a mark that names nothing
        wanted = {}
        lines.append(str(error))
    for path, text in wanted.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            lines.append(
                f"{path.relative_to(root)} is not what the results say: run `make experiments`"
            )
    for place, text in texts(root).items():
        lines += [f"{place}: {stale}" for stale in show.stale_findings(text, found)]
    lines += _unaccounted(root, known)
    return lines


def _unaccounted(root: Path, known: Registry) -> list[str]:
    """Return a line for each registered experiment that is not stored as registered, or whose draw is not on record."""
    drawn = draws.lines(root / "results" / "registrations.csv")
    on_record = {(one.experiment, one.hash, one.arrays) for one in drawn}
    kept, lines = store.index(), []
    for id, one in known.experiments.items():
        if one.lesson == registry.MINE:
            continue
        state = store.state(id, known.registration(id), None)
        if state in ("missing", "foreign"):
            lines.append(f"experiment {id}: its replicates are {state}; run `make experiments`")
        elif (id, kept[id].registration, kept[id].arrays) not in on_record:
            lines.append(f"experiment {id}: its draw is not in results/registrations.csv")
    return lines


def failed_controls(found: Iterable[Record]) -> list[ControlResult]:
    """Return the controls that failed."""
    return [control for one in found for control in one.controls if not control.passed]

"""The results page says of each claim of the first edition, exactly once, what became of it; and counts right."""

import json
import pathlib
import re
import tomllib
from collections import Counter

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Where the first edition's 81 claims went", 1)[1]
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
OLD = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))["claims"]
    for path in sorted((ROOT / "results" / "first_edition" / "claims").glob("*.json"))
}
KINDS = {"`": "successor", "withdrawn: ": "withdrawn"}


def kind_of(fate):
    """Return what became of a claim, by how its cell begins."""
    return next(kind for start, kind in KINDS.items() if fate.startswith(start))


def test_every_old_claim_stands_exactly_once_in_the_old_order():
    tables = re.split(r"^### First edition's ", SECTION, flags=re.MULTILINE)[1:]
    assert {text.split("\n", 1)[0]: [row[0] for row in ROW.findall(text)] for text in tables} == {
        name: [claim["id"] for claim in claims] for name, claims in OLD.items()
    }
    named = Counter(row[0] for row in ROW.findall(SECTION))
    assert len(named) == 81
    assert set(named.values()) == {1}
    assert SECTION.count("\n| `") == 81  # no line of a table that the pattern does not know


def test_the_verdicts_are_those_of_the_first_edition():
    then = {id: verdict for id, verdict, _ in ROW.findall(SECTION)}
    for claim in (claim for claims in OLD.values() for claim in claims):
        assert re.split(r"[ ;]", then[claim["id"]])[0] == claim["verdict"], claim["id"]


def test_every_successor_is_registered():
    files = sorted((ROOT / "claims").glob("[0-9][0-9]_*.toml"))
    registered = [tomllib.loads(path.read_text("utf-8")) for path in files]
    ids = {claim["id"] for one in registered for claim in one["claim"]}
    fates = {id: fate for id, _, fate in ROW.findall(SECTION)}
    successors = [re.match(r"`([^`]+)`: ", f) for f in fates.values() if kind_of(f) == "successor"]
    named = [match[1] for match in successors]
    assert len(named) == len(set(named)) > 0
    assert set(named) <= ids


def test_the_counts_are_right_and_sum_to_81():
    kinds = Counter(kind_of(fate) for _, _, fate in ROW.findall(SECTION))
    assert SECTION.rstrip().splitlines()[-1] == (
        f"Of 81 claims, {kinds['successor']} have a successor here and {kinds['withdrawn']} are withdrawn."
    )
    assert sum(kinds.values()) == 81


def test_the_generated_part_has_its_two_marks_before_the_tables():
    begin, end = "<!-- claims:begin -->", "<!-- claims:end -->"
    assert PAGE.count(begin) == PAGE.count(end) == 1
    assert PAGE.index(begin) < PAGE.index(end) < PAGE.index(SECTION)

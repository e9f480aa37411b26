"""One page for each claim, from its registration, its record and the stored replicates; and their index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from helpers.claims import _words, judging, replicates, show, verdict
from helpers.claims.entries import Claim, Setting
from helpers.claims.ledger import Measured, SettingResult
from helpers.experiments import judge
from tools.site import files, histogram, numbers
from tools.site.claim_records import (
    TOP,
    Known,
    cell,
    code_of,
    experiments,
    load,
    registered,
    verdicts_link,
)

__all__ = ["figure", "index", "load", "page", "write"]

# What a card begins with stands above it on these pages, and why a claim was withdrawn below it.
ABOVE_CARD = re.compile(
    r'<div style="opacity:.8">.*?</div><div style="margin:2px 0 8px">.*?</div>|<div>Withdrawn: .*?</div>'
)
ROLES = {
    "source": "a sentence of a source",
    "literature": "a result of a paper",
    "ours": "a question of ours",
}
WHOSE = {"source": "a source's", "literature": "a paper's", "ours": "ours"}


def page(id: str, known: Known) -> str:
    """Return the page of one claim, in Markdown."""
    claim, record = known.registry.claims[id], known.records[id]
    parts = [
        f"---\norphan: true\n---\n# {record.statement}",
        _origin(record),
        _raw(ABOVE_CARD.sub("", show.card(record)._repr_html_())),
        _withdrawn(record, known),
        "## Every replicate",
        *_replicates(claim, record, known),
        *_gates(record),
        *_controls(record),
        *_elsewhere(record),
        *_again(record, known.again.get(id)),
        "## What was registered before the data",
        registered(claim, record, known),
        "## Code, and how to run it again",
        _not_the_claims_own(claim),
        *(code_of(id, known) for id in experiments(claim)),
        _neighbours(id, known),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _raw(text):
    return f"```{{raw}} html\n{text}\n```"


def lesson_link(lesson: str) -> str:
    """Return the link from a claim's page to its lesson."""
    return f"[Lesson {int(lesson[:2])}]({TOP}notebooks/{lesson}.ipynb)"


def _origin(record):
    """Return who says so, in which words, and where it is taught."""
    where = lesson_link(record.lesson)
    where += "" if record.in_lesson else " · stands in the results only"
    if record.role == "ours" or not record.source:
        return f"{where} · {ROLES[record.role]}"
    quote = f"> “{record.words}”\n>\n> — " if record.words else "> "
    who = _words.who(record)
    cited = f"{who} {{cite:p}}`{record.source}`"
    if who not in _words.WHO.values():  # a paper, whose citation names it
        cited = f"{{cite:t}}`{record.source}`"
    return f"{quote}{cited}\n\n{where} · {ROLES[record.role]}"


def _withdrawn(record, known):
    """Return why a claim was withdrawn; ids of others are their sentences, as links."""
    if not record.withdrawn:
        return ""
    text = re.sub(
        r"[a-z0-9-]+/[a-z0-9-]+",
        lambda found: _sentence_of(found[0], known) if found[0] in known.records else found[0],
        record.withdrawn,
    )
    return f":::{{warning}}\nThis claim was withdrawn: {text}.\n:::"


def _sentence_of(id, known):
    return f"[“{known.records[id].statement.rstrip('.')}”]({TOP}{numbers.page(id)}.md)"


def _not_the_claims_own(claim):
    """Return what to expect of the code below where the claim's own data are not here."""
    if any(one.experiment for one in claim.main):
        return ""
    if not experiments(claim):
        return "The data are not here, so there is nothing to run."
    return "The data of the sentence itself are not here. What follows belongs to *Elsewhere*."


# ------------------------------------------------------------------------------------- replicates


def _replicates(claim, record, known):
    """Return a histogram for each quantity that decides."""
    found = []
    for setting, result in zip(claim.main, record.main, strict=True):
        arrays = known.arrays_of(setting.experiment) if setting.experiment else None
        for quantity, measured in zip(claim.quantities(setting), result.parts, strict=True):
            name = ", ".join(x for x in (result.name, measured.name) if x)
            found.append(figure(claim, quantity, measured, arrays, name))
    return found


def figure(
    claim: Claim, quantity: Setting, measured: Measured, arrays: dict | None, name: str = ""
) -> str:
    """Return the histogram of one quantity with its caption, in Markdown."""
    title = f"**{name[:1].upper()}{name[1:]}.** " if name else ""
    if arrays is None or measured.interval is None:
        return f"{title}There are no replicates to show: {_words.result(measured)}."
    values = replicates.effects(claim, quantity, arrays)
    what = _what(measured)
    share = (
        f" {measured.one_run:.0%} of them".replace("%", " %")
        if measured.one_run is not None
        else ""
    )
    agree = f"{share} lie, each alone, where the sentence is true." if share else ""
    if measured.region is None:
        agree = f"{share} are an instance."
    text = f"{len(values):,} replicates: {what}.{agree}"
    found = _words.result(measured)
    text += f" Result: {found}{' (estimate and 99 % interval)' if '[' in found else ''}."
    code = f" From `{quantity.values}`" + (
        f" and `{quantity.baseline}`" if quantity.baseline else ""
    )
    inside = np.array([judging.one_run(claim, quantity, one) == 1 for one in values[:, None]])
    drawing = histogram.svg(measured, values, inside, f"{name + ': ' if name else ''}{text}")
    box = f'<div class="replicates">{drawing}</div>'
    return f"{title}{text}{code}.\n\n{_raw(box)}"


def _what(measured):
    return {
        "mean": "the value of each",
        "mean difference": "the difference in each pair",
        "ratio": "the ratio in each pair, on a log scale",
        "proportion": "how many say yes",
        "difference of proportions": "by pair: only the first (100), both or neither (0), only the second (-100)",
        "rank correlation": "the rank correlation within each data set",
        "": "the value of each draw",
    }[measured.statistic]


# --------------------------------------------------------------------- gates, controls, elsewhere


def _gates(record):
    rows = [
        (", ".join(x for x in (setting.name, part.name) if x), gate, part)
        for setting in record.main
        for part in setting.parts
        for gate in part.gates
    ]
    if not rows:
        return []
    several = len({name for name, _, _ in rows}) > 1
    lines = [
        f"- {f'*{name}:* ' if several and name else ''}{_words.asked_and_answered(gate)}"
        f"{'' if gate.passed else _failed(part)}"
        for name, gate, part in rows
    ]
    return [
        f"## Could it have come out?\n\n{verdicts_link('Gates')} ask that before a verdict counts.",
        "\n".join(dict.fromkeys(lines)),
    ]


def _failed(part):
    """Return that a gate fails, and why a verdict stands that stands all the same."""
    if part.word == verdict.NOT_TESTABLE:
        return " **It fails.**"
    why = "what it guards was found all the same"
    if part.detail == "reversed":
        why = "the effect goes the other way, which needs no gate"
    return f" **It fails**, yet *{part.word}* stands: {why}."


def _controls(record):
    if not record.controls:
        return []
    lines = [
        f"- *{one.kind}* ({'passed' if one.passed else '**failed**'}): {one.statement} "
        f"{one.answer[:1].upper()}{one.answer[1:]}. (`{one.experiment}`)"
        for one in record.controls
    ]
    return [
        "## Controls\n\nExperiments whose outcome is known, or must follow if a cause is right.",
        "\n".join(lines),
    ]


def _elsewhere(record):
    if not record.elsewhere:
        return []
    lines = ["| setting | true if | result | verdict |", "| --- | --- | --- | --- |"]
    lines += [_row(one) for one in record.elsewhere]
    return [
        "## Elsewhere\n\nThe same sentence in other settings. They do not decide.",
        "\n".join(lines),
    ]


def _again(record, row):
    """Return what other master seeds say, where they were trained."""
    if not row or not row["pooled_n"] or record.deciding.interval is None:
        return []
    numbers = {name: float(row[f"pooled_{name}"]) for name in ("estimate", "low", "high")}
    together = replace(record.deciding.interval, n=int(row["pooled_n"]), **numbers)
    text = _words.result(replace(record.deciding, interval=together))
    seeds = len(row["seeds"].split())
    return [
        f"## Under other master seeds\n\n{seeds} other seeds, each with new data, weights and orders and with fewer "
        f"replicates, say together: {text}; n = {together.n:,}; *{row['pooled']}*."
    ]


def _row(setting: SettingResult):
    several = len(setting.parts) > 1
    name = [f"{part.name}: " if several and part.name else "" for part in setting.parts]
    asked = "<br>".join(f"{a}{_words.asked(p)}" for a, p in zip(name, setting.parts, strict=True))
    result = "<br>".join(f"{a}{_words.result(p)}" for a, p in zip(name, setting.parts, strict=True))
    cells = (setting.name, asked, result, f"{_words.MARK[setting.word]} {setting.word}")
    return "| " + " | ".join(map(cell, cells)) + " |"


def _neighbours(id, known):
    """Return the links at the end: other claims on the same replicates, and the way back."""
    claim = known.registry.claims[id]
    same = [
        other
        for other, one in known.registry.claims.items()
        if other != id and other in known.records and set(one.experiments) & set(claim.experiments)
    ]
    links = "\n".join(
        f"- [{_words.MARK[known.records[x].word]} {known.records[x].statement}]({TOP}{numbers.page(x)}.md)"
        for x in same
    )
    back = f"[All claims]({TOP}claims/index.md) · {lesson_link(claim.lesson)}"
    return (f"## Other claims on these replicates\n\n{links}\n\n" if same else "") + back


# ------------------------------------------------------------------------------------------- index


def index(known: Known, titles: Mapping[str, str]) -> str:
    """Return the page that lists all claims by lesson.

    Parameters
    ----------
    known : Known
        From `load`.
    titles : dict of str to str
        The title of each lesson.
    """
    parts = [
        "# All claims",
        show.headline(known.records.values()),
        "Each sentence leads to its page: every replicate, what was registered, the controls, the code. "
        "[How a verdict comes about](../docs/verdicts.md). "
        "In small print: the result with its 99 % interval, and what would make the sentence true. Then whose it is: "
        "a *source's*, a *paper's* or *ours*, and whether it stands in the *results only*, not in the lesson.",
    ]
    for lesson, mine in judge.by_lesson(known.records.values()).items():
        parts.append(f"## {titles[lesson]}")
        parts.append(f"[The lesson](../notebooks/{lesson}.ipynb)")
        lines = "\n".join(_listed(one) for one in mine)
        parts.append(f":::{{rst-class}} claim-list\n:::\n\n{lines}")
    return "\n\n".join(parts) + "\n"


def _listed(record):
    """Return a claim's entry in the index."""
    found, asked = _words.result(record.deciding), _words.asked(record.deciding)
    found = found.replace("[", "\\[").replace("]", "\\]")
    whose = f"{WHOSE[record.role]}{'' if record.in_lesson else ', results only'}"
    word = f"{_words.MARK[record.word]} {record.word}" + (
        " (withdrawn)" if record.withdrawn else ""
    )
    line = f"[{found}; true if {asked} · *{whose}*]{{.claim-result}}"
    return f"- **{word}** [{record.statement}]({record.id}.md) {line}"


def write(folder: Path, known: Known, titles: Mapping[str, str]) -> int:
    """Write all pages below a folder; return how many claims there are."""
    for id in known.records:
        files.renew(folder / f"{numbers.page(id)}.md", page(id, known))
    files.renew(folder / "claims" / "index.md", index(known, titles))
    return len(known.records)

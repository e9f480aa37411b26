"""What a reader sees of a claim: the ruler card, a line of the table, the headline, a number in a text."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import scipy.stats

from helpers.claims import _ruler, _words, verdict
from helpers.claims.ledger import Measured, Record
from helpers.stats import LEVEL

__all__ = [
    "Card",
    "brief_table",
    "by_verdict",
    "card",
    "examples",
    "fill_numbers",
    "headline",
    "number",
    "stale_findings",
    "stale_numbers",
    "table",
]

STYLE = (
    "border:1px solid rgba(128,128,128,.45);border-radius:6px;padding:10px 16px;margin:12px 0;"
    "max-width:680px;line-height:1.4;overflow-wrap:anywhere"
)
FIELDS = ("estimate", "low", "high", "n", "share")
FEW = 3  # parts that a closing table shows one by one
MARKED = re.compile(
    r"(?P<number>\?|(?<![\d.,])[-−+]?\d[\d,.]*(?:e[-+]?\d+)?(?: ?%)?)"
    r"<!-- (?P<claim>\S+/\S+) (?P<field>\S[^>]*?) (?P<format>[^\s>]+) -->"
)

FINDING = re.compile(r"<!-- (\S+/\S+?)(?:, ([^>]+?))? is ([a-z ]+?) -->")


# ------------------------------------------------------------------------------------------- cards


@dataclass(frozen=True)
class Card:
    """The ruler of one record, as HTML, Markdown and plain text.

    Parameters
    ----------
    record : Record
        What is shown.
    link : str
        Where the experiment stands; empty for no link.
    """

    record: Record
    link: str = ""

    def _repr_html_(self):
        one = self.record
        words = quoted(one)
        quote = f": <q>{html.escape(words)}</q>" if words else ""
        link = ""
        if self.link:
            link = f' · <a href="{html.escape(self.link)}">the experiment</a>'
        more = "".join(f"<div>{html.escape(_sentence(text))}</div>" for text in _words.beside(one))
        return (
            f'<div class="claim" style="{STYLE}">'
            f'<div style="opacity:.8">{html.escape(_words.who(one))}{quote}</div>'
            f'<div style="margin:2px 0 8px"><b>{html.escape(one.statement)}</b></div>'
            f"{_ruler.rulers(_rows(one), alternative(one))}{_without_ruler(one)}"
            f'<div style="margin-top:4px"><b>{_words.MARK[one.word]} {_words.spoken(one)}</b>: '
            f"{html.escape(_words.why(one))}.</div>{more}"
            f'<div style="opacity:.8;font-size:92%">{html.escape(_small(one))}{link}</div></div>'
        )

    def _repr_markdown_(self):
        one = self.record
        quote = f': "{quoted(one)}"' if quoted(one) else ""
        lines = [
            f"> {_words.who(one)}{quote}",
            f"> **{one.statement}**",
            *(f"> {text}" for text in _results(one)),
            f"> **{_words.MARK[one.word]} {_words.spoken(one)}**: {_words.why(one)}.",
            *(f"> {_sentence(text)}" for text in _words.beside(one)),
            f"> {_small(one)}",
        ]
        return "  \n".join(lines)

    def __str__(self):
        one = self.record
        quote = f': "{quoted(one)}"' if quoted(one) else ""
        lines = [
            f"{_words.who(one)}{quote}",
            one.statement,
            *_results(one),
            f"{_words.MARK[one.word]} {_words.spoken(one)}: {_words.why(one)}.",
            *(_sentence(text) for text in _words.beside(one)),
            _small(one),
        ]
        return "\n".join(lines)


def card(record: Record, link: str = "") -> Card:
    """Return the card of a record; Jupyter shows it as HTML, GitHub as Markdown, a terminal as text."""
    return Card(record, link)


def quoted(record: Record) -> str:
    """Return the words that a card shows: a source's, if they are judged; not those that led to a question of ours."""
    return "" if record.role == "ours" else record.words


def alternative(record: Record) -> str:
    """Return the text alternative of a ruler: everything that it shows."""
    rows = ". ".join(_results(record))
    return f"{record.statement} {_words.spoken(record)}: {_words.why(record)}. {rows}."


def by_verdict(record: Record, texts: Mapping[str, str]) -> str:
    """Return the text for a record's verdict: for titles and alternatives that state a finding.

    Parameters
    ----------
    record : Record
        Whose verdict chooses.
    texts : dict of str to str
        By word of `verdict.WORDS`, or ``"word (detail)"``, which goes first; ``"otherwise"`` for all others.

    Raises
    ------
    ValueError
        Where no text fits, so that a finding is never stated by default.
    """
    for key in (str(record.verdict), record.word, "otherwise"):
        if key in texts:
            return texts[key]
    raise ValueError(
        f"Argument `texts` has none for {record.verdict!s} ({record.id}). Received: "
        f'{", ".join(texts)}. Add it, or "otherwise".'
    )


def _rows(record):
    """Return a ruler's rows: each main setting and part, named where there are several."""
    several = len(record.main) > 1
    return [
        _ruler.Row(", ".join(x for x in (one.name if several else "", part.name) if x), part)
        for one in record.main
        for part in one.parts
    ]


def _results(record):
    return [
        f"{row.name + ': ' if row.name else ''}{_words.result(row.measured)}; "
        f"true if {_words.asked(row.measured)}{_none(row.measured)}"
        for row in _rows(record)
    ]


def _none(measured):
    none = _ruler.none_of(measured)
    if none is None:
        return ""
    name = _words.name_of_none(measured.statistic, measured.shape)
    return f"; {name} is {_words.number(none, measured.statistic, measured.unit)}"


def _reference(measured):
    """Return what a table says of a value at which nothing is left of the sentence, where one was registered."""
    return "" if measured.reference is None or measured.shape == "direction" else _none(measured)


def _without_ruler(record):
    """Return the result in words where there is no region to draw."""
    rows = [row for row in _rows(record) if row.measured.region is None]
    texts = (f"{row.name + ': ' if row.name else ''}{_words.result(row.measured)}" for row in rows)
    return "".join(f"<div>{html.escape(text)}</div>" for text in texts)


def _sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _small(record):
    """Return the last line: the gates' questions and answers, and n."""
    said = record.word == verdict.NOT_TESTABLE  # a gate that failed is named as the reason
    shown = (gate for gate in record.gates if gate.passed or not said)
    gates = dict.fromkeys(_words.asked_and_answered(gate) for gate in shown)
    n = f"n = {record.n:,}" if record.n else "no data"
    return " · ".join([*gates, n])


# ------------------------------------------------------------------------------------------- table


def table(records: Iterable[Record], draws: Callable[[str], int] | None = None) -> str:
    """Return the Markdown table of claims.

    Parameters
    ----------
    records : iterable of Record
        In the order shown.
    draws : function or None
        Takes an experiment's id, returns how many draws are on record (`draws.count`); shown where above one.
    """
    head = "| sentence | true if | result | n | verdict | role |\n| --- | --- | --- | --- | --- | --- |"
    return "\n".join([head, *(_line(record, draws) for record in records)])


def brief_table(records: Iterable[Record]) -> str:
    """Return the table that closes a lesson: of each claim the quantity that decided, without its interval.

    Where several settings or parts are asked the same, it shows from where to where their results reach.

    Parameters
    ----------
    records : iterable of Record
        In the order shown.
    """
    lines = ["| sentence | true if | result | verdict |", "| --- | --- | --- | --- |"]
    for record in records:
        asked, result = _brief(record)
        mark = f"{_words.MARK[record.word]} {record.word}"
        cells = (record.statement, asked, result, mark)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _brief(record):
    """Return what is asked, and the result: of few parts all, from where to where if all are asked the same."""
    if record.detail == "reading":
        return f"true in all of {len(record.main)} readings", "they differ"
    one, rows = record.deciding, _rows(record)
    asked, named = _words.asked(one), [row for row in rows if row.measured.interval is not None]
    kinds = {(_words.asked(row.measured), row.measured.statistic) for row in rows}
    if len(named) == len(rows) > 1 and len(kinds) == 1:
        ends = sorted(row.measured.interval.estimate for row in rows)
        low, high = (_words.number(end, one.statistic, one.unit) for end in (ends[0], ends[-1]))
        return asked, low if low == high else f"{low.removesuffix(' %')} to {high}"
    if not 1 < len(named) <= FEW:
        where = f"{one.name}: " if one.name and len(rows) > 1 else ""
        return f"{where}{asked}", _words.result(one).partition(" [")[0]
    asks = (f"{row.name}: {_words.asked(row.measured)}" for row in named)
    results = (_words.result(row.measured).partition(" [")[0] for row in named)
    return "; ".join(asks), "; ".join(results)


def _line(record, draws):
    rows = _rows(record)
    quote = f' ({_words.who(record)}: "{quoted(record)}")' if quoted(record) else ""
    name = [f"{row.name}: " if row.name else "" for row in rows]
    asked = [_words.asked(row.measured) + _reference(row.measured) for row in rows]
    results = [_words.result(row.measured) for row in rows]
    beside = _words.beside(record)
    most = max((draws(one) for one in record.experiments), default=0) if draws else 0
    beside += [f"draw number {most}"] if most > 1 else []
    shown = f"**{_words.spoken(record)}**" + (f" ({record.detail})" if record.detail else "")
    role = "ours, " if record.role == "ours" else "literature, " if record.role != "source" else ""
    cells = [
        f'<a id="{record.id}"></a>{record.statement}{quote}',
        "<br>".join(f"{a}{b}" for a, b in zip(name, asked)),
        "<br>".join(f"{a}{b}" for a, b in zip(name, results)),
        f"{record.n:,}",
        "; ".join([shown, *beside]),
        role + _words.standing(record),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def headline(records: Iterable[Record]) -> str:
    """Return the count of verdicts: of the sources' claims only, withdrawn ones included.

    It says how many distinct experiments stand behind them, and how many may be wrong by chance: at most so many that
    more would be seen in less than one of twenty such tables.
    """
    records = list(records)
    found = [record for record in records if record.role == "source"]
    others = len(records) - len(found)
    if not found:
        return "No claim of the sources has been tested yet."
    counts = Counter(record.word for record in found)
    words = ", ".join(f"{counts[word]} {word}" for word in verdict.WORDS if counts[word])
    experiments = {name for record in found for name in record.experiments}
    withdrawn = sum(bool(record.withdrawn) for record in found)
    decided = sum(counts[word] for word in verdict.WORDS[:3])
    text = f"Of {_many(len(found), 'claim')} of the sources: {words}"
    text += f" ({withdrawn} of them withdrawn)." if withdrawn else "."
    text += f" Behind them stand {_many(len(experiments), 'distinct experiment')}."
    if decided:
        text += f" Intervals are at 99 %: of {_many(decided, 'decided verdict')} "
        text += f"{_by_chance(decided)} may be wrong by chance."
    if others:
        text += f" Not counted here: {_many(others, 'claim')} of other papers or our own."
    return text


def _many(count, noun):
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _by_chance(count):
    most = max(1, int(scipy.stats.binom.ppf(0.95, count, 1 - LEVEL)))
    return {1: "one", 2: "one or two"}.get(most, f"up to {most}")


# ------------------------------------------------------------------------------- numbers in a text


def number(record: Record, field: str, style: str) -> str:
    """Return a number of a record as it stands in a text.

    Parameters
    ----------
    record : Record
        Whose number.
    field : str
        estimate, low, high, n or share (of single replicates that would have said yes), of what decided; before it
        the name of a part, of a setting, or of both, for example ``"ridge estimate"``.
    style : str
        A format of Python, for example ``".0f"``; ``".0%"`` gives percent, with a space.

    Raises
    ------
    ValueError
        Where the record has no such part, setting or number.

    Examples
    --------
    >>> number(examples()[0], "estimate", ".2f"), number(examples()[0], "share", ".0%")
    ('0.52', '71 %')
    """
    *name, last = field.split()
    measured = _named(record, " ".join(name))
    found = measured.interval
    if last not in FIELDS or (found is None and last != "share"):
        raise ValueError(
            f"Argument `field` must end in one of {', '.join(FIELDS)} of {record.id}. "
            f"Received: {field!r}; result: {_words.result(measured)}."
        )
    value = measured.one_run if last == "share" else getattr(found, last)
    if value is None:
        raise ValueError(f"Argument `field`: {record.id} has no {last}. Received: {field!r}.")
    return format(value, style).replace("%", " %")


def _named(record: Record, name: str) -> Measured:
    if not name:
        return record.deciding
    known = {}
    for setting in (*record.main, *record.elsewhere):
        known.setdefault(setting.name, setting.deciding)
        for part in setting.parts:
            known.setdefault(" ".join(x for x in (setting.name, part.name) if x), part)
            if setting is record.main[0]:
                known.setdefault(part.name, part)
    if name not in known:
        names = ", ".join(one for one in known if one) or "none"
        raise ValueError(
            f"Argument `field`: {record.id} has no part or setting {name!r}. There are: {names}."
        )
    return known[name]


def fill_numbers(text: str, records: Mapping[str, Record]) -> str:
    """Return a text with every number before ``<!-- claim-id field format -->`` as the records have it.

    Parameters
    ----------
    text : str
        Markdown. A number that is not known yet is written ``?``.
    records : dict of str to Record
        By claim id, for example from `ledger.load`.

    Raises
    ------
    ValueError
        Where a mark names a claim or number that is not there.

    Examples
    --------
    >>> fill_numbers("by ?<!-- post/x estimate .1f -->", {"post/x": examples()[0]})
    'by 0.5<!-- post/x estimate .1f -->'
    """
    return MARKED.sub(lambda found: _filled(found, records), text)


def _filled(found, records):
    name, field, style = found["claim"], found["field"], found["format"]
    if name not in records:
        raise ValueError(
            f"No claim {name!r} is recorded, which a number in the text names. Mend the id."
        )
    mark = found[0][len(found["number"]) :]
    known = _named(records[name], " ".join(field.split()[:-1])).interval is not None
    return (number(records[name], field, style) if known else "?") + mark


def stale_numbers(text: str, records: Mapping[str, Record]) -> list[str]:
    """Return a sentence for each marked number that differs from the records, names nothing, or lacks its number."""
    stale = []
    for found in MARKED.finditer(text):
        try:
            right = _filled(found, records)
        except ValueError as error:
            stale.append(f"{found[0]}: {error}")
            continue
        if right != found[0]:
            stale.append(f"{found[0]}: the records say {right.split('<!--')[0]}")
    read = {found.end() for found in MARKED.finditer(text)}
    for mark in re.finditer(r"<!-- \S+/\S+ [^>]*\b(?:estimate|low|high|n|share) \S+ -->", text):
        if mark.end() not in read:
            stale.append(f"{mark[0]}: no number stands before it; write ? there")
    return stale


def stale_findings(text: str, records: Mapping[str, Record]) -> list[str]:
    """Return a sentence for each ``<!-- claim-id is verdict -->`` that the records do not bear out.

    ``<!-- claim-id, part is verdict -->`` rests on one of several parts alone.

    Such a mark stands beside a heading or sentence that states a finding, so that it cannot outlive the verdict.

    Examples
    --------
    >>> stale_findings("## It helps <!-- post/x is open -->", {"post/x": examples()[0]})
    ['post/x is supported; a text rests on its being open']
    """
    stale = []
    for found in FINDING.finditer(text):
        name, part, word = found.groups()
        if name not in records:
            stale.append(f"{name} is not recorded; a text rests on it")
            continue
        right = _named(records[name], part).word if part else records[name].word
        if right != word:
            stale.append(f"{name} is {right}; a text rests on its being {word}")
    return stale


# ---------------------------------------------------------------------------------------- examples


def examples() -> tuple[Record, ...]:
    """Return five made-up records, one for each verdict: for the glossary, lesson 00 and the worksheets.

    Examples
    --------
    >>> [str(record.verdict) for record in examples()][:2]
    ['supported', 'weaker than stated']
    """
    from helpers.claims import _examples

    return _examples.five()

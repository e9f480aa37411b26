"""How records are shown: numbers, Markdown tables, cards for notebooks, the README's table, citations.

Works on records as `claims.Ledger` makes them and `load` reads them; computes nothing about a claim.
"""

from __future__ import annotations

import html
import json
import math
import numbers
import re
from dataclasses import dataclass, field
from pathlib import Path

from helpers import stats
from helpers._base import checks
from helpers._first_edition._claim import REPLICATES

SYMBOLS = {"supported": "✓", "contradicted": "✗", "inconclusive": "≈", "quick": "…"}
# Okabe-Ito blue and vermilion, greys
COLOURS = {
    "supported": "#0072B2",
    "contradicted": "#D55E00",
    "inconclusive": "#595959",
    "quick": "#8C8C8C",
}


def load(folder):
    """Read the records of every ledger in a folder.

    Parameters
    ----------
    folder : path
        Holds ``NOTEBOOK.json`` files.

    Returns
    -------
    list of dict
        Records by notebook name, then in order of registration; empty for a folder without ledgers.

    Raises
    ------
    ValueError
        For a missing folder, another schema, or an id that two notebooks share.
    """
    folder = checks.folder("folder", folder)
    if not folder.is_dir():
        raise ValueError(checks.message("folder", "an existing folder of ledgers", str(folder)))
    records, seen = [], {}
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # cut off, or no JSON at all
            content = None
        found = (
            content.get("claims")
            if isinstance(content, dict) and content.get("schema") == 1
            else None
        )
        if not isinstance(found, list) or not all(
            isinstance(record, dict) and "id" in record for record in found
        ):
            raise ValueError(
                f"{path.name} must be a ledger of schema 1. Run its notebook again, or move it away."
            )
        for record in found:
            if record["id"] in seen:
                raise ValueError(
                    f"Claim {record['id']} is in both {seen[record['id']]} and {path.name}. Rename one."
                )
            seen[record["id"]] = path.name
            records.append(record)
    return records


def format_number(value, decimals=None, digits=3):
    """Return a number as a reader wants it.

    Parameters
    ----------
    value : float or None
        None reads as a dash.
    decimals : int or None
        Places after the point, 6 at most (negative rounds to tens, ...); None shows `digits` significant digits.
    digits : int
        Significant digits where `decimals` is None.

    Returns
    -------
    str
        With thousands separated; scientific below 1e-4 and from 1e9. Never "-0".
    """
    if value is None:
        return "–"
    if not isinstance(value, numbers.Real):
        raise TypeError(checks.message("value", "a number or None", value))
    value = float(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == 0:
        return f"{0:.{max(0, decimals or 0)}f}"
    power = math.floor(math.log10(abs(value)))
    if decimals is None:
        if power < -4 or power >= 9:
            return f"{value:.{digits - 1}e}"
        decimals = digits - 1 - power
    elif power >= 9 or (power < -4 and decimals > 6):
        return f"{value:.{max(0, min(power + decimals, 6))}e}"
    decimals = min(decimals, 6)
    value = round(value, decimals)
    return f"{value if value else 0.0:,.{max(0, decimals)}f}"


def format_interval(estimate, low=None, high=None, unit=""):
    """Return ``"estimate [low, high] unit"`` with two significant digits of the half-width.

    ``estimate`` may be a `stats.Interval`, which brings its ends along.
    """
    if isinstance(estimate, stats.Interval):
        estimate, low, high = estimate.estimate, estimate.low, estimate.high
    if low is None:
        return "–" if estimate is None else f"{format_number(estimate)} {unit}".strip()
    half = (high - low) / 2
    decimals = 1 - math.floor(math.log10(half)) if half > 0 else None
    estimate, low, high = (format_number(x, decimals) for x in (estimate, low, high))
    return f"{estimate} [{low}, {high}] {unit}".strip()


def _number(record):
    return format_interval(record["estimate"], record["ci_low"], record["ci_high"], record["unit"])


def _numbers(record):
    """Return the number of each setting with its name, or the only one."""
    if not record["settings"]:
        return _number(record)
    return "; ".join(
        f"{part['name']}: {_number(part | {'unit': record['unit']})}" for part in record["settings"]
    )


def _cell(text):
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _judged(record):
    detail = f" ({record['detail']})" if record["detail"] else ""
    return f"{SYMBOLS[record['verdict']]} {record['verdict']}{detail}"


def table(records):
    """Return a Markdown table of records.

    Parameters
    ----------
    records : list of dict
        From `Ledger.records` or `load`.

    Returns
    -------
    str
        One row per record: id, statement with the source's words, estimate with its 99 % interval and unit, n, verdict.
    """
    lines = [
        "| claim | statement | estimate [99 % interval] | n | verdict |",
        "| --- | --- | --- | ---: | --- |",
    ]
    if not isinstance(records, (list, tuple)):
        raise TypeError(checks.message("records", "a list of records", records))
    for record in map(_checked, records):
        words = f" (“{record['words']}”)" if record["words"] else ""
        count = "–" if record["n"] is None else f"{record['n']:,}"
        row = (
            f"`{record['id']}`",
            record["statement"] + words,
            _numbers(record),
            count,
            _judged(record),
        )
        lines.append("| " + " | ".join(_cell(text) for text in row) + " |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Card:
    """A record as a notebook shows it: HTML, Markdown or plain text, the same lines in each.

    Parameters
    ----------
    record : dict
        From `Ledger.record` or `load`.
    """

    record: dict = field(repr=False)

    def _lines(self):
        """Return (label, text) pairs."""
        r = self.record
        who = {"source": "The source", "literature": "The literature", "ours": "Ours"}[r["role"]]
        lines = [(who, (f"“{r['words']}” " if r["words"] else "") + f"({r['source']})")]
        lines.append(("Measured", f"{r['quantity']}: {_number(r)}"))
        if r["kind"] == "exact":
            return [*lines, ("Kind", "a fact or identity, tested; no interval")]
        asserted = f"{r['asserted']} {r['unit']}".strip()
        lines.append(("Holds if", f"{asserted}; {r['reason']}"))
        runs = f", {r['runs']:,} networks averaged by data set" if r["runs"] != r["n"] else ""
        redraws = REPLICATES[r["replicates_over"]]
        level = f"{100 * r['level']:g} % interval by {r['method']}"
        lines.append(("Evidence", f"n = {r['n']:,}, each redrawing the {redraws}{runs}; {level}"))
        if r["one_run_agrees"] is not None:
            lines.append(
                ("One run", f"{_percent(r['one_run_agrees'])} of single runs lie in the region")
            )
        if r["share_at_least"] is not None:
            ends = f"{_percent(r['share_ci_low'])} to {_percent(r['share_ci_high'])}"
            text = f"{_percent(r['share_with_sign'])} of replicates have the asserted sign ({ends}); asserted: at least"
            lines.append(("Share", f"{text} {_percent(r['share_at_least'])}"))
        for part in r["settings"] or ():
            number = format_interval(part["estimate"], part["ci_low"], part["ci_high"])
            lines.append((f"Setting {part['name']}", f"{number}, {part['verdict']}"))
        if r["diverged"]:
            without = format_number(r["estimate_without_diverged"])
            text = f"{r['diverged']:,} networks, counted as the trivial predictor; without them {without} {r['unit']}"
            lines.append(("Diverged", text.strip()))
        return lines

    def _repr_html_(self):
        r = self.record
        row = '<div style="margin-top:2px"><span style="color:#595959">{}:</span> {}</div>'
        rows = "".join(
            row.format(html.escape(label), html.escape(text)) for label, text in self._lines()
        )
        colour = COLOURS[r["verdict"]]
        return (
            f'<div style="border:1px solid #c8c8c8;border-left:6px solid {colour};padding:8px 12px;margin:8px 0;'
            'background:#ffffff;color:#1a1a1a;max-width:48em;line-height:1.4">'
            f"<div><b>{html.escape(_judged(r))}</b> &middot; <code>{html.escape(r['id'])}</code></div>"
            f'<div style="margin:4px 0"><b>{html.escape(r["statement"])}</b></div>{rows}</div>'
        )

    def _repr_markdown_(self):
        r = self.record
        lines = [f"> **{_judged(r)}** · `{r['id']}`", ">", f"> **{_cell(r['statement'])}**", ">"]
        return (
            "\n".join(lines + [f"> - {label}: {_cell(text)}" for label, text in self._lines()])
            + "\n"
        )

    def __str__(self):
        r = self.record
        return "\n".join(
            [
                f"{_judged(r)} · {r['id']}",
                r["statement"],
                *(f"  {a}: {b}" for a, b in self._lines()),
            ]
        )

    __repr__ = __str__


def _percent(share):
    """Return a share in per cent; 100 % and 0 % only where exactly so."""
    text = (
        f"{100 * share:.0f}" if 0.01 <= share <= 0.99 or share in (0, 1) else f"{100 * share:.1f}"
    )
    text = "> 99.9" if text == "100.0" else "< 0.1" if text == "0.0" else text
    return f"{text} %"


def card(record):
    """Return a record as an object that a notebook displays.

    Parameters
    ----------
    record : dict
        From `Ledger.record` or `load`.

    Returns
    -------
    Card
        The verdict is told by a word and a symbol, with colour only on top.
    """
    return Card(_checked(record))


def _checked(record):
    """Refuse what is not a record."""
    if not isinstance(record, dict) or "verdict" not in record:
        raise TypeError(checks.message("record", "a record from Ledger.record or load", record))
    return record


def brief(record):
    """Return a record as one sentence of Markdown, for claims that need no card where they stand.

    Parameters
    ----------
    record : dict
        From `Ledger.record` or `load`.

    Returns
    -------
    str
        Id, quantity, estimate with its interval, n and verdict.
    """
    count = "" if _checked(record)["n"] is None else f" (n = {record['n']:,})"
    colon = "," if record["settings"] else ""
    return f"`{record['id']}`: {record['quantity']}{colon} {_numbers(record)}{count}: **{_judged(record)}**."


def citations(bib_path):
    """Return the keys of a BibTeX file, in order of appearance (list of str)."""
    text = Path(bib_path).read_text(encoding="utf-8")
    entries = re.findall(r"^[ \t]*@(\w+)\s*[{(]\s*([^,\s{}]+)\s*,", text, flags=re.MULTILINE)
    return [key for kind, key in entries if kind.lower() not in ("comment", "string", "preamble")]


def missing_citations(records, bib_path):
    """Return which claims cite a key that the BibTeX file lacks.

    Parameters
    ----------
    records : list of dict or Claim
        Records or claims.
    bib_path : path
        ``references.bib``.

    Returns
    -------
    dict of str to str
        Claim id to the missing key; empty when all is well.
    """
    known = set(citations(bib_path))
    pairs = [(r["id"], r["source"]) if isinstance(r, dict) else (r.id, r.source) for r in records]
    return {id: source for id, source in pairs if source not in known}

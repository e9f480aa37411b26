"""What a claim's page says about registration and code, and what all parts of the page are made of."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from helpers.claims import _words, draws
from helpers.claims.entries import Claim
from helpers.claims.ledger import Record
from helpers.claims.registry import Registry
from helpers.experiments import judge, store
from tools.site import ROOT

TOP = "../../"  # from a claim's page to the top of the site
KINDS = {
    "estimate": "an estimate: a size and its interval decide",
    "existence": "an existence: one verified instance is enough",
    "bound": "a bound: what was measured bounds the quantity",
    "exact": "exact: every draw must agree",
}


@dataclass(frozen=True)
class Known:
    """All that the pages are made of."""

    registry: Registry
    records: Mapping[str, Record]
    arrays_of: Callable[[str], dict | None]
    drawn: tuple[draws.Draw, ...]
    kept: Mapping[str, store.Entry]
    again: Mapping[str, Mapping[str, str]]  # rows of other master seeds, by claim


def load(registry: Registry, records: Mapping[str, Record]) -> Known:
    """Read the store and the record of draws."""
    drawn = tuple(draws.lines(ROOT / "results" / "registrations.csv"))
    again = {row["claim"]: row for row in judge.other_seeds(ROOT)}
    return Known(registry, records, judge.reader(registry), drawn, store.index(), again)


def experiments(claim: Claim) -> list[str]:
    """Return the experiments of a claim: those that decide first, each once."""
    settings = [one.experiment for one in (*claim.main, *claim.elsewhere) if one.experiment]
    return list(dict.fromkeys([*settings, *sorted(claim.experiments)]))


def cell(text: object) -> str:
    """Return a text that may stand in a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def verdicts_link(text: str) -> str:
    """Return the link to the page on verdicts."""
    return f"[{text}]({TOP}docs/verdicts.md)"


def registered(claim: Claim, record: Record, known: Known) -> str:
    """Return a table of what was fixed before the data."""
    rows = [("kind", KINDS[claim.kind])]
    for setting, result in zip(claim.main, record.main, strict=True):
        for quantity, measured in zip(claim.quantities(setting), result.parts, strict=True):
            name = ", ".join(x for x in (result.name, measured.name) if x)
            rows.append((f"true if{f' ({name})' if name else ''}", _asked(quantity, measured)))
    rows += _reasons(claim)
    rows.append(("known before", claim.known or "–"))
    for id in experiments(claim):
        one = known.registry.experiments[id]
        recipe = ", ".join(f"{key} = {json.dumps(value)}" for key, value in one.recipe.items())
        settings = f"`{recipe}`" if recipe else "no settings"
        rows.append(("experiment", f"`{id}`: n = {one.n:,}; {settings}"))
        rows.append(("drawn", _drawn(id, known)))
    table = "\n".join(f"| {cell(name)} | {cell(text)} |" for name, text in rows)
    file = f"claims/{claim.lesson}.toml"
    return (
        f"| what | as registered |\n| --- | --- |\n{table}\n\nThe registration: [{file}]({TOP}{file}). "
        f"The seed of the replicates follows from it: {verdicts_link('how a verdict comes about')}."
    )


def _reasons(claim):
    """Return why each size was asked for: one row, or one for each part or setting that has a reason of its own."""
    own = {one.name: one.reason for one in (*claim.main, *claim.parts) if one.reason}
    if len(set(own.values())) > 1:
        return [
            (f"why this size{f' ({name})' if name else ''}", text) for name, text in own.items()
        ]
    return [("why this size", next(iter(own.values()), claim.reason or "–"))]


def _asked(quantity, measured):
    what = (
        f"{quantity.statistic} of `{quantity.values}`"
        if quantity.statistic
        else f"`{quantity.values}`"
    )
    what += f" against `{quantity.baseline}`" if quantity.baseline else ""
    return f"{_words.asked(measured)}: {what}"


def _drawn(id, known):
    first: dict[tuple, str] = {}
    for one in known.drawn:
        if one.experiment == id:
            first.setdefault((one.hash, one.arrays), one.date)
    dates = ", ".join(dict.fromkeys(first.values())) or "–"
    return f"{dates}; draw number {len(first)}" if len(first) > 1 else f"{dates}, once"


@cache
def source(function: str) -> str:
    """Return the source of an experiment's function, found without importing it.

    Parameters
    ----------
    function : str
        ``"module.function"`` in `helpers.experiments`.
    """
    module, name = function.split(".")
    text = (ROOT / "helpers" / "experiments" / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return "\n".join(text.split("\n")[node.lineno - 1 : node.end_lineno])
    return ""


def code_of(id: str, known: Known) -> str:
    """Return where an experiment's code stands, how to run it again, and its source, folded."""
    one, entry = known.registry.experiments[id], known.kept.get(id)
    file = f"helpers/experiments/{one.function.split('.')[0]}.py"
    took = (
        f" It took {_duration(entry.seconds)} on {entry.processor.partition(' (')[0]}."
        if entry
        else ""
    )
    lines = [
        f"`{id}` is the function `{one.function.split('.')[1]}` in `{file}`.{took}",
        f"```sh\nmake experiments ONLY={id} FRESH=1\n```",
    ]
    if _columns(id, known):
        lines.append(f'```python\nfrom helpers import experiments\n\nexperiments.load("{id}")\n```')
    folded = f"<details><summary>The function</summary>\n\n```python\n{source(one.function)}\n```\n\n</details>"
    return "\n\n".join([*lines, folded])


def _columns(id, known):
    arrays, n = known.arrays_of(id), known.registry.experiments[id].n
    return arrays is not None and any(
        np.shape(value) == (n,) for name, value in arrays.items() if name != store.CONSTANTS
    )


def _duration(seconds):
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"

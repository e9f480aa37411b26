"""Tables of TOML to entries, with every refusal; `helpers.claims.registry` calls this."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from helpers.claims import _fitting, measure, verdict
from helpers.claims._place import Where, finite
from helpers.claims.entries import (
    NO_WORDING,
    Claim,
    Control,
    Experiment,
    Gate,
    Region,
    RegistrationError,
    Setting,
)

__all__ = ["NO_WORDING", "Claim", "Control", "Experiment", "Gate", "Region", "RegistrationError"]

SOURCES = frozenset(  # the five documents that the project is about; keys of references.bib
    {"overfitting-blog", "keras-post", "generalization-thread", "huang-summary", "xor-thread"}
)
ROLES = ("source", "literature", "ours")
MOST_WORDS = 10
LEAST_N = ((0.99, 1000), (0.95, 300))  # of claims on a share of at least so much, or its complement
N_CHECK = 20  # first rows that are checked, unless registered otherwise
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_.-]*")
FUNCTION = re.compile(r"[a-z]\w*(\.[a-z]\w*)+")

QUANTITY = frozenset(
    {*("region", "reason", "values", "baseline", "statistic", "reference", "smallest")}
    | {"gates", "pilot_sd", "unit"}
)
CLAIM_KEYS = QUANTITY | {
    *("id", "kind", "source", "role", "words", "statement", "experiment", "main", "elsewhere"),
    *("parts", "known", "lesson", "withdrawn", "verified"),
}
OTHER_SETTING = frozenset(
    {"name", "experiment", "region", "reason", "values", "baseline", "gates", "pilot_sd", "unit"}
)
WITH_PARTS = frozenset({"name", "experiment"})  # what a setting may say where parts say the rest
GATE_KEYS = {
    "attainable": {"values", "baseline", "best"},
    "manipulation": {"values", "baseline", "statistic", "region", "reference"},
    "reliability": {"first", "second"},
    "selection": {"values", "baseline"},
}


def sections(file: str, table: Mapping[str, Any], controls: bool) -> None:
    """Refuse a file with sections that do not belong into it."""
    where = Where(file, "(the file)")
    where.keys(table, {"experiment", "control" if controls else "claim"})
    where.table({"experiment": {}, **table}, "experiment")
    for key in ("claim", "control"):
        where.tables(table, key)


def _lesson(file):
    return file.removesuffix(".toml")


# ------------------------------------------------------------------------------------ experiments


def experiments(file: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Experiment]]:
    """Yield the file's name and each of its experiments."""
    for name, entry in table.get("experiment", {}).items():
        where = Where(file, str(name))
        if not NAME.fullmatch(name):
            where.fail("experiment", '"world/name" in lower case', name, "Rename it.")
        if not isinstance(entry, Mapping):
            where.fail("experiment", "a table", entry, "Write one.")
        yield file, _experiment(where, name, entry)


def _experiment(where, name, entry):
    where.keys(entry, {"function", "n", "recipe", "quick", "n_check"})
    function = where.text(entry, "function")
    if not FUNCTION.fullmatch(function):
        where.fail("function", '"module.function"', function, "Name it as Python does.")
    n = where.integer(entry, "n", 2)
    recipe, quick = where.table(entry, "recipe"), where.table(entry, "quick")
    for field, values in (("recipe", recipe), ("quick", quick)):
        _plain(where, field, values)
    for key in {"n", "seed"} & set(recipe):
        where.fail(f"recipe.{key}", "left out", recipe[key], "The function gets it beside it.")
    where.keys(quick, {"n", *recipe}, "quick.")
    where.integer(quick, "n", 2, place="quick.")
    n_check = where.integer(entry, "n_check", 0, min(N_CHECK, n))
    if n_check > n:
        where.fail("n_check", f"at most n = {n}", n_check, "Check fewer rows.")
    return Experiment(name, _lesson(where.file), function, n, dict(recipe), dict(quick), n_check)


def _plain(where, field, value):
    """Refuse what JSON cannot hold in one way only: dates, infinities."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            _plain(where, f"{field}.{key}", one)
    elif isinstance(value, list):
        for one in value:
            _plain(where, field, one)
    elif not isinstance(value, (str, bool, int, float)) or (
        isinstance(value, float) and not finite(value)
    ):
        where.fail(field, "made of numbers, texts, lists and tables", value, "Write it so.")


# ----------------------------------------------------------------------------------------- claims


def claims(
    file: str, table: Mapping[str, Any], known: Mapping[str, Experiment]
) -> Iterator[tuple[str, Claim]]:
    """Yield the file's name and each of its claims; `known` are the experiments of all files."""
    for number, entry in enumerate(table.get("claim", []), 1):
        where = Where(file, str(entry.get("id", f"claim number {number}")))
        yield file, _claim(where, entry, known)


def _claim(where, entry, known):
    where.keys(entry, CLAIM_KEYS)
    name = where.text(entry, "id")
    if not NAME.fullmatch(name):
        where.fail("id", '"source/what-it-says" in lower case', name, "Rename it.")
    kind = where.choice("kind", entry.get("kind"), verdict.KINDS)
    role, source, words = _whose(where, entry)
    base, parts = _base(where, entry, kind)
    main = _main(where, entry, base, kind, bool(parts), known)
    elsewhere = _settings(where, entry, "elsewhere", base, kind, bool(parts), known)
    if any(not one.experiment for one in main) and not elsewhere:
        text = "an experiment, where nothing stands elsewhere"
        where.fail("experiment", text, "", "Name one, or settings elsewhere that were tested.")
    for part in parts:
        _gate_experiments(where, part.gates, known)
    found = Claim(
        id=name,
        lesson=_lesson(where.file),
        kind=kind,
        source=source,
        role=role,
        words=words,
        statement=where.text(entry, "statement"),
        main=main,
        elsewhere=elsewhere,
        parts=parts,
        known=where.text(entry, "known"),
        reason=base.reason,
        gates=base.gates,
        withdrawn=where.text(entry, "withdrawn", ""),
        in_lesson=_flag(where, entry, "lesson"),
        verified=_verified(where, entry, kind),
    )
    for setting in (*found.main, *found.elsewhere):
        for quantity in found.quantities(setting):
            _enough(where, quantity, kind, known)
    return found


def _enough(where, quantity, kind, known):
    """Refuse a share that n replicates could never put into its region, whatever came out."""
    if kind == "estimate" and quantity.statistic == "proportion" and quantity.experiment:
        n = known[quantity.experiment].n
        _reachable(where, quantity.region, n, "region")
        low, high = quantity.region.at_least, quantity.region.at_most
        extreme = max(0 if low is None else low, 0 if high is None else 1 - high)
        for share, least in LEAST_N:
            if extreme >= share and n < least:
                text = f"on an experiment of n = {least} or more, for a share of {share} or beyond"
                where.fail("experiment", text, f"{quantity.experiment}, n = {n}", "Raise n.")
    for gate in quantity.gates:
        name = gate.experiment or quantity.experiment
        if gate.kind == "manipulation" and gate.statistic == "proportion" and name:
            _reachable(where, gate.region, known[name].n, "gates.region")


def _reachable(where, region, n, field):
    if not measure.reachable(region, n):
        remedy = "Raise n, or widen the region: no count could have an interval within it."
        where.fail(field, f"within reach of n = {n}", str(region), remedy)


def _flag(where, entry, key):
    value = entry.get(key, True)
    if not isinstance(value, bool):
        where.fail(key, "true or false", value, "Write one of the two.")
    return value


def _verified(where, entry, kind):
    if "verified" in entry and kind != "existence":
        where.fail("verified", f"left out for kind {kind}", entry["verified"], "Remove it.")
    return where.text(entry, "verified", "")


def _whose(where, entry):
    role = entry.get("role")
    if role is None and "source" not in entry:
        remedy = 'Write role = "ours" for a claim of your own.'
        where.fail("source", "the key of the text that says so", None, remedy)
    source = where.text(entry, "source", "" if role == "ours" else None)
    if role is None:
        if source not in SOURCES:
            text = f"given, because {source} is none of " + ", ".join(sorted(SOURCES))
            where.fail("role", text, role, 'Write role = "literature" or "ours".')
        role = "source"
    where.choice("role", role, ROLES)
    if role == "source" and source not in SOURCES:
        where.fail("source", "one of " + ", ".join(sorted(SOURCES)), source, "Or change the role.")
    words = where.text(entry, "words", "" if role == "ours" else None, empty=role == "ours")
    if len(words.split()) > MOST_WORDS:
        text = f"at most {MOST_WORDS} words, verbatim"
        where.fail("words", text, f"{len(words.split())} words: {words}", "Quote less.")
    return role, source, words


def _base(where, entry, kind):
    """Return what the claim itself says of its quantity, and its parts, complete."""
    base = _quantity(where, entry, "", Setting(experiment=""))
    tables = where.tables(entry, "parts")
    if not tables:
        return base, ()
    for key in ("region", "values", "verified"):
        if key in entry:
            where.fail(key, "left out, where parts have theirs", entry[key], "Move it.")
    parts = []
    for number, table in enumerate(tables):
        place = f"parts[{number}]."
        where.keys(table, QUANTITY | {"name"}, place)
        part = _quantity(where, table, place, base)
        part = replace(part, name=where.text(table, "name", part.values, place=place))
        parts.append(_fitting.complete(where, part, kind, place))
    if len({part.name for part in parts}) < len(parts):
        names = [part.name for part in parts]
        where.fail("parts", "of different names", names, "Give each its `name`.")
    return base, tuple(parts)


def _quantity(where, table, place, base):
    """Return a setting: what a table says, and what it leaves out from `base`."""
    given = {}
    for key in ("reason", "values", "baseline", "statistic", "unit"):
        if key in table:
            given[key] = where.text(table, key, place=place)
    for key in ("reference", "smallest", "pilot_sd"):
        if key in table:
            given[key] = where.number(table, key, place)
    if "region" in table:
        region, reference = _region(where, table["region"], f"{place}region")
        given["region"] = region
        if reference is not None:
            if given.get("reference", reference) != reference:
                where.fail(f"{place}reference", "one number", table, "It stands there twice.")
            given["reference"] = reference
    if "gates" in table:
        tables = where.tables(table, "gates")
        given["gates"] = tuple(
            _gate(where, one, f"{place}gates[{i}].") for i, one in enumerate(tables)
        )
    return replace(base, **given)


def _region(where, table, place):
    """Return a region, and the reference that may stand with it."""
    if not isinstance(table, Mapping):
        where.fail(place, "a table { at_least = ... }", table, "Write one.")
    where.keys(table, {"at_least", "at_most", "between", "outer", "reference"}, f"{place}.")
    if len({"at_least", "at_most", "between"} & set(table)) != 1:
        text = "one of at_least, at_most and between"
        where.fail(place, text, dict(table), "Two ends are written between = [a, b].")
    outer = _pair(where, table, "outer", place) if "outer" in table else None
    if "between" in table:
        low, high = _pair(where, table, "between", place)
    else:
        low, high = (where.number(table, key, f"{place}.") for key in ("at_least", "at_most"))
    return Region(low, high, outer), where.number(table, "reference", f"{place}.")


def _pair(where, table, key, place):
    pair = table[key]
    if not isinstance(pair, list) or len(pair) != 2:
        where.fail(f"{place}.{key}", "two numbers [a, b]", pair, "Write them.")
    low, high = (where.number({key: one}, key, f"{place}.") for one in pair)
    if low >= high:
        where.fail(f"{place}.{key}", "a lower and a higher number", pair, "Swap them.")
    return low, high


def _gate(where, table, place):
    kind = where.choice(f"{place}kind", table.get("kind"), tuple(GATE_KEYS))
    common = {"kind", "question", "reason"} | (set() if kind == "selection" else {"experiment"})
    where.keys(table, GATE_KEYS[kind] | common, place)
    texts = ("values", "baseline", "statistic", "first", "second", "experiment", "question")
    given = {key: where.text(table, key, place=place) for key in texts if key in table}
    for key in ("best", "reference"):
        given[key] = where.number(table, key, place)
    if kind == "manipulation":
        given |= _manipulated(where, table, place, given)
    needed = {"attainable": ("values", "best"), "reliability": ("first",)}.get(kind, ("values",))
    if not any(key in table for key in needed):
        where.fail(place + needed[0], "given", None, f"A gate {kind} needs it.")
    if kind == "attainable" and {"values", "best"} <= set(table):
        where.fail(place + "best", "left out beside values", table["best"], "Keep one.")
    return Gate(kind, **given)


def _manipulated(where, table, place, given):
    region, reference = _region(where, table.get("region"), f"{place}region")
    default = "mean difference" if "baseline" in table else "mean"
    statistic = where.choice(
        f"{place}statistic", given.get("statistic", default), verdict.STATISTICS
    )
    if reference is not None or "reference" in table:
        text = "left out: a gate asks for the interval in the region only"
        where.fail(f"{place}reference", text, table, "Remove it.")
    _fitting.arrays_fit(where, statistic, given.get("baseline", ""), place)
    return {"region": region, "statistic": statistic, "reference": None}


# --------------------------------------------------------------------------------------- settings


def _main(where, entry, base, kind, parts, known):
    if ("experiment" in entry) == ("main" in entry):
        where.fail("experiment", "given, or else main", sorted(entry), "Name one of the two.")
    if "main" in entry:
        found = _settings(where, entry, "main", base, kind, parts, known)
        if len(found) < 2:
            where.fail("main", "two settings or more", entry["main"], "Or write `experiment`.")
        return found
    name = where.text(entry, "experiment", empty=True)
    return (_finished(where, replace(base, experiment=name), kind, "", parts, known),)


def _settings(where, entry, key, base, kind, parts, known):
    found = []
    for number, table in enumerate(where.tables(entry, key)):
        place = f"{key}[{number}]."
        where.keys(table, WITH_PARTS if parts else OTHER_SETTING, place)
        if "region" in table and "reason" not in table:
            where.fail(f"{place}reason", "given with a region", None, "Say why this region.")
        setting = replace(
            _quantity(where, table, place, base),
            name=where.text(table, "name", place=place),
            experiment=where.text(table, "experiment", place=place),
        )
        found.append(_finished(where, setting, kind, place, parts, known))
    if len({one.name for one in found}) < len(found):
        where.fail(key, "of different names", [one.name for one in found], "Rename one.")
    return tuple(found)


def _finished(where, setting, kind, place, parts, known):
    if setting.experiment and setting.experiment not in known:
        text = "the id of an experiment in some file"
        where.fail(f"{place}experiment", text, setting.experiment, "Add its entry, or mend the id.")
    _gate_experiments(where, setting.gates, known)
    if parts:  # they hold the quantity; what the claim says of it they have inherited
        return Setting(name=setting.name, experiment=setting.experiment)
    return _fitting.complete(where, setting, kind, place)


def _gate_experiments(where, gates, known):
    for gate in gates:
        if gate.experiment and gate.experiment not in known:
            text = "the id of an experiment in some file"
            where.fail("gates.experiment", text, gate.experiment, "Add its entry, or mend the id.")


# --------------------------------------------------------------------------------------- controls


def controls(
    file: str,
    table: Mapping[str, Any],
    known: Mapping[str, Experiment],
    registered: Mapping[str, Claim],
) -> Iterator[Control]:
    """Yield each control of a file."""
    for number, entry in enumerate(table.get("control", []), 1):
        where = Where(file, f"control number {number} ({entry.get('claim')})")
        where.keys(
            entry,
            {"claim", "kind", "experiment", "values", "baseline", "whole", "part", "statement"},
        )
        one = Control(
            claim=where.choice("claim", entry.get("claim"), tuple(registered)),
            kind=where.choice("kind", entry.get("kind"), ("same", "known", "cause")),
            experiment=where.choice("experiment", entry.get("experiment"), tuple(known)),
            values=where.text(entry, "values"),
            baseline=where.text(entry, "baseline", ""),
            whole=where.text(entry, "whole", ""),
            part=where.text(entry, "part", ""),
            statement=where.text(entry, "statement", ""),
        )
        _control_fits(where, one, registered[one.claim])
        yield one


def _control_fits(where, one, claim):
    if claim.kind != "estimate":
        where.fail("claim", "an estimate", f"{claim.id}, of kind {claim.kind}", "Test it in tests.")
    names = [part.name for part in claim.parts]
    if names and one.part not in names:
        where.fail(
            "part", "one of " + ", ".join(names), one.part, "Name the part that it is about."
        )
    if one.part and not names:
        where.fail("part", "left out: the claim has none", one.part, "Remove it.")
    if one.whole and (one.kind != "cause" or one.baseline):
        where.fail(
            "whole", "given for a cause alone, and without baseline", one.whole, "Remove it."
        )
    if one.whole:
        return
    setting = claim.quantities(claim.main[0])[max(0, names.index(one.part) if names else 0)]
    _fitting.arrays_fit(where, setting.statistic, one.baseline, "")

"""Numbers, regions and verdicts in plain words; what cards, tables and alternatives share."""

from __future__ import annotations

import re
from collections import Counter

from helpers.claims import ledger, verdict
from helpers.claims._numbers import number, points, stated
from helpers.claims.gates import GateResult
from helpers.claims.ledger import Measured, Record, SettingResult

MARK = {
    "supported": "✓",
    "weaker than stated": "≈",
    "contradicted": "✗",
    "open": "?",
    "not testable here": "–",
}
WHO = {
    "overfitting-blog": "Blog post",
    "keras-post": "Keras post",
    "generalization-thread": "Q&A thread",
    "huang-summary": "Summary of Huang et al.",
    "xor-thread": "XOR thread",
}
WHAT = {  # of the axis
    "mean": "mean",
    "mean difference": "mean difference by pair",
    "ratio": "ratio by pair, log scale",
    "proportion": "share of the replicates",
    "difference of proportions": "difference of shares, in percentage points",
    "rank correlation": "rank correlation within a data set",
    "": "every draw",
}
WHY = {
    "supported": "the whole interval lies where the sentence is true",
    "contradicted (reversed)": "it is the other way round",
    "contradicted (as good as none)": "less than half of what was asked for, in either direction",
    "contradicted (outside)": "the whole interval lies beyond what the sentence allows",
    "weaker than stated": "there is an effect, but a smaller one than stated",
    "weaker than stated (perhaps nothing)": "less than stated, and perhaps nothing at all",
    "weaker than stated (near miss)": "close to what is stated, but not it",
    "open (size)": "there is an effect; whether it is large enough, these runs do not tell",
    "open (direction)": "these runs do not even tell the direction",
    "open (reading)": "equally good readings of the sentence come out differently",
    "open (none found)": "no instance was found, which does not prove that there is none",
    "open (bound)": "what was measured is a bound only, and it does not reach so far",
    "contradicted (counterexample)": "a draw lies outside, and one is enough",
    "not testable here (no data)": "the data are not here",
}
WHY_REFERENCE = {  # of a mean or a share, whose reference is where the sentence is plainly false
    "weaker than stated": "clearly away from where the sentence is plainly false, but not as far as stated",
    "open (size)": "clearly away from where the sentence is plainly false; whether far enough, these runs do not tell",
}
WHY_WITHIN = {  # where the region contains no effect
    "supported": "whatever difference there is, it does not pass the margin",
    "open (size)": "there is a difference; whether it passes the margin, these runs do not tell",
    "open (direction)": "these runs do not tell whether a difference passes the margin",
}
WHY_OTHER_KIND = {"existence": "an instance was found", "exact": "it holds in every draw"}


def name_of_none(statistic: str, shape: str = "size") -> str:
    """Return how the value of no effect is called; of a mean or a share it depends on where it lies.

    Outside the region the sentence is plainly false there, inside it is plainly true (an equivalence, a
    non-inferiority); where the region begins there, it is the border.
    """
    if verdict.NOTHING.get(statistic, 0) is not None:
        return "no effect"
    if shape in verdict.WITHOUT_DIFFERENCE:
        return "plainly true"
    return "the border" if shape == "direction" else "plainly false"


def result(measured: Measured) -> str:
    """Return estimate and interval, for example ``0.52 [0.38, 0.66]``."""
    found, statistic, unit = measured.interval, measured.statistic, measured.unit
    if found is None:
        return "no data" if measured.detail == ledger.NO_DATA else "too few left"
    ends = found.low, found.estimate, found.high
    low, middle, high = (number(end, statistic, unit) for end in ends)
    if (
        statistic and low == high and found.low < found.high
    ):  # so narrow that three digits do not show it
        low, middle, high = (number(end, statistic, unit, 4) for end in ends)
    if measured.region is None:
        return f"found in {round(found.estimate * found.n):,} of {found.n:,}"
    if not statistic:
        return low if low == high else f"{low} to {high}"
    low = low.removesuffix(" %")
    return f"{middle} [{low}, {high}]{points(statistic, unit)}"


def asked(measured: Measured) -> str:
    """Return a region in words, for example ``at least 0.2``, or ``above 0`` where it begins at no effect."""
    if measured.region is None:
        return "one instance is found"
    direction = measured.shape == "direction"
    return stated(measured.region, measured.statistic, direction, measured.unit)


def spoken(record: Record) -> str:
    """Return the verdict's word; of a paper's result that we contradict, that it is at this scale."""
    if record.word == verdict.CONTRADICTED and record.role == "literature":
        return "contradicted at this scale"
    return record.word


def why(record: Record) -> str:
    """Return why the verdict is so, half a sentence."""
    part = record.deciding
    if record.detail == "reading":
        each = "; ".join(f"{one.name}: {one.word}" for one in record.main)
        return f"{WHY['open (reading)']} ({each})"
    if record.word == verdict.NOT_TESTABLE:
        if part.detail == ledger.NO_DATA:
            nearest = f"; the nearest that was tested: {record.nearest}" if record.nearest else ""
            return WHY["not testable here (no data)"] + nearest
        failed = [gate for gate in part.gates if not gate.passed]
        return "; ".join(asked_and_answered(gate).rstrip(".") for gate in failed)
    key = f"{part.word} ({part.detail})" if part.detail else part.word
    text = WHY[key]
    if verdict.NOTHING.get(part.statistic, 0) is None:
        text = WHY_REFERENCE.get(key, text)
    if part.shape in verdict.WITHOUT_DIFFERENCE:
        text = WHY_WITHIN.get(key, text)
    if record.kind in WHY_OTHER_KIND and part.word == verdict.SUPPORTED:
        text = WHY_OTHER_KIND[record.kind]
    names = [one.name for one in record.parts if one.word == record.word and one.name]
    some = f"{', '.join(names)}: " if 0 < len(names) < len(record.parts) else ""
    return some + text


def asked_and_answered(gate: GateResult) -> str:
    """Return a gate's question and answer; what is no question becomes a sentence: "The share that fits: yes, ..."."""
    if gate.question.endswith("?"):
        return f"{gate.question} {gate.answer}"
    answer = gate.answer[:1].lower() + gate.answer[1:]
    return f"{gate.question.rstrip(':.')}: {answer.replace(': ', ', ', 1)}"


def beside(record: Record) -> list[str]:
    """Return what stands beside the verdict: notes, controls that failed, elsewhere, all replicates, withdrawal."""
    part, found = record.deciding, []
    if ledger.note(part):
        found.append(ledger.note(part))
    tells_little = part.detail in ("perhaps nothing", "direction")
    if part.could_show_none is False and tells_little:
        found.append("so few replicates could not have shown that there is no effect")
    if part.over_all and part.interval:
        over = Measured(**{**vars(part), "interval": part.over_all})
        name = f" ({where})" if (where := _where(record)) else ""
        found.append(f"over all replicates{name} {result(over)}, n = {part.over_all.n:,}")
    if record.elsewhere:
        found.append(elsewhere(record.elsewhere))
    failed = [one for one in record.controls if not one.passed]
    found += [f"its control ({one.kind}) failed: {one.answer}" for one in failed]
    if record.withdrawn:
        found.append(f"withdrawn: {record.withdrawn}")
    return found


def _where(record):
    """Return which setting and part decided, where there are several."""
    setting = next(one for one in record.main if any(part is record.deciding for part in one.parts))
    names = [setting.name] if len(record.main) > 1 else []
    return ", ".join(filter(None, [*names, record.deciding.name]))


def elsewhere(settings: tuple[SettingResult, ...]) -> str:
    """Return how many other settings came out how.

    Examples
    --------
    >>> one = SettingResult("a", "w/a", "supported", "", ())
    >>> elsewhere((one, one, SettingResult("b", "w/b", "open", "size", ())))
    'elsewhere: holds in 2 of 3, open in 1'
    """
    counts = Counter(one.word for one in settings)
    texts = [f"holds in {counts['supported']} of {len(settings)}"]
    texts += [f"{word} in {counts[word]}" for word in PRINT_ORDER if counts[word]]
    return "elsewhere: " + ", ".join(texts)


PRINT_ORDER = ("weaker than stated", "contradicted", "open", "not testable here")


def who(record: Record) -> str:
    """Return whose sentence it is."""
    if record.role == "ours":
        return "Our question"
    key = re.fullmatch(r"([a-z-]+)(\d{4}[a-z]?)", record.source)  # "huang2019", of a paper
    return f"{key[1].title()} {key[2]}" if key else WHO.get(record.source, record.source)


def standing(record: Record) -> str:
    """Return whether a claim is new or a replication, by what was known when it was written."""
    return "new" if record.known.strip().lower() == "nothing" else "replication"

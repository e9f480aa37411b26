"""Five made-up records, one for each verdict. Verdicts follow from the rule, not from here."""

from __future__ import annotations

from helpers.claims import verdict
from helpers.claims._numbers import short
from helpers.claims.entries import Region
from helpers.claims.gates import QUESTIONS, GateResult
from helpers.claims.ledger import Measured, Record, SettingResult
from helpers.stats import LEVEL, Interval

ASKED = 0.2
WORSE = (
    "training on makes it worse",
    "Training five times longer raises the error by 0.2 or more.",
)
HELPS = ("a penalty helps", "The penalty lowers the error by 0.2 or more.")
# words, statement; estimate, low, high; n; largest possible effect; share of single runs that say yes
CASES = (
    (*WORSE, (0.52, 0.38, 0.66), 400, 1.9, 0.71),
    (*WORSE, (0.09, 0.04, 0.15), 400, 1.9, 0.38),
    (*WORSE, (-0.22, -0.31, -0.12), 400, 1.9, 0.22),
    (*WORSE, (0.24, 0.06, 0.43), 40, 1.9, 0.55),
    (*HELPS, (0.01, -0.02, 0.04), 400, 0.11, 0.29),
)


def five() -> tuple[Record, ...]:
    """Return the five records, in the order of `verdict.WORDS`."""
    return tuple(_record(number, *case) for number, case in enumerate(CASES, 1))


def _record(number, words, statement, ends, n, largest, share):
    region = Region(at_least=ASKED)
    found = Interval(*ends, LEVEL, n, "made up")
    aim = verdict.target(region, "mean difference")
    gate = _gate(largest)
    plain = verdict.judge(found, region, "mean difference")
    word = verdict.guard(plain, [] if gate.passed else ["attainable"], aim.shape)
    measured = Measured(
        name="",
        values="after",
        baseline="before",
        statistic="mean difference",
        region=region,
        reference=None,
        distance=aim.distance,
        shape=aim.shape,
        word=word.word,
        detail=word.detail,
        gates=(gate,),
        interval=found,
        one_run=share,
        could_show_none=verdict.could_show_none(found.low, found.high, aim),
    )
    return Record(
        id=f"example/number-{number}",
        lesson="example",
        kind="estimate",
        source="A post",
        role="source",
        words=words,
        statement=statement,
        known="nothing",
        reason="made up",
        withdrawn="",
        in_lesson=True,
        word=word.word,
        detail=word.detail,
        nearest="",
        main=(SettingResult("", "example/made-up", word.word, word.detail, (measured,)),),
    )


def _gate(largest):
    needed = 2 * ASKED
    passed = largest >= needed
    answer = f"{'Yes' if passed else 'No'}: {short(largest)}; {short(needed)} or more was needed."
    question = QUESTIONS["attainable"]
    return GateResult("attainable", passed, question, answer, largest, largest, largest, needed)

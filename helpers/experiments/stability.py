"""The same experiments under other master seeds, with fewer replicates: does what is published come out again?

Each seed draws new data, weights and orders for all. Trained is what verdicts depend on: the main settings of claims
and the experiments of their gates, not those elsewhere and of controls; and of these what `run.rows_of` has rows for.
For each claim the table holds what every seed estimates, and what their replicates say together, judged by the rule
that judged the published ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np
import pandas as pd

from helpers.claims import again
from helpers.claims.ledger import Record
from helpers.claims.registry import Registry
from helpers.experiments import judge, run
from helpers.experiments.store import CONSTANTS, Place
from helpers.stats import Interval

SEEDS = (11, 12, 13, 14, 15)
SCALE = 0.25


def place(seed: int, scale: float = SCALE) -> Place:
    """Return where the replicates of one seed are kept."""
    return Place("full", seed, scale, thin=True)


def train(
    known: Registry,
    seeds: Iterable[int] = SEEDS,
    scale: float = SCALE,
    only: Iterable[str] = (),
    say: Callable[[str], None] = print,
) -> None:
    """Train under each master seed what verdicts depend on, one seed after the other; what is stored is not due."""
    among = {
        id
        for claim in known.claims.values()
        if not claim.withdrawn
        for id in claim.deciding
        if run.rows_of(known.experiments[id], place(0, scale))
    }
    for seed in seeds:
        say(f"master seed {seed}")
        run.train_due(known, place(seed, scale), only, say=say, among=among)


def pooled(known: Registry, places: Sequence[Place]) -> Callable[[str], dict | None]:
    """Return a function from an experiment's id to the replicates of all places, one below the other.

    None where a place lacks it. Constants are those of the first place: they describe the arrays.
    """
    readers = [judge.reader(known, one) for one in places]

    @cache
    def arrays_of(id: str) -> dict | None:
        found = [read(id) for read in readers]
        if any(one is None for one in found):
            return None
        names = [name for name in found[0] if name != CONSTANTS]
        joined = {name: np.concatenate([one[name] for one in found]) for name in names}
        return joined | ({CONSTANTS: found[0][CONSTANTS]} if CONSTANTS in found[0] else {})

    return arrays_of


def table(known: Registry, seeds: Sequence[int] = SEEDS, scale: float = SCALE) -> pd.DataFrame:
    """Return a row for each claim that stands and whose experiments, as far as they decide, all seeds hold.

    Returns
    -------
    pandas.DataFrame
        claim, lesson; published and pooled (the verdicts); estimate, low, high and n of both; seeds (the estimates, in
        their order, joined by spaces); ratio, and outside: whether it is "above" or "below" its limits, or empty.
    """
    places = [place(seed, scale) for seed in seeds]
    readers = [judge.reader(known, one) for one in places]
    join, published, rows = pooled(known, places), judge.records(known), []
    low, high = again.limits(len(seeds))
    for id, before in published.items():
        if before.withdrawn or before.interval is None:
            continue
        if any(join(one) is None for one in known.claims[id].deciding):
            continue
        after = judge.record(id, known, join)
        each = [_same_part(judge.record(id, known, read), after) for read in readers]
        found = math.nan
        if before.kind == "estimate" and after.interval is not None and None not in each:
            found = again.ratio(each, after.interval, after.deciding.statistic)
        rows.append(
            {
                "claim": id,
                "lesson": before.lesson,
                "published": before.word,
                "pooled": after.word,
                **_numbers("", _same_part(before, after)),
                **_numbers("pooled_", after.interval),
                "seeds": " ".join("-" if one is None else f"{one.estimate:.5g}" for one in each),
                "ratio": "" if math.isnan(found) else f"{found:.2f}",
                "outside": "above" if found > high else "below" if found < low else "",
            }
        )
    return pd.DataFrame(rows)


def _same_part(record: Record, other: Record) -> Interval | None:
    """Return the interval of the part that decided in another record of the same claim; here another may have."""
    for mine, theirs in zip(record.main, other.main, strict=True):
        for part, decided in zip(mine.parts, theirs.parts, strict=True):
            if decided is other.deciding:
                return part.interval
    return None


def _numbers(prefix: str, interval: Interval | None) -> dict[str, str]:
    """Return an interval as columns."""
    names = ("estimate", "low", "high", "n")
    if interval is None:
        return {f"{prefix}{name}": "" for name in names}
    return {f"{prefix}{name}": f"{getattr(interval, name):.6g}" for name in names}

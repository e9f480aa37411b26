"""What the lab's page asks to try, and what fifty networks say there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.lab.training import MEMBERS, Bench, Result, usual
from helpers.lab.worlds import WORLDS


class Task(NamedTuple):
    """Settings to compare.

    Attributes
    ----------
    world : str
        One of `WORLDS`.
    settings : dict
        What is moved away from where the sliders begin, by name.
    why : str
        What there is to see, without numbers.
    """

    world: str
    settings: dict[str, dict[str, Any]]
    why: str


TASKS = (
    Task(
        "line",
        {"*epochs* 50": {"epochs": 50}, "*epochs* 500": {"epochs": 500}},
        "Early networks are close to the line. Trained on, they bend towards the noise, in every pair.",
    ),
    Task(
        "line",
        {"at the start": {}, "*noise* 0": {"noise": 0.0}},
        "Without noise least squares makes no error, and networks next to none: the others came from the noise.",
    ),
    Task(
        "xor",
        {"*width* 2": {"width": 2}, "*width* 16": {"width": 16}},
        "With two units many networks are stuck; with sixteen they come near the Gaussian process.",
    ),
    Task(
        "spirals",
        {"at the start": {}},
        "A single run is a coin with this share of yes. Ten throws are too few to know it.",
    ),
    Task(
        "pixels",
        {"*points* 5": {"n": 5}, "*points* 100": {"n": 100}},
        "Both learn from more pixels, and the networks overtake the Gaussian process in more runs.",
    ),
)


def say(result: Result) -> str:
    """Return the cells of a row: the two mean errors, and how many runs say yes."""
    mean, other = result.error.mean(), result.rival_error.mean()
    return f"{mean:.3g} | {other:.3g} | {int(result.says.sum())} of {len(result.says)}"


def answers(members: int = MEMBERS) -> str:
    """Train every task's settings and return what came out, as Markdown."""
    bench, lines = Bench(members), []
    for number, task in enumerate(TASKS, 1):
        world = WORLDS[task.world]
        lines += [
            f"**{number}. {world.title}.** {task.why}",
            "",
            f"| setting | {world.error}: networks | {world.rival} | runs that say yes |",
            "| --- | ---: | ---: | ---: |",
        ]
        found = {}
        for name, change in task.settings.items():
            found[name] = bench(usual(task.world, **change))
            lines.append(f"| {name} | {say(found[name])} |")
        lines.append("")
        if len(found) == 2:
            before, after = found.values()
            smaller = int(np.sum(after.error < before.error))
            lines += [f"Smaller error at the second setting: {smaller} of {members} pairs.", ""]
    return "\n".join(lines)

"""How long a move takes and what the tasks show: ``python -m helpers.lab [PAGE]`` prints both, or puts them into it."""

from __future__ import annotations

import os
import re
import statistics
import sys
import time
from pathlib import Path

from helpers import plots
from helpers._base import files
from helpers.engine import runtime
from helpers.lab import tasks
from helpers.lab.controls import Lab
from helpers.lab.training import MEMBERS
from helpers.lab.worlds import WORLDS

CASES = (("line", 64), ("spirals", 64), ("line", 16), ("spirals", 16))
MOVES = 10
POINTS, EPOCHS = 80, 200
PLACE = r"(<!-- {0} -->\n).*?(<!-- end of {0} -->)"


def moved(world: str, width: int) -> list[tuple[float, float, float]]:
    """Return of `MOVES` moves the seconds of training, from move to picture, and of all processors for that."""
    lab = Lab((world,), (width,), MEMBERS, 0)
    lab.compile()
    lab.sliders["n"].value, lab.sliders["epochs"].value = POINTS, EPOCHS
    lab.wait()
    found = []
    for move in range(MOVES):
        started, used = time.perf_counter(), time.process_time()
        lab.sliders["rate"].index = move % 2
        lab.wait()
        whole = time.perf_counter() - started
        found.append((lab.result.seconds, whole, time.process_time() - used))
    return found


def table() -> str:
    """Return the times as Markdown, with what else the computer did."""
    lines = [
        "| world | hidden units | training, s | slider to picture, s | fastest | slowest | processor, s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for world, width in CASES:
        training, whole, used = zip(*moved(world, width), strict=True)
        units = "-".join([str(width)] * WORLDS[world].layers)
        middle = f"{statistics.median(training):.2f} | {statistics.median(whole):.2f}"
        ends = f"{min(whole):.2f} | {max(whole):.2f} | {statistics.median(used):.2f}"
        lines.append(f"| {WORLDS[world].title} | {units} | {middle} | {ends} |")
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        "\n".join(lines)
        + f"\n\n{MEMBERS} networks, {POINTS} points, {EPOCHS} epochs; medians of {MOVES} moves of the learning rate, "
        "without the browser. Processor: the time of all cores together, which others that run at the same time hardly "
        f"change. {runtime.workers()} cores, load average {load} at the end; more than the cores means that something "
        "else was running.\n"
    )


def main(pages: list[str]) -> None:
    """Print times and answers, and put them between their marks into each page."""
    plots.style()
    parts = {"times": table(), "answers": tasks.answers()}
    print("\n".join(parts.values()))
    for page in map(Path, pages):
        text = page.read_text(encoding="utf-8")
        for name, found in parts.items():
            place = re.compile(PLACE.format(name), re.DOTALL)
            if not place.search(text):
                raise SystemExit(f"{page} has no place for the {name}: no line <!-- {name} -->.")
            text = place.sub(lambda marks, found=found: marks[1] + found + marks[2], text)
        files.write(page, text)


if __name__ == "__main__":
    main(sys.argv[1:])

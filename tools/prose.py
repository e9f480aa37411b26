"""Count a lesson against its budgets and list its long sentences: ``python -m tools.prose``."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tools import notebooks, surroundings

LONG = 35  # words in a sentence
BUDGETS = {
    "cells": 40,
    "visible code lines": 140,
    "lines of a visible cell": 15,
    "words of prose": 1800,
    "figures": 8,
    "intervals in brackets": 12,
    "claims": 8,
    "words printed": 400,
    "kilobytes": 1200,
}
SHARES = {"00_why_fifty_runs": 0.5}  # of each budget, for a lesson that is shorter than the others
PER_CELL = ("lines of a visible cell",)  # budgets that no share makes smaller


@dataclass(frozen=True)
class Lesson:
    """A lesson as its reader meets it: text, visible code, outputs."""

    path: Path
    cells: list

    @property
    def prose(self) -> list[str]:
        """The Markdown cells."""
        return [cell.source for cell in self.cells if cell.cell_type == "markdown"]

    @property
    def visible(self) -> list[str]:
        """The code cells whose source is not folded."""
        return [c.source for c in self.cells if c.cell_type == "code" and not folded(c)]

    @property
    def outputs(self) -> list:
        """All outputs."""
        return [o for c in self.cells if c.cell_type == "code" for o in c.outputs]


def share(path: Path) -> float:
    """Return which share of the budgets a lesson gets."""
    return SHARES.get(path.stem, 1.0)


def budgets(path: Path) -> dict[str, int]:
    """Return what is allowed in a lesson, by the names of `counts`."""
    part = share(path)
    return {name: most if name in PER_CELL else int(part * most) for name, most in BUDGETS.items()}


def folded(cell) -> bool:
    """Return whether a cell's source is hidden, in JupyterLab and on a page."""
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def read(path: Path) -> Lesson:
    """Return a lesson."""
    return Lesson(path, nbformat.read(path, as_version=4).cells)


def lines(source: str) -> int:
    """Return the lines that are not blank."""
    return sum(bool(line.strip()) for line in source.splitlines())


def plain(markdown: str) -> str:
    """Return Markdown without tags, links and marks."""
    text = re.sub(r"<!--.*?-->|<[^>]+>", " ", markdown, flags=re.S)
    return re.sub(r"\]\([^)]*\)", "]", text)


def pictures(lesson: Lesson) -> int:
    """Return how many figures a lesson shows."""
    return sum("image/png" in output.get("data", {}) for output in lesson.outputs)


def printed(lesson: Lesson) -> int:
    """Return how many words the outputs print: streams and Markdown; cards and tables are counted as claims."""
    texts = []
    for output in lesson.outputs:
        data = output.get("data", {})
        markdown = data.get("text/markdown", "")
        texts.append(output.get("text", "") if output.output_type == "stream" else "")
        texts.append("" if markdown.lstrip().startswith("|") else markdown)
    return sum(len(plain("".join(text)).split()) for text in texts)


def claims(lesson: Lesson) -> int:
    """Return how many different claims a lesson shows cards of."""
    code = "\n".join(c.source for c in lesson.cells if c.cell_type == "code")
    return len(set(re.findall(r'session\.card\(\s*"([^"]+)"', code)))


def counts(lesson: Lesson) -> dict[str, int]:
    """Return what is counted against `budgets`."""
    text = " ".join(plain(one) for one in lesson.prose)
    return {
        "cells": len(lesson.cells),
        "visible code lines": sum(map(lines, lesson.visible)),
        "lines of a visible cell": max(map(lines, lesson.visible), default=0),
        "words of prose": sum(len(one.split()) for one in lesson.prose),  # marks and links too
        "figures": pictures(lesson),
        "intervals in brackets": len(re.findall(r"\[-?[\d.,]+, -?[\d.,]+\]", text)),
        "claims": claims(lesson),
        "words printed": printed(lesson),
        "kilobytes": lesson.path.stat().st_size // 1000,
    }


def long_sentences(lesson: Lesson) -> Iterator[str]:
    """Yield the sentences of more than 35 words."""
    for markdown in lesson.prose:
        text = re.sub(r"^\s*[-*|#].*?$", lambda m: m[0] + ".", plain(markdown), flags=re.M)
        for sentence in re.split(r"(?<=[.?!:])\s+|\n\n|\n- ", text):
            if len(sentence.split()) > LONG:
                yield " ".join(sentence.split())


def main(names: list[str]) -> int:
    """Print the report of the lessons, or of those whose names start so."""
    for path in notebooks.lessons(surroundings.ROOT):
        if names and not path.name.startswith(tuple(names)):
            continue
        lesson, allowed = read(path), budgets(path)
        print(path.stem)
        for name, count in counts(lesson).items():
            print(f"    {name:24} {count:6,} of {allowed[name]:,}")
        for sentence in long_sentences(lesson):
            print(f"    {len(sentence.split())} words: {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

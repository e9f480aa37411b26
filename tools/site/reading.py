"""How a committed notebook becomes a page: changes for the site alone, made while it is read.

The file stays as it is, and so does the copy that a reader downloads.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache

import nbformat
from nbformat import NotebookNode

from helpers.claims import ledger
from tools.site import EXTRA, ROOT, links, numbers

TOP = "../"  # every lesson stands in notebooks/
PICTURE = re.compile(r'(<img alt="[^"]*" )src="data:image/png;base64,([^"]+)"')
KEY = re.compile(r"^@\w+\{([^,]+),", re.MULTILINE)
BRACKETED = re.compile(r"\[([a-z0-9-]+)\](?![(\[])")


def read(text: str) -> NotebookNode:
    """Return a notebook as the site shows it; myst-nb calls this with the text of the file."""
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = page(cell.source, TOP)
        for output in cell.get("outputs", []):
            _show(output)
    return notebook


def page(text: str, top: str) -> str:
    """Return the Markdown of a page: numbers and files as links within the site, keys as citations."""
    return cited(links.within(numbers.linked(text, top), top))


def cited(text: str) -> str:
    """Return a Markdown text whose bracketed keys of ``references.bib`` are citations.

    Examples
    --------
    >>> cited("as shown [huang2019], not [here](there.md) or in [code]")
    'as shown {cite:p}`huang2019`, not [here](there.md) or in [code]'
    """
    known = known_keys()
    return BRACKETED.sub(
        lambda found: f"{{cite:p}}`{found[1]}`" if found[1] in known else found[0], text
    )


@cache
def known_keys() -> frozenset[str]:
    """Return the keys of ``references.bib``."""
    return frozenset(KEY.findall((ROOT / "references.bib").read_text(encoding="utf-8")))


@cache
def _places() -> dict[str, str]:
    """Return the page of each claim by its statement, as it stands in a card or table."""
    return {one.statement: numbers.page(id) for id, one in ledger.load().items()}


def _show(output):
    """Change one output: figures as files with their alt text, statements as links to their claims."""
    data = output.get("data", {})
    if "text/html" in data:
        data["text/html"] = carded(PICTURE.sub(_as_file, data["text/html"]))
        data.pop("image/png", None)
    if "text/markdown" in data:
        data["text/markdown"] = links.within(tabled(data["text/markdown"]), TOP)


def carded(text: str) -> str:
    """Return the HTML of a card whose statement leads to the page of its claim."""
    if 'class="claim"' not in text:
        return text
    for statement, place in _places().items():
        bold = f"<b>{html.escape(statement)}</b>"
        if bold in text:
            return text.replace(bold, f'<a href="{TOP}{place}.html">{bold}</a>')
    return text


def tabled(text: str) -> str:
    """Return a Markdown table whose first column, where it holds statements, leads to their claims."""
    if not text.startswith("| sentence"):
        return text
    lines = []
    for line in text.split("\n"):
        statement = line.removeprefix("| ").split(" | ")[0].replace("\\|", "|")
        place = _places().get(statement)
        first = line.removeprefix("| ").split(" | ")[0]
        lines.append(line.replace(first, f"[{first}]({TOP}{place}.md)", 1) if place else line)
    return "\n".join(lines)


def _as_file(found):
    """Write a picture that is encoded in an output to a file, named by its content."""
    content = base64.b64decode(found[2])
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.png"
    path = EXTRA / "_figures" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    size = f'width="{width}" height="{height}"'  # known before it is loaded: nothing jumps
    return f'{found[1]}{size} loading="lazy" src="{TOP}_figures/{name}"'

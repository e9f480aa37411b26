"""Last touches to the HTML of a page: where a line may break, and where it must not."""

from __future__ import annotations

import html
import re

from tools.site import literature

NO_BREAK = "\u00a0"
PERCENT = re.compile(
    r"<script.*?</script>|<pre.*?</pre>|<[^>]*>|(?:(?<=\d)|(?<=\d</a>)) %", re.DOTALL
)
CODE = re.compile(r'(?<=<span class="pre">)[^<]+')
HEADING = re.compile(r"(?<=<h1>)[^<]+")
JOINT = re.compile(r"(?<=[(=,/])(?=[\w\"'&(\[])|(?<=[^\W\d]\.)(?=[^\W\d])")
LONG = 16  # letters of a word of code that may break
CELL = re.compile(r"(<t[dh][^>]*><p>)([^<]{1,20})(?=</p></t[dh]>)")
SHORT = (
    14  # letters of a table's cell that stays on one line; one with a number or verdict may have 20
)


def finished(body: str) -> str:
    r"""Return the HTML of a page with a number and its % together, short cells on one line, long code in pieces.

    Examples
    --------
    >>> ascii(finished("<p>88 %</p><td><p>at most 0.909</p></td>"))
    "'<p>88\\xa0%</p><td><p>at\\xa0most\\xa00.909</p></td>'"
    >>> finished('<span class="pre">keras.initializers.Constant(0.5)</span>')
    '<span class="pre">keras.<wbr>initializers.<wbr>Constant(<wbr>0.5)</span>'
    """
    body = PERCENT.sub(lambda found: f"{NO_BREAK}%" if found[0] == " %" else found[0], body)
    body = CELL.sub(lambda found: found[1] + _together(found[2]), body)
    return HEADING.sub(_in_pieces, CODE.sub(_in_pieces, body))


def _together(text):
    marked = re.search(r"\d", text) or not text[0].isalnum()
    return text.replace(" ", NO_BREAK) if marked or len(text) <= SHORT else text


def _in_pieces(found):
    text = found[0]
    return JOINT.sub("<wbr>", text) if len(html.unescape(text)) > LONG else text


def finish(app, pagename, templatename, context, doctree) -> None:
    """Change a page before it is written; Sphinx calls this."""
    if "body" in context:
        body = context["body"]
        context["body"] = finished(literature.linked(body) if pagename == "bibliography" else body)


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

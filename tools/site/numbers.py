"""Numbers that stand in a text with a mark behind them become links to the page of their claim."""

import html
import re

from helpers.claims import show

MARK = re.compile(r"<!--.*?-->", re.DOTALL)
FENCED = re.compile(r"^(```|~~~)")


def page(claim: str) -> str:
    """Return where the page of a claim stands, from the top of the site, without ending."""
    return f"claims/{claim}"


def linked(text: str, top: str) -> str:
    """Return a Markdown text whose marked numbers lead to their claims, all other comments removed.

    Parameters
    ----------
    text : str
        Markdown, as in a lesson.
    top : str
        The way from the page to the top of the site, for example ``"../"``.

    Examples
    --------
    >>> linked("by 0.5<!-- post/x estimate .1f -->.", "../")
    'by <a class="number" href="../claims/post/x.html" title="Where this number comes from">0.5</a>.'
    >>> linked("## Only 0.5<!-- post/x estimate .1f -->", "")
    '## Only 0.5'
    """
    lines, fenced = [], False
    for line in text.split("\n"):
        fenced ^= bool(FENCED.match(line))
        # In a heading a link would be lost in the menus, and in code it would be read as such.
        plain = fenced or line.startswith("#")
        lines.append(line if plain else show.MARKED.sub(lambda found: _link(found, top), line))
    return MARK.sub("", "\n".join(lines))


def _link(found, top):
    number = html.escape(found["number"])
    title = "Where this number comes from"
    return f'<a class="number" href="{top}{page(found["claim"])}.html" title="{title}">{number}</a>'

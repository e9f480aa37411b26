"""Links of the committed pages, as they stand on the site."""

import re

# What a link of a committed page leads to on the site. Whatever is not named here keeps its place, and what is no
# page, such as a registration, is downloaded.
CLAIM = re.compile(r"\]\((?:\.\./)*results/README\.md#([^)\s]+)\)")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
SOLUTIONS = re.compile(r"\[([^\]]+)\]\(([^)\s]*(?:solutions|assignments)/[^)\s]+\.ipynb)\)")
MOVED = (
    (re.compile(r"\]\((?:\.\./)*results/README\.md\)"), "claims/index.md"),
    (re.compile(r"\]\((?:\.\./)*claims/?\)"), "claims/index.md"),
    (re.compile(r"\]\((?:\.\./)*references\.bib\)"), "bibliography.md"),
    (re.compile(r"\]\((?:\.\./)*README\.md\)"), "index.md"),
)


ELSEWHERE = " (GitHub shows only their words)"  # said of what the site shows


def within(text: str, top: str) -> str:
    """Return a Markdown text with the links of the repository as links of the site.

    Parameters
    ----------
    text : str
        Markdown.
    top : str
        The way from the page to the top of the site, for example ``"../"``.

    Examples
    --------
    >>> within("[all](../results/README.md), [one](../results/README.md#post/x)", "../")
    '[all](../claims/index.md), [one](../claims/post/x.md)'
    """
    text = text.replace(ELSEWHERE, "")
    text = ANCHOR.sub(r"[]{#\1}", text)  # as MyST knows it, so that its links find it
    text = SOLUTIONS.sub(r"{download}`\1 <\2>`", text)  # no pages, so that nobody meets them first
    text = CLAIM.sub(lambda found: f"]({top}claims/{found[1]}.md)", text)
    for pattern, place in MOVED:
        text = pattern.sub(f"]({top}{place})", text)
    return text

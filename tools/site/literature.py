"""``references.bib`` as the site's list of literature needs it."""

from __future__ import annotations

import re

YEAR = re.compile(r"^( *)date( *= *)\{(\d{4})[^}]*\},$", re.MULTILINE)
NOTE = re.compile(r"(^ *note *= *\{)([b-z])", re.MULTILINE)  # "arXiv" stays small
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{5})")
FILE = "cited.bib"
PAGE = """\
# Literature

The texts whose sentences are tested come first, then the papers in the order of their authors.

```{bibliography}
:all:
:style: plain
```
"""


def prepared(text: str) -> str:
    r"""Return a BibTeX file with a year where it has a date, and notes that begin with a capital.

    Examples
    --------
    >>> prepared("  date = {2018-04},\n  note = {notebook 8},")
    '  year = {2018},\n  note = {Notebook 8},'
    """
    text = YEAR.sub(r"\1year\2{\3},", text)
    return NOTE.sub(lambda found: found[1] + found[2].upper(), text)


def linked(body: str) -> str:
    """Return the HTML of the list, in which the numbers of preprints lead to arXiv."""
    return ARXIV.sub(
        r'<a class="reference external" href="https://arxiv.org/abs/\1">\g<0></a>', body
    )

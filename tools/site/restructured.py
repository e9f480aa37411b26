"""A line of a docstring as reStructuredText: keys of the literature are citations, what is no markup stays text."""

import re

from tools.site import reading

CODE = re.compile(r"(``.+?``|`[^`]+`|:\w+:`[^`]+`)")
KEY = re.compile(r"\[([a-z0-9-]+)\]_?(?![(\[])|\(?\b([a-z-]+\d{4})\b\)?")
BARE = re.compile(r"(\||\w_(?=\W|$))")  # what reStructuredText would take for markup


def plain(line: str) -> str:
    r"""Return a line of a docstring as reStructuredText.

    Examples
    --------
    >>> print(plain("keys with ``val_`` or val_, `Dataset`s and |v|"))
    keys with ``val_`` or val\_, `Dataset`\ s and \|v\|
    """
    parts = CODE.split(line)
    escaped = [part if i % 2 else _escaped(part) for i, part in enumerate(parts)]
    for i in range(2, len(parts), 2):  # markup ends at a space or sign only: `Dataset`s
        if parts[i][:1].isalnum():
            escaped[i] = "\\ " + escaped[i]
    return "".join(escaped)


def _escaped(text):
    known, parts, at = reading.known_keys(), [], 0
    for found in KEY.finditer(text):
        key = found[1] or found[2]
        if key in known:
            parts += [_bare(text[at : found.start()]), f":cite:p:`{key}`"]
            at = found.end()
    return "".join([*parts, _bare(text[at:])])


def _bare(text):
    return BARE.sub(lambda found: found[0].replace("|", "\\|").replace("_", "\\_"), text).replace(
        "tcp://", "tcp\\://"
    )

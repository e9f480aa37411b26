"""Docstrings for Sphinx: names in single backticks are code, bracketed keys are citations, the rest is plain text."""

import re

from docutils import nodes
from docutils.parsers.rst import roles

from tools.site import reading

CODE = re.compile(r"(``.+?``|`[^`]+`|:\w+:`[^`]+`)")
KEY = re.compile(r"\[([a-z0-9-]+)\]_?(?![(\[])")
BARE = re.compile(r"(\||\w_(?=\W|$))")  # what reStructuredText would take for markup


def process(app, what, name, thing, options, lines) -> None:
    """Turn keys such as [huang2019] into citations, and escape what is no markup, in place."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...", ":", "..")):
            lines[number] = plain(line)


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
        if found[1] in known:
            parts += [_bare(text[at : found.start()]), f":cite:p:`{found[1]}`"]
            at = found.end()
    return "".join([*parts, _bare(text[at:])])


def _bare(text):
    return BARE.sub(lambda found: found[0].replace("|", "\\|").replace("_", "\\_"), text)


def code_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Show what stands in single backticks in a docstring as code."""
    return [nodes.literal(rawtext, text)], []


def setup(app):
    """Register with Sphinx."""
    roles.register_local_role("tools-code", code_role)
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Docstrings for Sphinx: what stands in single backticks is code, keys are citations, public classes are links."""

import re
from functools import cache

from docutils import nodes
from docutils.parsers.rst import roles

from tools.site import api
from tools.site.restructured import plain

TYPE = re.compile(
    r"(?<=\*\* \()\*([^*]+)\*(?=\))|(?<=^:returns: )\*([^*]+)\*"
)  # as Napoleon writes it
OWN = re.compile(r",? _\w+=(<\w+>|[^,)]+)")  # a parameter that is not public


def process(app, what, name, thing, options, lines) -> None:
    """Turn keys such as [huang2019] into citations, and escape what is no markup, in place."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "..")):
            lines[number] = plain(TYPE.sub(_linked, line))


def unlabelled(app, what, name, thing, options, lines) -> None:
    """Keep Napoleon from reading what stands before a colon in a property's first line as its type."""
    if what == "property":
        lines.insert(0, "")


def signature(app, what, name, thing, options, arguments, result):
    """Return a signature without its private parameters; what a factory makes is no text to show."""
    return arguments and OWN.sub("", arguments).replace("<factory>", "..."), result


@cache
def _classes():
    """Return where the public classes are documented, by name."""
    found = {
        name: f"{api.home(page)}.{name}"
        for page, names in api.public().items()
        for name in names
        if name[0].isupper()
    }
    found |= {name: f"helpers.claims.registry.{name}" for name in ("Claim", "Gate", "Registry")}
    return found | {"Record": "helpers.claims.ledger.Record"}


def _linked(found):
    """Return a type with links where it names public classes, else in italics."""
    text = found[1] or found[2]
    linked = re.sub(r"\w+", lambda word: _link(word[0]), text)
    return found[0] if linked == text else linked


def _link(word):
    place = _classes().get(word)
    return f":py:class:`{word} <{place}>`" if place else word


def code_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """Show what stands in single backticks in a docstring as code."""
    return [nodes.literal(rawtext, text)], []


def setup(app):
    """Register with Sphinx."""
    roles.register_local_role("tools-code", code_role)
    app.connect(
        "autodoc-process-docstring", unlabelled, priority=400
    )  # before Napoleon, which has 500
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

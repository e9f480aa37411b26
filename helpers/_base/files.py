"""Text files that are never half written, and the generated part of one that people write too."""

from __future__ import annotations

import os
from pathlib import Path


def write(path, text):
    """Write text aside and rename, so that ``path`` holds the old content or the new; line ends stay as they are."""
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        aside.write_text(text, encoding="utf-8", newline="")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def renewed(path, begin, end, body):
    """Return a file's text as it is, and with ``body`` between its two markers.

    Raises
    ------
    ValueError
        Unless the file holds both markers once, in their order.
    """
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(
            f"{Path(path).name} must hold one line {begin} and, after it, one line {end}. Add them."
        )
    head, tail = text[: text.index(begin)], text[text.index(end) :]
    return text, f"{head}{begin}\n\n{body}\n{tail}"

"""Small files that students hand in: written whole, with a digest, and read back or refused with a reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers._base import files
from helpers._base.paths import PROJECT


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write what a student hands in, with the course's name and a digest.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder is made where it is missing.
    content : dict
        What JSON can say.
    """
    whole = {"course": PROJECT, **content}
    files.write(path, json.dumps(whole | {"digest": digest(whole)}, indent=1) + "\n")


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a file says; it guards against damage, not against somebody who makes numbers up."""
    text = json.dumps({k: v for k, v in content.items() if k != "digest"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> tuple[dict[str, Any], str]:
    """Return what a file says and "", or nothing and the reason why it is none of ours."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {}, f"damaged or not there: {error}"
    if not isinstance(content, dict) or content.get("course") != PROJECT:
        return {}, "foreign: not written by hand_in"
    return content, ""


def changed(content: Mapping[str, Any]) -> str:
    """Return "" where a file says what was written, or the reason why it does not count."""
    same = content.get("digest") == digest(content)
    return "" if same else "damaged: it was changed after it was written"

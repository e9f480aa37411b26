"""Files that are written only where they change: Sphinx reads again what is newer."""

from pathlib import Path


def renew(path: Path, text: str) -> bool:
    """Write a text unless the file holds it already; return whether it was written."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True

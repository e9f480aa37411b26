"""Files that are never half written, folders that can be written to, and the generated part of a page."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def write(path: str | os.PathLike, content: str | bytes) -> None:
    """Write text or bytes aside and rename, so that ``path`` holds the old content or the new, never a part.

    Parameters
    ----------
    path : path
        The file; its folder is made where it is missing.
    content : str or bytes
        Text is written as UTF-8, its line ends as they are.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        aside.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def require_writable(folder: str | os.PathLike, remedy: str) -> Path:
    """Make a folder where it is missing and try to write into it: before the work, not after it.

    Parameters
    ----------
    folder : path
        Where results will go.
    remedy : str
        What to do if that is impossible, a full sentence.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    PermissionError
        If it cannot be made or written to, with the system's reason and the remedy.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"x")
    except OSError as error:
        raise PermissionError(f"Cannot write to {folder} ({error.strerror}). {remedy}") from error
    return folder


@contextlib.contextmanager
def alone(path: str | os.PathLike, refusal: str) -> Iterator[None]:
    """Let one process at a time in. The system frees the lock however that process ends; Windows has none.

    Parameters
    ----------
    path : path
        A file to hold meanwhile; it stays, with the number of the process that was last.
    refusal : str
        What to say to any other process, with ``{process}`` for that number.

    Raises
    ------
    BlockingIOError
        Where another process is inside.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise BlockingIOError(refusal.format(process=file.read() or "?")) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def renewed(text: str, name: str, begin: str, end: str, body: str) -> str:
    """Return the text of a file with ``body`` between its two markers, in the text's own line ends.

    Raises
    ------
    ValueError
        Unless the text holds both markers once, in their order; ``name`` is the file's.
    """
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(
            f"{name} must hold one line {begin} and, after it, one line {end}. Add them."
        )
    head, tail = text[: text.index(begin)], text[text.index(end) :]
    middle = f"{begin}\n\n{body}\n".replace("\r\n", "\n")
    if "\r\n" in head + tail:  # a checkout on Windows, or an archive made there
        middle = middle.replace("\n", "\r\n")
    return head + middle + tail

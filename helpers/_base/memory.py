"""How much memory this process may use: the machine's, or less where a container or a batch system limits it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil


def limit(root: str | Path = "/") -> int:
    """Return the bytes that this process may use.

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` are mounted.

    Returns
    -------
    int
        The least of the machine's memory and of the limits of all control groups (Linux, versions 1 and 2) that the
        process is in.
    """
    return min([psutil.virtual_memory().total, *_group_limits(Path(root))])


def _group_limits(root: Path) -> Iterator[int]:
    """Yield the memory limits of the process's control groups and of those around them; none where there are none."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)  # "0::/a/b" (version 2) or "4:memory:/a/b" (1)
        if not controllers:
            yield from _limits(mounted, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits(mounted / "memory", path, "memory.limit_in_bytes")


def _limits(mounted: Path, path: str, name: str) -> Iterator[int]:
    """Yield the numbers in the files ``name`` of a group and of all above it.

    Inside a container the path may be that of the host, of which only the top is mounted.
    """
    group = mounted / path.strip("/")
    for folder in (group, *group.parents):
        try:
            text = (folder / name).read_text(encoding="utf-8").strip()
        except OSError:
            text = "max"
        if (
            text.isdigit()
        ):  # version 1 writes a number beyond any memory for "no limit", version 2 "max"
            yield int(text)
        if folder == mounted:
            return

"""What a machine is to our results: its processor and cores, the versions of what computes, this package's sources.

Only the standard library is imported: `engine.door` sends these functions as code to machines that may lack the rest.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path


def processor() -> str:
    """Return the processor's name, and a short digest of what it can do: virtual machines hide the generation."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    known = dict(tuple(map(str.strip, line.split(":", 1))) for line in lines if ":" in line)
    flags = hashlib.sha256(" ".join(sorted(known.get("flags", "").split())).encode()).hexdigest()
    return f"{known.get('model name', platform.machine())} ({flags[:8]})"


def cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def version(*names: str) -> str | None:
    """Return the version of the first of some packages that is installed, None where none is."""
    for name in names:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def sources(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return {path: digest} of the Python files of a folder and of all below, each by its place."""
    folder = Path(folder)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.py"))
    }

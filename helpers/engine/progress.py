"""The progress bar."""

from __future__ import annotations

import sys
from contextlib import contextmanager

from tqdm import tqdm

from helpers._base import checks


def watched():
    """Whether somebody sees a progress bar: a terminal, or a notebook front end that could answer questions.

    papermill, nbval and nbconvert run cells with ``allow_stdin`` false, front ends with true.
    """
    try:
        shell = get_ipython()
        parent = shell.kernel.get_parent("shell")
        return bool(parent["content"]["allow_stdin"])
    except (NameError, AttributeError, KeyError, TypeError):
        return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def bar(progress, total, unit):
    """Give a tqdm bar that appears after two seconds and leaves no trace, or None where nobody watches.

    ``progress`` is the argument of that name: refused unless it is True or False.
    """
    if not (checks.flag("progress", progress) and total and watched()):
        yield None
        return
    with tqdm(
        total=total, unit=f" {unit}", delay=2, leave=False, unit_scale=True, dynamic_ncols=True
    ) as moved:
        yield moved

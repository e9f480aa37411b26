"""What the fast engine has no formula for, told from what no engine can do: the general engine is asked then."""

from __future__ import annotations


class Unsupported(ValueError):
    """A layer, an optimizer, a loss, a metric or a setting that `fit_many`'s fast engine does not know."""

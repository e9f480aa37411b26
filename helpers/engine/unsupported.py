"""What the fast engine has no formula for, told from what no engine can do: the general engine is asked then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Unsupported(ValueError):
    """A layer, an optimizer, a loss, a metric or a setting that `fit_many`'s fast engine does not know."""


def kind_of_error(get: Callable[[Any], Any], name: Any) -> type[ValueError]:
    """Return `Unsupported` for the name of something that Keras has, by its getter; ValueError for any other."""
    try:
        get(name)
    except ValueError:
        return ValueError
    return Unsupported

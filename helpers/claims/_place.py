"""A place in a file of registrations: takes values out of a table, and refuses them by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from helpers.claims.entries import RegistrationError


@dataclass(frozen=True)
class Where:
    """A place in a file, for errors."""

    file: str
    entry: str

    def fail(self, field, expected, received, remedy):
        raise RegistrationError(self.file, self.entry, field, expected, received, remedy)

    def keys(self, table, allowed, place=""):
        for key in table:
            if key not in allowed:
                text = "one of " + ", ".join(sorted(allowed))
                remedy = "Check its spelling, or leave it out."
                self.fail(f"{place}{key}", text, f"{key} = {table[key]!r}", remedy)

    def text(self, table, key, default=None, empty=False, place=""):
        if key not in table and default is not None:
            return default
        value = table.get(key)
        if not isinstance(value, str) or (not value.strip() and not empty):
            self.fail(place + key, "a text that says something", value, "Write it.")
        return value

    def number(self, table, key, place=""):
        """Return a finite float, or None where the key is absent."""
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not finite(value):
            self.fail(place + key, "a finite number", value, "Write one.")
        return float(value)

    def integer(self, table, key, low, default=None, place=""):
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            self.fail(place + key, f"an integer of at least {low}", value, "Write one.")
        return value

    def choice(self, field, value, options, remedy="Take one of these."):
        if value not in options:
            self.fail(field, "one of " + ", ".join(options), value, remedy)
        return value

    def table(self, table, key):
        value = table.get(key)
        if not isinstance(value, Mapping):
            self.fail(key, "a table { ... }", value, "Write one.")
        return value

    def tables(self, table, key):
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            self.fail(key, "a list of tables [ { ... } ]", value, "Write one.")
        return value


def finite(value: float) -> bool:
    """Return whether a number is neither infinite nor NaN."""
    return math.isfinite(value)

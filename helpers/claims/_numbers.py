"""Numbers and regions as an axis shows them."""

from __future__ import annotations

import math

from helpers.claims.entries import Region


def short(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, and no more decimals than they need.

    Examples
    --------
    >>> short(0.0446), short(1234.5), short(-2.0), short(1.0033, 4)
    ('0.0446', '1,234', '-2', '1.003')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".replace("-0", "0")
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: float | None, statistic: str = "", digits: int = 3) -> str:
    """Return a number as its axis shows it: shares in percent, differences of shares in percentage points."""
    if value is None or not math.isfinite(value):
        return "–" if value is None else f"{value:g}"
    if statistic == "proportion":
        return f"{short(100 * value, digits)} %"
    return short((100 if statistic == "difference of proportions" else 1) * value, digits)


def stated(region: Region, statistic: str, direction: bool = False) -> str:
    """Return a region in words and in the units of its axis; ``direction``: it begins at no effect.

    Examples
    --------
    >>> stated(Region(at_least=0.95), "proportion"), stated(Region(at_least=0.0), "mean", direction=True)
    ('at least 95 %', 'above 0')
    """
    unit = " points" if statistic == "difference of proportions" else ""
    low, high = number(region.at_least, statistic), number(region.at_most, statistic)
    if region.at_least is not None and region.at_most is not None:
        return f"{low.removesuffix(' %')} to {high}{unit}"
    above, below = ("above", "below") if direction else ("at least", "at most")
    return f"{above} {low}{unit}" if region.at_most is None else f"{below} {high}{unit}"

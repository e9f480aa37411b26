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


def number(value: float | None, statistic: str = "", unit: str = "", digits: int = 3) -> str:
    """Return a number as its axis shows it: shares in percent, differences of shares in percentage points.

    Examples
    --------
    >>> number(0.5, "proportion"), number(0.5, "mean", "share"), number(50.0, "mean difference", "percent")
    ('50 %', '50 %', '50')
    """
    if value is None or not math.isfinite(value):
        return "–" if value is None else f"{value:g}"
    share = unit == "share" or "proportion" in statistic
    text = short((100 if share else 1) * value, digits)
    return f"{text} %" if statistic == "proportion" or (unit and statistic == "mean") else text


def points(statistic: str, unit: str = "") -> str:
    """Return what stands behind a difference: " points" where it is one of shares, else an empty text."""
    differs = statistic == "difference of proportions"
    return " points" if differs or (unit and statistic == "mean difference") else ""


def stated(region: Region, statistic: str, direction: bool = False, unit: str = "") -> str:
    """Return a region in words and in the units of its axis; ``direction``: it begins at no effect.

    Examples
    --------
    >>> stated(Region(at_least=0.95), "proportion"), stated(Region(at_least=0.0), "mean", direction=True)
    ('at least 95 %', 'above 0')
    >>> stated(Region(at_most=-1.0), "mean difference", unit="percent")
    'at most -1 point'
    """
    ends, after = (region.at_least, region.at_most), points(statistic, unit)
    low, high = (number(end, statistic, unit) for end in ends)
    if None not in ends:
        return f"{low.removesuffix(' %')} to {high}{after}"
    above, below = ("above", "below") if direction else ("at least", "at most")
    text = f"{above} {low}" if region.at_most is None else f"{below} {high}"
    return text + (after.rstrip("s") if text.split()[-1] in ("1", "-1") else after)

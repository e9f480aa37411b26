"""The ruler: no effect, the stated size, the region and the interval on one axis, drawn as SVG.

Positions are percentages of the width and texts have a fixed size, so that a ruler is as legible on a telephone as on
a page. Labels are kept apart for the narrowest width; on a wider one they only move further apart.
"""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from helpers.claims import verdict
from helpers.claims._numbers import number, points
from helpers.claims._words import MARK, WHAT, name_of_none, result
from helpers.claims.ledger import Measured

NARROW = 300  # pixels: the narrowest ruler, on a telephone of 390
LETTER = 7.2  # pixels: the mean width of a letter at font size 13, on the safe side
LINE = 16  # pixels from one line of text to the next
MOST = int(NARROW / LETTER) - 2  # letters of a line of the narrowest ruler, after a verdict's mark
SPAN = 25  # axis at most so many times the distance from no effect to the region
BLUE, ORANGE = "#56B4E9", "#D55E00"
BAR = 8  # pixels
STRIP, BLOCK = (
    20,
    30,
)  # pixels of a row: its text, which no line crosses, and the part that is shaded
ENDS = {  # of what a quantity can be
    "proportion": (0.0, 1.0),
    "difference of proportions": (-1.0, 1.0),
    "rank correlation": (-1.0, 1.0),
}


@dataclass(frozen=True)
class Row:
    """One bar: its name (empty where it is the only one) and what was measured."""

    name: str
    measured: Measured


@dataclass(frozen=True)
class Axis:
    """From values to percentages of the width."""

    low: float
    high: float
    log: bool

    def at(self, value: float) -> float:
        """Return the percentage of a value, cut to 0 and 100."""
        value = _scaled(value, self.log)
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def holds(self, value: float) -> bool:
        """Return whether a value lies on the axis."""
        return self.low <= _scaled(value, self.log) <= self.high


def _scaled(value, log):
    if not log:
        return value
    return math.log(value) if value > 0 else -700.0


def none_of(measured: Measured) -> float | None:
    """Return no effect, or None where the kind of the claim knows none."""
    if not measured.shape:
        return None
    return verdict.nothing(measured.statistic, measured.reference)


def axis(rows: Sequence[Row]) -> Axis:
    """Return an axis that holds no effect, all regions and, up to `SPAN`, all intervals."""
    log = rows[0].measured.statistic == "ratio"
    marks = [_scaled(x, log) for row in rows for x in _marks(row.measured)]
    ends = [
        _scaled(x, log)
        for row in rows
        if row.measured.interval
        for x in (row.measured.interval.low, row.measured.interval.high)
        if math.isfinite(x)
    ]
    low, high = min(marks), max(marks)
    unit = (high - low) or max(_distance(rows), 1e-12)
    low, high = low - 0.8 * unit, high + 0.8 * unit
    if ends:
        most = SPAN * unit
        low = max(min(low, min(ends) - 0.15 * unit), low - most)
        high = min(max(high, max(ends) + 0.15 * unit), high + most)
    least, most = ENDS.get(rows[0].measured.statistic, (-math.inf, math.inf))
    low, high = max(low, least), min(high, most)
    pad = 0.04 * (high - low)
    return Axis(low - pad, high + pad, log)


def _distance(rows):
    known = [row.measured.distance for row in rows if row.measured.distance]
    edges = [abs(x) for row in rows for x in _marks(row.measured)]
    return max(known or edges)


def _marks(measured):
    region, none = measured.region, none_of(measured)
    found = [region.at_least, region.at_most, *(region.outer or ()), none]
    if none is None:  # a bound or a tolerance is measured from nothing
        found.append(1.0 if measured.statistic == "ratio" else 0.0)
    return [x for x in found if x is not None]


@dataclass(frozen=True)
class Label:
    """A text at a percentage of the width."""

    at: float
    text: str
    strong: bool = False

    @property
    def width(self) -> float:
        """Of the text, in percent of the narrowest ruler."""
        return 100 * LETTER * len(self.text) / NARROW

    @property
    def anchor(self) -> str:
        """Where the text is anchored: at an end of the ruler, or in its own middle."""
        return {0.0: "start", 100.0: "end"}.get(self.at, "middle")

    @property
    def shift(self) -> float:
        """By how many pixels the text is moved, so that it does not leave the narrowest ruler."""
        if self.anchor != "middle":
            return 0.0
        half = self.width / 2
        return NARROW / 100 * (max(0.0, half - self.at) - max(0.0, self.at + half - 100))

    @property
    def ends(self) -> tuple[float, float]:
        """Of the text, in percent, on the narrowest ruler."""
        share = {"start": 0.0, "end": 1.0, "middle": 0.5}[self.anchor]
        left = self.at + 100 * self.shift / NARROW - share * self.width
        return left, left + self.width


def lines(labels: Sequence[Label]) -> list[list[Label]]:
    """Return labels in as many lines as they need so that no two of a line touch."""
    found: list[list[Label]] = []
    for label in sorted(labels, key=lambda one: one.at):
        for line in found:
            if all(_apart(label, other) for other in line):
                line.append(label)
                break
        else:
            found.append([label])
    return found


def _apart(one, two, gap=2.0):
    (a, b), (c, d) = one.ends, two.ends
    return b + gap <= c or d + gap <= a


def svg(
    rows: Sequence[Row], alt: str, several: bool | None = None, high: bool | None = None
) -> str:
    """Return one ruler.

    Parameters
    ----------
    rows : sequence of Row
        Of one statistic and one no effect.
    alt : str
        What it shows, for those who do not see it.
    several : bool or None
        Whether the card has several rows, so that each is named; None looks at these alone.
    high : bool or None
        Whether names and results need a line each; None looks at these rows alone.
    """
    scale = axis(rows)
    several = len(rows) > 1 if several is None else several
    strip = STRIP + (LINE if several and (_long(rows) if high is None else high) else 0)
    top, step = LINE + 2, strip + BLOCK
    bottom = top + step * len(rows)
    parts = [_top_label(rows, scale)]
    for index, row in enumerate(rows):
        y = top + step * index
        parts += _row(row, scale, y + strip)
        parts += (
            _named(row, y + strip - 6, strip > STRIP)
            if several
            else [_estimate(row, scale, y + strip - 6)]
        )
    parts.append(_line(0, 100, bottom, "currentColor", 1, opacity=0.5))
    stacked = lines(_bottom_labels(rows, scale))
    for level, line in enumerate(stacked):
        parts += [_text(label, bottom + LINE * (level + 1)) for label in line]
    height = bottom + LINE * (len(stacked) + 1) + 6
    what = WHAT[statistic := rows[0].measured.statistic]
    if points(statistic, rows[0].measured.unit) and "points" not in what:
        what += ", in percentage points"
    parts.append(_text(Label(100, what), height - 6, opacity=0.7))
    return (
        f'<svg role="img" aria-label="{html.escape(alt)}" width="100%" height="{height}" '
        f'font-size="13" style="display:block;overflow:visible">{"".join(parts)}</svg>'
    )


def _text(label, y, opacity=1.0):
    moved = f' dx="{label.shift:.0f}"' if round(label.shift) else ""
    weight = ' font-weight="600"' if label.strong else ""
    fade = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return (
        f'<text x="{label.at:.2f}%"{moved} y="{y:g}" text-anchor="{label.anchor}" '
        f'fill="currentColor"{fade}{weight}>'
        f"{html.escape(label.text)}</text>"
    )


def _line(x1, x2, y, color, width, opacity=1.0):
    return (
        f'<line x1="{x1:.2f}%" x2="{x2:.2f}%" y1="{y:g}" y2="{y:g}" stroke="{color}" '
        f'stroke-width="{width}" stroke-opacity="{opacity:g}"/>'
    )


def _region(measured, scale):
    """Return the region's ends in percent."""
    region = measured.region
    low = 0.0 if region.at_least is None else scale.at(region.at_least)
    high = 100.0 if region.at_most is None else scale.at(region.at_most)
    return low, high


def _top_label(rows, scale):
    low, high = _region(rows[0].measured, scale)
    text = "true if the result lies here"
    if Label(50, text).width > high - low:
        text = "true here"
    if len({_region(row.measured, scale) for row in rows}) > 1:
        return _text(Label(0, "true if the bar lies in the blue"), LINE - 3, opacity=0.8)
    return _text(Label((low + high) / 2, text), LINE - 3, opacity=0.8)


def _row(row, scale, y):
    """Return region, bar and uprights of one row, whose shaded part begins at y."""
    measured, found = row.measured, row.measured.interval
    outer, none = measured.region.outer, none_of(measured)
    parts = [_band(scale.at(outer[0]), scale.at(outer[1]), y, 0.14)] if outer else []
    parts.append(_band(*_region(measured, scale), y, 0.32))
    parts += [_upright(scale.at(edge), y, ' stroke-dasharray="2 3"') for edge in _edges(measured)]
    if none is not None:
        parts.append(_upright(scale.at(none), y - 3, ' stroke-width="2"'))
    if found is not None:
        fade = ' opacity="0.5"' if measured.word == verdict.NOT_TESTABLE else ""
        parts.append(f"<g{fade}>{_bar(found, scale, y + BLOCK / 2)}</g>")
    return parts


def _long(rows):
    """Return whether a row's name and result do not fit in one line."""
    return any(len(row.name) + len(result(row.measured)) + 2 > MOST for row in rows)


def _named(row, y, high):
    """Return mark, name and result of one of several rows, at the left, in one line or in two."""
    mark, value = MARK[row.measured.word], result(row.measured)
    whole = f"{mark} {row.name}: {value}"
    if not high:
        return [_text(Label(0, whole), y)]
    found = [f"{mark} {row.name}", value]
    if len(row.name) > MOST:
        found = textwrap.wrap(whole, MOST + 2)
    if len(found) > 2:  # both ends tell it from others
        cut = f"{row.name[: MOST // 2 - 1].rstrip()}…{row.name[-(MOST // 2) :].lstrip()}"
        found = [f"{mark} {cut}", value]
    return [_text(Label(0, text), at) for text, at in zip(found, (y - LINE, y), strict=True)]


def _estimate(row, scale, y):
    """Return the estimate above its point."""
    measured, found = row.measured, row.measured.interval
    if found is None:
        return ""
    least = measured.region is not None and measured.region.at_most is None
    centre = found.estimate if measured.statistic else found.low if least else found.high
    text = number(centre, measured.statistic, measured.unit)
    if not measured.statistic:  # the draw that decides
        text = f"{'smallest' if least else 'largest'}: {text}"
    if not scale.holds(centre):
        text = f"{text} →" if scale.at(centre) > 50 else f"← {text}"
    return _text(Label(scale.at(centre), text, strong=True), y)


def _band(low, high, y, opacity):
    return (
        f'<rect x="{low:.2f}%" y="{y:g}" width="{max(0.0, high - low):.2f}%" height="{BLOCK}" '
        f'fill="{BLUE}" fill-opacity="{opacity:g}"/>'
    )


def _bar(found, scale, y):
    """Return the interval as a bar, an arrow head where it leaves the axis, and the estimate as a point."""
    a, b = scale.at(found.low), scale.at(found.high)
    left, right = not scale.holds(found.low) and a == 0, not scale.holds(found.high) and b == 100
    parts = [_arrow(0, y, -1)] if left else []
    parts += [_arrow(100, y, 1)] if right else []
    if b > 0 and a < 100:
        ends = max(a, 1.5) if left else a, min(b, 98.5) if right else b
        parts.append(
            f'<line x1="{ends[0]:.2f}%" x2="{ends[1]:.2f}%" y1="{y:g}" y2="{y:g}" '
            f'stroke="{ORANGE}" stroke-width="{BAR}" stroke-linecap="round"/>'
        )
    if scale.holds(found.estimate) and found.method != "every draw":
        parts.append(
            f'<circle cx="{scale.at(found.estimate):.2f}%" cy="{y:g}" r="6.5" fill="{ORANGE}" '
            'stroke="white" stroke-width="2"/>'
        )
    return "".join(parts)


def _arrow(at, y, way):
    anchor = "end" if way > 0 else "start"
    mark = "▶" if way > 0 else "◀"
    return (
        f'<text x="{at}%" y="{y + 6:g}" text-anchor="{anchor}" font-size="18" '
        f'fill="{ORANGE}">{mark}</text>'
    )


def _upright(at, y, style):
    return (
        f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="{y:g}" y2="{y + BLOCK + 1:g}" '
        f'stroke="currentColor"{style}/>'
    )


def called(measured: Measured) -> str:
    """Return how the ruler calls no effect."""
    return name_of_none(measured.statistic, measured.shape)


def _edges(measured):
    region = measured.region
    return [x for x in (region.at_least, region.at_most) if x is not None]


def _bottom_labels(rows, scale):
    first, none = rows[0].measured, none_of(rows[0].measured)
    statistic, unit = first.statistic, first.unit
    edges = dict.fromkeys(edge for row in rows for edge in _edges(row.measured))
    found = [Label(scale.at(x), number(x, statistic, unit)) for x in edges if x != none]
    if none is not None:
        text = f"{number(none, statistic, unit)}: {called(first)}"
        found.append(Label(scale.at(none), text))
    return found


def rulers(rows: Sequence[Row], alt: str) -> str:
    """Return as many rulers as the rows need: rows of one statistic and one no effect, called alike, share theirs."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        if row.measured.region is not None:
            measured = row.measured
            key = measured.statistic, measured.unit, none_of(measured), called(measured)
            groups.setdefault(key, []).append(row)
    high = _long(row for group in groups.values() for row in group)
    return "".join(svg(group, alt, len(rows) > 1, high) for group in groups.values())

"""A histogram of replicates as inline SVG, on the same terms as a ruler: widths in percent, texts of a fixed size."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.claims import _ruler
from helpers.claims._numbers import number, points
from helpers.claims._ruler import LINE, Axis, Label
from helpers.claims.entries import Region
from helpers.claims.ledger import Measured

BLUE, ORANGE, SKY = "#0072B2", "#D55E00", "#56B4E9"  # agrees, does not, the region
HEIGHT = 110  # pixels: of the tallest bar
THIN = 0.03  # half the width of such a bar, of the axis
FEW = 12  # at most so many different values, each of several replicates, get a bar each
MOST_BINS = 40
FAR = 3.0  # so many times the distance between the quartiles beyond them, the axis ends
NAME = {  # of the axis
    "mean": "value of a replicate",
    "mean difference": "difference in a pair",
    "ratio": "ratio in a pair, log scale",
    "proportion": "what a replicate says",
    "difference of proportions": "difference in a pair",
    "rank correlation": "rank correlation within a data set",
    "": "value of a draw",
}


@dataclass(frozen=True)
class Bar:
    """One bar: from where to where on the axis, how many replicates, and whether they agree with the sentence."""

    low: float
    high: float
    count: int
    inside: bool


def scaled(values: np.ndarray, log: bool) -> np.ndarray:
    """Return values as they stand on the axis: logarithms of ratios."""
    return np.log(np.maximum(values, 1e-300)) if log else np.asarray(values, float)


def clipped(values: np.ndarray) -> np.ndarray:
    """Return values whose far ones are moved to where the axis ends, so that the others can be seen."""
    first, third = np.quantile(values, [0.25, 0.75])
    reach = FAR * (third - first)
    return np.clip(values, first - reach, third + reach) if reach > 0 else values


def bars(values: np.ndarray, inside: np.ndarray, region: Region | None, log: bool) -> list[Bar]:
    """Return the bars of a histogram whose edges include the region's, so that no bar is half inside.

    Parameters
    ----------
    values : numpy.ndarray (R,)
        One for each replicate.
    inside : numpy.ndarray (R,) bool
        Whether a replicate alone lies where the sentence is true.
    region : Region or None
        Where the sentence is true; None where only an instance is looked for, which is then 1.
    log : bool
        Whether the axis is logarithmic.
    """
    values, inside = np.asarray(values, float), np.asarray(inside, bool)
    different = np.unique(values)
    places = scaled(values, log)
    if len(different) <= min(FEW, len(values) // 3):
        at = scaled(different, log)
        half = min([THIN * (np.ptp(at) or _unit(at[0])), *(0.4 * np.diff(at))])
        return [
            Bar(at - half, at + half, int(np.sum(places == at)), bool(inside[places == at][0]))
            for at in scaled(different, log)
        ]
    places = clipped(places)
    found = []
    for side in (False, True):  # what agrees and what does not never share a bar
        part = places[inside == side]
        if len(part):
            counts, edges = np.histogram(part, bins=_edges(places, region, log))
            found += [
                Bar(a, b, int(c), side)
                for a, b, c in zip(edges, edges[1:], counts, strict=False)
                if c
            ]
    return sorted(found, key=lambda bar: (bar.low, bar.inside))


def _unit(place):
    """Return a width for an axis on which all values stand in one place."""
    return max(1.0, abs(place))


def _edges(places, region, log):
    """Return equal bins that begin at an edge of the region, if it lies among the values."""
    low, high = float(places.min()), float(places.max())
    width = (high - low) / min(MOST_BINS, max(8, math.ceil(1.5 * math.sqrt(len(places)))))
    if not width > 1e-9 * max(1.0, abs(low)):  # all but equal
        return np.array([low - THIN * _unit(low), high + THIN * _unit(low)])
    ends = [] if region is None else [x for x in (region.at_least, region.at_most) if x is not None]
    anchors = [x for x in scaled(np.array(ends), log) if low < x < high] if ends else []
    anchor = anchors[0] if anchors else low
    first, last = math.floor((low - anchor) / width), math.ceil((high - anchor) / width)
    edges = anchor + width * np.arange(first, last + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges


def svg(measured: Measured, values: np.ndarray, inside: np.ndarray, alt: str) -> str:
    """Return the histogram of one quantity.

    Parameters
    ----------
    measured : Measured
        Statistic, region and interval.
    values : numpy.ndarray (R,)
        From `replicates.effects`.
    inside : numpy.ndarray (R,) bool
        As for `bars`.
    alt : str
        What it shows, for those who do not see it.
    """
    log = measured.statistic == "ratio"
    none = _ruler.none_of(measured)
    shown = bars(values, inside, measured.region, log)
    axis = _axis(shown, measured, log)
    tallest = max(bar.count for bar in shown)
    top, bottom = LINE + 4, LINE + 4 + HEIGHT
    if _binary(measured, values):  # yes or no: colours say it all
        none, parts = None, []
    else:
        parts = [_shaded(measured.region, axis, top, bottom)] if measured.region else []
    parts += [_bar(bar, axis, tallest, bottom) for bar in shown]
    parts.append(_ruler._line(0, 100, bottom, "currentColor", 1, opacity=0.5))
    if none is not None and axis.holds(none):
        parts.append(_upright(axis.at(none), top, bottom, 'stroke-width="2"'))
    if measured.interval is not None and _is_mean(measured):
        at = axis.at(measured.interval.estimate)
        parts.append(_upright(at, top - 4, bottom, 'stroke-width="2" stroke-dasharray="5 3"'))
        name = "geometric mean" if log else "mean"
        label = Label(
            at,
            f"{name} {number(measured.interval.estimate, measured.statistic, measured.unit)}",
            True,
        )
        parts.append(_ruler._text(label, top - 7))
    stacked = _ruler.lines(_ticks(shown, values, measured, axis, log))
    for level, line in enumerate(stacked):
        parts += [_ruler._text(label, bottom + LINE * (level + 1)) for label in line]
    height = bottom + LINE * (len(stacked) + 1) + 8
    parts.append(_ruler._text(Label(100, _name(measured)), height - 8, opacity=0.7))
    return (
        f'<svg role="img" aria-label="{html.escape(alt)}" width="100%" height="{height}" '
        f'font-size="13" style="display:block;overflow:visible">{"".join(parts)}</svg>'
    )


def _name(measured):
    """Return what the axis shows."""
    name = NAME[measured.statistic]
    in_points = points(measured.statistic, measured.unit)
    return f"{name}, in percentage points" if in_points else name


def _binary(measured, values):
    yes_or_no = measured.statistic == "proportion" or measured.region is None
    return yes_or_no and set(np.unique(values)) <= {0.0, 1.0}


def _is_mean(measured):
    return measured.statistic not in ("proportion", "") and measured.interval.method != "every draw"


def _axis(shown: Sequence[Bar], measured: Measured, log: bool) -> Axis:
    """Return an axis that holds all bars, no effect and the region's edges where they are not far off."""
    low, high = min(bar.low for bar in shown), max(bar.high for bar in shown)
    if len(shown) == 1:
        middle = (low + high) / 2
        low, high = middle - _unit(middle) / 2, middle + _unit(middle) / 2
    span = high - low
    region, none = measured.region, _ruler.none_of(measured)
    marks = [none] if region is None else [region.at_least, region.at_most, none]
    for mark in (float(scaled(np.array(x), log)) for x in marks if x is not None):
        if low - span <= mark <= high + span:
            low, high = min(low, mark), max(high, mark)
    pad = 0.03 * (high - low)
    return Axis(low - pad, high + pad, log)


def _percent(place, axis):
    return 100 * min(1.0, max(0.0, (place - axis.low) / (axis.high - axis.low)))


def _bar(bar, axis, tallest, bottom):
    height = max(1.5, HEIGHT * bar.count / tallest)
    left, right = _percent(bar.low, axis), _percent(bar.high, axis)
    color = BLUE if bar.inside else ORANGE
    return (
        f'<rect class="{"inside" if bar.inside else "outside"}" x="{left:.2f}%" '
        f'y="{bottom - height:.1f}" width="{max(0.2, right - left - 0.15):.2f}%" '
        f'height="{height:.1f}" fill="{color}"><title>{bar.count:,}</title></rect>'
    )


def _shaded(region, axis, top, bottom):
    low = 0.0 if region.at_least is None else axis.at(region.at_least)
    high = 100.0 if region.at_most is None else axis.at(region.at_most)
    return (
        f'<rect x="{low:.2f}%" y="{top}" width="{max(0.0, high - low):.2f}%" '
        f'height="{bottom - top}" fill="{SKY}" fill-opacity="0.18"/>'
    )


def _upright(at, top, bottom, style):
    ends = f'x1="{at:.2f}%" x2="{at:.2f}%" y1="{top}" y2="{bottom}"'
    return f'<line {ends} stroke="currentColor" {style}/>'


def _ticks(shown, values, measured, axis, log):
    """Return what is written below: the ends, the region's edges, no effect; each different value where few."""
    statistic, none = measured.statistic, _ruler.none_of(measured)
    unit = measured.unit
    if _binary(measured, values):
        names = {0.0: "no", 1.0: "yes"}
        counts = {at: int(np.sum(values == at)) for at in np.unique(values)}
        return [Label(axis.at(at), f"{names[at]}: {n:,}") for at, n in counts.items()]
    marks = {float(np.min(values)), float(np.max(values))}
    if measured.region is not None:
        marks |= {x for x in (measured.region.at_least, measured.region.at_most) if x is not None}
    marks = {x for x in marks if axis.holds(x) and x != none}
    labels = [Label(axis.at(x), number(x, statistic, unit)) for x in sorted(marks)]
    if none is not None and axis.holds(none):
        labels.append(
            Label(
                axis.at(none), f"{number(none, statistic, unit)}: {_ruler.name_of_none(statistic)}"
            )
        )
    ends = min(bar.low for bar in shown), max(bar.high for bar in shown)
    far = scaled(values, log)
    if far.min() < ends[0]:
        labels.append(Label(_percent(ends[0], axis), "and less"))
    if far.max() > ends[1]:
        labels.append(Label(_percent(ends[1], axis), "and more"))
    return labels

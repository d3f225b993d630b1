"""One position from one front in a box (shapely kernels, metres of the map).

Positions grow seaward. What a kernel cannot measure it says by a reason, never by a silent NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point

from icefront_dask.change.lines import ACROSS_STEP, lines_of, merge_spans, part_index
from icefront_dask.change.reasons import SeriesReason

if TYPE_CHECKING:
    import numpy.typing as npt
    from shapely.geometry import Polygon

    from icefront_dask.change.boxes import FlowBox

__all__ = ["UNSEEN_WIDTHS", "BoxPosition", "box_position"]

_REACH = 0.5  # a front that ends within this of a side has reached it
_BEYOND = 0.05  # closing lines go on by this, so that they cut the ring properly
_CUT_OFF = 0.2  # share of an end of the box that may be cut off by a front which leaves through it
UNSEEN_WIDTHS = 2.0  # the unseen part of a front lies within so many box widths of the seen part


@dataclass(frozen=True)
class BoxPosition:
    """Position of a front in a box, metres of the map.

    Attributes
    ----------
    along : float
        Area of the inland part divided by the width of the box; NaN with a reason.
    low, high : float
        Where the position can be if the unseen part of the front lies up to two widths inland or seaward.
    inland : Polygon or None
        The inland part, seaward of the box's `area_before`.
    n_cuts : int
        How often the front cuts the ring of the box.
    covered_share : float
        Share of the width that is seen, 0 … 1.
    front_length : float
        Length of the front across flow, without what is finer than the correlation length of its errors.
    relief : float
        Standard deviation of the along-flow coordinate of the seen front.
    review : bool
        Whether `reasons` forbid to take the value as it is.
    reasons : tuple of SeriesReason
    """

    along: float
    low: float
    high: float
    inland: Polygon | None
    n_cuts: int
    covered_share: float
    front_length: float
    relief: float
    review: bool
    reasons: tuple[SeriesReason, ...]

    @classmethod
    def missing(cls, reason: SeriesReason, n_cuts: int = 0, covered_share: float = 0.0) -> BoxPosition:
        """Return a position that could not be measured."""
        nan = float("nan")
        return cls(nan, nan, nan, None, n_cuts, covered_share, nan, nan, review=True, reasons=(reason,))


def box_position(front: Any, box: FlowBox, *, min_covered_share: float = 0.8, smooth: float = 250.0) -> BoxPosition:
    """Measure a front as the area of the box inland of it, divided by the box's width.

    The inland part is the one that holds the guide's inland end, however often the front cuts the box. A
    side which the front does not reach, and a gap in the front, are closed by the shortest distance; where
    less than `min_covered_share` of the width is seen the result is for review and has an interval.

    Parameters
    ----------
    front : LineString or MultiLineString
        The front, in the box's CRS.
    box : FlowBox
        From :func:`rectilinear_box` or :func:`curvilinear_box`.
    min_covered_share : float
        Share of the width that must be seen.
    smooth : float
        Tolerance in metres of the map within which the front is straightened to measure its length.

    References
    ----------
    Moon & Joughin (2008), J. Geophys. Res. 113, F02022; Lea et al. (2014), J. Glaciol. 60, 1116.
    """
    inside = lines_of(shapely.intersection(front, box.polygon))
    if not inside:
        return BoxPosition.missing(SeriesReason.OUTSIDE_BOX)
    seen = shapely.multilinestrings(inside)
    ring = box.polygon.exterior
    n_cuts = len(shapely.get_coordinates(shapely.intersection(shapely.multilinestrings(lines_of(front)), ring)))
    sampled = seen if box.straight else shapely.segmentize(seen, ACROSS_STEP)
    xy, part = shapely.get_coordinates(sampled), part_index(sampled)
    across, along = box.across(xy), box.along(xy)
    spans = merge_spans(across, part)
    full = min(box.width, _chord(box, float(np.median(along)))) if box.straight else box.width
    covered = float(min(np.sum(spans[:, 1] - spans[:, 0]) / full, 1.0))
    seed = box.seed(front)
    if seed is None:
        return BoxPosition.missing(SeriesReason.INLAND_OF_BOX, n_cuts, covered)
    closings, closed = _closings(seen, sampled, across, part, spans, box)
    noded = shapely.union_all([ring, *lines_of(front), *closings])
    pieces = shapely.get_parts(shapely.polygonize([noded]))
    inland = next(piece for piece in pieces if piece.intersects(seed))
    position = (box.area_before + inland.area) / box.width
    head, shore = box.end_shares(inland)
    if shore > 1 - _CUT_OFF / 2:
        return BoxPosition.missing(SeriesReason.DOES_NOT_CUT_BOX, n_cuts, covered)
    reasons: list[SeriesReason] = []
    if covered < min_covered_share:
        reasons.append(SeriesReason.PARTLY_SEEN)
    if shore > _CUT_OFF or head < 1 - _CUT_OFF:
        reasons.append(SeriesReason.LEAVES_BOX)
    review = bool(reasons)
    low = high = position
    if review:
        unseen, reach = 1 - covered, UNSEEN_WIDTHS * box.width
        low = covered * position + unseen * max(position - reach, 0.0)
        high = covered * position + unseen * min(position + reach, box.length)
    elif closed and covered < 1 - 1e-3:
        reasons.append(SeriesReason.CLOSED_TO_SIDE)
    length = float(np.sum(shapely.length(shapely.simplify(inside, smooth))))
    weight = np.hypot(*np.diff(xy, axis=0, append=xy[-1:]).T) * np.append(part[1:] == part[:-1], False)
    mean = np.average(along, weights=weight)
    relief = float(np.sqrt(np.average((along - mean) ** 2, weights=weight)))
    return BoxPosition(
        position,
        low,
        high,
        inland,
        n_cuts,
        covered,
        max(length, covered * full),
        relief,
        review,
        tuple(reasons),
    )


def _closings(
    seen: Any,
    sampled: Any,
    across: npt.NDArray[np.float64],
    part: npt.NDArray[np.int64],
    spans: npt.NDArray[np.float64],
    box: FlowBox,
) -> tuple[list[LineString], bool]:
    """Return the shortest lines to the sides and over gaps, and whether a side was closed by them."""
    closings: list[LineString] = []
    closed = False
    for side in (box.left, box.right):
        gap = shapely.shortest_line(seen, side)
        (x0, y0), (x1, y1) = gap.coords
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length > 1e-9:
            ux, uy = (x1 - x0) / length, (y1 - y0) / length
            closings.append(LineString([(x0, y0), (x1 + ux * _BEYOND, y1 + uy * _BEYOND)]))
            closings.append(LineString([(x0 - ux * _BEYOND, y0 - uy * _BEYOND), (x1, y1)]))
        else:
            closings += _stubs(seen, side, box)
        closed |= length > _REACH
    for (_, end), (start, _) in pairwise(spans):
        groups = [
            shapely.multilinestrings(
                [line for k, line in enumerate(shapely.get_parts(sampled)) if pick(across[part == k])]
            )
            for pick in (lambda a, end=end: a.max() <= end, lambda a, start=start: a.min() >= start)
        ]
        bridge = shapely.shortest_line(*groups)
        closings.append(bridge)
    return closings, closed


def _stubs(seen: Any, side: LineString, box: FlowBox) -> list[LineString]:
    """Return short lines out of the box where the front ends on a side, so that it cuts it properly."""
    stubs = []
    middle = box.axis.interpolate(0.5, normalized=True)
    for line in shapely.get_parts(seen):
        for x, y in (line.coords[0], line.coords[-1]):
            end = Point(x, y)
            if side.distance(end) > 1e-6:
                continue
            origin = box.axis.interpolate(box.axis.project(end))
            if origin.distance(end) < 1e-6:
                origin = middle
            dx, dy = x - origin.x, y - origin.y
            norm = float(np.hypot(dx, dy))
            stubs.append(LineString([(x, y), (x + dx / norm * _BEYOND, y + dy / norm * _BEYOND)]))
    return stubs


def _chord(box: FlowBox, along: float) -> float:
    """Return the width of a straight box across its axis at one place."""
    start, end = shapely.get_coordinates(box.axis)[[0, -1]]
    flow = (end - start) / np.hypot(*(end - start))
    normal = np.array([-flow[1], flow[0]])
    at, far = start + along * flow, 10 * box.width
    chord = shapely.intersection(LineString([at - far * normal, at + far * normal]), box.polygon)
    return float(chord.length) or box.width

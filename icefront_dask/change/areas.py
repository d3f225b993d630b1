"""The area between a front and a line: the ice gained or lost seaward of it (shapely kernel)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import LineString

from icefront_dask.change.lines import ACROSS_STEP, left_of, lines_of, merge_spans, part_index
from icefront_dask.change.reasons import SeriesReason

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["AreaPosition", "area_to_line", "line_across"]

_DIRECTION_STEP = 50.0
_OVERLAP = 0.1  # share of the line over which two parts of a front may lie behind each other


@dataclass(frozen=True)
class AreaPosition:
    """A front relative to a line, metres of the map.

    Attributes
    ----------
    ring : ndarray or None
        (n, 2) closed ring of the front, led parallel to the line to its ends, and the line: its signed area
        is that of the ice seaward of the line less that of the water inland of it. None if they do not meet.
    covered_share : float
        Share of the line across from which the front is seen, 0 … 1.
    relief : float
        Standard deviation of the front's distance from the line.
    front_length : float
        Length of the seen front without what is finer than the correlation length of its errors.
    n_crossings : int
        How often the front crosses the line.
    review : bool
        Whether `reasons` forbid to take the value as it is.
    reasons : tuple of SeriesReason
    """

    ring: npt.NDArray[np.float64] | None
    covered_share: float
    relief: float
    front_length: float
    n_crossings: int
    review: bool
    reasons: tuple[SeriesReason, ...]


def area_to_line(
    front: Any, line: LineString, *, min_covered_share: float = 0.8, smooth: float = 250.0
) -> AreaPosition:
    """Measure a front by the area between it and a line.

    Only the part of the front counts that lies straight across from the line. Parts of a front are joined in
    their order along the line.

    Parameters
    ----------
    front : LineString or MultiLineString
    line : LineString
        Reference line with the sea on its left, in the front's CRS.
    min_covered_share : float
        Share of the line that must be seen; with less the result is for review.
    smooth : float
        Tolerance within which the front is straightened to measure its length, metres of the map.
    """
    lines = lines_of(front)
    reach = 1.01 * float(np.max(shapely.distance(line, shapely.points(shapely.get_coordinates(lines))), initial=1.0))
    strip = shapely.buffer(line, reach, cap_style="flat")
    seen = lines_of(shapely.intersection(shapely.multilinestrings(lines), strip)) if lines else []
    if not seen:
        return AreaPosition(None, 0.0, np.nan, np.nan, 0, review=True, reasons=(SeriesReason.BESIDE_LINE,))
    dense = shapely.segmentize(shapely.multilinestrings(seen), ACROSS_STEP)
    xy, part = shapely.get_coordinates(dense), part_index(dense)
    at = np.asarray(shapely.line_locate_point(line, shapely.points(xy)))
    spans = merge_spans(at, part)
    covered = float(min(np.sum(spans[:, 1] - spans[:, 0]) / line.length, 1.0))
    parts = [np.flatnonzero(part == k) for k in range(len(seen))]
    parts = [k if at[k[0]] <= at[k[-1]] else k[::-1] for k in parts]
    parts.sort(key=lambda k: (float(at[k].mean()), float(at[k[0]])))
    extent = sum(float(np.ptp(at[k])) for k in parts) - float(np.sum(spans[:, 1] - spans[:, 0]))
    path = xy[np.concatenate(parts)]
    offset = left_of(line, xy, _DIRECTION_STEP)
    ends = offset[[parts[0][0], parts[-1][-1]]]
    lead = [_beside(line, 0.0, ends[0]), _beside(line, line.length, ends[1])]
    ring = np.concatenate([shapely.get_coordinates(line), lead[1][None], path[::-1], lead[0][None]])
    crossings = shapely.get_coordinates(shapely.intersection(shapely.multilinestrings(seen), line))
    reasons: list[SeriesReason] = []
    if covered < min_covered_share:
        reasons.append(SeriesReason.PARTLY_SEEN)
    if extent > _OVERLAP * line.length:
        reasons.append(SeriesReason.SEVERAL_FRONTS)
    review = bool(reasons)
    if not review and covered < 1 - 1e-3:
        reasons.append(SeriesReason.CLOSED_TO_SIDE)
    weight = np.hypot(*np.diff(xy, axis=0, append=xy[-1:]).T) * np.append(part[1:] == part[:-1], False)
    relief = float(np.sqrt(np.average((offset - np.average(offset, weights=weight)) ** 2, weights=weight)))
    length = float(np.sum(shapely.length(shapely.simplify(seen, smooth))))
    return AreaPosition(
        ring, covered, relief, max(length, covered * line.length), len(crossings), review, tuple(reasons)
    )


def line_across(front: Any, flowline: LineString) -> LineString | None:
    """Return a straight line across the flow as wide as a front, with the front's mean on it and the sea on its left.

    None where the flowline does not meet the front.
    """
    lines = lines_of(front)
    met = shapely.intersection(shapely.multilinestrings(lines), flowline) if lines else None
    if met is None or met.is_empty:
        return None
    at = float(np.max(shapely.line_locate_point(flowline, shapely.points(shapely.get_coordinates(met)))))
    step = max(_DIRECTION_STEP, 0.01 * flowline.length)
    before, here, after = (
        np.array(flowline.interpolate(min(max(s, 0.0), flowline.length)).coords[0]) for s in (at - step, at, at + step)
    )
    flow = (after - before) / np.hypot(*(after - before))
    right = np.array([flow[1], -flow[0]])
    dense = shapely.get_coordinates(shapely.segmentize(shapely.multilinestrings(lines), ACROSS_STEP)) - here
    across, along = dense @ right, dense @ flow
    order = np.argsort(across, kind="stable")
    width = float(np.ptp(across))
    if width == 0:
        return None
    mean = float(np.trapezoid(along[order], across[order]) / width)
    middle = here + mean * flow
    return LineString([middle + across.min() * right, middle + across.max() * right])


def _beside(line: LineString, at: float, offset: float) -> npt.NDArray[np.float64]:
    """Return the point `offset` to the left of a line at its beginning or end."""
    inner = min(_DIRECTION_STEP, line.length)
    a, b = (line.interpolate(0.0), line.interpolate(inner)) if at == 0.0 else (
        line.interpolate(line.length - inner), line.interpolate(line.length)
    )  # fmt: skip
    flow = np.array([b.x - a.x, b.y - a.y]) / a.distance(b)
    end = a if at == 0.0 else b
    return np.array([end.x, end.y]) + offset * np.array([-flow[1], flow[0]])

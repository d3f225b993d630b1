"""Where fronts meet flowlines: the centreline and its parallels (shapely kernels, metres of the map)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import GeometryCollection, LineString, Point

from icefront_dask.change.lines import ACROSS_STEP, lines_of, part_index

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.change.boxes import FlowBox

__all__ = ["Crossing", "centreline_crossings", "profile"]


@dataclass(frozen=True)
class Crossing:
    """Where a front meets a flowline.

    Attributes
    ----------
    along : float
        Arclength from the inland end of the flowline, metres of the map.
    cosine : float
        Cosine of the angle between the front's normal and the flowline, 0 … 1.
    extrapolated : bool
        Whether the front was drawn out to reach the flowline.
    """

    along: float
    cosine: float
    extrapolated: bool = False


def centreline_crossings(
    front: Any, flowline: LineString, *, extrapolate_by: float = 0.0, reach: float = 250.0
) -> list[Crossing]:
    """Return every crossing of a front and a flowline, from the inland end seaward.

    Parameters
    ----------
    front : LineString or MultiLineString
    flowline : LineString
        Inland → sea.
    extrapolate_by : float
        If the front misses the flowline, draw it out straight from its two ends by this at most; 0: do not.
    reach : float
        Half length of the stretch of front whose direction counts.
    """
    lines = lines_of(front)
    met = shapely.intersection(shapely.multilinestrings(lines), flowline) if lines else GeometryCollection()
    extrapolated = False
    if met.is_empty and extrapolate_by > 0 and lines:
        drawn = [line for end in _free_ends(lines) if (line := _draw_out(*end, reach, extrapolate_by)) is not None]
        hits = [(hit, line) for line in drawn if not (hit := shapely.intersection(line, flowline)).is_empty]
        if hits:
            met, line = min(hits, key=lambda pair: shapely.distance(Point(pair[1].coords[0]), pair[0]))
            lines, extrapolated = [line], True
    if met.is_empty:
        return []
    at = np.unique(shapely.line_locate_point(flowline, shapely.points(shapely.get_coordinates(met))))
    whole = shapely.multilinestrings(lines)
    return [Crossing(float(s), _cosine(whole, flowline, float(s), reach), extrapolated) for s in at]


def _free_ends(lines: list[LineString]) -> list[tuple[LineString, bool]]:
    return [(line, first) for line in lines for first in (True, False)]


def _draw_out(line: LineString, first: bool, reach: float, by: float) -> LineString | None:
    """Draw a line out from one end in the direction of its last `reach` metres."""
    if first:
        line = shapely.reverse(line)
    end = np.array(line.coords[-1][:2])
    inner = line.interpolate(max(line.length - reach, 0.0))
    direction = end - np.array([inner.x, inner.y])
    norm = float(np.hypot(*direction))
    return LineString([end, end + direction / norm * by]) if norm > 0 else None


def _cosine(front: Any, flowline: LineString, at: float, reach: float) -> float:
    """Return |cos| between the front's normal and the flowline, both over ± `reach` round their crossing."""
    crossing = flowline.interpolate(at)
    near = min(shapely.get_parts(front), key=lambda line: line.distance(crossing))
    here = near.project(crossing)
    a, b = (near.interpolate(min(max(here + d, 0.0), near.length)) for d in (-reach, reach))
    c, d = (flowline.interpolate(min(max(at + step, 0.0), flowline.length)) for step in (-reach, reach))
    along_front, along_flow = (b.x - a.x, b.y - a.y), (d.x - c.x, d.y - c.y)
    norm = np.hypot(*along_front) * np.hypot(*along_flow)
    if norm == 0:
        return 1.0
    return float(abs(along_front[0] * along_flow[1] - along_front[1] * along_flow[0]) / norm)


def profile(
    front: Any, box: FlowBox, offsets: npt.NDArray[np.float64], *, landward: bool = False
) -> npt.NDArray[np.float64]:
    """Return where a front meets each parallel of a flowline (the multi-centreline method of MaQiT).

    Parameters
    ----------
    front : LineString or MultiLineString
    box : FlowBox
        Curvilinear box about the flowline.
    offsets : ndarray
        (k,) float64, increasing: distances of the parallels from the flowline, metres of the map, positive
        left of the flow.
    landward : bool
        Of several crossings take the most inland one instead of the most seaward one.

    Returns
    -------
    ndarray
        (k,) float64: along-flow coordinate on the flowline itself, the common baseline of all parallels; NaN
        where the front does not meet a parallel.

    References
    ----------
    Lea (2018), Earth Surf. Dynam. 6, 551.
    """
    found = np.full(len(offsets), -np.inf if not landward else np.inf)
    lines = lines_of(front)
    if lines:
        dense = shapely.segmentize(shapely.multilinestrings(lines), ACROSS_STEP)
        xy, part = shapely.get_coordinates(dense), part_index(dense)
        across, along = box.across(xy), box.along(xy)
        joined = part[1:] == part[:-1]
        inside = (along > 0) & (along < box.axis.length)
        joined &= inside[1:] | inside[:-1]
        n0, n1, s0, s1 = (a[joined] for a in (across[:-1], across[1:], along[:-1], along[1:]))
        first = np.searchsorted(offsets, np.minimum(n0, n1), side="left")
        count = np.searchsorted(offsets, np.maximum(n0, n1), side="right") - first
        segment = np.repeat(np.arange(len(count)), count)
        index = first[segment] + np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
        step = n1[segment] - n0[segment]
        share = np.where(step == 0, 0.5, (offsets[index] - n0[segment]) / np.where(step == 0, 1, step))
        at = s0[segment] + share * (s1[segment] - s0[segment])
        (np.minimum if landward else np.maximum).at(found, index, at)
    return np.where(np.isfinite(found), found, np.nan)

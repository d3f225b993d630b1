"""Lines in the coordinates of another line: along it, and to its left (shapely kernels)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    import numpy.typing as npt
    from shapely.geometry import LineString

__all__ = ["ACROSS_STEP", "left_of", "lines_of", "merge_spans", "part_index"]

ACROSS_STEP = 25.0  # vertex spacing for coordinates relative to a bent line


def left_of(axis: LineString, xy: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Return the signed distance of (n, 2) points from a line, positive left of it; its direction is over ± `step`."""
    points = shapely.points(xy)
    at = shapely.line_locate_point(axis, points)
    before = shapely.get_coordinates(shapely.line_interpolate_point(axis, np.maximum(at - step, 0.0)))
    after = shapely.get_coordinates(shapely.line_interpolate_point(axis, np.minimum(at + step, axis.length)))
    flow, offset = after - before, xy - before
    sign = np.sign(flow[:, 0] * offset[:, 1] - flow[:, 1] * offset[:, 0])
    return np.asarray(sign * shapely.distance(axis, points))


def lines_of(geometry: Any) -> list[LineString]:
    """Return the non-empty lines of any geometry; what is not a line is left out."""
    if geometry is None or geometry.is_empty:
        return []
    parts = shapely.get_parts(geometry)
    flat = [
        line for part in parts for line in (shapely.get_parts(part) if part.geom_type == "MultiLineString" else [part])
    ]
    return [line for line in flat if line.geom_type in ("LineString", "LinearRing") and line.length > 0]


def part_index(lines: Any) -> npt.NDArray[np.int64]:
    """Return the number of the part that each coordinate belongs to."""
    counts = shapely.get_num_coordinates(shapely.get_parts(lines))
    return np.repeat(np.arange(len(counts)), counts)


def merge_spans(across: npt.NDArray[np.float64], part: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the disjoint across-flow intervals that the parts cover, sorted, (k, 2)."""
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    spans = np.column_stack([np.minimum.reduceat(across, starts), np.maximum.reduceat(across, starts)])
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    first = np.append(True, spans[1:, 0] > reach[:-1])
    return np.column_stack([spans[first, 0], np.maximum.reduceat(spans[:, 1], np.flatnonzero(first))])

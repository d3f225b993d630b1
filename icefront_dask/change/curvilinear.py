"""Curvilinear boxes: a flowline buffered to both sides (shapely kernels)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.ops import substring

from icefront_dask.change.boxes import FlowBox, box_edges
from icefront_dask.change.lines import ACROSS_STEP, left_of, lines_of
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["CurvilinearBox", "curvilinear_box", "variable_box"]

_INSET_M = 1.0  # so much narrower than its front is a variable box on both sides: the front must cut it
_CELL_M = 2000.0  # length of a cell, or the width of the box if that is longer


@dataclass(frozen=True)
class CurvilinearBox:
    """A box of constant width along a flowline, in cells, so that a front is measured in a short window.

    Attributes
    ----------
    whole : FlowBox
        The whole box.
    stations : ndarray
        (k + 1,) arclengths on the axis where it is cut.
    cells : tuple of Polygon
        The k cells from inland seaward, which fill the box without overlap.
    """

    whole: FlowBox
    stations: npt.NDArray[np.float64]
    cells: tuple[Polygon, ...]
    _parts: dict[tuple[int, int], FlowBox] = field(default_factory=dict, repr=False, compare=False)

    def window(self, front: Any) -> FlowBox:
        """Return the part of the box round a front, at least one cell longer than the front at both ends."""
        points = shapely.points(shapely.get_coordinates(front))
        near = points[shapely.distance(self.whole.axis, points) <= 2 * self.whole.width]
        if not len(near):
            return self.whole
        at = shapely.line_locate_point(self.whole.axis, near)
        first = max(int(np.searchsorted(self.stations, at.min(), side="right")) - 2, 0)
        last = min(int(np.searchsorted(self.stations, at.max(), side="left")) + 1, len(self.cells))
        return self.part(first, last)

    def part(self, first: int, last: int) -> FlowBox:
        """Return cells `first` to `last` (exclusive) as a box."""
        if first == 0 and last == len(self.cells):
            return self.whole
        if (first, last) not in self._parts:
            self._parts[first, last] = self._cut(first, last)
        return self._parts[first, last]

    def _cut(self, first: int, last: int) -> FlowBox:
        axis = substring(self.whole.axis, self.stations[first], self.stations[last])
        left, right, ends = _cut_sides(self.whole, self.stations[[first, last]])
        inland, seaward = (LineString([a, b]) for a, b in ends)
        ring = [*right[0].coords, *list(left[0].coords)[::-1]]
        before = float(sum(cell.area for cell in self.cells[:first]))
        return FlowBox(
            polygon=Polygon(ring),
            axis=axis,
            left=left[0],
            right=right[0],
            inland_edge=inland,
            seaward_edge=seaward,
            width=self.whole.width,
            guide=axis,
            length=self.whole.length,
            straight=False,
            area_before=before,
            cells_before=first,
        )


def curvilinear_box(axis: LineString, width: float) -> CurvilinearBox:
    """Buffer a flowline to both sides (Lea et al. 2014).

    The vertices every 50 m of the published form lie on the flowline and would not change the box.

    Parameters
    ----------
    axis : LineString
        Flowline, inland → sea.
    width : float
        Whole width, metres of the map.

    Raises
    ------
    InputError
        If the box folds over itself because the flowline turns more sharply than the width allows.
    """
    if not (np.isfinite(width) and width > 0):
        raise InputError(f"the width of a curvilinear box must be a positive number of metres, got {width}")
    polygon = shapely.buffer(axis, width / 2, cap_style="flat", quad_segs=16)
    whole = _strip(axis, polygon, -width / 2, width / 2)
    polygon = whole.polygon
    count = max(int(axis.length // max(_CELL_M, width)), 1)
    stations = np.linspace(0.0, axis.length, count + 1)
    lefts, rights, _ = _cut_sides(whole, stations)
    cells = tuple(Polygon([*r.coords, *list(l.coords)[::-1]]) for l, r in zip(lefts, rights, strict=True))
    if not all(cell.is_valid for cell in cells):
        stations, cells = stations[[0, -1]], (polygon,)
    return CurvilinearBox(whole, stations, cells)


def variable_box(axis: LineString, front: Any, *, reach: float) -> FlowBox | None:
    """Lay a curvilinear box exactly as wide as one front (Lea et al. 2014).

    Parameters
    ----------
    axis : LineString
        Flowline, inland → sea.
    front : LineString or MultiLineString
    reach : float
        Parts of the front that lie farther than this from the flowline do not count, metres of the map.

    Returns
    -------
    FlowBox or None
        Between the parallels of the flowline on which the front's two sides lie. None where the front does
        not come near the flowline, or the box would fold over itself.
    """
    near = lines_of(shapely.intersection(front, shapely.buffer(axis, reach, cap_style="flat")))
    if not near:
        return None
    across = left_of(axis, shapely.get_coordinates(shapely.segmentize(near, ACROSS_STEP)), reach * 1e-3)
    low, high = float(across.min()) + _INSET_M, float(across.max()) - _INSET_M
    if high <= low:
        return None
    left, right = (
        shapely.buffer(axis, side, cap_style="flat", quad_segs=16, single_sided=True) for side in (high, low)
    )
    if low < 0 < high:
        polygon = shapely.union(left, right)
    else:
        polygon = shapely.difference(left, right) if low >= 0 else shapely.difference(right, left)
    try:
        return _strip(axis, polygon, low, high)
    except InputError:
        return None


def _strip(axis: LineString, polygon: Any, low: float, high: float) -> FlowBox:
    """Return the box between two distances from a flowline, positive left of it.

    Raises
    ------
    InputError
        If it folds over itself.
    """
    if polygon.geom_type != "Polygon":
        raise InputError("the box folds over itself: take a smaller width or a smoother flowline")
    polygon = Polygon(polygon.exterior)
    xy = shapely.get_coordinates(axis)
    corners = []
    for at, (a, b), sides in ((xy[0], xy[:2], (high, low)), (xy[-1], xy[-2:], (low, high))):
        ux, uy = (b - a) / np.hypot(*(b - a))
        corners += [at + side * np.array([-uy, ux]) for side in sides]
    left, right, inland, seaward = box_edges(polygon, np.array(corners))
    guide = axis if low < 0 < high else LineString(
        [inland.interpolate(0.5, normalized=True), seaward.interpolate(0.5, normalized=True)]
    )  # fmt: skip
    return FlowBox(
        polygon=polygon,
        axis=axis,
        left=shapely.reverse(left),
        right=right,
        inland_edge=inland,
        seaward_edge=seaward,
        width=high - low,
        guide=guide,
        length=axis.length,
        straight=False,
    )


def _cut_sides(
    box: FlowBox, stations: npt.NDArray[np.float64]
) -> tuple[list[LineString], list[LineString], list[tuple[Any, Any]]]:
    """Return the stretches of both sides between stations, and both ends of the cut at each station."""
    sides = []
    for side, sign in ((box.left, 1.0), (box.right, -1.0)):
        before = shapely.get_coordinates(shapely.line_interpolate_point(box.axis, np.maximum(stations - 1, 0)))
        after = shapely.get_coordinates(shapely.line_interpolate_point(box.axis, np.minimum(stations + 1, box.length)))
        flow = (after - before) / np.hypot(*(after - before).T)[:, None]
        middle = shapely.get_coordinates(shapely.line_interpolate_point(box.axis, stations))
        aims = middle + sign * box.width / 2 * np.column_stack([-flow[:, 1], flow[:, 0]])
        at = np.maximum.accumulate(shapely.line_locate_point(side, shapely.points(aims)))
        at[stations == 0.0], at[stations == box.length] = 0.0, side.length
        sides.append((side, at))
    (left, l_at), (right, r_at) = sides
    ends = list(
        zip(
            *(shapely.get_coordinates(shapely.line_interpolate_point(side, at)) for side, at in sides),
            strict=True,
        )
    )
    stretches = [[substring(side, a, b) for a, b in pairwise(at)] for side, at in ((left, l_at), (right, r_at))]
    return stretches[0], stretches[1], ends

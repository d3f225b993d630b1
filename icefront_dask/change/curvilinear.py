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
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["CurvilinearBox", "curvilinear_box"]

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
    polygon = Polygon(shapely.buffer(axis, width / 2, cap_style="flat", quad_segs=16).exterior)
    xy = shapely.get_coordinates(axis)
    corners = []
    for at, (a, b), sides in ((xy[0], xy[:2], (1, -1)), (xy[-1], xy[-2:], (-1, 1))):
        ux, uy = (b - a) / np.hypot(*(b - a))
        corners += [at + side * width / 2 * np.array([-uy, ux]) for side in sides]
    left, right, inland, seaward = box_edges(polygon, np.array(corners))
    whole = FlowBox(
        polygon, axis, shapely.reverse(left), right, inland, seaward, width, axis, axis.length, straight=False
    )
    count = max(int(axis.length // max(_CELL_M, width)), 1)
    stations = np.linspace(0.0, axis.length, count + 1)
    lefts, rights, _ = _cut_sides(whole, stations)
    cells = tuple(Polygon([*r.coords, *list(l.coords)[::-1]]) for l, r in zip(lefts, rights, strict=True))
    if not all(cell.is_valid for cell in cells):
        stations, cells = stations[[0, -1]], (polygon,)
    return CurvilinearBox(whole, stations, cells)


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

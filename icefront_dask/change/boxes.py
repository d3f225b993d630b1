"""Boxes in which a front position is measured as an area, and the rectilinear one (shapely kernels)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.ops import substring
from shapely.validation import explain_validity

from icefront_dask.change.lines import left_of
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FlowBox", "box_corners", "box_edges", "check_box", "check_flowline", "rectilinear_box"]

_SEED_STEP = 0.01  # metres of the map
_PROBES = 40  # points along an end of a box that are looked up in the inland part
_INSET = 0.1  # how far inside the box they lie, metres of the map


@dataclass(frozen=True)
class FlowBox:
    """A box with an inland and a seaward end.

    Attributes
    ----------
    polygon : Polygon
        The box, without holes.
    axis : LineString
        Its middle, inland → sea; arclength on it is the along-flow coordinate.
    left, right : LineString
        Its sides, left and right when looking seaward.
    inland_edge, seaward_edge : LineString
        Its ends.
    width : float
        Across flow, metres of the map.
    guide : LineString
        The line whose first point in the box is inland: the flowline, or `axis` where there is none.
    length : float
        Largest along-flow coordinate, metres of the map.
    straight : bool
        Whether `axis` is one straight segment.
    area_before : float
        Area that lies inland of this box where it is a window of a longer one, m² of the map.
    cells_before : int
        How many cells of the longer box that is.
    """

    polygon: Polygon
    axis: LineString
    left: LineString
    right: LineString
    inland_edge: LineString
    seaward_edge: LineString
    width: float
    guide: LineString
    length: float
    straight: bool
    area_before: float = 0.0
    cells_before: int = 0

    def across(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the signed across-flow coordinate of (n, 2) points, positive left of the flow."""
        if self.straight:
            start, end = shapely.get_coordinates(self.axis)[[0, -1]]
            ux, uy = (end - start) / np.hypot(*(end - start))
            return np.asarray((xy[:, 1] - start[1]) * ux - (xy[:, 0] - start[0]) * uy)
        return left_of(self.axis, xy, self.width * 1e-3)

    def along(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the along-flow coordinate of (n, 2) points: map metres from the inland end of the axis."""
        return np.asarray(shapely.line_locate_point(self.axis, shapely.points(xy)))

    @cached_property
    def _probes(self) -> list[npt.NDArray[np.float64]]:
        """Points just inside the inland and the seaward edge, (k, 2) each."""
        out = []
        for edge, ends, inward in ((self.inland_edge, [0, 1], 1.0), (self.seaward_edge, [-2, -1], -1.0)):
            share = (np.arange(_PROBES) + 0.5) / _PROBES
            xy = shapely.get_coordinates(shapely.line_interpolate_point(edge, share, normalized=True))
            a, b = shapely.get_coordinates(self.axis)[ends]
            out.append(xy + inward * _INSET * (b - a) / np.hypot(*(b - a)))
        return out

    def end_shares(self, inland: Polygon) -> tuple[float, float]:
        """Return which shares of the inland and of the seaward edge bound the inland part."""
        head, shore = (float(np.mean(shapely.contains_xy(inland, *xy.T))) for xy in self._probes)
        return head, shore

    @cached_property
    def _entry(self) -> float:
        """Arclength on `guide` where it comes into the box."""
        inside = shapely.get_coordinates(shapely.intersection(self.guide, self.polygon))
        return float(np.min(shapely.line_locate_point(self.guide, shapely.points(inside))))

    def seed(self, front: Any) -> Point | None:
        """Return a point of the inland part: where `guide` comes into the box, before it meets the front there.

        ``None`` if the guide has crossed the front before, an odd number of times.
        """
        crossings = shapely.get_coordinates(shapely.intersection(self.guide, front))
        met = np.unique(shapely.line_locate_point(self.guide, shapely.points(crossings)))
        if np.count_nonzero(met <= self._entry) % 2:
            return None
        ahead = met[met > self._entry]
        step = min(_SEED_STEP, float(ahead[0] - self._entry) / 2) if len(ahead) else _SEED_STEP
        return self.guide.interpolate(self._entry + step)


def check_box(polygon: Any) -> Polygon:
    """Return a box as one valid polygon without holes.

    Raises
    ------
    InputError
        If it is no polygon, crosses itself or has no area.
    """
    if getattr(polygon, "geom_type", None) == "MultiPolygon" and len(polygon.geoms) == 1:
        polygon = polygon.geoms[0]
    if getattr(polygon, "geom_type", None) != "Polygon" or polygon.is_empty:
        raise InputError(
            f"the box must be one polygon, not {getattr(polygon, 'geom_type', polygon)!r}; draw a closed ring"
        )
    if not polygon.is_valid or polygon.area == 0:
        raise InputError(
            f"the box is not a valid polygon ({explain_validity(polygon)}); redraw it without crossing itself"
        )
    return Polygon(shapely.force_2d(polygon).exterior)


def check_flowline(line: Any) -> LineString:
    """Return a flowline as one simple line.

    Raises
    ------
    InputError
        If it is no line, has several parts that do not join, crosses itself or has no length.
    """
    if getattr(line, "geom_type", None) == "MultiLineString":
        line = shapely.line_merge(line)
    if getattr(line, "geom_type", None) != "LineString" or line.is_empty:
        raise InputError(f"a flowline must be one line, not {getattr(line, 'geom_type', line)!r}; join its parts")
    line = shapely.force_2d(line)
    if not np.isfinite(shapely.get_coordinates(line)).all() or line.length == 0:
        raise InputError("a flowline has no length or is not finite; draw it from inland to sea")
    line = shapely.remove_repeated_points(line)
    if not line.is_simple:
        raise InputError("a flowline crosses itself; redraw it from inland to sea")
    return line


def rectilinear_box(
    polygon: Polygon, *, flowline: LineString | None = None, seaward: tuple[float, float] | None = None
) -> FlowBox:
    """Lay a fixed box along the flow (Moon & Joughin 2008).

    Parameters
    ----------
    polygon : Polygon
        The box; its four corners, or those of its smallest enclosing rectangle, part it into two ends and
        two sides.
    flowline : LineString, optional
        Inland → sea; says which end is inland.
    seaward : (float, float), optional
        Direction to the sea on the map where there is no flowline.

    Raises
    ------
    InputError
        If neither says where the sea is, or the flowline does not cross the box.
    """
    polygon = check_box(polygon)
    if flowline is not None:
        inside = shapely.get_coordinates(shapely.intersection(flowline, polygon))
        if len(inside) < 2:
            raise InputError("the flowline does not cross the box; check that both belong together and share a CRS")
        at = shapely.line_locate_point(flowline, shapely.points(inside))
        direction = inside[np.argmax(at)] - inside[np.argmin(at)]
    elif seaward is not None:
        direction = np.asarray(seaward, dtype=float)
    else:
        raise InputError("the box alone does not say where the sea is; give a flowline (inland to sea)")
    corners = box_corners(polygon)
    middles = (corners + np.roll(corners, -1, axis=0)) / 2
    flows = np.roll(middles, -2, axis=0) - middles
    k = int(np.argmax(flows @ direction / np.hypot(*flows.T)))
    axis = LineString([middles[k], middles[(k + 2) % 4]])
    ordered = np.roll(corners, -k, axis=0)  # counter-clockwise: inland-left, inland-right, seaward-right, seaward-left
    edges = box_edges(polygon, ordered)
    return FlowBox(
        polygon,
        axis,
        *edges,
        polygon.area / axis.length,
        axis if flowline is None else flowline,
        axis.length,
        straight=True,
    )


def box_corners(polygon: Polygon) -> npt.NDArray[np.float64]:
    """Return (4, 2) corners, counter-clockwise: the polygon's own four, or those of its rotated rectangle."""
    plain = shapely.simplify(polygon, 0.01 * np.sqrt(polygon.area))
    if len(plain.exterior.coords) != 5 or plain.area < 0.9 * plain.convex_hull.area:
        plain = shapely.minimum_rotated_rectangle(polygon)
    return np.asarray(shapely.orient_polygons(plain).exterior.coords)[:4, :2]


def box_edges(
    polygon: Polygon, corners: npt.NDArray[np.float64]
) -> tuple[LineString, LineString, LineString, LineString]:
    """Part a ring at its corners (counter-clockwise from inland-left): left, right, inland, seaward edge.

    Raises
    ------
    InputError
        If the corners do not follow each other on the ring.
    """
    ring = shapely.orient_polygons(polygon).exterior
    at = shapely.line_locate_point(ring, shapely.points(corners))
    turned = (at - at[0]) % ring.length
    off = float(np.max(shapely.distance(ring, shapely.points(corners))))
    if not np.all(np.diff(turned) > 0) or off > 0.25 * np.sqrt(polygon.area):
        raise InputError("the box folds over itself: take a smaller width or a smoother flowline")
    start = float(at[0])
    unrolled = LineString([*substring(ring, start, ring.length).coords, *list(substring(ring, 0.0, start).coords)[1:]])
    cuts = [*turned, ring.length]
    inland, right, seaward, left = (substring(unrolled, a, b) for a, b in pairwise(cuts))
    return left, right, inland, seaward

"""Flowlines and boxes that the user or the region gives, checked and in one CRS."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry import LineString

from icefront_dask.change.boxes import check_box, check_flowline
from icefront_dask.change.direction import interior_vote
from icefront_dask.change.inputs import in_crs
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from shapely.geometry import Polygon

    from icefront_dask.regions import Region

__all__ = ["FlowlineDirection", "fjord_width", "given_box", "named_flowlines"]

FlowlineDirection = Literal["inland-to-sea", "sea-to-inland"]
_STATIONS = 20  # places along the flowline where the fjord's width is taken


def named_flowlines(
    flowlines: Any, region: Region | None, crs: str, *, given_in: Any = None, direction: FlowlineDirection
) -> dict[str, LineString]:
    """Return flowlines by name, inland → sea, in `crs`.

    Parameters
    ----------
    flowlines : LineString, sequence of LineString, mapping, GeoSeries or GeoDataFrame, optional
        Instead of the region's own. A GeoDataFrame's column ``name`` names them; else they are called 0, 1,
        ….
    region : Region, optional
        Its flowlines are used where `flowlines` is None; they always run from inland to sea.
    crs : str
        The CRS that is wanted.
    given_in : CRS, optional
        CRS of bare geometries, where it is not `crs`.
    direction : {"inland-to-sea", "sea-to-inland"}
        How `flowlines` were digitised.
    """
    if flowlines is None:
        own = region.flowlines if region is not None else ()
        return {str(k): check_flowline(line) for k, line in enumerate(own)}
    names, lines = _geometries(flowlines, crs, given_in, what="the flowlines")
    if direction not in ("inland-to-sea", "sea-to-inland"):
        raise InputError(f"flowline_direction is 'inland-to-sea' or 'sea-to-inland', not {direction!r}")
    checked = {name: check_flowline(line) for name, line in zip(names, lines, strict=True)}
    if direction == "sea-to-inland":
        checked = {name: shapely.reverse(line) for name, line in checked.items()}
    for name, line in checked.items():
        (x0, y0), (x1, y1) = shapely.get_coordinates(line)[[0, -1]]
        if interior_vote((x0 + x1) / 2, (y0 + y1) / 2, np.array([x1 - x0, y1 - y0]), crs) < 0:
            warnings.warn(
                f"flowline {name!r} runs towards the ice sheet's interior, but flowlines run from inland to "
                "sea: retreat would be called advance; if it was digitised from the sea, pass "
                "flowline_direction='sea-to-inland' (--flowline-direction sea-to-inland)",
                stacklevel=4,
            )
    return checked


def fjord_width(line: LineString, fjord: Any) -> float | None:
    """Return the median width of a fjord across a flowline, metres of the map; None if they do not meet."""
    inside = shapely.get_coordinates(shapely.intersection(line, fjord))
    if len(inside) < 2:
        return None
    at = shapely.line_locate_point(line, shapely.points(inside))
    reach = float(np.hypot(*(np.array(fjord.bounds[2:]) - fjord.bounds[:2])))
    widths = []
    for s in np.linspace(at.min(), at.max(), _STATIONS + 2)[1:-1]:
        here = line.interpolate(s)
        before, after = line.interpolate(max(s - 50, 0)), line.interpolate(min(s + 50, line.length))
        ux, uy = np.array([after.x - before.x, after.y - before.y]) / before.distance(after)
        across = LineString([(here.x - uy * reach, here.y + ux * reach), (here.x + uy * reach, here.y - ux * reach)])
        chords = [c for c in shapely.get_parts(shapely.intersection(across, fjord)) if c.distance(here) < 1e-6]
        widths += [c.length for c in chords if c.length > 0]
    return float(np.median(widths)) if widths else None


def given_box(box: Any, region: Region | None, crs: str, given_in: Any) -> Polygon | None:
    """Return the box that is given, or the region's own, or None."""
    if box is None:
        return check_box(region.box) if region is not None and region.box is not None else None
    _, polygons = _geometries(box, crs, given_in, what="the box")
    if len(polygons) != 1:
        raise InputError(f"one box is needed, not {len(polygons)}; choose one row")
    return check_box(polygons[0])


def _geometries(given: Any, crs: str, given_in: Any, *, what: str) -> tuple[list[str], list[Any]]:
    if isinstance(given, gpd.GeoDataFrame | gpd.GeoSeries):
        moved = in_crs(given, crs, what=what)
        lines = list(moved.geometry)
        named = isinstance(given, gpd.GeoDataFrame) and "name" in given and given["name"].is_unique
        return ([str(n) for n in given["name"]] if named else [str(k) for k in range(len(lines))]), lines
    if isinstance(given, dict):
        names, lines = [str(k) for k in given], list(given.values())
    else:
        lines = [given] if hasattr(given, "geom_type") else list(given)
        names = [str(k) for k in range(len(lines))]
    if given_in is not None and lines:
        lines = list(in_crs(gpd.GeoSeries(lines, crs=given_in), crs, what=what))
    return names, lines

"""The true front of a simulated scene: the zero line of a function, and how much of it a scene shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely

from icefront_dask.simulate.place import CONTOUR_M, contour_lines

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.simulate.evolution import FrontState
    from icefront_dask.simulate.place import Place

__all__ = ["USABLE_SHARE", "TrueFront", "flowline_position", "seen_share", "true_front"]

USABLE_SHARE = 0.6  # of the true front in valid, cloud-free pixels
_SMALL = 0.12  # pieces shorter than this share of the longest are crumbs of the warp, not fronts


@dataclass(frozen=True)
class TrueFront:
    """The front of one time.

    Attributes
    ----------
    line : LineString or MultiLineString
        In the region's CRS, within its outline and fjord; exact to about 1 m.
    position_m : float
        True metres along the central flowline from its inland end to its most seaward crossing; NaN without
        one.
    """

    line: BaseGeometry
    position_m: float


def true_front(place: Place, state: FrontState) -> TrueFront:
    """Return the boundary of glacier and ocean of a place at a time.

    Parameters
    ----------
    place : Place
    state : FrontState
        From ``place.history.at(time)``.
    """
    step = CONTOUR_M * place.scale
    west, south, east, north = place.region.outline.buffer(2 * step).bounds
    columns, rows = np.arange(west, east + step, step), np.arange(north, south - step, -step)
    xx, yy = np.meshgrid(columns, rows)
    level = place.landscape.ice(*place.to_landscape(xx, yy), state)
    lines = [
        shapely.LineString(np.column_stack([west + step * line[:, 1], north - step * line[:, 0]]))
        for line in contour_lines(level, 0.0)
    ]
    within = shapely.intersection(shapely.union_all(lines), place.region.fjord)
    merged = shapely.line_merge(within) if within.geom_type == "MultiLineString" else within
    parts = [part for part in shapely.get_parts(merged) if part.geom_type == "LineString"]
    longest = max((part.length for part in parts), default=0.0)
    kept = [part for part in parts if part.length >= _SMALL * longest]
    line = kept[0] if len(kept) == 1 else shapely.MultiLineString(kept)
    return TrueFront(line, flowline_position(line, place.region.flowlines[0], place.region.scale_factor))


def flowline_position(line: BaseGeometry, flowline: shapely.LineString, scale: float) -> float:
    """Return the true distance along a flowline to its most seaward crossing with a line; NaN without one."""
    crossings = shapely.get_coordinates(shapely.intersection(line, flowline))
    if not len(crossings):
        return float("nan")
    return float(shapely.line_locate_point(flowline, shapely.points(crossings)).max()) / scale


def seen_share(
    line: BaseGeometry,
    crs: str,
    clear: NDArray[np.bool_],
    transform: Affine,
    scene_crs: str,
    step: float = 10.0,
) -> float:
    """Return the share of a front that lies in clear pixels of a scene.

    Parameters
    ----------
    line : LineString or MultiLineString
        In `crs`.
    crs : str
    clear : ndarray (H, W) bool
        Valid and without cloud.
    transform, scene_crs : Affine and str
        Georeference of the scene.
    step : float, default 10
        Distance of the points that are looked up, along the front, in the unit of `crs`.

    Returns
    -------
    float
        0 … 1; what lies outside the scene is not seen.
    """
    points = np.concatenate(
        [
            shapely.get_coordinates(shapely.line_interpolate_point(part, np.arange(0.0, part.length, step)))
            for part in shapely.get_parts(line)
        ]
    )
    x, y = pyproj.Transformer.from_crs(crs, scene_crs, always_xy=True).transform(*points.T)
    inverse = ~transform
    columns, rows = inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f
    row, column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    inside = (row >= 0) & (row < clear.shape[0]) & (column >= 0) & (column < clear.shape[1])
    seen = np.zeros(len(points), dtype=bool)
    seen[inside] = clear[row[inside], column[inside]]
    return float(seen.mean())

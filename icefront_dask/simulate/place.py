"""A landscape put on the map: its frame in a projection, and the region that describes it.

The landscape's frame is tied to the region's CRS by one rotation, one shift and one scale, the projection's
point scale at the middle of the front. So true fronts are exact in that CRS, and landscape metres are true
metres but for the change of the scale over the place (below 1:5000 over 10 km). Scenes on other grids ask for
the landscape's coordinates of their pixel centres; nothing is resampled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from skimage.measure import find_contours

from icefront_dask.regions import Region
from icefront_dask.simulate.evolution import FrontHistory, draw_history
from icefront_dask.simulate.fields import Atlas, Floats
from icefront_dask.simulate.landscape import Landscape, draw_landscape

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.simulate.plan import PlacePlan

__all__ = ["CONTOUR_M", "Place", "contour_lines", "make_place"]

CONTOUR_M = 10.0  # grid on which levels are contoured
HISTORY_START = np.datetime64("2009-01-01T00:00:00", "s")
HISTORY_STOP = np.datetime64("2023-01-01T00:00:00", "s")


@dataclass(frozen=True)
class Place:
    """A landscape with its history, its frame on the map and its region.

    Attributes
    ----------
    plan : PlacePlan
    landscape : Landscape
    history : FrontHistory
    origin : tuple of float
        The landscape's origin in the CRS.
    scale : float
        Projected over true length at the origin.
    region : Region
    """

    plan: PlacePlan
    landscape: Landscape
    history: FrontHistory
    origin: tuple[float, float]
    scale: float
    region: Region

    def to_landscape(self, east: NDArray[np.float64], north: NDArray[np.float64]) -> tuple[Floats, Floats]:
        """Landscape coordinates (m) of positions in the region's CRS."""
        return _to_frame(self.origin, self.scale, self.plan.azimuth_deg, east, north)

    def from_landscape(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Positions (n, 2) in the region's CRS of landscape coordinates (n, 2)."""
        return _from_frame(self.origin, self.scale, self.plan.azimuth_deg, points)


def _to_frame(
    origin: tuple[float, float],
    scale: float,
    azimuth_deg: float,
    east: NDArray[np.float64],
    north: NDArray[np.float64],
) -> tuple[Floats, Floats]:
    cos, sin = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    u, v = (east - origin[0]) / scale, (north - origin[1]) / scale
    return (u * cos + v * sin).astype(np.float32), (v * cos - u * sin).astype(np.float32)


def _from_frame(
    origin: tuple[float, float], scale: float, azimuth_deg: float, points: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    cos, sin = math.cos(math.radians(azimuth_deg)), math.sin(math.radians(azimuth_deg))
    x, y = np.asarray(points, dtype=np.float64).T
    return np.column_stack([origin[0] + scale * (x * cos - y * sin), origin[1] + scale * (x * sin + y * cos)])


def make_place(plan: PlacePlan) -> Place:
    """Draw the landscape, the history and the region of a place (about 1 s)."""
    rng = np.random.default_rng([plan.seed, 0x91ACE])
    atlas = Atlas.from_seed(plan.seed)
    landscape = _in_view(draw_landscape(rng, atlas, plan.kind, plan.half_width_m), plan)
    history = draw_history(rng, atlas, plan.half_width_m, plan.motion, HISTORY_START, HISTORY_STOP)
    origin = pyproj.Transformer.from_crs(4326, plan.crs, always_xy=True).transform(plan.lon, plan.lat)
    scale = math.sqrt(pyproj.Proj(plan.crs).get_factors(plan.lon, plan.lat).areal_scale)
    half = 0.5 * plan.size_m * scale
    outline = shapely.box(origin[0] - half, origin[1] - half, origin[0] + half, origin[1] + half)
    fjord = _fjord(landscape, plan, origin, scale, outline)
    reach = 0.75 * plan.size_m

    def ground(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return _from_frame(origin, scale, plan.azimuth_deg, points)

    shifts = (0.0, 0.4, -0.4) if plan.kind == "ice_shelf" else (0.0,)
    centre = landscape.centreline(-reach, reach, 50.0)
    inner = outline.buffer(-0.02 * half)
    flowlines = tuple(
        _longest(shapely.LineString(ground(centre + np.array([0.0, share * plan.half_width_m]))).intersection(inner))
        for share in shifts
    )
    width, long = 0.35 * plan.half_width_m, 0.38 * plan.size_m
    box = shapely.Polygon(ground(np.array([[-long, -width], [long, -width], [long, width], [-long, width]])))
    back = ground(np.array([[-long, -0.9 * plan.half_width_m], [-long, 0.9 * plan.half_width_m]]))
    region = Region(
        name=plan.name,
        outline=outline,
        crs=plan.crs,
        kind=plan.kind,
        fjord=fjord,
        flowlines=flowlines,
        box=box,
        reference_line=shapely.LineString(back) if plan.kind == "ice_shelf" else None,
        basin=f"{plan.name}-basin",
    )
    return Place(plan, landscape, history, origin, scale, region)


def _in_view(landscape: Landscape, plan: PlacePlan) -> Landscape:
    """Fit what was drawn into the region: gentle bends, the tongue's root in view, no island on a front."""
    w = plan.half_width_m
    islands = tuple((x, y, r) for x, y, r in landscape.islands if abs(x) > 1500 + 1.5 * r)
    return replace(
        landscape,
        bend_m=min(landscape.bend_m, 0.35 * w),
        mouth_m=-min(max(-landscape.mouth_m, 0.9 * w), 0.33 * plan.size_m),
        tongue_share=max(landscape.tongue_share, 0.5),
        islands=islands,
        tributary=None,
    )


def _fjord(
    landscape: Landscape, plan: PlacePlan, origin: tuple[float, float], scale: float, outline: BaseGeometry
) -> BaseGeometry:
    """Polygon between the walls, less the islands, within the outline."""
    step = CONTOUR_M * scale
    west, south, east, north = outline.buffer(4 * step).bounds
    columns = np.arange(west, east + step, step)
    rows = np.arange(north, south - step, -step)
    xx, yy = np.meshgrid(columns, rows)
    level = landscape.wall(*_to_frame(origin, scale, plan.azimuth_deg, xx, yy))
    rings = contour_lines(np.pad(level, 1, constant_values=1.0), 0.0)
    corner = (west - step, north + step)
    polygons = [
        shapely.Polygon(np.column_stack([corner[0] + step * ring[:, 1], corner[1] - step * ring[:, 0]]))
        for ring in rings
        if len(ring) > 8
    ]
    area = shapely.Polygon()
    for polygon in sorted(polygons, key=lambda p: -p.area):
        area = area.symmetric_difference(polygon.buffer(0))
    inside = shapely.get_parts(area.intersection(outline))
    keep = [part for part in inside if part.area > 0.02 * outline.area]
    return shapely.union_all(keep).simplify(0.5)


def contour_lines(level: NDArray[np.floating[Any]], value: float) -> list[NDArray[np.float64]]:
    """Contours (n, 2) of a level in row and column coordinates of its samples."""
    return [np.asarray(line, dtype=np.float64) for line in find_contours(level.astype(np.float64), value)]


def _longest(geometry: BaseGeometry) -> shapely.LineString:
    line = shapely.line_merge(geometry) if geometry.geom_type == "MultiLineString" else geometry
    return max(shapely.get_parts(line), key=lambda part: part.length)

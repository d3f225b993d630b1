"""Ice and ocean areas of a table of fronts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from icefront_dask.errors import InputError
from icefront_dask.fronts.polygonise import polygonise
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icefront_dask.regions import Region

__all__ = ["AREA_COLUMNS", "front_areas"]

AREA_COLUMNS = ("region", "scene_id", "datetime", "kind", "area_m2", "snapped_m", "geometry")
_STEP_M = 1_000.0  # a straight line of the map is bent by far less on the ground along this


def front_areas(
    fronts: gpd.GeoDataFrame, region: Region, *, statuses: Sequence[str] = (Status.ACCEPTED,)
) -> gpd.GeoDataFrame:
    """Return the ice and the ocean of each scene: the region's fjord closed by the scene's fronts.

    Parameters
    ----------
    fronts : GeoDataFrame
        Fronts table; rows of other regions are left out.
    region : Region
        With a fjord; its flowlines say what is ice and what is ocean.
    statuses : sequence of str
        Fronts that close.

    Returns
    -------
    GeoDataFrame
        Two rows a scene whose fronts close the fjord: ``kind`` ice and ocean, valid and without overlap, in the
        region's CRS; ``area_m2`` and ``snapped_m`` (longest way by which an end was led to the fjord's boundary)
        in true measure. Scenes whose fronts do not close it are left out.

    Raises
    ------
    InputError
        For a region without a fjord, or a table that lacks a column.
    """
    if region.fjord is None:
        raise InputError(f"region {region.name!r} has no fjord to close its fronts by; add one to its file")
    if lacking := [name for name in ("region", "scene_id", "datetime", "status") if name not in fronts.columns]:
        raise InputError(f"the fronts table lacks the column {', '.join(lacking)}")
    places = [_ends(line, region.fjord) for line in region.flowlines]
    inland, ocean = ([pair[side] for pair in places if pair is not None] for side in (0, 1))
    chosen = fronts[(fronts["region"] == region.name) & fronts["status"].isin([str(word) for word in statuses])]
    chosen = chosen[chosen.geometry.notna()].to_crs(region.crs)
    rows: list[dict[str, Any]] = []
    for scene, group in chosen.groupby("scene_id", sort=True):
        found = polygonise(list(group.geometry), region.fjord, inland=inland, ocean=ocean)
        if found is None:
            continue
        for kind, area in (("ice", found.ice), ("ocean", found.ocean)):
            rows.append(
                {
                    "region": region.name,
                    "scene_id": scene,
                    "datetime": group["datetime"].iloc[0],
                    "kind": kind,
                    "area_m2": _true_area_m2(area, region.crs),
                    "snapped_m": found.snapped / region.scale_factor,
                    "geometry": area,
                }
            )
    table = pd.DataFrame(rows, columns=list(AREA_COLUMNS))
    return gpd.GeoDataFrame(table, geometry="geometry", crs=region.crs)


def _true_area_m2(area: Any, crs: str) -> float:
    """Return the area on the ground of a polygon of any size: that in the equal-area projection about its middle."""
    middle = area.centroid
    lon, lat = _to_lonlat(crs).transform(middle.x, middle.y)
    onto = _equal_area(crs, round(lon), round(lat))
    dense = shapely.segmentize(area, _STEP_M)
    return float(shapely.transform(dense, lambda xy: np.column_stack(onto.transform(*xy.T))).area)


@lru_cache(maxsize=64)
def _to_lonlat(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)


@lru_cache(maxsize=64)
def _equal_area(crs: str, lon: int, lat: int) -> pyproj.Transformer:
    target = f"+proj=laea +lon_0={lon} +lat_0={lat} +ellps=WGS84 +units=m"
    return pyproj.Transformer.from_crs(crs, target, always_xy=True)


def _ends(line: shapely.LineString, fjord: Any) -> tuple[shapely.Point, shapely.Point] | None:
    """Return the first and the last place of a flowline well inside the fjord."""
    inside = shapely.intersection(line, fjord)
    parts = [part for part in shapely.get_parts(inside) if part.geom_type == "LineString"]
    if not parts:
        return None
    order = sorted(parts, key=lambda part: shapely.line_locate_point(line, part.centroid))
    first, last = order[0], order[-1]
    return (
        shapely.line_interpolate_point(first, 0.01, normalized=True),
        shapely.line_interpolate_point(last, 0.99, normalized=True),
    )

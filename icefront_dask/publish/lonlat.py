"""Geometries from a projected working CRS to longitude and latitude and back, split at the antimeridian.

A segment that crosses ±180° is cut where the straight segment of the working CRS crosses it, so that the
parts, joined and projected again, give the same line to well below a millimetre. A cut interpolated in
degrees would lie metres beside long segments near a pole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    Coordinates = npt.NDArray[np.float64]

__all__ = ["LONLAT", "from_lonlat", "to_lonlat"]

LONLAT = "OGC:CRS84"
_ON_EDGE_DEG = 1e-9  # 0.1 mm at the equator: a vertex this near to ±180° lies on it
_BISECTIONS = 60


@lru_cache(maxsize=32)
def _transformers(crs: str) -> tuple[pyproj.Transformer, pyproj.Transformer]:
    return (
        pyproj.Transformer.from_crs(crs, LONLAT, always_xy=True),
        pyproj.Transformer.from_crs(LONLAT, crs, always_xy=True),
    )


def to_lonlat(geometry: Any, crs: str) -> Any:
    """Return a geometry in degrees (OGC:CRS84), lines and polygons split at ±180°.

    Parameters
    ----------
    geometry : shapely geometry or None
        Point, line or polygon, or their multiple forms, in `crs`.
    crs : str
        The working CRS, projected or not.

    Returns
    -------
    shapely geometry or None
        Longitudes within [-180, 180]; a line which crosses the antimeridian becomes a MultiLineString, whose
        parts meet at 180 and -180.

    Raises
    ------
    InputError
        For coordinates that have no longitude and latitude, or another type of geometry.
    """
    if geometry is None or geometry.is_empty:
        return geometry
    if isinstance(geometry, Point):
        return Point(*_lonlat(np.asarray(geometry.coords, np.float64)[:, :2], crs)[0])
    if isinstance(geometry, LineString | MultiLineString):
        parts = [part for line in _parts(geometry) for part in _split(np.asarray(line.coords, np.float64)[:, :2], crs)]
        lines = [LineString(part) for part in parts]
        return lines[0] if len(lines) == 1 else MultiLineString(lines)
    if isinstance(geometry, Polygon | MultiPolygon):
        return _polygon_to_lonlat(geometry, crs)
    raise InputError(f"cannot write a geometry of type {geometry.geom_type}; use lines, polygons or points")


def from_lonlat(geometry: Any, crs: str) -> Any:
    """Return a geometry of :func:`to_lonlat` in `crs`, line parts which meet at ±180° joined again.

    Polygons stay split along the antimeridian.
    """
    if geometry is None or geometry.is_empty:
        return geometry
    if isinstance(geometry, LineString | MultiLineString):
        lines = [
            LineString(_project(part, crs))
            for part in _join([np.asarray(line.coords, np.float64) for line in _parts(geometry)])
        ]
        return lines[0] if len(lines) == 1 else MultiLineString(lines)
    return shapely.transform(geometry, lambda lonlat: _project(lonlat, crs))


def _parts(geometry: Any) -> list[LineString]:
    return list(geometry.geoms) if isinstance(geometry, MultiLineString) else [geometry]


def _lonlat(xy: Coordinates, crs: str) -> Coordinates:
    lon, lat = _transformers(crs)[0].transform(xy[:, 0], xy[:, 1])
    out = np.column_stack([lon, lat])
    if not np.isfinite(out).all():
        raise InputError(f"a geometry has coordinates outside the area of {crs}; check its CRS")
    return out


def _project(lonlat: Coordinates, crs: str) -> Coordinates:
    x, y = _transformers(crs)[1].transform(lonlat[:, 0], lonlat[:, 1])
    return np.column_stack([x, y])


def _on_edge(lon: Any) -> Any:
    return 180.0 - np.abs(lon) <= _ON_EDGE_DEG


def _split(xy: Coordinates, crs: str) -> list[Coordinates]:
    """Return the parts, in degrees, of a line with coordinates `xy` in `crs`."""
    lonlat = _lonlat(xy, crs)
    if np.abs(lonlat[:, 0]).max() < 90.0:
        return [lonlat]
    parts: list[list[tuple[float, float]]] = [[]]
    side = 0.0  # hemisphere of the current part: -1, 1, or 0 while all of it lies on the edge
    for i, (lon, lat) in enumerate(lonlat):
        if _on_edge(lon):
            parts[-1].append((180.0 * side, lat))
            continue
        here = float(np.sign(lon)) or 1.0
        if side and here != side and (abs(lon) > 90.0 or abs(lonlat[i - 1, 0]) > 90.0):
            before = parts[-1][-1]
            cut = before if abs(before[0]) == 180.0 else _crossing(xy[i - 1], xy[i], crs)
            if cut is not None:
                if cut is not before:
                    parts[-1].append((180.0 * side, cut[1]))
                parts.append([(180.0 * here, cut[1])])
        elif not side:
            parts[-1] = [(180.0 * here, y) for _, y in parts[-1]]
        side = here
        parts[-1].append((float(lon), float(lat)))
    if not side:
        parts[-1] = [(180.0, y) for _, y in parts[-1]]
    return [np.asarray(part) for part in parts if len(part) > 1]


def _crossing(start: Coordinates, stop: Coordinates, crs: str) -> tuple[float, float] | None:
    """Return where a straight segment of the working CRS crosses ±180°, None where it crosses 0° instead."""
    low, high = start, stop
    sign = np.sign(_lonlat(start[None], crs)[0, 0])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if np.sign(_lonlat(middle[None], crs)[0, 0]) == sign:
            low = middle
        else:
            high = middle
    lon, lat = _lonlat(((low + high) / 2)[None], crs)[0]
    return (180.0, float(lat)) if abs(lon) > 90.0 else None


def _join(parts: list[Coordinates]) -> list[Coordinates]:
    """Join consecutive parts where one ends at 180° and the next begins at -180°, or the reverse."""
    joined: list[Coordinates] = []
    for part in parts:
        meets = (
            joined
            and abs(joined[-1][-1, 0]) == 180.0
            and part[0, 0] == -joined[-1][-1, 0]
            and part[0, 1] == joined[-1][-1, 1]
        )
        if meets:
            joined[-1] = np.vstack([joined[-1], part[1:]])
        else:
            joined.append(part)
    return joined


def _polygon_to_lonlat(geometry: Any, crs: str) -> Any:
    """Split a polygon at ±180° (outlines for display: edges are cut in degrees)."""
    import antimeridian

    lonlat = shapely.transform(geometry, lambda xy: _lonlat(xy, crs))
    if np.abs(shapely.get_coordinates(lonlat)[:, 0]).max() < 90.0:
        return lonlat
    fix = antimeridian.fix_multi_polygon if isinstance(lonlat, MultiPolygon) else antimeridian.fix_polygon
    return fix(lonlat)

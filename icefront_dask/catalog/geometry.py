"""Regions in longitude and latitude for the search; footprints in a region's projection for the check."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, Any

import antimeridian
import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from icefront_dask.regions import Region

__all__ = ["footprint_shares", "project_footprint", "query_geometry", "touches", "with_counterpart"]

_EARTH_RADIUS_M = 6_371_000.0
_POLAR_CAP_M = 30_000.0  # regions nearer than this to a pole are searched with the whole cap
_STEPS = 96  # edges of a query polygon, about
_FOOTPRINT_STEP_DEG = 0.25
_SCENE_M = 500_000.0  # longest side of a scene
_DEGREE_M = 111_195.0
_STRIP_DEG = 0.001


def query_geometry(region: Region) -> Polygon | MultiPolygon:
    """Return a search geometry in longitude and latitude that covers a region.

    The outline is densified in its own projection, grown by what a straight edge of the densified ring can
    lose in longitude and latitude, split at ±180° and carried to the pole where it holds one.

    Parameters
    ----------
    region : Region
        The region.

    Returns
    -------
    Polygon or MultiPolygon
        OGC:CRS84, valid, within ±180° and ±90°, without holes.
    """
    parts = getattr(region.outline, "geoms", [region.outline])
    pieces: list[Polygon] = []
    for part in parts:
        pieces += _query_pieces(Polygon(part.exterior), region.crs)
    union = shapely.union_all(pieces)
    polygons = [Polygon(p.exterior) for p in getattr(union, "geoms", [union]) if p.geom_type == "Polygon"]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def with_counterpart(geometry: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    """Return a search geometry that also meets footprints which cross ±180° and state it the wrong way round.

    A footprint from 178° to -178° that is not split is, in the plane of longitude and latitude, one round the rest of
    the world: servers find it everywhere but where it is. Such footprints hold longitude 0, so that a strip there
    finds them; what else lies there is left out by the check against the region.

    Parameters
    ----------
    geometry : Polygon or MultiPolygon
        Of :func:`query_geometry`.

    Returns
    -------
    Polygon or MultiPolygon
        The same, where no part is so near to ±180° that a scene over it could cross.
    """
    strips = []
    for part in getattr(geometry, "geoms", [geometry]):
        west, south, east, north = part.bounds
        reach = _SCENE_M / (_DEGREE_M * max(math.cos(math.radians(max(abs(south), abs(north)))), 1e-3))
        if max(-west, east) > 180.0 - min(reach, 90.0) and not west < 0 < east:
            strips.append(box(-_STRIP_DEG, max(south, -90.0), _STRIP_DEG, min(north, 90.0)))
    if not strips:
        return geometry
    return MultiPolygon([*getattr(geometry, "geoms", [geometry]), *_polygons_of(shapely.union_all(strips))])


def _polygons_of(geometry: Any) -> list[Polygon]:
    """Return the polygons that a geometry is made of."""
    return [part for part in getattr(geometry, "geoms", [geometry]) if part.geom_type == "Polygon"]


def _query_pieces(outline: Polygon, crs: str) -> list[Polygon]:
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    to_crs = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    step = min(max(outline.length / _STEPS, 200.0), 20_000.0)
    _, lat = to_lonlat.transform(*shapely.get_coordinates(outline.segmentize(step)).T)
    pole_lat = 90.0 if np.mean(lat) > 0 else -90.0
    pole = Point(to_crs.transform(0.0, pole_lat))
    pole_in_plane = bool(np.isfinite(shapely.get_coordinates(pole)).all())
    polar_radius = max(_EARTH_RADIUS_M / math.tan(math.radians(min(np.max(np.abs(lat)), 89.9))), _POLAR_CAP_M)
    # The chord of an edge at a distance r from the pole misses its arc by step² / 8r, to first order.
    grown = outline.buffer(1.0 + step**2 / (6.0 * polar_radius), join_style="mitre").segmentize(step)
    holds_pole = pole_in_plane and grown.contains(pole)
    lon, lat = to_lonlat.transform(*shapely.get_coordinates(grown.exterior).T)
    ring = Polygon(np.column_stack([lon, lat]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", antimeridian.FixWindingWarning)
        fixed = _fix(ring, lon, holds_pole=holds_pole, north=pole_lat > 0)
    pieces = [p for p in getattr(fixed, "geoms", [fixed]) if not p.is_empty]
    if pole_in_plane and grown.distance(pole) < _POLAR_CAP_M:
        cap = math.degrees((_POLAR_CAP_M + step) / _EARTH_RADIUS_M)
        low, high = (90.0 - cap, 90.0) if pole_lat > 0 else (-90.0, -90.0 + cap)
        pieces.append(box(-180.0, low, 180.0, high))
    return pieces


def _fix(ring: Polygon, lon: npt.NDArray[np.float64], *, holds_pole: bool, north: bool) -> Any:
    """Split at ±180°; a ring round a pole becomes the band between the ring and the pole."""
    if not holds_pole:
        return shapely.make_valid(antimeridian.fix_polygon(ring, great_circle=False))
    lat = shapely.get_coordinates(ring)[:, 1]
    unwrapped = np.unwrap(lon, period=360.0)
    if unwrapped[-1] < unwrapped[0]:
        unwrapped, lat = unwrapped[::-1], lat[::-1]
    start = unwrapped[0]
    # Three turns of the ring hold every longitude of -180…180 whatever its start.
    turns = np.concatenate([unwrapped[:-1] - 360.0, unwrapped[:-1], unwrapped + 360.0]) - 360.0 * round(start / 360.0)
    lats = np.concatenate([lat[:-1], lat[:-1], lat])
    pole = 90.0 if north else -90.0
    band = Polygon([*zip(turns, lats, strict=True), (turns[-1], pole), (turns[0], pole)])
    return shapely.make_valid(band).intersection(box(-180.0, -90.0, 180.0, 90.0))


@functools.lru_cache(maxsize=16)
def _from_lonlat(crs: str) -> pyproj.Transformer:
    """Keep transformers: making one takes longer than a thousand footprints; pyproj keeps one a thread behind it."""
    return pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)


def project_footprint(footprint: Any, crs: str) -> Polygon | MultiPolygon | None:
    """Return an item's footprint in a projection, or ``None`` where it is unusable.

    Edges are straight in longitude and latitude. Rings that cross ±180° without being split, and rings round
    a pole, are understood: longitudes are unwrapped along the ring.

    Parameters
    ----------
    footprint : shapely geometry or None
        OGC:CRS84.
    crs : str
        Projected CRS.
    """
    if footprint is None or footprint.is_empty:
        return None
    to_crs = _from_lonlat(crs)
    polygons = []
    for part in getattr(footprint, "geoms", [footprint]):
        if part.geom_type != "Polygon":
            continue
        lon, lat = shapely.get_coordinates(part.exterior).T
        # A band round a pole has no longitudes between; there is nothing to unwrap.
        whole_turn = np.isin(lon, (-180.0, 180.0)).all()
        dense = _densified(lon if whole_turn else np.unwrap(lon, period=360.0), lat)
        x, y = to_crs.transform(*dense)
        finite = np.isfinite(x) & np.isfinite(y)
        if np.count_nonzero(finite) >= 4:
            polygons.append(shapely.make_valid(Polygon(np.column_stack([x, y])[finite])))
    areas = [g for p in polygons for g in getattr(p, "geoms", [p]) if g.geom_type in {"Polygon", "MultiPolygon"}]
    union = shapely.union_all(areas)
    return None if union.is_empty or union.area == 0 else union


def _densified(
    lon: npt.NDArray[np.float64], lat: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    span = np.maximum(np.abs(np.diff(lon)), np.abs(np.diff(lat)))
    counts = np.maximum(np.ceil(span / _FOOTPRINT_STEP_DEG).astype(int), 1)
    at = np.concatenate([k + np.arange(n) / n for k, n in enumerate(counts)] + [[len(lon) - 1.0]])
    where = np.arange(len(lon))
    return np.interp(at, where, lon), np.interp(at, where, lat)


def _latitudes(footprint: Any) -> tuple[float, float]:
    """Range of latitude, to the pole for a ring that goes round it."""
    low, high = 90.0, -90.0
    for part in getattr(footprint, "geoms", [footprint]):
        lon, lat = shapely.get_coordinates(part).T
        unwrapped = np.unwrap(lon, period=360.0)
        low, high = min(low, lat.min()), max(high, lat.max())
        if abs(unwrapped[-1] - unwrapped[0]) > 180.0:
            low, high = (low, 90.0) if lat.mean() > 0 else (-90.0, high)
    return low, high


def _overlaps(footprints: Iterable[Any], target: Polygon | MultiPolygon, crs: str) -> npt.NDArray[np.float64]:
    """Area of each footprint inside `target`, NaN where the footprint is unusable."""
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    dense = target.segmentize(max(target.length / _STEPS, 1.0))
    _, lats = to_lonlat.transform(*shapely.get_coordinates(dense).T)
    pole_lat = 90.0 if np.mean(lats) > 0 else -90.0
    to_crs = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    pole_xy = to_crs.transform(0.0, pole_lat)
    if np.isfinite(pole_xy).all() and target.contains(Point(pole_xy)):
        lats = np.append(lats, pole_lat)
    areas = []
    for footprint in footprints:
        if footprint is None or footprint.is_empty:
            areas.append(math.nan)
            continue
        low, high = _latitudes(footprint)
        if low > np.max(lats) or high < np.min(lats):
            areas.append(0.0)
            continue
        projected = project_footprint(footprint, crs)
        areas.append(math.nan if projected is None else float(projected.intersection(target).area))
    return np.asarray(areas, dtype=float)


def touches(footprints: Iterable[Any], region: Region) -> npt.NDArray[np.bool_]:
    """Return which footprints share area with a region, tested in the region's projection.

    Parameters
    ----------
    footprints : iterable of shapely geometry or None
        OGC:CRS84.
    region : Region
        The region.

    Returns
    -------
    ndarray
        One bool a footprint; ``False`` for an empty one.
    """
    return np.nan_to_num(_overlaps(footprints, region.outline, region.crs)) > 0


def footprint_shares(footprints: Iterable[Any], geobox: Any) -> npt.NDArray[np.float64]:
    """Return the share of a grid's area that each footprint covers, 0…1, NaN for an unusable footprint."""
    target = box(*geobox.boundingbox.bbox)
    return np.asarray(_overlaps(footprints, target, str(geobox.crs)) / target.area, dtype=float)

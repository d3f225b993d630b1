"""What a region refuses, each with its remedy."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.validation import explain_validity

from icefront_dask.errors import RegionError

__all__ = [
    "KINDS",
    "NAME_PATTERN",
    "check_crs",
    "check_line",
    "check_name",
    "check_place",
    "check_polygon",
    "working_crs",
]

KINDS = ("outlet", "tongue", "ice_shelf")
NAME_PATTERN = re.compile(r"^[a-z0-9][a-z0-9._-]{0,62}\Z")
_AREA_MARGIN_DEG = 5.0  # how far outside the area of use of its CRS a region may lie


def check_name(name: Any) -> None:
    if isinstance(name, str) and NAME_PATTERN.match(name):
        return
    slug = re.sub(r"[^a-z0-9._-]+", "-", str(name).strip().lower()).strip("-._")[:63]
    hint = f", for example {slug!r}" if NAME_PATTERN.match(slug) else ""
    raise RegionError(
        f"region name {name!r} is not a slug; use lower-case letters, digits, '.', '_' and '-', "
        f"at most 63, beginning with a letter or digit{hint}"
    )


def check_crs(name: str, crs: Any) -> str:
    if crs is None or not str(crs).strip():
        raise RegionError(f"region {name!r} has no CRS; give one, for example crs='EPSG:3413'")
    try:
        parsed = pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise RegionError(f"region {name!r}: CRS {crs!r} is not known to PROJ; give one such as EPSG:3413") from error
    units = {axis.unit_name for axis in parsed.axis_info}
    if not parsed.is_projected or units != {"metre"}:
        raise RegionError(
            f"region {name!r}: CRS {crs!r} is not projected in metres; use EPSG:3413 (Arctic), "
            "EPSG:3031 (Antarctic) or a UTM zone"
        )
    authority = parsed.to_authority(min_confidence=100)
    return ":".join(authority) if authority else parsed.to_wkt()


def check_polygon(name: str, role: str, geometry: Any) -> Polygon | MultiPolygon:
    if isinstance(geometry, MultiPolygon) and len(geometry.geoms) == 1:
        geometry = geometry.geoms[0]
    if not isinstance(geometry, Polygon | MultiPolygon):
        raise RegionError(
            f"region {name!r}: its {role} must be a polygon, not {getattr(geometry, 'geom_type', geometry)!r}"
        )
    if geometry.is_empty or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise RegionError(f"region {name!r}: its {role} is empty or not finite; draw a polygon with an area")
    if not geometry.is_valid:
        raise RegionError(
            f"region {name!r}: its {role} is not a valid polygon ({explain_validity(geometry)}); "
            "redraw it, or repair it with shapely.make_valid"
        )
    return shapely.force_2d(geometry)


def check_line(name: str, role: str, geometry: Any, *, multi: bool) -> None:
    kinds = ("LineString", "MultiLineString") if multi else ("LineString",)
    kind = getattr(geometry, "geom_type", type(geometry).__name__)
    if kind not in kinds:
        raise RegionError(f"region {name!r}: its {role} must be a {' or '.join(kinds)}, not {kind}")
    if geometry.is_empty or geometry.length == 0 or not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise RegionError(f"region {name!r}: its {role} is empty or not finite; draw a line with a length")


def check_place(name: str, outline: Polygon | MultiPolygon, crs: str) -> None:
    west, south, east, north = outline.bounds
    if max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90:
        raise RegionError(
            f"region {name!r}: its outline looks like degrees of longitude and latitude, but is declared "
            f"to be in {crs}; project it first, or read it from a file which states its CRS"
        )
    parsed = pyproj.CRS.from_user_input(crs)
    point = outline.centroid
    lon, lat = pyproj.Transformer.from_crs(parsed, "OGC:CRS84", always_xy=True).transform(point.x, point.y)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise RegionError(
            f"region {name!r}: its outline lies outside the plane of {crs}; check its coordinates and CRS"
        )
    area = parsed.area_of_use
    if area is None:
        return
    width = (area.east - area.west) % 360 or 360.0
    beyond = max((lon - area.west + _AREA_MARGIN_DEG) % 360 - width - 2 * _AREA_MARGIN_DEG, 0.0) if width < 360 else 0.0
    if beyond > 0 or not area.south - _AREA_MARGIN_DEG <= lat <= area.north + _AREA_MARGIN_DEG:
        raise RegionError(
            f"region {name!r} lies at {lon:.2f}° E, {lat:.2f}° N, outside the area of {crs} ({area.name}); "
            f"use {working_crs(lon, lat)}"
        )


def working_crs(lon: float, lat: float) -> str:
    """Return a place's working CRS: EPSG:3413 north of 60° N, EPSG:3031 south of 60° S, else its UTM zone."""
    if lat >= 60:
        return "EPSG:3413"
    if lat <= -60:
        return "EPSG:3031"
    zone = int(((lon + 180) % 360) // 6) + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"

"""Fronts as GeoJSON, between the ground and the pixels of an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

__all__ = ["apply_affine", "features", "local_metres", "read_areas", "read_line", "write_line"]


def apply_affine(transform: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (n, 2) mapped by an affine transformation."""
    xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return np.column_stack(
        [
            transform.a * xy[:, 0] + transform.b * xy[:, 1] + transform.c,
            transform.d * xy[:, 0] + transform.e * xy[:, 1] + transform.f,
        ]
    )


def local_metres(points: NDArray[np.float64], crs: str, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points in metres of an azimuthal equidistant projection about a centre.

    Distances within 100 km of the centre are true to 1:10 000 there, so no point scale is needed.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        In `crs`.
    crs : str
        Any CRS that pyproj understands.
    centre : ndarray, shape (2,)
        In `crs`.

    Returns
    -------
    ndarray, shape (n, 2), float64
    """
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(centre[0], centre[1])
    local = CRS.from_proj4(f"+proj=aeqd +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m")
    return np.column_stack(Transformer.from_crs(crs, local, always_xy=True).transform(*np.asarray(points).T))


def features(file: str | Path) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON file, at least one; a bare geometry counts as a feature.

    Raises
    ------
    InputError
        For a file which is no GeoJSON or has no feature.
    """
    file = Path(file)
    content = _load(file)
    if content["type"] == "FeatureCollection":
        found = content.get("features") or []
    else:
        found = [content if content["type"] == "Feature" else {"type": "Feature", "geometry": content}]
    if not found:
        raise InputError(f"{file}: the label has no front (no feature); draw one or leave the scene out")
    return list(found)


def read_line(file: str | Path, transform: Affine | None = None, crs: str | None = None) -> BaseGeometry:
    """Return the lines of a GeoJSON file in the pixel coordinates of an image.

    Parameters
    ----------
    file : path
        Lines in EPSG:4326 or the ``crs`` member's system; with `crs` None, in pixels x, y already.
    transform, crs : Affine and str, or None
        Georeference of the image.

    Returns
    -------
    LineString or MultiLineString
        Empty where no feature has a line.
    """
    lines = _geometries(file, "LineString", "a front must be LineStrings or MultiLineStrings", transform, crs)
    return lines[0] if len(lines) == 1 else shapely.MultiLineString(lines)


def read_areas(file: str | Path, transform: Affine | None = None, crs: str | None = None) -> list[BaseGeometry]:
    """Return the polygons of a GeoJSON file in the pixel coordinates of an image; for parameters see `read_line`."""
    return _geometries(file, "Polygon", "a fjord must be Polygons or MultiPolygons", transform, crs)


def _geometries(
    file: str | Path, kind: str, wanted: str, transform: Affine | None, crs: str | None
) -> list[BaseGeometry]:
    file = Path(file)
    parts: list[BaseGeometry] = []
    for feature in features(file):
        if feature.get("geometry") is not None:
            try:
                parts += shapely.get_parts(shapely.geometry.shape(feature["geometry"])).tolist()
            except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
                raise InputError(f"{file}: a geometry cannot be read ({error})") from error
    if wrong := {part.geom_type for part in parts} - {kind}:
        raise InputError(f"{file}: {wanted}, not {', '.join(sorted(wrong))}")
    found = shapely.force_2d([part for part in parts if not part.is_empty])
    if crs is not None and transform is not None:
        to_image = Transformer.from_crs(_json_crs(file), crs, always_xy=True)
        inverse = ~transform
        found = shapely.transform(found, lambda xy: apply_affine(inverse, np.column_stack(to_image.transform(*xy.T))))
    return list(found)


def write_line(
    file: str | Path,
    line: BaseGeometry | None,
    transform: Affine | None = None,
    crs: str | None = None,
    **properties: Any,
) -> None:
    """Write a predicted front as GeoJSON: EPSG:4326, or pixels x, y for an image without a georeference.

    Parameters
    ----------
    file : path
        Usually ``NAME.geojson`` in the folder of the lines.
    line : shapely geometry or None
        In pixel coordinates; None or empty writes a feature without geometry.
    transform, crs : Affine and str, or None
        Georeference of the image.
    **properties
        Properties of the feature.
    """
    geometry = None
    if line is not None and not line.is_empty:
        if crs is not None and transform is not None:
            to_lonlat = Transformer.from_crs(crs, 4326, always_xy=True)
            line = shapely.transform(
                line, lambda xy: np.column_stack(to_lonlat.transform(*apply_affine(transform, xy).T))
            )
        geometry = shapely.geometry.mapping(line)
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    Path(file).write_text(text + "\n", encoding="utf-8")


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file}: cannot be read as GeoJSON ({error})") from error
    if not isinstance(content, dict) or "type" not in content:
        raise InputError(f"{file}: is not GeoJSON (no type)")
    return content


def _json_crs(file: Path) -> CRS:
    member = _load(file).get("crs")
    if member is None:
        return CRS.from_epsg(4326)
    try:
        return CRS.from_user_input(member["properties"]["name"])
    except (KeyError, TypeError, CRSError) as error:
        raise InputError(f"{file}: its crs member cannot be understood ({error})") from error

"""Regions in vector files: one row a (region, role)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd
import pyogrio.errors
import pyproj
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon
from shapely.ops import linemerge

from icefront_dask.errors import RegionError
from icefront_dask.regions import Region, working_crs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ROLES", "read", "write"]

ROLES = ("outline", "fjord", "flowline", "box", "reference_line", "grounding_line")
_COLUMNS = ("name", "kind", "role", "basin", "elevation", "geoid", "crs")
_SEAM_M = 1e-3  # parts which were split at a seam of longitude and latitude are joined within this distance


def read(path: Path, names: Sequence[str] | None) -> list[Region]:
    """Read and assemble the regions of one file."""
    frame = _frame(path)
    found: dict[str, list[Any]] = {}
    for row in frame.itertuples(index=False):
        found.setdefault(str(row.name), []).append(row)
    if names is not None:
        if missing := [name for name in names if name not in found]:
            raise RegionError(f"{path} has no region {', '.join(missing)}; it has {', '.join(sorted(found)) or 'none'}")
        found = {name: found[name] for name in names}
    return [_assemble(path, name, rows, frame.crs) for name, rows in found.items()]


def _frame(path: Path) -> gpd.GeoDataFrame:
    if not path.exists():
        raise RegionError(f"there is no regions file {path}; check the path")
    try:
        frame = gpd.read_parquet(path) if path.suffix in {".parquet", ".geoparquet"} else gpd.read_file(path)
    except (ValueError, OSError, pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = str(error).splitlines()[0]
        raise RegionError(
            f"{path} cannot be read as vectors ({reason}); give GeoParquet, GeoPackage or GeoJSON"
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise RegionError(f"{path} has no geometries; give GeoParquet, GeoPackage or GeoJSON with polygons")
    frame = frame.rename(
        columns={c: c.lower() for c in frame.columns if c.lower() in _COLUMNS and c.lower() not in frame}
    )
    if frame.crs is None:
        raise RegionError(
            f"{path} states no CRS; assign the right one in a GIS or with GeoDataFrame.set_crs, and save it"
        )
    if "name" not in frame:
        raise RegionError(f"{path} has no column 'name'; name each region, for example 'helheim'")
    if frame.empty:
        raise RegionError(f"{path} holds no regions; draw at least one outline")
    for column in _COLUMNS:
        if column not in frame:
            frame[column] = None
    frame["role"] = frame["role"].where(frame["role"].notna(), "outline")
    if unknown := sorted(set(frame["role"]) - set(ROLES)):
        raise RegionError(f"{path}: role {', '.join(map(repr, unknown))} is unknown; the roles are {', '.join(ROLES)}")
    return frame


def _assemble(path: Path, name: str, rows: list[Any], file_crs: pyproj.CRS) -> Region:
    by_role: dict[str, list[Any]] = {role: [row for row in rows if row.role == role] for role in ROLES}
    if len(by_role["outline"]) != 1:
        count = len(by_role["outline"])
        raise RegionError(f"{path}: region {name!r} has {count} rows of role 'outline'; it needs exactly one")
    outline = by_role["outline"][0]
    for row in rows:
        if row.geometry is None or row.geometry.is_empty:
            raise RegionError(f"{path}: region {name!r} has an empty {row.role}; draw it or delete the row")
    crs = _text(outline.crs) or _default_crs(outline.geometry, file_crs)
    try:
        project = pyproj.Transformer.from_crs(file_crs, crs, always_xy=True)
    except pyproj.exceptions.CRSError as error:
        raise RegionError(
            f"{path}: region {name!r}: CRS {crs!r} is not known to PROJ; give one such as EPSG:3413"
        ) from error
    single: dict[str, Any] = {}
    for role in ("fjord", "box", "reference_line", "grounding_line"):
        if len(by_role[role]) > 1:
            raise RegionError(
                f"{path}: region {name!r} has {len(by_role[role])} rows of role {role!r}; merge them into one"
            )
        if by_role[role]:
            single[role] = _joined(_moved(by_role[role][0].geometry, project))
    return Region(
        name=name,
        outline=_joined(_moved(outline.geometry, project)),
        crs=crs,
        kind=_text(outline.kind) or "outlet",
        flowlines=tuple(_joined(_moved(row.geometry, project)) for row in by_role["flowline"]),
        elevation=_text(outline.elevation),
        geoid=_text(outline.geoid),
        basin=_text(outline.basin),
        **single,
    )


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) or not str(value).strip() else str(value)


def _default_crs(geometry: Any, file_crs: pyproj.CRS) -> str:
    lonlat = pyproj.Transformer.from_crs(file_crs, "OGC:CRS84", always_xy=True)
    point = geometry.representative_point()
    lon, lat = lonlat.transform(point.x, point.y)
    return working_crs(lon, lat)


def _moved(geometry: Any, project: pyproj.Transformer) -> Any:
    if project.source_crs == project.target_crs:
        return shapely.force_2d(geometry)
    return shapely.transform(shapely.force_2d(geometry), lambda xy: _stack(project, xy))


def _stack(project: pyproj.Transformer, xy: Any) -> Any:
    x, y = project.transform(xy[:, 0], xy[:, 1])
    return shapely.get_coordinates(shapely.points(x, y))


def _joined(geometry: Any) -> Any:
    """Join the parts that a format which splits at ±180° has made of one polygon or line."""
    if isinstance(geometry, MultiPolygon) and len(geometry.geoms) > 1 and geometry.is_valid:
        union = shapely.union_all(list(geometry.geoms), grid_size=_SEAM_M)
        return union if union.geom_type == "Polygon" else geometry
    if isinstance(geometry, MultiLineString):
        snapped = shapely.set_precision(geometry, _SEAM_M) if len(geometry.geoms) > 1 else geometry
        merged = linemerge(snapped)
        return merged if isinstance(merged, LineString) else geometry
    return geometry


def write(regions: list[Region], path: Path) -> None:
    """Write the regions by a temporary file beside `path`, which then replaces it."""
    if not regions:
        raise RegionError(f"no regions to write to {path}")
    names = [region.name for region in regions]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise RegionError(f"{path}: two regions are named {', '.join(doubled)}; rename one")
    drivers = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON"}
    if path.suffix not in {".parquet", *drivers}:
        raise RegionError(f"cannot write regions to {path}; end its name in .parquet, .gpkg or .geojson")
    shared = {region.crs for region in regions}
    crs = regions[0].crs if len(shared) == 1 and path.suffix in {".parquet", ".gpkg"} else "OGC:CRS84"
    frame = gpd.GeoDataFrame([row for region in regions for row in _rows(region, crs)], geometry="geometry", crs=crs)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    part.unlink(missing_ok=True)
    if path.suffix == ".parquet":
        frame.to_parquet(part, index=False)
    else:
        driver = drivers[path.suffix]
        options = {"COORDINATE_PRECISION": "10"} if driver == "GeoJSON" else {"layer": "regions"}
        frame.to_file(part, driver=driver, index=False, **options)
    part.replace(path)


def _rows(region: Region, crs: str) -> list[dict[str, Any]]:
    project = pyproj.Transformer.from_crs(region.crs, crs, always_xy=True)
    shared = {
        "name": region.name,
        "kind": region.kind,
        "basin": region.basin,
        "elevation": region.elevation,
        "geoid": region.geoid,
        "crs": region.crs,
    }
    geometries: list[tuple[str, Any]] = [("outline", region.outline)]
    geometries += [(role, getattr(region, role)) for role in ROLES[1:] if role != "flowline"]
    geometries += [("flowline", line) for line in region.flowlines]
    return [shared | {"role": role, "geometry": _moved(g, project)} for role, g in geometries if g is not None]

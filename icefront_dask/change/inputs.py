"""Any table of dated fronts, ours or another's, in one form: one geometry a scene, UTC times, one CRS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from icefront_dask.change.dates import dates_of
from icefront_dask.change.ground import Ground
from icefront_dask.change.reasons import SeriesReason, add_reason
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status
from icefront_dask.regions import working_crs

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.regions import Region

__all__ = ["DatedFronts", "in_crs", "prepare_fronts"]

_RANK = {str(status): rank for rank, status in enumerate(Status)}


@dataclass(frozen=True)
class DatedFronts:
    """Fronts, one entry a scene, sorted by time and scene.

    Attributes
    ----------
    region : str
        Name of the region, ``""`` if unknown.
    crs : str
        Projected CRS of the geometries.
    table : DataFrame
        datetime (datetime64[us, UTC]), scene_id, sensor, status, reason, uncertainty_m, pixel_size_m,
        gamma0_db (NaN if unknown).
    geometry : ndarray
        (n,) object, lines or None.
    """

    region: str
    crs: str
    table: pd.DataFrame
    geometry: npt.NDArray[np.object_]


def prepare_fronts(
    fronts: Any,
    region: Region | None = None,
    *,
    date_column: str | None = None,
    region_name: str | None = None,
) -> DatedFronts:
    """Return the fronts of one region in one form.

    Fronts of one scene (``scene_id``) are taken together: the accepted ones if there are any, else those of
    the best status. Rows without a ``scene_id`` are scenes of their own. A ``status`` column is only heeded
    if its words are ours.

    Parameters
    ----------
    fronts : GeoDataFrame
        Lines with a CRS and a column of dates, see :func:`icefront_dask.change.dates.dates_of`.
    region : Region, optional
        Fronts are reprojected to its CRS, and those which name another region are left out.
    date_column : str, optional
        Column of the dates.
    region_name : str, optional
        Name for fronts without a region.

    Raises
    ------
    InputError
        No GeoDataFrame, no CRS, no date column, an unreadable or missing date, polygons or points, several
        regions.
    """
    if not isinstance(fronts, gpd.GeoDataFrame):
        raise InputError(f"fronts must be a GeoDataFrame with a geometry and a date, not {type(fronts).__name__}")
    if "geometry" not in fronts and fronts._geometry_column_name not in fronts:  # noqa: SLF001  geopandas has no public test
        raise InputError("the fronts have no geometry column; set one with GeoDataFrame.set_geometry")
    name, fronts = _one_region(fronts, region, region_name)
    crs = str(region.crs) if region is not None else _working_crs(fronts)
    if len(fronts):
        fronts = in_crs(fronts, crs, what="the fronts")
    table = _columns(fronts, dates_of(fronts, date_column))
    geometry = np.array([_lines_only(g, k) for k, g in zip(fronts.index, fronts.geometry, strict=True)], dtype=object)
    wkb = [b"" if g is None else shapely.to_wkb(g) for g in geometry]
    order = table.assign(_wkb=wkb).sort_values(["datetime", "scene_id", "_wkb"], kind="stable").index.to_numpy()
    table, geometry = table.loc[order].reset_index(drop=True), geometry[order]
    if "scene_id" in fronts:
        table, geometry = _by_scene(table, geometry)
    else:
        stamp = table["datetime"].dt.strftime("%Y%m%dT%H%M%S")
        count = table.groupby("datetime").cumcount()
        table["scene_id"] = stamp.where(count == 0, stamp + "-" + (count + 1).astype(str))
    empty = np.array([g is None for g in geometry], dtype=bool)
    usable = table["status"].isin([Status.ACCEPTED, Status.REVIEW, Status.REJECTED])
    lost = empty & usable.to_numpy()
    table.loc[lost, "status"] = str(Status.NO_FRONT)
    table.loc[empty, "reason"] = [add_reason(r, SeriesReason.NO_GEOMETRY) for r in table.loc[empty, "reason"]]
    return DatedFronts(name, crs, table, geometry)


def in_crs(frame: Any, crs: str, *, what: str) -> Any:
    """Return a GeoDataFrame or GeoSeries in a CRS.

    Raises
    ------
    InputError
        If it has no CRS, or its coordinates cannot be had in `crs`.
    """
    if frame.crs is None:
        raise InputError(f"{what} have no CRS; set it with .set_crs(…), for example 'EPSG:3413'")
    if frame.crs == pyproj.CRS.from_user_input(crs):
        return frame
    moved = frame.to_crs(crs)
    if not np.isfinite(shapely.get_coordinates(np.asarray(moved.geometry))).all():
        raise InputError(f"{what} cannot be projected from {frame.crs.to_string()} to {crs}; check their CRS")
    return moved


def _one_region(fronts: Any, region: Region | None, region_name: str | None) -> tuple[str, Any]:
    if region is not None and "region" not in fronts:
        return str(region.name), fronts
    if "region" not in fronts:
        return region_name or "", fronts
    if region is not None:
        mine = fronts[fronts["region"] == region.name]
        if len(fronts) and not len(mine):
            others = ", ".join(sorted({str(n) for n in fronts["region"]})[:5])
            raise InputError(f"no front belongs to region {region.name!r}; the fronts name {others}")
        return str(region.name), mine
    names = sorted({str(n) for n in fronts["region"]})
    if len(names) > 1:
        raise InputError(
            f"the fronts belong to {len(names)} regions ({', '.join(names[:5])}); pass one Region at a time, "
            "or use reduce_regions"
        )
    return (names[0] if names else region_name or ""), fronts


def _working_crs(fronts: Any) -> str:
    if fronts.crs is None:
        raise InputError("the fronts have no CRS; set it with .set_crs(…), for example 'EPSG:3413'")
    crs = pyproj.CRS.from_user_input(fronts.crs)
    metres = {axis.unit_name for axis in crs.axis_info} == {"metre"}
    if crs.is_projected and metres and _conformal(str(crs.to_wkt()), fronts):
        authority = crs.to_authority(min_confidence=70)
        return ":".join(authority) if authority else str(crs.to_wkt())
    west, south, east, north = fronts.to_crs("OGC:CRS84").total_bounds if len(fronts) else (0, 70, 0, 70)
    return str(working_crs(float(west + east) / 2, float(south + north) / 2))


def _conformal(crs: str, fronts: Any) -> bool:
    """Return whether a length has one scale where the fronts lie; a map of equal areas has none."""
    if not len(fronts):
        return True
    west, south, east, north = fronts.total_bounds
    try:
        Ground(crs).point_scale(((west + east) / 2, (south + north) / 2))
    except InputError:
        return False
    return True


def _columns(fronts: Any, dates: pd.Series) -> pd.DataFrame:
    n = len(fronts)

    def text(name: str, default: str) -> pd.Series:
        values = fronts[name].reset_index(drop=True) if name in fronts else pd.Series([default] * n, dtype=object)
        return values.astype(object).where(values.notna(), default).astype(str)

    def number(name: str) -> pd.Series:
        values = fronts[name].reset_index(drop=True) if name in fronts else pd.Series(np.full(n, np.nan))
        return pd.to_numeric(values, errors="coerce").astype(float)

    status = text("status", str(Status.ACCEPTED))
    ours = bool(status.isin([str(s) for s in Status]).all())
    return pd.DataFrame(
        {
            "datetime": dates,
            "scene_id": text("scene_id", ""),
            "sensor": text("sensor", ""),
            "status": status if ours else str(Status.ACCEPTED),
            "reason": text("reason", "") if ours and "status" in fronts else "",
            "uncertainty_m": number("uncertainty_m"),
            "pixel_size_m": number("pixel_size_m"),
            "gamma0_db": number("gamma0_db"),
        }
    )


def _lines_only(geometry: Any, row: Any) -> Any:
    if geometry is None or geometry.is_empty:
        return None
    if geometry.geom_type not in ("LineString", "MultiLineString", "LinearRing"):
        raise InputError(f"row {row} of the fronts is a {geometry.geom_type}; a front must be a line")
    flat = shapely.force_2d(geometry)
    if not np.isfinite(shapely.get_coordinates(flat)).all():
        raise InputError(f"row {row} of the fronts has coordinates that are not finite; drop it or draw it anew")
    return flat if flat.length > 0 else None


def _by_scene(table: pd.DataFrame, geometry: npt.NDArray[np.object_]) -> tuple[pd.DataFrame, npt.NDArray[np.object_]]:
    """Take the fronts of each scene together."""
    if not table.duplicated(["datetime", "scene_id"]).any():
        return table, geometry
    rows, merged = [], []
    for _, group in table.groupby(["datetime", "scene_id"], sort=True):
        best = min(group["status"], key=_RANK.__getitem__)
        same = group[group["status"] == best]
        lines = [geometry[k] for k in same.index if geometry[k] is not None]
        row = same.iloc[0].copy()
        row["reason"] = add_reason("", *same["reason"])
        if len(lines) > 1:
            length = np.array([line.length for line in lines])
            sigma = same["uncertainty_m"].to_numpy()[[geometry[k] is not None for k in same.index]]
            row["uncertainty_m"] = float(np.sqrt(np.average(sigma**2, weights=length)))
        rows.append(row)
        parts = [part for line in lines for part in shapely.get_parts(line)]
        merged.append((shapely.multilinestrings(parts) if len(parts) > 1 else parts[0]) if parts else None)
    out = pd.DataFrame(rows).reset_index(drop=True).astype(table.dtypes.to_dict())
    kept = np.empty(len(merged), dtype=object)
    kept[:] = merged
    return out, kept

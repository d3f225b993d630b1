"""The product tables: fronts, series and statistics, as GeoParquet 1.1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas as gpd
import pandas as pd
import shapely

from icefront_dask.change.series import DTYPES
from icefront_dask.change.statistics import STATISTICS_DTYPES
from icefront_dask.errors import InputError
from icefront_dask.fronts.table import COLUMNS
from icefront_dask.publish.geoparquet import arrow_table, read_table, with_geometry, write_table
from icefront_dask.publish.lonlat import LONLAT, from_lonlat, to_lonlat
from icefront_dask.publish.schema import (
    FRONT_FIELDS,
    FRONT_KEY,
    SERIES_FIELDS,
    SERIES_KEY,
    STATISTICS_FIELDS,
    STATISTICS_KEY,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from icefront_dask.regions import Region

__all__ = [
    "frames_by_region",
    "read_fronts",
    "read_fronts_by_region",
    "read_series",
    "read_statistics",
    "write_fronts",
    "write_series",
    "write_statistics",
]

Fronts: TypeAlias = "gpd.GeoDataFrame | Iterable[gpd.GeoDataFrame] | Mapping[str, gpd.GeoDataFrame]"


def frames_by_region(fronts: Fronts) -> dict[str, gpd.GeoDataFrame]:
    """Return the rows of each region by its name, sorted, each frame in its working CRS.

    Parameters
    ----------
    fronts : GeoDataFrame, iterable of GeoDataFrame, or mapping of them
        Each frame in the one CRS which its column ``crs`` names.

    Raises
    ------
    InputError
        If a frame's CRS is not what its rows say.
    """
    frames = (
        [fronts]
        if isinstance(fronts, gpd.GeoDataFrame)
        else list(fronts.values() if isinstance(fronts, Mapping) else fronts)
    )
    parts: dict[str, list[gpd.GeoDataFrame]] = {}
    for frame in frames:
        if missing := [name for name in ("region", "crs") if name not in frame.columns]:
            raise InputError(f"fronts: column {', '.join(missing)} is missing; there are: {', '.join(frame.columns)}")
        for crs in frame["crs"].unique():
            if frame.crs is None or not frame.crs.equals(crs, ignore_axis_order=True):
                own = "no CRS" if frame.crs is None else frame.crs.to_string()
                raise InputError(
                    f"fronts: rows of region {frame['region'].iloc[0]} name the CRS {crs}, but their "
                    f"geometries are in {own}; pass one frame a CRS"
                )
        for region, rows in frame.groupby("region", sort=False):
            parts.setdefault(str(region), []).append(rows)
    return {
        region: parts[region][0]
        if len(parts[region]) == 1
        else gpd.GeoDataFrame(pd.concat(parts[region], ignore_index=True), crs=parts[region][0].crs)
        for region in sorted(parts)
    }


def write_fronts(fronts: Fronts, path: str | Path) -> Path:
    """Write front lines as GeoParquet 1.1, in degrees, split at the antimeridian.

    Parameters
    ----------
    fronts : GeoDataFrame, iterable of GeoDataFrame, or mapping of them
        The columns of the package's front tables, each frame in the CRS which its column ``crs`` names; a row
        without a front has a null geometry. Other columns are kept.
    path : str or Path
        The file; it is replaced in one step.

    Returns
    -------
    Path
        `path`. Rows are sorted by region, scene_id, front_id; equal content gives equal bytes.

    Raises
    ------
    InputError
        For missing columns, values that do not fit, two rows with one key, or a CRS other than the rows say.
    """
    frames = list(frames_by_region(fronts).values())
    plain = [pd.DataFrame(frame.drop(columns=frame.geometry.name)) for frame in frames]
    lonlat = [to_lonlat(g, crs) for frame in frames for g, crs in zip(frame.geometry, frame["crs"], strict=True)]
    frame = pd.concat(plain, ignore_index=True) if plain else _empty(fronts)
    frame["_row"] = range(len(frame))
    table = arrow_table(frame.drop(columns="bbox", errors="ignore"), FRONT_FIELDS, "fronts", key=FRONT_KEY)
    order = table.column("_row").to_pylist()
    return write_table(with_geometry(table.drop_columns("_row"), [lonlat[i] for i in order]), Path(path))


def read_fronts(path: str | Path, region: str | None = None, *, crs: str | None = None) -> gpd.GeoDataFrame:
    """Read front lines in their working CRS.

    Parameters
    ----------
    path : str or Path
        A file of :func:`write_fronts`.
    region : str, optional
        Keep this region's rows only.
    crs : str, optional
        Another CRS for all rows; needed where the rows have several working CRSs.

    Returns
    -------
    GeoDataFrame
        Geometries within 1 mm of those that were written; ``crs`` keeps naming the working CRS.

    Raises
    ------
    ReadError
        For a file that is missing or is not Parquet.
    InputError
        For a file without the columns of a front table, an unknown region, or several working CRSs and no
        `crs`.
    """
    frame, geometry = _read_fronts(Path(path))
    if region is not None:
        keep = (frame["region"] == region).to_numpy()
        if not keep.any():
            known = ", ".join(sorted(frame["region"].unique())[:10]) or "none"
            raise InputError(f"{path} has no region {region!r}; it has: {known}")
        frame, geometry = frame[keep].reset_index(drop=True), geometry[keep]
    working = sorted(frame["crs"].unique())
    if crs is None:
        if len(working) > 1:
            raise InputError(
                f"{path} holds fronts in several working CRSs ({', '.join(working)}): name one region, or "
                "ask for one CRS, as crs='OGC:CRS84'"
            )
        crs = working[0] if working else LONLAT
    if crs == LONLAT:
        return _with_lines(frame, geometry, LONLAT)
    return _with_lines(frame, [from_lonlat(g, crs) for g in geometry], crs)


def read_fronts_by_region(path: str | Path) -> dict[str, gpd.GeoDataFrame]:
    """Read front lines as one frame a region, each in its working CRS; errors as :func:`read_fronts`."""
    frame, geometry = _read_fronts(Path(path))
    out: dict[str, gpd.GeoDataFrame] = {}
    for region, rows in frame.groupby("region", sort=True):
        own = rows["crs"].iloc[0]
        values = [from_lonlat(g, own) for g in geometry[rows.index]]
        out[str(region)] = _with_lines(rows.reset_index(drop=True), values, own)
    return out


def write_series(series: pd.DataFrame, path: str | Path, *, regions: Sequence[Region] = ()) -> Path:
    """Write front positions: the rows of :func:`icefront_dask.front_series`.

    With `regions` each row has a point inside its region's outline as geometry, and the file is GeoParquet.

    Raises
    ------
    InputError
        For missing columns, values that do not fit, or two rows with one key.
    """
    points = {region.name: to_lonlat(region.outline.representative_point(), region.crs) for region in regions}
    return _write_plain(series, Path(path), SERIES_FIELDS, "series", SERIES_KEY, points)


def write_statistics(statistics: pd.DataFrame, path: str | Path, *, regions: Sequence[Region] = ()) -> Path:
    """Write change statistics: the rows of :func:`icefront_dask.change_statistics`.

    With `regions` each row has its region's outline as geometry, and the file is GeoParquet 1.1.

    Raises
    ------
    InputError
        For missing columns, values that do not fit, or two rows with one key.
    """
    outlines = {region.name: to_lonlat(region.outline, region.crs) for region in regions}
    return _write_plain(statistics, Path(path), STATISTICS_FIELDS, "statistics", STATISTICS_KEY, outlines)


def read_series(path: str | Path) -> pd.DataFrame:
    """Read a table of :func:`write_series`, without its points."""
    return _read_plain(Path(path), "series", DTYPES)


def read_statistics(path: str | Path) -> pd.DataFrame:
    """Read a table of :func:`write_statistics`, without its outlines."""
    return _read_plain(Path(path), "statistics", STATISTICS_DTYPES)


def _read_fronts(path: Path) -> tuple[pd.DataFrame, Any]:
    table = read_table(path, "fronts")
    if missing := [name for name in (*FRONT_KEY, "crs", "geometry") if name not in table.column_names]:
        raise InputError(f"{path} is not a table of fronts: it has no column {', '.join(missing)}")
    geometry = shapely.from_wkb(table.column("geometry").to_numpy())
    frame = _restored(table.drop_columns(["geometry", "bbox"]), COLUMNS)
    frame["item_ids"] = pd.Series([list(ids) for ids in frame["item_ids"]], index=frame.index, dtype=object)
    return frame, geometry


def _with_lines(frame: pd.DataFrame, lines: Any, crs: str) -> gpd.GeoDataFrame:
    table = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(lines, index=frame.index, crs=crs))
    return table[[*COLUMNS, *(name for name in table.columns if name not in COLUMNS)]]


def _restored(table: pa.Table, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return a table in pandas with the types that it had before it was written."""
    frame: pd.DataFrame = table.to_pandas()
    return frame.astype({name: dtype for name, dtype in dtypes.items() if name in frame.columns})


def _write_plain(
    frame: pd.DataFrame,
    path: Path,
    fields: Sequence[pa.Field],
    what: str,
    key: Sequence[str],
    places: dict[str, Any],
) -> Path:
    table = arrow_table(pd.DataFrame(frame), fields, what, key=key)
    if places:
        names = table.column("region").to_pylist()
        if unknown := sorted(set(names) - set(places)):
            raise InputError(f"{what}: region {', '.join(unknown)} is not among the regions that were passed")
        table = with_geometry(table, [places[name] for name in names])
    return write_table(table, path)


def _read_plain(path: Path, what: str, dtypes: Mapping[str, str]) -> pd.DataFrame:
    table = read_table(path, what)
    if missing := [name for name in ("region", "method") if name not in table.column_names]:
        raise InputError(f"{path} is not a table of {what}: it has no column {', '.join(missing)}")
    table = table.drop_columns([name for name in ("geometry", "bbox") if name in table.column_names])
    return _restored(table, dtypes)


def _empty(fronts: Fronts) -> pd.DataFrame:
    if isinstance(fronts, gpd.GeoDataFrame):
        return pd.DataFrame(fronts.drop(columns=fronts.geometry.name))
    return pd.DataFrame({field.name: pd.Series(dtype=object) for field in FRONT_FIELDS})

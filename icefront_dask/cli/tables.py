"""Vector files and tables that commands read and write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from icefront_dask.errors import ConfigError, InputError

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd
    import xarray as xr

__all__ = [
    "check_ending",
    "read_lines",
    "read_series",
    "read_table",
    "read_vector",
    "read_velocity",
    "write_lines",
    "write_table",
]


def read_lines(path: Path, region: str | None = None) -> gpd.GeoDataFrame:
    """Read a table of the package in its working CRS, or any vector file as it is."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        from icefront_dask.publish import read_fronts

        if not path.exists():
            raise InputError(f"there is no file {path}; check the path")
        if {"scene_id", "crs"} <= set(pq.read_schema(path).names):
            return read_fronts(path, region)
    return read_vector(path)


def read_vector(path: Path) -> gpd.GeoDataFrame:
    """Read a vector file."""
    import geopandas as gpd
    from pyogrio.errors import DataSourceError

    if not path.exists():
        raise InputError(f"there is no file {path}; check the path")
    try:
        return gpd.read_parquet(path) if path.suffix == ".parquet" else gpd.read_file(path)
    except (DataSourceError, ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a vector file ({str(error).splitlines()[0]}); give GeoPackage, GeoJSON or "
            "GeoParquet"
        ) from error


def read_table(path: Path) -> pd.DataFrame:
    """Read a table without geometries: CSV or Parquet."""
    import pandas as pd

    if not path.exists():
        raise InputError(f"there is no file {path}; check the path")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, skipinitialspace=True)
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as a table ({str(error).splitlines()[0]}); give CSV or Parquet"
        ) from error


def read_series(path: Path) -> pd.DataFrame:
    """Read a series of positions that the package wrote, with its types: a CSV file has no empty texts and no times."""
    import pandas as pd

    from icefront_dask.change.series import DTYPES

    table = read_table(path)
    if lacking := [name for name in ("region", "datetime", "method", "position_m", "status") if name not in table]:
        raise InputError(f"{path} lacks the column {', '.join(lacking)}; give what `icefront series` or a run wrote")
    for name in [name for name, kind in DTYPES.items() if kind == "object" and name in table]:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    return table.assign(datetime=pd.to_datetime(table["datetime"], utc=True).dt.as_unit("us"))


def read_velocity(path: Path, crs: Any) -> xr.Dataset:
    """Read a raster of two bands, vx and vy in metres of its map per year, which must be in `crs`."""
    import pyproj
    import rioxarray
    from rasterio.errors import RasterioIOError

    try:
        raster: Any = rioxarray.open_rasterio(path, masked=True)
    except RasterioIOError as error:
        raise InputError(f"{path} cannot be read as a raster ({error}); give a GeoTIFF of vx and vy") from error
    if raster.sizes["band"] != 2:
        raise InputError(f"{path} has {raster.sizes['band']} bands; a velocity has two, vx and vy")
    if raster.rio.crs is None or pyproj.CRS.from_user_input(raster.rio.crs) != pyproj.CRS.from_user_input(crs):
        raise InputError(f"{path} is in {raster.rio.crs}, the fronts in {crs}; reproject the velocity")
    return raster.to_dataset(dim="band").rename({1: "vx", 2: "vy"})


def check_ending(path: Path, *endings: str) -> None:
    """Raise where a file's ending is not one of those that can be written."""
    if path.suffix not in endings:
        raise ConfigError(f"{path}: a table is written as {' or '.join(endings)}; change the ending")


def write_lines(lines: gpd.GeoDataFrame, path: Path) -> None:
    """Write lines as GeoParquet, GeoPackage or GeoJSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        lines.to_parquet(path)
    else:
        lines.to_file(path)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet or CSV."""
    check_ending(path, ".parquet", ".csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)

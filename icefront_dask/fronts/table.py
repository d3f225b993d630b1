"""The fronts table: one row a front, and at least one row a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COLUMNS", "KEY", "concat", "empty", "frame", "validate"]

KEY = ("region", "scene_id", "front_id")

# Column → pandas dtype. Strings are objects, None where not known; lengths are true ground measure.
COLUMNS: dict[str, str] = {
    "region": "object",
    "scene_id": "object",
    "front_id": "int32",  # 0 is the main front of a scene
    "item_ids": "object",  # list of str
    "datetime": "datetime64[us, UTC]",
    "platform": "object",
    "sensor": "object",
    "orbit_direction": "object",
    "relative_orbit": "Int32",
    "geometry": "geometry",  # LineString in `crs`, the glacier on its left; None without a front
    "crs": "object",
    "pixel_size_m": "float64",
    "length_m": "float64",
    "fjord_share": "float64",  # of the fjord's width, NaN where no fjord is known
    "gap_fraction": "float64",
    "confidence": "float64",  # 0 to 1
    "uncertainty_m": "float64",  # 1 sigma across the line
    "gamma0_db": "float64",  # of the glacier up to 1 km inland, co-polarised; NaN without calibrated radar or a line
    "status": "object",
    "reason": "object",
    "quality": "uint16",  # bits under the line and round its ends, joined by "or"; NODATA where it leaves the data
    "model": "object",
    "model_sha256": "object",
}
_WITHOUT_LINE = (Status.NO_FRONT, Status.FAILED)


def frame(rows: Iterable[dict[str, Any]], crs: Any) -> gpd.GeoDataFrame:
    """Return rows as a fronts table, sorted by its key.

    Parameters
    ----------
    rows : iterable of dict
        One a front, with every column.
    crs : anything pyproj understands
        CRS of the geometries.
    """
    listed = list(rows)
    columns = {
        name: _column([row[name] for row in listed], dtype) for name, dtype in COLUMNS.items() if name != "geometry"
    }
    lines = gpd.GeoSeries([row["geometry"] for row in listed], crs=crs)
    table = gpd.GeoDataFrame(columns, geometry=lines, crs=crs)[list(COLUMNS)]
    return _sorted(table)


def _column(values: list[Any], dtype: str) -> Any:
    if dtype == "object":
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return pd.Series(out, dtype=object)
    if dtype.startswith("datetime64"):
        return pd.Series(pd.to_datetime(values, utc=True)).dt.as_unit("us")
    return pd.Series(values, dtype=dtype)


def _sorted(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    return table.sort_values(list(KEY), kind="stable").reset_index(drop=True)


def empty(crs: Any) -> gpd.GeoDataFrame:
    """Return a fronts table without rows."""
    return frame([], crs)


def concat(tables: Iterable[gpd.GeoDataFrame], crs: Any) -> gpd.GeoDataFrame:
    """Return fronts tables of one CRS as one, sorted by its key."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return empty(crs)
    joined = gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), geometry="geometry", crs=crs)
    return _sorted(joined.astype({name: kind for name, kind in COLUMNS.items() if name != "geometry"}))


def validate(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a fronts table unchanged if it keeps the contract.

    Raises
    ------
    InputError
        For missing columns, other types, rows out of order or with one key, unknown words, numbers out of
        range, and geometries that do not go with the status.
    """
    if lacking := [name for name in COLUMNS if name not in table.columns]:
        raise InputError(f"the fronts table lacks the column {', '.join(lacking)}")
    for name, kind in COLUMNS.items():
        if str(table[name].dtype) != kind:
            raise InputError(f"column {name} of the fronts table is {table[name].dtype}, not {kind}")
    keys = list(table[list(KEY)].itertuples(index=False, name=None))
    if keys != sorted(set(keys)):
        raise InputError(f"the fronts table is not sorted by {', '.join(KEY)}, or two rows have one key")
    for name, words in (("status", Status), ("reason", Reason)):
        if unknown := sorted(set(table[name]) - {str(word) for word in words}):
            raise InputError(f"the fronts table has the unknown {name} {', '.join(map(repr, unknown))}")
    _validate_lines(table, keys)
    _validate_numbers(table)
    return table


def _validate_lines(table: gpd.GeoDataFrame, keys: list[Any]) -> None:
    without = table["status"].isin([str(word) for word in _WITHOUT_LINE])
    if (wrong := table.geometry.isna() != without).any():
        row = keys[int(np.flatnonzero(wrong)[0])]
        raise InputError(f"front {row}: a line goes with accepted, review and rejected, and only with these")
    lines = table[~without]
    if (kinds := set(lines.geometry.geom_type) - {"LineString"}) or lines.geometry.is_empty.any():
        raise InputError(f"a front is a LineString that is not empty, not {', '.join(kinds) or 'an empty one'}")


def _validate_numbers(table: gpd.GeoDataFrame) -> None:
    for name in ("fjord_share", "gap_fraction", "confidence"):
        if ((table[name] < 0) | (table[name] > 1)).any():
            raise InputError(f"column {name} of the fronts table leaves 0 to 1")
    for name in ("pixel_size_m", "length_m", "uncertainty_m"):
        if (table[name] <= 0).any():
            raise InputError(f"column {name} of the fronts table holds numbers that are not positive")

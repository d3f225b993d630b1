"""Columns, Arrow types and keys of the product tables, from the tables' own definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from icefront_dask.change import series, statistics
from icefront_dask.fronts import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FRONT_FIELDS",
    "FRONT_KEY",
    "SERIES_FIELDS",
    "SERIES_KEY",
    "STATISTICS_FIELDS",
    "STATISTICS_KEY",
]

_ARROW = {
    "object": pa.string(),
    "datetime64[us, UTC]": pa.timestamp("us", tz="UTC"),
    "float64": pa.float64(),
    "int32": pa.int32(),
    "Int32": pa.int32(),
    "int64": pa.int64(),
    "uint16": pa.uint16(),
    "bool": pa.bool_(),
}
_LISTS = {"item_ids"}


def _fields(columns: Mapping[str, str], required: Iterable[str]) -> tuple[pa.Field, ...]:
    return tuple(
        pa.field(
            name,
            pa.list_(pa.string()) if name in _LISTS else _ARROW[dtype],
            nullable=name not in set(required),
        )
        for name, dtype in columns.items()
        if dtype != "geometry"
    )


FRONT_KEY = tuple(table.KEY)
FRONT_FIELDS = _fields(table.COLUMNS, (*FRONT_KEY, "datetime", "crs", "status"))
SERIES_KEY = tuple(series.KEY)
SERIES_FIELDS = _fields(series.DTYPES, SERIES_KEY)
STATISTICS_KEY = ("region", "method", "flowline")
STATISTICS_FIELDS = _fields(statistics.STATISTICS_DTYPES, STATISTICS_KEY)

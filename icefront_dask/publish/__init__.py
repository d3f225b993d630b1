"""Products: tables as GeoParquet 1.1 and a self-contained report."""

from __future__ import annotations

from icefront_dask.publish.tables import (
    read_fronts,
    read_fronts_by_region,
    read_series,
    read_statistics,
    write_fronts,
    write_series,
    write_statistics,
)

__all__ = [
    "read_fronts",
    "read_fronts_by_region",
    "read_series",
    "read_statistics",
    "write_fronts",
    "write_series",
    "write_statistics",
]

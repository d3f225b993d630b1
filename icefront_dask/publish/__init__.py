"""Products: tables as GeoParquet 1.1 and a self-contained report."""

from __future__ import annotations

from icefront_dask.publish.background import Background, stretch
from icefront_dask.publish.report import write_report
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
    "Background",
    "read_fronts",
    "read_fronts_by_region",
    "read_series",
    "read_statistics",
    "stretch",
    "write_fronts",
    "write_report",
    "write_series",
    "write_statistics",
]

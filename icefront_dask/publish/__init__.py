"""Products: tables as GeoParquet 1.1 and a self-contained report."""

from __future__ import annotations

from icefront_dask.publish.background import Background, stretch
from icefront_dask.publish.comparison_figure import write_comparison_figure
from icefront_dask.publish.report import write_report
from icefront_dask.publish.review import review_queue, write_review
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
    "review_queue",
    "stretch",
    "write_comparison_figure",
    "write_fronts",
    "write_report",
    "write_review",
    "write_series",
    "write_statistics",
]

"""Front positions, their plausibility and what they say: fronts → series → statistics."""

from __future__ import annotations

from icefront_dask.change.aggregate import aggregate_regions, monthly_table
from icefront_dask.change.check import check_series
from icefront_dask.change.compare import Comparison, compare_fronts
from icefront_dask.change.compare_positions import compare_positions
from icefront_dask.change.drawn import draw_box, draw_flowline
from icefront_dask.change.listing import calving_events, epoch_changes, relative_length_change
from icefront_dask.change.matrix import front_matrix
from icefront_dask.change.products import front_products
from icefront_dask.change.reduce import Reduction, reduce_regions
from icefront_dask.change.reference import known_schemas, read_reference, read_schema
from icefront_dask.change.screens import autoterm_screens
from icefront_dask.change.series import front_series
from icefront_dask.change.statistics import change_statistics
from icefront_dask.change.verdicts import apply_verdicts, judge_series, read_verdicts

__all__ = [
    "Comparison",
    "Reduction",
    "aggregate_regions",
    "apply_verdicts",
    "autoterm_screens",
    "calving_events",
    "change_statistics",
    "check_series",
    "compare_fronts",
    "compare_positions",
    "draw_box",
    "draw_flowline",
    "epoch_changes",
    "front_matrix",
    "front_products",
    "front_series",
    "judge_series",
    "known_schemas",
    "monthly_table",
    "read_reference",
    "read_schema",
    "read_verdicts",
    "reduce_regions",
    "relative_length_change",
]

"""Front positions, their plausibility and what they say: fronts → series → statistics."""

from __future__ import annotations

from icefront_dask.change.check import check_series
from icefront_dask.change.drawn import draw_box, draw_flowline
from icefront_dask.change.listing import calving_events, epoch_changes, relative_length_change
from icefront_dask.change.matrix import front_matrix
from icefront_dask.change.reduce import Reduction, reduce_regions
from icefront_dask.change.series import front_series
from icefront_dask.change.statistics import change_statistics

__all__ = [
    "Reduction",
    "calving_events",
    "change_statistics",
    "check_series",
    "draw_box",
    "draw_flowline",
    "epoch_changes",
    "front_matrix",
    "front_series",
    "reduce_regions",
    "relative_length_change",
]

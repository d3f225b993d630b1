"""Front lines from probabilities: traced, placed to a fraction of a pixel, judged, and put in a table."""

from __future__ import annotations

from icefront_dask.fronts.lift import trace_fronts
from icefront_dask.fronts.options import FrontOptions
from icefront_dask.fronts.rows import Guide, front_rows, guide
from icefront_dask.fronts.status import Reason, Status
from icefront_dask.fronts.table import COLUMNS, KEY, concat, empty, validate
from icefront_dask.fronts.trace import TracedFront, trace_scene

__all__ = [
    "COLUMNS",
    "KEY",
    "FrontOptions",
    "Guide",
    "Reason",
    "Status",
    "TracedFront",
    "concat",
    "empty",
    "front_rows",
    "guide",
    "trace_fronts",
    "trace_scene",
    "validate",
]

"""Front lines from probabilities: traced, placed to a fraction of a pixel, judged, and put in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icefront_dask._lazy import lazy_names

if TYPE_CHECKING:
    from icefront_dask.fronts.areas import front_areas
    from icefront_dask.fronts.cliffs import cliff_lines, flag_cliffs
    from icefront_dask.fronts.lift import trace_fronts
    from icefront_dask.fronts.options import FrontOptions
    from icefront_dask.fronts.orbits import orbit_bias, remove_orbit_bias
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
    "cliff_lines",
    "concat",
    "empty",
    "flag_cliffs",
    "front_areas",
    "front_rows",
    "guide",
    "orbit_bias",
    "remove_orbit_bias",
    "trace_fronts",
    "trace_scene",
    "validate",
]

# Public name → its module. Those above this room that only need the words of a status load nothing else with them.
_HOMES = {
    "COLUMNS": "table",
    "KEY": "table",
    "FrontOptions": "options",
    "Guide": "rows",
    "Reason": "status",
    "Status": "status",
    "TracedFront": "trace",
    "cliff_lines": "cliffs",
    "concat": "table",
    "empty": "table",
    "flag_cliffs": "cliffs",
    "front_areas": "areas",
    "front_rows": "rows",
    "guide": "rows",
    "orbit_bias": "orbits",
    "remove_orbit_bias": "orbits",
    "trace_fronts": "lift",
    "trace_scene": "trace",
    "validate": "table",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

"""Glacier and ice-shelf fronts from space and how they change, from a STAC search to statistics, on Dask."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from icefront_dask import accessor as _accessor  # noqa: F401  registers data.icefront
from icefront_dask._lazy import lazy_names

if TYPE_CHECKING:
    from icefront_dask.catalog import Items, search
    from icefront_dask.change import change_statistics, front_series
    from icefront_dask.cluster import connect
    from icefront_dask.cube import open_cube
    from icefront_dask.fronts import trace_fronts
    from icefront_dask.predict.segment import segment
    from icefront_dask.regions import Region
    from icefront_dask.regions import read_regions as regions
    from icefront_dask.runs import plan, run

__all__ = [
    "Items",
    "Region",
    "change_statistics",
    "connect",
    "front_series",
    "open_cube",
    "plan",
    "regions",
    "run",
    "search",
    "segment",
    "trace_fronts",
]

__version__ = version("icefront_dask")

# Public name → its room. Rooms load rasterio, torch and the like: each is imported when a name is first used.
_HOMES = {
    "Items": "catalog",
    "Region": "regions",
    "change_statistics": "change",
    "connect": "cluster",
    "front_series": "change",
    "open_cube": "cube",
    "plan": "runs",
    "run": "runs",
    "search": "catalog",
    "segment": "predict",
    "trace_fronts": "fronts",
}

_room, __dir__ = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    # The module of that name is callable: it stays what it is after ``import icefront_dask.regions``.
    return import_module("icefront_dask.regions") if name == "regions" else _room(name)

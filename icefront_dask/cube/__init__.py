"""From items to pixels: lazy cubes on one fixed grid, and their sharded Zarr v3 store.

Names load their module when first used, so that the quality bits come without xarray, dask or rasterio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from icefront_dask._lazy import lazy_names
from icefront_dask.cube.quality import INVALID, Quality, invalid

if TYPE_CHECKING:
    from icefront_dask.cube.blocks import ReadOptions, read_scenes
    from icefront_dask.cube.extend import extend_store, prepare_store
    from icefront_dask.cube.ground import open_layers, write_layers
    from icefront_dask.cube.layers import region_layers
    from icefront_dask.cube.lazy import load, variables_of
    from icefront_dask.cube.reopen import open_cube
    from icefront_dask.cube.scene import Scene, scenes
    from icefront_dask.cube.store import CubeStore, create_store, write_scenes

__all__ = [
    "INVALID",
    "CubeStore",
    "Quality",
    "ReadOptions",
    "Scene",
    "create_store",
    "extend_store",
    "invalid",
    "load",
    "open_cube",
    "open_layers",
    "prepare_store",
    "read_scenes",
    "region_layers",
    "scenes",
    "variables_of",
    "write_layers",
    "write_scenes",
]

_HOMES = {
    "CubeStore": "store",
    "ReadOptions": "blocks",
    "Scene": "scene",
    "create_store": "store",
    "extend_store": "extend",
    "load": "lazy",
    "open_cube": "reopen",
    "open_layers": "ground",
    "prepare_store": "extend",
    "read_scenes": "blocks",
    "region_layers": "layers",
    "scenes": "scene",
    "variables_of": "lazy",
    "write_layers": "ground",
    "write_scenes": "store",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)

"""Elevation and geoid in a cube's store: aligned to its grid once, and read from there by all who need them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec

from icefront_dask.cube.attributes import grid_attributes, grid_coordinates
from icefront_dask.cube.layers import region_layers
from icefront_dask.cube.reopen import find_cube
from icefront_dask.cube.shards import local_folder
from icefront_dask.cube.store import CubeStore, open_store, write_coordinates
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from icefront_dask.catalog.access import Access

__all__ = ["has_layers", "open_layers", "write_layers"]

_MARK = "icefront_layers"
_NAMES = ("elevation", "geoid")


def write_layers(cube: CubeStore, region: Any, *, access: Access | None = None) -> None:
    """Align a region's elevation and geoid to the grid of its cube and keep them in the group ``layers``.

    This computes, one layer at a time. Layers that are there already are left as they are, those of an interrupted
    writer are made anew; a region that states neither has none.

    Parameters
    ----------
    cube : CubeStore
        A finished cube.
    region : Region
        Whose ``elevation`` and ``geoid`` name the files.
    access : Access, optional
        How to fetch and sign; default: the configuration.

    Raises
    ------
    StoreError
        For a cube that holds layers of other files.
    ReadError, NotGeoreferencedError
        For files that cannot be read or placed.
    """
    stated = _stated(region)
    if not stated or has_layers(cube, region):
        return
    template: Any = cube.open("r").attrs["template"]
    grid = region.geobox(abs(float(template["grid"]["transform"][0])))
    lazy = region_layers(region, abs(float(grid.resolution.x)), access=access)
    store = cube.zarr_store
    folder = local_folder(cube)
    for leftover in () if folder is None else (folder / cube.group).glob("layers/**/*.partial"):
        leftover.unlink()  # of a writer that was killed
    group = zarr.create_group(store, path=f"{cube.group}/layers", zarr_format=3, overwrite=True)
    chunk = int(template["chunk_px"])
    for name, layer in lazy.data_vars.items():
        array = group.create_array(
            str(name),
            shape=layer.shape,
            chunks=(chunk, chunk),
            shards=tuple(math.ceil(size / chunk) * chunk for size in layer.shape),
            dtype="float32",
            fill_value=np.nan,
            compressors=ZstdCodec(level=int(template["zstd_level"])),
            dimension_names=("y", "x"),
            attributes=dict(layer.attrs),
        )
        array[...] = layer.compute(scheduler="synchronous").to_numpy()  # also within a Dask task
    write_coordinates(group, grid_coordinates(grid))
    described = {"Conventions": "CF-1.11", "region": region.name, **grid_attributes(grid)}
    group.attrs.update({**described, _MARK: stated})  # the mark last: without it nothing is finished


def has_layers(cube: CubeStore, region: Any) -> bool:
    """Return whether a cube holds all layers that a region states, be it none.

    Raises
    ------
    StoreError
        If it holds layers of other files; the message names them.
    """
    stated = _stated(region)
    found = _marked(cube)
    if found is not None and found != stated:
        was = ", ".join(f"{name} {found.get(name)}" for name in _NAMES if found.get(name) != stated.get(name))
        now = ", ".join(f"{name} {stated.get(name)}" for name in _NAMES if found.get(name) != stated.get(name))
        raise StoreError(
            f"{cube.url}/{cube.group} holds the layers {was}, region {region.name!r} states {now}; write to another "
            "store, or state the same"
        )
    return not stated or found is not None


def open_layers(
    store: str | Path | CubeStore,
    *,
    family: str | None = None,
    region: str | Any | None = None,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """Open the elevation and geoid of a stored cube, lazily, on its grid.

    Parameters
    ----------
    store, family, region
        As for :func:`icefront_dask.cube.open_cube`.
    chunks : mapping, optional
        Dask chunks; default: those of the store.

    Returns
    -------
    xarray.Dataset
        Dims (y, x): ``elevation`` above the geoid and ``geoid`` above the WGS 84 ellipsoid, those that the region
        states, float32, m, NaN nodata; attribute ``source`` names the file of each.

    Raises
    ------
    StoreError
        If there is no cube, several to choose from, or it holds no layers.
    """
    where = store if isinstance(store, CubeStore) else find_cube(str(store), family, region)
    if _marked(where) is None:
        raise StoreError(
            f"{where.url}/{where.group} holds no layers: its region stated neither elevation nor geoid when it was "
            "written; add their hrefs to the regions' file and write it anew"
        )
    there = where.zarr_store if where.session is not None else open_store(where.url, read_only=True)
    raw = xr.open_zarr(
        there,
        group=f"{where.group}/layers",
        consolidated=False,
        zarr_format=3,
        mask_and_scale=False,
        chunks={} if chunks is None else dict(chunks),
    )
    raw.attrs.pop(_MARK)
    return raw.set_coords("spatial_ref")


def _stated(region: Any) -> dict[str, str]:
    return {name: str(href) for name in _NAMES if (href := getattr(region, name, None)) is not None}


def _marked(cube: CubeStore) -> dict[str, str] | None:
    store = cube.zarr_store if cube.session is not None else open_store(cube.url, read_only=True)
    try:
        group = zarr.open_group(store, path=f"{cube.group}/layers", mode="r", zarr_format=3)
    except FileNotFoundError:
        return None
    found: Any = group.attrs.asdict().get(_MARK)
    return found

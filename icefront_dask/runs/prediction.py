"""Predictions on disk: the group ``prediction`` inside a cube's group, with the cube's slots and grid.

``ice`` and ``front`` are uint8 (value / 254, 255 where there is none) with CF attributes that say so; one
shard a scene, as in the cube.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec
from zarr.core.sync import sync

from icefront_dask.cube.attributes import (
    SCENE_COORDINATES,
    grid_attributes,
    grid_coordinates,
    scene_coordinates,
)
from icefront_dask.cube.store import CubeStore, open_store
from icefront_dask.errors import StoreError
from icefront_dask.predict.encode import ATTRS, INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from icefront_dask.cube import Scene

__all__ = ["LAYERS", "create_prediction", "open_prediction", "write_prediction"]

LAYERS = {
    "ice": "probability of land or ice",
    "front": "probability that a pixel lies within 1.5 px of the front",
}
_COMPLETE = "icefront_prediction"


def create_prediction(
    cube: CubeStore, scenes: Sequence[Scene], geobox: Any, attrs: Mapping[str, Any], *, chunk_px: int
) -> None:
    """Make the group of a cube's predictions where it is missing or was left unfinished.

    Parameters
    ----------
    cube : CubeStore
        The cube, whose group exists.
    scenes : sequence of Scene
        In slot order.
    geobox : odc.geo.geobox.GeoBox
        The cube's grid.
    attrs : mapping
        ``model``, ``model_sha256`` and what else the dataset is to say, JSON-ready.
    chunk_px : int
        Zarr chunk along y and x.

    Raises
    ------
    StoreError
        If a prediction with other attributes is there.
    """
    path = f"{cube.group}/prediction"
    identity = {**attrs, "shape": [len(scenes), *geobox.shape.yx]}
    store = open_store(cube.url)
    found = _attributes(store, path)
    if found.get(_COMPLETE) == identity:
        return
    if _COMPLETE in found:
        raise StoreError(f"{cube.url}/{path} holds the prediction of another run; use another output folder")
    group = zarr.create_group(store, path=path, zarr_format=3, overwrite=True)
    height, width = geobox.shape.yx
    padded = tuple(math.ceil(size / chunk_px) * chunk_px for size in (height, width))
    for name, long_name in LAYERS.items():
        group.create_array(
            name,
            shape=(len(scenes), height, width),
            chunks=(1, chunk_px, chunk_px),
            shards=(1, *padded),
            dtype="uint8",
            fill_value=INVALID,
            compressors=ZstdCodec(level=3),
            dimension_names=("time", "y", "x"),
            attributes={
                "long_name": long_name,
                "units": "1",
                "scale_factor": ATTRS["scale_factor"],
                "_FillValue": INVALID,
                "grid_mapping": "spatial_ref",
                "coordinates": " ".join(name for name in SCENE_COORDINATES if name != "gap_fraction"),
            },
        )
    for name, variable in {**scene_coordinates(scenes), **grid_coordinates(geobox)}.items():
        _coordinate(group, name, variable)
    group.attrs.update({**grid_attributes(geobox), **attrs, _COMPLETE: identity})


def write_prediction(cube: CubeStore, slot: int, layers: Mapping[str, npt.NDArray[np.uint8]]) -> None:
    """Write one scene's prediction into its slot: whole shards, always the same bytes.

    Parameters
    ----------
    cube : CubeStore
        As for `create_prediction`.
    slot : int
        Place along time.
    layers : mapping of str to (y, x) uint8 ndarray
        ``ice`` and ``front``, packed by ``predict.to_uint8``.
    """
    group = zarr.open_group(open_store(cube.url), path=f"{cube.group}/prediction", mode="r+", zarr_format=3)
    for name in LAYERS:
        array: Any = group[name]
        # Zarr merges into a shard that is there, as the last chunks reach beyond the grid: a damaged or older
        # one must not survive.
        key = array.metadata.encode_chunk_key((slot, 0, 0))
        sync(array.store.delete(f"{array.path}/{key}"))
        array[slot] = layers[name]


def open_prediction(store: str | Path, *, region: str, family: str) -> xr.Dataset:
    """Open predictions that a run has stored, lazily, sorted by time.

    Parameters
    ----------
    store : str or Path
        The run's ``cube.zarr``.
    region, family : str
        Which.

    Returns
    -------
    xarray.Dataset
        ``ice`` and ``front`` (time, y, x) float32, 0 to 1, NaN where the scene is invalid.

    Raises
    ------
    StoreError
        If there is no finished prediction.
    """
    path = f"{region}/{family}/prediction"
    source = open_store(store, read_only=True)
    attributes = _attributes(source, path)
    if _COMPLETE not in attributes:
        raise StoreError(f"no prediction of region {region!r} and family {family!r} in {store}")
    data = xr.open_zarr(source, group=path, consolidated=False, zarr_format=3, mask_and_scale=True)
    data = data.set_coords([name for name in (*SCENE_COORDINATES, "spatial_ref") if name in data])
    data.attrs = {key: value for key, value in attributes.items() if key != _COMPLETE}
    order = np.lexsort((data["scene_id"].to_numpy().astype("U"), data["time"].to_numpy()))
    return data.isel(time=order)


def _attributes(store: Any, path: str) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(store, path=path, mode="r", zarr_format=3).attrs)
    except FileNotFoundError:
        return {}


def _coordinate(group: zarr.Group, name: str, variable: xr.Variable) -> None:
    values, attributes = variable.to_numpy(), dict(variable.attrs)
    if name == "time":
        values = values.astype("datetime64[ns]").astype("int64")
        attributes |= {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(size, 1) for size in values.shape),
        dtype=str if values.dtype.kind == "O" else values.dtype,
        dimension_names=[str(dim) for dim in variable.dims],
        attributes=attributes,
    )
    array[...] = values

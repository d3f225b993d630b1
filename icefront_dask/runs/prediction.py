"""Predictions on disk: the group ``prediction`` inside a cube's group, with the cube's slots and grid.

``ice`` and ``front`` are uint8 (value / 254, 255 where there is none) with CF attributes that say so; one
shard a scene, as in the cube.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import xarray as xr
import zarr
from zarr.codecs import ZstdCodec

from icefront_dask.cube import CubeStore, open_cube
from icefront_dask.cube.store import open_store, replace_shard
from icefront_dask.errors import StoreError
from icefront_dask.fronts.backscatter import CO_POLARISED
from icefront_dask.predict.encode import ATTRS, INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = ["LAYERS", "create_prediction", "open_prediction", "write_prediction"]

LAYERS = {
    "ice": "probability of land or ice",
    "front": "probability that a pixel lies within 1.5 px of the front",
}
_MARK = "icefront_prediction"
_BYTES_KEPT = ("proj:", "spatial:")


def create_prediction(cube: CubeStore, attrs: Mapping[str, Any]) -> None:
    """Make the group of a cube's predictions where it is missing or was left unfinished.

    Parameters
    ----------
    cube : CubeStore
        A finished template, whose grid, slots and coordinates are taken over.
    attrs : mapping
        ``model``, ``model_sha256`` and what else the dataset is to say, JSON-ready.

    Raises
    ------
    StoreError
        If a prediction with other attributes is there.
    """
    path = f"{cube.group}/prediction"
    store = open_store(cube.url)
    found = _attributes(store, path)
    if found.get(_MARK) == dict(attrs):
        return
    if _MARK in found:
        was = ", ".join(f"{key} {value}" for key, value in sorted(found[_MARK].items()) if value != attrs.get(key))
        raise StoreError(f"{cube.url}/{path} holds another prediction ({was}); use another output folder")
    source = cube.open("r")
    template: Any = source.attrs["template"]
    group = zarr.create_group(store, path=path, zarr_format=3, overwrite=True)
    height, width = template["grid"]["shape"]
    chunk = int(template["chunk_px"])
    for name, long_name in LAYERS.items():
        group.create_array(
            name,
            shape=(template["slots"], height, width),
            chunks=(1, chunk, chunk),
            shards=(1, *(math.ceil(size / chunk) * chunk for size in (height, width))),
            dtype="uint8",
            fill_value=INVALID,
            compressors=ZstdCodec(level=int(template["zstd_level"])),
            dimension_names=("time", "y", "x"),
            attributes={
                "long_name": long_name,
                "units": "1",
                "scale_factor": ATTRS["scale_factor"],
                "_FillValue": INVALID,
                "grid_mapping": "spatial_ref",
            },
        )
    for name, array in sorted(source.arrays()):
        if array.ndim < 3 and name != "gap_fraction":
            copy = group.create_array(
                name,
                shape=array.shape,
                chunks=array.chunks,
                dtype=array.dtype if array.dtype.kind != "T" else str,
                dimension_names=array.metadata.dimension_names,
                attributes=dict(array.attrs),
            )
            copy[...] = array[...]
    kept = {key: value for key, value in source.attrs.items() if key.startswith(_BYTES_KEPT)}
    group.attrs.update({**kept, **attrs, _MARK: dict(attrs)})  # the mark last: without it nothing is finished


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
        replace_shard(group[name], cube, slot, layers[name])


def open_prediction(
    store: str | Path | CubeStore, *, region: str | None = None, family: str | None = None
) -> xr.Dataset:
    """Open stored predictions with the quality of their cube, lazily, sorted by time.

    Parameters
    ----------
    store : str, Path or CubeStore
        ``cube.zarr`` of a run, or what ``icefront segment`` wrote into.
    region, family : str, optional
        Which, where the store holds several.

    Returns
    -------
    xarray.Dataset
        ``ice`` and ``front`` (time, y, x) float32, 0 to 1, NaN where the scene is invalid; ``quality`` uint16; of
        radar the co-polarised bands.

    Raises
    ------
    StoreError
        If there is no finished prediction.
    """
    cube = open_cube(store, region=region, family=family)
    where = store if isinstance(store, CubeStore) else CubeStore(str(store), f"{cube.region}/{cube.family}")
    path = f"{where.group}/prediction"
    source = open_store(where.url, read_only=True)
    attributes = _attributes(source, path)
    if _MARK not in attributes:
        raise StoreError(f"no prediction of {where.group} in {where.url}; make it with `icefront segment`")
    data = xr.open_zarr(source, group=path, consolidated=False, zarr_format=3, mask_and_scale=True)
    order = {name: slot for slot, name in enumerate(data["scene_id"].to_numpy())}
    data = data[list(LAYERS)].isel(time=[order[name] for name in cube["scene_id"].to_numpy()])
    layers = {name: (data[name].dims, data[name].data, data[name].attrs) for name in LAYERS}
    attrs = {key: value for key, value in attributes.items() if key != _MARK}
    bands = [name for name in CO_POLARISED if name in cube]
    return cube[["quality", *bands]].assign(layers).assign_attrs(attrs)


def _attributes(store: Any, path: str) -> dict[str, Any]:
    try:
        return dict(zarr.open_group(store, path=path, mode="r", zarr_format=3).attrs)
    except FileNotFoundError:
        return {}

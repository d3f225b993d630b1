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
from icefront_dask.cube.shards import erase_scene, replace_shard
from icefront_dask.cube.store import open_store
from icefront_dask.errors import StoreError
from icefront_dask.fronts.backscatter import CO_POLARISED
from icefront_dask.predict.encode import ATTRS, INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

__all__ = ["LAYERS", "create_prediction", "has_prediction", "open_prediction", "write_prediction"]

LAYERS = {
    "ice": "probability of land or ice",
    "front": "probability that a pixel lies within 1.5 px of the front",
}
_MARK = "icefront_prediction"
_BYTES_KEPT = ("proj:", "spatial:")


def create_prediction(cube: CubeStore, attrs: Mapping[str, Any]) -> None:
    """Make the group of a cube's predictions where it is missing or was left unfinished, and keep it in step.

    Where the cube was extended since, the group is given the new slots; what it holds of a scene whose slot another
    one has taken over is removed.

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
    store = cube.zarr_store
    source = cube.open("r")
    if has_prediction(cube, attrs):
        _follow(cube, zarr.open_group(store, path=path, mode="r+", zarr_format=3), source)
        return
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
    _copy_coordinates(group, source)
    kept = {key: value for key, value in source.attrs.items() if key.startswith(_BYTES_KEPT)}
    group.attrs.update({**kept, **attrs, _MARK: dict(attrs)})  # the mark last: without it nothing is finished


def has_prediction(cube: CubeStore, attrs: Mapping[str, Any]) -> bool:
    """Return whether a cube has a group of predictions, finished and with these attributes.

    Raises
    ------
    StoreError
        If they have other attributes.
    """
    path = f"{cube.group}/prediction"
    found = _attributes(cube.zarr_store if cube.session is not None else open_store(cube.url, read_only=True), path)
    if _MARK in found and found[_MARK] != dict(attrs):
        was = ", ".join(f"{key} {value}" for key, value in sorted(found[_MARK].items()) if value != attrs.get(key))
        raise StoreError(f"{cube.url}/{path} holds another prediction ({was}); write to another store")
    return _MARK in found


def _copy_coordinates(group: Any, source: Any) -> None:
    """Copy the coordinates of a cube, ``scene_id`` last."""
    for name, array in sorted(source.arrays(), key=lambda named: (named[0] == "scene_id", named[0])):
        if array.ndim < 3 and name != "gap_fraction":
            copy = group.create_array(
                name,
                shape=array.shape,
                chunks=array.chunks,
                dtype=array.dtype if array.dtype.kind != "T" else str,
                dimension_names=array.metadata.dimension_names,
                attributes=dict(array.attrs),
                overwrite=True,
            )
            copy[...] = array[...]


def _follow(cube: CubeStore, group: Any, source: Any) -> None:
    """Give predictions the slots that their cube has."""
    before, now = group["scene_id"][:].tolist(), source["scene_id"][:].tolist()
    if before == now:
        return
    for name in LAYERS:
        group[name].resize((len(now), *group[name].shape[1:]))
        for slot, (old, new) in enumerate(zip(before, now, strict=False)):
            if old not in {new, ""}:  # empty where this was interrupted, after it had erased
                erase_scene(group[name], cube, slot)
    _copy_coordinates(group, source)


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
    group = zarr.open_group(cube.zarr_store, path=f"{cube.group}/prediction", mode="r+", zarr_format=3)
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
    source = where.zarr_store if where.session is not None else open_store(where.url, read_only=True)
    attributes = _attributes(source, path)
    if _MARK not in attributes:
        raise StoreError(f"no prediction of {where.group} in {where.url}; make it with `icefront segment`")
    data = xr.open_zarr(source, group=path, consolidated=False, zarr_format=3, mask_and_scale=True)
    order = {name: slot for slot, name in enumerate(data["scene_id"].to_numpy())}
    if new := [name for name in cube["scene_id"].to_numpy() if name not in order]:
        raise StoreError(
            f"{len(new)} scenes of {where.group} in {where.url} came after its predictions, first {new[0]}; make these "
            "with `icefront segment`"
        )
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

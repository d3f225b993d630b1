"""``open_cube``: a stored cube as a lazy dataset, sorted by time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import zarr

from icefront_dask.cube.attributes import SCENE_COORDINATES
from icefront_dask.cube.packing import Packing, unpack
from icefront_dask.cube.store import STORE_VERSION, CubeStore, open_store
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["find_cube", "open_cube"]

_CHUNKS_AT_ONCE = 4  # along y and x: a default Dask chunk is at most 4 x 4 Zarr chunks


def open_cube(
    store: str | Path | CubeStore,
    *,
    family: str | None = None,
    region: str | Any | None = None,
    chunks: Mapping[str, int] | str | None = None,
) -> xr.Dataset:
    """Open a stored cube, lazily, sorted by time.

    Parameters
    ----------
    store : str, Path or CubeStore
        Path or URL of the Zarr hierarchy that ``icefront cube`` or ``icefront run`` wrote.
    family : {"sentinel-1", "landsat"}, optional
        Needed where the store holds both.
    region : str or Region, optional
        Needed where the store holds several regions.
    chunks : mapping, optional
        Dask chunks, as for ``Dataset.chunk``; default: one scene, at most 4 × 4 Zarr chunks of it.

    Returns
    -------
    xarray.Dataset
        Dims (time, y, x). Variables float32, NaN nodata, unpacked to the very values that were read;
        ``quality`` uint16, bits of ``cube.quality.Quality``. A scene that was not written yet is NaN with
        NODATA and its ``gap_fraction`` is NaN. Strings are objects.

    Raises
    ------
    StoreError
        If there is no cube, several to choose from, or one of another version.

    Examples
    --------
    >>> cube = open_cube("out/cube.zarr", region="helheim", family="sentinel-1")
    """
    where = store if isinstance(store, CubeStore) else find_cube(str(store), family, region)
    store_there = where.zarr_store if where.session is not None else open_store(where.url, read_only=True)
    if "extending" in _attributes(store_there, where.group):
        raise StoreError(
            f"{where.url}/{where.group} was interrupted while it was extended; extend it again, by any scenes"
        )
    raw = xr.open_zarr(
        store_there,
        group=where.group,
        consolidated=False,
        zarr_format=3,
        chunks=None,
        mask_and_scale=False,
    )
    template = _template(raw, where)
    ids = np.array([str(scene_id) for scene_id in raw["scene_id"].to_numpy()])
    order = np.lexsort((ids, raw["time"].to_numpy()))
    if not np.array_equal(order, np.arange(order.size)):
        raw = raw.isel(time=order)  # before Dask comes in: it would shuffle task by task
    step = template["chunk_px"] * _CHUNKS_AT_ONCE
    cube = raw.chunk({"time": 1, "y": step, "x": step} if chunks is None else chunks)
    unpacked = {name: _unpacked(cube[name], Packing.from_template(how)) for name, how in template["variables"].items()}
    unpacked["quality"] = _unpacked(cube["quality"], Packing())
    coordinates = ["time", *SCENE_COORDINATES, "y", "x", "spatial_ref"]
    return xr.Dataset(
        unpacked,
        coords={name: _coordinate(raw[name]) for name in coordinates},
        attrs={k: v for k, v in raw.attrs.items() if k not in {"template", "generator"}},
    )


def _attributes(store: Any, group: str) -> dict[str, Any]:
    try:
        return zarr.open_group(store, path=group, mode="r", zarr_format=3).attrs.asdict()
    except FileNotFoundError:
        return {}  # xarray says what is missing


def _unpacked(packed: xr.DataArray, packing: Packing) -> xr.Variable:
    attributes = {
        key: value
        for key, value in packed.attrs.items()
        if key not in {"scale_factor", "add_offset", "_FillValue", "coordinates"}
    }
    data = packed.data
    if packing.dtype != "float32":
        data = data.map_blocks(functools.partial(unpack, packing=packing), dtype=np.float32)
    return xr.Variable(packed.dims, data, attributes)


def _coordinate(stored: xr.DataArray) -> xr.Variable:
    """Return a coordinate in memory; strings become objects, which every library takes."""
    values = stored.to_numpy()
    values = values.astype(object) if values.dtype.kind == "T" else values
    return xr.Variable(stored.dims, values, stored.attrs)


def _template(raw: xr.Dataset, where: CubeStore) -> dict[str, Any]:
    template = raw.attrs.get("template")
    if not isinstance(template, dict):
        raise StoreError(f"{where.url}/{where.group} is not a finished cube; run again what writes it")
    if template.get("version") != STORE_VERSION:
        raise StoreError(
            f"{where.url}/{where.group} has store version {template.get('version')}, this package reads "
            f"version {STORE_VERSION}; write the cube anew"
        )
    return template


def find_cube(url: str, family: str | None, region: Any) -> CubeStore:
    """Return the one cube at a URL that fits the family and region."""
    name = getattr(region, "name", region)
    try:
        root = zarr.open_group(open_store(url, read_only=True), mode="r", zarr_format=3)
    except (FileNotFoundError, ValueError) as error:
        raise StoreError(f"no cube at {url} ({error}); write one with `icefront cube` or `icefront run`") from None
    groups = {"": root, **_groups(root)}
    cubes = {
        path: (str(group.attrs["region"]), str(group.attrs["family"]))
        for path, group in groups.items()
        if "template" in group.attrs and {"region", "family"} <= set(group.attrs)
    }
    fitting = [path for path, (r, f) in cubes.items() if name in {None, r} and family in {None, f}]
    if len(fitting) == 1:
        return CubeStore(url, fitting[0])
    listed = ", ".join(f"{r}/{f}" for r, f in sorted(cubes.values())) or "no finished cube"
    if not fitting:
        asked = "/".join(str(part or "*") for part in (name, family))
        raise StoreError(f"{url} holds no cube {asked}; it holds {listed}")
    raise StoreError(f"{url} holds {listed}; say which by region= and family=")


def _groups(root: zarr.Group) -> dict[str, zarr.Group]:
    """Return the groups one and two levels down."""
    out = {}
    for name, child in root.groups():
        out[name] = child
        out.update({f"{name}/{inner}": group for inner, group in child.groups()})
    return out

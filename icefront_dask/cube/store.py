"""The cube on disk: Zarr v3, one group a (region, family), one slot a scene, one shard a scene and variable.

A shard covers the whole grid, padded up to a multiple of the chunk, so that writing a scene writes whole
shards: two workers never share a file, and a scene written again has the same bytes. Whether a scene is done
is what the ledger says, never the presence of a file.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from icefront_dask.catalog.stores import azure_account
from icefront_dask.config import section
from icefront_dask.cube import attributes as attrs_of
from icefront_dask.cube.lazy import calibrations_of
from icefront_dask.cube.packing import Packing, pack, packings_of
from icefront_dask.cube.quality import QUALITY_DTYPE, Quality, gap_fraction
from icefront_dask.cube.shards import local_folder, replace_shard, sweep
from icefront_dask.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import xarray as xr

    from icefront_dask.cube.scene import Scene

__all__ = [
    "STORE_VERSION",
    "CubeStore",
    "create_store",
    "differences",
    "open_store",
    "scenes_sha256",
    "write_coordinates",
    "write_scenes",
]

STORE_VERSION = 1
_GENERATOR = "icefront_dask"
_DIMS = ("time", "y", "x")


@dataclass(frozen=True)
class CubeStore:
    """Where a cube lies: a path or URL and the group within it. Picklable: it travels to the workers.

    `session` is an Icechunk session, or a fork of one, through which it is written.
    """

    url: str
    group: str
    session: Any = field(default=None, compare=False, repr=False)

    @property
    def zarr_store(self) -> Any:
        """The Zarr store that the group lies in."""
        return open_store(self.url) if self.session is None else self.session.store

    def open(self, mode: Literal["r", "r+"] = "r+") -> Any:
        """Return the group."""
        return zarr.open_group(self.zarr_store, path=self.group, mode=mode, zarr_format=3)


def open_store(path_or_url: str | Path, *, read_only: bool = False) -> Any:
    """Return the Zarr store of a local path, or of a URL (s3, gs, az, http) by obstore.

    With ``icechunk+`` before it the URL is that of an Icechunk repository, of which the published branch is read.
    Credentials come from the environment of the process; the URL must not hold any.
    """
    text = str(path_or_url)
    if text.startswith("icechunk+"):
        from icefront_dask.cube.repository import published

        return published(text)
    if "://" in text and not text.startswith("file://"):
        from obstore.store import from_url
        from zarr.storage import ObjectStore

        # Without its account a store of Azure's cannot say what it is, and ends the process that asks.
        named: Any = {"account_name": azure_account()} if text.startswith("az://") else {}
        return ObjectStore(from_url(text, **named), read_only=read_only)
    from zarr.storage import LocalStore

    return LocalStore(text.removeprefix("file://"), read_only=read_only)


def create_store(
    path_or_url: str | Path,
    scenes: Sequence[Scene],
    region: Any,
    family: str,
    geobox: Any,
    variables: Sequence[str],
    attrs: Mapping[str, Any] | None = None,
    *,
    session: Any = None,
) -> CubeStore:
    """Write the template of a cube: all coordinates and attributes, and a slot for each scene.

    A store that holds the same template already is left as it is, slots included; one whose creation was
    interrupted is made anew.

    Parameters
    ----------
    path_or_url : str or Path
        The Zarr hierarchy; the cube is its group ``<region>/<family>``.
    scenes : sequence of Scene
        The slots, in this order.
    region : Region
        Names the group.
    family : {"sentinel-1", "landsat"}
        Names the group.
    geobox : odc.geo.geobox.GeoBox
        The region's grid.
    variables : sequence of str
        Float variables. Where all items give the same scale and offset of 16-bit integers they are
        packed as such, which is exact, else float32.
    attrs : mapping, optional
        More attributes of the dataset, JSON-ready.
    session : icechunk.Session, optional
        Write through it, uncommitted; `path_or_url` is then its repository's.

    Returns
    -------
    CubeStore
        What :func:`write_scenes` takes.

    Raises
    ------
    StoreError
        For a group that holds something else; the message names the difference.
    """
    cube = CubeStore(str(path_or_url), f"{region.name}/{family}", session)
    settings = section("cube")
    packings = packings_of(scenes, variables)
    template = _template(scenes, geobox, packings, int(settings["chunk_px"]), int(settings["zstd_level"]))
    if _matches(cube, template):
        return cube
    store = cube.zarr_store
    zarr.open_group(store, mode="a", zarr_format=3)
    zarr.open_group(store, path=region.name, mode="a", zarr_format=3)
    folder = local_folder(cube)
    for parent in () if folder is None else (folder, folder / region.name):
        for leftover in parent.glob("zarr.*.partial"):  # of a creation that was killed
            leftover.unlink()
    group = zarr.create_group(
        store, path=cube.group, zarr_format=3, overwrite=True, attributes={"generator": _GENERATOR}
    )
    calibrations = calibrations_of(scenes, variables)
    geometries = {scene.geometry for scene in scenes}
    for name, packing in packings.items():
        attributes = {**attrs_of.variable_attributes(name, calibrations[name], geometries), **packing.attributes}
        _slots(group, name, packing.dtype, packing.fill, attributes, template)
    quality = attrs_of.variable_attributes("quality", "")
    _slots(group, "quality", QUALITY_DTYPE, int(Quality.NODATA), quality, template)
    write_coordinates(group, {**attrs_of.scene_coordinates(scenes), **attrs_of.grid_coordinates(geobox)})
    group.create_array(
        "gap_fraction",
        shape=(len(scenes),),
        chunks=(1,),
        dtype="float32",
        fill_value=np.nan,
        dimension_names=("time",),
        attributes=dict(attrs_of.GAP_FRACTION),
    )
    group.attrs.update(
        {
            **attrs_of.cube_attributes(region, family, calibrations),
            **attrs_of.grid_attributes(geobox),
            **(attrs or {}),
            "generator": _GENERATOR,
            "template": template,  # last: a group without it was never finished
        }
    )
    return cube


def write_scenes(store: CubeStore, slots: Sequence[int], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write scenes into their slots: whole shards, whatever was there before, always the same bytes.

    Parameters
    ----------
    store : CubeStore
        What :func:`create_store` returned.
    slots : sequence of int
        Slot of each scene.
    arrays : mapping of str to ndarray
        Dims (time, y, x), as :func:`icefront_dask.cube.read_scenes` returns them, all variables of the store.

    Raises
    ------
    StoreError
        For arrays of another grid, missing or unknown variables, a slot that does not exist, shards that do
        not cover the grid, or values that the packing cannot hold.
    """
    group = store.open()
    template = dict(group.attrs.get("template") or {})
    expected = [*template.get("variables", {}), "quality"]
    if sorted(expected) != sorted(arrays):
        raise StoreError(
            f"cube {store.url}/{store.group} holds {', '.join(sorted(expected))}, not "
            f"{', '.join(sorted(arrays))}; write exactly its variables"
        )
    targets = {name: _checked(group[name], store, slots, data) for name, data in arrays.items()}
    packings = {name: Packing.from_template(how) for name, how in template["variables"].items()}
    for name, array in targets.items():
        for index, slot in enumerate(slots):
            replace_shard(array, store, slot, pack(arrays[name][index], packings.get(name, Packing())))
    gaps = group["gap_fraction"]
    for index, slot in enumerate(slots):
        sweep(store, gaps, (slot,))
        gaps[slot] = gap_fraction(arrays["quality"][index])


def _checked(array: Any, store: CubeStore, slots: Sequence[int], data: npt.NDArray[Any]) -> Any:
    where = f"{store.url}/{array.path}"
    if data.shape != (len(slots), *array.shape[1:]):
        raise StoreError(
            f"{where} takes {len(slots)} scene(s) of {array.shape[1:]} pixels, not an array of {data.shape}; "
            "read the scenes on the grid of the store"
        )
    if unknown := [slot for slot in slots if not 0 <= slot < array.shape[0]]:
        raise StoreError(f"{where} has no slot {unknown[0]}, it has {array.shape[0]} slots; make the store anew")
    shards = array.shards
    if shards is None or shards[0] != 1 or shards[1] < array.shape[1] or shards[2] < array.shape[2]:
        raise StoreError(f"{where} has shards {shards}, which do not hold one whole scene each; make it anew")
    return array


def _slots(
    group: Any,
    name: str,
    dtype: Any,
    fill: Any,
    attributes: Mapping[str, Any],
    template: dict[str, Any],
) -> None:
    height, width = template["grid"]["shape"]
    chunk = template["chunk_px"]
    whole = tuple(math.ceil(n / chunk) * chunk for n in (height, width))
    group.create_array(
        name,
        shape=(template["slots"], height, width),
        chunks=(1, chunk, chunk),
        shards=(1, *whole),
        dtype=dtype,
        fill_value=fill,
        compressors=ZstdCodec(level=template["zstd_level"]),
        dimension_names=_DIMS,
        attributes={**attributes, "coordinates": _COORDINATES},
    )


_COORDINATES = " ".join(attrs_of.SCENE_COORDINATES)


def write_coordinates(group: Any, coordinates: Mapping[str, xr.Variable]) -> None:
    """Write coordinates, each as one chunk, in place of what is there."""
    for name, variable in coordinates.items():
        values, attributes = variable.to_numpy(), dict(variable.attrs)
        if name == "time":
            values = values.astype("datetime64[ns]").astype("int64")
            attributes |= {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=tuple(max(n, 1) for n in values.shape),
            dtype=str if values.dtype.kind == "O" else values.dtype,
            dimension_names=variable.dims,
            attributes=attributes,
            overwrite=True,
        )
        array[...] = values


def _template(
    scenes: Sequence[Scene], geobox: Any, packings: Mapping[str, Packing], chunk_px: int, zstd_level: int
) -> dict[str, Any]:
    """Describe what makes two cubes the same store."""
    return {
        "version": STORE_VERSION,
        "grid": {
            "crs": str(geobox.crs),
            "transform": [float(v) for v in tuple(geobox.affine)[:6]],
            "shape": [int(n) for n in geobox.shape.yx],
        },
        "variables": {name: packing.to_template() for name, packing in packings.items()},
        "slots": len(scenes),
        "scenes_sha256": scenes_sha256(s.scene_id for s in scenes),
        "chunk_px": chunk_px,
        "zstd_level": zstd_level,
    }


def scenes_sha256(scene_ids: Iterable[str]) -> str:
    """Return the hash of the slots' keys in their order."""
    return hashlib.sha256("\n".join(scene_ids).encode()).hexdigest()


def _matches(cube: CubeStore, template: dict[str, Any]) -> bool:
    """Whether the same template is there; refuses another one, or what is not ours."""
    where = f"{cube.url}/{cube.group}"
    try:
        group = cube.open("r")
    except (FileNotFoundError, KeyError):
        return False
    if group.attrs.get("generator") != _GENERATOR:
        raise StoreError(f"{where} holds something that is no cube of this package; choose another output folder")
    present: Any = group.attrs.get("template")
    if present is None:
        return False
    if found := differences(dict(present), template):
        raise StoreError(f"{where} holds another cube ({'; '.join(found)}); choose another output folder or delete it")
    return True


def differences(present: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return where two templates of cubes differ, in words."""
    out = []
    for key in sorted({*present, *wanted}):
        a, b = present.get(key), wanted.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            out += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            shown = "other scenes" if key == "scenes_sha256" else f"{prefix}{key} is {a}, not {b}"
            out.append(shown)
    return out

"""Shards of a cube: one scene of one variable each, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.core.sync import sync

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.cube.store import CubeStore

__all__ = ["erase_scene", "local_folder", "replace_shard", "sweep"]


def replace_shard(array: Any, store: CubeStore, slot: int, data: npt.NDArray[Any]) -> None:
    """Write one scene of one array whose shards hold one scene each, whatever was there before.

    zarr merges what it writes into an existing shard, as the last chunks lie only partly within the grid: the old
    shard, stale or damaged by a kill, and what a killed writer left beside it are removed first.

    Parameters
    ----------
    array : zarr.Array
        Dims (time, y, x).
    store : CubeStore
        Where it lies.
    slot : int
        Index along time.
    data : ndarray
        Dims (y, x).
    """
    erase_scene(array, store, slot)
    array[slot] = data


def erase_scene(array: Any, store: CubeStore, slot: int) -> None:
    """Remove what one array holds of one scene: it has the fill value then.

    Parameters
    ----------
    array : zarr.Array
        Dims (time, y, x) with one shard a scene, or (time,) with one chunk a scene.
    store : CubeStore
        Where it lies.
    slot : int
        Index along time.
    """
    chunk = (slot, *[0] * (array.ndim - 1))
    sync(array.store.delete(f"{array.path}/{array.metadata.encode_chunk_key(chunk)}"))
    sweep(store, array, chunk)


def sweep(store: CubeStore, array: Any, chunk: tuple[int, ...]) -> None:
    """Remove what a killed process left beside a chunk of a local store."""
    folder = local_folder(store)
    if folder is not None:
        path = folder / array.path / array.metadata.encode_chunk_key(chunk)
        for leftover in path.parent.glob(f"{path.name}.*.partial"):
            leftover.unlink()


def local_folder(store: CubeStore) -> Path | None:
    """Return the folder of a local Zarr store, ``None`` for another one."""
    if store.session is not None or ("://" in store.url and not store.url.startswith("file://")):
        return None
    return Path(store.url.removeprefix("file://"))

"""What writes a small cube, in a process of its own that can be killed at any moment; and what is in a store."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import dask.config
import numpy as np
import zarr

from icefront_dask.cube import CubeStore, Quality, create_store, scenes, write_scenes
from icefront_dask.cube.repository import batch, publish
from icefront_dask.cube.store import open_store
from tests.cube import builders

SCENES = 6
REGION = builders.region()
RESOLUTION_M = 20.0


def items() -> list[dict[str, Any]]:
    """Sentinel-1 items without files: the writers below make their pixels up."""
    grid = builders.utm_grid(32624, 480, 10)
    return [
        builders.item(
            f"S1A_{number}",
            "sentinel-1-rtc",
            grid,
            {p: {"href": f"/data/{number}_{p}.tif"} for p in ("hh", "hv")},
            f"2018-06-{number + 1:02d}T20:15:32Z",
            platform="SENTINEL-1A",
            **{"sat:relative_orbit": 127},
        )
        for number in range(SCENES)
    ]


def pixels(number: int) -> dict[str, Any]:
    """Arrays of one scene, dims (1, y, x), the same for the same number."""
    rng = np.random.default_rng(number)
    shape = (1, *REGION.geobox(RESOLUTION_M).shape.yx)
    values = {name: rng.gamma(4.4, 0.1, shape).astype("float32") for name in ("hh", "hv")}
    quality = np.where(rng.random(shape) < 0.1, int(Quality.NODATA), 0).astype("uint16")
    for band in values.values():
        band[quality > 0] = np.nan
    return {**values, "quality": quality}


def _created(url: str, session: Any = None) -> CubeStore:
    grid = REGION.geobox(RESOLUTION_M)
    with dask.config.set({"icefront.catalog.allow_roots": ["/data"]}):
        found = scenes(items(), REGION, "sentinel-1")
    return create_store(url, found, REGION, "sentinel-1", grid, ("hh", "hv"), session=session)


def write(url: str) -> None:
    """Write the whole cube, as a run does: template first, then scene by scene, whatever is there already."""
    if url.startswith("icechunk+"):
        _write_repository(url)
        return
    cube = _created(url)
    for number in range(SCENES):
        write_scenes(cube, [number], pixels(number))


def _write_repository(url: str) -> None:
    with batch(url, "run-1", "template") as begun:
        cube = _created(url, begun.session)
    for first in range(0, SCENES, 2):
        numbers = range(first, first + 2)
        with batch(url, "run-1", f"scenes {first}") as at:
            forks = [at.fork(cube) for _ in numbers]
            for number, fork in zip(numbers, forks, strict=True):
                write_scenes(fork, [number], pixels(number))
            at.merge(forks)
    publish(url, "run-1")


def content(url: str) -> dict[str, str]:
    """Return what a store holds: digests of all objects of a Zarr store, of decoded arrays of a repository."""
    if url.startswith("icechunk+"):
        return _decoded(open_store(url, read_only=True))
    if "://" not in url:
        files = sorted(path for path in Path(url).rglob("*") if path.is_file())
        return {str(path.relative_to(url)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    from obstore import get
    from obstore import list as listed

    store = open_store(url, read_only=True).store
    names = sorted(entry["path"] for page in listed(store) for entry in page)
    return {name: hashlib.sha256(bytes(get(store, name).bytes())).hexdigest() for name in names}


def _decoded(store: Any) -> dict[str, str]:
    out = {}
    root = zarr.open_group(store, mode="r", zarr_format=3)
    for path, node in sorted(root.members(max_depth=None)):
        described = json.dumps(node.metadata.to_dict(), sort_keys=True, default=str)
        out[f"{path}/zarr.json"] = described
        if isinstance(node, zarr.Array):
            values = np.asarray(node[...])
            raw = "\n".join(map(str, values.ravel())).encode() if values.dtype.kind in "OT" else values.tobytes()
            out[path] = hashlib.sha256(raw).hexdigest()
    return out

"""Scenes to predict: a cube on disk, prediction of it into another store, the network's own arithmetic."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import rioxarray  # noqa: F401  registers data.rio
import torch
import xarray as xr
import zarr
from scipy.ndimage import gaussian_filter
from torch.utils.flop_counter import FlopCounterMode

from icefront_dask.models import registry
from icefront_dask.models.inputs import input_channels
from icefront_dask.models.normalise import channels, to_decibel
from icefront_dask.predict import ModelPlugin, resolve_options, segment, to_uint8

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client

    from icefront_dask.predict import PredictOptions

WHOLE = {"tta": "none", "passes": "fine", "levels": [1]}
"""One member, one level and every pixel once, so that the arithmetic is known."""


def gflop_per_pixel(model: str) -> float:
    """Of the convolutions of one pass of the network, over a square which it sees at once."""
    network = registry.load(model).network
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, input_channels(network) or 1, 256, 256))
    return float(counter.get_total_flops() / 1e9 / 256**2)


def network_input(power: np.ndarray, *, guided: bool) -> np.ndarray:
    """Channels of a co-polarised scene; a network that can be told the way to the sea is told nothing."""
    return np.asarray(channels(to_decibel(power, -30.0), None, np.zeros_like(power) if guided else None))


def scene(side: int, seed: int) -> np.ndarray:
    """Linear power of ice above a crooked line and of water below, with speckle."""
    rng = np.random.default_rng(seed)
    crooked = gaussian_filter(rng.normal(size=side), side / 16) * side * 0.4
    ice = np.arange(side)[:, None] < side / 2 + crooked
    texture = np.exp(0.3 * gaussian_filter(rng.normal(size=(side, side)).astype(np.float32), 3) * 3)
    return (np.where(ice, 0.12, 0.012) * texture * rng.gamma(6, 1 / 6, (side, side))).astype(np.float32)


def write_cube(path: Path, scenes: int, side: int) -> xr.Dataset:
    """Write a cube of one band, a chunk a scene, and open it lazily."""
    group = zarr.create_group(path, zarr_format=3)
    band = group.create_array(
        "hh", shape=(scenes, side, side), chunks=(1, side, side), dtype="float32", dimension_names=("time", "y", "x")
    )
    drawn = [scene(side, seed) for seed in range(min(scenes, 4))]
    for number in range(scenes):
        band[number] = drawn[number % len(drawn)]
    return open_cube(path)


def open_cube(path: Path) -> xr.Dataset:
    cube = xr.open_zarr(path, consolidated=False, chunks={"time": 1})
    side = cube.sizes["y"]
    where = {"y": -20.0 * np.arange(side), "x": 20.0 * np.arange(side)}
    return cube.assign_coords(where).assign_attrs(calibration="gamma0").rio.write_crs("EPSG:3413")


def chosen() -> tuple[str, str]:
    """Name and SHA-256 of the shipped network."""
    return registry.fingerprint(registry.choose(["hh"], "gamma0"))


def settled(**options: Any) -> PredictOptions:
    """Return the settings of a prediction by the shipped network."""
    return resolve_options(models=(chosen()[0],), **options)


def prepare(client: Client, threads: int, **options: Any) -> None:
    """Load the model in the workers and compile it for the shape of the tiles."""
    client.register_plugin(ModelPlugin(*chosen(), settled(**options).engine, threads))


def predict_into(cube: xr.Dataset, path: Path, **options: Any) -> float:
    """Predict a cube into a store by the scheduler that is set; return the seconds that it took."""
    lazy = segment(cube, **options)
    packed = xr.Dataset(
        {name: (lazy[name].dims, to_uint8(lazy[name].data)) for name in ("ice", "front")},
        attrs={key: str(value) for key, value in lazy.attrs.items()},
    )
    stored = packed.to_zarr(path, mode="w", compute=False, consolidated=False, zarr_format=3)
    start = time.perf_counter()
    dask.compute(stored)
    return time.perf_counter() - start

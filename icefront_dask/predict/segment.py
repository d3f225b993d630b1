"""Prediction as labelled, lazy data: one task a time step, whatever the chunks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr

from icefront_dask.errors import ConfigError, RegionError
from icefront_dask.models import registry
from icefront_dask.predict.inputs import read_bands
from icefront_dask.predict.options import PredictOptions, resolve_options
from icefront_dask.predict.plugin import get_model
from icefront_dask.predict.scene import choose_bands, predict_scene

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from icefront_dask.predict.inputs import Bands
    from icefront_dask.regions import Region

__all__ = ["segment"]

_LONG_NAMES = {
    "ice": "probability of land or ice",
    "front": "probability that a pixel lies within 1.5 px of the front",
    "ice_std": "standard deviation of the probability of land or ice over augmentations and scales",
    "disagreement": "absolute difference of the fine and the coarse probability of land or ice",
}


@dataclass(frozen=True)
class _Fjord:
    """A fjord and the grid to draw it on, small enough for a graph."""

    wkb: bytes
    shape: tuple[int, int]
    transform: tuple[float, ...]


@dataclass(frozen=True)
class _Work:
    """What a task needs besides its pixels."""

    model: str
    sha256: str
    options: PredictOptions
    variables: tuple[str, ...]
    nodata: tuple[float | None, ...]
    quality: bool
    layers: tuple[str, ...]
    pixel_size_m: float
    calibration: str
    fjord: _Fjord | None


def segment(
    data: xr.DataArray | xr.Dataset,
    *,
    model: str = "auto",
    region: Region | None = None,
    chunks: Mapping[str, int] | int | None = None,
    **options: Any,
) -> xr.Dataset:
    """Predict where scenes have ice and where their fronts run; lazy.

    Parameters
    ----------
    data : DataArray or Dataset
        Dims (y, x) or (time, y, x), NumPy- or Dask-backed in any chunks, with a CRS in metres and square
        pixels; a DataArray may have a dim ``band``. Bands are named by the closed list of
        `icefront_dask.sensors.VARIABLES` (variables of a Dataset, labels of ``band``, or the DataArray's
        name; a single unnamed band is ``grey``). Floating point with NaN nodata. A variable ``quality`` of a
        Dataset blanks what it marks invalid. Attribute ``calibration``: gamma0 or sigma0 (linear power),
        reflectance, uncalibrated (also where it is missing).
    model : str
        ``auto``, a name of `icefront_dask.models.registry.names`, or the path of a ``.safetensors`` file
        which every worker can read.
    region : Region, optional
        Its fjord steers the coarse and the fine pass.
    chunks : int or {"time": int}, optional
        Time steps a task, 1 by default. A task always has whole scenes, so no value depends on it.
    **options
        Settings of the section ``predict`` of the configuration, for this call.

    Returns
    -------
    Dataset
        ``ice`` = P(land or ice) and ``front`` = P(pixel within 1.5 px of the line), float32 in 0 … 1, NaN
        where the scene is invalid, with the dims, coordinates and attributes of ``data``; ``quality`` carried
        on; with ``extra=["ice_std", "disagreement"]`` those as well. Attributes ``model``, ``model_sha256``
        and ``engine``.

    Raises
    ------
    NotGeoreferencedError
        Without a CRS, in degrees, or on an irregular grid.
    GridError
        If pixels are not square.
    ModelMismatchError
        If the model does not take these bands.
    WeightsError
        If there is no such model.
    ConfigError
        For an unknown or impossible setting.
    RegionError
        If the region is in another CRS than the data.
    InputError
        For data of another form.

    Notes
    -----
    The graph holds the model's name and SHA-256; each worker process loads the weights once.
    """
    settings = resolve_options(**options)
    bands = read_bands(data)
    name = registry.choose(bands.arrays, bands.calibration) if model == "auto" else model
    name, sha256 = registry.fingerprint(name)
    card = registry.card(name)
    chosen = tuple(band for band in choose_bands(bands.arrays, card.primary, card.cross) if band is not None)
    work = _Work(
        model=name,
        sha256=sha256,
        options=settings,
        variables=chosen,
        nodata=tuple(bands.nodata[band] for band in chosen),
        quality=bands.quality is not None,
        layers=("ice", "front", *settings.extra),
        pixel_size_m=bands.pixel_size_m,
        calibration=bands.calibration,
        fjord=_fjord(bands, region),
    )
    steps = _steps(chunks)
    stack = _lazy_layers(bands, work, steps)
    first = bands.arrays[chosen[0]]
    result = bands.frame.copy()
    mapping = first.encoding.get("grid_mapping") or first.attrs.get("grid_mapping")
    for index, layer in enumerate(work.layers):
        values = stack[index] if "time" in first.dims else stack[index, 0]
        attrs = {"long_name": _LONG_NAMES[layer], "units": "1"}
        result[layer] = xr.Variable(first.dims, values, attrs, {"grid_mapping": mapping} if mapping else None)
    if bands.quality is not None:
        result["quality"] = bands.quality.variable
    return result.assign_attrs(model=card.name, model_sha256=sha256, engine=settings.engine)


def _lazy_layers(bands: Bands, work: _Work, steps: int) -> da.Array:
    """Layers (layer, time, y, x) float32, one task for ``steps`` time steps."""
    sources = [bands.arrays[name] for name in work.variables]
    if bands.quality is not None:
        sources.append(bands.quality)
    whole = {"time": steps, "y": -1, "x": -1}
    arrays = []
    for source in sources:
        values = source.variable.chunk({dim: whole[str(dim)] for dim in source.dims}).data
        arrays.append(values[None] if source.ndim == 2 else values)
    layers = len(work.layers)
    return da.map_blocks(
        _predict_block,
        *arrays,
        work=work,
        new_axis=0,
        chunks=((layers,), *arrays[0].chunks),
        dtype=np.float32,
        meta=np.empty((0, 0, 0, 0), dtype=np.float32),
        token="segment",  # noqa: S106  the prefix of the task names
    )


def _predict_block(*blocks: NDArray[Any], work: _Work) -> NDArray[np.float32]:
    """Predict whole scenes: blocks (time, y, x) of each band → (layer, time, y, x)."""
    loaded = get_model(work.model, work.sha256, work.options.engine, work.options.threads)
    fjord = None if work.fjord is None else _draw(work.fjord)
    result = np.empty((len(work.layers), *blocks[0].shape), dtype=np.float32)
    for step in range(blocks[0].shape[0]):
        scene = predict_scene(
            {
                name: _with_nan(block[step], nodata)
                for name, nodata, block in zip(work.variables, work.nodata, blocks, strict=False)
            },
            blocks[-1][step] if work.quality else None,
            pixel_size_m=work.pixel_size_m,
            calibration=work.calibration,
            network=loaded.engine,
            options=work.options,
            primary=loaded.card.primary,
            cross=loaded.card.cross,
            fjord_mask=fjord,
        )
        for index, layer in enumerate(work.layers):
            result[index, step] = getattr(scene, layer)
    return result


def _with_nan(band: NDArray[Any], nodata: float | None) -> NDArray[np.float32]:
    values = band.astype(np.float32)
    if nodata is not None:
        values[band == nodata] = np.nan
    return values


def _steps(chunks: Mapping[str, int] | int | None) -> int:
    if chunks is None:
        return 1
    steps = chunks
    if not isinstance(chunks, int):
        if set(chunks) - {"time"}:
            raise ConfigError(
                f"chunks of segment() are time steps a task, such as {{'time': 4}}, not {dict(chunks)}: "
                "scenes are predicted whole; rechunk the result along y and x instead"
            )
        steps = chunks.get("time", 1)
    if not isinstance(steps, int) or steps < 1:
        raise ConfigError(f"chunks of segment() must be a number of time steps from 1 on, not {chunks}")
    return steps


def _fjord(bands: Bands, region: Region | None) -> _Fjord | None:
    if region is None or region.fjord is None:
        return None
    from pyproj import CRS

    if CRS.from_user_input(region.crs) != CRS.from_user_input(bands.crs):
        raise RegionError(
            f"region {region.name!r} is in {region.crs} and the data in {bands.crs.to_string()}; load the "
            "data in the region's CRS, or reproject it: data.rio.reproject(region.crs)"
        )
    shape = (bands.frame.sizes["y"], bands.frame.sizes["x"])
    return _Fjord(region.fjord.wkb, shape, tuple(bands.transform)[:6])


@lru_cache(maxsize=4)
def _draw(fjord: _Fjord) -> NDArray[np.bool_]:
    import shapely
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from icefront_dask.regions import mask

    return mask(shapely.from_wkb(fjord.wkb), GeoBox(fjord.shape, Affine(*fjord.transform), None))

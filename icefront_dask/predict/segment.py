"""Prediction as labelled, lazy data: a task a scene, or a part of a large one, whatever the chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize
from dask.delayed import delayed

from icefront_dask.errors import ConfigError, RegionError
from icefront_dask.models import registry
from icefront_dask.predict.bands import choose_bands
from icefront_dask.predict.fjord import Fjord
from icefront_dask.predict.inputs import read_bands
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.published import published_window
from icefront_dask.predict.scene import layout, scene_factor
from icefront_dask.predict.tasks import (
    Work,
    make_scene_context,
    predict_block,
    predict_part,
    summarise_part,
)
from icefront_dask.regions import flow_ends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from icefront_dask.models.card import Card
    from icefront_dask.models.normalise import Flow
    from icefront_dask.predict.inputs import Bands
    from icefront_dask.predict.parts import Part
    from icefront_dask.regions import Region

__all__ = ["segment"]

_LONG_NAMES = {
    "ice": "probability of land or ice",
    "front": "probability that a pixel lies within 1.5 px of the front",
    "ice_std": "standard deviation of the probability of land or ice over augmentations and levels",
    "disagreement": "absolute difference of the fine and the coarse probability of land or ice",
}


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
        Its fjord steers the coarse and the fine pass; its flowlines tell networks that ask for it (their card says
        ``guided``) which way the sea is.
    chunks : int or {"time": int}, optional
        Time steps a task, 1 by default. Scenes beyond ``block_px`` are predicted in parts which depend on their
        size alone, one task each; so no value depends on this, nor on the chunks of ``data``.
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
    The graph holds the model's name and SHA-256; each worker process loads the weights once. A part of a large scene
    is read twice: once for the medians of the bands and the coarse pass, which all parts share, and once with its halo.
    """
    bands = read_bands(data)
    name = registry.choose(bands.arrays, bands.calibration, kind=bands.kind) if model == "auto" else model
    name, sha256 = registry.fingerprint(name)
    settings = resolve_options(models=(name,), **options)
    card = registry.card(name)
    chosen = tuple(band for band in choose_bands(bands.arrays, card.primary, card.cross) if band is not None)
    fjord = _fjord(bands, region)
    work = Work(
        model=name,
        sha256=sha256,
        members=tuple(registry.fingerprint(member) for member in settings.members),
        options=settings,
        variables=chosen,
        nodata=tuple(bands.nodata[band] for band in chosen),
        quality=bands.quality is not None,
        layers=("ice", "front", *settings.extra),
        pixel_size_m=bands.pixel_size_m,
        calibration=bands.calibration,
        fjord=fjord,
        flows=_flows(bands, region, fjord),
    )
    steps = _steps(chunks)
    stack = _lazy_layers(bands, work, card, steps)
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


def _lazy_layers(bands: Bands, work: Work, card: Card, steps: int) -> da.Array:
    """Layers (layer, time, y, x) float32."""
    sources = [bands.arrays[name] for name in work.variables]
    if bands.quality is not None:
        sources.append(bands.quality)
    stacks = [source.variable.chunk({}).data for source in sources]
    stacks = [stack[None] if source.ndim == 2 else stack for stack, source in zip(stacks, sources, strict=True)]
    shape = stacks[0].shape[1:]
    settled = work.options.settled(None if card.shift_equivariant else published_window(card.architecture))
    if max(shape) > settled.block_px:
        factor = scene_factor(shape, work.pixel_size_m, settled, work.fjord)
        parts = layout(shape, settled, factor, stride=card.stride, receptive_radius=card.receptive_radius)
        scenes = [_scene_in_parts(stacks, step, work, factor, parts) for step in range(len(stacks[0]))]
        return da.concatenate(scenes, axis=1)
    arrays = [stack.rechunk((steps, -1, -1)) for stack in stacks]
    return da.map_blocks(
        predict_block,
        *arrays,
        work=work,
        new_axis=0,
        chunks=((len(work.layers),), *arrays[0].chunks),
        dtype=np.float32,
        meta=np.empty((0, 0, 0, 0), dtype=np.float32),
        token="segment",  # noqa: S106  the prefix of the task names
    )


def _scene_in_parts(stacks: list[da.Array], step: int, work: Work, factor: int, parts: list[Part]) -> da.Array:
    """One time step (layer, 1, y, x) of a large scene: summaries, what the parts share, the parts."""
    shape = stacks[0].shape[1:]
    common: dict[str, Any] = {"work": delayed(work, name="segment-work-" + tokenize(work)), "shape": shape}
    common["factor"] = factor
    token = tokenize(work, parts, step, *(stack.name for stack in stacks))

    def cut(window: tuple[slice, slice]) -> list[da.Array]:
        return [stack[step : step + 1, *window].rechunk(-1) for stack in stacks]

    def task(function: Any, name: str, *inputs: Any, **settings: Any) -> Any:
        key = f"{name}-{token}" if "part" not in settings else f"{name}-{token}-{settings['part']}"
        return delayed(function, pure=False)(*inputs, **common, **settings, dask_key_name=key)

    summaries = [task(summarise_part, "segment-summary", cut(part.core), part=i) for i, part in enumerate(parts)]
    context = task(make_scene_context, "segment-context", summaries)
    rows: dict[int, list[da.Array]] = {}
    for number, part in enumerate(parts):
        layers = task(predict_part, "segment-part", cut(part.window), context, part=number)
        size = (len(work.layers), 1, *(axis.stop - axis.start for axis in part.core))
        block = da.from_delayed(layers, size, dtype=np.float32, name=f"segment-{token}-{number}")
        rows.setdefault(part.rows.start, []).append(block)
    return da.concatenate([da.concatenate(row, axis=3) for row in rows.values()], axis=2)


def _steps(chunks: Mapping[str, int] | int | None) -> int:
    if chunks is None:
        return 1
    steps = chunks
    if not isinstance(chunks, int):
        if set(chunks) - {"time"}:
            raise ConfigError(
                f"chunks of segment() are time steps a task, such as {{'time': 4}}, not {dict(chunks)}: "
                "parts of a scene follow predict.block_px; rechunk the result along y and x instead"
            )
        steps = chunks.get("time", 1)
    if not isinstance(steps, int) or steps < 1:
        raise ConfigError(f"chunks of segment() must be a number of time steps from 1 on, not {chunks}")
    return steps


def _fjord(bands: Bands, region: Region | None) -> Fjord | None:
    if region is None or (region.fjord is None and not region.flowlines):
        return None
    from pyproj import CRS

    if CRS.from_user_input(region.crs) != CRS.from_user_input(bands.crs):
        raise RegionError(
            f"region {region.name!r} is in {region.crs} and the data in {bands.crs.to_string()}; load the "
            "data in the region's CRS, or reproject it: data.rio.reproject(region.crs)"
        )
    if region.fjord is None:
        return None
    shape = (bands.frame.sizes["y"], bands.frame.sizes["x"])
    return Fjord(region.fjord.wkb, shape, tuple(bands.transform)[:6])


def _flows(bands: Bands, region: Region | None, fjord: Fjord | None) -> tuple[Flow, ...]:
    if region is None or not region.flowlines:
        return ()
    from odc.geo.geobox import GeoBox

    shape = (bands.frame.sizes["y"], bands.frame.sizes["x"])
    grid = GeoBox(shape, bands.transform, None)
    ends = [flow_ends(line, grid, fjord) for line in region.flowlines]
    return tuple(pair for pair in ends if pair is not None)

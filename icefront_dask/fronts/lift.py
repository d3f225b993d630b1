"""Fronts of labelled data: one time step after the other through the kernel."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import odc.geo.xr  # noqa: F401  registers data.odc
import pandas as pd
from dask.base import compute, is_dask_collection
from dask.delayed import delayed

from icefront_dask.config import section
from icefront_dask.cube.quality import Quality, invalid
from icefront_dask.errors import GridError, InputError, NotGeoreferencedError
from icefront_dask.fronts import table
from icefront_dask.fronts.backscatter import CO_POLARISED, POWER, co_polarised
from icefront_dask.fronts.options import from_config
from icefront_dask.fronts.rows import crs_name, front_rows, guide
from icefront_dask.fronts.trace import trace_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd
    import numpy.typing as npt
    import xarray as xr

    from icefront_dask.fronts.options import FrontOptions
    from icefront_dask.fronts.rows import Guide
    from icefront_dask.regions import Region

__all__ = ["trace_fronts"]

_SCENE_COORDINATES = (
    "scene_id",
    "item_ids",
    "time",
    "platform",
    "sensor",
    "orbit_direction",
    "relative_orbit",
    "geolocation_sigma_m",
)
_OUTPUTS = ("ice", "front", "zone")
_WINDOW = 8  # scenes in flight at a time: this bounds the memory


def trace_fronts(prediction: xr.Dataset, region: Region | None = None, **options: Any) -> gpd.GeoDataFrame:
    """Trace the fronts of predicted scenes.

    This computes: a few scenes at a time, on the client or scheduler that is set. Only the rows come back. Scenes with
    a side beyond ``predict.block_px`` are traced part by part, with the same answer.

    Parameters
    ----------
    prediction : Dataset
        ``ice`` and ``front`` with dims (time, y, x) or (y, x): float in 0 to 1 with NaN for none, or uint8
        (p = v / 254, 255 none), on a regular grid with a CRS, y descending or ascending. Or ``zone`` (uint8: 0
        unknown, 1 rock, 2 glacier, 3 ocean), with or without them: see
        :func:`~icefront_dask.fronts.trace.trace_scene`. Optional ``quality``
        (uint16 bits), ``elevation`` (y, x) in metres above sea level, ``hh`` and ``vv`` whose attribute
        ``calibration`` is gamma0 or sigma0 (linear power, for the column ``gamma0_db``), and the scene coordinates
        of a cube along ``time``; without ``scene_id`` scenes are named after their time. Attributes ``model`` and
        ``model_sha256`` are carried on.
    region : Region, optional
        Its fjord, flowlines and name; the geometries are in its CRS.
    **options
        Settings of section ``fronts`` of the configuration.

    Returns
    -------
    GeoDataFrame
        One row a front, at least one a scene, sorted by region, scene_id and front_id; columns as
        :data:`icefront_dask.fronts.table.COLUMNS`, lengths in true ground measure.

    Raises
    ------
    InputError
        For missing variables or dims, another dtype, values outside 0 to 1, other zones, two scenes with one id,
        or a fjord that is not on the grid.
    NotGeoreferencedError
        For data without a CRS.
    GridError
        For coordinates that are no regular grid.
    ConfigError
        For an unknown option.

    Examples
    --------
    >>> fronts = trace_fronts(segment(cube, region=helheim), helheim)
    >>> fronts[fronts.status == "accepted"].plot("datetime")
    """
    settings = from_config(**options)
    _check(prediction)
    _check_elevation(prediction)
    geobox = _geobox(prediction)
    at = guide(region, geobox)
    scenes = _scenes(prediction)
    powers = [
        name for name in CO_POLARISED if name in prediction and prediction[name].attrs.get("calibration") in POWER
    ]
    names = [*(name for name in (*_OUTPUTS, "quality") if name in prediction), *powers]
    dims = ("time", "y", "x") if "time" in prediction.dims else ("y", "x")
    data = prediction[names].transpose(*dims)
    steps = [data.isel(time=i) for i in range(data.sizes["time"])] if "time" in dims else [data]
    height = None
    if "elevation" in prediction:
        height = prediction["elevation"].transpose("y", "x").to_numpy()
    model = {key: prediction.attrs.get(key) for key in ("model", "model_sha256")}
    block_px = int(section("predict")["block_px"])
    frames = list(_traced(steps, scenes, region, geobox, at, settings, model, height, block_px))
    crs = crs_name(geobox.crs) if region is None else region.crs
    return table.validate(table.concat(frames, crs))


def _traced(
    steps: list[xr.Dataset],
    scenes: list[dict[str, Any]],
    region: Region | None,
    geobox: Any,
    at: Guide,
    settings: FrontOptions,
    model: dict[str, Any],
    height: npt.NDArray[Any] | None,
    block_px: int,
) -> Iterator[gpd.GeoDataFrame]:
    arrays: list[list[Any]] = [
        [step[name].data if name in step else None for name in (*_OUTPUTS, "quality", *CO_POLARISED)] for step in steps
    ]
    if not any(is_dask_collection(array) for step in arrays for array in step):
        for scene, step in zip(scenes, arrays, strict=True):
            yield _trace_step(step, scene, region, geobox, at, settings, model, height, block_px)
        return
    one = delayed(_trace_step, pure=False)
    common = [delayed(value, traverse=False) for value in (region, geobox, at, settings, model, height, block_px)]
    tasks = (one(step, scene, *common) for scene, step in zip(scenes, arrays, strict=True))
    while window := list(itertools.islice(tasks, _WINDOW)):
        yield from compute(*window)


def _trace_step(
    arrays: list[Any],
    scene: dict[str, Any],
    region: Region | None,
    geobox: Any,
    at: Guide,
    settings: FrontOptions,
    model: dict[str, Any],
    height: npt.NDArray[Any] | None,
    block_px: int,
) -> gpd.GeoDataFrame:
    ice, front, zone, quality, *powers = arrays
    valid = np.ones(geobox.shape, dtype=bool) if quality is None else ~invalid(quality)
    traced = trace_scene(
        None if ice is None else _probability("ice", ice),
        None if front is None else _probability("front", front),
        valid,
        pixel_size_m=at.pixel_size_m,
        fjord=at.fjord,
        flow=at.flow,
        cloud=None if quality is None else (quality & np.uint16(Quality.CLOUD)) != 0,
        elevation_m=height,
        zone=zone,
        options=settings,
        block_px=block_px,
    )
    return front_rows(
        traced,
        scene,
        region,
        geobox,
        quality=quality,
        power=co_polarised(dict(zip(CO_POLARISED, powers, strict=True))),
        fjord=at.fjord,
        simplify_m=settings.simplify_m,
        **model,
    )


def _probability(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return probabilities as float32, or packed as they are."""
    if values.dtype == np.uint8:
        return values
    seen = values[np.isfinite(values)]
    if len(seen) and (seen.min() < -1e-6 or seen.max() > 1 + 1e-6):
        raise InputError(
            f"{name} holds values from {seen.min():g} to {seen.max():g}; probabilities lie in 0 to 1 "
            "(apply the sigmoid to logits, or pass uint8)"
        )
    return values.astype(np.float32, copy=False)


def _check(prediction: xr.Dataset) -> None:
    lacking = [name for name in ("ice", "front") if name not in prediction]
    if lacking and "zone" not in prediction:
        raise InputError(f"the prediction lacks {', '.join(lacking)}; segment() makes both (or give zones as zone)")
    first = _first(prediction)
    for name in (*_OUTPUTS, "quality"):
        if name not in prediction:
            continue
        array = prediction[name]
        if set(array.dims) - {"time"} != {"y", "x"}:
            raise InputError(f"{name} has the dims {array.dims}; they must be (time, y, x) or (y, x)")
        if set(array.dims) != set(first.dims):
            raise InputError(f"{name} has the dims {array.dims}, {first.name} {first.dims}")
        if name == "zone" and array.dtype != np.uint8:
            raise InputError(f"zone is {array.dtype}; zones are uint8: 0 unknown, 1 rock, 2 glacier, 3 ocean")
        fits = array.dtype.kind in "iu" if name == "quality" else array.dtype == np.uint8 or array.dtype.kind == "f"
        if not fits:
            raise InputError(f"{name} is {array.dtype}; probabilities are float or uint8, quality is uint16")


def _first(prediction: xr.Dataset) -> xr.DataArray:
    """Return the output that says what the grid is."""
    return prediction[next(name for name in _OUTPUTS if name in prediction)]


def _check_elevation(prediction: xr.Dataset) -> None:
    if "elevation" in prediction and set(prediction["elevation"].dims) != {"y", "x"}:
        raise InputError(f"elevation has the dims {prediction['elevation'].dims}; they must be (y, x)")


def _geobox(prediction: xr.Dataset) -> Any:
    geobox = _first(prediction).odc.geobox
    if geobox is None or not all(_regular(prediction[name].to_numpy()) for name in ("y", "x")):
        raise GridError("y and x of the prediction are no regular grid; resample it to one")
    if geobox.crs is None:
        raise NotGeoreferencedError("the prediction has no CRS; write one with data.rio.write_crs('EPSG:…')")
    return geobox


def _regular(values: npt.NDArray[Any]) -> bool:
    even = np.linspace(values[0], values[-1], len(values))
    step = abs(values[-1] - values[0]) / max(len(values) - 1, 1)
    return bool(np.abs(values - even).max() <= 0.01 * step)


def _scenes(prediction: xr.Dataset) -> list[dict[str, Any]]:
    count = prediction.sizes.get("time", 1)
    names = [
        name for name in _SCENE_COORDINATES if name in prediction.coords and prediction[name].dims in {(), ("time",)}
    ]
    coordinates = prediction.coords.to_dataset()[names].compute()
    known = {name: np.atleast_1d(coordinates[name].to_numpy()) for name in names}
    scenes = [{name: values[i if len(values) > 1 else 0] for name, values in known.items()} for i in range(count)]
    if "scene_id" not in known:
        names = [_name(scene.get("time")) for scene in scenes]
        many = {name for name, number in Counter(names).items() if number > 1}
        for i, (scene, name) in enumerate(zip(scenes, names, strict=True)):
            scene["scene_id"] = f"{name}-{i:04d}" if name in many else name
    ids = Counter(str(scene["scene_id"]) for scene in scenes)
    if twice := [name for name, number in ids.items() if number > 1]:
        raise InputError(f"scene_id {twice[0]!r} occurs {ids[twice[0]]} times; each scene needs its own")
    return scenes


def _name(time: Any) -> str:
    stamp = pd.Timestamp(time) if time is not None else pd.NaT
    return "scene" if pd.isna(stamp) else f"scene-{stamp:%Y%m%dt%H%M%S}"

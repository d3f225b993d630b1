"""One unit of work: read → predict → trace → write. The only file that puts these together."""

from __future__ import annotations

import hashlib
from contextlib import closing
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.cube import Quality, ReadOptions, invalid, read_scenes, write_layers, write_scenes
from icefront_dask.fronts import Reason, Status, TracedFront, trace_scene
from icefront_dask.fronts.backscatter import POWER, co_polarised
from icefront_dask.fronts.options import from_config
from icefront_dask.fronts.rows import front_rows, guide
from icefront_dask.fronts.table import concat
from icefront_dask.predict import (
    crop_predictor,
    ends_with_its_device,
    get_model,
    predict_scene,
    resolve_options,
    to_uint8,
)
from icefront_dask.runs import settings
from icefront_dask.runs.ahead import read_ahead
from icefront_dask.runs.files import write_atomically
from icefront_dask.runs.ledger import Ledger
from icefront_dask.runs.prediction import write_prediction
from icefront_dask.runs.spec import RunSpec
from icefront_dask.runs.stores import region_elevation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    import numpy.typing as npt

    from icefront_dask.cube import CubeStore, Scene
    from icefront_dask.runs.spec import GroupSpec
    from icefront_dask.runs.work import LayersUnit, WorkUnit

__all__ = ["run_unit", "write_unit_layers"]


def run_unit(
    unit: WorkUnit, *, root: str, spec_sha256: str, transport: Mapping[str, Any]
) -> tuple[CubeStore, list[dict[str, Any]]] | None:
    """Do a unit: pixels into the cube, fronts into a part, and at last its part of the ledger.

    Doing it again, wholly or after it was cut off anywhere, gives the same bytes.

    Parameters
    ----------
    unit : WorkUnit
        What to do.
    root : str
        The run folder, which every worker can reach; it holds ``spec.json`` and the cube's template.
    spec_sha256 : str
        Hash of the specification that the unit was planned for.
    transport : mapping
        Settings which are not part of the specification, see ``settings.transport_settings``.

    Returns
    -------
    tuple or None
        Of a store with commits: the cube with what was written into it, and the rows of the ledger's part, which is
        written when the cube is committed.

    Raises
    ------
    ReadError, NotGeoreferencedError
        For a file that cannot be read or placed, unless ``cube.on_read_error`` is ``flag``.
    StoreError
        If the run folder or the cube is not the one that the unit was planned for.
    """
    spec = _begun(root, spec_sha256, transport)
    ledger = Ledger(Path(root), spec.sha256)
    group = spec.group(unit.region, unit.family)
    assert unit.cube is not None, "the run's store begins a unit"
    with closing(read_ahead(unit.scenes, partial(_read, spec, group))) as pixels:
        done = [
            _run_scene(unit.cube, spec, group, scene, slot, arrays)
            for scene, slot, arrays in zip(unit.scenes, unit.slots, pixels, strict=True)
        ]
    fronts = concat([rows for rows, _ in done], spec.regions[unit.region].crs)
    write_atomically(
        ledger.fronts_part(unit.key), lambda path: fronts.to_parquet(path, index=False, compression="zstd")
    )
    records = [record for _, record in done]
    if unit.cube.session is not None:
        return unit.cube, records
    ledger.write(unit, records)
    return None


def write_unit_layers(unit: LayersUnit, *, root: str, spec_sha256: str, transport: Mapping[str, Any]) -> CubeStore:
    """Write the elevation and geoid of a region into the store of its cube, and return the cube; see `run_unit`."""
    spec = _begun(root, spec_sha256, transport)
    access = ReadOptions.resolve(**spec.section("cube")).access
    write_layers(unit.cube, spec.regions[unit.region], access=access)
    return unit.cube


def _begun(root: str, spec_sha256: str, transport: Mapping[str, Any]) -> RunSpec:
    """Return the specification of a run, whose settings hold in this process from here on."""
    spec = _spec(root, spec_sha256)
    settings.apply(spec.content["settings"], transport)
    return spec


def _read(spec: RunSpec, group: GroupSpec, scene: Scene) -> dict[str, npt.NDArray[Any]]:
    """Read one scene: arrays (1, y, x) of the cube's variables."""
    geobox = spec.regions[group.region].geobox(group.resolution_m)
    return read_scenes([scene], geobox, group.variables, ReadOptions.resolve(**spec.section("cube")))


def _run_scene(
    cube: CubeStore, spec: RunSpec, group: GroupSpec, scene: Scene, slot: int, arrays: dict[str, npt.NDArray[Any]]
) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """Do one scene; return its rows of the fronts table and its record for the ledger."""
    region = spec.regions[group.region]
    geobox = region.geobox(group.resolution_m)
    quality = arrays["quality"][0]
    bands = {name: arrays[name][0] for name in group.variables if name in scene.variables}
    height = region_elevation(spec, cube)
    layers, traced, batch_changed = _predict_and_trace(spec, group, scene, bands, quality, height)
    if batch_changed:
        quality |= np.uint16(Quality.BATCH_CHANGED)
    write_scenes(cube, [slot], arrays)
    write_prediction(cube, slot, layers)
    rows = front_rows(
        traced,
        scene,
        region,
        geobox,
        quality=quality,
        power=co_polarised(bands) if scene.calibration in POWER else None,
        fjord=_guide(spec, group.region, group.resolution_m).fjord,
        model=group.model,
        model_sha256=group.model_sha256,
        simplify_m=float(spec.section("fronts")["simplify_m"]),
    )
    failed = traced[0].status == Status.FAILED
    record = {
        "status": "failed" if failed else "done",
        "reason": str(traced[0].reason) if failed else None,
        "n_fronts": sum(len(front.xy) > 0 for front in traced),
        "pixels_sha256": _digest({**{name: values[0] for name, values in arrays.items()}, **layers}),
    }
    return rows, record


def _predict_and_trace(
    spec: RunSpec,
    group: GroupSpec,
    scene: Scene,
    bands: dict[str, npt.NDArray[np.float32]],
    quality: npt.NDArray[np.uint16],
    elevation_m: npt.NDArray[np.float32] | None,
) -> tuple[dict[str, npt.NDArray[np.uint8]], list[TracedFront], bool]:
    """Return the layers as stored, the fronts, and whether memory was short and batches were made smaller."""
    at = _guide(spec, group.region, group.resolution_m)
    options = resolve_options(spec.section("predict"))
    model = get_model(
        group.model, group.model_sha256, options.engine, options.threads,
        members=group.members, dropout_members=options.dropout_members,
    )  # fmt: skip
    common: dict[str, Any] = {
        "pixel_size_m": group.resolution_m,
        "calibration": scene.calibration,
        "network": model.engines,
        "options": options,
        "primary": model.card.primary,
        "cross": model.card.cross,
    }
    with ends_with_its_device():
        prediction = predict_scene(bands, quality, fjord_mask=at.fjord, flows=at.flow or (), **common)
    layers = {"ice": to_uint8(prediction.ice), "front": to_uint8(prediction.front)}
    # What is stored is what is traced, so that the lines can be had again from the store.
    traced = trace_scene(
        layers["ice"],
        layers["front"],
        ~invalid(quality),
        pixel_size_m=at.pixel_size_m,
        fjord=at.fjord,
        flow=at.flow,
        cloud=(quality & np.uint16(Quality.CLOUD)) != 0,
        elevation_m=elevation_m,
        look_again=crop_predictor(bands, quality, flows=at.flow or (), **common),
        options=from_config(**spec.section("fronts")),
        block_px=options.block_px,
    )
    unread = bool(np.any(quality & np.uint16(Quality.READ_FAILED)))
    if unread and traced[0].reason == Reason.NO_VALID_PIXELS:
        traced = [TracedFront.none(Status.FAILED, Reason.READ_FAILED)]
    return layers, traced, prediction.batch_changed


@lru_cache(maxsize=2)
def _spec(root: str, sha256: str) -> RunSpec:
    spec = RunSpec.read(Path(root) / "spec.json")
    spec.require(sha256)
    return spec


@lru_cache(maxsize=8)
def _guide(spec: RunSpec, region: str, resolution_m: float) -> Any:
    return guide(spec.regions[region], spec.regions[region].geobox(resolution_m))


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()

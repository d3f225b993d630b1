from __future__ import annotations

import os
import pickle
import signal
import time
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr
from distributed import Client, LocalCluster, wait

import icefront_dask
from icefront_dask.cube.quality import Quality
from icefront_dask.errors import (
    ConfigError,
    GridError,
    InputError,
    ModelMismatchError,
    NotGeoreferencedError,
    RegionError,
    WeightsError,
)
from icefront_dask.predict import ModelPlugin, load_counts, segment
from icefront_dask.predict.plugin import get_model
from icefront_dask.regions import Region
from tests.helpers import raise_if_dask_computes
from tests.predict.networks import save_model

if TYPE_CHECKING:
    from pathlib import Path

HEIGHT, WIDTH = 70, 90
FAST = {"engine": "torch-fp32", "tta": "none"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("weights"), "tiny", depth=4, fold=2)


def _cube(times: int = 3, pixel_m: float = 30.0, crs: str = "EPSG:3413") -> xr.Dataset:
    rng = np.random.default_rng(11)
    shape = (3, HEIGHT, WIDTH)
    power = rng.gamma(4, 0.02, shape) * np.where(np.arange(HEIGHT)[:, None] < 35, 1, 0.1)
    cross = power * rng.uniform(0.1, 0.3, shape)
    power[0, :5] = np.nan
    quality = np.zeros(shape, np.uint16)
    quality[1, :, :7] = Quality.BORDER_NOISE
    cube = xr.Dataset(
        {
            "hh": (("time", "y", "x"), power.astype(np.float32), {"long_name": "HH"}),
            "hv": (("time", "y", "x"), cross.astype(np.float32)),
            "quality": (("time", "y", "x"), quality, {"flag_masks": [1, 2]}),
        },
        {
            "time": np.array(["2018-06-06", "2018-06-02", "2018-06-02"], dtype="datetime64[ns]"),
            "scene_id": ("time", np.array([f"scene-{index}" for index in range(3)], dtype=object)),
            "y": -2_500_000 - pixel_m * (np.arange(HEIGHT) + 0.5),
            "x": 300_000 + pixel_m * (np.arange(WIDTH) + 0.5),
        },
        {"calibration": "gamma0", "region": "helheim"},
    ).rio.write_crs(crs)
    return cube.isel(time=slice(times))


def test_nothing_is_computed_and_everything_survives(model: str) -> None:
    cube = _cube().chunk(time=1, y=32, x=40)
    with raise_if_dask_computes():
        lazy = segment(cube, model=model, **FAST)
    assert set(lazy.data_vars) == {"ice", "front", "quality"}
    for layer in ("ice", "front"):
        assert lazy[layer].dims == ("time", "y", "x")
        assert lazy[layer].dtype == np.float32
        assert lazy[layer].chunks == ((1, 1, 1), (HEIGHT,), (WIDTH,))
    assert set(lazy.coords) == set(cube.coords)
    for name, coordinate in cube.coords.items():
        assert lazy[name].variable.identical(coordinate.variable)
    assert {**cube.attrs, "model": "tiny", "engine": "torch-fp32"}.items() <= lazy.attrs.items()
    assert len(lazy.attrs["model_sha256"]) == 64
    assert lazy.rio.crs == cube.rio.crs
    assert lazy["ice"].rio.crs == cube.rio.crs
    xr.testing.assert_identical(lazy["quality"], cube["quality"])

    done = lazy.compute(scheduler="synchronous")
    invalid = np.isnan(cube["hh"].values) | (cube["quality"].values != 0)
    np.testing.assert_array_equal(np.isnan(done["ice"].values), invalid)
    np.testing.assert_array_equal(np.isnan(done["front"].values), invalid)
    assert 0 <= float(done["ice"].min()) < float(done["ice"].max()) <= 1
    assert float(done["ice"].std()) > 0.02


def test_no_value_depends_on_the_chunks(model: str) -> None:
    cube = _cube()
    with raise_if_dask_computes():
        lazy = segment(cube, model=model, **FAST)
    assert dask.is_dask_collection(lazy)
    expected = lazy.compute(scheduler="synchronous")
    for chunks, steps in (
        ({"time": 1, "y": 16, "x": 33}, None),
        ({"time": 3, "y": 64, "x": 17}, 2),
        ({}, {"time": 3}),
    ):
        other = segment(cube.chunk(chunks), model=model, chunks=steps, **FAST)
        xr.testing.assert_identical(other.compute(scheduler="threads"), expected)
    one = segment(cube.isel(time=1), model=model, **FAST)
    assert one["ice"].dims == ("y", "x")
    xr.testing.assert_identical(one["ice"].compute(), expected["ice"].isel(time=1))


def test_persist_and_a_file_behind_it(model: str, tmp_path: Path) -> None:
    cube = _cube()
    expected = segment(cube, model=model, **FAST).compute()
    cube.to_zarr(tmp_path / "cube.zarr", zarr_format=3, consolidated=False)
    lazily = xr.open_zarr(tmp_path / "cube.zarr", chunks=None, consolidated=False, decode_coords="all")
    with raise_if_dask_computes():
        lazy = segment(lazily, model=model, **FAST)
    assert not lazily["hh"].variable._in_memory
    persisted = lazy.persist(scheduler="threads")
    np.testing.assert_array_equal(persisted["ice"].values, expected["ice"].values)


def test_dataarrays_with_and_without_bands(model: str) -> None:
    cube = _cube()
    expected = segment(cube.drop_vars("quality"), model=model, **FAST).compute()
    stacked = cube[["hv", "hh"]].to_dataarray("band").assign_attrs(calibration="gamma0")
    result = segment(stacked, model=model, **FAST)
    assert "band" not in result.coords
    np.testing.assert_array_equal(result["ice"].values, expected["ice"].values)
    mixed = stacked.transpose("x", "time", "band", "y")
    np.testing.assert_array_equal(segment(mixed, model=model, **FAST)["ice"].values, expected["ice"].values)

    grey = cube["hh"].isel(time=0, drop=True).rename(None)
    alone = segment(grey, model=model, **FAST)
    renamed = segment(grey.rename("pan").to_dataset(), model=model, **FAST)
    np.testing.assert_array_equal(alone["ice"].values, renamed["ice"].values)
    raster = grey.expand_dims(band=[1])
    np.testing.assert_array_equal(segment(raster, model=model, **FAST)["ice"].values, alone["ice"].values)
    assert "calibration" not in alone.attrs
    np.testing.assert_array_equal(grey.icefront.segment(model=model, **FAST)["ice"].values, alone["ice"].values)
    assert icefront_dask.segment is segment


def test_a_nodata_value_is_not_a_pixel(model: str) -> None:
    grey = _cube()["hh"].isel(time=1, drop=True)
    scaled = (grey / float(grey.max()) * 254 + 1).astype(np.uint8)
    scaled[:20, 30:] = 0
    blank = segment(scaled.rio.write_nodata(0), model=model, **FAST)["ice"].values
    masked = segment(scaled.where(scaled != 0), model=model, **FAST)["ice"].values
    assert np.isnan(blank[:20, 30:]).all()
    assert np.isfinite(blank[20:]).all()
    np.testing.assert_array_equal(blank, masked)


def test_extra_layers_and_the_fjord(model: str) -> None:
    cube = _cube(1, pixel_m=20)
    west, south, east, north = cube.rio.bounds()
    outline = shapely.box(west, south, east, north)
    fjord = shapely.box(west + 400, south, west + 1400, north)
    region = Region("here", outline, "EPSG:3413", fjord=fjord)
    options = {
        **FAST,
        "tta": "flips",
        "coarse_px_per_fjord": 25,
        "band_m": 40,
        "band_coarse_px": 2,
        "passes": "coarse-fine",
    }
    options["extra"] = ["ice_std", "disagreement"]
    with raise_if_dask_computes():
        lazy = segment(cube, model=model, region=region, **options)
    done = lazy.compute()
    assert float(done["ice_std"].max()) > 0
    seen = np.isfinite(done["disagreement"].values[0]).any(axis=0)
    assert seen[20:70].any()
    assert not seen[80:].any()
    elsewhere = Region("utm", shapely.box(4e5, 7e6, 5e5, 7.1e6), "EPSG:32624", fjord=shapely.box(4e5, 7e6, 5e5, 7.1e6))
    with pytest.raises(RegionError, match=r"EPSG:32624 and the data in EPSG:3413"):
        segment(cube, model=model, region=elsewhere, **FAST)


def test_the_graph_carries_no_weights(tmp_path: Path) -> None:
    cube = _cube().chunk(time=1)
    sizes = []
    for width in (2, 20):
        path = save_model(tmp_path, f"width-{width:02}", width=width)
        graph = dict(segment(cube, model=path, **FAST)["ice"].__dask_graph__())
        graph = {key: task for key, task in graph.items() if "segment" in str(key)}
        pickled = pickle.dumps(graph)
        assert b"torch" not in pickled.replace(b"torch-fp32", b"")
        sizes.append(len(pickled))
    assert (tmp_path / "width-20.safetensors").stat().st_size > 50 * (tmp_path / "width-02.safetensors").stat().st_size
    assert sizes[0] == sizes[1]


def test_weights_are_loaded_once_and_must_be_the_planned_ones(model: str, tmp_path: Path) -> None:
    cube = _cube()
    lazy = segment(cube, model=model, **FAST)
    lazy.compute(scheduler="threads")
    key = (model, lazy.attrs["model_sha256"])
    assert load_counts()[key] == 1
    path = save_model(tmp_path, "changing", seed=1)
    lazy = segment(cube, model=path, **FAST)
    save_model(tmp_path, "changing", seed=2)
    with pytest.raises(WeightsError, match="install the same weights on every worker"):
        lazy.compute()
    with pytest.raises(WeightsError, match="no model 'nowhere'"):
        segment(cube, model="nowhere")


def test_one_load_a_worker_process_also_after_a_kill(model: str) -> None:
    cube = _cube()
    expected = segment(cube, model=model, threads=2, **FAST).compute(scheduler="synchronous")
    sha256 = expected.attrs["model_sha256"]
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(ModelPlugin(model, sha256, "torch-fp32"))
        [before] = client.run(_state).values()
        assert before["loads"] == {(model, sha256): 1}
        lazy = segment(cube.chunk(time=1), model=model, **FAST)
        persisted = lazy.persist()
        wait(persisted)
        xr.testing.assert_identical(persisted.compute(), expected)
        os.kill(before["pid"], signal.SIGKILL)
        deadline = time.monotonic() + 120
        while not (
            pids := {state["pid"] for state in client.run(_state, on_error="ignore").values()} - {before["pid"]}
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        xr.testing.assert_identical(lazy.compute(), expected)
        [after] = client.run(_state).values()
        assert {after["pid"]} == pids
        assert after["loads"] == {(model, sha256): 1}
        threads = client.submit(_engine_threads, model, sha256).result()
        assert threads == 2


def _state() -> dict[str, Any]:
    return {"pid": os.getpid(), "loads": load_counts()}


def _engine_threads(model: str, sha256: str) -> int | None:
    return get_model(model, sha256, "torch-fp32").engines[0].threads


def _degrees() -> xr.Dataset:
    cube = _cube(1).drop_vars("spatial_ref")
    return cube.assign_coords(y=66 - 1e-3 * np.arange(HEIGHT), x=-38 + 1e-3 * np.arange(WIDTH)).rio.write_crs(
        "EPSG:4326"
    )


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda c: c.drop_vars("spatial_ref"), NotGeoreferencedError, "no CRS.*write_crs"),
        (lambda _: _degrees(), NotGeoreferencedError, r"in degrees.*reproject\('EPSG:3413'"),
        (lambda c: c.assign_coords(y=c.y * 2), GridError, "30 m × 60 m and must be square"),
        (lambda c: c.assign_coords(x=c.x**2), NotGeoreferencedError, "steps of coordinate 'x' differ"),
        (lambda c: c.drop_vars("x"), NotGeoreferencedError, "no coordinate 'x'"),
        (lambda c: c.rename(x="longitude"), InputError, "no dim 'x'"),
        (lambda c: c[["hv"]], ModelMismatchError, "the data has hv"),
        (lambda c: c.rename(hh="HH", hv="HV"), ModelMismatchError, "none of HH, HV, quality"),
        (lambda c: c[["hh"]].expand_dims(orbit=2), InputError, r"dim orbit.*isel\(orbit=0\)"),
        (lambda c: c.assign(quality=c.hh), InputError, "'quality' holds bits"),
        (lambda c: c.assign(hv=c.hv.isel(time=0)), InputError, "has the dims"),
        (lambda c: c.hh.values, InputError, "not ndarray"),
        (
            lambda c: c[["hh", "hv"]].to_dataarray("band").assign_coords(band=[1, 2]),
            ModelMismatchError,
            "the 2 bands.*assign_coords",
        ),
    ],
)
def test_what_cannot_be_predicted(model: str, spoil: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        segment(spoil(_cube(1)), model=model, **FAST)


@pytest.mark.parametrize("chunks", [{"y": 512}, 0, {"time": 0}])
def test_chunks_are_time_steps(model: str, chunks: Any) -> None:
    with pytest.raises(ConfigError, match="time steps"):
        segment(_cube(1), model=model, chunks=chunks, **FAST)


def test_a_model_for_other_bands(tmp_path: Path) -> None:
    path = save_model(tmp_path, "optical", primary=("nir", "red"), cross=())
    with pytest.raises(ModelMismatchError, match="starts from one of nir, red, and the data has hh, hv"):
        segment(_cube(1), model=path)

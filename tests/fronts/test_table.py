"""Rows of the fronts table and the function over labelled data."""

from __future__ import annotations

import dask
import dask.array as da
import geopandas as gpd
import numpy as np
import odc.geo.xr
import pandas as pd
import pyproj
import pytest
import shapely
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

import icefront_dask
from icefront_dask.cube.quality import Quality
from icefront_dask.errors import ConfigError, GridError, InputError, NotGeoreferencedError
from icefront_dask.fronts import (
    front_rows,
    guide,
    trace_fronts,
    validate,
)
from icefront_dask.predict.encode import to_uint8
from icefront_dask.regions import Region
from tests.fronts.grid import GEOBOX, PIXEL_M, SCENE, SHAPE, line, world
from tests.fronts.scenes import fjord_scene
from tests.helpers import CountingScheduler


@pytest.fixture(scope="module")
def rendered():
    """Three scenes of a front that retreats by 10 px each."""
    return [fjord_scene(lambda x, r=row: r + 4 * np.sin(x / 15), shape=SHAPE, half_width=50) for row in (70, 60, 50)]


@pytest.fixture(scope="module")
def region(rendered):
    outline = shapely.box(*GEOBOX.boundingbox)
    fjord = shapely.Polygon(world([(25, -5), (125, -5), (125, 125), (25, 125)])).intersection(outline)
    flow = shapely.LineString(world([(75, -50), (75, 3), (75, 200)]))
    return Region("helheim", outline, "EPSG:3413", fjord=fjord, flowlines=(flow,))


@pytest.fixture(scope="module")
def prediction(rendered):
    data = {
        name: (("time", "y", "x"), np.stack([getattr(scene, name) for scene in rendered])) for name in ("ice", "front")
    }
    coords = odc.geo.xr.xr_coords(GEOBOX)
    times = np.array(["2018-06-02", "2018-06-06", "2018-06-10"], dtype="datetime64[ns]")
    frame = xr.Dataset(data, coords=coords | {"time": times}, attrs={"model": "net", "model_sha256": "ab12"})
    return frame.assign_coords(
        scene_id=("time", np.array(["b", "c", "a"], dtype=object)),
        item_ids=("time", np.array(["i1 i2", "i3", "i4"], dtype=object)),
        platform=("time", np.array(["sentinel-1a"] * 3, dtype=object)),
        relative_orbit=("time", np.array([37, 0, 37], dtype="int16")),
        geolocation_sigma_m=("time", np.array([10.0, np.nan, 0.0], dtype="float32")),
    )


def test_guide_of_a_region(region):
    at = guide(region, GEOBOX)
    assert at.fjord[:, 25:125].all()
    assert at.fjord.sum() == 120 * 100
    ((inland, sea),) = at.flow
    assert inland == pytest.approx((0.0, 75.0), abs=0.6)
    assert sea == pytest.approx((120.0, 75.0), abs=0.6)
    assert at.pixel_size_m == pytest.approx(PIXEL_M / region.scale_factor, rel=1e-4)
    assert guide(None, GEOBOX).fjord is None


def test_guide_in_another_crs_and_off_the_grid(region):
    lonlat = GEOBOX.to_crs("EPSG:4326")
    at = guide(region, lonlat)
    assert at.fjord.mean() > 0.2
    assert len(at.flow) == 1
    far = GeoBox(SHAPE, Affine(30, 0, 900_000, 0, -30, -2_580_000), "EPSG:3413")
    with pytest.raises(InputError, match="fjord of region 'helheim' has no pixel"):
        guide(region, far)


def assert_right(fronts, rendered, order=(2, 0, 1)):
    assert fronts["scene_id"].tolist() == ["a", "b", "c"]
    for (_, row), index in zip(fronts.iterrows(), order, strict=True):
        truth = shapely.LineString(world(rendered[index].truth))
        assert shapely.hausdorff_distance(row.geometry, truth) < 1.5 * PIXEL_M
        assert row["status"] == "accepted"


def test_trace_fronts(prediction, region, rendered):
    fronts = validate(trace_fronts(prediction, region))
    assert_right(fronts, rendered)
    assert isinstance(fronts, gpd.GeoDataFrame)
    assert set(fronts["region"]) == {"helheim"}
    assert set(fronts["model_sha256"]) == {"ab12"}
    assert fronts["item_ids"].tolist() == [["i4"], ["i1", "i2"], ["i3"]]
    assert fronts["relative_orbit"].tolist() == [37, 37, pd.NA]
    at_px = fronts["uncertainty_m"] / fronts["pixel_size_m"]
    assert at_px[0] == pytest.approx(at_px[2], rel=0.1)
    assert fronts["uncertainty_m"][1] == pytest.approx(np.hypot(at_px[0] * PIXEL_M, 10.0), rel=0.1)
    assert (fronts["length_m"] > 2950).all()


def test_public_name_and_options(prediction, region):
    assert icefront_dask.trace_fronts is trace_fronts
    assert set(trace_fronts(prediction, region, accept_confidence=0.999)["reason"]) == {"low_confidence"}
    with dask.config.set({"icefront.fronts.accept_confidence": 0.999}):
        assert set(trace_fronts(prediction, region)["status"]) == {"review"}
    with pytest.raises(ConfigError, match="accept_confidense"):
        trace_fronts(prediction, region, accept_confidense=0.5)


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_lazy_data_give_the_same_fronts(prediction, region, scheduler):
    lazy = prediction.chunk(time=1, y=50, x=64)
    with dask.config.set(scheduler=scheduler):
        assert trace_fronts(lazy, region).equals(trace_fronts(prediction, region))


def test_few_scenes_are_in_flight_at_a_time(prediction, region, monkeypatch):
    monkeypatch.setattr("icefront_dask.fronts.lift._WINDOW", 2)
    scheduler = CountingScheduler(max_computes=3)  # two windows, and the coordinates of the scenes
    with dask.config.set(scheduler=scheduler):
        trace_fronts(prediction.chunk(time=1), region)
    assert scheduler.computes == 3


def test_bytes_give_nearly_the_same_fronts(prediction, region):
    packed = prediction.map(lambda array: xr.apply_ufunc(to_uint8, array))
    floats, small = trace_fronts(prediction, region), trace_fronts(packed, region)
    for a, b in zip(floats.geometry, small.geometry, strict=True):
        assert shapely.hausdorff_distance(a, b) < 0.25 * PIXEL_M


def test_rows_that_go_north_give_the_same_fronts(prediction, region):
    down = trace_fronts(prediction, region)
    up = trace_fronts(prediction.isel(y=slice(None, None, -1)), region)
    for a, b in zip(down.geometry, up.geometry, strict=True):
        assert shapely.hausdorff_distance(a, b) < 0.75 * PIXEL_M
        west, east = (np.sign(shapely.get_coordinates(g)[[0, -1], 0] @ [-1, 1]) for g in (a, b))
        assert west == east


def test_one_scene_without_time_or_region(prediction, rendered):
    one = (
        prediction[["ice", "front"]]
        .isel(time=0, drop=True)
        .drop_vars(["scene_id", "item_ids", "platform"], errors="ignore")
    )
    fronts = trace_fronts(one)
    assert fronts["scene_id"].tolist() == ["scene"]
    assert fronts["region"].tolist() == [""]
    assert fronts["datetime"].isna().all()
    assert np.isnan(fronts["fjord_share"]).all()


def test_scenes_are_named_after_their_time(prediction, region):
    bare = prediction.drop_vars(["scene_id", "item_ids", "platform", "relative_orbit", "geolocation_sigma_m"])
    assert trace_fronts(bare, region)["scene_id"].tolist() == [
        "scene-20180602t000000", "scene-20180606t000000", "scene-20180610t000000",
    ]  # fmt: skip
    twins = bare.assign_coords(time=np.repeat(bare.time.to_numpy()[:1], 3))
    assert trace_fronts(twins, region)["scene_id"].nunique() == 3


def test_quality_hides_pixels_and_marks_clouds(prediction, region):
    quality = xr.zeros_like(prediction["ice"], dtype=np.uint16)
    quality[0] = int(Quality.NODATA)
    quality[1, :, 60:] = int(Quality.CLOUD)
    fronts = trace_fronts(prediction.assign(quality=quality), region).set_index("scene_id")
    assert tuple(fronts.loc["b", ["status", "reason"]]) == ("failed", "no_valid_pixels")
    assert fronts.loc["b", "quality"] == int(Quality.NODATA)
    assert tuple(fronts.loc["c", ["status", "reason"]]) == ("review", "clouds")
    assert fronts.loc["c", "quality"] == int(Quality.CLOUD)
    assert fronts.loc["a", "status"] == "accepted"


def test_region_in_another_crs_than_the_data(prediction, region, rendered):
    utm = "EPSG:32624"
    moved = gpd.GeoSeries([region.outline, region.fjord, *region.flowlines], crs="EPSG:3413").to_crs(utm)
    other = Region("helheim", moved.iloc[0], utm, fjord=moved.iloc[1], flowlines=(moved.iloc[2],))
    fronts = trace_fronts(prediction, other)
    assert set(fronts["crs"]) == {utm}
    back = fronts.to_crs("EPSG:3413")
    assert_right(back, rendered)
    here = trace_fronts(prediction, region)
    assert np.allclose(fronts["length_m"], here["length_m"], rtol=0.01)


def test_no_scenes(prediction, region):
    none = trace_fronts(prediction.isel(time=slice(0, 0)), region)
    assert len(none) == 0
    assert none.crs == pyproj.CRS("EPSG:3413")


def test_mistakes_are_named(prediction, region):
    with pytest.raises(InputError, match="lacks front"):
        trace_fronts(prediction.drop_vars("front"), region)
    with pytest.raises(InputError, match="values from -4"):
        trace_fronts(prediction.assign(front=prediction["front"] * 8 - 4), region)
    with pytest.raises(InputError, match="int64"):
        trace_fronts(prediction.assign(front=prediction["front"].astype("int64")), region)
    with pytest.raises(InputError, match="dims"):
        trace_fronts(prediction.rename(y="lat"), region)
    with pytest.raises(InputError, match="scene_id 'a' occurs 3 times"):
        trace_fronts(prediction.assign_coords(scene_id=("time", ["a", "a", "a"])), region)
    with pytest.raises(NotGeoreferencedError, match="no CRS"):
        trace_fronts(
            prediction.drop_vars("spatial_ref").assign_coords(x=prediction.x.to_numpy(), y=prediction.y.to_numpy()),
            region,
        )
    with pytest.raises(GridError, match="regular grid"):
        trace_fronts(prediction.assign_coords(x=prediction.x.to_numpy() ** 1.1), region)


def test_on_a_cluster(prediction, region):
    from distributed import Client, LocalCluster

    lazy = prediction.chunk(time=1)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        fronts = trace_fronts(lazy, region)
    assert fronts.equals(trace_fronts(prediction, region))


def test_nothing_is_computed_but_what_is_asked_for(prediction, region):
    """A third variable that cannot be computed does not matter."""

    def fail(_):
        raise RuntimeError("computed")

    bad = da.map_blocks(fail, da.zeros(prediction["ice"].shape, chunks=(1, -1, -1)), dtype=float)
    extra = prediction.chunk(time=1).assign(ice_std=(("time", "y", "x"), bad))
    assert len(trace_fronts(extra, region)) == 3


@pytest.mark.parametrize("tolerance", [0.0, 0.5, 5.0])
def test_simplified_line_keeps_within_its_tolerance_and_its_vertices_in_place(tolerance):
    x = np.arange(10.0, 110.0)
    whole = np.column_stack([x, 60 + 3 * np.sin(x / 7)])
    row = front_rows([line(whole)], SCENE, None, GEOBOX, simplify_m=tolerance).iloc[0]
    map_units = tolerance * PIXEL_M / row["pixel_size_m"]
    kept, true = shapely.get_coordinates(row.geometry), shapely.LineString(world(whole))
    assert {tuple(vertex) for vertex in kept.round(6)} <= {tuple(vertex) for vertex in world(whole).round(6)}
    assert shapely.hausdorff_distance(row.geometry, true, densify=0.02) <= map_units + 1e-6
    assert (len(kept) < len(whole)) == (tolerance > 0)


def test_elevation_of_the_ground_is_no_ocean(prediction, region):
    prediction = prediction.isel(time=[2])  # the front lies at row 50, give or take 4
    shadow = np.zeros(SHAPE, bool)
    shadow[20:55, 80:120] = True
    wrong = prediction.assign(
        ice=prediction["ice"].where(~xr.DataArray(shadow, dims=("y", "x")), 0.02), front=prediction["front"] * 0.01
    )
    height = xr.DataArray(np.where(shadow & (np.arange(SHAPE[0])[:, None] < 45), 700.0, 20.0), dims=("y", "x"))
    true = trace_fronts(prediction, region).geometry
    apart = [
        trace_fronts(data, region).geometry.hausdorff_distance(true).max() / PIXEL_M
        for data in (wrong, wrong.assign(elevation=height))
    ]
    assert apart[0] > 20
    assert apart[1] < 11  # the shadow reaches that far below what is high
    with pytest.raises(InputError, match="elevation has the dims"):
        trace_fronts(wrong.assign(elevation=prediction["ice"]), region)

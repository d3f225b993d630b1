from __future__ import annotations

import copy
import pickle
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

from icefront_dask.cube import Quality, load, read_scenes, scenes
from icefront_dask.errors import MissingAssetError, NoItemsError, NotGeoreferencedError, ReadError
from tests.cube import builders
from tests.helpers import raise_if_dask_computes

COORDINATES = {
    "scene_id",
    "item_ids",
    "platform",
    "sensor",
    "orbit_direction",
    "relative_orbit",
    "geometry",
    "geolocation_sigma_m",
    "gap_fraction",
}


def sar(items, **options):
    return load(items, builders.region(), "sentinel-1", resolution=20, **options)


def test_load_computes_nothing_and_keeps_the_contract(s1):
    with raise_if_dask_computes():
        cube = sar(s1)
        repr(cube)
    assert dict(cube.sizes) == {"time": 2, "y": 180, "x": 180}
    assert list(cube.data_vars) == ["hh", "hv", "quality"]
    assert cube.hh.dtype == np.float32
    assert cube.quality.dtype == np.uint16
    assert set(cube.coords) == COORDINATES | {"time", "y", "x", "spatial_ref"}
    assert cube.time.dtype == "datetime64[ns]"
    assert cube.scene_id.dtype == object
    assert cube.attrs["calibration"] == cube.hh.attrs["calibration"] == "gamma0"
    assert cube.attrs["proj:code"] == "EPSG:3413"
    assert cube.hh.attrs["grid_mapping"] == "spatial_ref"
    assert cube.hh.attrs["resampling"].startswith("bilinear")
    assert cube.quality.attrs["resampling"] == "nearest"
    assert cube.relative_orbit.values.tolist() == [127, 127]
    assert cube.gap_fraction.values.tolist() == [0, 0]


def test_coordinates_are_pixel_centres_that_other_libraries_understand(s1):
    import odc.geo.xr  # noqa: F401
    import rioxarray  # noqa: F401

    cube = sar(s1)
    grid = builders.region().geobox(20)
    assert cube.hh.odc.geobox == grid
    assert cube.rio.crs.to_epsg() == 3413
    assert cube.rio.transform() == grid.affine
    left, top = grid.affine.c, grid.affine.f
    assert (float(cube.x[0]), float(cube.y[0])) == (left + 10, top - 10)
    assert cube.y.values[0] > cube.y.values[-1]


@pytest.mark.parametrize("reader", ["odc", "stackstac"])
def test_values_do_not_depend_on_chunks_or_scheduler(s1, landsat, reader):
    for items, family, resolution in ((s1, "sentinel-1", 20), ([landsat], "landsat", 30)):
        options = {"resolution": resolution, "reader": reader}
        whole = load(items, builders.region(), family, **options).compute(scheduler="synchronous")
        pieces = load(items, builders.region(), family, chunks={"time": 1, "y": 50, "x": 37}, **options)
        assert pieces.quality.chunks[1][0] == 50
        xr.testing.assert_identical(pieces.compute(scheduler="threads"), whole)


def test_blocks_meet_without_a_seam(s1):
    """Blocks of 64 pixels give the values of one block, but for the approximation of GDAL's transform."""
    with dask.config.set({"icefront.cube.block_px": 64}):
        cube = sar(s1)
        assert cube.hh.chunks[1] == (64, 64, 52)
        blocks = cube.compute()
    whole = sar(s1).compute()
    np.testing.assert_array_equal(blocks.quality, whole.quality)
    difference = np.abs(blocks.hh.values - whole.hh.values)
    assert difference.max() < 0.02
    assert difference.mean() < 0.002


def test_lazy_and_eager_give_the_same(s1):
    cube = sar(s1).compute()
    arrays = read_scenes(scenes(s1), builders.region().geobox(20), ("hh", "hv"))
    for name, values in arrays.items():
        np.testing.assert_array_equal(cube[name].values, values)


def test_landsat_values_and_bits(landsat):
    grid = builders.utm_grid(32624, 200, 30)
    here = builders.region(crs="EPSG:32624")
    cube = load([landsat], here, "landsat", resolution=30).compute()
    assert list(cube.data_vars) == ["green", "nir", "quality"]
    quality = cube.quality[0]
    x, y = cube.x.values, cube.y.values
    columns, rows = (x - grid.affine.c) / 30 - 0.5, (grid.affine.f - y) / 30 - 0.5
    assert np.allclose(columns, np.rint(columns))  # the native grid, so values are the numbers themselves
    column, row = np.meshgrid(np.rint(columns), np.rint(rows))
    cloud = (row >= 80) & (row < 100) & (column >= 80) & (column < 100)
    shadow = (row >= 100) & (row < 110) & (column >= 80) & (column < 100)
    saturated = (row >= 90) & (row < 95) & (column >= 70) & (column < 75)
    expected = np.select(
        [column >= 120, saturated, cloud, shadow],
        [Quality.NODATA, Quality.SATURATED, Quality.CLOUD, Quality.SHADOW],
        0,
    )
    np.testing.assert_array_equal(quality, expected)
    np.testing.assert_array_equal(np.isnan(cube.nir[0]), (column >= 120) | saturated)
    np.testing.assert_array_equal(np.isnan(cube.green[0]), column >= 120)
    import rasterio

    with rasterio.open(landsat["assets"]["nir08"]["href"], driver="GTiff") as dataset:
        dn = dataset.read(1)[row.astype(int), column.astype(int)]
    valid = ~np.isnan(cube.nir[0].values)
    np.testing.assert_allclose(cube.nir[0].values[valid], dn[valid] * 2.75e-5 - 0.2, atol=1e-7)
    assert float(cube.gap_fraction[0]) == pytest.approx(np.mean(column >= 120))


def test_slc_gaps_are_flagged_whatever_the_blocks(tmp_path, rng):
    grid = builders.utm_grid(32624, 200, 30)
    rows, columns = np.indices(grid.shape.yx)
    gaps = (rows + columns // 4) % 33 < 10
    dn = np.where(gaps, 0, rng.integers(8_000, 30_000, grid.shape.yx)).astype("uint16")
    qa_pixel = np.where(gaps, 1, 64).astype("uint16")
    found = {}
    for date in ("20030501", "20100501"):
        item = builders.landsat_item(
            tmp_path,
            f"LE07_L2SP_233013_{date}_02_T1",
            {"nir08": dn},
            grid,
            qa_pixel=qa_pixel,
            qa_radsat=np.zeros_like(qa_pixel),
            datetime=f"{date[:4]}-05-01T14:15:30Z",
        )
        found[date] = load([item], builders.region(), "landsat", resolution=30).compute()
        with dask.config.set({"icefront.cube.block_px": 50}):
            blocks = load([item], builders.region(), "landsat", resolution=30).compute()
        np.testing.assert_array_equal(blocks.quality, found[date].quality)
    before, after = ((found[d].quality.values & np.uint16(Quality.SLC_GAP)) != 0 for d in sorted(found))
    nodata = (found["20100501"].quality.values & np.uint16(Quality.NODATA)) != 0
    assert not before.any()
    assert after[nodata].all()
    assert 0.25 < nodata.mean() < 0.35
    assert after.mean() < 0.45


def test_scale_and_offset_are_those_of_each_item(landsat, tmp_path, rng):
    other = copy.deepcopy(landsat)
    other["id"] = "LC08_L2SP_233013_20150726_02_T1"
    other["properties"]["datetime"] = "2015-07-26T14:15:30Z"
    for key in ("green", "nir08"):
        other["assets"][key]["raster:bands"][0] |= {"scale": 5.5e-5, "offset": -0.4}
    cube = load([landsat, other], builders.region(), "landsat", resolution=30).compute()
    np.testing.assert_allclose(cube.nir[1], 2 * cube.nir[0], atol=1e-6)


def test_neighbouring_slices_become_one_scene_without_a_seam(tmp_path, rng):
    grid = builders.utm_grid(32624, 480, 10)
    data = builders.speckle(rng, grid.shape.yx)
    halves = [(slice(0, 260), "2018-06-02T20:15:32Z"), (slice(220, 480), "2018-06-02T20:15:57Z")]
    items = [
        builders.s1_item(tmp_path, f"slice{n}", {"hh": data[rows]}, grid[rows, :], datetime=when)
        for n, (rows, when) in enumerate(halves)
    ]
    whole = builders.s1_item(tmp_path, "whole", {"hh": data}, grid, datetime="2018-06-02T20:15:32Z")
    joined, single = sar(items).compute(), sar([whole]).compute()
    assert joined.sizes["time"] == 1
    assert joined.item_ids.item() == "slice0 slice1"
    assert not (joined.quality & np.uint16(Quality.NODATA | Quality.BORDER_NOISE)).any()
    assert np.abs(joined.hh.values - single.hh.values).mean() < 0.005


def test_a_scene_without_a_polarisation_is_nan_there(s1):
    single = copy.deepcopy(s1[1])
    del single["assets"]["hv"]
    cube = sar([s1[0], single]).compute()
    assert np.isnan(cube.hv[1]).all()
    assert not np.isnan(cube.hh).any()
    assert not cube.quality.any()


def test_uncalibrated_collection_passes_its_numbers(tmp_path, rng):
    source = builders.utm_grid(32624, 480, 10)
    grey = rng.normal(129, 14, source.shape.yx).clip(1, 255).astype("uint8")
    grey[:, :150] = 0
    href = builders.cog(tmp_path / "grey.tif", grey, source)
    item = builders.item("h", "helheim", source, {"data": {"href": href}})
    extra = {
        "helheim": {
            "family": "sentinel-1",
            "assets": {"grey": "data"},
            "calibration": "uncalibrated",
            "geometry": "range_doppler",
            "nodata": 0,
        }
    }
    cube = sar([item], extra_collections=extra).compute()
    values = cube.grey.values[0]
    empty = np.isnan(values)
    assert 0.1 < empty.mean() < 0.5
    np.testing.assert_array_equal(cube.quality.values[0], np.where(empty, Quality.NODATA, 0))
    assert np.nanmean(values) == pytest.approx(129, abs=1)
    assert cube.attrs["calibration"] == "uncalibrated"
    assert cube.geometry.item() == "range_doppler"


def broken(item, folder, asset="hh"):
    """The same item with one of its files cut off."""
    item = copy.deepcopy(item)
    path = Path(item["assets"][asset]["href"])
    cut = folder / f"cut_{path.name}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    item["assets"][asset]["href"] = str(cut)
    return item


def test_read_errors_are_raised_by_default_and_name_the_item(s1, tmp_path):
    cube = sar([broken(s1[0], tmp_path), s1[1]])
    with pytest.raises(ReadError, match=rf"item '{s1[0]['id']}', asset 'hh'"):
        cube.compute()


def test_flagged_read_errors_mark_exactly_the_pixels_of_the_file(tmp_path, rng):
    """Two slices, the second damaged: only what the first does not cover and the second would have."""
    grid = builders.utm_grid(32624, 480, 10)
    data = builders.speckle(rng, grid.shape.yx)
    rows = [slice(0, 260), slice(220, 420)]
    items = [
        builders.s1_item(tmp_path, f"slice{n}", {"hh": data[r]}, grid[r, :], datetime=f"2018-06-02T20:15:{n}2Z")
        for n, r in enumerate(rows)
    ]
    from rasterio.features import rasterize
    from rasterio.warp import transform_geom
    from shapely.geometry import mapping, shape

    for item, r in zip(items, rows, strict=True):  # footprints to the pixel
        outline = grid[r, :].extent.segmented(200).geom
        item["geometry"] = mapping(shape(transform_geom("EPSG:32624", "EPSG:4326", mapping(outline))))
    good = sar(items).compute()
    flagged = sar([items[0], broken(items[1], tmp_path)], on_read_error="flag").compute()
    failed = (flagged.quality.values[0] & np.uint16(Quality.READ_FAILED)) != 0
    first = ~np.isnan(flagged.hh.values[0])
    region_grid = builders.region().geobox(20)
    covered = rasterize(
        [transform_geom("EPSG:4326", "EPSG:3413", items[1]["geometry"])],
        out_shape=region_grid.shape.yx,
        transform=region_grid.affine,
    ).astype(bool)
    rim = (flagged.quality.values[0] & np.uint16(Quality.BORDER_NOISE)) != 0
    np.testing.assert_array_equal(failed, covered & ~first & ~rim)
    assert failed.any()
    assert np.isnan(flagged.hh.values[0][failed]).all()
    assert ((flagged.quality.values[0] & np.uint16(Quality.NODATA)) != 0)[failed].all()
    np.testing.assert_array_equal(flagged.hh.values[0][first], good.hh.values[0][first])
    outside = np.isnan(good.hh.values[0]) & ~failed & ~rim
    assert not (flagged.quality.values[0][outside] & np.uint16(Quality.READ_FAILED)).any()


def test_errors_of_placing_are_raised_even_when_read_errors_are_flagged(s1, tmp_path):
    import rasterio

    path = tmp_path / "bare.tif"
    with rasterio.open(path, "w", driver="GTiff", width=9, height=9, count=1, dtype="float32") as dataset:
        dataset.write(np.ones((1, 9, 9), "float32"))
    item = copy.deepcopy(s1[0])
    item["assets"]["hh"]["href"] = str(path)
    with pytest.raises(NotGeoreferencedError, match=r"bare\.tif has no CRS"):
        sar([item], on_read_error="flag").compute()


def test_wrong_requests_fail_while_building(s1):
    with raise_if_dask_computes():
        with pytest.raises(MissingAssetError, match="nir"):
            sar(s1, variables=("hh", "nir"))
        with pytest.raises(NoItemsError, match="'landsat'"):
            load(s1, builders.region(), "landsat", resolution=30)


def test_the_graph_is_small_and_holds_no_pixels(s1):
    cube = sar(s1)
    size = len(pickle.dumps(dict(cube.__dask_graph__())))
    tasks = len(cube.__dask_graph__())
    assert size / tasks < 2048
    assert tasks <= 2 * 4 + 2 * 6


def test_each_block_is_read_once_for_all_variables(s1, monkeypatch):
    from icefront_dask.cube import lazy

    calls = []
    original = lazy.read_block
    monkeypatch.setattr(lazy, "read_block", lambda *args: calls.append(args[0].scene_id) or original(*args))
    sar(s1).compute(scheduler="synchronous")
    assert len(calls) == len(set(calls)) == 2


@pytest.mark.real
def test_real_landsat_scene_against_rasterio(real_data):
    """The decimated scene over East Greenland, reprojected from UTM to polar stereographic."""
    import json

    import rasterio
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT
    from shapely.geometry import box

    from icefront_dask.regions import Region

    folder = real_data / "landsat-c2-decimated"
    stem = "LC08_L2SP_005009_20150710_20200908_02_T2"
    item = json.loads((folder / f"{stem}_SR_stac.json").read_text())
    for asset in item["assets"].values():
        asset["href"] = str(folder / asset["href"].rpartition("/")[2])
    with rasterio.open(folder / f"{stem}_SR_B5.TIF", driver="GTiff") as dataset:
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:3413", *dataset.bounds)
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    here = Region("east-greenland", box(x - 60_000, y - 60_000, x + 60_000, y + 60_000), "EPSG:3413")
    cube = load([item], here, "landsat", resolution=480, variables=("nir",)).compute()
    grid = here.geobox(480)
    with (
        rasterio.open(folder / f"{stem}_SR_B5.TIF", driver="GTiff") as dataset,
        WarpedVRT(
            dataset,
            crs="EPSG:3413",
            transform=grid.affine,
            height=grid.shape.y,
            width=grid.shape.x,
            resampling=Resampling.bilinear,
        ) as vrt,
    ):
        expected = vrt.read(1).astype(float)
    expected = np.where(expected == 0, np.nan, expected * 2.75e-5 - 0.2)
    valid = ~np.isnan(cube.nir.values[0]) & ~np.isnan(expected)
    assert valid.mean() > 0.9
    assert np.corrcoef(cube.nir.values[0][valid], expected[valid])[0, 1] > 0.999
    assert np.abs(cube.nir.values[0] - expected)[valid].mean() < 0.003
    assert ((cube.quality.values[0] & Quality.CLOUD) != 0).mean() > 0.2
    assert cube.relative_orbit.item() == 5


@pytest.mark.real
@pytest.mark.parametrize("reader", ["odc", "stackstac"])
def test_real_helheim_scenes_in_degrees(real_data, reader):
    import rasterio

    folder = real_data / "helheim-scenes"
    items, here = [], builders.region(2_400)
    from odc.geo.converters import rio_geobox

    for day in ("02", "06"):
        path = folder / f"201806{day}_hh_GEE_sentinel_GRD_IW_helheim_stretch.tif"
        with rasterio.open(path, driver="GTiff") as dataset:
            grid = rio_geobox(dataset)
        items.append(builders.item(day, "helheim", grid, {"data": {"href": str(path)}}, f"2018-06-{day}T09:00:00Z"))
    extra = {
        "helheim": {
            "family": "sentinel-1",
            "assets": {"grey": "data"},
            "calibration": "uncalibrated",
            "geometry": "range_doppler",
            "nodata": 0,
        }
    }
    cube = load(items, here, "sentinel-1", resolution=20, extra_collections=extra, reader=reader).compute()
    assert cube.sizes["time"] == 2
    assert float(np.isnan(cube.grey).mean()) < 0.05
    assert float(cube.grey.mean()) == pytest.approx(129, abs=6)
    assert 5 < float(cube.grey.std()) < 14  # 14 over the whole scene at 9.4 m across
    assert (cube.grey.values % 1 != 0).mean() > 0.5  # interpolated as floats, not rounded to 8 bits

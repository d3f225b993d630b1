"""Both readers against each other and against rasterio's WarpedVRT, and every way a file can be wrong."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from icefront_dask.cube import ReadOptions, read_scenes, scenes
from icefront_dask.cube.gdal import GDAL_OPTIONS, gdal_env
from icefront_dask.cube.quality import Quality
from icefront_dask.cube.readers import BandRequest, get_reader
from icefront_dask.errors import ConfigError, NotGeoreferencedError, ReadError
from tests.cube import builders

READERS = ["odc", "stackstac"]


def request(href, *, dtype="float32", resampling="bilinear", nodata=None, fill=0):
    label = "item 'x', asset 'hh'"
    return BandRequest("hh", href, label, dtype, resampling, nodata=nodata, fill=fill)


def warped(path, grid, resampling, nodata=None, fill=np.nan):
    with (
        rasterio.open(path, driver="GTiff") as dataset,
        WarpedVRT(
            dataset,
            crs=str(grid.crs),
            transform=grid.affine,
            height=grid.shape.y,
            width=grid.shape.x,
            resampling=resampling,
            src_nodata=nodata,
            nodata=nodata,
            add_alpha=nodata is None,
        ) as vrt,
    ):
        out = vrt.read(1, masked=False).astype("float64")
        out[vrt.dataset_mask() == 0] = fill
    return out


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:32625"])
def test_bilinear_equals_warped_vrt(tmp_path, name, crs):
    """On a smooth field the approximation of the transform (1/8 px) bounds the difference of two warps."""
    source = builders.utm_grid(32624, 400, 20)
    rows, columns = np.indices(source.shape.yx)
    smooth = (100 + 3 * np.sin(rows / 9) + 2 * np.cos(columns / 7)).astype("float32")
    href = builders.cog(tmp_path / "a.tif", smooth, source, nodata=-1)
    grid = builders.region(3_600, crs).geobox(20)
    got = get_reader(name).read([request(href)], grid)["hh"]
    expected = warped(href, grid, Resampling.bilinear, nodata=-1)
    assert got.dtype == np.float32
    steepest = np.hypot(3 / 9, 2 / 7)
    np.testing.assert_allclose(got, expected, atol=2 * 0.125 * steepest)
    assert np.abs(got - expected).mean() < 0.01


@pytest.mark.parametrize("name", READERS)
def test_nearest_equals_warped_vrt_but_for_a_few_pixels(tmp_path, rng, name):
    source = builders.utm_grid(32624, 400, 20)
    bits = rng.integers(2, 60_000, source.shape.yx, dtype="uint16")
    href = builders.cog(tmp_path / "qa.tif", bits, source, nodata=1, overview_resampling="nearest")
    grid = builders.region(3_600).geobox(20)
    got = get_reader(name).read([request(href, dtype="uint16", resampling="nearest", fill=1)], grid)["hh"]
    assert got.dtype == np.uint16
    assert np.mean(got == warped(href, grid, Resampling.nearest, nodata=1, fill=1)) > 0.999


def test_readers_agree_in_the_native_crs_to_the_bit(tmp_path, rng):
    source = builders.utm_grid(32624, 300, 20)
    data = builders.speckle(rng, source.shape.yx)
    data[:40] = -32768
    href = builders.cog(tmp_path / "a.tif", data, source, nodata=-32768)
    grid = source[30:200, 50:290]
    one, two = (get_reader(name).read([request(href)], grid)["hh"] for name in READERS)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[10:], data[40:200, 50:290])
    assert np.isnan(one[:10]).all()


def test_readers_agree_on_a_reprojected_scene(tmp_path, rng):
    source = builders.utm_grid(32624, 400, 20)
    data = builders.speckle(rng, source.shape.yx)
    bits = rng.integers(2, 60_000, source.shape.yx, dtype="uint16")
    hrefs = [
        builders.cog(tmp_path / "a.tif", data, source, nodata=-32768),
        builders.cog(tmp_path / "b.tif", bits, source, nodata=1, overview_resampling="nearest"),
    ]
    grid = builders.region(3_600).geobox(20)
    smooth = [get_reader(name).read([request(hrefs[0])], grid)["hh"] for name in READERS]
    np.testing.assert_allclose(smooth[0], smooth[1], atol=0.05)  # white noise, 1/8 px apart at most
    assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.999
    nearest = request(hrefs[1], dtype="uint16", resampling="nearest", fill=1)
    exact = [get_reader(name).read([nearest], grid)["hh"] for name in READERS]
    assert np.mean(exact[0] == exact[1]) > 0.999


@pytest.mark.parametrize("name", READERS)
def test_nodata_never_mixes_into_valid_pixels(tmp_path, name):
    source = builders.utm_grid(32624, 400, 20)
    data = np.full(source.shape.yx, 0.5, "float32")
    data[150:250, 100:300] = -32768
    href = builders.cog(tmp_path / "a.tif", data, source, nodata=-32768)
    got = get_reader(name).read([request(href)], builders.region(3_600).geobox(20))["hh"]
    assert np.isnan(got).any()
    np.testing.assert_allclose(got[~np.isnan(got)], 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", READERS)
def test_nodata_that_only_the_item_declares_counts(tmp_path, name):
    source = builders.utm_grid(32624, 400, 20)
    data = np.full(source.shape.yx, 129, "uint8")
    data[:, :200] = 0
    href = builders.cog(tmp_path / "a.tif", data, source)
    grid = builders.region(3_600).geobox(20)
    plain = get_reader(name).read([request(href)], grid)["hh"]
    declared = get_reader(name).read([request(href, nodata=0.0)], grid)["hh"]
    assert (plain == 0).any()
    assert set(np.unique(declared[~np.isnan(declared)])) == {129.0}
    assert np.isnan(declared[plain == 0]).all()


@pytest.mark.parametrize("name", READERS)
def test_eight_bit_files_are_interpolated_as_floats(tmp_path, name):
    source = builders.utm_grid(32624, 400, 20)
    ramp = np.indices(source.shape.yx)[1].astype("uint8")
    href = builders.cog(tmp_path / "a.tif", ramp, source)
    got = get_reader(name).read([request(href)], builders.region(2_400).geobox(20))["hh"]
    assert (got % 1 != 0).mean() > 0.5


@pytest.mark.parametrize("name", READERS)
def test_outside_the_file_is_fill(tmp_path, name):
    source = builders.utm_grid(32624, 40, 20)
    href = builders.cog(tmp_path / "a.tif", np.full((40, 40), 7, "uint16"), source)
    grid = builders.region(3_600).geobox(20)
    floats = get_reader(name).read([request(href)], grid)["hh"]
    bits = get_reader(name).read([request(href, dtype="uint16", resampling="nearest", fill=1)], grid)["hh"]
    assert np.isnan(floats[0]).all()
    assert (bits[0] == 1).all()
    assert floats[90, 90] == bits[90, 90] == 7
    far = grid.pad(0).translate_pix(100_000, 0)
    assert np.isnan(get_reader(name).read([request(href)], far)["hh"]).all()


def test_quality_bits_are_read_from_full_resolution(tmp_path):
    """Averaged overviews of a bit mask are wrong numbers: they must not be used."""
    source = builders.utm_grid(32624, 512, 10)
    bits = np.where(np.indices(source.shape.yx).sum(axis=0) % 2, 21824, 22280).astype("uint16")
    href = builders.cog(tmp_path / "qa.tif", bits, source, overview_resampling="average")
    with rasterio.open(href, driver="GTiff") as dataset:
        assert dataset.overviews(1)
    grid = builders.region(3_600).geobox(40)
    got = get_reader("odc").read([request(href, dtype="uint16", resampling="nearest", fill=1)], grid)["hh"]
    assert set(np.unique(got)) == {21824, 22280}


def test_coarse_grids_average_instead_of_skipping_pixels(tmp_path, rng):
    source = builders.utm_grid(32624, 512, 10)
    href = builders.cog(tmp_path / "a.tif", rng.gamma(4, 0.25, source.shape.yx).astype("float32"), source)
    grid = builders.region(3_600).geobox(40)
    for name in READERS:
        got = get_reader(name).read([request(href)], grid)["hh"]
        assert got.mean() == pytest.approx(1.0, abs=0.02)
        assert got.std() < 0.25  # 0.5 at full resolution


def vrt_named_tif(folder, target):
    path = folder / "innocent.tif"
    path.write_text(
        '<VRTDataset rasterXSize="40" rasterYSize="40"><SRS>EPSG:32624</SRS>'
        "<GeoTransform>0,20,0,0,0,-20</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{target}</SourceFilename>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return str(path)


@pytest.mark.parametrize("name", READERS)
def test_a_vrt_named_tif_does_not_open(tmp_path, name):
    grid = builders.utm_grid(32624, 40, 20)
    target = builders.cog(tmp_path / "secret.tif", np.ones((40, 40), "float32"), grid)
    href = vrt_named_tif(tmp_path, target)
    with rasterio.open(href) as opened:
        assert opened.driver == "VRT"  # without naming the driver GDAL would follow it
    with pytest.raises(ReadError, match=r"item 'x', asset 'hh': .*innocent\.tif is not a GeoTIFF but a VRT"):
        get_reader(name).read([request(href)], grid)


def truncated(folder, grid, rng):
    href = builders.cog(folder / "cut.tif", builders.speckle(rng, grid.shape.yx), grid)
    path = Path(href)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    return href


@pytest.mark.parametrize("name", READERS)
def test_a_truncated_cog_is_a_read_error_that_names_it(tmp_path, rng, name):
    grid = builders.utm_grid(32624, 400, 20)
    href = truncated(tmp_path, grid, rng)
    with pytest.raises(ReadError, match=r"item 'x', asset 'hh': .*cut\.tif cannot be read, it is truncated"):
        get_reader(name).read([request(href)], grid)


@pytest.mark.parametrize("compress", ["deflate", "zstd", "lerc", "none"])
def test_wherever_a_cog_ends_its_pixels_are_right_or_an_error(tmp_path, rng, compress):
    grid = builders.utm_grid(32624, 400, 20)
    whole = tmp_path / "whole.tif"
    profile = {"crs": "EPSG:32624", "transform": grid.affine, "width": 400, "height": 400, "count": 1}
    with rasterio.open(
        whole, "w", driver="COG", dtype="float32", compress=compress, blocksize=128, **profile
    ) as dataset:
        dataset.write(builders.speckle(rng, (400, 400)), 1)
    content = whole.read_bytes()
    wanted = grid[100:300, 50:200]
    grids = [wanted, wanted.zoom_out(3)]
    expected = [get_reader("odc").read([request(str(whole))], g)["hh"] for g in grids]
    cuts = rng.integers(1, len(content), 24)
    failed = 0
    for number, cut in enumerate(cuts):
        path = tmp_path / f"{number}.tif"
        path.write_bytes(content[:cut])
        for g, pixels in zip(grids, expected, strict=True):
            try:
                got = get_reader("odc").read([request(str(path))], g)["hh"]
            except ReadError:
                failed += 1
            else:
                np.testing.assert_array_equal(got, pixels)
    assert failed > 12


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["mask", "alpha"])
@pytest.mark.parametrize("resolution", [20, 40])
def test_a_mask_of_the_file_s_own_counts(tmp_path, name, kind, resolution):
    grid = builders.utm_grid(32624, 200, 20)
    profile = {"driver": "GTiff", "dtype": "uint8", "crs": "EPSG:32624", "transform": grid.affine}
    mask = np.full((200, 200), 255, "uint8")
    mask[:, :80] = 0
    path = tmp_path / "a.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", width=200, height=200, count=2 if kind == "alpha" else 1, **profile,
        **({"photometric": "MINISBLACK", "alpha": "yes"} if kind == "alpha" else {}),
    ) as dataset:  # fmt: skip
        dataset.write(np.full((200, 200), 7, "uint8"), 1)
        if kind == "alpha":
            dataset.write(mask, 2)
        else:
            dataset.write_mask(mask)
    got = get_reader(name).read([request(str(path))], grid.zoom_out(resolution / 20))["hh"]
    columns = 80 * 20 // resolution
    assert np.isnan(got[:, :columns]).all()
    assert (got[:, columns:] == 7).all()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("count", "dtype", "message"),
    [(2, "float32", "has 2 bands, and nothing says which"), (1, "complex64", "holds complex numbers")],
)
def test_a_file_that_does_not_hold_one_band_of_numbers(tmp_path, name, count, dtype, message):
    grid = builders.utm_grid(32624, 40, 20)
    profile = {"driver": "GTiff", "dtype": dtype, "crs": "EPSG:32624", "transform": grid.affine}
    with rasterio.open(tmp_path / "a.tif", "w", width=40, height=40, count=count, **profile) as dataset:
        dataset.write(np.ones((count, 40, 40), dtype))
    with pytest.raises(ReadError, match=rf"item 'x', asset 'hh': .*a\.tif {message}"):
        get_reader(name).read([request(str(tmp_path / "a.tif"))], grid)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_and_garbage_are_read_errors(tmp_path, name):
    grid = builders.utm_grid(32624, 40, 20)
    with pytest.raises(ReadError, match=r"gone\.tif does not exist"):
        get_reader(name).read([request(str(tmp_path / "gone.tif"))], grid)
    page = tmp_path / "page.tif"
    page.write_text("<html>sign in</html>")
    with pytest.raises(ReadError, match=r"page\.tif is not a GeoTIFF but XML or HTML"):
        get_reader(name).read([request(str(page))], grid)


@pytest.mark.parametrize("name", READERS)
def test_a_file_without_crs_cannot_be_placed(tmp_path, name):
    grid = builders.utm_grid(32624, 40, 20)
    path = tmp_path / "bare.tif"
    with rasterio.open(path, "w", driver="GTiff", width=40, height=40, count=1, dtype="uint8") as dataset:
        dataset.write(np.ones((1, 40, 40), "uint8"))
    with pytest.raises(NotGeoreferencedError, match=r"item 'x', asset 'hh': .*bare\.tif has no CRS"):
        get_reader(name).read([request(str(path))], grid)
    with rasterio.open(path, "r+") as dataset:
        dataset.gcps = (
            [rasterio.control.GroundControlPoint(r, c, -38 + c / 100, 66 - r / 100) for r in (0, 39) for c in (0, 39)],
            "EPSG:4326",
        )
    with pytest.raises(NotGeoreferencedError, match="only ground control points"):
        get_reader(name).read([request(str(path))], grid)


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_another_data_type_than_stated_is_refused(tmp_path, name):
    grid = builders.utm_grid(32624, 40, 20)
    href = builders.cog(tmp_path / "a.tif", np.full((40, 40), 0.5, "float32"), grid)
    with pytest.raises(ReadError, match=r"a\.tif holds float32, which is more than the uint16"):
        get_reader(name).read([request(href, dtype="uint16")], grid)


@pytest.mark.parametrize("properties", [{}, {"proj:code": None, "proj:epsg": 32624}, {"proj:code": None}])
@pytest.mark.parametrize("name", READERS)
def test_the_crs_of_the_file_counts_whatever_the_item_says(s1, properties, name):
    item = copy.deepcopy(s1[0])
    item["properties"] = {k: v for k, v in (item["properties"] | properties).items() if v is not None}
    grid = builders.region().geobox(20)
    options = ReadOptions.resolve(reader=name)
    expected = read_scenes(scenes([s1[0]]), grid, ("hh",), options)
    got = read_scenes(scenes([item]), grid, ("hh",), options)
    np.testing.assert_array_equal(got["hh"], expected["hh"])
    assert not (got["quality"] & np.uint16(Quality.NODATA)).any()


@pytest.mark.parametrize("name", READERS)
def test_items_of_several_utm_zones_land_on_one_grid(tmp_path, name):
    """The same field, defined in the region's CRS, read from three UTM zones."""
    from pyproj import Transformer

    grid = builders.region(2_400).geobox(20)
    found = []
    for zone in (32623, 32624, 32625):
        source = builders.utm_grid(zone, 400, 10)
        columns, rows = np.meshgrid(np.arange(400) + 0.5, np.arange(400) + 0.5)
        to_3413 = Transformer.from_crs(f"EPSG:{zone}", "EPSG:3413", always_xy=True)
        x, y = to_3413.transform(*(source.affine * (columns, rows)))
        field = 1 + 0.2 * np.sin(x / 150) * np.cos(y / 200)
        item = builders.s1_item(tmp_path, f"zone{zone}", {"hh": field}, source)
        found.append(read_scenes(scenes([item]), grid, ("hh",), ReadOptions.resolve(reader=name))["hh"][0])
    x, y = np.meshgrid(
        grid.affine.c + 20 * (np.arange(grid.shape.x) + 0.5),
        grid.affine.f - 20 * (np.arange(grid.shape.y) + 0.5),
    )
    truth = 1 + 0.2 * np.sin(x / 150) * np.cos(y / 200)
    for got in found:
        np.testing.assert_allclose(got, truth, atol=0.01)


def test_stackstac_refuses_grids_that_it_cannot_express(tmp_path):
    grid = builders.utm_grid(32624, 40, 20)
    href = builders.cog(tmp_path / "a.tif", np.ones((40, 40), "float32"), grid)
    custom = "+proj=stere +lat_0=90 +lat_ts=71 +lon_0=-39 +datum=WGS84 +units=m"
    with pytest.raises(ConfigError, match="reader: odc"):
        get_reader("stackstac").read([request(href)], grid.to_crs(custom))


def test_unknown_reader_is_a_config_error():
    with pytest.raises(ConfigError, match=r"'gdalwarp'.*odc, stackstac"):
        ReadOptions.resolve(reader="gdalwarp")
    with pytest.raises(ConfigError, match=r"on_read_error 'ignore'.*raise, skip, flag"):
        ReadOptions.resolve(on_read_error="ignore")


def test_gdal_options_hold_while_reading():
    from rasterio._env import get_gdal_config

    with gdal_env():
        assert get_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN") == "EMPTY_DIR"
        assert int(get_gdal_config("GDAL_CACHEMAX")) == GDAL_OPTIONS["GDAL_CACHEMAX"] == 256


def test_sidecar_files_are_not_followed(tmp_path):
    grid = builders.utm_grid(32624, 40, 20)
    path = tmp_path / "a.tif"
    href = builders.cog(path, np.full((40, 40), 5, "float32"), grid)
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>5</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    for name in READERS:
        assert (get_reader(name).read([request(href)], grid)["hh"] == 5).all()

"""Ground range products onto a grid: places against a closed form, radiometry against the formula."""

from __future__ import annotations

import copy

import dask
import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from icefront_dask.cube import Quality, load, scenes
from icefront_dask.errors import ConfigError, NotGeoreferencedError, ReadError
from tests.cube import builders, grd_product
from tests.helpers import raise_if_dask_computes

TRACK = grd_product.Track(lines=300, pixels=260, spacing_m=40.0)
GRID_M = 40
NOISE, GAIN, FACTOR = 400.0, 1_000.0, 1.5
FLAT = {"gain": lambda pixel: np.full(np.shape(pixel), GAIN), "noise": lambda pixel: np.full(np.shape(pixel), NOISE)}


def constant(value=100):
    return np.full((TRACK.lines, TRACK.pixels), value, "uint16")


def grd(items, region=None, **options):
    return load(items, region or builders.region(), "sentinel-1", **({"resolution": GRID_M} | options))


def lonlat(cube):
    """Longitude and latitude of every pixel centre."""
    x, y = np.meshgrid(cube.x.values, cube.y.values)
    return Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True).transform(x, y)


def test_power_is_the_formula_of_the_annotation(tmp_path):
    numbers = {"hh": constant(100), "hv": constant(20)}
    item = grd_product.write(tmp_path, TRACK, numbers)
    with raise_if_dask_computes():
        cube = grd([item])
    assert cube.attrs["calibration"] == "gamma0"
    assert cube.geometry.item() == "gcp_front_height"
    assert float(cube.geolocation_sigma_m.item()) == 100.0
    assert "ellipsoid" in cube.hh.attrs["long_name"]
    computed = cube.compute()
    lon, lat = lonlat(computed)
    pixel = np.array([TRACK.where(a, b, 30.0)[1] for a, b in zip(lon[::9, ::9].flat, lat[::9, ::9].flat, strict=True)])
    hh = np.maximum(100.0**2 - FACTOR * (400 + pixel), 0) / (1_000 - 0.1 * pixel) ** 2
    np.testing.assert_allclose(computed.hh.values[0, ::9, ::9].ravel(), hh, rtol=1e-4)
    hv = np.maximum(20.0**2 - FACTOR * (400 + pixel), 0) / (1_000 - 0.1 * pixel) ** 2
    np.testing.assert_allclose(computed.hv.values[0, ::9, ::9].ravel(), hv, atol=1e-9)
    assert (hv == 0).all()  # below the noise floor: a value, not nodata
    assert not computed.quality.any()


def ramp(axis):
    """Digital numbers that grow with line or pixel, so that a value says where it comes from."""
    line, pixel = np.indices((TRACK.lines, TRACK.pixels))
    return (1_000 + 100 * (line, pixel)[axis]).astype("uint16")


@pytest.mark.parametrize("freeboard", [0.0, 30.0])
def test_pixels_lie_where_the_closed_form_says(tmp_path, freeboard):
    item = grd_product.write(
        tmp_path, TRACK, {"hh": ramp(0), "hv": ramp(1)}, noise=lambda p: 0.0 * p, gain=FLAT["gain"]
    )
    with dask.config.set({"icefront.cube.freeboard_m": freeboard}):
        cube = grd([item]).compute()
    lon, lat = lonlat(cube)
    # Power is interpolated, so between two lines its root lies a little above the line's own number.
    line, pixel = ((np.sqrt(cube[name].values[0]) * GAIN - 1_000) / 100 for name in ("hh", "hv"))
    for row, column in ((0, 0), (10, 80), (45, 45), (89, 3), (89, 89)):
        expected = TRACK.where(lon[row, column], lat[row, column], freeboard)
        assert (line[row, column], pixel[row, column]) == pytest.approx(expected, abs=0.02)


def test_the_geoid_lifts_the_front_height(tmp_path):
    item = grd_product.write(tmp_path, TRACK, {"hv": ramp(1)}, noise=lambda p: 0.0 * p, gain=FLAT["gain"])
    cube = grd([item], builders.region().patch(geoid="40")).compute()
    lon, lat = lonlat(cube)
    pixel = (np.sqrt(cube.hv.values[0]) * GAIN - 1_000) / 100
    assert pixel[45, 45] == pytest.approx(TRACK.where(lon[45, 45], lat[45, 45], 70.0)[1], abs=0.02)
    sea = TRACK.where(lon[45, 45], lat[45, 45], 0.0)[1]
    assert (sea - pixel[45, 45]) * 40 == pytest.approx(70 / np.tan(np.radians(35)), rel=0.05)


def test_range_doppler_follows_the_elevation_of_each_pixel(tmp_path):
    grid = builders.utm_grid(32624, 300, 30)
    rng = np.random.default_rng(5)
    hills = (300 + 200 * np.sin(np.indices(grid.shape.yx)[1] / 40) + rng.normal(0, 5, grid.shape.yx)).astype("float32")
    region = builders.region().patch(elevation=builders.cog(tmp_path / "dem.tif", hills, grid), geoid="25")
    item = grd_product.write(tmp_path / "x", TRACK, {"hv": ramp(1)}, noise=lambda p: 0.0 * p, gain=FLAT["gain"])
    cube = grd([item], region).compute()
    assert cube.geometry.item() == "range_doppler"
    assert float(cube.geolocation_sigma_m.item()) == 30.0
    from icefront_dask.cube.layers import region_layers

    height = region_layers(region, GRID_M).compute()
    np.testing.assert_array_equal(height.geoid, 25.0)
    lon, lat = lonlat(cube)
    pixel = (np.sqrt(cube.hv.values[0]) * GAIN - 1_000) / 100
    for row, column in ((5, 5), (45, 45), (80, 30)):
        above = float(height.elevation[row, column]) + 25
        assert pixel[row, column] == pytest.approx(TRACK.where(lon[row, column], lat[row, column], above)[1], abs=0.02)


def test_range_doppler_needs_an_elevation(tmp_path):
    item = grd_product.write(tmp_path, TRACK, {"hh": constant()})
    with (
        dask.config.set({"icefront.cube.grd_geometry": "range_doppler"}),
        pytest.raises(ConfigError, match="states no elevation"),
    ):
        grd([item])
    region = builders.region().patch(elevation=str(tmp_path / "dem.tif"))
    with dask.config.set({"icefront.cube.grd_geometry": "gcp_front_height"}):
        assert scenes([item], region)[0].geometry == "gcp_front_height"


def test_plain_control_points_pass_on_the_users_flag_only(tmp_path):
    item = grd_product.write(tmp_path, TRACK, {"hv": ramp(1)}, annotated=False, gcp_height_m=200.0)
    with pytest.raises(NotGeoreferencedError, match=r"grd_geometry to gcp"):
        grd([item])
    with dask.config.set({"icefront.cube.grd_geometry": "gcp"}):
        cube = grd([item]).compute()
    assert (cube.geometry.item(), float(cube.geolocation_sigma_m.item())) == ("gcp", 300.0)
    assert cube.attrs["calibration"] == "uncalibrated"
    lon, lat = lonlat(cube)
    pixel = (cube.hv.values[0] - 1_000) / 100
    # The points stand at 200 m, so sea level comes out 200 m · cot 35° off: this is what the flag accepts.
    assert pixel[45, 45] == pytest.approx(TRACK.where(lon[45, 45], lat[45, 45], 200.0)[1], abs=0.1)
    assert abs(pixel[45, 45] - TRACK.where(lon[45, 45], lat[45, 45], 0.0)[1]) * 40 > 200


def test_values_do_not_depend_on_blocks(tmp_path, rng):
    numbers = {"hh": (300 * np.sqrt(rng.gamma(10, 0.1, (TRACK.lines, TRACK.pixels)))).astype("uint16")}
    numbers["hh"][:, :90] = 0
    item = grd_product.write(tmp_path, TRACK, numbers)
    whole = grd([item]).compute()
    with dask.config.set({"icefront.cube.block_px": 37}):
        blocks = grd([item]).compute()
    np.testing.assert_array_equal(blocks.quality, whole.quality)
    np.testing.assert_allclose(blocks.hh, whole.hh, rtol=2e-3, atol=1e-6)
    assert (whole.quality & np.uint16(Quality.NODATA)).any()
    assert (whole.quality & np.uint16(Quality.BORDER_NOISE)).any()


def test_a_coarser_grid_averages_power_over_its_pixels(tmp_path, rng):
    power = rng.gamma(1.0, 1.0, (TRACK.lines, TRACK.pixels))
    item = grd_product.write(
        tmp_path, TRACK, {"hh": (1_000 * np.sqrt(power)).astype("uint16")}, noise=lambda p: 0.0 * p, gain=FLAT["gain"]
    )
    fine, coarse = grd([item]).compute().hh, grd([item], resolution=120).compute().hh
    assert float(coarse.mean()) == pytest.approx(float(fine.mean()), rel=0.05)
    assert float(coarse.var()) < 0.25 * float(fine.var())


def test_border_noise_of_old_products_is_masked_and_nothing_else(tmp_path, rng):
    """Left of pixel 100: zeros, then numbers far below the noise floor; right of it sea at the floor itself."""
    floor = 100.0  # squared digital numbers, so amplitude 10
    numbers = np.sqrt(rng.gamma(10, 0.1, (TRACK.lines, TRACK.pixels)) * floor).round().clip(1).astype("uint16")
    numbers[:, :60] = 0
    numbers[:, 60:100] = rng.integers(0, 4, (TRACK.lines, 40))
    kept = {}
    for legacy in (False, True):
        item = grd_product.write(
            tmp_path / str(legacy),
            TRACK,
            {"hh": numbers},
            noise=lambda p: 0.0 * p + floor,
            gain=FLAT["gain"],
            factor=1.0,
            legacy=legacy,
        )
        with dask.config.set({"icefront.cube.border_erosion_px": 0}):
            cube = grd([item]).compute()
        kept[legacy] = ~np.isnan(cube.hh.values[0])
    lon, lat = lonlat(cube)
    pixel = np.array([TRACK.where(a, b, 30.0)[1] for a, b in zip(lon.flat, lat.flat, strict=True)]).reshape(lon.shape)
    assert kept[False][(pixel > 62) & (pixel < 98)].mean() > 0.5
    assert not kept[True][pixel < 99].any()
    assert kept[True][pixel > 102].all()


def test_damaged_annotation_is_a_failed_read(tmp_path):
    item = grd_product.write(tmp_path, TRACK, {"hh": constant()})
    (tmp_path / "annotation" / "ew-hh.xml").write_text("<rfi/>")
    with pytest.raises(ReadError, match="expected the product file"):
        grd([item]).compute()
    flagged = grd([item], on_read_error="flag").compute()
    assert ((flagged.quality & np.uint16(Quality.READ_FAILED)) != 0).all()


def test_a_fabricated_transform_does_not_place_a_bare_image(s1, tmp_path):
    """Radar geometry declared as RTC, with the proj:transform that catalogues make up for it."""
    made_up = grd_product.write(tmp_path, TRACK, {"hh": constant()})
    item = copy.deepcopy(s1[0])
    item["assets"] = {"hh": {"href": made_up["assets"]["hh"]["href"]}}
    item["properties"]["proj:transform"] = made_up["properties"]["proj:transform"]
    with pytest.raises(NotGeoreferencedError, match="only ground control points"):
        grd([item]).compute()
    with rasterio.open(item["assets"]["hh"]["href"]) as dataset:
        assert dataset.crs is None


@pytest.mark.real
def test_real_annotation_places_a_pixel_where_its_control_point_stands(real_data, tmp_path):
    """One bright pixel at a control point of the real EW product must come out at the point's own coordinates."""
    from shapely.geometry import box

    from icefront_dask.cube.safe import parse_annotation
    from icefront_dask.regions import Region

    source = real_data / "s1-ew-safe-metadata" / "annotation"
    annotation = parse_annotation((source / "ew-hh.xml").read_bytes(), "real")
    gcps = annotation.gcps[(annotation.gcps[:, 0] > 4_000) & (annotation.gcps[:, 5] > 33)]
    line, pixel, longitude, latitude, height, _ = gcps[0]
    path = tmp_path / "ew-hh.tiff"
    profile = {"width": annotation.shape[1], "height": annotation.shape[0], "count": 1, "dtype": "uint16"}
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256, "SPARSE_OK": "TRUE", "compress": "deflate"}
    row, column = round(line), round(pixel)
    with rasterio.open(path, "w", driver="GTiff", **profile, **tiles) as dataset:
        window = rasterio.windows.Window(column - 150, row - 150, 300, 300)
        numbers = np.full((300, 300), 150, "uint16")
        numbers[150, 150] = 20_000
        dataset.write(numbers, 1, window=window)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True).transform(longitude, latitude)
    region = Region("arctic", box(x - 2_000, y - 2_000, x + 2_000, y + 2_000), "EPSG:3413")
    item = builders.item(
        "S1A_EW_GRDM_1SDH_20221130T014342", "sentinel-1-grd", region.geobox(40),
        {
            "hh": {"href": str(path)},
            "schema-calibration-hh": {"href": str(source / "calibration" / "calibration-ew-hh.xml")},
        },
        "2022-11-30T01:44:14Z", platform="sentinel-1a", **{"sar:pixel_spacing_range": 40.0},
    )  # fmt: skip
    with dask.config.set({"icefront.cube.freeboard_m": float(height)}):
        cube = load([item], region, "sentinel-1", resolution=20).compute()
    scene = np.nan_to_num(cube.hh.values[0])
    bright = scene > 0.3 * scene.max()
    rows, columns = np.nonzero(bright)
    weights = scene[bright]
    found = (np.average(cube.x.values[columns], weights=weights), np.average(cube.y.values[rows], weights=weights))
    rounding_m = 40 * np.hypot(line - row, pixel - column)
    assert np.hypot(found[0] - x, found[1] - y) < 6 + rounding_m  # a seventh of a pixel
    clutter = np.median(scene[scene > 0])
    gamma0_db = 10 * np.log10(clutter)
    assert -25 < gamma0_db < -15  # 150² less noise over 1300²

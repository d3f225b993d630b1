"""Pixels of simulated scenes: nodata, borders, quality bits, gaps, radiometry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import rasterio
import shapely
from scipy.ndimage import binary_dilation

from icefront_dask.simulate.plan import LandsatPlan, SentinelPlan
from icefront_dask.simulate.scenes import LANDSAT_SCALE, RTC_NODATA, landsat_scene, sentinel_scene

from .builders import flat_front, straight_place

SUMMER, WINTER = np.datetime64("2018-08-10T12:00:00"), np.datetime64("2018-02-10T12:00:00")


@pytest.fixture(scope="module")
def place():
    return straight_place(azimuth_deg=-30.0)


def sentinel(place, number=0, time=WINTER, **changes):
    plan = dataclasses.replace(SentinelPlan("sentinel-1a", 20_000, 1000.0, ascending=True, zone=25), **changes)
    return sentinel_scene(place, flat_front(100.0), plan, time, number)


def landsat(place, platform="landsat-8", number=0, time=SUMMER, cloud_share=0.0):
    plan = LandsatPlan(platform, str(time)[:10], 229, 12, cloud_share, "EPSG:32625")
    return landsat_scene(place, flat_front(100.0), plan, time, number)


@pytest.mark.parametrize("ascending", [True, False])
def test_beyond_the_swath_is_nodata_and_its_border_zero(place, ascending):
    scene = sentinel(place, cut=0.3, ascending=ascending)
    hh, hv = scene.bands["hh"], scene.bands["hv"]
    beyond = hh == RTC_NODATA
    assert beyond.mean() == pytest.approx(0.3, abs=0.01)
    # An ascending pass ends in the east, a descending one in the west.
    assert (np.nonzero(beyond)[1].mean() > hh.shape[1] / 2) == ascending
    zero = hh == 0
    assert 0 < zero.mean() < 0.05
    assert not (zero & ~binary_dilation(beyond, iterations=9)).any()
    np.testing.assert_array_equal(beyond, hv == RTC_NODATA)
    np.testing.assert_array_equal(scene.clear, hh > 0)
    frame = hh.size * 20.0**2
    assert scene.footprint.area / frame == pytest.approx(0.7, abs=0.01)
    rows, columns = np.nonzero(beyond)
    t = scene.grid.transform
    x, y = t.c + (columns + 0.5) * 20, t.f - (rows + 0.5) * 20
    assert shapely.contains_xy(scene.footprint, x, y).mean() < 0.01


def test_gamma0_is_linear_float32_with_levels_of_radar(place):
    scene = sentinel(place)
    hh, hv = scene.bands["hh"], scene.bands["hv"]
    assert hh.dtype == np.float32
    assert hh.min() > 0
    assert -30 < 10 * np.log10(np.median(hh)) < 0
    assert 3 < 10 * np.log10(np.median(hh) / np.median(hv)) < 14


def test_single_polarisation_has_one_band(place):
    one = dataclasses.replace(place, plan=dataclasses.replace(place.plan, polarisations=("hh",)))
    assert set(sentinel(one).bands) == {"hh"}


def test_same_number_same_pixels_other_number_others(place):
    np.testing.assert_array_equal(sentinel(place, 3).bands["hh"], sentinel(place, 3).bands["hh"])
    assert not np.array_equal(sentinel(place, 3).bands["hh"], sentinel(place, 4).bands["hh"])


def test_landsat_numbers_are_scaled_reflectance(place):
    scene = landsat(place)
    scale, offset = LANDSAT_SCALE
    nir = scene.bands["nir08"]
    assert nir.dtype == np.uint16
    valid = nir > 0
    reflectance = nir[valid] * scale + offset
    assert reflectance.min() >= 0
    assert reflectance.max() < 1.3
    green, swir = scene.bands["green"][valid] * scale + offset, scene.bands["swir16"][valid] * scale + offset
    bright = reflectance > 0.5
    assert (green - swir)[bright].mean() / (green + swir)[bright].mean() > 0.6  # snow: a high NDSI
    assert (scene.bands["qa_pixel"][~valid] == 1).all()
    np.testing.assert_array_equal(scene.clear, valid)  # no cloud was asked for


def test_quality_bits_are_those_of_collection_2(place):
    scene = landsat(place, cloud_share=0.4)
    qa = scene.bands["qa_pixel"]
    # What the USGS calls clear, snow or ice, high-confidence cloud and cloud shadow over land.
    assert {21824, 30048, 22280, 23888} <= set(np.unique(qa).tolist())
    cloud, shadow, snow, clear = (qa & 1 << bit > 0 for bit in (3, 4, 5, 6))
    dilated, fill = qa & 2 > 0, qa & 1 > 0
    np.testing.assert_array_equal(fill, qa == 1)
    np.testing.assert_array_equal(clear, ~cloud & ~dilated & ~fill)
    for flag, low in ((cloud, 8), (shadow, 10), (snow, 12)):
        np.testing.assert_array_equal((qa >> low & 3)[~fill], np.where(flag, 3, 1)[~fill])
    assert scene.facts["cloud_cover"] == pytest.approx(40, abs=15)
    assert not (scene.clear & shadow).any()


def test_quality_values_are_among_those_of_a_real_scene(place, real_data):
    (file,) = (real_data / "landsat-c2-decimated").rglob("*_QA_PIXEL.TIF")
    with rasterio.open(file) as source:
        real = set(np.unique(source.read(1)).tolist())
    values, counts = np.unique(landsat(place, cloud_share=0.4).bands["qa_pixel"], return_counts=True)
    share = (
        sum(n for v, n in zip(values.tolist(), counts, strict=True) if v in real or v & 2 or v == 21824) / counts.sum()
    )
    assert share > 0.9, values


def test_only_landsat_7_has_gaps_and_only_old_sensors_saturate(place):
    gaps = {
        p: (landsat(place, p, time=np.datetime64("2011-08-01T12:00:00")).bands["nir08"] == 0).mean()
        for p in ("landsat-5", "landsat-7", "landsat-8")
    }
    assert gaps["landsat-5"] <= 0.05
    assert gaps["landsat-8"] <= 0.05
    assert 0.05 < gaps["landsat-7"] < 0.45
    before = landsat(place, "landsat-7", time=np.datetime64("2002-08-01T12:00:00"))
    assert (before.bands["nir08"] == 0).mean() <= 0.05
    assert not landsat(place, "landsat-8").bands["qa_radsat"].any()
    old = [landsat(place, "landsat-5", number=n) for n in range(6)]
    levels = [np.unique(s.bands["nir08"]).size for s in old]
    assert max(levels) <= 257, "8-bit sensors have 256 levels"
    for scene in old:
        full = scene.bands["nir08"] >= round((1.0 - LANDSAT_SCALE[1]) / LANDSAT_SCALE[0])
        np.testing.assert_array_equal(scene.bands["qa_radsat"] & (1 << 3) > 0, full)


def test_a_cloud_hides_the_front_from_the_truth(place):
    assert landsat(place, cloud_share=0.9).clear.mean() < 0.2
    assert landsat(place, cloud_share=0.1).clear.mean() > 0.6

"""Layers and what sensors make of them: classes, distances, speckle, shadow, clouds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.landscape import draw_front, draw_landscape
from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK, draw_surface, make_layers
from icefront_dask.simulate.optical import cloud_masks, draw_sky, render_optical
from icefront_dask.simulate.sar import _shadow, _speckle, draw_radar, render_sar
from icefront_dask.simulate.table import OPTICAL, SAR, Range

PIXEL_M = 30.0


@pytest.fixture(scope="module")
def atlas():
    return Atlas.from_seed(11)


@pytest.fixture(scope="module", params=["outlet", "tongue", "ice_shelf"])
def place(request, atlas):
    rng = np.random.default_rng(2)
    landscape = draw_landscape(rng, atlas, request.param, 2400.0)
    front = draw_front(rng, 2400.0)
    surface = replace(draw_surface(rng, 2400.0, PIXEL_M), bergs=(), rift_m=None)
    rows, cols = np.mgrid[0:256, 0:256].astype(np.float32)
    x, y = (cols - 128) * PIXEL_M, (128 - rows) * PIXEL_M
    return make_layers(landscape, front, surface, x, y, PIXEL_M)


def test_classes_are_divided_by_the_front(place):
    sea, ice = place.kind == OCEAN, place.kind == GLACIER
    assert sea.any()
    assert ice.any()
    assert (place.front_m[sea] >= 0).all()
    assert (place.front_m[ice] < 0).all()


def test_distance_to_the_front_is_a_distance(place):
    """Near the front it agrees with the distance between pixel centres to within a pixel."""
    sea = place.kind == OCEAN
    distance = distance_transform_edt(place.kind != GLACIER) * PIXEL_M
    near = sea & (distance < 5 * PIXEL_M)
    assert near.sum() > 100
    difference = np.abs(place.front_m[near] - distance[near])
    assert np.median(difference) < PIXEL_M


def test_turning_layers_turns_all_of_them(place):
    turned = place.turned(1, flip=True)
    assert np.array_equal(turned.kind, np.rot90(place.kind)[:, ::-1])
    assert np.array_equal(turned.crevasse, np.rot90(place.crevasse)[:, ::-1])
    back = turned.turned(0, flip=True).turned(3, flip=False)
    assert np.array_equal(back.front_m, place.front_m)


def test_speckle_has_the_looks_that_it_should():
    rng = np.random.default_rng(0)
    radar = replace(draw_radar(rng), looks=4.4, smooth_px=0.0)
    image = _speckle(np.ones((600, 600), np.float32), radar, rng)
    assert image.mean() == pytest.approx(1, abs=0.01)
    assert image.mean() ** 2 / image.var() == pytest.approx(4.4, rel=0.03)


def test_correlated_speckle_keeps_its_mean_and_roughly_its_looks():
    rng = np.random.default_rng(1)
    radar = replace(draw_radar(rng), looks=10.0, smooth_px=0.7)
    image = _speckle(np.ones((600, 600), np.float32), radar, rng)
    assert image.mean() == pytest.approx(1, abs=0.01)
    assert image.mean() ** 2 / image.var() == pytest.approx(10, rel=0.35)
    assert np.corrcoef(image[:, :-1].ravel(), image[:, 1:].ravel())[0, 1] > 0.3


def test_radar_shadow_falls_behind_a_wall():
    elevation = np.zeros((3, 100), np.float32)
    elevation[:, 40] = 300.0
    shadow = _shadow(elevation, look=1, incidence_deg=45.0, pixel_m=30.0)
    assert np.flatnonzero(shadow[0]).tolist() == list(range(41, 50))
    mirrored = _shadow(elevation, look=-1, incidence_deg=45.0, pixel_m=30.0)
    assert np.flatnonzero(mirrored[0]).tolist() == list(range(31, 40))


def test_backscatter_is_finite_and_above_the_noise_floor(place):
    rng = np.random.default_rng(3)
    for _ in range(4):
        radar = draw_radar(rng)
        co, cross = render_sar(place, radar, rng, PIXEL_M)
        for band, floor in ((co, radar.floor_db[0]), (cross, radar.floor_db[1])):
            assert band.dtype == np.float32
            assert np.isfinite(band).all()
            assert band.min() >= 10 ** (floor / 10) * 0.999
        rock = place.kind == ROCK
        assert -30 < 10 * np.log10(np.median(co[~rock])) < 5


def test_reflectance_lies_in_its_range_and_clouds_brighten_or_shade(place):
    rng = np.random.default_rng(4)
    sky = draw_sky(rng, mix="water", cloud_share=0.3)
    opacity, shadow = cloud_masks(place.low, sky)
    assert opacity.mean() > 0.1
    assert not (shadow & (opacity >= 0.4)).any()
    clear = render_optical(place, sky, np.random.default_rng(5), PIXEL_M)
    cloudy = render_optical(place, sky, np.random.default_rng(5), PIXEL_M, (opacity, shadow))
    assert 0 <= clear.min() <= clear.max() <= 1.2
    dark = shadow & (opacity == 0) & (clear > 0.1)
    assert (cloudy[dark] < clear[dark]).all()


def test_ranges_are_ordered_and_interpolated():
    for low, typical, high in [(r.low, r.typical, r.high) for pair in SAR.values() for r in pair] + [
        (r.low, r.typical, r.high) for r in OPTICAL.values()
    ]:
        assert low < typical < high
    assert [Range(0, 1, 5).at(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [0, 0.5, 1, 3, 5]

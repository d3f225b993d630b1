"""Changes of images, each against what it should do by its definition."""

import numpy as np
import pytest
from affine import Affine

from icefront_dask.score.lines import apply_affine
from icefront_dask.score.perturb import MISSING, PERTURBATIONS, resampled, shadow_mask, stripe_mask

SHAPE = (60, 90)


@pytest.fixture
def image():
    rows, cols = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    data = (100 + rows + 0.5 * cols + np.random.default_rng(1).normal(0, 5, SHAPE)).astype(np.float32)[None]
    data[0, :4, :7] = np.nan
    return data


@pytest.fixture
def ocean():
    return np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][0] < 25


def changed(name, image, ocean=None, number=0):
    return PERTURBATIONS[name].change(image, ocean, number)


def test_bounds_are_those_asked_for():
    bounds = {name: change.bound for name, change in PERTURBATIONS.items()}
    assert bounds == {
        "dark-water": 1.3, "inverted": 1.3, "rotated": 1.2, "scaled": 1.2, "shadows": 1.5, "stripes": 1.5,
    }  # fmt: skip


def test_dark_water_is_dark_on_the_ocean_and_nothing_else_changes(image, ocean):
    found = changed("dark-water", image, ocean).data
    assert np.array_equal(found[0][~ocean], image[0][~ocean], equal_nan=True)
    assert np.array_equal(np.isnan(found), np.isnan(image))
    low, high = np.nanpercentile(image, [1, 99])
    water = found[0][ocean & np.isfinite(image[0])]
    assert np.mean(water) == pytest.approx(low, abs=0.01 * (high - low))
    assert np.std(water) == pytest.approx(0.03 * (high - low), rel=0.15)
    assert changed("dark-water", image) is None
    assert changed("dark-water", image, np.zeros(SHAPE, bool)) is None


def test_inverting_twice_gives_the_image_back(image):
    once = changed("inverted", image).data
    assert np.nanmin(once) == pytest.approx(np.nanmin(image))
    assert np.nanmax(once) == pytest.approx(np.nanmax(image))
    assert np.argmax(np.nan_to_num(once, nan=-1)) == np.argmin(np.nan_to_num(image, nan=1e9))
    np.testing.assert_allclose(changed("inverted", once).data, image, rtol=1e-5)


@pytest.mark.parametrize("degrees", [0.0, 90.0, 33.0, 217.5])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_a_plane_is_resampled_to_itself(degrees, scale):
    """Values of a plane are those at the place where a pixel comes from, and that is known in closed form."""
    rows, cols = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    plane = (3 * (cols + 0.5) - 2 * (rows + 0.5)).astype(np.float32)[None]
    found = resampled(plane, degrees, scale)
    height, width = found.data.shape[1:]
    turn = np.radians(degrees)
    expected = (
        abs(SHAPE[0] * np.cos(turn)) + abs(SHAPE[1] * np.sin(turn)),
        abs(SHAPE[1] * np.cos(turn)) + abs(SHAPE[0] * np.sin(turn)),
    )
    assert height == pytest.approx(scale * expected[0], abs=1)
    assert width == pytest.approx(scale * expected[1], abs=1)
    r, c = np.mgrid[0:height, 0:width] + 0.5
    origin = apply_affine(found.back, np.column_stack([c.ravel(), r.ravel()]))
    inside = ((origin > 4) & (origin < np.array(SHAPE[::-1]) - 4)).all(axis=1)
    values = found.data[0].ravel()
    assert inside.sum() > 0.5 * scale**2 * SHAPE[0] * SHAPE[1]
    np.testing.assert_allclose(values[inside], 3 * origin[inside, 0] - 2 * origin[inside, 1], atol=0.05)
    beyond = ((origin < -1) | (origin > np.array(SHAPE[::-1]) + 1)).any(axis=1)
    assert np.isnan(values[beyond]).all()


def test_turns_and_scales_cover_their_ranges_evenly(image):
    backs = [changed("rotated", image, number=n).back for n in range(40)]
    angles = np.sort([np.degrees(np.arctan2(-back.d, back.a)) % 360 for back in backs])
    gaps = np.diff(np.append(angles, angles[0] + 360))
    assert gaps.max() < 3 * 360 / 40
    scales = np.sort([changed("scaled", image, number=n).scale for n in range(40)])
    assert 0.5 <= scales[0] < 0.55
    assert 1.9 < scales[-1] <= 2
    assert np.diff(np.log(scales)).max() < 3 * np.log(4) / 40


def test_shadow_darkens_its_mask_to_thirty_percent(image):
    mask = shadow_mask(SHAPE, 7)
    assert 0.05 < mask.mean() < 0.7
    found = changed("shadows", image, number=7).data[0]
    low = np.nanpercentile(image, 0.5)
    assert np.array_equal(found[~mask], image[0][~mask], equal_nan=True)
    np.testing.assert_allclose(found[mask], low + 0.3 * (image[0][mask] - low), rtol=1e-5)


@pytest.mark.parametrize("number", range(3))
def test_stripes_take_out_their_share_in_wedges(image, number):
    gaps = stripe_mask((600, 900), number)
    assert gaps.mean() == pytest.approx(MISSING, abs=1e-3)
    assert gaps[:, 440:460].mean() < 0.3 * gaps[:, -20:].mean()
    column = gaps[:, -5]
    starts = np.flatnonzero(column[1:] & ~column[:-1])
    assert np.diff(starts) == pytest.approx(33, abs=1)
    found = changed("stripes", image, number=number).data[0]
    small = stripe_mask(SHAPE, number)
    assert np.isnan(found[small]).all()
    assert np.array_equal(found[~small], image[0][~small], equal_nan=True)


def test_what_moves_nothing_says_so(image, ocean):
    for name in ("dark-water", "inverted", "shadows", "stripes"):
        found = changed(name, image, ocean)
        assert found.back == Affine.identity()
        assert found.scale == 1

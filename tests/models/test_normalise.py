"""From bands to channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.models.normalise import CLIP, RobustScale, channels, robust_scale, seaward, to_decibel


def test_decibel_is_clipped_at_the_floor_and_keeps_nan():
    power = np.array([[1.0, 0.1, 0.0, np.nan]], np.float32)
    np.testing.assert_allclose(to_decibel(power, -30.0), [[0, -10, -30, np.nan]], atol=1e-5)


def test_scale_is_median_and_deviation_of_the_valid_pixels():
    band = np.array([[1, 2, 3, 4, 100, np.nan]], np.float32)
    scale = robust_scale(band)
    assert scale.median == 3
    assert scale.spread == pytest.approx(1.4826)


def test_scale_of_nothing_and_of_a_flat_band_is_usable():
    assert robust_scale(np.full((3, 3), np.nan, np.float32)) == RobustScale(0.0, 1.0)
    assert robust_scale(np.full((3, 3), 7, np.float32)) == RobustScale(7.0, 1.0)


@given(st.floats(0.1, 50), st.floats(-100, 100))
def test_scores_do_not_know_gain_and_offset(gain, offset):
    band = np.random.default_rng(0).normal(size=(24, 24)).astype(np.float32)
    np.testing.assert_allclose(channels(band)[0], channels((gain * band + offset).astype(np.float32))[0], atol=2e-3)


def test_invalid_pixels_are_zero_and_marked():
    band = np.arange(16, dtype=np.float32).reshape(4, 4)
    band[0] = np.nan
    x = channels(band, np.full_like(band, 2))
    assert x.shape == (3, 4, 4)
    assert (x[:, 0] == 0).all()
    assert (x[2, 1:] == 1).all()
    assert np.abs(x[0]).max() <= CLIP


def test_the_way_to_the_sea_is_the_bipolar_ratio_of_the_distances():
    way = seaward((5, 9), [((2, 0), (2, 8))])
    assert way.dtype == np.float32
    assert way[2].tolist() == pytest.approx([-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1])
    assert (way[:, 4] == 0).all()  # on the bisector
    np.testing.assert_array_equal(way, -seaward((5, 9), [((2, 8), (2, 0))]))


def test_of_several_flowlines_the_nearest_ends_count():
    near, far = ((2, 0), (2, 8)), ((400, 0), (400, 8))
    np.testing.assert_allclose(seaward((5, 9), [near, far]), seaward((5, 9), [near]))
    assert (seaward((5, 9), []) == 0).all()


def test_a_network_that_is_told_the_way_has_four_channels_and_validity_last():
    band = np.arange(20, dtype=np.float32).reshape(4, 5)
    band[0] = np.nan
    way = seaward(band.shape, [((0, 0), (3, 4))])
    x = channels(band, None, way)
    assert x.shape == (4, 4, 5)
    np.testing.assert_array_equal(x[2], way)
    np.testing.assert_array_equal(x[[0, 1, 3]], channels(band))

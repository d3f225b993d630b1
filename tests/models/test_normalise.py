"""From bands to channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.models.normalise import CLIP, RobustScale, channels, robust_scale, to_decibel


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

"""Cast shadows of training windows: they darken, keep what is missing, and fall on optical windows alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.train.augment import cast_shadows
from icefront_dask.train.batches import Batches
from icefront_dask.train.config import Mix, TrainConfig


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_shadow_darkens_towards_the_darkest_tone_and_keeps_what_is_missing(seed):
    rng = np.random.default_rng(seed)
    band = rng.normal(size=(64, 80)).astype(np.float32)
    band[:, :7] = np.nan
    low = np.nanpercentile(band, 0.5)
    shaded = cast_shadows(band, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.isnan(shaded), np.isnan(band))
    bright = band >= low
    assert (shaded[bright] <= band[bright] + 1e-6).all()
    assert (shaded[bright] >= low - 1e-6).all()


def test_a_shadow_is_neither_nowhere_nor_everywhere_on_most_draws():
    band = np.random.default_rng(0).uniform(1, 2, (128, 128)).astype(np.float32)
    shares = [float((cast_shadows(band, np.random.default_rng(seed)) < band - 0.01).mean()) for seed in range(40)]
    assert np.median(shares) > 0.1
    assert np.quantile(shares, 0.75) < 0.8


def test_a_window_without_a_valid_pixel_stays_so():
    assert np.isnan(cast_shadows(np.full((32, 32), np.nan, np.float32), np.random.default_rng(1))).all()


def _first(mix, shades, tmp_path):
    config = TrainConfig(
        name="shadows", out=tmp_path, mix=mix, cache=1, scene_px=160, crop_px=96, stop_after=1, holes=0, shades=shades
    )
    (batch,) = Batches(config)
    return [part.numpy() for part in batch]


def test_radar_is_not_shaded_and_targets_stay(tmp_path):
    radar = [_first(Mix(pairs=0, sar=1, optical=0), shades, tmp_path) for shades in (0, 1)]
    np.testing.assert_array_equal(radar[0][0], radar[1][0])
    optical = [_first(Mix(pairs=0, sar=0, optical=1), shades, tmp_path) for shades in (0, 1)]
    assert not np.array_equal(optical[0][0], optical[1][0])
    np.testing.assert_array_equal(optical[0][1], optical[1][1])


def test_half_of_the_shadows_have_straight_and_hard_edges():
    band = np.full((96, 96), 1, np.float32)
    band[:2] = 0  # the darkest tone
    hard = 0
    for seed in range(60):
        dark = 1 - cast_shadows(band, np.random.default_rng(seed))[2:]
        share = dark / max(float(dark.max()), 1e-6)
        inside = share > 0.5
        edges = np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(inside[:, 1:] != inside[:, :-1])
        hard += np.count_nonzero((share > 0.02) & (share < 0.98)) < 0.9 * edges
    assert 20 <= hard <= 40

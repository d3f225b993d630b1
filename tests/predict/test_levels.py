"""The fine pass at several levels: against plain means, at gaps, in parts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import zoom

from icefront_dask.models.normalise import channels, robust_scale
from icefront_dask.predict.levels import run_levels
from icefront_dask.predict.options import resolve_options
from icefront_dask.predict.passes import run_pass
from icefront_dask.predict.scene import predict_scene
from icefront_dask.predict.torch_engine import TorchEngine
from tests.predict.networks import BrightIce, bright_scene


def _options(**changes):
    return resolve_options(**{"engine": "torch-fp32", "tta": "none", "passes": "fine", **changes})


@pytest.fixture(scope="module")
def engine():
    return TorchEngine(BrightIce(), "torch-fp32", threads=1)


def _predict(scene, engine, **changes):
    options = _options(**changes)
    return predict_scene({"hh": scene}, pixel_size_m=20, calibration="gamma0", network=engine, options=options)


def test_levels_are_the_mean_of_predictions_of_means(engine):
    """By hand: xarray's coarsen, decibels, the scales of each level, and an interpolation of SciPy."""
    scene = bright_scene(96, 128, 50, noise=1)
    means = xr.DataArray(scene, dims=("y", "x")).coarsen(y=2, x=2).mean().values
    expected = []
    for layer in (scene, means):
        decibel = 10 * np.log10(layer)
        shown = channels(decibel, scale=robust_scale(decibel, limit=decibel.size))
        found = run_pass(shown, [engine], _options().settled(None))
        expected.append(zoom(found.ice, scene.shape[0] // len(layer), order=1, mode="nearest", grid_mode=True))
    result = _predict(scene, engine, levels=[1, 2])
    np.testing.assert_allclose(result.ice, np.mean(expected, axis=0), atol=2e-5)
    np.testing.assert_allclose(result.ice_std, np.std(expected, axis=0), atol=2e-4)
    assert result.ice_std.max() > 0.01


def test_means_see_through_noise(engine):
    scene = bright_scene(160, 160, 80, noise=1) * np.random.default_rng(3).exponential(size=(160, 160))
    truth = np.arange(160)[:, None] < 80
    errors = [np.abs(_predict(scene, engine, levels=levels).ice - truth).mean() for levels in ([1], [1, 2], [2, 4])]
    assert errors[2] < errors[1] < errors[0]


@pytest.mark.parametrize("levels", [[1], [1, 2], [2], [1, 3]])
def test_gaps_stay_gaps_and_spread_no_further(engine, levels):
    scene = bright_scene(101, 97, 50)
    scene[::7] = np.nan
    scene[60:, 70:] = np.nan
    result = _predict(scene, engine, levels=levels)
    assert np.array_equal(np.isnan(result.ice), np.isnan(scene))
    assert np.array_equal(np.isnan(result.front), np.isnan(scene))
    assert np.array_equal(np.isnan(result.ice_std), np.isnan(scene))


def test_a_level_without_a_valid_pixel_leaves_it_to_the_others(engine):
    """A valid pixel in sixteen is too few for a mean of 4 x 4."""
    scene = np.full((64, 64), np.nan, np.float32)
    scene[::4, ::4] = bright_scene(16, 16, 8)
    both, one = (_predict(scene, engine, levels=levels) for levels in ([1, 4], [1]))
    np.testing.assert_array_equal(both.ice, one.ice)


@pytest.mark.parametrize("levels", [[1, 2], [1, 3], [1, 2, 4]])
def test_parts_give_what_the_whole_gives(engine, levels):
    scene = bright_scene(330, 290, 140, noise=1)
    whole = _predict(scene, engine, levels=levels, one_tile_px=64, block_px=1024)
    parts = _predict(scene, engine, levels=levels, one_tile_px=64, block_px=128)
    assert parts.computed_pixels > whole.computed_pixels
    np.testing.assert_allclose(parts.ice, whole.ice, atol=1e-5)
    np.testing.assert_allclose(parts.front, whole.front, atol=1e-5)
    np.testing.assert_allclose(parts.ice_std, whole.ice_std, atol=1e-3)


def test_only_what_is_needed_is_computed(engine):
    shown = {level: np.ones((3, 640 // level, 640 // level), np.float32) for level in (1, 2)}
    needed = np.zeros((640, 640), bool)
    needed[320:324, 100:540] = True
    settled = _options(tile_px=96).settled(None)
    some, everything = (run_levels(shown, [engine], settled, wanted) for wanted in (needed, np.ones_like(needed)))
    assert some.computed_pixels < 0.5 * everything.computed_pixels
    assert np.array_equal(np.isfinite(some.ice), needed)
    np.testing.assert_allclose(some.ice[needed], everything.ice[needed], atol=1e-5)

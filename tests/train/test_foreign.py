"""Random looks: any texture is normalised, scenes keep their truth, and only the share asked for is changed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK
from icefront_dask.simulate.sar import draw_radar, render_sar
from icefront_dask.train.foreign import bare, bare_looks, foreign_looks, random_texture
from icefront_dask.train.simulated import Drawn, SceneCache, sar_sample


@pytest.fixture(scope="module")
def cache():
    cache = SceneCache(41_000_000, 4, 160, Drawn((28, 120)))
    for _ in range(4):
        cache.draw()
    return cache


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(16, 96), width=st.integers(16, 96))
def test_a_texture_has_no_mean_and_unit_variance_whatever_is_drawn(seed, height, width):
    texture = random_texture(np.random.default_rng(seed), (height, width))
    assert texture.shape == (height, width)
    assert texture.dtype == np.float32
    assert np.isfinite(texture).all()
    assert abs(float(texture.mean())) < 1e-3
    assert float(texture.std()) == pytest.approx(1, abs=1e-3)


def test_textures_differ_in_grain():
    """The distance at which neighbours no longer agree spans at least a factor of four over draws."""
    lengths = []
    for seed in range(40):
        texture = random_texture(np.random.default_rng(seed), (128, 128))
        power = np.abs(np.fft.fft2(texture)) ** 2
        k = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
        lengths.append(1 / (float((power * k).sum()) / float(power.sum())))
    assert max(lengths) > 4 * min(lengths)


def test_rock_always_has_looks_of_its_own_and_the_others_at_times(cache):
    layers, *_ = cache.window(np.random.default_rng(1), 128)
    changed = dict.fromkeys((OCEAN, GLACIER, ROCK), 0)
    for seed in range(40):
        added = foreign_looks(layers, np.random.default_rng(seed))
        for kind in changed:
            changed[kind] += bool(np.any(added[layers.kind == kind] != 0))
    assert changed[ROCK] == 40
    assert 8 < changed[OCEAN] < 32
    assert 8 < changed[GLACIER] < 32


def test_the_truth_of_a_scene_stays_and_its_looks_change(cache):
    plain = sar_sample(cache, np.random.default_rng(5), 128)
    same = sar_sample(cache, np.random.default_rng(5), 128, 0.0)
    foreign = sar_sample(cache, np.random.default_rng(5), 128, 1.0)
    np.testing.assert_array_equal(plain.primary, same.primary)
    np.testing.assert_array_equal(plain.ice, foreign.ice)
    np.testing.assert_array_equal(plain.front, foreign.front)
    assert not np.array_equal(plain.primary, foreign.primary)
    assert np.isfinite(foreign.primary).all()


def test_nothing_but_its_random_texture_tells_a_bare_surface(cache):
    """Without relief, cliff and speckle glacier and sea are what was added to their levels."""
    rng = np.random.default_rng(2)
    windows = (cache.window(rng, 128) for _ in range(40))
    layers, scene, *_ = next(found for found in windows if (found[0].kind == GLACIER).sum() > 4000)
    calm = replace(bare(draw_radar(rng)), cliff=0.0, false_cliff=None, looks=1e7, smooth_px=0.0, ramp_db_per_px=0.0)
    calm = replace(calm, floor_db=(-99.0, -99.0), rift=0.0, dry_delta=(0.0, 0.0))
    looks = bare_looks(layers, np.random.default_rng(3))
    flat, textured = (render_sar(layers, calm, rng, scene.pixel_m, 0.0, added)[0] for added in (None, looks))
    ice = (layers.kind == GLACIER) & (layers.elevation < 200)
    db = 10 * np.log10(np.stack([flat, textured])[:, ice])
    sunlit = db[0] > db[0].max() - 1  # not behind a mountain
    assert sunlit.sum() > 500
    assert np.ptp(db[0][sunlit]) < 0.1
    np.testing.assert_allclose((db[1] - db[0])[sunlit], looks[ice][sunlit], atol=0.1)


def test_bare_windows_are_a_share_of_the_foreign_ones(cache):
    plain, bare_ones = (
        [sar_sample(cache, np.random.default_rng(seed), 96, 1.0, share).primary for seed in range(40)]
        for share in (0.0, 0.5)
    )
    again = [sar_sample(cache, np.random.default_rng(seed), 96, 1.0).primary for seed in range(40)]
    assert all(np.array_equal(a, b) for a, b in zip(plain, again, strict=True))
    assert all(not np.array_equal(a, b) for a, b in zip(plain, bare_ones, strict=True))

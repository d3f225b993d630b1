"""Random looks: any texture is normalised, scenes keep their truth, and only the share asked for is changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK
from icefront_dask.train.foreign import foreign_looks, random_texture
from icefront_dask.train.simulated import SceneCache, sar_sample


@pytest.fixture(scope="module")
def cache():
    cache = SceneCache(41_000_000, 4, 160, (28, 120))
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

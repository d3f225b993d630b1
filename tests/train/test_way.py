"""What a network is told about the way to the sea agrees with what it is taught."""

from pathlib import Path

import numpy as np
import pytest

from icefront_dask.train.augment import augment
from icefront_dask.train.pairs import read_pairs, restyle, window
from icefront_dask.train.sample import Sample
from icefront_dask.train.simulated import Drawn, SceneCache, optical_sample, sar_sample

SIZE = 160


@pytest.fixture(scope="module")
def cache():
    held = SceneCache(4_700_000, 8, 200, Drawn((40.0, 120.0), 0.15))
    for _ in range(8):
        held.draw()
    return held


def leaning(samples):
    """Mean way over ocean less that over ice, of the samples which show both."""
    found = []
    for sample in samples:
        ice, ocean = (sample.ice > 0) & (sample.weight > 0), (sample.ice == 0) & (sample.weight > 0)
        if min(ice.sum(), ocean.sum()) > 500:
            found.append(sample.way[ocean].mean() - sample.way[ice].mean())
    return np.array(found)


@pytest.mark.parametrize("draw", [sar_sample, optical_sample])
def test_simulated_ocean_lies_on_the_seaward_side(cache, draw):
    rng = np.random.default_rng(1)
    found = leaning(draw(cache, rng, SIZE) for _ in range(24))
    assert len(found) > 10
    assert (found > 0).mean() > 0.9


@pytest.mark.real
def test_real_ocean_lies_on_the_seaward_side(real_data):
    pairs = read_pairs(Path(real_data) / "greenland-landsat-fronts", ("sverdrup",))
    rng = np.random.default_rng(2)
    found = leaning(window(pair, rng, 320, restyle(pair, rng)) for pair in pairs)
    assert len(found) > 10
    assert (found > 0).all()


def test_a_share_of_the_windows_is_told(cache):
    rng = np.random.default_rng(3)
    sample = sar_sample(cache, rng, SIZE)
    told = [np.any(augment(sample, rng, 0.0, 0.5)[0][2]) for _ in range(200)]
    assert 0.4 < np.mean(told) < 0.6
    assert not np.any(augment(sample, rng, 0.0, 0.0)[0][2])
    assert augment(sample, rng, 0.0)[0].shape[0] == 3


def test_a_told_window_differs_in_that_channel_alone(cache):
    sample = optical_sample(cache, np.random.default_rng(4), SIZE)
    blind, told = (augment(sample, np.random.default_rng(5), 0.5, share)[0] for share in (0.0, 1.0))
    plain = augment(sample, np.random.default_rng(5), 0.5)[0]
    np.testing.assert_array_equal(blind[[0, 1, 3]], told[[0, 1, 3]])
    np.testing.assert_array_equal(plain, told[[0, 1, 3]])
    np.testing.assert_array_equal(told[2], sample.way)


def test_a_sample_without_a_way_is_told_nothing():
    flat = np.zeros((32, 32), np.float32)
    x, _, _ = augment(Sample(flat, None, flat, flat, flat), np.random.default_rng(0), 0.0, 1.0)
    assert x.shape == (4, 32, 32)
    assert not x[2].any()

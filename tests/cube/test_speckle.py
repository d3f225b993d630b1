from __future__ import annotations

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.cube import load
from icefront_dask.cube.speckle import HALO_PX, enl, multitemporal, refined_lee
from icefront_dask.errors import ConfigError, InputError
from tests.cube import builders


def speckle(rng, shape, looks, level=1.0):
    return (level * rng.gamma(looks, 1 / looks, shape)).astype("float32")


@pytest.mark.parametrize("looks", [4.4, 10.7])
def test_the_mean_is_kept_and_looks_are_gained(rng, looks):
    """Over a homogeneous area of 160 000 pixels; half a window of 7 × 7 holds 28 pixels."""
    power = speckle(rng, (400, 400), looks, 0.1)
    filtered = refined_lee(power, looks)
    inner = np.s_[HALO_PX:-HALO_PX, HALO_PX:-HALO_PX]
    assert filtered.dtype == np.float32
    assert filtered[inner].mean() == pytest.approx(power[inner].mean(), rel=0.01)
    assert enl(power) == pytest.approx(looks, rel=0.05)
    gain = enl(filtered[inner]) / enl(power)
    assert 4 < gain < 28  # more than four times; not more than the pixels that enter


@pytest.mark.parametrize("angle", [0, 45, 90, 135])
def test_an_edge_stays_where_it_is_and_as_sharp_as_it_was(rng, angle):
    """Ice 6 dB above the water: a mean over 7 × 7 pixels spreads the step over seven, this filter hardly at all."""
    y, x = np.indices((300, 300)) - 149.5
    across = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    truth = np.where(across > 0, 0.4, 0.1)
    filtered = refined_lee((truth * rng.gamma(10.7, 1 / 10.7, truth.shape)).astype("float32"), 10.7)
    profile = [filtered[np.abs(across - at) <= 0.75].mean() for at in (-20, -3, 3, 20)]
    assert profile[1] == pytest.approx(profile[0], rel=0.15)
    assert profile[2] == pytest.approx(profile[3], rel=0.15)
    assert profile[3] / profile[0] == pytest.approx(4.0, rel=0.05)


def test_no_speckle_nothing_to_do():
    smooth = np.full((40, 40), 0.25, "float32")
    np.testing.assert_allclose(refined_lee(smooth, 4.4), smooth, rtol=1e-6)
    strong = smooth.copy()
    strong[20, 20] = 100.0  # a point of many times the clutter is signal
    assert refined_lee(strong, 10.7)[20, 20] > 50


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), cut=st.integers(8, 40))
def test_a_block_with_its_halo_equals_the_whole(seed, cut):
    rng = np.random.default_rng(seed)
    power = speckle(rng, (60, 60), 4.4)
    power[rng.random(power.shape) < 0.05] = np.nan
    whole = refined_lee(power, 4.4)
    part = refined_lee(power[: cut + HALO_PX], 4.4)
    np.testing.assert_allclose(part[:cut], whole[:cut], rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(whole), np.isnan(power))


def test_nodata_takes_no_part(rng):
    power = speckle(rng, (60, 60), 4.4, 0.1)
    power[:, 30:] = np.nan
    filtered = refined_lee(power, 4.4)
    assert np.isnan(filtered[:, 30:]).all()
    assert filtered[5:-5, 25:30].mean() == pytest.approx(0.1, rel=0.1)
    assert np.isnan(refined_lee(np.full((9, 9), np.nan, "float32"), 4.4)).all()


def test_no_filter_over_dates_near_a_fjord(rng):
    power = speckle(rng, (10, 60, 60), 4.4, 0.1)
    far = np.full((60, 60), 3_000.0)
    filtered = multitemporal(power, far, 4.4)
    assert filtered.mean() == pytest.approx(power.mean(), rel=0.03)
    inner = filtered[0, 5:-5, 5:-5]
    assert enl(inner) > 1.5 * enl(power[0])
    far[30, 30] = 2_999.0
    with pytest.raises(InputError, match=r"3000 m of a fjord \(here the nearest pixel lies at 2999 m\)"):
        multitemporal(power, far, 4.4)
    with pytest.raises(InputError, match="unknown"):
        multitemporal(power, None, 4.4)


def test_a_cube_is_filtered_where_that_is_asked_for_and_otherwise_never(s1):
    plain = load(s1, builders.region(), "sentinel-1", resolution=20).compute()
    with dask.config.set({"icefront.cube.speckle": "refined_lee"}):
        whole = load(s1, builders.region(), "sentinel-1", resolution=20).compute()
        with dask.config.set({"icefront.cube.block_px": 64}):
            blocks = load(s1, builders.region(), "sentinel-1", resolution=20).compute()
    assert enl(whole.hh.values[0]) > 1.5 * enl(plain.hh.values[0])
    assert float(whole.hh.mean()) == pytest.approx(float(plain.hh.mean()), rel=0.02)
    np.testing.assert_array_equal(whole.quality, plain.quality)
    # Blocks are read by GDAL on transforms that differ a little, and an edge may be seen otherwise here and there.
    assert np.median(np.abs(blocks.hh - whole.hh) / whole.hh) < 1e-3
    with dask.config.set({"icefront.cube.speckle": "median"}), pytest.raises(ConfigError, match="none, refined_lee"):
        load(s1, builders.region(), "sentinel-1", resolution=20)

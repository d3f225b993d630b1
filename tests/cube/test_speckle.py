from __future__ import annotations

import dask
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from icefront_dask.catalog import Items
from icefront_dask.cube import load, read_scenes, scenes
from icefront_dask.cube.speckle import FJORD_M, HALO_PX, enl, multitemporal, refined_lee
from icefront_dask.errors import ConfigError, InputError
from icefront_dask.runs.steps import write_cube
from tests.cube import builders
from tests.helpers import raise_if_dask_computes


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


@pytest.mark.parametrize("looks", [4.4, 10.7])
def test_over_dates_the_mean_is_kept_and_looks_grow_with_the_dates(rng, looks):
    """Of independent dates: more looks with each, and at most so many times more as there are dates."""
    power = speckle(rng, (16, 120, 120), looks, 0.1)
    filtered = {n: multitemporal(power[:n], FJORD_M, looks)[:, HALO_PX:-HALO_PX, HALO_PX:-HALO_PX] for n in (4, 16)}
    assert filtered[16].dtype == np.float32
    for n, found in filtered.items():
        np.testing.assert_allclose(found.mean(axis=(1, 2)), power[:n].mean(axis=(1, 2)), rtol=0.03)
        assert 0.4 * n < enl(found[0]) / enl(power[0]) < n


def test_over_dates_each_date_keeps_its_own_level_and_its_nodata(rng):
    levels = np.array([0.05, 0.2, 0.8], "float32")
    power = speckle(rng, (3, 120, 120), 10.7) * levels[:, None, None]
    power[1, :, 60:] = np.nan
    filtered = multitemporal(power, FJORD_M, (10.7, 4.4, 10.7))
    np.testing.assert_allclose(np.nanmean(filtered, axis=(1, 2)), levels, rtol=0.03)
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(power))


def test_no_filter_over_dates_near_a_fjord(rng):
    power = speckle(rng, (2, 20, 20), 4.4, 0.1)
    for distance_m, where in (
        (2_999.4, "the nearest pixel lies at 2999 m"),
        (np.nan, "the nearest pixel lies at nan m"),
        (None, "no fjord is"),
    ):
        with pytest.raises(InputError, match=rf"within 3000 m of a fjord \({where}.*use refined_lee"):
            multitemporal(power, distance_m, 4.4)


def dates(tmp_path, rng, count):
    """Items of one place on several dates: independent speckle over one level."""
    grid = builders.utm_grid(32624, 480, 10)
    return [
        builders.s1_item(
            tmp_path,
            f"S1A_IW_GRDH_1SDH_{number:02d}_rtc",
            {"hh": builders.speckle(rng, grid.shape.yx)},
            grid,
            datetime=f"2018-06-{number + 1:02d}T20:15:32Z",
        )
        for number in range(count)
    ]


def fjord_at(region, distance_m):
    """A square so many metres, on the ground, east of a region's grid."""
    east, north = region.geobox(20).boundingbox.right, region.outline.centroid.y
    near = east + distance_m * region.scale_factor
    return box(near, north - 500, near + 1_000, north + 500)


def test_a_cube_is_filtered_over_dates_far_from_its_fjord(tmp_path, rng):
    """Lazily, and the same in blocks as over the whole."""
    region = builders.region()
    found = dates(tmp_path, rng, 4)
    far = {"resolution": 20, "speckle": "multitemporal", "fjord": fjord_at(region, 3_001)}
    plain = load(found, region, "sentinel-1", resolution=20).compute()
    with raise_if_dask_computes():
        lazy = load(found, region, "sentinel-1", **far)
    assert set(lazy.hh.chunksizes["time"]) == {1}
    filtered = lazy.compute()
    assert filtered.hh.dtype == np.float32
    np.testing.assert_array_equal(filtered.hh, multitemporal(plain.hh.to_numpy(), FJORD_M, 4.4))
    np.testing.assert_array_equal(filtered.quality, plain.quality)
    assert float(filtered.hh.mean()) == pytest.approx(float(plain.hh.mean()), rel=0.03)
    assert enl(filtered.hh.values[0]) > 2 * enl(plain.hh.values[0])
    with dask.config.set({"icefront.cube.block_px": 64}):
        blocks = load(found, region, "sentinel-1", **far).compute()
    assert np.median(np.abs(blocks.hh - filtered.hh) / filtered.hh) < 1e-3


def test_a_cube_near_its_fjord_is_refused_before_anything_is_read(s1):
    region = builders.region()
    within = region.patch(fjord=region.outline.buffer(-1_000))
    cases = (
        (region, None, "no fjord is stated"),
        (within, None, "the nearest pixel lies at 0 m"),
        (region, fjord_at(region, 2_995), "the nearest pixel lies at 2995 m"),
    )
    with dask.config.set({"icefront.cube.speckle": "multitemporal"}), raise_if_dask_computes():
        for place, fjord, where in cases:
            with pytest.raises(InputError, match=where):
                load(s1, place, "sentinel-1", resolution=20, fjord=fjord)


def test_scenes_that_are_read_one_by_one_are_not_filtered_over_dates(s1, tmp_path):
    region = builders.region()
    with dask.config.set({"icefront.cube.speckle": "multitemporal"}):
        with pytest.raises(ConfigError, match=r"multitemporal is not for cubes that fronts are traced in"):
            read_scenes(scenes(s1, region), region.geobox(20), ["hh"])
        with pytest.raises(ConfigError, match="set it to refined_lee or none"):
            write_cube(Items.from_dicts(s1), region, "sentinel-1", tmp_path / "cube.zarr")
    assert not (tmp_path / "cube.zarr").exists()


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
    with (
        dask.config.set({"icefront.cube.speckle": "median"}),
        pytest.raises(ConfigError, match="none, refined_lee, multitemporal"),
    ):
        load(s1, builders.region(), "sentinel-1", resolution=20)

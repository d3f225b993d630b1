"""A fjord that is drawn strip by strip is the one that is drawn at once, and is never held whole."""

from __future__ import annotations

import tracemalloc
from unittest import mock

import dask.array as da
import numpy as np
import rioxarray  # noqa: F401  registers data.rio
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from icefront_dask.predict import fjord as module
from icefront_dask.predict import segment
from icefront_dask.predict.context import coarse_inside, fjord_width_m
from icefront_dask.predict.fjord import Fjord, row_strips
from icefront_dask.regions import Region
from tests.predict.networks import save_model


def _fjord(seed: int, shape: tuple[int, int]) -> Fjord:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.2, 1.2, (6, 2)) * np.array([shape[1], shape[0]]) * 20
    outline = shapely.MultiPoint(corners * [1, -1]).convex_hull
    return Fjord(outline.wkb, shape, (20.0, 0.0, 0.0, 0.0, -20.0, 0.0))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.integers(1, 9),
    st.sampled_from([1, 700, 2**20]),
)
def test_strips_are_the_whole(seed: int, shape: tuple[int, int], factor: int, strip_px: int) -> None:
    fjord = _fjord(seed, shape)
    whole = fjord.mask()
    assert whole.shape == shape
    width, inside = fjord_width_m(whole, 20.0), coarse_inside(whole, factor)
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(0, shape[0], 30), rng.integers(0, shape[1], 30)
    with mock.patch.object(module, "_STRIP_PX", strip_px):
        strips = list(row_strips(fjord, factor))
        assert all(start % factor == 0 for start, _ in strips)
        np.testing.assert_array_equal(np.concatenate([strip for _, strip in strips]), whole)
        np.testing.assert_array_equal(fjord[rows, columns], whole[rows, columns])
        assert fjord_width_m(fjord, 20.0) == width
        found = coarse_inside(fjord, factor)
    assert (found is None) == (inside is None) == (not whole.any())
    if found is not None and inside is not None:
        np.testing.assert_array_equal(found, inside)


def test_building_the_graph_of_a_large_scene_holds_no_mask_of_it(tmp_path) -> None:
    side = 12_000
    where = {"y": -20.0 * np.arange(side), "x": 20.0 * np.arange(side)}
    pixels = da.zeros((side, side), chunks=4096, dtype="float32")
    cube = xr.Dataset({"hh": (("y", "x"), pixels)}, where, {"calibration": "gamma0"}).rio.write_crs("EPSG:3413")
    outline = shapely.box(*cube.rio.bounds())
    fjord = shapely.box(40_000, -200_000, 90_000, -30_000)
    flow = shapely.LineString([(60_000, -20_000), (60_000, -220_000)])
    region = Region("wide", outline, "EPSG:3413", fjord=fjord, flowlines=(flow,))
    model = save_model(tmp_path, "wide")
    segment(cube, model=model, region=region, engine="torch-fp32")
    tracemalloc.start()
    segment(cube, model=model, region=region, engine="torch-fp32")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * side**2  # bytes; the mask has one a pixel

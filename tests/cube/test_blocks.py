"""What failed reads and untrue items do to a block and a scene."""

from __future__ import annotations

import copy

import dask
import numpy as np
import pytest
import rasterio

from icefront_dask.cube import Quality, ReadOptions, read_scenes, scenes
from icefront_dask.errors import GridError
from tests.cube import builders
from tests.cube.test_lazy import broken, sar


def test_skipping_takes_the_whole_scene_and_leaves_the_others(s1, tmp_path):
    items = [broken(s1[0], tmp_path, "hv"), s1[1]]
    found, grid = scenes(items), builders.region().geobox(20)
    arrays = read_scenes(found, grid, ("hh", "hv"), ReadOptions.resolve(on_read_error="skip", block_px=64))
    with dask.config.set({"icefront.cube.block_px": 64}):
        good = sar(s1).compute()
    assert (arrays["quality"][0] == Quality.NODATA | Quality.READ_FAILED).all()
    assert np.isnan(arrays["hh"][0]).all()
    np.testing.assert_array_equal(arrays["hh"][1], good.hh[1])
    assert not arrays["quality"][1].any()
    lazy = sar(items, on_read_error="skip").compute()
    np.testing.assert_array_equal(lazy.quality, arrays["quality"])
    np.testing.assert_allclose(lazy.hv, arrays["hv"], atol=2e-3)  # another block size


@pytest.mark.parametrize("reader", ["odc", "stackstac"])
def test_a_transform_that_is_not_the_files_own_is_caught(s1, reader):
    item = s1[0]
    with rasterio.open(item["assets"]["hh"]["href"], driver="GTiff") as dataset:
        header = list(dataset.transform)
    item["properties"]["proj:transform"] = header
    expected = sar([s1[1]], reader=reader).compute()
    good = sar([item], reader=reader).compute()
    moved = copy.deepcopy(item)
    moved["properties"]["proj:transform"] = [*header[:2], header[2] + 45.0, *header[3:]]
    with pytest.raises(GridError, match=rf"{item['id']}.*4\.5 pixels apart.*on_grid_mismatch"):
        sar([moved], reader=reader, on_read_error="flag").compute()
    with dask.config.set({"icefront.cube.on_grid_mismatch": "header"}):
        np.testing.assert_array_equal(sar([moved], reader=reader).compute().hh, good.hh)
    assert expected.hh.shape == good.hh.shape

from __future__ import annotations

import shutil

import numpy as np
import pytest
import xarray as xr

from icefront_dask.cube import CubeStore, create_store, open_cube, open_layers, region_layers, scenes, write_layers
from icefront_dask.cube import layers as module
from icefront_dask.errors import StoreError
from tests.cube import builders, writers
from tests.cube.writers import REGION, RESOLUTION_M, items
from tests.helpers import raise_if_dask_computes


@pytest.fixture
def region(tmp_path):
    """Helheim with a plane as elevation, in UTM, and a geoid in degrees."""
    grid = builders.utm_grid(32624, 300, 30)
    plane = np.add.outer(np.arange(300.0), 2 * np.arange(300.0)).astype("float32")
    plane[:20] = -9999
    elevation = builders.cog(tmp_path / "dem.tif", plane, grid, nodata=-9999)
    return REGION.patch(elevation=elevation, geoid="41.5")


@pytest.fixture
def cube(tmp_path):
    found = scenes(items()[:1], REGION, "sentinel-1")
    return create_store(tmp_path / "cube", found, REGION, "sentinel-1", REGION.geobox(RESOLUTION_M), ("hh",))


def test_layers_are_kept_as_they_were_aligned_and_opened_lazily(cube, region):
    write_layers(cube, region)
    with raise_if_dask_computes():
        found = open_layers(cube.url, region=region, family="sentinel-1")
    module.read_elevation.cache_clear()
    xr.testing.assert_identical(found.compute(), region_layers(region, RESOLUTION_M).compute())
    assert np.isfinite(found.elevation).any()
    np.testing.assert_array_equal(found.x, open_cube(cube).x)
    np.testing.assert_array_equal(found.y, open_cube(cube).y)
    assert {name: layer.dtype for name, layer in found.data_vars.items()} == dict.fromkeys(found, np.dtype("float32"))


def test_they_are_aligned_once(cube, region, tmp_path, monkeypatch):
    reads = []
    read = module._read
    monkeypatch.setattr(module, "_read", lambda *args: reads.append(args[0]) or read(*args))
    module.read_elevation.cache_clear()
    write_layers(cube, region)
    before = writers.content(cube.url)
    module.read_elevation.cache_clear()
    write_layers(cube, region)
    assert reads == [region.elevation]
    assert writers.content(cube.url) == before
    # Unfinished ones, as a kill leaves them, are made anew and the same.
    (mark,) = (tmp_path / "cube").rglob("layers/zarr.json")
    mark.write_text(mark.read_text().replace('"icefront_layers"', '"other"'))
    (mark.parent / "elevation" / "zarr.1f.partial").write_text("{")
    write_layers(cube, region)
    assert writers.content(cube.url) == before


def test_layers_of_other_files_are_not_mixed(cube, region, tmp_path):
    write_layers(cube, region)
    shutil.copy(region.elevation, tmp_path / "other.tif")
    with pytest.raises(StoreError, match=r"holds the layers elevation .*dem\.tif, .* states elevation .*other\.tif"):
        write_layers(cube, region.patch(elevation=str(tmp_path / "other.tif")))
    with pytest.raises(StoreError, match="holds no layers: its region stated neither"):
        open_layers(CubeStore(str(tmp_path / "cube"), "helheim/landsat"))


def test_a_region_without_layers_writes_none(cube):
    before = writers.content(cube.url)
    write_layers(cube, REGION)
    assert writers.content(cube.url) == before
    with pytest.raises(StoreError, match="add their hrefs"):
        open_layers(cube)

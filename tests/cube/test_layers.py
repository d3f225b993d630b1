from __future__ import annotations

import numpy as np
import pytest

from icefront_dask.catalog.access import Access
from icefront_dask.cube import layers as module
from icefront_dask.cube import region_layers
from icefront_dask.cube.layers import COPERNICUS, copernicus_tiles, read_elevation
from icefront_dask.errors import InputError, ReadError
from icefront_dask.regions import Region, read_regions, write_regions
from tests.cube import builders
from tests.helpers import raise_if_dask_computes


@pytest.fixture
def region(tmp_path):
    """Helheim with a plane as elevation, in UTM, and a geoid in degrees."""
    grid = builders.utm_grid(32624, 300, 30)
    column, row = np.meshgrid(np.arange(300), np.arange(300))
    plane = (100 + 2.0 * column + 1.0 * row).astype("float32")
    plane[:20] = -9999
    elevation = builders.cog(tmp_path / "dem.tif", plane, grid, nodata=-9999)
    return builders.region().patch(elevation=elevation, geoid="41.5")


def test_layers_lie_lazily_on_the_regions_grid(region):
    with raise_if_dask_computes():
        ground = region_layers(region, 20)
    assert ground.elevation.shape == region.geobox(20).shape.yx
    assert ground.elevation.dtype == np.float32
    assert ground.attrs["proj:code"] == "EPSG:3413"
    assert ground.elevation.attrs["standard_name"] == "surface_altitude"
    computed = ground.compute()
    np.testing.assert_array_equal(computed.geoid, 41.5)
    from pyproj import Transformer

    x, y = np.meshgrid(computed.x.values, computed.y.values)
    grid = builders.utm_grid(32624, 300, 30)
    east, north = Transformer.from_crs("EPSG:3413", "EPSG:32624", always_xy=True).transform(x, y)
    column, row = (east - grid.affine.c) / 30 - 0.5, (grid.affine.f - north) / 30 - 0.5
    np.testing.assert_allclose(computed.elevation, 100 + 2.0 * column + 1.0 * row, atol=0.3)


def test_a_layer_is_aligned_once(region, monkeypatch):
    read_elevation.cache_clear()
    calls = []
    original = module._read
    monkeypatch.setattr(module, "_read", lambda *args: calls.append(args[0]) or original(*args))
    first = read_elevation(region.elevation, region.geobox(20), Access())
    again = read_elevation(region.elevation, region.geobox(20), Access())
    assert again is first
    assert calls == [region.elevation]


def test_a_region_without_layers_says_so():
    with pytest.raises(InputError, match="neither elevation nor geoid"):
        region_layers(builders.region(), 20)


def test_the_tiles_of_the_copernicus_model():
    names = [href.rpartition("/")[2] for href in copernicus_tiles(builders.region(60_000).geobox(600))]
    assert names == [f"Copernicus_DSM_COG_10_N66_00_W{west}_00_DEM.tif" for west in ("039", "038")]
    antimeridian = Region("ross", builders.box(-60_000, -1_260_000, 60_000, -1_200_000), "EPSG:3031")
    east_west = {href.split("_00_")[1][0] for href in copernicus_tiles(antimeridian.geobox(1_200))}
    assert east_west == {"E", "W"}  # both sides of 180 degrees


def test_where_the_copernicus_model_has_no_tile_lies_the_sea(tmp_path, monkeypatch):
    read_elevation.cache_clear()
    grid = builders.region(1_200).geobox(20)
    land = builders.cog(tmp_path / "tile.tif", np.full((60, 60), 250, "float32"), builders.utm_grid(32624, 60, 10))
    monkeypatch.setattr(module, "copernicus_tiles", lambda _: [land, str(tmp_path / "absent.tif")])
    found = read_elevation(COPERNICUS, grid, Access())
    assert set(np.unique(found).tolist()) == {0.0, 250.0}
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 not a tile")
    monkeypatch.setattr(module, "copernicus_tiles", lambda _: [str(broken)])
    read_elevation.cache_clear()
    with pytest.raises(ReadError):
        read_elevation(COPERNICUS, grid, Access())


def test_elevation_and_geoid_survive_the_regions_file(region, tmp_path):
    for name in ("r.parquet", "r.gpkg", "r.geojson"):
        write_regions([region], tmp_path / name)
        (read,) = read_regions(tmp_path / name)
        assert (read.elevation, read.geoid) == (region.elevation, "41.5")
    assert Region.from_dict(region.to_dict()) == region
    assert region != region.patch(geoid="40")

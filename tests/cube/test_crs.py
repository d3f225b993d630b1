"""Scenes of several projections onto one polar grid, whatever their items say of the projection."""

from __future__ import annotations

import copy

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from icefront_dask.cube import load
from tests.cube import builders

ZONES = (32623, 32624, 32625)
SMOOTH_M = 400.0


def field(x, y):
    """Backscatter as a smooth function of the place in EPSG:3413, so that every projection must agree."""
    return (0.2 + 0.1 * np.sin(x / SMOOTH_M) * np.cos(y / SMOOTH_M)).astype("float32")


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """One item a UTM zone, all over Helheim, whose pixels are `field` at their own centres."""
    folder = tmp_path_factory.mktemp("zones")
    items = []
    for number, zone in enumerate(ZONES):
        grid = builders.utm_grid(zone, 520, 10)
        column, row = np.meshgrid(np.arange(520) + 0.5, np.arange(520) + 0.5)
        to_polar = pyproj.Transformer.from_crs(f"EPSG:{zone}", "EPSG:3413", always_xy=True)
        hh = field(*to_polar.transform(*(grid.affine * (column, row))))
        items.append(
            builders.s1_item(
                folder,
                f"S1_{zone}",
                {"hh": hh},
                grid,
                datetime=f"2018-06-{2 + number:02d}T20:15:32Z",
                **{"sat:absolute_orbit": 22_186 + number},
            )
        )
    return items


def stated(item, how):
    """The same item with its projection said in one of the ways of the archives, or not at all."""
    item = copy.deepcopy(item)
    code = item["properties"].pop("proj:code")
    crs = pyproj.CRS(code)
    ways = {
        "code": {"proj:code": code},
        "epsg": {"proj:epsg": crs.to_epsg()},
        "wkt2": {"proj:epsg": None, "proj:wkt2": crs.to_wkt()},
        "projjson": {"proj:code": None, "proj:projjson": crs.to_json_dict()},
        "asset": {},
        "nothing": {},
    }
    item["properties"] |= ways[how]
    if how == "asset":
        item["assets"]["hh"]["proj:code"] = code
    return item


@pytest.mark.parametrize("reader", ["odc", "stackstac"])
def test_three_zones_meet_on_one_grid(zones, reader):
    region = builders.region()
    cube = load(zones, region, "sentinel-1", resolution=20, reader=reader).compute()
    assert cube.sizes["time"] == 3
    expected = field(*np.meshgrid(cube.x.values, cube.y.values))
    for scene in cube.hh.values:
        assert not np.isnan(scene).any()
        # an eighth of a 10 m pixel is what GDAL's approximation may be off, and bilinear interpolation smooths
        assert np.abs(scene - expected).max() < 0.1 * (10 / 8 + 1) / SMOOTH_M * 2
    assert not cube.quality.any()
    grid = region.geobox(20)
    for item, scene in zip(zones, cube.hh.values, strict=True):
        with (
            rasterio.open(item["assets"]["hh"]["href"]) as dataset,
            WarpedVRT(
                dataset,
                crs="EPSG:3413",
                transform=grid.affine,
                height=grid.shape.y,
                width=grid.shape.x,
                resampling=Resampling.bilinear,
            ) as vrt,
        ):
            assert np.abs(vrt.read(1) - scene).max() < 1e-3


@pytest.mark.parametrize("reader", ["odc", "stackstac"])
@pytest.mark.parametrize("how", ["code", "epsg", "wkt2", "projjson", "asset", "nothing"])
def test_however_an_item_states_its_projection_the_file_decides(zones, how, reader):
    region = builders.region(1_200)
    options = {"resolution": 20, "reader": reader}
    expected = load(zones[:1], region, "sentinel-1", **options).compute()
    found = load([stated(zones[0], how)], region, "sentinel-1", **options).compute()
    np.testing.assert_array_equal(found.hh, expected.hh)


def test_a_projection_that_the_item_makes_up_moves_nothing(zones):
    wrong = copy.deepcopy(zones[0])
    wrong["properties"]["proj:code"] = "EPSG:32601"
    region = builders.region(1_200)
    expected = load(zones[:1], region, "sentinel-1", resolution=20).compute()
    np.testing.assert_array_equal(load([wrong], region, "sentinel-1", resolution=20).compute().hh, expected.hh)

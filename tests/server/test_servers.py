"""Searching and reading through real servers: stac-fastapi on pgstac, and nginx."""

from __future__ import annotations

import json

import dask.config
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.windows import Window
from shapely.geometry import box, shape

from icefront_dask.catalog import Items, search
from icefront_dask.catalog.geometry import query_geometry
from icefront_dask.catalog.http import Http
from icefront_dask.cube.gdal import open_gtiff
from icefront_dask.errors import CatalogError, NoItemsError
from tests.catalog.builders import HELHEIM, KANGERLUSSUAQ, LARSEN, archive, landsat, raster, stac
from tests.server.services import StacApi

pytestmark = pytest.mark.server


def collection(name):
    return {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "other",
        "links": [],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["1972-07-23T00:00:00Z", None]]},
        },
    }


@pytest.fixture(scope="module")
def items():
    """Known scenes, and 240 more on a lattice over Greenland."""
    lattice = [
        landsat(
            f"2019-0{1 + k % 9}-1{k % 10}",
            box(lon, lat, lon + 4, lat + 1.5),
            name=f"LC08_L2SP_{k:03d}001_20190101_02_T1",
        )
        for k, (lon, lat) in enumerate((lon, lat) for lon in range(-60, -20, 2) for lat in range(62, 74))
    ]
    return archive() + lattice


@pytest.fixture(scope="module")
def api(pgstac, stac_api, items):
    pgstac.load([collection("sentinel-1-rtc"), collection("landsat-c2-l2")], items)
    return stac_api.url


@pytest.fixture(scope="module")
def index(items, tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "items.parquet"
    Items.from_dicts(items).to_parquet(path)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"datetime": "2018-06"},
        {"datetime": "2018-06-06/2018-07-31", "collections": ["sentinel-1-rtc"]},
        {"query": {"eo:cloud_cover": {"lt": 50}}},
        {"query": {"platform": {"eq": "landsat-8"}, "eo:cloud_cover": {"gte": 10}}, "datetime": "2019"},
    ],
)
def test_the_api_and_the_file_give_the_same_items(api, index, arguments):
    regions = [HELHEIM, KANGERLUSSUAQ]
    through_api, from_file = search(api, regions, **arguments), search(index, regions, **arguments)
    assert through_api.ids == from_file.ids
    assert through_api.regions == from_file.regions
    for a, b in zip(through_api.to_dicts(), from_file.to_dicts(), strict=True):
        assert a["assets"] == b["assets"]
        assert a["properties"] == b["properties"]
        assert a["geometry"] == b["geometry"]


def test_pages_hold_each_item_once(api, items):
    with dask.config.set({"icefront.catalog.page_size": 5}):
        found = search(api, HELHEIM)
    expected = {i["id"] for i in items if shape(i["geometry"]).intersects(query_geometry(HELHEIM))}
    assert set(found.ids) == expected
    assert len(found) == len(expected) > 2 * 5


def test_region_outside_every_scene(api):
    with pytest.raises(NoItemsError, match="'larsen' lies outside the footprints"):
        search(api, LARSEN, datetime="2018")


def test_the_server_refuses_what_makes_no_sense(api):
    with pytest.raises(CatalogError, match=r"/search refuses the request \(HTTP 4\d\d\)"):
        Http().request("POST", f"{api}/search", json={"intersects": {"type": "Polygon", "coordinates": "x"}})
    with pytest.raises(CatalogError, match=r"/nothing does not exist \(HTTP 404\)"):
        search(f"{api}/nothing", HELHEIM)


def test_unreachable_api(pgstac):
    with StacApi(pgstac) as other:
        url = other.url
    with pytest.raises(
        CatalogError, match=r"cannot reach http://127\.0\.0\.1:\d+.*; check the address and the network"
    ):
        search(url, HELHEIM)


@pytest.fixture(scope="module")
def cog(web):
    values = np.random.default_rng(1).integers(0, 60_000, (3000, 4000)).astype("uint16")
    path = web.root / "scene.tif"
    profile = {"crs": "EPSG:32624", "transform": Affine(30, 0, 5e5, 0, -30, 7.4e6)}
    with rasterio.open(
        path, "w", driver="COG", dtype="uint16", count=1, height=3000, width=4000, compress="deflate", **profile
    ) as out:
        out.write(values, 1)
    return path, values


def test_a_window_of_a_cog_costs_a_few_ranges(web, cog):
    """Its header, which is kept, and the tiles under the window."""
    path, values = cog
    before = len(web.requests())
    for _ in range(2):
        with open_gtiff(f"{web.url}/scene.tif", "x") as source:
            window = source.read(1, window=Window(1100, 700, 256, 256))
        assert np.array_equal(window, values[700:956, 1100:1356])
    asked = web.requests()[before:]
    assert {(status, method) for status, method, _, _, _ in asked} == {(206, "GET")}
    assert len(asked) <= 5
    assert sum(sent for _, _, _, _, sent in asked) < 0.2 * path.stat().st_size


def test_what_is_not_there_is_asked_for_once(web):
    with pytest.raises(CatalogError, match=r"/none\.json does not exist \(HTTP 404\)"):
        search(f"{web.url}/none.json", HELHEIM)
    assert [r[0] for r in web.requests() if r[2] == "/none.json"] == [404]


def test_static_catalogue_over_http(web, cog):
    item = stac("a", "mine", "2018-06-02T00:00:00Z", box(-40, 65, -36, 67), {"hh": raster("../scene.tif")})
    (web.root / "items").mkdir()
    (web.root / "items" / "a.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": "items/a.json"}]
    (web.root / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "c", "links": links}))
    found = search(f"{web.url}/catalog.json", HELHEIM)
    assert found.to_dicts()[0]["assets"]["hh"]["href"] == f"{web.url}/scene.tif"

from __future__ import annotations

import json
import shutil

import pyproj
import pytest
from shapely.geometry import box, shape

import icefront_dask
from icefront_dask import config
from icefront_dask.catalog import Items, search
from icefront_dask.catalog.items import REGIONS
from icefront_dask.errors import CatalogError, ConfigError, NoItemsError
from icefront_dask.regions import Region
from tests.catalog.builders import (
    HELHEIM,
    KANGERLUSSUAQ,
    LARSEN,
    OVER_HELHEIM,
    archive,
    raster,
    rtc,
    stac,
)
from tests.catalog.stac_server import RESET, TRUNCATED, StacServer
from tests.cube.server import serving

KINDS = ("api", "api-get", "parquet", "parquet-http", "ndjson", "ndjson-http", "collection", "static", "static-http")


@pytest.fixture(params=KINDS)
def source(request, quick, tmp_path):
    """The same thirteen items behind every kind of source."""
    items = archive()
    if request.param.startswith("api"):
        with StacServer(items, method="GET" if request.param.endswith("get") else "POST") as server:
            yield server.url
    elif request.param.startswith(("parquet", "ndjson")):
        name = "index.parquet" if request.param.startswith("parquet") else "items.ndjson"
        if name == "index.parquet":
            Items.from_dicts(items).to_parquet(tmp_path / name)
        else:
            (tmp_path / name).write_text("\n".join(json.dumps(i) for i in items) + "\n\n")
        if request.param.endswith("http"):
            with serving(tmp_path) as server:
                yield f"{server.url}/{name}"
        else:
            yield tmp_path / name
    elif request.param == "collection":
        (tmp_path / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
        yield tmp_path / "items.json"
    else:
        documents = static(items)
        if request.param == "static":
            for path, document in documents.items():
                (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path.lstrip("/")).write_text(json.dumps(document))
            yield tmp_path / "catalog.json"
        else:
            with StacServer([]) as server:
                server.documents = documents
                yield f"{server.url}/catalog.json"


def static(items):
    documents = {}
    children = []
    for name in sorted({i["collection"] for i in items}):
        links = []
        for item in items:
            if item["collection"] == name:
                links.append({"rel": "item", "href": f"./items/{item['id']}.json"})
                documents[f"/{name}/items/{item['id']}.json"] = item
        links.append({"rel": "root", "href": "../catalog.json"})
        documents[f"/{name}/collection.json"] = {"type": "Collection", "id": name, "links": links}
        children.append({"rel": "child", "href": f"./{name}/collection.json"})
    documents["/catalog.json"] = {"type": "Catalog", "id": "static", "links": children}
    return documents


def test_every_kind_of_source_gives_the_same_items(source):
    found = search(source, [HELHEIM, KANGERLUSSUAQ])
    assert len(found) == 13
    assert found.ids == sorted(found.ids, key=lambda i: (found.times[found.ids.index(i)], i))
    assert found.for_region("helheim").times.is_monotonic_increasing
    assert len(found.for_region("helheim")) == 8
    assert len(found.for_region("kangerlussuaq")) == 5
    original = {i["id"]: i for i in archive()}
    for item in found.to_dicts():
        assert item["properties"].pop(REGIONS) in (["helheim"], ["kangerlussuaq"])
        wanted = original[item["id"]]
        assert item["assets"] == wanted["assets"]
        assert item["geometry"]["type"] == wanted["geometry"]["type"]
        for name, value in wanted["properties"].items():
            if name != "datetime" and not name.endswith("_datetime"):
                assert item["properties"][name] == value


def test_conditions_hold_for_every_kind_of_source(source):
    found = search(
        source, HELHEIM, collections="landsat-c2-l2", datetime="2018-06", query={"eo:cloud_cover": {"lt": 50}}
    )
    assert found.ids == ["LC08_L2SP_232013_20180602_02_T1", "LC08_L2SP_232013_20180606_02_T1"]
    assert search(source, HELHEIM, datetime="2018-06-14/..", collections=["sentinel-1-rtc"]).times.month.tolist() == [
        6,
        7,
    ]


def test_region_outside_every_scene(source):
    with pytest.raises(NoItemsError, match=r"'larsen' lies outside the footprints.*check its outline and CRS"):
        search(source, LARSEN)
    with pytest.raises(NoItemsError, match="'larsen' lies outside"):
        search(source, LARSEN, datetime="2018")


def test_search_without_results_says_what_to_widen(source):
    with pytest.raises(NoItemsError, match=r"no items of landsat-c2-l2 .* within datetime 1999.*widen the datetime"):
        search(source, HELHEIM, collections=["landsat-c2-l2"], datetime="1999")
    with pytest.raises(NoItemsError, match="widen the datetime or the query"):
        search(source, HELHEIM, datetime="2018", query={"eo:cloud_cover": {"lt": 1}})
    with pytest.raises(NoItemsError, match=r"no collection sentinel-9; it has landsat-c2-l2, sentinel-1-rtc"):
        search(source, HELHEIM, collections=["sentinel-9"])


def test_one_region_without_items_does_not_spoil_the_others(source):
    assert len(search(source, [HELHEIM, LARSEN])) == 8


def test_an_item_that_touches_two_regions_is_there_once(api):
    whole = box(-45, 60, -20, 75)
    api.items = [rtc("2018-06-02", whole)]
    found = search(api.url, [HELHEIM, KANGERLUSSUAQ])
    assert found.regions == [("helheim", "kangerlussuaq")]


def test_pages_are_followed_with_one_request_each(api):
    found = search(api.url, HELHEIM, collections=["landsat-c2-l2", "sentinel-1-rtc"])
    assert len(found) == 8
    assert api.requests == {("GET", "/"): 1, ("POST", "/search"): 3}
    assert [body["limit"] for body in api.searches] == [3, 3, 3]
    assert "query" not in api.searches[0]
    assert api.searches[0]["intersects"]["type"] == "Polygon"


def test_without_collections_those_that_are_known_are_searched(api):
    api.items.append(stac("x", "naip", "2018-06-02T00:00:00Z", OVER_HELHEIM, {}))
    assert set(search(api.url, HELHEIM).collections) == {"sentinel-1-rtc", "landsat-c2-l2"}
    api.items = [stac("x", "my-scenes", "2018-06-02T00:00:00Z", OVER_HELHEIM, {"hh": raster("https://e.org/x.tif")})]
    assert search(api.url, HELHEIM).collections == ["my-scenes"]


def test_query_is_sent_where_the_server_understands_it(quick):
    with StacServer(archive(), query=True) as server:
        search(server.url, HELHEIM, query={"eo:cloud_cover": {"lt": 50}})
        assert server.searches[0]["query"] == {"eo:cloud_cover": {"lt": 50}}


@pytest.mark.parametrize("fault", [503, 429, 408, 500, 502, RESET, TRUNCATED])
def test_transient_faults_are_tried_again(api, fault):
    api.script["/search"].extend([fault, fault])
    assert len(search(api.url, HELHEIM)) == 8
    assert api.requests["POST", "/search"] == 3 + 2


def test_a_fault_between_pages_repeats_that_page_only(api):
    answers = [(200, {}, api.search({"collections": ["landsat-c2-l2"], "limit": 3})), 503]
    api.searches.clear()
    api.script["/search"].extend(answers)
    found = search(api.url, HELHEIM, collections=["landsat-c2-l2"])
    assert len(found) == 4
    assert api.requests["POST", "/search"] == 1 + 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501])
def test_final_faults_are_not_tried_again(api, status):
    api.script["/search"].extend([status] * 5)
    with pytest.raises(CatalogError, match=rf"HTTP {status}.*scripted answer.*;"):
        search(api.url, HELHEIM)
    assert api.requests["POST", "/search"] == 1


def test_faults_that_last_end_with_the_count(api):
    api.script["/search"].extend([503] * 9)
    with pytest.raises(CatalogError, match=r"failed 8 times in a row \(HTTP 503\).*catalog.attempts"):
        search(api.url, HELHEIM)
    assert api.requests["POST", "/search"] == 8


def test_unreachable(quick):
    with StacServer([]) as server:
        url = server.url
    with pytest.raises(CatalogError, match=r"cannot reach http://127.0.0.1:\d+.*refused.*check the address"):
        search(url, HELHEIM)


def test_an_address_that_is_no_catalogue(api, tmp_path):
    with pytest.raises(CatalogError, match=r"does not exist \(HTTP 404\)"):
        search(f"{api.url}/nothing", HELHEIM)
    api.documents["/text"] = b"<html>"
    with pytest.raises(CatalogError, match="does not answer with STAC"):
        search(f"{api.url}/text", HELHEIM)
    api.documents["/other"] = {"type": "Other", "links": []}
    with pytest.raises(CatalogError, match="its type is 'Other'"):
        search(f"{api.url}/other", HELHEIM)
    with pytest.raises(CatalogError, match="there is no catalogue"):
        search(tmp_path / "none.parquet", HELHEIM)
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(CatalogError, match="not a Parquet file"):
        search(tmp_path / "bad.parquet", HELHEIM)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(CatalogError, match="is not JSON"):
        search(tmp_path / "bad.json", HELHEIM)
    (tmp_path / "bad.ndjson").write_text('{"type": "Feature"}\n[1]\n')
    with pytest.raises(CatalogError, match=r"line 2 of .* not a JSON object"):
        search(tmp_path / "bad.ndjson", HELHEIM)


def test_an_answer_that_is_no_page(api):
    api.script["/search"].append((200, {}, {"features": [{"id": 3}], "links": [{"rel": "next"}]}))
    with pytest.raises(CatalogError, match="does not answer with pages of STAC items"):
        search(api.url, HELHEIM)


def test_next_page_on_another_host_is_refused(quick):
    with (
        StacServer(archive(), next_host="http://localhost:1") as server,
        pytest.raises(CatalogError, match="sends the search on"),
    ):
        search(server.url, HELHEIM)


def test_signatures_never_enter_the_table(api):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] += "?st=2018&se=2019&sp=rl&sig=SECRET%2Fabc"
    item["assets"]["hv"]["href"] += "?versionId=7"
    api.items = [item]
    found = search(api.url, HELHEIM)
    assert "SECRET" not in str(found.table.to_pylist())
    assert found.to_dicts()[0]["assets"]["hv"]["href"].endswith("hv.tif?versionId=7")


def test_relative_hrefs_are_resolved(api, tmp_path):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] = "./scene/hh.tif"
    item["assets"]["hv"]["href"] = "../scene/hv.tif"
    item["links"] = [{"rel": "self", "href": f"{api.url}/collections/a/items/b"}]
    api.items = [item]
    assets = search(api.url, HELHEIM).to_dicts()[0]["assets"]
    assert assets["hh"]["href"] == f"{api.url}/collections/a/items/scene/hh.tif"
    assert assets["hv"]["href"] == f"{api.url}/collections/a/scene/hv.tif"
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "a.json").write_text(json.dumps(item))
    (tmp_path / "catalog.json").write_text(
        json.dumps({"type": "Catalog", "id": "c", "links": [{"rel": "item", "href": "items/a.json"}]})
    )
    assets = search(tmp_path, HELHEIM).to_dicts()[0]["assets"]
    assert assets["hh"]["href"] == str(tmp_path / "items" / "scene" / "hh.tif")
    assert assets["hv"]["href"] == str(tmp_path / "scene" / "hv.tif")


def test_an_index_may_be_moved_with_its_files(tmp_path):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] = "cogs/hh.tif"
    Items.from_dicts([item]).to_parquet(tmp_path / "a" / "index.parquet")
    shutil.move(tmp_path / "a", tmp_path / "b")
    found = search(tmp_path / "b" / "index.parquet", HELHEIM)
    assert found.to_dicts()[0]["assets"]["hh"]["href"] == str(tmp_path / "b" / "cogs" / "hh.tif")


def test_a_static_catalogue_stays_in_its_folder_and_on_its_host(tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps(rtc("2018-06-02")))
    (tmp_path / "cat").mkdir()
    links = [{"rel": "item", "href": "../secret.json"}]
    (tmp_path / "cat" / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "c", "links": links}))
    with pytest.raises(CatalogError, match="refused to open the local file"):
        search(tmp_path / "cat", HELHEIM)
    with StacServer([]) as server:
        link = {"rel": "child", "href": "http://localhost:1/catalog.json"}
        server.documents["/catalog.json"] = {"type": "Catalog", "id": "c", "links": [link]}
        with pytest.raises(CatalogError, match="links to another host"):
            search(f"{server.url}/catalog.json", HELHEIM)


def test_a_static_catalogue_that_links_in_circles_ends(tmp_path):
    links = [{"rel": "child", "href": "catalog.json"}, {"rel": "item", "href": "a.json"}]
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "Catalog", "id": "c", "links": links}))
    (tmp_path / "a.json").write_text(json.dumps(rtc("2018-06-02")))
    assert len(search(tmp_path, HELHEIM)) == 1


def test_items_without_geometry(tmp_path):
    items = [rtc("2018-06-02", None, name="bare"), rtc("2018-06-06")]
    (tmp_path / "i.json").write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    assert search(tmp_path / "i.json", HELHEIM).ids == [items[1]["id"]]
    (tmp_path / "i.json").write_text(json.dumps(items[0]))
    with pytest.raises(NoItemsError, match=r"1 items in .* state no geometry, first 'bare'"):
        search(tmp_path / "i.json", HELHEIM)
    items[0]["geometry"] = {"type": "Polygon", "coordinates": [[1]]}
    (tmp_path / "i.json").write_text(json.dumps(items[0]))
    with pytest.raises(CatalogError, match="'bare' has a broken geometry"):
        search(tmp_path / "i.json", HELHEIM)


def test_cache_spares_the_second_search(api, tmp_path):
    first = search(api.url, HELHEIM, datetime="2018", cache=tmp_path)
    asked = dict(api.requests)
    assert search(api.url, HELHEIM, datetime="2018", cache=tmp_path) == first
    assert dict(api.requests) == asked
    search(api.url, HELHEIM, datetime="2018-06", cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert sum(api.requests.values()) > sum(asked.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"datetime": "last summer"}, "not a time"),
        ({"datetime": "2018/2017"}, "ends before it starts"),
        ({"datetime": ("2018", "2019", "2020")}, "not a time"),
        ({"query": {"eo:cloud_cover": {"below": 3}}}, "below"),
        ({"query": {"eo:cloud_cover": 3}}, "write for example"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        search(tmp_path, HELHEIM, **arguments)
    with pytest.raises(ConfigError, match="no regions"):
        search(tmp_path, [])


def test_across_the_antimeridian_and_at_the_pole(api):
    ross = Region("ross", box(-60_000, -1_300_000, 60_000, -1_200_000), "EPSG:3031", kind="ice_shelf")
    east, west, far = box(178.5, -79, 180, -77.5), box(-180, -79, -178.5, -77.5), box(-5, -79, 5, -77.5)
    api.items = [rtc(f"2018-06-0{k}", f, orbit=k) for k, f in enumerate((east, west, far), start=1)]
    assert len(search(api.url, ross)) == 2
    assert api.searches[0]["intersects"]["type"] == "MultiPolygon"


def test_public_name():
    assert icefront_dask.search is search
    assert config.section("catalog")["attempts"] == 8


def test_real_items(real_data, tmp_path):
    """Real Landsat and Sentinel-1 items of several providers and vintages through one NDJSON file."""
    items = []
    for path in sorted((real_data / "stac").rglob("*.json")):
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content.get("type") == "Feature" and content.get("collection"):
            items.append({**content, "assets": {k: v for k, v in content["assets"].items() if "://" in v["href"]}})
    (tmp_path / "real.ndjson").write_text("\n".join(map(json.dumps, items)))
    over = next(i for i in items if i["id"] == "LM01_L1GS_001010_19720908_02_T2")  # East Greenland
    to_polar = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3413", always_xy=True)
    x, y = to_polar.transform(*shape(over["geometry"]).centroid.coords[0])
    found = search(
        tmp_path / "real.ndjson", Region("scoresbysund", box(x - 9e3, y - 9e3, x + 9e3, y + 9e3), "EPSG:3413")
    )
    assert {i[:16] for i in found.ids} == {"LM01_L1GS_001010"}
    assert set(found.collections) == {"landsat-c2-l1", "landsat-c2l1"}
    usgs = found.filter([c == "landsat-c2l1" for c in found.collections]).to_dicts()[0]
    assert usgs["assets"]["nir09"]["href"].endswith("_B7.TIF")

"""Catalogues by address: tables of which only parts are fetched, and addresses that lead on to others."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from shapely.geometry import box

from icefront_dask.catalog import Items, search
from icefront_dask.catalog.remote import forget_files
from icefront_dask.errors import CatalogError
from tests.catalog.builders import HELHEIM, OVER_HELHEIM, archive, rtc
from tests.catalog.stac_server import StacServer
from tests.cube.server import serving


@pytest.fixture(autouse=True)
def forgotten(quick):
    forget_files()
    yield
    forget_files()


def far_away(number):
    """Scenes off the region, with long hrefs that do not compress."""
    rng = np.random.default_rng(number)
    west = -170.0 + 0.02 * number
    return rtc(
        "2018-06-02", box(west, 70, west + 3, 71), orbit=number, host=f"https://data.example.org/{rng.bytes(400).hex()}"
    )


@pytest.fixture
def table(tmp_path):
    """A table of many row groups, of which the last one holds what is wanted."""
    Items.from_dicts([far_away(n) for n in range(600)]).to_parquet(tmp_path / "far.parquet")
    far = pq.read_table(tmp_path / "far.parquet")
    near = Items.from_dicts([rtc("2018-06-02", OVER_HELHEIM, host=".")]).table
    with pq.ParquetWriter(tmp_path / "index.parquet", far.schema) as writer:
        for first in range(0, 600, 100):
            writer.write_table(far.slice(first, 100))
        writer.write_table(near.select(far.schema.names).cast(far.schema))
    return tmp_path / "index.parquet"


def test_of_a_remote_table_only_parts_are_fetched(table):
    with serving(table.parent) as server:
        found = search(f"{server.url}/index.parquet", HELHEIM)
        (item,) = found.to_dicts()
        assert item["assets"]["hh"]["href"].startswith(f"{server.url}/S1A_")  # relative to where the table lies
        assert {status for _, status in server.log} == {206}
        assert server.sent < 0.5 * table.stat().st_size
        forget_files()
        assert search(table, HELHEIM).ids == found.ids


def test_a_remote_table_cannot_name_local_files(tmp_path):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] = "/etc/passwd.tif"
    Items.from_dicts([item]).to_parquet(tmp_path / "index.parquet")
    with serving(tmp_path) as server, pytest.raises(CatalogError, match=r"asset 'hh': refused to open"):
        search(f"{server.url}/index.parquet", HELHEIM)


def test_remote_tables_that_are_none(tmp_path):
    (tmp_path / "page.parquet").write_text("<html>" * 100)
    (tmp_path / "items.ndjson").write_text('{"type": "Feature"}\n[1]\n')
    with serving(tmp_path) as server:
        with pytest.raises(CatalogError, match=r"page\.parquet is not a Parquet file"):
            search(f"{server.url}/page.parquet", HELHEIM)
        with pytest.raises(CatalogError, match=r"none\.parquet does not exist \(HTTP 404\)"):
            search(f"{server.url}/none.parquet", HELHEIM)
        with pytest.raises(CatalogError, match=r"line 2 of http.*items\.ndjson is not a JSON object"):
            search(f"{server.url}/items.ndjson", HELHEIM)
        server.failures = [503, 503]
        Items.from_dicts(archive()).to_parquet(tmp_path / "index.parquet")
        assert len(search(f"{server.url}/index.parquet", HELHEIM)) == 8


def test_a_catalogue_that_has_moved_is_read_where_it_is(api):
    """Its links start from there, not from the address that led to it."""
    item = rtc("2018-06-02", host=".")
    links = [{"rel": "item", "href": "./items/a.json"}]
    api.documents["/v1/cat/catalog.json"] = {"type": "Catalog", "id": "c", "links": links}
    api.documents["/v1/cat/items/a.json"] = item
    api.script["/catalog"].append((301, {"Location": "/v1/cat/catalog.json"}))
    (found,) = search(f"{api.url}/catalog", HELHEIM).to_dicts()
    assert found["assets"]["hh"]["href"] == f"{api.url}/v1/cat/items/{item['id']}/hh.tif"


def test_an_api_that_has_moved_to_another_name_is_searched_there(quick):
    with StacServer(archive()) as api:
        api.next_host = other = api.url.replace("127.0.0.1", "localhost")
        api.documents["/stac"] = json.loads(json.dumps(api.landing()).replace(api.url, other))
        api.script["/old"].append((301, {"Location": f"{other}/stac"}))
        assert len(search(f"{api.url}/old", HELHEIM)) == 8

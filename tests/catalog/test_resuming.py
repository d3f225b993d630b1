"""Searches that break off, that are repeated without a network, and answers that must not be followed."""

from __future__ import annotations

import json

import dask.config
import pytest
from shapely.geometry import mapping

from icefront_dask.catalog import search
from icefront_dask.errors import CatalogError
from tests.catalog.builders import (
    HELHEIM,
    KANGERLUSSUAQ,
    OVER_HELHEIM,
    archive,
)
from tests.catalog.stac_server import StacServer


def asked(api):
    return api.requests["POST", "/search"]


@pytest.mark.parametrize("broken", [1, 2])
def test_a_search_that_broke_off_goes_on_after_its_last_page(api, tmp_path, broken):
    regions = [HELHEIM, KANGERLUSSUAQ]
    whole = search(api.url, regions)
    pages = asked(api)  # three of three items for the one, two for the other
    body = {"collections": ["landsat-c2-l2", "sentinel-1-rtc"], "limit": 3, "intersects": mapping(OVER_HELHEIM)}
    answers = [(200, {}, api.search({**body, "token": 3 * k})) for k in range(broken)]
    api.script["/search"].extend([*answers, *[504] * 8])
    with pytest.raises(CatalogError, match=r"failed 8 times in a row \(HTTP 504\)"):
        search(api.url, regions, cache=tmp_path)
    before = asked(api)
    assert search(api.url, regions, cache=tmp_path) == whole
    assert asked(api) - before == pages - broken
    assert [path.suffix for path in tmp_path.iterdir()] == [".parquet"]


def test_a_link_that_the_server_has_forgotten_starts_the_region_anew(api, tmp_path):
    body = {"collections": ["landsat-c2-l2", "sentinel-1-rtc"], "limit": 3, "intersects": mapping(OVER_HELHEIM)}
    api.script["/search"].extend([(200, {}, api.search(body)), *[504] * 8])
    with pytest.raises(CatalogError, match="HTTP 504"):
        search(api.url, HELHEIM, cache=tmp_path)
    before = asked(api)
    api.script["/search"].append(400)
    assert len(search(api.url, HELHEIM, cache=tmp_path)) == 8
    assert asked(api) - before == 1 + 3


def test_a_rerun_without_a_network_reads_what_was_found(quick, tmp_path):
    with StacServer(archive()) as server:
        found = search(server.url, HELHEIM, cache=tmp_path)
    assert search(server.url, HELHEIM, cache=tmp_path) == found


def test_pages_that_lead_in_circles_end(api):
    link = {"rel": "next", "href": f"{api.url}/search", "method": "POST", "body": {"token": 0, "limit": 3}}
    page = {"type": "FeatureCollection", "features": archive()[:1], "links": [link]}
    api.script["/search"].extend([(200, {}, page)] * 5)
    with pytest.raises(CatalogError, match="leads from page 2 back to an earlier one"):
        search(api.url, HELHEIM)
    api.script["/search"].clear()
    for token in (1, 2, 1):
        there = {**link, "body": {"token": token}}
        api.script["/search"].append((200, {}, {**page, "links": [there]}))
    with pytest.raises(CatalogError, match="leads from page 3 back to an earlier one"):
        search(api.url, HELHEIM)


def test_pages_of_items_by_the_address_of_a_collection(api, tmp_path):
    """The address of a collection's items names its first page; the others are not left out in silence."""
    items = archive()
    pages = [items[:3], items[3:6], items[6:]]
    for number, page in enumerate(pages):
        links = [{"rel": "self", "href": f"{api.url}/items{number}"}]
        if number + 1 < len(pages):
            links.append({"rel": "next", "href": f"items{number + 1}", "method": "GET"})
        api.documents[f"/items{number}"] = {"type": "FeatureCollection", "features": page, "links": links}
    whole = tmp_path / "items.json"
    whole.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    assert search(f"{api.url}/items0", HELHEIM).ids == search(whole, HELHEIM).ids
    api.documents["/items1"]["links"] = [{"rel": "next", "href": f"{api.url}/items0"}]  # in circles
    with pytest.raises(CatalogError, match=r"items1 leads back to .*items0, an earlier page"):
        search(f"{api.url}/items0", HELHEIM)
    api.documents["/items1"]["links"] = [{"rel": "next", "href": "https://example.org/items2"}]
    with pytest.raises(CatalogError, match=r"links to another host, 'example\.org'"):
        search(f"{api.url}/items0", HELHEIM)
    for link in ({"rel": "next", "href": f"{api.url}/items1"}, {"rel": "next", "href": "search", "method": "POST"}):
        whole.write_text(json.dumps({"type": "FeatureCollection", "features": items[:3], "links": [link]}))
        with pytest.raises(CatalogError, match="is one page of several"):
            search(whole, HELHEIM)


def test_documents_that_are_too_large_or_too_deep(api):
    api.documents["/deep.json"] = b'{"type":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    with pytest.raises(CatalogError, match="does not answer with STAC"):
        search(f"{api.url}/deep.json", HELHEIM)
    api.documents["/large.json"] = b" " * 2**21
    with (
        dask.config.set({"icefront.catalog.max_document_mb": 1}),
        pytest.raises(CatalogError, match=r"more than 1 MB.*max_document_mb"),
    ):
        search(f"{api.url}/large.json", HELHEIM)


def test_redirects_are_checked_again(api, tmp_path):
    api.documents["/moved.json"] = {"type": "FeatureCollection", "features": archive()}
    for target in ("http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://u:p@127.0.0.1/x"):
        api.script["/gone.json"].append((302, {"Location": target}))
        with pytest.raises(CatalogError, match=r"/gone\.json redirects to .*, which is refused"):
            search(f"{api.url}/gone.json", HELHEIM)
    api.script["/gone.json"].append((302, {"Location": "/moved.json"}))
    assert len(search(f"{api.url}/gone.json", HELHEIM)) == 8
    api.script["/gone.json"].extend([(302, {"Location": "/gone.json"})] * 9)
    with pytest.raises(CatalogError, match="redirects more than 5 times"):
        search(f"{api.url}/gone.json", HELHEIM)

"""Local files that a catalogue names: only below its own folder, and where the configuration allows."""

from __future__ import annotations

import json

import dask.config
import pytest

from icefront_dask.catalog import search
from icefront_dask.errors import CatalogError
from tests.catalog.builders import HELHEIM, rtc


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd.tif",
        "/etc/passwd.tif",
        "/vsicurl/http://x/y.tif",
        "ftp://h/a.tif",
        "https://u:p@h/a.tif",
    ],
)
def test_a_remote_catalogue_cannot_name_local_files(api, href):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] = href
    api.items = [item]
    with pytest.raises(CatalogError, match=r"item 'S1A.*', asset 'hh': refused"):
        search(api.url, HELHEIM)


@pytest.mark.parametrize(
    "asset",
    [
        {"href": "file:///etc/passwd"},
        {"href": "/etc/passwd", "roles": ["metadata"]},
        {"href": "/etc/secret.xml"},
        {"href": "../../secret_MTL.json"},
    ],
)
def test_metadata_and_other_assets_cannot_name_local_files_either(tmp_path, asset):
    item = rtc("2018-06-02")
    item["assets"]["mtl"] = asset
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "item.json").write_text(json.dumps(item))
    with pytest.raises(CatalogError, match=r"asset 'mtl': refused .*catalog\.allow_roots"):
        search(tmp_path / "cat" / "item.json", HELHEIM)


def test_relative_metadata_is_resolved(api):
    item = rtc("2018-06-02")
    item["assets"]["mtl"] = {"href": "./scene_MTL.json", "roles": ["metadata"]}
    item["links"] = [{"rel": "self", "href": f"{api.url}/collections/a/items/b"}]
    api.items = [item]
    found = search(api.url, HELHEIM).to_dicts()[0]
    assert found["assets"]["mtl"]["href"] == f"{api.url}/collections/a/items/scene_MTL.json"


def test_local_files_outside_the_catalogue_need_a_root(tmp_path):
    item = rtc("2018-06-02")
    item["assets"]["hh"]["href"] = str(tmp_path / "elsewhere" / "hh.tif")
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "item.json").write_text(json.dumps(item))
    with pytest.raises(CatalogError, match=r"catalog\.allow_roots"):
        search(tmp_path / "cat" / "item.json", HELHEIM)
    with dask.config.set({"icefront.catalog.allow_roots": [str(tmp_path / "elsewhere")]}):
        assert len(search(tmp_path / "cat" / "item.json", HELHEIM)) == 1

"""Which object store a URL leads to; no store is spoken to."""

from __future__ import annotations

import pytest
from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store
from zarr.storage import LocalStore, ObjectStore

from icefront_dask.cube.repository import open_repository
from icefront_dask.cube.store import open_store
from icefront_dask.errors import StoreError

ACCOUNT = "glaciers"


@pytest.fixture(autouse=True)
def azure(monkeypatch):
    """The account of Azure is never part of a URL."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AWS_REGION", "us-west-2")


@pytest.mark.parametrize(
    ("url", "kind", "config"),
    [
        ("s3://bucket/greenland/cube.zarr", S3Store, {"bucket": "bucket"}),
        ("gs://bucket/greenland/cube.zarr", GCSStore, {"bucket": "bucket"}),
        ("az://container/greenland/cube.zarr", AzureStore, {"container_name": "container"}),
        ("https://data.example.org/cube.zarr", HTTPStore, None),
    ],
)
def test_urls_of_object_stores(url, kind, config):
    store = open_store(url, read_only=True)
    assert isinstance(store, ObjectStore)
    assert store.read_only
    assert isinstance(store.store, kind)
    if config is not None:
        assert store.store.prefix == "greenland/cube.zarr"
        assert {key: dict(store.store.config)[key] for key in config} == config
    assert not open_store(url).read_only


def test_paths_are_local(tmp_path):
    for where in (tmp_path, f"file://{tmp_path}"):
        store = open_store(where)
        assert isinstance(store, LocalStore)
        assert str(store.root) == str(tmp_path)


@pytest.mark.parametrize("url", ["icechunk+ftp://host/x", "icechunk+https://host/x"])
def test_icechunk_says_where_it_can_be(url):
    with pytest.raises(StoreError, match=r"icechunk\+gs://bucket/prefix or icechunk\+az://container/prefix"):
        open_repository(url)

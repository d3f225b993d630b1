"""Objects of S3 through moto's server: signed by the worker's credentials, and no secret in what is kept or said."""

from __future__ import annotations

import json
import logging
import pickle

import boto3
import dask.config
import numpy as np
import pytest
import rasterio
import requests
from affine import Affine
from moto.server import ThreadedMotoServer
from shapely.geometry import box

from icefront_dask.catalog import Items, http, search, sign
from icefront_dask.catalog.access import Access
from icefront_dask.catalog.remote import RemoteFile, fetch, forget_files
from icefront_dask.catalog.sign import signer
from icefront_dask.catalog.stores import StoreSigner
from icefront_dask.cube import load
from icefront_dask.cube.gdal import open_gtiff
from icefront_dask.errors import CatalogError, ReadError
from icefront_dask.runs import run
from tests.catalog.builders import HELHEIM, rtc
from tests.runs import tiny
from tests.server.canary import CANARY, assert_lacks, left_by, logged, plain, units_sent

pytestmark = pytest.mark.server

BUCKET = "usgs-landsat"  # whose requester pays
SECRETS = (CANARY, "X-Amz-Signature", "X-Amz-Credential", "AKIATEST")
TRANSFORM = Affine(60.0, 0.0, 290_000.0, 0.0, -60.0, -2_560_000.0)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A COG over Helheim, and its pixels."""
    path = tmp_path_factory.mktemp("cog") / "hh.tif"
    values = np.random.default_rng(1).gamma(4.4, 0.05, (700, 700)).astype("float32")
    with rasterio.open(
        path, "w", driver="COG", dtype="float32", count=1, height=700, width=700, crs="EPSG:3413",
        transform=TRANSFORM, compress="deflate", nodata=-32768,
    ) as out:  # fmt: skip
        out.write(values, 1)
    return path, values


@pytest.fixture
def s3(scene, monkeypatch):
    """moto's S3 with the scene in a bucket; the environment names it and holds credentials."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_SESSION_TOKEN": f"session-{CANARY}",
        "AWS_REGION": "us-west-2",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SKIP_SIGNATURE", "AWS_NO_SIGN_REQUEST", "AWS_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    requests.post(f"{url}/moto-api/reset", timeout=10).raise_for_status()
    client = boto3.client("s3", endpoint_url=url, region_name="us-west-2")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    client.upload_file(str(scene[0]), BUCKET, "scene/hh.tif")
    client.put_object(Bucket=BUCKET, Key="mtl.json", Body=json.dumps({"LANDSAT_METADATA_FILE": {}}).encode())
    forget_files()
    monkeypatch.setattr(sign, "_signers", {})  # a process keeps its signers and clients, and so the endpoint that
    monkeypatch.setattr(http, "_clients", {})  # the environment named first
    with dask.config.set({"icefront.catalog.allow_hosts": []}):  # the endpoint is the user's own word
        yield url
    forget_files()
    server.stop()


def test_objects_are_read_with_the_worker_s_credentials(s3, scene):
    with open_gtiff(f"s3://{BUCKET}/scene/hh.tif", "item", Access.resolve()) as source:
        assert np.array_equal(source.read(1, window=((100, 400), (300, 500))), scene[1][100:400, 300:500])
    assert json.loads(fetch(f"s3://{BUCKET}/mtl.json", Access.resolve())) == {"LANDSAT_METADATA_FILE": {}}


def test_the_requester_pays_and_signs_for_an_hour(s3):
    url = StoreSigner().sign(f"s3://{BUCKET}/a.tif")
    assert url.startswith(f"{s3}/{BUCKET}/a.tif?")
    assert "x-amz-request-payer=requester" in url
    assert "X-Amz-Expires=3600" in url
    assert "request-payer" not in StoreSigner().sign("s3://sentinel-cogs/a.tif")
    mine = StoreSigner()
    assert mine.sign(f"s3://{BUCKET}/a.tif") == mine.sign(f"s3://{BUCKET}/a.tif")


def test_without_credentials(s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(CatalogError, match=r"requester pays for bucket 'usgs-landsat'.*AWS_ACCESS_KEY_ID"):
        StoreSigner().sign(f"s3://{BUCKET}/a.tif")
    assert StoreSigner().sign("s3://sentinel-cogs/a b.tif") == f"{s3}/sentinel-cogs/a%20b.tif"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert StoreSigner().sign("s3://sentinel-cogs/a.tif") == "https://s3.us-west-2.amazonaws.com/sentinel-cogs/a.tif"
    assert StoreSigner().sign("s3://other/a.tif") == "https://other.s3.amazonaws.com/a.tif"
    assert StoreSigner().sign("gs://bucket/a.tif") == "https://storage.googleapis.com/bucket/a.tif"
    with pytest.raises(CatalogError, match="AZURE_STORAGE_ACCOUNT_NAME"):
        StoreSigner().sign("az://container/a.tif")


def test_what_is_not_there(s3):
    with (
        pytest.raises(ReadError, match=r"item: s3://usgs-landsat/none.tif does not exist"),
        open_gtiff(f"s3://{BUCKET}/none.tif", "item", Access.resolve()),
    ):
        pass


def test_no_secret_is_kept_or_said(s3, scene, tmp_path, caplog):
    """The credentials, and anything signed with them, are in no table, graph, repr, file, error or log."""
    item = rtc("2018-06-02", box(-40, 65, -36, 68), polarisations=("HH",))
    item["assets"]["hh"]["href"] = f"s3://{BUCKET}/scene/hh.tif"
    (tmp_path / "items.json").write_text(json.dumps(item))
    found = search(tmp_path / "items.json", HELHEIM, cache=tmp_path / "cache")
    with caplog.at_level(logging.DEBUG):
        cube = load(found, HELHEIM, "sentinel-1", resolution=200)
        computed = cube.hh.compute(scheduler="synchronous")
        with pytest.raises(ReadError) as caught, open_gtiff(f"s3://{BUCKET}/none.tif", "item", Access.resolve()):
            pass
    assert np.isfinite(computed).any()
    access = Access.resolve()
    assert_lacks(
        {
            "items": pickle.dumps(found),
            "graph": pickle.dumps(dict(cube.__dask_graph__())),
            "pickles": pickle.dumps([access, StoreSigner()]),
            "repr": "".join(map(repr, (found, cube, access, signer(access), RemoteFile("s3://b/a.tif", access)))),
            "html": found._repr_html_(),
            "error": str(caught.value),
            "log": logged(caplog),
            "attrs": json.dumps(cube.attrs, default=str),
            **{path.name: plain(path) for path in tmp_path.rglob("*") if path.is_file()},
        },
        *SECRETS,
    )
    assert Items.from_parquet(next((tmp_path / "cache").glob("*.parquet"))) == found


def test_no_secret_is_in_anything_that_a_run_writes_or_sends(s3, tmp_path, monkeypatch, caplog):
    """Neither in the run folder (specification, ledger, parts, products) nor in its store, nor in what workers get."""
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    sent = units_sent(monkeypatch)
    archive = tiny.tiny_archive(tmp_path / "archive")
    client = boto3.client("s3", endpoint_url=s3, region_name="us-west-2")
    items = []
    for item in Items.from_parquet(archive.items).to_dicts():
        if item["collection"] != "sentinel-1-rtc":
            continue
        for key in ("hh", "hv"):
            name = f"{item['id']}/{key}.tif"
            client.upload_file(str(archive.folder / item["assets"][key]["href"]), BUCKET, name)
            item["assets"][key]["href"] = f"s3://{BUCKET}/{name}"
        items.append({**item, "assets": {key: item["assets"][key] for key in ("hh", "hv")}})
    Items.from_dicts(items).to_parquet(tmp_path / "items.parquet")
    store = f"icechunk+s3://{BUCKET}/cubes"
    config = tiny.write_config(
        tmp_path / "run.yaml", archive, tiny.tiny_model(tmp_path / "models"), source=str(tmp_path / "items.parquet"),
        families=["sentinel-1"], store=store,
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        done = run(config)
    assert done.done == len(sent) == 2
    objects = client.list_objects_v2(Bucket=BUCKET, Prefix="cubes/")["Contents"]
    kept = {o["Key"]: client.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in objects}
    kept |= left_by(done, store) | {"log": logged(caplog), "sent": b"".join(sent)}
    assert "pixels_sha256" in kept["commits"]
    # Units carry the places of their pixels and a session of the store.
    assert items[0]["assets"]["hh"]["href"].encode() in kept["sent"]
    assert b"S3Storage" in kept["sent"]
    assert_lacks(kept, *SECRETS)

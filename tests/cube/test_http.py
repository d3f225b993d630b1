"""Reading over HTTP: signing just before opening, refusals, retries, and no token anywhere."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from icefront_dask.catalog import sign
from icefront_dask.cube import ReadOptions, load, read_scenes, scenes
from icefront_dask.cube.gdal import open_gtiff
from icefront_dask.errors import CatalogError, ReadError
from tests.cube import builders
from tests.cube.server import serving

REGION = builders.region(2_400)
READERS = ["odc", "stackstac"]


@pytest.fixture
def web(s1):
    """A file server, and the first Sentinel-1 item with its HH asset there."""
    item = s1[0]
    path = Path(item["assets"]["hh"]["href"])
    del item["assets"]["hv"]
    with serving(path.parent) as server:
        item["assets"]["hh"]["href"] = f"{server.url}/{path.name}"
        yield server, item


class Tokens:
    """Signs with the newest of several tokens; the first may be stale."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.signed = 0

    def sign(self, href: str) -> str:
        self.signed += 1
        return f"{href}?sig={self.tokens[0]}"

    def forget(self, href: str, refused: str | None = None) -> None:
        assert refused == f"{href}?sig={self.tokens[0]}"
        if len(self.tokens) > 1:
            self.tokens.pop(0)


@pytest.mark.parametrize("name", READERS)
def test_the_same_values_over_http(web, s1_items, name):
    server, item = web
    options = ReadOptions.resolve(reader=name)
    grid = REGION.geobox(20)
    remote = read_scenes(scenes([item]), grid, ("hh",), options)
    local = read_scenes(scenes([s1_items[0]]), grid, ("hh",), options)
    np.testing.assert_array_equal(remote["hh"], local["hh"])
    assert {status for _, status in server.log} <= {200, 206}
    assert not any(path.endswith((".aux.xml", ".ovr", ".msk")) for path, _ in server.log)


def test_a_missing_file_is_named(web):
    _, item = web
    item["assets"]["hh"]["href"] += "x"
    with pytest.raises(ReadError, match=r"item 'S1A_IW_GRDH_1SDH_02_rtc', asset 'hh': http.*tifx does not exist"):
        read_scenes(scenes([item]), REGION.geobox(20), ("hh",))


def test_transient_failures_are_tried_again(web):
    server, item = web
    server.failures = [503, 503]
    got = read_scenes(scenes([item]), REGION.geobox(20), ("hh",))
    assert not np.isnan(got["hh"]).any()
    assert [status for _, status in server.log][:2] == [503, 503]


@pytest.mark.parametrize("name", READERS)
def test_a_refused_token_is_renewed_once(web, monkeypatch, name):
    server, item = web
    server.token = "fresh"
    tokens = Tokens("stale", "fresh")
    monkeypatch.setattr(sign, "signer", lambda *_: tokens)
    cube = load([item], REGION, "sentinel-1", resolution=20, reader=name)
    assert tokens.signed == 0  # nothing is signed while the graph is built
    assert not np.isnan(cube.hh.compute()).any()
    statuses = [status for _, status in server.log]
    assert statuses.count(403) == 1  # every request is signed by itself, the refused one twice
    assert tokens.signed == len(statuses)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["refused", "damaged"])
def test_a_token_is_in_no_error_log_or_graph(web, monkeypatch, caplog, tmp_path, name, kind):
    canary = "c4n4ry"
    server, item = web
    if kind == "refused":
        server.token = "another"
    else:
        whole = server.folder / item["assets"]["hh"]["href"].rpartition("/")[2]
        (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        server.folder = tmp_path
        item["assets"]["hh"]["href"] = f"{server.url}/cut.tif"
    monkeypatch.setattr(sign, "signer", lambda *_: Tokens(canary))
    cube = load([item], REGION, "sentinel-1", resolution=20, reader=name)
    assert canary.encode() not in pickle.dumps(dict(cube.__dask_graph__()))
    with caplog.at_level(logging.DEBUG), pytest.raises(ReadError) as caught:
        cube.hh.compute(scheduler="synchronous")
    message = str(caught.value)
    assert ("is refused" if kind == "refused" else "truncated or damaged") in message
    assert canary not in message
    assert canary not in caplog.text
    error: BaseException | None = caught.value
    while error is not None:
        assert canary not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("href", ["/vsicurl/http://127.0.0.1/a.tif", "vrt:///a.tif", "http://u:p@127.0.0.1/a.tif"])
def test_hrefs_that_may_not_be_opened_are_refused(s1, href):
    item = copy.deepcopy(s1[0])
    item["assets"]["hh"]["href"] = href
    with pytest.raises(CatalogError, match=r"item 'S1A_IW_GRDH_1SDH_02_rtc', asset 'hh': refused to open"):
        read_scenes(scenes([item]), REGION.geobox(20), ("hh",))


def test_directories_at_the_end_of_a_file_are_read_too(tmp_path):
    """Overviews that were appended: rasterio asks for them with the interpreter's lock in its hands."""
    values = np.random.default_rng(3).random((1024, 1024), dtype="float32")
    path = tmp_path / "appended.tif"
    profile = {"crs": "EPSG:3413", "transform": Affine(20, 0, 3e5, 0, -20, -2.5e6), "tiled": True}
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", count=1, height=1024, width=1024, **profile) as out:
        out.write(values, 1)
    with rasterio.open(path, "r+") as out:
        out.build_overviews([2, 4])
    with serving(tmp_path) as server, open_gtiff(f"{server.url}/{path.name}", "x") as source:
        assert source.overviews(1) == [2, 4]
        assert np.array_equal(source.read(1, window=((0, 64), (0, 64))), values[:64, :64])

"""Searches that are killed half way, and answers that lead astray, through nginx in front of pgstac."""

from __future__ import annotations

import multiprocessing
import time

import dask.config
import numpy as np
import pytest
import rasterio
from affine import Affine
from shapely.geometry import box

from icefront_dask.catalog import search
from icefront_dask.catalog.hosts import HostError
from icefront_dask.catalog.remote import forget_files
from icefront_dask.cube.gdal import open_gtiff
from icefront_dask.errors import CatalogError
from icefront_dask.regions import read_regions, write_regions
from icefront_dask.runs.config import parse_config
from icefront_dask.runs.planning import _items
from tests.catalog.builders import HELHEIM, landsat
from tests.server.services import Nginx, missing
from tests.server.test_servers import collection

pytestmark = pytest.mark.server

PAGE = 5
COUNT = 43
PAGES = -(-COUNT // PAGE)
SLOWLY = "limit_req_zone $server_name zone=slow:64k rate=4r/s;"
STATUSES = (301, 302, 307, 308)
TARGETS = (
    "http://169.254.169.254/latest/meta-data",
    "http://127.0.0.1:1/",
    "http://10.0.0.1/x",
    "file:///etc/passwd",
    "http://u:p@data.example.org/x",
)


@pytest.fixture(scope="module")
def api(pgstac, stac_api):
    """43 scenes over Helheim in pgstac."""
    items = [
        landsat(f"2021-0{1 + k % 9}-1{k % 10}", box(-40, 65, -36, 67), name=f"LC08_L2SP_{k:03d}013_20210101_02_T1")
        | {"collection": "paged"}
        for k in range(COUNT)
    ]
    pgstac.load([collection("paged")], items)
    return stac_api


def proxy(api, host="$http_host", more=""):
    return f"proxy_pass http://127.0.0.1:{api.port}; proxy_set_header Host {host}; {more}"


def searched(front):
    return sum(path == "/search" and status == 200 for status, _, path, _, _ in front.requests())


def run_search(url, cache):
    with dask.config.set({"icefront.catalog.page_size": PAGE}):
        return search(url, HELHEIM, collections="paged", cache=cache)


def run_items(url, folder):
    """Do what a run does first."""
    write_regions([HELHEIM], folder / "regions.geojson")
    config = parse_config(
        {
            "source": url,
            "regions": str(folder / "regions.geojson"),
            "output": str(folder / "run"),
            "collections": ["paged"],
        }
    )
    (folder / "run").mkdir(exist_ok=True)
    with dask.config.set({"icefront.catalog.page_size": PAGE}):
        return _items(config, read_regions(config.regions))


def pages(folder):
    """Number of pages that were kept whole."""
    return len(list(folder.glob("*.pages/*.json")))


def slowly(api):
    return f"location = /search {{ limit_req zone=slow burst=99; {proxy(api)} }} location / {{ {proxy(api)} }}"


def killed_after(count, folder, target, *arguments):
    """Start a process and kill it once so many pages are kept."""
    child = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    child.start()
    while pages(folder) < count:
        assert child.is_alive()
        time.sleep(0.01)
    child.kill()
    child.join()


@pytest.mark.parametrize("kills", [2])
def test_a_search_that_is_killed_goes_on_without_asking_for_a_page_again(api, tmp_path, kills):
    cache = tmp_path / "cache"
    with Nginx(tmp_path, http=SLOWLY, server=slowly(api)) as front:
        for kill in range(kills):
            killed_after(2 * (kill + 1), cache, run_search, front.url, cache)
        kept, before = pages(cache), searched(front)
        assert 2 * kills <= kept < PAGES
        found = run_search(front.url, cache)
        assert len(found) == COUNT
        assert len(set(found.ids)) == COUNT
        assert searched(front) - before == PAGES - kept
        assert before - kept <= kills  # at most the page that was under way at each kill
        whole = searched(front)
        assert run_search(front.url, cache) == found
        assert searched(front) == whole
    assert run_search(front.url, cache) == found  # and the server is gone
    assert [path.suffix for path in cache.iterdir()] == [".parquet"]


def test_the_search_of_a_run_that_is_killed_goes_on(api, tmp_path):
    with Nginx(tmp_path, http=SLOWLY, server=slowly(api)) as front:
        killed_after(3, tmp_path / "run" / ".search", run_items, front.url, tmp_path)
        kept, before = pages(tmp_path / "run" / ".search"), searched(front)
        found = run_items(front.url, tmp_path)
        assert len(set(found.ids)) == COUNT
        assert searched(front) - before == PAGES - kept
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["items.parquet", "search.json"]
    assert run_items(front.url, tmp_path) == found  # and the server is gone


def test_a_next_link_to_another_host_is_not_followed(api, tmp_path):
    astray = f"location = /search {{ {proxy(api, 'stac.example.org')} }} location / {{ {proxy(api)} }}"
    with Nginx(tmp_path, server=astray) as front:
        with pytest.raises(CatalogError, match=r"sends the search on to .stac\.example\.org"):
            run_search(front.url, None)
        assert searched(front) == 1


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_to_a_private_address_is_refused(hostile, target, status):
    name = f"/{status}/{TARGETS.index(target)}"
    with dask.config.set({"icefront.catalog.allow_hosts": [f"127.0.0.1:{hostile.port}"]}):
        forget_files()
        with pytest.raises(CatalogError, match=r"redirects to .*, which is refused"):
            search(f"{hostile.url}{name}/catalog.json", HELHEIM)
        with (
            pytest.raises(HostError, match=r"x: refused to open .*redirects to .* refused"),
            open_gtiff(f"{hostile.url}{name}/a.tif", "x"),
        ):
            pass
    assert [path.startswith(name) for _, _, path, _, _ in hostile.requests()][-2:] == [True, True]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """An nginx that sends everybody somewhere else, and to a file of its own."""
    if lacks := [name for name in missing() if name.startswith("nginx")]:
        pytest.skip(f"not installed: {lacks[0]}")
    root = tmp_path_factory.mktemp("hostile")
    places = [
        f"location /{status}/{number}/ {{ return {status} {target}; }}"
        for number, target in enumerate(TARGETS)
        for status in STATUSES
    ]
    profile = {"crs": "EPSG:3413", "transform": Affine(20, 0, 3e5, 0, -20, -2.5e6)}
    with rasterio.open(
        root / "a.tif", "w", driver="GTiff", dtype="uint8", count=1, height=64, width=64, **profile
    ) as out:
        out.write(np.full((64, 64), 7, "uint8"), 1)
    places.append("location /moved/ { return 302 /a.tif; }")
    with Nginx(root, server=" ".join(places)) as server:
        yield server


def test_a_redirect_on_the_same_host_is_followed(hostile):
    with open_gtiff(f"{hostile.url}/moved/b.tif", "x") as dataset:
        assert (dataset.read(1) == 7).all()

"""Scenes whose items stand in pgstac and whose files lie behind nginx give what they give from a disk."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import dask.config
import numpy as np
import pytest
import xarray as xr

from icefront_dask.catalog import Items
from icefront_dask.cube import Quality, load, open_cube, open_layers
from icefront_dask.errors import ReadError
from icefront_dask.publish import read_fronts
from icefront_dask.regions import read_regions, write_regions
from icefront_dask.runs import run
from tests.cube import builders, grd_product
from tests.helpers import raise_if_dask_computes
from tests.runs import tiny
from tests.server.services import Nginx
from tests.server.test_servers import collection

pytestmark = pytest.mark.server

FAMILIES = ("sentinel-1", "landsat")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """An archive of four simulated scenes on the disk, and a region over them that states elevation and geoid."""
    folder = tmp_path_factory.mktemp("whole-way")
    archive = tiny.tiny_archive(folder / "archive")
    (region,) = read_regions(archive.regions)
    grid = region.geobox(60.0)
    heights = (np.indices(grid.shape.yx)[0] * 1.5).astype("float32")
    builders.cog(archive.folder / "dem.tif", heights, grid)
    return archive, region, tiny.tiny_model(folder / "models")


def config(folder, local, root, **changes):
    """Write the run file of a run whose region finds its elevation below a folder or URL."""
    archive, region, model = local
    folder.mkdir()
    write_regions([region.patch(elevation=f"{root}/dem.tif", geoid="38.5")], folder / "regions.parquet")
    return tiny.write_config(
        folder / "run.yaml", archive, model, regions=str(folder / "regions.parquet"), datetime="2010/2017", **changes
    )


def served(items, folder, url):
    """The same items, with their files where a server has them."""
    return json.loads(json.dumps(items).replace(str(folder), url))


def test_a_run_over_servers_is_the_run_over_files(local, pgstac, stac_api, web, tmp_path):
    archive = local[0]
    shutil.copytree(archive.folder, web.root / "archive")
    items = Items.from_parquet(archive.items).to_dicts()
    for item in items:
        for asset in item["assets"].values():
            asset["href"] = f"{web.url}/archive/{asset['href'].removeprefix('./')}"
    pgstac.load([collection(name) for name in ("sentinel-1-rtc", "landsat-c2-l2")], items)
    expected = run(config(tmp_path / "files", local, archive.folder))
    api = f"location / {{ proxy_pass http://127.0.0.1:{stac_api.port}; proxy_set_header Host $http_host; }}"
    before = len(web.requests())
    with Nginx(tmp_path, server=api) as front:
        path = config(tmp_path / "servers", local, f"{web.url}/archive", source=front.url)
        found = run(path)
        assert sum(asked == "/search" for _, _, asked, _, _ in front.requests()) == 1
    assert (found.done, len(found.plan.left_out)) == (4, 0)
    for family in FAMILIES:
        mine, theirs = (str(result.output / "cube.zarr") for result in (found, expected))
        xr.testing.assert_equal(open_cube(mine, family=family), open_cube(theirs, family=family))
        xr.testing.assert_equal(open_layers(mine, family=family), open_layers(theirs, family=family))
    assert read_fronts(found.output / "fronts.parquet").equals(read_fronts(expected.output / "fronts.parquet"))
    asked = web.requests()[before:]
    assert {status for status, _, _, _, _ in asked} == {206}  # parts of files that are there, and nothing else
    # The catalogue is gone, and is not needed: neither is a file.
    again = run(path)
    assert (again.done, again.kept) == (0, 4)
    assert len(web.requests()) == before + len(asked)


def test_a_ground_range_product_over_http(web, tmp_path):
    """Image, annotation, calibration and noise, placed over an elevation that is as far away."""
    track = grd_product.Track(lines=300, pixels=260, spacing_m=40.0)
    rng = np.random.default_rng(5)
    numbers = {name: rng.integers(50, 400, (track.lines, track.pixels), "uint16") for name in ("hh", "hv")}
    folder = tmp_path / "S1A_EW_GRDM.SAFE"
    item = grd_product.write(folder, track, numbers)
    grid = builders.utm_grid(32624, 300, 30)
    builders.cog(folder / "dem.tif", (300 + 200 * np.sin(np.indices(grid.shape.yx)[1] / 40)).astype("float32"), grid)
    shutil.copytree(folder, web.root / folder.name)
    url = f"{web.url}/{folder.name}"
    with dask.config.set({"icefront.catalog.allow_roots": [str(tmp_path)]}):
        place = builders.region().patch(elevation=str(folder / "dem.tif"), geoid="25")
        expected = load([item], place, "sentinel-1", resolution=40).compute()
    with raise_if_dask_computes():
        lazy = load(served([item], folder, url), place.patch(elevation=f"{url}/dem.tif"), "sentinel-1", resolution=40)
    assert lazy.geometry.item() == "range_doppler"
    found = lazy.compute()
    xr.testing.assert_equal(found, expected)
    assert np.isfinite(found.hv).all()


@pytest.fixture(scope="module")
def slices(web, tmp_path_factory):
    """Two scenes of two polarisations behind nginx, where one file is cut off."""
    folder = tmp_path_factory.mktemp("slices")
    rng = np.random.default_rng(8)
    grid = builders.utm_grid(32624, 480, 10)
    items = [
        builders.s1_item(
            folder, f"scene{day}", {name: builders.speckle(rng, grid.shape.yx) for name in ("hh", "hv")}, grid,
            datetime=f"2018-06-0{day}T20:15:32Z",
        )
        for day in (2, 6)
    ]  # fmt: skip
    shutil.copytree(folder, web.root / "slices")
    whole = served(items, folder, f"{web.url}/slices")
    cut = copy.deepcopy(whole)
    path = web.root / "slices" / Path(items[0]["assets"]["hv"]["href"]).name
    (path.parent / "cut.tif").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut[0]["assets"]["hv"]["href"] = f"{web.url}/slices/cut.tif"
    missing = copy.deepcopy(whole)
    missing[0]["assets"]["hv"]["href"] += "x"
    return whole, {"cut": cut, "missing": missing}


@pytest.mark.parametrize("reader", ["odc", "stackstac"])
@pytest.mark.parametrize("fault", ["cut", "missing"])
def test_what_becomes_of_a_file_that_cannot_be_read(slices, reader, fault):
    whole, faulty = slices
    region = builders.region()

    def cube(items, policy):
        lazy = load(items, region, "sentinel-1", resolution=20, reader=reader, on_read_error=policy)
        return lazy.compute(scheduler="synchronous")

    good = cube(whole, "raise")
    assert not good.quality.any()
    with pytest.raises(ReadError, match=r"item 'scene2', asset 'hv': http.*(truncated or damaged|does not exist)"):
        cube(faulty[fault], "raise")
    for policy in ("skip", "flag"):
        found = cube(faulty[fault], policy)
        assert (found.quality[0] == Quality.NODATA | Quality.READ_FAILED).all()
        assert np.isnan(found.hh[0]).all()
        xr.testing.assert_equal(found.isel(time=1), good.isel(time=1))

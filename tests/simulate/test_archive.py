"""A whole archive on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pystac
import pytest
import rasterio
import stac_geoparquet.arrow

from icefront_dask.errors import InputError, StoreError
from icefront_dask.regions import read_regions
from icefront_dask.score import demo_scores
from icefront_dask.simulate import archive as room
from icefront_dask.simulate.archive import read_truth, write_archive
from icefront_dask.simulate.plan import ArchivePlan, demo_plan, small_plan

PLAN = small_plan()


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("archive") / "one", PLAN, workers=2)


def test_the_same_plan_gives_the_same_bytes(archive, tmp_path):
    seen = []
    again = write_archive(tmp_path / "other", PLAN, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert digests(again.folder) == digests(archive.folder)
    assert seen == [(k, 12) for k in range(1, 13)]
    assert [p.name for p in tmp_path.iterdir()] == ["other"]


def test_every_raster_is_a_cog_on_the_grid_of_its_item(archive):
    items = stac_geoparquet.arrow.stac_table_to_items(pq.read_table(archive.items))
    count = overviews = 0
    for item in items:
        for asset in item["assets"].values():
            assert asset["href"].startswith("./")
            with rasterio.open(archive.folder / asset["href"], driver="GTiff") as source:
                count += 1
                assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert source.block_shapes == [(256, 256)]
                assert bool(source.overviews(1)) == (max(source.shape) > 256)
                overviews += len(source.overviews(1))
                assert source.crs.to_string() == item["properties"]["proj:code"]
                assert list(source.transform)[:6] == item["properties"]["proj:transform"]
                assert list(source.shape) == item["properties"]["proj:shape"]
                assert source.nodata == asset["raster:bands"][0].get("nodata")
                assert source.dtypes[0] == asset["raster:bands"][0]["data_type"]
    assert overviews
    assert count == sum(len(p.polarisations) * len(p.sentinel) + 6 * len(p.landsat) for p in PLAN.places)


def test_the_static_catalogue_and_the_index_hold_the_same_items(archive):
    catalog = pystac.Catalog.from_file(str(archive.catalog))
    found = {item.id: item for item in catalog.get_items(recursive=True)}
    rows = {i["id"]: i for i in stac_geoparquet.arrow.stac_table_to_items(pq.read_table(archive.items))}
    assert set(found) == set(rows)
    assert len(rows) == archive.scenes == 12
    for name, item in found.items():
        item.stac_extensions = []
        item.validate()
        for key, asset in item.assets.items():
            path = archive.folder / rows[name]["assets"][key]["href"]
            assert path.is_file()
            assert asset.get_absolute_href() == str(path)
        assert rows[name]["properties"]["proj:code"] == item.properties["proj:code"]
        assert item.get_collection().id == rows[name]["collection"]
    for child in catalog.get_children():
        child.validate()


def test_regions_hold_the_roles_and_the_fronts_lie_in_their_fjords(archive):
    regions = {region.name: region for region in read_regions(archive.regions)}
    truth = read_truth(archive.folder)
    assert {r.kind: r.crs for r in regions.values()} == {
        "outlet": "EPSG:3413",
        "tongue": "EPSG:32718",
        "ice_shelf": "EPSG:3031",
    }
    for row in truth.itertuples():
        region = regions[row.region]
        assert row.crs == region.crs
        assert row.geometry.within(region.fjord.buffer(2))
        assert row.geometry.length > 0.5 * 2 * 800
        assert region.flowlines[0].intersects(row.geometry)
        assert region.box.intersects(row.geometry)
    assert len(regions["small-shelf"].flowlines) == 3
    assert regions["small-shelf"].reference_line is not None


def test_truth_is_valid_geoparquet_with_positions_on_the_flowline(archive):
    raw = gpd.read_parquet(archive.fronts)
    assert raw.crs.to_string() == "OGC:CRS84"
    assert json.loads(pq.read_schema(archive.fronts).metadata[b"geo"])["version"] == "1.1.0"
    truth = read_truth(archive.folder)
    assert truth["item_id"].is_unique
    assert str(truth["datetime"].dtype) == "datetime64[us, UTC]"
    regions = {region.name: region for region in read_regions(archive.regions)}
    for row in truth.itertuples():
        region = regions[row.region]
        crossing = row.geometry.intersection(region.flowlines[0])
        point = max(getattr(crossing, "geoms", [crossing]), key=region.flowlines[0].project)
        assert region.flowlines[0].project(point) / region.scale_factor == pytest.approx(row.position_m, abs=0.01)
    positions = pd.read_parquet(archive.positions)
    centre = positions[positions["flowline"] == 0].set_index("item_id")["position_m"]
    np.testing.assert_array_equal(centre.loc[truth["item_id"]], truth["position_m"])
    assert positions.groupby("region")["flowline"].nunique().to_dict() == {
        "small-outlet": 1,
        "small-shelf": 3,
        "small-tongue": 1,
    }


def test_the_truth_scores_perfectly_against_itself(archive):
    truth = read_truth(archive.folder)
    fronts = truth.rename(columns={"item_id": "scene_id"})[["region", "scene_id", "crs", "geometry"]]
    fronts = fronts.assign(item_ids=[[i] for i in truth["item_id"]], status="accepted", pixel_size_m=20.0)
    series = truth.rename(columns={"item_id": "scene_id"})[["region", "scene_id", "position_m"]]
    scores = demo_scores(fronts, truth, series.assign(method="centreline", flowline="0"))
    assert scores["mean_distance_px"] == 0
    assert scores["position_rmse_m"] == 0
    assert scores["accepted_share"] == 1
    # The same from the table in degrees, as a product holds it.
    degrees = gpd.read_parquet(archive.fronts)
    again = demo_scores(
        degrees.rename(columns={"item_id": "scene_id"}).assign(
            item_ids=fronts["item_ids"].tolist(), status="accepted", pixel_size_m=20.0
        ),
        truth,
    )
    assert again["mean_distance_px"] < 0.01


def test_a_folder_that_holds_something_else_is_refused(archive, tmp_path):
    before = digests(archive.folder)
    other = ArchivePlan(PLAN.places[:1])
    with pytest.raises(StoreError, match="another plan or seed"):
        write_archive(archive.folder, other)
    assert write_archive(archive.folder, PLAN).scenes == 12
    assert digests(archive.folder) == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds no archive"):
        write_archive(tmp_path, other)
    with pytest.raises(StoreError, match="is a file"):
        write_archive(tmp_path / "notes.txt", other)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "archive.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        write_archive(tmp_path / "broken", other)


def test_what_breaks_half_way_leaves_nothing_that_a_rerun_would_trust(tmp_path, monkeypatch):
    place = dataclasses.replace(PLAN.places[2], landsat=())
    plan = ArchivePlan((place,))
    write, calls = room.write_cog, []

    def failing(path, *args, **kwargs):
        calls.append(path)
        if len(calls) == 2:
            raise OSError("disk full")
        write(path, *args, **kwargs)

    monkeypatch.setattr(room, "write_cog", failing)
    with pytest.raises(OSError, match="disk full"):
        write_archive(tmp_path / "out", plan, workers=1)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(room, "write_cog", write)
    write_archive(tmp_path / "out", plan, workers=1)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_plans_that_cannot_be_written_are_named(tmp_path):
    place = dataclasses.replace(PLAN.places[2], landsat=(), sentinel=PLAN.places[2].sentinel[:1])
    twice = dataclasses.replace(place, sentinel=place.sentinel * 2)
    with pytest.raises((InputError, FileExistsError)):
        write_archive(tmp_path / "twice", ArchivePlan((twice,)), workers=1)
    late = dataclasses.replace(place.sentinel[0], absolute_orbit=90_000)
    with pytest.raises(InputError, match="choose a date between"):
        write_archive(tmp_path / "late", ArchivePlan((dataclasses.replace(place, sentinel=(late,)),)), workers=1)


def test_the_demo_covers_what_it_should():
    plan = demo_plan()
    assert plan.seeds == (20_260_700, 20_260_701, 20_260_702)
    assert {p.kind for p in plan.places} == {"outlet", "tongue", "ice_shelf"}
    platforms = {scene.platform for place in plan.places for scene in place.landsat}
    assert platforms == {"landsat-5", "landsat-7", "landsat-8", "landsat-9"}
    assert {place.polarisations for place in plan.places} == {("hh", "hv"), ("vv", "vh"), ("hh",)}
    assert plan.sha256 == demo_plan().sha256 != demo_plan(1).sha256
    months = {(2017 + (s.absolute_orbit - 14_631) // 175 * 12 // 365) for s in plan.places[0].sentinel}
    assert months == {2017, 2018}

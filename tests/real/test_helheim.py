"""Real Landsat and Sentinel-1 scenes of Helheim Glacier the whole way, through real servers."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import rasterio
from shapely.geometry import Point, box

from icefront_dask.publish import read_fronts, read_series
from tests.real import helheim

pytestmark = [pytest.mark.real, pytest.mark.server]


@pytest.fixture(scope="module")
def scenes(real_data):
    return real_data / helheim.FOLDER


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("helheim")


@pytest.fixture(scope="module")
def numbers(scenes, out, pgstac, stac_api):
    found = helheim.run_helheim(scenes, out, pgstac, stac_api)
    sys.stdout.write(json.dumps(found) + "\n")
    return found


def test_the_drawn_region_fits_the_scenes(scenes, tmp_path):
    helheim.write_cogs(scenes, tmp_path)
    region = helheim.region()
    for item in helheim.stac_items(tmp_path, "https://example.org"):
        with rasterio.open(tmp_path / f"{item['id']}.tif") as source:
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert item["bbox"] == pytest.approx(list(source.bounds))
    for scene in helheim.SCENES:
        assert all(region.fjord.covers(Point(p)) for p in scene.points)
    assert region.scale_factor == pytest.approx(1.012, abs=1e-3)
    assert box(*helheim.BOX.bounds).within(region.fjord)
    assert all(line.length > 9_000 and line.coords[0][0] < line.coords[-1][0] for line in region.flowlines)


def test_every_scene_is_found_read_by_ranges_and_answered_for(numbers, out):
    assert numbers["left_out"] == 0
    assert numbers["requests_failed"] == 0
    assert numbers["requests_by_range"] >= len(helheim.SCENES)
    fronts = read_fronts(out / "run" / "fronts.parquet")
    assert {i for ids in fronts["item_ids"] for i in ids} == {scene.id for scene in helheim.SCENES}
    true = {pixel / helheim.region().scale_factor for pixel in (20.0, 30.0)}
    assert sorted(set(fronts["pixel_size_m"])) == pytest.approx(sorted(true))
    assert fronts.crs == "EPSG:3413"
    series = read_series(out / "run" / "series.parquet")
    assert set(series["scene_id"]) == set(fronts["scene_id"])
    assert (out / "run" / "report.html").stat().st_size > 20_000


@pytest.mark.acceptance
def test_each_scene_is_accepted_or_in_review_with_a_reason(numbers):
    for name, scene in numbers["scenes"].items():
        assert set(scene["status"]) <= {"accepted", "review"}, (name, scene)
        assert scene["status"] == ["accepted"] or scene["reason"], (name, scene)


@pytest.mark.acceptance
def test_the_lines_lie_on_the_fronts(numbers):
    medians = [scene["eye_median_m"] for scene in numbers["scenes"].values()]
    assert np.max(medians) < 100.0


@pytest.mark.acceptance
def test_the_retreat_of_june_2018(numbers):
    assert numbers["retreat_seen_share"] >= 0.8
    assert numbers["retreat_m"] == pytest.approx(650.0, abs=200.0)

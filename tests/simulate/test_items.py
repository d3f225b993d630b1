"""Items as the providers write them."""

from __future__ import annotations

import json
import re

import numpy as np
import pystac
import pytest
import shapely

from icefront_dask.sensors import collection_for
from icefront_dask.simulate import items as stac
from icefront_dask.simulate.orbits import (
    landsat_time,
    relative_orbit,
    sentinel_time,
    sun_azimuth,
    sun_elevation,
)
from icefront_dask.simulate.plan import LandsatPlan, SentinelPlan, demo_plan
from icefront_dask.simulate.scenes import landsat_scene, sentinel_scene

from .builders import flat_front, straight_place

S1 = SentinelPlan("sentinel-1a", 20_000, 1000.0, ascending=True, zone=25, cut=0.2)
L7 = LandsatPlan("landsat-7", "2011-07-10", 229, 12, 0.2, "EPSG:32625")


@pytest.fixture(scope="module")
def place():
    return straight_place()


@pytest.fixture(scope="module")
def s1_item(place):
    time = sentinel_time(S1.platform, S1.absolute_orbit, S1.seconds)
    scene = sentinel_scene(place, flat_front(0), S1, time, 0)
    return stac.sentinel_item(place, S1, time, scene, {b: f"./{b}.tif" for b in scene.bands})


@pytest.fixture(scope="module")
def l7_item(place):
    time = landsat_time(L7.date, place.plan.lon)
    scene = landsat_scene(place, flat_front(0), L7, time, 0)
    return stac.landsat_item(place, L7, time, scene, {b: stac.landsat_file(L7, b) for b in scene.bands})


def test_identifiers_follow_the_providers_patterns(s1_item, l7_item, place):
    assert re.fullmatch(r"S1A_IW_GRDH_1SDH_\d{8}T\d{6}_\d{8}T\d{6}_020000_[0-9A-F]{6}_rtc", s1_item["id"])
    assert l7_item["id"] == "LE07_L2SP_229012_20110710_02_T1"
    assert l7_item["properties"]["landsat:scene_id"] == "LE72290122011191LGN00"
    assert stac.landsat_file(L7, "nir08") == "LE07_L2SP_229012_20110710_20110722_02_T1_SR_B4.TIF"
    assert stac.landsat_file(L7, "qa_pixel").endswith("_02_T1_QA_PIXEL.TIF")
    ids = []
    for plan in demo_plan().places:
        for scene in plan.sentinel:
            time = sentinel_time(scene.platform, scene.absolute_orbit, scene.seconds)
            ids.append(stac.sentinel_id(type(place)(plan, *[None] * 5), scene, time))
        ids += [stac.landsat_id(scene) for scene in plan.landsat]
    assert len(set(ids)) == len(ids) == 46


def test_landsat_items_have_the_properties_of_a_real_one(l7_item, real_data):
    folder = real_data / "stac" / "landsat_stactools" / "examples" / "landsat-c2-l2"
    name = "LE07_L2SP_021030_20100109_02_T1"
    real = json.loads((folder / name / f"{name}.json").read_text())
    renamed = {"proj:epsg", "proj:code", "proj:bbox", "created", "sci:doi"}
    assert set(l7_item["properties"]) - renamed == set(real["properties"]) - renamed
    for key, value in real["properties"].items():
        if key not in renamed:
            assert type(l7_item["properties"][key]) is type(value) or isinstance(value, float | int), key
    for key in ("nir08", "green", "red", "swir16", "qa_pixel", "qa_radsat"):
        assert l7_item["assets"][key]["roles"] == real["assets"][key]["roles"]
        for band in ("nodata", "scale", "offset", "data_type"):
            mine, theirs = (i["assets"][key]["raster:bands"][0].get(band) for i in (l7_item, real))
            assert mine == theirs
    assert [b["offset"] for b in l7_item["assets"]["qa_pixel"]["classification:bitfields"]] == list(range(8))


def test_sentinel_items_have_the_properties_of_the_collection(s1_item, real_data):
    template = json.loads((real_data / "stac" / "pctasks" / "sentinel-1-rtc" / "template.json").read_text())
    properties = s1_item["properties"]
    for key, allowed in template["summaries"].items():
        assert key in properties, key
        assert properties[key] in allowed, key
    real = template["item_assets"]["hh"]
    mine = s1_item["assets"]["hh"]
    assert mine["title"] == real["title"]
    assert mine["raster:bands"][0]["nodata"] == real["raster:bands"][0]["nodata"]
    assert set(s1_item["assets"]) == {"hh", "hv"}


def test_they_are_valid_stac_and_the_sensors_table_knows_them(s1_item, l7_item):
    for item in (s1_item, l7_item):
        core = pystac.Item.from_dict({**item, "stac_extensions": []})
        core.validate()
        assert shapely.geometry.shape(item["geometry"]).is_valid
        assert collection_for(item).id == item["collection"]
    assert collection_for(l7_item).sensor == "ETM+"


def test_the_footprint_is_that_of_the_valid_pixels(s1_item):
    full = {**s1_item["properties"]}
    area = shapely.geometry.shape(s1_item["geometry"]).area
    box = shapely.box(*s1_item["bbox"]).area
    assert 0.5 < area / box < 0.9
    assert full["proj:bbox"][2] - full["proj:bbox"][0] == full["proj:shape"][1] * full["proj:transform"][0]


def test_orbits_agree_with_real_products():
    # S1A_IW_GRDH_1SDV_20210809T173953_..._039156_049F13: relative orbit 59 (from the real item's file).
    assert relative_orbit("sentinel-1a", 39_156) == (39_156 - 73) % 175 + 1
    node = sentinel_time("sentinel-1a", 39_156, 0.0)
    assert np.datetime64("2021-08-09T17:39:53") - np.timedelta64(99, "m") < node < np.datetime64("2021-08-09T17:39:53")
    cycle = sentinel_time("sentinel-1a", 20_175, 0.0) - sentinel_time("sentinel-1a", 20_000, 0.0)
    assert cycle == np.timedelta64(12 * 86400, "s")
    # S1B_20161121_12SYJ_ASC: absolute orbit 3050, relative orbit 49.
    assert relative_orbit("sentinel-1b", 3050) == 49


def test_the_sun_is_where_real_items_say():
    # Real items: LC09_L2SP_010065_20220129 and LE07_L2SP_021030_20100109 at the middle of their scenes.
    for lat, lon, when, elevation, azimuth in (
        (-7.23, -80.04, "2022-01-29T15:28:34", 57.84, 112.2),
        (43.2, -86.6, "2010-01-09T16:13:46", 21.39, 156.98),
    ):
        time = np.datetime64(when)
        assert sun_elevation(lat, lon, time) == pytest.approx(elevation, abs=2.0)
        assert sun_azimuth(lat, lon, time) == pytest.approx(azimuth, abs=5.0)

from __future__ import annotations

import copy
import json
import pickle
import random
from pathlib import Path

import dask.config
import numpy as np
import pystac
import pytest

from icefront_dask.cube import load, scenes
from icefront_dask.cube.scene import item_dicts
from icefront_dask.errors import (
    CatalogError,
    ConfigError,
    InputError,
    MissingAssetError,
    NoItemsError,
    NotGeoreferencedError,
)
from tests.cube import builders

GRID = builders.utm_grid(32624, 480, 10)


def s1(item_id, datetime, **properties):
    assets = {p: {"href": f"/data/{item_id}_{p}.tif"} for p in ("hh", "hv")}
    defaults = {"platform": "SENTINEL-1A", "sat:orbit_state": "descending", "sat:relative_orbit": 127}
    return builders.item(item_id, "sentinel-1-rtc", GRID, assets, datetime, **(defaults | properties))


def landsat(item_id, datetime, **properties):
    assets = {key: {"href": f"/data/{item_id}_{key}.TIF"} for key in ("green", "nir08", "qa_pixel", "qa_radsat")}
    return builders.item(item_id, "landsat-c2-l2", GRID, assets, datetime, **properties)


def test_slices_of_one_datatake_are_one_scene():
    slices = [
        s1("c", "2018-06-02T20:15:57Z"),
        s1("a", "2018-06-02T20:15:32Z"),
        s1("b", "2018-06-14T20:15:32Z"),
    ]
    found = scenes(slices)
    assert [scene.item_ids for scene in found] == [("a", "c"), ("b",)]
    first = found[0]
    assert first.time == np.datetime64("2018-06-02T20:15:32", "ns")
    assert [source.item_id for source in first.sources] == ["a", "c"]
    assert (first.platform, first.sensor, first.orbit_direction, first.relative_orbit) == (
        "sentinel-1a",
        "C-SAR",
        "descending",
        127,
    )
    assert (first.geometry, first.geolocation_sigma_m, first.calibration) == ("rtc", 10.0, "gamma0")
    assert first.variables == ("hh", "hv")


def test_where_slices_overlap_the_newest_baseline_lies_on_top():
    """The data take was cut into other slices when it was processed again."""
    slices = [
        s1(name, f"2018-06-02T20:15:{second}Z", **{"processing:software": {"Sentinel-1 IPF": version}})
        for name, second, version in (
            ("a", 32, "002.91"),
            ("b", 42, "003.40"),
            ("c", 57, "002.91"),
            ("d", 50, "003.40"),
        )
    ]
    (scene,) = scenes(slices)
    assert [source.item_id for source in scene.sources] == ["b", "d", "a", "c"]
    assert (scene.item_ids, scene.time) == (("a", "b", "c", "d"), np.datetime64("2018-06-02T20:15:32", "ns"))


@pytest.mark.parametrize(
    "change",
    [
        {"sat:orbit_state": "ascending"},
        {"sat:relative_orbit": 90},
        {"platform": "SENTINEL-1B"},
        {"s1:datatake_id": "other"},
    ],
)
def test_passes_of_other_orbits_directions_platforms_stay_apart(change):
    assert len(scenes([s1("a", "2018-06-02T20:15:32Z"), s1("b", "2018-06-02T20:15:57Z", **change)])) == 2


def test_items_without_orbit_are_never_merged():
    loose = {"sat:relative_orbit": None, "sat:orbit_state": None}
    assert len(scenes([s1(i, "2018-06-02T20:15:32Z", **loose) for i in "ab"])) == 2


def test_landsat_rows_of_one_path_and_date_are_one_scene_even_across_midnight():
    rows = [
        landsat("LC08_L2SP_233012_20150710_02_T1", "2015-07-10T23:59:50Z"),
        landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-11T00:00:14Z"),
        landsat("LC08_L2SP_232013_20150710_02_T1", "2015-07-10T23:59:50Z"),
    ]
    found = scenes(rows)
    assert sorted(len(scene.item_ids) for scene in found) == [1, 2]
    assert {scene.relative_orbit for scene in found} == {232, 233}
    assert {scene.platform for scene in found} == {"landsat-8"}


def test_order_and_ids_do_not_depend_on_the_order_of_the_items():
    items = [s1(f"i{n:02d}", f"2018-{1 + n % 12:02d}-02T20:15:{n:02d}Z") for n in range(30)]
    expected = scenes(items)
    assert [s.time for s in expected] == sorted(s.time for s in expected)
    for seed in range(5):
        shuffled = copy.deepcopy(items)
        random.Random(seed).shuffle(shuffled)
        assert scenes(shuffled) == expected


def test_scene_id_is_a_slug_with_the_digest_of_the_sorted_item_ids():
    # printf 'a\nc' | sha256sum
    (scene,) = scenes([s1("c", "2018-06-02T20:15:57Z"), s1("a", "2018-06-02T20:15:32Z")])
    assert scene.scene_id == "sentinel-1a-20180602t201532-9e58d713"


def test_start_and_end_stand_in_for_a_missing_datetime():
    item = s1("a", None, start_datetime="2018-06-02T20:15:30Z", end_datetime="2018-06-02T20:15:34+00:00")
    assert scenes([item])[0].time == np.datetime64("2018-06-02T20:15:32", "ns")


def test_slc_off_begins_on_2003_05_31():
    before = landsat("LE07_L2SP_233013_20030530_02_T1", "2003-05-30T14:00:00Z")
    after = landsat("LE07_L2SP_233013_20030601_02_T1", "2003-06-01T14:00:00Z")
    other = landsat("LT05_L2SP_233013_20100601_02_T1", "2010-06-01T14:00:00Z")
    assert [s.sources[0].slc_off for s in scenes([before, after, other])] == [False, True, False]
    assert all(s.sources[0].dropped_bit for s in scenes([before, after, other]))


def test_region_and_family_choose_among_the_items():
    far = builders.region().patch(
        name="far",
        outline=builders.box(-1_000_000, -1_000_000, -990_000, -990_000),
    )
    items = [
        s1("a", "2018-06-02T20:15:32Z"),
        landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z"),
    ]
    assert len(scenes(items, builders.region(), "sentinel-1")) == 1
    assert len(scenes(items, builders.region())) == 2
    with pytest.raises(NoItemsError, match="'far'"):
        scenes(items, far)
    with pytest.raises(InputError, match="envisat"):
        scenes(items, family="envisat")


def test_scenes_are_small_pickles():
    (scene,) = scenes([landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z")])
    assert len(pickle.dumps(scene)) < 2048
    assert pickle.loads(pickle.dumps(scene)) == scene


def test_missing_assets_are_named():
    item = landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z")
    del item["assets"]["qa_pixel"]
    with pytest.raises(MissingAssetError, match=r"LC08_L2SP_233013_20150710_02_T1.*qa_pixel"):
        scenes([item])
    with pytest.raises(MissingAssetError, match=r"'a'.*swir16"):
        scenes([s1("a", "2018-06-02T20:15:32Z")], variables=("swir16",))
    bare = s1("a", "2018-06-02T20:15:32Z") | {"assets": {"thumbnail": {"href": "/x.png"}}}
    with pytest.raises(MissingAssetError, match="thumbnail"):
        scenes([bare])


def test_items_of_mixed_polarisation_go_together():
    single = s1("a", "2018-06-02T20:15:32Z")
    del single["assets"]["hv"]
    found = scenes([single, s1("b", "2018-06-14T20:15:32Z")], variables=("hh", "hv"))
    assert [scene.variables for scene in found] == [("hh",), ("hh", "hv")]


def test_two_calibrations_of_one_variable_are_refused():
    other = s1("b", "2018-06-14T20:15:32Z") | {"collection": "mine"}
    extra = {"mine": {"family": "sentinel-1", "assets": {"hh": "hh"}, "calibration": "sigma0", "geometry": "rtc"}}
    with pytest.raises(InputError, match=r"gamma0.*'sentinel-1-rtc'.*sigma0.*'mine'"):
        scenes([s1("a", "2018-06-02T20:15:32Z"), other], extra_collections=extra)


def test_bad_items_are_refused_by_name():
    with pytest.raises(CatalogError, match="'a' has no datetime"):
        scenes([s1("a", None)])
    with pytest.raises(CatalogError, match="unreadable date"):
        scenes([s1("a", "yesterday")])
    with pytest.raises(InputError, match="given twice"):
        scenes([s1("a", "2018-06-02T20:15:32Z")] * 2)
    with pytest.raises(ConfigError, match="'nobody-knows'"):
        scenes([s1("a", "2018-06-02T20:15:32Z") | {"collection": "nobody-knows"}])
    with pytest.raises(NotGeoreferencedError, match="sentinel-1-grd"):
        scenes([s1("a", "2018-06-02T20:15:32Z") | {"collection": "sentinel-1-grd"}])
    with pytest.raises(NoItemsError):
        scenes([])


def test_pystac_items_and_dictionaries_are_the_same():
    item = s1("a", "2018-06-02T20:15:32Z")
    assert scenes([pystac.Item.from_dict(copy.deepcopy(item))]) == scenes([item])
    assert item_dicts([item])[0]["id"] == "a"


def test_local_files_of_items_from_elsewhere_need_a_root(s1_items, tmp_path):
    item = s1_items[0]
    folder = Path(item["assets"]["hh"]["href"]).parent
    with dask.config.set({"icefront.catalog.allow_roots": []}):
        with pytest.raises(CatalogError, match=r"item 'S1A_.*', asset 'hh': refused .*catalog\.allow_roots"):
            load([item], builders.region(), "sentinel-1", resolution=20)
        with pytest.raises(CatalogError, match="asset 'hh': refused"):
            scenes([pystac.Item.from_dict(copy.deepcopy(item))])
        read = pystac.Item.from_dict(copy.deepcopy(item))
        read.set_self_href(str(folder / "item.json"))  # as of an item that was read from its file
        assert len(scenes([read])) == 1
    with dask.config.set({"icefront.catalog.allow_roots": [str(folder)]}):
        assert len(load([item], builders.region(), "sentinel-1", resolution=20).time) == 1
        for escape in (f"{folder}/../hh.tif", "file:///etc/passwd", str(link(tmp_path, folder))):
            changed = copy.deepcopy(item)
            changed["assets"]["hv"]["href"] = escape
            with pytest.raises(CatalogError, match="asset 'hv': refused to open the local file"):
                scenes([changed])


def link(tmp_path, folder):
    """A link in an allowed folder that leads out of it."""
    path = folder / "out.tif"
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "secret.tif")
    return path


def test_a_catalogue_table_of_mixed_items_gives_the_same_scenes():
    """In one Arrow table every item has every column: absent assets must stay absent."""
    from icefront_dask.catalog import Items

    single = s1("b", "2018-06-14T20:15:32Z")
    del single["assets"]["hv"]
    items = [s1("a", "2018-06-02T20:15:32Z"), single]
    items.append(landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z"))
    assert scenes(Items.from_dicts(items)) == scenes(items)


@pytest.mark.real
def test_real_items_become_scenes(real_data):
    root = real_data / "stac"
    names = [
        "landsat_stactools/examples/landsat-c2-l2/LE07_L2SP_021030_20100109_02_T1/LE07_L2SP_021030_20100109_02_T1",
        "landsat_stactools/examples/landsat-c2-l2/LC09_L2SP_010065_20220129_02_T1/LC09_L2SP_010065_20220129_02_T1",
        "landsat_stactools/examples/landsat-c2-l2/LT04_L2SP_002026_19830110_02_T1/LT04_L2SP_002026_19830110_02_T1",
        "sentinel1_stactools/S1B_20161121_12SYJ_ASC",
    ]
    items = [json.loads((root / f"{name}.json").read_text()) for name in names]
    found = {scene.item_ids[0]: scene for scene in scenes(items)}
    etm = found["LE07_L2SP_021030_20100109_02_T1"]
    assert etm.sources[0].slc_off
    assert etm.relative_orbit == 21
    nir = {band.variable: band for band in etm.sources[0].bands}["nir"]
    assert (nir.asset, nir.scale, nir.offset, nir.saturation_bit) == ("nir08", 2.75e-05, -0.2, 3)
    oli = {band.variable: band for band in found["LC09_L2SP_010065_20220129_02_T1"].sources[0].bands}["nir"]
    assert oli.saturation_bit == 4
    rtc = found["S1B_20161121_12SYJ_ASC"]
    assert rtc.variables == ("vv", "vh")
    assert (rtc.relative_orbit, rtc.orbit_direction) == (49, "ascending")


def test_thermal_and_panchromatic_come_where_they_are_asked_for():
    item = landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z")
    for key in ("lwir11", "pan"):
        item["assets"][key] = {"href": f"/data/{key}.TIF"}
    assert scenes([item])[0].variables == ("green", "nir")
    assert scenes([item], variables=("nir", "pan", "thermal"))[0].variables == ("nir", "pan", "thermal")
    only = copy.deepcopy(item)
    for key in ("green", "nir08", "pan"):
        del only["assets"][key]
    assert scenes([only])[0].variables == ("thermal",)


def test_level_1_steps_back_where_level_2_was_made():
    level_1 = landsat("LC08_L1TP_233013_20150710_02_T1", "2015-07-10T14:00:00Z", **{"view:sun_elevation": 30.0})
    winter = landsat("LC08_L1TP_233013_20150310_02_T1", "2015-03-10T14:00:00Z", **{"view:sun_elevation": 9.0})
    for item in (level_1, winter):
        item["collection"] = "landsat-c2-l1"
    level_2 = landsat("LC08_L2SP_233013_20150710_02_T1", "2015-07-10T14:00:00Z")
    found = scenes([level_1, winter, level_2])
    assert [scene.item_ids[0] for scene in found] == [winter["id"], level_2["id"]]
    assert {scene.calibration for scene in found} == {"reflectance"}

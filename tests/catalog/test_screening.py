from __future__ import annotations

import pandas as pd
import pytest
from shapely.geometry import box

from icefront_dask.catalog import Items, screen
from icefront_dask.catalog.screening import LEFT_OUT_COLUMNS, REASONS
from icefront_dask.errors import ConfigError, MissingAssetError, NoItemsError, NotGeoreferencedError
from tests.catalog.builders import HELHEIM, OVER_HELHEIM, landsat, raster, rtc, stac

GRID = HELHEIM.geobox(30)


def run(*items, **more):
    return screen(Items.from_dicts(list(items)), HELHEIM, GRID, **more)


def reasons(left_out):
    return dict(zip(left_out["item_id"], left_out["reason"], strict=True))


def grd(name="grd"):
    return stac(name, "sentinel-1-grd", "2018-06-03T00:00:00Z", OVER_HELHEIM, {"hh": raster("https://e.org/h.tif")})


def test_each_item_is_kept_or_left_out_for_a_reason():
    no_crs = rtc("2018-06-03", name="no-crs", orbit=1)
    del no_crs["properties"]["proj:epsg"]  # the file's own header places it
    good = [rtc("2018-06-02"), landsat("2018-06-02", cloud=90.0), no_crs]
    bad = {
        "cloudy": (landsat("2018-06-04", name="LC08_L2SP_232013_20180604_02_T1", cloud=90.1), "cloud_cover"),
        "corner": (rtc("2018-06-05", box(-40, 65, -38.6, 66.5), name="corner", orbit=2), "small_overlap"),
        "vertical": (rtc("2018-06-06", name="vertical", orbit=3, polarisations=("VH",)), "missing_asset"),
        "bare": (rtc("2018-06-07", None, name="bare", orbit=4), "no_geometry"),
        "grd": (grd(), "not_georeferenced"),
        "strange": (stac("strange", "naip", "2018-06-03T00:00:00Z", OVER_HELHEIM, {}), "unknown_collection"),
        "timeless": (rtc("2018-06-08", name="timeless", orbit=5, datetime=None, start_datetime=None), "no_time"),
        "night": (landsat("2018-12-08", name="LC08_L1TP_232013_20181208_02_T1"), "unusable"),
        "nameless": (landsat("2018-06-09", name="nameless", platform="x"), "unusable"),
    }
    bad["night"][0].update(collection="landsat-c2l1")
    for asset in bad["night"][0]["assets"].values():
        asset.pop("raster:bands", None)
    bad["night"][0]["properties"]["view:sun_elevation"] = -3.0
    kept, left_out = run(*good, *(item for item, _ in bad.values()))
    assert sorted(kept.ids) == sorted(i["id"] for i in good)
    assert reasons(left_out) == {item["id"]: reason for item, reason in bad.values()}
    assert tuple(left_out.columns) == LEFT_OUT_COLUMNS
    assert set(left_out["reason"]) <= set(REASONS)
    assert left_out["detail"].str.len().min() > 5
    assert (left_out["region"] == "helheim").all()


def test_thresholds_are_settings():
    items = rtc("2018-06-05", box(-40, 65, -38.6, 66.5), orbit=2), landsat("2018-06-02", cloud=40.0)
    assert len(run(*items, options={"min_footprint_share": 0.0})[0]) == 2
    assert (
        reasons(run(items[0], rtc("2018-06-02"), items[1], options={"max_cloud_cover": 30})[1])[items[1]["id"]]
        == "cloud_cover"
    )
    with pytest.raises(ConfigError, match="max_cloud"):
        run(*items, options={"max_cloud": 3})


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ({"months": [7]}, {"radar": "season", "june": "season"}),
        ({"months": [6]}, {"july": "season"}),
        ({"min_sun_elevation": 20}, {"july": "low_sun"}),
        ({"platforms": ["LANDSAT_8"]}, {"radar": "platform"}),
        ({"platforms": ["sentinel-1a", "landsat-9"]}, {"june": "platform", "july": "platform"}),
        (
            {"months": [6], "min_sun_elevation": 20, "platforms": ["landsat-8"]},
            {"july": "low_sun", "radar": "platform"},
        ),
    ],
)
def test_season_sun_and_platform(options, left_out):
    june, july = (f"LC08_L2SP_232013_2018{month}02_02_T1" for month in ("06", "07"))
    items = [
        rtc("2018-06-02", name="radar"),
        landsat("2018-06-02", name=june),
        landsat("2018-07-02", name=july, **{"view:sun_elevation": 12.0}),
    ]
    names = {"radar": "radar", "june": june, "july": july}
    kept, out = run(*items, options=options)
    assert reasons(out) == {names[name]: reason for name, reason in left_out.items()}
    assert len(kept) + len(out) == 3


@pytest.mark.parametrize("options", [{"months": [13]}, {"months": "summer"}, {"platforms": "landsat-8"}])
def test_settings_that_make_no_sense(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        run(rtc("2018-06-02"), options=options)


def test_family_and_variables():
    items = [rtc("2018-06-02"), landsat("2018-06-02"), grd()]
    kept, left_out = run(*items, family="landsat")
    assert kept.collections == ["landsat-c2-l2"]
    assert reasons(left_out) == {"grd": "not_georeferenced"}
    assert len(run(*items, family="sentinel-1", variables=["hv"])[0]) == 1
    with pytest.raises(MissingAssetError, match=r"'helheim': item 'S1A.* has none of the variables vv"):
        run(items[0], variables=["vv"])


def test_extra_collections():
    mine = stac(
        "h1",
        "helheim",
        "2018-06-02T00:00:00Z",
        OVER_HELHEIM,
        {"data": raster("https://e.org/h.tif")},
        **{"proj:code": "EPSG:4326"},
    )
    declared = {
        "family": "sentinel-1",
        "assets": {"grey": "data"},
        "calibration": "uncalibrated",
        "geometry": "range_doppler",
    }
    assert run(mine, extra_collections={"helheim": declared})[0].ids == ["h1"]
    with pytest.raises(ConfigError, match="add it to the run's configuration"):
        run(mine)


@pytest.mark.parametrize("place", ["proj:code", "proj:epsg", "proj:wkt2", "asset"])
def test_crs_may_stand_in_several_places(place):
    item = rtc("2018-06-02")
    del item["properties"]["proj:epsg"]
    if place == "asset":
        item["assets"]["hh"]["proj:epsg"] = 32624
    else:
        item["properties"][place] = {"proj:code": "EPSG:32624", "proj:epsg": 32624, "proj:wkt2": "PROJCS[...]"}[place]
    assert len(run(item)[0]) == 1


def test_nothing_left_names_the_cause():
    with pytest.raises(NotGeoreferencedError, match=r"use 'sentinel-1-rtc'.*\(and so for 1 more\)"):
        run(grd("a"), grd("b"))
    with pytest.raises(NoItemsError, match=r"none of its 2 items can be used \(1 .*, 1 .*; first: .*relax"):
        run(grd(), landsat("2018-06-02", cloud=99.0))
    with pytest.raises(NoItemsError, match="has no items"):
        screen(Items.from_dicts([]), HELHEIM, GRID)
    kept, left_out = run(grd(), allow_empty=True)
    assert (len(kept), len(left_out)) == (0, 1)


def ipf(version):
    return {"processing:software": {"Sentinel-1 IPF": version}}


DUPLICATES = [
    # (items, kept)
    (
        [
            landsat("2018-06-02", name="LC08_L2SP_232013_20180602_20180610_02_RT"),
            landsat("2018-06-02", name="LC08_L2SP_232013_20180602_20200831_02_T2"),
            landsat("2018-06-02", name="LC08_L2SP_232013_20180602_20200101_02_T1"),
            landsat("2018-06-02", name="LC08_L2SP_232013_20180602_20210101_02_T1"),
        ],
        {3},
    ),
    (
        [
            landsat("2018-06-02"),
            landsat("2018-06-03"),
            landsat("2018-06-02", name="LC08_L2SP_232014_20180602_02_T1"),
            landsat("2018-06-02", name="LC09_L2SP_232013_20180602_02_T1"),
        ],
        {0, 1, 2, 3},
    ),
    (
        [
            rtc("2018-06-02", name="old", created="2018-06-03T00:00:00Z"),
            rtc("2018-06-02", name="new", created="2022-06-03T00:00:00Z"),
            rtc("2018-06-02", name="one-second", created="2021-06-03T00:00:00Z", start_datetime="2018-06-02T20:30:01Z"),
            rtc("2018-06-02", name="next-slice", start_datetime="2018-06-02T20:30:25Z"),
            rtc("2018-06-02", name="vv", polarisations=("VV",)),
            rtc("2018-06-02", box(-38.5, 65, -36, 67), name="other-tile"),
            rtc("2018-06-02", name="other-orbit", orbit=22_001),
            rtc("2018-06-02", name="b", platform="SENTINEL-1B"),
        ],
        {1, 3, 4, 5, 6, 7},
    ),
    (
        [
            rtc("2018-06-02", name="a", created="2022-06-03T00:00:00Z", **ipf("002.91")),
            rtc("2018-06-02", name="b", created="2021-06-03T00:00:00Z", **ipf("003.40")),
            rtc("2018-06-02", name="c", created="2023-06-03T00:00:00Z"),
            rtc("2018-06-02", orbit=22_001, name="d", **{"processing:version": "10.2"}),
            rtc("2018-06-02", orbit=22_001, name="e", **{"processing:version": "9.10"}),
            rtc("2018-06-02", orbit=22_002, name="f", **{"processing:datetime": "2022-06-03T00:00:00Z"}),
            rtc("2018-06-02", orbit=22_002, name="g", **{"processing:datetime": "2021-06-03T00:00:00Z"}),
        ],
        {1, 3, 5},
    ),
    (
        [
            rtc("2018-06-02", name="a", **{"sat:absolute_orbit": None}),
            rtc("2018-06-02", name="b", **{"sat:absolute_orbit": None}),
        ],
        {0, 1},
    ),
]


@pytest.mark.parametrize(("items", "kept"), DUPLICATES)
def test_duplicates(items, kept):
    found, left_out = run(*items)
    assert set(found.ids) == {items[k]["id"] for k in kept}
    assert set(left_out["reason"]) <= {"duplicate"}
    assert pd.api.types.is_datetime64_any_dtype(left_out["datetime"])

"""Items as sloppy catalogues have them: each is used, left out for a reason, or refused by its name."""

from __future__ import annotations

import json

import pytest

from icefront_dask.catalog import Items, search
from icefront_dask.catalog.screening import screen
from icefront_dask.cube import scenes
from icefront_dask.errors import CatalogError
from tests.catalog.builders import HELHEIM, OVER_HELHEIM, landsat, rtc

GRID = HELHEIM.geobox(100)
NUMBERS = {
    "sat:absolute_orbit": "n/a",
    "sat:relative_orbit": [90],
    "sar:looks_equivalent_number": "many",
    "eo:cloud_cover": "cloudy",
    "view:sun_elevation": {},
}
BANDS = [
    {"proj:transform": [10, None, 3e5, 0, -10, -2.5e6]},
    {"raster:bands": [{"scale": "x"}]},
    {"raster:bands": [{"nodata": "none"}]},
    {"bands": [{"offset": []}]},
]
HARMLESS = [
    {"proj:transform": None},
    {"proj:transform": "10,0"},
    {"proj:transform": [1, 2]},
    {"raster:bands": None},
    {"raster:bands": []},
    {"raster:bands": ["hh"]},
    {"raster:bands": [{"nodata": "nan"}]},
    {"type": None},
]


def left_out(item):
    kept, why = screen(Items.from_dicts([item]), HELHEIM, GRID, allow_empty=True)
    assert not len(kept)
    return [(row.item_id, row.reason, row.detail) for row in why.itertuples()]


@pytest.mark.parametrize("key", NUMBERS)
def test_a_property_that_is_no_number_leaves_its_item_out(key):
    made = landsat if key.startswith(("eo", "view")) else rtc
    item = made("2018-06-02", name="odd" if made is rtc else None)
    item["properties"][key] = NUMBERS[key]
    ((name, reason, detail),) = left_out(item)
    assert (name, reason) == (item["id"], "unusable")
    assert f"its {key} is" in detail
    if made is rtc:
        with pytest.raises(CatalogError, match=rf"item 'odd': its {key} is .*, no number"):
            scenes([item])


@pytest.mark.parametrize("stated", BANDS)
def test_a_scaling_or_transform_that_is_none_leaves_its_item_out(stated):
    item = rtc("2018-06-02", name="odd")
    item["assets"]["hh"] |= stated
    ((name, reason, detail),) = left_out(item)
    assert (name, reason) == ("odd", "unusable")
    assert "scale, offset, nodata or proj:transform of an asset cannot be read" in detail
    with pytest.raises(CatalogError, match=r"item 'odd': scale, offset, nodata or proj:transform"):
        scenes([item])


@pytest.mark.parametrize("stated", HARMLESS)
def test_what_says_nothing_is_passed_over(stated):
    item = rtc("2018-06-02")
    item["assets"]["hh"] |= stated
    (scene,) = scenes([item])
    assert scene.variables == ("hh", "hv")


@pytest.mark.parametrize("asset", [None, "hh.tif", {}, {"type": "image/tiff"}, {"href": None}, {"href": ""}])
def test_an_asset_without_an_href_is_none(tmp_path, asset):
    item = rtc("2018-06-02")
    item["assets"]["hh"] = asset
    (scene,) = scenes([item])
    assert scene.variables == ("hv",)
    (tmp_path / "i.json").write_text(json.dumps(item))
    assert "hh" not in search(tmp_path / "i.json", HELHEIM).to_dicts()[0]["assets"]


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("id", None, "has no id"),
        ("id", "", "has no id"),
        ("properties", None, "has no datetime"),
        ("properties", [1], "its properties are list"),
        ("assets", None, "has none of the assets"),
    ],
)
def test_what_is_no_item(part, value, message):
    item = rtc("2018-06-02") | {part: value}
    with pytest.raises(Exception, match=message) as caught:
        scenes([item])
    assert type(caught.value).__name__ in {"CatalogError", "MissingAssetError"}


@pytest.mark.parametrize("name", [None, ""])
def test_an_item_without_an_id_is_refused(tmp_path, name):
    (tmp_path / "i.json").write_text(json.dumps(rtc("2018-06-02") | {"id": name}))
    with pytest.raises(CatalogError, match="an item of sentinel-1-rtc has no id"):
        search(tmp_path / "i.json", HELHEIM)


@pytest.mark.parametrize("box", ["missing", None, [], [-40.0, 65.5, 0.0, -36.0, 67.5, 1500.0]])
def test_an_item_without_a_box_has_that_of_its_footprint(tmp_path, box):
    item = rtc("2018-06-02") | {"bbox": box}
    if box == "missing":
        del item["bbox"]
    (tmp_path / "i.json").write_text(json.dumps(item))
    (found,) = search(tmp_path / "i.json", HELHEIM).to_dicts()
    west, south, east, north = OVER_HELHEIM.bounds
    assert found["bbox"] in ([west, south, east, north], [west, south, 0.0, east, north, 1500.0])

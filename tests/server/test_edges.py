"""Scenes at ±180° and at the poles through pgstac, and a table of items by its address through nginx."""

from __future__ import annotations

import pytest
from shapely.geometry import MultiPolygon, Polygon, box

from icefront_dask.catalog import Items, search
from icefront_dask.catalog.remote import forget_files
from icefront_dask.regions import Region
from tests.catalog.builders import HELHEIM, archive, rtc
from tests.server.test_servers import collection

pytestmark = pytest.mark.server

ROSS = Region("ross", box(-200_000, -1_300_000, 200_000, -1_100_000), "EPSG:3031", kind="ice_shelf")
CHUKCHI = Region("chukchi", box(600_000, 7_850_000, 660_000, 7_900_000), "EPSG:32660")
POLE = Region("pole", box(-300_000, -300_000, 300_000, 300_000), "EPSG:3031", kind="ice_shelf")
FOOTPRINTS = {
    "ross-split": MultiPolygon([box(178, -80, 180, -78), box(-180, -80, -178, -78)]),
    "ross-wrong-way": Polygon([(178, -80), (-178, -80), (-178, -78), (178, -78)]),
    "ross-east": box(178, -80, 180, -78),
    "ross-west": box(-180, -80, -178, -78),
    "chukchi-wrong-way": Polygon([(177, 70), (-178, 70), (-178, 72), (177, 72)]),
    "chukchi-east": box(178, 70, 180, 72),
    "cap": box(-180, -90, 180, -86),
    "ring": Polygon([(lon, -87) for lon in range(-180, 180, 20)]),  # round the pole, its own hole in a plane
    "near-zero": box(-2, -80, 2, -78),
    "near-zero-north": box(-2, 70, 2, 72),
}


@pytest.fixture(scope="module")
def api(pgstac, stac_api):
    items = [
        rtc(f"2018-07-{day:02d}", footprint, orbit=40_000 + day, name=name) | {"collection": "edges"}
        for day, (name, footprint) in enumerate(FOOTPRINTS.items(), start=1)
    ]
    pgstac.load([collection("edges")], items)
    return stac_api.url


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (ROSS, {"ross-split", "ross-wrong-way", "ross-east", "ross-west"}),
        (CHUKCHI, {"chukchi-wrong-way", "chukchi-east"}),
        (POLE, {"cap", "ring"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_scenes_are_found_whichever_way_round_they_are_stated(api, region, expected):
    assert set(search(api, region, collections="edges").ids) == expected


def test_a_table_by_its_address(web):
    Items.from_dicts(archive()).to_parquet(web.root / "index.parquet")
    forget_files()
    before = len(web.requests())
    found = search(f"{web.url}/index.parquet", HELHEIM)
    assert found == search(web.root / "index.parquet", HELHEIM)
    assert {status for status, *_ in web.requests()[before:]} == {206}

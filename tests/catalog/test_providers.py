"""The table of archives against the table of sensors, real items and the items of OPERA's form."""

from __future__ import annotations

import json

import numpy as np
import pytest

from icefront_dask.catalog import Items
from icefront_dask.catalog.duplicates import duplicates
from icefront_dask.catalog.hosts import HostError
from icefront_dask.catalog.providers import PROVIDERS, provider_of, provider_table
from icefront_dask.cube import scenes
from icefront_dask.errors import CatalogError
from icefront_dask.sensors import GEOMETRIES, TABLE, collection_for

HOLDINGS = [(p, h) for p in PROVIDERS.values() for h in p.holdings]
OPERA = "OPERA_L2_RTC-S1_T090-191604-IW{burst}_20230601T{time}Z_20230602T{made}Z_S1A_30_v1.0"


def opera(burst=1, time="101502", made="040000", polarisations=("HH", "HV")):
    """An item as CMR-STAC has it: no platform, no orbit, files keyed by what stands between the dots of their names."""
    name = OPERA.format(burst=burst, time=time, made=made)
    base = f"https://cumulus.asf.earthdatacloud.nasa.gov/OPERA/OPERA_L2_RTC-S1_V1/{name}/{name}"
    when = f"2023-06-01T{time[:2]}:{time[2:4]}:{time[4:]}Z"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "OPERA_L2_RTC-S1_V1_1",
        "geometry": {"type": "Polygon", "coordinates": [[[-39, 66], [-37, 66], [-37, 67], [-39, 67], [-39, 66]]]},
        "bbox": [-39, 66, -37, 67],
        "properties": {"datetime": when, "start_datetime": when, "end_datetime": when},
        "assets": {f"0_{p}": {"href": f"{base}_{p}.tif"} for p in (*polarisations, "mask")},
        "links": [],
    }


@pytest.mark.parametrize(("provider", "holding"), HOLDINGS, ids=lambda value: getattr(value, "collection", None))
def test_what_a_provider_claims_is_what_the_sensors_table_reads(provider, holding):
    entry = TABLE[holding.collection]
    assert entry.family == holding.family
    assert entry.geometry in holding.geometry
    assert set(holding.geometry) <= set(GEOMETRIES)
    if holding.family == "sentinel-1":
        assert {p.lower() for p in holding.polarisations} == set(entry.assets)
    assert provider_of(provider.url) is provider


def test_the_table_has_a_row_a_collection():
    table = provider_table()
    assert len(table) == len(HOLDINGS)
    assert {"planetary-computer", "earth-search", "landsatlook", "asf"} == set(table["provider"])
    rtc = table[table["collection"] == "sentinel-1-rtc"].iloc[0]
    assert (rtc["modes"], rtc["geometry"]) == ("IW", "rtc")


def test_real_items_of_usgs_lead_to_its_bucket(real_data):
    paths = sorted((real_data / "stac/landsat_stactools").glob("*_stac.json"))
    assert len(paths) >= 20
    for path in paths:
        item = json.loads(path.read_text())
        assert item["collection"] in {h.collection for h in PROVIDERS["landsatlook"].holdings}
        try:
            bands = collection_for(item).bands(item)
        except CatalogError:
            continue  # night; test_real_items says why
        for band in bands.values():
            stored = PROVIDERS["landsatlook"].stored(band.href, path.name)
            assert stored.startswith("s3://usgs-landsat/collection02/")
            with pytest.raises(HostError, match="no place where"):
                PROVIDERS["planetary-computer"].stored(band.href, path.name)


def test_opera_bursts_are_gamma0_on_30_m():
    item = opera()
    collection = collection_for(item)
    assert (collection.calibration, collection.geometry, collection.platform) == ("gamma0", "rtc", "sentinel-1a")
    assert collection.pixel_size_m == 30
    bands = collection.bands(item)
    assert list(bands) == ["hh", "hv"]
    assert bands["hh"].href.endswith("_HH.tif")
    for band in bands.values():
        assert PROVIDERS["asf"].stored(band.href, "x") == band.href
    with pytest.raises(HostError):
        PROVIDERS["asf"].stored("https://asf.alaska.edu.example.org/a.tif", "x")


def test_bursts_of_one_pass_are_one_scene():
    items = [opera(1, "101502"), opera(2, "101503"), opera(3, "101505"), opera(1, "101530")]
    items += [opera(1, "101502") | {"id": OPERA.format(burst=1, time="101502", made="1").replace("T090", "T091")}]
    found = scenes(items)
    assert sorted(len(scene.item_ids) for scene in found) == [1, 4]
    assert {scene.relative_orbit for scene in found} == {90, 91}
    assert Items.from_dicts(items).times.year.tolist() == [2023] * 5


def test_a_burst_that_was_made_again_replaces_the_old_one():
    items = [opera(made="040000"), opera(made="150000"), opera(2)]
    newer = opera(made="010000") | {"id": OPERA.format(burst=1, time="101502", made="010000").replace("v1.0", "v1.1")}
    footprints = np.array([None] * 3)
    assert duplicates(items, footprints) == {0: 1}
    assert duplicates([*items, newer], [None] * 4) == {0: 3, 1: 3}

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pystac
import pytest

from icefront_dask.catalog import Items
from icefront_dask.catalog.coverage import coverage_picture
from icefront_dask.cube import scenes
from icefront_dask.errors import CatalogError, InputError
from tests.catalog.builders import archive, landsat, rtc


@pytest.fixture
def items():
    return Items.from_dicts(archive())


def test_parquet_round_trip_is_exact(items, tmp_path):
    items.to_parquet(tmp_path / "deep" / "items.parquet")
    again = Items.from_parquet(tmp_path / "deep" / "items.parquet")
    assert again == items
    assert again.table.schema.equals(items.table.schema)
    assert again.to_dicts() == items.to_dicts()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["items.parquet"]


def test_no_items_round_trip(tmp_path):
    none = Items.from_dicts([])
    none.to_parquet(tmp_path / "none.parquet")
    assert len(Items.from_parquet(tmp_path / "none.parquet")) == 0
    assert none.ids == []
    assert none.to_dicts() == []
    assert none.coverage().empty
    assert len(none.footprints) == 0
    assert "none" in repr(none)


def test_order_does_not_depend_on_the_order_of_arrival(items):
    shuffled = archive()
    np.random.default_rng(3).shuffle(shuffled)
    assert Items.from_dicts(shuffled).ids == items.ids


def test_immutable(items):
    with pytest.raises(AttributeError, match="immutable"):
        items.extra = 1
    with pytest.raises(AttributeError, match="immutable"):
        items._table = None
    assert pickle.loads(pickle.dumps(items)) == items


def test_filter_and_blocks(items):
    radar = items.filter([c == "sentinel-1-rtc" for c in items.collections])
    assert len(radar) == 7
    with pytest.raises(ValueError, match="shape"):
        items.filter([True])
    block = radar.to_pystac([1, 4])
    assert [b.id for b in block] == [radar.ids[1], radar.ids[4]]
    assert all(isinstance(b, pystac.Item) for b in block)
    assert block[0].datetime == radar.times[1].to_pydatetime()


def test_an_item_does_not_inherit_the_assets_of_its_neighbours(items):
    for item in items.to_dicts():
        expected = (
            {"hh", "hv", "thumbnail"}
            if "rtc" in item["id"]
            else {"green", "red", "nir08", "swir16", "qa_pixel", "qa_radsat"}
        )
        assert set(item["assets"]) == expected
        assert ("eo:cloud_cover" in item["properties"]) == ("rtc" not in item["id"])


def test_collections_of_different_shape_share_one_table():
    a = rtc("2018-06-02", gsd=10)
    b = landsat("2018-06-06", gsd=30.0)
    b["assets"]["nir08"]["raster:bands"] = [{"nodata": 0, "histogram": {"count": 3}}]
    c = landsat("2018-06-07", name="LC08_L2SP_1_2_02_T1")
    c["assets"]["nir08"].pop("raster:bands")
    found = {i["id"]: i for i in Items.from_dicts([a, b, c]).to_dicts()}
    assert found[b["id"]]["assets"]["nir08"]["raster:bands"] == [{"nodata": 0, "histogram": {"count": 3}}]
    assert "raster:bands" not in found[c["id"]]["assets"]["nir08"]


def test_values_that_fit_no_table_are_an_error():
    a, b = rtc("2018-06-02"), rtc("2018-06-06")
    a["properties"]["odd"], b["properties"]["odd"] = {"x": 1}, "text"
    with pytest.raises(CatalogError, match=r"S1A.*S1A.* do not fit one table"):
        Items.from_dicts([a, b])


def test_times_of_sloppy_catalogues():
    a = rtc("2018-06-02", created="yesterday", updated="2018-06-03 01:02:03.5+00:00")
    a["properties"]["datetime"] = "2018-06-02"
    b = rtc("2018-06-06", datetime=None)
    b["properties"]["start_datetime"] = "2018-06-06 20:30:00"
    c = rtc("2018-06-09", datetime="soon", start_datetime=None)
    found = Items.from_dicts([a, b, c])
    assert found.times[:2].tolist() == [
        pd.Timestamp("2018-06-02", tz="UTC"),
        pd.Timestamp("2018-06-06 20:30", tz="UTC"),
    ]
    assert found.times[2] is pd.NaT
    assert "created" not in found.to_dicts()[0]["properties"]


def test_coverage_counts_scenes():
    table = Items.from_dicts(archive()).table
    regions = [["helheim", "b"] if "232013" in i or "T203000_022" in i else [] for i in table["id"].to_pylist()]
    items = Items(table.append_column("icefront:regions", pa.array(regions)))
    coverage = items.coverage()
    assert list(coverage.columns) == ["region", "sensor", "month", "items", "scenes"]
    mine = coverage[coverage["region"] == "helheim"]
    assert mine["scenes"].sum() == 8
    june = mine[(mine["month"] == pd.Timestamp("2018-06-01")) & (mine["sensor"] == "sentinel-1a")]
    assert june["scenes"].tolist() == [3]


def test_items_of_one_overpass_are_one_scene():
    def slice_(name, second, **more):
        when = f"2018-06-02T20:{second // 60:02d}:{second % 60:02d}Z"
        return rtc("2018-06-02", name=name, datetime=when, start_datetime=when, **more)

    items = [
        slice_("a", 0),
        slice_("b", 25),
        slice_("c", 50),
        slice_("later", 600),  # the same orbit, ten minutes on
        slice_("other", 30, orbit=22_001, **{"s1:datatake_id": "9"}),
        slice_("up", 35, **{"sat:orbit_state": "ascending"}),
    ]
    table = Items.from_dicts(items).table
    regions = pa.array([["helheim"]] * len(items))
    coverage = Items(table.append_column("icefront:regions", regions)).coverage()
    assert coverage[["items", "scenes"]].to_numpy().tolist() == [[6, 4]]
    found = [s.item_ids for s in scenes(items)]
    assert len(found) == 4
    assert ("a", "b", "c") in found


def test_a_picture_of_coverage(tmp_path):
    table = Items.from_dicts(archive()).table
    items = Items(table.append_column("icefront:regions", pa.array([["helheim"]] * table.num_rows)))
    figure = items.plot_coverage(tmp_path / "coverage.png")
    axes = figure.axes[0]
    (mesh,) = axes.collections
    drawn = mesh.get_array().reshape(2, 2).filled(0)  # landsat-8, sentinel-1a; June, July
    counts = items.coverage().pivot_table(values="scenes", index="sensor", columns="month").to_numpy()
    assert np.array_equal(drawn, counts)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["helheim  landsat-8", "helheim  sentinel-1a"]
    assert (tmp_path / "coverage.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no dated scene"):
        coverage_picture(items.coverage().iloc[:0])


def test_html_is_escaped(items):
    evil = rtc("2018-06-02", platform="<script>alert(1)</script>")
    table = Items.from_dicts([evil]).table.append_column("icefront:regions", pa.array([["<b>"]]))
    html = Items(table)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "13, 2018-06-02 to 2018-07-08" in items._repr_html_()
    assert "sentinel-1-rtc: 7" in repr(items)


def test_other_tables_are_refused(tmp_path):
    with pytest.raises(CatalogError, match="has no column geometry, assets"):
        Items(pa.table({"id": ["a"]}))
    with pytest.raises(CatalogError, match="there is no file"):
        Items.from_parquet(tmp_path / "x.parquet")

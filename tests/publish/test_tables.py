from __future__ import annotations

import hashlib
import json
import os

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely
from shapely.geometry import LineString

from icefront_dask import publish
from icefront_dask.change import change_statistics, front_series
from icefront_dask.errors import InputError, ReadError
from icefront_dask.fronts.table import validate
from tests.publish import glaciers
from tests.publish.builders import front_row, fronts

HELHEIM = LineString([(300_000, -2_577_000), (302_000, -2_576_100.5), (305_000, -2_575_400)])
ROSS = LineString([(-10_000, -1_300_000), (12_000, -1_302_000), (30_000, -1_299_000)])  # crosses 180°


@pytest.fixture
def two_regions():
    north = fronts(
        [
            front_row("helheim", "s1-b", "2018-06-06"),
            front_row("helheim", "s1-a", "2018-06-02", relative_orbit=None),
            front_row("helheim", "s1-c", "2018-06-14", status="no_front", reason="no_ridge", item_ids=[]),
        ],
        [HELHEIM, shapely.affinity.translate(HELHEIM, 700), None],
    )
    south = fronts([front_row("ross", "l8", "2019-01-20", sensor="OLI")], [ROSS], "EPSG:3031")
    return {"ross": south, "helheim": north}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_round_trip_restores_the_working_crs(two_regions, tmp_path):
    path = publish.write_fronts(two_regions, tmp_path / "fronts.parquet")
    helheim = publish.read_fronts(path, "helheim")
    assert helheim.crs.to_epsg() == 3413
    assert list(helheim["scene_id"]) == ["s1-a", "s1-b", "s1-c"]
    assert helheim.geometry[1].equals_exact(HELHEIM, 1e-3)
    assert helheim.geometry[2] is None
    assert list(helheim["relative_orbit"].isna()) == [True, False, False]
    assert [list(ids) for ids in helheim["item_ids"]] == [["s1-a-a", "s1-a-b"], ["s1-b-a", "s1-b-b"], []]
    validate(helheim)
    ross = publish.read_fronts_by_region(path)["ross"]
    assert ross.crs.to_epsg() == 3031
    assert shapely.hausdorff_distance(ross.geometry[0], ROSS, densify=0.01) < 1e-3


def test_what_was_read_writes_the_same_rows(two_regions, tmp_path):
    first = publish.write_fronts(two_regions, tmp_path / "a.parquet")
    second = publish.write_fronts(publish.read_fronts_by_region(first), tmp_path / "b.parquet")
    rows = pq.read_table(first).drop_columns(["geometry", "bbox"])
    assert pq.read_table(second).drop_columns(["geometry", "bbox"]).equals(rows)


def test_bytes_do_not_depend_on_order_or_parts(two_regions, tmp_path):
    one = publish.write_fronts(two_regions, tmp_path / "1.parquet")
    parts = [two_regions["helheim"].iloc[[2]], two_regions["ross"], two_regions["helheim"].iloc[[1, 0]]]
    other = publish.write_fronts(parts, tmp_path / "2.parquet")
    assert sha256(one) == sha256(other)


def test_a_part_without_values_has_the_same_schema(two_regions, tmp_path):
    """Columns that are all null in one unit must not change their type."""
    full = publish.write_fronts(two_regions, tmp_path / "full.parquet")
    empty_row = front_row(
        "helheim",
        "x",
        "2018-06-02",
        status="failed",
        **dict.fromkeys(
            ["platform", "orbit_direction", "relative_orbit", "length_m", "model", "model_sha256", "reason"]
        ),
    )
    part = publish.write_fronts(fronts([empty_row], [None]), tmp_path / "part.parquet")
    assert pq.read_schema(part).remove_metadata() == pq.read_schema(full).remove_metadata()
    none = publish.write_fronts([], tmp_path / "none.parquet")
    assert pq.read_schema(none).remove_metadata() == pq.read_schema(full).remove_metadata()
    assert len(publish.read_fronts(none)) == 0


def test_it_is_geoparquet_1_1(two_regions, tmp_path):
    path = publish.write_fronts(two_regions, tmp_path / "fronts.parquet")
    file = pq.ParquetFile(path)
    geo = json.loads(file.schema_arrow.metadata[b"geo"])
    column = geo["columns"]["geometry"]
    assert (geo["version"], geo["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert column["crs"]["id"] == {"authority": "OGC", "code": "CRS84"}
    assert column["geometry_types"] == ["LineString", "MultiLineString"]
    assert column["covering"]["bbox"] == {n: ["bbox", n] for n in ("xmin", "ymin", "xmax", "ymax")}
    kinds = {file.metadata.row_group(0).column(i).compression for i in range(file.metadata.num_columns)}
    assert kinds == {"ZSTD"}
    read = gpd.read_parquet(path)
    assert read.crs.to_string() == "OGC:CRS84"
    assert np.allclose(read.total_bounds, column["bbox"])
    assert abs(read.total_bounds[[0, 2]]).max() == 180.0
    only = gpd.read_parquet(path, bbox=(-40, 60, -30, 70))
    assert sorted(only["scene_id"]) == ["s1-a", "s1-b"]


def test_several_working_crs_need_a_choice(two_regions, tmp_path):
    path = publish.write_fronts(two_regions, tmp_path / "fronts.parquet")
    with pytest.raises(InputError, match=r"several working CRSs .*: name one region"):
        publish.read_fronts(path)
    everything = publish.read_fronts(path, crs="OGC:CRS84")
    assert len(everything) == 4
    north = publish.read_fronts(path, "helheim", crs="EPSG:32624")
    expected = gpd.GeoSeries([HELHEIM], crs="EPSG:3413").to_crs("EPSG:32624")[0]
    assert north.geometry[1].equals_exact(expected, 1e-3)
    with pytest.raises(InputError, match="no region 'thwaites'; it has: helheim, ross"):
        publish.read_fronts(path, "thwaites")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns=["scene_id", "model"]), "column scene_id, model is missing"),
        (
            lambda f: f.assign(crs="EPSG:3031"),
            "name the CRS EPSG:3031, but their geometries are in EPSG:3413",
        ),
        (
            lambda f: pd.concat([f, f.iloc[[0]]]),
            "two rows have the same region helheim, scene_id s1-b, front_id 0",
        ),
        (lambda f: f.assign(front_id="first"), "column 'front_id'"),
        (lambda f: f.assign(quality=-1), "column 'quality'"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(two_regions, tmp_path, change, message):
    path = tmp_path / "fronts.parquet"
    with pytest.raises(InputError, match=message):
        publish.write_fronts(change(two_regions["helheim"]), path)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(two_regions, tmp_path, monkeypatch):
    path = publish.write_fronts(two_regions, tmp_path / "fronts.parquet")
    before = sha256(path)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        publish.write_fronts(two_regions["ross"], path)
    assert sha256(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["fronts.parquet"]


def test_unreadable_files(tmp_path):
    with pytest.raises(ReadError, match="there is no file"):
        publish.read_fronts(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("not a table")
    with pytest.raises(ReadError, match="not a readable Parquet file"):
        publish.read_series(tmp_path / "text.parquet")
    pd.DataFrame({"name": ["a"]}).to_parquet(tmp_path / "other.parquet")
    for read, what in ((publish.read_fronts, "fronts"), (publish.read_statistics, "statistics")):
        with pytest.raises(InputError, match=f"is not a table of {what}"):
            read(tmp_path / "other.parquet")


@pytest.fixture(scope="module")
def measured():
    """A region, its series and statistics by the package's own functions."""
    place = glaciers.region()
    rows = [front_row(place.name, f"s{i}", f"2018-06-{2 + 4 * i:02d}") for i in range(4)]
    frame = fronts(rows, [glaciers.front_line(place, 300 - 150 * i, i) for i in range(4)])
    series = front_series(frame, place)
    return place, series, change_statistics(series)


def test_series_and_statistics_round_trip(measured, tmp_path):
    place, series, statistics = measured
    path = publish.write_series(series.sample(frac=1, random_state=1), tmp_path / "series.parquet", regions=[place])
    pd.testing.assert_frame_equal(publish.read_series(path), series, check_exact=True)
    point = gpd.read_parquet(path).to_crs(place.crs).geometry[0]
    assert place.outline.contains(point)

    path = publish.write_statistics(statistics.iloc[::-1], tmp_path / "statistics.parquet", regions=[place])
    pd.testing.assert_frame_equal(publish.read_statistics(path), statistics, check_exact=True)
    outline = gpd.read_parquet(path).to_crs(place.crs).geometry[0]
    assert outline.symmetric_difference(place.outline).area < 1e-6 * place.outline.area


def test_without_regions_the_tables_are_plain_parquet(measured, tmp_path):
    path = publish.write_series(measured[1], tmp_path / "series.parquet")
    assert "geometry" not in pq.read_schema(path).names
    assert b"geo" not in (pq.read_schema(path).metadata or {})


def test_a_table_of_another_region_or_without_columns_is_refused(measured, tmp_path):
    _, series, statistics = measured
    other = glaciers.region("other")
    with pytest.raises(InputError, match="region helheim is not among"):
        publish.write_series(series, tmp_path / "series.parquet", regions=[other])
    with pytest.raises(InputError, match="statistics: column rate_m_per_year is missing"):
        publish.write_statistics(statistics.drop(columns="rate_m_per_year"), tmp_path / "statistics.parquet")
    assert list(tmp_path.iterdir()) == []

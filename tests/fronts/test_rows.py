"""Rows of the fronts table: what a line becomes, and what a table must hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from icefront_dask.cube.quality import Quality
from icefront_dask.errors import InputError
from icefront_dask.fronts import (
    COLUMNS,
    Reason,
    Status,
    TracedFront,
    concat,
    empty,
    front_rows,
    validate,
)
from tests.fronts.grid import GEOBOX, SCENE, SHAPE, line, world


def test_rows_of_a_scene():
    fronts = [line([(10, 20), (110, 20)]), line([(10, 60), (40, 60)], status=Status.REVIEW, reason=Reason.GAPS)]
    rows = validate(front_rows(fronts, SCENE, None, GEOBOX, model="net", model_sha256="ab"))
    assert list(rows.columns) == list(COLUMNS)
    assert {name: str(kind) for name, kind in rows.dtypes.items()} == COLUMNS
    assert rows.crs == pyproj.CRS("EPSG:3413")
    first = rows.iloc[0]
    assert rows["front_id"].tolist() == [0, 1]
    assert first["item_ids"] == ["i1", "i2"]
    assert first["datetime"] == pd.Timestamp("2018-06-02T09:12:13.123456Z")
    assert first["orbit_direction"] is None
    assert rows["relative_orbit"].isna().all()
    assert first["crs"] == "EPSG:3413"
    assert np.allclose(shapely.get_coordinates(first.geometry), world([(10, 20), (110, 20)]))
    assert first["uncertainty_m"] == pytest.approx(np.hypot(0.5 * first["pixel_size_m"], 10.0))
    assert (first["reason"], rows.iloc[1]["reason"]) == ("", "gaps")


@pytest.mark.parametrize(
    ("crs", "lon", "lat"),
    [
        ("EPSG:3413", -45, 60), ("EPSG:3413", -38, 66), ("EPSG:3413", -60, 81), ("EPSG:3031", -60, -65),
        ("EPSG:3031", 170, -78), ("EPSG:32633", 15, 78),
    ],
)  # fmt: skip
def test_lengths_are_true_ground_measure(crs, lon, lat):
    """Against the point scale of the projection, which is not what they are computed with."""
    x, y = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)
    geobox = GeoBox((200, 200), Affine(20, 0, x - 2000, 0, -20, y + 2000), crs)
    scale = pyproj.Proj(crs).get_factors(lon, lat).meridional_scale
    xy = np.array([(50.0, 60.0), (90.0, 140.0), (160.0, 150.0)])
    row = front_rows([line(xy)], SCENE, None, geobox).iloc[0]
    projected = 20 * np.hypot(*np.diff(xy, axis=0).T).sum()
    assert row["length_m"] == pytest.approx(projected / scale, rel=1e-4)
    assert row["pixel_size_m"] == pytest.approx(20 / scale, rel=1e-4)


def test_a_grid_in_degrees_has_its_size_in_metres():
    geobox = GeoBox((100, 100), Affine(0.001, 0, -38.2, 0, -0.0005, 66.4), "EPSG:4326")
    row = front_rows([line([(10, 10), (10, 90)])], SCENE, None, geobox).iloc[0]
    assert row["length_m"] == pytest.approx(0.04 * 111_500, rel=0.002)
    assert row["pixel_size_m"] == pytest.approx(np.sqrt(0.001 * 111_320 * np.cos(np.radians(66.375)) * 55.75), rel=0.01)


def test_scenes_without_a_line_have_a_row():
    quality = np.full(SHAPE, int(Quality.NODATA | Quality.READ_FAILED), dtype=np.uint16)
    quality[0, 0] = int(Quality.NODATA)
    rows = front_rows([TracedFront.none(Status.FAILED, Reason.READ_FAILED)], SCENE, None, GEOBOX, quality=quality)
    row = validate(rows).iloc[0]
    assert row.geometry is None
    assert (row["status"], row["reason"], row["quality"]) == ("failed", "read_failed", int(Quality.NODATA))
    assert np.isnan([row["length_m"], row["confidence"], row["uncertainty_m"]]).all()
    assert row["pixel_size_m"] > 0


def test_quality_bits_under_the_line_are_joined():
    quality = np.zeros(SHAPE, dtype=np.uint16)
    quality[20, 30] = int(Quality.CLOUD)
    quality[20, 40] = int(Quality.SHADOW)
    quality[80] = int(Quality.SATURATED)
    xy = np.column_stack([np.arange(10.5, 110), np.full(100, 20.5)])
    row = front_rows([line(xy)], SCENE, None, GEOBOX, quality=quality).iloc[0]
    assert row["quality"] == int(Quality.CLOUD | Quality.SHADOW)


@pytest.mark.parametrize("edge", ["missing pixels", "edge of the grid"])
def test_an_end_at_the_edge_of_the_data_is_told(edge):
    quality = np.zeros(SHAPE, dtype=np.uint16)
    last = SHAPE[1] - 1.0
    if edge == "missing pixels":
        quality[:, 82:] = int(Quality.NODATA | Quality.SLC_GAP)
        last = 80.0
    xy = np.column_stack([np.arange(10.5, last), np.full(len(np.arange(10.5, last)), 20.5)])
    told = {"missing pixels": Quality.NODATA | Quality.SLC_GAP, "edge of the grid": Quality.NODATA}[edge]
    assert front_rows([line(xy)], SCENE, None, GEOBOX, quality=quality).iloc[0]["quality"] == int(told)
    assert front_rows([line(xy[:-6])], SCENE, None, GEOBOX, quality=quality).iloc[0]["quality"] == 0


def test_empty_and_concat():
    none = empty("EPSG:3413")
    assert {name: str(kind) for name, kind in none.dtypes.items()} == COLUMNS
    rows = [front_rows([line([(1, 1), (9, 9)])], SCENE | {"scene_id": name}, None, GEOBOX) for name in "ba"]
    joined = validate(concat([none, *rows], "EPSG:3413"))
    assert joined["scene_id"].tolist() == ["a", "b"]
    assert len(validate(concat([], "EPSG:3413"))) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="quality"), "lacks the column quality"),
        (lambda t: t.assign(front_id=t["front_id"].astype("int64")), "front_id"),
        (lambda t: t.iloc[::-1], "sorted"),
        (lambda t: t.assign(scene_id="same", front_id=np.zeros(2, "int32")), "one key"),
        (lambda t: t.assign(status="good"), "unknown status 'good'"),
        (lambda t: t.assign(reason="because"), "unknown reason 'because'"),
        (lambda t: t.assign(status="no_front"), "a line goes with"),
        (lambda t: t.assign(confidence=1.2), "leaves 0 to 1"),
        (lambda t: t.assign(length_m=0.0), "not positive"),
        (lambda t: t.set_geometry(t.geometry.centroid), "LineString"),
    ],
)
def test_a_table_that_breaks_the_contract_is_refused(change, says):
    rows = front_rows([line([(1, 1), (9, 9)]), line([(1, 5), (9, 5)])], SCENE, None, GEOBOX)
    with pytest.raises(InputError, match=says):
        validate(change(rows))

"""Series from tables of fronts: columns, statuses, reasons and whatever else a table may hold."""

from __future__ import annotations

import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon

from icefront_dask.change import change_statistics, front_series
from icefront_dask.change.reasons import SeriesReason
from icefront_dask.change.series import DTYPES, KEY
from icefront_dask.errors import InputError
from icefront_dask.regions import Region
from tests.change.builders import (
    assert_no_silent_nan,
    frame,
    front_at,
    place,
    straight_box,
    straight_flowline,
)

PLACES = {"flowlines": straight_flowline(), "box": straight_box()}
DATES = ["2020-01-10", "2020-02-10", "2020-03-10", "2020-04-10"]
POSITIONS = [5_000.0, 5_030.0, 4_500.0, 4_520.0]


def region(**changes):
    outline = shapely.buffer(straight_flowline(), 5_000)
    return Region("fjord", outline, "EPSG:3413", flowlines=(straight_flowline(),), box=straight_box()).patch(**changes)


def simple(**columns):
    return frame([front_at(p) for p in POSITIONS], DATES, uncertainty_m=20.0, pixel_size_m=10.0, **columns)


def test_contract_of_the_columns():
    series = front_series(simple(), region())
    assert {name: str(dtype) for name, dtype in series.dtypes.items()} == DTYPES
    assert len(series) == 12
    assert set(series["method"]) == {"rectilinear-box", "curvilinear-box", "centreline"}
    assert not series.duplicated(KEY).any()
    assert series.equals(series.sort_values(KEY))
    assert (series["region"] == "fjord").all()
    assert (series["status"] == "accepted").all()
    assert_no_silent_nan(series)


def test_methods_agree_on_the_ground_and_on_the_map():
    for true_scale in (True, False):
        series = front_series(simple(), region(), true_scale=true_scale)
        wide = series.pivot_table(index="datetime", columns="method", values="position_m")
        geod = pyproj.Geod(ellps="WGS84")
        for k, position in enumerate(POSITIONS):
            expected = position
            if true_scale:
                line = shapely.segmentize(LineString(place([0, position], 0.0)), 100)
                lonlat = shapely.transform(
                    line, lambda xy: np.column_stack(pyproj.Proj("EPSG:3413")(*xy.T, inverse=True))
                )
                expected = geod.geometry_length(lonlat)
            assert wide.iloc[k].to_numpy() == pytest.approx([expected] * 3, abs=1.0)
        scale = series["scale_factor"].iloc[0]
        assert scale == (pytest.approx(region().scale_factor, rel=1e-3) if true_scale else 1.0)
        box = series[series["method"] == "rectilinear-box"]
        assert box["width_m"].iloc[0] == pytest.approx(4_000 / scale, rel=1e-4)
        assert (box["area_m2"] / box["width_m"]).to_numpy() == pytest.approx(box["position_m"].to_numpy(), rel=2e-4)
        # seaward is positive
        assert box["change_m"].to_numpy()[1:] == pytest.approx(np.diff(POSITIONS) / scale, abs=0.5)


def test_order_and_duplicates_of_dates():
    lines = [front_at(p) for p in (5_000, 4_900, 4_950, 4_800)]
    dates = ["2020-03-01", "2020-01-01", "2020-03-01", "2020-02-01"]
    table = frame(lines, dates, uncertainty_m=20.0)
    series = front_series(table, methods=["centreline"], check=False, **PLACES)
    assert series["datetime"].is_monotonic_increasing
    assert series["scene_id"].is_unique
    assert len(series) == 4
    scale = series["scale_factor"].iloc[0]
    # both fronts of one day change since the day before, not since each other
    assert sorted(series["change_m"].to_numpy()[2:] * scale) == pytest.approx([150, 200], abs=0.5)
    shuffled = table.iloc[[2, 0, 3, 1]].reset_index(drop=True)
    shuffled = front_series(shuffled, methods=["centreline"], check=False, **PLACES)
    pd.testing.assert_frame_equal(series, shuffled)
    assert change_statistics(series)["n"].item() == 3


def test_fronts_of_one_scene_count_as_one_and_accepted_ones_first():
    left = shapely.intersection(front_at(5_000), shapely.buffer(LineString(place([0, 10_000], 1_200)), 1_100))
    right = shapely.intersection(front_at(5_000), shapely.buffer(LineString(place([0, 10_000], -1_200)), 1_100))
    table = frame(
        [left, right, front_at(7_000), front_at(5_100)],
        ["2020-01-01"] * 3 + ["2020-01-13"],
        scene_id=["a", "a", "a", "b"],
        status=["accepted", "accepted", "review", "accepted"],
        uncertainty_m=[20.0, 20.0, 20.0, 20.0],
    )
    series = front_series(table, methods=["rectilinear-box"], true_scale=False, **PLACES)
    assert list(series["scene_id"]) == ["a", "b"]
    assert series["position_m"].to_numpy() == pytest.approx([5_000, 5_100], abs=1)


def test_statuses_are_carried_and_only_accepted_rows_change():
    table = simple(
        region="fjord",
        scene_id=list("abcd"),
        status=["accepted", "review", "accepted", "no_front"],
        reason=["", "clouds", "", "no_ridge"],
    )
    table.loc[3, "geometry"] = None
    series = front_series(table, region(), methods=["centreline"])
    assert list(series["status"]) == ["accepted", "review", "accepted", "no_front"]
    assert list(series["reason"]) == ["first_date", "clouds", "", "no_ridge; no_geometry"]
    assert series["change_m"].notna().tolist() == [False, False, True, False]
    assert series["change_m"].iloc[2] * series["scale_factor"].iloc[2] == pytest.approx(-500, abs=0.5)
    statistics = change_statistics(series)
    assert statistics[["n", "n_review", "n_no_front"]].to_numpy().tolist() == [[2, 1, 1]]
    assert_no_silent_nan(series)


def test_null_and_empty_geometries():
    table = simple()
    table.loc[1, "geometry"] = None
    table.loc[2, "geometry"] = LineString()
    series = front_series(table, **PLACES)
    assert_no_silent_nan(series)
    assert (series["status"] == "no_front").sum() == 6
    assert front_series(table.iloc[:0], region()).empty
    assert change_statistics(front_series(table.iloc[:0], region())).empty


def test_one_date():
    series = front_series(simple().iloc[:1], **PLACES)
    assert_no_silent_nan(series)
    assert (series["reason"] == str(SeriesReason.FIRST_DATE)).all()
    statistics = change_statistics(series)
    assert (statistics["reason"] == "change: one date only").all()
    assert statistics["rate_m_per_year"].isna().all()


def test_fronts_that_methods_cannot_measure_are_flagged():
    short = LineString(place([4_000, 4_100], [-1_900, -900]))
    table = frame([front_at(15_000), short], DATES[:2], uncertainty_m=20.0)
    series = front_series(table, **PLACES)
    assert_no_silent_nan(series)
    assert (series["status"] == "review").all()
    by = series.pivot_table(index="method", columns="datetime", values="reason", aggfunc="first")
    assert by.loc["rectilinear-box"].tolist() == ["front_outside_box", "front_partly_seen"]
    assert by.loc["centreline"].tolist() == ["flowline_not_met", "flowline_not_met"]
    wide = series[series["reason"] == "front_partly_seen"].iloc[0]
    assert wide["position_high_m"] - wide["position_low_m"] > 5_000
    drawn = front_series(table.iloc[1:], methods=["centreline"], extrapolate=True, true_scale=False, **PLACES)
    assert drawn["status"].item() == "review"
    assert drawn["reason"].item() == "front_extrapolated"
    assert drawn["position_m"].item() == pytest.approx(4_190, abs=1)


def test_several_crossings():
    zigzag = LineString(place([5_000, 5_000, 5_400, 5_400, 5_800, 5_800], [-2_100, 300, 300, -300, -300, 2_100]))
    table = frame([zigzag], DATES[:1], uncertainty_m=20.0)
    keywords = {"methods": ["centreline"], "true_scale": False, **PLACES}
    seaward, landward = (front_series(table, intersection=i, **keywords) for i in ("seaward", "landward"))
    assert [seaward["position_m"].item(), landward["position_m"].item()] == pytest.approx([5_800, 5_000], abs=1e-3)
    every = front_series(table, intersection="all", **keywords)
    assert every["position_m"].to_numpy() == pytest.approx([5_000, 5_400, 5_800], abs=1e-3)
    assert list(every["crossing"]) == [1, 2, 3]
    assert (every["n_intersections"] == 3).all()
    with pytest.raises(InputError, match="intersection is"):
        front_series(table, intersection="first", **keywords)


def test_positions_without_an_uncertainty_say_that_one_was_assumed():
    series = front_series(frame([front_at(5_000)], DATES[:1]), methods=["centreline"], true_scale=False, **PLACES)
    assert "uncertainty_assumed" in series["reason"].item()
    assert series["position_sigma_m"].item() == pytest.approx(100, rel=0.03)  # a ground measure, on the map
    given = front_series(frame([front_at(5_000)], DATES[:1]), methods=["centreline"], uncertainty_m=30.0, **PLACES)
    assert given["position_sigma_m"].item() == pytest.approx(30)
    assert given["reason"].item() == "first_date"


def test_positions_seaward_of_the_grounding_line_say_so():
    """The line lies at 4 510 m of the map, aslant: the fronts before the retreat float."""
    line = LineString(place([4_410, 4_610], [-3_000, 3_000]))
    series = front_series(simple(), region(grounding_line=line), true_scale=False)
    floating = series["reason"].str.contains("floating")
    assert floating.groupby(series["method"]).apply(list).tolist() == [[True, True, False, True]] * 3
    assert (series["status"] == "accepted").all()
    assert not front_series(simple(), region())["reason"].str.contains("floating").any()
    aside = LineString(place([4_410, 4_610], [5_000, 9_000]))
    assert not front_series(simple(), region(grounding_line=aside))["reason"].str.contains("floating").any()


def test_reprojection():
    here = front_series(simple(), region())
    degrees = front_series(simple().to_crs("EPSG:4326"), region())
    assert degrees["position_m"].to_numpy() == pytest.approx(here["position_m"].to_numpy(), abs=1e-3)
    # degrees and no region: the polar projection, and bare geometries are degrees as well
    lonlat = pyproj.Transformer.from_crs("EPSG:3413", "EPSG:4326", always_xy=True)
    places = {k: shapely.transform(g, lambda xy: np.column_stack(lonlat.transform(*xy.T))) for k, g in PLACES.items()}
    alone = front_series(simple().to_crs("EPSG:4326"), width_m=2_000, **places)
    mine = front_series(simple(), width_m=2_000, **PLACES)
    assert alone["position_m"].to_numpy() == pytest.approx(mine["position_m"].to_numpy(), abs=0.01)
    utm = gpd.GeoDataFrame(geometry=[straight_box()], crs="EPSG:3413").to_crs("EPSG:32624")
    boxes = front_series(simple(), box=utm, flowlines=straight_flowline(), methods=["rectilinear-box"])
    rectilinear = here[here["method"] == "rectilinear-box"]["position_m"].to_numpy()
    assert boxes["position_m"].to_numpy() == pytest.approx(rectilinear, abs=1.0)


@pytest.mark.parametrize("column", ["Date", "tp_date", "DATETIME", "date"])
def test_any_name_of_the_date(column):
    table = simple().rename(columns={"datetime": column})
    table[column] = table[column].dt.strftime("%Y-%m-%d") if column == "Date" else table[column]
    series = front_series(table, methods=["centreline"], **PLACES)
    assert series["datetime"].dt.strftime("%Y-%m-%d").tolist() == DATES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.set_crs(None, allow_override=True), "no CRS"),
        (lambda t: t.drop(columns="datetime"), "no column of dates"),
        (lambda t: t.assign(datetime=[pd.NaT, *t["datetime"][1:]]), "have no date"),
        (lambda t: t.assign(datetime="yesterday"), "does not hold dates"),
        (lambda t: pd.DataFrame(t.drop(columns="geometry")), "must be a GeoDataFrame"),
        (lambda t: t.set_geometry([Point(0, 0)] * 4, crs="EPSG:3413"), "must be a line"),
        (lambda t: t.assign(region=["a", "b", "a", "b"]), "2 regions"),
    ],
)
def test_tables_that_cannot_be_used(change, message):
    with pytest.raises(InputError, match=message):
        front_series(change(simple()), **PLACES)


def test_fronts_on_a_map_of_equal_areas_are_measured_on_a_conformal_one():
    """EASE-Grid 2.0 and EPSG:3413: the ground is the same."""
    for crs in ("EPSG:6931", "EPSG:3573"):
        places = {name: gpd.GeoSeries([shape], crs="EPSG:3413") for name, shape in PLACES.items()}
        moved = front_series(simple().to_crs(crs), **places)
        here = front_series(simple(), **places)
        np.testing.assert_allclose(moved["position_m"], here["position_m"], atol=1.0)
        bare = front_series(simple().to_crs(crs), **{name: series.to_crs(crs)[0] for name, series in places.items()})
        np.testing.assert_allclose(bare["change_m"], here["change_m"], atol=1.0)


def test_methods_that_lack_something():
    with pytest.raises(InputError, match="needs a flowline or box"):
        front_series(simple())
    with pytest.raises(InputError, match="rectilinear-box needs a box"):
        front_series(simple(), methods=["rectilinear-box"], flowlines=straight_flowline())
    drawn = front_series(simple(), methods=["rectilinear-box"], flowlines=straight_flowline(), width_m=3_000.0)
    assert drawn["width_m"].to_numpy() == pytest.approx(3_000, rel=1e-3)
    assert drawn["reason"].str.contains("guide_drawn").all()
    assert drawn["change_m"].to_numpy()[1:] == pytest.approx(np.diff(POSITIONS) / drawn["scale_factor"][0], abs=0.5)
    with pytest.raises(InputError, match="unknown method bow"):
        front_series(simple(), methods=["bow"], **PLACES)
    with pytest.raises(InputError, match="does not cross the box"):
        front_series(simple(), box=straight_box(), flowlines=LineString([(0, 0), (1, 1)]))
    with pytest.raises(InputError, match="no front belongs to region 'fjord'"):
        front_series(simple(region="elsewhere"), region())
    flagged = front_series(simple(), on_missing="flag")
    assert (flagged["reason"] == "no_flowline").all()
    assert (flagged["status"] == "failed").all()
    assert_no_silent_nan(flagged)
    flagged = front_series(simple(), region(box=None), methods=["rectilinear-box", "centreline"], on_missing="flag")
    assert flagged.groupby("method")["status"].first().tolist() == ["accepted", "failed"]


def test_width_of_the_curvilinear_box():
    keywords = {"methods": ["curvilinear-box"]}
    assert front_series(simple(), region(), **keywords)["width_m"].iloc[0] == pytest.approx(3_000, rel=1e-6)
    given = front_series(simple(), region(), width_m=1_500, **keywords)
    assert given["width_m"].iloc[0] == pytest.approx(1_500, rel=1e-6)
    fjord = Polygon(place([0, 0, 10_000, 10_000], [2_400, -2_400, -2_400, 2_400]))
    half = front_series(simple(), region(fjord=fjord), **keywords)
    assert half["width_m"].iloc[0] * half["scale_factor"].iloc[0] == pytest.approx(2_400, rel=1e-3)


def test_flowline_digitised_from_the_sea():
    backward = shapely.reverse(straight_flowline())
    with pytest.warns(UserWarning, match="sea-to-inland"):
        wrong = front_series(simple(), methods=["centreline"], flowlines=backward)
    right = front_series(simple(), methods=["centreline"], flowlines=backward, flowline_direction="sea-to-inland")
    assert wrong["position_m"].is_monotonic_increasing is False
    assert right["position_m"].iloc[0] > 0
    expected = front_series(simple(), methods=["centreline"], **PLACES)
    pd.testing.assert_frame_equal(right, expected)
    with pytest.raises(InputError, match="flowline_direction"):
        front_series(simple(), flowlines=backward, flowline_direction="up")


def breathing_record(n=120, seed=3):
    """Twelve-daily positions: slow advance in winter, calving steps in summer."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2017-01-05", periods=n, freq="12D")
    position, out = 6_000.0, []
    for date in dates:
        melting = 6 <= date.month <= 9
        position += 35.0 if not melting else (-260.0 if rng.random() < 0.5 else 10.0)
        out.append(position)
    return dates, np.array(out)


@pytest.mark.parametrize("backward", [False, True])
def test_the_sea_is_found_without_a_flowline(backward):
    dates, position = breathing_record()
    table = frame([front_at(p) for p in position], dates, uncertainty_m=20.0)
    box = straight_box()
    if backward:  # the order of the ring says nothing
        box = Polygon(list(box.exterior.coords)[::-1])
    series = front_series(table, box=box, true_scale=False)
    assert series["position_m"].to_numpy() == pytest.approx(position, abs=1.0)
    assert series["reason"].str.contains("direction_inferred").all()
    # the record alone, where no ice sheet is near: Svalbard
    far = table.set_geometry(table.translate(200_000, 11_560_000)).set_crs("EPSG:32633", allow_override=True)
    moved = shapely.affinity.translate(box, 200_000, 11_560_000)
    assert front_series(far, box=moved, true_scale=False)["position_m"].to_numpy() == pytest.approx(position, abs=1.0)


def test_the_sea_is_not_guessed():
    dates = pd.date_range("2017-01-05", periods=10, freq="12D")
    table = frame([front_at(5_000 + 10 * k) for k in range(10)], dates)
    far = table.set_geometry(table.translate(200_000, 11_560_000)).set_crs("EPSG:32633", allow_override=True)
    box = shapely.affinity.translate(straight_box(), 200_000, 11_560_000)
    with pytest.raises(InputError, match="does not say where the sea is"):
        front_series(far, box=box)
    flagged = front_series(far, box=box, on_missing="flag")
    assert (flagged["reason"] == "no_flowline").all()


def test_ten_thousand_dates():
    dates = pd.date_range("1995-01-01", periods=10_000, freq="D")
    days = np.arange(10_000)
    position = 6_000 - days / 10 + 100 * np.sin(2 * np.pi * days / 365.25)
    ends = np.array([-2_100.0, 0.0, 2_100.0])
    table = frame([LineString(place(p, ends)) for p in position], dates, uncertainty_m=20.0)
    start = time.process_time()
    series = front_series(table, methods=["centreline"], **PLACES)
    statistics = change_statistics(series)
    assert time.process_time() - start < 60
    assert len(series) == 10_000
    assert (series["status"] == "accepted").all()
    scale = series["scale_factor"].iloc[0]
    assert statistics["rate_m_per_year"].item() * scale == pytest.approx(-36.525, abs=1.0)

"""Fronts, flowlines and boxes that do not fit, by every method: an error that says so, or rows with a reason."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point, Polygon

from icefront_dask.change import front_series
from icefront_dask.change.layout import METHODS
from icefront_dask.errors import InputError
from tests.change.builders import assert_no_silent_nan, front_at, place, straight_box, straight_flowline

BOX, FLOW = straight_box(), straight_flowline()
BOW_TIE = Polygon(place([0, 10_000, 10_000, 0], [2_000, -2_000, 2_000, -2_000]))
ASIDE = LineString(place([0.0, 10_000.0], 30_000.0))
NOWHERE = LineString(place(5_000.0, np.linspace(20_000, 24_000, 20)))
DOT = LineString([place(5_000.0, 0.0), place(5_000.0, 0.0)])
HALF = LineString(place(4_800.0, np.linspace(-2_200, -900, 20)))
GOOD = [front_at(5_000 - 50 * k) for k in range(4)]
MISSED = {
    "rectilinear-box": "front_outside_box",
    "curvilinear-box": "front_outside_box",
    "variable-box": "no_variable_box",
    "centreline": "flowline_not_met",
    "multi-centreline": "flowline_not_met",
    "area": "front_beside_line",
}


def lines(*geometries, days=None, crs="EPSG:3413"):
    """Fronts 30 days apart, as any vector file holds them."""
    dates = pd.date_range("2020-01-01", periods=len(geometries), freq="30D") if days is None else pd.to_datetime(days)
    return gpd.GeoDataFrame({"date": dates.strftime("%Y-%m-%d")}, geometry=list(geometries), crs=crs)


def two_of_a_day():
    """Fronts of five dates, and another of the last one that lies 1 km inland."""
    more = front_at(4_800), front_at(3_800)
    return lines(
        *GOOD, *more, days=["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01", "2020-05-01", "2020-05-01"]
    )


def every(reason):
    return dict.fromkeys(METHODS, reason)


FLAGGED = {  # name: fronts, the reason that one row has by each method
    "no front": (lines(*GOOD[:3], None), every("no_geometry")),
    "a front that is a point of no length": (lines(*GOOD[:3], DOT), every("no_geometry")),
    "a front outside the box": (lines(*GOOD[:3], NOWHERE), MISSED),
    "half a front": (lines(*GOOD[:3], HALF), every("front_partly_seen") | {
        "variable-box": "", "centreline": "flowline_not_met"}),
    "one date only": (lines(GOOD[0]), every("first_date")),
    "two fronts of a day": (two_of_a_day(), every("same_day_differs")),
}  # fmt: skip
REFUSED = {  # name: fronts, box, flowline, what the error says
    "a self-crossing box": (lines(*GOOD), BOW_TIE, FLOW, "box is not a valid polygon"),
    "a flowline beside the box": (lines(*GOOD), BOX, ASIDE, "flowline does not cross the box"),
    "fronts without a CRS": (lines(*GOOD, crs=None), BOX, FLOW, "no CRS"),
    "fronts without dates": (lines(*GOOD).rename(columns={"date": "name"}), BOX, FLOW, "no column of dates"),
    "a date that is none": (lines(*GOOD).assign(date="soon"), BOX, FLOW, "does not hold dates"),
    "points": (lines(*[Point(*place(5_000.0, 0.0))] * 2), BOX, FLOW, "a front must be a line"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FLAGGED)
def test_rows_are_flagged(name, method):
    fronts, reasons = FLAGGED[name]
    series = front_series(fronts, methods=[method], flowlines=FLOW, box=BOX, uncertainty_m=20.0)
    assert len(series) == len(fronts)
    assert_no_silent_nan(series)
    assert (series.loc[series["position_m"].isna(), "status"] != "accepted").all()
    words = [word for text in series["reason"] for word in text.split("; ")]
    if reasons[method]:
        assert words.count(reasons[method]) == 1
    others = fronts.geometry.isin(GOOD).sum()
    assert (series["status"] == "accepted").sum() >= others


@pytest.mark.parametrize("method", METHODS)
def test_a_flowline_that_never_meets_a_front(method):
    keywords = {"methods": [method], "flowlines": ASIDE, "uncertainty_m": 20.0}
    if method == "rectilinear-box":
        with pytest.raises(InputError, match="does not cross the box"):
            front_series(lines(*GOOD), box=BOX, **keywords)
        return
    if method == "area":
        with pytest.raises(InputError, match="flowline that a front meets"):
            front_series(lines(*GOOD), **keywords)
        return
    series = front_series(lines(*GOOD), **keywords)
    assert series["position_m"].isna().all()
    assert set(series["reason"]) == {MISSED[method]}
    assert set(series["status"]) == {"review"}


@pytest.mark.parametrize("name", REFUSED)
def test_the_error_names_the_thing(name):
    fronts, box, flow, said = REFUSED[name]
    for method in ("rectilinear-box", "area"):
        with pytest.raises(InputError, match=said):
            front_series(fronts, methods=[method], box=box, flowlines=flow)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32624"])
@pytest.mark.parametrize("method", METHODS)
def test_fronts_in_another_crs_move_alike(method, crs):
    places = {"box": gpd.GeoSeries([BOX], crs="EPSG:3413"), "flowlines": gpd.GeoSeries([FLOW], crs="EPSG:3413")}
    keywords = {"methods": [method], "uncertainty_m": 20.0, **places}
    here = front_series(lines(*GOOD), **keywords)
    there = front_series(lines(*GOOD).to_crs(crs), **keywords)
    assert_no_silent_nan(there)
    np.testing.assert_allclose(there["change_m"], here["change_m"], atol=1.0)


@pytest.mark.soak
@pytest.mark.parametrize("method", METHODS)
def test_ten_thousand_dates(method):
    count = 10_000
    position = 6_000 + 300 * np.sin(np.arange(count) / 60)
    fronts = lines(*(front_at(p) for p in position), days=pd.date_range("1990-01-01", periods=count, freq="D"))
    series = front_series(fronts, methods=[method], box=BOX, flowlines=FLOW, uncertainty_m=20.0, true_scale=False)
    assert_no_silent_nan(series)
    assert (series["status"] == "accepted").sum() == count
    np.testing.assert_allclose(series["change_m"].to_numpy()[1:], np.diff(position), atol=1.0)

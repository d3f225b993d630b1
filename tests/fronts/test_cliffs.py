"""Cliffs of elevation models, and the fronts that lie on them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine

from icefront_dask.errors import InputError
from icefront_dask.fronts.cliffs import cliff_lines, flag_cliffs

GRID = Affine(20.0, 0.0, 1000.0, 0.0, -20.0, 5000.0)
CLIFF_Y = 5000.0 - 20.0 * 40


def elevation(height=60.0):
    """Ice of a height above row 40, the sea below."""
    dem = np.zeros((80, 100))
    dem[:40] = height + 0.02 * np.arange(40, 0, -1)[:, None]
    return dem


def fronts(places, platform="sentinel-1a", status="accepted"):
    return gpd.GeoDataFrame(
        {
            "platform": platform,
            "status": status,
            "reason": "",
            "pixel_size_m": 20.0,
            "datetime": pd.date_range("2020-01-01", periods=len(places), freq="12D", tz="UTC"),
        },
        geometry=[shapely.LineString([(1100.0, y), (2900.0, y)]) for y in places],
        crs="EPSG:3413",
    )


def test_cliff_lies_between_ice_and_sea():
    cliff = cliff_lines(elevation(), GRID)
    xy = shapely.get_coordinates(cliff)
    assert np.abs(xy[:, 1] - CLIFF_Y).max() < 20
    assert cliff.length > 0.95 * 99 * 20


def test_beaches_coasts_and_unknown_heights_are_no_cliffs():
    ramp = np.broadcast_to(np.linspace(200, 0, 80)[:, None], (80, 100))
    assert cliff_lines(ramp, GRID).is_empty
    assert cliff_lines(elevation(5.0), GRID).is_empty
    unknown = elevation()
    unknown[40:] = np.nan
    assert cliff_lines(unknown, GRID).is_empty
    fjord = np.zeros((80, 100), bool)
    fjord[:, 60:] = True
    assert shapely.get_coordinates(cliff_lines(elevation(), GRID, fjord))[:, 0].min() >= 1000 + 20 * 59


@pytest.mark.parametrize(("on", "flagged"), [(2, False), (3, True), (5, True)])
def test_fronts_on_the_cliff_on_three_dates_are_flagged(on, flagged):
    table = fronts([CLIFF_Y + 15.0] * on + [CLIFF_Y + 300.0, CLIFF_Y - 400.0])
    out = flag_cliffs(table, cliff_lines(elevation(), GRID))
    assert out["status"].tolist() == (["review"] * on if flagged else ["accepted"] * on) + ["accepted"] * 2
    assert set(out["reason"]) == ({"dem_cliff", ""} if flagged else {""})
    assert (table["status"] == "accepted").all()


def test_other_sensors_one_date_and_other_statuses_stay():
    cliff = cliff_lines(elevation(), GRID)
    assert (flag_cliffs(fronts([CLIFF_Y] * 5, platform="landsat-8"), cliff)["status"] == "accepted").all()
    assert (flag_cliffs(fronts([CLIFF_Y] * 5, status="rejected"), cliff)["reason"] == "").all()
    one = fronts([CLIFF_Y] * 5).assign(datetime=pd.Timestamp("2020-01-01", tz="UTC"))
    assert (flag_cliffs(one, cliff)["status"] == "accepted").all()
    assert (flag_cliffs(fronts([CLIFF_Y] * 5), shapely.MultiLineString())["status"] == "accepted").all()
    empty = fronts([CLIFF_Y] * 3)
    empty.loc[0, "geometry"] = None
    assert (flag_cliffs(empty, cliff)["status"] == "accepted").all()


def test_degrees_are_refused():
    with pytest.raises(InputError, match="projected CRS"):
        flag_cliffs(fronts([CLIFF_Y]).to_crs(4326), cliff_lines(elevation(), GRID))

"""Bias by orbit on tables whose bias is known."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import affinity

from icefront_dask.errors import InputError
from icefront_dask.fronts.orbits import mode, offset, orbit_bias, remove_orbit_bias

START = pd.Timestamp("2019-03-01", tz="UTC")


def line(x, wiggle=0.0, width=4000.0):
    """A front at x whose sea lies east: the glacier is on the left of a line that runs north."""
    y = np.linspace(0, width, 81)
    return shapely.LineString(np.column_stack([x + wiggle * np.sin(y / 300), y]))


def table(*, biases=((10, 80.0), (74, -40.0)), pairs=20, noise=15.0, outliers=0, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(pairs):
        true = 50.0 * rng.normal() - 10 * number
        day = START + pd.Timedelta(days=12 * number)
        rows.append((day, "landsat-8", None, line(true, 60)))
        for orbit, bias in biases:
            wrong = 900.0 if number < outliers else 0.0
            moved = line(true + (bias + wrong + noise * rng.normal()) * scale, 60)
            rows.append((day + pd.Timedelta(hours=7), "sentinel-1a", orbit, moved))
    frame = gpd.GeoDataFrame(
        {
            "region": "here",
            "datetime": [row[0] for row in rows],
            "platform": [row[1] for row in rows],
            "relative_orbit": pd.array([row[2] for row in rows], dtype="Int32"),
            "orbit_direction": "descending",
            "status": "accepted",
            "uncertainty_m": 20.0,
            "gamma0_db": -11.0,
            "length_m": [row[3].length / scale for row in rows],
        },
        geometry=[row[3] for row in rows],
        crs="EPSG:3413",
    )
    return frame.sort_values("datetime", ignore_index=True)


def test_seaward_is_positive_in_any_direction():
    for angle in range(0, 360, 45):
        one, other = (affinity.rotate(line(x, 40), angle, origin=(0, 0)) for x in (120.0, 50.0))
        assert offset(one, other) == pytest.approx(70.0, rel=0.03)
        assert offset(other, one) == pytest.approx(-70.0, rel=0.03)


def test_only_the_common_span_counts():
    whole, part = line(0.0), shapely.LineString([(30.0, 1000.0), (30.0, 9000.0)])
    assert offset(part, whole) == pytest.approx(30.0, rel=0.01)
    assert np.isnan(offset(shapely.LineString([(0.0, 9000.0), (0.0, 9900.0)]), whole))


def test_mode_does_not_mind_outliers():
    values = np.r_[np.random.default_rng(0).normal(80, 10, 40), [900, 950, -600]]
    assert mode(values) == pytest.approx(80, abs=12)
    assert mode(np.array([5.0, 5.0, 5.0])) == 5.0
    assert mode(np.array([1.0, 3.0])) == 2.0


@pytest.mark.parametrize("outliers", [0, 4])
@pytest.mark.parametrize("scale", [1.0, 0.98])
def test_bias_of_each_orbit_is_found_and_removed(outliers, scale):
    fronts = table(outliers=outliers, scale=scale)
    moved, bias = remove_orbit_bias(fronts)
    assert bias["orbit"].tolist() == ["10", "74"]
    assert bias["bias_m"].to_numpy() == pytest.approx([80.0, -40.0], abs=15)
    assert bias["removed"].all()
    assert (bias["pairs"] == 20 - outliers).all()  # 900 m is no offset of one front
    radar = fronts["platform"] == "sentinel-1a"
    assert moved.geometry[~radar].geom_equals(fronts.geometry[~radar]).all()
    assert orbit_bias(moved)["bias_m"].abs().max() < 15
    assert (moved.loc[radar, "uncertainty_m"] > 20).all()
    assert (moved.loc[radar, "uncertainty_m"] < 22).all()
    assert (moved.loc[~radar, "uncertainty_m"] == 20).all()
    assert moved.length.to_numpy() == pytest.approx(fronts.length.to_numpy())


def test_few_pairs_are_told_and_nothing_moves():
    fronts = table(pairs=5)
    moved, bias = remove_orbit_bias(fronts)
    assert not bias["removed"].any()
    assert (bias["pairs"] == 5).all()
    assert moved.geometry.geom_equals(fronts.geometry).all()
    assert remove_orbit_bias(fronts, min_pairs=5)[1]["removed"].all()


def test_only_accepted_fronts_of_the_same_days_are_pairs():
    fronts = table()
    assert orbit_bias(fronts, max_days=0.1).empty
    assert orbit_bias(fronts.assign(status="review")).empty
    assert orbit_bias(fronts[fronts["platform"] == "sentinel-1a"]).empty
    alone = fronts.assign(relative_orbit=pd.array([None] * len(fronts), dtype="Int32"))
    assert orbit_bias(alone)["orbit"].tolist() == ["descending"]


def test_rows_without_a_line_stay():
    fronts = table()
    fronts.loc[3, "geometry"] = None
    fronts.loc[3, "status"] = "no_front"
    moved, _ = remove_orbit_bias(fronts)
    assert moved.geometry.iloc[3] is None
    assert len(moved) == len(fronts)


def test_bad_tables_are_named():
    fronts = table(pairs=2)
    with pytest.raises(InputError, match="platform"):
        orbit_bias(fronts.drop(columns="platform"))
    with pytest.raises(InputError, match="projected CRS"):
        orbit_bias(fronts.to_crs(4326))

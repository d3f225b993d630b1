"""Real fronts of other groups: Harald Moltke Bræ in a box, the mélange edge of Jakobshavn along its centreline."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import Point
from shapely.ops import split

from icefront_dask.change import change_statistics, front_series
from tests.change.builders import assert_no_silent_nan

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def moltke(real_data):
    folder = real_data / "harald-moltke"
    if not (folder / "box.gpkg").is_file():
        pytest.skip(f"no {folder}")
    return gpd.read_file(folder / "fronts-2019-2021.gpkg"), gpd.read_file(folder / "box.gpkg")


@pytest.fixture(scope="module")
def jakobshavn(real_data):
    path = real_data / "vectors" / "jakobshavn-melange-2018-2022.gpkg"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return gpd.read_file(path), gpd.read_file(path.with_name("jakobshavn-centreline.gpkg"))


def test_box_of_harald_moltke_against_a_plain_split(moltke):
    fronts, box = moltke
    series = front_series(fronts, box=box, methods=["rectilinear-box"], true_scale=False)
    assert len(series) == 159
    assert_no_silent_nan(series)
    assert (series["n_intersections"] > 2).sum() == 12
    polygon = box.geometry[0]
    corners = np.array(polygon.exterior.coords)[:4]
    inland = Point((corners[1] + corners[2]) / 2)  # the glacier comes from the south-east
    width = (np.hypot(*(corners[1] - corners[2])) + np.hypot(*(corners[3] - corners[0]))) / 2
    plain = [
        min(split(polygon, front).geoms, key=lambda piece: piece.distance(inland)).area / width
        for front in fronts.sort_values("date").geometry
    ]
    changes = np.diff(series["position_m"])
    assert np.median(np.abs(changes - np.diff(plain))) < 1.0
    assert np.max(np.abs(changes - np.diff(plain))) < 1.0
    assert change_statistics(series)["net_change_m"].item() < -1_000


def test_what_the_moltke_series_says(moltke):
    fronts, box = moltke
    series = front_series(fronts, box=box)
    assert (series["status"] == "accepted").all()
    row = change_statistics(series).iloc[0]
    assert -1_200 < row["rate_low_m_per_year"] < row["rate_high_m_per_year"] < -300
    assert row["day_of_minimum"] in range(220, 320)
    assert row["net_change_same_season"]
    # 2 % of a kilometre: ground against map
    on_map = change_statistics(front_series(fronts, box=box, true_scale=False)).iloc[0]
    ratio = row["net_change_m"] / on_map["net_change_m"]
    assert ratio == pytest.approx(1 / series["scale_factor"].iloc[0], rel=1e-3)


def test_messy_melange_edges_of_jakobshavn(jakobshavn):
    fronts, centreline = jakobshavn
    series = front_series(
        fronts,
        flowlines=centreline,
        flowline_direction="sea-to-inland",
        width_m=3_000.0,
        methods=["curvilinear-box", "centreline"],
    )
    assert len(series) == 84
    assert_no_silent_nan(series)
    assert series["position_m"].notna().all()
    wide = series.pivot_table(index="datetime", columns="method", values="position_m")
    apart = (wide["centreline"] - wide["curvilinear-box"]).abs()
    assert apart.median() < 300
    assert apart.max() < 3_000
    curvilinear = series[series["method"] == "curvilinear-box"]
    assert (curvilinear["covered_share"] < 0.8).sum() == (curvilinear["reason"].str.contains("front_partly_seen").sum())
    assert len(change_statistics(series)) == 2

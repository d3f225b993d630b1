"""Every published way to measure a position: on shapes where all must agree, and where each must differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiLineString, Polygon

from icefront_dask.change import front_matrix, front_series
from icefront_dask.change.areas import area_to_line, line_across
from icefront_dask.change.crossings import profile
from icefront_dask.change.curvilinear import curvilinear_box, variable_box
from icefront_dask.change.ground import Ground
from icefront_dask.change.layout import METHODS
from icefront_dask.change.positions import box_position
from icefront_dask.change.reasons import SeriesReason
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
POSITIONS = np.array([5_000.0, 5_040.0, 4_410.0, 4_433.3, 3_900.0])
DATES = pd.date_range("2020-01-10", periods=5, freq="30D")


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_all_methods_agree_on_a_straight_fjord(slope):
    """Parallel walls, straight fronts: changes by every method are the same to a metre."""
    lines = [front_at(p, slope=slope) for p in POSITIONS]
    series = front_series(
        frame(lines, DATES, uncertainty_m=20.0), methods=METHODS, true_scale=False, check=False, **PLACES
    )
    assert set(series["method"]) == set(METHODS)
    assert_no_silent_nan(series)
    assert (series["status"] == "accepted").all()
    wide = series.pivot_table(index="datetime", columns="method", values="position_m")
    for method in METHODS:
        assert np.diff(wide[method]) == pytest.approx(np.diff(POSITIONS), abs=1.0), method
        if method != "area":
            assert wide[method].to_numpy() == pytest.approx(POSITIONS, abs=1.0), method
    assert wide["area"].iloc[0] == pytest.approx(0.0, abs=1.0)
    on_ground = front_series(frame(lines, DATES, uncertainty_m=20.0), methods=METHODS, check=False, **PLACES)
    ratio = (
        on_ground.set_index(["method", "datetime"])["change_m"] / series.set_index(["method", "datetime"])["change_m"]
    )
    assert ratio.dropna().to_numpy() == pytest.approx(1 / on_ground["scale_factor"].iloc[0], rel=1e-3)


def test_the_matrix_is_the_front_itself():
    lines = [front_at(p, bumps=150.0, seed=k) for k, p in enumerate(POSITIONS)]
    table = frame(lines, DATES, uncertainty_m=20.0)
    matrix = front_matrix(table, flowlines=straight_flowline(), width_m=3_000.0, true_scale=False)
    assert matrix.dims == ("time", "across")
    assert matrix.shape == (5, 301)
    assert matrix["across"].diff("across").to_numpy() == pytest.approx(10.0)
    for k, line in enumerate(lines):
        xy = shapely.get_coordinates(line) - place(0.0, 0.0)
        across, along = xy @ [0.6, 0.8], xy @ [0.8, -0.6]
        assert matrix[k].to_numpy() == pytest.approx(np.interp(matrix["across"], across, along), abs=0.05)
    mean = front_series(
        table, flowlines=straight_flowline(), width_m=3_000.0, methods=["multi-centreline"], true_scale=False
    )
    assert mean["position_m"].to_numpy() == pytest.approx(matrix.mean("across").to_numpy(), abs=0.01)
    truly = front_matrix(table, flowlines=straight_flowline(), width_m=3_000.0)
    assert float(truly.mean()) < float(matrix.mean())


def test_a_parallel_that_is_met_several_times():
    flowline = LineString([(0, 0), (0, 10_000)])
    box = curvilinear_box(flowline, 2_000.0).whole
    fold = LineString([(-1_100, 4_000), (300, 4_000), (300, 5_000), (-300, 5_000), (-300, 6_000), (1_100, 6_000)])
    offsets = np.array([-900.0, 0.0, 900.0])  # left of a flow to the north is west
    assert profile(fold, box, offsets) == pytest.approx([6_000, 6_000, 4_000])
    assert profile(fold, box, offsets, landward=True) == pytest.approx([6_000, 4_000, 4_000])
    half = LineString([(-1_100, 4_000), (-100, 4_000)])
    assert np.isnan(profile(half, box, offsets)).tolist() == [True, True, False]
    assert np.isnan(profile(LineString(), box, offsets)).all()


def test_matrix_round_a_bend():
    radius, angle = 15_000.0, np.linspace(0.0, 1.6, 1_601)
    flowline = LineString(np.column_stack([radius * np.sin(angle), radius * (1 - np.cos(angle))]))
    reach = radius + np.array([-1_900.0, 1_900.0])
    front = LineString(np.column_stack([reach * np.sin(0.8), radius - reach * np.cos(0.8)]))
    box = curvilinear_box(flowline, 3_000.0).whole
    found = profile(front, box, 10.0 * np.arange(-150, 151))
    assert found == pytest.approx(np.full(301, radius * 0.8), abs=1.0)


def test_a_variable_box_is_as_wide_as_its_front():
    flowline = LineString([(0, 0), (0, 10_000)])
    narrow = LineString([(-700, 5_000), (400, 5_200)])
    box = variable_box(flowline, narrow, reach=3_000.0)
    assert box.width == pytest.approx(1_100, abs=3)
    assert box_position(narrow, box).along == pytest.approx(5_100, abs=1.0)
    assert box_position(narrow, box).covered_share == pytest.approx(1.0, abs=0.01)
    bulging = LineString([(-500, 5_000), (-900, 5_300), (-500, 5_600), (600, 5_600)])
    found = box_position(bulging, variable_box(flowline, bulging, reach=3_000.0))
    assert 5_000 < found.along < 5_700
    assert variable_box(flowline, LineString([(9_000, 0), (9_500, 0)]), reach=3_000.0) is None


def test_area_to_a_line_against_polygons(rng):
    line = LineString([(0, 0), (10_000, 0)])  # the sea to the north
    x = np.linspace(-500, 10_500, 111)
    for _ in range(20):
        y = np.cumsum(rng.normal(0, 120, 111))
        front = LineString(np.column_stack([x, y]))
        found = area_to_line(front, line)
        inside = np.linspace(0, 10_000, 200_001)
        expected = np.trapezoid(np.interp(inside, x, y), inside)
        assert Ground(None).ring_area(found.ring) == pytest.approx(expected, rel=1e-6, abs=1.0)
        assert found.covered_share == pytest.approx(1)
        assert not found.review
    backward = area_to_line(shapely.reverse(front), line)
    assert Ground(None).ring_area(backward.ring) == pytest.approx(Ground(None).ring_area(found.ring))
    # an overhang counts with its area
    fold = LineString([(-1, 100), (6_000, 100), (6_000, 300), (4_000, 300), (4_000, 500), (10_001, 500)])
    area = Polygon(
        [(0, 0), (0, 100), (6_000, 100), (6_000, 300), (4_000, 300), (4_000, 500), (10_000, 500), (10_000, 0)]
    )
    assert Ground(None).ring_area(area_to_line(fold, line).ring) == pytest.approx(area.area)


def test_area_to_a_line_of_parts():
    line = LineString([(0, 0), (10_000, 0)])
    parts = MultiLineString([[(5_500, 200), (11_000, 200)], [(-10, 200), (5_000, 200)]])
    found = area_to_line(parts, line)
    assert Ground(None).ring_area(found.ring) == pytest.approx(2e6)
    assert found.covered_share == pytest.approx(0.95)
    assert found.reasons == (SeriesReason.CLOSED_TO_SIDE,)
    short = area_to_line(LineString([(0, 200), (4_000, 200)]), line)
    assert short.review
    assert short.reasons == (SeriesReason.PARTLY_SEEN,)
    behind = MultiLineString([[(-10, 200), (10_010, 200)], [(0, 900), (9_000, 900)]])
    assert SeriesReason.SEVERAL_FRONTS in area_to_line(behind, line).reasons
    beside = area_to_line(LineString([(12_000, 5), (14_000, 5)]), line)
    assert beside.reasons == (SeriesReason.BESIDE_LINE,)
    assert beside.ring is None


@settings(max_examples=40)
@given(
    turn=st.floats(0, 360),
    mirror=st.booleans(),
    scale=st.floats(0.2, 5),
    seed=st.integers(0, 1_000),
)
def test_rigid_motions_of_the_further_methods(turn, mirror, scale, seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(-2_400, 2_400, 60)
    front = LineString(np.column_stack([x, 5_000 + np.cumsum(rng.normal(0, 60, 60))]))
    flowline = LineString([(0, -500), (30, 4_000), (-40, 7_000), (0, 11_000)])
    first = LineString([(-2_400, 4_000), (2_400, 4_300)])

    def moved(geometry):
        geometry = affinity.scale(geometry, -scale if mirror else scale, scale, origin=(0, 0))
        return affinity.translate(affinity.rotate(geometry, turn, origin=(0, 0)), 3e5, -2e6)

    def parallels(f, l, _, size):
        return np.nanmean(profile(f, curvilinear_box(l, 3_000.0 * size).whole, 100.0 * size * np.arange(-14, 15)))

    def variable(f, l, _, size):
        box = variable_box(l, f, reach=3_000.0 * size)
        return box_position(f, box, smooth=1.0).along

    def area(f, l, r, _):
        line = line_across(r, l)
        return Ground(None).ring_area(area_to_line(f, line).ring) / line.length

    for measure, tolerance in ((parallels, 1e-6), (variable, 1e-3), (area, 1e-4)):
        before = measure(front, flowline, first, 1.0)
        after = measure(moved(front), moved(flowline), moved(first), scale)
        assert after == pytest.approx(scale * before, rel=tolerance, abs=2.0 * scale)


@pytest.mark.parametrize(
    ("crs", "lon", "lat"), [("EPSG:3413", -38, 66), ("EPSG:3031", -60, -65), ("EPSG:3031", 170, -78)]
)
def test_areas_of_long_shelves_against_the_ellipsoid(crs, lon, lat):
    """A ring of 800 km, where no single scale holds, and one of 20 km."""
    x, y = pyproj.Proj(crs)(lon, lat)
    for size in (20_000.0, 800_000.0):
        corners = [(0, 0), (size, 0), (size, size / 8), (size / 2, size / 5), (0, size / 8), (0, 0)]
        ring = np.array(corners) + np.array([x, y])
        dense = shapely.segmentize(Polygon(ring), 1_000.0)
        lonlat = shapely.transform(dense, lambda xy: np.column_stack(pyproj.Proj(crs)(*xy.T, inverse=True)))
        truth = pyproj.Geod(ellps="WGS84").geometry_area_perimeter(lonlat)[0]
        assert Ground(crs).ring_area(ring) == pytest.approx(abs(truth), rel=1e-5)
        assert Ground(crs).ring_area(ring[::-1]) == pytest.approx(-abs(truth), rel=1e-5)


def shelf(**changes):
    """An ice shelf whose reference line runs either way; the ice lies to the south."""
    values = {"reference_line": LineString([(-1.2e6, 1.0e6), (-1.0e6, 1.0e6)])}
    outline = shapely.box(-1.25e6, 0.9e6, -0.95e6, 1.1e6)
    return Region("shelf", outline, "EPSG:3031", kind="ice_shelf", **{**values, **changes})


@pytest.mark.parametrize("backward", [False, True])
def test_shelf_positions_to_a_reference_line(backward):
    reference = shelf().reference_line
    inland = LineString([(-1.2e6, 0.95e6), (-1.0e6, 0.95e6)])
    region = shelf(reference_line=shapely.reverse(reference) if backward else reference, grounding_line=inland)
    lines = [LineString([(-1.21e6, 1.0e6 + d), (-0.99e6, 1.0e6 + d)]) for d in (2_000, 2_500, -1_000)]
    table = frame(lines, DATES[:3], uncertainty_m=50.0).set_crs("EPSG:3031", allow_override=True)
    series = front_series(table, region, true_scale=False, check=False)
    assert series["method"].unique().tolist() == ["area"]
    assert series["position_m"].to_numpy() == pytest.approx([2_000, 2_500, -1_000], abs=0.1)
    assert series["width_m"].to_numpy() == pytest.approx(200_000)
    assert series["area_m2"].to_numpy() == pytest.approx([4e8, 5e8, -2e8], rel=1e-6)
    # an error of 50 m, correlated over 500 m, nearly vanishes over 200 km
    assert series["position_sigma_m"].max() < 5.0


def test_a_shelf_without_a_hint_where_the_sea_is():
    region = Region("far", shapely.box(4e5, 8.6e6, 5e5, 8.7e6), "EPSG:32633", kind="ice_shelf",
                    reference_line=LineString([(4.1e5, 8.65e6), (4.9e5, 8.65e6)]))  # fmt: skip
    table = frame([LineString([(4.1e5, 8.651e6), (4.9e5, 8.651e6)])], DATES[:1])
    table = table.set_crs("EPSG:32633", allow_override=True)
    with pytest.raises(InputError, match="area needs a flowline"):
        front_series(table, region)
    flagged = front_series(table, region, on_missing="flag")
    assert flagged["reason"].item() == "no_flowline"
    pieces = [[(4.1e5, 8.65e6), (4.3e5, 8.65e6)], [(4.5e5, 8.65e6), (4.9e5, 8.65e6)]]
    parted = region.patch(reference_line=MultiLineString(pieces))
    with pytest.raises(InputError, match="do not join"):
        front_series(table, parted)


def test_fronts_that_the_further_methods_cannot_measure():
    away = LineString(place([4_000, 4_100], [-19_000, -18_000]))
    short = LineString(place([4_000, 4_050], [-1_900, -900]))
    table = frame([front_at(5_000.0), away, short], DATES[:3], uncertainty_m=20.0)
    series = front_series(table, methods=["variable-box", "multi-centreline", "area"], check=False, **PLACES)
    assert_no_silent_nan(series)
    by = series.pivot_table(index="method", columns="datetime", values="reason", aggfunc="first")
    assert by.loc["multi-centreline"].tolist() == ["first_date", "flowline_not_met", "front_partly_seen"]
    assert by.loc["area"].tolist() == ["first_date", "front_beside_line", "front_partly_seen"]
    assert by.loc["variable-box"].tolist()[1] == "no_variable_box"
    with pytest.raises(InputError, match="unknown method bow"):
        front_series(table, methods=["bow"], **PLACES)

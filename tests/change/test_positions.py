"""Positions against shapes whose position is known."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiLineString, Point, Polygon
from shapely.ops import split

from icefront_dask.change.boxes import check_box, check_flowline, rectilinear_box
from icefront_dask.change.crossings import centreline_crossings
from icefront_dask.change.curvilinear import curvilinear_box
from icefront_dask.change.ground import Ground
from icefront_dask.change.positions import box_position
from icefront_dask.change.reasons import SeriesReason
from icefront_dask.change.uncertainty import box_sigma, mean_error_factor
from icefront_dask.errors import InputError
from tests.change.builders import ORIGIN, SEAWARD, front_at, place, straight_box, straight_flowline

BOX = rectilinear_box(straight_box(), flowline=straight_flowline())
CURVED = curvilinear_box(straight_flowline(), 2_000.0)


def test_a_bumpy_front_has_its_mean_in_the_box_and_its_middle_on_the_centreline():
    front = front_at(4_321.0, bumps=150.0)
    across, along = _flow_coordinates(front)
    inside = np.linspace(-2_000, 2_000, 20_001)
    found = box_position(front, BOX)
    assert found.along == pytest.approx(np.mean(np.interp(inside, across, along)), abs=0.05)
    assert found.reasons == ()
    assert found.n_cuts == 2
    assert found.covered_share == pytest.approx(1)
    assert found.relief == pytest.approx(np.std(along), rel=0.2)
    assert centreline_crossings(front, straight_flowline())[0].along == pytest.approx(np.interp(0, across, along))


def test_straight_fronts_agree_to_a_metre_by_every_method():
    for position, slope in [(1_000.0, 0.0), (5_000.0, 0.3), (8_500.5, -0.5)]:
        front = front_at(position, slope=slope)
        values = [
            box_position(front, BOX).along,
            box_position(front, CURVED.window(front)).along,
            centreline_crossings(front, straight_flowline())[0].along,
        ]
        assert values == pytest.approx([position] * 3, abs=1.0)


def test_curved_fjord():
    radius = 15_000.0
    angle = np.linspace(0.0, 1.6, 1_601)
    flowline = LineString(np.column_stack([radius * np.sin(angle), radius * (1 - np.cos(angle))]))
    strip = curvilinear_box(flowline, 3_000.0)
    for share in (0.11, 0.5, 0.93):
        a = 1.6 * share
        reach = np.array([-1_900.0, 1_900.0]) + radius
        front = LineString(np.column_stack([reach * np.sin(a), radius - reach * np.cos(a)]))
        expected = radius * a
        assert centreline_crossings(front, flowline)[0].along == pytest.approx(expected, abs=1.0)
        assert box_position(front, strip.window(front)).along == pytest.approx(expected, abs=1.0)
        assert box_position(front, strip.window(front)).along == pytest.approx(
            box_position(front, strip.whole).along, abs=1e-6
        )


def test_cells_fill_the_curvilinear_box():
    x = np.linspace(0, 40_000, 81)
    strip = curvilinear_box(LineString(np.column_stack([x, 4_000 * np.sin(x / 6_000)])), 3_000.0)
    assert len(strip.cells) > 10
    assert sum(cell.area for cell in strip.cells) == pytest.approx(strip.whole.polygon.area, rel=1e-9)


def test_front_that_cuts_the_box_several_times():
    # leaves through the left side at 5000, comes back at 6000, leaves again at 7000
    shape = [(-2_500, 5_000), (1_500, 5_000), (2_300, 5_500), (1_600, 6_000), (1_600, 7_000), (2_600, 7_000)]
    front = LineString(shape)
    box = rectilinear_box(
        Polygon([(-2_000, 0), (2_000, 0), (2_000, 10_000), (-2_000, 10_000)]),
        flowline=LineString([(0, -1_000), (0, 11_000)]),
    )
    found = box_position(front, box)
    pieces = split(box.polygon, front).geoms
    inland = next(piece for piece in pieces if piece.contains(Point(0, 1)))
    assert found.n_cuts == 4
    assert len(pieces) == 3
    assert found.along == pytest.approx(inland.area / 4_000)


@settings(max_examples=40, deadline=None)
@given(
    turn=st.floats(0, 360),
    mirror=st.booleans(),
    shift=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    scale=st.floats(0.2, 5),
    seed=st.integers(0, 10_000),
)
def test_rigid_motions_and_scale(turn, mirror, shift, scale, seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(-2_400, 2_400, 60)
    front = LineString(np.column_stack([x, 5_000 + np.cumsum(rng.normal(0, 60, 60))]))
    flowline = LineString([(0, -500), (30, 4_000), (-40, 7_000), (0, 11_000)])
    polygon = Polygon([(-2_000, 0), (2_000, 0), (2_000, 10_000), (-2_000, 10_000)])

    def moved(geometry):
        geometry = affinity.scale(geometry, -scale if mirror else scale, scale, origin=(0, 0))
        return affinity.translate(affinity.rotate(geometry, turn, origin=(0, 0)), *shift)

    for measure in (
        lambda f, l, p: box_position(f, rectilinear_box(p, flowline=l), smooth=1.0).along,
        lambda f, l, p: box_position(f, curvilinear_box(l, np.sqrt(p.area * 0.1)).whole, smooth=1.0).along,
        lambda f, l, _: centreline_crossings(f, l)[-1].along,
    ):
        before = measure(front, flowline, polygon)
        after = measure(moved(front), moved(flowline), moved(polygon))
        assert after == pytest.approx(scale * before, rel=1e-6)


def test_part_of_the_front_unseen():
    x = np.linspace(-2_400, 1_400, 50)
    mostly = box_position(_turned(LineString(np.column_stack([x, np.full(50, 5_000.0)]))), BOX)
    assert mostly.covered_share == pytest.approx(0.85, abs=1e-6)
    assert mostly.along == pytest.approx(5_000, abs=1e-6)
    assert mostly.reasons == (SeriesReason.CLOSED_TO_SIDE,)
    assert not mostly.review
    half = box_position(_turned(LineString([(-2_400, 5_000), (0, 5_200)])), BOX)
    assert half.covered_share == pytest.approx(0.5, abs=1e-6)
    assert half.review
    assert half.reasons == (SeriesReason.PARTLY_SEEN,)
    assert half.low < 0.5 * half.along + 0.5 * 1_500
    assert half.high > 0.5 * half.along + 0.5 * 8_500


def test_gap_in_the_middle_is_bridged():
    parts = MultiLineString([[(-2_100, 5_000), (-200, 5_000)], [(300, 5_000), (2_100, 5_000)]])
    found = box_position(_turned(parts), BOX)
    assert found.along == pytest.approx(5_000, abs=0.1)
    assert found.covered_share == pytest.approx(1 - 500 / 4_000, abs=1e-6)


def test_front_that_ends_exactly_on_the_sides():
    found = box_position(front_at(3_210.0, overhang=0.0), BOX)
    assert found.along == pytest.approx(3_210.0, abs=0.05)
    assert not found.review


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        (front_at(12_000.0), SeriesReason.OUTSIDE_BOX),
        (front_at(-500.0), SeriesReason.OUTSIDE_BOX),
        (front_at(-100.0, slope=0.5), SeriesReason.INLAND_OF_BOX),
    ],
)
def test_fronts_that_cannot_be_measured(front, reason):
    box = rectilinear_box(straight_box(), flowline=LineString(place([-3_000, 12_000], 0.0)))
    found = box_position(front, box)
    assert found.reasons == (reason,)
    assert np.isnan(found.along)
    assert found.inland is None


def test_a_front_that_crosses_the_flowline_twice_before_the_box():
    box = rectilinear_box(straight_box(), flowline=LineString(place([-3_000, 12_000], 0.0)))
    loop = place([-1_000, -1_000, -2_000, -2_000], [-300, 300, 300, -300])
    fronts = MultiLineString([loop, shapely.get_coordinates(front_at(6_000.0))])
    assert box_position(fronts, box).along == pytest.approx(6_000.0, abs=1e-3)


def test_front_that_leaves_the_box_seaward_is_cut_off_there():
    found = box_position(front_at(9_500.0, slope=0.8), BOX)
    assert found.review
    assert SeriesReason.LEAVES_BOX in found.reasons
    assert found.along < 9_500


def test_crossings_of_the_flowline():
    flowline = LineString([(0, 0), (0, 10_000)])
    zigzag = LineString([(-500, 4_000), (500, 4_000), (500, 5_000), (-500, 5_000), (-500, 6_000), (500, 6_000)])
    assert [c.along for c in centreline_crossings(zigzag, flowline)] == pytest.approx([4_000, 5_000, 6_000])
    oblique = centreline_crossings(LineString([(-1_000, 3_000), (1_000, 5_000)]), flowline)
    assert oblique[0].cosine == pytest.approx(np.sqrt(0.5))
    short = LineString([(-3_000, 4_000), (-1_000, 4_200)])
    assert centreline_crossings(short, flowline) == []
    drawn = centreline_crossings(short, flowline, extrapolate_by=2_000.0)
    assert drawn[0].extrapolated
    assert drawn[0].along == pytest.approx(4_300)
    assert centreline_crossings(short, flowline, extrapolate_by=500.0) == []
    along_it = centreline_crossings(LineString([(-10, 2_000), (0, 2_000), (0, 2_500), (10, 2_500)]), flowline)
    assert [c.along for c in along_it] == pytest.approx([2_000, 2_500])


@pytest.mark.parametrize(
    ("crs", "lon", "lat"),
    [
        ("EPSG:3413", -43, 60.5),
        ("EPSG:3413", -38, 66.4),
        ("EPSG:3413", -60, 81.0),
        ("EPSG:3031", -60, -65.0),
        ("EPSG:3031", 165, -78.0),
        ("EPSG:32622", -50, 59.0),
        ("EPSG:32718", -73.5, -49.0),
    ],
)
def test_true_lengths_and_areas_against_the_ellipsoid(crs, lon, lat):
    geod = pyproj.Geod(ellps="WGS84")
    x, y = pyproj.Proj(crs)(lon, lat)
    ground = Ground(crs)
    for size, tolerance in ((8_000.0, 1e-4), (100_000.0, 1e-3)):
        line = shapely.segmentize(LineString([(x, y), (x + 0.8 * size, y + 0.6 * size)]), size / 200)
        square = shapely.segmentize(Point(x, y).buffer(size / 2, cap_style="square"), size / 200)

        def lonlat(geometry):
            return shapely.transform(geometry, lambda xy: np.column_stack(pyproj.Proj(crs)(*xy.T, inverse=True)))

        assert ground.length(line) == pytest.approx(geod.geometry_length(lonlat(line)), rel=tolerance)
        area = abs(geod.geometry_area_perimeter(lonlat(square))[0])
        assert ground.area(square) == pytest.approx(area, rel=tolerance)
    assert Ground(None).length(line) == pytest.approx(line.length)


def test_scale_needs_a_conformal_projection():
    with pytest.raises(InputError, match="not conformal"):
        Ground("EPSG:6931").point_scale((0.0, -3_000_000.0))


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        (Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "not a valid polygon"),
        (LineString([(0, 0), (1, 1)]), "must be one polygon"),
        (Polygon(), "must be one polygon"),
    ],
)
def test_bad_boxes(polygon, message):
    with pytest.raises(InputError, match=message):
        check_box(polygon)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (LineString([(0, 0), (2, 2), (2, 0), (0, 2)]), "crosses itself"),
        (MultiLineString([[(0, 0), (1, 1)], [(5, 5), (6, 6)]]), "one line"),
        (Point(0, 0), "one line"),
        (shapely.from_wkt("LINESTRING (0 0, nan 1)"), "not finite"),
    ],
)
def test_bad_flowlines(line, message):
    with pytest.raises(InputError, match=message):
        check_flowline(line)


def test_a_bend_too_sharp_for_the_width():
    hairpin = LineString([(0, 0), (0, 5_000), (300, 5_000), (300, -500)])
    with pytest.raises(InputError, match="folds over itself"):
        curvilinear_box(hairpin, 3_000.0)
    with pytest.raises(InputError, match="positive"):
        curvilinear_box(hairpin, 0.0)


def test_errors_along_a_front_do_not_average_out_like_independent_ones():
    assert mean_error_factor(1.0, 500.0) == pytest.approx(1.0, rel=1e-3)
    assert mean_error_factor(50_000.0, 500.0) == pytest.approx(np.sqrt(2 * 500 / 50_000), rel=0.01)
    # against a brute-force mean of correlated errors
    s = np.linspace(0, 4_000, 800)
    covariance = np.exp(-np.abs(s[:, None] - s) / 500)
    assert mean_error_factor(4_000.0, 500.0) == pytest.approx(np.sqrt(covariance.mean()), rel=0.01)
    keywords = {"front_length_m": 4_000.0, "width_m": 4_000.0, "relief_m": 300.0, "correlation_m": 500.0}
    whole = box_sigma(30.0, covered_share=1.0, **keywords)
    assert whole == pytest.approx(30 * np.sqrt(covariance.mean()), rel=0.01)
    assert box_sigma(30.0, covered_share=0.8, **keywords) > whole + 30


def _flow_coordinates(front):
    xy = shapely.get_coordinates(front) - ORIGIN
    return xy @ [-SEAWARD[1], SEAWARD[0]], xy @ SEAWARD


def _turned(geometry):
    """From across, along to the map of the builders."""
    return shapely.transform(geometry, lambda xy: place(xy[:, 1], -xy[:, 0]))

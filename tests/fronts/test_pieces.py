"""The steps of tracing, each against what is known of it."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label, map_coordinates
from skimage.measure import find_contours

from icefront_dask.fronts import isolate
from icefront_dask.fronts.refine import (
    bridged,
    look_across,
    oriented,
    refine,
    resample,
    sample,
    smooth_line,
    without_loops,
)
from icefront_dask.fronts.sides import find_sides
from tests.fronts.scenes import channel, level_edge

SHAPE = (80, 100)


# sides

DOMAIN = np.ones(SHAPE, bool)
NO_RIDGE = np.empty((0, 2), dtype=np.intp)
FLOW = [((2.0, 50.0), (77.0, 50.0))]


def sides_of(ice, known=None, flows=FLOW, ridge=NO_RIDGE, domain=DOMAIN):
    return find_sides(ice, np.isfinite(ice) if known is None else known, domain, ridge, flows, fill_px=8)


def test_edge_lies_at_one_half():
    found = sides_of(level_edge(40.3)[0])
    assert np.abs(found.edge[:, 1] - 40.3).max() < 0.03
    assert not found.detached


def test_bergs_nunataks_and_polynyas_make_no_edge():
    ice = level_edge(40.3)[0].copy()
    ice[60:66, 20:30] = 1.0  # a berg
    ice[10:16, 60:70] = 0.0  # a polynya
    found = sides_of(ice)
    assert np.abs(found.edge[:, 1] - 40.3).max() < 0.03
    assert (found.level[60:66, 20:30] == 0).all()
    assert (found.level[10:16, 60:70] == 1).all()


def test_flowline_says_which_ice_is_the_glacier():
    """Two bodies of ice of which the smaller is the glacier."""
    rows = np.arange(SHAPE[0])[:, None] + 0.5
    ice = np.broadcast_to((rows < 15) | (rows > 40), SHAPE).astype(np.float32)
    flow = [((2.0, 50.0), (30.0, 50.0))]
    assert np.abs(sides_of(ice, flows=flow).edge[:, 1] - 15).max() < 0.6
    assert np.abs(sides_of(ice, flows=[]).edge[:, 1] - 40).max() < 0.6
    ridge = np.column_stack([np.full(60, 15), np.arange(20, 80)])
    assert np.abs(sides_of(ice, flows=[], ridge=ridge).edge[:, 1] - 15).max() < 25


def test_water_behind_ice_that_fills_the_fjord_is_detached():
    rows = np.arange(SHAPE[0])[:, None]
    ice = np.broadcast_to((rows < 30) | ((rows >= 40) & (rows < 55)), SHAPE).astype(np.float32)
    found = sides_of(ice)
    assert found.detached
    assert np.abs(found.edge[:, 1] - 30).max() < 0.6


@pytest.mark.parametrize("seed", range(6))
def test_edge_of_a_rough_scene_is_the_contour_between_both_bodies(seed):
    """Against labels of the whole grid and the contour of the whole grid."""
    rng = np.random.default_rng(seed)
    rows = np.arange(SHAPE[0])[:, None] - 40 + 8 * np.sin(np.arange(SHAPE[1]) / 9)
    ice = np.clip(0.5 - rows / 30 + gaussian_filter(rng.normal(0, 1.2, SHAPE), 1.5), 0, 1).astype(np.float32)
    found = sides_of(ice)
    ices, waters = label(ice >= 0.5)[0], label(ice < 0.5, np.ones((3, 3)))[0]
    glacier, ocean = (body == np.bincount(body[body > 0]).argmax() for body in (ices, waters))
    level = np.where((ice >= 0.5) & ~glacier, 0.0, np.where((ice < 0.5) & ~ocean, 1.0, ice)).astype(np.float32)
    assert np.array_equal(found.level, level)
    contour = np.concatenate(find_contours(level, 0.5))
    pairs = np.stack([np.floor(contour), np.ceil(contour)]).astype(int)
    ends = [body[tuple(pairs[0].T)] | body[tuple(pairs[1].T)] for body in (glacier, ocean)]
    wanted = contour[ends[0] & ends[1]][:, ::-1] + 0.5
    assert np.allclose(np.unique(found.edge, axis=0), np.unique(wanted, axis=0), atol=1e-9)


def test_gaps_are_filled_for_the_sides_up_to_their_reach():
    ice = level_edge(40.3)[0].copy()
    ice[:, 30:42] = np.nan
    assert np.ptp(sides_of(ice).edge[:, 0]) > 95
    ice[:, 30:60] = np.nan
    assert sides_of(ice).edge[:, 0].max() > 60


def test_one_class_or_nothing_has_no_sides():
    assert sides_of(np.ones(SHAPE, np.float32)) is None
    assert sides_of(np.zeros(SHAPE, np.float32)) is None
    assert sides_of(np.full(SHAPE, np.nan, np.float32)) is None


# refine


@given(st.integers(0, 2**31), st.integers(2, 30), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_sample_is_bilinear(seed, height, width):
    rng = np.random.default_rng(seed)
    image = rng.random((height, width)).astype(np.float32)
    xy = rng.uniform(0.5, [width - 0.5, height - 0.5], (50, 2))
    wanted = map_coordinates(image.astype(float), [xy[:, 1] - 0.5, xy[:, 0] - 0.5], order=1)
    assert np.allclose(sample(image, xy), wanted, atol=1e-6)


def test_sample_is_nan_outside_and_beside_nan_but_not_on_its_neighbours_centre():
    image = np.ones((5, 5), np.float32)
    image[2, 2] = np.nan
    xy = np.array([[-0.1, 2.0], [5.1, 2.0], [2.3, 2.5], [1.5, 2.5], [0.1, 0.1]])
    assert np.isnan(sample(image, xy)).tolist() == [True, True, True, False, False]


def test_resample_keeps_ends_and_length():
    line = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 0.0], [3.0, 7.5]])
    out = resample(line)
    assert np.allclose(out[[0, -1]], line[[0, -1]])
    assert np.hypot(*np.diff(out, axis=0).T).max() <= 1.0 + 1e-9
    assert shapely.LineString(out).hausdorff_distance(shapely.LineString(line)) < 0.75
    assert resample(line[1:3]).tolist() == [[3.0, 0.0]]


@given(st.floats(0.1, 5), st.integers(2, 40))
@settings(max_examples=25, deadline=None)
def test_smoothing_leaves_straight_lines_alone(sigma, n):
    line = np.linspace([1.0, 2.0], [30.0, -5.0], n)
    assert np.allclose(smooth_line(line, sigma), line)


def test_orientation_puts_the_ice_on_the_left():
    ice, _ = level_edge(40.0)
    line = np.column_stack([np.arange(10.0, 90.0), np.full(80, 40.0)])
    assert oriented(line, ice)[0, 0] == 10.0
    assert oriented(line[::-1], ice)[0, 0] == 10.0
    assert oriented(line, 1 - ice)[0, 0] == 89.0


@pytest.mark.parametrize("place", [40.0, 40.25, 40.5, 40.9])
def test_outputs_across_a_line(place):
    ice, front = level_edge(place)
    line = np.column_stack([np.arange(20.0, 80.0), np.full(60, 40.5)])
    across = look_across(line, front, ice, reach=6.0, weak=0.1)
    assert np.allclose(across.ridge, place - 40.5, atol=0.1)
    assert np.allclose(across.crossing, place - 40.5, atol=0.1)
    assert across.peak.min() > 0.9
    assert across.contrast.min() > 0.98
    assert across.variance.max() < 0.6


def test_outputs_across_a_line_where_they_say_nothing():
    ice, front = level_edge(40.0)
    line = np.column_stack([np.arange(20.0, 80.0), np.full(60, 60.0)])
    across = look_across(line, front, ice, reach=6.0, weak=0.1)
    assert np.isnan(across.ridge).all()
    assert np.isnan(across.crossing).all()
    assert np.isnan(across.variance).all()
    assert (across.peak == 0).all()


def test_refining_moves_a_line_off_by_pixels_onto_the_front():
    ice, front = level_edge(40.3)
    rough = np.column_stack([np.arange(20.0, 80.0), 40.3 + 2 * np.sin(np.arange(60) / 3)])
    line = refine(rough, front, ice, reach=3.0, weak=0.1, ice_weight=0.5, smooth_px=1.5, max_smoothing_px=0.5)
    assert np.abs(line[5:-5, 1] - 40.3).max() < 0.1
    assert shapely.LineString(line).is_simple


def test_bridge_goes_on_round_a_circle():
    angle = np.linspace(0, np.pi, 95)
    circle = 30 * np.column_stack([np.cos(angle), np.sin(angle)])
    seen = np.ones(95, bool)
    seen[40:60] = False
    broken = circle.copy()
    broken[40:60] = np.linspace(circle[39], circle[60], 22)[1:-1]
    assert np.abs(np.hypot(*broken.T) - 30).max() > 1.5
    assert np.abs(np.hypot(*bridged(broken, seen).T) - 30).max() < 0.5
    assert np.array_equal(bridged(circle, np.ones(95, bool)), circle)


def test_bridge_never_swings_far():
    left = np.column_stack([np.arange(10.0), np.arange(10.0)])
    right = np.column_stack([np.arange(20.0, 30.0), np.arange(10.0)])
    gap = np.linspace(left[-1], right[0], 13)[1:-1]
    line = np.vstack([left, gap, right])
    seen = np.r_[np.ones(10, bool), np.zeros(11, bool), np.ones(10, bool)]
    out = bridged(line, seen)
    chord = shapely.LineString([left[-1], right[0]])
    length = chord.length
    assert max(shapely.distance(shapely.points(out[10:21]), chord)) <= 0.25 * length + 1e-9


def test_loops_are_cut():
    t = np.linspace(0, 2 * np.pi, 30)
    loop = np.column_stack([20 + 3 * np.sin(t), 3 - 3 * np.cos(t)])
    line = np.vstack([np.column_stack([np.arange(20.0), np.zeros(20)]), loop, [[21.0, 0.1], [30.0, 0.1]]])
    assert not shapely.LineString(line).is_simple
    out = without_loops(line)
    assert shapely.LineString(out).is_simple
    assert np.allclose(out[[0, -1]], line[[0, -1]])


# isolate


def test_walls_are_the_pixels_outside_and_not_the_edge_of_the_grid():
    fjord = channel(SHAPE, 20.0)
    walls = isolate.Walls(fjord)
    distance = walls.distance(np.array([[30.0, 1.0], [50.0, 40.0], [69.5, 79.0], [5.0, 40.0]]))
    assert distance[:3].tolist() == pytest.approx([0.0, 20.0, 0.5], abs=0.51)
    assert np.isinf(isolate.Walls(np.ones(SHAPE, bool)).distance(np.zeros((1, 2)))).all()


def test_distances_from_walls_stop_where_they_need_not_be_known():
    fjord = channel(SHAPE, 20.0, bend=8.0)
    walls = isolate.Walls(fjord)
    points = np.random.default_rng(3).uniform([0, 0], SHAPE[::-1], (500, 2))
    whole = walls.distance(points)
    assert whole.max() > 12
    assert np.array_equal(walls.distance(points, 6.5), np.minimum(whole, 6.5))
    centres = np.argwhere(fjord)
    exact = np.maximum(distance_transform_edt(fjord)[fjord] - 0.5, 0.0)
    assert np.allclose(walls.distance(centres[:, ::-1] + 0.5), exact, atol=1e-12)
    assert np.isinf(isolate.Walls(np.ones(SHAPE, bool)).distance(points, 6.5)).all()


def test_split_cuts_long_bad_runs_and_bad_ends_only():
    line = np.column_stack([np.arange(30.0), np.zeros(30)])
    bad = np.zeros(30, bool)
    bad[[0, 1, 10, 11, 20, 21, 22, 29]] = True
    pieces = isolate.split(line, bad, tolerance=2)
    assert [(p[0, 0], p[-1, 0]) for p in pieces] == [(2, 19), (23, 28)]
    assert isolate.split(line, np.ones(30, bool), tolerance=2) == []


def test_ends_along_a_wall_are_trimmed_and_ends_at_a_wall_stay():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    across = np.column_stack([np.arange(30.5, 70.0), np.full(40, 40.0)])
    along = np.column_stack([np.full(25, 31.5), np.arange(65.0, 40.0, -1)])
    assert len(isolate.trim_walls(across, walls, 3.0)) >= 39
    trimmed = isolate.trim_walls(np.vstack([along, across]), walls, 3.0)
    assert len(trimmed) <= 42
    assert len(isolate.trim_walls(along, walls, 3.0)) == 0


def test_ridges_along_a_wall_are_no_front():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    across = np.column_stack([np.full(40, 40), np.arange(30, 70)])
    along = np.column_stack([np.arange(5, 70), np.full(65, 36)])
    oblique = np.column_stack([np.arange(5, 44), np.arange(30, 69)])

    def kept(pixels):
        return isolate.off_walls(pixels, walls, 3.0, 10.0)

    assert kept(across)[3:-3].all()
    assert not kept(across)[[0, -1]].any()
    assert not kept(along).any()
    assert kept(oblique)[3:-3].all()
    assert kept(along + np.array([0, 12])).all()
    assert len(kept(np.empty((0, 2), dtype=np.intp))) == 0


def test_lines_are_cut_where_they_touch_a_wall():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    across = np.column_stack([np.arange(31.0, 66.0), np.full(35, 30.0)])
    back = np.column_stack([np.arange(66.0, 45.0, -1), np.linspace(30, 60, 21)])
    first, second = isolate.split_at_walls(np.vstack([across, back]), walls, 10.0)
    assert np.allclose(first[:, 1], 30.0)
    assert second[-1].tolist() == [46.0, 60.0]
    assert len(isolate.split_at_walls(across, walls, 10.0)) == 1


def test_lines_separate_inland_from_the_sea():
    fjord = channel(SHAPE, 20.0)
    fjord[30:50, 48:52] = False
    walls = isolate.Walls(fjord)
    left, right = (
        np.column_stack([np.arange(a, b), np.full(int(b - a), 40.0)]) for a, b in ((31.0, 47.0), (53.0, 69.0))
    )
    ends = ((2.0, 50.0), (77.0, 50.0))
    assert isolate.separated([left, right], ends, walls)
    assert not isolate.separated([left], ends, walls)
    assert not isolate.separated([right], ends, walls)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(0.3, 1.0),
    st.sampled_from([1, 90, 2**18]),
)
def test_places_are_joined_as_labels_say(seed, shape, share, strip_px):
    rng = np.random.default_rng(seed)
    fjord, barrier = rng.random(shape) < share, rng.random(shape) < 0.1
    labels = label(fjord & ~barrier)[0]
    with mock.patch.object(isolate, "_STRIP_PX", strip_px):
        for _ in range(20):
            first, second = rng.integers(0, fjord.size, 2)
            expected = bool(labels.flat[first] == labels.flat[second] != 0)
            assert isolate._joined(fjord, np.flatnonzero(barrier), int(first), int(second)) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.tuples(st.integers(1, 40), st.integers(1, 40)), st.sampled_from([1, 90, 2**18]))
def test_walls_touch_the_fjord_whatever_the_strips(seed, shape, strip_px):
    fjord = np.random.default_rng(seed).random(shape) < 0.6
    rows, cols = np.nonzero(binary_dilation(fjord) & ~fjord)
    points = np.random.default_rng(seed).uniform(0, 40, (30, 2))
    with mock.patch.object(isolate, "_STRIP_PX", strip_px):
        found = isolate.Walls(fjord).distance(points)
    if not len(rows):
        assert np.isinf(found).all()
        return
    away = np.hypot(points[:, :1] - cols - 0.5, points[:, 1:] - rows - 0.5).min(axis=1)
    np.testing.assert_allclose(found, np.maximum(away - 0.5, 0), atol=1e-12)


def test_ends_reach_the_wall_if_it_is_near():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    near = np.column_stack([np.arange(33.0, 60.0), np.full(27, 40.0)])
    out = isolate.reach_walls(near, walls, 4.0)
    assert out[:, 0].min() == pytest.approx(30.0, abs=0.51)
    assert out[:, 0].max() == 59.0


def test_ends_reach_the_gap_before_which_they_stop():
    known = np.ones(SHAPE, bool)
    line = np.column_stack([np.arange(33.0, 60.0), np.full(27, 40.0)])
    assert np.array_equal(isolate.reach_gaps(line, known, 3.0), line)
    known[:, 62:] = False
    out = isolate.reach_gaps(line, known, 3.5)
    assert out[:, 0].max() == pytest.approx(61.5, abs=0.51)
    assert out[:, 0].min() == 33.0
    assert isolate.reach_gaps(line, known, 1.0)[:, 0].max() == 59.0
    domain = np.ones(SHAPE, bool)
    domain[:, 61:] = False
    assert np.array_equal(isolate.reach_gaps(line, known, 3.5, domain), line)


def test_pixels_without_data_before_a_wall_count_less():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    line = np.column_stack([np.arange(36.0, 60.0), np.full(24, 40.0)])
    known = np.ones(SHAPE, bool)
    assert np.array_equal(isolate.reach_walls(line, walls, 5.0, known, 0.3), line)
    known[:, 31:35] = False
    assert isolate.reach_walls(line, walls, 5.0, known, 0.3)[:, 0].min() == pytest.approx(30.0, abs=0.51)
    known[:, 25:] = False
    farther = line[line[:, 0] > 38]
    assert np.array_equal(isolate.reach_walls(farther, walls, 5.0, known, 0.3), farther)


@pytest.mark.parametrize(("left", "right", "share"), [(30, 70, 1.0), (30, 50, 0.5), (40, 60, 0.5), (45, 55, 0.25)])
def test_share_of_the_width(left, right, share):
    walls = isolate.Walls(channel(SHAPE, 20.0))
    line = np.column_stack([np.linspace(left, right, 40), np.full(40, 40.0)])
    found = isolate.extent(line, walls, np.ones(SHAPE, bool), 2.0)
    assert found.share == pytest.approx(share, abs=0.03)
    assert found.open_ends == 0


def test_ends_at_missing_pixels_are_open():
    walls = isolate.Walls(channel(SHAPE, 20.0))
    valid = np.ones(SHAPE, bool)
    valid[:, 51:] = False
    line = np.column_stack([np.arange(30.5, 50.0), np.full(20, 40.0)])
    assert isolate.extent(line, walls, valid, 2.0).open_ends == 1
    assert isolate.open_ends(line, valid) == 1

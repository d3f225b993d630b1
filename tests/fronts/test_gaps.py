"""Fronts of every shape under stripes and holes without data."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from icefront_dask.fronts.gaps import beside_gaps, closed_over_gap, off_gaps, with_stubs
from icefront_dask.fronts.graph import trace_points
from tests.fronts.scenes import distances, without
from tests.fronts.shapes import SHAPE, SHAPES, ice_cap, ice_tongue, open_scene, scene, trace, with_island

ROWS, COLS = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
SCENES = {
    **{name: lambda name=name: scene(name) for name in SHAPES},
    **{f"{name} in a bend": lambda name=name: scene(name, bend=20.0) for name in ("line", "slope", "arc")},
    **{f"{name} without a fjord": lambda name=name: open_scene(name) for name in SHAPES},
    "circle": ice_cap,
    "island": with_island,
    "ice tongue": ice_tongue,
}


MIDDLE = np.abs(COLS - 100) < 45  # an end under a stripe is not seen


def holes(seed):
    rng = np.random.default_rng(seed)
    places = zip(rng.uniform(0, 160, 9), rng.uniform(50, 150, 9), rng.uniform(3, 7, 9), strict=True)
    return np.any([np.hypot(ROWS - row, COLS - col) < radius for row, col, radius in places], axis=0) & MIDDLE


MISSING = {
    "stripes of 4 px": ((COLS + 15) % 30 < 4) & MIDDLE,
    "stripes of 6 px": ((COLS + 15) % 30 < 6) & MIDDLE,
    "slanting stripes": ((COLS + 0.3 * ROWS) % 33 < 6) & MIDDLE,
    **{f"holes {seed}": holes(seed) for seed in range(4)},
}


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("name", SCENES)
def test_stripes_and_holes_are_bridged(name, missing):
    assert_on_truth(without(SCENES[name](), MISSING[missing]))


def assert_on_truth(rendered):
    fronts = trace(rendered)
    truth = shapely.MultiLineString(rendered.pieces)
    lines = shapely.MultiLineString([front.xy for front in fronts])
    there, back = distances(lines, truth)
    assert np.concatenate([there, back]).mean() <= 0.5
    assert there.max() <= 1.5
    assert back.max() <= 1.5


# The ends of a ring lie in a hole, or beyond a hole only a stub of the front is left before the wall.
CUT_OFF = [
    *(("circle", seed) for seed in (1004, 1020, 1024, 1045, 1076)),
    *(("line in a bend", seed) for seed in (1019, 1051, 1052, 1059, 1076, 2010, 2047)),
    *(("slope in a bend", seed) for seed in (1084, 2049)),
]
# Something of a corner is seen beside the hole, or all of it right before the hole.
CORNERS = (
    *(912, 1007, 1021, 1038, 1041, 1043, 1058, 1062, 1082, 1083, 2019, 2024, 2026, 2030, 3018, 3020),
    *(4015, 4017, 4021, 4026, 4028),
)
# The front ends at the wall or the island in a hole, beside one or right behind one.
AT_WALLS = [
    *(("island", seed) for seed in (1001, 1015, 1021, 1028, 1038, 1070, 2011, 2014, 2016, 2023, 2025, 3018, 4047)),
    *(("slope in a bend", seed) for seed in (2012, 3035)),
]


@pytest.mark.parametrize(("name", "seed"), [*CUT_OFF, *AT_WALLS, *(("ice tongue", seed) for seed in CORNERS)])
def test_stubs_rings_corners_and_ends_at_holes(name, seed):
    assert_on_truth(without(SCENES[name](), holes(seed)))


def test_pixels_beside_gaps_go_where_others_are_left():
    path = np.column_stack([np.full(40, 20), np.arange(40)])
    known = np.ones((40, 40), bool)
    assert np.array_equal(off_gaps(path, known), path)
    known[:, 10:14] = False
    kept = off_gaps(path, known)[:, 1]
    assert kept.tolist() == [*range(9), *range(15, 40)]
    known[18:23, ::3] = False
    assert np.array_equal(off_gaps(path, known), path)


@pytest.mark.parametrize(("gap", "closes"), [(12, True), (80, False)])
def test_a_ring_with_a_gap_is_closed_where_it_is_short(gap, closes):
    angle = np.radians(np.arange(gap / 2, 360 - gap / 2, 1.0))
    path = np.round(50 + 30 * np.column_stack([np.sin(angle), np.cos(angle)])).astype(np.intp)
    known = np.ones((100, 100), bool)
    assert np.array_equal(closed_over_gap(path, known), path)
    rows, cols = np.mgrid[:100, :100] - 50
    known[(cols > 0) & (np.abs(rows) < 30 * np.sin(np.radians(gap / 2)))] = False
    ring = closed_over_gap(path, known)
    assert np.array_equal(ring[0], ring[-1]) is closes
    assert len(ring) == len(path) + closes


def test_a_ring_whose_ends_touch_in_a_gap_begins_where_it_is_seen():
    angle = np.radians(np.arange(0, 360, 1.0))
    path = np.round(50 + 30 * np.column_stack([np.sin(angle), np.cos(angle)])).astype(np.intp)
    path = path[np.concatenate([[True], (np.diff(path, axis=0) != 0).any(axis=1)])]
    known = np.ones((100, 100), bool)
    assert np.array_equal(closed_over_gap(path, known), path)
    known[48:53, 81:90] = False
    ring = closed_over_gap(path, known)
    assert np.array_equal(ring[0], ring[-1])
    assert not beside_gaps(ring[:1], known).any()
    assert beside_gaps(path[:1], known).all()


def test_pixels_beside_a_gap_count_as_the_gap_does():
    points = np.array([[10, col] for col in (*range(5, 15), *range(21, 31))])
    known = np.ones((20, 40), bool)
    known[:, 16:20] = False
    path = trace_points(points[:11], known=known, unknown_cost=0.3)
    assert path[-1].tolist() == [10, 21]
    assert trace_points(points[:11])[-1].tolist() == [10, 14]


@pytest.mark.parametrize(
    ("stub", "gap", "joins"),
    [
        ([(20, 35), (20, 36)], slice(22, 35), True),
        ([(22, 35)], slice(22, 35), True),
        ([(30, 35)], slice(22, 35), False),  # aside
        ([(20, 35)], slice(22, 28), False),  # seven pixels that show no front
        ([(20, 50)], slice(22, 50), False),  # too far
    ],
)
def test_a_stub_straight_ahead_beyond_a_gap_is_joined(stub, gap, joins):
    path = np.column_stack([np.full(20, 20), np.arange(2, 22)])
    known = np.ones((40, 60), bool)
    assert np.array_equal(with_stubs(path, path, known), path)
    known[:, gap] = False
    assert np.array_equal(with_stubs(path, path, known), path)
    led_on = with_stubs(path, np.concatenate([path, stub]), known)
    assert led_on.tolist() == [*path.tolist(), *(map(list, stub) if joins else [])]

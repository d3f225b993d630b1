"""Bridges of a line over what is not seen of it, where the front output can tell between them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from icefront_dask.fronts.bridges import bridged
from tests.fronts.scenes import away, centres

SHAPE = (60, 60)
ROWS, COLS = np.mgrid[:60, :60] + 0.5


def ridge_of(truth, missing):
    """Front probability of a line, NaN where it is missing."""
    near = away(shapely.segmentize(shapely.LineString(truth), 0.25), centres(SHAPE)).reshape(SHAPE)
    return np.where(missing, np.nan, 0.95 * np.clip(2.0 - near, 0, 1)).astype(np.float32)


def straight_over(truth, missing):
    """A line with a vertex a pixel and a chord where data are missing, and which of its vertices are seen."""
    line = shapely.get_coordinates(shapely.segmentize(shapely.LineString(truth), 1.0))
    seen = ~missing[line[:, 1].astype(int), line[:, 0].astype(int)]
    first, last = np.flatnonzero(~seen)[[0, -1]]
    chord = np.linspace(line[first - 1], line[last + 1], last - first + 3)
    return np.vstack([line[:first], chord[1:-1], line[last + 1 :]]), seen


CORNER = [(5.0, 20.0), (30.0, 20.0), (30.0, 55.0)]


def farthest(line, truth):
    back = shapely.distance(
        shapely.points(shapely.get_coordinates(shapely.segmentize(shapely.LineString(truth), 0.5))),
        shapely.LineString(line),
    )
    return back.max()


def test_a_corner_that_is_seen_in_part_is_kept():
    missing = np.hypot(ROWS - 24, COLS - 26) < 6.5
    line, seen = straight_over(CORNER, missing)
    front = ridge_of(CORNER, missing)
    assert farthest(line, CORNER) > 3
    assert farthest(bridged(line, seen), CORNER) > 1.5
    assert farthest(bridged(line, seen, front), CORNER) < 1.0


def test_a_corner_that_is_not_seen_is_not_invented():
    missing = np.hypot(ROWS - 20, COLS - 30) < 9
    line, seen = straight_over(CORNER, missing)
    assert np.array_equal(bridged(line, seen, ridge_of(CORNER, missing)), bridged(line, seen))


def test_a_bend_stays_a_bend():
    angle = np.linspace(0, np.pi / 2, 60)
    truth = np.column_stack([10 + 40 * np.sin(angle), 10 + 40 * np.cos(angle)])
    missing = np.hypot(ROWS - 38, COLS - 38) < 6
    line, seen = straight_over(truth, missing)
    front = ridge_of(truth, missing)
    assert np.array_equal(bridged(line, seen, front), bridged(line, seen))
    assert farthest(bridged(line, seen, front), truth) < 0.5


def test_without_a_gap_in_the_data_the_front_output_changes_nothing():
    missing = np.hypot(ROWS - 24, COLS - 26) < 6.5
    line, seen = straight_over(CORNER, missing)
    front = np.nan_to_num(ridge_of(CORNER, missing))
    assert np.array_equal(bridged(line, seen, front), bridged(line, seen))


@pytest.mark.parametrize("turn", [1, -1])
def test_an_end_over_pixels_without_data_goes_on_straight(turn):
    line = np.column_stack([np.arange(5.5, 45.5), np.r_[20 + 0.5 * np.arange(25), np.full(15, 32.0)]])[::turn]
    seen = line[:, 0] < 30
    missing = COLS > 30
    out = bridged(line, seen, np.where(missing, np.nan, np.float32(0)).astype(np.float32))
    assert np.allclose(out[:, 1], 20 + 0.5 * (out[:, 0] - 5.5))
    known = np.zeros(SHAPE, np.float32)
    assert np.array_equal(bridged(line, seen, known), line)
    assert np.array_equal(bridged(line, seen), line)


def test_the_direction_is_that_behind_a_turn():
    line = np.array([(x, 10.0) for x in range(5, 30)] + [(30.0, y) for y in range(10, 14)])
    rest = np.column_stack([np.full(30, 30.0), np.arange(14.0, 44.0)])
    seen = np.r_[np.ones(len(line), bool), np.zeros(14, bool), np.ones(16, bool)]
    assert np.allclose(bridged(np.vstack([line, rest]), seen)[len(line) :, 0], 30.0)

"""The distances against brute force and hand-computed answers."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icefront_dask.errors import InputError
from icefront_dask.score import (
    cut_walls,
    directed,
    index_matched,
    index_matched_mean,
    line_pixels,
    mde,
    mean_distance,
    median_distance,
    pixel_path,
    symmetric,
)
from icefront_dask.score.distances import resample

POINTS = st.integers(1, 25).flatmap(lambda n: arrays(np.float64, (n, 2), elements=st.integers(-40, 40).map(float)))


def brute(a, b):
    return [min(np.hypot(*(p - q)) for q in b) for p in a] + [min(np.hypot(*(p - q)) for p in a) for q in b]


@given(a=POINTS, b=POINTS)
def test_symmetric_equals_brute_force(a, b):
    np.testing.assert_allclose(symmetric(a, b), brute(a, b), atol=1e-9)


@given(a=POINTS, b=POINTS)
def test_measures_do_not_depend_on_the_order_of_the_lines(a, b):
    assert mean_distance(a, b) == pytest.approx(mean_distance(b, a))
    assert median_distance(a, b) == pytest.approx(median_distance(b, a))
    assert index_matched_mean(a, b) == pytest.approx(index_matched_mean(b, a), abs=1e-9)
    assert mde([(a, b)]).value == pytest.approx(mde([(b, a)]).value)


def test_calfin_by_hand():
    # Predicted 3 px, true 1 px: 3, 2, 3 one way and 2 the other.
    predicted, true = [[0, 0], [0, 1], [0, 2]], [[2, 1]]
    expected = [np.sqrt(5), 2.0, np.sqrt(5), 2.0]
    np.testing.assert_allclose(symmetric(predicted, true), expected)
    assert mean_distance(predicted, true) == pytest.approx(np.mean(expected))
    assert median_distance(predicted, true) == pytest.approx((2 + np.sqrt(5)) / 2)


def test_a_missing_front_is_nan_not_zero():
    assert np.isnan(mean_distance([], [[0, 0]]))
    assert np.isnan(median_distance([[0, 0]], []))
    assert directed([], [[0, 0]]).size == 0
    assert index_matched([], [[0, 0], [1, 1]]).size == 0


def test_mde_pools_pixels_and_counts_images_without_a_front_apart():
    long_and_good = ([[x, 1] for x in range(9)], [[x, 0] for x in range(9)])  # 18 distances of 1 px
    short_and_bad = ([[0, 10]], [[0, 0]])  # 2 distances of 10 px
    result = mde([long_and_good, short_and_bad, ([], [[0, 0]])], resolution=[20.0, 7.0, 7.0])
    assert result.value == pytest.approx((18 * 1 * 20 + 2 * 10 * 7) / 20)
    assert (result.images, result.without_front) == (2, 1)
    assert result.value != pytest.approx((20 + 70) / 2), "it must not be a mean of image means"
    assert np.isnan(mde([([], [[0, 0]])]).value)


def test_mde_refuses_what_it_cannot_answer():
    with pytest.raises(InputError, match="no true front"):
        mde([([[0, 0]], [])])
    with pytest.raises(InputError, match="2 resolutions for 1 images"):
        mde([([[0, 0]], [[0, 0]])], resolution=[1.0, 2.0])


def test_resample_puts_points_at_equal_arc_length():
    corner = [[0, 0], [3, 0], [3, 1]]
    np.testing.assert_allclose(resample(corner, 5), [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1]])
    # Vertices which repeat add no length.
    np.testing.assert_allclose(resample([[0, 0], [0, 0], [2, 0]], 3), [[0, 0], [1, 0], [2, 0]])
    with pytest.raises(InputError, match="cannot put 1 points"):
        resample(corner, 1)


def test_index_matched_by_hand_and_in_the_better_direction():
    true = [[0, 0], [10, 0]]
    parallel = [[0, 2], [10, 2]]
    np.testing.assert_allclose(index_matched(parallel, true), np.full(1000, 2.0))
    np.testing.assert_allclose(index_matched(parallel[::-1], true), np.full(1000, 2.0))
    # Half the front: the i-th points drift apart, from 0 to 5, although each is near the line.
    half = [[0, 0], [5, 0]]
    assert index_matched_mean(half, true) == pytest.approx(2.5)
    assert directed(half, true).max() == 5  # to the nearest *vertex*; the lines themselves coincide
    assert len(index_matched(half, true, 17)) == 17


def test_wall_cut_keeps_the_longest_piece():
    walls = shapely.MultiLineString([[(0, -50), (0, 50)], [(60, -50), (60, 50)], [(100, -50), (100, 50)]])
    cut = cut_walls([(0, 0), (100, 0)], walls, 5.0)
    np.testing.assert_allclose(cut, [[5, 0], [55, 0]], atol=0.05)
    assert cut_walls([(0, 0), (4, 0)], walls, 5.0).shape == (0, 2)


def test_line_pixels_of_straight_lines():
    np.testing.assert_array_equal(
        line_pixels(shapely.LineString([(0.5, 0.5), (3.5, 0.5)])), [[x + 0.5, 0.5] for x in range(4)]
    )
    diagonal = line_pixels(shapely.LineString([(0.2, 0.2), (4.8, 4.9)]))
    np.testing.assert_array_equal(diagonal, [[i + 0.5, i + 0.5] for i in range(5)])
    assert line_pixels(shapely.MultiLineString()).shape == (0, 2)


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=2, max_size=8, unique=True))
def test_line_pixels_are_one_pixel_wide_near_the_line_and_reversible(vertices):
    line = shapely.LineString(vertices)
    drawn = line_pixels(line)
    assert len(np.unique(drawn, axis=0)) == len(drawn)
    # Vertices snap by at most sqrt(1/2), a drawn segment by another 1/2.
    assert shapely.distance(shapely.points(drawn), line).max() < 1.25
    np.testing.assert_array_equal(drawn, line_pixels(line.reverse()))
    steps = np.abs(np.diff(pixel_path(drawn), axis=0))
    assert steps.size == 0 or steps.max() <= 1


def test_pixel_path_orders_pixels_leaves_out_spurs_and_bridges_gaps(rng):
    x = np.arange(60.0)
    front = np.column_stack([x, np.round(20 + 8 * np.sin(x / 9))])
    front = line_pixels(shapely.LineString(front + 0.5))
    gap = front[(front[:, 0] < 30) | (front[:, 0] > 34)]
    spur = np.array([[15.5, 3.5], [15.5, 4.5], [15.5, 5.5]])
    path = pixel_path(rng.permutation(np.vstack([gap, spur])))
    assert path[0][0] == 0.5
    assert path[-1][0] == 59.5
    assert not {tuple(p) for p in spur} & {tuple(p) for p in path}
    jump = np.hypot(*np.diff(path, axis=0).T)
    assert (jump > 1.5).sum() == 1


def test_bad_points_are_refused():
    with pytest.raises(InputError, match=r"shape \(n, 2\)"):
        mean_distance([1, 2, 3], [[0, 0]])
    with pytest.raises(InputError, match="not finite"):
        mean_distance([[np.nan, 0]], [[0, 0]])

"""Overlaps and areas between lines: worked by hand, by brute force, and their symmetries."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icefront_dask.errors import InputError
from icefront_dask.score.overlap import (
    area_between,
    box_accuracy,
    class_scores,
    front_iou,
    ice_iou,
    mean_class_scores,
    mean_gap,
    polis,
)


def test_front_iou_of_two_rows_by_hand():
    a, b = np.zeros((9, 20), bool), np.zeros((9, 20), bool)
    a[3], b[4] = True, True
    # Rows 2-4 and 3-5: two of four rows.
    assert front_iou(a, b) == pytest.approx(0.5)
    assert front_iou(a, a) == pytest.approx(1.0)
    assert front_iou(a, np.zeros_like(a)) == 0.0
    assert front_iou(np.zeros_like(a), np.zeros_like(a)) == 0.0


def test_ice_iou_counts_soft_overlap_over_hard_union():
    true = np.array([[1, 1, 0, 0]])
    probability = np.array([[0.8, 0.4, 0.9, 1.0]])
    # Union: both true pixels and the last, since 0.9 alone does not reach one.
    assert ice_iou(probability, true) == pytest.approx(1.2 / 3, rel=1e-5)


@given(
    arrays(np.int8, (7, 8), elements=st.integers(0, 3)),
    arrays(np.int8, (7, 8), elements=st.integers(0, 3)),
)
def test_class_scores_equal_counting_one_by_one(predicted, true):
    scores = class_scores(predicted, true)
    for c in range(4):
        tp = fp = fn = 0
        for p, t in zip(predicted.ravel(), true.ravel(), strict=True):
            tp += p == c == t
            fp += p == c != t
            fn += t == c != p
        expected = (
            (tp / (tp + fp) if tp + fp else np.nan),
            (tp / (tp + fn) if tp + fn else np.nan),
            (2 * tp / (2 * tp + fp + fn) if tp + fp + fn else np.nan),
            (tp / (tp + fp + fn) if tp + fp + fn else np.nan),
        )
        found = scores.precision[c], scores.recall[c], scores.f1[c], scores.iou[c]
        np.testing.assert_allclose(found, expected)
    swapped = class_scores(true, predicted)
    np.testing.assert_allclose(swapped.iou, scores.iou)
    np.testing.assert_allclose(swapped.precision, scores.recall)


def test_mean_over_images_is_of_macro_means():
    a = class_scores([[0, 1]], [[0, 1]], (0, 1))
    b = class_scores([[0, 0]], [[0, 1]], (0, 1))
    assert mean_class_scores([a, b])["iou"] == pytest.approx((1.0 + 0.25) / 2)
    # Of image b, class 1 is never predicted: it has no precision, and counts as 0 for recall.
    assert mean_class_scores([b])["precision"] == pytest.approx(0.5)
    assert mean_class_scores([b])["recall"] == pytest.approx(0.5)


def test_box_accuracy_looks_inside_alone():
    true = np.zeros((10, 10), int)
    predicted = np.ones((10, 10), int)
    predicted[2:4, 3:6] = 0
    predicted[2, 3] = 1
    assert box_accuracy(predicted, true, (2, 3, 4, 6)) == pytest.approx(5 / 6)
    with pytest.raises(InputError, match="no pixel"):
        box_accuracy(predicted, true, (20, 0, 30, 5))
    with pytest.raises(InputError, match="differ in shape"):
        box_accuracy(predicted, true[:5], (0, 0, 1, 1))


def test_area_between_parallel_and_crossing_lines():
    flat = np.array([[0.0, 0], [10, 0]])
    above = flat + np.array([0, 2])
    assert area_between(flat, above) == pytest.approx(20)
    assert area_between(flat, above[::-1]) == pytest.approx(20)
    # A saw across the line: four triangles of base 2.5 and height 1, on both sides.
    saw = np.array([[0.0, 0], [1.25, 1], [2.5, 0], [3.75, -1], [5, 0], [6.25, 1], [7.5, 0], [8.75, -1], [10, 0]])
    assert area_between(saw, flat) == pytest.approx(4 * 1.25)
    assert mean_gap(saw, flat) == pytest.approx(0.5)
    assert area_between(flat, flat) == 0.0


@given(arrays(np.float64, 12, elements=st.floats(-3, 3)), arrays(np.float64, 12, elements=st.floats(-3, 3)))
def test_area_between_graphs_is_the_integral_of_their_distance(f, g):
    x = np.arange(12.0)
    fine = np.linspace(0, 11, 110_001)
    expected = np.abs(np.interp(fine, x, f) - np.interp(fine, x, g)).mean() * 11
    found = area_between(np.column_stack([x, f]), np.column_stack([x, g]))
    assert found == pytest.approx(expected, abs=2e-3)
    assert area_between(np.column_stack([x, g]), np.column_stack([x, f])) == pytest.approx(found)


def test_polis_by_hand_and_by_shapely():
    a = np.array([[0.0, 0], [4, 0]])
    b = np.array([[0.0, 1], [2, 3], [4, 1]])
    assert polis(a, b) == pytest.approx((1 + (1 + 3 + 1) / 3) / 2)
    assert polis(a, b) == polis(b, a)
    dense = shapely.segmentize(shapely.LineString(b), 0.001)
    assert polis(np.array(dense.coords), a) != polis(b, a)  # it weighs vertices, as published


@pytest.mark.parametrize("path", [np.zeros((1, 2)), np.zeros((0, 2)), np.zeros((3, 3))])
def test_a_front_of_one_point_encloses_nothing(path):
    with pytest.raises(InputError, match="two or more"):
        area_between(path, np.array([[0.0, 0], [1, 1]]))

"""Labelled images: every layer moves as the image does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icefront_dask.errors import ConfigError
from icefront_dask.train.labelled import Labelled, cut, resized, turned, warped


def labelled(rows=20, cols=30, zones=True):
    """Every layer follows from the pixel's own value, so that a layer which moved otherwise is found."""
    value = np.arange(rows * cols, dtype=np.float32).reshape(rows, cols)
    return Labelled(
        "a",
        "g",
        np.stack([value, 2 * value]),
        value % 2 == 0,
        value % 3 == 0,
        value % 5 == 0,
        value % 7 == 0,
        (value % 4).astype(np.uint8) if zones else None,
    )


def consistent(window):
    seen = np.isfinite(window.image[0])
    value = np.rint(window.image[0][seen])
    for layer, expected in (
        (window.ice, value % 2 == 0),
        (window.ice_known, value % 3 == 0),
        (window.front, value % 5 == 0),
        (window.front_known, value % 7 == 0),
        (window.zones, value % 4),
    ):
        np.testing.assert_array_equal(layer[seen], expected)
        assert not layer[~seen].any()
    return seen


@given(st.integers(-8, 25), st.integers(-8, 35), st.integers(1, 24), st.integers(1, 24))
def test_a_cut_keeps_what_is_inside_and_knows_nothing_else(top, left, rows, cols):
    window = cut(labelled(), top, left, rows, cols)
    assert window.shape == (rows, cols)
    seen = consistent(window)
    inside = sum(0 <= r < 20 for r in range(top, top + rows)) * sum(0 <= c < 30 for c in range(left, left + cols))
    assert seen.sum() == inside


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_turns_move_all_layers(quarters, flip):
    window = turned(labelled(), quarters, flip=flip, transpose=not flip)
    assert consistent(window).all()
    assert window.image.shape[1:] == window.shape


def test_eight_turns_are_all_different():
    found = {turned(labelled(6, 6), q, flip=f).image.tobytes() for q in range(4) for f in (False, True)}
    assert len(found) == 8


def test_a_warp_by_a_quarter_is_a_turn():
    square = labelled(12, 12)
    matrix = np.array([[0.0, 1.0], [-1.0, 0.0]])
    centre = np.full(2, 5.5)
    by_warp = warped(square, matrix, centre - matrix @ centre)
    expected = turned(square, 1)
    np.testing.assert_allclose(by_warp.image, expected.image, atol=1e-3)
    for name in ("ice", "ice_known", "front", "front_known", "zones"):
        np.testing.assert_array_equal(getattr(by_warp, name), getattr(expected, name))
    assert consistent(warped(square, np.eye(2), np.array([3.0, -2.0]), (9, 14))).sum() == 9 * 12


def test_resizing_is_bilinear_in_the_image_and_keeps_the_line():
    rows, cols = np.mgrid[0:40, 0:60].astype(np.float32)
    line = np.zeros((40, 60), bool)
    line[21] = True
    plane = Labelled("a", "g", (2 * rows + cols)[None], rows < 20, line, line, line, None)
    small = resized(plane, 20, 30)
    r, c = np.mgrid[0:20, 0:30]
    np.testing.assert_allclose(small.image[0], 2 * (2 * r + 0.5) + 2 * c + 0.5, atol=1e-4)
    np.testing.assert_array_equal(small.front, (r == 10))
    np.testing.assert_array_equal(small.ice, r < 10)
    assert resized(small, 20, 30) is small
    np.testing.assert_allclose(resized(plane, 80, 120).image[0][1:-1, 1:-1].mean(), plane.image.mean(), rtol=1e-3)


def test_a_layout_without_zones_says_so():
    with pytest.raises(ConfigError, match="no zones"):
        labelled(zones=False).need_zones()

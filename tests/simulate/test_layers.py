"""Distances of a front that is the rim of a mask."""

import numpy as np
import pytest

from icefront_dask.simulate.layers import signed_distance


def test_the_distance_is_that_to_the_rim():
    rows, cols = np.mgrid[:80, :100]
    straight = signed_distance(cols < 40, 20.0)
    np.testing.assert_allclose(straight, (cols + 0.5 - 40) * 20.0, atol=1e-3)
    away = np.hypot(rows - 40, cols - 50) - 25
    disc = signed_distance(away < 0, 10.0)
    assert np.abs(disc - 10 * away).max() < 12.0
    assert ((disc < 0) == (away < 0)).all()


def test_crumbs_of_either_side_go():
    ice = np.mgrid[:80, :100][1] < 40
    spoilt = ice.copy()
    spoilt[10:14, 70:74], spoilt[60:63, 5:9] = True, False
    assert np.array_equal(signed_distance(spoilt, 20.0), signed_distance(ice, 20.0))
    spoilt[30:50, 60:90] = True  # a floe of 600 pixels is no crumb
    assert not np.array_equal(signed_distance(spoilt, 20.0), signed_distance(ice, 20.0))


@pytest.mark.parametrize(("everywhere", "metres"), [(True, -3000), (False, 3000)])
def test_without_a_rim_it_is_far(everywhere, metres):
    assert (signed_distance(np.full((30, 30), everywhere), 20.0) == metres).all()

"""Single scenes: what they show lies where they say."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from icefront_dask.simulate.views import VIEW_SEED, draw_view


@pytest.mark.parametrize("sensor", ["sar", "optical"])
def test_equal_arguments_give_equal_bytes(sensor):
    one, two = (draw_view(VIEW_SEED + 3, sensor, size=96) for _ in range(2))
    assert all(one.bands[name].tobytes() == two.bands[name].tobytes() for name in one.bands)
    assert [line.tobytes() for line in one.front] == [line.tobytes() for line in two.front]
    assert {band.shape for band in one.bands.values()} == {(96, 96)}
    assert all(np.isfinite(band).all() for band in one.bands.values())


@pytest.mark.parametrize("number", range(8))
def test_front_lies_in_the_fjord_and_the_flowline_crosses_it(number):
    view = draw_view(VIEW_SEED + number, "sar", size=128)
    assert view.front
    for line in view.front:
        row, col = np.floor(line[:, 1]).astype(int), np.floor(line[:, 0]).astype(int)
        row, col = np.clip(row, 0, 127), np.clip(col, 0, 127)
        near = [view.fjord[np.clip(row + dy, 0, 127), np.clip(col + dx, 0, 127)] for dy in (-1, 0, 1) for dx in (-1, 0)]
        assert np.mean(np.any(near, axis=0)) == 1.0
    if view.flow is not None:
        (r0, c0), (r1, c1) = view.flow
        assert view.fjord[int(r0), int(c0)]
        assert view.fjord[int(r1), int(c1)]
        assert shapely.MultiLineString(list(view.front)).intersects(shapely.LineString([(c0, r0), (c1, r1)]).buffer(40))


def test_most_views_show_their_flowline():
    assert sum(draw_view(VIEW_SEED + n, "sar", size=64).flow is not None for n in range(12)) >= 9

"""Scenes for training: what a configuration adds to them."""

import numpy as np

from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.layers import OCEAN
from icefront_dask.train.simulated import draw_scene


def test_calved_pieces_lie_beside_the_front_and_change_nothing_else():
    atlas = Atlas.from_seed(4_600_000)
    added = 0
    for seed in range(4_600_000, 4_600_006):
        plain, calved = (draw_scene(seed, atlas, 160, (60.0, 120.0), 0.15, calved=share) for share in (0.0, 1.0))
        before, after = plain.layers.unpacked(), calved.layers.unpacked()
        np.testing.assert_array_equal(before.kind, after.kind)
        np.testing.assert_array_equal(before.front_m, after.front_m)
        np.testing.assert_array_equal(plain.way, calved.way)
        new = (after.berg > 0) & (before.berg <= 0) & (after.kind == OCEAN)
        assert (after.berg >= before.berg).all()
        added += int(new.sum() > 20)
    assert added >= 3  # others lie outside the window, or under a piece that is there already

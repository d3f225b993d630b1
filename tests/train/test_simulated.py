"""Scenes for training: what a configuration adds to them."""

from dataclasses import replace

import numpy as np

from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK
from icefront_dask.train.simulated import Drawn, draw_scene

PLACES = Drawn((60.0, 120.0), 0.15)


def test_calved_pieces_lie_beside_the_front_and_change_nothing_else():
    atlas = Atlas.from_seed(4_600_000)
    added = 0
    for seed in range(4_600_000, 4_600_006):
        plain, calved = (draw_scene(seed, atlas, 160, replace(PLACES, calved=share)) for share in (0.0, 1.0))
        before, after = plain.layers.unpacked(), calved.layers.unpacked()
        np.testing.assert_array_equal(before.kind, after.kind)
        np.testing.assert_array_equal(before.front_m, after.front_m)
        np.testing.assert_array_equal(plain.way, calved.way)
        new = (after.berg > 0) & (before.berg <= 0) & (after.kind == OCEAN)
        assert (after.berg >= before.berg).all()
        added += int(new.sum() > 20)
    assert added >= 3  # others lie outside the window, or under a piece that is there already


def test_jagged_fronts_follow_blocks_and_change_nothing_else():
    atlas = Atlas.from_seed(4_600_000)
    longer = []
    for seed in range(4_600_000, 4_600_008):
        plain, jagged = (draw_scene(seed, atlas, 160, replace(PLACES, jagged=share)) for share in (0.0, 1.0))
        before, after = plain.layers.unpacked(), jagged.layers.unpacked()
        assert np.array_equal(before.kind == ROCK, after.kind == ROCK)
        assert (plain.pixel_m, plain.cliff_m) == (jagged.pixel_m, jagged.cliff_m)
        moved = (before.kind != after.kind).sum()
        assert moved <= 40 * 160  # a block is 16 px wide at most, and a front steps by less than two
        rims = [rim(layers.kind) for layers in (before, after)]
        if min(rims) > 30:
            longer.append(rims[1] / rims[0])
    assert len(longer) >= 4
    assert np.mean(longer) > 1.15


def rim(kind):
    """Pairs of neighbours on both sides of a front."""
    pairs = (kind[1:], kind[:-1]), (kind[:, 1:], kind[:, :-1])
    return sum(((a == GLACIER) & (b == OCEAN) | (a == OCEAN) & (b == GLACIER)).sum() for a, b in pairs)


def test_a_share_of_the_fronts_is_jagged():
    atlas = Atlas.from_seed(4_600_000)
    seeds = range(4_600_000, 4_600_030)
    scenes = [[draw_scene(s, atlas, 48, replace(PLACES, jagged=share)) for s in seeds] for share in (0.0, 0.5)]
    changed = [not np.array_equal(a.layers.front_m, b.layers.front_m) for a, b in zip(*scenes, strict=True)]
    assert 8 <= sum(changed) <= 22

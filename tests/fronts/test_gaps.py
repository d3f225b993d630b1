"""Fronts of every shape under stripes and holes without data."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from icefront_dask.fronts.gaps import closed_over_gap, off_gaps
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
    rendered = without(SCENES[name](), MISSING[missing])
    fronts = trace(rendered)
    truth = shapely.MultiLineString(rendered.pieces)
    lines = shapely.MultiLineString([front.xy for front in fronts])
    there, back = distances(lines, truth)
    assert np.concatenate([there, back]).mean() <= 0.5
    assert there.max() <= 1.5
    assert back.max() <= 1.5


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

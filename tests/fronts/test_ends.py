"""Ends of lines where no fjord is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icefront_dask.fronts.ends import front_stretch, heaviest_run
from tests.fronts.scenes import across, distances, glacier_in, render
from tests.fronts.shapes import SHAPE, trace

WEIGHTS = {"strength": 0.6, "direction": 8.0, "offset": 0.0}


@given(arrays(float, st.integers(1, 40), elements=st.floats(-2, 2)))
@settings(max_examples=80, deadline=None)
def test_no_run_weighs_more(gain):
    start, stop = heaviest_run(gain)
    best = max(0.0, *(gain[a:b].sum() for a in range(len(gain)) for b in range(a + 1, len(gain) + 1)))
    assert gain[start:stop].sum() == pytest.approx(best, abs=1e-9)


def test_a_sure_line_stays_whole_in_whatever_direction():
    angle = np.linspace(0, 2 * np.pi, 300)
    circle = 50 + 40 * np.column_stack([np.cos(angle), np.sin(angle)])
    assert front_stretch(circle, np.full(300, 0.95), np.ones(300), **WEIGHTS) == (0, 300)


def test_nothing_weighs_nothing():
    line = np.column_stack([np.arange(50.0), np.zeros(50)])
    weak = np.full(50, 0.02)
    assert front_stretch(line, weak, np.full(50, np.nan), strength=0, direction=0, offset=0) == (0, 50)
    assert front_stretch(line[:2], weak[:2], weak[:2], **WEIGHTS) == (0, 2)


def test_weak_ends_go_and_weak_middles_stay():
    line = np.column_stack([np.arange(120.0), np.zeros(120)])
    peak, contrast = np.full(120, 0.9), np.full(120, 0.9)
    peak[:30] = peak[-25:] = 0.1
    peak[60:66] = 0.0
    start, stop = front_stretch(line, peak, contrast, **WEIGHTS)
    assert start == pytest.approx(30, abs=4)
    assert stop == pytest.approx(95, abs=4)


def test_vertices_without_data_count_neither_way():
    ridge_alone = {**WEIGHTS, "direction": 0.0}
    line = np.column_stack([np.arange(140.0), np.zeros(140)])
    peak, contrast = np.full(140, 0.9), np.full(140, 0.9)
    peak[25:100], contrast[25:100] = np.nan, np.nan
    assert front_stretch(line, peak, contrast, **ridge_alone) == (0, 140)
    assert front_stretch(line, np.where(np.isnan(peak), 0.0, peak), contrast, **ridge_alone)[0] > 90
    peak[:25], peak[125:] = np.nan, np.nan
    assert front_stretch(line, peak, contrast, **ridge_alone) == (100, 125)
    assert front_stretch(line, np.full(140, np.nan), contrast, **ridge_alone) == (0, 140)


def bent():
    """A front of 100 px with a wall of 60 px behind each of its corners, one inland and one seaward."""
    front = np.column_stack([np.arange(100.0), np.zeros(100)])
    left = np.column_stack([np.zeros(60), np.arange(-60.0, 0)])
    right = np.column_stack([np.full(60, 99.0), np.arange(1.0, 61.0)])
    return np.vstack([left, front, right])


@pytest.mark.parametrize("ridge", [0.6, 0.8])
def test_ends_that_turn_into_walls_go(ridge):
    line = bent()
    peak = np.r_[np.full(60, ridge), np.full(100, 0.95), np.full(60, ridge)]
    contrast = np.r_[np.full(60, 0.3), np.full(100, 0.7), np.full(60, 0.3)]
    start, stop = front_stretch(line, peak, contrast, **WEIGHTS)
    assert start == pytest.approx(60, abs=10)
    assert stop == pytest.approx(160, abs=10)


def test_front_between_coasts_of_a_whole_scene():
    """Outputs go on faintly along both coasts of a fjord that nobody drew."""
    truth = across(lambda x: 80 + 0 * x, 40.0, 160.0)
    base = render(truth, glacier_in(SHAPE, truth), SHAPE)
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    rock = (cols < 40) | (cols > 160)
    coast = np.minimum(np.abs(cols - 40), np.abs(cols - 160)) <= 1.5
    scene = replace(
        base,
        ice=np.where(rock, np.float32(0.45), base.ice),
        front=np.where(coast & (rows > 80), np.maximum(base.front, np.float32(0.6)), np.where(rock, 0, base.front)),
    )
    scene = replace(scene, front=scene.front.astype(np.float32))
    (whole,) = trace(scene, options={"end_strength": 0.0, "end_direction": 0.0, "end_offset": 0.0})
    (front,) = trace(scene)
    assert whole.length_px > 200
    there, back = distances(front.xy, truth)
    assert there.max() < 9
    assert back.max() < 9
    assert front.length_px == pytest.approx(shapely.LineString(truth).length, rel=0.12)


@pytest.mark.parametrize(("middle", "kept"), [(0.97, (40, 140)), (0.45, (0, 180))])
def test_a_ridge_ends_where_it_is_weak_beside_the_rest(middle, kept):
    line = np.column_stack([np.arange(180.0), np.zeros(180)])
    peak = np.r_[np.full(40, 0.42), np.full(100, middle), np.full(40, 0.42)]
    weights = {"strength": 0.6, "direction": 0.0, "offset": 0.5}
    assert front_stretch(line, peak, np.ones(180), **weights) == (0, 180)
    assert front_stretch(line, peak, np.ones(180), **weights, relative=0.5) == pytest.approx(kept, abs=6)

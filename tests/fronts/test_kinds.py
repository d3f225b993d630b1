"""Kinds of front: shelves of hundreds of kilometres, ice rises, tabular bergs; scale; where vertices lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from icefront_dask.fronts import Reason, Status, trace_scene
from icefront_dask.fronts.refine import look_across
from tests.fronts.scenes import distances, fjord_scene
from tests.fronts.shapes import SHAPE, SHAPES, assert_on, scene, trace


def shelf(width=4000, height=160):
    """A front across an open grid, 400 km at 100 m: its truth and outputs, by the distance along columns."""
    cols = np.arange(width) + 0.5
    row = 80 + 25 * np.sin(cols / 300) + 6 * np.sin(cols / 25)
    slope = np.hypot(1, 25 / 300 * np.cos(cols / 300) + 6 / 25 * np.cos(cols / 25))
    away = (np.arange(height)[:, None] + 0.5 - row) / slope
    ice = 1 / (1 + np.exp(np.clip(away / 0.5, -40, 40)))
    front = 0.95 / (1 + np.exp(np.clip((np.abs(away) - 1.5) / 0.2, -40, 40)))
    return np.column_stack([cols, row]), ice.astype(np.float32), front.astype(np.float32)


@pytest.mark.parametrize("known", [False, True])
def test_shelf_front_of_400_km(known):
    truth, ice, front = shelf()
    domain = {}
    if known:
        fjord = np.ones(ice.shape, bool)
        fjord[:10, :] = False
        domain = {"fjord": fjord, "flow": [((12.0, x), (158.0, x)) for x in (500.0, 2000.0, 3500.0)]}
    (found,) = trace_scene(ice, front, np.ones(ice.shape, bool), pixel_size_m=100.0, **domain)
    assert found.status == Status.ACCEPTED
    there, back = distances(found.xy, truth)
    assert np.concatenate([there, back]).mean() < 0.2
    assert max(there.max(), back.max()) < 1.5
    assert found.length_px == pytest.approx(shapely.LineString(truth).length, rel=0.01)
    assert found.fjord_share == pytest.approx(1.0, abs=0.02) if known else np.isnan(found.fjord_share)


def test_ice_rise_behind_the_front_changes_nothing():
    base = scene("arc")
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rise = np.hypot(rows - 40, cols - 100) < 15
    ringed = np.abs(np.hypot(rows - 40, cols - 100) - 15) < 1.5
    rendered = replace(
        base, fjord=base.fjord & ~rise, front=np.where(ringed, np.float32(0.6), base.front).astype(np.float32)
    )
    fronts = trace(rendered)
    assert len(fronts) == 1
    assert_on(fronts, base.truth)
    assert fronts[0].status == Status.ACCEPTED


@pytest.mark.parametrize("gap", [4, 8, 20])
def test_tabular_berg_that_just_came_off_goes_to_review(gap):
    """Ice fills the fjord beyond a band of water: an advance, if its seaward edge were the front."""
    base = scene("line")
    row = 80.3 + 30
    rows = np.arange(SHAPE[0])[:, None] + 0.5
    water = (rows > 80.3) & (rows < 80.3 + gap) & base.fjord
    ice = np.where(rows < row, np.float32(0.98), base.ice)
    ice = np.where(water, np.float32(0.02), np.where(base.fjord, ice, np.float32(0.98)))
    for outer in (0.95, 0.5):
        edges = np.where(np.abs(rows - row) <= 1.5, np.float32(outer), base.front)
        edges = np.where(base.fjord, edges, np.float32(0.02)).astype(np.float32)
        fronts = trace(replace(base, ice=ice.astype(np.float32), front=edges))
        assert all(front.status != Status.ACCEPTED for front in fronts)
        assert fronts[0].reason in {Reason.DETACHED_ICE, Reason.AMBIGUOUS, Reason.OUTPUTS_DISAGREE}


@pytest.mark.parametrize("factor", [2, 3])
def test_a_scene_of_smaller_pixels_has_the_same_front(factor):
    def at(scale):
        return fjord_scene(
            lambda x: scale * (60 + 12 * np.sin(x / (12 * scale))),
            shape=(scale * 120, scale * 150),
            half_width=50.0 * scale,
        )

    coarse, fine = at(1), at(factor)
    (one,) = trace(coarse)
    (two,) = trace(fine, pixel_size_m=30.0 / factor)
    there, back = distances(two.xy / factor, one.xy)
    assert np.concatenate([there, back]).mean() < 0.1
    assert two.length_px / factor == pytest.approx(one.length_px, rel=0.02)
    assert two.fjord_share == pytest.approx(one.fjord_share, abs=0.01)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_vertices_lie_within_half_a_pixel_of_where_the_outputs_put_them(name, noise):
    rng = np.random.default_rng(2)
    base = scene(name)
    rendered = replace(
        base,
        ice=np.clip(base.ice + rng.normal(0, noise, SHAPE), 0, 1).astype(np.float32),
        front=np.clip(base.front + rng.normal(0, noise, SHAPE), 0, 1).astype(np.float32),
    )
    (front,) = trace(rendered)
    seen = look_across(front.xy, rendered.front, rendered.ice, reach=3.0, weak=0.1)
    place = np.fmin(np.abs(seen.ridge), np.abs(seen.crossing))[2:-2]
    assert np.nanmax(place) <= 0.5
    assert np.isfinite(place).mean() > 0.99

"""Shapes of fronts, their rendered scenes, and what is asserted of a traced line."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import shapely

from icefront_dask.fronts import trace_scene
from tests.fronts.scenes import across, channel, distances, fjord_scene, glacier_in, render

SHAPE = (160, 200)
SHAPES = {
    "line": lambda x: 80.3 + 0 * x,
    "slope": lambda x: 50 + 0.37 * x,
    "arc": lambda x: 20 + np.sqrt(np.maximum(90.0**2 - (x - 100) ** 2, 0)),
    "sinus": lambda x: 80 + 15 * np.sin(x / 12),
}


@cache
def scene(name, **options):
    return fjord_scene(SHAPES[name], **options)


@cache
def open_scene(name):
    """The front runs from edge to edge; neither fjord nor flowline is known."""
    truth = across(SHAPES[name], 12.0, 188.0)
    return render(truth, glacier_in(SHAPE, truth), SHAPE)


@cache
def ice_cap():
    """A circle of water round ice, without a fjord."""
    angle = np.linspace(0, 2 * np.pi, 800)
    truth = np.column_stack([100 + 55.5 * np.cos(angle), 80 + 55.5 * np.sin(angle)])
    return render(truth, shapely.Polygon(truth), SHAPE)


@cache
def ice_tongue():
    """A front with a tongue that reaches far into the fjord."""
    angle = np.linspace(np.pi, 0, 60)
    side = np.arange(0.5, 40, 0.5)
    truth = np.array(
        [*((x, 60) for x in range(30, 76)), *((75, 60 + s) for s in side)]
        + [(100 + 25 * np.cos(a), 100 + 25 * np.sin(a)) for a in angle]
        + [*((125, 100 - s) for s in side), *((x, 60) for x in range(125, 171))]
    )
    fjord = channel(SHAPE, 70)
    rendered = render(truth, glacier_in(SHAPE, truth), SHAPE, fjord=fjord, flow=((3.0, 100.0), (157.0, 100.0)))
    return replace(rendered, ice=np.where(fjord, rendered.ice, np.float32(0.98)))


@cache
def with_island():
    """A front in two pieces, either side of an island of the fjord."""
    base = scene("arc")
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    centre = SHAPES["arc"](np.array(90.0))
    island = np.hypot(rows - centre, cols - 90) < 15
    beside = np.hypot(base.truth[:, 0] - 90, base.truth[:, 1] - centre) >= 15
    return replace(
        base,
        truth=base.truth[beside],
        ice=np.where(island, np.float32(0.98), base.ice),
        front=np.where(island, np.float32(0.02), base.front),
        fjord=base.fjord & ~island,
    )


def trace(rendered, **options):
    return trace_scene(rendered.ice, rendered.front, rendered.valid, **(rendered.arguments() | options))


def errors(fronts, truth):
    """Distances of all lines to the true one and of the true one to the nearest of them."""
    pairs = [distances(front.xy, truth) for front in fronts]
    return np.concatenate([there for there, _ in pairs]), np.min([back for _, back in pairs], axis=0)


def assert_on(fronts, truth, *, mean=0.5, largest=1.5, length_share=0.97):
    there, back = errors(fronts, truth)
    assert np.concatenate([there, back]).mean() <= mean
    assert max(there.max(), back.max()) <= largest
    wanted = shapely.LineString(truth).length
    assert sum(front.length_px for front in fronts) == pytest.approx(wanted, rel=1 - length_share)

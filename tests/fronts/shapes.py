"""Shapes of fronts, their rendered scenes, and what is asserted of a traced line."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import shapely

from icefront_dask.fronts import trace_scene
from tests.fronts.scenes import across, distances, fjord_scene, glacier_in, render

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

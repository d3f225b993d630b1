"""The likeliest line where no front was traced."""

import numpy as np
import pytest
import shapely

from icefront_dask.fronts import Status, trace_scene
from icefront_dask.fronts.options import from_config
from icefront_dask.runs.guess import best_guess, least_cost_path

ROWS, COLS = np.mgrid[0:90, 0:120].astype(np.float32)
RIDGE = 45 + 10 * np.sin(COLS / 20)
TRUE = shapely.LineString(np.column_stack([COLS[0] + 0.5, RIDGE[0] + 0.5]))
VALID = np.ones(ROWS.shape, bool)
OPTIONS = from_config()


def scene(peak, contrast):
    """Outputs with a ridge of some height, and some difference between the two sides."""
    front = (peak * np.exp(-(((ROWS - RIDGE) / 1.5) ** 2))).astype(np.float32)
    ice = (0.5 + contrast * np.tanh((ROWS - RIDGE) / 2)).astype(np.float32)
    return ice, front


@pytest.mark.parametrize(("peak", "contrast"), [(0.02, 0.0), (0.02, 0.3), (0.09, -0.05), (0.002, 0.0)])
def test_a_ridge_too_weak_for_a_front_is_the_guess(peak, contrast):
    ice, front = scene(peak, contrast)
    lines = best_guess(ice, front, VALID, OPTIONS, pixel_size_m=30.0)
    found = shapely.MultiLineString([shapely.LineString(line) for line in lines])
    assert found.length > 0.7 * TRUE.length
    inner = found & shapely.box(4, 0, 116, 90)
    assert max(TRUE.distance(shapely.Point(xy)) for xy in shapely.get_coordinates(inner)) < 2.5


def test_a_line_too_short_for_a_front_is_kept():
    ice, front = scene(0.9, 0.0)
    front[:, :50] = front[:, 66:] = 0
    ice[:] = 0.5
    traced = trace_scene(ice, front, VALID, pixel_size_m=30.0, options=OPTIONS)
    assert traced[0].status is Status.NO_FRONT
    (line,) = best_guess(ice, front, VALID, OPTIONS, pixel_size_m=30.0)
    assert 8 < shapely.LineString(line).length < 30


def test_an_image_that_says_nothing_has_a_line_all_the_same():
    flat = np.full(ROWS.shape, 0.5, np.float32)
    (line,) = best_guess(flat, np.full(ROWS.shape, 1e-5, np.float32), VALID, OPTIONS, pixel_size_m=30.0)
    assert len(line) > 1


def test_without_valid_pixels_there_is_none():
    nothing = np.full(ROWS.shape, np.nan, np.float32)
    assert best_guess(nothing, nothing, np.zeros(ROWS.shape, bool), OPTIONS, pixel_size_m=30.0) == []


def test_a_path_keeps_to_what_was_predicted():
    _, front = scene(0.9, 0.0)
    front[:, :20] = np.nan
    path = least_cost_path(front)
    assert path[0, 0] == 20.5
    assert path[-1, 0] == 119.5

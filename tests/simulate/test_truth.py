"""The true front against fronts worked out by hand, and against the pixels of scenes on other grids."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from scipy.spatial import cKDTree
from skimage.measure import find_contours

from icefront_dask.simulate.layers import ROCK
from icefront_dask.simulate.place import make_place
from icefront_dask.simulate.plan import small_plan
from icefront_dask.simulate.scenes import _grid, _layers
from icefront_dask.simulate.truth import flowline_position, seen_share, true_front

from .builders import flat_front, straight_place


@pytest.mark.parametrize(
    "crs_place", [("EPSG:3413", -31.4, 68.5), ("EPSG:3031", -60.6, -67.3), ("EPSG:32718", -72.4, -50.6)]
)
@pytest.mark.parametrize("azimuth", [0.0, 37.0, 215.0])
def test_a_straight_front_is_where_it_was_put(crs_place, azimuth):
    place = straight_place(*crs_place, azimuth_deg=azimuth)
    truth = true_front(place, flat_front(300.0))
    ends = shapely.get_coordinates(truth.line)[[0, -1]]
    expected = place.from_landscape(np.array([[300.0, 1000.0], [300.0, -1000.0]]))
    expected = expected if np.hypot(*(ends[0] - expected[0])) < 50 else expected[::-1]
    np.testing.assert_allclose(ends, expected, atol=0.5)
    assert shapely.hausdorff_distance(truth.line, shapely.LineString(expected)) < 0.5
    # The flowline begins 2000 m inland of the origin: true metres, whatever the projection's scale.
    assert truth.position_m == pytest.approx(2300.0, abs=0.6)
    assert truth.line.length / place.scale == pytest.approx(2000.0, abs=1.0)


def test_lengths_are_true_on_the_ellipsoid():
    place = straight_place(lat=75.6)
    truth = true_front(place, flat_front(0.0))
    lonlat = pyproj.Transformer.from_crs(place.plan.crs, 4326, always_xy=True)
    lon, lat = lonlat.transform(*shapely.get_coordinates(truth.line)[[0, -1]].T)
    assert pyproj.Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2] == pytest.approx(2000, abs=1.5)


def test_the_seaward_crossing_counts_and_none_is_nan():
    flowline = shapely.LineString([(0, 0), (100, 0)])
    wiggle = shapely.LineString([(20, -5), (20, 5), (60, 5), (60, -5)])
    assert flowline_position(wiggle, flowline, 2.0) == 30.0
    assert np.isnan(flowline_position(shapely.LineString([(0, 9), (9, 9)]), flowline, 1.0))


def test_seen_share_by_hand():
    clear = np.zeros((10, 10), bool)
    clear[:, :4] = True
    transform = Affine(10, 0, 500_000, 0, -10, 7_000_000)
    line = shapely.LineString([(500_000, 6_999_950.0), (500_100, 6_999_950.0)])
    assert seen_share(line, "EPSG:32624", clear, transform, "EPSG:32624", step=1.0) == pytest.approx(0.4)
    outside = shapely.LineString([(499_900, 6_999_950.0), (500_100, 6_999_950.0)])
    assert seen_share(outside, "EPSG:32624", clear, transform, "EPSG:32624", step=1.0) == pytest.approx(0.2)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(("family", "pixel", "phase"), [("sentinel", 20.0, 0.0), ("landsat", 30.0, 15.0)])
def test_pixels_of_a_scene_lie_where_the_truth_says(number, family, pixel, phase):
    plan = small_plan().places[number]
    place = make_place(plan)
    time = np.datetime64("2018-03-01T00:00:00")
    state = place.history.at(time)
    if family == "sentinel":
        zone = plan.sentinel[0].zone
        crs = f"EPSG:{32600 + zone if plan.lat > 0 else 32700 + zone}"
    else:
        crs = plan.landsat[0].crs
    grid = _grid(place, crs, pixel, phase)
    assert (grid.transform.c - phase) % pixel == 0
    assert (grid.transform.f - phase) % pixel == 0
    layers, _ = _layers(place, state, grid, np.random.default_rng(0), time)
    drawn = np.concatenate(find_contours(np.where(layers.kind == ROCK, np.nan, layers.front_m).astype(float), 0.0))
    east = grid.transform.c + (drawn[:, 1] + 0.5) * pixel
    north = grid.transform.f - (drawn[:, 0] + 0.5) * pixel
    to_region = pyproj.Transformer.from_crs(crs, plan.crs, always_xy=True)
    seen = np.column_stack(to_region.transform(east, north))
    inner = place.region.outline.buffer(-3 * pixel)
    seen = seen[shapely.contains_xy(inner, *seen.T)]
    distance = shapely.distance(shapely.points(seen), true_front(place, state).line)
    assert np.median(distance) < 0.1 * pixel
    assert np.mean(distance) < 0.35 * pixel
    # And the other way: all of the true front is drawn.
    points = shapely.get_coordinates(shapely.segmentize(true_front(place, state).line.intersection(inner), pixel))
    assert np.quantile(cKDTree(seen).query(points)[0], 0.95) < 2.5 * pixel

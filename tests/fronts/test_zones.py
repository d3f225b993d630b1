"""Fronts from zones against shapes, and CaFFe's rules one by one."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.fronts.zones import GLACIER, OCEAN, ROCK, UNKNOWN, caffe_front, caffe_lines, zone_lines
from tests.fronts.scenes import distances
from tests.fronts.shapes import SHAPES, scene

SHAPE = (80, 100)
FLOW = [((2.0, 50.0), (77.0, 50.0))]


def zones(row=40):
    zone = np.full(SHAPE, OCEAN, np.uint8)
    zone[:row] = GLACIER
    zone[:, :10] = zone[:, 90:] = ROCK
    return zone


def on_row(lines, row):
    assert len(lines) == 1
    assert np.abs(lines[0][:, 1] - row).max() < 1e-9
    return lines[0]


def test_boundary_runs_between_glacier_and_ocean_pixels():
    line = on_row(zone_lines(zones(), FLOW), 40.0)
    assert sorted(line[[0, -1], 0]) == [10.5, 89.5]


def test_bergs_nunataks_and_polynyas_make_no_front():
    zone = zones()
    zone[60:66, 20:30] = GLACIER
    zone[10:16, 40:50] = ROCK
    zone[20:26, 60:70] = OCEAN
    on_row(zone_lines(zone, FLOW), 40.0)


def test_flowline_chooses_the_bodies():
    zone = zones()
    zone[15:40] = np.where(zone[15:40] == ROCK, ROCK, OCEAN)
    zone[40:] = np.where(zone[40:] == ROCK, ROCK, GLACIER)
    on_row(zone_lines(zone, [((2.0, 50.0), (30.0, 50.0))]), 15.0)
    on_row(zone_lines(zone), 40.0)


@pytest.mark.parametrize(("gap", "meets"), [(1, True), (2, True), (3, True), (5, False), (9, False)])
def test_bodies_meet_across_three_unknown_pixels(gap, meets):
    zone = zones()
    zone[40 : 40 + gap, 10:90] = UNKNOWN
    lines = zone_lines(zone, FLOW)
    assert bool(lines) == meets
    if meets:
        assert np.abs(lines[0][:, 1] - (40 + gap / 2)).max() <= 0.5


def test_high_ground_is_no_ocean():
    """A shadow on a slope beside the front that the network took for water."""
    zone = zones()
    zone[20:40, 60:90] = OCEAN
    height = np.full(SHAPE, 20.0)
    height[:40, 60:90] = 800.0
    assert zone_lines(zone, FLOW)[0][:, 1].min() < 25
    on_row(zone_lines(zone, FLOW, elevation_m=height), 40.0)


def test_short_pieces_are_dropped():
    zone = zones()
    zone[30:50, 30:40] = ROCK
    pieces = zone_lines(zone, FLOW, min_length_px=15.0)
    assert [round(float(np.ptp(line[:, 0]))) for line in pieces] == [49, 19]
    assert len(zone_lines(zone, FLOW, min_length_px=30.0)) == 1


@pytest.mark.parametrize("name", SHAPES)
def test_probability_places_the_line_to_a_fraction_of_a_pixel(name):
    base = scene(name)
    zone = np.where(base.fjord, np.where(base.ice >= 0.5, GLACIER, OCEAN), ROCK).astype(np.uint8)
    (line,) = zone_lines(zone, [base.flow], ice=base.ice)
    there, back = distances(line, base.truth)
    assert np.concatenate([there, back]).mean() < 0.05
    assert there.max() < 0.3
    (coarse,) = zone_lines(zone, [base.flow])
    assert distances(coarse, base.truth)[0].max() < 0.8


def test_nothing_or_one_body_has_no_front():
    assert zone_lines(np.zeros(SHAPE, np.uint8), FLOW) == []
    assert zone_lines(np.full(SHAPE, OCEAN, np.uint8), FLOW) == []


def test_bad_zones_are_named():
    with pytest.raises(InputError, match="zone holds 64"):
        zone_lines(np.full(SHAPE, 64, np.uint8))
    with pytest.raises(InputError, match=r"ice has shape \(3, 3\)"):
        zone_lines(zones(), ice=np.zeros((3, 3), np.float32))
    with pytest.raises(InputError, match="two dimensions"):
        caffe_front(zones()[None], 20.0)
    with pytest.raises(InputError, match="resolution_m"):
        caffe_front(zones(), 0.0)


# CaFFe


def test_caffe_front_is_the_ocean_beside_the_glacier():
    front = caffe_front(zones(), 20.0)
    rows, cols = np.nonzero(front)
    assert set(rows) == {40}
    assert (cols.min(), cols.max()) == (10, 89)
    (line,) = caffe_lines(front)
    assert shapely.LineString(line).length == 79.0


def test_caffe_turns_small_land_to_ocean_and_small_ocean_to_glacier():
    zone = zones()
    zone[60:66, 20:30] = GLACIER
    zone[62:64, 22:24] = UNKNOWN
    zone[10:16, 40:50] = OCEAN
    assert np.array_equal(caffe_front(zone, 20.0), caffe_front(zones(), 20.0))


@pytest.mark.parametrize(("resolution", "kept"), [(20.0, 2), (25.0, 2), (20.0 / 3, 0)])
def test_caffe_drops_pieces_of_at_most_750_m(resolution, kept):
    zone = zones()
    zone[30:50, 48:52] = ROCK  # two pieces of 38 pixels
    assert len(caffe_lines(caffe_front(zone, resolution))) == kept
    exactly = zones()
    exactly[:, 40:] = ROCK  # 30 pixels of 25 m
    assert not caffe_front(exactly, 25.0).any()
    assert caffe_front(exactly, 25.1).sum() == 30


def test_caffe_blanks_what_lies_outside_the_box():
    front = caffe_front(zones(), 20.0, (slice(30, 60), slice(20, 60)))
    assert np.nonzero(front)[1].tolist() == list(range(20, 60))

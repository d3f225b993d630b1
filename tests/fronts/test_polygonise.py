"""Polygons of ice and ocean: valid, apart, together the fjord."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from icefront_dask.errors import InputError
from icefront_dask.fronts.polygonise import polygonise

FJORD = shapely.box(0, 0, 4000, 10_000)  # ice above, sea below
INLAND, SEA = [shapely.Point(2000, 9900)], [shapely.Point(2000, 100)]


def front(rows, left=0.0, right=4000.0):
    """Glacier (above) on the left: from left to right."""
    return shapely.LineString(np.column_stack([np.linspace(left, right, len(rows)), rows]))


def assert_sound(found, fjord):
    for part in (found.ice, found.ocean):
        assert part.is_valid
        assert part.geom_type in {"Polygon", "MultiPolygon"}
    assert found.ice.intersection(found.ocean).area == pytest.approx(0, abs=1e-6 * fjord.area)
    assert found.ice.area + found.ocean.area == pytest.approx(fjord.area, rel=1e-9)


@pytest.mark.parametrize("places", [{}, {"inland": INLAND, "ocean": SEA}])
def test_straight_front(places):
    found = polygonise([front([6000.0, 6000.0])], FJORD, **places)
    assert_sound(found, FJORD)
    assert found.ice.area == pytest.approx(4000 * 4000)
    assert found.ocean.area == pytest.approx(4000 * 6000)


@given(
    st.lists(st.floats(4000, 7000), min_size=3, max_size=30),
    st.floats(-180, 180),
    st.booleans(),
    st.floats(0, 400),
    st.floats(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_any_front_turned_and_mirrored_and_short_of_the_walls(rows, angle, mirrored, left, right):
    line = front(rows, left, 4000.0 - right)
    fjord = FJORD
    expected = polygonise([line], fjord).ice.area

    def move(geometry):
        moved = affinity.rotate(geometry, angle, origin=(0, 0))
        return affinity.scale(moved, -1, 1, origin=(0, 0)) if mirrored else moved

    moved = move(line)
    moved = shapely.reverse(moved) if mirrored else moved
    found = polygonise([moved], move(fjord))
    assert_sound(found, fjord)
    assert found.ice.area == pytest.approx(expected, rel=1e-6)
    assert found.snapped <= max(left, right) + 1e-6


def test_island_is_a_hole_of_both_and_two_fronts_close_it():
    fjord = FJORD.difference(shapely.Point(2000, 6000).buffer(800))
    pieces = [front([6000.0, 6000.0], 0, 1150), front([6000.0, 6000.0], 2850, 4000)]
    found = polygonise(pieces, fjord, inland=INLAND, ocean=SEA)
    assert_sound(found, fjord)
    assert found.ice.area == pytest.approx(4000 * 4000 - np.pi * 800**2 / 2, rel=1e-3)
    assert polygonise(pieces[:1], fjord, inland=INLAND, ocean=SEA) is None


def test_ice_rise_stays_a_hole():
    fjord = FJORD.difference(shapely.Point(2000, 8000).buffer(500))
    found = polygonise([front([5000.0, 5200.0, 5000.0])], fjord)
    assert_sound(found, fjord)
    assert len(found.ice.interiors) == 1


def test_front_that_touches_the_wall_on_its_way():
    line = front([6000.0, 5000.0, 6000.0, 6000.0])
    xy = shapely.get_coordinates(line)
    xy[2] = (4000.0, 5200.0)
    found = polygonise([shapely.LineString(xy)], FJORD, inland=INLAND, ocean=SEA)
    assert_sound(found, FJORD)


def test_probability_decides_where_nothing_else_does():
    found = polygonise([shapely.reverse(front([6000.0, 6000.0]))], FJORD, is_ice=lambda part: part.centroid.y > 6000)
    assert found.ice.centroid.y > found.ocean.centroid.y


def test_fronts_that_do_not_close_have_no_polygons():
    assert polygonise([front([6000.0, 6000.0], 0, 2000)], FJORD) is None  # ends in the middle
    assert polygonise([front([6000.0, 6000.0])], FJORD, inland=SEA, ocean=INLAND[:0] + SEA) is None
    assert polygonise([front([6000.0, 6000.0])], FJORD, ocean=[*SEA, *INLAND]) is None  # a front is missing


def test_bad_input_is_named():
    with pytest.raises(InputError, match="no front"):
        polygonise([], FJORD)
    with pytest.raises(InputError, match="LineString, not a polygon"):
        polygonise([front([1.0, 1.0])], FJORD.boundary)

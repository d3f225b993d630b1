from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiLineString, Point, Polygon, box

from icefront_dask.errors import InputError
from icefront_dask.publish.lonlat import from_lonlat, to_lonlat

MM = 1e-3


def project(lonlat, crs):
    transform = pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True)
    return np.column_stack(transform.transform(*np.asarray(lonlat, float).T))


def unwrapped_span(part):
    lon = np.asarray(part.coords)[:, 0]
    return lon.max() - lon.min()


@pytest.mark.parametrize(
    ("crs", "lonlat"),
    [
        ("EPSG:3413", [(-38.2, 66.35), (-38.1, 66.38), (-38.0, 66.36)]),
        ("EPSG:3031", [(166.0, -77.8), (167.5, -77.9)]),
        ("EPSG:32620", [(-66.1, 76.5), (-66.2, 76.6)]),
        ("EPSG:32606", [(-146.9, 61.0), (-147.0, 61.1)]),
    ],
)
def test_round_trip_away_from_the_antimeridian(crs, lonlat):
    line = LineString(project(lonlat, crs))
    written = to_lonlat(line, crs)
    assert np.allclose(np.asarray(written.coords), lonlat, atol=1e-9)
    back = from_lonlat(written, crs)
    assert back.equals_exact(line, MM)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("crs_lat", [("EPSG:3413", 70.6), ("EPSG:3031", -78.0), ("EPSG:32601", 71.0)])
def test_a_line_across_the_antimeridian_is_split_and_joined(crs_lat, direction):
    crs, lat = crs_lat
    line = LineString(
        project([(179.2, lat), (179.9, lat + 0.05), (-179.7, lat + 0.02), (-179.0, lat)], crs)[::direction]
    )
    written = to_lonlat(line, crs)
    assert isinstance(written, MultiLineString)
    assert len(written.geoms) == 2
    assert all(unwrapped_span(part) < 1.01 for part in written.geoms)
    ends = np.asarray(written.geoms[0].coords)[-1], np.asarray(written.geoms[1].coords)[0]
    assert abs(ends[0][0]) == abs(ends[1][0]) == 180.0
    assert ends[0][0] == -ends[1][0]
    assert ends[0][1] == ends[1][1]
    back = from_lonlat(written, crs)
    assert isinstance(back, LineString)
    assert shapely.hausdorff_distance(back, line, densify=0.01) < MM
    assert back.length == pytest.approx(line.length, abs=MM)


def test_the_cut_lies_on_the_straight_segment_of_the_projection():
    """A 60 km segment at 85°S: interpolation in degrees would be off by hundreds of metres."""
    line = LineString(project([(177.0, -85.0), (-177.0, -85.0)], "EPSG:3031"))
    written = to_lonlat(line, "EPSG:3031")
    (cut,) = project([written.geoms[0].coords[-1]], "EPSG:3031")
    assert line.distance(Point(cut)) < MM
    assert abs(written.geoms[0].coords[-1][1] + 85.0) * 111_000 > 100


def test_splitting_again_changes_nothing():
    line = LineString(project([(179.5, 70.0), (-179.5, 70.1)], "EPSG:3413"))
    once = from_lonlat(to_lonlat(line, "EPSG:3413"), "EPSG:3413")
    twice = from_lonlat(to_lonlat(once, "EPSG:3413"), "EPSG:3413")
    assert len(twice.coords) == len(once.coords) == 3
    assert twice.equals_exact(once, MM)


@pytest.mark.parametrize(
    "lons", [(180.0, 179.5, 179.0), (179.0, 179.5, 180.0), (-179.0, 180.0, -179.5), (180.0, -179.0)]
)
def test_a_vertex_on_the_antimeridian_is_no_crossing(lons):
    line = LineString(project([(lon, 70 + i / 50) for i, lon in enumerate(lons)], "EPSG:3413"))
    written = to_lonlat(line, "EPSG:3413")
    assert isinstance(written, LineString)
    assert unwrapped_span(written) < 2
    assert from_lonlat(written, "EPSG:3413").equals_exact(line, MM)


def test_a_line_along_the_antimeridian_stays_one_line():
    line = LineString(project([(180.0, 70.0), (180.0, 70.5)], "EPSG:3413"))
    written = to_lonlat(line, "EPSG:3413")
    assert {abs(x) for x, _ in written.coords} == {180.0}
    assert unwrapped_span(written) == 0
    assert from_lonlat(written, "EPSG:3413").equals_exact(line, MM)


def test_greenwich_is_no_seam():
    line = LineString(project([(-0.5, 78.0), (0.5, 78.1)], "EPSG:3413"))
    assert isinstance(to_lonlat(line, "EPSG:3413"), LineString)


@settings(max_examples=60)
@given(
    lat=st.floats(60.0, 84.0),
    steps=st.lists(st.tuples(st.floats(-40_000, 40_000), st.floats(-40_000, 40_000)), min_size=1, max_size=12),
)
def test_any_line_near_the_antimeridian_round_trips(lat, steps):
    start = project([(180.0, lat)], "EPSG:3413")[0] + 1.0
    xy = np.vstack([start, start + np.cumsum(np.asarray(steps) + 0.5, axis=0)])
    line = LineString(xy)
    written = to_lonlat(line, "EPSG:3413")
    parts = written.geoms if isinstance(written, MultiLineString) else [written]
    assert all(unwrapped_span(part) < 180 for part in parts)
    assert np.abs(shapely.get_coordinates(written)[:, 0]).max() <= 180.0
    back = from_lonlat(written, "EPSG:3413")
    assert isinstance(back, LineString)
    assert back.length == pytest.approx(line.length, abs=MM)
    kept = np.asarray(back.coords)
    nearest = np.abs(kept[None] - xy[:, None]).max(axis=2).min(axis=1)
    assert nearest.max() < MM


def test_gaps_of_a_multiple_line_stay_gaps():
    lines = MultiLineString(
        [project([(179.0, 70), (179.4, 70)], "EPSG:3413"), project([(-179.4, 70), (-179, 70)], "EPSG:3413")]
    )
    back = from_lonlat(to_lonlat(lines, "EPSG:3413"), "EPSG:3413")
    assert len(back.geoms) == 2
    assert back.equals_exact(lines, MM)


def test_polygons_are_split_and_keep_their_area():
    x, y = project([(180.0, 72.0)], "EPSG:3413")[0]
    outline = box(x - 20_000, y - 20_000, x + 20_000, y + 20_000)
    written = to_lonlat(outline, "EPSG:3413")
    assert len(written.geoms) == 2
    assert from_lonlat(written, "EPSG:3413").area == pytest.approx(outline.area, rel=1e-2)


def test_nothing_and_the_impossible():
    assert to_lonlat(None, "EPSG:3413") is None
    assert from_lonlat(Polygon(), "EPSG:3413").is_empty
    with pytest.raises(InputError, match="outside the area of EPSG:32620"):
        to_lonlat(LineString([(1e12, 1e12), (2e12, 1e12)]), "EPSG:32620")
    with pytest.raises(InputError, match="GeometryCollection"):
        to_lonlat(shapely.GeometryCollection([Point(0, 0)]), "EPSG:3413")

from __future__ import annotations

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from icefront_dask.catalog import Items, search
from icefront_dask.catalog.geometry import (
    footprint_shares,
    project_footprint,
    query_geometry,
    touches,
    with_counterpart,
)
from icefront_dask.regions import Region
from tests.catalog.builders import rtc


def region(outline, crs):
    return Region("r", outline, crs)


def lonlat(crs, xy):
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(*np.asarray(xy).T)
    return np.column_stack([np.clip(lon, -180.0, 180.0), lat])  # PROJ gives -180.00000000000003


def samples(outline, n=31):
    west, south, east, north = outline.bounds
    x, y = np.meshgrid(np.linspace(west, east, n), np.linspace(south, north, n))
    return np.column_stack([x.ravel(), y.ravel()])


def assert_covers(outline, crs):
    geometry = query_geometry(region(outline, crs))
    assert geometry.is_valid
    west, south, east, north = geometry.bounds
    assert west >= -180
    assert east <= 180
    assert south >= -90
    assert north <= 90
    points = shapely.points(lonlat(crs, samples(outline)))
    assert shapely.covers(geometry, points).all()
    return geometry


@settings(max_examples=80, deadline=None)
@given(
    crs=st.sampled_from(["EPSG:3413", "EPSG:3031"]),
    x=st.floats(-1_500_000, 1_500_000),
    y=st.floats(-1_500_000, 1_500_000),
    width=st.floats(1_000, 900_000),
    height=st.floats(1_000, 900_000),
)
def test_every_point_of_a_polar_region_lies_in_its_search_geometry(crs, x, y, width, height):
    assert_covers(box(x - width / 2, y - height / 2, x + width / 2, y + height / 2), crs)


@settings(max_examples=40, deadline=None)
@given(
    crs=st.sampled_from(["EPSG:3413", "EPSG:3031"]),
    x=st.floats(-3_000, 3_000),
    y=st.floats(-3_000, 3_000),
    size=st.floats(500, 90_000),
)
def test_every_point_near_a_pole_lies_in_its_search_geometry(crs, x, y, size):
    assert_covers(box(x - size, y - size / 2, x + size, y + size), crs)


@settings(max_examples=40, deadline=None)
@given(
    crs=st.sampled_from(["EPSG:3413", "EPSG:3031"]),
    distance=st.floats(20_000, 2_500_000),
    across=st.floats(-30_000, 30_000),
    size=st.floats(500, 60_000),
)
def test_every_point_at_the_antimeridian_lies_in_its_search_geometry(crs, distance, across, size):
    angle = np.radians(45.0 + 90.0) if crs == "EPSG:3413" else np.radians(-90.0)
    along, cross = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    x, y = along * distance + cross * across
    geometry = assert_covers(box(x - size, y - size, x + size, y + size), crs)
    if abs(across) < size and distance > 150_000:
        assert isinstance(geometry, MultiPolygon)


@pytest.mark.parametrize(
    ("crs", "outline"),
    [
        ("EPSG:32601", box(180_000, 7_600_000, 330_000, 7_700_000)),
        ("EPSG:32660", box(640_000, 7_600_000, 790_000, 7_700_000)),
        ("EPSG:32718", box(590_000, 4_480_000, 640_000, 4_560_000)),
    ],
)
def test_utm_regions(crs, outline):
    assert_covers(outline, crs)


def test_the_search_geometry_is_not_much_larger_than_the_region():
    outline = box(290_000, -2_590_000, 320_000, -2_560_000)
    geometry = query_geometry(region(outline, "EPSG:3413"))
    back = project_footprint(geometry, "EPSG:3413")
    assert outline.area < back.area < 1.01 * outline.area
    assert len(shapely.get_coordinates(geometry)) < 300


def test_a_region_of_several_parts():
    parts = MultiPolygon([box(0, -2e6, 1e4, -1.99e6), box(5e4, -2e6, 6e4, -1.99e6)])
    geometry = query_geometry(region(parts, "EPSG:3413"))
    assert len(geometry.geoms) == 2


ROSS = region(box(-200_000, -1_300_000, 200_000, -1_100_000), "EPSG:3031")
HELHEIM = region(box(290_000, -2_590_000, 320_000, -2_560_000), "EPSG:3413")


@pytest.mark.parametrize(
    ("footprint", "expected"),
    [
        (Polygon([(-39, 66), (-37, 66), (-37, 67), (-39, 67)]), True),
        (Polygon([(-45, 66), (-43, 66), (-43, 67), (-45, 67)]), False),
        (Polygon([(-39, -66), (-37, -66), (-37, -67), (-39, -67)]), False),
        (Polygon([(lon, 50) for lon in range(-180, 181, 30)]), True),
        (Polygon([(lon, -80) for lon in range(-180, 180, 30)]), False),
        (Polygon([(lon, 60) for lon in range(-180, 180, 30)]), True),
        (None, False),
        (Polygon(), False),
    ],
)
def test_footprints_against_helheim(footprint, expected):
    assert touches([footprint], HELHEIM).tolist() == [expected]


@pytest.mark.parametrize(
    ("footprint", "expected"),
    [
        (Polygon([(178, -80), (-178, -80), (-178, -78), (178, -78)]), True),  # crosses ±180° without a split
        (MultiPolygon([box(178, -80, 180, -78), box(-180, -80, -178, -78)]), True),
        (Polygon([(178, -80), (182, -80), (182, -78), (178, -78)]), True),
        (Polygon([(lon, -60) for lon in range(-180, 180, 20)]), True),  # round the pole
        (Polygon([(-182, -80), (-178, -80), (-178, -78), (-182, -78)]), True),  # beyond -180°
        (Polygon([(178, -80), (181, -80), (181, -78), (178, -78)]), True),
        (box(-180, -90, 180, -60), True),  # the whole cap, by its corners
        (box(-180, -70, 180, -60), False),
        (Polygon([(0, -80), (4, -80), (4, -78), (0, -78)]), False),
        (box(178, 78, 180, 80), False),
    ],
)
def test_footprints_against_the_ross_shelf(tmp_path, footprint, expected):
    assert touches([footprint], ROSS).tolist() == [expected]
    items = [rtc("2018-06-02", footprint), rtc("2018-06-06", box(-180, -80, -178, -79), name="there")]
    Items.from_dicts(items).to_parquet(tmp_path / "index.parquet")
    assert len(search(tmp_path / "index.parquet", ROSS)) == 1 + expected


CHUKCHI = region(box(500_000, 7_650_000, 560_000, 7_700_000), "EPSG:32660")  # at 177° E


@pytest.mark.parametrize(("place", "strips"), [(ROSS, 1), (CHUKCHI, 1), (HELHEIM, 0)])
def test_footprints_stated_the_wrong_way_round_meet_a_counterpart(place, strips):
    geometry = query_geometry(place)
    wider = with_counterpart(geometry)
    assert shapely.covers(wider, geometry)
    assert len(getattr(wider, "geoms", [wider])) - len(getattr(geometry, "geoms", [geometry])) == strips
    assert wider.is_valid
    _, south, _, north = geometry.bounds
    wrong = box(-178, south + 0.1, 178, north - 0.1)  # what a plane makes of a scene from 178° to -178°
    assert not strips or shapely.intersects(wider, wrong)
    assert wider.area - geometry.area <= 0.002 * (north - south) + 1e-9


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031"])
def test_a_search_round_a_pole_needs_no_counterpart(crs):
    geometry = query_geometry(region(box(-300_000, -200_000, 100_000, 200_000), crs))
    assert with_counterpart(geometry).equals(geometry)


def test_shares_agree_with_the_projected_areas():
    geobox = HELHEIM.geobox(120)
    corners = lonlat("EPSG:3413", samples(HELHEIM.outline, 2))[[0, 1, 3, 2]]
    west, south, east, north = geobox.boundingbox.bbox
    half = box(west, south, (west + east) / 2, north).segmentize(1_000)
    half_lonlat = Polygon(lonlat("EPSG:3413", shapely.get_coordinates(half)))
    shares = footprint_shares([Polygon(corners), half_lonlat, box(-60, 60, -20, 70), box(0, 0, 1, 1), None], geobox)
    assert shares[:4] == pytest.approx([1.0, 0.5, 1.0, 0.0], abs=1e-2)
    assert np.isnan(shares[4])

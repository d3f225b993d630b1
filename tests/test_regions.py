from __future__ import annotations

import json
import math
import pickle

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from icefront_dask import regions as regions_module
from icefront_dask.errors import RegionError
from icefront_dask.regions import Region, mask, read_regions, working_crs, write_regions

HELHEIM_XY = (304_000.0, -2_580_000.0)


def make(name="helheim", centre=HELHEIM_XY, crs="EPSG:3413", half=9_000.0, **more):
    x, y = centre
    return Region(name, box(x - half, y - half, x + half, y + half), crs, **more)


def full(name="helheim", centre=HELHEIM_XY, crs="EPSG:3413", kind="outlet"):
    x, y = centre
    return make(
        name,
        centre,
        crs,
        kind=kind,
        fjord=box(x - 3_000, y - 8_000, x + 3_000, y + 8_000),
        flowlines=[
            LineString([(x, y - 7_000), (x + 50, y), (x, y + 7_000)]),
            LineString([(x, y - 7_000), (x + 900, y)]),
        ],
        box=box(x - 2_000, y - 5_000, x + 2_000, y + 5_000),
        reference_line=LineString([(x - 3_000, y), (x + 3_000, y)]),
        grounding_line=LineString([(x - 3_000, y - 4_000), (x + 3_000, y - 4_000)]),
        elevation="https://example.org/dem.tif",
        basin="HELHEIM_GLACIER",
    )


@pytest.mark.parametrize(
    ("crs", "centre"),
    [
        ("EPSG:3413", HELHEIM_XY),
        ("EPSG:3413", (-230_000.0, -950_000.0)),
        ("EPSG:3413", (500_000.0, -3_250_000.0)),
        ("EPSG:3031", (-1_500_000.0, 300_000.0)),
        ("EPSG:3031", (-2_350_000.0, 1_250_000.0)),
        ("EPSG:32605", (420_000.0, 6_650_000.0)),
        ("EPSG:32718", (600_000.0, 4_500_000.0)),
    ],
)
def test_scale_factor_agrees_with_the_geodesic(crs, centre):
    region = make(centre=centre, crs=crs)
    to_lonlat = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    geod = pyproj.Geod(ellps="WGS84")
    for angle in (0.0, 0.7, 1.9):
        dx, dy = 50 * math.cos(angle), 50 * math.sin(angle)
        (lon0, lat0), (lon1, lat1) = (to_lonlat.transform(centre[0] + s * dx, centre[1] + s * dy) for s in (-1, 1))
        true = geod.inv(lon0, lat0, lon1, lat1)[2]
        assert 100.0 / region.scale_factor == pytest.approx(true, rel=2e-6)
    corners = [
        to_lonlat.transform(centre[0] + sx, centre[1] + sy) for sx, sy in ((-50, -50), (50, -50), (50, 50), (-50, 50))
    ]
    true_area = abs(geod.polygon_area_perimeter(*zip(*corners, strict=True))[0])
    assert 100.0**2 / region.areal_scale == pytest.approx(true_area, rel=5e-6)


def test_scale_factor_of_helheim_is_the_measured_one():
    assert make().scale_factor == pytest.approx(1.012, abs=1e-3)
    assert make().areal_scale == pytest.approx(1.025, abs=1.5e-3)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(-600_000, 600_000),
    y=st.floats(-3_200_000, -900_000),
    width=st.floats(50, 40_000),
    resolution=st.sampled_from([10, 15, 20, 30, 40, 60, 120]),
    finer=st.sampled_from([10, 20, 30]),
)
def test_grids_cover_the_outline_and_nest(x, y, width, resolution, finer):
    region = make(centre=(x, y), half=width)
    coarse, fine = region.geobox(resolution), region.geobox(finer)
    assert coarse.boundingbox == fine.boundingbox
    assert all(edge % 120 == 0 for edge in coarse.boundingbox.bbox)
    assert box(*coarse.boundingbox.bbox).buffer(1e-6).covers(region.outline)
    assert coarse.affine.e == -resolution
    west, south, east, north = region.outline.bounds
    left, bottom, right, top = coarse.boundingbox.bbox
    assert max(west - left, south - bottom, right - east, top - north) < 120


@pytest.mark.parametrize("resolution", [25, 100, 240, 12.5])
def test_grid_of_another_resolution_is_anchored_to_its_own_multiples(resolution):
    geobox = make().geobox(resolution)
    assert all(edge % resolution == 0 for edge in geobox.boundingbox.bbox)
    assert geobox.affine.a == resolution


def test_grid_does_not_depend_on_a_shift_of_less_than_a_step():
    a, b = make(), make(centre=(HELHEIM_XY[0] + 40, HELHEIM_XY[1]), half=9_000.0)
    assert (a.geobox(30).affine.c - b.geobox(30).affine.c) % 120 == 0


@pytest.mark.parametrize("resolution", [0, -30, math.nan, math.inf])
def test_bad_resolution(resolution):
    with pytest.raises(RegionError, match="positive number of metres"):
        make().geobox(resolution)


def test_mask_agrees_with_points_in_the_polygon():
    region = full()
    geobox = region.geobox(120)
    burned = mask(Point(*HELHEIM_XY).buffer(2_111), geobox)
    xs = geobox.coordinates["x"].values
    ys = geobox.coordinates["y"].values
    inside = np.hypot(*np.meshgrid(xs - HELHEIM_XY[0], ys - HELHEIM_XY[1])) < 2_111
    assert burned.dtype == bool
    assert np.count_nonzero(burned != inside) <= 0.02 * np.count_nonzero(inside)
    assert not mask(Polygon(), geobox).any()


@pytest.mark.parametrize("suffix", [".parquet", ".gpkg", ".geojson"])
def test_files_round_trip(tmp_path, suffix):
    written = [
        full(),
        full("nord.79_north-tongue", (480_000.0, -1_100_000.0), kind="tongue"),
        full("larsen-c", (-2_150_000.0, 1_050_000.0), "EPSG:3031", "ice_shelf"),
        full("columbia", (500_000.0, 6_770_000.0), "EPSG:32606"),
    ]
    path = tmp_path / f"regions{suffix}"
    write_regions(written, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    read = read_regions(path)
    assert [r.name for r in read] == [r.name for r in written]
    for a, b in zip(written, read, strict=True):
        assert (a.kind, a.crs, a.elevation, a.basin) == (b.kind, b.crs, b.elevation, b.basin)
        assert len(a.flowlines) == len(b.flowlines)
        for g, h in zip(a._geometries(), b._geometries(), strict=True):
            assert shapely.get_coordinates(h) == pytest.approx(shapely.get_coordinates(g), abs=1e-3)


def test_file_in_the_working_crs_round_trips_exactly(tmp_path):
    write_regions([full()], tmp_path / "r.parquet")
    assert read_regions(tmp_path / "r.parquet") == [full()]


def test_the_module_is_a_function(tmp_path):
    write_regions([full(), full("b")], tmp_path / "r.gpkg")
    assert [r.name for r in regions_module(tmp_path / "r.gpkg", names=["b"])] == ["b"]


def test_a_plain_file_of_outlines_gets_a_working_crs(tmp_path):
    frame = gpd.GeoDataFrame(
        {"NAME": ["north", "south", "alaska"]},
        geometry=[box(-38.5, 66.2, -38.0, 66.5), box(-62, -67, -61, -66.5), box(-147.3, 61.0, -147.0, 61.2)],
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "plain.geojson")
    frame.loc[2, "geometry"] = box(-72.5, -47.0, -72.3, -46.8)
    frame.to_file(tmp_path / "patagonia.geojson")
    assert [r.crs for r in read_regions(tmp_path / "plain.geojson")] == [
        "EPSG:3413",
        "EPSG:3031",
        "EPSG:3413",
    ]
    assert read_regions(tmp_path / "patagonia.geojson")[2].crs == "EPSG:32718"
    assert read_regions(tmp_path / "plain.geojson")[0].kind == "outlet"


@pytest.mark.parametrize(
    ("lon", "lat", "crs"),
    [
        (-38, 66, "EPSG:3413"),
        (170, -78, "EPSG:3031"),
        (-147, 59, "EPSG:32606"),
        (179.9, 52, "EPSG:32660"),
        (180, -50, "EPSG:32701"),
    ],
)
def test_working_crs(lon, lat, crs):
    assert working_crs(lon, lat) == crs


def test_an_outline_split_at_the_antimeridian_is_joined(tmp_path):
    west = {
        "type": "Polygon",
        "coordinates": [[[179, -78], [180, -78], [180, -77.5], [179, -77.5], [179, -78]]],
    }
    east = {
        "type": "Polygon",
        "coordinates": [[[-180, -78], [-179, -78], [-179, -77.5], [-180, -77.5], [-180, -78]]],
    }
    multi = {"type": "MultiPolygon", "coordinates": [west["coordinates"], east["coordinates"]]}
    feature = {"type": "Feature", "properties": {"name": "ross"}, "geometry": multi}
    path = tmp_path / "ross.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    outline = read_regions(path)[0].outline
    assert outline.geom_type == "Polygon"
    assert outline.bounds[0] < 0 < outline.bounds[2]


def test_dict_round_trip_is_exact_and_json_ready():
    region = full()
    assert Region.from_dict(json.loads(json.dumps(region.to_dict()))) == region
    with pytest.raises(RegionError, match="colour"):
        Region.from_dict(region.to_dict() | {"colour": "blue"})
    with pytest.raises(RegionError, match="needs crs"):
        Region.from_dict({"name": "a", "outline": region.to_dict()["outline"]})


def test_value_semantics():
    from dask.tokenize import tokenize

    a, b = full(), full()
    assert a == b
    assert hash(a) == hash(b)
    assert tokenize(a) == tokenize(b)
    assert a.patch(kind="tongue") != a
    assert pickle.loads(pickle.dumps(a)) == a
    with pytest.raises(AttributeError):
        a.name = "b"


BOWTIE = Polygon([(300_000, -2_580_000), (310_000, -2_570_000), (310_000, -2_580_000), (300_000, -2_570_000)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Helheim Glacier"}, "'helheim-glacier'"),
        ({"name": "../etc"}, "not a slug"),
        ({"name": ""}, "not a slug"),
        ({"name": "a" * 64}, "not a slug"),
        ({"name": "a\n"}, "not a slug"),
        ({"kind": "valley"}, "outlet, tongue, ice_shelf"),
        ({"crs": None}, "no CRS"),
        ({"crs": "EPSG:999999"}, "not known to PROJ"),
        ({"crs": "EPSG:4326"}, "not projected in metres"),
        ({"crs": "EPSG:2225"}, "not projected in metres"),
        ({"outline": Polygon()}, "empty"),
        ({"outline": BOWTIE}, "Self-intersection"),
        ({"outline": LineString([(0, 0), (1e6, 1e6)])}, "must be a polygon"),
        ({"outline": box(-39, 66, -38, 67)}, "degrees"),
        ({"crs": "EPSG:32606"}, "outside the area|outside the plane"),
        (
            {"crs": "EPSG:3031", "outline": box(0, 6_000_000, 9_000, 6_009_000), "fjord": None},
            "outside the area",
        ),
        ({"fjord": box(0, 0, 900, 900)}, "fjord lies wholly outside"),
        ({"flowlines": [LineString([(0, 0), (900, 900)])]}, "flowline lies wholly outside"),
        ({"flowlines": [Point(0, 0)]}, "must be a LineString"),
        ({"grounding_line": LineString()}, "empty"),
    ],
)
def test_refusals_name_the_thing_and_the_remedy(change, message):
    with pytest.raises(RegionError, match=message):
        full().patch(**change)


def test_one_part_of_a_multipolygon_becomes_a_polygon():
    assert full().patch(outline=MultiPolygon([full().outline])).outline.geom_type == "Polygon"


def frame_of(**columns):
    n = len(columns["name"]) if "name" in columns else 1
    return gpd.GeoDataFrame(columns, geometry=[full().outline] * n, crs="EPSG:3413")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (frame_of(title=["a"]), "no column 'name'"),
        (frame_of(name=["a"], role=["shore"]), "'shore' is unknown"),
        (frame_of(name=["a", "a"]), "2 rows of role 'outline'"),
        (frame_of(name=["a"], role=["fjord"]), "0 rows of role 'outline'"),
        (frame_of(name=["a", "a", "a"], role=["outline", "fjord", "fjord"]), "merge them into one"),
        (frame_of(name=["a"]).set_crs(None, allow_override=True), "states no CRS"),
        (frame_of(name=["a"], crs=["EPSG:0"]), "not known to PROJ"),
        (frame_of(name=["a"]).iloc[:0], "holds no regions"),
        (frame_of(name=["a"]).set_geometry([None]), "empty outline|states no CRS"),
    ],
)
def test_bad_files(tmp_path, frame, message):
    frame.to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(RegionError, match=message):
        read_regions(tmp_path / "bad.parquet")


def test_unreadable_files(tmp_path):
    with pytest.raises(RegionError, match="there is no regions file"):
        read_regions(tmp_path / "none.gpkg")
    for name in ("text.gpkg", "text.geojson", "text.parquet"):
        (tmp_path / name).write_text("not vectors")
        with pytest.raises(RegionError, match="cannot be read as vectors"):
            read_regions(tmp_path / name)
    write_regions([full()], tmp_path / "r.parquet")
    with pytest.raises(RegionError, match="no region jakobshavn; it has helheim"):
        read_regions(tmp_path / "r.parquet", names=["jakobshavn"])
    with pytest.raises(RegionError, match="two regions are named helheim"):
        write_regions([full(), full()], tmp_path / "two.parquet")
    with pytest.raises(RegionError, match="no regions to write"):
        write_regions([], tmp_path / "two.parquet")
    with pytest.raises(RegionError, match="end its name in"):
        write_regions([full()], tmp_path / "two.shp")

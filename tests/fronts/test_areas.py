"""Areas of ice and ocean from tables of fronts."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
import shapely

from icefront_dask.errors import InputError
from icefront_dask.fronts.areas import front_areas
from icefront_dask.regions import Region

X, Y = 300_000.0, -2_580_000.0  # Helheim, EPSG:3413
OUTLINE = shapely.box(X, Y, X + 8000, Y + 12_000)
FJORD = shapely.box(X + 1000, Y, X + 7000, Y + 12_000)
FLOW = shapely.LineString([(X + 4000, Y + 12_000), (X + 4000, Y)])
REGION = Region("helheim", OUTLINE, "EPSG:3413", fjord=FJORD, flowlines=(FLOW,))


def table(places, **columns):
    """A front a scene: its y, and how far its ends stay from the walls."""
    lines = []
    for place in places:
        y, left, right = (place, 0, 0) if np.isscalar(place) else place
        ends = (X + 1000 + left, Y + y), (X + 7000 - right, Y + y)
        lines.append(shapely.LineString([ends[0], (X + 4000, Y + y - 200), ends[1]]))
    values = {
        "region": "helheim",
        "scene_id": [f"s{number}" for number in range(len(lines))],
        "datetime": pd.date_range("2020-01-01", periods=len(lines), freq="12D", tz="UTC"),
        "status": "accepted",
    }
    return gpd.GeoDataFrame(values | columns, geometry=lines, crs="EPSG:3413")


def test_each_scene_has_its_ice_and_its_ocean():
    areas = front_areas(table([6000, (5000, 300, 200)]), REGION)
    assert areas[["scene_id", "kind"]].to_numpy().tolist() == [
        ["s0", "ice"], ["s0", "ocean"], ["s1", "ice"], ["s1", "ocean"]
    ]  # fmt: skip
    assert areas.geometry.is_valid.all()
    geod = pyproj.Geod(ellps="WGS84")
    for row in areas.to_crs("OGC:CRS84").itertuples():
        true = abs(geod.geometry_area_perimeter(shapely.segmentize(row.geometry, 0.005))[0])
        assert row.area_m2 == pytest.approx(true, rel=1e-3)
    ice = areas[areas["kind"] == "ice"]
    assert ice["area_m2"].iloc[1] > ice["area_m2"].iloc[0]  # the second front lies further seaward
    led = 300 / REGION.scale_factor
    assert areas["snapped_m"].to_numpy() == pytest.approx([0, 0, led, led])
    for _, pair in areas.groupby("scene_id"):
        assert pair.geometry.iloc[0].intersection(pair.geometry.iloc[1]).area == pytest.approx(0, abs=1)
        assert pair.area.sum() == pytest.approx(FJORD.area)


@pytest.mark.parametrize(
    ("crs", "lon", "lat"), [("EPSG:3031", 180, -78), ("EPSG:3031", -60, -65), ("EPSG:3413", -45, 81)]
)
def test_areas_of_a_shelf_where_no_single_scale_holds(crs, lon, lat):
    """300 km by 200 km: the scale at its two ends differs by some percent."""
    x, y = pyproj.Proj(crs)(lon, lat)
    water = shapely.box(x - 150_000, y - 100_000, x + 150_000, y + 100_000)
    flow = shapely.LineString([(x, y - 99_000), (x, y + 99_000)])
    shelf = Region("shelf", water.buffer(1_000), crs, fjord=water, flowlines=(flow,))
    front = shapely.LineString([(x - 151_000, y + 60_000), (x, y + 80_000), (x + 151_000, y + 60_000)])
    fronts = table([6000]).assign(region="shelf").set_geometry([front], crs=crs)
    areas = front_areas(fronts, shelf)
    for row in areas.itertuples():
        lonlat = shapely.transform(
            shapely.segmentize(row.geometry, 500.0), lambda xy: np.column_stack(pyproj.Proj(crs)(*xy.T, inverse=True))
        )
        true = abs(pyproj.Geod(ellps="WGS84").geometry_area_perimeter(lonlat)[0])
        assert row.area_m2 == pytest.approx(true, rel=1e-5)


def test_fronts_that_do_not_close_or_count_are_left_out():
    assert front_areas(table([(6000, 0, 4000)]), REGION).empty
    assert front_areas(table([6000], status="review"), REGION).empty
    assert len(front_areas(table([6000], status="review"), REGION, statuses=("accepted", "review"))) == 2
    assert front_areas(table([6000], region="elsewhere"), REGION).empty
    none = table([6000])
    none.loc[0, "geometry"] = None
    assert front_areas(none, REGION).empty


def test_other_crs_comes_to_the_regions_own():
    areas = front_areas(table([6000]).to_crs("OGC:CRS84"), REGION)
    assert areas.crs == pyproj.CRS("EPSG:3413")
    assert areas.area.sum() == pytest.approx(FJORD.area)


def test_no_fjord_is_named():
    bare = Region("helheim", OUTLINE, "EPSG:3413", flowlines=(FLOW,))
    with pytest.raises(InputError, match="'helheim' has no fjord"):
        front_areas(table([6000]), bare)
    with pytest.raises(InputError, match="lacks the column datetime"):
        front_areas(table([6000]).drop(columns="datetime"), REGION)

"""Flowlines and boxes drawn from fjords, basins and velocities."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from shapely.geometry import LineString, Polygon

from icefront_dask.change import draw_box, draw_flowline, front_series
from icefront_dask.change.boxes import check_flowline
from icefront_dask.errors import InputError
from icefront_dask.regions import Region
from tests.change.builders import frame, place, straight_box, straight_flowline

NORWAY = "EPSG:32633"  # no ice sheet near: nothing says by itself where the sea is


def bend(radius=12_000.0, width=4_000.0):
    """A fjord that turns by a right angle; its middle, and the basin behind its beginning."""
    angle = np.linspace(0, np.pi / 2, 181)
    middle = np.column_stack([radius * np.sin(angle), radius * (1 - np.cos(angle))])
    fjord = shapely.buffer(LineString(middle), width / 2, cap_style="flat")
    basin = shapely.box(-30_000, -8_000, 3_000, 8_000)
    return LineString(middle), fjord, basin


def test_the_middle_of_a_bent_fjord():
    middle, fjord, basin = bend()
    line = check_flowline(draw_flowline(fjord, basin=basin, crs=NORWAY))
    xy = shapely.get_coordinates(line)
    inner = xy[(middle.project(shapely.points(xy)) > 3_000) & (middle.project(shapely.points(xy)) < 15_000)]
    assert shapely.distance(middle, shapely.points(inner)).max() < 400  # a tenth of the width
    assert line.coords[0][0] < 1_000 < line.coords[-1][1]
    backward = draw_flowline(fjord, seaward=(-1, -1), crs=NORWAY)
    assert backward.coords[0][1] > backward.coords[-1][1]
    assert draw_flowline(fjord, crs=NORWAY) is None


def test_a_velocity_field_is_followed():
    _, fjord, _ = bend()
    x = y = np.arange(-6_000.0, 20_000.0, 250.0)
    xx, yy = np.meshgrid(x, y)
    dx, dy = xx, yy - 12_000.0
    size = np.hypot(dx, dy)
    speed = np.where(np.abs(size - 12_400.0) < 1_500, 3_000.0 - np.abs(size - 12_400.0), np.nan)
    ice = (xx < 9_000) & (yy < 9_000)
    field = xr.Dataset(
        {"vx": (("y", "x"), np.where(ice, -speed * dy / size, np.nan)),
         "vy": (("y", "x"), np.where(ice, speed * dx / size, np.nan))},
        {"x": x, "y": y},
    )  # fmt: skip
    line = check_flowline(draw_flowline(fjord, velocity=field.chunk(), crs=NORWAY))
    xy = shapely.get_coordinates(line)
    on_ice = xy[(xy[:, 0] > 500) & (xy[:, 0] < 8_000) & (xy[:, 1] < 8_000)]
    assert len(on_ice) > 30
    # along the fastest ice, which runs 400 m outside the fjord's middle
    assert np.abs(np.hypot(on_ice[:, 0], on_ice[:, 1] - 12_000) - 12_400).max() < 150
    assert line.coords[0][0] < line.coords[-1][0]
    assert line.length > 12_000
    with pytest.raises(InputError, match="variables vx and vy"):
        draw_flowline(fjord, velocity=field.rename(vx="u"), crs=NORWAY)
    with pytest.raises(InputError, match="no moving ice"):
        draw_flowline(fjord, velocity=field.assign_coords(x=x + 9e5), crs=NORWAY)


def test_a_box_round_the_fronts():
    middle, fjord, basin = bend()
    line = draw_flowline(fjord, basin=basin, crs=NORWAY)
    whole = draw_box(line, fjord)
    assert whole.is_valid
    fronts = [LineString([(6_000 + d, -3_000), (6_000 + d, 6_000)]) for d in (0, 500)]
    box = draw_box(line, fjord, fronts)
    assert box.contains(middle.interpolate(middle.project(shapely.Point(6_000, 1_600))))
    assert box.area < 0.8 * whole.area
    assert shapely.minimum_rotated_rectangle(box).area == pytest.approx(box.area)
    with pytest.raises(InputError, match="does not cross the fjord"):
        draw_box(LineString([(9e5, 0), (9e5, 1)]), fjord)


def test_refusals():
    _, fjord, basin = bend()
    with pytest.raises(InputError, match="basin does not meet"):
        draw_flowline(fjord, basin=shapely.affinity.translate(basin, 9e5, 0), crs=NORWAY)
    with pytest.raises(InputError, match="must be a polygon"):
        draw_flowline(LineString([(0, 0), (1, 1)]), crs=NORWAY)


def test_series_of_a_region_that_has_a_fjord_only():
    fjord = Polygon(place([-1_000, -1_000, 11_000, 11_000], [2_000, -2_000, -2_000, 2_000]))
    region = Region("bare", shapely.buffer(straight_flowline(), 6_000), "EPSG:3413", fjord=fjord)
    positions = [5_000.0, 4_900.0, 4_700.0, 4_750.0]
    lines = [LineString(place(p, np.array([-2_200.0, 2_200.0]))) for p in positions]
    table = frame(lines, pd.date_range("2020-01-01", periods=4, freq="30D"), uncertainty_m=20.0)
    methods = ["rectilinear-box", "curvilinear-box", "centreline"]
    drawn = front_series(table, region, methods=methods, true_scale=False)
    assert drawn["reason"].str.contains("guide_drawn").all()
    given = front_series(table, flowlines=straight_flowline(), box=straight_box(), methods=methods, true_scale=False)
    for method in methods:
        ours, theirs = (s[s["method"] == method]["change_m"].dropna() for s in (drawn, given))
        assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), abs=2.0)


@pytest.mark.real
def test_real_basins_and_fjords_of_greenland(real_data):
    windows = gpd.read_file(real_data / "vectors" / "fjord-windows.gpkg")
    basins = gpd.read_file(real_data / "vectors" / "greenland-basins.gpkg")
    drawn = 0
    for row in windows.itertuples():
        meeting = basins[basins.intersects(row.geometry)]
        if meeting.empty:  # Svalbard
            continue
        basin = shapely.union_all(shapely.make_valid(meeting.geometry.to_numpy()))
        line = check_flowline(draw_flowline(row.geometry, basin=basin, crs="EPSG:3413"))
        assert shapely.buffer(row.geometry, 500).covers(line)
        start, end = (shapely.Point(line.coords[k]) for k in (0, -1))
        assert start.distance(basin) <= end.distance(basin)
        assert draw_box(line, row.geometry).is_valid
        drawn += 1
    assert drawn >= 15

"""Places whose front can be worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyproj
import shapely

from icefront_dask.regions import Region
from icefront_dask.simulate.evolution import FrontHistory, FrontState, Motion
from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.landscape import Landscape
from icefront_dask.simulate.place import Place
from icefront_dask.simulate.plan import PlacePlan

ATLAS = Atlas.from_seed(7)


def straight_place(crs="EPSG:3413", lon=-31.4, lat=68.5, *, azimuth_deg=0.0, half_width_m=1000.0):
    """A fjord of constant width with smooth walls, flowing at ``azimuth_deg`` to the map's x axis."""
    size_m = 6000.0
    plan = PlacePlan(
        "straight",
        "outlet",
        crs,
        lon,
        lat,
        azimuth_deg,
        half_width_m,
        size_m,
        Motion(365.25, 0, 1),
        ("hh", "hv"),
        7,
    )
    landscape = Landscape(
        atlas=ATLAS,
        kind="outlet",
        half_width_m=half_width_m,
        wall_rms_m=0.0,
        bend_m=0.0,
        bend_length_m=1e6,
        tongue_share=0.5,
        mouth_m=-1e6,
        islands=(),
        tributary=None,
        overhang_m=0.0,
        relief_m=500.0,
        phase=0.0,
    )
    origin = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    scale = float(np.sqrt(pyproj.Proj(crs).get_factors(lon, lat).areal_scale))
    half = 0.5 * size_m * scale
    outline = shapely.box(origin[0] - half, origin[1] - half, origin[0] + half, origin[1] + half)
    region = Region(name="straight", outline=outline, crs=crs, kind="outlet", fjord=outline)
    history = FrontHistory(np.datetime64("2009-01-01", "s"), 1.0, np.zeros(1), np.zeros(1), *_flat(0.0), half_width_m)
    place = Place(plan, landscape, history, origin, scale, region)
    ground = place.from_landscape
    walls = shapely.Polygon(
        ground(np.array([[-9e3, -half_width_m], [9e3, -half_width_m], [9e3, half_width_m], [-9e3, half_width_m]]))
    )
    flowline = shapely.LineString(ground(np.array([[-2000.0, 0.0], [2000.0, 0.0]])))
    return dataclasses.replace(place, region=region.patch(fjord=walls.intersection(outline), flowlines=(flowline,)))


def _flat(along_m):
    across = np.arange(-3000.0, 3005.0, 5.0)
    return across, np.full((1, across.size), along_m)


def flat_front(along_m, tilt=0.0):
    across, table = _flat(along_m)
    return FrontState(across, table[0] + tilt * across, along_m, 0.0)

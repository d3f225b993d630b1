"""A grid, a scene on it and lines, which tests of tables share."""

from __future__ import annotations

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from icefront_dask.fronts import (
    Reason,
    Status,
    TracedFront,
)

SHAPE = (120, 150)
ORIGIN = (300_000.0, -2_580_000.0)
PIXEL_M = 30.0
GEOBOX = GeoBox(SHAPE, Affine(PIXEL_M, 0, ORIGIN[0], 0, -PIXEL_M, ORIGIN[1]), "EPSG:3413")
SCENE = {
    "scene_id": "s1-a",
    "item_ids": ("i1", "i2"),
    "time": np.datetime64("2018-06-02T09:12:13.123456789", "ns"),
    "platform": "sentinel-1a",
    "sensor": "C-SAR",
    "orbit_direction": "",
    "relative_orbit": 0,
    "geolocation_sigma_m": 10.0,
}


def world(xy):
    x, y = np.asarray(xy, dtype=float).T
    return np.column_stack([ORIGIN[0] + PIXEL_M * x, ORIGIN[1] - PIXEL_M * y])


def line(xy, **changes):
    values = {
        "xy": np.asarray(xy, dtype=float), "confidence": 0.9, "fjord_share": 1.0, "gap_fraction": 0.0,
        "status": Status.ACCEPTED, "reason": Reason.NONE, "uncertainty_px": 0.5, "length_px": 100.0,
    }  # fmt: skip
    return TracedFront(**(values | changes))

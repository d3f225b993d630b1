"""Columns, types and keys of the product tables."""

from __future__ import annotations

import pyarrow as pa

__all__ = [
    "FRONT_FIELDS",
    "FRONT_KEY",
    "SERIES_FIELDS",
    "SERIES_KEY",
    "STATISTICS_FIELDS",
    "STATISTICS_KEY",
]

_TIME = pa.timestamp("us", tz="UTC")
FRONT_KEY = ("region", "scene_id", "front_id")
FRONT_FIELDS = (
    pa.field("region", pa.string(), nullable=False),
    pa.field("scene_id", pa.string(), nullable=False),
    pa.field("front_id", pa.int32(), nullable=False),
    pa.field("item_ids", pa.list_(pa.string())),
    pa.field("datetime", _TIME, nullable=False),
    pa.field("platform", pa.string()),
    pa.field("sensor", pa.string()),
    pa.field("orbit_direction", pa.string()),
    pa.field("relative_orbit", pa.int32()),
    pa.field("crs", pa.string(), nullable=False),
    pa.field("pixel_size_m", pa.float64()),
    pa.field("length_m", pa.float64()),
    pa.field("fjord_share", pa.float64()),
    pa.field("gap_fraction", pa.float64()),
    pa.field("confidence", pa.float64()),
    pa.field("uncertainty_m", pa.float64()),
    pa.field("status", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("quality", pa.uint16()),
    pa.field("model", pa.string()),
    pa.field("model_sha256", pa.string()),
)
SERIES_KEY = ("region", "datetime", "scene_id", "method", "flowline")
SERIES_FIELDS = (
    pa.field("region", pa.string(), nullable=False),
    pa.field("datetime", _TIME, nullable=False),
    pa.field("scene_id", pa.string(), nullable=False),
    pa.field("method", pa.string(), nullable=False),
    pa.field("flowline", pa.int32()),
    pa.field("position_m", pa.float64()),
    pa.field("position_sigma_m", pa.float64()),
    pa.field("change_m", pa.float64()),
    pa.field("area_m2", pa.float64()),
    pa.field("width_m", pa.float64()),
    pa.field("n_intersections", pa.int32()),
    pa.field("covered_share", pa.float64()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
)
STATISTICS_KEY = ("region", "method")
STATISTICS_FIELDS = tuple(pa.field(name, pa.string(), nullable=False) for name in STATISTICS_KEY)

"""Tables in the form that the rooms before publish hand over."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

MODEL_SHA256 = "0f" * 32


def front_row(region, scene, day, *, sensor="C-SAR", status="accepted", reason="", front_id=0, **extra):
    row = {
        "region": region,
        "scene_id": scene,
        "front_id": front_id,
        "item_ids": [f"{scene}-a", f"{scene}-b"],
        "datetime": pd.to_datetime(day, utc=True),
        "platform": "landsat-8" if sensor == "OLI" else "sentinel-1a",
        "sensor": sensor,
        "orbit_direction": "descending",
        "relative_orbit": 90,
        "pixel_size_m": 20.0,
        "length_m": 6000.0,
        "fjord_share": 0.97,
        "gap_fraction": 0.01,
        "confidence": 0.93,
        "uncertainty_m": 24.0,
        "gamma0_db": -11.5,
        "status": status,
        "reason": reason,
        "quality": 0,
        "model": "sar-co-cross",
        "model_sha256": MODEL_SHA256,
    }
    return {**row, **extra}


def fronts(rows, geometries, crs="EPSG:3413"):
    frame = pd.DataFrame(rows)
    frame["crs"] = crs
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(geometries, crs=crs), crs=crs)

"""Fjords, fronts and series whose positions are known."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString, Polygon

ORIGIN = (300_000.0, -2_560_000.0)  # EPSG:3413, East Greenland near 66° N
SEAWARD = np.array([0.8, -0.6])  # south-east


def place(along, across, origin=ORIGIN, seaward=SEAWARD):
    """Map coordinates of along-flow and across-flow (left positive) distances."""
    along, across = np.broadcast_arrays(np.asarray(along, float), np.asarray(across, float))
    left = np.array([-seaward[1], seaward[0]])
    return np.asarray(origin) + along[..., None] * seaward + across[..., None] * left


def straight_flowline(length=10_000.0):
    return LineString(place([0.0, length], 0.0))


def straight_box(length=10_000.0, width=4_000.0):
    half = width / 2
    return Polygon(place([0, 0, length, length], [half, -half, -half, half]))


def front_at(position, width=4_000.0, *, overhang=200.0, slope=0.0, bumps=0.0, seed=0):
    """A front across the fjord whose mean over the width, and whose middle, lie at a position."""
    across = np.linspace(-width / 2 - overhang, width / 2 + overhang, 89)
    along = position + slope * across
    if bumps:
        phase = np.random.default_rng(seed).uniform(0, 2 * np.pi)
        turns = 2 * np.pi * across / width
        along = along + bumps * (np.sin(3 * turns + phase) - np.sin(phase))
    return LineString(place(along, across))


def frame(lines, dates, **columns):
    return gpd.GeoDataFrame({"datetime": pd.to_datetime(dates), **columns}, geometry=list(lines), crs="EPSG:3413")


def series_of(days, position, sigma=20.0, *, start="2015-01-01", **columns):
    """A series as front_series makes it, from days since `start`."""
    n = len(days)
    table = {
        "region": "here",
        "datetime": pd.Timestamp(start, tz="UTC") + pd.to_timedelta(np.asarray(days, float), unit="D"),
        "scene_id": [f"s{k:05d}" for k in range(n)],
        "sensor": "",
        "method": "centreline",
        "flowline": "0",
        "crossing": 0,
        "position_m": np.asarray(position, float),
        "position_sigma_m": np.broadcast_to(np.asarray(sigma, float), n),
        "change_m": np.nan,
        "width_m": np.nan,
        "pixel_size_m": 30.0,
        "status": "accepted",
        "reason": "",
    }
    return pd.DataFrame({**table, **columns})


def errors_with_memory(days, tau_years, rng):
    """Unit errors with the correlation exp(−distance / tau)."""
    out = rng.standard_normal(len(days))
    if tau_years > 0:
        for k in range(1, len(days)):
            phi = np.exp(-(days[k] - days[k - 1]) / 365.25 / tau_years)
            out[k] = phi * out[k - 1] + np.sqrt(1 - phi**2) * out[k]
    return out


def assert_no_silent_nan(series):
    """A position or change that is NaN has a reason."""
    missing = series["position_m"].isna() | series["change_m"].isna()
    assert (series.loc[missing, "reason"] != "").all(), series[missing]
    measured = series["position_m"].notna()
    columns = ["position_low_m", "position_high_m", "position_sigma_m", "covered_share", "scale_factor"]
    assert series.loc[measured, columns].notna().all(axis=None)
    boxes = measured & series["method"].str.endswith("box")
    assert series.loc[boxes, ["area_m2", "width_m"]].notna().all(axis=None)

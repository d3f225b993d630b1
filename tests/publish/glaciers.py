"""A small made-up archive that looks like real glacier records, for the report's tests.

Run ``python -m tests.publish.glaciers OUT.html`` to look at the page.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pyproj
from scipy.ndimage import gaussian_filter
from shapely.geometry import LineString, Polygon, box

from icefront_dask.change import change_statistics, front_series
from icefront_dask.publish import Background, stretch, write_report
from icefront_dask.regions import Region
from tests.publish.builders import front_row, fronts

WIDTH_M, LENGTH_M, PIXEL_M = 7_000.0, 16_000.0, 40.0


def _project(lon, lat, crs):
    return pyproj.Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat)


def region(name="helheim", lon=-38.2, lat=66.36, crs="EPSG:3413", kind="outlet", basin="southeast"):
    """Return a region whose ice flows to the east along a gently bent flowline."""
    x, y = (round(v / 120) * 120 for v in _project(lon, lat, crs))
    fjord = Polygon(
        [
            (x - 8000, y - 3300),
            (x + 8000, y - 3800),
            (x + 8000, y + 3600),
            (x, y + 3300),
            (x - 8000, y + 3700),
        ]
    )
    along = np.linspace(-7500, 7500, 30)
    flowline = LineString(np.column_stack([x + along, y + 500 * np.sin(along / 5000)]))
    return Region(
        name,
        box(x - 9000, y - 6500, x + 9000, y + 6500),
        crs,
        kind,
        fjord=fjord,
        flowlines=(flowline,),
        box=box(x - 5000, y - 1500, x + 5000, y + 1500),
        basin=basin,
    )


def front_line(place, position, seed):
    """Return a rough, arched front at `position` metres along flow."""
    rng = np.random.default_rng(seed)
    across = np.linspace(-3300, 3300, 166)
    x, y = place.outline.centroid.x, place.outline.centroid.y
    rough = gaussian_filter(rng.normal(size=166), 6) * 420 + gaussian_filter(rng.normal(size=166), 1) * 18
    return LineString(np.column_stack([x + position + 500 * (across / 3300) ** 2 - 300 + rough, y + across]))


def position_at(years, rng):
    season = 260 * np.cos(2 * np.pi * (years - 0.35))
    calving = -620 * (years > 1.42) - 380 * (years > 2.6)
    return 1200 - 330 * years + season + calving + rng.normal(0, 35)


def background(place, front_x, seed=0):
    """Return gamma0 with a glacier, melange and rock, as a picture."""
    rng = np.random.default_rng(seed)
    west, south, east, north = place.outline.bounds
    shape = int((north - south) / PIXEL_M), int((east - west) / PIXEL_M)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    x, y = west + (xx + 0.5) * PIXEL_M, north - (yy + 0.5) * PIXEL_M
    centre = place.outline.centroid
    decibel = np.where(x < front_x, -9.0, -14.5) + gaussian_filter(rng.normal(size=shape), (1, 4)) * 6
    rock = np.abs(y - centre.y) > 3400 + 300 * np.sin(x / 1500)
    decibel[rock] = (-8 + 70 * np.gradient(gaussian_filter(rng.normal(size=shape), 6), axis=1))[rock]
    looks = rng.gamma(4.4, 1 / 4.4, size=shape)
    gamma0 = 10 ** (decibel / 10) * looks
    gamma0[:, : shape[1] // 40] = np.nan
    return Background(stretch(gamma0, decibel=True), place.outline.bounds, place.crs, "Sentinel-1, 2020-12-20")


def tables(place, seed=3, start="2017-01-10", years=3.95):
    """Return fronts, series, statistics and left-out scenes of one region."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp(start, tz="UTC")
    days = sorted([*(i * 12.0 for i in range(int(years * 30.4)))])
    rows, lines, left = [], [], []
    for k, day in enumerate(days):
        when = first + pd.Timedelta(days=day, hours=8)
        if 1.55 < day / 365.25 < 1.7:
            continue  # a gap in the record
        sensor = "C-SAR"
        if 4 <= when.month <= 9 and k % 3 == 1:
            sensor = "OLI"
        scene = f"{'s1' if sensor == 'C-SAR' else 'lc08'}-{when:%Y%m%d}-{rng.integers(16**8):08x}"
        if rng.random() < 0.1 or (sensor == "OLI" and rng.random() < 0.3):
            reason = ("cloud_cover", "97 % is above 90 %") if sensor == "OLI" else ("small_overlap", "covers 3 %")
            collection = "landsat-c2-l2" if sensor == "OLI" else "sentinel-1-rtc"
            row = {"region": place.name, "item_id": scene, "collection": collection, "datetime": when}
            left.append({**row, "reason": reason[0], "detail": reason[1]})
            continue
        position = position_at(day / 365.25, rng)
        status, reason, sigma = "accepted", "", float(rng.uniform(18, 45))
        if rng.random() < 0.07:
            status, reason, sigma = "review", str(rng.choice(["outputs_disagree", "gaps", "clouds"])), 160.0
            position += rng.normal(0, 200)
        elif rng.random() < 0.03:
            status, reason = "rejected", "low_confidence"
            position += rng.normal(0, 900)
        elif rng.random() < 0.02:
            status, reason = "no_front", "no_ridge"
        line = None if status == "no_front" else front_line(place, position, seed * 1000 + k)
        rows.append(
            front_row(
                place.name,
                scene,
                when,
                sensor=sensor,
                status=status,
                reason=reason,
                uncertainty_m=sigma if line else None,
                confidence=float(rng.uniform(0.6, 0.99)),
            )
        )
        lines.append(line)
    frame = fronts(rows, lines, place.crs)
    series = front_series(frame, place)
    return frame, series, change_statistics(series), pd.DataFrame(left)


def arguments(places):
    """Return the keyword arguments of write_report for some regions."""
    made = [tables(place, seed=3 + i) for i, place in enumerate(places)]
    return {
        "regions": places,
        "fronts": {place.name: part[0] for place, part in zip(places, made, strict=True)},
        "series": pd.concat([part[1] for part in made], ignore_index=True),
        "statistics": pd.concat([part[2] for part in made], ignore_index=True),
        "left_out": pd.concat([part[3] for part in made], ignore_index=True),
        "backgrounds": {place.name: background(place, place.outline.centroid.x - 900) for place in places},
        "provenance": {
            "package": "icefront_dask 0.1.0",
            "model": "icefront-5",
            "model_sha256": "0f" * 32,
            "spec_sha256": "a1" * 32,
            "catalogue": "items.parquet",
        },
    }


if __name__ == "__main__":
    shelf = region("ross-east", 179.8, -78.2, "EPSG:3031", "ice_shelf", None)
    write_report(
        sys.argv[1],
        **arguments([region(), shelf, region("columbia", -147.0, 61.1, "EPSG:32606", "tongue", "chugach")]),
    )

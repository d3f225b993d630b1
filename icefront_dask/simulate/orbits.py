"""Times of satellites and the height of the sun, near enough for items."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["landsat_time", "relative_orbit", "sentinel_time", "sun_azimuth", "sun_elevation"]

# An orbit of each satellite and when it crossed the equator, taken from product names.
_ANCHORS = {
    "sentinel-1a": (33_640, np.datetime64("2020-07-27T11:43:00", "s"), 73),
    "sentinel-1b": (14_617, np.datetime64("2019-01-23T04:52:00", "s"), 27),
}
_PERIOD_S = 12 * 86_400 / 175


def sentinel_time(platform: str, absolute_orbit: int, seconds: float) -> np.datetime64:
    """Time of an acquisition so many seconds after the ascending node of an orbit; 175 orbits are 12 days."""
    orbit, node, _ = _ANCHORS[platform]
    return node + np.timedelta64(round((absolute_orbit - orbit) * _PERIOD_S + seconds), "s")


def relative_orbit(platform: str, absolute_orbit: int) -> int:
    """Relative orbit, 1 … 175."""
    return (absolute_orbit - _ANCHORS[platform][2]) % 175 + 1


def landsat_time(date: str, lon: float) -> np.datetime64:
    """UTC of a morning acquisition, 10:15 local solar time."""
    seconds = (10.25 - lon / 15) * 3600
    return np.datetime64(date, "s") + np.timedelta64(round(seconds), "s")


def _sun(lat: float, lon: float, time: np.datetime64) -> tuple[float, float, float]:
    day = float((time - np.datetime64(f"{str(time)[:4]}-01-01", "s")) / np.timedelta64(1, "s")) / 86400
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (day + 10) / 365.25)
    season = 2 * math.pi * (day - 81) / 364
    equation_min = 9.87 * math.sin(2 * season) - 7.53 * math.cos(season) - 1.5 * math.sin(season)
    hour = math.radians(((day % 1) * 24 + lon / 15 + equation_min / 60 - 12) * 15)
    return math.radians(lat), declination, hour


def sun_elevation(lat: float, lon: float, time: np.datetime64) -> float:
    """Elevation of the sun in degrees, to about 1 degree."""
    phi, declination, hour = _sun(lat, lon, time)
    sine = math.sin(phi) * math.sin(declination) + math.cos(phi) * math.cos(declination) * math.cos(hour)
    return round(math.degrees(math.asin(sine)), 4)


def sun_azimuth(lat: float, lon: float, time: np.datetime64) -> float:
    """Azimuth of the sun in degrees, clockwise from north, to about 2 degrees."""
    phi, declination, hour = _sun(lat, lon, time)
    east = -math.cos(declination) * math.sin(hour)
    north = math.cos(phi) * math.sin(declination) - math.sin(phi) * math.cos(declination) * math.cos(hour)
    return round(math.degrees(math.atan2(east, north)) % 360, 4)

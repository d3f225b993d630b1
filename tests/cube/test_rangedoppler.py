"""The range-Doppler kernel against PROJ, a search for the closest approach, and sarsen."""

from __future__ import annotations

import numpy as np
import pytest
from pyproj import Transformer
from scipy.optimize import minimize_scalar

from icefront_dask.cube.rangedoppler import Locator, geocentric
from icefront_dask.cube.safe import parse_annotation


@pytest.fixture(scope="module")
def annotation(real_data):
    """The annotation of a real EW product."""
    return parse_annotation((real_data / "s1-ew-safe-metadata" / "annotation" / "ew-hh.xml").read_bytes(), "real")


@pytest.fixture(scope="module")
def points(annotation):
    """Earth-fixed places of its control points, ellipsoidal heights."""
    gcps = annotation.gcps
    return geocentric(gcps[:, 2], gcps[:, 3], gcps[:, 4])


def test_geocentric_is_that_of_proj():
    lon, lat, height = np.array([-38.2, 12.0, 179.9]), np.array([66.4, -78.3, 0.0]), np.array([812.0, -31.5, 0.0])
    expected = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True).transform(lon, lat, height)
    np.testing.assert_allclose(geocentric(lon, lat, height), np.stack(expected, axis=-1), atol=1e-6)


def test_zero_doppler_is_the_closest_approach(annotation, points):
    """A satellite is nearest where its velocity is normal to the line of sight: no derivative needed to find it."""
    locator = Locator(annotation)
    times, distances = locator.zero_doppler(points[::37])
    for point, time, distance in zip(points[::37], times, distances, strict=True):

        def away(t, point=point):
            return float(np.linalg.norm(locator._position(t) - point))

        found = minimize_scalar(away, bounds=(time - 20, time + 20), method="bounded", options={"xatol": 1e-9})
        assert distance == pytest.approx(found.fun, abs=1e-3)
        assert time == pytest.approx(found.x, abs=1e-3)  # 7 m along the orbit: the bottom of the parabola is flat


def test_times_and_ranges_are_those_of_sarsen(annotation, points):
    """sarsen fits a polynomial to the orbit, and solves by its own iteration."""
    geocoding = pytest.importorskip("sarsen.geocoding", reason="sarsen is not installed")
    xr = pytest.importorskip("xarray")
    from sarsen.orbit import OrbitPolyfitInterpolator

    start = np.datetime64("2022-11-30T01:40:00", "ns")
    when = start + (annotation.orbit_s * 1e9).astype("timedelta64[ns]")
    position = xr.DataArray(
        annotation.orbit_position_m,
        dims=("azimuth_time", "axis"),
        coords={"azimuth_time": when, "axis": [0, 1, 2]},
    )
    ground = xr.DataArray(points, dims=("point", "axis"), coords={"axis": [0, 1, 2]})
    orbit = OrbitPolyfitInterpolator.from_position(position, deg=7)
    found = geocoding.backward_geocode(ground, orbit, zero_doppler_distance=1e-5)
    times, distances = Locator(annotation).zero_doppler(points)
    seconds = (found.azimuth_time.values - start) / np.timedelta64(1, "s")
    away = np.sqrt((found.dem_distance**2).sum("axis")).values
    assert np.abs(seconds - times).max() * 7_500 < 1.0  # metres along the orbit
    assert np.abs(away - distances).max() < 0.5

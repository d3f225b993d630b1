"""Where a point of the Earth lies in a radar image: zero-Doppler time and range, over NumPy arrays.

The geometry is that of Curlander and McDonough (1991), chapter 8: a point is imaged at the time when the
satellite's velocity is normal to the line of sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicHermiteSpline

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.cube.safe import Annotation

    Floats = npt.NDArray[np.float64]

__all__ = ["Locator", "geocentric"]

_A, _F = 6_378_137.0, 1 / 298.257223563  # WGS 84
_E2 = _F * (2 - _F)
_MAX_STEPS = 12
_ENOUGH_S = 1e-8  # 0.07 mm along the orbit
_ENOUGH_M = 1e-4


def geocentric(longitude: Floats, latitude: Floats, height: npt.NDArray[Any] | float) -> Floats:
    """Return Earth-fixed coordinates on WGS 84.

    Parameters
    ----------
    longitude, latitude : ndarray
        Any shape, degrees.
    height : ndarray or float
        Above the ellipsoid, m.

    Returns
    -------
    ndarray
        The shape with a last axis of 3, m.
    """
    lon, lat = np.radians(longitude), np.radians(latitude)
    n = _A / np.sqrt(1 - _E2 * np.sin(lat) ** 2)
    across = (n + height) * np.cos(lat)
    return np.stack([across * np.cos(lon), across * np.sin(lon), (n * (1 - _E2) + height) * np.sin(lat)], axis=-1)


class Locator:
    """Line and pixel of points in one ground range image.

    Parameters
    ----------
    annotation : Annotation
        The image's.
    """

    def __init__(self, annotation: Annotation) -> None:
        self.annotation = annotation
        a = annotation
        self._position = CubicHermiteSpline(a.orbit_s, a.orbit_position_m, a.orbit_velocity_m_per_s)
        self._velocity = self._position.derivative()
        self._acceleration = self._velocity.derivative()

    def zero_doppler(self, points: Floats) -> tuple[Floats, Floats]:
        """Return when points are seen, and from how far.

        Parameters
        ----------
        points : ndarray
            Dims (point, 3): Earth-fixed, m.

        Returns
        -------
        time_s, range_m : ndarray
            Dims (point,): seconds since the first orbit state vector; NaN beyond the orbit's vectors by more than
            a second.
        """
        a = self.annotation
        times = np.full(len(points), a.first_line_s + 0.5 * a.shape[0] * a.line_interval_s)
        first, last = a.orbit_s[0], a.orbit_s[-1]
        for _ in range(_MAX_STEPS):
            position, velocity = self._position(times), self._velocity(times)
            sight = points - position
            off = np.einsum("ij,ij->i", sight, velocity)
            slope = np.einsum("ij,ij->i", sight, self._acceleration(times)) - np.einsum("ij,ij->i", velocity, velocity)
            step = off / slope
            times = np.clip(times - step, first - 2.0, last + 2.0)
            if np.abs(step).max(initial=0.0) < _ENOUGH_S:
                break
        distance = np.linalg.norm(points - self._position(times), axis=1)
        beyond = (times < first - 1.0) | (times > last + 1.0)
        times[beyond] = np.nan
        return times, distance

    def ground_range(self, times: Floats, distance: Floats) -> Floats:
        """Return ground range (m) of times (s) and slant ranges (m), by the conversion record nearest in time."""
        a = self.annotation
        middles = 0.5 * (a.conversion_s[1:] + a.conversion_s[:-1])
        record = np.searchsorted(middles, np.nan_to_num(times))
        coefficients = a.conversion_coefficients[record].T
        slopes = coefficients[1:] * np.arange(1, len(coefficients))[:, None]
        # From a ground range in the middle of the swath Newton's steps converge over all of it: slant range grows
        # monotonically and is convex.
        x = np.full(distance.shape, 0.5 * a.shape[1] * a.pixel_spacing_m)
        for _ in range(_MAX_STEPS):
            step = (_horner(coefficients, x) - distance) / _horner(slopes, x)
            x = x - step
            if np.abs(step).max(initial=0.0) < _ENOUGH_M:
                break
        return x + a.conversion_gr0_m[record]

    def __call__(self, longitude: Floats, latitude: Floats, height: npt.NDArray[Any] | float) -> tuple[Floats, Floats]:
        """Return line and pixel of points.

        Parameters
        ----------
        longitude, latitude : ndarray
            Any shape, degrees.
        height : ndarray or float
            Above the ellipsoid, m.

        Returns
        -------
        line, pixel : ndarray
            The same shape, float64, 0 at the centre of the first; NaN where the orbit does not reach or a
            coordinate is NaN.
        """
        shape = np.shape(longitude)
        points = geocentric(longitude, latitude, height).reshape(-1, 3)
        known = np.isfinite(points).all(axis=1)
        line, pixel = np.full(len(points), np.nan), np.full(len(points), np.nan)
        times, distance = self.zero_doppler(points[known])
        a = self.annotation
        line[known] = (times - a.first_line_s) / a.line_interval_s
        pixel[known] = np.where(np.isnan(times), np.nan, self.ground_range(times, distance) / a.pixel_spacing_m)
        return line.reshape(shape), pixel.reshape(shape)


def _horner(coefficients: Floats, x: Floats) -> Floats:
    """Return polynomials, dims (power, point), at points."""
    out = np.zeros_like(x)
    for row in coefficients[::-1]:
        out = out * x + row
    return out

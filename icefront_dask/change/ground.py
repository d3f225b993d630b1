"""True ground measure: what a length or an area on the map is on the ground (NumPy kernel over pyproj)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Along", "Ground"]

_STEP_M = 500.0  # the scale of a polar projection changes by less than 1e-5 along this
_MAX_ANGULAR_DISTORTION_DEG = 0.01


@lru_cache(maxsize=32)
def _proj(crs: str) -> pyproj.Proj:
    return pyproj.Proj(crs)


@lru_cache(maxsize=64)
def _equal_area(crs: str, lon: int, lat: int) -> pyproj.Transformer:
    """Return the way to the equal-area projection about a place, on the ellipsoid of `crs`."""
    ellipsoid = pyproj.CRS.from_user_input(crs).ellipsoid
    assert ellipsoid is not None
    target = pyproj.CRS.from_dict(
        {"proj": "laea", "lon_0": lon, "lat_0": lat, "a": ellipsoid.semi_major_metre, "b": ellipsoid.semi_minor_metre}
    )
    return pyproj.Transformer.from_crs(crs, target, always_xy=True)


@dataclass(frozen=True)
class Ground:
    """Local scale of a conformal projection.

    Parameters
    ----------
    crs : str, optional
        Projected CRS in metres. Without one the map itself is the ground: every scale is 1 (projected
        measure).
    """

    crs: str | None = None

    def factors(self, xy: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the point scale and the areal scale at (n, 2) map coordinates.

        Raises
        ------
        InputError
            Where the projection is not conformal, so that a length has no one scale, or not defined.
        """
        points = np.atleast_2d(np.asarray(xy, dtype=float))
        if self.crs is None:
            return np.ones(len(points)), np.ones(len(points))
        proj = _proj(self.crs)
        lon, lat = proj(points[:, 0], points[:, 1], inverse=True)
        if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
            raise InputError(
                f"coordinates lie outside the area where {self.crs} is defined; check the CRS of the fronts"
            )
        factors = proj.get_factors(lon, lat)
        if np.max(factors.angular_distortion, initial=0.0) > _MAX_ANGULAR_DISTORTION_DEG:
            raise InputError(
                f"{self.crs} is not conformal: a length has no single scale in it; "
                "use EPSG:3413, EPSG:3031 or a UTM zone"
            )
        areal = np.asarray(factors.areal_scale, dtype=float)
        return np.sqrt(areal), areal

    def point_scale(self, xy: npt.ArrayLike) -> float:
        """Return the point scale at one place: true length = length on the map / scale."""
        return float(self.factors(xy)[0][0])

    def area(self, polygon: Any) -> float:
        """Return the true area in m² of a polygon that spans at most some 100 km.

        The scale at the centroid stands for the polygon: what varies linearly cancels there.
        """
        if polygon.is_empty:
            return 0.0
        return float(polygon.area / self.factors([polygon.centroid.x, polygon.centroid.y])[1][0])

    def ring_area(self, ring: npt.NDArray[np.float64]) -> float:
        """Return the signed area in m² of a closed (n, 2) ring of any size, positive where it runs counter-clockwise.

        Where the ring crosses itself the parts count with their signs. On the ground it is that of the same ring
        in the equal-area azimuthal projection about its middle.
        """
        xy = shapely.get_coordinates(shapely.segmentize(shapely.linearrings(ring), _STEP_M))
        if self.crs is not None:
            lon, lat = _proj(self.crs)((xy[:, 0].min() + xy[:, 0].max()) / 2, xy[:, 1].mean(), inverse=True)
            xy = np.column_stack(_equal_area(self.crs, round(lon), round(lat)).transform(*xy.T))
        x, y = (xy - xy[0]).T
        return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)

    def along(self, line: Any) -> Along:
        """Return the map from arclength on a projected line to arclength on the ground."""
        dense = shapely.get_coordinates(shapely.segmentize(line, _STEP_M))
        steps = np.hypot(*np.diff(dense, axis=0).T)
        scale = self.factors((dense[1:] + dense[:-1]) / 2)[0]
        projected = np.concatenate([[0.0], np.cumsum(steps)])
        return Along(projected, np.concatenate([[0.0], np.cumsum(steps / scale)]), scale)

    def length(self, line: Any) -> float:
        """Return the true length in m of a LineString or MultiLineString."""
        return float(sum(self.along(part).true[-1] for part in shapely.get_parts(line) if not part.is_empty))


@dataclass(frozen=True)
class Along:
    """Arclength on the map and on the ground at the vertices of a densified line, point scale between them."""

    projected: npt.NDArray[np.float64]
    true: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def __call__(self, arclength: float) -> float:
        """Return the true arclength; beyond either end the scale there continues."""
        if arclength > self.projected[-1]:
            rate = (self.true[-1] - self.true[-2]) / (self.projected[-1] - self.projected[-2])
            return float(self.true[-1] + (arclength - self.projected[-1]) * rate)
        if arclength < 0:
            return float(arclength * self.true[1] / self.projected[1])
        return float(np.interp(arclength, self.projected, self.true))

    def many(self, arclengths: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the true arclengths of places on the line; NaN stays NaN."""
        return np.asarray(np.interp(arclengths, self.projected, self.true))

    def scale_at(self, arclength: float) -> float:
        """Return the point scale at an arclength on the map; beyond either end that at the end."""
        return float(np.interp(arclength, (self.projected[1:] + self.projected[:-1]) / 2, self.scale))

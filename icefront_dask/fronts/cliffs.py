"""Fronts that are the elevation model's own cliff: terrain correction leaves it as a line that never moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import shapely
from scipy import ndimage
from skimage.measure import find_contours

from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    import geopandas as gpd
    import numpy.typing as npt
    from affine import Affine

    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["cliff_lines", "flag_cliffs"]

_CLIFF_M = 15.0  # least height of an ice cliff at the sea
_ACROSS_PX = 2  # over which it falls
_SHORE_PX = 3
_LEAST_PX = 8


def cliff_lines(
    elevation_m: npt.NDArray[np.floating[Any]], transform: Affine, fjord: npt.NDArray[np.bool_] | None = None
) -> shapely.MultiLineString:
    """Return where an elevation model falls to the sea by a cliff.

    Parameters
    ----------
    elevation_m : (H, W) ndarray
        Above the geoid; NaN where it is not known, which makes no cliff.
    transform : Affine
        Of the grid.
    fjord : (H, W) bool ndarray, optional
        Cliffs elsewhere are coasts and no fronts.

    Returns
    -------
    MultiLineString
        Half way up what falls at least 15 m within 2 pixels on to the sea (below 5 m), in the grid's CRS; empty
        without such a cliff.
    """
    height = np.asarray(elevation_m, dtype=np.float64)
    known = np.isfinite(height)
    filled = np.where(known, height, 0.0)
    size = 2 * _ACROSS_PX + 1
    top = ndimage.maximum_filter(np.where(known, height, -np.inf), size)
    bottom = ndimage.minimum_filter(np.where(known, height, np.inf), size)
    steep = (top - bottom >= _CLIFF_M) & (bottom < 5.0)
    steep &= ~ndimage.binary_dilation(~known, np.ones((size, size), dtype=bool))
    if fjord is not None:
        steep &= ndimage.binary_erosion(fjord, iterations=_SHORE_PX, border_value=1)
    lines = [
        shapely.LineString(_placed(transform, line))
        for line in find_contours(filled, _CLIFF_M / 2, mask=steep)
        if len(line) >= _LEAST_PX
    ]
    return shapely.MultiLineString(lines)


def _placed(transform: Affine, line: Float) -> Float:
    x, y = line[:, 1] + 0.5, line[:, 0] + 0.5
    a, b, c, d, e, f = transform[:6]
    return np.column_stack([a * x + b * y + c, d * x + e * y + f])


def flag_cliffs(
    fronts: gpd.GeoDataFrame,
    cliffs: shapely.geometry.base.BaseGeometry,
    *,
    near_px: float = 2.0,
    least_share: float = 0.5,
    least_dates: int = 3,
) -> gpd.GeoDataFrame:
    """Send fronts that lie on the elevation model's cliff on several dates to review.

    Parameters
    ----------
    fronts : GeoDataFrame
        Fronts table of one region, in the CRS of `cliffs`.
    cliffs : geometry
        From :func:`cliff_lines`.
    near_px : float
        A point this near to a cliff lies on it, in pixels of its row.
    least_share : float
        Share of a front's points that must lie on it.
    least_dates : int
        Dates on which that is no chance: a front may well stand where it stood when the model was made, once.

    Returns
    -------
    GeoDataFrame
        A copy: accepted fronts on the cliff are ``review``, reason ``dem_cliff``. Only fronts of Sentinel-1, whose
        terrain correction uses the model, are looked at.

    Raises
    ------
    InputError
        For a table in degrees.
    """
    if fronts.crs is None or fronts.crs.is_geographic:
        raise InputError("cliffs are compared in a projected CRS; read the fronts in their working CRS")
    flagged = fronts.copy()
    if cliffs.is_empty:
        return flagged
    radar = fronts["platform"].fillna("").str.lower().str.startswith("sentinel-1").to_numpy()
    lines, sizes = fronts.geometry.to_numpy(), fronts["pixel_size_m"].to_numpy(dtype=np.float64)
    shapely.prepare(cliffs)
    on = np.array(
        [
            bool(is_radar) and line is not None and _share(line, cliffs, near_px * size) >= least_share
            for is_radar, line, size in zip(radar, lines, sizes, strict=True)
        ],
        dtype=bool,
    )
    if fronts.loc[on, "datetime"].dt.floor("D").nunique() >= least_dates:
        accepted = on & (fronts["status"] == str(Status.ACCEPTED)).to_numpy()
        flagged.loc[accepted, "status"] = str(Status.REVIEW)
        flagged.loc[accepted, "reason"] = str(Reason.DEM_CLIFF)
    return flagged


def _share(line: shapely.LineString, cliffs: Any, distance: float) -> float:
    points = shapely.points(shapely.get_coordinates(shapely.segmentize(line, max(distance, 1e-6))))
    return float((shapely.distance(points, cliffs) <= distance).mean())

"""Bias of radar fronts by orbit: found against optical fronts of the same days, and taken off.

A height error moves ground range, and terrain is not what it was when the elevation model was made: fronts of one
orbit lie seaward or inland of the true one, by the same distance on every date. AutoTerm (Zhang et al. 2023,
doi:10.5194/tc-17-3485-2023) takes the mode of the offsets from optical fronts for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.stats import gaussian_kde

from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    import numpy.typing as npt

    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["BIAS_COLUMNS", "mode", "offset", "orbit_bias", "remove_orbit_bias"]

# Column → dtype.
BIAS_COLUMNS = {
    "region": "object",
    "orbit": "object",
    "pairs": "int64",
    "bias_m": "float64",
    "sigma_m": "float64",
    "removed": "bool",
}
_NEEDED = ("region", "datetime", "platform", "relative_orbit", "orbit_direction", "status", "geometry", "length_m")
_END_SHARE = 0.02  # of a line's length at either end, which is not compared
_FARTHEST = 0.2  # lines whose median distance exceeds this share of their length are not of one front


def orbit_bias(fronts: gpd.GeoDataFrame, *, max_days: float = 1.0, min_pairs: int = 8) -> pd.DataFrame:
    """Find the bias of Sentinel-1 fronts by region and orbit.

    Parameters
    ----------
    fronts : GeoDataFrame
        Fronts table in a projected CRS, glaciers on the left of their lines. Accepted fronts are compared.
    max_days : float
        Days at most between a radar and an optical front of a pair; of several optical ones the nearest is taken.
    min_pairs : int
        Fewer say nothing: the bias is told and not to be removed.

    Returns
    -------
    DataFrame
        One row a region and orbit (``relative_orbit``, else ``orbit_direction``): ``pairs``; ``bias_m``, the mode of
        the offsets, true metres, seaward positive; ``sigma_m``, its standard error; ``removed``: whether there are
        enough pairs. Orbits without a pair are left out.

    Raises
    ------
    InputError
        For missing columns or a table in degrees.
    """
    _check(fronts)
    rows = []
    for region, group in fronts[(fronts["status"] == str(Status.ACCEPTED)) & fronts.geometry.notna()].groupby("region"):
        radar = _radar(group)
        optical = group[~radar]
        for orbit, own in group[radar].groupby(_orbit(group[radar])):
            found = _offsets(own, optical, max_days)
            if len(found):
                rows.append((str(region), str(orbit), len(found), mode(found), _error(found), len(found) >= min_pairs))
    return pd.DataFrame(rows, columns=list(BIAS_COLUMNS)).astype(BIAS_COLUMNS)


def remove_orbit_bias(
    fronts: gpd.GeoDataFrame, *, max_days: float = 1.0, min_pairs: int = 8
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Move Sentinel-1 fronts back by the bias of their orbit, where enough pairs tell it.

    Each line moves as a whole, along its mean normal; the bias's standard error goes into ``uncertainty_m`` in
    quadrature.

    Parameters
    ----------
    fronts, max_days, min_pairs
        See :func:`orbit_bias`.

    Returns
    -------
    fronts : GeoDataFrame
        A copy.
    bias : DataFrame
        From :func:`orbit_bias`: which orbits were moved, and how far.

    Raises
    ------
    InputError
        As :func:`orbit_bias`.
    """
    bias = orbit_bias(fronts, max_days=max_days, min_pairs=min_pairs)
    moved = fronts.copy()
    lines = moved.geometry.to_numpy().copy()
    sigma = moved["uncertainty_m"].to_numpy(dtype=np.float64, copy=True)
    orbits, radar = _orbit(moved).to_numpy(), _radar(moved).to_numpy()
    removed = bias[bias["removed"]]
    names = zip(removed["region"], removed["orbit"], strict=True)
    for (region, orbit), shift, error in zip(names, removed["bias_m"], removed["sigma_m"], strict=True):
        chosen = radar & (moved["region"] == region).to_numpy() & (orbits == orbit)
        for place in np.flatnonzero(chosen & moved.geometry.notna().to_numpy()):
            scale = lines[place].length / float(moved["length_m"].iloc[place])
            lines[place] = _shifted(lines[place], -float(shift) * scale)
            sigma[place] = np.hypot(sigma[place], float(error))
    moved = moved.set_geometry(gpd.GeoSeries(lines, index=moved.index, crs=moved.crs))
    moved["uncertainty_m"] = sigma
    return moved, bias


def offset(line: shapely.LineString, reference: shapely.LineString) -> float:
    """Return by how much a front lies seaward of another over their common span, in the unit of the CRS.

    The median over its vertices of the signed distance to the reference, whose right side is the sea. Vertices
    nearest to the reference's ends, and 2 % at its own ends, do not count. NaN where nothing is left.
    """
    places = shapely.get_coordinates(shapely.segmentize(line, max(line.length / 400, 1e-9)))
    along = np.linspace(0, 1, len(places))
    points = shapely.points(places[(along >= _END_SHARE) & (along <= 1 - _END_SHARE)])
    at = shapely.line_locate_point(reference, points)
    inside = (at > _END_SHARE * reference.length) & (at < (1 - _END_SHARE) * reference.length)
    if not inside.any():
        return float("nan")
    points, at = points[inside], at[inside]
    step = 1e-3 * reference.length
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(reference, at + step))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(reference, at - step))
    here = shapely.get_coordinates(shapely.line_interpolate_point(reference, at))
    tangent, away = ahead - behind, shapely.get_coordinates(points) - here
    right = away[:, 0] * tangent[:, 1] - away[:, 1] * tangent[:, 0]
    return float(np.median(np.sign(right) * np.hypot(away[:, 0], away[:, 1])))


def mode(values: Float) -> float:
    """Return the most likely value: where a Gaussian kernel density (Scott's width) is largest."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 3 or np.ptp(values) == 0:
        return float(np.median(values))
    grid = np.linspace(values.min(), values.max(), 1001)
    return float(grid[gaussian_kde(values)(grid).argmax()])


def _error(values: Float) -> float:
    """Return the standard error of a middle of values with outliers, by their median absolute deviation."""
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    return 1.2533 * spread / float(np.sqrt(len(values)))


def _offsets(radar: gpd.GeoDataFrame, optical: gpd.GeoDataFrame, max_days: float) -> Float:
    found = []
    times = optical["datetime"].to_numpy(dtype="datetime64[us]")
    for row in radar.itertuples():
        days = np.abs(times - np.datetime64(row.datetime.tz_convert(None), "us")) / np.timedelta64(1, "D")
        if not len(days) or days.min() > max_days:
            continue
        other = optical.iloc[int(days.argmin())]
        value = offset(row.geometry, other.geometry)
        if np.isfinite(value) and abs(value) <= _FARTHEST * other.geometry.length:
            found.append(value * row.length_m / row.geometry.length)
    return np.asarray(found, dtype=np.float64)


def _shifted(line: shapely.LineString, seaward: float) -> shapely.LineString:
    xy = shapely.get_coordinates(line)
    chord = xy[-1] - xy[0]
    size = float(np.hypot(*chord))
    if size == 0:
        return line
    return shapely.LineString(xy + seaward * np.array([chord[1], -chord[0]]) / size)


def _radar(fronts: gpd.GeoDataFrame) -> pd.Series[bool]:
    return fronts["platform"].fillna("").str.lower().str.startswith("sentinel-1")


def _orbit(fronts: gpd.GeoDataFrame) -> pd.Series[Any]:
    """Return the relative orbit as text, else the direction, else nothing."""
    number = fronts["relative_orbit"].astype("Int32").astype("string")
    return number.astype("object").fillna(fronts["orbit_direction"]).fillna("")


def _check(fronts: gpd.GeoDataFrame) -> None:
    if lacking := [name for name in (*_NEEDED, "uncertainty_m") if name not in fronts.columns]:
        raise InputError(f"the fronts table lacks the column {', '.join(lacking)}")
    crs: Any = fronts.crs
    if crs is None or crs.is_geographic:
        raise InputError("orbit bias is measured in a projected CRS; read the fronts in their working CRS")

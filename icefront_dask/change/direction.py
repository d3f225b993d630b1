"""Which way is the sea, where nobody says so: from the fronts' own record and from where the ice sheet lies.

Three kinds of evidence vote. A front retreats in steps (calving) and advances no faster than ice flows, so
its changes are skewed to the landward side. It retreats in the melt season more than in the rest of the
year. And an outlet of Greenland or Antarctica flows away from the ice sheet's interior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely

from icefront_dask.change.boxes import box_corners, check_box, rectilinear_box
from icefront_dask.change.positions import box_position

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd
    from shapely.geometry import Polygon

    from icefront_dask.change.boxes import FlowBox

__all__ = ["Evidence", "box_by_evidence", "interior_vote", "record_votes"]

_MAX_PAIR_DAYS = 36.0
_MIN_PAIRS = 20
_DECISIVE = 2.0  # standard errors
_MIN_COSINE = 0.5
_MAX_FRONTS = 400  # more fronts do not change a vote
# lon, lat of sites on the ice divide of Greenland (ice cores and weather stations), north to south
_DIVIDE = (
    (-56.83, 78.53),
    (-51.06, 77.45),
    (-42.32, 75.10),
    (-38.46, 72.58),
    (-44.50, 66.00),
    (-44.82, 63.15),
)


@dataclass(frozen=True)
class Evidence:
    """Votes for a supposed seaward direction: +1 for, −1 against, 0 undecided."""

    steps: int
    season: int
    interior: int

    @property
    def total(self) -> int:
        """Sum of the votes."""
        return self.steps + self.season + self.interior


def record_votes(days: npt.NDArray[np.float64], along: npt.NDArray[np.float64], *, north: bool) -> tuple[int, int]:
    """Return the votes of steps and season for positions `along` a supposed seaward axis.

    Parameters
    ----------
    days : ndarray
        (n,) float64, sorted days since 1970-01-01.
    along : ndarray
        (n,) float64, finite.
    north : bool
        Whether the place lies in the northern hemisphere: which months are the melt season.
    """
    step, change = np.diff(days), np.diff(along)
    near = (step > 0) & (step <= _MAX_PAIR_DAYS)
    step, change, middle = step[near], change[near], ((days[1:] + days[:-1]) / 2)[near]
    if len(change) < _MIN_PAIRS or np.ptp(change) == 0:
        return 0, 0
    spread = change - change.mean()
    skewness = float(np.mean(spread**3) / np.mean(spread**2) ** 1.5)
    steps = -int(np.sign(skewness)) if abs(skewness) > _DECISIVE * np.sqrt(6 / len(change)) else 0
    phase = (middle / 365.25 - (0.0 if north else 0.5)) % 1
    melt = (phase > 0.45) & (phase < 0.78)
    if min(melt.sum(), (~melt).sum()) < 5:
        return steps, 0
    rates, errors = [], []
    for pick in (melt, ~melt):
        rate = change[pick].sum() / step[pick].sum()
        rates.append(rate)
        errors.append(np.sqrt(np.sum((change[pick] - rate * step[pick]) ** 2)) / step[pick].sum())
    score = (rates[1] - rates[0]) / max(float(np.hypot(*errors)), 1e-12)
    return steps, int(np.sign(score)) if abs(score) > _DECISIVE else 0


def interior_vote(x: float, y: float, seaward: npt.NDArray[np.float64], crs: str) -> int:
    """Return +1 if a direction at (x, y) leads away from the ice sheet's interior, −1 if towards it.

    0 where neither ice sheet is near, or the direction runs along its margin.
    """
    to_lonlat = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(x, y)
    if 59 < lat < 84 and -74 < lon < -9 and not (lat < 68 and lon > -30) and not (lat > 78.5 and lon < -66):
        lons, lats = np.array(_DIVIDE).T
        sites = np.column_stack(to_lonlat.transform(lons, lats, direction="INVERSE"))
        divide = shapely.LineString(sites)
        inland = shapely.get_coordinates(divide.interpolate(divide.project(shapely.Point(x, y))))[0] - (x, y)
    elif lat < -60 and not (-80 < lon < -55 and lat > -75):
        ahead = np.array(to_lonlat.transform(lon, lat - 0.1, direction="INVERSE"))
        inland = ahead - (x, y)
    else:
        return 0
    cosine = float(-(inland @ seaward) / (np.hypot(*inland) * np.hypot(*seaward)))
    return int(np.sign(cosine)) if abs(cosine) > _MIN_COSINE else 0


def box_by_evidence(
    polygon: Polygon, geometry: npt.NDArray[np.object_], times: pd.Series, crs: str
) -> tuple[FlowBox, Evidence]:
    """Lay a rectilinear box with the sea where the evidence puts it; a total of 0 says nothing.

    Parameters
    ----------
    polygon : Polygon
        The box.
    geometry : ndarray
        (n,) lines or None, sorted by time.
    times : Series
        (n,) datetime64[us, UTC].
    crs : str
        CRS of both.

    Raises
    ------
    InputError
        For a bad box.
    """
    polygon = check_box(polygon)
    present = np.flatnonzero([g is not None for g in geometry])
    if len(present) > _MAX_FRONTS:
        present = present[np.linspace(0, len(present) - 1, _MAX_FRONTS).astype(int)]
    lines = geometry[present]
    seaward = _across_the_cut_edges(polygon, lines)
    box = rectilinear_box(polygon, seaward=(float(seaward[0]), float(seaward[1])))
    along = np.array([box_position(line, box).along for line in lines], dtype=float)
    days = times.to_numpy(dtype="datetime64[us]")[present].astype("int64") / 86_400e6
    known = np.isfinite(along)
    centre = polygon.centroid
    north = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(centre.x, centre.y)[1] > 0
    steps, season = record_votes(days[known], along[known], north=north)
    evidence = Evidence(steps, season, interior_vote(centre.x, centre.y, seaward, crs))
    if evidence.total < 0:
        box = rectilinear_box(polygon, seaward=(float(-seaward[0]), float(-seaward[1])))
        evidence = Evidence(-evidence.steps, -evidence.season, -evidence.interior)
    return box, evidence


def _across_the_cut_edges(polygon: Polygon, lines: Any) -> npt.NDArray[np.float64]:
    """Return a direction along flow, of either sense: fronts cut the sides of a box, not its ends."""
    corners = box_corners(polygon)
    after = np.roll(corners, -1, axis=0)
    edges = shapely.linestrings(np.stack([corners, after], axis=1))
    cuts = np.array([int(np.sum(shapely.intersects(edge, lines))) for edge in edges])
    middles = (corners + after) / 2
    first = int(cuts[0] + cuts[2] > cuts[1] + cuts[3])  # edges 0 and 2 are the sides: flow runs from edge 1 to 3
    return np.asarray(middles[first + 2] - middles[first])

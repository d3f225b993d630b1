"""AutoTerm's screens: fronts whose shape or change does not fit the rest of their series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from icefront_dask.change.differences import with_changes
from icefront_dask.change.inputs import prepare_fronts
from icefront_dask.change.reasons import SeriesReason, add_reason
from icefront_dask.config import section
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from icefront_dask.regions import Region

__all__ = ["autoterm_screens", "changes_undone", "roughness"]

_FEWEST = 8  # fronts below which quartiles say nothing
_STEP_PX = 3.0


def autoterm_screens(
    series: pd.DataFrame, fronts: Any, region: Region | None = None, *, date_column: str | None = None
) -> pd.DataFrame:
    """Send fronts to review by AutoTerm's screens, each with its reason.

    ``rough_line``: smoothness beyond Q3 + 2 IQR; ``odd_length``: length outside Q1 − 1.5 IQR … Q3 + 1.5 IQR;
    ``area_change_undone``: a change of area beyond Q3 + 2 IQR that is followed by one as large the other way
    within 5 observations (10 for radar); ``same_day``: of several fronts of a day all but the best known one.
    AutoTerm drops such fronts; here they go to review.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series` of `fronts`. Only its accepted rows are looked at.
    fronts, region, date_column
        As they were given to :func:`front_series`.

    Returns
    -------
    DataFrame
        A copy with changed ``status`` and ``reason``, and ``change_m`` since the row before that is still accepted.

    References
    ----------
    Zhang et al. (2023), The Cryosphere 17, 3485.
    """
    settings = section("change")
    dated = prepare_fronts(fronts, region, date_column=date_column)
    shapes = _shape_flags(dated.geometry, dated.table, float(settings["pixel_size_m"]))
    series = series.copy()
    flags: dict[Any, list[SeriesReason]] = {}
    accepted = series[(series["status"] == Status.ACCEPTED) & series["position_m"].notna()]
    for index, scene in accepted["scene_id"].items():
        flags[index] = list(shapes.get(scene, ()))
    for _, group in accepted.groupby(["region", "method", "flowline"], sort=False):
        ordered = group.sort_values(["datetime", "scene_id"], kind="stable")
        radar = ordered["sensor"].str.contains("S1|Sentinel-1|SAR", case=False, regex=True).mean() > 0.5
        undone = changes_undone(ordered["position_m"].to_numpy(), within=10 if radar else 5)
        for index in ordered.index[undone]:
            flags[index].append(SeriesReason.AREA_CHANGE_UNDONE)
        best = ordered.sort_values(["position_sigma_m", "covered_share"], ascending=[True, False], kind="stable")
        for index in best.index[best["datetime"].dt.floor("D").duplicated()]:
            flags[index].append(SeriesReason.SAME_DAY)
    for index, reasons in flags.items():
        if reasons:
            series.loc[index, "status"] = str(Status.REVIEW)
            series.loc[index, "reason"] = add_reason(str(series.loc[index, "reason"]), *reasons)
    return with_changes(series)


def roughness(line: Any, step: float) -> float:
    """Return the mean turn of a line in radians between pieces `step` metres long; 0 for a straight line."""
    turns = []
    for part in shapely.get_parts(line):
        count = int(part.length // step)
        if count < 2:
            continue
        xy = shapely.get_coordinates(shapely.line_interpolate_point(part, np.linspace(0, part.length, count + 1)))
        direction = np.arctan2(*np.diff(xy, axis=0).T[::-1])
        turns.append(np.abs((np.diff(direction) + np.pi) % (2 * np.pi) - np.pi))
    return float(np.concatenate(turns).mean()) if turns else 0.0


def changes_undone(position: npt.NDArray[np.float64], *, within: int) -> npt.NDArray[np.bool_]:
    """Return which positions follow a change beyond Q3 + 2 IQR of all that is undone `within` the next ones.

    All positions between both changes are marked.
    """
    out = np.zeros(len(position), dtype=bool)
    change = np.diff(position)
    if len(change) < _FEWEST:
        return out
    low, high = np.quantile(np.abs(change), [0.25, 0.75])
    limit = high + 2 * (high - low)
    for k in np.flatnonzero(np.abs(change) > limit):
        later = change[k + 1 : k + 1 + within]
        back = np.flatnonzero((np.sign(later) == -np.sign(change[k])) & (np.abs(later) > limit))
        if len(back) and not out[k]:
            out[k + 1 : k + 2 + int(back[0])] = True
    return out


def _shape_flags(geometry: npt.NDArray[np.object_], table: pd.DataFrame, pixel: float) -> dict[str, list[SeriesReason]]:
    good = np.array([g is not None for g in geometry], dtype=bool) & (table["status"] == Status.ACCEPTED).to_numpy()
    if good.sum() < _FEWEST:
        return {}
    lines, scenes = geometry[good], table["scene_id"].to_numpy()[good]
    step = _STEP_PX * table["pixel_size_m"].fillna(pixel).to_numpy()[good]
    rough = np.array([roughness(line, s) for line, s in zip(lines, step, strict=True)])
    length = shapely.length(lines)
    q1, q3 = np.quantile(rough, [0.25, 0.75])
    l1, l3 = np.quantile(length, [0.25, 0.75])
    out: dict[str, list[SeriesReason]] = {}
    odd = (length < l1 - 1.5 * (l3 - l1)) | (length > l3 + 1.5 * (l3 - l1))
    for mask, reason in ((rough > q3 + 2 * (q3 - q1), SeriesReason.ROUGH_LINE), (odd, SeriesReason.ODD_LENGTH)):
        for scene in scenes[mask]:
            out.setdefault(scene, []).append(reason)
    return out

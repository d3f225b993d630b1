"""What a person has said about fronts for review: kept in a file, and found again after a reprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from icefront_dask.change.differences import with_changes
from icefront_dask.change.reasons import SeriesReason, add_reason
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["VERDICT_COLUMNS", "apply_verdicts", "judge_series", "read_verdicts"]

VERDICT_COLUMNS = ("region", "scene_id", "front_id", "verdict", "line", "note")
_STATUS = {"accept": str(Status.ACCEPTED), "reject": str(Status.REJECTED)}
_STANDING = (Status.ACCEPTED, Status.REVIEW)


def read_verdicts(path: Path) -> pd.DataFrame:
    """Read a file of verdicts, as the page of ``icefront review`` saves it.

    Parameters
    ----------
    path : Path
        CSV with region, scene_id, front_id, verdict (accept or reject; rows without one are left out), line
        (WKT in the region's CRS, what was judged) and note.

    Raises
    ------
    InputError
        If it is not there or no such table, has another verdict, or two different ones for one front.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable CSV file of verdicts: {error}") from error
    if missing := [name for name in VERDICT_COLUMNS[:5] if name not in table]:
        raise InputError(f"{path} lacks the column {', '.join(missing)}; save it from the page of `icefront review`")
    table = table[table["verdict"] != ""]
    if unknown := sorted(set(table["verdict"]) - set(_STATUS)):
        raise InputError(f"{path}: a verdict is accept or reject, not {', '.join(unknown)}")
    try:
        line = shapely.from_wkt(table["line"].to_numpy(dtype=object))
    except shapely.errors.GEOSException as error:
        raise InputError(f"{path}: a line is not WKT: {error}") from error
    table = table.assign(line=line, front_id=pd.to_numeric(table["front_id"], errors="coerce").fillna(0).astype(int))
    one = table.drop_duplicates(["region", "scene_id", "front_id", "verdict"], keep="last")
    twice = one[one.duplicated(["region", "scene_id", "front_id"])]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(f"{path}: scene {row['scene_id']} of region {row['region']} has two verdicts; keep one")
    return one.reset_index(drop=True)


def apply_verdicts(fronts: Any, verdicts: pd.DataFrame, *, tolerance_px: float = 3.0) -> tuple[Any, pd.DataFrame]:
    """Return fronts with the verdicts on them, and what became of each verdict.

    A verdict is about a line. It holds for the line of the same scene whose mean distance from the judged one
    is at most `tolerance_px`, also after a reprocessing that numbered fronts anew or moved them a little; a
    line elsewhere is new and is not judged.

    Parameters
    ----------
    fronts : GeoDataFrame
        The fronts table, in the CRS in which it was judged.
    verdicts : DataFrame
        From :func:`read_verdicts`.
    tolerance_px : float
        Pixels of each front.

    Returns
    -------
    (GeoDataFrame, DataFrame)
        Fronts with ``status`` accepted (``reason`` emptied) or rejected; the verdicts with the columns
        ``outcome`` (applied, line_changed or no_such_scene), ``moved_m`` (mean distance of the judged line from
        the nearest of its scene, in units of the CRS, NaN where that has none) and ``others_stand`` (whether the
        scene has another line that is not rejected).
    """
    fronts = fronts.copy()
    outcomes, moved = [], []
    keys = list(zip(fronts["region"], fronts["scene_id"], strict=True))
    rows_of: dict[tuple[str, str], list[int]] = {}
    for place, key in enumerate(keys):
        rows_of.setdefault(key, []).append(place)
    status, reason = (fronts.columns.get_loc(name) for name in ("status", "reason"))
    geometry = fronts.geometry.to_numpy()
    pixel = fronts["pixel_size_m"].fillna(30.0).to_numpy(dtype=float)
    for verdict in verdicts.to_dict("records"):
        places = rows_of.get((verdict["region"], verdict["scene_id"]), [])
        lines = [k for k in places if geometry[k] is not None]
        near = [(_mean_distance(geometry[k], verdict["line"]), k) for k in lines]
        best = min(near, default=(np.inf, -1))
        moved.append(best[0] if lines else np.nan)
        if not places:
            outcomes.append("no_such_scene")
            continue
        if best[0] > tolerance_px * (pixel[best[1]] if lines else 0.0):
            outcomes.append("line_changed")
            continue
        fronts.iloc[best[1], status] = _STATUS[verdict["verdict"]]
        if verdict["verdict"] == "accept":
            fronts.iloc[best[1], reason] = ""
        outcomes.append("applied")
    standing = {key for key, word in zip(keys, fronts["status"], strict=True) if word in _STANDING}
    judged = zip(verdicts["region"], verdicts["scene_id"], strict=True)
    return fronts, verdicts.assign(
        outcome=pd.Series(outcomes, dtype=object),
        moved_m=np.array(moved, dtype=float),
        others_stand=np.array([key in standing for key in judged], dtype=bool),
    )


def judge_series(series: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return a series in which what a person said goes before what the checks said.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series` of fronts with the verdicts on them.
    verdicts : DataFrame
        From :func:`apply_verdicts`; only those that were applied count.

    Returns
    -------
    DataFrame
        Rows of judged scenes that have a position are accepted or rejected, with the reason ``by_hand``. Of a
        scene with several lines one that is rejected does not reject the others. ``change_m`` is made anew.
    """
    said: dict[tuple[str, str], str] = {}
    for row in verdicts[verdicts["outcome"] == "applied"].to_dict("records"):
        if row["verdict"] == "accept" or not row["others_stand"]:
            said[row["region"], row["scene_id"]] = _STATUS[row["verdict"]]
    series = series.copy()
    for index, key in zip(series.index, zip(series["region"], series["scene_id"], strict=True), strict=True):
        if key in said and pd.notna(series.loc[index, "position_m"]):
            series.loc[index, "status"] = said[key]
            series.loc[index, "reason"] = add_reason(str(series.loc[index, "reason"]), SeriesReason.BY_HAND)
    return with_changes(series)


def _mean_distance(a: Any, b: Any) -> float:
    """Return the mean of both mean distances of one line's points from the other."""
    means = []
    for line, other in ((a, b), (b, a)):
        points = shapely.points(shapely.get_coordinates(shapely.segmentize(line, max(line.length / 200, 1.0))))
        means.append(float(np.mean(shapely.distance(points, other))))
    return sum(means) / 2

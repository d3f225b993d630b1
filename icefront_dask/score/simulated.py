"""Fronts of a run against the truth of a simulated archive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score.distances import line_pixels, mean_distance

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["WRONG_PX", "demo_scores", "match_scenes"]

WRONG_PX = 5.0  # an accepted front further than this from the truth, on average, is wrong
_RANK = {"accepted": 0, "review": 1, "rejected": 2, "no_front": 3, "failed": 4}


def demo_scores(
    fronts: gpd.GeoDataFrame,
    truth: gpd.GeoDataFrame,
    series: pd.DataFrame | None = None,
    *,
    method: str = "centreline",
) -> dict[str, float | int]:
    """Return how the fronts of a run compare with the true ones.

    The distance of a scene is CALFIN's symmetric mean distance between its traced line and the true one, both
    whole: neither is trimmed to the span that they share, so an end that is missing or runs on counts.
    Several fronts of one scene are one line, made of those with the scene's best status.

    Parameters
    ----------
    fronts : GeoDataFrame
        ``region``, ``scene_id``, ``item_ids``, ``status``, ``geometry``, ``crs`` and ``pixel_size_m``, one
        row a front, in degrees or in the CRS that ``crs`` names; the distances are measured on pixels of
        ``pixel_size_m`` in that CRS.
    truth : GeoDataFrame
        ``item_id``, ``region``, ``usable``, ``geometry``, ``crs`` and ``position_m`` of every simulated
        scene.
    series : DataFrame, optional
        Positions of the run: ``region``, ``scene_id``, ``method``, ``position_m``; with a column ``flowline``
        those on flowline 0, the central one.
    method : str, default "centreline"
        The method whose positions are compared: ``position_m`` of the truth is the distance along the central
        flowline from its inland end.

    Returns
    -------
    dict
        ``scenes`` of the truth; ``usable`` ones; ``fronts``, ``review`` and ``rejected``: scenes by their
        best status; ``accepted_share``: of the usable scenes; ``mean_distance_px`` over accepted scenes,
        ``mean_distance_all_px`` over all traced ones; ``wrong_share``: accepted ones further than 5 px;
        ``position_rmse_m`` over accepted scenes. NaN where there is nothing to measure.

    Raises
    ------
    InputError
        Where a table lacks a column, or no scene of the run is in the truth.
    """
    scenes = match_scenes(fronts, truth)
    accepted, traced = scenes["status"] == "accepted", scenes["distance_px"].notna()
    distances = scenes.loc[accepted, "distance_px"]
    usable = scenes["usable"].astype(bool)
    return {
        "scenes": len(scenes),
        "usable": int(usable.sum()),
        "fronts": int(accepted.sum()),
        "review": int((scenes["status"] == "review").sum()),
        "rejected": int((scenes["status"] == "rejected").sum()),
        "accepted_share": float(accepted[usable].mean()),
        "mean_distance_px": float(distances.mean()),
        "mean_distance_all_px": float(scenes.loc[traced, "distance_px"].mean()),
        "wrong_share": float((distances > WRONG_PX).mean()) if len(distances) else float("nan"),
        "position_rmse_m": _position_rmse(scenes[accepted], series, method),
    }


def match_scenes(fronts: gpd.GeoDataFrame, truth: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return one row a true scene: what the run made of it and how far off it is.

    Parameters
    ----------
    fronts, truth : GeoDataFrame
        See :func:`demo_scores`.

    Returns
    -------
    DataFrame
        Columns ``item_id``, ``region``, ``usable``, ``position_m`` (true), ``scene_id``, ``status`` (the best
        of the scene's fronts; ``left_out`` where the run has no row for it) and ``distance_px`` (NaN without
        a line).
    """
    for name, frame, wanted in (
        ("fronts", fronts, ("region", "scene_id", "item_ids", "status", "geometry", "crs", "pixel_size_m")),
        ("truth", truth, ("item_id", "region", "usable", "geometry", "crs", "position_m")),
    ):
        if lacking := [column for column in wanted if column not in frame.columns]:
            raise InputError(f"the table of {name} lacks {', '.join(lacking)}")
    fronts, truth = _in_working_crs(fronts), _in_working_crs(truth)
    by_item: dict[tuple[str, str], list[int]] = {}
    for row, (region, items) in enumerate(zip(fronts["region"], fronts["item_ids"], strict=True)):
        for item in items:
            by_item.setdefault((region, item), []).append(row)
    if len(fronts) and not any((r, i) in by_item for r, i in zip(truth["region"], truth["item_id"], strict=True)):
        raise InputError("no scene of the run is in the truth: they belong to different archives")
    return pd.DataFrame(
        [
            _match(true, fronts.iloc[by_item.get((true.region, true.item_id), [])])
            for true in truth.itertuples(index=False)
        ]
    )


def _in_working_crs(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return a table in degrees with each row's geometry in the CRS that its column ``crs`` names."""
    if frame.crs is None or not frame.crs.is_geographic or frame.empty:
        return frame
    lines = np.empty(len(frame), dtype=object)
    for crs in frame["crs"].unique():
        rows = (frame["crs"] == crs).to_numpy()
        lines[rows] = frame.geometry[rows].to_crs(crs).to_numpy()
    plain = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    return gpd.GeoDataFrame(plain, geometry=list(lines), crs=None)


def _match(true: Any, rows: gpd.GeoDataFrame) -> dict[str, Any]:
    found = {
        "item_id": true.item_id,
        "region": true.region,
        "usable": bool(true.usable),
        "position_m": float(true.position_m),
        "scene_id": None,
        "status": "left_out",
        "distance_px": float("nan"),
    }
    if not len(rows):
        return found
    status = min(rows["status"], key=lambda name: _RANK[str(name)])
    best = rows[rows["status"] == status]
    found |= {"scene_id": best["scene_id"].iloc[0], "status": str(status)}
    lines = [line for line in best.geometry if line is not None and not line.is_empty]
    if lines and true.geometry is not None:
        size = float(best["pixel_size_m"].iloc[0])
        if str(best["crs"].iloc[0]) != str(true.crs):
            raise InputError(f"{true.region}: fronts in {best['crs'].iloc[0]}, truth in {true.crs}")
        line = shapely.union_all(lines) if len(lines) > 1 else lines[0]
        found["distance_px"] = _distance(line, true.geometry, size)
    return found


def _distance(line: BaseGeometry, true: BaseGeometry, size: float) -> float:
    grids = [line_pixels(shapely.transform(g, lambda xy: xy / [size, -size])) for g in (line, true)]
    return mean_distance(*grids)


def _position_rmse(scenes: pd.DataFrame, series: pd.DataFrame | None, method: str) -> float:
    if series is None:
        return float("nan")
    one = series[(series["method"] == method) & series["position_m"].notna()]
    if "flowline" in one.columns:  # a region's first flowline is its central one
        one = one[one["flowline"].isna() | (one["flowline"].astype(str) == "0")]
    joined = scenes.merge(one[["region", "scene_id", "position_m"]], on=["region", "scene_id"], suffixes=("", "_run"))
    errors = (joined["position_m_run"] - joined["position_m"]).dropna()
    return math.sqrt(float(np.mean(np.square(errors)))) if len(errors) else float("nan")

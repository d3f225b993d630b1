"""Positions of two products along one flowline compared, where the other product has no lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

__all__ = ["compare_positions"]


def compare_positions(
    series: pd.DataFrame, reference: pd.DataFrame, *, max_days: float = 3.0, seaward: bool = True
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Compare positions of one method and flowline with another product's, as MaQiT's tables hold them.

    Both count from places of their own along the flowline, so that the median difference is taken off: what
    remains is how their changes differ.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series`, of one region, method and flowline.
    reference : DataFrame
        From :func:`read_reference`: datetime and position_m.
    max_days : float
        Largest difference in time of a pair.
    seaward : bool
        Whether the reference's positions grow seaward, as ours do.

    Returns
    -------
    (DataFrame, dict)
        Pairs (datetime, reference_datetime, days, difference_m with the median taken off) and a summary:
        n_pairs, offset_m (what was taken off), median_m, p95_m (of the size), rmse_m.

    Raises
    ------
    InputError
        For several methods or flowlines, no position column, or fewer than 2 pairs.
    """
    key = ["region", "method", "flowline"]
    if len(series.drop_duplicates(key)) != 1:
        raise InputError("positions are compared for one region, method and flowline; select its rows")
    if "position_m" not in reference:
        raise InputError("the reference has neither lines nor positions; its schema needs position_m")
    mine = series[(series["status"] == Status.ACCEPTED) & series["position_m"].notna()]
    theirs = reference.dropna(subset=["position_m", "datetime"]).sort_values("datetime")
    pairs = pd.merge_asof(
        mine[["datetime", "scene_id", "position_m"]].sort_values("datetime"),
        theirs[["datetime", "position_m"]].rename(columns={"datetime": "reference_datetime", "position_m": "other"}),
        left_on="datetime", right_on="reference_datetime", direction="nearest",
        tolerance=pd.Timedelta(days=max_days),
    ).dropna(subset=["other"])  # fmt: skip
    if len(pairs) < 2:
        raise InputError(f"{len(pairs)} positions have a reference within {max_days:g} days; two are needed")
    difference = pairs["position_m"].to_numpy() - (1 if seaward else -1) * pairs["other"].to_numpy(dtype=float)
    offset = float(np.median(difference))
    out = pairs[["datetime", "reference_datetime", "scene_id"]].assign(
        days=(pairs["datetime"] - pairs["reference_datetime"]).dt.total_seconds() / 86_400,
        difference_m=difference - offset,
    )
    size = np.abs(difference - offset)
    return out.reset_index(drop=True), {
        "n_pairs": len(out),
        "offset_m": offset,
        "median_m": float(np.median(size)),
        "p95_m": float(np.quantile(size, 0.95)),
        "rmse_m": float(np.sqrt(np.mean(size**2))),
    }

"""How far a front has moved since the accepted one before it: column ``change_m`` of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.change.reasons import SeriesReason, add_reason, without_reason
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["with_changes"]


def with_changes(series: pd.DataFrame) -> pd.DataFrame:
    """Return a series with ``change_m`` made anew from the rows that are accepted now.

    It is the change since the accepted rows of the moment before, or the mean of several. The first rows have none,
    and the reason ``first_date``.
    """
    series = series.assign(
        change_m=np.nan, reason=[without_reason(str(text), SeriesReason.FIRST_DATE) for text in series["reason"]]
    )
    accepted = series[series["status"] == Status.ACCEPTED]
    for _, group in accepted.groupby(["region", "method", "flowline"], sort=False):
        main = group
        if "crossing" in group:
            main = group[group["crossing"] == group.groupby(["datetime", "scene_id"])["crossing"].transform("max")]
        moments = main.groupby("datetime")["position_m"].mean()
        before = moments.shift(1).reindex(group["datetime"]).to_numpy()
        series.loc[group.index, "change_m"] = group["position_m"].to_numpy() - before
        first = group.index[np.isnan(before)]
        series.loc[first, "reason"] = [add_reason(r, SeriesReason.FIRST_DATE) for r in series.loc[first, "reason"]]
    return series

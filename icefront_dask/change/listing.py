"""Tables beside the statistics: changes between fixed epochs, calving events, relative length change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from icefront_dask.change.events import retreats
from icefront_dask.change.quantities import daily_positions
from icefront_dask.change.statistics import GROUP
from icefront_dask.config import section
from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["calving_events", "epoch_changes", "relative_length_change"]

_EPOCH_COLUMNS = [
    *GROUP, "from", "to", "change_m", "change_low_m", "change_high_m", "n_from", "n_to", "same_season", "reason",
]  # fmt: skip
_EVENT_COLUMNS = [*GROUP, "from", "to", "days", "over_gap", "change_m", "change_low_m", "change_high_m"]


def epoch_changes(series: pd.DataFrame, epochs: Sequence[Any]) -> pd.DataFrame:
    """Return the change between each two successive epochs.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series`.
    epochs : sequence of datetime-like
        At least two dates, such as ``["1985-08-15", "2000-08-15", "2020-08-15"]``. The position at an epoch is
        the mean of accepted fronts within 30 days of it, weighted by their variances.

    Returns
    -------
    DataFrame
        One row a (region, method, flowline, pair of epochs): from, to, change_m with its 95 % interval
        (negative for a retreat), n_from and n_to fronts, same_season (the epochs' days of the year differ by
        at most 30), reason (why there is no value).

    Raises
    ------
    InputError
        For fewer than two epochs, or what is no date.
    """
    settings = section("change")
    try:
        times = pd.DatetimeIndex(pd.to_datetime(list(epochs), utc=True)).sort_values()
    except (ValueError, TypeError) as error:
        raise InputError(f"the epochs are not dates: {error}") from error
    if len(times) < 2:
        raise InputError(f"a change needs two epochs, not {len(times)}")
    window = pd.Timedelta(days=settings["same_season_days"])
    z = float(norm.ppf(0.5 + settings["level"] / 2))
    rows = []
    for names, group in series.groupby(GROUP, sort=True):
        days = daily_positions(group)
        found = [_at(days, time, window) for time in times]
        for (t0, (p0, s0, n0)), (t1, (p1, s1, n1)) in zip(
            zip(times[:-1], found[:-1], strict=True), zip(times[1:], found[1:], strict=True), strict=True
        ):
            change, reach = p1 - p0, z * float(np.hypot(s0, s1))
            lacking = [f"{t:%Y-%m-%d}" for t, n in ((t0, n0), (t1, n1)) if not n]
            reason = f"no accepted front within {window.days} days of {' and '.join(lacking)}" if lacking else ""
            apart = (t1 - t0).days % 365.25
            same = min(apart, 365.25 - apart) <= window.days
            rows.append([*names, t0, t1, change, change - reach, change + reach, n0, n1, same, reason])
    return pd.DataFrame(rows, columns=_EPOCH_COLUMNS)


def calving_events(series: pd.DataFrame) -> pd.DataFrame:
    """List the calving events of a series.

    A calving event is a retreat between successive accepted fronts that is larger than their errors account
    for (all pairs tested together), larger than 100 m, and has not been undone by the next front.

    Returns
    -------
    DataFrame
        Columns region, method, flowline, from, to (the dates of both fronts), days between them, over_gap
        (more than 36 days: several events may be one), change_m (negative) with its 95 % interval.
    """
    settings = section("change")
    rows = []
    for names, group in series.groupby(GROUP, sort=True):
        days = daily_positions(group)
        t, times = days["day"].to_numpy(), days["datetime"]
        for event in retreats(t, days["position_m"].to_numpy(), days["position_sigma_m"].to_numpy(), settings):
            apart = float(t[event.last] - t[event.first])
            dates = times[event.first], times[event.last]
            sizes = event.change_m, event.low_m, event.high_m
            rows.append([*names, *dates, apart, apart > settings["event_days"], *sizes])
    return pd.DataFrame(rows, columns=_EVENT_COLUMNS)


def relative_length_change(series: pd.DataFrame) -> pd.DataFrame:
    """Return CALFIN's relative length change of each flowline: −Δposition / 1000 since the first common date.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series` by the method ``centreline``, of regions with one or more flowlines each (the
        branches of CALFIN's centreline).

    Returns
    -------
    DataFrame
        Columns region, datetime, flowline, relative_length_change_km (positive for a retreat), zero at the first date
        on which all flowlines of the region have an accepted position. Earlier dates have values, too.

    Raises
    ------
    InputError
        If there is no centreline row, or no date that all flowlines of a region share.

    References
    ----------
    Cheng et al. (2021), The Cryosphere 15, 1663.
    """
    rows = series[(series["method"] == "centreline") & (series["status"] == "accepted") & series["position_m"].notna()]
    if rows.empty:
        raise InputError("relative length change needs accepted positions by the method centreline")
    parts = []
    for name, group in rows.groupby("region", sort=True):
        wide = group.pivot_table(index="datetime", columns="flowline", values="position_m", aggfunc="max")
        common = wide.dropna()
        if common.empty:
            raise InputError(
                f"no date has an accepted position on all {wide.shape[1]} flowlines of region {name!r}; leave it out, "
                "or take one flowline at a time"
            )
        change = (-(wide - common.iloc[0]) / 1000).reset_index()
        part = change.melt("datetime", value_name="relative_length_change_km").dropna()
        parts.append(part.sort_values(["flowline", "datetime"], kind="stable").assign(region=name))
    columns = ["region", "datetime", "flowline", "relative_length_change_km"]
    return pd.concat(parts, ignore_index=True)[columns]


def _at(days: pd.DataFrame, time: pd.Timestamp, window: pd.Timedelta) -> tuple[float, float, int]:
    """Return the position near a time, its 1 sigma and the number of its fronts.

    The errors of one method share much of their cause (the flowline's bed of pixels, the sensor), so that the mean
    of several fronts is taken to be no better than the best of them.
    """
    near = days[(days["datetime"] - time).abs() <= window] if len(days) else days
    if near.empty:
        return np.nan, np.nan, 0
    sigma = near["position_sigma_m"].to_numpy()
    weight = 1 / np.maximum(sigma, 1e-3) ** 2
    position = near["position_m"].to_numpy()
    mean = float(np.average(position, weights=weight))
    spread = float(np.sqrt(np.average((position - mean) ** 2, weights=weight)))
    return mean, float(np.hypot(sigma.min(), spread)), len(near)

"""What a series says: one row of statistics a (region, method, flowline)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from icefront_dask.change.events import Difference, largest_retreat, net_change, retreats
from icefront_dask.change.quantities import daily_positions, joint_fit, kendall, mass, rates, season, steps
from icefront_dask.change.trend import DAYS_PER_YEAR
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GROUP", "STATISTICS_DTYPES", "change_statistics"]

_TIME, _FLOAT, _COUNT, _TEXT = "datetime64[us, UTC]", "float64", "int64", "object"
STATISTICS_DTYPES = {
    "region": _TEXT,
    "method": _TEXT,
    "flowline": _TEXT,
    "n": _COUNT,
    "n_review": _COUNT,
    "n_rejected": _COUNT,
    "n_no_front": _COUNT,
    "n_failed": _COUNT,
    "first_date": _TIME,
    "last_date": _TIME,
    "span_years": _FLOAT,
    "mean_interval_days": _FLOAT,
    "longest_gap_days": _FLOAT,
    "n_gaps": _COUNT,
    "mean_width_m": _FLOAT,
    "net_change_m": _FLOAT,
    "net_change_low_m": _FLOAT,
    "net_change_high_m": _FLOAT,
    "net_change_from": _TIME,
    "net_change_to": _TIME,
    "net_change_same_season": "bool",
    "rate_m_per_year": _FLOAT,
    "rate_low_m_per_year": _FLOAT,
    "rate_high_m_per_year": _FLOAT,
    "rate_method": _TEXT,
    "theil_sen_m_per_year": _FLOAT,
    "theil_sen_low_m_per_year": _FLOAT,
    "theil_sen_high_m_per_year": _FLOAT,
    "theil_sen_years": _COUNT,
    "seasonal_amplitude_m": _FLOAT,
    "seasonal_amplitude_low_m": _FLOAT,
    "seasonal_amplitude_high_m": _FLOAT,
    "amplitude_lower_bound_m": _FLOAT,
    "day_of_maximum": _FLOAT,
    "day_of_minimum": _FLOAT,
    "largest_retreat_m": _FLOAT,
    "largest_retreat_low_m": _FLOAT,
    "largest_retreat_high_m": _FLOAT,
    "largest_retreat_from": _TIME,
    "largest_retreat_to": _TIME,
    "retreat_over_gap_m": _FLOAT,
    "retreat_over_gap_low_m": _FLOAT,
    "retreat_over_gap_high_m": _FLOAT,
    "retreat_over_gap_from": _TIME,
    "retreat_over_gap_to": _TIME,
    "interannual_sd_m": _FLOAT,
    "kendall_tau": _FLOAT,
    "kendall_p": _FLOAT,
    "kendall_years": _COUNT,
    "n_change_points": _COUNT,
    "change_point_m": _FLOAT,
    "change_point_low_m": _FLOAT,
    "change_point_high_m": _FLOAT,
    "change_point_from": _TIME,
    "change_point_to": _TIME,
    "n_calving_events": _COUNT,
    "terminus_mass_change_gt": _FLOAT,
    "terminus_mass_change_low_gt": _FLOAT,
    "terminus_mass_change_high_gt": _FLOAT,
    "reason": _TEXT,
}
GROUP = ["region", "method", "flowline"]


def change_statistics(
    series: pd.DataFrame, *, thickness_m: Mapping[str, Any] | float | tuple[float, float] | None = None
) -> pd.DataFrame:
    """Summarise how fronts changed, from accepted rows only.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series`. Several accepted rows of a day count as their mean; of several crossings
        of a flowline the most seaward counts.
    thickness_m : float, (float, float) or mapping of region to these, optional
        Thickness of the ice at the front, or it and its 1 sigma, for ``terminus_mass_change_gt``.

    Returns
    -------
    DataFrame
        One row a (region, method, flowline), sorted by it. Changes are negative for a retreat; ``_low_``
        and ``_high_`` are 95 % intervals. Columns:

        - n (days with an accepted front), n_review, n_rejected, n_no_front, n_failed, first_date, last_date,
          span_years, mean_interval_days, longest_gap_days, n_gaps (longer than 90 days), mean_width_m;
        - net_change_m between two dates of the same season (± 30 days), as many years apart as can be, or
          with net_change_same_season false between the first and the last;
        - rate_m_per_year of the joint model of trend, annual and semi-annual cycle and sensor offsets with
          CAR(1) errors (rate_method), for records of at least 2 years and 12 dates;
        - theil_sen_m_per_year, the Theil-Sen slope of annual medians of the best observed season, from 3
          years on; its interval, from 5 years on, is a bootstrap of one-year blocks; interannual_sd_m, the
          standard deviation of those medians about their line;
        - kendall_tau, kendall_p of the seasonal Kendall test of monthly medians (seasons correlated), from 5
          complete years on;
        - seasonal_amplitude_m (highest less lowest of the mean cycle), where 2 years have fronts in 8
          calendar months and no gap of more than 3 months; else amplitude_lower_bound_m; day_of_maximum,
          day_of_minimum of the year;
        - largest_retreat_m between successive fronts at most 36 days apart with its dates, and
          retreat_over_gap_m between those farther apart;
        - n_change_points of the level, and the largest with its size and the dates between which it lies;
        - n_calving_events, as :func:`calving_events` lists them;
        - terminus_mass_change_gt = 917 kg m⁻³ × thickness × width × net_change_m, where a thickness is given
          and the method has a width. It is the ice lost or gained at the terminus, neither the frontal
          ablation (which includes the ice that flowed in) nor a contribution to sea level (the ice may float);
        - reason: why a value is NaN, as ``rate: record of 1.2 years is shorter than 2``, joined by ``"; "``.

    Raises
    ------
    InputError
        If columns of a series are missing.

    Notes
    -----
    Intervals that take fronts as independent are far too narrow: Theil-Sen's over all fronts covers a
    true zero trend in less than half of the cases where errors last half a year.
    """
    needed = {*GROUP, "datetime", "scene_id", "position_m", "position_sigma_m", "status"}
    if missing := sorted(needed - set(series.columns)):
        raise InputError(f"a series needs the columns {', '.join(missing)}; make it with front_series")
    settings = section("change")
    rows = [
        dict(zip(GROUP, names, strict=True)) | _statistics(group, settings, _thickness(thickness_m, str(names[0])))
        for names, group in series.groupby(GROUP, sort=True)
    ]
    table = pd.DataFrame(rows, columns=list(STATISTICS_DTYPES))
    for name, dtype in STATISTICS_DTYPES.items():
        table[name] = pd.to_datetime(table[name], utc=True) if dtype == _TIME else table[name]
    return table.astype(STATISTICS_DTYPES)


def _statistics(
    group: pd.DataFrame, settings: Mapping[str, Any], thickness: tuple[float, float] | None
) -> dict[str, Any]:
    scenes = group.drop_duplicates(["datetime", "scene_id"])["status"].value_counts()
    out: dict[str, Any] = {name: _empty(dtype) for name, dtype in STATISTICS_DTYPES.items() if name not in GROUP}
    for status in (Status.REVIEW, Status.REJECTED, Status.NO_FRONT, Status.FAILED):
        out[f"n_{status}"] = int(scenes.get(str(status), 0))
    days = daily_positions(group)
    out["n"] = len(days)
    if days.empty:
        return out | {"reason": "no accepted front"}
    reasons: list[str] = []
    t = days["day"].to_numpy()
    position, sigma = days["position_m"].to_numpy(), days["position_sigma_m"].to_numpy()
    times = pd.DatetimeIndex(days["datetime"])
    intervals = np.diff(t)
    out |= {
        "first_date": times[0],
        "last_date": times[-1],
        "span_years": float(t[-1] - t[0]) / DAYS_PER_YEAR,
        "mean_interval_days": float(intervals.mean()) if len(intervals) else np.nan,
        "longest_gap_days": float(intervals.max()) if len(intervals) else np.nan,
        "n_gaps": int((intervals > settings["gap_days"]).sum()),
        "mean_width_m": float(days["width_m"].mean()) if "width_m" in days else np.nan,
    }
    if len(days) < 2:
        return out | {"reason": "change: one date only"}
    net, same = net_change(t, position, sigma, tolerance_days=settings["same_season_days"], level=settings["level"])
    out |= _difference("net_change", net, times) | {"net_change_same_season": same}
    if not same:
        reasons.append("net_change: no two dates of the same season, first to last")
    fit = joint_fit(days, settings, reasons)
    out |= rates(days, fit, settings, reasons) | season(days, fit, settings, reasons)
    for name, over_gap in (("largest_retreat", False), ("retreat_over_gap", True)):
        event = largest_retreat(
            t, position, sigma, event_days=settings["event_days"], over_gap=over_gap, level=settings["level"]
        )
        if event is None:
            apart = "more than" if over_gap else "at most"
            reasons.append(f"{name}: no retreat between fronts {apart} {settings['event_days']} days apart")
        else:
            out |= _difference(name, event, times)
    out |= steps(days, settings, reasons) | kendall(days, settings, reasons)
    out["n_calving_events"] = len(retreats(t, position, sigma, settings))
    if thickness is not None:
        out |= mass(net, days, thickness, reasons)
    return out | {"reason": "; ".join(reasons)}


def _difference(name: str, difference: Difference, times: pd.DatetimeIndex) -> dict[str, Any]:
    return {
        f"{name}_m": difference.change_m,
        f"{name}_low_m": difference.low_m,
        f"{name}_high_m": difference.high_m,
        f"{name}_from": times[difference.first],
        f"{name}_to": times[difference.last],
    }


def _thickness(given: Any, region: str) -> tuple[float, float] | None:
    found = given.get(region) if hasattr(given, "get") else given
    if found is None:
        return None
    value, sigma = found if isinstance(found, tuple | list) else (found, 0.0)
    if not (float(value) > 0 and float(sigma) >= 0):
        raise InputError(f"the thickness of region {region!r} must be positive, not {found}")
    return float(value), float(sigma)


def _empty(dtype: str) -> Any:
    return {_TIME: pd.NaT, _FLOAT: np.nan, _COUNT: 0, _TEXT: "", "bool": False}[dtype]

"""What a series says: one row of statistics a (region, method, flowline)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from icefront_dask.change.events import Difference, largest_retreat, net_change
from icefront_dask.change.season import amplitude_lower_bound, seasonality, years_that_show_a_season
from icefront_dask.change.trend import DAYS_PER_YEAR, JointFit, annual_theil_sen, fit_joint_model
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["STATISTICS_DTYPES", "change_statistics"]

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
    "reason": _TEXT,
}
_GROUP = ["region", "method", "flowline"]


def change_statistics(series: pd.DataFrame) -> pd.DataFrame:
    """Summarise how fronts changed, from accepted rows only.

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series`. Several accepted rows of a day count as their mean; of several crossings
        of a flowline the most seaward counts.

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
          years on; its exact interval exists from 5 years on;
        - seasonal_amplitude_m (highest less lowest of the mean cycle), where 2 years have fronts in 8
          calendar months and no gap of more than 3 months; else amplitude_lower_bound_m; day_of_maximum,
          day_of_minimum of the year;
        - largest_retreat_m between successive fronts at most 36 days apart with its dates, and
          retreat_over_gap_m between those farther apart;
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
    needed = {*_GROUP, "datetime", "scene_id", "position_m", "position_sigma_m", "status"}
    if missing := sorted(needed - set(series.columns)):
        raise InputError(f"a series needs the columns {', '.join(missing)}; make it with front_series")
    settings = section("change")
    rows = [
        dict(zip(_GROUP, names, strict=True)) | _statistics(group, settings)
        for names, group in series.groupby(_GROUP, sort=True)
    ]
    table = pd.DataFrame(rows, columns=list(STATISTICS_DTYPES))
    for name, dtype in STATISTICS_DTYPES.items():
        table[name] = pd.to_datetime(table[name], utc=True) if dtype == _TIME else table[name]
    return table.astype(STATISTICS_DTYPES)


def _statistics(group: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, Any]:
    scenes = group.drop_duplicates(["datetime", "scene_id"])["status"].value_counts()
    out: dict[str, Any] = {name: _empty(dtype) for name, dtype in STATISTICS_DTYPES.items() if name not in _GROUP}
    for status in (Status.REVIEW, Status.REJECTED, Status.NO_FRONT, Status.FAILED):
        out[f"n_{status}"] = int(scenes.get(str(status), 0))
    days = _daily(group)
    out["n"] = len(days)
    if days.empty:
        return out | {"reason": "no accepted front"}
    reasons: list[str] = []
    t = days["day"].to_numpy()
    position, sigma = days["position_m"].to_numpy(), days["position_sigma_m"].to_numpy()
    times = pd.DatetimeIndex(days["datetime"])
    steps = np.diff(t)
    out |= {
        "first_date": times[0],
        "last_date": times[-1],
        "span_years": float(t[-1] - t[0]) / DAYS_PER_YEAR,
        "mean_interval_days": float(steps.mean()) if len(steps) else np.nan,
        "longest_gap_days": float(steps.max()) if len(steps) else np.nan,
        "n_gaps": int((steps > settings["gap_days"]).sum()),
        "mean_width_m": float(days["width_m"].mean()) if "width_m" in days else np.nan,
    }
    if len(days) < 2:
        return out | {"reason": "change: one date only"}
    net, same = net_change(t, position, sigma, tolerance_days=settings["same_season_days"], level=settings["level"])
    out |= _difference("net_change", net, times) | {"net_change_same_season": same}
    if not same:
        reasons.append("net_change: no two dates of the same season, first to last")
    fit = _fit(days, settings, reasons)
    out |= _rates(days, fit, settings, reasons) | _season(days, fit, settings, reasons)
    for name, over_gap in (("largest_retreat", False), ("retreat_over_gap", True)):
        event = largest_retreat(
            t, position, sigma, event_days=settings["event_days"], over_gap=over_gap, level=settings["level"]
        )
        if event is None:
            apart = "more than" if over_gap else "at most"
            reasons.append(f"{name}: no retreat between fronts {apart} {settings['event_days']} days apart")
        else:
            out |= _difference(name, event, times)
    return out | {"reason": "; ".join(reasons)}


def _daily(group: pd.DataFrame) -> pd.DataFrame:
    """Return one row a day with an accepted position, sorted."""
    good = group[(group["status"] == Status.ACCEPTED) & group["position_m"].notna()]
    if "crossing" in good:
        good = good[good["crossing"] == good.groupby(["datetime", "scene_id"])["crossing"].transform("max")]
    day = good["datetime"].dt.floor("D")
    values = [c for c in ("position_m", "position_sigma_m", "width_m") if c in good]
    daily = good.groupby(day)[values].mean()
    daily["sensor"] = good.groupby(day)["sensor"].first() if "sensor" in good else ""
    daily["datetime"] = good.groupby(day)["datetime"].min()
    daily["day"] = daily.index.to_numpy(dtype="datetime64[us]").astype("int64") / 86_400e6
    return daily.sort_index().reset_index(drop=True)


def _years(days: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return years since 1970-01-01, whose fraction is the season to within a day."""
    return np.asarray(days["day"].to_numpy() / DAYS_PER_YEAR)


def _fit(days: pd.DataFrame, settings: Mapping[str, Any], reasons: list[str]) -> JointFit | None:
    years = _years(days)
    span = float(years[-1] - years[0])
    if span < settings["min_rate_years"]:
        reasons.append(f"rate: record of {span:.1f} years is shorter than {settings['min_rate_years']:g}")
        return None
    if len(days) < settings["min_rate_fronts"]:
        reasons.append(f"rate: {len(days)} dates are fewer than {settings['min_rate_fronts']}")
        return None
    groups = _sensor_groups(days["sensor"])
    sigma = days["position_sigma_m"].to_numpy()
    known = bool(np.isfinite(sigma).all() and (sigma > 0).all())
    return fit_joint_model(years, days["position_m"].to_numpy(), sigma if known else None, groups)


def _sensor_groups(sensor: pd.Series) -> npt.NDArray[np.int64] | None:
    """Return 0 for the commonest sensor, 1… for others with at least 5 dates; None if there is one only."""
    counts = sensor.value_counts()
    common = sorted(counts.index[counts >= 5], key=lambda name: (-counts[name], name))
    if len(common) < 2:
        return None
    return sensor.map({name: k for k, name in enumerate(common)}).fillna(0).to_numpy(dtype=np.int64)


def _rates(days: pd.DataFrame, fit: JointFit | None, settings: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if fit is not None:
        rate = fit.rate(settings["level"])
        out |= {
            "rate_m_per_year": rate.rate,
            "rate_low_m_per_year": rate.low,
            "rate_high_m_per_year": rate.high,
        }
        out["rate_method"] = "joint model, CAR(1) errors"
    annual = annual_theil_sen(
        _years(days),
        days["position_m"].to_numpy(),
        half_window_days=settings["season_window_days"],
        level=settings["level"],
    )
    if annual is None or annual.n < settings["theil_sen_years"]:
        reasons.append(f"theil_sen: fewer than {settings['theil_sen_years']} years share a season")
        return out
    out |= {"theil_sen_m_per_year": annual.rate, "theil_sen_years": annual.n}
    out |= {"theil_sen_low_m_per_year": annual.low, "theil_sen_high_m_per_year": annual.high}
    if not np.isfinite(annual.low):
        reasons.append(f"theil_sen interval: {annual.n} years are too few")
    return out


def _season(
    days: pd.DataFrame, fit: JointFit | None, settings: Mapping[str, Any], reasons: list[str]
) -> dict[str, Any]:
    count = years_that_show_a_season(
        pd.DatetimeIndex(days["datetime"]),
        months=settings["amplitude_months"],
        gap_days=settings["amplitude_gap_days"],
    )
    if fit is not None and count >= settings["amplitude_years"]:
        cycle = seasonality(fit, level=settings["level"])
        return {
            "amplitude_lower_bound_m": cycle.low_m,
            "seasonal_amplitude_m": cycle.amplitude_m,
            "seasonal_amplitude_low_m": cycle.low_m,
            "seasonal_amplitude_high_m": cycle.high_m,
            "day_of_maximum": cycle.day_of_maximum,
            "day_of_minimum": cycle.day_of_minimum,
        }
    reasons.append(
        f"seasonal_amplitude: {count} years with fronts in {settings['amplitude_months']} months and no gap "
        f"of more than {settings['amplitude_gap_days']} days, {settings['amplitude_years']} are needed"
    )
    rate = fit.rate(settings["level"]).rate if fit is not None else 0.0
    bound = amplitude_lower_bound(
        _years(days), days["position_m"].to_numpy(), days["position_sigma_m"].to_numpy(), rate
    )
    if not np.isfinite(bound):
        reasons.append("amplitude_lower_bound: no year has fronts in two months")
    return {"amplitude_lower_bound_m": bound}


def _difference(name: str, difference: Difference, times: pd.DatetimeIndex) -> dict[str, Any]:
    return {
        f"{name}_m": difference.change_m,
        f"{name}_low_m": difference.low_m,
        f"{name}_high_m": difference.high_m,
        f"{name}_from": times[difference.first],
        f"{name}_to": times[difference.last],
    }


def _empty(dtype: str) -> Any:
    return {_TIME: pd.NaT, _FLOAT: np.nan, _COUNT: 0, _TEXT: "", "bool": False}[dtype]

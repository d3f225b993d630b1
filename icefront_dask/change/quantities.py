"""The parts of the statistics of one series: rates, season, steps, rank test, mass; each says why it has no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from icefront_dask.change.breaks import change_points
from icefront_dask.change.kendall import monthly_medians, seasonal_kendall
from icefront_dask.change.season import amplitude_lower_bound, seasonality, years_that_show_a_season
from icefront_dask.change.trend import DAYS_PER_YEAR, JointFit, annual_theil_sen, fit_joint_model
from icefront_dask.change.uncertainty import Z95
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from icefront_dask.change.events import Difference

__all__ = ["daily_positions", "joint_fit", "kendall", "mass", "rates", "season", "steps"]

_ICE_DENSITY = 917.0  # kg m⁻³
_KG_A_GT = 1e12


def daily_positions(group: pd.DataFrame) -> pd.DataFrame:
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


def joint_fit(days: pd.DataFrame, settings: Mapping[str, Any], reasons: list[str]) -> JointFit | None:
    """Fit the joint model where the record is long enough."""
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


def rates(days: pd.DataFrame, fit: JointFit | None, settings: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Return the rates of the joint model and of annual medians."""
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
    out |= {"theil_sen_m_per_year": annual.rate, "theil_sen_years": annual.n, "interannual_sd_m": annual.scatter}
    out |= {"theil_sen_low_m_per_year": annual.low, "theil_sen_high_m_per_year": annual.high}
    if not np.isfinite(annual.low):
        reasons.append(f"theil_sen interval: {annual.n} years are too few")
    return out


def season(days: pd.DataFrame, fit: JointFit | None, settings: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Return the seasonal amplitude, or what it is at least."""
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


def steps(days: pd.DataFrame, settings: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Return how often the level changed, and the largest step."""
    years = _years(days)
    if years[-1] - years[0] < settings["min_rate_years"] or len(days) < settings["min_rate_fronts"]:
        reasons.append("change_points: the record is too short")
        return {}
    sigma = days["position_sigma_m"].to_numpy()
    known = bool(np.isfinite(sigma).all() and (sigma > 0).all())
    found = change_points(
        years,
        days["position_m"].to_numpy(),
        sigma if known else None,
        _sensor_groups(days["sensor"]),
        level=settings["level"],
    )
    if not found:
        reasons.append("change_point: none")
        return {}
    largest = max(found, key=lambda point: abs(point.step_m))
    times = pd.DatetimeIndex(days["datetime"])
    return {
        "n_change_points": len(found),
        "change_point_m": largest.step_m,
        "change_point_low_m": largest.low_m,
        "change_point_high_m": largest.high_m,
        "change_point_from": times[largest.last_before],
        "change_point_to": times[largest.last_before + 1],
    }


def kendall(days: pd.DataFrame, settings: Mapping[str, Any], reasons: list[str]) -> dict[str, Any]:
    """Return the seasonal Kendall test."""
    found = seasonal_kendall(
        monthly_medians(_years(days), days["position_m"].to_numpy()), min_years=settings["kendall_years"]
    )
    if found is None:
        reasons.append(f"kendall: fewer than {settings['kendall_years']} years with a front in one month")
        return {}
    return {"kendall_tau": found.tau, "kendall_p": found.p, "kendall_years": found.years}


def mass(net: Difference, days: pd.DataFrame, thickness: tuple[float, float], reasons: list[str]) -> dict[str, Any]:
    """Return the mass of the ice that the terminus lost or gained, Gt."""
    width = float(days["width_m"].mean()) if "width_m" in days else np.nan
    if not np.isfinite(width):
        reasons.append("terminus_mass_change: the method has no width")
        return {}
    value, sigma = thickness
    factor = _ICE_DENSITY * width / _KG_A_GT
    change = factor * value * net.change_m
    spread = (net.high_m - net.low_m) / 2
    reach = factor * float(np.hypot(value * spread, Z95 * sigma * net.change_m))
    return {
        "terminus_mass_change_gt": change,
        "terminus_mass_change_low_gt": change - reach,
        "terminus_mass_change_high_gt": change + reach,
    }

"""Whether a series of positions is physically plausible, judged without velocity data.

A front advances no faster than its ice flows, but a retreat may be sudden. The largest set of fronts in which
no advance from one to the next exceeds that limit is believed; what does not fit into it goes to review. Fronts
of the cold season, which may be the edge of sea ice, and those of scenes that are suddenly dark count half; a quarter
those which lie out of reach of several before them and are undone at break-up, as the edge of sea ice does. Where
two sets are about equally large, both go to review in what they differ. A calving event is never in question by itself:
the fronts after it bear it out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from icefront_dask.change.chain import Chain, consistent_chain
from icefront_dask.change.reasons import SeriesReason, add_reason
from icefront_dask.config import section
from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

__all__ = ["check_series", "own_scatter", "own_speed"]

_COLD_DAYS = 243.0  # October to May
_COLD_WEIGHT = 0.5  # of a front of these months against one of the melt season
_DARK_WEIGHT = 0.5  # of a front in a scene that is suddenly dark, as in melt
_EDGE_WEIGHT = 0.5  # of a front that is out of reach in the cold season and gone after it, besides that of the season
_OUT_OF_REACH_OF = 3  # fronts before it that say so
_GONE_BY = 2  # fronts of spring and break-up that say so
_GONE_SHARE = 0.6  # of the advance
_SPRING_DAYS = 150.0  # of the cold season: March
_MIN_TRIPLES = 20
_FASTEST_M_PER_DAY = (
    70.0  # 1.5 x the 17 km a year of the fastest glacier (Joughin et al. 2014, doi:10.5194/tc-8-209-2014)
)
_MUCH_SLOWER = 0.5  # than all fronts say: what the believed ones say of the speed is taken instead
_SPARSE = 1.5  # usual intervals of a record over which its advances are taken, where those are long
_LONGEST_WINDOW_DAYS = 60.0  # an advance over more tells little of the ice's speed: a season is in it
_NEAR_DAYS = 40.0
_OUTLYING = 1.5  # interquartile ranges
_MAD_TO_SIGMA = 1.4826

Floats = npt.NDArray[np.float64]


def check_series(
    series: pd.DataFrame, *, v_max_m_per_day: float | None = None, north: bool | None = None
) -> pd.DataFrame:
    """Send implausible positions of a series to review, each with its reason.

    Reasons: ``implausible_advance`` (faster than v_max · Δt + 2 √(σ₁² + σ₂²) + 1 px, σ at least the series'
    own scatter), ``advance_undone`` and ``retreat_undone`` (a spike), ``melange_suspected`` (an advance of
    the cold season that is gone at break-up), ``melt_suspected`` (a retreat that is undone, in a scene more
    than 3 dB darker than those around it), ``same_day_differs`` (of two fronts of a day that lie apart, the
    one that fits the series less), ``position_undecided`` (of two readings of the series that are about
    equally well borne out, the better one has this front and the other cannot).

    Parameters
    ----------
    series : DataFrame
        From :func:`front_series`. Only its accepted rows are looked at.
    v_max_m_per_day : float, optional
        Fastest plausible advance in the series' measure. Otherwise the 95th percentile of the series' own
        advances over at most 24 days, or one and a half of its usual intervals where those are longer (at most
        60 days), at least 2 and at most 70 m per day.
    north : bool, optional
        Whether the place lies in the northern hemisphere; without it no advance is named after the cold
        season.

    Returns
    -------
    DataFrame
        A copy with changed ``status`` and ``reason``; ``change_m`` of rows that go to review becomes NaN.

    Raises
    ------
    InputError
        For a limit that is not positive.

    References
    ----------
    The rule that a front may only advance with the ice, calve or disintegrate: Baumhoer et al.
    (2023), Sci. Data 10, 138.
    """
    if v_max_m_per_day is not None and not v_max_m_per_day > 0:
        raise InputError(f"v_max_m_per_day must be positive, got {v_max_m_per_day}")
    settings = section("change")
    series = series.copy()
    usable = (series["status"] == Status.ACCEPTED) & series["position_m"].notna()
    places = pd.Series(np.arange(len(series)), index=series.index)
    status = series["status"].to_numpy(dtype=object, copy=True)
    reason = series["reason"].to_numpy(dtype=object, copy=True)
    for _, group in series[usable].groupby(["region", "method", "flowline"], sort=False):
        scenes = group.groupby(["datetime", "scene_id"], sort=True)
        number = scenes.ngroup()  # in the order of time
        main = group[group["crossing"] == scenes["crossing"].transform("max")]
        flags = _flags(main.loc[number[main.index].sort_values().index], settings, v_max_m_per_day, north)
        for place, scene in zip(places[group.index], number, strict=True):
            if flags[scene]:
                status[place] = str(Status.REVIEW)
                reason[place] = add_reason(reason[place], flags[scene])
    series["status"], series["reason"] = status, reason
    if "change_m" in series:
        series["change_m"] = series["change_m"].where(series["status"] == Status.ACCEPTED)
    return series


def _flags(
    main: pd.DataFrame, settings: dict[str, Any], v_max_m_per_day: float | None, north: bool | None
) -> list[str]:
    """Return the reason for a review, or an empty string, for each scene of a series in time order."""
    days = main["datetime"].to_numpy(dtype="datetime64[us]").astype("int64") / 86_400e6
    position = main["position_m"].to_numpy(dtype=float)
    sigma = main["position_sigma_m"].fillna(settings["default_uncertainty_m"]).to_numpy(dtype=float)
    sigma = np.maximum(sigma, own_scatter(days, position, window_days=settings["speed_window_days"]))
    pixel = main["pixel_size_m"].fillna(settings["pixel_size_m"]).to_numpy(dtype=float)
    fastest = {
        "floor": settings["speed_floor_m_per_day"],
        "percentile": settings["speed_percentile"],
        "window_days": settings["speed_window_days"],
    }
    speed = v_max_m_per_day or own_speed(days, position, **fastest)
    alone = _one_a_day(days, position, sigma, pixel, sigmas=settings["tolerance_sigmas"])
    gamma = main["gamma0_db"].to_numpy(dtype=float) if "gamma0_db" in main else np.full(len(days), np.nan)
    weight = np.where(_darkened(gamma, days, np.ones(len(days), dtype=bool), settings), _DARK_WEIGHT, 1.0)
    if north is not None:  # sea ice can look like a front, but not in the melt season
        weight[_season_day(days, north=north) < _COLD_DAYS] *= _COLD_WEIGHT

    def believed(speed: float) -> Chain:
        own = weight.copy()
        if north is not None:
            own[_gone_at_break_up(days, position, sigma, pixel, speed, settings, north=north)] *= _EDGE_WEIGHT
        return consistent_chain(
            days[alone],
            position[alone],
            sigma[alone],
            pixel[alone],
            speed,
            sigmas=settings["tolerance_sigmas"],
            weight=own[alone],
        )

    chain = believed(speed)
    if v_max_m_per_day is None:
        again = own_speed(days[alone][chain.kept], position[alone][chain.kept], **fastest)
        if again < _MUCH_SLOWER * speed:  # the faults were so many that they passed for speeds
            chain = believed(again)
    flags = np.where(alone, "", str(SeriesReason.SAME_DAY_DIFFERS)).astype(object)
    kept = alone.copy()
    kept[alone] = chain.kept
    dark = _darkened(gamma, days, kept, settings)
    flags[np.flatnonzero(alone)[chain.undecided]] = str(SeriesReason.UNDECIDED)
    named = _name(
        days[alone],
        position[alone],
        chain.kept,
        undone=settings["undone_days"],
        break_up=settings["break_up_days"],
        north=north,
    )
    for k, reason in zip(np.flatnonzero(alone & ~kept), named, strict=True):
        melt = reason == SeriesReason.RETREAT_UNDONE and dark[k]
        flags[k] = str(SeriesReason.MELT if melt else reason)
    return list(flags)


def _one_a_day(days: Floats, position: Floats, sigma: Floats, pixel: Floats, *, sigmas: float) -> npt.NDArray[np.bool_]:
    """Return which fronts remain where several of one day lie apart: those which fit the series around them."""
    keep = np.ones(len(days), dtype=bool)
    day = np.floor(days)
    for one in np.unique(day[1:][day[1:] == day[:-1]]):
        same = np.flatnonzero(day == one)
        near = np.flatnonzero((day != one) & (np.abs(day - one) <= _NEAR_DAYS))
        level = float(np.median(position[near])) if len(near) else float(np.median(position[same]))
        best = same[np.argmin(np.abs(position[same] - level))]
        apart = np.abs(position[same] - position[best])
        keep[same] = apart <= sigmas * np.hypot(sigma[same], sigma[best]) + np.maximum(pixel[same], pixel[best])
    return keep


def _darkened(
    gamma: Floats, days: Floats, among: npt.NDArray[np.bool_], settings: dict[str, Any]
) -> npt.NDArray[np.bool_]:
    """Return which scenes are darker by more than 3 dB than certain others within 30 days, as in melt."""
    out = np.zeros(len(days), dtype=bool)
    known = np.isfinite(gamma)
    for k in np.flatnonzero(known):
        first = int(np.searchsorted(days, days[k] - settings["undone_days"]))
        stop = int(np.searchsorted(days, days[k] + settings["undone_days"], side="right"))
        near = among[first:stop] & known[first:stop]
        near[k - first] = False
        out[k] = bool(near.any()) and float(np.median(gamma[first:stop][near])) - gamma[k] > settings["melt_drop_db"]
    return out


def _gone_at_break_up(
    days: Floats,
    position: Floats,
    sigma: Floats,
    pixel: Floats,
    speed: float,
    settings: dict[str, Any],
    *,
    north: bool,
) -> npt.NDArray[np.bool_]:
    """Return which fronts of a cold season cannot have been reached from those before it, and are undone at break-up.

    Fronts before it that say so are several, over longer than a retreat by melt would last.
    """
    out = np.zeros(len(days), dtype=bool)
    season = _season_day(days, north=north)
    for k in np.flatnonzero(season < _COLD_DAYS):
        began = days[k] - season[k]
        first = int(np.searchsorted(days, began - settings["break_up_days"]))
        stop = int(np.searchsorted(days, began + _COLD_DAYS + settings["break_up_days"], side="right"))
        day, rise = days[first:stop], position[k] - position[first:stop]
        error = settings["tolerance_sigmas"] * np.hypot(sigma[k], sigma[first:stop])
        error += np.maximum(pixel[k], pixel[first:stop])
        far = (day < days[k]) & (rise > speed * (days[k] - day) + error)
        if far.sum() < _OUT_OF_REACH_OF or np.ptp(day[far]) <= settings["undone_days"]:
            continue
        later = (day > days[k]) & (day >= began + _SPRING_DAYS)
        gone = later & (rise > np.maximum(error, _GONE_SHARE * np.median(rise[far])))
        out[k] = gone.sum() >= _GONE_BY
    return out


def own_scatter(days: Floats, position: Floats, *, window_days: float) -> float:
    """Return the 1 sigma scatter of a series from front to front, robust against single errors; 0 if unknown.

    From what each front deviates from the line between its neighbours, where those are at most
    `window_days` apart: what a series shows of its own errors goes before what its fronts state.
    """
    if len(days) < _MIN_TRIPLES + 2:
        return 0.0
    span = days[2:] - days[:-2]
    share = (days[1:-1] - days[:-2]) / np.where(span > 0, span, 1)
    residual = position[1:-1] - (1 - share) * position[:-2] - share * position[2:]
    near = (span > 0) & (span <= window_days)
    if near.sum() < _MIN_TRIPLES:
        return 0.0
    scaled = residual[near] / np.sqrt(1 + share[near] ** 2 + (1 - share[near]) ** 2)
    return float(_MAD_TO_SIGMA * np.median(np.abs(scaled)))


def own_speed(days: Floats, position: Floats, *, floor: float, percentile: float, window_days: float) -> float:
    """Return the fastest advance to be expected of a front, from its own advances, m per day.

    Each front is compared with the last one within `window_days`, so that errors weigh least; in a record that is
    mostly sparser than that, within one and a half of its usual intervals. Speeds far beyond the rest are the faults
    that the check looks for and do not count; nor is any ice as fast as 70 m per day.
    """
    if len(days) > 1:
        window_days = max(window_days, min(_SPARSE * float(np.median(np.diff(days))), _LONGEST_WINDOW_DAYS))
    last = np.searchsorted(days, days + window_days, side="right") - 1
    span = days[last] - days
    rise = position[last] - position
    advance = (span > 0) & (rise > 0)
    if not advance.any():
        return floor
    speeds = rise[advance] / span[advance]
    q1, q3 = np.percentile(speeds, [25, 75])
    speeds = speeds[speeds <= q3 + _OUTLYING * (q3 - q1)]
    return min(max(floor, float(np.percentile(speeds, percentile, method="lower"))), _FASTEST_M_PER_DAY)


def _name(
    days: Floats,
    position: Floats,
    kept: npt.NDArray[np.bool_],
    *,
    undone: float,
    break_up: float,
    north: bool | None,
) -> list[SeriesReason]:
    """Return a reason for each front outside the chain, in order."""
    believed = np.flatnonzero(kept)
    reasons = []
    for k in np.flatnonzero(~kept):
        before, behind = believed[believed < k], believed[believed > k]
        began = days[before[-1] + 1] if len(before) else days[0]  # of the stretch that is not believed
        level = float(np.interp(days[k], days[believed], position[believed]))
        since = days[k] - days[before[-1]] if len(before) else 0.0
        until = days[behind[0]] - days[k] if len(behind) else np.inf
        if position[k] < level:
            reasons.append(SeriesReason.RETREAT_UNDONE)
        elif since + until <= undone:
            reasons.append(SeriesReason.ADVANCE_UNDONE)
        elif north is not None and len(behind) and _cold_until_break_up(began, days[behind[0]], break_up, north=north):
            reasons.append(SeriesReason.MELANGE)
        else:
            reasons.append(SeriesReason.IMPLAUSIBLE_ADVANCE)
    return reasons


def _cold_until_break_up(day: float, end: float, margin: float, *, north: bool) -> bool:
    """Whether a day lies in October to May (north) and another at most `margin` days after that season."""
    began = float(_season_day(day, north=north))
    return began < _COLD_DAYS and end - (day - began) <= _COLD_DAYS + margin


def _season_day(days: Any, *, north: bool) -> Any:
    """Return days since the cold season began, 0 … 365.25."""
    return (days - (273.0 if north else 90.6)) % 365.25

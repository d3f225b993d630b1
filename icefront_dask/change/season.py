"""How far a front moves with the seasons, and when that can be said at all (NumPy kernels)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from icefront_dask.change.uncertainty import Z95

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.change.trend import JointFit

__all__ = ["Seasonality", "amplitude_lower_bound", "seasonality", "years_that_show_a_season"]

_STEPS = 73  # of the year, 5 days each
_DRAWS = 2000


@dataclass(frozen=True)
class Seasonality:
    """Range of the mean seasonal cycle.

    Attributes
    ----------
    amplitude_m, low_m, high_m : float
        Largest less smallest position of the fitted annual and semi-annual cycle, with its interval.
    day_of_maximum, day_of_minimum : int
        Day of the year, 1 … 365.
    """

    amplitude_m: float
    low_m: float
    high_m: float
    day_of_maximum: int
    day_of_minimum: int


def years_that_show_a_season(times: pd.DatetimeIndex, *, months: int, gap_days: float) -> int:
    """Count the calendar years with fronts in at least `months` months and no gap longer than `gap_days`."""
    count = 0
    for year in sorted(set(times.year)):
        days = times[times.year == year].sort_values()
        edges = pd.DatetimeIndex(
            [
                pd.Timestamp(year=year, month=1, day=1, tz="UTC"),
                *days,
                pd.Timestamp(year=year + 1, month=1, day=1, tz="UTC"),
            ]
        )
        gaps = np.diff(edges.to_numpy(dtype="datetime64[s]")).astype(float) / 86_400
        count += len(set(days.month)) >= months and float(gaps.max()) <= gap_days
    return count


def seasonality(fit: JointFit, *, level: float = 0.95) -> Seasonality:
    """Return the range of the fitted cycle of a joint model.

    The interval is that of draws from the posterior, shifted to what a range of noise alone would add.
    """
    angle = 2 * np.pi * np.arange(_STEPS) / _STEPS
    basis = np.stack([f(k * angle) for k in (1, 2) for f in (np.cos, np.sin)])
    mean = fit.weight @ fit.mean[:, 2:6] @ basis
    ranges = np.ptp(fit.draw(_DRAWS)[:, 2:6] @ basis, axis=1)
    amplitude = float(np.ptp(mean))
    bias = float(np.median(ranges)) - amplitude
    low, high = np.quantile(ranges, [(1 - level) / 2, (1 + level) / 2]) - bias
    days = 1 + np.round(np.array([np.argmax(mean), np.argmin(mean)]) * 365 / _STEPS).astype(int)
    return Seasonality(
        amplitude,
        min(max(float(low), 0.0), amplitude),
        max(float(high), amplitude),
        int(days[0]),
        int(days[1]),
    )


def amplitude_lower_bound(
    years: npt.NDArray[np.float64],
    position_m: npt.NDArray[np.float64],
    sigma_m: npt.NDArray[np.float64],
    rate: float,
) -> float:
    """Return the range within a year that the fronts show at least, where they do not cover the year.

    Median over the years of the largest less the smallest monthly median, the trend removed, less the 95 %
    error of such a difference; not below 0. NaN if no year has two months with fronts.
    """
    level = position_m - rate * (years - years.mean())
    frame = pd.DataFrame({"year": np.floor(years), "month": np.floor(years % 1 * 12), "level": level, "sigma": sigma_m})
    months = frame.groupby(["year", "month"], as_index=False)[["level", "sigma"]].median()
    seen = months.groupby("year").filter(lambda year: len(year) >= 2).groupby("year")
    if not len(seen):
        return float("nan")
    ranges = seen["level"].max() - seen["level"].min() - Z95 * np.sqrt(2) * seen["sigma"].median()
    return max(float(ranges.median()), 0.0)

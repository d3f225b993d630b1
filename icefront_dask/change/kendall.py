"""Rank tests of a trend that allow for season and memory (NumPy kernels over pymannkendall)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pymannkendall

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SeasonalKendall", "monthly_medians", "seasonal_kendall"]

_MONTHS = 12
_MOST_MONTHS = 6  # half a year lies between the seasons of one year and those of the next, which should not know them
_NORMAL_YEARS = 10
_EXACT_YEARS = 7
_DRAWS = 4000


@dataclass(frozen=True)
class SeasonalKendall:
    """Seasonal Kendall test.

    Attributes
    ----------
    tau : float
        Kendall's tau over all seasons, −1 … 1.
    p : float
        Two-sided p of no trend.
    years, months : int
        Complete years, and calendar months as seasons, that it rests on.
    """

    tau: float
    p: float
    years: int
    months: int


def monthly_medians(years: npt.NDArray[np.float64], position: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (years, 12) medians of calendar months, NaN where a month has no front.

    Parameters
    ----------
    years : ndarray
        (n,) float64, times in years, whose fraction is the season.
    position : ndarray
        (n,) float64.
    """
    year = np.floor(years).astype(int)
    month = np.minimum((years - year) * _MONTHS, _MONTHS - 1).astype(int)
    frame = pd.DataFrame({"year": year, "month": month, "position": position})
    table = frame.pivot_table(index="year", columns="month", values="position", aggfunc="median")
    return table.reindex(index=range(year.min(), year.max() + 1), columns=range(_MONTHS)).to_numpy()


def seasonal_kendall(medians: npt.NDArray[np.float64], *, min_years: int) -> SeasonalKendall | None:
    """Test (years, 12) monthly medians for a trend, seasons correlated with each other.

    From 10 years on by the covariance of the seasons' scores of Hirsch & Slack (1984); with fewer, where that
    has no normal distribution, by exchanging whole years, which keeps the seasons of a year together. Of the
    months those are taken that give most values in complete years.

    Returns
    -------
    SeasonalKendall or None
        None where fewer than `min_years` years are complete in any month.
    """
    seen = np.isfinite(medians)
    order = np.argsort(-seen.sum(axis=0), kind="stable")
    best: tuple[int, npt.NDArray[np.int64], Any] | None = None
    for count in range(1, _MOST_MONTHS + 1):
        months = np.sort(order[:count])
        complete = seen[:, months].all(axis=1)
        values = int(complete.sum()) * count
        if complete.sum() >= min_years and (best is None or values > best[0]):
            best = values, months, complete
    if best is None:
        return None
    _, months, complete = best
    table = medians[np.ix_(complete, months)]
    if np.ptp(table, axis=0).max() == 0:
        return SeasonalKendall(0.0, 1.0, int(complete.sum()), len(months))
    years = int(complete.sum())
    rises = np.sign(table[None, :, :] - table[:, None, :]).sum(axis=2)  # of year j above year i
    score = float(np.triu(rises, 1).sum())
    tau = score / (len(months) * years * (years - 1) / 2)
    if years < _NORMAL_YEARS:
        return SeasonalKendall(tau, _exchange_years(rises, score), years, len(months))
    test = pymannkendall.original_test if len(months) == 1 else pymannkendall.correlated_multivariate_test
    return SeasonalKendall(tau, float(test(table[:, 0] if len(months) == 1 else table).p), years, len(months))


def _exchange_years(rises: npt.NDArray[np.float64], score: float) -> float:
    """Return how often years in another order have a score at least as large."""
    n = len(rises)
    if n <= _EXACT_YEARS:
        orders = np.array(list(permutations(range(n))))
    else:
        orders = np.random.default_rng(0).permuted(np.tile(np.arange(n), (_DRAWS, 1)), axis=1)
    i, j = np.triu_indices(n, 1)
    scores = rises[orders[:, i], orders[:, j]].sum(axis=1)
    return float(np.mean(np.abs(scores) >= abs(score)))

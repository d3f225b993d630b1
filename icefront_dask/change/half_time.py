"""Where ice was at least half of the time, and how well that is known (NumPy kernels)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["Record", "time_weights", "weighted_median"]

_DRAWS, _FEWEST_DRAWS = 300, 100
_MOST = 200_000  # positions that are drawn at a time
_ON_THE_WAY = 8  # places between two dates of an advancing front
_STEPS = 4  # places along a front a correlation length at which its errors are drawn
_STEEPEST = 5.0  # a front nearly along the flow is not known better than 5 sigma


def time_weights(seconds: Floats, start: float, end: float, *, share: Floats | None = None) -> Floats:
    """Return the time in a period that each of its dates stands for.

    Parameters
    ----------
    seconds : ndarray
        (n,) float64, sorted.
    start, end : float
        The period.
    share : ndarray, optional
        (…, n − 1) where between two dates the change takes place, 0 … 1; halfway by default.

    Returns
    -------
    ndarray
        (…, n) float64; 0 for a date whose time lies outside.
    """
    share = np.full(len(seconds) - 1, 0.5) if share is None else share
    change = np.clip(seconds[:-1] + share * np.diff(seconds), start, end)
    ends = np.broadcast_to([start, end], (*share.shape[:-1], 2))
    return np.diff(np.concatenate([ends[..., :1], change, ends[..., 1:]], axis=-1), axis=-1)


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Return the most seaward place that is ice for at least half of the time, of (n, k) positions.

    Parameters
    ----------
    values : ndarray
        (n, k) float64, NaN where unknown.
    weights : ndarray
        (n,) or (n, k) float64, not negative.

    Returns
    -------
    ndarray
        (k,) float64; NaN where no position with a weight is known.
    """
    order = np.argsort(-values, axis=0, kind="stable")  # NaN last
    ranked = np.take_along_axis(values, order, axis=0)
    weights = weights[order] if weights.ndim == 1 else np.take_along_axis(weights, order, axis=0)
    ice = np.cumsum(np.where(np.isfinite(ranked), weights, 0.0), axis=0)
    total = ice[-1]
    first = np.argmax(ice >= total / 2 * (1 - 1e-12), axis=0)
    found = np.take_along_axis(ranked, first[None], axis=0)[0]
    return np.where(total > 0, found, np.nan)


@dataclass(frozen=True)
class Record:
    """Positions of fronts along parallels of a flowline.

    Attributes
    ----------
    seconds : (n,) float64 ndarray
        Times, sorted.
    positions : (n, k) float64 ndarray
        Positions, m, NaN where a front does not meet a parallel.
    sigma : (n,) float64 ndarray
        1 sigma of each front, normal to it, m.
    across : (k,) float64 ndarray
        Distances of the parallels from the flowline, m.
    correlation_m : float
        E-folding distance of the errors along a front.
    """

    seconds: Floats
    positions: Floats
    sigma: Floats
    across: Floats
    correlation_m: float

    def errors(self, inside: npt.NDArray[np.intp], start: float, end: float, middle: Floats) -> Floats:
        """Return (d,) errors that the mean position of a period may have: where the truth may lie, less the position.

        Parameters
        ----------
        inside : (m,) ndarray of intp
            The dates of the period, one after the other.
        start, end : float
            The period.
        middle : (k,) float64 ndarray
            The front of the period, see `weighted_median`.
        """
        rng = np.random.default_rng(0)
        spacing = float(np.median(np.diff(self.across))) if len(self.across) > 1 else self.correlation_m
        step = max(int(self.correlation_m / _STEPS / spacing), 1)
        columns = np.arange(step // 2, len(middle), step)
        columns = columns[np.isfinite(middle[columns])]
        if not len(columns):
            columns = np.flatnonzero(np.isfinite(middle))
        # The front may have passed to that of the nearest date before or after the period within it.
        chosen = np.arange(max(inside[0] - 1, 0), min(inside[-1] + 2, len(self.seconds)))
        chosen = chosen[np.isfinite(self.positions[np.ix_(chosen, columns)]).any(axis=1)]
        away = self.positions[np.ix_(chosen, columns)] - middle[columns]
        noise = self._drawn(middle[columns], self.sigma[chosen], np.diff(self.across[columns]), rng)
        level = np.nanmean(away, axis=1) - np.nanmean(np.where(np.isfinite(away), noise, np.nan), axis=2)
        passed = _half_time(level.T, self.seconds[chosen], start, end, rng)
        unseen = 1 - np.isfinite(middle).mean()
        aside = unseen * np.hypot(np.nanstd(middle), self.sigma[inside].mean()) * rng.standard_normal(len(noise))
        return passed + aside

    def _drawn(self, front: Floats, sigma: Floats, apart: Floats, rng: np.random.Generator) -> Floats:
        """Return (d, n, k) errors along the flow of n fronts like one (k,), whose places lie `apart` (k - 1,)."""
        stretch = np.hypot(1.0, np.clip(np.abs(np.diff(front)) / apart, 0.0, _STEEPEST))
        phi = np.exp(-apart * stretch / self.correlation_m)
        draws = int(np.clip(_MOST / (len(sigma) * len(front)), _FEWEST_DRAWS, _DRAWS))
        errors = rng.standard_normal((draws, len(sigma), len(front)))
        for j in range(1, len(front)):
            errors[..., j] = phi[j - 1] * errors[..., j - 1] + np.sqrt(1 - phi[j - 1] ** 2) * errors[..., j]
        if len(front) > 1:
            beside = np.concatenate([stretch[:1], stretch, stretch[-1:]])
            errors *= (beside[:-1] + beside[1:]) / 2
        return np.asarray(errors * sigma[:, None])


def _half_time(level: Floats, seconds: Floats, start: float, end: float, rng: np.random.Generator) -> Floats:
    """Return (d,) the most seaward places where a front stood or had passed for half of a period.

    It advances evenly from one date to the next, and retreats at once, at any time between both.

    Parameters
    ----------
    level : (n, d) float64 ndarray
        Places of the front on its dates, in each of d records.
    seconds : (n,) float64 ndarray
        Those dates.
    """
    n, draws = level.shape
    step = np.diff(level, axis=0)
    share = (np.arange(_ON_THE_WAY)[:, None] + rng.random(draws)) / _ON_THE_WAY
    on_the_way = level[:-1, None] + step[:, None] * share
    rows = np.concatenate([np.concatenate([level[:-1, None], on_the_way], axis=1).reshape(-1, draws), level[-1:]])
    leaves = np.where(step > 0, 0.0, rng.random((n - 1, draws)))
    arrives = np.where(step > 0, 1.0, leaves)
    share = np.arange(_ON_THE_WAY + 1)[:, None] / _ON_THE_WAY
    moments = leaves[:, None] + (arrives - leaves)[:, None] * share
    edges = (seconds[:-1, None, None] + np.diff(seconds)[:, None, None] * moments).reshape(-1, draws)
    ends = np.full((1, draws), start), np.full((1, draws), end)
    spent = np.diff(np.concatenate([ends[0], np.clip(edges, start, end), ends[1]]), axis=0)
    return weighted_median(rows, spent)

"""When the level of a series changed for good (NumPy kernels over ruptures)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import ruptures

from icefront_dask.change.trend import design, fit_joint_model

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ChangePoint", "change_points", "pelt_candidates"]

_MIN_FRONTS = 6  # on either side of a change point
_MIN_YEARS = 0.75
_MAX_PHI = 0.97
_MAX_CANDIDATES = 4
_PLACES = 12.0  # places for a step a _MIN_YEARS, for the level they share: chosen to keep what the level promises


@dataclass(frozen=True)
class ChangePoint:
    """A step of a series.

    Attributes
    ----------
    last_before : int
        Place of the last front before it.
    step_m, low_m, high_m : float
        Size of the step in m, negative landward, and its interval, widened for having looked everywhere.
    """

    last_before: int
    step_m: float
    low_m: float
    high_m: float


def change_points(
    years: npt.NDArray[np.float64],
    position: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64] | None = None,
    groups: npt.NDArray[np.int64] | None = None,
    *,
    level: float = 0.95,
) -> list[ChangePoint]:
    """Find steps that neither trend, season, sensors nor the memory of the errors account for.

    PELT on the residuals of trend and season proposes them, with a penalty × (1 + φ) / (1 − φ) for residuals
    that remember each other. A proposal stands if the joint model with CAR(1) errors and a step there puts
    zero outside the interval of the step, at a level shared over all places where a step could have been.

    Parameters
    ----------
    years, position, sigma, groups
        As in :func:`fit_joint_model`.
    level : float
        Probability that a series without a step shows none.

    References
    ----------
    Killick et al. (2012), J. Am. Stat. Assoc. 107, 1590 (PELT).
    """
    found: list[int] = []
    tests = max(_PLACES * (years[-1] - years[0]) / _MIN_YEARS, 1.0)
    shared = 1 - (1 - level) / tests
    for candidate in pelt_candidates(years, position, groups)[:_MAX_CANDIDATES]:
        trial = sorted([*found, candidate])
        steps = _steps(years, position, sigma, groups, trial, shared)
        mine = steps[trial.index(candidate)]
        if mine.low_m > 0 or mine.high_m < 0:
            found = trial
    return _steps(years, position, sigma, groups, found, shared) if found else []


def pelt_candidates(
    years: npt.NDArray[np.float64], position: npt.NDArray[np.float64], groups: npt.NDArray[np.int64] | None = None
) -> list[int]:
    """Return the places of the last fronts before supposed steps, the largest step first."""
    n = len(years)
    x = design(years, groups)
    if n < max(2 * _MIN_FRONTS, x.shape[1] + 4):
        return []
    # level, season and offsets; the trend would take up half of a step
    keep = np.delete(x, 1, axis=1)
    residual = position - keep @ np.linalg.lstsq(keep, position, rcond=None)[0]
    straight = residual - np.polyval(np.polyfit(years, residual, 1), years)
    out: set[int] = set()
    for series in (residual, straight):
        spread = series - series.mean()
        phi = float(np.clip(np.sum(spread[1:] * spread[:-1]) / max(np.sum(spread**2), 1e-12), 0.0, _MAX_PHI))
        steps = np.diff(series)
        noise = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2) or float(series.std())
        if noise == 0:
            continue
        # the memory within segments, not that of the step itself, which makes phi too large
        inner = min(phi, 0.8)
        penalty = 2 * np.log(n) * (1 + inner) / (1 - inner)
        ends = ruptures.KernelCPD(kernel="linear", min_size=_MIN_FRONTS).fit(series / noise).predict(pen=penalty)
        out |= {end - 1 for end in ends[:-1]}
    inside = [k for k in out if min(years[k] - years[0], years[-1] - years[k + 1]) >= _MIN_YEARS]

    def size(k: int) -> float:
        near, later = np.abs(years - years[k]) <= 1.0, np.arange(n) > k
        return float(abs(np.median(residual[near & later]) - np.median(residual[near & ~later])))

    return sorted(inside, key=lambda k: (-size(k), k))


def _steps(
    years: npt.NDArray[np.float64],
    position: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64] | None,
    groups: npt.NDArray[np.int64] | None,
    places: list[int],
    level: float,
) -> list[ChangePoint]:
    later = [(np.arange(len(years)) > k).astype(float) for k in places]
    fit = fit_joint_model(years, position, sigma, groups, extra=np.column_stack(later))
    first = fit.mean.shape[1] - len(places)
    out = []
    for number, k in enumerate(places):
        step = fit.coefficient(first + number, level)
        out.append(ChangePoint(k, step.rate, step.low, step.high))
    return out

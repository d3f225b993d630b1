"""Net change and single retreats of a series (NumPy kernels over statsmodels)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["Difference", "largest_retreat", "net_change", "retreats", "same_season_pair"]

_YEAR = 365.25
_WEEK = 7.0


@dataclass(frozen=True)
class Difference:
    """Change between two fronts.

    Attributes
    ----------
    first, last : int
        Their places in the series.
    change_m, low_m, high_m : float
        Change in m, negative for a retreat, and its interval.
    """

    first: int
    last: int
    change_m: float
    low_m: float
    high_m: float


def same_season_pair(days: npt.NDArray[np.float64], *, tolerance_days: float = 30.0) -> tuple[int, int] | None:
    """Return two dates of one season, as many years apart as can be; None if there are none.

    Their days of the year differ by at most `tolerance_days`. Of the pairs that differ by at most a week
    the latest is taken, else that which differs least.
    """
    for years in range(int((days[-1] - days[0] + tolerance_days) // _YEAR), 0, -1):
        aim = days + years * _YEAR
        right = np.clip(np.searchsorted(days, aim), 1, len(days) - 1)
        last = np.where(aim - days[right - 1] <= np.abs(days[right] - aim), right - 1, right)
        off = np.abs(days[last] - aim)
        close = np.flatnonzero(off <= _WEEK)
        if len(close) or off.min() <= tolerance_days:
            first = int(close[-1]) if len(close) else int(np.argmin(off))
            return first, int(last[first])
    return None


def net_change(
    days: npt.NDArray[np.float64],
    position: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64],
    *,
    tolerance_days: float = 30.0,
    level: float = 0.95,
) -> tuple[Difference, bool]:
    """Return the change between two dates of the same season, and whether there are two.

    If there are not, it is the change from the first to the last front, which holds a part of the seasonal
    cycle.
    """
    pair = same_season_pair(days, tolerance_days=tolerance_days)
    first, last = pair if pair is not None else (0, len(days) - 1)
    return _difference(position, sigma, first, last, float(norm.ppf(0.5 + level / 2))), pair is not None


def largest_retreat(
    days: npt.NDArray[np.float64],
    position: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64],
    *,
    event_days: float = 36.0,
    over_gap: bool = False,
    level: float = 0.95,
) -> Difference | None:
    """Return the largest retreat between one front and the next, at most `event_days` later, or more.

    The interval is widened for having chosen the largest of many (Bonferroni). None where nothing retreats.
    """
    step, change = np.diff(days), np.diff(position)
    pairs = np.flatnonzero(step > event_days if over_gap else step <= event_days)
    if not len(pairs) or change[pairs].min() >= 0:
        return None
    first = int(pairs[np.argmin(change[pairs])])
    return _difference(position, sigma, first, first + 1, float(norm.ppf(1 - (1 - level) / 2 / len(pairs))))


def retreats(
    days: npt.NDArray[np.float64],
    position: npt.NDArray[np.float64],
    sigma: npt.NDArray[np.float64],
    settings: Mapping[str, Any],
) -> list[Difference]:
    """Return the retreats between successive fronts that are calving events, in the order of time.

    Such a retreat is larger than the errors of both fronts account for, where all pairs of the series are
    tested together (Holm 1979), larger than `event_min_m`, and has not been undone by the next front.

    Parameters
    ----------
    days, position, sigma : ndarray
        (n,) float64.
    settings : mapping
        ``event_min_m`` and ``level`` of the section ``change``.
    """
    if len(days) < 2:
        return []
    change = np.diff(position)
    spread = np.hypot(sigma[1:], sigma[:-1])
    p = norm.cdf(change / np.where(spread > 0, spread, np.finfo(float).tiny))
    significant = multipletests(p, alpha=1 - settings["level"], method="holm")[0]
    after = np.append(position[2:], np.nan)
    undone = after - position[1:] > -0.5 * change
    large = change <= -settings["event_min_m"]
    z = float(norm.ppf(0.5 + settings["level"] / 2))
    return [_difference(position, sigma, int(k), int(k) + 1, z) for k in np.flatnonzero(significant & large & ~undone)]


def _difference(
    position: npt.NDArray[np.float64], sigma: npt.NDArray[np.float64], first: int, last: int, z: float
) -> Difference:
    change = float(position[last] - position[first])
    reach = z * float(np.hypot(sigma[first], sigma[last]))
    return Difference(first, last, change, change - reach, change + reach)

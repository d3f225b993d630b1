"""Rates of change whose intervals hold for correlated, unevenly sampled, seasonal series (NumPy kernels).

An interval that takes neighbouring fronts as independent is far too narrow: positions remember for months.
Two estimates are made here: a joint model of trend, season and sensor offsets with continuous-time
autoregressive errors, and the Theil-Sen slope of annual medians of one season.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DAYS_PER_YEAR", "AnnualSlope", "JointFit", "RateInterval", "annual_theil_sen", "design", "fit_joint_model"]

DAYS_PER_YEAR = 365.25
_TAU_YEARS = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)
_NOISE_SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95)
_TAU_MEDIAN_YEARS, _TAU_SPREAD = 0.6, 1.0  # log-normal prior: fronts remember for months to a few years
_CYCLE_SPREAD = 10.0  # prior spread of the harmonics, in spreads of the errors: for one season a year
_MIN_BLOCKS = 5  # years below which a bootstrap of them says nothing
_DRAWS = 1000
_MIN_STEP_YEARS = 0.5 / DAYS_PER_YEAR


@dataclass(frozen=True)
class RateInterval:
    """A rate with its interval.

    Attributes
    ----------
    rate, low, high : float
        m per year of 365.25 days; `low` and `high` are NaN where no interval of the asked level exists.
    n : int
        Observations, or years, that it rests on.
    """

    rate: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class AnnualSlope(RateInterval):
    """A rate of annual medians.

    Attributes
    ----------
    scatter : float
        Standard deviation of the annual medians about their line, m; NaN for two years.
    """

    scatter: float


@dataclass(frozen=True)
class JointFit:
    """Posterior of the joint model: a mixture of Student t distributions over a grid of error models.

    Attributes
    ----------
    mean : ndarray
        (grid, p) coefficients: level, rate in m per year, cos and sin of 1 and 2 cycles a year, group
        offsets.
    covariance : ndarray
        (grid, p, p) scale matrices of the t distributions.
    weight : ndarray
        (grid,) posterior probability of each error model.
    tau_years, noise_share : ndarray
        (grid,) e-folding time of the errors, share of their variance that is uncorrelated.
    dof : int
        Degrees of freedom of the t distributions.
    n : int
        Observations.
    """

    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    tau_years: npt.NDArray[np.float64]
    noise_share: npt.NDArray[np.float64]
    dof: int
    n: int

    def rate(self, level: float = 0.95) -> RateInterval:
        """Return the posterior mean of the rate and its central interval."""
        return self.coefficient(1, level)

    def coefficient(self, number: int, level: float = 0.95) -> RateInterval:
        """Return the posterior mean of one coefficient and its central interval."""
        centre, scale = self.mean[:, number], np.sqrt(self.covariance[:, number, number])
        rate = float(self.weight @ centre)
        reach = float(np.max(np.abs(centre - rate) + scale * student.ppf(0.5 + level / 2, self.dof) * 1.01))

        def excess(value: float, share: float) -> float:
            return float(self.weight @ student.cdf((value - centre) / scale, self.dof)) - share

        low, high = (
            float(brentq(excess, rate - reach, rate + reach, args=(share,), xtol=1e-6 * reach))
            for share in ((1 - level) / 2, (1 + level) / 2)
        )
        return RateInterval(rate, low, high, self.n)

    def draw(self, count: int, seed: int = 0) -> npt.NDArray[np.float64]:
        """Return (count, p) coefficients drawn from the posterior, the same for the same seed."""
        rng = np.random.default_rng(seed)
        picks = rng.choice(len(self.weight), size=count, p=self.weight)
        roots = np.linalg.cholesky(self.covariance)
        normal = rng.standard_normal((count, self.mean.shape[1]))
        chi = np.sqrt(self.dof / rng.chisquare(self.dof, count))
        return np.asarray(self.mean[picks] + np.einsum("kij,kj->ki", roots[picks], normal) * chi[:, None])


def fit_joint_model(
    years: npt.NDArray[np.float64],
    position_m: npt.NDArray[np.float64],
    sigma_m: npt.NDArray[np.float64] | None = None,
    groups: npt.NDArray[np.int64] | None = None,
    extra: npt.NDArray[np.float64] | None = None,
) -> JointFit:
    """Fit trend + annual and semi-annual cycle + group offsets with CAR(1) errors and measurement noise.

    The errors are an Ornstein-Uhlenbeck process (continuous-time autoregression of order 1) plus
    independent noise. Its e-folding time and the share of noise are not plugged in but averaged over,
    weighted by the restricted marginal likelihood and a log-normal prior of the e-folding time (median 0.6
    years, a factor e wide): that keeps the interval of the rate honest where the record is too short to
    know them.

    Parameters
    ----------
    years : ndarray
        (n,) float64, strictly increasing times in years, at least half a day apart.
    position_m : ndarray
        (n,) float64, finite.
    sigma_m : ndarray, optional
        (n,) float64, 1 sigma of each position: relative weights of the independent noise.
    groups : ndarray, optional
        (n,) int, 0 for the reference sensor, 1… for those with an offset of their own.
    extra : ndarray, optional
        (n, k) float64, further columns of the model, such as steps; their coefficients come last.

    Returns
    -------
    JointFit

    Raises
    ------
    ValueError
        If there are not at least 3 observations more than coefficients.
    """
    x = design(years, groups)
    if extra is not None:
        x = np.column_stack([x, extra])
    n, p = x.shape
    if n < p + 3:
        raise ValueError(f"{n} observations are too few for {p} coefficients")
    noise = np.ones(n) if sigma_m is None else np.clip((sigma_m / np.sqrt(np.mean(sigma_m**2))) ** 2, 0.1, 10)
    xy = np.column_stack([x, position_m - position_m.mean()])
    prior = np.diag(np.r_[0.0, 0.0, np.full(4, _CYCLE_SPREAD**-2.0), np.zeros(p - 6)])
    step = np.maximum(np.diff(years), _MIN_STEP_YEARS)
    means, covariances, logs, grid = [], [], [], []
    for tau in _TAU_YEARS:
        for share in _NOISE_SHARES:
            solved, log_det = _whiten(xy, np.exp(-step / tau), share, noise)
            gram = xy.T @ solved
            xtx, xty = gram[:p, :p] + prior, gram[:p, p]
            inverse = np.linalg.inv(xtx)
            beta = inverse @ xty
            rss = max(float(gram[p, p] - xty @ beta), 1e-12)
            means.append(beta)
            covariances.append(inverse * rss / (n - p))
            likelihood = -0.5 * log_det - 0.5 * np.linalg.slogdet(xtx)[1] - 0.5 * (n - p) * np.log(rss)
            logs.append(likelihood - 0.5 * (np.log(tau / _TAU_MEDIAN_YEARS) / _TAU_SPREAD) ** 2)
            grid.append((tau, share))
    weight = np.exp(np.array(logs) - max(logs))
    mean = np.array(means)
    mean[:, 0] += position_m.mean()
    taus, shares = np.array(grid).T
    return JointFit(mean, np.array(covariances), weight / weight.sum(), taus, shares, n - p, n)


def design(years: npt.NDArray[np.float64], groups: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.float64]:
    """Return the (n, p) design matrix: level, time, two harmonics of the year, offsets of further groups."""
    centred = years - years.mean()
    angle = 2 * np.pi * years
    columns = [np.ones_like(years), centred]
    columns += [f(k * angle) for k in (1, 2) for f in (np.cos, np.sin)]
    if groups is not None:
        columns += [(groups == g).astype(float) for g in range(1, int(groups.max()) + 1)]
    return np.column_stack(columns)


def _whiten(
    xy: npt.NDArray[np.float64], phi: npt.NDArray[np.float64], share: float, noise: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Return S⁻¹ xy and ln det S of S = (1 − share) K + share diag(noise), K the OU correlation, in O(n)."""
    n = len(xy)
    rest = 1 - phi**2
    banded = np.zeros((2, n))
    banded[1, 0] = 1.0
    banded[1, 1:] = 1 / rest
    banded[1, :-1] += phi**2 / rest
    banded[0, 1:] = -phi / rest
    banded /= 1 - share
    inverse_noise = 1 / (share * noise)
    banded[1] += inverse_noise
    factor = cholesky_banded(banded)
    scaled = xy * inverse_noise[:, None]
    solved = scaled - inverse_noise[:, None] * cho_solve_banded((factor, False), scaled)
    log_det_k = n * np.log(1 - share) + np.log(rest).sum()
    log_det = log_det_k - np.log(inverse_noise).sum() + 2 * np.log(factor[1]).sum()
    return solved, float(log_det)


def annual_theil_sen(
    years: npt.NDArray[np.float64],
    position_m: npt.NDArray[np.float64],
    *,
    half_window_days: float = 45.0,
    level: float = 0.95,
) -> AnnualSlope | None:
    """Theil-Sen slope of annual medians of one season, with an interval from a bootstrap of one-year blocks.

    The season is the window of ± `half_window_days` that is observed in most years; of equals the one with
    most observations. Whole years of residuals are drawn with replacement. The percentiles of the slopes are
    widened for the two parameters that the residuals have been fitted by, by Student's t over the normal
    quantile, because a bootstrap of few years is too narrow, and by what one year remembers of the year before
    (√((1 + φ) / (1 − φ)), the e-folding time being the median of the joint model's prior).

    Returns
    -------
    AnnualSlope or None
        None if fewer than 2 years share a season. The interval is NaN for fewer than 5 years.
    """
    half = half_window_days / DAYS_PER_YEAR
    best: tuple[int, int, npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for centre in np.arange(24) / 24:
        offset = years - centre
        cycle = np.round(offset)
        inside = np.abs(offset - cycle) <= half
        seasons = np.unique(cycle[inside])
        key = (len(seasons), int(inside.sum()))
        if len(seasons) >= 2 and (best is None or key > best[:2]):
            picks = [inside & (cycle == season) for season in seasons]
            best = (
                *key,
                np.array([np.median(years[pick]) for pick in picks]),
                np.array([np.median(position_m[pick]) for pick in picks]),
            )
    if best is None:
        return None
    count, _, times, medians = best
    rate, level_m = _theil_sen(times, medians[None])
    residual = medians - level_m[0] - rate[0] * times
    scatter = float(np.sqrt(np.sum(residual**2) / max(count - 2, 1))) if count > 2 else float("nan")
    low = high = float("nan")
    if count >= _MIN_BLOCKS:
        drawn = np.random.default_rng(0).integers(count, size=(_DRAWS, count))
        slopes = _theil_sen(times, residual[drawn])[0]
        tail = 0.5 + level / 2
        wider = np.sqrt(count / (count - 2)) * student.ppf(tail, count - 2) / norm.ppf(tail)
        phi = np.exp(-1 / _TAU_MEDIAN_YEARS)
        wider *= np.sqrt((1 + phi) / (1 - phi))
        low, high = rate[0] + wider * np.quantile(slopes, [1 - tail, tail])
    return AnnualSlope(float(rate[0]), float(low), float(high), count, scatter)


def _theil_sen(
    times: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the median slopes and the median levels of (k, n) values."""
    i, j = np.triu_indices(len(times), 1)
    slope = np.median((values[:, j] - values[:, i]) / (times[j] - times[i]), axis=1)
    return slope, np.median(values - slope[:, None] * times, axis=1)

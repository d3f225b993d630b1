"""The uncertainty of a front from what its outputs show, fitted to errors that are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.errors import InputError
from icefront_dask.fronts.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask.fronts.options import FrontOptions

__all__ = ["LEVELS", "Calibration", "TracedErrors", "coverage", "fit_uncertainty", "uncertainty_px"]

LEVELS = {1.0: 0.6827, 1.96: 0.95}  # sigmas of an interval and what it is to cover
_FACTORS = np.geomspace(0.02, 20.0, 400)
_DOUBTS = np.linspace(0.0, 60.0, 241)
_LEAST_FRONTS = 10
_LARGEST_EXPONENT = 12.0


@dataclass(frozen=True)
class TracedErrors:
    """A front whose errors are known.

    Attributes
    ----------
    errors_px : (n,) float64 ndarray
        Distance of each vertex from the true front; vertices are about a pixel apart.
    spread_px : float
        What the outputs' spread implies, see :func:`icefront_dask.fronts.screen.spread_px`.
    confidence : float
    status : Status
    group : str
        What coverage is told by, such as the sensor.
    """

    errors_px: npt.NDArray[np.float64]
    spread_px: float
    confidence: float
    status: Status
    group: str = ""


@dataclass(frozen=True)
class Calibration:
    """Fitted settings of section ``fronts``."""

    uncertainty_factor: float
    uncertainty_doubt: float


def uncertainty_px(spread_px: float, confidence: float, options: FrontOptions) -> float:
    """Return the standard deviation of a front across itself, pixels; NaN for no spread.

    That of the network and 0.3 px in quadrature. That of the network is ``uncertainty_factor`` times the spread
    of its outputs, and grows by a factor e for each 1 / ``uncertainty_doubt`` that the confidence lies below
    ``accept_confidence``.
    """
    if not math.isfinite(spread_px):
        return math.nan
    return math.hypot(_network(spread_px, confidence, options), options.pixel_error_px)


def _network(spread_px: float, confidence: float, options: FrontOptions) -> float:
    lack = max(options.accept_confidence - confidence, 0.0)
    grown = math.exp(min(options.uncertainty_doubt * lack, _LARGEST_EXPONENT))
    return options.uncertainty_factor * spread_px * grown


def fit_uncertainty(fronts: Sequence[TracedErrors], options: FrontOptions) -> Calibration:
    """Fit the uncertainty to errors: the factor on accepted fronts, the growth with doubt on those in review.

    Intervals of one and of 1.96 sigma are to cover 68.27 and 95 % of the points of accepted fronts; the factor
    is that whose larger deviation is smallest. Errors of fronts in review have far tails (some lie on another
    feature altogether), for which no factor serves both intervals: there that of one sigma decides.

    Parameters
    ----------
    fronts : sequence of TracedErrors
    options : FrontOptions
        ``pixel_error_px`` and ``accept_confidence`` are kept.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        For fewer than 10 accepted fronts.
    """
    accepted = _usable(fronts, Status.ACCEPTED)
    if len(accepted) < _LEAST_FRONTS:
        raise InputError(
            f"{len(accepted)} accepted fronts are too few to calibrate their uncertainty on (at least "
            f"{_LEAST_FRONTS}); draw more scenes, or train the model further"
        )
    factor = min(_FACTORS, key=lambda value: _deviation(accepted, _with(options, value, 0.0)))
    review = _usable(fronts, Status.REVIEW)
    doubt = 0.0
    if len(review) >= _LEAST_FRONTS:
        doubt = min(_DOUBTS, key=lambda value: _deviation(review, _with(options, factor, value), sigmas=(1.0,)))
    return Calibration(round(float(factor), 3), round(float(doubt), 2))


def coverage(fronts: Sequence[TracedErrors], options: FrontOptions) -> dict[float, float]:
    """Return the share of points within each number of sigmas of `LEVELS` of the truth; NaN for no front."""
    chosen = [front for front in fronts if math.isfinite(front.spread_px)]
    if not chosen:
        return dict.fromkeys(LEVELS, math.nan)
    sigma = [uncertainty_px(front.spread_px, front.confidence, options) for front in chosen]
    ratio = np.concatenate([front.errors_px / value for front, value in zip(chosen, sigma, strict=True)])
    return {sigmas: float((ratio <= sigmas).mean()) for sigmas in LEVELS}


def _usable(fronts: Sequence[TracedErrors], status: Status) -> list[TracedErrors]:
    return [front for front in fronts if front.status == status and math.isfinite(front.spread_px)]


def _with(options: FrontOptions, factor: float, doubt: float) -> FrontOptions:
    return replace(options, uncertainty_factor=float(factor), uncertainty_doubt=float(doubt))


def _deviation(
    fronts: Sequence[TracedErrors], options: FrontOptions, sigmas: tuple[float, ...] = tuple(LEVELS)
) -> float:
    found = coverage(fronts, options)
    return max(abs(found[number] - LEVELS[number]) for number in sigmas)

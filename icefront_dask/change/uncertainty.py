"""The error of a position from the error of its front (NumPy kernel)."""

from __future__ import annotations

import numpy as np

__all__ = ["Z95", "box_sigma", "crossing_sigma", "mean_error_factor"]

Z95 = 1.959963984540054
_MIN_COSINE = 0.2  # a front nearly along the flowline: its crossing is not known better than 5 sigma


def mean_error_factor(length_m: float, correlation_m: float) -> float:
    """Return the standard deviation of a mean of unit errors, correlated along a line as exp(−distance / L).

    It is 1 for a line much shorter than the correlation length and √(2 L / length) for one much longer:
    errors along a front do not average out pixel by pixel.
    """
    ratio = length_m / correlation_m
    if ratio < 1e-3:
        return 1.0
    return float(np.sqrt(2 / ratio * (1 - (1 - np.exp(-ratio)) / ratio)))


def box_sigma(
    uncertainty_m: float,
    *,
    front_length_m: float,
    width_m: float,
    covered_share: float,
    relief_m: float,
    correlation_m: float,
) -> float:
    """Return 1 sigma of a box position.

    Parameters
    ----------
    uncertainty_m : float
        1 sigma of the front, normal to it.
    front_length_m, width_m : float
        Length of the seen front in the box and width of the box: an oblique front moves more area.
    covered_share : float
        The unseen share of the width adds the front's own relief, in proportion.
    relief_m : float
        Standard deviation of the seen front along flow.
    correlation_m : float
        E-folding distance of the errors along the front.
    """
    obliquity = max(front_length_m / (max(covered_share, 1e-6) * width_m), 1.0)
    seen = uncertainty_m * obliquity * covered_share * mean_error_factor(front_length_m, correlation_m)
    return float(np.hypot(seen, (1 - covered_share) * np.hypot(relief_m, uncertainty_m)))


def crossing_sigma(uncertainty_m: float, cosine: float) -> float:
    """Return 1 sigma of a crossing along the flowline; `cosine` is that between front normal and flowline."""
    return float(uncertainty_m / max(cosine, _MIN_COSINE))

"""Speckle filters over NumPy arrays of linear power: within one scene, and, away from fronts, over dates.

``refined_lee`` follows Lee (1981) and Lee et al. (1999): where a window of 7 × 7 pixels holds an edge, only the half
of it on the pixel's own side, along the edge's direction, enters the local statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

__all__ = ["FJORD_M", "HALO_PX", "check_distance", "enl", "multitemporal", "refined_lee"]

FJORD_M = 3_000.0
HALO_PX = 3
_SIDE = 7
_TINY = 1e-30


def enl(power: npt.NDArray[Any]) -> float:
    """Return the equivalent number of looks of a homogeneous area: squared mean over variance of its valid pixels."""
    valid = power[np.isfinite(power)].astype(np.float64)
    return float(valid.mean() ** 2 / valid.var())


def refined_lee(power: Floats, looks: float) -> Floats:
    """Filter speckle within one scene.

    Parameters
    ----------
    power : ndarray
        Dims (y, x), float32, linear power, NaN nodata, which takes no part and stays.
    looks : float
        Equivalent number of looks: 10.7 for EW GRDM, 4.4 for IW GRDH (10 m).

    Returns
    -------
    ndarray
        Dims (y, x), float32. A pixel depends on its neighbours within :data:`HALO_PX`.
    """
    valid = np.isfinite(power)
    if not valid.any():
        return power.copy()
    filled = np.where(valid, power, 0.0).astype(np.float64)
    weight = valid.astype(np.float64)
    side = _edge_side(filled, weight)
    mean, variance = np.zeros_like(filled), np.zeros_like(filled)
    for number, half in enumerate(_HALVES):
        count = ndimage.correlate(weight, half, mode="constant")
        total = ndimage.correlate(filled, half, mode="constant")
        squares = ndimage.correlate(filled**2, half, mode="constant")
        here = side == number
        count = np.maximum(count, 1.0)
        mean[here] = (total / count)[here]
        variance[here] = np.maximum(squares / count - (total / count) ** 2, 0.0)[here]
    # Variance of the signal under multiplicative speckle of unit mean and variance 1 / looks
    noise = 1.0 / looks
    signal = np.maximum((variance - mean**2 * noise) / (1.0 + noise), 0.0)
    gain = signal / np.maximum(variance, _TINY)
    out = mean + gain * (filled - mean)
    return np.where(valid, out, np.nan).astype(np.float32)


def check_distance(distance_m: float | None) -> None:
    """Refuse pixels that are too near to a fjord for a filter over dates.

    Parameters
    ----------
    distance_m : float or None
        Of the nearest pixel from the fjord, in metres on the ground; None where that is not known.

    Raises
    ------
    InputError
        For less than 3 km, or none.
    """
    if distance_m is None or not distance_m >= FJORD_M:
        where = "no fjord is stated" if distance_m is None else f"the nearest pixel lies at {distance_m:.0f} m"
        raise InputError(
            f"no filter over dates within {FJORD_M:.0f} m of a fjord ({where}): ice moves tens of metres a day there; "
            "use refined_lee, or pixels farther off"
        )


def multitemporal(power: Floats, distance_m: float | None, looks: float | Sequence[float]) -> Floats:
    """Filter speckle over dates (Quegan and Yu 2001), where no front can be near.

    A front moves from date to date: over dates it would be drawn where it was, and ice where it is no more.

    Parameters
    ----------
    power : ndarray
        Dims (time, y, x), float32, linear power, NaN nodata, which takes no part and stays.
    distance_m : float or None
        As of :func:`check_distance`.
    looks : float or sequence of float
        Equivalent number of looks of a scene, or of each.

    Returns
    -------
    ndarray
        Dims (time, y, x), float32. A pixel depends on its neighbours within :data:`HALO_PX`, of all dates.

    Raises
    ------
    InputError
        As :func:`check_distance`.
    """
    check_distance(distance_m)
    each = np.broadcast_to(np.asarray(looks, np.float64), power.shape[:1])
    local = np.stack([refined_lee(*pair) for pair in zip(power, each, strict=True)]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(local > 0, power / local, np.nan)
    count = np.isfinite(ratio).sum(axis=0)
    common = np.where(count > 0, np.nansum(ratio, axis=0) / np.maximum(count, 1), np.nan)
    return np.where(np.isfinite(power), local * common[None], np.nan).astype(np.float32)


def _edge_side(filled: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return which of the eight half windows a pixel belongs to: the direction by means of 3 × 3 pixels."""
    count = ndimage.uniform_filter(weight, 3, mode="constant")
    means = ndimage.uniform_filter(filled, 3, mode="constant") / np.maximum(count, 1e-6)
    step = 2
    shifted = {
        (dy, dx): ndimage.shift(means, (-dy * step, -dx * step), order=0, mode="nearest")
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    }
    gradients = []
    for dy, dx in _DIRECTIONS:
        ahead, behind = [(dy, dx)], [(-dy, -dx)]
        for turn in _beside(dy, dx):
            ahead.append(turn)
            behind.append((-turn[0], -turn[1]))
        gradients.append(sum(shifted[p] for p in ahead) - sum(shifted[p] for p in behind))
    strongest = np.abs(np.stack(gradients)).argmax(axis=0)
    out = np.zeros(filled.shape, np.intp)
    for number, (dy, dx) in enumerate(_DIRECTIONS):
        here = strongest == number
        nearer_ahead = np.abs(shifted[dy, dx] - means) < np.abs(shifted[-dy, -dx] - means)
        out[here] = 2 * number + nearer_ahead[here]
    return out


_DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))


def _beside(dy: int, dx: int) -> list[tuple[int, int]]:
    """Return the two of the eight neighbours beside a direction."""
    ring = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
    at = ring.index((dy, dx))
    return [ring[at - 1], ring[(at + 1) % 8]]


def _halves() -> list[npt.NDArray[np.float64]]:
    """Return half windows, for each direction the one behind the pixel and the one ahead, the middle included."""
    y, x = np.indices((_SIDE, _SIDE)) - _SIDE // 2
    return [(sign * (y * dy + x * dx) >= 0).astype(np.float64) for dy, dx in _DIRECTIONS for sign in (-1, 1)]


_HALVES = _halves()

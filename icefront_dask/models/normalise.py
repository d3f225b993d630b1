"""From bands to the channels of a network: decibels, robust scores, the way to the sea, validity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CLIP",
    "CO_FLOOR_DB",
    "CROSS_FLOOR_DB",
    "Flow",
    "RobustScale",
    "channels",
    "robust_scale",
    "seaward",
    "to_decibel",
]

CLIP = 4.0
CO_FLOOR_DB, CROSS_FLOOR_DB = -30.0, -35.0
Floats = NDArray[np.floating[Any]]
Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
"""Inland and seaward end of a flowline, each as (row, column)."""


@dataclass(frozen=True)
class RobustScale:
    """Median and scaled median absolute deviation of a band's valid pixels."""

    median: float
    spread: float


def to_decibel(power: Floats, floor_db: float) -> Floats:
    """Decibels of linear power, clipped below at ``floor_db``; NaN stays.

    Parameters
    ----------
    power : ndarray float32, linear power, NaN nodata
    floor_db : float

    Returns
    -------
    ndarray float32, dB
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        db = np.log10(power)
    db *= 10
    return np.maximum(db, floor_db).astype(np.float32, copy=False)  # NaN stays


def robust_scale(band: Floats, limit: int = 250_000) -> RobustScale:
    """Median and 1.4826 x MAD of the finite values, from a subsample on a fixed stride.

    Parameters
    ----------
    band : ndarray (H, W) float32, NaN nodata
    limit : int
        The stride is the smallest that leaves at most this many pixels; it starts at the first pixel, so
        the result does not depend on any chunking.

    Returns
    -------
    RobustScale
        (0, 1) where no pixel is finite.
    """
    step = max(1, int(np.ceil(np.sqrt(band.size / limit))))
    values = band[::step, ::step]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return RobustScale(0.0, 1.0)
    median = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - median)))
    if spread <= 0:  # more than half of the pixels share one value
        spread = float(values.std()) or 1.0
    return RobustScale(median, spread)


def _score(band: Floats, valid: NDArray[np.bool_], scale: RobustScale, out: Floats) -> None:
    """Set ``out`` to the score of a band, 0 where it is invalid."""
    np.subtract(band, np.float32(scale.median), out=out)
    out /= np.float32(scale.spread)
    np.clip(out, -CLIP, CLIP, out=out)
    if not valid.all():
        out[~valid] = 0


def seaward(
    shape: tuple[int, int], flows: Sequence[Flow], *, origin: tuple[int, int] = (0, 0), factor: int = 1
) -> Floats:
    """How much nearer to the sea than to the inland ice the pixels of a scene are.

    Parameters
    ----------
    shape : (H, W)
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each flowline; ends may lie outside the scene.
    origin : (row, column)
        Of the first pixel, in the rows and columns of the flowlines: for a part of the scene.
    factor : int
        Rows and columns of the flowlines along a side of a pixel: for a coarser grid.

    Returns
    -------
    ndarray (H, W) float32
        (a - b) / (a + b) with the distances a to the nearest inland and b to the nearest seaward end: -1 at
        the former, 1 at the latter; 0 everywhere without a flowline.
    """
    if not len(flows):
        return np.zeros(shape, np.float32)
    rows, cols = np.ogrid[0.0 : shape[0], 0.0 : shape[1]]
    rows, cols = (origin[0] + (rows + 0.5) * factor - 0.5, origin[1] + (cols + 0.5) * factor - 0.5)

    def nearest(end: int) -> Floats:
        distances = [np.hypot(rows - flow[end][0], cols - flow[end][1]) for flow in flows]
        return np.minimum.reduce(distances)

    inland, sea = nearest(0), nearest(1)
    return ((inland - sea) / np.maximum(inland + sea, 1e-6)).astype(np.float32)


def channels(
    primary: Floats,
    cross: Floats | None = None,
    way: Floats | None = None,
    *,
    scale: RobustScale | None = None,
    cross_scale: RobustScale | None = None,
) -> Floats:
    """Channels of the shipped networks.

    Parameters
    ----------
    primary : ndarray (H, W) float32
        Co-polarised backscatter in dB, reflectance, or grey values; NaN nodata.
    cross : ndarray (H, W) float32, optional
        Cross-polarised backscatter in dB; NaN nodata.
    way : ndarray (H, W) float32, optional
        For networks that are told the way to the sea, see :func:`seaward`.
    scale, cross_scale : RobustScale, optional
        Those of the whole scene; taken from the arrays when not given.

    Returns
    -------
    ndarray (3 or, with ``way``, 4, H, W) float32
        Robust score of ``primary`` clipped to ± 4, of ``cross`` (0 where there is none), ``way`` if given,
        and validity of ``primary`` (1 valid, 0 not), always the last; scores of invalid pixels are 0.
    """
    valid = np.isfinite(primary)
    out = np.empty((3 if way is None else 4, *primary.shape), np.float32)
    _score(primary, valid, scale or robust_scale(primary), out[0])
    if cross is None:
        out[1] = 0
    else:
        _score(cross, valid & np.isfinite(cross), cross_scale or robust_scale(cross), out[1])
    if way is not None:
        out[2] = way
    out[-1] = valid
    return out

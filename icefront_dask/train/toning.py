"""What the papers do to the grey values before training, on NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import correlate
from skimage.exposure import equalize_adapthist

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decibel_to_grey", "enhance_edges", "stretch_to_grey", "three_tones"]

_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
_SHARPEN = np.array([[-1, -1, -1], [-1, 10, -1], [-1, -1, -1]]) / 2


def stretch_to_grey(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale values of more than 8 bits by ``255 / max``; others stay (CALFIN)."""
    top = np.nanmax(grey, initial=0.0)
    low = np.nanmin(grey, initial=0.0)
    return grey * np.float32(255 / top) if top - low > 255 else grey


def three_tones(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return CALFIN's three channels: as it is, tone-mapped, shadows lifted and highlights lowered.

    Parameters
    ----------
    grey : ndarray (H, W) float32, 0 … 255; NaN nodata

    Returns
    -------
    ndarray (3, H, W) float32, 0 … 255; 0 where nodata

    Notes
    -----
    A substitute: the publication made the second and third channel with presets of a commercial program. Here
    they are contrast-limited adaptive histogram equalisation, and ``(1 - v) v^0.6 + v v^1.6`` of the unit grey.
    """
    v = np.clip(np.nan_to_num(grey, nan=0.0) / 255, 0, 1)
    mapped = equalize_adapthist(v) if v.max() > v.min() else v
    lifted = (1 - v) * v**0.6 + v * v**1.6
    return (255 * np.stack([v, mapped, lifted])).astype(np.float32)


def _stretched(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Linear map of the range to 0 … 255."""
    low, high = int(grey.min()), int(grey.max())
    if high <= low:
        return grey
    scale = 255.0 / (high - low)
    table = np.clip((np.arange(256) * scale - low * scale).astype(np.int64), 0, 255).astype(np.uint8)
    return table[grey]


def _equalised(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make the histogram uniform."""
    histogram = np.bincount(grey.ravel(), minlength=256)
    filled = histogram[histogram > 0]
    step = (int(filled.sum()) - int(filled[-1])) // 255 if filled.size > 1 else 0
    if step == 0:
        return grey
    before = np.concatenate([[0], np.cumsum(histogram)[:-1]]) + step // 2
    return np.minimum(before // step, 255).astype(np.uint8)[grey]


def _filtered(grey: NDArray[np.uint8], kernel: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Correlate with a 3x3 kernel; the outermost pixels stay."""
    out = grey.copy()
    values = correlate(grey.astype(np.float64), kernel, mode="nearest")
    out[1:-1, 1:-1] = np.clip(np.floor(values + 0.5), 0, 255)[1:-1, 1:-1]
    return out


def enhance_edges(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch, equalise, smooth and sharpen an image as M-NN does.

    Parameters
    ----------
    grey : ndarray (H, W) float32, 0 … 255; NaN nodata

    Returns
    -------
    ndarray (H, W) float32, whole numbers 0 … 255; nodata becomes 0

    Notes
    -----
    The steps and kernels are those of the Pillow library, which the published code uses: ``autocontrast``,
    ``equalize``, ``SMOOTH``, ``EDGE_ENHANCE`` (Mohajerani et al. 2019).
    """
    bytes_ = np.clip(np.rint(np.nan_to_num(grey, nan=0.0)), 0, 255).astype(np.uint8)
    return _filtered(_filtered(_equalised(_stretched(bytes_)), _SMOOTH), _SHARPEN).astype(np.float32)


def decibel_to_grey(db: NDArray[np.float32], floor_db: float, ceiling_db: float = 0.0) -> NDArray[np.float32]:
    """Map decibels from ``floor_db … ceiling_db`` to 0 … 255, clipped; NaN stays.

    The range that IceLines uses is not published: this one is an assumption.
    """
    return np.clip(255 * (db - floor_db) / (ceiling_db - floor_db), 0, 255).astype(np.float32)

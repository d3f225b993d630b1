"""Changes of an image that must not move a front: other water, other contrast, turns, scales, shadow, missing stripes.

Images are (B, H, W) float32 with NaN nodata: grey values, reflectance or dB. Pixel coordinates are x to the right and y
down, the centre of the corner pixel at (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from scipy.ndimage import affine_transform, gaussian_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Mask = NDArray[np.bool_]

__all__ = ["MISSING", "PERTURBATIONS", "Changed", "Perturbation", "resampled", "shadow_mask", "stripe_mask"]

MISSING = 0.22  # share of a Landsat 7 scene that is missing since its scan line corrector failed
_AS_IT_IS = Affine.identity()
_SHADE = 0.3
_GOLDEN = 0.6180339887498949
_NOISE = 0.03


@dataclass(frozen=True)
class Changed:
    """A changed image.

    Attributes
    ----------
    data : (B, h, w) float32 ndarray
    back : Affine
        From its pixel coordinates to those of the image as it was.
    scale : float
        Pixels of it along a pixel of the image.
    """

    data: Array
    back: Affine = _AS_IT_IS
    scale: float = 1.0


@dataclass(frozen=True)
class Perturbation:
    """A change, and how many times the plain error the error may be.

    Attributes
    ----------
    bound : float
    change : callable
        From an image, where the sea is (None where that is not known) and the number of the image in its set to a
        :class:`Changed`, or None where the change cannot be made. The number decides all that is drawn.
    """

    bound: float
    change: Callable[[Array, Mask | None, int], Changed | None]


def _dark_water(data: Array, ocean: Mask | None, number: int) -> Changed | None:
    """Replace the sea by the darkest tone of the image with a little noise."""
    if ocean is None or not ocean.any():
        return None
    rng = np.random.default_rng([number, 0xDA2C])
    out = data.copy()
    for band in out:
        low, high = np.nanpercentile(band, [1, 99])
        noise = gaussian_filter(rng.standard_normal(band.shape), 1.0)
        water = low + _NOISE * (high - low) * noise / noise.std()
        band[ocean] = np.where(np.isfinite(band), water, np.nan)[ocean]
    return Changed(out)


def _inverted(data: Array, ocean: Mask | None, number: int) -> Changed:  # noqa: ARG001
    """Mirror the tones of each band at the middle of their range."""
    return Changed(np.stack([np.nanmin(band) + np.nanmax(band) - band for band in data]).astype(np.float32))


def _rotated(data: Array, ocean: Mask | None, number: int) -> Changed:  # noqa: ARG001
    """Turn the image; over a set the angles cover the circle evenly."""
    return resampled(data, 360 * ((number + 1) * _GOLDEN % 1), 1.0)


def _scaled(data: Array, ocean: Mask | None, number: int) -> Changed:  # noqa: ARG001
    """Scale the image by 0.5 … 2; over a set the scales cover the range evenly."""
    return resampled(data, 0.0, 0.5 * 4 ** ((number + 1) * _GOLDEN % 1))


def resampled(data: Array, degrees: float, scale: float) -> Changed:
    """Turn an image clockwise and scale it, bilinear, on a canvas that holds all of it; NaN beside it.

    An image that is made smaller is smoothed before (Gaussian of standard deviation ``(1 / scale - 1) / 2`` px).
    """
    height, width = data.shape[1:]
    forward = Affine.rotation(degrees) * Affine.scale(scale)
    corners = np.array([forward * corner for corner in ((0, 0), (width, 0), (0, height), (width, height))])
    low = corners.min(axis=0)
    across, down = np.ceil(corners.max(axis=0) - low - 1e-6).astype(int)
    back = ~(Affine.translation(*-low) * forward)
    sigma = max(0.0, (1 / scale - 1) / 2)
    source = [_smooth(band, sigma) if sigma else band for band in data]
    matrix = np.array([[back.e, back.d], [back.b, back.a]])
    offset = matrix @ [0.5, 0.5] + [back.f, back.c] - 0.5
    out = [
        affine_transform(band, matrix, offset, (down, across), np.float32, order=1, cval=np.nan, prefilter=False)
        for band in source
    ]
    return Changed(np.stack(out), back, scale)


def _smooth(band: Array, sigma: float) -> Array:
    valid = np.isfinite(band)
    total = gaussian_filter(np.where(valid, band, 0).astype(np.float32), sigma)
    share = gaussian_filter(valid.astype(np.float32), sigma)
    return np.where(valid, total / np.maximum(share, 1e-6), np.nan).astype(np.float32)


def _shadowed(data: Array, ocean: Mask | None, number: int) -> Changed:  # noqa: ARG001
    """Darken bands across the image to 30 % above its darkest tone."""
    shadow = shadow_mask((data.shape[1], data.shape[2]), number)
    low = np.nanpercentile(data, 0.5, axis=(1, 2), keepdims=True)
    return Changed(np.where(shadow, low + _SHADE * (data - low), data).astype(np.float32))


def shadow_mask(shape: tuple[int, int], number: int) -> Mask:
    """Return two to four straight bands (H, W), each 5 to 12 % of the image's diagonal wide, all of one direction."""
    rng = np.random.default_rng([number, 0x5AD0])
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    angle, diagonal = rng.uniform(0, np.pi), float(np.hypot(*shape))
    away = (cols - shape[1] / 2) * np.cos(angle) + (rows - shape[0] / 2) * np.sin(angle)
    mask = np.zeros(shape, dtype=bool)
    for _ in range(int(rng.integers(2, 5))):
        centre, half = rng.uniform(-0.35, 0.35) * diagonal, rng.uniform(0.025, 0.06) * diagonal
        mask |= np.abs(away - centre) < half
    return mask


def _striped(data: Array, ocean: Mask | None, number: int) -> Changed:  # noqa: ARG001
    """Take 22 % of the pixels out, in wedges as of the failed scan line corrector of Landsat 7."""
    gaps = stripe_mask((data.shape[1], data.shape[2]), number)
    return Changed(np.where(gaps, np.float32(np.nan), data))


def stripe_mask(shape: tuple[int, int], number: int) -> Mask:
    """Return parallel gaps (H, W) 33 px apart that widen from the middle to both sides, 22 % of the pixels in all."""
    rng = np.random.default_rng([number, 0x51C0])
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    slope, start = np.tan(np.radians(rng.uniform(5, 15))), rng.uniform(0, 33)
    phase = ((rows + slope * cols + start) / 33) % 1
    wide = 0.15 + np.abs(cols - shape[1] / 2) / (shape[1] / 2)
    share = np.abs(phase - 0.5) / wide
    return np.asarray(share <= np.quantile(share, MISSING))


PERTURBATIONS = {
    "dark-water": Perturbation(1.3, _dark_water),
    "inverted": Perturbation(1.3, _inverted),
    "rotated": Perturbation(1.2, _rotated),
    "scaled": Perturbation(1.2, _scaled),
    "shadows": Perturbation(1.5, _shadowed),
    "stripes": Perturbation(1.5, _striped),
}

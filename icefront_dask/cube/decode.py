"""From a provider's numbers to physical values and quality bits: plain functions over NumPy arrays.

Everything here is local: a pixel depends on its neighbours within :func:`halo_px` pixels only, so that a
scene read in blocks with that halo equals the scene read whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from icefront_dask.cube.quality import INVALID, QUALITY_DTYPE, Quality

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Bits = npt.NDArray[np.uint16]
    Mask = npt.NDArray[np.bool_]

__all__ = [
    "brightness_temperature",
    "decode_grey",
    "decode_landsat",
    "decode_sar",
    "fuse",
    "halo_px",
    "scale_dn",
    "slc_gaps",
]

# QA_PIXEL of Landsat Collection 2 (USGS LSDS-1619, table 6-2)
_FILL, _DILATED, _CIRRUS, _CLOUD, _SHADOW = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4
# QA_RADSAT: bits 0-6 are bands 1-7; bit 9 is "dropped" for MSS, TM and ETM+ (unused for OLI)
_DROPPED = 1 << 9
_BORDER_BLOCK = 5  # px: zeros which fill a square of this side belong to the outside of a radar scene


def scale_dn(dn: npt.NDArray[Any], scale: float, offset: float) -> Floats:
    """Apply scale and offset in float64 and round once to float32.

    The same arithmetic decodes the packed store, so values in memory and from disk are equal to the bit.

    Parameters
    ----------
    dn : ndarray
        Any shape; unsigned integer with nodata 0, or float with nodata NaN.
    scale, offset : float
        ``value = scale * dn + offset``.

    Returns
    -------
    ndarray
        Same shape, float32, nodata NaN.
    """
    values = (dn.astype(np.float64) * scale + offset).astype(np.float32)
    if dn.dtype.kind != "f":
        values[dn == 0] = np.nan
    return values


def brightness_temperature(radiance: Floats, k1: float, k2: float) -> Floats:
    """Return the temperature of a black body of some radiance (Chander et al. 2009, equation 3).

    Parameters
    ----------
    radiance : ndarray
        Any shape, float32, W m-2 sr-1 um-1, NaN nodata.
    k1, k2 : float
        The sensor's constants, W m-2 sr-1 um-1 and K.

    Returns
    -------
    ndarray
        Same shape, float32, K; NaN also where the radiance is not positive.
    """
    positive = np.where(radiance > 0, radiance.astype(np.float64), np.nan)
    return (k2 / np.log(k1 / positive + 1.0)).astype(np.float32)


def slc_gaps(missing: Mask, radius_px: float) -> Mask:
    """Return the missing pixels that lie between valid ones: gaps of Landsat 7 after 2003-05-31.

    A morphological closing of the valid pixels by a disk; its result depends on pixels within twice the
    radius. Missing pixels beyond the disk, the outside of the scene, are no gaps.

    Parameters
    ----------
    missing : ndarray
        Dims (y, x), bool: fill.
    radius_px : float
        Half the widest gap, in pixels.

    Returns
    -------
    ndarray
        Dims (y, x), bool.
    """
    if missing.all() or not missing.any():
        return np.zeros_like(missing)
    near = ndimage.distance_transform_edt(missing) <= radius_px
    if near.all():
        return missing.copy()
    closed = ndimage.distance_transform_edt(near) > radius_px
    return np.asarray(missing & closed)


def decode_landsat(
    dn: Mapping[str, npt.NDArray[Any]],
    qa_pixel: npt.NDArray[np.uint16] | None,
    qa_radsat: npt.NDArray[np.uint16] | None,
    *,
    scales: Mapping[str, tuple[float, float]],
    saturation_bits: Mapping[str, int],
    dropped_bit: bool,
    slc_radius_px: float | None = None,
    thermal_constants: tuple[float, float] | None = None,
) -> tuple[dict[str, Floats], Bits]:
    """Decode one Landsat Collection 2 scene.

    Cloud, cirrus and dilated cloud set ``CLOUD``, cloud shadow sets ``SHADOW``; they never blank a pixel,
    because CFMask calls bright ice and mélange cloud. Fill, dropped and saturated pixels become NaN.

    Parameters
    ----------
    dn : mapping of str to ndarray
        Dims (y, x), uint16 digital numbers by variable, 0 is fill; or float32 with nodata NaN.
    qa_pixel, qa_radsat : ndarray or None
        Dims (y, x), uint16, on the same grid (nearest neighbour); outside the file QA_PIXEL is 1 (fill) and
        QA_RADSAT is 0. None where the product has none.
    scales : mapping of str to (scale, offset)
        By variable, as the item gives them.
    saturation_bits : mapping of str to int
        By variable, the number of its bit in QA_RADSAT.
    dropped_bit : bool
        Whether bit 9 of QA_RADSAT means a dropped pixel (MSS, TM, ETM+).
    slc_radius_px : float, optional
        Half the widest gap in pixels; given for Landsat 7 after 2003-05-31 only.
    thermal_constants : tuple of float, optional
        K1 and K2 where ``thermal`` is a radiance.

    Returns
    -------
    values : dict of str to ndarray
        Dims (y, x), float32, reflectance (K for ``thermal``), NaN nodata.
    quality : ndarray
        Dims (y, x), uint16.
    """
    shape = next(iter(dn.values())).shape
    quality = np.zeros(shape, QUALITY_DTYPE)
    missing = np.zeros(shape, bool)
    if qa_pixel is not None:
        missing |= (qa_pixel & _FILL) != 0
        quality[(qa_pixel & (_DILATED | _CIRRUS | _CLOUD)) != 0] |= np.uint16(Quality.CLOUD)
        quality[(qa_pixel & _SHADOW) != 0] |= np.uint16(Quality.SHADOW)
    if qa_radsat is not None and dropped_bit:
        missing |= (qa_radsat & _DROPPED) != 0
    values: dict[str, Floats] = {}
    nothing = np.ones(shape, bool)
    for name, numbers in dn.items():
        scale, offset = scales[name]
        band = scale_dn(numbers, scale, offset)
        if name == "thermal" and thermal_constants is not None:
            band = brightness_temperature(band, *thermal_constants)
        band[missing] = np.nan
        nothing &= np.isnan(band)
        if qa_radsat is not None and name in saturation_bits:
            saturated = (qa_radsat & np.uint16(1 << saturation_bits[name])) != 0
            quality[saturated & ~missing] |= np.uint16(Quality.SATURATED)
            band[saturated] = np.nan
        values[name] = band
    quality[nothing] = Quality.NODATA
    if slc_radius_px is not None:
        gaps = slc_gaps(nothing, slc_radius_px)
        quality[ndimage.binary_dilation(gaps, np.ones((3, 3), bool))] |= np.uint16(Quality.SLC_GAP)
    return values, quality


def decode_sar(
    power: Mapping[str, Floats],
    *,
    erosion_px: int,
    cross: frozenset[str] = frozenset({"hv", "vh"}),
    zero_is_nodata: bool = True,
) -> tuple[dict[str, Floats], Bits]:
    """Decode one radar scene in linear power.

    Declared nodata arrives as NaN. Zero is nodata too: providers fill the outside of a scene and its
    noise-trimmed borders with it. A zero of the cross polarisation within valid co-polarised pixels is a
    measurement below the noise floor and stays, unless it is part of a zero area of 5 × 5 pixels.
    The rim of such areas, `erosion_px` wide, mixes nodata or border noise with signal: it becomes NaN and
    carries ``BORDER_NOISE``.

    Parameters
    ----------
    power : mapping of str to ndarray
        Dims (y, x), float32, linear gamma0 or sigma0 by variable, NaN or 0 nodata.
    erosion_px : int
        Width of the rim in pixels.
    cross : frozenset of str
        Which variables are cross-polarised.
    zero_is_nodata : bool
        ``False`` where only NaN is nodata, and zero a measurement below the noise floor.

    Returns
    -------
    values : dict of str to ndarray
        Dims (y, x), float32, linear power, NaN nodata.
    quality : ndarray
        Dims (y, x), uint16.
    """
    shape = next(iter(power.values())).shape
    quality = np.zeros(shape, QUALITY_DTYPE)
    values: dict[str, Floats] = {}
    nothing = np.ones(shape, bool)
    noise = np.zeros(shape, bool)
    co_seen = any(name not in cross for name in power)
    for name, band in power.items():
        # NaN, infinity, 0 and the small negatives of some processors
        empty = ~((band > 0) & np.isfinite(band)) if zero_is_nodata else ~np.isfinite(band)
        outside = _blocks_of(empty)
        floor = empty & ~outside & (band >= 0) if name in cross and co_seen else np.zeros(shape, bool)
        rim = _dilate(outside, erosion_px) & ~empty if erosion_px else np.zeros(shape, bool)
        values[name] = np.where((empty & ~floor) | rim, np.float32(np.nan), band)
        noise |= rim
        nothing &= empty & ~floor
    quality[nothing] = Quality.NODATA
    quality[noise & ~nothing] |= np.uint16(Quality.BORDER_NOISE)
    for band in values.values():
        band[nothing] = np.nan
    return values, quality


def decode_grey(grey: Mapping[str, Floats]) -> tuple[dict[str, Floats], Bits]:
    """Pass uncalibrated numbers on as they are; NaN (declared nodata, outside the file) sets ``NODATA``.

    Parameters
    ----------
    grey : mapping of str to ndarray
        Dims (y, x), float32, NaN nodata.

    Returns
    -------
    values : dict of str to ndarray
        The same arrays.
    quality : ndarray
        Dims (y, x), uint16.
    """
    nothing = np.logical_and.reduce([np.isnan(band) for band in grey.values()])
    return dict(grey), np.where(nothing, np.uint16(Quality.NODATA), np.uint16(0))


def fuse(
    first: tuple[dict[str, Floats], Bits], second: tuple[dict[str, Floats], Bits]
) -> tuple[dict[str, Floats], Bits]:
    """Lay one item's pixels under those of an earlier item of the same overpass.

    Each pixel comes whole, all variables and its quality, from one item: the first with a usable value, else
    the first with a flagged one, else one whose file could not be read.
    """
    values, quality = first
    take = _rank(second[1]) < _rank(quality)
    for name, band in second[0].items():
        np.copyto(values[name], band, where=take)
    np.copyto(quality, second[1], where=take)
    return values, quality


def halo_px(resolution: float, *, erosion_px: int, slc_radius_m: float | None) -> int:
    """Return how far around a block the decoding looks, in pixels."""
    sar = erosion_px + _BORDER_BLOCK
    return sar if slc_radius_m is None else max(sar, math.ceil(2 * slc_radius_m / resolution) + 2)


def _rank(quality: Bits) -> npt.NDArray[np.uint8]:
    rank = np.where((quality & np.uint16(INVALID)) != 0, np.uint8(1), np.uint8(0))
    rank[(quality & np.uint16(Quality.NODATA)) != 0] = 3
    rank[(quality & np.uint16(Quality.READ_FAILED)) != 0] = 2
    return rank


def _blocks_of(empty: Mask) -> Mask:
    """Return the pixels that belong to an all-empty square of ``_BORDER_BLOCK`` pixels (an opening)."""
    if not empty.any():
        return empty
    # Beyond the array all counts as empty: the halo, which is cut off, takes the effect of that choice.
    side = (_BORDER_BLOCK, _BORDER_BLOCK)
    eroded = ndimage.minimum_filter(empty, side, mode="constant", cval=1)
    return np.asarray(ndimage.maximum_filter(eroded, side, mode="constant", cval=0))


def _dilate(area: Mask, width: int) -> Mask:
    if not area.any():
        return area
    side = (2 * width + 1, 2 * width + 1)
    return np.asarray(ndimage.maximum_filter(area, side, mode="constant", cval=0))

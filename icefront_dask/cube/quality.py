"""The closed list of quality bits, their CF attributes and the helpers that every room shares."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["INVALID", "QUALITY_DTYPE", "Quality", "cf_attributes", "gap_fraction", "invalid", "names"]

QUALITY_DTYPE = np.dtype("uint16")


class Quality(IntFlag):
    """Bits of the variable ``quality``. A cloud or shadow bit never blanks a pixel.

    Write ``array |= np.uint16(Quality.CLOUD)``: NumPy takes a bare flag for an int64.
    """

    NODATA = 1
    """No variable has a value here: outside the scene, fill, dropped."""
    CLOUD = 2
    SHADOW = 4
    SATURATED = 8
    """At least one variable is saturated, hence NaN, here."""
    SLC_GAP = 16
    """Within or beside a gap of Landsat 7's failed scan line corrector."""
    BORDER_NOISE = 32
    """Within the eroded rim of a radar scene."""
    READ_FAILED = 64
    """The file that covers this pixel could not be read."""
    FILLED = 128
    BATCH_CHANGED = 256
    LOW_COVERAGE = 512


INVALID = Quality.NODATA | Quality.SLC_GAP | Quality.BORDER_NOISE | Quality.READ_FAILED


def invalid(quality: Any) -> Any:
    """Return where pixels must not be used.

    Parameters
    ----------
    quality : ndarray
        Any shape, unsigned integer, bits of :class:`Quality`. Dask arrays and DataArrays work as well and
        stay lazy.

    Returns
    -------
    ndarray
        Same shape, bool: NODATA, SLC_GAP, BORDER_NOISE or READ_FAILED. Clouds are not among them.
    """
    return (quality & np.uint16(INVALID)) != 0


def gap_fraction(*parts: npt.NDArray[np.uint16]) -> np.float32:
    """Return the share of pixels that must not be used, over all parts of a scene's quality."""
    return np.float32(sum(np.count_nonzero(invalid(q)) for q in parts) / sum(q.size for q in parts))


def names(value: int) -> list[str]:
    """Return the names of the bits set in one value, in the order of the bits."""
    return [flag.name for flag in Quality if flag.name and flag & int(value)]


def cf_attributes() -> dict[str, Any]:
    """Return the CF attributes of ``quality``: ``flag_masks`` (uint16) and ``flag_meanings``."""
    flags = list(Quality)
    return {
        "long_name": "quality bits",
        "standard_name": "quality_flag",
        "flag_masks": [int(flag) for flag in flags],
        "flag_meanings": " ".join(str(flag.name).lower() for flag in flags),
    }

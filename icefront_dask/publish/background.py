"""A scene as a grey picture under a map."""

from __future__ import annotations

import base64
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Background", "png_data_uri", "stretch"]


@dataclass(frozen=True, eq=False)
class Background:
    """A grey picture in a region's CRS.

    Parameters
    ----------
    array : ndarray (y, x) uint8
        Grey from 1 (dark) to 255 (bright), 0 where there is no data; y descends. :func:`stretch` makes one.
    bounds : tuple of float
        West, south, east, north edges of `array` in metres of `crs`.
    crs : str
        The CRS of `bounds`.
    label : str
        What the picture shows, as sensor and date.

    Raises
    ------
    InputError
        For an array of another shape or type, or bounds that enclose nothing.
    """

    array: npt.NDArray[np.uint8]
    bounds: tuple[float, float, float, float]
    crs: str
    label: str = ""

    def __post_init__(self) -> None:
        if self.array.ndim != 2 or self.array.dtype != np.uint8 or 0 in self.array.shape:
            raise InputError(
                f"a background is a (y, x) array of uint8, not {self.array.dtype} of shape "
                f"{self.array.shape}; icefront_dask.publish.stretch makes one from gamma0 or reflectance"
            )
        west, south, east, north = self.bounds
        if not (west < east and south < north):
            raise InputError(f"the bounds {self.bounds} of a background enclose nothing; west, south, east, north")

    def crop(
        self, view: tuple[float, float, float, float], max_px: int
    ) -> tuple[npt.NDArray[np.uint8], tuple[float, float, float, float]] | None:
        """Return the part inside `view`, thinned by block means to at most `max_px` a side, and its bounds.

        None where the picture and the view do not meet.
        """
        west, south, east, north = self.bounds
        height, width = self.array.shape
        dx, dy = (east - west) / width, (north - south) / height
        left, right = max(int((view[0] - west) // dx), 0), min(int(-((west - view[2]) // dx)), width)
        top, bottom = max(int((north - view[3]) // dy), 0), min(int(-((view[1] - north) // dy)), height)
        if left >= right or top >= bottom:
            return None
        array = self.array[top:bottom, left:right]
        step = max(-(-max(array.shape) // max_px), 1)
        bounds = (west + left * dx, north - bottom * dy, west + right * dx, north - top * dy)
        if step == 1:
            return array, bounds
        rows, columns = (-(-size // step) for size in array.shape)
        bounds = (bounds[0], bounds[3] - rows * step * dy, bounds[0] + columns * step * dx, bounds[3])
        return _block_mean(array, step), bounds


def stretch(values: npt.ArrayLike, *, decibel: bool = False) -> npt.NDArray[np.uint8]:
    """Return a picture of a scene for :class:`Background`.

    Parameters
    ----------
    values : array_like (y, x)
        gamma0 (linear power), reflectance or grey values; NaN is no data.
    decibel : bool
        Take 10 log10 first; right for linear power, of which zero or less is then no data.

    Returns
    -------
    ndarray (y, x) uint8
        1 and 255 at the 1st and 99th percentile of the valid pixels, 0 for no data.
    """
    grey = np.array(values, dtype=np.float32)
    if decibel:
        grey = 10 * np.log10(np.where(grey > 0, grey, np.nan))
    valid = np.isfinite(grey)
    out = np.zeros(grey.shape, np.uint8)
    if valid.any():
        low, high = np.percentile(grey[valid], [1, 99])
        span = max(float(high - low), np.finfo(np.float32).tiny)
        out[valid] = 1 + np.rint(254 * np.clip((grey[valid] - low) / span, 0, 1)).astype(np.uint8)
    return out


def png_data_uri(array: npt.NDArray[np.uint8]) -> str:
    """Return a grey PNG as a ``data:`` URI, 0 transparent; equal arrays give equal text."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    height, width = array.shape
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture has no place
        profile: dict[str, Any] = {"driver": "PNG", "height": height, "width": width, "count": 1}
        with memory.open(**profile, dtype="uint8", nodata=0, zlevel=9) as picture:
            picture.write(array, 1)
        content = memory.read()
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _block_mean(array: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """Return means over the valid pixels of blocks of `step` pixels, 0 where fewer than half are valid."""
    rows, columns = (-(-size // step) for size in array.shape)
    padded = np.zeros((rows * step, columns * step), np.float64)
    padded[: array.shape[0], : array.shape[1]] = array
    blocks = padded.reshape(rows, step, columns, step)
    count = (blocks > 0).sum(axis=(1, 3))
    mean = blocks.sum(axis=(1, 3)) / np.maximum(count, 1)
    return np.where(2 * count >= step * step, np.rint(np.maximum(mean, 1)), 0).astype(np.uint8)

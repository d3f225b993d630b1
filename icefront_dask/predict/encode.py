"""Probabilities as bytes, the form they have on disk: p = value / 254, 255 where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ATTRS", "INVALID", "from_uint8", "to_uint8"]

INVALID = 255
_STEPS = 254

ATTRS: dict[str, Any] = {
    "scale_factor": 1 / _STEPS,
    "add_offset": 0.0,
    "_FillValue": np.uint8(INVALID),
    "dtype": "uint8",
}
"""The same packing as CF encoding, for ``xarray.Dataset.to_zarr(encoding=…)``."""


def to_uint8(probability: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Pack probabilities.

    Parameters
    ----------
    probability : float ndarray or Dask array of any shape
        0 … 1, NaN where there is none; values outside by rounding alone are clipped.

    Returns
    -------
    uint8 array of the same shape
        The nearest of 254 steps (an error of at most 0.002); 255 for NaN.
    """
    if not np.issubdtype(probability.dtype, np.floating):
        raise InputError(f"probabilities are floating point, not {probability.dtype}; they may be packed already")
    missing = np.isnan(probability)
    steps = np.rint(np.clip(np.where(missing, 0, probability), 0, 1) * _STEPS)
    packed: NDArray[np.uint8] = np.where(missing, np.uint8(INVALID), steps.astype(np.uint8))
    return packed


def from_uint8(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unpack probabilities: float32, NaN for 255. The inverse of `to_uint8` on its values."""
    if packed.dtype != np.uint8:
        raise InputError(f"packed probabilities are uint8, not {packed.dtype}")
    table = np.arange(256, dtype=np.float32) / np.float32(_STEPS)
    table[INVALID] = np.nan
    if isinstance(packed, np.ndarray):
        return table[packed]
    unpacked: NDArray[np.float32] = packed.map_blocks(table.__getitem__, dtype=np.float32)
    return unpacked

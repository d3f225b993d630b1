"""Blocks of pixels as channels and back, for networks that fold them (Shi et al. 2016), channels last.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["folded", "unfolded"]


def folded(batch: NDArray[np.float32], fold: int) -> NDArray[np.float32]:
    """Return what ``torch.pixel_unshuffle`` gives, channels last.

    Parameters
    ----------
    batch : (N, C, H, W) float32 ndarray
        Sides multiples of ``fold``.
    fold : int

    Returns
    -------
    (N, H / fold, W / fold, C fold²) float32 ndarray
    """
    count, channels, height, width = batch.shape
    blocks = _pairs(batch, fold).reshape(count, channels, height // fold, fold, width // fold, -1)
    shape = (count, height // fold, width // fold, channels * fold**2)
    return blocks.transpose(0, 2, 4, 1, 3, 5).copy().view(np.float32).reshape(shape)


def unfolded(answer: NDArray[np.float32], fold: int) -> NDArray[np.float32]:
    """Return, as a copy, what ``torch.pixel_shuffle`` gives: (N, h, w, K fold²) → (N, K, h fold, w fold)."""
    count, rows, columns, depth = answer.shape
    channels = depth // fold**2
    blocks = _pairs(answer, fold).reshape(count, rows, columns, channels, fold, -1)
    shape = (count, channels, rows * fold, columns * fold)
    return blocks.transpose(0, 3, 1, 4, 2, 5).copy().view(np.float32).reshape(shape)


def _pairs(values: NDArray[np.float32], fold: int) -> NDArray[Any]:
    """Return rows of even blocks two pixels at a time, which takes half as long to copy."""
    whole = np.ascontiguousarray(values, dtype=np.float32)
    return whole.view(np.uint64) if fold % 2 == 0 else whole

"""A network's own windows over an image, and how their answers are blended, on NumPy arrays.

The shipped network is shift-equivariant and needs none of this. The networks of the papers are applied as published:
what a pixel gets depends on the window, so window, overlap and blending belong to the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Corner = tuple[int, int]

__all__ = ["Blend", "blended", "grid", "window_weights"]

Blend = Literal["gaussian", "mean", "core"]
_RIM = 1e-6  # of a pixel in the rim of a window, which decides only where no other window has it inside


def grid(shape: tuple[int, int], size: int, step: float) -> list[tuple[int, int]]:
    """Return the corners (row, column) of windows of ``size`` that cover an image.

    The last ones reach beyond it to the bottom and the right, as in CaFFe's baseline. ``step`` is in sides of a
    window up to 1, in pixels above.
    """
    pixels = round(step * size) if step <= 1 else int(step)
    rows, cols = (range(0, max(1, -(-(side - size) // pixels) + 1) * pixels, pixels) for side in shape)
    return [(row, col) for row in rows for col in cols]


def window_weights(size: int, step: int, blend: Blend) -> NDArray[np.float64]:
    """Return the weights (size, size) of a window's pixels.

    Parameters
    ----------
    size, step : int
        Side of a window and the way to the next, in pixels.
    blend : {"gaussian", "mean", "core"}
        A Gaussian of standard deviation ``size / 8`` about pixel ``size // 2``, peak 1 (CaFFe's baseline); a plain
        mean (CALFIN); or the middle ``step`` x ``step`` pixels alone, the rim only where no window has the pixel
        in its middle.
    """
    at = np.arange(size)
    if blend == "gaussian":
        axis = np.exp(-0.5 * ((at - size // 2) / (size / 8)) ** 2)
    elif blend == "mean":
        axis = np.ones(size)
    else:
        rim = (size - step) // 2
        axis = np.where((at >= rim) & (at < rim + step), 1.0, _RIM)
    return np.outer(axis, axis)


def blended(
    shape: tuple[int, int],
    corners: Sequence[Corner],
    weights: NDArray[np.float64],
    answer: Callable[[Sequence[Corner]], NDArray[np.float32]],
    batch: int = 4,
) -> NDArray[np.float32]:
    """Return the weighted mean of what the windows answer.

    Parameters
    ----------
    shape : (int, int)
        Of the image; windows may reach beyond it to the bottom and the right.
    corners : sequence of (row, column)
        Of the windows; together they cover the image.
    weights : (size, size) float64 ndarray
    answer : callable
        From the corners of some windows to probabilities (N, K, size, size).
    batch : int
        Windows a call.

    Returns
    -------
    (K, H, W) float32 ndarray
    """
    size = len(weights)
    high, wide = (max(corner[axis] for corner in corners) + size for axis in (0, 1))
    high, wide = max(high, shape[0]), max(wide, shape[1])
    total: NDArray[np.float64] | None = None
    weight = np.zeros((high, wide))
    for first in range(0, len(corners), batch):
        part = corners[first : first + batch]
        for (row, col), window in zip(part, answer(part), strict=True):
            if total is None:
                total = np.zeros((len(window), high, wide))
            total[:, row : row + size, col : col + size] += window * weights
            weight[row : row + size, col : col + size] += weights
    assert total is not None
    return (total / weight)[:, : shape[0], : shape[1]].astype(np.float32)

"""The ridge of the front output: its skeleton."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from skimage.morphology import skeletonize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]

__all__ = ["bounding_slices", "ridge_pixels"]

_HOLE_PX = 16  # holes up to this size in the thresholded ridge are noise and would make loops of the skeleton


def bounding_slices(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """Return the slices that hold all True pixels with a margin, None where there is none."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    return (
        slice(max(rows[0] - margin, 0), min(rows[-1] + margin + 1, height)),
        slice(max(cols[0] - margin, 0), min(cols[-1] + margin + 1, width)),
    )


def ridge_pixels(
    front: npt.NDArray[np.float32],
    domain: Mask,
    *,
    thresholds: Sequence[float],
    smooth_px: float,
    min_px: Sequence[int],
) -> list[npt.NDArray[np.intp]]:
    """Return the skeletons of where the front probability exceeds thresholds.

    Parameters
    ----------
    front : (H, W) float32 ndarray
        Probability 0 to 1, NaN where there is none.
    domain : (H, W) bool ndarray
        Where a front may be.
    thresholds : sequence of float
        CALFIN: 0.33.
    smooth_px : float
        Standard deviation of the Gaussian that precedes the threshold, pixels; 0 for none.
    min_px : sequence of int
        For each threshold: connected pieces (8 neighbours) of the skeleton with fewer pixels are dropped.

    Returns
    -------
    list of (N, 2) ndarray of intp
        Row and column, sorted, for each threshold.
    """
    level = np.where(domain & ~np.isnan(front), front, np.float32(0.0))
    window = bounding_slices(level > min(thresholds), margin=int(np.ceil(4 * smooth_px)) + 2)
    if window is None:
        return [np.empty((0, 2), dtype=np.intp) for _ in thresholds]
    level = level[window]
    if smooth_px > 0:
        level = ndimage.gaussian_filter(level, smooth_px, truncate=3.0)
    origin = np.array([window[0].start, window[1].start])
    return [
        _skeleton((level > threshold) & domain[window], least) + origin
        for threshold, least in zip(thresholds, min_px, strict=True)
    ]


def _skeleton(ridge: Mask, min_px: int) -> npt.NDArray[np.intp]:
    pixels = np.argwhere(skeletonize(_without_holes(ridge)))
    if len(pixels) < 2:
        return pixels[: len(pixels) if min_px <= 1 else 0]
    # Neighbours among the pixels: a labelled image would cost more than all of tracing.
    a, b = KDTree(pixels).query_pairs(1.5, output_type="ndarray").T
    graph = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(len(pixels), len(pixels)))
    piece = connected_components(graph, directed=False)[1]
    return pixels[np.bincount(piece)[piece] >= min_px]


def _without_holes(mask: Mask) -> Mask:
    """Fill what of the background has at most `_HOLE_PX` pixels (4 neighbours); beyond the grid there is none.

    All pixels of such a hole lie in a row's gap of that length at most: few, so that no image is labelled.
    """
    padded = np.pad(mask, 1, constant_values=True)
    stride, flat = padded.shape[1], padded.ravel()
    ridge = np.flatnonzero(flat)
    gap = np.diff(ridge) - 1
    begin = np.flatnonzero((gap > 0) & (gap <= _HOLE_PX))
    if not len(begin):
        return mask
    before = np.repeat(np.cumsum(gap[begin]) - gap[begin], gap[begin])
    pixels = np.repeat(ridge[begin] + 1, gap[begin]) + np.arange(len(before)) - before
    # A gap that goes on above or below into a longer one is no hole.
    below, above = _places_of(pixels + stride, pixels), _places_of(pixels - stride, pixels)
    leaks = (~flat[pixels + stride] & (below < 0)) | (~flat[pixels - stride] & (above < 0))
    left = np.flatnonzero(np.diff(pixels) == 1)
    upper = np.flatnonzero(below >= 0)
    a, b = np.concatenate([left, upper]), np.concatenate([left + 1, below[upper]])
    graph = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(len(pixels), len(pixels)))
    piece = connected_components(graph, directed=False)[1]
    hole = (np.bincount(piece) <= _HOLE_PX) & (np.bincount(piece, weights=leaks) == 0)
    flat[pixels[hole[piece]]] = True
    return padded[1:-1, 1:-1]


def _places_of(wanted: npt.NDArray[np.intp], among: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return where in a sorted array the wanted numbers stand, -1 where they do not."""
    at = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    return np.where(among[at] == wanted, at, -1)

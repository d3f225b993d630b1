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
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from icefront_dask.predict.parts import Part

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Window: TypeAlias = tuple[slice, slice]

__all__ = ["FAINT_PX", "bounding_slices", "grown", "ridge_pixels", "ridge_pixels_in_parts", "within"]

FAINT_PX = 8  # shorter pieces of a faint ridge are noise

_HOLE_PX = 16  # holes up to this size in the thresholded ridge are noise and would make loops of the skeleton
_CELL_PX = 32
_MOST_APART = 64  # windows of their own cost more than they save
_TRUNCATE = 3.0
_FRAME_PX = 4
_REACH_PX = 64  # first width of what is read round a part for its skeleton
_THICK = 4  # times the half width of the thickest ridge


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
    # Wide enough that what is cut off neither weighs in the smoothing nor closes a hole.
    window = bounding_slices(level > min(thresholds), margin=int(np.ceil(_TRUNCATE * smooth_px)) + _HOLE_PX + 2)
    if window is None:
        return [np.empty((0, 2), dtype=np.intp) for _ in thresholds]
    level = level[window]
    if smooth_px > 0:
        level = ndimage.gaussian_filter(level, smooth_px, truncate=_TRUNCATE)
    origin = np.array([window[0].start, window[1].start])
    return [
        _skeleton((level > threshold) & domain[window], least) + origin
        for threshold, least in zip(thresholds, min_px, strict=True)
    ]


def ridge_pixels_in_parts(
    read: Callable[[Window], tuple[Image, Mask]],
    shape: tuple[int, int],
    parts: Sequence[Part],
    *,
    thresholds: Sequence[float],
    smooth_px: float,
    min_px: Sequence[int],
) -> list[npt.NDArray[np.intp]]:
    """Return what `ridge_pixels` does, of a scene that is read part by part.

    Thinning has no reach of its own: what lies far away can decide on a pixel of a skeleton. So each part is thinned
    twice, as if there were nothing beyond what was read and as if all were ridge. Where this matters to what the part
    answers for, or a ridge is as wide as half of what was read around the part, more is read.

    Parameters
    ----------
    read : callable
        From rows and columns to the front probability (float32, NaN for none) and the domain (bool) there.
    shape : (int, int)
        Rows and columns of the scene.
    parts : sequence of Part
    thresholds, smooth_px, min_px
        As for `ridge_pixels`.

    Returns
    -------
    list of (N, 2) ndarray of intp
    """
    found: list[list[npt.NDArray[np.intp]]] = [[] for _ in thresholds]
    for part in parts:
        for pixels, threshold in zip(found, thresholds, strict=True):
            pixels.append(_part_of_skeleton(read, shape, part.core, threshold, smooth_px))
    none = np.empty((0, 2), dtype=np.intp)
    every = [np.concatenate([none, *pixels]) for pixels in found]
    return [
        _without_specks(pixels[np.lexsort((pixels[:, 1], pixels[:, 0]))], least)
        for pixels, least in zip(every, min_px, strict=True)
    ]


def _part_of_skeleton(
    read: Callable[[Window], tuple[Image, Mask]],
    shape: tuple[int, int],
    core: Window,
    threshold: float,
    smooth_px: float,
) -> npt.NDArray[np.intp]:
    reach = _REACH_PX
    while True:
        window = grown(core, reach, shape)
        mask = _ridge_mask(read, shape, window, threshold, smooth_px)
        inner = within(core, window)
        if not mask[inner].any():
            return np.empty((0, 2), dtype=np.intp)
        cut = [(axis.start > 0, axis.stop < side) for axis, side in zip(window, shape, strict=True)]
        skeleton = skeletonize(mask)[inner]
        if not np.any(cut) or (
            _is_thin(mask, cut, reach // _THICK) and np.array_equal(skeleton, _skeleton_in_frame(mask, cut)[inner])
        ):
            return np.argwhere(skeleton) + np.array([core[0].start, core[1].start])
        reach *= 4


def _is_thin(mask: Mask, cut: list[tuple[bool, bool]], half_px: int) -> bool:
    """Return whether all of a mask lies within some pixels of the background, beyond a cut being ridge."""
    size = 2 * half_px + 1
    framed = np.pad(mask, [(half_px * before, half_px * after) for before, after in cut], constant_values=True)
    return not ndimage.minimum_filter(framed, size, mode="constant", cval=0).any()


def _skeleton_in_frame(mask: Mask, cut: list[tuple[bool, bool]]) -> Mask:
    """Return the skeleton of a mask which is surrounded by ridge where it was cut."""
    width = [(_FRAME_PX * before, _FRAME_PX * after) for before, after in cut]
    framed = np.pad(mask, width, constant_values=True)
    inner = tuple(slice(before, before + side) for (before, _), side in zip(width, mask.shape, strict=True))
    skeleton: Mask = skeletonize(framed)[inner]
    return skeleton


def _ridge_mask(
    read: Callable[[Window], tuple[Image, Mask]],
    shape: tuple[int, int],
    window: Window,
    threshold: float,
    smooth_px: float,
) -> Mask:
    """Return where the smoothed front probability exceeds a threshold, without holes."""
    # What is cut off must neither be smoothed away nor close a hole.
    wide = grown(window, _HOLE_PX + 2 + int(np.ceil(_TRUNCATE * smooth_px)), shape)
    front, domain = read(wide)
    level = np.where(domain & ~np.isnan(front), front, np.float32(0.0))
    if smooth_px > 0 and level.any():
        level = ndimage.gaussian_filter(level, smooth_px, truncate=_TRUNCATE)
    return _closed((level > threshold) & domain)[within(window, wide)]


def grown(window: Window, reach: int, shape: tuple[int, int]) -> Window:
    """Return a window with more rows and columns around it, as far as the grid goes."""
    rows, columns = (
        slice(max(axis.start - reach, 0), min(axis.stop + reach, side))
        for axis, side in zip(window, shape, strict=True)
    )
    return rows, columns


def within(window: Window, wide: Window) -> Window:
    """Return the rows and columns of a window in a wider one."""
    rows, columns = (
        slice(axis.start - origin.start, axis.stop - origin.start) for axis, origin in zip(window, wide, strict=True)
    )
    return rows, columns


def _skeleton(ridge: Mask, min_px: int) -> npt.NDArray[np.intp]:
    windows = _apart(ridge)
    found = [
        np.argwhere(skeletonize(_closed(own))) + np.array([window[0].start, window[1].start]) for window, own in windows
    ]
    pixels = np.concatenate([np.empty((0, 2), dtype=np.intp), *found])
    if len(windows) > 1:
        pixels = pixels[np.lexsort((pixels[:, 1], pixels[:, 0]))]
    return _without_specks(pixels, min_px)


def _apart(ridge: Mask) -> list[tuple[Window, Mask]]:
    """Return windows of a mask and what of it lies in them, so far apart that each can be thinned by itself.

    Neither thinning nor a hole reaches over a whole cell without ridge, nor beyond what is left free round a window.
    """
    whole = [((slice(0, ridge.shape[0]), slice(0, ridge.shape[1])), ridge)]
    starts = [np.arange(0, side, _CELL_PX) for side in ridge.shape]
    cells = np.logical_or.reduceat(np.logical_or.reduceat(ridge, starts[1], axis=1), starts[0], axis=0)
    labels, count = ndimage.label(cells, structure=np.ones((3, 3), dtype=bool))
    if not 0 < count <= _MOST_APART:
        return whole if count else []
    windows = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        window = grown(
            (
                slice(box[0].start * _CELL_PX, box[0].stop * _CELL_PX),
                slice(box[1].start * _CELL_PX, box[1].stop * _CELL_PX),
            ),
            _HOLE_PX + 1,
            ridge.shape,
        )
        others = ridge[window] & _spread((labels != number) & (labels > 0), window)
        windows.append((window, ridge[window] & ~others))
    return windows


def _spread(cells: Mask, window: Window) -> Mask:
    """Return a mask of cells on the pixels of a window."""
    rows, columns = (np.arange(axis.start, axis.stop) // _CELL_PX for axis in window)
    return cells[rows[:, None], columns]


def _closed(ridge: Mask) -> Mask:
    """Return a ridge without holes; where there is no ridge there are none."""
    return _without_holes(ridge) if ridge.any() else ridge


def _without_specks(pixels: npt.NDArray[np.intp], min_px: int) -> npt.NDArray[np.intp]:
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

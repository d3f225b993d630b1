"""The two sides of a front in the ice output: the glacier, the ocean and the edge between them.

Glacier is the ice that holds the flowline's inland end, ocean the water that holds its seaward end. Other ice
is a berg, mélange or a nunatak, other water a polynya or a lake: neither makes an edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from icefront_dask.fronts.ridge import bounding_slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Labels: TypeAlias = npt.NDArray[np.intp]
    Float: TypeAlias = npt.NDArray[np.float32]
    Point: TypeAlias = tuple[float, float]
    Flow: TypeAlias = tuple[Point, Point]

__all__ = [
    "MIN_CONTACT_PX",
    "Sides",
    "anchor_reach",
    "by_contact",
    "fill",
    "find_sides",
    "flow_lengths",
    "grown",
    "near",
]

_EIGHT = np.ones((3, 3), dtype=bool)
MIN_CONTACT_PX = 4  # fewer pixels of common edge are chance
_ANCHOR_SHARE = 0.1  # an end of a flowline stands for what lies within this share of its length
_ANCHOR_MIN_PX = 5.0
_CONTOUR_MARGIN_PX = 2
_BODY_SHARE = 0.05  # without a flowline, bodies below this share of the largest are bergs and leads


@dataclass(frozen=True)
class Sides:
    """Glacier, ocean and their common edge.

    Attributes
    ----------
    level : (H, W) float32 ndarray
        The ice probability, small gaps filled, with bergs set to 0 and polynyas to 1; NaN outside the domain.
    edge : (n, 2) float64 ndarray
        Points x, y of the edge (level 0.5), at most a pixel apart along it; the centre of pixel [r, c] is
        (c + 0.5, r + 0.5).
    lines : tuple of (n, 2) float64 ndarray
        The same points in order, one array a stretch.
    detached : bool
        Water lies between the glacier and ice that separates it from the ocean.
    """

    level: Float
    edge: npt.NDArray[np.float64]
    lines: tuple[npt.NDArray[np.float64], ...]
    detached: bool


def find_sides(
    ice: Float,
    known: Mask,
    domain: Mask,
    ridge: npt.NDArray[np.intp],
    flows: Sequence[Flow],
    *,
    fill_px: int,
) -> Sides | None:
    """Find glacier, ocean and the edge between them.

    Parameters
    ----------
    ice : (H, W) float32 ndarray
        P(land or ice), NaN where there is none.
    known : (H, W) bool ndarray
        Valid pixels.
    domain : (H, W) bool ndarray
        Where a front may be.
    ridge : (N, 2) ndarray of intp
        Pixels of the ridge of the front output: without flowlines the bodies that meet there are taken.
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each flowline within the grid.
    fill_px : int
        Unknown pixels within this reach of known ones are filled by their mean.

    Returns
    -------
    Sides or None
        None where there is no ice or no water, or they do not meet.
    """
    level = fill(ice, known, domain, fill_px)
    inside = np.isfinite(level)
    high, low = inside & (level >= 0.5), inside & (level < 0.5)
    highs, n_high = ndimage.label(high)
    lows, n_low = ndimage.label(low, structure=_EIGHT)
    if not n_high or not n_low:
        return None
    beside = near(ridge, ice.shape) if len(ridge) and not flows else None
    glacier_ids = _choose(highs, [inland for inland, _ in flows], flow_lengths(flows), beside)
    ocean_ids = _choose(lows, [sea for _, sea in flows], flow_lengths(flows), beside)
    glacier = _bodies(highs, glacier_ids)
    touched = np.bincount(lows[grown(glacier) & low], minlength=n_low + 1)
    detached = False
    if touched[ocean_ids].sum() < MIN_CONTACT_PX:
        if touched[1:].max(initial=0) < MIN_CONTACT_PX:
            return None
        ocean_ids, detached = [int(touched[1:].argmax()) + 1], True
    ocean = _bodies(lows, ocean_ids)
    np.copyto(level, np.float32(0.0), where=high & ~glacier)
    np.copyto(level, np.float32(1.0), where=low & ~ocean)
    lines = _lines(level, inside, glacier, ocean)
    edge = np.concatenate([np.empty((0, 2)), *lines])
    return Sides(level, edge, lines, detached) if len(edge) >= MIN_CONTACT_PX else None


def fill(ice: Float, known: Mask, domain: Mask, reach: int) -> Float:
    """Return the ice output in the domain with small gaps filled by the mean of what is known within reach."""
    use = known & domain
    level = np.where(use, ice, np.float32(np.nan)).astype(np.float32, copy=False)
    if reach > 0 and (domain & ~known).any():
        size = 2 * reach + 1
        weight = ndimage.uniform_filter(use.astype(np.float32), size, mode="constant")
        total = ndimage.uniform_filter(np.where(use, ice, np.float32(0.0)), size, mode="constant")
        gap = domain & ~known & (weight > 0.5 / size**2)
        level[gap] = total[gap] / weight[gap]
    return level


def _bodies(labels: Labels, ids: Sequence[int]) -> Mask:
    """Return the pixels with one of a few labels."""
    found = labels == ids[0]
    for number in ids[1:]:
        found |= labels == number
    return found


def grown(mask: Mask) -> Mask:
    """Return a mask with the 8 neighbours of its pixels."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    both = rows.copy()
    both[:, 1:] |= rows[:, :-1]
    both[:, :-1] |= rows[:, 1:]
    return both


def flow_lengths(flows: Sequence[Flow]) -> list[float]:
    """Return the distances between the ends of flowlines."""
    return [float(np.hypot(a[0] - b[0], a[1] - b[1])) for a, b in flows]


def near(ridge: npt.NDArray[np.intp], shape: tuple[int, ...]) -> Mask:
    """Return the pixels within 3 of a ridge."""
    mask = np.zeros(shape, dtype=bool)
    mask[ridge[:, 0], ridge[:, 1]] = True
    return grown(grown(grown(mask)))


def by_contact(sizes: npt.NDArray[np.integer[Any]], contact: npt.NDArray[np.integer[Any]] | None) -> int:
    """Return the body with the most pixels near a ridge, bergs and leads aside; without such a body the largest one.

    Parameters
    ----------
    sizes, contact : (bodies + 1,) integer ndarray
        Pixels of each body, and those of them near a ridge; of number 0, which is none, `sizes` has 0.
    """
    if contact is None:
        return int(sizes.argmax())
    count = np.where(sizes < _BODY_SHARE * sizes.max(), 0, contact)
    return int(count.argmax() if count.max() > 0 else sizes.argmax())


def anchor_reach(length: float) -> float:
    """Return how far around its ends a flowline of a length stands for what lies there, pixels."""
    return max(_ANCHOR_SHARE * length, _ANCHOR_MIN_PX)


def _choose(labels: Labels, anchors: Sequence[Point], lengths: Sequence[float], beside: Mask | None) -> list[int]:
    if anchors:
        return sorted({_at(labels, *pair) for pair in zip(anchors, lengths, strict=True)})
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    contact = None if beside is None else np.bincount(labels[beside], minlength=len(sizes))
    return [by_contact(sizes, contact)]


def _at(labels: Labels, anchor: Point, length: float) -> int:
    """Return the largest body within reach of an end of a flowline, else the nearest one."""
    reach = anchor_reach(length)
    row, col = anchor
    top, left = max(int(row - reach), 0), max(int(col - reach), 0)
    block = labels[top : int(row + reach) + 2, left : int(col + reach) + 2]
    rows, cols = np.nonzero(block)
    close = np.hypot(rows + top - row, cols + left - col) <= reach
    found = np.unique(block[rows[close], cols[close]])
    if len(found) == 1:
        return int(found[0])
    if len(found):
        return int(found[np.bincount(labels.ravel())[found].argmax()])
    rows, cols = np.nonzero(labels)
    nearest = np.hypot(rows - row, cols - col).argmin()
    return int(labels[rows[nearest], cols[nearest]])


def _lines(level: Float, inside: Mask, glacier: Mask, ocean: Mask) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the stretches of the level's contour at 0.5 that run between glacier and ocean."""
    window = bounding_slices(grown(glacier) & ocean, margin=_CONTOUR_MARGIN_PX)
    if window is None:
        return ()
    corner = np.array([window[0].start, window[1].start])
    glacier, ocean = glacier[window], ocean[window]
    found = []
    for points in find_contours(level[window], 0.5, mask=inside[window]):
        # Each vertex lies on the grid line between two neighbouring pixels: one of its coordinates is whole.
        below, above = np.floor(points).astype(np.intp), np.ceil(points).astype(np.intp)
        a, b = (below[:, 0], below[:, 1]), (above[:, 0], above[:, 1])
        common = (glacier[a] | glacier[b]) & (ocean[a] | ocean[b])
        change = np.flatnonzero(np.diff(common.astype(np.int8))) + 1
        pieces = np.split(points, change)
        starts = np.concatenate([[0], change])
        found += [(piece + corner)[:, ::-1] + 0.5 for piece, start in zip(pieces, starts, strict=True) if common[start]]
    return tuple(found)

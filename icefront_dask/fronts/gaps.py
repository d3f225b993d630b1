"""Paths beside pixels without data: a gap cuts the ridge askew, and the skeleton runs along its rim (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Pixels: TypeAlias = npt.NDArray[np.intp]

__all__ = ["beside_gaps", "closed_over_gap", "off_gaps"]

_BESIDE_PX = 1  # a ridge is some 3 px wide: beside a gap its middle is not seen
_JUMP_PX = 3
_LEAST_KEPT = 0.3  # of a path; where gaps take more, it says nothing without them
_RING_SHARE = 0.15  # longest gap of a ring, as a share of its length
_RING_UNKNOWN = 0.5  # share of that gap without data or beside such pixels
_TOUCH_PX = 2.0  # ends closer than this are neighbours


def beside_gaps(pixels: Pixels, known: Mask) -> Mask:
    """Return which pixels have no data or touch one that has none, where the middle of a ridge is not seen.

    Parameters
    ----------
    pixels : (n, 2) ndarray of intp
        Row and column.
    known : (H, W) bool ndarray
        Pixels with data; beyond the grid there is no gap.
    """
    shift = np.arange(-_BESIDE_PX, _BESIDE_PX + 1)
    rows = np.clip(pixels[:, 0, None, None] + shift[:, None], 0, known.shape[0] - 1)
    cols = np.clip(pixels[:, 1, None, None] + shift[None, :], 0, known.shape[1] - 1)
    beside: Mask = ~known[rows, cols].all(axis=(1, 2))
    return beside


def off_gaps(path: Pixels, known: Mask) -> Pixels:
    """Return a path without the pixels beside gaps, the whole path where too little of it would stay.

    Parameters
    ----------
    path : (n, 2) ndarray of intp
        Row and column.
    known : (H, W) bool ndarray
        Pixels with data.
    """
    if known.all():
        return path
    keep = ~beside_gaps(path, known)
    return path[keep] if keep.mean() >= _LEAST_KEPT else path


def closed_over_gap(path: Pixels, known: Mask) -> Pixels:
    """Return a path whose two ends face each other over a gap as a ring, which begins and ends where it is seen.

    A tree has no rings: of a front round an ice cap it leaves out one stretch, the longest gap.

    Parameters
    ----------
    path : (n, 2) ndarray of intp
        Row and column.
    known : (H, W) bool ndarray
    """
    first, last = path[[0, -1]]
    across = float(np.hypot(*(last - first)))
    length = float(np.hypot(*np.diff(path, axis=0).T).sum())
    if across > _RING_SHARE * length:
        return path
    beside = beside_gaps(path, known)
    if across < _TOUCH_PX:
        unseen = bool(beside[0] or beside[-1])
    else:
        between = np.linspace(first, last, int(np.ceil(across)) + 1)[1:-1].round().astype(np.intp)
        unseen = bool(beside_gaps(between, known).mean() >= _RING_UNKNOWN)
    if not unseen or beside.all():
        return path
    middle = _middle_of_longest(~beside, np.abs(np.diff(path, axis=0)).max(axis=1) > _JUMP_PX)
    return np.concatenate([path[middle:], path[: middle + 1]])


def _middle_of_longest(seen: Mask, jump: Mask) -> int:
    """Return the middle of the longest run of seen pixels that no jump parts."""
    starts = np.flatnonzero(seen & np.concatenate([[True], ~seen[:-1] | jump]))
    stops = np.flatnonzero(seen & np.concatenate([~seen[1:] | jump, [True]]))
    longest = int((stops - starts).argmax())
    return int(starts[longest] + stops[longest] + 1) // 2

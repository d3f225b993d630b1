"""Paths beside pixels without data: a gap cuts the ridge askew, and the skeleton runs along its rim (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Pixels: TypeAlias = npt.NDArray[np.intp]

__all__ = ["closed_over_gap", "off_gaps"]

_BESIDE_PX = 1  # a ridge is some 3 px wide: beside a gap its middle is not seen
_JUMP_PX = 3
_LEAST_KEPT = 0.3  # of a path; where gaps take more, it says nothing without them
_RING_SHARE = 0.15  # longest gap of a ring, as a share of its length
_RING_UNKNOWN = 0.4  # share of that gap without data; beside it the ridge is not seen, too


def off_gaps(path: Pixels, known: Mask) -> Pixels:
    """Return a path without the pixels beside gaps.

    Parameters
    ----------
    path : (n, 2) ndarray of intp
        Row and column.
    known : (H, W) bool ndarray
        Pixels with data; beyond the grid there is no gap.
    """
    if known.all():
        return path
    shift = np.arange(-_BESIDE_PX, _BESIDE_PX + 1)
    rows = np.clip(path[:, 0, None, None] + shift[:, None], 0, known.shape[0] - 1)
    cols = np.clip(path[:, 1, None, None] + shift[None, :], 0, known.shape[1] - 1)
    keep = known[rows, cols].all(axis=(1, 2))
    if keep.mean() < _LEAST_KEPT:
        return path
    return path[keep]


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
    if across < 2 or across > _RING_SHARE * length:
        return path
    between = np.linspace(first, last, int(np.ceil(across)) + 1)[1:-1].round().astype(np.intp)
    if not len(between) or (~known[between[:, 0], between[:, 1]]).mean() < _RING_UNKNOWN:
        return path
    jumps = np.flatnonzero(np.abs(np.diff(path, axis=0)).max(axis=1) > _JUMP_PX)
    bounds = np.concatenate([[-1], jumps, [len(path) - 1]])
    longest = int(np.diff(bounds).argmax())
    middle = int(bounds[longest] + bounds[longest + 1] + 1) // 2
    return np.concatenate([path[middle:], path[: middle + 1]])

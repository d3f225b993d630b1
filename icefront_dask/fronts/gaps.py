"""Paths beside pixels without data: a gap cuts the ridge askew, and the skeleton runs along its rim (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import KDTree

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Pixels: TypeAlias = npt.NDArray[np.intp]

__all__ = ["beside_gaps", "closed_over_gap", "off_gaps", "with_stubs"]

_BESIDE_PX = 1  # a ridge is some 3 px wide: beside a gap its middle is not seen
_JUMP_PX = 3
_LEAST_KEPT = 0.3  # of a path; where gaps take more, it says nothing without them
_RING_SHARE = 0.15  # longest gap of a ring, as a share of its length
_RING_UNKNOWN = 0.5  # share of that gap without data or beside such pixels
_TOUCH_PX = 2.0  # ends closer than this are neighbours
_TANGENT_PX = 12  # pixels of a path that give its direction at the end
_FARTHEST_PX = 20.0  # a stub from the path's end
_ASIDE_PX = 1.0  # a stub from the path's straight continuation,
_ASIDE_SHARE = 0.12  # and in addition this share of its distance
_STUB_UNKNOWN = 0.9  # share of the way to a stub without data or beside such pixels


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


def with_stubs(path: Pixels, points: Pixels, known: Mask) -> Pixels:
    """Return a path led on over gaps to what goes straight on beyond them.

    At the front's end a gap can leave a stub that earns less than the way over the gap costs. It belongs to the front
    where it lies straight ahead of the path's end and nothing but the gap parts them.

    Parameters
    ----------
    path : (n, 2) ndarray of intp
        Row and column.
    points : (m, 2) ndarray of intp
        Pixels a stub can consist of, those of the path among them or not.
    known : (H, W) bool ndarray
        Pixels with data.
    """
    if known.all() or not len(path):
        return path
    points = points[KDTree(path).query(points, distance_upper_bound=_JUMP_PX + 1.0)[0] > _JUMP_PX]
    for _ in range(2):
        path = _led_on(path[::-1], points, known)
    return path


def _led_on(path: Pixels, points: Pixels, known: Mask) -> Pixels:
    """Return a path with the stub ahead of its last pixel, if there is one."""
    seen = path[~beside_gaps(path, known)][-_TANGENT_PX:]
    if len(seen) < _TANGENT_PX:
        return path
    end, last = path[-1], seen[-1]
    direction = (last - seen[0]) / max(float(np.hypot(*(last - seen[0]))), 1.0)
    along = (points - last) @ direction
    aside = np.abs((points - last) @ np.array([direction[1], -direction[0]]))
    farther = along - (end - last) @ direction
    ahead = (farther > _JUMP_PX) & (farther <= _FARTHEST_PX) & (aside <= _ASIDE_PX + _ASIDE_SHARE * along)
    stub = points[ahead][np.argsort(along[ahead], kind="stable")]
    if not len(stub):
        return path
    jumps = np.flatnonzero(np.abs(np.diff(stub, axis=0)).max(axis=1) > _JUMP_PX)
    stub = stub[: jumps[0] + 1] if len(jumps) else stub
    steps = int(np.ceil(np.hypot(*(stub[0] - end))))
    between = np.linspace(end, stub[0], steps + 1)[1:-1].round().astype(np.intp)
    return np.concatenate([path, stub]) if beside_gaps(between, known).mean() >= _STUB_UNKNOWN else path

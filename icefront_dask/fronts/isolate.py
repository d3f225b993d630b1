"""Keep of a traced path what is a front: inside the fjord, off its walls, not bridged too far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = [
    "Extent",
    "Walls",
    "clip",
    "extent",
    "lookup",
    "off_walls",
    "open_ends",
    "reach_gaps",
    "reach_walls",
    "split",
    "trim_walls",
]


_AROUND_PX = 6.0
_SINE = 0.3
_NARROW_PX = 5.0
_NARROW_SHARE = 0.25  # of the largest distance from a wall along a line
_STRIP_PX = 2**18
_STEP_PX = 0.5
_FARTHEST = 1.5  # of a reach, over pixels without data


class Walls:
    """The walls of a fjord on a grid: pixels outside it that touch it. The edge of the grid is no wall.

    Parameters
    ----------
    fjord : (H, W) bool ndarray
        True where an ice-ocean boundary can be.
    """

    def __init__(self, fjord: Mask) -> None:
        self.fjord = fjord
        pixels = np.concatenate([_wall_pixels(fjord, start, stop) for start, stop in _strips(fjord.shape)])
        self._tree = KDTree(pixels + 0.5) if len(pixels) else None

    def distance(self, xy: Float, at_most: float = np.inf) -> Float:
        """Return the distance of points (n, 2) to the nearest wall pixel's rim, pixels; inf without walls.

        Distances beyond `at_most` are given as that: most of a line is far from both walls, and the search
        stops there.
        """
        if self._tree is None:
            return np.full(len(xy), np.inf)
        away: Float = np.maximum(self._tree.query(xy, distance_upper_bound=at_most + 1.0)[0] - 0.5, 0.0)
        return np.minimum(away, at_most)


def _strips(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return first and last row of strips of a grid, so that no copy of all of it is made."""
    count = max(_STRIP_PX // max(shape[1], 1), 1)
    return [(start, min(start + count, shape[0])) for start in range(0, shape[0], count)]


def _wall_pixels(fjord: Mask, start: int, stop: int) -> npt.NDArray[np.intp]:
    """Return column and row of the wall's pixels in some rows, row by row."""
    above, below = min(start, 1), min(fjord.shape[0] - stop, 1)
    wide = fjord[start - above : stop + below]
    beside = np.zeros_like(wide)
    beside[1:] |= wide[:-1]
    beside[:-1] |= wide[1:]
    beside[:, 1:] |= wide[:, :-1]
    beside[:, :-1] |= wide[:, 1:]
    rows, cols = np.nonzero((beside & ~wide)[above : above + stop - start])
    return np.column_stack([cols, rows + start])


def off_walls(pixels: npt.NDArray[np.intp], walls: Walls, wall_px: float, parallel_px: float) -> Mask:
    """Return which pixels of a ridge are no fjord wall that the front output took for a front.

    A wall is what lies within `wall_px` of the fjord's outline, and within `parallel_px` what keeps its
    distance from it: where among the pixels of the ridge around the distance varies less than along a line
    that meets the wall at 17 degrees.

    Parameters
    ----------
    pixels : (N, 2) ndarray of intp
        Row and column.
    walls : Walls
    wall_px, parallel_px : float
    """
    if not len(pixels):
        return np.zeros(0, dtype=bool)
    farthest = max(wall_px, parallel_px) + _AROUND_PX + 1.0
    distance = walls.distance(pixels[:, ::-1].astype(np.float64) + 0.5, farthest)
    keep = distance > wall_px
    close = np.flatnonzero(keep & (distance <= parallel_px))
    if len(close):
        tree = KDTree(pixels)
        for k, around in zip(close, tree.query_ball_point(pixels[close], _AROUND_PX), strict=True):
            spread = pixels[around].var(axis=0).sum()
            keep[k] = distance[around].var() >= _SINE**2 * spread
    return keep


@dataclass(frozen=True)
class Extent:
    """How a line lies in its fjord, pixels.

    Attributes
    ----------
    chord, missing : float
        Distance of the two ends, and what lies beyond them in that direction, up to the walls.
    share : float
        chord / (chord + missing), 0 to 1.
    open_ends : int
        Ends that meet the edge of the grid or of the valid pixels.
    """

    chord: float
    missing: float
    share: float
    open_ends: int


def lookup(mask: Mask, xy: Float, outside: bool = False) -> Mask:
    """Return the mask's value at points x, y, `outside` beyond the grid."""
    cols, rows = np.floor(xy[:, 0]).astype(np.intp), np.floor(xy[:, 1]).astype(np.intp)
    height, width = mask.shape
    within = (cols >= 0) & (cols < width) & (rows >= 0) & (rows < height)
    values = mask[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)]
    return np.where(within, values, outside)


def _runs(mask: Mask) -> list[tuple[int, int]]:
    """Return start and stop of each run of True."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(change[::2], change[1::2], strict=True)]


def split(xy: Float, bad: Mask, tolerance: int) -> list[Float]:
    """Return the pieces of a line between runs of more than `tolerance` bad vertices, bad ends dropped."""
    cut = np.zeros(len(xy), dtype=bool)
    for start, stop in _runs(bad):
        if stop - start > tolerance or start == 0 or stop == len(xy):
            cut[start:stop] = True
    return [xy[start:stop] for start, stop in _runs(~cut) if stop - start > 1]


def clip(xy: Float, inside: Mask) -> Float:
    """Return the longest run of a line whose vertices lie inside; 1 px outside at a time does not end it."""
    pieces = split(xy, ~lookup(inside, xy), tolerance=1)
    return max(pieces, key=len) if pieces else xy[:0]


def trim_walls(xy: Float, walls: Walls, wall_px: float) -> Float:
    """Cut ends that run along a wall: of a run of vertices near a wall, the last `wall_px` stay.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Line with about one vertex a pixel.
    walls : Walls
    wall_px : float
        Vertices that near a wall are at it.

    Returns
    -------
    (m, 2) float64 ndarray
        Empty where the whole line runs along walls.
    """
    away = np.flatnonzero(walls.distance(xy, wall_px + 1.0) > wall_px)
    if not len(away):
        return xy[:0]
    keep = int(np.ceil(wall_px))
    return xy[max(away[0] - keep, 0) : away[-1] + keep + 1]


def touch_px(distance: Float, reach_px: float) -> float:
    """Return the distance at which a line meets a wall: `reach_px`, less in a narrow fjord."""
    widest = float(distance.max(initial=0.0))
    return min(reach_px, max(_NARROW_SHARE * widest, _NARROW_PX)) if math.isfinite(widest) else 0.0


def split_at_walls(xy: Float, walls: Walls, reach_px: float) -> list[Float]:
    """Cut a line where it meets a wall on its way: what comes behind is another front, a berg or the wall.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
    walls : Walls
    reach_px : float
        Vertices that near a wall are at it; in narrow fjords an eighth of the width, at least 5 px.

    Returns
    -------
    list of (m, 2) float64 ndarray
    """
    distance = walls.distance(xy, reach_px / _NARROW_SHARE)
    at = distance <= touch_px(distance, reach_px)
    inner = [(start, stop) for start, stop in _runs(at) if start > 0 and stop < len(xy)]
    cuts = [start + int(distance[start:stop].argmin()) for start, stop in inner]
    bounds = [0, *cuts, len(xy) - 1]
    return [xy[a : b + 1] for a, b in pairwise(bounds) if b > a]


def separated(lines: list[Float], ends: tuple[tuple[float, float], tuple[float, float]], walls: Walls) -> bool:
    """Return whether lines part two places (row, column) of the fjord from each other.

    Lines bar what is within 3 px of them.
    """
    height, width = walls.fjord.shape
    limit = np.array([height, width]) - 1
    around = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2)
    pixels = np.floor(np.concatenate(lines)[:, ::-1]).astype(np.intp)
    barred = np.unique(np.clip((pixels[:, None] + around).reshape(-1, 2), 0, limit) @ [width, 1])
    places = [int(np.clip(np.floor(end).astype(np.intp), 0, limit) @ [width, 1]) for end in ends]
    return not _joined(walls.fjord, barred, places[0], places[1])


def _joined(fjord: Mask, barred: npt.NDArray[np.intp], first: int, second: int) -> bool:
    """Return whether a way over the 4 neighbours leads from one pixel of a fjord to another, but for barred ones.

    Pixels are places in the flattened array. Runs along rows stand for them: they are few, so that no image is
    labelled.
    """
    width = fjord.shape[1]
    if any(not fjord[divmod(place, width)] or place in barred for place in (first, second)):
        return False
    stride = width + 1
    ends = [_runs_of_rows(fjord, barred, start, stop) for start, stop in _strips(fjord.shape)]
    starts, stops = (np.concatenate(side) for side in zip(*ends, strict=True))
    begin = np.searchsorted(stops, starts - stride, side="right")
    count = np.searchsorted(starts, stops - stride, side="left") - begin
    below = np.repeat(np.arange(len(starts)), count)
    above = np.arange(len(below)) + np.repeat(begin - np.cumsum(count) + count, count)
    graph = coo_array((np.ones(len(below), dtype=bool), (below, above)), shape=(len(starts), len(starts)))
    piece = connected_components(graph, directed=False)[1]
    a, b = (piece[np.searchsorted(starts, place + place // width + 1, side="right") - 1] for place in (first, second))
    return bool(a == b)


def _runs_of_rows(
    fjord: Mask, barred: npt.NDArray[np.intp], start: int, stop: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return first and next place of the runs of free pixels in some rows, each row one place longer than it is."""
    width = fjord.shape[1]
    free = np.zeros((stop - start, width + 1), dtype=bool)
    free[:, 1:] = fjord[start:stop]
    here = barred[slice(*np.searchsorted(barred, [start * width, stop * width]))] - start * width
    free[here // width, here % width + 1] = False
    flat = np.append(free.ravel(), False)
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return change[::2] + start * (width + 1), change[1::2] + start * (width + 1)


def reach_walls(
    xy: Float, walls: Walls, reach_px: float, known: Mask | None = None, unknown_cost: float = 1.0
) -> Float:
    """Extend ends straight to the wall where they stop at most `reach_px` short of it, less in a narrow fjord.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
    walls : Walls
    reach_px : float
    known : (H, W) bool ndarray, optional
        Pixels with data.
    unknown_cost : float
        What a pixel without data counts on the way, which is at most `_FARTHEST` times as long as the reach.
    """
    reach_px = touch_px(walls.distance(xy, reach_px / _NARROW_SHARE), reach_px)

    def near_wall(way: Float) -> Mask:
        cost = np.ones(len(way)) if known is None else np.where(lookup(known, way, outside=True), 1.0, unknown_cost)
        return ~lookup(walls.fjord, way, outside=True) & (_STEP_PX * np.cumsum(cost) <= reach_px + _STEP_PX / 2)

    return _led_on(xy, reach_px if known is None else _FARTHEST * reach_px, near_wall)


def reach_gaps(xy: Float, known: Mask, reach_px: float, domain: Mask | None = None) -> Float:
    """Extend ends straight to the pixels without data before which they stop at most `reach_px` short.

    Beyond a domain, the pixels where a front may be, they are not sought.
    """
    if known.all():
        return xy

    def before_gap(way: Float) -> Mask:
        inside = np.ones(len(way), dtype=bool) if domain is None else lookup(domain, way)
        return ~lookup(known, way, outside=True) & np.logical_and.accumulate(inside)

    return _led_on(xy, reach_px, before_gap)


def _led_on(xy: Float, reach_px: float, aim: Callable[[Float], Mask]) -> Float:
    """Extend both ends of a line straight up to the first place that is aimed at, where that is near."""
    line = xy
    for _ in range(2):
        line = line[::-1]
        direction = line[-1] - line[max(len(line) - 6, 0)]
        norm = float(np.hypot(*direction))
        if norm == 0:
            continue
        steps = np.arange(_STEP_PX, reach_px + _STEP_PX / 2, _STEP_PX)
        way = line[-1] + steps[:, None] * direction / norm
        hit = np.flatnonzero(aim(way))
        if len(hit) and hit[0] > 0:
            line = np.vstack([line, way[hit[0] - 1]])
    return line


def extent(xy: Float, walls: Walls, valid: Mask, reach_px: float) -> Extent:
    """Measure how much of the fjord's width a line covers.

    The width beyond an end is that along the chord of the line, up to the wall or the edge of the grid; it is
    nothing where the end lies within `reach_px` of a wall.
    """
    chord = float(np.hypot(*(xy[-1] - xy[0])))
    missing, open_ends = 0.0, 0
    at_wall = walls.distance(xy[[0, -1]]) <= reach_px
    for end, other, reached in ((xy[0], xy[-1], at_wall[0]), (xy[-1], xy[0], at_wall[1])):
        if reached:
            continue
        direction = (end - other) / chord if chord > 0 else np.array([1.0, 0.0])
        steps = np.arange(1.0, float(np.hypot(*walls.fjord.shape)) + 1.0)
        way = end + steps[:, None] * direction
        outside = np.flatnonzero(~lookup(walls.fjord, way))
        missing += float(outside[0]) if len(outside) else float(steps[-1])
        open_ends += _meets_edge(end, valid)
    share = chord / (chord + missing) if chord > 0 else 0.0
    return Extent(chord, missing, share, open_ends)


def _meets_edge(end: Float, valid: Mask) -> bool:
    around = end + np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2)
    return not lookup(valid, around).all()


def open_ends(xy: Float, valid: Mask) -> int:
    """Return how many ends of a line meet the edge of the grid or of the valid pixels."""
    return sum(_meets_edge(end, valid) for end in (xy[0], xy[-1]))

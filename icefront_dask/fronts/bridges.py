"""Ways of a line over what is not seen of it (NumPy kernel).

Coordinates are pixel x, y with the centre of pixel [r, c] at (c + 0.5, r + 0.5) and y downward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.fronts.spacing import evenly

if TYPE_CHECKING:
    import numpy.typing as npt

    Float: TypeAlias = npt.NDArray[np.float64]
    Image: TypeAlias = npt.NDArray[np.float32]
    Mask: TypeAlias = npt.NDArray[np.bool_]

__all__ = ["bridged"]

_TANGENT_PX = 6
_LEAST_TANGENT_PX = 3
_STRAIGHT = 0.9  # cosine between both of a line that has not turned
_SHORT_RUN = 4
_TURNS = (2.0, 10.0)  # weights of the corner in a conic: a wide turn and a sharp one
_FARTHEST_CORNER = 2.0  # lengths of the gap
_CORE_PX, _RIM_PX = 1.0, 2.0  # a ridge is whole up to the first distance from its line, and gone from the second on
_LEAST_GAIN_PX = 1.0  # pixels that another way must tell better than the smooth one
_BEYOND = 20  # vertices on either side of a gap whose own ridge is told from that of the bridge
_TAIL_UNKNOWN = 0.5  # share of an end's vertices without data


def bridged(xy: Float, seen: Mask, front: Image | None = None) -> Float:
    """Bridge runs of vertices that are not seen by cubics which go on in the line's direction on both sides.

    The direction is that of the vertices before and behind, at most `_TANGENT_PX` and at least
    `_LEAST_TANGENT_PX`, which are taken where the line has just turned; a bridge leaves its chord by at most a quarter
    of its length. Runs up to `_SHORT_RUN` stay as they are, and so do those at the ends.

    With the front output a gap can hold a corner, and ends over pixels without data go on straight: of a cubic and of
    turns round the place where both directions meet, the one stays that tells best what is seen of the ridge beside
    the gap. Where nothing of the corner is seen that is the cubic.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Line with about one vertex a pixel.
    seen : (n,) bool ndarray
        Vertices whose place the outputs show.
    front : (H, W) float32 ndarray, optional
        Front probability, NaN where there is none.

    Returns
    -------
    (n, 2) float64 ndarray
    """
    line = xy.copy()
    change = np.flatnonzero(np.diff(seen.astype(np.int8)))
    bounds = [-1, *change.tolist(), len(xy) - 1]
    for before, left, after, end in zip(bounds, bounds[1:], bounds[2:], bounds[3:], strict=False):
        right = after + 1
        if seen[left + 1] or right - left <= _SHORT_RUN:
            continue
        back, on = min(left - before - 1, _TANGENT_PX), min(end - right, _TANGENT_PX)
        if min(back, on) < _LEAST_TANGENT_PX:
            continue
        start, stop = _direction(xy[left - back : left + 1]), -_direction(xy[right : right + on + 1][::-1])
        ways = [_cubic(xy[left : right + 1], start, stop)]
        if front is not None:
            ways += _turns(xy[left], xy[right], start, stop, right - left + 1)
        beyond = np.concatenate([xy[max(left - _BEYOND, 0) : left], xy[right + 1 : right + 1 + _BEYOND]])
        line[left : right + 1] = _best_told(ways, beyond, front)
    if front is not None and len(bounds) > 2:
        line = _straight_end(_straight_end(line, seen, front)[::-1], seen[::-1], front)[::-1]
    return line


def _cubic(way: Float, start: Float, stop: Float) -> Float:
    """Return a cubic in place of a straight way, which itself where the directions lead elsewhere."""
    chord = way[-1] - way[0]
    size = float(np.hypot(*chord))
    if size == 0 or min(start @ chord, stop @ chord) < 0.5 * size:
        return way
    t = np.linspace(0.0, 1.0, len(way))[:, None]
    bow = size * (t * (1 - t) ** 2 * (start - chord / size) - t**2 * (1 - t) * (stop - chord / size))
    farthest = float(np.hypot(*bow.T).max())
    bow *= min(1.0, 0.25 * size / farthest) if farthest > 0 else 1.0
    cubic: Float = way[0] + t * chord + bow
    return cubic


def _turns(first: Float, last: Float, start: Float, stop: Float, count: int) -> list[Float]:
    """Return conics round the place ahead of both ends where their directions meet, none where they do not."""
    chord = last - first
    cross = float(start[0] * stop[1] - start[1] * stop[0])
    if abs(cross) < 0.1:
        return []
    ahead = float(chord[0] * stop[1] - chord[1] * stop[0]) / cross
    back = float(start[0] * chord[1] - start[1] * chord[0]) / cross
    if min(ahead, back) <= 0 or max(ahead, back) > _FARTHEST_CORNER * float(np.hypot(*chord)):
        return []
    corner = first + ahead * start
    fine = np.linspace(0.0, 1.0, 4 * count)[:, None]
    return [evenly(_conic(first, corner, last, weight, fine), count) for weight in _TURNS]


def _conic(first: Float, corner: Float, last: Float, weight: float, t: Float) -> Float:
    shares = (1 - t) ** 2, 2 * weight * t * (1 - t), t**2
    conic: Float = (shares[0] * first + shares[1] * corner + shares[2] * last) / sum(shares)
    return conic


def _best_told(ways: list[Float], beyond: Float, front: Image | None) -> Float:
    """Return the way whose ridge is most like what the front output shows beside a gap, the first if none is."""
    if front is None or len(ways) == 1:
        return ways[0]
    pixels = _around(np.concatenate(ways), front.shape)
    shown = front[pixels[:, 0], pixels[:, 1]].astype(np.float64)
    known = np.isfinite(shown)
    if known.all() or not known.any():
        return ways[0]
    pixels, shown = pixels[known], shown[known]
    strength = float(shown.max())
    wrong = []
    for way in ways:
        away = KDTree(np.concatenate([evenly(way, 4 * len(way)), beyond])).query(pixels[:, ::-1] + 0.5)[0]
        ridge = np.clip((_RIM_PX - away) / (_RIM_PX - _CORE_PX), 0.0, 1.0)
        wrong.append(float(np.abs(shown - strength * ridge).sum()))
    best = int(np.argmin(wrong))
    return ways[best] if wrong[best] < wrong[0] - _LEAST_GAIN_PX else ways[0]


def _around(xy: Float, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Return row and column of the pixels of a grid that can show a ridge along points."""
    reach = int(np.ceil(_RIM_PX))
    shift = np.stack(np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1)), axis=-1).reshape(-1, 2)
    pixels = (np.floor(xy[:, ::-1]).astype(np.intp)[:, None] + shift).reshape(-1, 2)
    within = ((pixels >= 0) & (pixels < np.array(shape))).all(axis=1)
    return np.unique(pixels[within], axis=0)


def _straight_end(xy: Float, seen: Mask, front: Image) -> Float:
    """Return a line whose end over pixels without data goes on in its direction before."""
    last = int(np.flatnonzero(seen)[-1])
    count = len(xy) - 1 - last
    before = np.flatnonzero(~seen[:last])
    back = min(last - 1 - int(before[-1]) if len(before) else last, _TANGENT_PX)
    if count <= _SHORT_RUN or back < _LEAST_TANGENT_PX:
        return xy
    rows, cols = np.floor(xy[last + 1 :, ::-1]).astype(np.intp).T
    within = (rows >= 0) & (rows < front.shape[0]) & (cols >= 0) & (cols < front.shape[1])
    unknown = np.isnan(front[rows[within], cols[within]])
    if not len(unknown) or unknown.mean() < _TAIL_UNKNOWN:
        return xy
    line = xy.copy()
    step = float(np.hypot(*np.diff(xy[last:], axis=0).T).sum()) / count
    line[last + 1 :] = xy[last] + step * np.arange(1, count + 1)[:, None] * _direction(xy[last - back : last + 1])
    return line


def _direction(xy: Float) -> Float:
    """Return the direction in which a line ends, that of its last few vertices where it has just turned."""
    whole, least = _unit(xy[-1] - xy[0]), _unit(xy[-1] - xy[-1 - _LEAST_TANGENT_PX])
    return whole if whole @ least >= _STRAIGHT else least


def _unit(vector: Float) -> Float:
    size = float(np.hypot(*vector))
    return vector / size if size > 0 else vector

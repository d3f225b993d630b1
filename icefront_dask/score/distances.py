"""The published distances between a predicted and a true front, over NumPy arrays of points.

A front comes in two forms: *pixels*, an ``(n, 2)`` array of points that are one pixel each, without an order,
and a *path*, an ``(n, 2)`` array of ordered vertices. Any planar unit will do (pixels, metres); results are
in that unit.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "MDE",
    "cut_walls",
    "directed",
    "index_matched",
    "index_matched_mean",
    "line_pixels",
    "mde",
    "mean_distance",
    "median_distance",
    "pixel_path",
    "resample",
    "symmetric",
]


def _points(values: ArrayLike, what: str) -> NDArray[np.float64]:
    points = np.asarray(values, dtype=np.float64)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"{what}: expected points as an array of shape (n, 2), got {points.shape}")
    if not np.isfinite(points).all():
        raise InputError(f"{what}: coordinates are not finite")
    return points


def directed(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Return the distance from every point of `source` to the nearest point of `target`.

    Parameters
    ----------
    source, target : array_like, shape (n, 2) and (m, 2)
        Points in one planar unit.

    Returns
    -------
    ndarray, shape (n,), float64
        Distances in that unit; empty where either set is empty.
    """
    a, b = _points(source, "source"), _points(target, "target")
    if not len(a) or not len(b):
        return np.empty(0)
    return np.asarray(cKDTree(b).query(a)[0], dtype=np.float64)


def symmetric(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """Return the nearest-neighbour distances of both directions, one after the other (CALFIN).

    Every pixel of the predicted front to the true one and every pixel of the true front to the predicted one,
    pooled in one list: a front of many pixels weighs more. Empty where either front is empty (Cheng et al.
    2021, https://doi.org/10.5194/tc-15-1663-2021).

    Parameters
    ----------
    predicted, true : array_like, shape (n, 2) and (m, 2)
        The 1-pixel points of the two fronts (see :func:`line_pixels`), in one planar unit.

    Returns
    -------
    ndarray, shape (n + m,), float64
        Distances, first predicted to true.
    """
    return np.concatenate([directed(predicted, true), directed(true, predicted)])


def mean_distance(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return CALFIN's mean distance, the mean of :func:`symmetric`; NaN where either front is empty."""
    values = symmetric(predicted, true)
    return float(values.mean()) if values.size else float("nan")


def median_distance(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return CALFIN's median distance, the median of :func:`symmetric`; NaN where either front is empty."""
    values = symmetric(predicted, true)
    return float(np.median(values)) if values.size else float("nan")


class MDE(NamedTuple):
    """CaFFe's mean distance error with the images it leaves out."""

    value: float
    images: int
    without_front: int


def mde(pairs: Iterable[tuple[ArrayLike, ArrayLike]], resolution: Sequence[float] | float = 1.0) -> MDE:
    """Return CaFFe's mean distance error over a set of images (Gourmelon et al. 2022).

    Both directed sums of nearest-neighbour distances, times the image's resolution, summed over all images
    and divided by the number of pixels of all fronts: pooled over pixels, not a mean of image means. Images
    without a predicted front are left out of it and counted apart
    (https://doi.org/10.5194/essd-14-4287-2022).

    Parameters
    ----------
    pairs : iterable of (predicted, true)
        Pixels of both fronts of an image, arrays of shape (n, 2) and (m, 2) in pixels.
    resolution : float or sequence of float, default 1
        Metres a pixel, of all images or of each.

    Returns
    -------
    MDE
        ``value`` (m, or px with resolution 1; NaN when no image has a predicted front), ``images`` that
        entered and ``without_front``, the images without a predicted front.

    Raises
    ------
    InputError
        For an image without a true front, or another number of resolutions than of images.
    """
    listed = list(pairs)
    scales = np.asarray(resolution, dtype=np.float64)
    scales = np.full(len(listed), scales) if scales.ndim == 0 else scales
    if len(scales) != len(listed):
        raise InputError(f"{len(scales)} resolutions for {len(listed)} images; give one, or one an image")
    total, count, empty = 0.0, 0, 0
    for number, ((predicted, true), scale) in enumerate(zip(listed, scales, strict=True)):
        if not len(_points(true, "true front")):
            raise InputError(f"image {number} has no true front; leave it out of the error and count it apart")
        values = symmetric(predicted, true)
        empty += not values.size
        total += float(values.sum() * scale)
        count += values.size
    return MDE(total / count if count else float("nan"), len(listed) - empty, empty)


def resample(path: ArrayLike, count: int = 1000) -> NDArray[np.float64]:
    """Return `count` points of a path at equal arc length, both ends included.

    Parameters
    ----------
    path : array_like, shape (n, 2)
        Ordered vertices; n of at least 1.
    count : int, default 1000
        Number of points, at least 2.

    Returns
    -------
    ndarray, shape (count, 2), float64
    """
    points = _points(path, "path")
    if not len(points) or count < 2:
        raise InputError(f"cannot put {count} points on a path of {len(points)} vertices")
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], count)
    return np.column_stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])])


def index_matched(predicted: ArrayLike, true: ArrayLike, count: int = 1000) -> NDArray[np.float64]:
    """Return M-NN's distances: point by point between `count` equal-arc-length points of both paths.

    The i-th point of one path against the i-th of the other, not the nearest, so a line that covers less of
    the front or is more jagged is further away. A path has no natural start: the order of matching with the
    smaller mean is taken (Mohajerani et al. 2019, https://doi.org/10.3390/rs11010074).

    Parameters
    ----------
    predicted, true : array_like, shape (n, 2) and (m, 2)
        Ordered vertices in one planar unit.
    count : int, default 1000
        Points on each path.

    Returns
    -------
    ndarray, shape (count,), float64
        Distances along the true path; empty where either path is empty.
    """
    a, b = _points(predicted, "predicted"), _points(true, "true")
    if not len(a) or not len(b):
        return np.empty(0)
    a, b = resample(a, count), resample(b, count)
    forward, backward = np.hypot(*(a - b).T), np.hypot(*(a[::-1] - b).T)
    return np.asarray(forward if forward.mean() <= backward.mean() else backward)


def index_matched_mean(predicted: ArrayLike, true: ArrayLike, count: int = 1000) -> float:
    """Return the mean of :func:`index_matched`; NaN where either path is empty."""
    values = index_matched(predicted, true, count)
    return float(values.mean()) if values.size else float("nan")


def cut_walls(path: ArrayLike, walls: BaseGeometry, distance: float) -> NDArray[np.float64]:
    """Return the longest piece of a path that keeps `distance` from the fjord walls (M-NN cuts 500 m).

    Parameters
    ----------
    path : array_like, shape (n, 2)
        Ordered vertices.
    walls : shapely geometry
        The walls, in the unit of the path; of a fjord polygon pass its ``boundary``.
    distance : float
        Width of the buffer round the walls, same unit.

    Returns
    -------
    ndarray, shape (k, 2), float64
        Ordered vertices; empty where nothing is left.
    """
    points = _points(path, "path")
    if len(points) < 2:
        return np.empty((0, 2))
    left = shapely.difference(shapely.LineString(points), walls.buffer(distance))
    pieces = [piece for piece in shapely.get_parts(left) if piece.length > 0]
    if not pieces:
        return np.empty((0, 2))
    return np.asarray(max(pieces, key=lambda piece: piece.length).coords, dtype=np.float64)[:, :2]


def line_pixels(geometry: BaseGeometry) -> NDArray[np.float64]:
    """Return the centres of the pixels of a line drawn one pixel wide (Bresenham).

    Parameters
    ----------
    geometry : shapely LineString or MultiLineString
        In pixel coordinates: x to the right and y down from the image's corner, so that the pixel at row r
        and column c has its centre at (c + 0.5, r + 0.5).

    Returns
    -------
    ndarray, shape (n, 2), float64
        x, y of the pixel centres, each once, sorted by y and x; empty for an empty geometry.
    """
    drawn: list[NDArray[np.int64]] = []
    for part in shapely.get_parts(geometry):
        cells = np.floor(np.asarray(part.coords, dtype=np.float64)[:, :2]).astype(np.int64)
        drawn += [_bresenham(a, b) for a, b in itertools.pairwise(cells)]
    if not drawn:
        return np.empty((0, 2))
    cells = np.unique(np.concatenate(drawn)[:, ::-1], axis=0)[:, ::-1]
    return np.asarray(cells + 0.5, dtype=np.float64)


def _bresenham(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    steps = int(np.abs(b - a).max())
    t = np.linspace(0.0, 1.0, steps + 1)[:, None]
    # Halves are rounded one way: with its ends in a fixed order, a segment is drawn like its reverse.
    low, high = (a, b) if tuple(a) <= tuple(b) else (b, a)
    return np.asarray(np.floor(low + t * (high - low) + 0.5), dtype=np.int64)


def pixel_path(pixels: ArrayLike) -> NDArray[np.float64]:
    """Return the longest path along a front that is given as 1-pixel points without an order.

    Pixels are joined to their eight neighbours, separate pieces at their nearest pixels; the path runs
    between the two pixels which lie furthest apart along those joints, so side branches are left out.

    Parameters
    ----------
    pixels : array_like, shape (n, 2)
        Pixel centres.

    Returns
    -------
    ndarray, shape (k, 2), float64
        Ordered vertices, from the end nearer the origin.
    """
    points = np.unique(_points(pixels, "pixels"), axis=0)
    if len(points) < 3:
        return points
    links = cKDTree(points).query_pairs(1.5, output_type="ndarray")
    while True:
        lengths = np.hypot(*(points[links[:, 0]] - points[links[:, 1]]).T)
        graph = coo_array((lengths, (links[:, 0], links[:, 1])), shape=(len(points), len(points))).tocsr()
        pieces, label = connected_components(graph, directed=False)
        if pieces == 1:
            break
        inside, outside = np.flatnonzero(label == 0), np.flatnonzero(label != 0)
        gap, nearest = cKDTree(points[outside]).query(points[inside])
        links = np.vstack([links, [inside[gap.argmin()], outside[nearest[gap.argmin()]]]])
    one_end = int(dijkstra(graph, directed=False, indices=0).argmax())
    reach, before = dijkstra(graph, directed=False, indices=one_end, return_predecessors=True)
    order = [int(reach.argmax())]
    while order[-1] != one_end:
        order.append(int(before[order[-1]]))
    path = points[order]
    return path if np.hypot(*path[0]) <= np.hypot(*path[-1]) else path[::-1]

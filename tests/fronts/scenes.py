"""Rendered scenes: probabilities as a good network would give them for fronts whose place is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from scipy.spatial import KDTree


@dataclass(frozen=True)
class Rendered:
    """A scene: `truth` is the front (x, y of pixels), `ice` and `front` its probabilities."""

    truth: np.ndarray
    ice: np.ndarray
    front: np.ndarray
    valid: np.ndarray
    fjord: np.ndarray | None = None
    flow: Any = None
    cloud: np.ndarray | None = None

    @property
    def pieces(self) -> list[np.ndarray]:
        """The front in its pieces: parted where it leaps over an island."""
        return np.split(self.truth, np.flatnonzero(np.hypot(*np.diff(self.truth, axis=0).T) > 20) + 1)

    def arguments(self) -> dict[str, Any]:
        return {"fjord": self.fjord, "flow": self.flow, "cloud": self.cloud, "pixel_size_m": 30.0}


def logistic(values):
    return 1 / (1 + np.exp(-np.clip(values, -40, 40)))


def centres(shape):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return np.column_stack([cols.ravel() + 0.5, rows.ravel() + 0.5])


def away(line, points, farthest=40.0):
    """Distance of points to a line, at most `farthest`."""
    found = KDTree(shapely.get_coordinates(line)).query(points, distance_upper_bound=farthest)[0]
    return np.minimum(found, farthest)


def render(truth, ice, shape, *, blur=0.5, strength=0.95, fjord=None, flow=None):
    """Render a front (n, 2) and the ice (polygon) that it bounds."""
    line = shapely.segmentize(shapely.LineString(truth), 0.25)
    points = centres(shape)
    near = away(line, points).reshape(shape)
    edge = away(shapely.segmentize(ice, 0.25), points).reshape(shape)
    shapely.prepare(ice)
    inside = shapely.contains_xy(ice, points).reshape(shape)
    signed = np.where(inside, edge, -edge)
    return Rendered(
        truth=np.asarray(truth, dtype=float),
        ice=logistic(signed / blur).astype(np.float32),
        front=(strength * logistic((1.5 - near) / (0.4 * blur))).astype(np.float32),
        valid=np.ones(shape, dtype=bool),
        fjord=fjord,
        flow=flow,
    )


def level_edge(place, shape=(80, 100), blur=0.6):
    """Ice above y = place, and the ridge there."""
    rows = np.arange(shape[0])[:, None] + 0.5 - place
    ice = np.broadcast_to(logistic(-rows / blur), shape).astype(np.float32)
    front = np.broadcast_to(logistic((1.5 - np.abs(rows)) / 0.4), shape).astype(np.float32)
    return ice, front


def channel(shape, half_width, *, bend=0.0):
    """A fjord from top (inland) to bottom (sea); `bend` moves its middle aside, in pixels."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    middle = shape[1] / 2 + bend * np.sin(np.pi * rows / shape[0])
    return np.abs(cols - middle) <= half_width


def across(function, left, right, step=0.25):
    """A front y = function(x) from left to right."""
    x = np.arange(left, right + step / 2, step)
    return np.column_stack([x, function(x)])


def glacier_in(shape, truth):
    """The ice above a front that runs from left to right, as a polygon that leaves the grid elsewhere."""
    far = 60.0
    first, last = truth[0], truth[-1]
    ring = [
        (-far, first[1]), *map(tuple, truth), (shape[1] + far, last[1]), (shape[1] + far, -far), (-far, -far),
    ]  # fmt: skip
    return shapely.Polygon(ring)


def fjord_scene(function, *, shape=(160, 200), half_width=70.0, bend=0.0, **options):
    """A glacier in a channel between walls of rock (ice probability 1), flowing down the image."""
    fjord = channel(shape, half_width, bend=bend)
    whole = across(function, 0.0, float(shape[1]))
    inside = fjord[np.clip(whole[:, 1].astype(int), 0, shape[0] - 1), np.clip(whole[:, 0].astype(int), 0, shape[1] - 1)]
    truth = whole[inside]
    scene = render(
        truth,
        glacier_in(shape, whole),
        shape,
        fjord=fjord,
        flow=((3.0, shape[1] / 2), (shape[0] - 3.0, shape[1] / 2)),
        **options,
    )
    return replace(scene, ice=np.where(fjord, scene.ice, np.float32(0.98)))


def without(scene, missing):
    """The scene without data where `missing` is True."""
    return replace(scene, valid=scene.valid & ~missing)


def stripes(shape, *, period, width, slope=0.1):
    """Oblique stripes of missing data, as of a failed scan line corrector."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return (rows + slope * cols) % period < width


def blob(scene, row, col, radius, *, ice=None, front=None):
    """The scene with a disc of another probability."""
    rows, cols = np.mgrid[: scene.ice.shape[0], : scene.ice.shape[1]]
    disc = np.hypot(rows - row, cols - col) <= radius
    changes = {
        name: np.where(disc, np.float32(value), getattr(scene, name))
        for name, value in (("ice", ice), ("front", front))
        if value is not None
    }
    return replace(scene, **changes)


def distances(xy, truth):
    """Distances in pixels of a line's points to the true line, and of the true line's points to it."""
    line, true = (one if isinstance(one, shapely.Geometry) else shapely.LineString(one) for one in (xy, truth))
    there = shapely.distance(shapely.points(shapely.get_coordinates(shapely.segmentize(line, 0.5))), true)
    back = shapely.distance(shapely.points(shapely.get_coordinates(shapely.segmentize(true, 0.5))), line)
    return there, back

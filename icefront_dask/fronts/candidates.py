"""Candidate lines of one scene: paths along pixels, cut to what can be a front and refined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.fronts import isolate
from icefront_dask.fronts.ends import front_stretch
from icefront_dask.fronts.gaps import closed_over_gap, off_gaps, with_stubs
from icefront_dask.fronts.graph import trace_points
from icefront_dask.fronts.refine import look_across, oriented, refine, resample

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.fronts.options import FrontOptions

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

__all__ = ["Scene", "lines_of", "near_lines", "paths"]

_ALIKE_PX = 3.0
_END_REACH_PX = 6.0
_BLOCK = 4096  # pixels that are looked round at a time
_ASIDE_PX = (3.0, 4.5, 6.0)
_ANGLES = np.arange(8) * np.pi / 8
# Row and column of places aside of a pixel, by direction, side and distance.
_ASIDE = np.array(
    [[[[sign * a * np.sin(t), sign * a * np.cos(t)] for a in _ASIDE_PX] for sign in (-1, 1)] for t in _ANGLES]
)


@dataclass(frozen=True)
class Scene:
    """The arrays of a scene, cut to the fjord."""

    ice: Image
    front: Image
    known: Mask
    domain: Mask
    cloud: Mask | None
    walls: isolate.Walls | None
    flows: tuple[Flow, ...]
    pixel_size_m: float
    options: FrontOptions
    silent: bool = False  # no ridge in the front output
    cloudy: float = 0.0  # share of clouds in the domain


def paths(ridge: Pixels, faint: Pixels, edge: Float, level: Image, scene: Scene) -> list[Pixels]:
    """Return candidate paths along pixels, without repetition.

    The first follows the ridge where the ice output confirms it or the front output is sure of it, and the faint ridge
    and the edge of the ice, which count less, where there is no other. The second is that of the ridge alone.

    Parameters
    ----------
    ridge, faint : (N, 2) ndarray of intp
        Row and column of the skeleton of the front output, above its threshold and below.
    edge : (n, 2) float64 ndarray
        Points x, y between glacier and ocean.
    level : (H, W) float32 ndarray
        Ice probability, NaN where there is none.
    scene : Scene
    """
    options = scene.options
    ridges = np.concatenate([ridge, faint])
    weak = np.repeat([0.0, options.edge_penalty], [len(ridge), len(faint)])
    points, penalty = ridges, weak
    if len(edge):
        confirmed = near_lines(ridges, [edge], options.support_px)
        doubtful = np.flatnonzero(~confirmed)
        confirmed[doubtful] = _contrast(level, ridges[doubtful]) >= options.support_contrast
        extra = _edge_pixels(ridges, edge, scene)
        points = np.concatenate([ridges, extra])
        doubt = _doubt(scene.front, ridges) * options.unsupported_penalty
        penalty = np.where(confirmed, weak, np.maximum(doubt, weak))
        penalty = np.concatenate([penalty, np.full(len(extra), options.edge_penalty)])
    if not len(points):
        return []
    found = [_path(points, penalty, scene)]
    if not (len(points) == len(ridges) and np.array_equal(penalty, weak)):
        found.append(_path(ridges, weak, scene))
    distinct: list[Pixels] = []
    for path in found:
        if len(path) > 1 and not any(_alike(path, other) for other in distinct):
            distinct.append(path)
    return distinct


def _alike(a: Pixels, b: Pixels) -> bool:
    """Return whether two paths keep within 3 px of each other."""
    return bool(max(KDTree(a).query(b)[0].max(), KDTree(b).query(a)[0].max()) <= _ALIKE_PX)


def _path(points: Pixels, penalty: Float, scene: Scene) -> Pixels:
    options = scene.options
    path = trace_points(points, penalty, known=scene.known, unknown_cost=options.unknown_cost)
    return with_stubs(path, points[penalty <= options.edge_penalty], scene.known)


def _doubt(front: Image, pixels: Pixels) -> Float:
    """Return how far the front output leaves open whether pixels of a ridge are front, from 0 (sure) to 1.

    It is the variance of a draw with that probability as a share of the largest there is, 4 p (1 - p), and 1 below a
    half.
    """
    likely = np.maximum(_largest_around(front, pixels, 1), 0.5)
    doubt: Float = 4 * likely * (1 - likely)
    return doubt


def _contrast(level: Image, pixels: Pixels) -> Float:
    """Return the largest difference of the ice output between opposite sides of pixels, 3 to 6 px away."""
    blocks = [_contrast_at(level, pixels[k : k + _BLOCK]) for k in range(0, len(pixels), _BLOCK)]
    return np.concatenate([np.zeros(0), *blocks])


def _contrast_at(level: Image, pixels: Pixels) -> Float:
    height, width = level.shape
    places = (pixels[:, None, None, None, :] + _ASIDE).round().astype(np.intp)
    rows, cols = places[..., 0], places[..., 1]
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    values = level[np.clip(rows, 0, height - 1), np.clip(cols, 0, width - 1)].astype(np.float64)
    seen = inside & np.isfinite(values)
    count = seen.sum(axis=-1)
    mean = np.where(count > 0, np.where(seen, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan)
    return np.fmax(0.0, np.fmax.reduce(np.abs(mean[..., 1] - mean[..., 0]), axis=-1))


def _edge_pixels(ridge: Pixels, edge: Float, scene: Scene) -> Pixels:
    """Pixels of the edge where there is no ridge; without a fjord only where the front output speaks."""
    options = scene.options
    pixels = np.unique(np.floor(edge[:, ::-1]).astype(np.intp), axis=0)
    keep = scene.known[pixels[:, 0], pixels[:, 1]]
    if scene.walls is None and len(ridge):
        keep &= _largest_around(scene.front, pixels, 3) >= options.weak_threshold
    if len(ridge):
        farther = options.support_px + 1
        keep &= KDTree(ridge).query(pixels, distance_upper_bound=farther + 1.0)[0] > farther
    pixels = pixels[keep]
    if scene.walls is not None and len(pixels):
        pixels = pixels[isolate.off_walls(pixels, scene.walls, options.wall_px, options.parallel_px)]
    return pixels


def near_lines(pixels: Pixels, lines: list[Float], distance: float) -> Mask:
    """Return which pixels (row, column) have their centre within a distance of a vertex of lines (x, y)."""
    if not len(pixels):
        return np.zeros(0, dtype=bool)
    # What is farther need not be known.
    away = KDTree(np.concatenate(lines)).query(pixels[:, ::-1] + 0.5, distance_upper_bound=distance + 1.0)[0]
    near: Mask = away <= distance
    return near


def _largest_around(image: Image, pixels: Pixels, reach: int) -> Float:
    shift = np.arange(-reach, reach + 1)
    rows = np.clip(pixels[:, 0, None, None] + shift[:, None], 0, image.shape[0] - 1)
    cols = np.clip(pixels[:, 1, None, None] + shift[None, :], 0, image.shape[1] - 1)
    largest: Float = np.nan_to_num(image[rows, cols], nan=0.0).max(axis=(1, 2)).astype(np.float64)
    return largest


def lines_of(path: Pixels, level: Image, edge: Float, scene: Scene) -> list[Float]:
    """Cut a path to what can be front and refine each piece."""
    options = scene.options
    path = path if scene.walls is not None else closed_over_gap(path, scene.known)
    line = resample(off_gaps(path, scene.known)[:, ::-1].astype(np.float64) + 0.5)
    pieces = isolate.split(line, ~isolate.lookup(scene.domain, line), tolerance=2)
    pieces = [part for piece in pieces for part in _without_bare(piece, edge, scene)]
    if scene.walls is not None:
        pieces = [
            part for piece in pieces for part in isolate.split_at_walls(piece, scene.walls, options.reach_wall_px)
        ]
    lines = []
    for piece in pieces:
        xy = piece if scene.walls is None else isolate.trim_walls(piece, scene.walls, options.wall_px)
        if len(xy) < 4:
            continue
        xy = refine(
            oriented(xy, level),
            scene.front,
            level,
            reach=options.refine_px,
            weak=options.weak_threshold,
            ice_weight=options.ice_weight,
            smooth_px=options.smooth_line_px,
            max_smoothing_px=options.max_smoothing_px,
        )
        xy = isolate.clip(xy, scene.domain)
        if len(xy) < 3:
            continue
        if scene.walls is not None:
            xy = isolate.reach_walls(xy, scene.walls, options.reach_wall_px, scene.known, options.unknown_cost)
        else:
            xy = _without_coasts(xy, level, scene)
        xy = isolate.reach_gaps(xy, scene.known, _END_REACH_PX / 2, scene.domain)
        lines.append(xy)
    return lines


def _without_coasts(xy: Float, level: Image, scene: Scene) -> Float:
    """Cut the ends of a line that run on past the front, where no fjord says where it ends."""
    options = scene.options
    seen = look_across(xy, scene.front, level, reach=_END_REACH_PX, weak=options.weak_threshold)
    start, stop = front_stretch(
        xy,
        np.where(isolate.lookup(scene.known, xy), seen.peak, np.nan),
        seen.contrast,
        strength=options.end_strength,
        direction=options.end_direction,
        offset=options.end_offset,
        relative=options.end_relative,
    )
    return xy[start:stop]


def _without_bare(xy: Float, edge: Float, scene: Scene) -> list[Float]:
    """Cut where a line is bridged for long over pixels that have data and show no front."""
    pixels = np.floor(xy[:, ::-1]).astype(np.intp)
    bare = isolate.lookup(scene.known, xy)
    bare &= _largest_around(scene.front, pixels, 2) < scene.options.weak_threshold
    if len(edge):
        bare &= ~near_lines(pixels, [edge], scene.options.support_px)
    return isolate.split(xy, bare, tolerance=int(scene.options.max_bridge_px))

"""Candidate lines of one scene: paths along pixels, cut to what can be a front and refined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.fronts import isolate
from icefront_dask.fronts.graph import trace_points
from icefront_dask.fronts.refine import oriented, refine, resample

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.fronts.options import FrontOptions

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

__all__ = ["Scene", "lines_of", "near_lines", "paths"]


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


def paths(ridge: Pixels, edge: Float, scene: Scene) -> list[Pixels]:
    """Candidate paths along pixels: the ridge with the edge's help, and where they differ the ridge alone."""
    options = scene.options
    if not len(edge):
        return [_path(ridge, scene)] if len(ridge) else []
    supported = near_lines(ridge, [edge], options.support_px)
    extra = _edge_pixels(ridge, edge, scene)
    points = np.concatenate([ridge, extra])
    confirmed = np.concatenate([supported, np.ones(len(extra), dtype=bool)])
    paths = [_path(points, scene, confirmed)]
    if len(ridge) and supported.mean() < 0.9:
        paths.append(_path(ridge, scene))
    return paths


def _path(points: Pixels, scene: Scene, confirmed: Mask | None = None) -> Pixels:
    return trace_points(
        points,
        confirmed,
        penalty=scene.options.unsupported_penalty,
        known=scene.known,
        unknown_cost=scene.options.unknown_cost,
    )


def _edge_pixels(ridge: Pixels, edge: Float, scene: Scene) -> Pixels:
    """Pixels of the edge where there is no ridge; without a fjord only where the front output speaks."""
    options = scene.options
    pixels = np.unique(np.floor(edge[:, ::-1]).astype(np.intp), axis=0)
    keep = scene.known[pixels[:, 0], pixels[:, 1]]
    if scene.walls is None and len(ridge):
        keep &= _largest_around(scene.front, pixels, 3) >= options.weak_threshold
    if len(ridge):
        keep &= KDTree(ridge).query(pixels)[0] > options.support_px + 1
    return pixels[keep]


def near_lines(pixels: Pixels, lines: list[Float], distance: float) -> Mask:
    """Return which pixels (row, column) have their centre within a distance of a vertex of lines (x, y)."""
    if not len(pixels):
        return np.zeros(0, dtype=bool)
    away = KDTree(np.concatenate(lines)).query(pixels[:, ::-1] + 0.5)[0]
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
    line = resample(path[:, ::-1].astype(np.float64) + 0.5)
    pieces = isolate.split(line, ~isolate.lookup(scene.domain, line), tolerance=2)
    pieces = [part for piece in pieces for part in _without_bare(piece, edge, scene)]
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
            xy = isolate.reach_walls(xy, scene.walls, options.reach_wall_px)
        lines.append(xy)
    return lines


def _without_bare(xy: Float, edge: Float, scene: Scene) -> list[Float]:
    """Cut where a line is bridged for long over pixels that have data and show no front."""
    pixels = np.floor(xy[:, ::-1]).astype(np.intp)
    bare = isolate.lookup(scene.known, xy)
    bare &= _largest_around(scene.front, pixels, 2) < scene.options.weak_threshold
    if len(edge):
        bare &= ~near_lines(pixels, [edge], scene.options.support_px)
    return isolate.split(xy, bare, tolerance=int(scene.options.max_bridge_px))

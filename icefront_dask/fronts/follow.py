"""From the ridge and the edge of the ice of one scene to its judged lines (NumPy kernel)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.fronts import isolate
from icefront_dask.fronts.candidates import Scene, lines_of, near_lines, paths
from icefront_dask.fronts.judged import Piece, TracedFront, finished, least_length, measured, worth
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    import numpy.typing as npt

    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]

__all__ = ["follow", "off_walls"]

_FAINT_APART_PX = 3.0
_APART_PX = 15.0  # another front is at least that far away


def off_walls(ridge: Pixels, faint: Pixels, scene: Scene) -> tuple[Pixels, Pixels]:
    """Return the ridge of the front output off the fjord's walls, and what of a faint ridge is not it."""
    options = scene.options
    if scene.walls is not None:
        ridge, faint = (
            found[isolate.off_walls(found, scene.walls, options.wall_px, options.parallel_px)]
            for found in (ridge, faint)
        )
    if len(ridge) and len(faint):
        faint = faint[KDTree(ridge).query(faint)[0] > _FAINT_APART_PX]
    return ridge, faint


def follow(
    scene: Scene, ridge: Pixels, faint: Pixels, level: Image, edge: Float, *, detached: bool
) -> list[TracedFront]:
    """Return the fronts of a scene, the main one first, or why there is none.

    Parameters
    ----------
    scene : Scene
    ridge, faint : (N, 2) ndarray of intp
        See `off_walls`.
    level : (H, W) float32 ndarray
        Ice probability, NaN where there is none.
    edge : (n, 2) float64 ndarray
        Points x, y between glacier and ocean.
    detached : bool
        Water lies between the glacier and ice that separates it from the ocean.
    """
    groups = [
        [measured(xy, level, scene) for xy in lines_of(path, level, edge, scene)]
        for path in paths(ridge, faint, edge, level, scene)
    ]
    if not any(groups):
        return [TracedFront.none(Status.NO_FRONT, Reason.NO_RIDGE)]
    groups = [[piece for piece in group if piece.length >= least_length(piece, scene)] for group in groups]
    if not any(groups):
        return [TracedFront.none(Status.NO_FRONT, Reason.TOO_SHORT)]
    best = max(groups, key=lambda group: max(map(worth, group), default=0.0))
    main, *pieces = sorted(best, key=lambda piece: -worth(piece) * math.sqrt(piece.length))
    chosen = [main, *_others(main, pieces, ridge, edge, level, scene)]
    near = near_lines(ridge, [piece.xy for piece in chosen], scene.options.support_px)
    unique = float(near.mean()) if len(ridge) else math.nan
    return [finished(piece, unique, detached, scene.options) for piece in chosen]


def _others(main: Piece, pieces: list[Piece], ridge: Pixels, edge: Float, level: Image, scene: Scene) -> list[Piece]:
    """Further fronts in a fjord: apart from those before, long, and shown by both outputs."""
    options = scene.options
    chosen, waiting = [main], list(pieces)
    while len(chosen) < options.max_fronts and _needs_more(chosen, scene):
        if not waiting:
            rest = ridge[~near_lines(ridge, [piece.xy for piece in chosen], _APART_PX)]
            left = edge[~near_lines(np.floor(edge[:, ::-1]).astype(np.intp), [p.xy for p in chosen], _APART_PX)]
            if not len(left):
                break
            rest = rest[near_lines(rest, [left], options.support_px)]
            none = np.empty((0, 2), dtype=np.intp)
            candidates = paths(rest, none, left, level, scene)[:1]
            waiting = [measured(xy, level, scene) for path in candidates for xy in lines_of(path, level, edge, scene)]
            waiting = sorted(waiting, key=worth, reverse=True)
            if not waiting or not _is_other(waiting[0], main, scene):
                break
        piece = waiting.pop(0)
        if _is_other(piece, main, scene):
            chosen.append(piece)
    return chosen[1:]


def _needs_more(chosen: list[Piece], scene: Scene) -> bool:
    """Return whether the fronts leave a way from a flowline's inland end to its seaward end."""
    if scene.walls is None:
        return False
    lines = [piece.xy for piece in chosen]
    return not scene.flows or not all(isolate.separated(lines, flow, scene.walls) for flow in scene.flows)


def _is_other(piece: Piece, main: Piece, scene: Scene) -> bool:
    options = scene.options
    least = max(least_length(piece, scene), options.secondary_share * main.length)
    both = all(piece.parts[name] >= options.min_agreement for name in ("ridge", "agreement"))
    return piece.length >= least and both and piece.confidence >= options.reject_confidence

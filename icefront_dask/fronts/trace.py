"""From two probabilities of one scene to its front lines (NumPy kernel)."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.errors import InputError
from icefront_dask.fronts import isolate
from icefront_dask.fronts.calfin import square_crop
from icefront_dask.fronts.candidates import Scene, lines_of, near_lines, paths
from icefront_dask.fronts.judged import Piece, TracedFront, finished, least_length, measured, published, worth
from icefront_dask.fronts.options import FrontOptions, resolve
from icefront_dask.fronts.published import caffe_published, calfin_published
from icefront_dask.fronts.refine import oriented, resample
from icefront_dask.fronts.ridge import bounding_slices, ridge_pixels
from icefront_dask.fronts.sides import find_sides
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
    LookAgain: TypeAlias = Callable[[slice, slice], tuple[Image, Image]]

__all__ = ["TracedFront", "trace_scene"]

_MARGIN_PX = 24  # kept round the fjord
_FAINT_PX = 8  # shorter pieces of a faint ridge are noise
_FAINT_APART_PX = 3.0
_APART_PX = 15.0  # another front is at least that far away


def trace_scene(
    ice: Image,
    front: Image,
    valid: Mask,
    *,
    pixel_size_m: float,
    fjord: Mask | None = None,
    flow: Flow | Sequence[Flow] | None = None,
    cloud: Mask | None = None,
    elevation_m: npt.NDArray[np.floating[Any]] | None = None,
    look_again: LookAgain | None = None,
    options: FrontOptions | Mapping[str, Any] | None = None,
) -> list[TracedFront]:
    """Trace the front of one scene.

    The ridge of the front output becomes a skeleton, less the fjord's walls, and the skeleton a line by its
    minimum spanning tree and the longest path in it (CALFIN, Cheng et al. 2021, doi:10.5194/tc-15-1663-2021).
    Pixels of the ridge which the ice output does not confirm earn nothing on the way; where the ridge has gaps or
    stops, a fainter ridge or the edge between glacier and ocean goes on for it. Of this path and that of the ridge
    alone the one with the better confidence and coverage stays. The line is cut to the fjord, moved to sub-pixel
    place and judged. A line that is not accepted is looked at again, where that can be done, and the better of both
    stays. With ``method: calfin`` or ``caffe`` the lines are those of the published post-processing.

    Parameters
    ----------
    ice, front : (H, W) float32 ndarray
        P(land or ice) and P(within 1.5 px of the front), 0 to 1, NaN where there is none.
    valid : (H, W) bool ndarray
        Pixels with data.
    pixel_size_m : float
        True size of a pixel, metres.
    fjord : (H, W) bool ndarray, optional
        Where an ice-ocean boundary can be.
    flow : ((row, column), (row, column)) or a sequence of them, optional
        Inland and seaward end of each flowline within the grid.
    cloud : (H, W) bool ndarray, optional
        Cloudy pixels; they lower the confidence.
    elevation_m : (H, W) ndarray, optional
        Height above sea level; what lies above ``land_elevation_m`` is no ocean. NaN where it is not known.
    look_again : callable, optional
        Returns P(ice) and P(front) of the given rows and columns, a square, predicted from them alone.
    options : FrontOptions or mapping, optional
        Settings; those that are missing are the packaged ones.

    Returns
    -------
    list of TracedFront
        The main front first; several where the fjord holds several (an island, tributaries). At least one:
        without a line it says why, by status and reason.

    Raises
    ------
    InputError
        For arrays of different shapes or no pixels, or a pixel size that is not positive.
    ConfigError
        For an unknown option.
    """
    settings = resolve(options)
    _check(ice, front, valid, fjord, cloud, pixel_size_m)
    whole = np.ones(ice.shape, dtype=bool) if fjord is None else np.asarray(fjord, dtype=bool)
    known = np.asarray(valid, dtype=bool) & np.isfinite(ice) & np.isfinite(front)
    if elevation_m is not None:
        high = np.nan_to_num(elevation_m, nan=-np.inf) > settings.land_elevation_m
        ice = np.where(high, np.float32(1), ice)
    published_form = settings.method != "outputs"
    window = bounding_slices(whole, max(whole.shape) if published_form else _MARGIN_PX)
    if window is None or (known & whole).sum() < max(settings.min_valid_share * whole.sum(), 1):
        return [TracedFront.none(Status.FAILED, Reason.NO_VALID_PIXELS)]
    top, left = window[0].start, window[1].start
    scene = Scene(
        ice=np.where(known, ice, np.float32(np.nan))[window],
        front=np.where(known, front, np.float32(np.nan))[window],
        known=known[window],
        domain=whole[window],
        cloud=None if cloud is None else np.asarray(cloud, dtype=bool)[window],
        walls=None if fjord is None else isolate.Walls(whole[window]),
        flows=tuple(((a[0] - top, a[1] - left), (b[0] - top, b[1] - left)) for a, b in _flows(flow)),
        pixel_size_m=pixel_size_m,
        options=settings,
    )
    if published_form:
        return _published(scene, look_again)
    traced = [dataclasses.replace(one, xy=one.xy + np.array([left, top])) for one in _trace(scene)]
    if look_again is None or not settings.second_look:
        return traced
    masks = {"fjord": fjord, "cloud": cloud, "elevation_m": elevation_m}
    return [_second_look(one, look_again, valid, masks, pixel_size_m, settings) for one in traced]


def _second_look(
    first: TracedFront,
    look_again: LookAgain,
    valid: Mask,
    masks: Mapping[str, Any],
    pixel_size_m: float,
    options: FrontOptions,
) -> TracedFront:
    """Return a front as it is seen in a square crop round it, if that is the better one."""
    if first.status not in {Status.REVIEW, Status.REJECTED}:
        return first
    crop = square_crop(np.floor(first.xy[:, ::-1]).astype(np.intp), valid.shape)
    ice, front = look_again(*crop)
    own = {name: None if mask is None else mask[crop] for name, mask in masks.items()}
    found = trace_scene(ice, front, valid[crop], pixel_size_m=pixel_size_m, **own, options=options)[0]
    if not found.confidence > first.confidence:
        return first
    return dataclasses.replace(found, xy=found.xy + np.array([crop[1].start, crop[0].start]))


def _published(scene: Scene, look_again: LookAgain | None) -> list[TracedFront]:
    """Return the lines of a published method, measured as all others are."""
    if scene.options.method == "calfin":
        lines = calfin_published(scene.ice, scene.front, scene.domain, look_again)
    else:
        lines = caffe_published(scene.ice, scene.domain, scene.pixel_size_m)
    traced = [
        published(measured(oriented(resample(line.xy), scene.ice), scene.ice, scene), line.reason, scene.options)
        for line in lines
    ]
    return traced or [TracedFront.none(Status.NO_FRONT, Reason.NO_RIDGE)]


def _check(ice: Image, front: Image, valid: Mask, fjord: Mask | None, cloud: Mask | None, pixel_size_m: float) -> None:
    if ice.ndim != 2 or ice.size == 0:
        raise InputError(f"ice has shape {ice.shape}; a scene has two dimensions (y, x) and some pixels")
    for name, array in (("front", front), ("valid", valid), ("fjord", fjord), ("cloud", cloud)):
        if array is not None and array.shape != ice.shape:
            raise InputError(f"{name} has shape {array.shape}, ice {ice.shape}; they must be of one grid")
    if not (math.isfinite(pixel_size_m) and pixel_size_m > 0):
        raise InputError(f"pixel_size_m is {pixel_size_m}; it must be a positive number of metres")


def _flows(flow: Any) -> list[Flow]:
    if flow is None:
        return []
    return [flow] if np.ndim(flow) == 2 else list(flow)


def _trace(scene: Scene) -> list[TracedFront]:
    options = scene.options
    ridge, faint = _ridges(scene)
    scene = dataclasses.replace(scene, silent=len(ridge) < options.min_length_px)
    sides = find_sides(scene.ice, scene.known, scene.domain, ridge, scene.flows, fill_px=options.fill_px)
    level = np.where(scene.domain, scene.ice, np.float32(np.nan)) if sides is None else sides.level
    level = np.where(scene.known, level, np.float32(np.nan))
    edge = np.empty((0, 2)) if sides is None else sides.edge
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
    near = near_lines(ridge, [piece.xy for piece in chosen], options.support_px)
    unique = float(near.mean()) if len(ridge) else math.nan
    detached = sides is not None and sides.detached
    return [finished(piece, unique, detached, options) for piece in chosen]


def _ridges(scene: Scene) -> tuple[Pixels, Pixels]:
    """Return the ridge of the front output, and what of a faint ridge is not it."""
    options = scene.options
    ridge, faint = ridge_pixels(
        scene.front,
        scene.domain,
        thresholds=(options.threshold, options.faint_threshold),
        smooth_px=options.smooth_px,
        min_px=(options.min_ridge_px, _FAINT_PX),
    )
    if scene.walls is not None:
        ridge, faint = (
            found[isolate.off_walls(found, scene.walls, options.wall_px, options.parallel_px)]
            for found in (ridge, faint)
        )
    if len(ridge) and len(faint):
        faint = faint[KDTree(ridge).query(faint)[0] > _FAINT_APART_PX]
    return ridge, faint


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

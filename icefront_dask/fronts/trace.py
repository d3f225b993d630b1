"""From two probabilities of one scene to its front lines (NumPy kernel)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.spatial import KDTree

from icefront_dask.errors import InputError
from icefront_dask.fronts import isolate, screen
from icefront_dask.fronts.calibrate import uncertainty_px
from icefront_dask.fronts.candidates import Scene, lines_of, near_lines, paths
from icefront_dask.fronts.options import FrontOptions, resolve
from icefront_dask.fronts.refine import look_across
from icefront_dask.fronts.ridge import bounding_slices, ridge_pixels
from icefront_dask.fronts.sides import find_sides
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

__all__ = ["TracedFront", "trace_scene"]

_MARGIN_PX = 24  # kept round the fjord
_AGREE_REACH_PX = 6.0  # how far apart the outputs may show one front
_SEEN_PX = 2.0  # an output confirms a vertex within this distance
_FAINT_PX = 8  # shorter pieces of a faint ridge are noise
_FAINT_APART_PX = 3.0
_APART_PX = 15.0  # another front is at least that far away


@dataclass(frozen=True)
class TracedFront:
    """One front of a scene.

    Attributes
    ----------
    xy : (n, 2) float64 ndarray
        Pixel x, y; the centre of pixel [r, c] is (c + 0.5, r + 0.5). The glacier is on the left as one looks
        at the image. Empty for the statuses no_front and failed.
    confidence : float
        0 to 1, see :func:`icefront_dask.fronts.screen.confidence`.
    fjord_share : float
        Share of the fjord's width that the line covers; NaN without a fjord.
    gap_fraction : float
        Share of the line over pixels without data, or where neither output shows a front.
    status : Status
    reason : Reason
    uncertainty_px : float
        Standard deviation across the line, see :func:`icefront_dask.fronts.calibrate.uncertainty_px`.
    length_px : float
    parts : dict of str to float
        What the confidence is made of, see :data:`icefront_dask.fronts.screen.PARTS`; further ``spread_px``
        and ``open_ends``.
    """

    xy: Float
    confidence: float
    fjord_share: float
    gap_fraction: float
    status: Status
    reason: Reason
    uncertainty_px: float
    length_px: float
    parts: dict[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def none(cls, status: Status, reason: Reason) -> TracedFront:
        """Return the record of a scene without a line."""
        nan = math.nan
        return cls(np.empty((0, 2)), nan, nan, nan, status, reason, nan, nan)


@dataclass(frozen=True)
class _Piece:
    """A refined line and what is measured on it."""

    xy: Float
    parts: dict[str, float]
    extent: isolate.Extent | None
    open_ends: int
    confidence: float

    @property
    def length(self) -> float:
        return _length(self.xy)


def trace_scene(
    ice: Image,
    front: Image,
    valid: Mask,
    *,
    pixel_size_m: float,
    fjord: Mask | None = None,
    flow: Flow | Sequence[Flow] | None = None,
    cloud: Mask | None = None,
    options: FrontOptions | Mapping[str, Any] | None = None,
) -> list[TracedFront]:
    """Trace the front of one scene.

    The ridge of the front output becomes a skeleton, less the fjord's walls, and the skeleton a line by its
    minimum spanning tree and the longest path in it (CALFIN, Cheng et al. 2021, doi:10.5194/tc-15-1663-2021).
    Pixels of the ridge which the ice output does not confirm earn nothing on the way; where the ridge has gaps or
    stops, a fainter ridge or the edge between glacier and ocean goes on for it. Of this path and that of the ridge
    alone the one with the better confidence and coverage stays. The line is cut to the fjord, moved to sub-pixel
    place and judged.

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
    window = bounding_slices(whole, _MARGIN_PX)
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
    traced = _trace(scene)
    return [dataclasses.replace(one, xy=one.xy + np.array([left, top])) for one in traced]


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
        [_measure(xy, level, scene) for xy in lines_of(path, level, edge, scene)]
        for path in paths(ridge, faint, edge, level, scene)
    ]
    if not any(groups):
        return [TracedFront.none(Status.NO_FRONT, Reason.NO_RIDGE)]
    groups = [[piece for piece in group if piece.length >= _least_length(piece, scene)] for group in groups]
    if not any(groups):
        return [TracedFront.none(Status.NO_FRONT, Reason.TOO_SHORT)]
    best = max(groups, key=lambda group: max(map(_worth, group), default=0.0))
    main, *pieces = sorted(best, key=lambda piece: -_worth(piece) * math.sqrt(piece.length))
    chosen = [main, *_others(main, pieces, ridge, edge, level, scene)]
    near = near_lines(ridge, [piece.xy for piece in chosen], options.support_px)
    unique = float(near.mean()) if len(ridge) else math.nan
    detached = sides is not None and sides.detached
    return [_finish(piece, unique, detached, options) for piece in chosen]


def _measure(xy: Float, level: Image, scene: Scene) -> _Piece:
    options = scene.options
    across = look_across(xy, scene.front, level, reach=_AGREE_REACH_PX, weak=options.weak_threshold)
    known = isolate.lookup(scene.known, xy)
    # Beside a gap the ridge has no centre, but it is there.
    ridge = (np.abs(across.ridge) <= _SEEN_PX) | (np.isnan(across.ridge) & (across.peak > 0))
    seen = known & (ridge | (np.abs(across.crossing) <= _SEEN_PX))
    contrast = across.contrast[np.isfinite(across.contrast)]
    extent = None
    if scene.walls is not None:
        extent = isolate.extent(xy, scene.walls, scene.known, options.reach_wall_px)
    spread = screen.spread_px(across)
    parts = {
        "ridge": float(across.peak[known].mean()) if known.any() else 0.0,
        "sharpness": screen.sharpness(spread),
        "contrast": float(np.clip(contrast.mean(), 0.0, 1.0)) if len(contrast) else 0.0,
        "agreement": screen.agreement(across, silent=scene.silent),
        "coverage": math.nan if extent is None else extent.share,
        "uniqueness": math.nan,
        "gap": float(seen.mean()),
        "cloud": 1.0 if scene.cloud is None else 1.0 - float(isolate.lookup(scene.cloud, xy).mean()),
        "spread_px": spread,
    }
    ends = isolate.open_ends(xy, scene.known) if extent is None else extent.open_ends
    return _Piece(xy, parts, extent, ends, screen.confidence(parts, options))


def _worth(piece: _Piece) -> float:
    # Length counts for little: a path that returns along a rift is longer than the front.
    if piece.extent is None:
        return piece.confidence**2 * math.sqrt(piece.length)
    return piece.confidence * piece.extent.share


def _least_length(piece: _Piece, scene: Scene) -> float:
    options = scene.options
    least = options.min_length_m / scene.pixel_size_m
    if piece.extent is not None:
        least = min(least, options.min_width_share * (piece.extent.chord + piece.extent.missing))
    return max(least, options.min_length_px)


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


def _others(main: _Piece, pieces: list[_Piece], ridge: Pixels, edge: Float, level: Image, scene: Scene) -> list[_Piece]:
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
            waiting = [_measure(xy, level, scene) for path in candidates for xy in lines_of(path, level, edge, scene)]
            waiting = sorted(waiting, key=_worth, reverse=True)
            if not waiting or not _is_other(waiting[0], main, scene):
                break
        piece = waiting.pop(0)
        if _is_other(piece, main, scene):
            chosen.append(piece)
    return chosen[1:]


def _needs_more(chosen: list[_Piece], scene: Scene) -> bool:
    """Return whether the fronts leave a way from a flowline's inland end to its seaward end."""
    if scene.walls is None:
        return False
    lines = [piece.xy for piece in chosen]
    return not scene.flows or not all(isolate.separated(lines, flow, scene.walls) for flow in scene.flows)


def _is_other(piece: _Piece, main: _Piece, scene: Scene) -> bool:
    options = scene.options
    least = max(_least_length(piece, scene), options.secondary_share * main.length)
    both = all(piece.parts[name] >= options.min_agreement for name in ("ridge", "agreement"))
    return piece.length >= least and both and piece.confidence >= options.reject_confidence


def _finish(piece: _Piece, unique: float, detached: bool, options: FrontOptions) -> TracedFront:
    parts = {**piece.parts, "uniqueness": unique}
    value = screen.confidence(parts, options)
    status, reason = screen.judge(value, parts, options, detached=detached, open_ends=piece.open_ends)
    return TracedFront(
        xy=piece.xy,
        confidence=value,
        fjord_share=parts["coverage"],
        gap_fraction=1.0 - parts["gap"],
        status=status,
        reason=reason,
        uncertainty_px=uncertainty_px(parts["spread_px"], value, options),
        length_px=piece.length,
        parts={**parts, "open_ends": float(piece.open_ends)},
    )


def _length(xy: Float) -> float:
    return float(np.hypot(*np.diff(xy, axis=0).T).sum())

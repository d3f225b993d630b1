"""What is measured on a line of a scene, and the record of a front that comes of it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from icefront_dask.fronts import isolate, screen
from icefront_dask.fronts.calibrate import uncertainty_px
from icefront_dask.fronts.refine import look_across
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.fronts.candidates import Scene
    from icefront_dask.fronts.options import FrontOptions

    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["Piece", "TracedFront", "finished", "least_length", "measured", "published", "worth"]

_AGREE_REACH_PX = 6.0  # how far apart the outputs may show one front
_SEEN_PX = 2.0  # an output confirms a vertex within this distance


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
        What the confidence is made of, see :data:`icefront_dask.fronts.screen.PARTS`; further ``spread_px``,
        ``open_ends``, ``unseen_px``, the longest stretch with data where the front output shows nothing, and
        ``shown``, the share of the line with data where it shows something (NaN where it does nowhere in the scene).
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
class Piece:
    """A refined line and what is measured on it."""

    xy: Float
    parts: dict[str, float]
    extent: isolate.Extent | None
    open_ends: int
    confidence: float

    @property
    def length(self) -> float:
        """Length in pixels."""
        return _length(self.xy)


def measured(xy: Float, level: Image, scene: Scene) -> Piece:
    """Measure a line, x and y of pixels (n, 2), on the outputs of its scene; `level` is the ice output in use."""
    options = scene.options
    across = look_across(xy, scene.front, level, reach=_AGREE_REACH_PX, weak=options.weak_threshold)
    known = isolate.lookup(scene.known, xy)
    # Beside a gap the ridge has no centre, but it is there.
    ridge = (np.abs(across.ridge) <= _SEEN_PX) | (np.isnan(across.ridge) & (across.peak > 0))
    seen = known & (ridge | (np.abs(across.crossing) <= _SEEN_PX))
    blind = known & ~((np.abs(across.ridge) <= _SEEN_PX) | (across.peak >= options.faint_threshold))
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
        "cloud": 1.0 - _cloud_share(xy, scene),
        "spread_px": spread,
        "unseen_px": float(screen.longest_run(blind)),
        "shown": math.nan if scene.silent or not known.any() else 1.0 - float(blind.sum() / known.sum()),
    }
    ends = isolate.open_ends(xy, scene.known) if extent is None else extent.open_ends
    return Piece(xy, parts, extent, ends, screen.confidence(parts, options))


def _cloud_share(xy: Float, scene: Scene) -> float:
    """Return the share of clouds on a line, or in its fjord where that is known and has more: they may hide another."""
    if scene.cloud is None:
        return 0.0
    share = float(isolate.lookup(scene.cloud, xy).mean())
    return share if scene.walls is None else max(share, scene.cloudy)


def worth(piece: Piece) -> float:
    """Return what makes one line a better front than another of its scene."""
    # Length counts for little: a path that returns along a rift is longer than the front.
    if piece.extent is None:
        return piece.confidence**2 * math.sqrt(piece.length)
    return piece.confidence * piece.extent.share


def least_length(piece: Piece, scene: Scene) -> float:
    """Return the least length of a front, pixels: the smaller of 750 m and a share of the fjord's width there."""
    options = scene.options
    least = options.min_length_m / scene.pixel_size_m
    if piece.extent is not None:
        least = min(least, options.min_width_share * (piece.extent.chord + piece.extent.missing))
    return max(least, options.min_length_px)


def finished(piece: Piece, unique: float, detached: bool, options: FrontOptions) -> TracedFront:
    """Return the record of a line, judged by its own confidence."""
    parts = {**piece.parts, "uniqueness": unique}
    value = screen.confidence(parts, options)
    status, reason = screen.judge(value, parts, options, detached=detached, open_ends=piece.open_ends)
    return _record(piece, parts, value, status, reason, options)


def published(piece: Piece, reason: Reason, options: FrontOptions) -> TracedFront:
    """Return the record of a line which a published method accepted, or rejected for a reason."""
    status = Status.REJECTED if reason else Status.ACCEPTED
    return _record(piece, piece.parts, piece.confidence, status, reason, options)


def _record(
    piece: Piece, parts: dict[str, float], value: float, status: Status, reason: Reason, options: FrontOptions
) -> TracedFront:
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

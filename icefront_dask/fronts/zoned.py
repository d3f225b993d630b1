"""The front of a scene from its zones, with what they say in place of the outputs that are not there (NumPy kernel)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from icefront_dask.errors import InputError
from icefront_dask.fronts import isolate, screen
from icefront_dask.fronts.judged import Piece, TracedFront, finished, least_length, measured, worth
from icefront_dask.fronts.refine import oriented, resample, smooth_line
from icefront_dask.fronts.source import probability
from icefront_dask.fronts.status import Reason, Status
from icefront_dask.fronts.zones import ROCK, UNKNOWN, check_zone, zone_level, zone_sides

if TYPE_CHECKING:
    import numpy.typing as npt

    from icefront_dask.fronts.candidates import Scene

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Zones: TypeAlias = npt.NDArray[np.uint8]

__all__ = ["Zoned", "piece_of_zones", "trace_zones", "zoned"]


@dataclass(frozen=True)
class Zoned:
    """What tracing takes of a scene that has zones.

    Attributes
    ----------
    zone : (H, W) uint8 ndarray
        0 unknown, 1 rock, 2 glacier, 3 ocean; unknown where the scene has no data.
    ice, front : (H, W) ndarray
        Probabilities; the front's are 0 where there is no such output.
    fjord : (H, W) bool ndarray or None
        Where a front may be: not on rock.
    with_front, graded : bool
        Whether there is a front output, and whether P(ice) tells how far from 0.5 a pixel is.
    """

    zone: Zones
    ice: Image
    front: npt.NDArray[Any]
    fjord: Mask | None
    with_front: bool
    graded: bool


def zoned(
    zone: Zones,
    ice: npt.NDArray[Any] | None,
    front: npt.NDArray[Any] | None,
    valid: Mask,
    fjord: Mask | None,
) -> Zoned:
    """Return zones with the outputs that they stand for.

    Raises
    ------
    InputError
        For zones of another shape or with other labels.
    """
    check_zone(zone)
    for name, array in (("ice", ice), ("front", front), ("valid", valid), ("fjord", fjord)):
        if array is not None and array.shape != zone.shape:
            raise InputError(f"{name} has shape {array.shape}, zone {zone.shape}; they must be of one grid")
    rock = zone == ROCK
    domain = fjord
    if rock.any():
        domain = ~rock if fjord is None else fjord & ~rock
    return Zoned(
        zone=np.where(valid, zone, np.uint8(UNKNOWN)),
        ice=zone_level(zone, None if ice is None else probability(ice)),
        front=np.zeros(zone.shape, dtype=np.float32) if front is None else front,
        fjord=domain,
        with_front=front is not None,
        graded=ice is not None,
    )


def trace_zones(scene: Scene, *, graded: bool) -> list[TracedFront]:
    """Return the fronts of a scene where its glacier meets its ocean, the longest first.

    Parameters
    ----------
    scene : Scene
        Its ice output as of `zoned`, its front output silent.
    graded : bool
        Whether P(ice) tells how far from 0.5 a pixel is.
    """
    options = scene.options
    found = zone_sides(scene.ice, scene.known, scene.domain, scene.flows)
    if found is None:
        return [TracedFront.none(Status.NO_FRONT, Reason.NO_RIDGE)]
    level = np.where(scene.known, found.level, np.float32(np.nan))
    lines = [_smoothed(line, scene) for line in found.lines if len(line) > 2]
    pieces = [piece_of_zones(oriented(line, level), level, scene, graded=graded) for line in lines]
    pieces = [piece for piece in pieces if piece.length >= least_length(piece, scene)]
    if not pieces:
        return [TracedFront.none(Status.NO_FRONT, Reason.TOO_SHORT)]
    main, *others = sorted(pieces, key=lambda piece: -worth(piece) * math.sqrt(piece.length))
    most = 1 if scene.walls is None else options.max_fronts
    least = options.secondary_share * main.length
    chosen = [main, *[piece for piece in others if piece.length >= least]][:most]
    return [finished(piece, math.nan, found.detached, options) for piece in chosen]


def piece_of_zones(xy: Float, level: Image, scene: Scene, *, graded: bool) -> Piece:
    """Measure a line; what only a front output could show does not count, nor the sharpness of zones alone."""
    piece = measured(xy, level, scene)
    parts = piece.parts | {"ridge": math.nan, "agreement": math.nan, "unseen_px": 0.0, "shown": 1.0}
    if not graded:
        parts |= {"sharpness": math.nan, "spread_px": math.nan}
    return dataclasses.replace(piece, parts=parts, confidence=screen.confidence(parts, scene.options))


def _smoothed(line: Float, scene: Scene) -> Float:
    """Return a contour without the steps of its pixels, its ends led to the walls and gaps that they nearly meet."""
    options = scene.options
    xy = resample(line)
    if not np.array_equal(line[0], line[-1]):
        moved = smooth_line(xy, options.smooth_line_px) - xy
        away = np.hypot(moved[:, 0], moved[:, 1])
        xy = xy + moved * np.minimum(1.0, options.max_smoothing_px / np.maximum(away, 1e-9))[:, None]
    if scene.walls is not None:
        xy = isolate.reach_walls(xy, scene.walls, options.reach_wall_px)
    return xy

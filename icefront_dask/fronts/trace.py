"""From two probabilities of one scene to its front lines (NumPy kernel)."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from icefront_dask.errors import InputError
from icefront_dask.fronts import isolate
from icefront_dask.fronts.calfin import square_crop
from icefront_dask.fronts.candidates import Scene
from icefront_dask.fronts.follow import follow, off_walls
from icefront_dask.fronts.judged import TracedFront, measured, published
from icefront_dask.fronts.large import PART_PX, trace_large
from icefront_dask.fronts.options import FrontOptions, resolve
from icefront_dask.fronts.published import caffe_published, calfin_published, zones_of
from icefront_dask.fronts.refine import oriented, resample
from icefront_dask.fronts.ridge import FAINT_PX, bounding_slices, ridge_pixels
from icefront_dask.fronts.sides import find_sides
from icefront_dask.fronts.source import Source
from icefront_dask.fronts.status import Reason, Status
from icefront_dask.fronts.zoned import Zoned, piece_of_zones, trace_zones, zoned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Outputs: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]
    LookAgain: TypeAlias = Callable[[slice, slice], tuple[Image, Image]]

__all__ = ["TracedFront", "trace_scene"]

_MARGIN_PX = 24  # kept round the fjord


def trace_scene(
    ice: Outputs | None,
    front: Outputs | None,
    valid: Mask,
    *,
    pixel_size_m: float,
    fjord: Mask | None = None,
    flow: Flow | Sequence[Flow] | None = None,
    cloud: Mask | None = None,
    elevation_m: npt.NDArray[np.floating[Any]] | None = None,
    zone: npt.NDArray[np.uint8] | None = None,
    look_again: LookAgain | None = None,
    options: FrontOptions | Mapping[str, Any] | None = None,
    block_px: int | None = None,
) -> list[TracedFront]:
    """Trace the front of one scene.

    The ridge of the front output becomes a skeleton, less the fjord's walls, and the skeleton a line by its
    minimum spanning tree and the longest path in it (CALFIN, Cheng et al. 2021, doi:10.5194/tc-15-1663-2021).
    Pixels of the ridge which the ice output does not confirm earn less on the way the less sure the front output is of
    them, and at last nothing; where the ridge has gaps or stops, a fainter ridge or the edge between glacier and ocean
    goes on for it. Of this path and that of the ridge alone the one with the better confidence and coverage stays. The
    line is cut to the fjord, moved to sub-pixel place and judged. A line that is not accepted is looked at again, where
    that can be done, and the better of both stays. With ``method: calfin`` or ``caffe`` the lines are those of the
    published post-processing.

    With zones and no front output the front is where the glacier that holds the flowlines' inland ends meets the
    ocean that holds their seaward ends, also across 3 unknown pixels (`icefront_dask.fronts.zoned`). With zones and
    a front output the zones stand for the ice output, and both are traced as above.

    Parameters
    ----------
    ice, front : (H, W) float32 or uint8 ndarray
        P(land or ice) and P(within 1.5 px of the front), 0 to 1, NaN where there is none; as bytes v / 254, 255 none.
        With zones either may be None.
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
    zone : (H, W) uint8 ndarray, optional
        0 unknown, 1 rock (where no front can be), 2 glacier, 3 ocean. They decide what is glacier and ocean; `ice`
        places the boundary between two pixels. Without `ice` the uncertainty of a front is not known, NaN.
    look_again : callable, optional
        Returns P(ice) and P(front) of the given rows and columns, a square, predicted from them alone.
    options : FrontOptions or mapping, optional
        Settings; those that are missing are the packaged ones.
    block_px : int, optional
        A scene with a longer side is traced in parts of at most this side (`icefront_dask.fronts.large`): the front
        is the same, and the memory that tracing takes does not grow with the scene. Published methods always see the
        whole.

    Returns
    -------
    list of TracedFront
        The main front first; several where the fjord holds several (an island, tributaries). At least one:
        without a line it says why, by status and reason. A line that is no front, as
        :func:`icefront_dask.fronts.screen.judge` says, is not kept.

    Raises
    ------
    InputError
        For arrays of different shapes or no pixels, a pixel size that is not positive, other zones than these, an
        output that is missing without zones, or no front output for ``method: calfin``.
    ConfigError
        For an unknown option.
    """
    settings = resolve(options)
    zones = None
    if zone is not None:
        zones = zoned(zone, ice, front, np.asarray(valid, dtype=bool), fjord)
        ice, front = zones.ice, zones.front
        fjord = fjord if settings.method == "caffe" else zones.fjord  # its rules know no rock
        if settings.method == "calfin" and not zones.with_front:
            raise InputError("method calfin traces the front output, and there are zones alone; take outputs or caffe")
    if ice is None or front is None:
        raise InputError(f"there is no {'ice' if ice is None else 'front'} output; give both, or zones")
    _check(ice, front, valid, fjord, cloud, pixel_size_m)
    masks = {
        name: None if mask is None else np.asarray(mask, dtype=bool)
        for name, mask in (("fjord", fjord), ("cloud", cloud))
    }
    whole = Source(
        ice,
        front,
        np.asarray(valid, dtype=bool),
        **masks,
        elevation_m=elevation_m,
        land_elevation_m=settings.land_elevation_m,
    )
    published_form = settings.method != "outputs"
    window = bounding_slices(whole.domain, max(whole.shape) if published_form else _MARGIN_PX)
    if window is None:
        return [TracedFront.none(Status.FAILED, Reason.NO_VALID_PIXELS)]
    source = whole.cut(window)
    top, left = window[0].start, window[1].start
    flows = tuple(((a[0] - top, a[1] - left), (b[0] - top, b[1] - left)) for a, b in _flows(flow))
    alone = zones is not None and not zones.with_front
    if not (published_form or alone) and block_px is not None and max(source.shape) > block_px:
        traced = trace_large(source, flows, pixel_size_m, settings, part_px=min(block_px, PART_PX))
    else:
        scene = _scene(source, flows, pixel_size_m, settings)
        if scene is None:
            return [TracedFront.none(Status.FAILED, Reason.NO_VALID_PIXELS)]
        scene = dataclasses.replace(scene, silent=alone)
        if published_form:
            return _published(scene, look_again, zones)
        traced = trace_zones(scene, graded=zones.graded) if zones is not None and alone else _trace(scene)
    traced = [dataclasses.replace(one, xy=one.xy + np.array([left, top])) for one in traced]
    if look_again is not None and settings.second_look and not alone:
        masks |= {"elevation_m": elevation_m}
        traced = [_second_look(one, look_again, valid, masks, pixel_size_m, settings, block_px) for one in traced]
    fronts = [one for one in traced if one.status is not Status.NO_FRONT]
    return fronts or [TracedFront.none(Status.NO_FRONT, traced[0].reason)]


def _scene(source: Source, flows: tuple[Flow, ...], pixel_size_m: float, options: FrontOptions) -> Scene | None:
    """Return the arrays of a scene in one block, None where too few pixels are known."""
    views = source.views()
    inside = views.known & views.domain
    if inside.sum() < max(options.min_valid_share * views.domain.sum(), 1):
        return None
    return Scene(
        ice=views.ice,
        front=views.front,
        known=views.known,
        domain=views.domain,
        cloud=views.cloud,
        cloudy=0.0 if views.cloud is None else float(views.cloud[inside].mean()),
        walls=None if source.fjord is None else isolate.Walls(source.fjord),
        flows=flows,
        pixel_size_m=pixel_size_m,
        options=options,
    )


def _second_look(
    first: TracedFront,
    look_again: LookAgain,
    valid: Mask,
    masks: Mapping[str, Any],
    pixel_size_m: float,
    options: FrontOptions,
    block_px: int | None,
) -> TracedFront:
    """Return a front as it is seen in a square crop round it, if that is the better one."""
    if first.status is Status.ACCEPTED or not len(first.xy):
        return first
    crop = square_crop(np.floor(first.xy[:, ::-1]).astype(np.intp), valid.shape)
    ice, front = look_again(*crop)
    own = {name: None if mask is None else mask[crop] for name, mask in masks.items()}
    found = trace_scene(ice, front, valid[crop], pixel_size_m=pixel_size_m, **own, options=options, block_px=block_px)[
        0
    ]
    if not found.confidence > first.confidence:
        return first
    return dataclasses.replace(found, xy=found.xy + np.array([crop[1].start, crop[0].start]))


def _published(scene: Scene, look_again: LookAgain | None, zones: Zoned | None) -> list[TracedFront]:
    """Return the lines of a published method, measured as all others are."""
    if scene.options.method == "calfin":
        lines = calfin_published(scene.ice, scene.front, scene.domain, look_again)
    else:
        zone = zones_of(scene.ice, scene.domain) if zones is None else zones.zone
        lines = caffe_published(zone, scene.domain, scene.pixel_size_m)
    measure = measured if zones is None or zones.with_front else partial(piece_of_zones, graded=zones.graded)
    traced = [
        published(measure(oriented(resample(line.xy), scene.ice), scene.ice, scene), line.reason, scene.options)
        for line in lines
    ]
    return traced or [TracedFront.none(Status.NO_FRONT, Reason.NO_RIDGE)]


def _check(
    ice: Outputs, front: Outputs, valid: Mask, fjord: Mask | None, cloud: Mask | None, pixel_size_m: float
) -> None:
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
    ridge, faint = ridge_pixels(
        scene.front,
        scene.domain,
        thresholds=(options.threshold, options.faint_threshold),
        smooth_px=options.smooth_px,
        min_px=(options.min_ridge_px, FAINT_PX),
    )
    ridge, faint = off_walls(ridge, faint, scene)
    scene = dataclasses.replace(scene, silent=len(ridge) < options.min_length_px)
    sides = find_sides(scene.ice, scene.known, scene.domain, ridge, scene.flows, fill_px=options.fill_px)
    level = np.where(scene.domain, scene.ice, np.float32(np.nan)) if sides is None else sides.level
    level = np.where(scene.known, level, np.float32(np.nan))
    edge = np.empty((0, 2)) if sides is None else sides.edge
    return follow(scene, ridge, faint, level, edge, detached=sides is not None and sides.detached)

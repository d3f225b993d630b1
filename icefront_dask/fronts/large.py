"""The front of a scene that is larger than a block, in the memory of a few parts (NumPy kernel).

Ridges, bodies of ice and water and the edges between them are found part by part and joined over the seams. What is
left are pixels along lines, from which the line is traced as of any scene: a front that crosses all parts is one line,
the one that the scene in one block would give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from icefront_dask.fronts import isolate
from icefront_dask.fronts.candidates import Scene
from icefront_dask.fronts.follow import follow, off_walls
from icefront_dask.fronts.judged import TracedFront
from icefront_dask.fronts.mosaic import CHUNK_PX, KEPT_BYTES, Mosaic
from icefront_dask.fronts.ridge import FAINT_PX, grown, ridge_pixels_in_parts, within
from icefront_dask.fronts.seams import RIM_PX, find_sides_in_parts
from icefront_dask.fronts.sides import fill
from icefront_dask.fronts.status import Reason, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask.fronts.options import FrontOptions
    from icefront_dask.fronts.seams import SidesInParts
    from icefront_dask.fronts.source import Source
    from icefront_dask.predict.parts import Part

    Image: TypeAlias = npt.NDArray[np.float32]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

__all__ = ["PART_PX", "trace_large"]

PART_PX = 1024
_LAYERS = {"level": np.float32, "front": np.float32, "known": np.bool_, "cloud": np.bool_}


def trace_large(
    source: Source,
    flows: Sequence[Flow],
    pixel_size_m: float,
    options: FrontOptions,
    *,
    part_px: int,
    kept_bytes: int = KEPT_BYTES,
) -> list[TracedFront]:
    """Trace the front of a scene part by part, see `icefront_dask.fronts.trace.trace_scene`.

    Parameters
    ----------
    source : Source
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each flowline within the grid.
    pixel_size_m : float
    options : FrontOptions
    part_px : int
        Longest side of a part; rounded up to 128.
    kept_bytes : int
        What is kept of the outputs round the lines.

    Returns
    -------
    list of TracedFront
    """
    from icefront_dask.predict.parts import scene_parts  # its package loads torch

    parts = scene_parts(source.shape, block_px=part_px, reach_px=RIM_PX, multiple=CHUNK_PX)
    counts = _Counts.of(source, parts)
    if counts.known < max(options.min_valid_share * counts.domain, 1):
        return [TracedFront.none(Status.FAILED, Reason.NO_VALID_PIXELS)]

    def read_front(window: tuple[slice, slice]) -> tuple[Any, Any]:
        views = source.views(window)
        return views.front, views.domain

    ridge, faint = ridge_pixels_in_parts(
        read_front,
        source.shape,
        parts,
        thresholds=(options.threshold, options.faint_threshold),
        smooth_px=options.smooth_px,
        min_px=(options.min_ridge_px, FAINT_PX),
    )
    layers = _Layers(source, parts, options.fill_px)
    full = ("known",) if counts.all_known else ()
    mosaic = Mosaic(source.shape, parts, layers.of, _LAYERS, full=full, kept_bytes=kept_bytes)
    views: dict[str, Any] = {name: mosaic[name] for name in _LAYERS}  # indexed as arrays are
    scene = Scene(
        ice=views["level"],
        front=views["front"],
        known=views["known"],
        domain=source.domain,
        cloud=None if source.cloud is None else views["cloud"],
        cloudy=counts.cloudy,
        walls=None if source.fjord is None else isolate.Walls(source.fjord),
        flows=tuple(flows),
        pixel_size_m=pixel_size_m,
        options=options,
        silent=False,
    )
    ridge, faint = off_walls(ridge, faint, scene)
    scene = replace(scene, silent=len(ridge) < options.min_length_px)
    layers.sides = found = find_sides_in_parts(layers.level, source.shape, parts, ridge, scene.flows)
    edge = np.empty((0, 2)) if found is None else found.edge
    return follow(scene, ridge, faint, views["level"], edge, detached=found is not None and found.detached)


@dataclass(frozen=True)
class _Counts:
    """Pixels of the domain and of the scene."""

    domain: int
    known: int
    cloudy: float
    all_known: bool

    @classmethod
    def of(cls, source: Source, parts: Sequence[Part]) -> _Counts:
        domain = known = clouds = unknown = 0
        for part in parts:
            views = source.views(part.core)
            inside = views.domain & views.known
            domain += int(views.domain.sum())
            known += int(inside.sum())
            unknown += int((~views.known).sum())
            clouds += 0 if views.cloud is None else int(views.cloud[inside].sum())
        return cls(domain, known, clouds / known if known else 0.0, unknown == 0)


class _Layers:
    """Reads the parts of a scene."""

    def __init__(self, source: Source, parts: Sequence[Part], fill_px: int) -> None:
        self.sides: SidesInParts | None = None
        self._source, self._parts, self._fill_px = source, parts, fill_px

    def level(self, number: int) -> Image:
        """Return the ice output of what a part reads, with gaps filled."""
        window = self._parts[number].window
        wide = grown(window, self._fill_px, self._source.shape)
        views = self._source.views(wide)
        return fill(views.ice, views.known, views.domain, self._fill_px)[within(window, wide)]

    def of(self, number: int) -> dict[str, npt.NDArray[Any]]:
        """Return the layers of what a part answers for."""
        part = self._parts[number]
        views = self._source.views(part.core)
        nothing = np.float32(np.nan)
        if self.sides is None:
            level = np.where(views.domain, views.ice, nothing)
        else:
            level = self.sides.level(number, self.level(number))[part.inner]
        layers = {"level": np.where(views.known, level, nothing), "front": views.front, "known": views.known}
        return {**layers, "cloud": np.zeros_like(views.known) if views.cloud is None else views.cloud}

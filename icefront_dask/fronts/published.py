"""Lines of a scene by published post-processing, chosen by name: ``calfin`` and ``caffe``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from icefront_dask.fronts import calfin
from icefront_dask.fronts.graph import trace_points
from icefront_dask.fronts.ridge import ridge_pixels
from icefront_dask.fronts.status import Reason
from icefront_dask.fronts.zones import GLACIER, OCEAN, ROCK, UNKNOWN, caffe_front, caffe_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    LookAgain: TypeAlias = Callable[[slice, slice], tuple[Image, Image]]

__all__ = ["PublishedLine", "caffe_published", "calfin_published", "zones_of"]

_THRESHOLD = 0.33
_LEAST_PIXELS = 4
_REASONS = {
    "length": Reason.LOW_CONFIDENCE,
    "balance": Reason.ONE_SIDED,
    "edge_confidence": Reason.LOW_CONFIDENCE,
    "agreement": Reason.OUTPUTS_DISAGREE,
}


@dataclass(frozen=True)
class PublishedLine:
    """A line, x and y of pixels (n, 2), and why it is not accepted (``Reason.NONE`` where it is)."""

    xy: Float
    reason: Reason


@dataclass(frozen=True)
class _Candidate:
    path: Pixels  # of the crop
    quality: calfin.Quality
    crop: tuple[slice, slice]
    scale: float  # pixels of the scene a pixel of the crop's outputs

    @property
    def xy(self) -> Float:
        corner = np.array([self.crop[1].start, self.crop[0].start], dtype=np.float64)
        return (self.path[:, ::-1] + 0.5) * self.scale + corner

    @property
    def centre(self) -> Float:
        middle: Float = (self.xy.min(axis=0) + self.xy.max(axis=0)) / 2
        return middle


def calfin_published(ice: Image, front: Image, fjord: Mask, look_again: LookAgain | None = None) -> list[PublishedLine]:
    """Return the fronts of a scene as CALFIN finds them (Cheng et al. 2021, doi:10.5194/tc-15-1663-2021).

    The skeleton's longest path, less fjord walls, small components and lines along walls, gives candidates. Each is
    looked at again in a square crop of the scene: predicted, traced and filtered likewise, tested, and ranked
    against the others of the crop. Where no candidate holds, the whole scene is the crop.

    Parameters
    ----------
    ice, front : (H, W) float32 ndarray
        Probabilities, NaN where there is none.
    fjord : (H, W) bool ndarray
        Where an ice-ocean boundary can be.
    look_again : callable, optional
        Predicts the rows and columns of a square crop at native resolution: P(ice) and P(front), square, of the
        crop's side or resampled (CALFIN: 256 pixels). Without it the crops of `ice` and `front` are taken.

    Returns
    -------
    list of PublishedLine
        Those accepted; where none is, the candidates with what they failed on.
    """
    candidates = _candidates(front, fjord, calfin.FIRST_SHARE)
    crops = [calfin.square_crop(path, front.shape) for path in candidates]
    side = min(front.shape)
    whole = calfin.square_crop(np.array([[0, 0], np.array(front.shape) - 1]), front.shape)
    accepted: list[_Candidate] = []
    failed: list[_Candidate] = []
    for crop in [*crops, whole] if side else crops:
        if crop is whole and accepted:
            break
        found = _look(crop, ice, front, fjord, look_again)
        for place in _ranked(found):
            candidate = found[place]
            if not calfin.far_from(candidate.centre, [one.centre for one in accepted], candidate.scale):
                continue
            (failed if candidate.quality.failed else accepted).append(candidate)
            if not candidate.quality.failed:
                break
    if accepted:
        return [PublishedLine(one.xy, Reason.NONE) for one in accepted]
    return [PublishedLine(one.xy, _REASONS[one.quality.failed[0]]) for one in failed[:1]]


def _candidates(front: Image, fjord: Mask, share: float) -> list[Pixels]:
    (skeleton,) = ridge_pixels(front, np.ones_like(fjord), thresholds=(_THRESHOLD,), smooth_px=0.0, min_px=(1,))
    if len(skeleton) < _LEAST_PIXELS:
        return []
    path = calfin.rasterised(trace_points(skeleton))
    parts = calfin.components(calfin.off_walls(path, fjord, share), fjord.shape, share)
    return [part for part in parts if calfin.well_shaped(part, fjord)]


def _look(
    crop: tuple[slice, slice], ice: Image, front: Image, fjord: Mask, look_again: LookAgain | None
) -> list[_Candidate]:
    near_ice, near_front = (ice[crop], front[crop]) if look_again is None else look_again(*crop)
    scale = (crop[0].stop - crop[0].start) / near_front.shape[0]
    inside = fjord[crop]
    if near_front.shape != inside.shape:
        rows, cols = (
            np.minimum(((np.arange(size) + 0.5) * scale).astype(np.intp), limit - 1)
            for size, limit in zip(near_front.shape, inside.shape, strict=True)
        )
        inside = inside[np.ix_(rows, cols)]
    measured = calfin.quality(near_ice, near_front, inside)
    return [_Candidate(path, measured, crop, scale) for path in _candidates(near_front, inside, calfin.SECOND_SHARE)]


def _ranked(found: list[_Candidate]) -> list[int]:
    middle = [
        np.array([(one.crop[1].start + one.crop[1].stop) / 2, (one.crop[0].start + one.crop[0].stop) / 2])
        for one in found
    ]
    return calfin.borda(
        [one.quality.agreement for one in found],
        [len(one.path) for one in found],
        [float(np.hypot(*(one.centre - at))) for one, at in zip(found, middle, strict=True)],
    )


def caffe_published(zone: npt.NDArray[np.uint8], fjord: Mask, pixel_size_m: float) -> list[PublishedLine]:
    """Return the fronts of a scene as CaFFe finds them in its zones, those in the fjord."""
    return [PublishedLine(line, Reason.NONE) for line in caffe_lines(caffe_front(zone, pixel_size_m) & fjord)]


def zones_of(ice: Image, fjord: Mask) -> npt.NDArray[np.uint8]:
    """Return the zones that an ice output implies: glacier and ocean in the fjord, rock outside it."""
    zone = np.where(fjord, np.where(ice >= 0.5, GLACIER, OCEAN), ROCK)
    return np.where(np.isfinite(ice), zone, UNKNOWN).astype(np.uint8)

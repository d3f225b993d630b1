"""Overlaps of predicted and true areas that a data set allows, of one image and on average."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from icefront_dask.score.caffe import read_zones, zones_of
from icefront_dask.score.distances import line_pixels
from icefront_dask.score.overlap import box_accuracy, class_scores, front_iou, ice_iou
from icefront_dask.score.sides import fjord_of, ocean_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from icefront_dask.score.dataset import Sample

__all__ = ["mean_overlaps", "overlaps_of"]

_EDGE = 0.33  # CALFIN's threshold of the edge


class _Outputs(Protocol):
    @property
    def ice(self) -> NDArray[np.float32] | None: ...
    @property
    def front(self) -> NDArray[np.float32] | None: ...
    @property
    def zone(self) -> NDArray[np.uint8] | None: ...


def overlaps_of(sample: Sample, layout: str, outputs: _Outputs | None) -> dict[str, float]:
    """Return the overlaps of an image.

    Parameters
    ----------
    sample : Sample
    layout : str
        ``caffe`` gives ``precision``, ``recall``, ``f1`` and ``iou`` of the four zones (macro means; Gourmelon et al.
        2022) and GlacierDL's ``box_accuracy``; ``calfin`` gives ``iou_ice`` (of the probability) and ``iou_front`` (of
        the edge output from 0.33 on; Cheng et al. 2021), in the fjord where that is known; others give none.
    outputs : object, optional
        With ``ice``, ``front`` (probabilities, NaN where not predicted) and ``zone``, each (H, W) or None; what a
        network does not give is not measured.

    Returns
    -------
    dict of str to float
    """
    if outputs is None:
        return {}
    found: dict[str, Any] = {}
    if layout == "caffe" and outputs.zone is not None and zones_of(sample.image).is_file():
        true = read_zones(zones_of(sample.image))
        found |= class_scores(outputs.zone, true).macro()
        if sample.box is not None:
            found["box_accuracy"] = box_accuracy(outputs.zone, true, sample.box)
    if layout == "calfin":
        ocean, fjord = ocean_of(sample, layout), fjord_of(sample)
        inside = np.ones(sample.shape, bool) if fjord is None else fjord
        if outputs.ice is not None and ocean is not None:
            found["iou_ice"] = ice_iou(np.where(inside, np.nan_to_num(outputs.ice), 0), ~ocean & inside)
        if outputs.front is not None:
            line = np.zeros(sample.shape, dtype=bool)
            cols, rows = np.floor(line_pixels(sample.truth) if sample.true_pixels is None else sample.true_pixels).T
            line[rows.astype(int), cols.astype(int)] = True
            found["iou_front"] = front_iou(_thin(np.nan_to_num(outputs.front) > _EDGE) & inside, line)
    return found


def _thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from skimage.morphology import skeletonize

    thin: NDArray[np.bool_] = skeletonize(mask)
    return thin


def mean_overlaps(images: Iterable[dict[str, float]]) -> dict[str, float]:
    """Return the mean over images of each overlap, of those that have it."""
    listed = list(images)
    names = dict.fromkeys(name for one in listed for name in one)
    values = {name: [one[name] for one in listed if math.isfinite(one.get(name, math.nan))] for name in names}
    return {name: float(np.mean(found)) if found else math.nan for name, found in values.items()}

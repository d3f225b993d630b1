"""On which side of a labelled front the sea is, by layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import label

from icefront_dask.errors import InputError
from icefront_dask.score.caffe import CLASSES, read_zones, zones_of
from icefront_dask.score.files import open_image
from icefront_dask.score.guides import fjord_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from icefront_dask.score.dataset import Sample

__all__ = ["fjord_of", "ocean_above", "ocean_of"]

_END_PX = 4  # columns at each end of a line of the layout pairs whose sides are not told


def ocean_of(sample: Sample, layout: str) -> NDArray[np.bool_] | None:
    """Return where the sea is (H, W), None where the data set does not say.

    ``caffe``: its zones. ``calfin``: its masks. ``pairs``: above the line, between its ends, as these images are turned
    so that the glacier flows up. ``scenes``: black in ``NAME_ice.png`` beside the scene, if there is one.

    Raises
    ------
    InputError
        A mask of another size than its image.
    """
    if layout == "pairs":
        return ocean_above(_band(sample.label) < 128)
    if layout == "caffe":
        file = zones_of(sample.image)
        return _sized(read_zones(file) == CLASSES["ocean"], file, sample) if file.is_file() else None
    file = sample.label if layout == "calfin" else sample.image.with_name(f"{sample.name}_ice.png")
    return _sized(_band(file) < 128, file, sample) if file.is_file() else None


def fjord_of(sample: Sample) -> NDArray[np.bool_] | None:
    """Return where a front can be (H, W), None where the data set does not say."""
    return None if sample.fjord is None else fjord_mask(sample.fjord, sample.image)


def ocean_above(line: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what lies above a line (H, W) that crosses from left to right, without 4 columns at each end."""
    columns = np.flatnonzero(line.any(axis=0))
    first, last = columns[0] + _END_PX, columns[-1] - _END_PX
    labels, _ = label(~line[:, first : last + 1])
    ocean = np.zeros(line.shape, dtype=bool)
    ocean[:, first : last + 1] = np.isin(labels, np.unique(labels[0][labels[0] > 0]))
    return ocean


def _band(file: Path) -> NDArray[np.uint8]:
    with open_image(file) as source:
        band: NDArray[np.uint8] = source.read(1)
    return band


def _sized(mask: NDArray[np.bool_], file: Path, sample: Sample) -> NDArray[np.bool_]:
    if mask.shape != sample.shape:
        raise InputError(f"{file}: {mask.shape} px, its image {sample.image.name} has {sample.shape}; make them equal")
    return mask

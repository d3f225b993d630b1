"""How each paper brings an image to its network: size, windows, channels and scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.errors import ConfigError, ModelMismatchError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, channels
from icefront_dask.train.labelled import cut, resized
from icefront_dask.train.toning import decibel_to_grey, enhance_edges, stretch_to_grey, three_tones

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from icefront_dask.train.labelled import Labelled

__all__ = ["PREPARATIONS", "Preparation", "grid", "preparation"]

_CALFIN_PX = 256
_CAFFE_MEAN, _CAFFE_STD = 0.3047126829624176, 0.32187142968177795
_TRIM_ROWS, _TRIM_COLS, _STRIDE = 30, 25, 8  # M-NN


@dataclass(frozen=True)
class Preparation:
    """One paper's way.

    Attributes
    ----------
    channels : int or None
        That :attr:`scale` gives; None for one a band.
    prepare : callable
        A whole image, before windows are cut.
    scale : callable
        (bands, H, W) with NaN nodata to (channels, H, W) without, after the augmentation.
    step : float or None
        From one training window to the next, in sides of a window; None to hand whole images to the augmentation.
    validation_step : float, int or None
        The same for validation; pixels where it is a whole number above 1.
    resized : callable
        Shape of an image after :attr:`prepare`.
    """

    channels: int | None
    prepare: Callable[[Labelled], Labelled]
    scale: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    step: float | None = 1.0
    validation_step: float | None = 1.0
    resized: Callable[[tuple[int, int]], tuple[int, int]] = lambda shape: shape


def _as_it_is(image: Labelled) -> Labelled:
    return image


def _caffe_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to the unit range, then by the mean and standard deviation of the benchmark's training set."""
    return ((np.nan_to_num(image, nan=0.0) / 255 - _CAFFE_MEAN) / _CAFFE_STD).astype(np.float32)


def _calfin(image: Labelled) -> Labelled:
    if min(image.shape) < _CALFIN_PX:
        raise ConfigError(f"{image.name}: {image.shape} px; CALFIN's training images have both sides >= {_CALFIN_PX}")
    small = resized(image, _CALFIN_PX, _CALFIN_PX)
    grey = stretch_to_grey(small.image)
    if len(grey) == 1:
        return replace(small, image=three_tones(grey[0]))
    if len(grey) != 3:
        raise ModelMismatchError(f"{image.name}: {len(grey)} bands; CALFIN takes one grey band or its three tones")
    return replace(small, image=grey)


def _calfin_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(image, nan=0.0) / np.float32(127.5) - np.float32(1)


def _hed_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(image, nan=0.0) / np.float32(127) - np.float32(1)


def _hed_sar(image: Labelled) -> Labelled:
    floors = (CO_FLOOR_DB, CROSS_FLOOR_DB)
    if len(image.image) > len(floors):
        raise ModelMismatchError(f"{image.name}: {len(image.image)} bands; one or two polarisations are expected")
    bands = [decibel_to_grey(band, floor) for band, floor in zip(image.image, floors, strict=False)]
    return replace(image, image=np.stack(bands))


def _mohajerani(image: Labelled) -> Labelled:
    h, w = image.shape
    rows, cols = h - 2 * _TRIM_ROWS, w - 2 * _TRIM_COLS
    if min(rows, cols) < _STRIDE:
        raise ConfigError(f"{image.name}: {image.shape} px are too few to trim {_TRIM_ROWS} and {_TRIM_COLS} as M-NN")
    enhanced = replace(image, image=enhance_edges(image.image[0])[None])
    small = cut(enhanced, _TRIM_ROWS, _TRIM_COLS, rows, cols)
    below, beside = -rows % _STRIDE, -cols % _STRIDE
    out = cut(small, 0, -(beside // 2), rows + below, cols + beside)
    return replace(out, image=np.nan_to_num(out.image, nan=255.0))


def _unit_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(image, nan=0.0) / np.float32(255)


def _robust_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return channels(image[0], image[1] if len(image) > 1 else None)


PREPARATIONS = {
    # Gourmelon et al. (2022); GlacierDL trains on the same images, its own scaling is not published.
    "caffe": Preparation(1, _as_it_is, _caffe_scale, step=1.0, validation_step=0.5),
    # Cheng et al. (2021): nine windows of 224, 16 px apart, of an image of 256 px.
    "calfin": Preparation(
        3, _calfin, _calfin_scale, step=None, validation_step=16, resized=lambda _: (_CALFIN_PX, _CALFIN_PX)
    ),
    # Heidler et al. (2022): half of each window overlaps; the tiles of the glacier networks are not published.
    "hed-unet": Preparation(None, _as_it_is, _hed_scale, step=0.5, validation_step=1.0),
    "hed-unet-sar": Preparation(None, _hed_sar, _hed_scale, step=0.5, validation_step=1.0),
    # Mohajerani et al. (2019): whole images, trimmed, padded with white to multiples of 8.
    "mohajerani": Preparation(1, _mohajerani, _unit_scale, step=None, validation_step=None),
    # The shipped networks: robust scores of the bands and their validity.
    "robust": Preparation(3, _as_it_is, _robust_scale, step=None, validation_step=1.0),
}


def preparation(name: str) -> Preparation:
    """Return a preparation by name.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in PREPARATIONS:
        raise ConfigError(f"unknown preprocessing {name!r}; known: {', '.join(PREPARATIONS)}")
    return PREPARATIONS[name]


def grid(shape: tuple[int, int], size: int, step: float) -> list[tuple[int, int]]:
    """Return the corners (row, column) of windows of ``size`` that cover an image.

    The last ones reach beyond it to the bottom and the right, as in CaFFe's baseline. ``step`` is in sides of a
    window up to 1, in pixels above.
    """
    pixels = round(step * size) if step <= 1 else int(step)
    rows, cols = (range(0, max(1, -(-(side - size) // pixels) + 1) * pixels, pixels) for side in shape)
    return [(row, col) for row in rows for col in cols]

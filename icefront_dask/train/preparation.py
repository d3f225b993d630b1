"""How each paper brings an image to its network: size, windows, channels and scaling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from icefront_dask.errors import ConfigError, ModelMismatchError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, channels
from icefront_dask.train.labelled import Labelled, cut, resized
from icefront_dask.train.toning import decibel_to_grey, enhance_edges, stretch_to_grey, three_tones

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PREPARATIONS", "Preparation", "preparation", "unlabelled"]

Layers: TypeAlias = NDArray[np.float32]

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
    placed : callable
        Layers (K, h, w) of a prepared image on the pixels (H, W) of the image: NaN where it had none.
    least_px : int
        Shortest side of an image that is trained on.
    """

    channels: int | None
    prepare: Callable[[Labelled], Labelled]
    scale: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    step: float | None = 1.0
    validation_step: float | None = 1.0
    resized: Callable[[tuple[int, int]], tuple[int, int]] = lambda shape: shape
    placed: Callable[[Layers, tuple[int, int]], Layers] = lambda layers, shape: layers[:, : shape[0], : shape[1]]
    least_px: int = 1


def _as_it_is(image: Labelled) -> Labelled:
    return image


def _caffe_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale to the unit range, then by the mean and standard deviation of the benchmark's training set."""
    return ((np.nan_to_num(image, nan=0.0) / 255 - _CAFFE_MEAN) / _CAFFE_STD).astype(np.float32)


def _calfin(image: Labelled) -> Labelled:
    small = resized(image, _CALFIN_PX, _CALFIN_PX)
    grey = stretch_to_grey(small.image)
    if len(grey) == 1:
        return replace(small, image=three_tones(grey[0]))
    if len(grey) != 3:
        raise ModelMismatchError(f"{image.name}: {len(grey)} bands; CALFIN takes one grey band or its three tones")
    return replace(small, image=grey)


def _calfin_placed(layers: Layers, shape: tuple[int, int]) -> Layers:
    source = torch.from_numpy(np.ascontiguousarray(layers))[None]
    stretched: Layers = interpolate(source, size=shape, mode="bilinear", align_corners=False)[0].numpy()
    return stretched


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


def _mohajerani_placed(layers: Layers, shape: tuple[int, int]) -> Layers:
    rows, cols = shape[0] - 2 * _TRIM_ROWS, shape[1] - 2 * _TRIM_COLS
    left = -cols % _STRIDE // 2
    out = np.full((len(layers), *shape), np.nan, np.float32)
    out[:, _TRIM_ROWS : _TRIM_ROWS + rows, _TRIM_COLS : _TRIM_COLS + cols] = layers[:, :rows, left : left + cols]
    return out


def _with_ratio(image: Labelled) -> Labelled:
    """B-NN's channels: co- and cross-polarised dB, their difference, and the elevation where it is given."""
    if len(image.image) < 2:
        raise ModelMismatchError(f"{image.name}: one band; B-NN takes the co- and the cross-polarised one")
    co, cross, *others = image.image
    return replace(image, image=np.stack([co, cross, co - cross, *others]))


def _baumhoer_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decibels over 10, metres over 1000; the published scaling is not known."""
    units = np.array([10.0] * 3 + [1000.0] * (len(image) - 3), np.float32)
    return np.nan_to_num(image, nan=0.0) / units[:, None, None]


def _unit_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(image, nan=0.0) / np.float32(255)


def _robust_scale(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return channels(image[0], image[1] if len(image) > 1 else None)


PREPARATIONS = {
    # Gourmelon et al. (2022); GlacierDL trains on the same images, its own scaling is not published.
    "caffe": Preparation(1, _as_it_is, _caffe_scale, step=1.0, validation_step=0.5),
    # Cheng et al. (2021): nine windows of 224, 16 px apart, of an image of 256 px.
    "calfin": Preparation(
        3,
        _calfin,
        _calfin_scale,
        step=None,
        validation_step=16,
        resized=lambda _: (_CALFIN_PX, _CALFIN_PX),
        placed=_calfin_placed,
        least_px=_CALFIN_PX,
    ),
    # Heidler et al. (2022): half of each window overlaps; the tiles of the glacier networks are not published.
    "hed-unet": Preparation(None, _as_it_is, _hed_scale, step=0.5, validation_step=1.0),
    "hed-unet-sar": Preparation(None, _hed_sar, _hed_scale, step=0.5, validation_step=1.0),
    # Mohajerani et al. (2019): whole images, trimmed, padded with white to multiples of 8.
    "mohajerani": Preparation(1, _mohajerani, _unit_scale, step=None, validation_step=None, placed=_mohajerani_placed),
    # Baumhoer et al. (2019): HH, HV, their ratio and elevation.
    "baumhoer": Preparation(None, _with_ratio, _baumhoer_scale, step=0.5, validation_step=1.0),
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


def unlabelled(name: str, image: NDArray[np.float32]) -> Labelled:
    """Return an image (bands, H, W) without any label, to be prepared for a prediction."""
    nothing = np.zeros(image.shape[1:], bool)
    return Labelled(name, "", image, nothing, nothing, nothing, nothing)

"""The augmentation of each paper: a labelled window and a random generator in, a labelled window out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import correlate, gaussian_filter, map_coordinates

from icefront_dask.errors import ConfigError
from icefront_dask.train.augment import punch_holes, retone
from icefront_dask.train.labelled import cut, mapped, turned, warped

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from icefront_dask.train.labelled import Labelled

    Augmentation = Callable[[Labelled, np.random.Generator, int], Labelled]

__all__ = ["AUGMENTATIONS", "augmentation"]

_SHARP = np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32)


def _none(window: Labelled, _rng: np.random.Generator, _size: int) -> Labelled:
    return window


def _dihedral(window: Labelled, rng: np.random.Generator, _size: int) -> Labelled:
    """One of the eight turns and mirrors (HED-UNet)."""
    return turned(window, int(rng.integers(4)), flip=bool(rng.integers(2)))


def _mirror(window: Labelled, rng: np.random.Generator, _size: int) -> Labelled:
    """Left to right half of the time: the glacier keeps flowing up (M-NN)."""
    return turned(window, 0, flip=bool(rng.integers(2)))


def _wrapped(window: Labelled, rng: np.random.Generator, strength: float = 4.0, smooth: float = 12.0) -> Labelled:
    """Elastic deformation by a smooth field; its strength in the published code was not verified."""
    h, w = window.shape
    field = np.stack([gaussian_filter(rng.standard_normal((h, w)), smooth, mode="wrap") for _ in range(2)])
    field *= strength / max(float(field.std()), 1e-6)
    at = np.mgrid[0:h, 0:w] + field

    def bend(layer: NDArray[Any], order: int, outside: float) -> NDArray[Any]:
        if layer.ndim == 3:
            return np.stack([bend(band, order, outside) for band in layer])
        out = map_coordinates(layer.astype(np.float32), at, order=order, cval=outside, prefilter=False)
        return out.round().astype(layer.dtype) if order == 0 else out

    return mapped(window, bend)


def _caffe(window: Labelled, rng: np.random.Generator, chances: tuple[float, float, float, float, float]) -> Labelled:
    """Mirror, turn, brightness, elastic deformation and multiplicative noise, each with its chance."""
    mirror, turn, bright, elastic, noise = chances
    window = turned(window, 0, flip=rng.random() < mirror)
    window = turned(window, int(rng.integers(1, 4)) if rng.random() < turn else 0)
    image = window.image
    if rng.random() < bright:
        image = np.where(image > 0, np.clip(image + 255 * rng.uniform(-0.2, 0.2), 0, 255), image)
    window = replace(window, image=image.astype(np.float32))
    if rng.random() < elastic:
        window = _wrapped(window, rng)
    if rng.random() < noise:
        factor = rng.normal(1, 0.3, window.image.shape)
        window = replace(window, image=np.clip(window.image * factor, 0, 255).astype(np.float32))
    return window


def _caffe_zones(window: Labelled, rng: np.random.Generator, _size: int) -> Labelled:
    return _caffe(window, rng, (0.3, 0.5, 0.1, 0.1, 0.5))


def _caffe_fronts(window: Labelled, rng: np.random.Generator, _size: int) -> Labelled:
    return _caffe(window, rng, (0.65, 0.65, 0.65, 0.65, 0.65))


def _turned_by(window: Labelled, degrees: float) -> Labelled:
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(window.shape) - 1) / 2
    return warped(window, matrix, centre - matrix @ centre)


def _centre(window: Labelled, size: int) -> Labelled:
    h, w = window.shape
    return cut(window, (h - size) // 2, (w - size) // 2, size, size)


def _random_cut(window: Labelled, rng: np.random.Generator, size: int) -> Labelled:
    h, w = window.shape
    top, left = (int(rng.integers(min(0, n - size), max(0, n - size) + 1)) for n in (h, w))
    return cut(window, top, left, size, size)


def _calfin(window: Labelled, rng: np.random.Generator, size: int) -> Labelled:
    """Cheng et al. (2021), without sharpening's and the noise's strength, which are assumed."""
    window = turned(window, int(rng.integers(1, 4)) if rng.random() < 0.5 else 0)
    window = turned(window, 0, transpose=rng.random() < 0.5)
    window = turned(window, 2 * int(rng.integers(2)), flip=True) if rng.random() < 0.5 else window
    way = rng.random()
    if way < 0.3:
        window = _random_cut(window, rng, size)
    elif way < 0.7:
        window = _random_cut(_centre(_turned_by(window, rng.uniform(-6, 6)), size + 12), rng, size)
    else:
        window = _centre(_turned_by(window, rng.uniform(-12, 12)), size)
    image = window.image
    if rng.random() < 0.2:
        share = rng.uniform(0.2, 0.5)
        sharp = np.stack([correlate(band, _SHARP, mode="nearest") for band in image])
        image = np.clip((1 - share) * image + share * sharp, 0, 255)
    if rng.random() < 0.2:
        noise = rng.normal(0, np.sqrt(rng.uniform(10, 50)), image.shape)
        image = np.clip(image + noise, 0, 255)
    return replace(window, image=image.astype(np.float32))


def _recipe(window: Labelled, rng: np.random.Generator, size: int) -> Labelled:
    """Any rotation and mirror, scale 0.5 … 2 about a point of the front; another tone; missing pixels."""
    scale = float(np.exp(rng.uniform(np.log(0.5), np.log(2))))
    angle = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    if rng.random() < 0.5:
        matrix = matrix @ np.diag([1, -1])
    near = np.argwhere(window.front)
    h, w = window.shape
    about = near[int(rng.integers(len(near)))] if len(near) else np.array([rng.integers(h), rng.integers(w)])
    about = about + rng.uniform(-0.3, 0.3, 2) * size / scale
    out = warped(window, matrix, about - matrix @ np.full(2, size / 2), (size, size))
    keep = punch_holes((size, size), rng)
    image = np.where(keep > 0, np.stack([retone(band, rng) for band in out.image]), np.nan)
    return replace(out, image=image.astype(np.float32))


AUGMENTATIONS: dict[str, Augmentation] = {
    "none": _none,
    "caffe-zones": _caffe_zones,
    "caffe-fronts": _caffe_fronts,
    "calfin": _calfin,
    "hed-unet": _dihedral,
    "mohajerani": _mirror,
    "recipe": _recipe,
}


def augmentation(name: str) -> Augmentation:
    """Return an augmentation by name; its arguments are the window, a generator and the side of the result.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    if name not in AUGMENTATIONS:
        raise ConfigError(f"unknown augmentation {name!r}; known: {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[name]

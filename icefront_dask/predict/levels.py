"""The fine pass at several levels: a scene's own pixels place the front, means of several see further through speckle.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.ndimage import binary_dilation

from icefront_dask.predict.passes import PassResult, resample, run_pass
from icefront_dask.predict.tiles import round_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import PredictOptions

    Image: TypeAlias = NDArray[np.float32]
    Mask: TypeAlias = NDArray[np.bool_]

__all__ = ["run_levels"]


def run_levels(
    channels: Mapping[int, Image],
    engines: Sequence[Engine],
    options: PredictOptions,
    needed: Mask,
    *,
    origin: tuple[int, int] = (0, 0),
    scene: tuple[int, int] | None = None,
) -> PassResult:
    """Predict what is needed of a scene or a part of it at each level; the probabilities are means over the levels.

    Parameters
    ----------
    channels : mapping of int to (C, h, w) float32 ndarray
        For each level, the pixels along a side of one of its own, what the networks are shown; h and w are those of
        ``needed`` over the level, rounded up.
    engines, options, origin, scene
        As for `icefront_dask.predict.passes.run_pass`, on the scene's own pixels; the origin is a multiple of each
        level.
    needed : (H, W) bool ndarray
        Pixels whose values are wanted.

    Returns
    -------
    PassResult
        Where a level has no valid pixel the means are over the others. ``ice_std`` includes the spread over levels.
    """
    shape = (needed.shape[0], needed.shape[1])
    means = np.zeros((3, *shape), np.float32)
    count = np.zeros(shape, np.float32)
    squares = np.zeros(shape, np.float32)
    computed, changed = 0, False
    for level, shown in channels.items():
        found = run_pass(
            shown,
            engines,
            options,
            needed if level == 1 else _touched(needed, level) & (shown[-1] > 0),
            origin=(origin[0] // level, origin[1] // level),
            scene=None if scene is None else (-(-scene[0] // level), -(-scene[1] // level)),
        )
        if len(channels) == level == 1:
            return found
        layers = _enlarged(np.stack([found.ice, found.front, found.ice_std**2]), level, shape)
        there = np.isfinite(layers[0])
        count += there
        change = np.where(there, layers - means, np.float32(0))
        means += change / np.maximum(count, 1)
        squares += change[0] * np.where(there, layers[0] - means[0], np.float32(0))
        computed, changed = computed + found.computed_pixels, changed or found.batch_changed
    means[:, ~needed | (count == 0)] = np.nan
    ice, front, within = means
    return PassResult(ice, front, np.sqrt(within + squares / np.maximum(count, 1)), computed, changed)


def _touched(needed: Mask, level: int) -> Mask:
    """Return the pixels of a level (h, w) which the values of needed ones come from."""
    height, width = (round_up(side, level) for side in needed.shape)
    padded = np.zeros((height, width), bool)
    padded[: needed.shape[0], : needed.shape[1]] = needed
    blocks = padded.reshape(height // level, level, width // level, level).any(axis=(1, 3))
    touched: Mask = binary_dilation(blocks, np.ones((3, 3)))
    return touched


def _enlarged(layers: Image, level: int, shape: tuple[int, int]) -> Image:
    """Bring (K, h, w) layers to (K, H, W), bilinear between the finite values; NaN where there are none."""
    if level == 1:
        return layers
    full = (layers.shape[1] * level, layers.shape[2] * level)
    finite = np.isfinite(layers[:1])
    share = resample(finite.astype(np.float32), full)[:, : shape[0], : shape[1]]
    values = resample(np.where(finite, layers, np.float32(0)), full)[:, : shape[0], : shape[1]]
    return np.where(share > 0, values / np.where(share > 0, share, 1), np.float32(np.nan))

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
    from collections.abc import Iterator, Mapping, Sequence

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
        for number, values in enumerate(_enlarged((found.ice, found.front, found.ice_std**2), level, shape)):
            if number == 0:
                there = np.isfinite(values)
                count += there
                divisor = np.maximum(count, 1)
            change = np.where(there, values - means[number], np.float32(0))
            means[number] += change / divisor
            if number == 0:
                squares += change * np.where(there, values - means[0], np.float32(0))
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


def _enlarged(layers: Sequence[Image], level: int, shape: tuple[int, int]) -> Iterator[Image]:
    """Yield layers (h, w) as (H, W), bilinear between the values that are finite in the first; NaN where none is."""
    if level == 1:
        yield from layers
        return
    full = (layers[0].shape[0] * level, layers[0].shape[1] * level)
    finite = np.isfinite(layers[0])
    share = resample(finite[None].astype(np.float32), full)[0, : shape[0], : shape[1]]
    some = share > 0
    share[~some] = 1
    stack = np.stack([np.where(finite, layer, np.float32(0)) for layer in layers])
    for values in resample(stack, full)[:, : shape[0], : shape[1]]:
        yield np.where(some, values / share, np.float32(np.nan))

"""One pass of a network over a scene or a part of it: members, several scales, tiles.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from torch.nn.functional import interpolate

from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.members import Spread, augmented
from icefront_dask.predict.memory import Allowance, is_out_of_memory
from icefront_dask.predict.tiles import TilePlan, plan_tiles, plan_windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import PredictOptions

__all__ = ["PassResult", "resample", "run_pass"]


@dataclass(frozen=True)
class PassResult:
    """What a pass gives: (H, W) float32 arrays, NaN where nothing was asked for.

    ``ice`` and ``front`` are means of the members' probabilities, ``ice_std`` is the standard deviation of P(ice)
    (a member is one network, one augmentation, one scale). ``computed_pixels`` counts those which passed through a
    network, once for all members of a scale. ``batch_changed`` says that memory did not suffice for the batch or
    the tiles that were asked for, and smaller ones were taken.
    """

    ice: NDArray[np.float32]
    front: NDArray[np.float32]
    ice_std: NDArray[np.float32]
    computed_pixels: int
    batch_changed: bool = False


def resample(layers: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resample (C, H, W) layers over the same extent: bilinear, antialiased when shrinking."""
    if layers.shape[1:] == shape:
        return layers
    shrinks = shape[0] < layers.shape[1]
    source = torch.from_numpy(np.ascontiguousarray(layers))[None]
    result = interpolate(source, size=shape, mode="bilinear", align_corners=False, antialias=shrinks)
    resampled: NDArray[np.float32] = result[0].numpy()
    return resampled


def run_pass(
    channels: NDArray[np.float32],
    engines: Sequence[Engine],
    options: PredictOptions,
    needed: NDArray[np.bool_] | None = None,
    *,
    tile_px: int | None = None,
    origin: tuple[int, int] = (0, 0),
    scene: tuple[int, int] | None = None,
) -> PassResult:
    """Predict a scene or a part of it, or what is needed of it, at one pixel size.

    Parameters
    ----------
    channels : (C, H, W) float32 ndarray
        The networks' input (`icefront_dask.models.normalise`), finite; the last channel is validity.
    engines : sequence of Engine
        The networks, of one stride and one halo; several give an ensemble.
    options : PredictOptions
        Settled for the networks.
    needed : (H, W) bool ndarray, optional
        Pixels whose values are wanted; all by default.
    tile_px : int, optional
        Sees everything in tiles of at most this side, instead of as the options say.
    origin : (int, int)
        First row and column of the part in the scene.
    scene : (int, int), optional
        Rows and columns of the scene; those of the part by default.

    Returns
    -------
    PassResult

    Raises
    ------
    MemoryError
        If the smallest batch and tile are too large.
    """
    shape = (channels.shape[1], channels.shape[2])
    wanted = np.ones(shape, dtype=bool) if needed is None else needed
    assert options.tile_px is not None
    assert options.window is not None
    forward = augmented(engines, options.tta)
    allowance = Allowance(options.batch, options.tile_px if tile_px is None else tile_px)
    means, within, computed = Spread(), np.zeros(shape, dtype=np.float32), 0
    for scaled, part in _scaled(channels, wanted, options.scales):
        while True:
            plan = _plan(scaled, part, engines[0], options, allowance.tile_px, tile_px is not None, origin, scene)
            if not plan.tiles:
                break
            try:
                answer = predict_tiled(scaled, plan, forward, window=options.window, batch=allowance.batch)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                allowance = allowance.less(plan, engines[0], fixed=options.windows, error=error)
                continue
            if answer.shape[1:] != shape:
                answer = resample(np.nan_to_num(answer), shape)
            within += answer[2]
            means.add(torch.from_numpy(answer[:2]))
            computed += plan.computed_pixels
            break
    if not means.count:
        nothing = np.full(shape, np.nan, dtype=np.float32)
        return PassResult(nothing, nothing, nothing, 0, allowance.changed)
    total = means.layers().numpy()
    spread = np.sqrt(np.maximum(within / means.count + total[2], 0))
    if not wanted.all():
        total[:, ~wanted] = np.nan
        spread[~wanted] = np.nan
    return PassResult(total[0], total[1], spread, computed, allowance.changed)


def _plan(
    scaled: NDArray[np.float32],
    part: NDArray[np.bool_],
    engine: Engine,
    options: PredictOptions,
    tile_px: int,
    one_tile: bool,
    origin: tuple[int, int],
    scene: tuple[int, int] | None,
) -> TilePlan:
    shape = (scaled.shape[1], scaled.shape[2])
    overlap = options.overlap_px or 0
    if options.windows and not one_tile:
        own = shape == part.shape and options.scales == (1.0,)
        return plan_windows(
            shape,
            stride=engine.stride,
            window_px=tile_px,
            overlap=overlap,
            needed=part,
            origin=origin if own else (0, 0),
            scene=scene if own else None,
        )
    return plan_tiles(
        shape,
        stride=engine.stride,
        halo=engine.halo if options.halo_px is None else options.halo_px,
        tile_px=tile_px,
        overlap=0 if options.windows else overlap,
        margin=options.margin_px,
        needed=part,
    )


def _scaled(
    channels: NDArray[np.float32], wanted: NDArray[np.bool_], scales: tuple[float, ...]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Give the input and the wanted pixels at each scale; a scale of 2 has pixels of half the size."""
    for scale in scales:
        shape = (max(round(channels.shape[1] * scale), 1), max(round(channels.shape[2] * scale), 1))
        if shape == channels.shape[1:]:
            yield channels, wanted
            continue
        validity = resample(channels[-1:], shape)
        scores = resample(channels[:-1] * channels[-1:], shape) / np.maximum(validity, 1e-3)
        valid = (validity >= 0.5).astype(np.float32)
        # Every wanted pixel takes from the four nearest of the answer.
        part = np.asarray(resample(wanted[None].astype(np.float32), shape)[0] > 0)
        yield np.concatenate([scores * valid, valid]), binary_dilation(part, np.ones((5, 5)))

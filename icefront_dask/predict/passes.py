"""One pass of a network over a scene or a part of it, at one pixel size: members, tiles.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate

from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.device import are_on_a_gpu, predict_on_device
from icefront_dask.predict.members import augmented
from icefront_dask.predict.memory import Allowance, is_out_of_memory
from icefront_dask.predict.tiles import TilePlan, plan_tiles, plan_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import PredictOptions

__all__ = ["PassResult", "resample", "run_pass"]


@dataclass(frozen=True)
class PassResult:
    """What a pass gives: (H, W) float32 arrays, NaN where nothing was asked for.

    ``ice`` and ``front`` are means of the members' probabilities, ``ice_std`` is the standard deviation of P(ice)
    (a member is one network with one augmentation). ``computed_pixels`` counts those which passed through a network,
    once for all members. ``batch_changed`` says that memory did not suffice for the batch or
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
    while True:
        plan = _plan(shape, wanted, engines[0], options, allowance.tile_px, tile_px is not None, origin, scene)
        if not plan.tiles:
            nothing = np.full(shape, np.nan, dtype=np.float32)
            return PassResult(nothing, nothing, nothing, 0, allowance.changed)
        try:
            if are_on_a_gpu(engines):
                answer = predict_on_device(
                    channels, plan, engines, augmentation=options.tta, window=options.window, batch=allowance.batch
                )
            else:
                answer = predict_tiled(channels, plan, forward, window=options.window, batch=allowance.batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            allowance = allowance.less(plan, engines[0], fixed=options.windows, error=error)
            continue
        answer[:, ~wanted] = np.nan
        return PassResult(answer[0], answer[1], np.sqrt(answer[2]), plan.computed_pixels, allowance.changed)


def _plan(
    shape: tuple[int, int],
    wanted: NDArray[np.bool_],
    engine: Engine,
    options: PredictOptions,
    tile_px: int,
    one_tile: bool,
    origin: tuple[int, int],
    scene: tuple[int, int] | None,
) -> TilePlan:
    overlap = options.overlap_px or 0
    if options.windows and not one_tile:
        return plan_windows(
            shape,
            stride=engine.stride,
            window_px=tile_px,
            overlap=overlap,
            needed=wanted,
            origin=origin,
            scene=scene,
        )
    return plan_tiles(
        shape,
        stride=engine.stride,
        halo=engine.halo if options.halo_px is None else options.halo_px,
        tile_px=tile_px,
        overlap=0 if options.windows else overlap,
        margin=options.margin_px,
        needed=wanted,
    )

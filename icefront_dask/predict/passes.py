"""One pass of a network over a scene: test-time augmentation, several scales, tiles.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from scipy.special import expit
from torch.nn.functional import interpolate

from icefront_dask.predict.blend import predict_tiled
from icefront_dask.predict.tiles import plan_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import Augmentation, PredictOptions

__all__ = ["PassResult", "augmented", "resample", "run_pass"]

_TURNS: dict[str, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "dihedral": tuple((turn, flip) for flip in (False, True) for turn in range(4)),
}


@dataclass(frozen=True)
class PassResult:
    """What a pass gives: (H, W) float32 arrays, NaN where nothing was asked for.

    ``ice`` and ``front`` are means of the members' probabilities, ``ice_std`` is their standard deviation (a
    member is one augmentation at one scale). ``computed_pixels`` counts those which passed through the
    network.
    """

    ice: NDArray[np.float32]
    front: NDArray[np.float32]
    ice_std: NDArray[np.float32]
    computed_pixels: int


def augmented(
    engine: Callable[[NDArray[np.float32]], NDArray[np.float32]], augmentation: Augmentation = "none"
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a forward function which averages probabilities over turned and mirrored copies of its input.

    It maps (N, C, h, w) to (N, 3, h, w) float32: means of P(ice), P(front) and P(ice)². Members are added up
    one by one, so that memory does not grow with their number.
    """
    turns = _TURNS[augmentation]

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        total = np.zeros((len(batch), 3, *batch.shape[2:]), dtype=np.float32)
        for turn, flip in turns:
            source = np.rot90(batch[..., ::-1] if flip else batch, turn, axes=(2, 3))
            answer = np.rot90(expit(engine(np.ascontiguousarray(source))), -turn, axes=(2, 3))
            answer = answer[..., ::-1] if flip else answer
            total[:, :2] += answer
            total[:, 2] += answer[:, 0] ** 2
        total /= len(turns)
        return total

    return forward


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
    engine: Engine,
    options: PredictOptions,
    needed: NDArray[np.bool_] | None = None,
    *,
    tile_px: int | None = None,
) -> PassResult:
    """Predict a scene, or the needed part of it, at one pixel size.

    Parameters
    ----------
    channels : (3, H, W) float32 ndarray
        The network's input (`icefront_dask.models.normalise`), finite; the last channel is validity.
    engine : Engine
        The network.
    options : PredictOptions
    needed : (H, W) bool ndarray, optional
        Pixels whose values are wanted; all by default.
    tile_px : int, optional
        Instead of that of the options.

    Returns
    -------
    PassResult
    """
    shape = (channels.shape[1], channels.shape[2])
    wanted = np.ones(shape, dtype=bool) if needed is None else needed
    forward = augmented(engine, options.tta)
    total = np.zeros((3, *shape), dtype=np.float32)
    computed = 0
    for scaled, part in _scaled(channels, wanted, options.scales):
        plan = plan_tiles(
            (scaled.shape[1], scaled.shape[2]),
            stride=engine.stride,
            halo=engine.receptive_radius if options.halo_px is None else options.halo_px,
            tile_px=options.tile_px if tile_px is None else tile_px,
            overlap=options.overlap_px,
            margin=options.margin_px,
            needed=part,
        )
        if not plan.tiles:
            continue
        answer = predict_tiled(scaled, plan, forward, window=options.window, batch=options.batch)
        if answer.shape[1:] != shape:
            answer = resample(np.nan_to_num(answer), shape)
        total += answer
        computed += plan.computed_pixels
    total /= len(options.scales)
    total[:, ~wanted] = np.nan
    spread = np.sqrt(np.maximum(total[2] - total[0] ** 2, 0))
    return PassResult(total[0], total[1], spread, computed)


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

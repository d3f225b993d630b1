"""Tiles, members and blending where the network is: on a GPU a scene goes there once, and its probabilities come back.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import torch

from icefront_dask.predict.blend import axis_weights
from icefront_dask.predict.members import over_members
from icefront_dask.predict.tiles import pad_scene
from icefront_dask.predict.torch_engine import TorchEngine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.blend import Window
    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import Augmentation
    from icefront_dask.predict.tiles import TilePlan

__all__ = ["are_on_a_gpu", "predict_on_device"]


def are_on_a_gpu(engines: Sequence[Engine]) -> TypeGuard[Sequence[TorchEngine]]:
    """Return whether networks run on a GPU."""
    return all(isinstance(engine, TorchEngine) and engine.device.type == "cuda" for engine in engines)


def predict_on_device(
    scene: NDArray[np.float32],
    plan: TilePlan,
    engines: Sequence[TorchEngine],
    *,
    augmentation: Augmentation = "none",
    window: Window = "hann",
    batch: int = 1,
) -> NDArray[np.float32]:
    """Do what `icefront_dask.predict.blend.predict_tiled` does over `augmented` engines, on the engines' device.

    Parameters
    ----------
    scene : (C, H, W) float32 ndarray
        The networks' input, finite everywhere.
    plan : TilePlan
        Of this scene's shape, with at least one tile.
    engines : sequence of TorchEngine
        On one device.
    augmentation, window, batch
        As in the options of a prediction.

    Returns
    -------
    (3, H, W) float32 ndarray
        Means of P(ice) and P(front), variance of P(ice) over the members; NaN where ``plan.needed`` is false.
    """
    with torch.inference_mode():
        total = _blended(pad_scene(scene, plan), plan, engines, augmentation, window, batch)
    inner = (slice(plan.margin, plan.margin + side) for side in plan.shape)
    result: NDArray[np.float32] = total[:, *inner].cpu().numpy()
    return result if plan.needed.all() else np.where(plan.needed, result, np.float32(np.nan))


def _blended(
    padded: NDArray[np.float32],
    plan: TilePlan,
    engines: Sequence[TorchEngine],
    augmentation: Augmentation,
    window: Window,
    batch: int,
) -> torch.Tensor:
    device = engines[0].device
    forward = over_members([engine.logits for engine in engines], augmentation)
    source = torch.from_numpy(np.ascontiguousarray(padded)).to(device)
    rows, columns = (
        [torch.from_numpy(weights).to(device) for weights in axis_weights(tiles, window)]
        for tiles in (plan.rows, plan.columns)
    )
    total = torch.zeros((3, *plan.padded), device=device)
    for start in range(0, len(plan.tiles), batch):
        tiles = plan.tiles[start : start + batch]
        answers = forward(torch.stack([source[:, *plan.window(tile)] for tile in tiles]))
        for tile, answer in zip(tiles, answers, strict=True):
            total[:, *plan.window(tile)] += answer.mul_(rows[tile.row][:, None] * columns[tile.column])
    return total

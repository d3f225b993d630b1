"""Losses on logits, with weights for pixels whose class is unknown."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from icefront_dask.train.parallel import mean_over_processes

__all__ = ["dice", "joint_loss", "side_loss"]


def dice(probability: Tensor, target: Tensor, weight: Tensor, smooth: float = 1.0) -> Tensor:
    """One minus the weighted soft Dice coefficient of each image, averaged; all (N, H, W)."""
    overlap = (weight * probability * target).flatten(1).sum(1)
    total = (weight * (probability + target)).flatten(1).sum(1)
    return (1 - (2 * overlap + smooth) / (total + smooth)).mean()


def joint_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, front_gain: float = 2.0, ice_gain: float = 1.0
) -> Tensor:
    """0.5 BCE + 0.5 Dice on ice and on the front, each times its gain.

    Parameters
    ----------
    logits, targets, weights : Tensor (N, 2, H, W)
        Channel 0 ice, 1 front.

    Notes
    -----
    Front pixels are rare: their cross-entropy is weighted by 8. Dice of the ice is taken over both classes,
    so that a window of ice alone teaches as much as a window of ocean alone.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    total = weights.flatten(2).sum(2).clamp_min(1.0)
    bce = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    rare = torch.stack([torch.ones_like(targets[:, 0]), 1 + 7 * targets[:, 1]], dim=1)
    bce = ((bce * weights * rare).flatten(2).sum(2) / total).mean(0)
    ice = 0.5 * dice(p[:, 0], targets[:, 0], weights[:, 0]) + 0.5 * dice(1 - p[:, 0], 1 - targets[:, 0], weights[:, 0])
    front = dice(p[:, 1], targets[:, 1], weights[:, 1], smooth=20.0)
    return ice_gain * (0.5 * bce[0] + 0.5 * ice) + front_gain * (0.5 * bce[1] + 0.5 * front)


def side_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """BCE of a coarse output on ice: the share of ice in each of its cells, whose weights are averaged too.

    Parameters
    ----------
    logits : Tensor (N, 2, h, w)
        Of a side head; only the ice, channel 0, is taught.
    targets, weights : Tensor (N, 2, H, W)
        ``H`` and ``W`` are multiples of ``h`` and ``w``.

    Notes
    -----
    The mean is over the weights of the batch of all processes.
    """
    factor = targets.shape[-1] // logits.shape[-1]
    weight = functional.avg_pool2d(weights[:, :1], factor)
    share = functional.avg_pool2d(targets[:, :1] * weights[:, :1], factor) / weight.clamp_min(1e-6)
    bce = functional.binary_cross_entropy_with_logits(logits[:, :1].float(), share.clamp(0, 1), reduction="none")
    return (bce * weight).sum() / mean_over_processes(weight.sum()).clamp_min(1.0)

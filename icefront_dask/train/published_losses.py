"""The losses of the published front networks, on logits, each with weights for pixels whose class is unknown.

Weights are 1 where a pixel counts and 0 where it does not; a mean is over the weights, so that masking a part
of an image equals leaving it out.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from icefront_dask.train.losses import dice

__all__ = [
    "auto_bce",
    "calfin_loss",
    "cross_entropy_dice",
    "deep_auto_bce",
    "distance_map_dice",
    "edges",
    "weighted_bce",
]

_TINY = 1e-12


def _masked_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of (N, H, W) over the weights of each image, averaged over the images."""
    total = weight.flatten(1).sum(1).clamp_min(1e-6)
    return ((values * weight).flatten(1).sum(1) / total).mean()


def calfin_loss(logits: Tensor, targets: Tensor, weights: Tensor, edge_share: float = 25 / 26) -> Tensor:
    """CALFIN's loss: cross-entropy and the logarithm of the soft Jaccard index, the edge 25 times the mask.

    Parameters
    ----------
    logits, targets, weights : Tensor (N, 2, H, W)
        Channel 0 edge, 1 ice.
    edge_share : float
        Of the edge in the sum; the rest is the mask's.

    References
    ----------
    Cheng et al. (2021), The Cryosphere 15, 1663; smoothing 1e-12 as in its code.
    """
    logits = logits.float()
    p = torch.sigmoid(logits)
    total = logits.new_zeros(())
    for channel, share in ((0, edge_share), (1, 1 - edge_share)):
        y, w = targets[:, channel], weights[:, channel]
        bce = functional.binary_cross_entropy_with_logits(logits[:, channel], y, reduction="none")
        both = (w * p[:, channel] * y).flatten(1).sum(1)
        either = (w * (p[:, channel] + y - p[:, channel] * y)).flatten(1).sum(1)
        jaccard = ((both + _TINY) / (either + _TINY)).log().mean()
        total = total + share * (_masked_mean(bce, w) - jaccard)
    return total


def auto_bce(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """HED-UNet's cross-entropy, balanced by the share of positives of each image and channel.

    ``-(1 - b) y log p - b (1 - y) log(1 - p)`` with ``b`` the share of positives among the pixels that count.

    Parameters
    ----------
    logits, targets, weights : Tensor (N, C, H, W)
        Targets may be shares (averaged over a coarser pixel).

    References
    ----------
    Heidler et al. (2022), IEEE Trans. Geosci. Remote Sens. 60.
    """
    logits = logits.float()
    total = weights.flatten(2).sum(2).clamp_min(1e-6)
    share = ((targets * weights).flatten(2).sum(2) / total)[..., None, None]
    log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    loss = -(1 - share) * targets * log_p - share * (1 - targets) * log_q
    return ((loss * weights).flatten(2).sum(2) / total).mean()


def edges(mask: Tensor) -> Tensor:
    """1 where the 3x3 Sobel operator of a mask (N, 1, H, W) is not zero, its border replicated."""
    kernel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]], dtype=mask.dtype, device=mask.device)
    padded = functional.pad(mask, (1, 1, 1, 1), mode="replicate")
    slopes = functional.conv2d(padded, torch.stack([kernel, kernel.T])[:, None])
    return (slopes.abs() > 1e-6).any(1, keepdim=True).to(mask.dtype)


def deep_auto_bce(levels: list[Tensor], mask: Tensor, weight: Tensor) -> Tensor:
    """HED-UNet's loss under deep supervision: the merged output and each level, unweighted.

    Parameters
    ----------
    levels : list of Tensor
        Merged logits (N, 2, H, W), then those of each level at its own size (see
        :meth:`icefront_dask.models.hed_unet.HEDUNet.levels`).
    mask, weight : Tensor (N, 1, H, W)
        1 ice or land; the targets of a level are the mask averaged over its pixels, and the edges of that.
        An edge counts where all its neighbours do.
    """
    total = mask.new_zeros(())
    for logits in levels:
        factor = mask.shape[-1] // logits.shape[-1]
        known = functional.avg_pool2d(weight, factor)
        area = functional.avg_pool2d(mask * weight, factor) / known.clamp_min(1e-6)
        sure = -functional.max_pool2d(-known, 3, 1, 1)
        total = total + auto_bce(logits, torch.cat([area, edges(area)], dim=1), torch.cat([known, sure], dim=1))
    return total


def cross_entropy_dice(logits: Tensor, classes: Tensor, weight: Tensor) -> Tensor:
    """CaFFe's loss on zones: half cross-entropy, half Dice averaged over the classes.

    Parameters
    ----------
    logits : Tensor (N, C, H, W)
    classes : Tensor (N, H, W) int64
    weight : Tensor (N, H, W)

    References
    ----------
    Gourmelon et al. (2022), Earth Syst. Sci. Data 14, 4287.
    """
    logits = logits.float()
    entropy = _masked_mean(functional.cross_entropy(logits, classes, reduction="none"), weight)
    p = torch.softmax(logits, dim=1)
    one = functional.one_hot(classes, logits.shape[1]).movedim(-1, 1).to(p.dtype)
    overlap = torch.stack([dice(p[:, c], one[:, c], weight) for c in range(logits.shape[1])]).mean()
    return 0.5 * entropy + 0.5 * overlap


def distance_map_dice(
    logits: Tensor, target: Tensor, distance: Tensor, weight: Tensor, outside: float = 0.1, relax: float = 1.0
) -> Tensor:
    """CaFFe's loss on fronts: Dice in which predictions count by their distance from the label's rim.

    Parameters
    ----------
    logits, target, weight : Tensor (N, H, W)
        ``target`` is the front widened by 5 x 5 pixels.
    distance : Tensor (N, H, W)
        Euclidean distance of each of its pixels to the nearest pixel outside it; 0 outside.
    outside : float
        What a prediction outside the label counts.
    relax : float
        Divides the distance before the sigmoid.

    Notes
    -----
    Inside, the prediction is multiplied by ``sigmoid(distance / relax)``, scaled so that its greatest value
    in the image is 1. How the published code scales it was not verified.
    """
    soft = torch.sigmoid(distance / relax) * (target > 0)
    soft = soft / soft.flatten(1).amax(1).clamp_min(1e-6)[:, None, None]
    factor = torch.where(target > 0, soft, torch.full_like(soft, outside))
    return dice(torch.sigmoid(logits.float()) * factor, target, weight)


def weighted_bce(logits: Tensor, target: Tensor, weight: Tensor, gain: float = 241.15) -> Tensor:
    """M-NN's cross-entropy, in which a pixel of the front counts ``gain`` times.

    Parameters
    ----------
    logits, target, weight : Tensor (N, H, W)
        ``target`` 1 on the front.
    gain : float
        241.15 for lines of one pixel, 82.22 for lines of three (Mohajerani et al. 2019).
    """
    bce = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return _masked_mean(bce * (1 + (gain - 1) * target), weight)

"""How wide a halo tiles need that begin and end at multiples of a network's stride.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

__all__ = ["aligned_halo"]


def aligned_halo(network: nn.Module, channels: int, stride: int, receptive_radius: int) -> int | None:
    """Measure the halo that makes aligned tiles exact.

    The receptive radius counts from any pixel; from the edge of a block of ``stride`` pixels, where tiles are cut,
    a network sees up to ``stride - 1`` pixels less far. NaN spreads through every layer to exactly those outputs
    that depend on it, so one pass over a strip of NaN and zeros gives the distance.

    Parameters
    ----------
    network : torch.nn.Module
        (N, C, H, W) → (N, K, H, W), float32, in evaluation mode.
    channels : int
        C.
    stride, receptive_radius : int
        As the network states them.

    Returns
    -------
    int or None
        A multiple of the stride, at most the receptive radius rounded up to it. None where NaN reaches further than
        the radius: such a network is not shift-equivariant, and no halo makes it exact.
    """
    reach = -(-receptive_radius // stride) * stride
    side = 2 * (reach + stride)
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    found = 0
    for axis in (2, 3):
        shape = [1, channels, stride, stride]
        shape[axis] = side
        for flip in (False, True):
            source = torch.zeros(shape, device=device)
            source.narrow(axis, side // 2 if flip else 0, side // 2).fill_(torch.nan)
            with torch.inference_mode():
                answer = network(source)
            other = 5 - axis
            spoilt = torch.isnan(answer).any(dim=1)[0].any(dim=other - 2 if other == 2 else 1)
            clean = (~spoilt).nonzero().ravel()
            if not len(clean):
                return None
            far = side // 2 - 1 - int(clean[-1]) if flip else int(clean[0]) - side // 2
            found = max(found, far)
    halo = -(-found // stride) * stride
    return halo if halo <= reach else None

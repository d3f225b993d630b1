"""Networks whose dropout stays on: an ensemble out of one set of weights (Gal and Ghahramani 2016).

Whole channels are dropped, the same ones at every pixel. So each member is one network of its own, which any engine
runs and whose tiles agree with each other, and its answer does not depend on how a scene was cut.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from icefront_dask.errors import ModelMismatchError
from icefront_dask.models.inputs import input_channels

if TYPE_CHECKING:
    from icefront_dask.models.card import Card

__all__ = ["dropped"]


class _Channels(nn.Module):
    """Multiplies channels by fixed factors."""

    def __init__(self, factors: torch.Tensor) -> None:
        super().__init__()
        self.factors: torch.Tensor
        self.register_buffer("factors", factors[None, :, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x with some channels 0 and the others enlarged accordingly."""
        return x * self.factors


def dropped(network: nn.Module, card: Card, count: int) -> list[nn.Module]:
    """Return a network as it is, or so many copies with channels dropped.

    Parameters
    ----------
    network : torch.nn.Module
    card : Card
        Of its weights: the stride, and the name for the error.
    count : int
        0 for the network as it is. The channels are drawn by the member's number: the first members of a larger
        ensemble are those of a smaller one.

    Raises
    ------
    ModelMismatchError
        If the network has no dropout.
    """
    if count == 0:
        return [network]
    widths = _widths(network, card.stride)
    if not widths:
        raise ModelMismatchError(
            f"model {card.name!r} has no dropout, so predict.dropout_members must be 0; test-time augmentation and "
            "predict.members give a spread as well"
        )
    return [_member(network, widths, number) for number in range(count)]


def _widths(network: nn.Module, stride: int) -> dict[str, tuple[float, int]]:
    """Rate and channels of each dropout, by the module's name."""
    found: dict[str, tuple[float, int]] = {}
    probe = copy.deepcopy(network).cpu().float().eval()
    layers = {
        name: layer
        for name, layer in probe.named_modules()
        if isinstance(layer, (nn.Dropout, nn.Dropout2d)) and layer.p > 0
    }
    for name, layer in layers.items():
        layer.register_forward_hook(
            lambda module, inputs, _, name=name: found.update({name: (module.p, inputs[0].shape[1])})
        )
    channels = input_channels(probe) or 1
    with torch.inference_mode():
        probe(torch.zeros(1, channels, 4 * stride, 4 * stride))
    return found


def _member(network: nn.Module, widths: dict[str, tuple[float, int]], number: int) -> nn.Module:
    member = copy.deepcopy(network)
    draw = torch.Generator().manual_seed(number)
    for name in sorted(widths):
        rate, width = widths[name]
        kept = (torch.rand(width, generator=draw) >= rate).float() / (1 - rate)
        parent, _, child = name.rpartition(".")
        setattr(member.get_submodule(parent), child, _Channels(kept))
    return member

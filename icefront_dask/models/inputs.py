"""What a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["input_channels"]


def input_channels(network: nn.Module) -> int | None:
    """Return the channels of a network's input, those of its first convolution before pixels are folded into them.

    Parameters
    ----------
    network : torch.nn.Module
        With the attribute ``fold`` where it turns blocks of ``fold`` x ``fold`` pixels into channels of one first.

    Returns
    -------
    int or None
        None where it has no convolution.
    """
    from torch import nn

    first = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d)), None)
    return None if first is None else first.in_channels // getattr(network, "fold", 1) ** 2

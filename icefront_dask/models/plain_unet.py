"""The U-Net of two convolutions a level, max-pooling and enlargement, in the variants of the older front networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from icefront_dask.models.receptive import Reach

__all__ = ["Enlarge", "PlainUNet"]

Enlarge = Literal["nearest", "transposed"]


def _double(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    between: list[nn.Module] = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(),
        *between,
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(),
    )


class PlainUNet(nn.Module):
    """U-Net without normalisation (Ronneberger et al. 2015, MICCAI 9351, 234).

    Parameters
    ----------
    in_channels : int
    widths : tuple of int
        Channels of the levels, from fine to coarse.
    enlarge : {"nearest", "transposed"}
        Nearest neighbours keep the channels; a transposed 2x2 convolution halves them.
    dropout : float
        Between the two convolutions of each level.

    Notes
    -----
    Input (N, in_channels, H, W), sides multiples of :attr:`stride`; output features (N, widths[0], H, W).
    """

    shift_equivariant = True

    def __init__(self, in_channels: int, widths: tuple[int, ...], enlarge: Enlarge, dropout: float = 0.0) -> None:
        super().__init__()
        self.stride = 2 ** (len(widths) - 1)
        ins = (in_channels, *widths[:-1])
        self.down = nn.ModuleList(_double(i, o, dropout) for i, o in zip(ins, widths, strict=True))
        pairs = [(deep, fine) for fine, deep in pairwise(widths)][::-1]
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(deep, fine, 2, stride=2) if enlarge == "transposed" else nn.Upsample(scale_factor=2)
            for deep, fine in pairs
        )
        self.up = nn.ModuleList(
            _double((fine if enlarge == "transposed" else deep) + fine, fine, dropout) for deep, fine in pairs
        )

    def reach(self) -> Reach:
        """Radius that a feature of the finest level sees."""
        reach = Reach()
        for level in range(len(self.down)):
            reach = reach.conv(times=2)
            if level + 1 < len(self.down):
                reach = reach.conv(2, stride=2)
        for _ in self.up:
            reach = reach.up(2).conv(times=2)
        return reach

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, widths[0], H, W) of inputs (N, in_channels, H, W)."""
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        x = skips.pop()
        for grow, block in zip(self.grow, self.up, strict=True):
            x = block(torch.cat([grow(x), skips.pop()], dim=1))
        return x

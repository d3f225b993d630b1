"""U-Net with atrous spatial pyramid pooling in the bottleneck.

The architecture of the CaFFe baseline (Gourmelon et al. 2022) at any width; GlacierDL halves the channels.
Its options are the normalisation, the global pooling branch and the folding of pixels. The shipped networks have
neither a pooling branch nor statistics taken over the image at inference, so they are shift-equivariant: a tile with a
halo of the receptive field gives what the whole scene gives. In a folded network blocks of pixels become channels, so
that no layer works at the full size; the shipped ones are not folded.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from icefront_dask.models.receptive import Reach

__all__ = ["Norm", "UNetASPP"]

Norm = Literal["batch", "group", "none"]


def _norm(kind: Norm, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(min(8, channels), channels)
    return nn.Identity()


def _block(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in (inputs, outputs):
        layers += [nn.Conv2d(i, outputs, 3, padding=1), _norm(norm, outputs), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class _Pyramid(nn.Module):
    """Parallel 1x1 and dilated 3x3 convolutions, and optionally a global mean, projected to ``channels``."""

    def __init__(self, channels: int, dilations: tuple[int, ...], norm: Norm, pooling: bool, dropout: float) -> None:
        super().__init__()

        def branch(conv: nn.Module) -> nn.Sequential:
            return nn.Sequential(conv, _norm(norm, channels), nn.ReLU())

        bias = norm == "none"
        self.branches = nn.ModuleList([branch(nn.Conv2d(channels, channels, 1, bias=bias))])
        self.branches.extend(
            branch(nn.Conv2d(channels, channels, 3, padding=d, dilation=d, bias=bias)) for d in dilations
        )
        self.pooling = branch(nn.Conv2d(channels, channels, 1, bias=bias)) if pooling else None
        count = 1 + len(dilations) + int(pooling)
        self.project = nn.Sequential(
            nn.Conv2d(count * channels, channels, 1, bias=bias),
            _norm(norm, channels),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = [branch(x) for branch in self.branches]
        if self.pooling is not None:
            mean = self.pooling(functional.adaptive_avg_pool2d(x, 1))
            parts.append(mean.expand(-1, -1, *x.shape[2:]))
        return self.project(torch.cat(parts, dim=1))


class UNetASPP(nn.Module):
    """U-Net of (as published) five resolution levels with an ASPP bottleneck.

    Parameters
    ----------
    in_channels, out_channels : int
    width : int
        Channels of the first level, doubled at each below it: 32 in CaFFe, 16 when halved.
    depth : int
        Resolution levels.
    fold : int
        Blocks of ``fold`` x ``fold`` pixels become channels of one before the first level, and the head gives as
        many pixels back (Shi et al. 2016).
    dilations : tuple of int
        Of the bottleneck's 3x3 branches.
    norm : {"batch", "group", "none"}
        Group normalisation takes its statistics over the tile at inference; such a network is not
        shift-equivariant.
    pooling : bool
        Global mean branch of the bottleneck, as published.
    dropout : float
        Behind the bottleneck; 0.5 as published.
    deep_supervision : bool
        Heads on the bottleneck and on the levels above it up to a quarter of the full size, which teach context
        directly. They serve training alone: :meth:`levels` uses them, :meth:`forward` does not, shipped weights
        leave them out.

    Notes
    -----
    Input (N, in_channels, H, W), sides multiples of :attr:`stride`; output logits (N, out_channels, H, W).

    References
    ----------
    Gourmelon et al. (2022), Calving fronts and where to find them, Earth Syst. Sci. Data 14, 4287.
    Shi et al. (2016), Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network, CVPR.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 4,
        *,
        width: int = 32,
        depth: int = 5,
        fold: int = 1,
        dilations: tuple[int, ...] = (1, 2, 4, 8),
        norm: Norm = "batch",
        pooling: bool = True,
        dropout: float = 0.5,
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        self.dilations, self.fold = tuple(dilations), fold
        self.stride = fold * 2 ** (depth - 1)
        self.shift_equivariant = norm != "group" and not pooling
        self.down = nn.ModuleList(
            _block(i, o, norm) for i, o in zip([in_channels * fold**2, *widths[:-1]], widths, strict=True)
        )
        self.pyramid = _Pyramid(widths[-1], self.dilations, norm, pooling, dropout)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.up = nn.ModuleList(_block(2 * w, w, norm) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, out_channels * fold**2, 1)
        coarse = [w for w in reversed(widths) if fold * w >= 4 * width] if deep_supervision else []
        self.sides = nn.ModuleList(nn.Conv2d(w, out_channels, 1) for w in coarse)

    @property
    def receptive_radius(self) -> int:
        """Pixels on each side of an output pixel that can change it, rounded up to the stride."""
        reach = Reach(self.fold - 1, self.fold).conv(times=2)
        for _ in self.up:
            reach = reach.conv(2, stride=2).conv(times=2)
        reach = reach.conv(dilation=max(self.dilations))
        for _ in self.up:
            reach = reach.up(2).conv(times=2)
        return reach.rounded(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, out_channels, H, W) of inputs (N, in_channels, H, W)."""
        return self._unfolded(self.head(self._features(x)[-1]))

    def levels(self, x: Tensor) -> list[Tensor]:
        """Logits at full size, then those of the side heads from 1/16 to 1/4 of it (none without them)."""
        features = self._features(x)
        return [
            self._unfolded(self.head(features[-1])),
            *(side(f) for side, f in zip(self.sides, features, strict=False)),
        ]

    def _unfolded(self, x: Tensor) -> Tensor:
        return x if self.fold == 1 else functional.pixel_shuffle(x, self.fold)

    def _features(self, x: Tensor) -> list[Tensor]:
        """Of the bottleneck and of each level of the decoder, from coarse to fine."""
        x = x if self.fold == 1 else functional.pixel_unshuffle(x, self.fold)
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else functional.max_pool2d(x, 2))
            skips.append(x)
        features = [self.pyramid(skips.pop())]
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            features.append(block(torch.cat([skips.pop(), enlarge(features[-1])], dim=1)))
        return features

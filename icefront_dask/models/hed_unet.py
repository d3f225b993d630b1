"""HED-UNet: segmentation and edge predicted on six scales and merged by attention."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from icefront_dask.models.receptive import Reach

__all__ = ["HEDUNet", "Merging"]

Merging = Literal["attention", "learned", "none"]
_OUTPUTS = 2


class _Excite(nn.Module):
    """Squeeze and excitation: channels weighted by a function of their global means."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(functional.adaptive_avg_pool2d(x, 1))


def _three(inputs: int, outputs: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate", bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()]


class _Down(nn.Sequential):
    def __init__(self, channels: int, *, excite: bool) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 2, stride=2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            *_three(channels, 2 * channels),
            *_three(2 * channels, 2 * channels),
            *([_Excite(2 * channels)] if excite else []),
        )


class _Up(nn.Module):
    def __init__(self, channels: int, *, excite: bool) -> None:
        super().__init__()
        half = channels // 2
        self.enlarge = nn.Sequential(
            nn.ConvTranspose2d(channels, half, 2, stride=2, bias=False), nn.BatchNorm2d(half), nn.ReLU()
        )
        self.mix = nn.Sequential(*_three(channels, half), *_three(half, half), *([_Excite(half)] if excite else []))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.mix(torch.cat([self.enlarge(x), skip], dim=1))


class HEDUNet(nn.Module):
    """The network of IceLines.

    Parameters
    ----------
    in_channels : int
        2 for HH and HV, 1 for a single polarisation.
    out_channels : int
        2: channel 0 the area (ice or land), channel 1 its edge.
    width : int
        Channels of the first level, doubled at each level below; 16 as published.
    depth : int
        Levels below the first; 5 as published, 6 in COBRA's version.
    merging : {"attention", "learned", "none"}
        How the predictions of the levels become one: a softmax of learned queries over the levels, separately
        for each pixel and channel; a 1x1 convolution over all; or the finest level alone.
    squeeze_excite : bool
        Weighs channels by their global means; such a network is not shift-equivariant.

    Notes
    -----
    Input (N, in_channels, H, W), sides multiples of ``2 ** depth``; output logits (N, 2, H, W). Padding
    replicates the border. As published, predictions are enlarged with their corners aligned, so what a pixel
    gets depends on the size of the tile: the network is not shift-equivariant, and its own window and overlap
    (768 px; unverified) belong to it.

    References
    ----------
    Heidler et al. (2022), HED-UNet: combined segmentation and edge detection for monitoring the Antarctic
    coastline, IEEE Trans. Geosci. Remote Sens. 60. Baumhoer et al. (2023), IceLines, Sci. Data 10, 138.
    """

    shift_equivariant = False

    def __init__(
        self,
        in_channels: int = 2,
        out_channels: int = _OUTPUTS,
        *,
        width: int = 16,
        depth: int = 5,
        merging: Merging = "attention",
        squeeze_excite: bool = False,
    ) -> None:
        super().__init__()
        if out_channels != _OUTPUTS:
            raise ValueError(f"HEDUNet has two outputs, area and edge; {out_channels} were asked for")
        widths = [width * 2**level for level in range(depth + 1)]
        self.stride = 2**depth
        self.merging = merging
        self.stem = nn.Conv2d(in_channels, width, 1)
        self.down = nn.ModuleList(_Down(w, excite=squeeze_excite) for w in widths[:-1])
        self.up = nn.ModuleList(_Up(w, excite=squeeze_excite) for w in reversed(widths[1:]))
        levels = [*reversed(widths)]
        self.predictors = nn.ModuleList(nn.Conv2d(w, out_channels, 1) for w in levels)
        self.queries = nn.ModuleList(nn.Conv2d(w, out_channels, 1) for w in levels if merging == "attention")
        count = len(levels) * out_channels
        self.combine = nn.Conv2d(count, out_channels, 1) if merging == "learned" else None

    @property
    def receptive_radius(self) -> int:
        """Pixels on each side of an output pixel that can change it, rounded up to the stride."""
        reach = Reach()
        for _ in self.down:
            reach = reach.conv(2, stride=2).conv(times=2)
        deepest = Reach(reach.radius + reach.stride, 1.0)
        for _ in self.up:
            reach = reach.up(2).conv(times=2)
        return max((deepest, reach), key=lambda path: path.radius).rounded(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of inputs (N, in_channels, H, W)."""
        return self.levels(x)[0]

    def levels(self, x: Tensor) -> list[Tensor]:
        """Return merged logits (N, 2, H, W), then those of each level from coarse to fine, each at its own size."""
        size = x.shape[2:]
        features = [self.stem(x)]
        for down in self.down:
            features.append(down(features[-1]))
        x = features.pop()
        pyramid = [x]
        for up in self.up:
            x = up(x, features.pop())
            pyramid.append(x)
        sides = [predict(f) for predict, f in zip(self.predictors, pyramid, strict=True)]
        if self.merging == "none":
            return [sides[-1], *sides]
        full = [_enlarge(side, size) for side in sides]
        if self.combine is not None:
            return [self.combine(torch.cat(full, dim=1)), *sides]
        queries = [_enlarge(query(f), size) for query, f in zip(self.queries, pyramid, strict=True)]
        attention = torch.softmax(torch.stack(queries), dim=0)
        return [(attention * torch.stack(full)).sum(0), *sides]


def _enlarge(x: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)

"""CALFIN-NN: DeepLabv3+ on a modified Xception, for the edge and the area of the ice."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from icefront_dask.models.receptive import Reach

__all__ = ["CalfinNet"]

_ENTRY = ((128, 128, 128), (256, 256, 256), (728, 728, 728))
_RATES = (1, 2, 3, 4, 5)
_BRANCH = 256
_SKIP = 48


class _Separable(nn.Sequential):
    """Depthwise 3x3 and pointwise convolution, each with batch normalisation.

    ``inner`` puts the activation behind each normalisation, otherwise one goes before the whole.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, *, inner: bool = False) -> None:
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, groups=inputs, bias=False)
        pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        parts: list[nn.Module] = [depthwise, nn.BatchNorm2d(inputs), pointwise, nn.BatchNorm2d(outputs)]
        if inner:
            parts.insert(2, nn.ELU())
            parts.append(nn.ELU())
        else:
            parts.insert(0, nn.ELU())
        super().__init__(*parts)


class _Xception(nn.Module):
    """Three separable convolutions, the stride on the third, with a skip by convolution, by sum or none."""

    def __init__(
        self,
        inputs: int,
        outputs: tuple[int, int, int],
        skip: str,
        stride: int = 1,
        dilations: tuple[int, int, int] = (1, 1, 1),
        *,
        inner: bool = False,
    ) -> None:
        super().__init__()
        ins = (inputs, *outputs[:2])
        strides = (1, 1, stride)
        self.parts = nn.ModuleList(
            _Separable(i, o, s, d, inner=inner) for i, o, s, d in zip(ins, outputs, strides, dilations, strict=True)
        )
        self.skip = skip
        if skip == "conv":
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs[2], 1, stride, bias=False), nn.BatchNorm2d(outputs[2])
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and that of its second convolution."""
        second = self.parts[1](self.parts[0](x))
        out = self.parts[2](second)
        if self.skip == "conv":
            out = out + self.shortcut(x)
        elif self.skip == "sum":
            out = out + x
        return out, second


def _unit(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ELU())


class CalfinNet(nn.Module):
    """The network of CALFIN.

    Parameters
    ----------
    in_channels : int
        3 as published: raw near infrared and two tone-mapped versions of it.
    out_channels : int
        2 as published; channel 0 the front's edge, channel 1 ice or land.
    width : float
        Factor on every number of channels but the input's and the output's; 1 as published.
    middle : int
        Units of the middle flow; 8 as published.
    dropout : float
        Behind the pyramid; 0.1 as published.

    Notes
    -----
    Input (N, in_channels, H, W) scaled to -1 … 1, sides multiples of 32; output logits (N, out_channels, H, W).
    The published input is 224 x 224 in nine windows 16 px apart, whose probabilities are averaged. The
    publication's figure does not say how the last enlargements treat the corners; here pixel centres keep
    their place, so that the network is shift-equivariant.

    References
    ----------
    Cheng et al. (2021), Calving Front Machine (CALFIN), The Cryosphere 15, 1663.
    """

    stride = 32
    shift_equivariant = True

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 2,
        *,
        width: float = 1.0,
        middle: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.middle_units = middle

        def w(channels: int) -> int:
            return max(1, round(width * channels))

        def three(channels: tuple[int, int, int]) -> tuple[int, int, int]:
            return w(channels[0]), w(channels[1]), w(channels[2])

        inputs = (in_channels, *(w(block[2]) for block in _ENTRY[:2]))
        self.entry = nn.ModuleList(
            _Xception(i, three(block), "conv", 2) for i, block in zip(inputs, _ENTRY, strict=True)
        )
        body = w(728)
        self.middle = nn.ModuleList(_Xception(body, (body, body, body), "sum") for _ in range(middle))
        self.exit = nn.ModuleList(
            [
                _Xception(body, three((728, 1024, 1024)), "conv", 2),
                _Xception(w(1024), three((1536, 1536, 2048)), "none", 1, (1, 2, 4), inner=True),
            ]
        )
        deep, branch, skip = w(2048), w(_BRANCH), w(_SKIP)
        self.pooled = _unit(deep, branch)
        self.point = _unit(deep, branch)
        self.atrous = nn.ModuleList(_Separable(deep, branch, 1, rate, inner=True) for rate in _RATES)
        self.project = nn.Sequential(_unit((2 + len(_RATES)) * branch, branch), nn.Dropout(dropout))
        self.shallow = _unit(body, skip)
        self.decode = nn.Sequential(
            _Separable(branch + skip, branch, inner=True), _Separable(branch, branch, inner=True)
        )
        self.head = nn.Conv2d(branch, out_channels, 1)

    @property
    def receptive_radius(self) -> int:
        """Pixels on each side of an output pixel that can change it, rounded up to the stride."""
        reach = Reach()
        for _ in _ENTRY:
            reach = reach.conv(times=3, stride=2)
        reach = reach.conv(times=3 * self.middle_units).conv(times=3, stride=2)
        for dilation in (1, 2, 4):
            reach = reach.conv(dilation=dilation)
        pooled = reach.conv(2, stride=2).up(2, bilinear=True)
        atrous = reach.conv(dilation=max(_RATES))
        far = max((pooled, atrous), key=lambda path: path.radius)
        return far.up(4, bilinear=True).conv(times=2).up(4, bilinear=True).rounded(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, out_channels, H, W) of inputs (N, in_channels, H, W)."""
        size = x.shape[2:]
        skip = x
        for block in self.entry:
            x, skip = block(x)
        for block in (*self.middle, *self.exit):
            x, _ = block(x)
        small = self.pooled(functional.max_pool2d(x, 2))
        parts = [_resize(small, x.shape[2:]), self.point(x), *(branch(x) for branch in self.atrous)]
        x = self.project(torch.cat(parts, dim=1))
        skip = self.shallow(skip)
        x = self.decode(torch.cat([_resize(x, skip.shape[2:]), skip], dim=1))
        return _resize(self.head(x), size)


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)

"""B-NN: the U-Net of the first automatic Antarctic coastlines from Sentinel-1."""

from __future__ import annotations

from torch import Tensor, nn

from icefront_dask.models.plain_unet import PlainUNet

__all__ = ["BaumhoerUNet"]


class BaumhoerUNet(nn.Module):
    """The network of Baumhoer et al. (2019), as far as it is known.

    Parameters
    ----------
    in_channels : int
        4 as published: HH, HV, HH/HV and elevation.
    out_channels : int
        1: ice or land.
    width : int
        Channels of the first of five levels, doubled at each below.

    Notes
    -----
    Input (N, in_channels, H, W), sides multiples of 16; output logits (N, out_channels, H, W).
    The publication names a modified U-Net on tiles of 780 px with 200 px overlap. The original U-Net without
    padding gives 596 px from 780, which that overlap covers; so its five levels from 64 channels are taken.
    This is an inference, not verified. Padded convolutions under tiles with a halo give the same values.

    References
    ----------
    Baumhoer et al. (2019), Automated extraction of Antarctic glacier and ice shelf fronts from Sentinel-1
    imagery using deep learning, Remote Sens. 11, 2529.
    """

    stride = 16
    shift_equivariant = True

    def __init__(self, in_channels: int = 4, out_channels: int = 1, *, width: int = 64) -> None:
        super().__init__()
        self.body = PlainUNet(in_channels, tuple(width * 2**level for level in range(5)), "transposed")
        self.head = nn.Conv2d(width, out_channels, 1)

    @property
    def receptive_radius(self) -> int:
        """Pixels on each side of an output pixel that can change it, rounded up to the stride."""
        return self.body.reach().rounded(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, out_channels, H, W) of inputs (N, in_channels, H, W)."""
        return self.head(self.body(x))

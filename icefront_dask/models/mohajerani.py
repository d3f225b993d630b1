"""M-NN: the U-Net that was first to trace Greenland's fronts."""

from __future__ import annotations

from torch import Tensor, nn

from icefront_dask.models.plain_unet import PlainUNet

__all__ = ["MohajeraniUNet"]


class MohajeraniUNet(nn.Module):
    """The network of Mohajerani et al. (2019).

    Parameters
    ----------
    in_channels : int
        1 as published: the grey image, equalised, smoothed, its edges enhanced.
    out_channels : int
        1 as published: the front's line.
    width : int
        Channels of the first of four levels, doubled at each below; 32 as published.
    dropout : float
        Between the two convolutions of a level; 0.2 as published.

    Notes
    -----
    Input (N, in_channels, H, W), sides multiples of 8 (240 x 152 as published); output logits
    (N, out_channels, H, W). The labels of the set are dark lines on white; here 1 is the front.

    References
    ----------
    Mohajerani et al. (2019), Detection of glacier calving margins with convolutional neural networks: a case
    study, Remote Sens. 11, 74.
    """

    stride = 8
    shift_equivariant = True

    def __init__(self, in_channels: int = 1, out_channels: int = 1, *, width: int = 32, dropout: float = 0.2) -> None:
        super().__init__()
        self.body = PlainUNet(in_channels, tuple(width * 2**level for level in range(4)), "nearest", dropout)
        self.head = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, out_channels, 1))

    @property
    def receptive_radius(self) -> int:
        """Pixels on each side of an output pixel that can change it, rounded up to the stride."""
        return self.body.reach().conv().rounded(self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, out_channels, H, W) of inputs (N, in_channels, H, W)."""
        return self.head(self.body(x))

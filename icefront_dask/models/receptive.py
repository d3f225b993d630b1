"""How far a pixel of the output looks, from the list of a network's layers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reach"]


@dataclass(frozen=True)
class Reach:
    """Radius seen by one pixel, grown layer by layer.

    Attributes
    ----------
    radius : float
        In pixels of the input.
    stride : float
        Pixels of the input per pixel of the present layer.
    """

    radius: float = 0.0
    stride: float = 1.0

    def conv(self, kernel: int = 3, dilation: int = 1, stride: int = 1, times: int = 1) -> Reach:
        """After ``times`` convolutions (or poolings) of one kind; only the last one has the stride."""
        return Reach(self.radius + times * self.stride * dilation * (kernel // 2), self.stride * stride)

    def up(self, factor: int = 2, *, bilinear: bool = False) -> Reach:
        """After enlarging by nearest neighbours or a transposed convolution of that kernel, or bilinearly."""
        return Reach(self.radius + self.stride * (1.0 if bilinear else 0.5), self.stride / factor)

    def rounded(self, stride: int) -> int:
        """Pixels, rounded up to the network's stride."""
        return -(-int(-(-self.radius // 1)) // stride) * stride

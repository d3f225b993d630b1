"""The arrays of a scene, read window by window (NumPy kernel)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Window: TypeAlias = tuple[slice, slice]

__all__ = ["Source", "Views", "probability"]


class Views(NamedTuple):
    """What a window of a scene shows: both outputs with NaN where not known, and where they are known.

    The domain is where a front may be.
    """

    ice: Image
    front: Image
    known: Mask
    domain: Mask
    cloud: Mask | None


@dataclass(frozen=True)
class Source:
    """A scene.

    Attributes
    ----------
    ice, front : (H, W) float32 or uint8 ndarray
        Probabilities, NaN where there is none; as bytes v / 254, 255 where there is none.
    valid : (H, W) bool ndarray
    fjord, cloud : (H, W) bool ndarray or None
    elevation_m : (H, W) ndarray or None
    land_elevation_m : float
        What lies above is no ocean.
    """

    ice: npt.NDArray[Any]
    front: npt.NDArray[Any]
    valid: Mask
    fjord: Mask | None
    cloud: Mask | None
    elevation_m: npt.NDArray[np.floating[Any]] | None
    land_elevation_m: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.ice.shape[0], self.ice.shape[1]

    @property
    def domain(self) -> Mask:
        """Where a front may be: everywhere without a fjord, in an array that takes no memory."""
        return np.broadcast_to(np.True_, self.shape) if self.fjord is None else self.fjord

    def cut(self, window: Window) -> Source:
        """Return a part of the scene, without a copy."""
        fjord = None if self.fjord is None else self.fjord[window]
        cloud = None if self.cloud is None else self.cloud[window]
        elevation_m = None if self.elevation_m is None else self.elevation_m[window]
        return Source(
            self.ice[window], self.front[window], self.valid[window], fjord, cloud, elevation_m, self.land_elevation_m
        )

    def views(self, window: Window | None = None) -> Views:
        """Return what a window shows, all of the scene by default."""
        part = self if window is None else self.cut(window)
        ice, front = probability(part.ice), probability(part.front)
        known = part.valid & np.isfinite(ice) & np.isfinite(front)
        if part.elevation_m is not None:
            high = np.nan_to_num(part.elevation_m, nan=-np.inf) > self.land_elevation_m
            ice = np.where(high, np.float32(1), ice)
        if not known.all():
            ice, front = (np.where(known, values, np.float32(np.nan)) for values in (ice, front))
        return Views(ice, front, known, part.domain, part.cloud)


def probability(values: npt.NDArray[Any]) -> Image:
    """Return probabilities as float32, NaN where there is none."""
    if values.dtype == np.uint8:
        from icefront_dask.predict.encode import from_uint8  # its package loads torch

        return from_uint8(values)
    return values

"""A place that is seen once, and the frame of a scene in it: what training samples and single views share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.simulate.landscape import draw_front, draw_landscape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icefront_dask.simulate.fields import Atlas, Floats
    from icefront_dask.simulate.landscape import FrontShape, Kind, Landscape

__all__ = ["Frame", "Site", "draw_site"]


@dataclass(frozen=True)
class Site:
    """A landscape with one front, and the pixels it is seen with (metres)."""

    landscape: Landscape
    front: FrontShape
    half_width_m: float
    pixel_m: float


def draw_site(rng: np.random.Generator, atlas: Atlas, fjord_px: tuple[float, float]) -> Site:
    """Draw a place of any kind on pixels of 10 to 60 m, its fjord's width within ``fjord_px``."""
    pixel_m = float(np.exp(rng.uniform(np.log(10), np.log(60))))
    half_width = 0.5 * pixel_m * float(np.exp(rng.uniform(*np.log(fjord_px))))
    kind: Kind = rng.choice(["outlet", "tongue", "ice_shelf"], p=[0.55, 0.22, 0.23])
    landscape = draw_landscape(rng, atlas, kind, half_width)
    return Site(landscape, draw_front(rng, half_width), half_width, pixel_m)


@dataclass(frozen=True)
class Frame:
    """Where a scene lies in the place's own coordinates.

    Attributes
    ----------
    size : int
        Side of the scene in pixels.
    pixel_m : float
    angle : float
        From the scene's columns to the direction of flow, radians.
    shift : ndarray (2,)
        Of the scene's middle, in pixels.
    """

    size: int
    pixel_m: float
    angle: float
    shift: NDArray[np.float64]

    def to_place(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return landscape coordinates (m), float32, of pixel coordinates x to the right and y down."""
        u = (x - self.size / 2 + self.shift[0]) * self.pixel_m
        v = (self.size / 2 - y + self.shift[1]) * self.pixel_m
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return (cos * u + sin * v).astype(np.float32), (cos * v - sin * u).astype(np.float32)

    def to_pixels(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return pixel coordinates (n, 2) of landscape coordinates (n, 2) in metres."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x, y = np.asarray(points, dtype=np.float64).T / self.pixel_m
        u, v = x * cos - y * sin, x * sin + y * cos
        return np.column_stack([u + self.size / 2 - self.shift[0], self.size / 2 - v + self.shift[1]])

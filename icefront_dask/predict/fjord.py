"""A fjord on the grid of a scene, drawn a strip of rows at a time where the scene is not held whole either."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

__all__ = ["Fjord", "FjordRows", "row_strips"]

_STRIP_PX = 2**20


class FjordRows(Protocol):
    """Where a fjord is, by rows: an (H, W) bool ndarray, or a `Fjord`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, rows: slice, /) -> Mask:
        """Return some rows, (n, W) bool."""


def row_strips(fjord: FjordRows, multiple: int = 1) -> Iterator[tuple[int, Mask]]:
    """Yield the first row of each strip of a fjord, a multiple of ``multiple``, and the strip, (n, W) bool."""
    height, width = fjord.shape
    count = max(_STRIP_PX // max(width, 1) // multiple, 1) * multiple
    for start in range(0, height, count):
        yield start, fjord[start : min(start + count, height)]


@dataclass(frozen=True)
class Fjord:
    """A fjord and the grid to draw it on, small enough for a graph.

    Attributes
    ----------
    wkb : bytes
        Its outline.
    shape : (int, int)
        Rows and columns of the grid.
    transform : tuple of float
        Affine, six numbers.
    """

    wkb: bytes
    shape: tuple[int, int]
    transform: tuple[float, ...]

    def mask(self) -> Mask:
        """Return where the fjord is, (H, W) bool; kept for the next scenes."""
        return _kept(self)

    def __getitem__(self, index: slice | tuple[NDArray[np.intp], NDArray[np.intp]], /) -> Mask:
        """Return some rows, (n, W) bool, or the values at rows and columns of pixels."""
        if isinstance(index, slice):
            start, stop, _ = index.indices(self.shape[0])
            return _drawn(self, start, stop)
        rows, columns = index
        inside = np.zeros(len(rows), dtype=bool)
        for start, strip in row_strips(self):
            here = (rows >= start) & (rows < start + len(strip))
            inside[here] = strip[rows[here] - start, columns[here]]
        return inside


@lru_cache(maxsize=4)
def _kept(fjord: Fjord) -> Mask:
    return _drawn(fjord, 0, fjord.shape[0])


def _drawn(fjord: Fjord, start: int, stop: int) -> Mask:
    import shapely
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from icefront_dask.regions import mask

    a, b, c, d, e, f = fjord.transform
    transform = Affine(a, b, c + b * start, d, e, f + e * start)
    return mask(shapely.from_wkb(fjord.wkb), GeoBox((stop - start, fjord.shape[1]), transform, None))

"""A labelled image of any layout, or a window of it: layers that move together under cuts, turns and warps."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import affine_transform

from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Entry", "Labelled", "cut", "mapped", "resized", "turned", "warped"]


class _Layer(NamedTuple):
    order: int
    outside: float


# How each layer is interpolated, and what it is beyond the image.
_LAYERS = {
    "image": _Layer(1, np.nan),
    "ice": _Layer(0, 0),
    "ice_known": _Layer(0, 0),
    "front": _Layer(0, 0),
    "front_known": _Layer(0, 0),
    "zones": _Layer(0, 0),
}


@dataclass(frozen=True)
class Labelled:
    """A labelled image.

    Attributes
    ----------
    name, group : str
        The group is the glacier.
    image : ndarray (bands, H, W) float32
        Grey values, reflectance or dB; NaN nodata.
    ice : ndarray (H, W) bool
        Land or ice.
    ice_known : ndarray (H, W) bool
        False where neither side is known.
    front : ndarray (H, W) bool
        The line, one pixel wide.
    front_known : ndarray (H, W) bool
        False where a front may be that was not drawn.
    zones : ndarray (H, W) uint8, optional
        0 NA, 1 rock, 2 glacier, 3 ocean with mélange; None where the layout has none.
    """

    name: str
    group: str
    image: NDArray[np.float32]
    ice: NDArray[np.bool_]
    ice_known: NDArray[np.bool_]
    front: NDArray[np.bool_]
    front_known: NDArray[np.bool_]
    zones: NDArray[np.uint8] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.ice.shape[0], self.ice.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all layers."""
        return sum(getattr(self, f.name).nbytes for f in fields(self) if hasattr(getattr(self, f.name), "nbytes"))

    def need_zones(self) -> NDArray[np.uint8]:
        """Return the zones, or say that the layout has none."""
        if self.zones is None:
            raise ConfigError(f"{self.name}: its layout has no zones, which this task teaches; take another task")
        return self.zones


class Entry(NamedTuple):
    """A labelled image that is read when it is needed."""

    name: str
    group: str
    shape: tuple[int, int]
    read: Callable[[], Labelled]


def mapped(window: Labelled, change: Callable[[NDArray[Any], int, float], NDArray[Any]]) -> Labelled:
    """Apply ``change(layer, order, outside)`` to every layer; layers are (H, W) or (bands, H, W)."""
    changed: dict[str, Any] = {
        name: np.ascontiguousarray(change(layer, *_LAYERS[name]))
        for name in _LAYERS
        if (layer := getattr(window, name)) is not None
    }
    return replace(window, **changed)


def cut(window: Labelled, top: int, left: int, rows: int, cols: int) -> Labelled:
    """Cut ``rows`` x ``cols`` from a corner on; what lies beyond the image is unknown."""
    h, w = window.shape
    r0, r1 = np.clip((top, top + rows), 0, h)
    c0, c1 = np.clip((left, left + cols), 0, w)

    def part(layer: NDArray[Any], _: int, outside: float) -> NDArray[Any]:
        out = np.full((*layer.shape[:-2], rows, cols), outside, layer.dtype)
        out[..., r0 - top : r1 - top, c0 - left : c1 - left] = layer[..., r0:r1, c0:c1]
        return out

    return mapped(window, part)


def turned(window: Labelled, quarters: int, *, flip: bool = False, transpose: bool = False) -> Labelled:
    """Mirror left to right, then transpose, where asked; then turn by quarters of a circle."""

    def turn(layer: NDArray[Any], *_: float) -> NDArray[Any]:
        if flip:
            layer = layer[..., ::-1]
        if transpose:
            layer = layer.swapaxes(-1, -2)
        return np.rot90(layer, quarters, axes=(-2, -1))

    return mapped(window, turn)


def warped(
    window: Labelled, matrix: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, int] | None = None
) -> Labelled:
    """Return the window whose pixel ``p`` (row, column) shows pixel ``matrix @ p + offset`` of the given one.

    The image is interpolated bilinearly, labels by nearest neighbour; what comes from outside is unknown.
    """

    def warp(layer: NDArray[Any], order: int, outside: float) -> NDArray[Any]:
        if layer.ndim == 3:
            return np.stack([warp(band, order, outside) for band in layer])
        source = layer.astype(np.float32)
        out = affine_transform(
            source, matrix, offset, shape or window.shape, order=order, cval=outside, prefilter=False
        )
        return out.round().astype(layer.dtype) if order == 0 else out

    return mapped(window, warp)


def resized(window: Labelled, rows: int, cols: int) -> Labelled:
    """Stretch to another size, pixel edges on pixel edges; the line is kept one pixel wide.

    A pixel of the smaller image holds the line where any of its pixels of the larger one does.
    """
    if window.shape == (rows, cols):
        return window
    h, w = window.shape
    r = (np.arange(rows) + 0.5) * h / rows - 0.5
    c = (np.arange(cols) + 0.5) * w / cols - 0.5
    nearest = np.ix_(np.clip(np.rint(r), 0, h - 1).astype(int), np.clip(np.rint(c), 0, w - 1).astype(int))
    low = [np.clip(np.floor(a), 0, n - 1).astype(int) for a, n in ((r, h), (c, w))]
    high = [np.minimum(a + 1, n - 1) for a, n in zip(low, (h, w), strict=True)]
    share = [np.clip(a - b, 0, 1).astype(np.float32) for a, b in zip((r, c), low, strict=True)]

    def stretch(layer: NDArray[Any], order: int, _: float) -> NDArray[Any]:
        if order == 0:
            return layer[nearest]
        over, under = layer[:, low[0]], layer[:, high[0]]
        mixed = over + (under - over) * share[0][:, None]
        left, right = mixed[..., low[1]], mixed[..., high[1]]
        return left + (right - left) * share[1]

    line = np.zeros((rows, cols), bool)
    at = np.argwhere(window.front)
    line[at[:, 0] * rows // h, at[:, 1] * cols // w] = True
    return replace(mapped(window, stretch), front=line)

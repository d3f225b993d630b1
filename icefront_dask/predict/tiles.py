"""Where the tiles of a scene lie.

Tiles are anchored to the scene: the scene's first pixel is the origin, every tile begins at a multiple of the
network's stride and has sides that are multiples of it, so that pooling grids of neighbouring tiles coincide.
Each tile carries a halo as wide as the network's receptive radius, which is computed and thrown away; a
network that is shift-equivariant then gives the same values as one forward pass over the whole scene. Other
networks see windows of one size, as published, on a lattice of the scene. Outside the scene, and only there,
pixels are reflected.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AxisTile", "Tile", "TilePlan", "pad_scene", "plan_tiles", "plan_windows", "round_up"]

_MORE_TILES = 8
"""How many more tiles than the fewest an axis may get, where smaller ones skip more of the scene."""


class AxisTile(NamedTuple):
    """A tile along an axis of the padded scene: it reads [start, stop) and answers for [first, last)."""

    start: int
    stop: int
    first: int
    last: int


class Tile(NamedTuple):
    """A tile: indices into ``TilePlan.rows`` and ``TilePlan.columns``."""

    row: int
    column: int


@dataclass(frozen=True)
class TilePlan:
    """The tiles of one scene.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the scene.
    padded : (int, int)
        Rows and columns after padding: ``margin`` on every side, then up to a multiple of the stride.
    margin : int
        Reflected pixels before the scene's first row and column.
    rows, columns : tuple of AxisTile
        All tiles of an axis have the same length.
    tiles : tuple of Tile
        Those to compute, in row-major order.
    needed : (H, W) bool ndarray
        Pixels of the scene whose values are wanted; every tile which answers for one of them is in ``tiles``.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    margin: int
    rows: tuple[AxisTile, ...]
    columns: tuple[AxisTile, ...]
    tiles: tuple[Tile, ...]
    needed: NDArray[np.bool_]

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Rows and columns that the network sees at once; (0, 0) without a tile."""
        if not self.tiles:
            return (0, 0)
        return (self.rows[0].stop - self.rows[0].start, self.columns[0].stop - self.columns[0].start)

    @property
    def computed_pixels(self) -> int:
        """Pixels that pass through the network, halos included."""
        height, width = self.tile_shape
        return len(self.tiles) * height * width

    def window(self, tile: Tile) -> tuple[slice, slice]:
        """Slices of the padded scene that the network reads for a tile."""
        row, column = self.rows[tile.row], self.columns[tile.column]
        return slice(row.start, row.stop), slice(column.start, column.stop)


def round_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of ``multiple`` which is not below ``value``."""
    return -(-value // multiple) * multiple


def plan_tiles(
    shape: tuple[int, int],
    *,
    stride: int,
    halo: int,
    tile_px: int,
    overlap: int = 0,
    margin: int = 0,
    needed: NDArray[np.bool_] | None = None,
) -> TilePlan:
    """Lay the tiles of a scene.

    The rectangle round the needed pixels is divided into equal tiles of at most ``tile_px``. Among the
    possible divisions the one is taken which computes the fewest pixels, given that tiles without a needed
    pixel are left out. The result depends on the scene alone.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the scene.
    stride : int
        The network's stride: origins and sides are multiples of it.
    halo : int
        Pixels computed and thrown away along every cut through the scene; rounded up to the stride. Exact for
        shift-equivariant networks from the receptive radius on.
    tile_px : int
        Longest side of a tile, halos included; rounded down to the stride.
    overlap : int
        Pixels for which two neighbours both answer, so that they are blended; rounded up to the stride.
    margin : int
        Pixels reflected outside the scene on every side; rounded up to the stride.
    needed : (H, W) bool ndarray, optional
        Pixels whose values are wanted; all by default.

    Raises
    ------
    ConfigError
        If a tile has no room between its halos.
    """
    halo, overlap, margin = (round_up(value, stride) for value in (halo, overlap, margin))
    tile_px = tile_px // stride * stride
    padded = (round_up(shape[0] + 2 * margin, stride), round_up(shape[1] + 2 * margin, stride))
    if max(padded) > tile_px and tile_px < 2 * halo + overlap + stride:
        raise ConfigError(
            f"tiles of {tile_px} px have no room between halos of 2 × {halo} px and an overlap of {overlap} "
            f"px; set predict.tile_px to at least {2 * halo + overlap + stride}, or predict.halo_px lower"
        )
    if needed is None:
        needed = np.ones(shape, dtype=bool)
    elif needed.shape != tuple(shape):
        raise ValueError(f"needed has shape {needed.shape}, the scene {tuple(shape)}")
    if not needed.any():
        return TilePlan(shape, padded, margin, (), (), (), needed)

    options = []
    for axis in (0, 1):
        lit = np.flatnonzero(needed.any(axis=1 - axis)) + margin
        low = int(lit[0]) // stride * stride - halo
        high = round_up(int(lit[-1]) + 1, stride) + halo
        low, high = 0 if low <= margin else low, padded[axis] if high >= margin + shape[axis] else high
        options.append(_divisions(low, high, padded[axis], stride, halo, tile_px, overlap))
    counts = _lit_counts(needed, padded, margin, stride)
    plans = [
        TilePlan(shape, padded, margin, rows, columns, _kept(rows, columns, counts, stride), needed)
        for rows, columns in product(*options)
    ]
    return min(plans, key=lambda plan: (plan.computed_pixels, len(plan.tiles)))


def plan_windows(
    shape: tuple[int, int],
    *,
    stride: int,
    window_px: int,
    overlap: int,
    needed: NDArray[np.bool_] | None = None,
    origin: tuple[int, int] = (0, 0),
    scene: tuple[int, int] | None = None,
) -> TilePlan:
    """Lay windows of one size, for networks whose values depend on what else they see.

    The windows lie on a lattice of the scene, the last one of an axis shifted inward, whatever part of the
    scene is asked for. A scene smaller than a window is filled up by reflection.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the part of the scene that is at hand, the whole of it by default.
    stride : int
        The network's stride: origins and sides are multiples of it.
    window_px : int
        Side of a window; rounded up to the stride.
    overlap : int
        Pixels that a window shares with the next one; rounded down to the stride.
    needed : (H, W) bool ndarray, optional
        Pixels of the part whose values are wanted; all by default. Every window that holds one of them must
        lie in the part.
    origin : (int, int)
        Row and column of the part's first pixel in the scene, multiples of the stride.
    scene : (int, int), optional
        Rows and columns of the scene; those of the part by default.

    Raises
    ------
    ConfigError
        If the overlap leaves no step from one window to the next.
    """
    window_px, overlap = round_up(window_px, stride), overlap // stride * stride
    if overlap >= window_px:
        raise ConfigError(
            f"windows of {window_px} px cannot overlap by {overlap} px; set predict.overlap_px below predict.tile_px"
        )
    whole = shape if scene is None else scene
    needed = np.ones(shape, dtype=bool) if needed is None else needed
    axes, padded = [], []
    for axis in (0, 1):
        side = max(round_up(whole[axis], stride), window_px)
        at_end = origin[axis] + shape[axis] == whole[axis]
        length = side - origin[axis] if at_end else shape[axis]
        last = side - window_px
        starts = sorted({*range(0, last, window_px - overlap), last})
        here = [start - origin[axis] for start in starts]
        here = [start for start in here if start >= 0 and start + window_px <= length]
        axes.append(tuple(AxisTile(start, start + window_px, start, start + window_px) for start in here))
        padded.append(length)
    blocks = _lit_counts(needed, (padded[0], padded[1]), 0, stride)
    kept = _kept(axes[0], axes[1], blocks, stride) if needed.any() else ()
    return TilePlan(shape, (padded[0], padded[1]), 0, axes[0], axes[1], kept, needed)


def _lit_counts(needed: NDArray[np.bool_], padded: tuple[int, int], margin: int, stride: int) -> NDArray[np.int64]:
    """Summed-area table of the blocks of stride² that hold a needed pixel."""
    blocks = np.zeros(tuple(round_up(side, stride) for side in padded), dtype=bool)
    blocks[margin : margin + needed.shape[0], margin : margin + needed.shape[1]] = needed
    tiled = blocks.reshape(blocks.shape[0] // stride, stride, blocks.shape[1] // stride, stride)
    lit: NDArray[np.bool_] = np.logical_or.reduce(tiled, axis=(1, 3))
    return np.pad(lit.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _divisions(
    low: int, high: int, side: int, stride: int, halo: int, tile_px: int, overlap: int
) -> list[tuple[AxisTile, ...]]:
    """Ways to divide [low, high) of an axis into equal tiles; no halo is cut off at the scene's edges."""
    length = high - low
    found: list[tuple[AxisTile, ...]] = [] if length > tile_px else [(_axis_tile(low, high, side, halo),)]
    room = length - 2 * halo - overlap
    fewest = max(-(-room // (tile_px - 2 * halo - overlap)), 2) if room > 0 else 2
    for count in range(fewest, fewest + _MORE_TILES):
        step = round_up(-(-room // count), stride)
        tile = step + 2 * halo + overlap
        if step <= 0 or tile > min(tile_px, length):
            continue
        starts = sorted({min(low + index * step, high - tile) for index in range(count)})
        found.append(tuple(_axis_tile(start, start + tile, side, halo) for start in starts))
    return found


def _axis_tile(start: int, stop: int, side: int, halo: int) -> AxisTile:
    return AxisTile(start, stop, start if start == 0 else start + halo, stop if stop == side else stop - halo)


def _kept(
    rows: tuple[AxisTile, ...], columns: tuple[AxisTile, ...], counts: NDArray[np.int64], stride: int
) -> tuple[Tile, ...]:
    """Tiles which answer for a needed pixel, from a summed-area table of blocks of stride² that hold one."""
    top, bottom = np.array([(row.first, row.last) for row in rows]).T[:, :, None] // stride
    left, right = np.array([(column.first, column.last) for column in columns]).T // stride
    lit = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
    return tuple(Tile(int(row), int(column)) for row, column in np.argwhere(lit > 0))


def pad_scene(scene: NDArray[np.float32], plan: TilePlan) -> NDArray[np.float32]:
    """Reflect a scene (C, H, W) outward to the plan's padded size."""
    after = [plan.padded[axis] - plan.margin - plan.shape[axis] for axis in (0, 1)]
    if not plan.margin and not any(after):
        return scene
    return np.pad(scene, ((0, 0), (plan.margin, after[0]), (plan.margin, after[1])), mode="reflect")

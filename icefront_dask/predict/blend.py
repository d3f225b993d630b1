"""How the tiles of a scene are put together: windows which sum to one at every pixel.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from icefront_dask.errors import ConfigError
from icefront_dask.predict.tiles import pad_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.tiles import AxisTile, TilePlan

__all__ = ["Window", "axis_weights", "predict_tiled"]

Window = Literal["hann", "gaussian", "mean"]


def axis_weights(tiles: Sequence[AxisTile], window: Window = "hann") -> list[NDArray[np.float32]]:
    """Weights of the tiles along one axis, which sum to one wherever a tile answers.

    Parameters
    ----------
    tiles : sequence of AxisTile
        The tiles of the axis.
    window : {"hann", "gaussian", "mean"}
        Shape before normalising, over the part for which a tile answers: Hann's sin², a Gaussian of σ = 1/8
        of the tile's side (the window of CaFFe's baseline, Gourmelon et al. 2022,
        doi:10.5194/essd-14-4287-2022), or a plain mean of all tiles there (CALFIN, Cheng et al. 2021,
        doi:10.5194/tc-15-1663-2021).

    Returns
    -------
    list of float32 ndarray
        One a tile, as long as the tile; zero in the halo. The product of a row's and a column's weights sums
        to one over the tiles of a scene.
    """
    if window not in get_args(Window):
        raise ConfigError(f"no window {window!r} for predict.window; there are: {', '.join(get_args(Window))}")
    if not tiles:
        return []
    raw = []
    for tile in tiles:
        part = np.zeros(tile.stop - tile.start)
        inner = slice(tile.first - tile.start, tile.last - tile.start)
        length = tile.last - tile.first
        centred = (np.arange(length) + 0.5) / length
        if window == "hann":
            part[inner] = np.sin(np.pi * centred) ** 2
        elif window == "gaussian":
            part[inner] = np.exp(-0.5 * ((centred - 0.5) * 8) ** 2)
        else:
            part[inner] = 1
        raw.append(part)
    total = np.zeros(max(tile.stop for tile in tiles))
    for tile, part in zip(tiles, raw, strict=True):
        total[tile.start : tile.stop] += part
    total[total == 0] = 1
    return [(part / total[tile.start : tile.stop]).astype(np.float32) for tile, part in zip(tiles, raw, strict=True)]


def predict_tiled(
    scene: NDArray[np.float32],
    plan: TilePlan,
    forward: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    *,
    window: Window = "hann",
    batch: int = 1,
) -> NDArray[np.float32]:
    """Run a network over the tiles of a scene and blend its answers.

    Parameters
    ----------
    scene : (C, H, W) float32 ndarray
        The network's input, finite everywhere.
    plan : TilePlan
        Of this scene's shape.
    forward : callable
        (N, C, h, w) float32 → (N, K, h, w) float32, linear quantities to blend (probabilities).
    window : {"hann", "gaussian", "mean"}
        See `axis_weights`.
    batch : int
        Tiles a call of ``forward``.

    Returns
    -------
    (K, H, W) float32 ndarray
        NaN where ``plan.needed`` is false. (0, H, W) where no tile was needed.
    """
    padded = pad_scene(scene, plan)
    if len(plan.tiles) == len(plan.rows) == len(plan.columns) == 1 and plan.tile_shape == plan.padded:
        total = forward(padded[None])[0]
    else:
        total = _blended(padded, plan, forward, window, batch)
    end = [plan.margin + side for side in plan.shape]
    result = total[:, plan.margin : end[0], plan.margin : end[1]]
    return result if plan.needed.all() else np.where(plan.needed, result, np.float32(np.nan))


def _blended(
    padded: NDArray[np.float32],
    plan: TilePlan,
    forward: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    window: Window,
    batch: int,
) -> NDArray[np.float32]:
    rows, columns = axis_weights(plan.rows, window), axis_weights(plan.columns, window)
    total = np.zeros((0, *plan.padded), dtype=np.float32)
    for start in range(0, len(plan.tiles), batch):
        tiles = plan.tiles[start : start + batch]
        answers = forward(np.stack([padded[:, *plan.window(tile)] for tile in tiles]))
        if not total.size:
            total = np.zeros((answers.shape[1], *plan.padded), dtype=np.float32)
        for tile, answer in zip(tiles, answers, strict=True):
            np.multiply(answer, rows[tile.row][:, None] * columns[tile.column], out=answer)
            total[:, *plan.window(tile)] += answer
    return total

"""Parts of a scene that are predicted one by one: cores anchored to the scene, and what they read round them.

A scene that fits one part is predicted at once. The parts of a larger one depend on its size and on
``predict.block_px``, never on how its arrays are chunked.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from icefront_dask.predict.tiles import round_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Part", "scene_parts"]


class Part(NamedTuple):
    """Rows and columns of a scene that a part answers for, and those that it reads."""

    rows: slice
    columns: slice
    read_rows: slice
    read_columns: slice

    @property
    def core(self) -> tuple[slice, slice]:
        """What the part answers for, within the scene."""
        return self.rows, self.columns

    @property
    def window(self) -> tuple[slice, slice]:
        """What the part reads, within the scene."""
        return self.read_rows, self.read_columns

    @property
    def inner(self) -> tuple[slice, slice]:
        """What the part answers for, within what it reads."""
        rows, columns = (
            slice(core.start - read.start, core.stop - read.start)
            for core, read in zip(self.core, self.window, strict=True)
        )
        return rows, columns

    @property
    def origin(self) -> tuple[int, int]:
        """First row and column that the part reads."""
        return int(self.read_rows.start), int(self.read_columns.start)

    def answers_for(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return ``wanted``, a mask of what the part reads, without what it does not answer for."""
        kept = np.zeros_like(wanted)
        kept[self.inner] = wanted[self.inner]
        return kept


def scene_parts(shape: tuple[int, int], *, block_px: int, reach_px: int, multiple: int = 1) -> list[Part]:
    """Cut a scene into parts of nearly equal size, in row-major order.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the scene.
    block_px : int
        Longest side of a core.
    reach_px : int
        How far beyond its core a part reads, within the scene.
    multiple : int
        First rows and columns of cores are multiples of it, and those of what they read of its part in common
        with ``reach_px``.
    """
    axes = []
    for side in shape:
        count = math.ceil(side / block_px)
        length = round_up(math.ceil(side / count), multiple)
        starts = range(0, side, length)
        axes.append([(start, min(start + length, side)) for start in starts])
    return [
        Part(
            slice(*rows),
            slice(*columns),
            slice(max(rows[0] - reach_px, 0), min(rows[1] + reach_px, shape[0])),
            slice(max(columns[0] - reach_px, 0), min(columns[1] + reach_px, shape[1])),
        )
        for rows, columns in product(*axes)
    ]

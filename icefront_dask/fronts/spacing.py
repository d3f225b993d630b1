"""Vertices at equal distances along a line (NumPy kernel)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["evenly", "resample"]


def resample(xy: Float, step: float = 1.0) -> Float:
    """Return a line with vertices at equal distances of at most `step`, both ends kept."""
    length = _length(xy)
    return _placed(xy, length, int(np.ceil(length[-1] / step)) + 1)


def evenly(xy: Float, count: int) -> Float:
    """Return a line with `count` vertices at equal distances, both ends kept."""
    return _placed(xy, _length(xy), count)


def _length(xy: Float) -> Float:
    return np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])


def _placed(xy: Float, length: Float, count: int) -> Float:
    if length[-1] == 0:
        return xy[:1]
    at = np.linspace(0.0, length[-1], count)
    keep = np.concatenate([[True], np.diff(length) > 0])
    return np.column_stack([np.interp(at, length[keep], xy[keep, axis]) for axis in (0, 1)])

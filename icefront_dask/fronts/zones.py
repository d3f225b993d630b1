"""Fronts from zones: glacier and ocean as bodies, and where they meet; CaFFe's rules by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import ndimage

from icefront_dask.errors import InputError
from icefront_dask.fronts.graph import trace_points
from icefront_dask.fronts.sides import find_sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask.fronts.sides import Sides

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Zones: TypeAlias = npt.NDArray[np.uint8]
    Float: TypeAlias = npt.NDArray[np.float64]
    Flow: TypeAlias = tuple[tuple[float, float], tuple[float, float]]

__all__ = [
    "GLACIER",
    "OCEAN",
    "ROCK",
    "UNKNOWN",
    "caffe_front",
    "caffe_lines",
    "check_zone",
    "zone_level",
    "zone_lines",
    "zone_sides",
]

UNKNOWN, ROCK, GLACIER, OCEAN = 0, 1, 2, 3
CAFFE_LEAST_M = 750.0
GAP_PX = 3  # glacier and ocean meet across so many unknown pixels
_EIGHT = np.ones((3, 3), dtype=bool)


def zone_lines(
    zone: Zones,
    flows: Sequence[Flow] = (),
    *,
    ice: npt.NDArray[np.float32] | None = None,
    elevation_m: npt.NDArray[np.floating] | None = None,
    land_elevation_m: float = 300.0,
    gap_px: int = GAP_PX,
    min_length_px: float = 10.0,
) -> list[Float]:
    """Return the boundary of the glacier and the ocean.

    Glacier is the ice that holds the flowlines' inland ends, ocean the water that holds their seaward ends; all
    other ice and water is berg, nunatak or polynya and makes no front. Without a flowline the largest bodies are
    taken.

    Parameters
    ----------
    zone : (H, W) uint8 ndarray
        0 unknown, 1 rock, 2 glacier, 3 ocean.
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each flowline.
    ice : (H, W) float32 ndarray, optional
        P(ice); the line is its crossing of 0.5 where that lies between a pixel of glacier and one of ocean. Without
        it the line runs half way between the centres of such pixels.
    elevation_m : (H, W) ndarray, optional
        What lies higher than `land_elevation_m` above sea level is no ocean, whatever the zone says; NaN where it
        is not known.
    gap_px : int
        Glacier and ocean meet across so many unknown pixels.
    min_length_px : float
        Shorter pieces are dropped: min(750 m, 0.3 x width of the fjord) in pixels.

    Returns
    -------
    list of (n, 2) float64 ndarray
        x, y of pixels (the centre of pixel [r, c] is (c + 0.5, r + 0.5)), the longest first.

    Raises
    ------
    InputError
        For another shape or other labels.
    """
    check_zone(zone, ice, elevation_m)
    known = np.isin(zone, (GLACIER, OCEAN))
    level = zone_level(zone, ice)
    if elevation_m is not None:
        level = np.where(np.nan_to_num(elevation_m, nan=-np.inf) > land_elevation_m, np.float32(1), level)
    found = zone_sides(level, known, zone != ROCK, flows, gap_px=gap_px)
    lines = [] if found is None else [line for line in found.lines if _length(line) >= min_length_px]
    return sorted(lines, key=_length, reverse=True)


def zone_level(zone: Zones, ice: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
    """Return what zones say of P(ice), 1 on land and glacier and 0 on the ocean, NaN where nothing is known.

    Parameters
    ----------
    zone : (H, W) uint8 ndarray
        0 unknown, 1 rock, 2 glacier, 3 ocean.
    ice : (H, W) float32 ndarray, optional
        P(ice), which tells how far from 0.5 a pixel is, but not on which side.
    """
    level = np.where(zone == OCEAN, np.float32(0), np.float32(1))
    if ice is not None:
        # A probability that contradicts the label would move the boundary to another pixel.
        clear = np.where(zone == OCEAN, np.fmin(ice, np.float32(0.499999)), np.fmax(ice, np.float32(0.500001)))
        level = np.where(np.isfinite(ice) & (zone != ROCK), clear, level)
    return np.where(zone == UNKNOWN, np.float32(np.nan), level).astype(np.float32, copy=False)


def zone_sides(
    level: npt.NDArray[np.float32], known: Mask, domain: Mask, flows: Sequence[Flow], *, gap_px: int = GAP_PX
) -> Sides | None:
    """Return glacier, ocean and where they meet, also across `gap_px` unknown pixels.

    Parameters
    ----------
    level : (H, W) float32 ndarray
        From `zone_level`.
    known, domain : (H, W) bool ndarray
        Pixels of which it is known whether they are glacier or ocean, and where a front may be.
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each flowline.
    """
    filled = _across_gaps(level, known & domain, domain, gap_px)
    return find_sides(filled, np.isfinite(filled), domain, np.empty((0, 2), dtype=np.intp), list(flows), fill_px=0)


def _across_gaps(level: npt.NDArray[np.float32], known: Mask, domain: Mask, gap_px: int) -> npt.NDArray[np.float32]:
    """Give unknown pixels the value of the nearest known one, where a gap of `gap_px` between two would be closed."""
    out = np.where(known, level, np.float32(np.nan))
    if known.all() or not known.any():
        return out
    distance, nearest = ndimage.distance_transform_edt(~known, return_indices=True)
    near = domain & ~known & (distance <= (gap_px + 1) / 2)
    out[near] = level[tuple(nearest)][near]
    return out


def caffe_front(zone: Zones, resolution_m: float, box: tuple[slice, slice] | None = None) -> Mask:
    """Return the front pixels by the rules of the CaFFe benchmark (Gourmelon et al. 2022, essd-14-4287-2022).

    All but the largest component (8 neighbours) of what is not ocean become ocean; all but the largest ocean become
    glacier; front are the ocean pixels with a glacier pixel among their 4 neighbours; pieces (8 neighbours) of at
    most 750 m / resolution pixels are dropped, and what lies outside the box.

    Parameters
    ----------
    zone : (H, W) uint8 ndarray
        0 NA, 1 stone, 2 glacier, 3 ocean.
    resolution_m : float
        Side of a pixel.
    box : (slice, slice), optional
        Rows and columns of the bounding box.

    Returns
    -------
    (H, W) bool ndarray
    """
    check_zone(zone)
    if not resolution_m > 0:
        raise InputError(f"resolution_m is {resolution_m}; it must be a positive number of metres")
    cleaned = zone.copy()
    cleaned[(zone != OCEAN) & ~_largest(zone != OCEAN)] = OCEAN
    ocean = cleaned == OCEAN
    cleaned[ocean & ~_largest(ocean)] = GLACIER
    front = (cleaned == OCEAN) & ndimage.binary_dilation(cleaned == GLACIER)
    labels, count = ndimage.label(front, structure=_EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    front = (sizes > CAFFE_LEAST_M / resolution_m)[labels]
    if box is not None:
        inside = np.zeros_like(front)
        inside[box] = True
        front &= inside
    return front


def caffe_lines(front: Mask) -> list[Float]:
    """Return the longest path through each piece (8 neighbours) of a front mask, x and y of pixels, longest first."""
    labels, count = ndimage.label(front, structure=_EIGHT)
    lines = []
    for number in range(1, count + 1):
        path = trace_points(np.argwhere(labels == number))
        if len(path) > 1:
            lines.append(path[:, ::-1].astype(np.float64) + 0.5)
    return sorted(lines, key=_length, reverse=True)


def check_zone(
    zone: Zones, ice: npt.NDArray[Any] | None = None, elevation_m: npt.NDArray[np.floating[Any]] | None = None
) -> None:
    """Raise an InputError for zones of another shape or with other labels."""
    if zone.ndim != 2 or zone.size == 0:
        raise InputError(f"zone has shape {zone.shape}; zones have two dimensions (y, x) and some pixels")
    if other := sorted(set(np.unique(zone).tolist()) - {UNKNOWN, ROCK, GLACIER, OCEAN}):
        raise InputError(f"zone holds {other[0]}; zones are 0 unknown, 1 rock, 2 glacier, 3 ocean")
    for name, array in (("ice", ice), ("elevation_m", elevation_m)):
        if array is not None and array.shape != zone.shape:
            raise InputError(f"{name} has shape {array.shape}, zone {zone.shape}; they must be of one grid")


def _largest(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask, structure=_EIGHT)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: Mask = labels == sizes.argmax()
    return largest


def _length(line: Float) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())

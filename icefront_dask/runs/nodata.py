"""Where an image that does not say so has no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from rasterio.features import rasterize
from scipy.ndimage import binary_dilation, binary_opening, distance_transform_edt, label, maximum, mean

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

__all__ = ["beyond_the_scene", "without_data"]

_FILL = (-9999, -32768)
_LARGEST = 1e30
_STRIPE_PX = 16
_SOLID_PX, _SOLID_SHARE = 5, 0.005  # of one value: farther from its edge, and more of the image, than ground ever is
_DARKEST = 0.05  # share of the other pixels that may be darker than such a value
_VALUES = 3  # most frequent values of the rim that are looked at
# Pixels along an edge, and how much of them is scene where the scene ends; snow that saturates has an edge, too.
_STRAIGHT, _SHARP = (3, 0.6), (1, 0.9)


def without_data(raw: npt.NDArray[Any]) -> Mask:
    """Return where a band that states no nodata value holds none (H, W).

    These are -9999, -32768, what is not finite or beyond 1e30, and, of 0 and of a very dark or the brightest value that
    fills a solid piece of the rim, what lies beyond the scene (:func:`beyond_the_scene`).
    """
    missing = np.isin(raw, _FILL)
    if raw.dtype.kind == "f":
        missing |= ~np.isfinite(raw) | (np.abs(raw) > _LARGEST)
    values, counts = np.unique(np.concatenate([raw[0], raw[-1], raw[:, 0], raw[:, -1]]), return_counts=True)
    frequent = values[np.argsort(-counts, kind="stable")][:_VALUES]
    missing |= beyond_the_scene(raw == 0)
    for value in frequent[frequent != 0]:
        same = raw == value
        if same.all() or not _solid(same):
            continue
        rest = raw[~(same | missing)]
        if value > rest.max():
            missing |= beyond_the_scene(same, stripes=False, edge=_SHARP)
        elif value < np.quantile(rest, _DARKEST):
            missing |= beyond_the_scene(same, stripes=False)
    return missing


def _solid(mask: Mask) -> bool:
    if mask.mean() < _SOLID_SHARE:
        return False
    return bool(distance_transform_edt(np.pad(mask, _SOLID_PX, mode="edge")).max() > _SOLID_PX)


def beyond_the_scene(fill: Mask, *, stripes: bool = True, edge: tuple[int, float] = _STRAIGHT) -> Mask:
    """Return where a value that may stand for no data does so (H, W).

    What does reaches the rim. It lies outside the convex hull of the rest and follows it closely, as a scene ends in
    straight lines; or it is a stripe of up to 16 px, as those of Landsat 7. All else is ground, such as water
    that a stretch made black.

    Parameters
    ----------
    fill : (H, W) bool ndarray
        Where the image has the value.
    stripes : bool
        Whether it may stand in stripes, too.
    edge : (int, float)
        Pixels along its edge that are looked at, and the share of them that must be scene.
    """
    parts, _ = label(fill)
    rim = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    candidate: Mask = np.isin(parts, rim[rim > 0])
    scene, count = label(binary_opening(~candidate, iterations=2))
    if not candidate.any() or not count:
        return candidate
    hull = _hull(scene == np.bincount(scene[scene > 0]).argmax())
    outside, count = label(candidate & ~hull)
    reach, least = edge
    straight = np.array([_followed(outside == n, candidate, reach) >= least for n in range(1, count + 1)], dtype=bool)
    ends = np.isin(outside, np.flatnonzero(straight) + 1)
    ground = candidate & ~hull & ~ends
    inside, count = label(candidate & hull)
    if not count or not stripes:
        return ends
    pieces = np.arange(1, count + 1)
    width = maximum(distance_transform_edt(inside > 0), inside, pieces)
    beside = maximum(binary_dilation(ground, iterations=2), inside, pieces)
    return ends | np.isin(inside, pieces[(width <= _STRIPE_PX / 2) & (beside == 0)])


def _followed(piece: Mask, candidate: Mask, reach: int) -> float:
    """Return how much of what lies along a piece outside the hull is scene, not more of the same value inside."""
    ring = binary_dilation(piece, np.ones((3, 3), bool), iterations=reach) & ~piece
    return float(mean(~candidate, ring, 1)) if ring.any() else 1.0


def _hull(mask: Mask) -> Mask:
    """Return the pixels whose centres lie in the convex hull of those of a mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    points = np.column_stack([np.concatenate([first, last]), np.concatenate([rows, rows])]) + 0.5
    hull = shapely.MultiPoint(points).convex_hull
    return np.asarray(rasterize([(hull, 1)], mask.shape, dtype="uint8") > 0)

"""CALFIN's choice of fronts as published: walls, components, shape, crops, quality tests and rank.

Cheng et al. 2021, doi:10.5194/tc-15-1663-2021, and their public source. Centres are compared in the coordinates
of the scene; the public source compares those of crops with those of the scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import ndimage
from scipy.signal import find_peaks
from scipy.spatial import KDTree
from scipy.stats import rankdata
from skimage.draw import line as draw_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Image: TypeAlias = npt.NDArray[np.float32]
    Float: TypeAlias = npt.NDArray[np.float64]
    Pixels: TypeAlias = npt.NDArray[np.intp]
    Box: TypeAlias = tuple[slice, slice]

__all__ = [
    "CANVAS_PX",
    "FIRST_SHARE",
    "SECOND_SHARE",
    "TESTS",
    "Quality",
    "borda",
    "components",
    "far_from",
    "off_walls",
    "quality",
    "rasterised",
    "square_crop",
    "wall_threshold",
    "well_shaped",
]

CANVAS_PX = 256
FIRST_SHARE = 0.00025  # least size of a component over the pixels of the image, in the first pass
SECOND_SHARE = 0.0005  # and in the second look
TESTS = ("length", "balance", "edge_confidence", "agreement")

_LEAST_OF_LARGEST = 0.15
_OUTLIER_Z = 2.5
_MIN_BINS = 12
_ENLARGE = 2.5
_APART_PX = CANVAS_PX / 4
_WEIGHTS = (2.0, 2.5, 1.5)  # rank by agreement, length, distance to the crop's centre
_EIGHT = np.ones((3, 3), dtype=bool)
_FIFTEEN = np.ones((15, 15), dtype=bool)


def rasterised(path: Pixels) -> Pixels:
    """Return a path (n, 2) of row and column with its jumps filled by straight lines, each pixel once, in order."""
    pieces = [path[:1]]
    for a, b in zip(path[:-1].tolist(), path[1:].tolist(), strict=True):
        rows, cols = draw_line(*a, *b)
        pieces.append(np.column_stack([rows, cols])[1:])
    whole = np.concatenate(pieces)
    first = np.unique(whole, axis=0, return_index=True)[1]
    return whole[np.sort(first)].astype(np.intp)


def wall_threshold(distance: Float) -> float:
    """Return the distance from the wall up to which pixels of a path count as hugging it.

    The histogram of the distances has max(⌊largest / 2⌋, 12) bins. Bins whose counts are outliers (robust z of at
    least 2.5 by the median absolute deviation, or the mean one where that is 0) hold the pixels along walls. The
    threshold is the lower edge of the bin before the first of bins 2 to 6 whose count is at most the largest that
    is no outlier, unless that edge is 0; else the lower edge of bin 3.

    Parameters
    ----------
    distance : (n,) float64 ndarray
        Of the pixels of a path to the nearest wall pixel, in pixels.
    """
    bins = max(int(distance.max(initial=0.0) // 2), _MIN_BINS)
    counts, edges = np.histogram(distance, bins=bins)
    inlier = counts[~_outliers(counts.astype(np.float64))]
    most = int(inlier.max(initial=0))
    for number in range(2, 7):
        if counts[number] <= most and edges[number - 1] != 0:
            return float(edges[number - 1])
    return float(edges[3])


def _outliers(values: Float) -> Mask:
    away = np.abs(values - np.median(values))
    scale = 1.486 * float(np.median(away)) or 1.253314 * float(away.mean())
    return away >= _OUTLIER_Z * scale if scale > 0 else np.zeros(len(values), dtype=bool)


def off_walls(path: Pixels, fjord: Mask, share: float = FIRST_SHARE) -> Pixels:
    """Return the pixels of a path that do not hug the fjord's walls, its ends at the walls kept.

    Parameters
    ----------
    path : (n, 2) ndarray of intp
        Row and column, without jumps.
    fjord : (H, W) bool ndarray
        Where an ice-ocean boundary can be; without a wall in it the path comes back whole.
    share : float
        As for `components`.
    """
    if fjord.all() or not len(path):
        return path
    distance = ndimage.distance_transform_edt(fjord)[path[:, 0], path[:, 1]]
    threshold = wall_threshold(distance)
    away = path[distance > threshold]
    kept = components(away, fjord.shape, share)
    if not kept:
        return path[:0]
    near = KDTree(np.concatenate(kept)).query(path)[0] <= threshold
    return path[near]


def components(pixels: Pixels, shape: tuple[int, ...], share: float = FIRST_SHARE) -> list[Pixels]:
    """Return the connected pieces (8 neighbours) of a path that are large enough, in the path's order.

    They have at least ``share`` x W x H pixels, and 15 % of the largest piece.
    """
    if not len(pixels):
        return []
    mask = np.zeros(shape, dtype=bool)
    mask[pixels[:, 0], pixels[:, 1]] = True
    labels, count = ndimage.label(mask, structure=_EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    least = max(share * shape[0] * shape[1], _LEAST_OF_LARGEST * sizes.max())
    at = labels[pixels[:, 0], pixels[:, 1]]
    order = sorted(np.flatnonzero(sizes >= least), key=lambda label: -sizes[label])
    return [pixels[at == label] for label in order if sizes[label] > 0]


def well_shaped(path: Pixels, fjord: Mask) -> bool:
    """Return whether a line crosses the fjord rather than running along a wall.

    With the distances to the wall along it: the smallest of the first and of the last 15 % lie on one side of the
    largest between, and that exceeds n / (4 x peaks), peaks being at least max(10, n / 3) pixels apart. Lines of
    fewer than 10 pixels fail; where there is no wall all others pass.
    """
    n = len(path)
    if n < 10:
        return False
    if fjord.all():
        return True
    distance = ndimage.distance_transform_edt(fjord)[path[:, 0], path[:, 1]]
    head, tail = max(int(0.15 * n), 1), max(int(0.85 * n), 2)
    start, middle, end = distance[:head].min(), distance[head:tail].max(), distance[tail:].min()
    peaks = max(len(find_peaks(distance, distance=max(10, n / 3))[0]), 1)
    return bool(np.sign(middle - start) == np.sign(middle - end) and middle > n / (4 * peaks))


def square_crop(pixels: Pixels, shape: tuple[int, ...]) -> Box:
    """Return the square of the image for a second look at a candidate.

    Its side is 2.5 times the longer one of the candidate's box, at least 256 pixels, at most the image's shorter
    side; it is centred on the box as far as the image allows.
    """
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
    side = min(max(math.ceil(_ENLARGE * int((high - low).max())), CANVAS_PX), *shape[:2])
    start = [min(max(round((a + b - side) / 2), 0), n - side) for a, b, n in zip(low, high, shape, strict=False)]
    return slice(start[0], start[0] + side), slice(start[1], start[1] + side)


@dataclass(frozen=True)
class Quality:
    """CALFIN's tests of a predicted crop.

    Attributes
    ----------
    length : float
        Pixels with a front probability above 0.25, over 3; at least 32.
    balance : float
        Pixels of ice over the others; at most 32.
    edge_confidence : float
        2 x mean |0.5 - front| where it exceeds 0.05; at least 0.525.
    mask_confidence : float
        The same of the ice output; told, not tested (the published production run does not enforce it).
    agreement : float
        |mean (ice - 0.5)| in a band of 15 pixels round the front output's ridge in the fjord; at most 0.13. NaN,
        which fails, without such a band.
    """

    length: float
    balance: float
    edge_confidence: float
    mask_confidence: float
    agreement: float

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests that fail, of `TESTS`."""
        passed = {
            "length": self.length >= CANVAS_PX / 8,
            "balance": self.balance <= 32,
            "edge_confidence": self.edge_confidence >= 0.525,
            "agreement": self.agreement <= 0.13,
        }
        return tuple(name for name in TESTS if not passed[name])


def quality(ice: Image, front: Image, fjord: Mask) -> Quality:
    """Return CALFIN's tests of a crop of about 256 x 256 pixels; pixels without a prediction do not count."""
    seen = np.isfinite(ice) & np.isfinite(front)
    land = seen & (ice > 0.5)
    ridge = seen & (front > 0.33)
    # The edge of the image is no wall.
    inner = ndimage.binary_erosion(fjord, _FIFTEEN, border_value=1)
    band = ndimage.binary_dilation(ridge, _FIFTEEN) & inner & seen
    return Quality(
        length=float((seen & (front > 0.25)).sum()) / 3,
        balance=float(land.sum() / ((seen & ~land).sum() + 1)),
        edge_confidence=_decided(front[seen]),
        mask_confidence=_decided(ice[seen]),
        agreement=abs(float(np.mean(ice[band] - 0.5))) if band.any() else math.nan,
    )


def _decided(values: Image) -> float:
    there = values[values > 0.05]
    return 2 * float(np.abs(0.5 - there).mean()) if len(there) else 0.0


def borda(agreement: Sequence[float], length: Sequence[float], off_centre: Sequence[float]) -> list[int]:
    """Return candidates, best first, by the weighted sum of their ranks.

    Ranks are 2.0 x that by agreement (small is good), 2.5 x by length (long) and 1.5 x by the distance from the
    crop's centre (small); equal values share a rank, and of equal sums the first candidate comes first.
    """
    columns = (np.asarray(agreement), -np.asarray(length), np.asarray(off_centre))
    total = np.zeros(len(columns[0]))
    for weight, values in zip(_WEIGHTS, columns, strict=True):
        total += weight * rankdata(np.nan_to_num(values.astype(np.float64), nan=np.inf), method="min")
    return [int(place) for place in np.argsort(total, kind="stable")]


def far_from(centre: Float, taken: Sequence[Float], scale: float = 1.0) -> bool:
    """Return whether a centre lies at least 64 canvas pixels of `scale` scene pixels from all others, in the scene."""
    return all(float(np.hypot(*(centre - other))) >= _APART_PX * scale for other in taken)

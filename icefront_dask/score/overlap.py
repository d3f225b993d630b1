"""The published overlaps of predicted and true areas, and the areas between lines, over NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from scipy.ndimage import binary_dilation

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ClassScores",
    "area_between",
    "box_accuracy",
    "class_scores",
    "front_iou",
    "ice_iou",
    "mean_class_scores",
    "mean_gap",
    "polis",
]

_EPS = 1e-6


def _same_shape(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise InputError(f"predicted {a.shape} and true {b.shape} differ in shape; bring both onto one grid")


def front_iou(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return CALFIN's intersection over union of two fronts, each widened by one pixel to all sides.

    Parameters
    ----------
    predicted, true : array_like (H, W), bool
        One-pixel lines.

    Returns
    -------
    float
        0 … 1; 0 where both are empty (Cheng et al. 2021).
    """
    a, b = np.asarray(predicted, dtype=bool), np.asarray(true, dtype=bool)
    _same_shape(a, b)
    square = np.ones((3, 3), bool)
    a, b = (binary_dilation(line, square) for line in (a, b))
    return float((a & b).sum() / ((a | b).sum() + _EPS))


def ice_iou(probability: ArrayLike, true: ArrayLike) -> float:
    """Return CALFIN's intersection over union of ice: the true mask times the predicted probability.

    The union counts the pixels where both sum to one or more, so an uncertain pixel of the ocean is not in it.

    Parameters
    ----------
    probability : array_like (H, W), float
        P(ice), 0 … 1.
    true : array_like (H, W), bool

    Returns
    -------
    float
    """
    p, mask = np.asarray(probability, dtype=np.float64), np.asarray(true, dtype=np.float64)
    _same_shape(p, mask)
    return float((p * mask).sum() / ((p + mask >= 1).sum() + _EPS))


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall, F1 and IoU of each class, (n,) each; NaN where the class is in neither image."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    iou: NDArray[np.float64]

    def macro(self) -> dict[str, float]:
        """Return the mean of each score over the classes that occur."""
        return {name: _mean(getattr(self, name)) for name in ("precision", "recall", "f1", "iou")}


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def class_scores(predicted: ArrayLike, true: ArrayLike, classes: Sequence[int] = (0, 1, 2, 3)) -> ClassScores:
    """Return the scores of each class of one image, as CaFFe's benchmark does.

    Parameters
    ----------
    predicted, true : array_like (H, W), int
        Classes; CaFFe's are 0 NA, 1 rock, 2 glacier, 3 ocean with mélange.
    classes : sequence of int

    Notes
    -----
    A class that is predicted but absent has precision 0 and no recall, so 0 for F1 and IoU; one that is absent
    from both has none of them.
    """
    p, t = np.asarray(predicted), np.asarray(true)
    _same_shape(p, t)
    both = np.array([((p == c) & (t == c)).sum() for c in classes], dtype=np.float64)
    found = np.array([(p == c).sum() for c in classes], dtype=np.float64)
    there = np.array([(t == c).sum() for c in classes], dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ClassScores(both / found, both / there, 2 * both / (found + there), both / (found + there - both))


def mean_class_scores(images: Sequence[ClassScores]) -> dict[str, float]:
    """Return the mean over images of their macro means (Gourmelon et al. 2022)."""
    each = [image.macro() for image in images]
    return {name: _mean(np.array([one[name] for one in each])) for name in ("precision", "recall", "f1", "iou")}


def box_accuracy(predicted: ArrayLike, true: ArrayLike, box: tuple[int, int, int, int]) -> float:
    """Return GlacierDL's share of right pixels inside the bounding box of the front.

    Parameters
    ----------
    predicted, true : array_like (H, W)
        Classes.
    box : (top, left, bottom, right)
        In pixels; ``bottom`` and ``right`` are outside.

    Raises
    ------
    InputError
        The box holds no pixel of the image.
    """
    p, t = np.asarray(predicted), np.asarray(true)
    _same_shape(p, t)
    top, left, bottom, right = box
    inside = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    if not p[inside].size:
        raise InputError(f"the box {box} holds no pixel of an image of shape {p.shape}")
    return float((p[inside] == t[inside]).mean())


def area_between(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return the area enclosed by two paths and the straight lines between their ends (Z-NN).

    Parameters
    ----------
    predicted, true : array_like (n, 2) and (m, 2)
        Paths in one planar unit; the second is turned round where that joins nearer ends.

    Returns
    -------
    float
        In that unit squared; each patch counts once, on whichever side it lies.
    """
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(true, dtype=np.float64)
    for path, what in ((a, "predicted"), (b, "true")):
        if path.ndim != 2 or path.shape[1] != 2 or len(path) < 2:
            raise InputError(f"the {what} front has shape {path.shape}; a path of two or more points is needed")
    straight = np.hypot(*(a[0] - b[0])) + np.hypot(*(a[-1] - b[-1]))
    crossed = np.hypot(*(a[0] - b[-1])) + np.hypot(*(a[-1] - b[0]))
    other = b if straight <= crossed else b[::-1]
    ring = np.concatenate([a, other[::-1], a[:1]])
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(shapely.LineString(ring))]))
    return float(sum(face.area for face in faces if _winding(ring, face.representative_point()) != 0))


def _winding(ring: NDArray[np.float64], point: shapely.Point) -> int:
    """How often a closed ring goes round a point."""
    turn = np.unwrap(np.arctan2(ring[:, 1] - point.y, ring[:, 0] - point.x))
    return round(float(turn[-1] - turn[0]) / (2 * np.pi))


def mean_gap(predicted: ArrayLike, true: ArrayLike) -> float:
    """Return the area between two fronts over the length of the true one (Zhang et al. 2019)."""
    length = shapely.LineString(np.asarray(true, dtype=np.float64)).length
    if length == 0:
        raise InputError("the true front has no length")
    return area_between(predicted, true) / length


def polis(a: ArrayLike, b: ArrayLike) -> float:
    """Return the PoLiS distance of two paths: vertices of each to the line of the other, averaged both ways.

    Parameters
    ----------
    a, b : array_like (n, 2) and (m, 2)
        Paths in one planar unit, at least two vertices each.

    References
    ----------
    Avbelj et al. (2015), A metric for polygon comparison and building extraction evaluation, IEEE Geosci.
    Remote Sens. Lett. 12, 170.
    """
    one, other = (np.asarray(path, dtype=np.float64) for path in (a, b))
    lines = shapely.LineString(one), shapely.LineString(other)
    there = shapely.distance(shapely.points(one), lines[1])
    back = shapely.distance(shapely.points(other), lines[0])
    return float((there.mean() + back.mean()) / 2)

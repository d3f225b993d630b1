"""Image and line pairs (Mohajerani et al. 2019): reading, side masks, windows at any rotation and scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from scipy.ndimage import affine_transform, distance_transform_edt, gaussian_filter, label

from icefront_dask.errors import InputError
from icefront_dask.models.normalise import seaward
from icefront_dask.train.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from icefront_dask.simulate.fields import Floats

__all__ = ["STYLES", "Pair", "glacier_of", "read_pairs", "restyle", "window"]

BAND_PX = 40  # how far from the line its two sides are known
END_PX = 4  # columns at each end of the line that are not taught
_AWAY_PX = (30.0, 400.0)  # how far from the line the ends of a drawn flowline lie
SCALES = (0.6, 2.5)  # of windows
ANY_TURN_DEG = 180.0
LINE_PX = 3  # pixels at the line that are not taught to the ice output

STYLES = {"plain": 0.3, "inverted": 0.15, "shifted": 0.15, "water": 0.15, "radar": 0.25}
"""Looks that an image is given, and how often; see :func:`restyle`."""

# WRS-2 paths of the three glaciers of the set.
_PATHS = {"sverdrup": range(20, 25), "jakobshavn": range(8, 11), "kangerlussuaq": range(229, 232)}


@dataclass(frozen=True)
class Pair:
    """One image with its line.

    Attributes
    ----------
    name, glacier : str
    image : ndarray (H, W) float32, grey 0 … 255
    ice : ndarray (H, W) float32
        1 below the line (the glacier flows up), 0 above it.
    weight : ndarray (H, W) float32
        1 where the side is known.
    distance : ndarray (H, W) float32
        Distance to the line in pixels.
    ends : ndarray (H, W) float32
        Distance to the nearer end of the line in pixels.
    """

    name: str
    glacier: str
    image: Floats
    ice: Floats
    weight: Floats
    distance: Floats
    ends: Floats


def glacier_of(name: str) -> str:
    """Glacier of a Landsat product name, by its WRS-2 path."""
    path = int(name.split("_")[2][:3])
    for glacier, paths in _PATHS.items():
        if path in paths:
            return glacier
    raise InputError(f"{name}: WRS path {path} is of none of the glaciers {', '.join(_PATHS)}")


def _grey(path: Path) -> NDArray[np.uint8]:
    with rasterio.open(path, driver="PNG") as source:
        return source.read(1)


def _sides(line: NDArray[np.bool_], name: str) -> tuple[Floats, Floats]:
    """Ice and weight of a line that crosses the image from left to right, ocean above it."""
    columns = np.flatnonzero(line.any(axis=0))
    first, last = columns[0] + END_PX, columns[-1] - END_PX
    free = ~line[:, first : last + 1]
    labels, _ = label(free)
    above, below = labels[0][labels[0] > 0], labels[-1][labels[-1] > 0]
    ocean = np.isin(labels, np.unique(above))
    ice = np.isin(labels, np.unique(below))
    if np.any(ocean & ice):
        raise InputError(f"{name}: the line does not separate the image; close its gaps or leave the pair out")
    distance = distance_transform_edt(~line)
    weight = np.zeros(line.shape, np.float32)
    weight[:, first : last + 1] = ocean | ice
    weight[(distance > BAND_PX) | (distance < LINE_PX)] = 0
    full = np.zeros(line.shape, np.float32)
    full[:, first : last + 1] = ice
    return full, weight


def read_pairs(folder: Path, glaciers: tuple[str, ...] | None = None) -> list[Pair]:
    """Read ``images/*_Subset.png`` with ``labels_1px/*_Front.png``.

    Parameters
    ----------
    folder : Path
    glaciers : tuple of str, optional
        Only these.

    Raises
    ------
    InputError
        No pair, a label without an image or an image without a label, another size, an empty label, a line that
        separates nothing.
    """
    pairs = []
    lonely = sorted(
        path.name
        for path in (folder / "images").glob("*_Subset.png")
        if not (folder / "labels_1px" / f"{path.stem.removesuffix('_Subset')}_Front.png").exists()
    )
    if lonely:
        raise InputError(
            f"{folder / 'images'}: {len(lonely)} image(s) without a label in labels_1px: {lonely[0]}; draw one or "
            "take the image out"
        )
    for path in sorted((folder / "labels_1px").glob("*_Front.png")):
        name = path.stem.removesuffix("_Front")
        glacier = glacier_of(name)
        if glaciers is not None and glacier not in glaciers:
            continue
        source = folder / "images" / f"{name}_Subset.png"
        if not source.exists():
            raise InputError(f"label {path.name} has no image {source.name} beside it in {folder / 'images'}")
        image, line = _grey(source).astype(np.float32), _grey(path) < 128
        if image.shape != line.shape:
            raise InputError(f"{name}: image {image.shape} and label {line.shape} differ in size")
        if not line.any():
            raise InputError(f"{path.name} holds no line")
        ice, weight = _sides(line, name)
        rows, cols = np.nonzero(line)
        ends = np.ones(line.shape, bool)
        for i in (int(np.argmin(cols)), int(np.argmax(cols))):
            ends[rows[i], cols[i]] = False
        pairs.append(
            Pair(
                name,
                glacier,
                image,
                ice,
                weight,
                distance_transform_edt(~line).astype(np.float32),
                distance_transform_edt(ends).astype(np.float32),
            )
        )
    if not pairs:
        raise InputError(f"no pair of images/*_Subset.png and labels_1px/*_Front.png in {folder}")
    return pairs


def window(
    pair: Pair,
    rng: np.random.Generator,
    size: int,
    image: Floats | None = None,
    scales: tuple[float, float] = SCALES,
    turn_deg: float = ANY_TURN_DEG,
) -> Sample:
    """Cut a window at a random rotation, mirror and scale; what lies outside the image is nodata.

    With less than 180° the glacier flows up or down, and up to so far from that.
    """
    scale = float(np.exp(rng.uniform(*np.log(scales))))
    angle = rng.uniform(0, 2 * np.pi)
    if turn_deg < ANY_TURN_DEG:
        angle = np.pi * float(rng.integers(2)) + np.radians(turn_deg) * (angle / np.pi - 1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([1, -1])
    matrix = turn / scale
    near = np.argwhere(pair.distance < 1)
    centre = near[int(rng.integers(len(near)))] + rng.uniform(-0.3, 0.3, 2) * size / scale
    offset = centre - matrix @ (np.array([size, size]) / 2)

    def warp(a: Floats, order: int, fill: float) -> Floats:
        return affine_transform(
            a, matrix, offset, (size, size), order=order, cval=fill, output=np.float32, prefilter=False
        )

    inside = warp(np.ones_like(pair.ice), 0, 0.0) > 0
    primary = warp(pair.image if image is None else image, 1, 0.0)
    primary[~inside] = np.nan
    distance = warp(pair.distance, 1, 1e3) * scale
    ends = warp(pair.ends, 1, 1e3) * scale
    front = (distance <= 1.5).astype(np.float32)
    # Beside its ends the line may go on unlabelled.
    unsure = (ends < 10) & (front == 0)
    return Sample(
        primary,
        None,
        warp(pair.ice, 0, 0.0),
        front,
        warp(pair.weight, 0, 0.0) * inside * (distance > 1.5),
        (inside & ~unsure).astype(np.float32),
        _way(pair, rng.spawn(1)[0], matrix, offset, size),
    )


def _way(pair: Pair, rng: np.random.Generator, matrix: Floats, offset: Floats, size: int) -> Floats:
    """Draw the way to the sea in a window, from ends of a flowline somewhere below and above the middle of the line."""
    middle = np.argwhere(pair.distance < 1).mean(axis=0)
    ends = []
    for sign in (1, -1):
        away = float(np.exp(rng.uniform(*np.log(_AWAY_PX))))
        place = middle + np.array([sign * away, rng.normal(0, 0.3) * away])
        ends.append(tuple(np.linalg.solve(matrix, place - offset)))
    return seaward((size, size), [(ends[0], ends[1])])


def restyle(pair: Pair, rng: np.random.Generator, styles: Mapping[str, float] = STYLES) -> Floats:
    """Give the image another ocean or another sensor's looks, so that brightness alone tells nothing.

    One of: as it is; inverted; the ocean shifted to another tone; the ocean as water; all of it in the
    manner of SAR (monotone map of the high-passed image, class means, cliff line, speckle); with their shares.
    """
    image = (pair.image - pair.image.mean()) / (pair.image.std() + 1e-6)
    total = sum(styles.values())
    style = rng.choice(list(styles), p=[share / total for share in styles.values()])
    if style == "plain":
        return image.astype(np.float32)
    if style == "inverted":
        return (-image).astype(np.float32)
    rows = np.arange(image.shape[0])[:, None]
    columns = np.flatnonzero((pair.distance < 1).any(axis=0))
    nearest = np.argmin(pair.distance, axis=0)[None, :]
    within = np.zeros(image.shape[1], np.float32)
    within[columns[0] : columns[-1] + 1] = 1
    ocean = np.where(pair.weight > 0, pair.ice == 0, rows < nearest) * within[None, :]
    ocean = gaussian_filter(ocean.astype(np.float32), (0.6, 0.6))
    noise = rng.standard_normal(image.shape).astype(np.float32)
    if style == "shifted":
        return (image + ocean * rng.uniform(-3, 0.5)).astype(np.float32)
    if style == "water":
        water = rng.uniform(-2.5, 2.5) + 0.15 * gaussian_filter(noise, 2) * 4 + 0.05 * noise
        keep = rng.uniform(0, 0.4)
        return ((1 - ocean) * image + ocean * (water + keep * image)).astype(np.float32)
    detail = image - gaussian_filter(image, rng.uniform(4, 12))
    detail = np.sign(detail) * np.abs(detail / (detail.std() + 1e-6)) ** rng.uniform(0.6, 1.4)
    db = rng.uniform(1, 3) * detail * rng.choice([-1, 1])
    db = db + ocean * rng.normal(0, 3) + rng.uniform(0, 1.5) * gaussian_filter(image, 10)
    line = np.clip(1 - np.abs(pair.distance - rng.uniform(0, 1)) / rng.uniform(0.8, 2.5), 0, 1)
    db = db + line * (rng.uniform(1, 9) if rng.random() < 0.7 else rng.uniform(-5, 1))
    looks = float(np.exp(rng.uniform(np.log(3), np.log(30))))
    speckle = 10 * np.log10(np.maximum(rng.standard_gamma(looks, image.shape) / looks, 1e-3))
    return (db + gaussian_filter(speckle, rng.uniform(0, 0.6))).astype(np.float32)

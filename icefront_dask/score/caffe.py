"""The layout ``caffe``: the benchmark of Gourmelon et al. (2022), as published (PANGAEA 940950).

``sar_images/SPLIT/NAME.png``, ``zones/SPLIT/NAME_zones.png``, ``fronts/SPLIT/NAME_front.png`` (255 on the front)
and ``bounding_boxes/NAME*.txt``, in the folder itself or in its ``data_raw``; NAME is
``GLACIER_DATE_SENSOR_RESOLUTION_QUALITY_ORBIT``. A folder with a split ``test`` is read as that, the official one.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import numpy as np
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score.dataset import Sample
from icefront_dask.score.distances import pixel_path
from icefront_dask.score.files import existing_folder, open_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CLASSES", "caffe_files", "describe", "read_bounding_box", "read_caffe", "read_zones", "zones_of"]

CLASSES = {"na": 0, "rock": 1, "glacier": 2, "ocean": 3}
_GREY = {0: 0, 64: 1, 127: 2, 254: 3}
_NAME = re.compile(
    r"^(?P<glacier>[A-Za-z]+)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<sensor>[A-Za-z0-9]+)_(?P<resolution>\d+)_"
    r"(?P<quality>\d)_(?P<orbit>\w+)$"
)
_NORTH = {"COL", "JAC"}


def describe(name: str) -> dict[str, str]:
    """Return glacier, date, sensor, resolution (m), quality, orbit and season of an image's name.

    Winter is from September to March for the northern glaciers and from April to August for the southern
    ones, as in the benchmark.

    Raises
    ------
    InputError
        The name is not of the published form, or its date is none.
    """
    found = _NAME.match(name)
    if found is None:
        raise InputError(f"{name}: not a CaFFe name, GLACIER_YYYY-MM-DD_SENSOR_RESOLUTION_QUALITY_ORBIT")
    parts = found.groupdict()
    try:
        month = dt.date.fromisoformat(parts["date"]).month
    except ValueError as error:
        raise InputError(f"{name}: {parts['date']} is no date") from error
    dark = month < 4 or month > 8
    return {**parts, "season": "winter" if dark is (parts["glacier"] in _NORTH) else "summer"}


def _root(folder: Path, split: str | None = None) -> tuple[Path, str]:
    root = folder / "data_raw" if (folder / "data_raw").is_dir() else folder
    images = existing_folder(root / "sar_images")
    splits = sorted(path.name for path in images.iterdir() if path.is_dir())
    if not splits:
        return root, ""
    if split is not None:
        if split not in splits:
            raise InputError(f"{images}: no split {split!r}; there are: {', '.join(splits)}")
        return root, split
    return root, "test" if "test" in splits else splits[0]


def caffe_files(folder: Path, split: str | None = None) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and front labels of a split by name; by default of the test's."""
    root, split = _root(folder, split)
    images = {file.stem: file for file in sorted((root / "sar_images" / split).glob("*.png"))}
    fronts = existing_folder(root / "fronts" / split)
    return images, {file.stem.removesuffix("_front"): file for file in sorted(fronts.glob("*.png"))}


def read_bounding_box(file: Path) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of a box; ``bottom`` and ``right`` are outside.

    The file has a header and the corners left upper, left lower, right lower, right upper as ``x, y``, where
    "upper" has the greater y.

    Raises
    ------
    InputError
        The file has another form, or the box is empty.
    """
    lines = [line for line in file.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
    try:
        corners = [tuple(int(float(part)) for part in line.split(",")) for line in lines[:4]]
        (left, bottom), _, (right, top), _ = corners
    except ValueError as error:
        raise InputError(f"{file}: not a bounding box; expected a header and four lines of x, y") from error
    if top >= bottom or left >= right:
        raise InputError(f"{file}: the box from ({left}, {top}) to ({right}, {bottom}) is empty")
    return top, left, bottom, right


def zones_of(image: Path) -> Path:
    """Return where the zones of an image lie."""
    return image.parents[2] / "zones" / image.parent.name / f"{image.stem}_zones.png"


def read_zones(file: Path) -> NDArray[np.uint8]:
    """Return the classes (H, W) of a zones image: 0 NA, 1 rock, 2 glacier, 3 ocean with mélange.

    Raises
    ------
    InputError
        For grey values other than 0, 64, 127, 254.
    """
    with open_image(file) as source:
        grey = source.read(1)
    if odd := sorted(set(np.unique(grey).tolist()) - set(_GREY)):
        raise InputError(f"{file}: grey value {odd[0]} is no zone; zones are {', '.join(map(str, _GREY))}")
    table = np.zeros(256, np.uint8)
    for value, zone in _GREY.items():
        table[value] = zone
    return table[grey]


def read_caffe(folder: Path, images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[Sample]:
    """Return the samples of the benchmark's folder; for errors see ``layouts.read_dataset``."""
    root, _ = _root(folder)
    samples = []
    for name, image in images.items():
        attributes = describe(name)
        with open_image(image) as source:
            shape = source.shape
        with open_image(labels[name]) as source:
            grey = source.read(1)
        if grey.shape != shape:
            raise InputError(f"{labels[name]}: the label has {grey.shape} px, its image {shape}; they must be equal")
        rows, cols = np.nonzero(grey > 127)
        if rows.size < 2:
            raise InputError(f"{labels[name]}: the label has no front; leave the image out")
        boxes = sorted((root / "bounding_boxes").glob(f"{name}*.txt"))
        if not boxes:
            raise InputError(f"{root / 'bounding_boxes'}: no box for {name}; the benchmark scores inside it")
        pixels = np.asarray(np.column_stack([cols, rows]) + 0.5, dtype=np.float64)
        samples.append(
            Sample(
                name,
                attributes["glacier"],
                image,
                labels[name],
                shape,
                shapely.LineString(pixel_path(pixels)),
                pixels,
                pixel_m=float(attributes["resolution"]),
                box=read_bounding_box(boxes[0]),
                attributes={key: attributes[key] for key in ("glacier", "sensor", "season", "resolution")},
            )
        )
    return samples

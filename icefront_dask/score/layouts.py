"""Sets of images with their true fronts: the layouts ``scenes`` and ``pairs``.

``scenes``: ``NAME.tif`` beside ``NAME.geojson``, the true front as (multi-)line strings in EPSG:4326 (the
GeoJSON standard) or in the file's own ``crs`` member; of a tif without a georeference, in pixels x, y.
``pairs``: a folder ``images`` with ``NAME_Subset.png`` and a folder ``labels_1px`` (or ``labels``) with
``NAME_Front.png``, the front drawn black on white. Everything here works in *pixel coordinates*: x to the
right and y down from the image's corner, so that the pixel at row r and column c has its centre at (c + 0.5,
r + 0.5).
"""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from icefront_dask.errors import InputError
from icefront_dask.score.distances import pixel_path
from icefront_dask.score.groups import glacier_groups
from icefront_dask.score.lines import apply_affine, features, local_metres, read_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from affine import Affine
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

__all__ = [
    "LAYOUTS",
    "Dataset",
    "Sample",
    "read_dataset",
    "read_pairs",
    "read_scenes",
    "unlabelled_images",
]

LAYOUTS = ("pairs", "scenes")


@dataclass(frozen=True)
class Sample:
    """An image with its true front.

    Attributes
    ----------
    name : str
        Unique in its data set; the stem of the files that are written for it.
    group : str
        What its errors are clustered by: the glacier.
    image, label : Path
        The files.
    shape : tuple of int
        Rows and columns.
    truth : shapely geometry
        The true front, LineString or MultiLineString in pixel coordinates.
    true_pixels : ndarray, shape (n, 2), or None
        The front's pixels (centres) where the label is an image; None where it is a line.
    transform, crs : Affine and str, or None
        The georeference of the image, None where it has none.
    """

    name: str
    group: str
    image: Path
    label: Path
    shape: tuple[int, int]
    truth: BaseGeometry
    true_pixels: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    transform: Affine | None = None
    crs: str | None = None

    def read(self) -> NDArray[np.float32]:
        """Return the image, float32 (bands, rows, columns); NaN where nodata. An alpha band is left out."""
        with _open(self.image) as source:
            bands = [i for i, meaning in enumerate(source.colorinterp, 1) if meaning.name != "alpha"]
            data = source.read(bands, masked=source.nodata is not None)
        return np.ma.filled(data.astype(np.float32), np.nan)

    def to_ground(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return pixel coordinates in metres on the ground, or None without a georeference.

        The plane is an azimuthal equidistant projection about the centre of the true front, in which
        distances within 100 km of it are true to 1:10 000, whatever the image's own projection and pixel
        shape are.
        """
        if self.crs is None or self.transform is None:
            return None
        centre = apply_affine(self.transform, np.array([[self.truth.centroid.x, self.truth.centroid.y]]))
        return local_metres(apply_affine(self.transform, points), self.crs, centre[0])


@dataclass(frozen=True)
class Dataset:
    """The samples of a folder, in the order of their names."""

    name: str
    layout: str
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)


def read_dataset(path: str | Path, layout: str, *, unlabelled: Literal["raise", "skip"] = "raise") -> Dataset:
    """Read a folder of one of the known layouts.

    Parameters
    ----------
    path : path
        The folder.
    layout : {"pairs", "scenes"}
        Which.
    unlabelled : {"raise", "skip"}
        Whether an image without a label is an error, or is passed over (see :func:`unlabelled_images`).

    Raises
    ------
    InputError
        For an unknown layout, a folder that is missing or empty, labels without images or images without
        labels, sizes that differ, or a label with no front.
    """
    if layout not in LAYOUTS:
        raise InputError(f"unknown layout {layout!r}; known: {', '.join(LAYOUTS)}")
    skip = tuple(unlabelled_images(path, layout)) if unlabelled == "skip" else ()
    return (read_pairs if layout == "pairs" else read_scenes)(path, skip)


def unlabelled_images(path: str | Path, layout: str) -> dict[str, Path]:
    """Return the images of a folder that have no label, by name; for errors see :func:`read_dataset`."""
    if layout not in LAYOUTS:
        raise InputError(f"unknown layout {layout!r}; known: {', '.join(LAYOUTS)}")
    images, labels = (_pair_files if layout == "pairs" else _scene_files)(_folder(path))
    if not images:
        raise InputError(f"{path}: no images in layout {layout}")
    return {name: file for name, file in images.items() if name not in labels}


def read_scenes(path: str | Path, skip: Sequence[str] = ()) -> Dataset:
    """Read a folder of ``NAME.tif`` beside ``NAME.geojson``; the errors are those of :func:`read_dataset`.

    The group of a scene is the property ``glacier`` or ``region`` of its first feature, else its own name.
    """
    folder = _folder(path)
    images, labels = _scene_files(folder)
    images = {name: file for name, file in images.items() if name not in skip}
    if skip and not images:
        return Dataset(folder.name, "scenes", ())
    _matched(images, labels, folder, "scenes: NAME.tif beside NAME.geojson")
    samples = []
    for name, image in images.items():
        with _open(image) as source:
            shape, transform, crs = source.shape, source.transform, source.crs
        crs = None if crs is None else crs.to_string()
        transform = None if crs is None else transform
        truth = read_line(labels[name], transform, crs)
        if truth.is_empty:
            raise InputError(f"{labels[name]}: the label has no front; draw one or leave the scene out")
        if not truth.intersects(shapely.box(0, 0, shape[1], shape[0])):
            wanted = "pixels x, y, as its tif has no georeference" if crs is None else "EPSG:4326 or its crs member"
            raise InputError(f"{labels[name]}: the front lies outside {image.name}; coordinates are read as {wanted}")
        properties = features(labels[name])[0].get("properties") or {}
        group = str(properties.get("glacier") or properties.get("region") or name)
        samples.append(Sample(name, group, image, labels[name], shape, truth, None, transform, crs))
    return Dataset(folder.name, "scenes", tuple(samples))


def read_pairs(path: str | Path, skip: Sequence[str] = ()) -> Dataset:
    """Read ``images/*_Subset.png`` with ``labels_1px/*_Front.png``; for errors see :func:`read_dataset`.

    Scenes of neighbouring WRS-2 paths, as their Landsat names tell, form a group: they show the same glacier.
    """
    folder = _folder(path)
    images, labels = _pair_files(folder)
    images = {name: file for name, file in images.items() if name not in skip}
    if skip and not images:
        return Dataset(folder.name, "pairs", ())
    _matched(images, labels, folder, "pairs: images/NAME_Subset.png with labels_1px/NAME_Front.png")
    groups = glacier_groups(images)
    samples = []
    for name, image in images.items():
        with _open(image) as source:
            shape = source.shape
        with _open(labels[name]) as source:
            grey = source.read(1)
        if grey.shape != shape:
            raise InputError(
                f"{labels[name]}: the label has {grey.shape[0]} × {grey.shape[1]} px, "
                f"its image {shape[0]} × {shape[1]}; they must be equal"
            )
        rows, cols = np.nonzero(grey < 128)
        if rows.size < 2:
            raise InputError(f"{labels[name]}: the label has no front (no black line); draw one or leave the pair out")
        if rows.size > grey.size // 2:
            raise InputError(f"{labels[name]}: most of the label is black; the front must be a black line on white")
        pixels = np.asarray(np.column_stack([cols, rows]) + 0.5, dtype=np.float64)
        truth = shapely.LineString(pixel_path(pixels))
        samples.append(Sample(name, groups[name], image, labels[name], shape, truth, pixels))
    return Dataset(folder.name, "pairs", tuple(samples))


def _scene_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    images = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in {".tif", ".tiff"}}
    return images, {file.stem: file for file in sorted(folder.glob("*.geojson"))}


def _pair_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    label_folder = next((folder / n for n in ("labels_1px", "labels") if (folder / n).is_dir()), folder / "labels_1px")
    return _by_stem(_folder(folder / "images"), "_Subset"), _by_stem(_folder(label_folder), "_Front")


def _folder(path: str | Path) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of the data set and its --layout")
    return folder


def _by_stem(folder: Path, ending: str) -> dict[str, Path]:
    files = sorted(folder.glob("*.png"))
    stems = {file: file.stem.removesuffix(ending) for file in files}
    if double := [name for name, n in Counter(stems.values()).items() if n > 1]:
        raise InputError(f"{folder}: {double[0]} occurs twice, with and without {ending}; keep one")
    return {stem: file for file, stem in stems.items()}


def _matched(images: dict[str, Path], labels: dict[str, Path], folder: Path, layout: str) -> None:
    if not images and not labels:
        raise InputError(f"{folder}: nothing in layout {layout}")
    for lonely, what, other in (
        (set(labels) - set(images), "label", "image"),
        (set(images) - set(labels), "image", "label"),
    ):
        if lonely:
            first = sorted(lonely)
            shown = ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")
            raise InputError(f"{folder}: {len(first)} {what}(s) without {other}: {shown}; layout {layout}")


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    driver = "PNG" if file.suffix.lower() == ".png" else "GTiff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(file, driver=driver) as source:
                yield source
    except RasterioIOError as error:
        raise InputError(f"{file}: cannot be read as {driver} ({error})") from error

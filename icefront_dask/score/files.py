"""Files of a data set: found, matched and opened, with errors that name them."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from icefront_dask.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["by_stem", "existing_folder", "matched", "open_image"]


def existing_folder(path: str | Path) -> Path:
    """Return a folder, which must exist."""
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder of the data set and its --layout")
    return folder


def by_stem(folder: Path, ending: str) -> dict[str, Path]:
    """Return the PNG files of a folder by their names without an ending; a name must not occur twice."""
    files = sorted(folder.glob("*.png"))
    stems = {file: file.stem.removesuffix(ending) for file in files}
    if double := [name for name, n in Counter(stems.values()).items() if n > 1]:
        raise InputError(f"{folder}: {double[0]} occurs twice, with and without {ending}; keep one")
    return {stem: file for file, stem in stems.items()}


def matched(images: Mapping[str, Path], labels: Mapping[str, Path], folder: Path, layout: str) -> None:
    """Raise where an image has no label, or a label no image."""
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
def open_image(file: Path) -> Iterator[Any]:
    """Open a PNG or GeoTIFF by its ending, as nothing else."""
    driver = "PNG" if file.suffix.lower() == ".png" else "GTiff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(file, driver=driver) as source:
                yield source
    except RasterioIOError as error:
        raise InputError(f"{file}: cannot be read as {driver} ({error})") from error

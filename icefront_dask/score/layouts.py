"""Sets of images with their true fronts, by layout.

Everything works in *pixel coordinates*: x to the right and y down from the image's corner, so that the pixel at
row r and column c has its centre at (c + 0.5, r + 0.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from icefront_dask.errors import InputError
from icefront_dask.score.caffe import caffe_files, read_caffe
from icefront_dask.score.calfin import calfin_files, read_calfin
from icefront_dask.score.files import existing_folder
from icefront_dask.score.pairs import pair_files, read_pairs
from icefront_dask.score.scenes import read_scenes, scene_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from icefront_dask.score.dataset import Dataset

__all__ = ["LAYOUTS", "read_dataset", "unlabelled_images"]


class _Layout(NamedTuple):
    files: Callable[[Path], tuple[dict[str, Path], dict[str, Path]]]
    read: Callable[[Path, Sequence[str]], Dataset]


_BY_NAME = {
    "pairs": _Layout(pair_files, read_pairs),
    "scenes": _Layout(scene_files, read_scenes),
    "caffe": _Layout(caffe_files, read_caffe),
    "calfin": _Layout(calfin_files, read_calfin),
}
LAYOUTS = tuple(_BY_NAME)


def _layout(name: str) -> _Layout:
    if name not in _BY_NAME:
        raise InputError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    return _BY_NAME[name]


def read_dataset(path: str | Path, layout: str, *, unlabelled: Literal["raise", "skip"] = "raise") -> Dataset:
    """Read a folder of one of the known layouts.

    Parameters
    ----------
    path : path
        The folder.
    layout : {"pairs", "scenes", "caffe", "calfin"}
        Which; see the modules of these names.
    unlabelled : {"raise", "skip"}
        Whether an image without a label is an error, or is passed over (see :func:`unlabelled_images`).

    Raises
    ------
    InputError
        For an unknown layout, a folder that is missing or empty, labels without images or images without
        labels, sizes that differ, or a label with no front.
    """
    found = _layout(layout)
    skip = tuple(unlabelled_images(path, layout)) if unlabelled == "skip" else ()
    return found.read(existing_folder(path), skip)


def unlabelled_images(path: str | Path, layout: str) -> dict[str, Path]:
    """Return the images of a folder that have no label, by name; for errors see :func:`read_dataset`."""
    images, labels = _layout(layout).files(existing_folder(path))
    if not images:
        raise InputError(f"{path}: no images in layout {layout}")
    return {name: file for name, file in images.items() if name not in labels}

"""Sets of images with their true fronts, by layout.

Everything works in *pixel coordinates*: x to the right and y down from the image's corner, so that the pixel at
row r and column c has its centre at (c + 0.5, r + 0.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from icefront_dask.errors import InputError
from icefront_dask.score.caffe import caffe_files, read_caffe
from icefront_dask.score.calfin import calfin_files, read_calfin
from icefront_dask.score.dataset import Dataset
from icefront_dask.score.files import existing_folder, matched
from icefront_dask.score.guides import Guide, pair_guide, scene_guide
from icefront_dask.score.pairs import pair_files, read_pairs
from icefront_dask.score.scenes import read_scenes, scene_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from icefront_dask.score.dataset import Sample

__all__ = ["LAYOUTS", "guide_of", "read_dataset", "unlabelled_images"]


class _Layout(NamedTuple):
    form: str
    files: Callable[[Path], tuple[dict[str, Path], dict[str, Path]]]
    read: Callable[[Path, Mapping[str, Path], Mapping[str, Path]], list[Sample]]
    guide: Callable[[str, Path], Guide] = lambda _name, _image: Guide()


_BY_NAME = {
    "pairs": _Layout(
        "images/NAME_Subset.png with labels_1px/NAME_Front.png",
        pair_files,
        lambda _, *files: read_pairs(*files),
        pair_guide,
    ),
    "scenes": _Layout("NAME.tif beside NAME.geojson", scene_files, lambda _, *files: read_scenes(*files), scene_guide),
    "caffe": _Layout("sar_images/SPLIT/NAME.png with fronts/SPLIT/NAME_front.png", caffe_files, read_caffe),
    "calfin": _Layout("NAME.png with NAME_mask.png", calfin_files, read_calfin),
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
    folder = existing_folder(path)
    images, labels = found.files(folder)
    if unlabelled == "skip":
        lonely = _unlabelled(images, labels, path, layout)
        images = {name: file for name, file in images.items() if name not in lonely}
        if not images:
            return Dataset(folder.name, layout, ())
    matched(images, labels, folder, f"{layout}: {found.form}")
    return Dataset(folder.name, layout, tuple(found.read(folder, images, labels)))


def unlabelled_images(path: str | Path, layout: str) -> dict[str, Path]:
    """Return the images of a folder that have no label, by name; for errors see :func:`read_dataset`."""
    images, labels = _layout(layout).files(existing_folder(path))
    return _unlabelled(images, labels, path, layout)


def guide_of(layout: str, name: str, image: Path) -> Guide:
    """Return where a front can be and which way the sea is in an image, as far as the layout tells."""
    return _layout(layout).guide(name, image)


def _unlabelled(
    images: Mapping[str, Path], labels: Mapping[str, Path], path: str | Path, layout: str
) -> dict[str, Path]:
    if not images:
        raise InputError(f"{path}: no images in layout {layout}")
    return {name: file for name, file in images.items() if name not in labels}

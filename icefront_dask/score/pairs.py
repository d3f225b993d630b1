"""The layout ``pairs``: ``images/NAME_Subset.png`` with ``labels_1px/NAME_Front.png``, the front black on white.

The images are turned so that the glacier flows up. Without a folder of labels no image has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from icefront_dask.errors import InputError
from icefront_dask.score.dataset import Sample
from icefront_dask.score.distances import pixel_path
from icefront_dask.score.files import by_stem, existing_folder, open_image
from icefront_dask.score.groups import glacier_groups
from icefront_dask.score.guides import pair_guide

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["pair_files", "read_pairs"]


def pair_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and labels by name."""
    images = by_stem(existing_folder(folder / "images"), "_Subset")
    label_folder = next((folder / n for n in ("labels_1px", "labels") if (folder / n).is_dir()), None)
    return images, {} if label_folder is None else by_stem(label_folder, "_Front")


def read_pairs(images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[Sample]:
    """Return the samples of images with labels of one pixel; for errors see ``layouts.read_dataset``.

    Scenes of neighbouring WRS-2 paths, as their Landsat names tell, form a group: they show the same glacier.
    """
    groups = glacier_groups(images)
    samples = []
    for name, image in images.items():
        with open_image(image) as source:
            shape = source.shape
        with open_image(labels[name]) as source:
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
        flowlines = pair_guide(name, image).flowlines
        samples.append(Sample(name, groups[name], image, labels[name], shape, truth, pixels, flowlines=flowlines))
    return samples

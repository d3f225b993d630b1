"""The layout ``scenes``: ``NAME.tif`` beside ``NAME.geojson``.

The true front is a line or several in EPSG:4326 (the GeoJSON standard) or in the file's own ``crs`` member; of
a tif without a georeference, in pixels x, y. Beside it may lie what guides a prediction, see
`icefront_dask.score.guides.scene_guide`, and ``NAME_ice.png``, white on land and ice, which says where the sea is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from icefront_dask.errors import InputError
from icefront_dask.score.dataset import Sample
from icefront_dask.score.files import open_image
from icefront_dask.score.guides import is_guide, scene_guide
from icefront_dask.score.lines import features, read_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_scenes", "scene_files"]


def scene_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and labels by name."""
    images = {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in {".tif", ".tiff"}}
    labels = {file.stem: file for file in sorted(folder.glob("*.geojson"))}
    return images, {name: file for name, file in labels.items() if name in images or not is_guide(file)}


def read_scenes(images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[Sample]:
    """Return the samples of ``NAME.tif`` beside ``NAME.geojson``; for errors see ``layouts.read_dataset``.

    The group of a scene is the property ``glacier`` or ``region`` of its first feature, else its own name.
    """
    samples = []
    for name, image in images.items():
        with open_image(image) as source:
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
        fjord, flowlines = scene_guide(name, image)
        samples.append(
            Sample(
                name, group, image, labels[name], shape, truth, None, transform, crs, fjord=fjord, flowlines=flowlines
            )
        )
    return samples

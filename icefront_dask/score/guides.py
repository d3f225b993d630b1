"""What a data set says of where a front can be and which way the sea is, besides the front itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely
from rasterio.features import rasterize

from icefront_dask.errors import InputError
from icefront_dask.score.files import open_image
from icefront_dask.score.lines import read_areas, read_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Guide", "fjord_mask", "is_guide", "pair_guide", "scene_guide"]

_FJORD, _FLOWLINES = "fjord", "flowlines"


class Guide(NamedTuple):
    """What is known of an image.

    Attributes
    ----------
    fjord : Path or None
        Image that is white where a front can be, or GeoJSON of polygons.
    flowlines : tuple of LineString
        From inland to the sea, in pixels x, y of the image.
    """

    fjord: Path | None = None
    flowlines: tuple[shapely.LineString, ...] = ()


def scene_guide(name: str, image: Path) -> Guide:
    """Return the guide of a scene of the layout ``scenes``.

    ``NAME_fjord.geojson`` (polygons) and ``NAME_flowlines.geojson`` beside it, else ``fjord.geojson`` and
    ``flowlines.geojson``, which are those of all scenes of the folder; in EPSG:4326, the file's own ``crs`` member, or
    pixels x, y as the front itself.

    Raises
    ------
    InputError
        A file cannot be read, or holds other geometries.
    """
    fjord, flowlines = _beside(name, image, _FJORD), _beside(name, image, _FLOWLINES)
    if flowlines is None:
        return Guide(fjord)
    with open_image(image) as source:
        crs = None if source.crs is None else source.crs.to_string()
        lines = read_line(flowlines, None if crs is None else source.transform, crs)
    return Guide(fjord, tuple(part for part in shapely.get_parts(lines) if not part.is_empty))


def is_guide(file: Path) -> bool:
    """Return whether a GeoJSON is no front but what guides to one."""
    return file.stem in {_FJORD, _FLOWLINES} or file.stem.endswith((f"_{_FJORD}", f"_{_FLOWLINES}"))


def _beside(name: str, image: Path, what: str) -> Path | None:
    wanted = image.with_name(f"{name}_{what}.geojson"), image.with_name(f"{what}.geojson")
    return next((file for file in wanted if file.is_file()), None)


def pair_guide(_name: str, image: Path) -> Guide:
    """Return the guide of an image of the layout ``pairs``: these are turned so that the glacier flows up."""
    with open_image(image) as source:
        rows, cols = source.shape
    return Guide(flowlines=(shapely.LineString([(cols / 2, rows), (cols / 2, 0)]),))


def fjord_mask(file: Path, image: Path) -> NDArray[np.bool_]:
    """Return where a front can be in an image (H, W), from an image that is white there or polygons.

    Raises
    ------
    InputError
        The file cannot be read, has other geometries or another size, or lies outside the image.
    """
    with open_image(image) as source:
        shape, transform, crs = source.shape, source.transform, source.crs
    if file.suffix.lower() == ".geojson":
        crs = None if crs is None else crs.to_string()
        areas = read_areas(file, None if crs is None else transform, crs)
        inside = rasterize([(area, 1) for area in areas], shape, dtype="uint8") > 0
        if not inside.any():
            raise InputError(f"{file}: the fjord lies outside {image.name}; leave it out or correct it")
        return np.asarray(inside, dtype=bool)
    with open_image(file) as source:
        band: NDArray[np.uint8] = source.read(1)
    if band.shape != shape:
        raise InputError(f"{file}: {band.shape} px, its image {image.name} has {shape}; make them equal")
    return band > 127

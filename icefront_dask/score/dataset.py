"""Images with their true fronts, whatever the layout they came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.score.files import open_image
from icefront_dask.score.lines import apply_affine, local_metres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import shapely
    from affine import Affine
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

__all__ = ["Dataset", "Sample"]


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
    pixel_m : float or None
        Side of a pixel of an image without a georeference, metres, where the data set states it.
    box : tuple of int or None
        (top, left, bottom, right) in pixels: what lies outside is not scored.
    fjord : Path or None
        Image that is white where a front can be, or GeoJSON of polygons.
    flowlines : tuple of LineString
        From inland to the sea, in pixel coordinates, where the data set knows them.
    attributes : dict
        What errors are broken down by: ``glacier``, ``sensor``, ``season``, ``resolution`` …
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
    pixel_m: float | None = None
    box: tuple[int, int, int, int] | None = None
    fjord: Path | None = None
    flowlines: tuple[shapely.LineString, ...] = field(default=(), repr=False)
    attributes: dict[str, str] = field(default_factory=dict, compare=False)

    def read(self) -> NDArray[np.float32]:
        """Return the image, float32 (bands, rows, columns); NaN where nodata. An alpha band is left out."""
        with open_image(self.image) as source:
            bands = [i for i, meaning in enumerate(source.colorinterp, 1) if meaning.name != "alpha"]
            data = source.read(bands, masked=source.nodata is not None)
        return np.ma.filled(data.astype(np.float32), np.nan)

    def to_ground(self, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return pixel coordinates in metres on the ground, or None without a georeference or :attr:`pixel_m`.

        The plane is an azimuthal equidistant projection about the centre of the true front, in which
        distances within 100 km of it are true to 1:10 000, whatever the image's own projection and pixel
        shape are.
        """
        if self.crs is None or self.transform is None:
            return None if self.pixel_m is None else points * self.pixel_m
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

"""The grid on which a front is looked for in an image file: square pixels in metres, the file's own if they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import rasterio
import rasterio.warp
from pyproj import CRS, Geod, Transformer

from icefront_dask.regions import working_crs
from icefront_dask.score.lines import apply_affine

if TYPE_CHECKING:
    import numpy.typing as npt
    from affine import Affine

    from icefront_dask.runs.image_file import Image

    Floats = npt.NDArray[np.float64]

__all__ = ["WorkingGrid", "pixel_sides", "working_grid"]

_SQUARE = 0.01  # sides of a pixel that differ by less are equal
_TRUE = 0.1  # a projection that is off by more in lengths is not worked in, as Web Mercator near the poles
_GROUND = Geod(ellps="WGS84")


@dataclass(frozen=True)
class WorkingGrid:
    """The grid of a prediction, and the way between it and the file.

    Attributes
    ----------
    image : Image
    pixel_size_m : float
    shape : (int, int)
        Rows and columns.
    place : (Affine, str) or None
        Transformation and CRS; None where the pixels are those of the file.
    """

    image: Image
    pixel_size_m: float
    shape: tuple[int, int]
    place: tuple[Affine, str] | None = None

    def bands(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the bands of the image on the grid, NaN nodata."""
        if self.place is None:
            return self.image.bands
        return {name: self._warped(band, rasterio.warp.Resampling.bilinear) for name, band in self.image.bands.items()}

    def mask(self, mask: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
        """Return a mask (H, W) of the file's pixels on the grid."""
        if mask is None or self.place is None:
            return mask
        return self._warped(mask.astype(np.float32), rasterio.warp.Resampling.nearest) > 0

    def to_file(self, xy: Floats) -> Floats:
        """Return pixel coordinates (n, 2) of the grid in pixels of the file."""
        if self.place is None:
            return xy
        assert self.image.transform is not None
        x, y = Transformer.from_crs(self.place[1], self.image.crs, always_xy=True).transform(
            *apply_affine(self.place[0], xy).T
        )
        return apply_affine(~self.image.transform, np.column_stack([x, y]))

    def from_file(self, xy: Floats) -> Floats:
        """Return pixel coordinates (n, 2) of the file in pixels of the grid."""
        if self.place is None:
            return xy
        assert self.image.transform is not None
        x, y = Transformer.from_crs(self.image.crs, self.place[1], always_xy=True).transform(
            *apply_affine(self.image.transform, xy).T
        )
        return apply_affine(~self.place[0], np.column_stack([x, y]))

    def _warped(self, band: npt.NDArray[np.float32], resampling: rasterio.warp.Resampling) -> npt.NDArray[np.float32]:
        assert self.place is not None
        out = np.full(self.shape, np.nan, np.float32)
        rasterio.warp.reproject(
            band,
            out,
            src_transform=self.image.transform,
            src_crs=self.image.crs,
            src_nodata=np.nan,
            dst_transform=self.place[0],
            dst_crs=self.place[1],
            dst_nodata=np.nan,
            resampling=resampling,
        )
        return out


def working_grid(image: Image, pixel_size_m: float) -> WorkingGrid:
    """Return the grid for an image; `pixel_size_m` is that of an image without a georeference.

    An image in degrees, in a projection far from true lengths, or with pixels that are not square, gets pixels as large
    as the longer side of its own.
    """
    if image.crs is None or image.transform is None:
        return WorkingGrid(image, pixel_size_m, image.shape)
    crs, across, down = pixel_sides(image)
    if crs == image.crs and abs(across - down) <= _SQUARE * max(across, down):
        return WorkingGrid(image, max(across, down), image.shape)
    size = float(np.round(max(across, down), 1))
    bounds = rasterio.transform.array_bounds(*image.shape, image.transform)
    transform, width, height = rasterio.warp.calculate_default_transform(
        image.crs, crs, image.shape[1], image.shape[0], *bounds, resolution=size
    )
    return WorkingGrid(image, size, (height, width), (transform, crs))


def pixel_sides(image: Image) -> tuple[str, float, float]:
    """Return a projection in metres for the place, and the sides of the pixel in the middle there."""
    assert image.crs is not None
    assert image.transform is not None
    column, row = image.shape[1] / 2, image.shape[0] / 2
    corners = np.array([image.transform * (column + dx, row + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))])
    to_lonlat = Transformer.from_crs(image.crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(*corners.T)
    true = np.array([_GROUND.inv(lon[0], lat[0], lon[n], lat[n])[2] for n in (1, 2)])
    crs = image.crs
    own = np.hypot(*(corners[1:] - corners[0]).T)
    if not CRS.from_user_input(crs).is_projected or (np.abs(own / true - 1) > _TRUE).any():
        crs = working_crs(float(lon[0]), float(lat[0]))
    xy = np.column_stack(Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat))
    return crs, float(np.hypot(*(xy[1] - xy[0]))), float(np.hypot(*(xy[2] - xy[0])))

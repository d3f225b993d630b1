"""Cloud-optimised GeoTIFF: tiled, with overviews, the same bytes for the same pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rasterio

if TYPE_CHECKING:
    from pathlib import Path

    from affine import Affine
    from numpy.typing import NDArray

__all__ = ["write_cog"]


def write_cog(
    path: Path,
    data: NDArray[Any],
    *,
    transform: Affine,
    crs: str,
    nodata: float | None = None,
    categorical: bool = False,
    block: int = 256,
) -> None:
    """Write one band with GDAL's COG driver.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    data : ndarray (H, W)
        Any dtype that GeoTIFF holds.
    transform, crs : Affine and str
        Georeference.
    nodata : float, optional
        Written to the file.
    categorical : bool, default False
        Overviews take the nearest pixel instead of the average: for classes and bit fields.
    block : int, default 256
        Side of the tiles; overviews are halved until they fit one.
    """
    floating = data.dtype.kind == "f"
    with (
        rasterio.Env(GDAL_NUM_THREADS="1"),
        rasterio.open(
            path,
            "w",
            driver="COG",
            height=data.shape[0],
            width=data.shape[1],
            count=1,
            dtype=data.dtype.name,
            crs=crs,
            transform=transform,
            nodata=nodata,
            BLOCKSIZE=block,
            COMPRESS="DEFLATE",
            LEVEL=1 if floating else 6,  # speckle hardly compresses, at any level
            PREDICTOR="FLOATING_POINT" if floating else "STANDARD",
            OVERVIEWS="IGNORE_EXISTING",
            OVERVIEW_RESAMPLING="NEAREST" if categorical else "AVERAGE",
        ) as target,
    ):
        target.write(data, 1)

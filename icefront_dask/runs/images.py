"""Fronts of single image files, in the pixels of the file: what ``icefront score`` compares with labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.warp
import shapely
from pyproj import CRS, Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from scipy.ndimage import label

from icefront_dask.errors import InputError
from icefront_dask.fronts import Status, trace_scene
from icefront_dask.fronts.options import from_config
from icefront_dask.models import registry
from icefront_dask.predict import crop_predictor, get_model, predict_scene, resolve_options
from icefront_dask.regions import working_crs
from icefront_dask.score.lines import apply_affine
from icefront_dask.sensors import VARIABLES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from affine import Affine
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.fronts import TracedFront

__all__ = ["ImageFront", "front_of_image"]

_RANK = (Status.ACCEPTED, Status.REVIEW, Status.REJECTED)
_SQUARE = 0.01  # sides of a pixel that differ by less are equal


@dataclass(frozen=True)
class ImageFront:
    """The front of one image.

    Attributes
    ----------
    line : LineString, MultiLineString or None
        In pixel coordinates of the file: x to the right, y down, the centre of the corner pixel at 0.5, 0.5.
    status, reason : str
        As in the fronts table.
    confidence : float
        Of the best front, NaN without one.
    transform, crs : Affine and str, or None
        Georeference of the file.
    """

    line: BaseGeometry | None
    status: str
    reason: str
    confidence: float
    transform: Affine | None
    crs: str | None


@dataclass(frozen=True)
class _Image:
    bands: dict[str, npt.NDArray[np.float32]]
    transform: Affine | None
    crs: str | None


def front_of_image(path: Path, *, model: str = "auto", pixel_size_m: float = 30.0) -> ImageFront:
    """Predict and trace the front of an image.

    An image in degrees, or with pixels that are not square, is first warped to a grid in metres whose pixels are
    as large as the longer side of the file's own; the line comes back in the pixels of the file.

    Parameters
    ----------
    path : Path
        GeoTIFF or PNG. Bands are taken by their descriptions where these are names of
        ``sensors.VARIABLES``, else the first band is ``grey``.
    model : str
        ``auto``, a model's name, or the path of its weights.
    pixel_size_m : float
        Side of a pixel of an image without a georeference.

    Returns
    -------
    ImageFront

    Raises
    ------
    InputError
        If the file cannot be read.
    ModelMismatchError, WeightsError
        If the model does not fit or is not there.
    """
    image = _read(path)
    name = registry.choose(image.bands) if model == "auto" else model
    name, sha256 = registry.fingerprint(name)
    options = resolve_options()
    loaded = get_model(name, sha256, options.engine, options.threads)
    bands, size, grid = _metric(image, pixel_size_m)
    common: dict[str, Any] = {
        "pixel_size_m": size,
        "calibration": "uncalibrated",
        "network": loaded.engines,
        "options": options,
        "primary": loaded.card.primary,
        "cross": loaded.card.cross,
    }
    prediction = predict_scene(bands, **common)
    valid = np.isfinite(prediction.ice)
    traced = trace_scene(
        prediction.ice,
        prediction.front,
        valid,
        pixel_size_m=size,
        look_again=crop_predictor(bands, **common),
        options=from_config(),
    )
    best = _best(traced)
    line = None
    if best[0].status in _RANK:
        parts = [shapely.LineString(_to_file(front.xy, grid, image)) for front in best]
        line = parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    first = best[0]
    return ImageFront(line, str(first.status), str(first.reason), float(first.confidence), image.transform, image.crs)


def _best(traced: list[TracedFront]) -> list[TracedFront]:
    """Return the fronts which share the best status of a scene."""
    order = {status: rank for rank, status in enumerate(_RANK)}
    best = min(order.get(front.status, len(order)) for front in traced)
    return [front for front in traced if order.get(front.status, len(order)) == best]


def _read(path: Path) -> _Image:
    driver = "PNG" if path.suffix.lower() == ".png" else "GTiff"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver=driver) as source:
                described = [str(text or "").lower() for text in source.descriptions]
                named = {name: index for index, name in enumerate(described, start=1) if name in VARIABLES}
                wanted = named or {"grey": 1}
                bands = {name: _band(source, index) for name, index in wanted.items()}
                crs = None if source.crs is None else source.crs.to_string()
                return _Image(bands, None if crs is None else source.transform, crs)
    except RasterioIOError as error:
        raise InputError(f"{path} cannot be read as {driver} ({error}); replace it or leave it out") from error


def _band(source: Any, index: int) -> npt.NDArray[np.float32]:
    raw = source.read(index)
    band = raw.astype(np.float32)
    if source.nodatavals[index - 1] is not None:
        band[source.read_masks(index) == 0] = np.nan
    elif raw.dtype.kind in "iu":
        # Zeros that reach the rim are what lies beyond the scene.
        parts, _ = label(raw == 0)
        rim = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
        band[np.isin(parts, rim[rim > 0])] = np.nan
    return band


def _metric(
    image: _Image, pixel_size_m: float
) -> tuple[dict[str, npt.NDArray[np.float32]], float, tuple[Affine, str] | None]:
    """Return the bands on square pixels, their size in metres, and the grid if it is not the file's own."""
    if image.crs is None or image.transform is None:
        return image.bands, pixel_size_m, None
    shape = next(iter(image.bands.values())).shape
    crs, across, down = _ground(image, shape)
    own = CRS.from_user_input(image.crs)
    if own.is_projected and abs(across - down) <= _SQUARE * max(across, down):
        return image.bands, max(across, down), None
    size = float(np.round(max(across, down), 1))
    bounds = rasterio.transform.array_bounds(*shape, image.transform)
    transform, width, height = rasterio.warp.calculate_default_transform(
        image.crs, crs, shape[1], shape[0], *bounds, resolution=size
    )
    warped = {name: np.full((height, width), np.nan, np.float32) for name in image.bands}
    for name, band in image.bands.items():
        rasterio.warp.reproject(
            band,
            warped[name],
            src_transform=image.transform,
            src_crs=image.crs,
            src_nodata=np.nan,
            dst_transform=transform,
            dst_crs=crs,
            dst_nodata=np.nan,
            resampling=rasterio.warp.Resampling.bilinear,
        )
    return warped, size, (transform, crs)


def _ground(image: _Image, shape: tuple[int, ...]) -> tuple[str, float, float]:
    """Return a projection in metres for the place, and the sides of the pixel in the middle there."""
    assert image.crs is not None
    assert image.transform is not None
    column, row = shape[1] / 2, shape[0] / 2
    corners = np.array([image.transform * (column + dx, row + dy) for dx, dy in ((0, 0), (1, 0), (0, 1))])
    to_lonlat = Transformer.from_crs(image.crs, "OGC:CRS84", always_xy=True)
    lon, lat = to_lonlat.transform(*corners.T)
    own = CRS.from_user_input(image.crs)
    crs = image.crs if own.is_projected else working_crs(float(lon[0]), float(lat[0]))
    xy = np.column_stack(Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(lon, lat))
    return crs, float(np.hypot(*(xy[1] - xy[0]))), float(np.hypot(*(xy[2] - xy[0])))


def _to_file(xy: npt.NDArray[np.float64], grid: tuple[Affine, str] | None, image: _Image) -> npt.NDArray[np.float64]:
    """Return pixel coordinates of the working grid in pixels of the file."""
    if grid is None:
        return xy
    assert image.transform is not None
    x, y = apply_affine(grid[0], xy).T
    x, y = Transformer.from_crs(grid[1], image.crs, always_xy=True).transform(x, y)
    return apply_affine(~image.transform, np.column_stack([x, y]))

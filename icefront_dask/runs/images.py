"""Fronts of single image files, in the pixels of the file: what ``icefront score`` compares with labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.warp
import shapely
from pyproj import CRS, Transformer

from icefront_dask.fronts import Status, trace_scene
from icefront_dask.fronts.options import from_config
from icefront_dask.models import registry
from icefront_dask.models.polarisation import floor_share
from icefront_dask.models.protocols import OWN
from icefront_dask.predict import crop_predictor, get_model, predict_scene, resolve_options
from icefront_dask.predict.bands import CROSS, choose_bands
from icefront_dask.regions import working_crs
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.published import Outputs, published_front
from icefront_dask.score.lines import apply_affine

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from affine import Affine
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.fronts import TracedFront
    from icefront_dask.runs.image_file import Image

__all__ = ["ImageFront", "front_in", "front_of_image"]

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
    model : str
        That was used.
    channels : str
        What it was given, as ``hh`` or ``hh+hv``.
    pixels : (n, 2) float64 ndarray, optional
        The front's pixels (centres), of protocols which give pixels rather than a line.
    outputs : Outputs, optional
        What the network said, on the pixels of the file; None where it worked on another grid.
    """

    line: BaseGeometry | None
    status: str
    reason: str
    confidence: float
    transform: Affine | None
    crs: str | None
    model: str = ""
    channels: str = ""
    pixels: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)
    outputs: Outputs | None = field(default=None, repr=False, compare=False)


def front_of_image(path: Path, *, model: str = "auto", pixel_size_m: float = 30.0) -> ImageFront:
    """Predict and trace the front of an image file; see `read_image` and :func:`front_in`."""
    return front_in(read_image(path), model=model, pixel_size_m=pixel_size_m)


def front_in(
    image: Image,
    *,
    model: str = "auto",
    pixel_size_m: float = 30.0,
    box: tuple[int, int, int, int] | None = None,
    fjord: npt.NDArray[np.bool_] | None = None,
) -> ImageFront:
    """Predict and trace the front of an image.

    A model is applied as its card says: by the way of the shipped networks, or by the protocol of its paper
    (`icefront_dask.models.protocols`). By the former, an image in degrees, or with pixels that are not square, is
    first warped to a grid in metres whose pixels are as large as the longer side of the file's own; the line comes
    back in the pixels of the file.

    Parameters
    ----------
    image : Image
    model : str
        ``auto``, a model's name, or the path of its weights. ``auto`` leaves models that need a cross-polarised
        channel aside where that lies at its noise floor.
    pixel_size_m : float
        Side of a pixel of an image without a georeference.
    box : (top, left, bottom, right), optional
        CaFFe's bounding box, outside which its protocols draw no front.
    fjord : (H, W) bool ndarray, optional
        Where a front can be; not used where the image is warped.

    Returns
    -------
    ImageFront

    Raises
    ------
    ModelMismatchError, WeightsError
        If the model does not fit or is not there.
    """
    name, sha256 = registry.fingerprint(_chosen(image) if model == "auto" else model)
    card = registry.card(name)
    if card.protocol != OWN:
        return _published(image, name, pixel_size_m, box, fjord)
    options = resolve_options(models=(name,))
    loaded = get_model(name, sha256, options.engine, options.threads)
    bands, size, grid = _metric(image, pixel_size_m)
    inside = fjord if grid is None else None
    common: dict[str, Any] = {
        "pixel_size_m": size,
        "calibration": image.calibration,
        "network": loaded.engines,
        "options": options,
        "primary": card.primary,
        "cross": card.cross,
    }
    prediction = predict_scene(bands, fjord_mask=inside, **common)
    traced = trace_scene(
        prediction.ice,
        prediction.front,
        np.isfinite(prediction.ice),
        pixel_size_m=size,
        fjord=inside,
        look_again=crop_predictor(bands, **common),
        options=from_config(),
    )
    best = _best(traced)
    line = None
    if best[0].status in _RANK:
        parts = [shapely.LineString(_to_file(front.xy, grid, image)) for front in best]
        line = parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    first = best[0]
    primary, cross = choose_bands(bands, card.primary, card.cross)
    return ImageFront(
        line,
        str(first.status),
        str(first.reason),
        float(first.confidence),
        image.transform,
        image.crs,
        model=card.name,
        channels=f"{primary}+{cross}" if prediction.cross else primary,
        outputs=Outputs(prediction.ice, prediction.front) if grid is None else None,
    )


def _chosen(image: Image) -> str:
    """Name of the packaged model for an image."""
    bands, least = image.bands, resolve_options().cross_floor_share
    seen = any(floor_share(bands[name], power=image.power) <= least for name in CROSS if name in bands)
    return registry.choose(bands, image.calibration, cross_seen=seen)


def _published(
    image: Image,
    model: str,
    pixel_size_m: float,
    box: tuple[int, int, int, int] | None,
    fjord: npt.NDArray[np.bool_] | None,
) -> ImageFront:
    """Apply a model by the protocol of its paper, on the file's own pixels."""
    if image.crs is not None and image.transform is not None:
        pixel_size_m = max(_ground(image, image.shape)[1:])
    found = published_front(image, model, pixel_size_m=pixel_size_m, box=box, fjord=fjord)
    there = found.line is not None
    return ImageFront(
        found.line,
        str(Status.ACCEPTED if there else Status.NO_FRONT),
        str(found.reason),
        1.0 if there else float("nan"),
        image.transform,
        image.crs,
        model=registry.card(model).name,
        channels=found.channels,
        pixels=found.pixels,
        outputs=found.outputs,
    )


def _best(traced: list[TracedFront]) -> list[TracedFront]:
    """Return the fronts which share the best status of a scene."""
    order = {status: rank for rank, status in enumerate(_RANK)}
    best = min(order.get(front.status, len(order)) for front in traced)
    return [front for front in traced if order.get(front.status, len(order)) == best]


def _metric(
    image: Image, pixel_size_m: float
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


def _ground(image: Image, shape: tuple[int, ...]) -> tuple[str, float, float]:
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


def _to_file(xy: npt.NDArray[np.float64], grid: tuple[Affine, str] | None, image: Image) -> npt.NDArray[np.float64]:
    """Return pixel coordinates of the working grid in pixels of the file."""
    if grid is None:
        return xy
    assert image.transform is not None
    x, y = apply_affine(grid[0], xy).T
    x, y = Transformer.from_crs(grid[1], image.crs, always_xy=True).transform(x, y)
    return apply_affine(~image.transform, np.column_stack([x, y]))

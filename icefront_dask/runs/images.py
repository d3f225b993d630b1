"""Fronts of single image files, in the pixels of the file: what ``icefront score`` compares with labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox

from icefront_dask.fronts import Status, trace_scene
from icefront_dask.fronts.options import from_config
from icefront_dask.models import registry
from icefront_dask.models.polarisation import floor_share
from icefront_dask.models.protocols import OWN
from icefront_dask.predict import crop_predictor, get_model, predict_scene, resolve_options
from icefront_dask.predict.bands import CROSS, choose_bands
from icefront_dask.regions import flow_ends
from icefront_dask.runs.guess import best_guess
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.published import Outputs, published_front
from icefront_dask.runs.working_grid import pixel_sides, working_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    from shapely.geometry.base import BaseGeometry

    from icefront_dask.fronts import TracedFront
    from icefront_dask.runs.image_file import Image
    from icefront_dask.runs.working_grid import WorkingGrid

__all__ = ["ImageFront", "front_in", "front_of_image"]

_RANK = (Status.ACCEPTED, Status.REVIEW, Status.REJECTED)


@dataclass(frozen=True)
class ImageFront:
    """The front of one image.

    Attributes
    ----------
    line : LineString, MultiLineString or None
        In pixel coordinates of the file: x to the right, y down, the centre of the corner pixel at 0.5, 0.5.
    status, reason : str
        As in the fronts table; with a guess ``rejected``, and why no front was traced.
    confidence : float
        Of the best front, NaN without one and of a guess.
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
    guessed : bool
        Whether no front was traced, and the line is the likeliest one all the same.
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
    guessed: bool = False


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
    flowlines: Sequence[shapely.LineString] = (),
) -> ImageFront:
    """Predict and trace the front of an image.

    A model is applied as its card says: by the way of the shipped networks, or by the protocol of its paper
    (`icefront_dask.models.protocols`). By the former, an image in degrees, or with pixels that are not square, is
    first warped to a grid in metres whose pixels are as large as the longer side of the file's own; the line comes
    back in the pixels of the file. Where the tracing sees no front, the line is the likeliest one
    (`icefront_dask.runs.guess`), as an image that is compared with a label has one.

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
        Where a front can be.
    flowlines : sequence of LineString
        From inland to the sea, in pixel coordinates: networks that are told the way to the sea use them, and the
        tracing knows by them which side is ice. No published protocol takes them.

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
    grid = working_grid(image, pixel_size_m)
    bands, inside = grid.bands(), grid.mask(fjord)
    flows = _flows(flowlines, grid, inside)
    common: dict[str, Any] = {
        "pixel_size_m": grid.pixel_size_m,
        "calibration": image.calibration,
        "network": loaded.engines,
        "options": options,
        "primary": card.primary,
        "cross": card.cross,
    }
    prediction = predict_scene(bands, fjord_mask=inside, flows=flows, **common)
    valid, settings = np.isfinite(prediction.ice), from_config()
    known: dict[str, Any] = {"pixel_size_m": grid.pixel_size_m, "fjord": inside, "flow": flows or None}
    best = _best(
        trace_scene(
            prediction.ice,
            prediction.front,
            valid,
            look_again=crop_predictor(bands, **common),
            options=settings,
            **known,
        )
    )
    status, confidence = best[0].status, float(best[0].confidence)
    lines, guessed = [front.xy for front in best], False
    if status not in _RANK:
        lines = best_guess(prediction.ice, prediction.front, valid, settings, **known)
        guessed = bool(lines)
        status, confidence = Status.REJECTED if guessed else status, float("nan")
    primary, cross = choose_bands(bands, card.primary, card.cross)
    return ImageFront(
        _joined([shapely.LineString(grid.to_file(xy)) for xy in lines]),
        str(status),
        str(best[0].reason),
        confidence,
        image.transform,
        image.crs,
        model=card.name,
        channels=f"{primary}+{cross}" if prediction.cross else primary,
        outputs=Outputs(prediction.ice, prediction.front) if grid.place is None else None,
        guessed=guessed,
    )


def _joined(parts: list[shapely.LineString]) -> BaseGeometry | None:
    if len(parts) > 1:
        return shapely.MultiLineString(parts)
    return parts[0] if parts else None


def _flows(
    flowlines: Sequence[shapely.LineString], grid: WorkingGrid, fjord: npt.NDArray[np.bool_] | None
) -> tuple[tuple[tuple[float, float], tuple[float, float]], ...]:
    """Inland and seaward end, (row, column) each, of what of each flowline lies on a grid and in the fjord."""
    pixels = GeoBox(grid.shape, Affine.identity(), None)
    lines = (shapely.transform(line, grid.from_file) for line in flowlines)
    ends = (flow_ends(line, pixels, fjord) for line in lines)
    return tuple(pair for pair in ends if pair is not None)


def _chosen(image: Image) -> str:
    """Name of the packaged model for an image."""
    bands, least = image.bands, resolve_options().cross_floor_share
    seen = any(floor_share(bands[name], power=image.power) <= least for name in CROSS if name in bands)
    return registry.choose(bands, image.calibration, cross_seen=seen, kind=image.kind)


def _published(
    image: Image,
    model: str,
    pixel_size_m: float,
    box: tuple[int, int, int, int] | None,
    fjord: npt.NDArray[np.bool_] | None,
) -> ImageFront:
    """Apply a model by the protocol of its paper, on the file's own pixels."""
    if image.crs is not None and image.transform is not None:
        pixel_size_m = max(pixel_sides(image)[1:])
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

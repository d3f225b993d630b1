"""A published network applied to an image as its paper does: prepared, cut into windows, blended, made a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import shapely
from scipy import ndimage
from scipy.special import expit
from skimage.morphology import skeletonize

from icefront_dask.errors import ModelMismatchError, WeightsError
from icefront_dask.fronts.published import calfin_published
from icefront_dask.fronts.status import Reason
from icefront_dask.fronts.zones import CAFFE_LEAST_M, GLACIER, OCEAN, UNKNOWN, caffe_front, caffe_lines, zone_lines
from icefront_dask.models import registry
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, to_decibel
from icefront_dask.models.protocols import protocol
from icefront_dask.models.windows import blended, grid, window_weights
from icefront_dask.predict import get_model
from icefront_dask.runs.guess import least_cost_path
from icefront_dask.train.labelled import cut
from icefront_dask.train.preparation import preparation, unlabelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from icefront_dask.models.card import Card
    from icefront_dask.models.protocols import Protocol
    from icefront_dask.runs.image_file import Image

    Array: TypeAlias = npt.NDArray[np.float32]
    Mask: TypeAlias = npt.NDArray[np.bool_]
    Box: TypeAlias = tuple[int, int, int, int]
    Forward: TypeAlias = Callable[[Array], Array]

__all__ = ["Outputs", "PublishedFront", "lines_of", "probabilities", "published_front"]

_EIGHT = np.ones((3, 3), dtype=bool)
_CO, _CROSS = ("hh", "vv"), ("hv", "vh")


@dataclass(frozen=True)
class Outputs:
    """What a network said of an image, each (H, W); None where it has no such output.

    ``ice`` = P(land or ice) and ``front`` = P(front), float32, NaN where not predicted; ``zone`` uint8: 0 NA, 1 rock,
    2 glacier, 3 ocean.
    """

    ice: Array | None
    front: Array | None
    zone: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class PublishedFront:
    """The front of an image by a paper's protocol: line and pixels in pixel coordinates of the image."""

    line: shapely.LineString | shapely.MultiLineString | None
    pixels: npt.NDArray[np.float64] | None
    reason: Reason
    outputs: Outputs
    channels: str


def published_front(
    image: Image,
    model: str,
    *,
    pixel_size_m: float,
    box: Box | None = None,
    fjord: Mask | None = None,
) -> PublishedFront:
    """Predict and trace the front of an image by the protocol that a model's card names.

    Parameters
    ----------
    image : Image
    model : str
        A model's name, or the path of its weights.
    pixel_size_m : float
    box : (top, left, bottom, right), optional
        CaFFe's bounding box.
    fjord : (H, W) bool ndarray, optional
        Where a front can be; everywhere by default.

    Raises
    ------
    ModelMismatchError
        The image lacks bands that the network takes.
    WeightsError
        The card's protocol is not known, or is not for a network of so many outputs.
    """
    card = registry.card(model)
    way = protocol(card.protocol)
    if len(card.outputs) != len(way.outputs):
        raise WeightsError(
            f"{card.name} has the outputs {', '.join(card.outputs)}, its protocol {card.protocol} is for "
            f"{', '.join(way.outputs)}"
        )
    bands, channels = _bands(image, way, card)
    forward = _forward(model, card)

    def look_again(rows: slice, cols: slice) -> tuple[Array, Array]:
        again = probabilities(bands[:, rows, cols], way, forward, placed=False)
        return again[way.outputs.index("ice")], again[way.outputs.index("edge")]

    layers = probabilities(bands, way, forward)
    if way.lines == "area":  # the papers' tiles have no nodata; a rim of it must not become a front
        layers = np.where(np.isfinite(bands[0]), layers, np.float32(np.nan))
    outputs = _outputs(layers, way)
    inside = np.ones(image.shape, dtype=bool) if fjord is None else fjord
    lines, mask, reason = lines_of(outputs, way, inside, pixel_size_m, box, look_again)
    parts = [shapely.LineString(line) for line in lines if len(line) > 1]
    line = None if not parts else parts[0] if len(parts) == 1 else shapely.MultiLineString(parts)
    pixels = None
    if mask is not None and line is not None:
        rows, cols = np.nonzero(mask)
        pixels = np.asarray(np.column_stack([cols, rows]) + 0.5, dtype=np.float64)
    return PublishedFront(line, pixels, reason, outputs, channels)


def probabilities(bands: Array, way: Protocol, forward: Forward, *, placed: bool = True) -> Array:
    """Return the blended probabilities (K, H, W) of an image (B, H, W), a sigmoid for each channel.

    With ``placed=False`` they stay on the canvas that the preparation made of the image.
    """
    steps = preparation(way.preparation)
    ready = steps.prepare(unlabelled("image", bands))
    if way.window_px is None or way.step_px is None:
        layers = np.asarray(expit(forward(steps.scale(ready.image)[None])[0]), dtype=np.float32)
    else:
        size = way.window_px

        def answer(corners: Sequence[tuple[int, int]]) -> Array:
            windows = [steps.scale(cut(ready, *corner, size, size).image) for corner in corners]
            return np.asarray(expit(forward(np.stack(windows))), dtype=np.float32)

        corners = grid(ready.shape, size, way.step_px)
        layers = blended(ready.shape, corners, window_weights(size, way.step_px, way.blend), answer)
    shape = bands.shape[1], bands.shape[2]
    return steps.placed(layers, shape) if placed else layers


def _outputs(layers: Array, way: Protocol) -> Outputs:
    by_name = dict(zip(way.outputs, layers, strict=True))
    if way.lines == "zones":
        zone = layers.argmax(axis=0).astype(np.uint8)
        ice = np.isin(zone, (GLACIER, way.outputs.index("rock"))).astype(np.float32)
        return Outputs(np.where(zone == UNKNOWN, np.float32(np.nan), ice), None, zone)
    return Outputs(by_name.get("ice"), by_name.get("front", by_name.get("edge")))


def lines_of(
    outputs: Outputs,
    way: Protocol,
    fjord: Mask,
    pixel_size_m: float,
    box: Box | None,
    look_again: Callable[[slice, slice], tuple[Array, Array]] | None = None,
) -> tuple[list[npt.NDArray[np.float64]], Mask | None, Reason]:
    """Return the lines (x, y of pixels), the pixels where the protocol gives these, and why there is no line.

    ``zones``: CaFFe's rules; ``front``: threshold, skeleton, pieces above 750 m, longest path of each (the published
    code takes the skeleton by FilFinder); ``calfin``: see `icefront_dask.fronts.published`; ``area``: where the
    largest body of ice meets the largest one of water; ``least-cost``: the path of least 1 - P(front) from the left
    to the right side of what was predicted, the ends tried every 50 px (Mohajerani et al. 2019).
    """
    inside = None if box is None else (slice(max(box[0], 0), max(box[2], 0)), slice(max(box[1], 0), max(box[3], 0)))
    if way.lines == "zones":
        assert outputs.zone is not None
        mask = caffe_front(outputs.zone, pixel_size_m, inside) & fjord
        return caffe_lines(mask), mask, Reason.NONE if mask.any() else Reason.NO_RIDGE
    if way.lines == "area":
        assert outputs.ice is not None
        zone = np.where(outputs.ice >= way.threshold, GLACIER, OCEAN).astype(np.uint8)
        zone[~np.isfinite(outputs.ice) | ~fjord] = UNKNOWN
        lines = zone_lines(zone, ice=outputs.ice)
        return lines[:1], None, Reason.NONE if lines else Reason.NO_RIDGE
    assert outputs.front is not None
    if way.lines == "front":
        mask = _skeleton(outputs.front >= way.threshold, pixel_size_m, inside) & fjord
        lines = caffe_lines(mask)
        drawn = [shapely.LineString(line) for line in lines]
        return lines, _on(drawn, mask.shape) if drawn else mask, Reason.NONE if lines else Reason.NO_RIDGE
    if way.lines == "calfin":
        assert outputs.ice is not None
        found = calfin_published(outputs.ice, outputs.front, fjord, look_again)
        accepted = [one.xy for one in found if one.reason == Reason.NONE]
        reason = Reason.NONE if accepted else found[0].reason if found else Reason.NO_RIDGE
        return accepted, None, reason
    return [least_cost_path(outputs.front)], None, Reason.NONE


def _skeleton(mask: Mask, pixel_size_m: float, box: tuple[slice, slice] | None) -> Mask:
    thin = skeletonize(mask)
    labels, count = ndimage.label(thin, structure=_EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    thin = (sizes > CAFFE_LEAST_M / pixel_size_m)[labels]
    if box is None:
        return thin
    out = np.zeros_like(thin)
    out[box] = thin[box]
    return out


def _on(lines: Sequence[shapely.LineString], shape: tuple[int, ...]) -> Mask:
    """Pixels whose centres are vertices of lines."""
    mask = np.zeros(shape, dtype=bool)
    for line in lines:
        x, y = np.floor(np.asarray(line.coords)).astype(int).T
        mask[y, x] = True
    return mask


def _bands(image: Image, way: Protocol, card: Card) -> tuple[Array, str]:
    """Return the bands (B, H, W) that a protocol takes, and what they are."""
    if way.bands == "first":
        return image.data[:1], image.names[0] or "grey"
    if way.bands == "all":
        return image.data, "+".join(name or "grey" for name in image.names)
    with_ratio = card.protocol == "baumhoer"
    wanted = int(card.architecture_options.get("in_channels", 2))
    radar = 2 if with_ratio else wanted
    by_name = dict(zip(image.names, image.data, strict=True))
    chosen = [name for names in (_CO, _CROSS) if (name := next((n for n in names if n in by_name), None))][:radar]
    if len(chosen) < radar:
        raise ModelMismatchError(
            f"{card.name} takes {radar} polarisation(s), bands described as {'/'.join(_CO)} and {'/'.join(_CROSS)}; "
            f"the image has {', '.join(name for name in image.names if name) or 'no described band'}"
        )
    bands = [by_name[name] for name in chosen]
    if image.power:
        bands = [to_decibel(band, floor) for band, floor in zip(bands, (CO_FLOOR_DB, CROSS_FLOOR_DB), strict=False)]
    if with_ratio and wanted > 3:
        if "elevation" not in by_name:
            raise ModelMismatchError(f"{card.name} takes the elevation as well: a band in metres, described so")
        bands.append(by_name["elevation"])
    return np.stack(bands), "+".join(chosen)


def _forward(model: str, card: Card) -> Forward:
    """Return what runs a network as published, in fp32."""
    import torch

    name, sha256 = registry.fingerprint(model)
    run = get_model(name, sha256, "cuda-fp32" if torch.cuda.is_available() else "torch-fp32").engines[0]
    wanted = card.architecture_options.get("in_channels")

    def forward(batch: Array) -> Array:
        if wanted is not None and batch.shape[1] != wanted:
            raise ModelMismatchError(
                f"{card.name} takes {wanted} channels, protocol {card.protocol} makes {batch.shape[1]} of this image"
            )
        return run(batch)

    return forward

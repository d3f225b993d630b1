"""What every part of a scene must know of the whole: the scales of its bands and the coarse pass.

Each part is summed up by itself; the summaries, a few megabytes together, give the context.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from icefront_dask.models.normalise import (
    CO_FLOOR_DB,
    CROSS_FLOOR_DB,
    RobustScale,
    channels,
    robust_scale,
    seaward,
    to_decibel,
)
from icefront_dask.models.polarisation import floor_share
from icefront_dask.predict.fjord import row_strips
from icefront_dask.predict.passes import resample, run_pass
from icefront_dask.predict.tiles import round_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from icefront_dask.models.normalise import Flow
    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.fjord import FjordRows
    from icefront_dask.predict.options import PredictOptions
    from icefront_dask.predict.parts import Part
    from icefront_dask.predict.passes import PassResult

    Image = NDArray[np.float32]
    Mask = NDArray[np.bool_]

__all__ = [
    "Coarse",
    "Context",
    "Summary",
    "block_mean",
    "coarse_factor",
    "coarse_inside",
    "enlarge",
    "fjord_width_m",
    "in_decibel",
    "make_context",
]

_SAMPLE = 250_000
_ALL = (slice(None), slice(None))
_RAMP = 0.25
"""Share of the band's half width over which the fine pass gives way to the coarse one."""
_COARSE_VALID = 0.25
"""A coarse pixel is valid from this share of valid pixels on."""


@dataclass(frozen=True)
class Summary:
    """A part of a scene, summed up.

    Attributes
    ----------
    samples : tuple of tuples of (h, w) float32 ndarray
        For each level of the fine pass every so many-th pixel of each band, NaN where it is invalid: decibels of
        powers.
    coarse : tuple of (h, w) float32 ndarray
        Mean of each band over coarse pixels, linear; empty where there is no coarse pass.
    floor, finite : int
        Pixels of the cross-polarised band at its floor, and finite ones.
    valid : bool
        Whether any pixel is valid.
    """

    samples: tuple[tuple[Image, ...], ...]
    coarse: tuple[Image, ...]
    floor: int
    finite: int
    valid: bool

    @classmethod
    def of(
        cls,
        layers: Sequence[Image],
        part: Part,
        shape: tuple[int, int],
        factor: int,
        *,
        levels: Sequence[int],
        power: bool,
        coarse: bool,
    ) -> Summary:
        """Sum up the core of a part.

        Parameters
        ----------
        layers : sequence of (h, w) float32 ndarray
            Primary and, where there is one, cross-polarised band of what the part answers for, NaN where invalid.
        part : Part
        shape : (int, int)
            Rows and columns of the scene.
        factor : int
            Pixels along a side of a coarse one.
        levels : sequence of int
            Pixels along a side of one of the fine pass; the core begins at multiples of each.
        power : bool
            Whether the bands are powers.
        coarse : bool
            Whether there is a coarse pass.
        """
        samples = []
        for level in levels:
            step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / _SAMPLE) / level))
            first = [-(axis.start // level) % step for axis in part.core]
            chosen = (slice(first[0], None, step), slice(first[1], None, step))
            taken = [block_mean(layer, level, chosen) for layer in layers]
            samples.append(tuple(in_decibel(taken, power=power)))
        floor = finite = 0
        if len(layers) > 1:
            finite = int(np.isfinite(layers[1]).sum())
            floor = round(floor_share(layers[1], power=power) * finite)
        means = [block_mean(layer, factor) for layer in layers] if coarse else []
        return cls(tuple(samples), tuple(means), floor, finite, bool(np.isfinite(layers[0]).any()))


@dataclass(frozen=True)
class Coarse:
    """The coarse pass over a scene.

    Attributes
    ----------
    layers : (3, h, w) float32 ndarray
        P(ice), P(front) and the standard deviation of P(ice), NaN where invalid.
    share : (h, w) float32 ndarray
        Weight of the fine pass: 1 round the coarse front, falling to 0 at the edge of the band.
    computed_pixels : int
    batch_changed : bool
    """

    layers: Image
    share: Image
    computed_pixels: int
    batch_changed: bool


@dataclass(frozen=True)
class Context:
    """What the parts of a scene share.

    Attributes
    ----------
    scales : tuple of tuples of RobustScale
        For each level of the fine pass those of the bands in use: one, or two with a cross-polarised one.
    factor : int
        Pixels along a side of a coarse one, 1 without a coarse pass.
    coarse : Coarse or None
    valid : bool
        Whether any pixel of the scene is valid.
    """

    scales: tuple[tuple[RobustScale, ...], ...]
    factor: int
    coarse: Coarse | None
    valid: bool


def make_context(
    summaries: Sequence[Summary],
    parts: Sequence[Part],
    shape: tuple[int, int],
    factor: int,
    pixel_size_m: float,
    engines: Sequence[Engine],
    options: PredictOptions,
    *,
    power: bool,
    inside: Mask | None,
    flows: Sequence[Flow] = (),
) -> Context:
    """Bring the summaries of a scene's parts together and make the coarse pass.

    Parameters
    ----------
    summaries, parts : sequence
        In the same order, row by row.
    shape : (int, int)
        Rows and columns of the scene.
    factor : int
        Pixels along a side of a coarse one.
    pixel_size_m : float
        Side of a pixel, metres.
    engines : sequence of Engine
    options : PredictOptions
        Settled.
    power : bool
        Whether the bands are powers.
    inside : (h, w) bool ndarray or None
        Coarse pixels that touch the fjord.
    flows : sequence of ((row, column), (row, column))
        Ends of the flowlines, for networks that are told the way to the sea.
    """
    finite = sum(one.finite for one in summaries)
    floor = sum(one.floor for one in summaries) / finite if finite else 1.0
    crossed = len(summaries[0].samples[0]) > 1 and (not power or floor <= options.cross_floor_share)
    count = 1 + crossed
    scales = tuple(
        tuple(
            robust_scale(sample, limit=sample.size)
            for sample in (_mosaic([one.samples[level][band] for one in summaries], parts) for band in range(count))
        )
        for level in range(len(options.levels))
    )
    valid = any(one.valid for one in summaries)
    coarse = None
    if summaries[0].coarse and valid:
        means = [_mosaic([one.coarse[band] for one in summaries], parts) for band in range(count)]
        way = seaward(_shape(means[0]), flows, factor=factor) if engines[0].guided else None
        result = _coarse_pass(means, way, engines, options, power=power)
        layers = np.stack([result.ice, result.front, result.ice_std])
        if options.passes == "auto" and max(shape) <= options.one_tile_px:
            share = np.ones(layers.shape[1:], dtype=np.float32)
        else:
            share = _fine_share(result, factor, pixel_size_m, options, inside)
        coarse = Coarse(layers, share, result.computed_pixels, result.batch_changed)
    return Context(scales, factor, coarse, valid)


def _mosaic(pieces: Sequence[Image], parts: Sequence[Part]) -> Image:
    """Put pieces of parts, in row-major order, side by side."""
    rows: dict[int, list[Image]] = {}
    for piece, part in zip(pieces, parts, strict=True):
        rows.setdefault(part.rows.start, []).append(piece)
    return np.concatenate([np.concatenate(row, axis=1) for row in rows.values()], axis=0)


def in_decibel(layers: Sequence[Image], *, power: bool) -> list[Image]:
    """Return powers in decibels, anything else as it is."""
    if not power:
        return list(layers)
    floors = (CO_FLOOR_DB, CROSS_FLOOR_DB)
    return [np.asarray(to_decibel(layer, floor)) for layer, floor in zip(layers, floors, strict=False)]


def coarse_factor(
    shape: tuple[int, int], pixel_size_m: float, options: PredictOptions, fjord_mask: FjordRows | None = None
) -> int:
    """Return how many pixels make a side of a coarse one.

    The fjord is ``coarse_px_per_fjord`` coarse pixels wide, which are not coarser than ``coarse_max_pixel_m``
    unless the scene would not fit into one tile of ``one_tile_px``. Without a fjord its width is taken as a
    quarter of the scene's longer side.
    """
    width_m = 0.0 if fjord_mask is None else fjord_width_m(fjord_mask, pixel_size_m)
    width_m = width_m or max(shape) * pixel_size_m / 4
    size_m = min(width_m / options.coarse_px_per_fjord, options.coarse_max_pixel_m)
    return max(round(size_m / pixel_size_m), -(-max(shape) // options.one_tile_px), 1)


def fjord_width_m(fjord_mask: FjordRows, pixel_size_m: float) -> float:
    """Width in metres of a fjord (H, W) bool at its widest: the diameter of the largest circle inside; 0 for none."""
    step = max(max(fjord_mask.shape) // 512, 1)
    found, thinned = False, []
    for start, strip in row_strips(fjord_mask):
        found |= bool(strip.any())
        thinned.append(strip[-start % step :: step, ::step].copy())  # a view would keep the strip
    if not found:
        return 0.0
    distance = distance_transform_edt(np.pad(np.concatenate(thinned), 1))
    return float(2 * distance.max() - 1) * step * pixel_size_m


def _shape(layer: Image) -> tuple[int, int]:
    return layer.shape[0], layer.shape[1]


def _coarse_pass(
    means: Sequence[Image], way: Image | None, engines: Sequence[Engine], options: PredictOptions, *, power: bool
) -> PassResult:
    """Predict the whole scene in one tile; its pixels are means of linear values."""
    layers = in_decibel(means, power=power)
    small = np.asarray(channels(layers[0], layers[1] if len(layers) > 1 else None, way))
    stride = engines[0].stride
    room = round_up(max(small.shape[1:]), stride) + 2 * round_up(options.margin_px, stride) + stride
    return run_pass(small, engines, options, tile_px=room)


def block_mean(layer: Image, factor: int, chosen: tuple[slice, slice] = _ALL) -> Image:
    """Mean of the finite values in blocks of factor² pixels, NaN where too few are finite; of all blocks or some."""
    if factor == 1:
        return layer[chosen]
    height, width = (round_up(side, factor) for side in layer.shape)
    padded = np.full((height, width), np.nan, dtype=np.float32)
    padded[: layer.shape[0], : layer.shape[1]] = layer
    blocks = padded.reshape(height // factor, factor, width // factor, factor)[chosen[0], :, chosen[1]]
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    enough = count >= max(_COARSE_VALID * factor**2, 1)
    return np.where(enough, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _fine_share(
    coarse: PassResult, factor: int, pixel_size_m: float, options: PredictOptions, inside: Mask | None
) -> Image:
    """Weight of the fine pass (h, w) on the coarse grid."""
    land = coarse.ice >= 0.5
    seeds = coarse.front >= options.band_front
    for axis in (0, 1):
        change = np.diff(land, axis=axis)
        before: list[slice] = [slice(None), slice(None)]
        after = before.copy()
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        seeds[tuple(before)] |= change
        seeds[tuple(after)] |= change
    if inside is not None:
        seeds = seeds & inside if (seeds & inside).any() else inside
    band = max(options.band_m / (factor * pixel_size_m), options.band_coarse_px)
    distance = distance_transform_edt(~seeds) if seeds.any() else np.zeros(seeds.shape)
    return np.clip((band - distance) / max(_RAMP * band, 1e-6), 0, 1).astype(np.float32)


def coarse_inside(fjord_mask: FjordRows | None, factor: int) -> Mask | None:
    """Return the coarse pixels that lie in the fjord, None where there is none."""
    if fjord_mask is None:
        return None
    found, strips = False, []
    for _, strip in row_strips(fjord_mask, factor):
        found |= bool(strip.any())
        strips.append(np.isfinite(block_mean(np.where(strip, np.float32(1), np.float32(np.nan)), factor)))
    return np.concatenate(strips) if found else None


def enlarge(layers: Image, factor: int, part: Part) -> Image:
    """Bring (C, h, w) coarse layers to the pixels that a part reads, bilinear between the centres of the blocks."""
    spans = []
    for axis, read in enumerate(part.window):
        first = max(read.start // factor - 1, 0)
        last = min(-(-read.stop // factor) + 1, layers.shape[1 + axis])
        spans.append((first, last))
    (top, bottom), (left, right) = spans
    near = layers[:, top:bottom, left:right]
    full = resample(near, (near.shape[1] * factor, near.shape[2] * factor))
    rows, columns = (
        slice(read.start - span[0] * factor, read.stop - span[0] * factor)
        for read, span in zip(part.window, spans, strict=True)
    )
    return full[:, rows, columns]

"""One scene through a network: coarse for the context, fine where the front is.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from icefront_dask.cube.quality import invalid
from icefront_dask.errors import ModelMismatchError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, channels, to_decibel
from icefront_dask.predict.passes import resample, run_pass
from icefront_dask.predict.tiles import round_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.options import PredictOptions
    from icefront_dask.predict.passes import PassResult

__all__ = [
    "CROSS",
    "PRIMARY",
    "ScenePrediction",
    "choose_bands",
    "coarse_factor",
    "fjord_width_m",
    "predict_scene",
]

_RADAR = ("hh", "vv")
PRIMARY = (*_RADAR, "nir", "red", "green", "pan", "grey")
CROSS = ("hv", "vh")
_POWER = ("gamma0", "sigma0")
_RAMP = 0.25
"""Share of the band's half width over which the fine pass gives way to the coarse one."""
_COARSE_VALID = 0.25
"""A coarse pixel is valid from this share of valid pixels on."""


@dataclass(frozen=True)
class ScenePrediction:
    r"""Probabilities of a scene; unpacks as ``ice, front = predict_scene(…)``.

    Attributes
    ----------
    ice, front : (H, W) float32 ndarray
        P(land or ice) and P(pixel within 1.5 px of the line); NaN where the scene is invalid.
    ice_std : (H, W) float32 ndarray
        Spread of P(ice) over augmentations and scales, of the pass which decides; 0 with one member.
    disagreement : (H, W) float32 ndarray
        \\|P(ice) fine - P(ice) coarse\\|; NaN where only one of the passes was made.
    factor : int
        Pixels of the scene along a side of a coarse one; 1 without a coarse pass.
    computed_pixels : int
        Pixels that passed through the network, halos included; each augmentation goes over all of them.
    cross : bool
        Whether the cross-polarised band was used.
    """

    ice: NDArray[np.float32]
    front: NDArray[np.float32]
    ice_std: NDArray[np.float32]
    disagreement: NDArray[np.float32]
    factor: int
    computed_pixels: int
    cross: bool

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter((self.ice, self.front))


def choose_bands(
    variables: Iterable[str], primary: Sequence[str] = PRIMARY, cross: Sequence[str] = CROSS
) -> tuple[str, str | None]:
    """Return the variables that become the network's primary and cross-polarised channel.

    Parameters
    ----------
    variables : iterable of str
        Of the closed list (`icefront_dask.sensors.VARIABLES`).
    primary, cross : sequence of str
        What the network can take as either channel, in order of preference (fields of its card).

    Raises
    ------
    ModelMismatchError
        If there is no primary band.
    """
    there = set(variables)
    first = next((name for name in primary if name in there), None)
    if first is None:
        raise ModelMismatchError(
            f"the network starts from one of {', '.join(primary)}, and the data has "
            f"{', '.join(sorted(there)) or 'none'}; rename a band to what it is, or take another model"
        )
    if first not in _RADAR:
        return first, None
    own = {"hh": "hv", "vv": "vh"}[first]
    return first, next((name for name in sorted(cross, key=lambda name: name != own) if name in there), None)


def predict_scene(
    bands: Mapping[str, NDArray[np.float32]],
    quality: NDArray[np.uint16] | None = None,
    *,
    pixel_size_m: float,
    calibration: str,
    network: Engine,
    options: PredictOptions,
    primary: Sequence[str] = PRIMARY,
    cross: Sequence[str] = CROSS,
    fjord_mask: NDArray[np.bool_] | None = None,
) -> ScenePrediction:
    """Predict where a scene has ice and where its front runs.

    The coarse pass sees the whole scene in one tile, for context decides where texture cannot; the fine pass
    is made at native resolution where the coarse one may have a front, and fades into it. Each pass scales
    its bands by the median and the median absolute deviation of its own valid pixels.

    Parameters
    ----------
    bands : mapping of str to (H, W) float32 ndarray
        Names of the closed list; linear power, reflectance or grey values, NaN nodata.
    quality : (H, W) uint16 ndarray, optional
        Bits of `icefront_dask.cube.quality.Quality`; those that make a pixel invalid blank it, clouds do not.
    pixel_size_m : float
        Side of a pixel, in metres of the map.
    calibration : {"gamma0", "sigma0", "reflectance", "uncalibrated"}
        The first two are powers and go through decibels.
    network : Engine
        See `icefront_dask.predict.engine`.
    options : PredictOptions
    primary, cross : sequence of str
        What the network can take as either channel, see `choose_bands`.
    fjord_mask : (H, W) bool ndarray, optional
        Where a boundary of ice and ocean can be: it sets the coarse pixel size by the fjord's width, and the
        fine pass follows coarse fronts inside it only.

    Returns
    -------
    ScenePrediction

    Raises
    ------
    ModelMismatchError
        If there is no primary band.
    """
    primary_name, cross_name = choose_bands(bands, primary, cross)
    first = np.asarray(bands[primary_name], dtype=np.float32)
    valid = np.isfinite(first)
    if quality is not None:
        valid &= ~invalid(quality)
    layers = [np.where(valid, first, np.float32(np.nan))]
    power = calibration in _POWER and primary_name in _RADAR
    if cross_name is not None:
        second = np.where(valid, bands[cross_name], np.float32(np.nan)).astype(np.float32)
        if not power or _floor_share(second) <= options.cross_floor_share:
            layers.append(second)
    crossed = len(layers) > 1
    shape = (valid.shape[0], valid.shape[1])
    nothing = np.full(shape, np.nan, dtype=np.float32)
    if not valid.any():
        return ScenePrediction(nothing, nothing, nothing, nothing, 1, 0, crossed)

    if options.passes == "fine":
        fine = run_pass(_channels(layers, power=power), network, options, valid)
        return ScenePrediction(fine.ice, fine.front, fine.ice_std, nothing, 1, fine.computed_pixels, crossed)

    factor = coarse_factor(shape, pixel_size_m, options, fjord_mask)
    coarse = _coarse_pass(layers, factor, network, options, power=power)
    if options.passes == "auto" and max(shape) <= options.one_tile_px:
        share = np.ones(shape, dtype=np.float32)
    else:
        share = _fine_share(coarse, factor, pixel_size_m, options, shape, fjord_mask)
    wide = _enlarge(np.stack([coarse.ice, coarse.front, coarse.ice_std]), factor, shape)
    needed = valid & (share > 0)
    if factor == 1:
        fine, cost = coarse, 0
    else:
        fine = run_pass(_channels(layers, power=power), network, options, needed)
        cost = fine.computed_pixels

    def merge(near: NDArray[np.float32], far: NDArray[np.float32], keep: float = 0.0) -> NDArray[np.float32]:
        mixed = near + np.float32(keep) * (far - near)
        merged = np.where(needed, far + share * (mixed - far), far)
        return np.where(valid, merged, np.float32(np.nan))

    return ScenePrediction(
        ice=merge(fine.ice, wide[0], options.coarse_weight),
        front=merge(fine.front, wide[1]),
        ice_std=merge(fine.ice_std, wide[2]),
        disagreement=nothing if factor == 1 else np.abs(fine.ice - wide[0]),
        factor=factor,
        computed_pixels=coarse.computed_pixels + cost,
        cross=crossed,
    )


def coarse_factor(
    shape: tuple[int, int],
    pixel_size_m: float,
    options: PredictOptions,
    fjord_mask: NDArray[np.bool_] | None = None,
) -> int:
    """Return how many pixels make a side of a coarse one.

    The fjord is ``coarse_px_per_fjord`` coarse pixels wide, which are not coarser than ``coarse_max_pixel_m``
    unless the scene would not fit into one tile of ``one_tile_px``. Without a fjord its width is taken as a
    quarter of the scene's longer side.
    """
    width_m = 0.0
    if fjord_mask is not None and fjord_mask.any():
        width_m = fjord_width_m(fjord_mask, pixel_size_m)
    width_m = width_m or max(shape) * pixel_size_m / 4
    size_m = min(width_m / options.coarse_px_per_fjord, options.coarse_max_pixel_m)
    return max(round(size_m / pixel_size_m), -(-max(shape) // options.one_tile_px), 1)


def fjord_width_m(fjord_mask: NDArray[np.bool_], pixel_size_m: float) -> float:
    """Width in metres of a fjord (H, W) bool at its widest: the diameter of the largest circle inside."""
    step = max(max(fjord_mask.shape) // 512, 1)
    distance = distance_transform_edt(np.pad(fjord_mask[::step, ::step], 1))
    return float(2 * distance.max() - 1) * step * pixel_size_m


def _floor_share(power: NDArray[np.float32]) -> float:
    """Share of the valid pixels (H, W) within 1 dB of the floor of the cross-polarised channel."""
    values = power[np.isfinite(power)]
    return float((values <= 10 ** ((CROSS_FLOOR_DB + 1) / 10)).mean()) if values.size else 1.0


def _channels(layers: list[NDArray[np.float32]], *, power: bool) -> NDArray[np.float32]:
    if power:
        floors = (CO_FLOOR_DB, CROSS_FLOOR_DB)
        layers = [to_decibel(layer, floor) for layer, floor in zip(layers, floors, strict=False)]
    return channels(layers[0], layers[1] if len(layers) > 1 else None)


def _coarse_pass(
    layers: list[NDArray[np.float32]], factor: int, network: Engine, options: PredictOptions, *, power: bool
) -> PassResult:
    """Predict the whole scene in one tile; its blocks are means of linear values."""
    small = _channels([_block_mean(layer, factor) for layer in layers], power=power)
    side = int(np.ceil(max(small.shape[1:]) * max(options.scales)))
    room = round_up(side, network.stride) + 2 * round_up(options.margin_px, network.stride) + network.stride
    return run_pass(small, network, options, tile_px=room)


def _block_mean(layer: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Mean of the finite values in blocks of factor² pixels, NaN where too few are finite."""
    if factor == 1:
        return layer
    height, width = (round_up(side, factor) for side in layer.shape)
    padded = np.full((height, width), np.nan, dtype=np.float32)
    padded[: layer.shape[0], : layer.shape[1]] = layer
    blocks = padded.reshape(height // factor, factor, width // factor, factor)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3), dtype=np.float64)
    enough = count >= max(_COARSE_VALID * factor**2, 1)
    return np.where(enough, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _enlarge(layers: NDArray[np.float32], factor: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Bring (C, h, w) coarse layers to the scene's pixels, bilinear between the centres of the blocks."""
    full = resample(layers, (layers.shape[1] * factor, layers.shape[2] * factor))
    return full[:, : shape[0], : shape[1]]


def _fine_share(
    coarse: PassResult,
    factor: int,
    pixel_size_m: float,
    options: PredictOptions,
    shape: tuple[int, int],
    fjord_mask: NDArray[np.bool_] | None,
) -> NDArray[np.float32]:
    """Weight of the fine pass (H, W): 1 round the coarse front, falling to 0 at the edge of the band."""
    land = coarse.ice >= 0.5
    seeds = coarse.front >= options.band_front
    for axis in (0, 1):
        change = np.diff(land, axis=axis)
        before: list[slice] = [slice(None), slice(None)]
        after = before.copy()
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        seeds[tuple(before)] |= change
        seeds[tuple(after)] |= change
    if fjord_mask is not None and fjord_mask.any():
        inside = np.isfinite(_block_mean(np.where(fjord_mask, np.float32(1), np.float32(np.nan)), factor))
        seeds = seeds & inside if (seeds & inside).any() else inside
    band = max(options.band_m / (factor * pixel_size_m), options.band_coarse_px)
    distance = distance_transform_edt(~seeds) if seeds.any() else np.zeros(seeds.shape)
    share = np.clip((band - distance) / max(_RAMP * band, 1e-6), 0, 1).astype(np.float32)
    return _enlarge(share[None], factor, shape)[0]

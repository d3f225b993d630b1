"""One scene through a network: coarse for the context, fine where the front is, part by part where it is large.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.cube.quality import invalid
from icefront_dask.errors import ModelMismatchError
from icefront_dask.models.normalise import channels, seaward
from icefront_dask.predict.bands import CROSS, PRIMARY, RADAR, choose_bands
from icefront_dask.predict.context import (
    Summary,
    block_mean,
    coarse_factor,
    coarse_inside,
    enlarge,
    in_decibel,
    make_context,
)
from icefront_dask.predict.levels import run_levels
from icefront_dask.predict.parts import Part, scene_parts
from icefront_dask.predict.tiles import round_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from icefront_dask.models.normalise import Flow, RobustScale
    from icefront_dask.predict.context import Context
    from icefront_dask.predict.engine import Engine
    from icefront_dask.predict.fjord import FjordRows
    from icefront_dask.predict.options import PredictOptions

    Image = NDArray[np.float32]
    Mask = NDArray[np.bool_]

__all__ = [
    "Outline",
    "ScenePrediction",
    "layout",
    "outline",
    "predict_scene",
    "scene_factor",
]

_POWER = ("gamma0", "sigma0")


@dataclass(frozen=True)
class ScenePrediction:
    r"""Probabilities of a scene or of a part of one; unpacks as ``ice, front = predict_scene(…)``.

    Attributes
    ----------
    ice, front : (H, W) float32 ndarray
        P(land or ice) and P(pixel within 1.5 px of the line); NaN where the scene is invalid.
    ice_std : (H, W) float32 ndarray
        Spread of P(ice) over networks, augmentations and levels, of the pass which decides; 0 with one member.
    disagreement : (H, W) float32 ndarray
        \\|P(ice) fine - P(ice) coarse\\|; NaN where only one of the passes was made.
    factor : int
        Pixels of the scene along a side of a coarse one; 1 without a coarse pass.
    computed_pixels : int
        Pixels that passed through the network, halos included, those of the coarse pass among them; each
        augmentation and each further network goes over all of them.
    cross : bool
        Whether the cross-polarised band was used.
    batch_changed : bool
        Whether memory was short and smaller batches or tiles were taken.
    """

    ice: Image
    front: Image
    ice_std: Image
    disagreement: Image
    factor: int
    computed_pixels: int
    cross: bool
    batch_changed: bool = False

    def __iter__(self) -> Iterator[Image]:
        return iter((self.ice, self.front))


@dataclass(frozen=True)
class Outline:
    """What is known of a prediction before a pixel is read.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns of the scene.
    parts : list of Part
        In row-major order.
    factor : int
        Pixels along a side of a coarse one, 1 without a coarse pass.
    primary, cross : str or None
        The bands.
    power : bool
        Whether they go through decibels.
    pixel_size_m : float
    engines : tuple of Engine
    options : PredictOptions
        Settled for the network.
    fjord_mask : (H, W) bool ndarray, Fjord or None
    flows : tuple of ((row, column), (row, column))
        Inland and seaward end of each flowline.
    """

    shape: tuple[int, int]
    parts: list[Part]
    factor: int
    primary: str
    cross: str | None
    power: bool
    pixel_size_m: float
    engines: tuple[Engine, ...]
    options: PredictOptions
    fjord_mask: FjordRows | None
    flows: tuple[Flow, ...] = ()

    @property
    def coarse(self) -> bool:
        """Whether there is a coarse pass."""
        return self.factor > 1

    def summary(self, part: Part, bands: Mapping[str, Image], quality: NDArray[np.uint16] | None) -> Summary:
        """Sum up a part from the bands of what it answers for."""
        layers = self._layers(bands, quality)
        return Summary.of(
            layers, part, self.shape, self.factor, levels=self.options.levels, power=self.power, coarse=self.coarse
        )

    def context(self, summaries: Sequence[Summary]) -> Context:
        """Bring the summaries of all parts together; this makes the coarse pass."""
        inside = coarse_inside(self.fjord_mask, self.factor) if self.coarse else None
        return make_context(
            summaries, self.parts, self.shape, self.factor, self.pixel_size_m, self.engines, self.options,
            power=self.power, inside=inside, flows=self.flows,
        )  # fmt: skip

    def predict(
        self, part: Part, context: Context, bands: Mapping[str, Image], quality: NDArray[np.uint16] | None
    ) -> ScenePrediction:
        """Predict what a part answers for, from the bands of what it reads."""
        bands_used = len(context.scales[0])
        crossed = bands_used > 1
        layers = self._layers(bands, quality)[:bands_used]
        valid = np.isfinite(layers[0])
        inner = part.inner
        shape = (part.rows.stop - part.rows.start, part.columns.stop - part.columns.start)
        nothing = np.full(shape, np.nan, dtype=np.float32)
        if not valid[inner].any():
            return ScenePrediction(nothing, nothing, nothing, nothing, self.factor, 0, crossed)
        needed, share = valid, None
        if context.coarse is not None:
            share = enlarge(context.coarse.share[None], self.factor, part)[0]
            needed = valid & (share > 0)
        needed = part.answers_for(needed)
        fine = run_levels(
            {
                level: self._channels(layers, part, level, scales)
                for level, scales in zip(self.options.levels, context.scales, strict=True)
            },
            self.engines, self.options, needed, origin=part.origin, scene=self.shape,
        )  # fmt: skip
        found = ScenePrediction(
            fine.ice[inner], fine.front[inner], fine.ice_std[inner], nothing, self.factor, fine.computed_pixels,
            crossed, fine.batch_changed,
        )  # fmt: skip
        if context.coarse is None or share is None:
            return found
        wide = enlarge(context.coarse.layers, self.factor, part)[:, *inner]
        return _merged(found, wide, share[inner], needed[inner], valid[inner], self.options.coarse_weight)

    def _channels(self, layers: list[Image], part: Part, level: int, scales: Sequence[RobustScale]) -> Image:
        """Return what the network is shown of what a part reads, on pixels of a level."""
        primary, *cross = in_decibel([block_mean(layer, level) for layer in layers], power=self.power)
        way = None
        if self.engines[0].guided:
            way = seaward((primary.shape[0], primary.shape[1]), self.flows, origin=part.origin, factor=level)
        return np.asarray(
            channels(primary, next(iter(cross), None), way, scale=scales[0], cross_scale=scales[1] if cross else None)
        )

    def _layers(self, bands: Mapping[str, Image], quality: NDArray[np.uint16] | None) -> list[Image]:
        first = np.asarray(bands[self.primary], dtype=np.float32)
        valid = np.isfinite(first)
        if quality is not None:
            valid &= ~invalid(quality)
        names = [self.primary] if self.cross is None else [self.primary, self.cross]
        return [np.where(valid, bands[name], np.float32(np.nan)).astype(np.float32, copy=False) for name in names]


def scene_factor(
    shape: tuple[int, int], pixel_size_m: float, options: PredictOptions, fjord_mask: FjordRows | None
) -> int:
    """Return the pixels along a side of a coarse one, 1 where there is no coarse pass."""
    return 1 if options.passes == "fine" else coarse_factor(shape, pixel_size_m, options, fjord_mask)


def layout(
    shape: tuple[int, int], options: PredictOptions, factor: int, *, stride: int, receptive_radius: int
) -> list[Part]:
    """Return the parts of a scene, from what a network's card says; `options` are settled."""
    reach = options.tile_px if options.windows else options.halo_px or receptive_radius
    assert reach is not None
    # A pixel of each level, and a multiple of the stride of them, begins where a part does.
    aligned = math.lcm(*(stride * level for level in options.levels))
    return scene_parts(
        shape,
        block_px=options.block_px,
        reach_px=round_up((reach + stride) * max(options.levels), aligned),
        multiple=math.lcm(aligned, factor),
    )


def outline(
    shape: tuple[int, int],
    variables: Iterable[str],
    *,
    pixel_size_m: float,
    calibration: str,
    network: Engine | Sequence[Engine],
    options: PredictOptions,
    primary: Sequence[str] = PRIMARY,
    cross: Sequence[str] = CROSS,
    fjord_mask: FjordRows | None = None,
    factor: int | None = None,
    flows: Sequence[Flow] = (),
) -> Outline:
    """Settle how a scene of this size and these bands is predicted; see `predict_scene` for the parameters.

    With a ``factor`` the fjord is not looked at; `Outline.context` then makes no use of it either.
    """
    engines = (network,) if callable(network) else tuple(network)
    first = engines[0]
    if any((one.stride, one.halo, one.windows) != (first.stride, first.halo, first.windows) for one in engines):
        raise ModelMismatchError(
            "the networks of an ensemble differ in stride or receptive field; set predict.members to weights of one "
            "architecture with the same options"
        )
    settled = options.settled(first.windows)
    primary_name, cross_name = choose_bands(variables, primary, cross)
    if factor is None:
        factor = scene_factor(shape, pixel_size_m, settled, fjord_mask)
    return Outline(
        shape=shape,
        parts=layout(shape, settled, factor, stride=first.stride, receptive_radius=first.receptive_radius),
        factor=factor,
        primary=primary_name,
        cross=cross_name,
        power=calibration in _POWER and primary_name in RADAR,
        pixel_size_m=pixel_size_m,
        engines=engines,
        options=settled,
        fjord_mask=fjord_mask,
        flows=tuple(flows),
    )


def predict_scene(
    bands: Mapping[str, Image],
    quality: NDArray[np.uint16] | None = None,
    *,
    pixel_size_m: float,
    calibration: str,
    network: Engine | Sequence[Engine],
    options: PredictOptions,
    primary: Sequence[str] = PRIMARY,
    cross: Sequence[str] = CROSS,
    fjord_mask: Mask | None = None,
    flows: Sequence[Flow] = (),
) -> ScenePrediction:
    """Predict where a scene has ice and where its front runs.

    The coarse pass sees the whole scene in one tile, for context decides where texture cannot; the fine pass
    is made at native resolution, and at the other ``levels``, where the coarse one may have a front, and fades into
    it. Each pass and each level scales its bands by the median and the median absolute deviation of its own valid
    pixels. A scene larger than
    ``block_px`` goes through the fine pass in parts, each with its halo.

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
    network : Engine or sequence of Engine
        See `icefront_dask.predict.engine`; of several the probabilities are averaged.
    options : PredictOptions
    primary, cross : sequence of str
        What the network can take as either channel, see `choose_bands`.
    fjord_mask : (H, W) bool ndarray, optional
        Where a boundary of ice and ocean can be: it sets the coarse pixel size by the fjord's width, and the
        fine pass follows coarse fronts inside it only.
    flows : sequence of ((row, column), (row, column))
        Inland and seaward end of each known flowline: networks that are told the way to the sea use them.

    Returns
    -------
    ScenePrediction

    Raises
    ------
    ModelMismatchError
        If there is no primary band, or the networks do not go together.
    MemoryError
        If memory does not suffice for the smallest tile.
    """
    first = next(iter(bands.values()))
    plan = outline(
        (first.shape[0], first.shape[1]), bands, pixel_size_m=pixel_size_m, calibration=calibration, network=network,
        options=options, primary=primary, cross=cross, fjord_mask=fjord_mask, flows=flows,
    )  # fmt: skip

    def cut(window: tuple[slice, slice]) -> tuple[dict[str, Image], NDArray[np.uint16] | None]:
        return {name: band[window] for name, band in bands.items()}, None if quality is None else quality[window]

    context = plan.context([plan.summary(part, *cut(part.core)) for part in plan.parts])
    if len(plan.parts) == 1:
        return _with_coarse(plan.predict(plan.parts[0], context, *cut(plan.parts[0].window)), context)
    whole = {name: np.empty(plan.shape, np.float32) for name in ("ice", "front", "ice_std", "disagreement")}
    pixels, changed = 0, False
    for part in plan.parts:
        found = plan.predict(part, context, *cut(part.window))
        for name, layer in whole.items():
            layer[part.core] = getattr(found, name)
        pixels, changed = pixels + found.computed_pixels, changed or found.batch_changed
    crossed = len(context.scales[0]) > 1
    return _with_coarse(
        ScenePrediction(**whole, factor=plan.factor, computed_pixels=pixels, cross=crossed, batch_changed=changed),
        context,
    )


def _with_coarse(found: ScenePrediction, context: Context) -> ScenePrediction:
    """Add the coarse pass to what was computed."""
    if context.coarse is None:
        return found
    return replace(
        found,
        computed_pixels=found.computed_pixels + context.coarse.computed_pixels,
        batch_changed=found.batch_changed or context.coarse.batch_changed,
    )


def _merged(
    fine: ScenePrediction, wide: Image, share: Image, needed: Mask, valid: Mask, coarse_weight: float
) -> ScenePrediction:
    """Let the fine pass fade into the coarse one."""

    def merge(near: Image, far: Image, keep: float = 0.0) -> Image:
        mixed = near + np.float32(keep) * (far - near)
        merged = np.where(needed, far + share * (mixed - far), far)
        return np.where(valid, merged, np.float32(np.nan))

    return replace(
        fine,
        ice=merge(fine.ice, wide[0], coarse_weight),
        front=merge(fine.front, wide[1]),
        ice_std=merge(fine.ice_std, wide[2]),
        disagreement=np.abs(fine.ice - wide[0]),
    )

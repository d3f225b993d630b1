"""Optical reflectance of simulated layers: near-infrared with its sun, clouds and shadows.

The sun stands in the direction of decreasing (``sun_side = +1``) or increasing (``-1``) columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK, Layers
from icefront_dask.simulate.table import OPTICAL, OPTICAL_MIX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icefront_dask.simulate.fields import Floats

__all__ = ["Sky", "cloud_masks", "draw_sky", "render_optical"]


@dataclass(frozen=True)
class Sky:
    """Radiometry of one optical acquisition.

    Attributes
    ----------
    glacier, upper, ocean, block, berg, rock : float
        Mean reflectance; ``upper`` above the snow line.
    texture, fine, stripe, tone, rim, lit : float
        Relative strength of the textures.
    sun_elevation_deg : float
    sun_side : int
    blur_px : float
        Standard deviation of the point spread in pixels.
    noise : float
    haze : float
        Reflectance added by haze.
    cloud_share, cloud_shift_px : float, int
    berg_texture : float
        Share of the glacier's texture on tabular bergs.
    snow_patch : float
        Level of the slow field above which the rock carries snow; 9 for none.
    """

    glacier: float
    upper: float
    ocean: float
    block: float
    berg: float
    rock: float
    texture: float
    fine: float
    stripe: float
    tone: float
    rim: float
    lit: float
    sun_elevation_deg: float
    sun_side: int
    blur_px: float
    noise: float
    haze: float
    cloud_share: float
    cloud_shift_px: int
    berg_texture: float = 0.0
    snow_patch: float = 9.0


def draw_sky(rng: np.random.Generator, *, mix: str | None = None, cloud_share: float | None = None) -> Sky:
    """Draw the radiometry of one acquisition from one kind of scene (``mix``; drawn when not given)."""

    def level(name: str) -> float:
        return OPTICAL[name].at(rng.triangular(0, 0.5, 1))

    mix = mix or str(rng.choice(list(OPTICAL_MIX), p=list(OPTICAL_MIX.values())))
    glacier = level(str(rng.choice(["clean_ice", "dirty_ice", "snow"], p=[0.6, 0.25, 0.15])))
    block = level("melange") if rng.random() < 0.5 else float(np.clip(glacier + rng.normal(0, 0.06), 0.1, 0.95))
    ocean = level(
        {"melange": "thin_ice", "water": str(rng.choice(["water", "plume"], p=[0.75, 0.25]))}.get(mix, "thin_ice")
    )
    if mix == "melange" and rng.random() < 0.6:
        ocean = float(np.clip(block + rng.normal(0, 0.07), 0.05, 0.95))
    if mix == "sea_ice" and rng.random() < 0.5:
        ocean = level("snow")
    share = float(rng.choice([0.0, rng.uniform(0.02, 0.5)], p=[0.75, 0.25])) if cloud_share is None else cloud_share
    return Sky(
        glacier=glacier,
        upper=level("snow") if rng.random() < 0.5 else glacier,
        ocean=ocean,
        block=block,
        berg=level("clean_ice") if rng.random() < 0.5 else glacier,
        rock=level("rock") if rng.random() < 0.75 else level("snow"),
        texture=rng.uniform(0.02, 0.18),
        fine=rng.uniform(0.01, 0.08),
        stripe=rng.uniform(0.0, 0.10),
        tone=rng.uniform(0.02, 0.15),
        rim=rng.uniform(-0.3, 0.05),
        lit=rng.uniform(0, 0.18),
        sun_elevation_deg=float(np.exp(rng.uniform(np.log(9), np.log(45)))),
        sun_side=int(rng.choice([-1, 1])),
        blur_px=rng.uniform(0.3, 0.9),
        noise=rng.uniform(0.002, 0.012),
        haze=rng.uniform(0, 0.06) if rng.random() < 0.4 else 0.0,
        cloud_share=share,
        cloud_shift_px=int(rng.integers(6, 30)),
        berg_texture=rng.uniform(0, 1.2),
        snow_patch=rng.uniform(-1.5, 2) if rng.random() < 0.5 else 9.0,
    )


def cloud_masks(field: Floats, sky: Sky) -> tuple[Floats, NDArray[np.bool_]]:
    """Opacity (0 … 1) of the clouds, and the pixels in their shadow, from a fractal field (H, W)."""
    if sky.cloud_share <= 0:
        return np.zeros(field.shape, np.float32), np.zeros(field.shape, bool)
    threshold = np.quantile(field, 1 - sky.cloud_share)
    opacity = np.clip((field - threshold) / max(float(field.std()), 1e-6) * 1.5, 0, 1).astype(np.float32)
    shade = np.roll(opacity, sky.sun_side * sky.cloud_shift_px, axis=1)
    return opacity, (shade > 0.4) & (opacity < 0.4)


def _lit(elevation: Floats, sky: Sky, pixel_m: float) -> tuple[Floats, Floats]:
    """Cosine shading relative to flat ground, and cast shadow (1 hidden)."""
    tan = np.tan(np.radians(sky.sun_elevation_deg))
    slope = np.gradient(elevation, pixel_m, axis=1) * sky.sun_side
    shading = np.clip((1 + slope / tan) / np.sqrt(1 + slope**2), 0.05, 1.9)
    z = elevation[:, :: sky.sun_side]
    ray = z + np.arange(z.shape[1], dtype=np.float32) * np.float32(pixel_m * tan)
    hidden = (ray < np.maximum.accumulate(ray, axis=1) - 2.0)[:, :: sky.sun_side]
    return shading.astype(np.float32), hidden.astype(np.float32)


def render_optical(
    layers: Layers,
    sky: Sky,
    rng: np.random.Generator,
    pixel_m: float,
    clouds: tuple[Floats, NDArray[np.bool_]] | None = None,
) -> Floats:
    """Render near-infrared reflectance.

    Parameters
    ----------
    layers : Layers
        Each (H, W).
    sky : Sky
    rng : numpy.random.Generator
        Draws the noise.
    pixel_m : float
    clouds : (opacity, shadow), optional
        See :func:`cloud_masks`.

    Returns
    -------
    ndarray (H, W) float32
        Reflectance, 0 … 1.2, without nodata.
    """
    glacier, rock = layers.kind == GLACIER, layers.kind == ROCK
    lit = np.gradient(layers.crevasse, axis=1).astype(np.float32) * sky.sun_side
    lit /= max(float(lit.std()), 1e-6)
    texture = (
        sky.texture * (0.4 * layers.crevasse + 0.7 * lit)
        + sky.fine * layers.fine
        + sky.stripe * layers.stripe
        + 0.05 * layers.low
    )
    ice = np.where(layers.wet > 0, sky.glacier, sky.upper) * (1 + texture)
    ice = np.where(layers.rift < max(60.0, pixel_m), 0.75 * ice, ice)
    block_lit = np.gradient(layers.size * layers.gap, axis=1).astype(np.float32) * sky.sun_side
    block_lit /= max(float(block_lit.std()), 1e-6)
    blocks = sky.block * (
        1
        + sky.tone * layers.tone
        + sky.rim * (1 - layers.gap)
        + sky.lit * np.clip(block_lit, -3, 3)
        + 0.5 * sky.fine * layers.fine
    )
    matrix = sky.ocean * (1 + 0.06 * layers.low)
    matrix = np.where(layers.fast > 0, np.maximum(matrix, 0.8 * sky.block), matrix)
    ocean = layers.cover * blocks + (1 - layers.cover) * matrix
    flat = sky.berg * (1 + 0.5 * sky.fine * layers.fine + sky.berg_texture * texture)
    ocean = np.where((layers.kind == OCEAN) & (layers.berg > 0), flat, ocean)
    bare = np.where(layers.low + 0.3 * layers.fine > sky.snow_patch, sky.upper, sky.rock)
    ground = np.where(rock, bare * (1 + 0.25 * layers.fine + 0.2 * layers.low), np.where(glacier, ice, ocean))
    shading, hidden = _lit(layers.elevation, sky, pixel_m)
    image = ground * shading * (1 - 0.85 * hidden)
    image = gaussian_filter(image.astype(np.float32), sky.blur_px) + sky.haze
    if clouds is not None:
        opacity, shade = clouds
        image = np.where(shade, 0.45 * image, image)
        image = (1 - opacity) * image + opacity * (0.75 + 0.1 * layers.low)
    image = image + sky.noise * rng.standard_normal(image.shape).astype(np.float32)
    return np.clip(image, 0, 1.2).astype(np.float32)

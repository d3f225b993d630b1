"""SAR backscatter of simulated layers: gamma0 in co- and cross-polarisation, as linear power.

The radar looks along the rows, towards increasing (``look = +1``) or decreasing (``-1``) columns. Means and
ranges: ``simulate/table.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK, Layers
from icefront_dask.simulate.table import SAR, SAR_MIX

if TYPE_CHECKING:
    from icefront_dask.simulate.fields import Floats

__all__ = ["Radar", "draw_radar", "render_sar"]


@dataclass(frozen=True)
class Radar:
    """Radiometry of one acquisition; levels in dB at the scene's incidence angle.

    Attributes
    ----------
    glacier, ocean, block, berg, rock : (co, cross) mean gamma0
    dry_delta : (co, cross) added above the melt line
    texture, fine, stripe, low, tone, rim, relief : float
        Strength (dB) of crevasses, small roughness, flow stripes, slow changes, block tones, block rims,
        lit blocks.
    cliff, rift : float
        Brightness (dB) of a cliff that faces the radar, and of the rift.
    incidence_deg, ramp_db_per_px : float
    look : int
    looks, smooth_px : float
        Equivalent number of looks, and standard deviation of the impulse response in pixels.
    floor_db : (co, cross) noise floor
    false_cliff : (offset m, dB) or None
        A line that an outdated elevation model leaves in terrain-corrected data.
    berg_texture : float
        Share of the glacier's texture on tabular bergs.
    rock_contrast, rock_slope, rock_patch : float
        Brightening (dB) of slopes towards the radar, how soon it saturates, and strength (dB) of broad patches.
    """

    glacier: tuple[float, float]
    ocean: tuple[float, float]
    block: tuple[float, float]
    berg: tuple[float, float]
    rock: tuple[float, float]
    dry_delta: tuple[float, float]
    texture: float
    fine: float
    stripe: float
    low: float
    tone: float
    rim: float
    relief: float
    cliff: float
    rift: float
    incidence_deg: float
    ramp_db_per_px: float
    look: int
    looks: float
    smooth_px: float
    floor_db: tuple[float, float]
    false_cliff: tuple[float, float] | None
    berg_texture: float = 0.0
    rock_contrast: float = 10.0
    rock_slope: float = 1.3
    rock_patch: float = 0.0


def _level(rng: np.random.Generator, name: str) -> tuple[float, float]:
    co, cross = SAR[name]
    draw = rng.triangular(0, 0.5, 1)
    return co.at(draw), cross.at(float(np.clip(draw + rng.normal(0, 0.12), 0, 1)))


def draw_radar(rng: np.random.Generator, *, mix: str | None = None, ew: bool = False) -> Radar:
    """Draw the radiometry of one acquisition from one kind of scene (``mix``; drawn when not given)."""
    mix = mix or str(rng.choice(list(SAR_MIX), p=list(SAR_MIX.values())))
    glacier = _level(
        rng, str(rng.choice(["crevassed", "smooth_ice", "frozen_firn", "dry_snow"], p=[0.6, 0.2, 0.1, 0.1]))
    )
    block = _level(rng, "melange")
    berg = _level(rng, "berg")
    ocean = _level(rng, "brash")
    dry = (0.0, 0.0)
    if mix == "melange":
        shift = rng.normal(0, 1.2)
        block = (glacier[0] + shift, glacier[1] + shift + rng.normal(0, 0.7))
        ocean = (block[0] + rng.normal(-1, 1.5), block[1] + rng.normal(-1, 1.5))
    elif mix == "calm":
        ocean = _level(rng, "calm_water")
    elif mix == "windy":
        ocean = (glacier[0] + rng.uniform(-3, 3), _level(rng, "calm_water")[1])
    elif mix == "melt":
        wet = _level(rng, "wet")
        dry = (max(glacier[0] - wet[0], 0), max(glacier[1] - wet[1], 0))
        glacier = wet
        brighter = rng.uniform(2, 8)
        block = (glacier[0] + brighter, glacier[1] + brighter)
        ocean = (block[0] + rng.normal(0, 1.5), block[1] + rng.normal(0, 1.5))
        berg = (block[0] + rng.normal(1, 2), block[1] + rng.normal(1, 2))
    else:
        ocean = _level(rng, str(rng.choice(["first_year_ice", "new_ice", "fast_ice"])))
    looks_of_berg = rng.random()
    if looks_of_berg < 0.3:  # flat, snow-covered bergs are darker than what surrounds them
        drop = rng.uniform(1, 9)
        berg = (block[0] - drop, block[1] - drop)
    elif looks_of_berg < 0.7:  # one that has just calved is a piece of the glacier
        berg = (glacier[0] + rng.normal(0, 0.7), glacier[1] + rng.normal(0, 0.7))
    return Radar(
        glacier=glacier,
        ocean=ocean,
        block=block,
        berg=berg,
        rock=(rng.uniform(-11, -4), rng.uniform(-19, -10)),
        dry_delta=dry,
        texture=rng.uniform(0.5, 3.5),
        fine=rng.uniform(0.2, 1.8),
        stripe=rng.uniform(0, 1.2),
        low=rng.uniform(0.2, 1.2),
        tone=rng.uniform(0.3, 2.5),
        rim=rng.uniform(-4, 3),
        relief=rng.uniform(0, 3),
        cliff=rng.uniform(1, 10) if rng.random() < 0.8 else rng.uniform(-1, 1),
        rift=rng.uniform(-6, 8),
        incidence_deg=rng.uniform(20, 46),
        ramp_db_per_px=rng.normal(0, 0.002),
        look=int(rng.choice([-1, 1])),
        looks=10.7 if ew else float(np.exp(rng.uniform(np.log(2), np.log(40))) if rng.random() < 0.6 else 4.4),
        smooth_px=rng.uniform(0.0, 0.9),
        floor_db=(rng.uniform(-34, -26), rng.uniform(-34, -21)),
        false_cliff=(
            rng.uniform(300, 5000) * rng.choice([-1, 1]),
            rng.uniform(2, 6) if rng.random() < 0.5 else -5.0,
        )
        if rng.random() < 0.2
        else None,
        berg_texture=rng.uniform(0, 1.2) if looks_of_berg > 0.3 else rng.uniform(0, 0.3),
        rock_contrast=rng.uniform(3, 14),
        rock_slope=rng.uniform(0.8, 3.5),
        rock_patch=rng.uniform(0, 3),
    )


def _along(a: Floats, look: int, pixel_m: float) -> Floats:
    """Slope towards the radar: positive where the surface faces it."""
    return np.gradient(a, pixel_m, axis=1).astype(np.float32) * look


def _shadow(elevation: Floats, look: int, incidence_deg: float, pixel_m: float) -> Floats:
    """1 where terrain hides the surface from the radar."""
    z = elevation[:, ::look]
    ray = z + np.arange(z.shape[1], dtype=np.float32) * np.float32(pixel_m / np.tan(np.radians(incidence_deg)))
    hidden = ray < np.maximum.accumulate(ray, axis=1) - 1.0
    return hidden[:, ::look].astype(np.float32)


def _cliff(layers: Layers, radar: Radar, pixel_m: float, cliff_m: float) -> tuple[Floats, Floats]:
    """Brightening (dB) of cliffs that face the radar, and share of shadow behind those that do not."""
    gain = np.zeros(layers.kind.shape, np.float32)
    dark = np.zeros(layers.kind.shape, np.float32)
    tan = np.tan(np.radians(radar.incidence_deg))
    for distance, height, where in (
        (layers.front_m, cliff_m, layers.kind != ROCK),
        (-layers.berg, 0.5 * cliff_m, (layers.kind == OCEAN) & (layers.berg > -500)),
    ):
        gy, gx = np.gradient(distance)
        facing = -radar.look * gx / np.maximum(np.hypot(gx, gy), 1e-3)
        layover = np.clip(height / tan * np.clip(facing, 0, 1), 0.7 * pixel_m, 6 * pixel_m)
        hidden = np.clip(height * tan * np.clip(-facing, 0, 1), 0.3 * pixel_m, 6 * pixel_m)
        lit = (
            np.clip(1 - np.abs(distance - 0.3 * layover) / layover, 0, 1)
            * (facing > 0)
            * np.sqrt(np.clip(facing, 0, 1))
        )
        gain += np.where(where, radar.cliff * lit, 0)
        dark = np.maximum(dark, np.where(where & (facing < 0) & (distance > 0) & (distance < hidden), 1.0, 0.0))
    return gain, dark.astype(np.float32)


def render_sar(
    layers: Layers,
    radar: Radar,
    rng: np.random.Generator,
    pixel_m: float,
    cliff_m: float = 60.0,
    looks: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Render co- and cross-polarised gamma0.

    Parameters
    ----------
    layers : Layers
        Each (H, W).
    radar : Radar
    rng : numpy.random.Generator
        Draws the speckle.
    pixel_m : float
    cliff_m : float
        Height of the calving cliff (m).
    looks : ndarray (H, W) float32, optional
        Added to both polarisations (dB), before cliffs, shadow and speckle.

    Returns
    -------
    co, cross : ndarray (H, W) float32
        Linear power, without nodata.
    """
    glacier, rock = layers.kind == GLACIER, layers.kind == ROCK
    lit = _along(layers.crevasse, radar.look, 1.0)
    lit /= max(float(lit.std()), 1e-6)
    ice_texture = (
        radar.texture * (0.5 * layers.crevasse + 0.7 * lit)
        + radar.fine * layers.fine
        + radar.stripe * layers.stripe
        + radar.low * layers.low
    )
    block_lit = _along(layers.size * layers.gap, radar.look, 1.0)
    block_lit /= max(float(block_lit.std()), 1e-6)
    block_texture = (
        radar.tone * layers.tone * (0.4 + 0.6 * layers.size)
        + radar.rim * (1 - layers.gap)
        + radar.relief * np.clip(block_lit, -3, 3)
    )
    slope = _along(layers.elevation, radar.look, pixel_m)
    shaded = radar.rock_contrast * np.tanh(radar.rock_slope * slope) + layers.fine + radar.rock_patch * layers.low
    edge_gain, dark = _cliff(layers, radar, pixel_m, cliff_m)
    dark = np.maximum(dark, _shadow(layers.elevation, radar.look, radar.incidence_deg, pixel_m))
    rift_gain = radar.rift * np.clip(1 - layers.rift / max(60.0, 1.5 * pixel_m), 0, 1)
    ramp = radar.ramp_db_per_px * np.arange(layers.kind.shape[1], dtype=np.float32)

    out = []
    for p, damp in ((0, 1.0), (1, 0.8)):
        matrix = radar.ocean[p] + damp * (0.6 * radar.low * layers.low + 0.4 * radar.fine * layers.fine * layers.cover)
        matrix = np.where(layers.fast > 0, 0.5 * (matrix + radar.block[p]) + 1.5, matrix)
        ocean = layers.cover * (radar.block[p] + damp * block_texture) + (1 - layers.cover) * matrix
        flat = radar.berg[p] + damp * (0.5 * radar.fine * layers.fine + radar.berg_texture * ice_texture)
        ocean = np.where(layers.berg > 0, flat, ocean)
        ice = radar.glacier[p] + damp * ice_texture + (1 - layers.wet) * radar.dry_delta[p] + rift_gain
        db = np.where(rock, radar.rock[p] + shaded, np.where(glacier, ice, ocean))
        if looks is not None:
            db = db + looks
        db = db + edge_gain * damp + ramp
        if radar.false_cliff is not None:
            at, strength = radar.false_cliff
            db = db + strength * np.clip(1 - np.abs(layers.front_m - at) / (1.2 * pixel_m), 0, 1) * ~rock
        power = 10 ** (db / 10)
        power = np.where(dark > 0, 0.08 * power, power)
        out.append(_speckle(power, radar, rng) + 10 ** (radar.floor_db[p] / 10))
    return out[0].astype(np.float32), out[1].astype(np.float32)


def _speckle(power: Floats, radar: Radar, rng: np.random.Generator) -> Floats:
    """Multiply by gamma speckle of the radar's looks, correlated by its impulse response."""
    sigma = radar.smooth_px
    # A Gaussian filter of width sigma averages about 4 pi sigma^2 independent samples.
    gain = max(4 * np.pi * sigma**2, 1.0) if sigma > 0.28 else 1.0
    shape = max(radar.looks / gain, 0.6)
    noise = rng.standard_gamma(shape, power.shape, dtype=np.float32) / np.float32(shape)
    if gain > 1:
        noise = gaussian_filter(noise, sigma, mode="reflect")
    return power * noise

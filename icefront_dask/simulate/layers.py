"""What lies where in a scene: classes, distances and unit textures, before any sensor looks at it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.morphology import remove_small_holes, remove_small_objects

from icefront_dask.simulate.fields import Floats, line_noise, sample
from icefront_dask.simulate.landscape import FrontShape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icefront_dask.simulate.landscape import Front, Landscape

__all__ = ["GLACIER", "OCEAN", "ROCK", "Layers", "Surface", "draw_surface", "make_layers", "signed_distance", "turned"]

OCEAN, GLACIER, ROCK = 0, 1, 2
_CRUMB = 0.005  # smaller pieces of ice or ocean, as shares of a scene, are no blocks of a front


@dataclass(frozen=True)
class Surface:
    """How ice and ocean look in one scene, apart from the sensor (metres unless said otherwise).

    Attributes
    ----------
    crevasse_m, crevasse_aspect, crevasse_bow, ridge : float
        Wavelength; elongation across the flow; how far the pattern bends at the walls (shares of the half
        width); -1 … 1 from dark troughs to bright ridges.
    fine_m : float
        Wavelength of the small-scale roughness.
    stripe_m : float
        Width of flow stripes and medial moraines.
    moved_m : float
        How far the ice has flowed since the texture's origin.
    block_m : float
        Size of a cell of the block mosaic; the largest blocks are some 20 cells wide.
    block_at : (float, float)
        Offset into the block mosaic, in cells: a new one for a re-arranged mélange.
    cover : float
        Share of the ocean covered by blocks near the front, 0 … 1.
    cover_edge_m, fast_edge_m : float
        Distance seaward of the front at which the mélange, and at which the fast ice, ends.
    bergs : tuple of (x, y, half length, half width, angle)
    rift_m : float or None
        Distance inland of the front of a rift that runs along it.
    cliff_m : float
        Height of the calving cliff.
    melt_line_m : float or None
        Distance inland of the front below which the surface is wet.
    calved_m : float or None
        How far the piece calved last, which left the front's notch, has drifted seaward.
    """

    crevasse_m: float
    crevasse_aspect: float
    crevasse_bow: float
    ridge: float
    fine_m: float
    stripe_m: float
    moved_m: float
    block_m: float
    block_at: tuple[float, float]
    cover: float
    cover_edge_m: float
    fast_edge_m: float
    bergs: tuple[tuple[float, float, float, float, float], ...]
    rift_m: float | None
    cliff_m: float
    melt_line_m: float | None
    calved_m: float | None = None


@dataclass
class Layers:
    """Layers of one grid, each (H, W); textures float32 with zero mean and unit variance over the place.

    Attributes
    ----------
    kind : uint8, 0 ocean, 1 glacier, 2 rock
    front_m : distance to the front along the gradient of its level, seaward positive, clipped at ± 3 km
    crevasse, fine, stripe, low : textures that move with the ice (``low`` also modulates the ocean)
    tone, size, gap : block mosaic on the ocean; ``gap`` 0 at a rim, 1 inside
    cover : 1 where blocks lie, 0 on open water, sea ice or brash
    berg : distance-like level of tabular bergs, positive inside, in metres, clipped at ± 500
    rift : distance to the rift (m), large where there is none
    fast : 1 on fast ice, else 0
    elevation : metres; rock, cliff-high glacier, bergs
    wet : 1 below the melt line, else 0
    """

    kind: NDArray[np.uint8]
    front_m: Floats
    crevasse: Floats
    fine: Floats
    stripe: Floats
    low: Floats
    tone: Floats
    size: Floats
    gap: Floats
    cover: Floats
    berg: Floats
    rift: Floats
    fast: Floats
    elevation: Floats
    wet: Floats

    def crop(self, rows: slice, cols: slice) -> Layers:
        """Return the layers of a window."""
        return Layers(**{f.name: getattr(self, f.name)[rows, cols] for f in fields(self)})

    def turned(self, quarter: int, flip: bool) -> Layers:
        """Return the layers rotated by quarter turns and, after that, mirrored left to right."""
        return Layers(**{f.name: turned(getattr(self, f.name), quarter, flip=flip) for f in fields(self)})

    def packed(self) -> Layers:
        """Return the layers with float16 textures, for a cache."""
        return Layers(
            **{
                f.name: value if (value := getattr(self, f.name)).dtype == np.uint8 else value.astype(np.float16)
                for f in fields(self)
            }
        )

    def unpacked(self) -> Layers:
        """Return the layers with float32 textures."""
        return Layers(
            **{
                f.name: value if (value := getattr(self, f.name)).dtype == np.uint8 else value.astype(np.float32)
                for f in fields(self)
            }
        )


def turned(layer: NDArray[Any], quarter: int, *, flip: bool) -> NDArray[Any]:
    """Rotate a layer (H, W) by quarter turns and, after that, mirror it left to right."""
    layer = np.rot90(layer, quarter)
    return np.ascontiguousarray(layer[:, ::-1] if flip else layer)


def draw_surface(rng: np.random.Generator, half_width_m: float, pixel_m: float) -> Surface:
    """Draw the looks of one scene (ranges: ``simulate/table.py``)."""
    w = half_width_m
    bergs = []
    if rng.random() < 0.45:
        for _ in range(int(rng.integers(1, 5))):
            length = np.exp(rng.uniform(np.log(0.05), np.log(0.45))) * w
            wide = length * rng.uniform(0.25, 0.7)
            close = rng.random() < 0.3
            bergs.append(
                (
                    float(wide + rng.uniform(0.02, 0.2) * w) if close else rng.uniform(0.15, 2.5) * w,
                    rng.uniform(-0.8, 0.8) * w,
                    float(length),
                    float(wide),
                    rng.normal(np.pi / 2, 0.2 if close else 0.5),
                )
            )
    return Surface(
        crevasse_m=max(np.exp(rng.uniform(np.log(60), np.log(400))), 2.2 * pixel_m),
        crevasse_aspect=rng.uniform(2, 7),
        crevasse_bow=rng.uniform(-1.0, 1.0),
        ridge=rng.uniform(-1, 1),
        fine_m=max(np.exp(rng.uniform(np.log(40), np.log(150))), 2.0 * pixel_m),
        stripe_m=rng.uniform(0.05, 0.4) * w,
        moved_m=rng.uniform(0, 1e5),
        block_m=max(np.exp(rng.uniform(np.log(8), np.log(60))), 0.4 * pixel_m),
        block_at=(rng.uniform(0, 512), rng.uniform(0, 512)),
        cover=float(rng.choice([0.0, 1.0, rng.uniform(0.3, 1.0)], p=[0.3, 0.4, 0.3])),
        cover_edge_m=rng.choice([np.inf, rng.uniform(0.3, 4.0) * w], p=[0.55, 0.45]),
        fast_edge_m=rng.uniform(0.4, 4.0) * w if rng.random() < 0.2 else 0.0,
        bergs=tuple(bergs),
        rift_m=rng.uniform(300, 2000) if rng.random() < 0.2 else None,
        cliff_m=rng.uniform(20, 120),
        melt_line_m=rng.uniform(0.2, 4) * w if rng.random() < 0.2 else None,
        calved_m=float(np.exp(rng.uniform(np.log(0.03), np.log(0.6)))) * w if rng.random() < 0.5 else None,
    )


def _distance(level: Floats, pixel_m: float) -> tuple[Floats, Floats]:
    """First-order distance to the zero line of a level (m), and the magnitude of its gradient (m/m)."""
    gy, gx = np.gradient(level, pixel_m)
    slope = np.maximum(np.hypot(gx, gy), 0.2)
    return np.clip(level / slope, -3000, 3000).astype(np.float32), slope


def signed_distance(ice: NDArray[np.bool_], pixel_m: float) -> Floats:
    """Return the distance to the rim of a mask (m), negative in it, clipped at ± 3 km; crumbs of either side go."""
    most = int(_CRUMB * ice.size)
    ice = remove_small_holes(remove_small_objects(ice, max_size=most), max_size=most)
    if ice.all() or not ice.any():
        return np.full(ice.shape, -3000 if ice.all() else 3000, np.float32)
    away = np.where(ice, 0.5 - distance_transform_edt(ice), distance_transform_edt(~ice) - 0.5)
    return np.clip(away * pixel_m, -3000, 3000).astype(np.float32)


def _berg_level(landscape: Landscape, front: Front, surface: Surface, x: Floats, y: Floats) -> Floats:
    """Level of the bergs (m), positive inside; those at the front lie seaward of its position beside them."""
    level = np.full(x.shape, -500, np.float32)
    for bx, by, half_length, half_width, angle in surface.bergs:
        at = bx + float(front(landscape.atlas, np.array([by], np.float32), landscape.half_width_m)[0])
        u = (x - at) * np.cos(angle) + (y - by) * np.sin(angle)
        v = -(x - at) * np.sin(angle) + (y - by) * np.cos(angle)
        ragged = 0.25 * half_width * sample(landscape.atlas.rough, x / half_length * 25 + by, y / half_length * 25 + bx)
        box = np.minimum(half_length - np.abs(u), half_width - np.abs(v)) + ragged
        level = np.maximum(level, np.clip(box, -500, 500))
    if surface.calved_m is not None and isinstance(front, FrontShape) and front.notch_m > 0:
        before = landscape.ice(x - surface.calved_m, y, replace(front, notch_m=0.0))
        after = landscape.ice(x - surface.calved_m, y, front)
        level = np.maximum(level, np.clip(np.minimum(-before, after), -500, 500))
    return level


def make_layers(landscape: Landscape, front: Front, surface: Surface, x: Floats, y: Floats, pixel_m: float) -> Layers:
    """Evaluate a place at one date on a grid.

    Parameters
    ----------
    landscape, front, surface
        The place, its front and the looks of the date.
    x, y : ndarray (H, W) float32
        Landscape coordinates of the pixel centres (m); neighbours are ``pixel_m`` apart.
    pixel_m : float
        Pixel size in metres.

    Returns
    -------
    Layers
    """
    atlas, w = landscape.atlas, landscape.half_width_m
    along, across = landscape.flow(x, y)
    wall = landscape.wall(x, y)
    level = landscape.ice(x, y, front)
    front_m = signed_distance(level < 0, pixel_m) if landscape.chip_m else _distance(level, pixel_m)[0]
    kind = np.where(wall > 0, ROCK, np.where(front_m < 0, GLACIER, OCEAN)).astype(np.uint8)

    flow_along = along - surface.moved_m
    bent = flow_along + surface.crevasse_bow * across**2 / w
    cell = surface.crevasse_m / 16
    band = sample(atlas.band, bent / cell, across / (cell * surface.crevasse_aspect))
    ridged = 1.6 - 2.0 * np.abs(band)
    strength = np.clip(0.7 + 0.5 * sample(atlas.smooth, flow_along / 60, across / 40 + 50), 0.1, 1.6)
    crevasse = strength * ((1 - abs(surface.ridge)) * band + surface.ridge * ridged)
    fine = sample(atlas.wide, flow_along / (surface.fine_m / 16), across / (surface.fine_m / 16) + 200)
    swerve = 0.02 * w * sample(atlas.smooth, flow_along / 80, across / 80)
    stripe = line_noise(atlas, 3, across + swerve, surface.stripe_m / 40, 500.0)
    low = sample(atlas.smooth, flow_along / (w / 60) + 90, across / (w / 60) + 10)

    bu, bv = x / surface.block_m + surface.block_at[0], y / surface.block_m + surface.block_at[1]
    tone, size, gap = (sample(a, bu, bv) for a in (atlas.tone, atlas.size, atlas.gap))
    patchy = sample(atlas.smooth, x / (w / 50) + surface.block_at[1], y / (w / 50) + 40)
    edge = surface.cover_edge_m * (1 + 0.15 * line_noise(atlas, 2, across, w / 100, 200.0))
    covered = (
        np.clip(3 * (patchy - 3.2 * (0.5 - surface.cover)) + 0.5, 0, 1) if 0 < surface.cover < 1 else surface.cover
    )
    cover = np.where(front_m < edge, covered, 0.0).astype(np.float32)
    berg = _berg_level(landscape, front, surface, x, y)
    rift = np.full(x.shape, 3000, np.float32)
    if surface.rift_m is not None:
        wiggle = 0.35 * surface.rift_m * line_noise(atlas, 1, across, w / 100, 60.0)
        reach = sample(atlas.smooth, along / (w / 20), across / (w / 60) + 300) > -0.4
        rift = np.where(reach, np.abs(front_m + surface.rift_m + wiggle), 3000).astype(np.float32)
    elevation = np.where(
        kind == ROCK,
        landscape.elevation(x, y),
        np.where(kind == GLACIER, surface.cliff_m + 0.02 * np.clip(-front_m, 0, 3000), 0.0),
    )
    elevation = np.where((kind == OCEAN) & (berg > 0), 0.5 * surface.cliff_m, elevation)
    return Layers(
        kind=kind,
        front_m=front_m,
        crevasse=crevasse.astype(np.float32),
        fine=fine,
        stripe=stripe.astype(np.float32),
        low=low,
        tone=tone,
        size=size,
        gap=gap,
        cover=cover,
        berg=berg,
        rift=rift,
        fast=((front_m < surface.fast_edge_m) & (surface.fast_edge_m > 0)).astype(np.float32),
        elevation=elevation.astype(np.float32),
        wet=(
            np.ones(x.shape, np.float32)
            if surface.melt_line_m is None
            else (front_m > -surface.melt_line_m * (1 + 0.1 * sample(atlas.smooth, along / 40, across / 40))).astype(
                np.float32
            )
        ),
    )

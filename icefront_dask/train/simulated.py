"""Training samples from the simulator: layers are cached, their radiometry is drawn anew for each use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, seaward, to_decibel
from icefront_dask.simulate.ablation import without
from icefront_dask.simulate.fields import Atlas, Floats, sample
from icefront_dask.simulate.layers import OCEAN, ROCK, Layers, draw_surface, make_layers, turned
from icefront_dask.simulate.optical import cloud_masks, draw_sky, render_optical
from icefront_dask.simulate.sar import draw_radar, render_sar
from icefront_dask.simulate.sites import Frame, Site, draw_site
from icefront_dask.train.foreign import bare, bare_looks, foreign_looks
from icefront_dask.train.sample import Sample

if TYPE_CHECKING:
    from icefront_dask.simulate.landscape import Landscape

__all__ = ["Drawn", "Scene", "SceneCache", "draw_scene", "optical_sample", "sar_sample"]


_AWAY = (0.3, 6.0)  # how far from the front the ends of a drawn flowline lie, in half widths of the fjord


@dataclass(frozen=True)
class Scene:
    """Cached layers of one simulated scene; ``way`` is float16, see :func:`icefront_dask.models.normalise.seaward`."""

    layers: Layers
    pixel_m: float
    cliff_m: float
    clouds: Floats
    way: Floats


@dataclass(frozen=True)
class Drawn:
    """What scenes are drawn from.

    Attributes
    ----------
    fjord_px : (float, float)
        Least and greatest width of the fjord.
    off_centre : float
        Farthest that the middle of the front lies from that of the scene, in sides of the scene.
    ablated : tuple of str
        Ingredients that are left out (`icefront_dask.simulate.ablation`).
    calved : float
        Share of the scenes with a long piece beside the front besides what
        :func:`icefront_dask.simulate.layers.draw_surface` draws.
    jagged : float
        Share whose front follows the rims of calved blocks.
    """

    fjord_px: tuple[float, float] = (40.0, 350.0)
    off_centre: float = 0.25
    ablated: tuple[str, ...] = ()
    calved: float = 0.0
    jagged: float = 0.0


def draw_scene(seed: int, atlas: Atlas, size: int, drawn: Drawn | None = None) -> Scene:
    """Draw a place, a front and its looks; the scene is ``size`` pixels wide.

    The fjord's direction is any; one scene in twelve shows no front.
    """
    drawn = drawn or Drawn()
    ablated, off_centre = drawn.ablated, drawn.off_centre
    rng = np.random.default_rng([seed, 0x5CE7E])
    site = draw_site(rng, atlas, drawn.fjord_px)
    front, half_width, pixel_m = site.front, site.half_width_m, site.pixel_m
    if rng.random() < 1 / 12:
        front = replace(front, offset_m=float(rng.choice([-1, 1])) * 4 * max(half_width, size * pixel_m))
    surface = draw_surface(rng, half_width, pixel_m)
    if drawn.calved:
        pieces = _calved(np.random.default_rng([seed, 0xCA1F]), half_width, drawn.calved)
        surface = replace(surface, bergs=surface.bergs + pieces)
    if drawn.jagged:
        site = replace(site, landscape=_chipped(np.random.default_rng([seed, 0xC41B]), site, drawn.jagged))
    angle = rng.uniform(0, 2 * np.pi)
    rows, cols = np.mgrid[0:size, 0:size].astype(np.float32)
    frame = Frame(size, pixel_m, angle, rng.uniform(-off_centre, off_centre, 2) * size)
    x, y = frame.to_place(cols, rows)
    layers = make_layers(
        without(site.landscape, ablated), without(front, ablated), without(surface, ablated), x, y, pixel_m
    )
    clouds = sample(atlas.smooth, rows / 1.3 + rng.uniform(0, 512), cols / 1.3 + rng.uniform(0, 512))
    way = _way(np.random.default_rng([seed, 0xF10]), replace(site, front=front), frame)
    return Scene(
        without(layers, ablated).packed(), pixel_m, surface.cliff_m, clouds.astype(np.float16), way.astype(np.float16)
    )


def _calved(
    rng: np.random.Generator, half_width: float, share: float
) -> tuple[tuple[float, float, float, float, float], ...]:
    """Draw a piece as long as a third of the fjord is wide, give or take, and parallel to the front near by."""
    if rng.random() >= share:
        return ()
    length = float(np.exp(rng.uniform(np.log(0.12), np.log(0.5)))) * half_width
    wide = length * rng.uniform(0.2, 0.5)
    at = wide + rng.uniform(0.02, 0.4) * half_width
    return ((float(at), rng.uniform(-0.7, 0.7) * half_width, length, float(wide), rng.normal(np.pi / 2, 0.25)),)


def _chipped(rng: np.random.Generator, site: Site, share: float) -> Landscape:
    """Draw blocks of 2 to 16 pixels along which the front calves."""
    if rng.random() >= share:
        return site.landscape
    block_m = site.pixel_m * float(np.exp(rng.uniform(np.log(2), np.log(16))))
    return replace(site.landscape, chip_m=block_m * rng.uniform(0.25, 0.7), chip_cell_m=block_m / 7)


def _way(rng: np.random.Generator, site: Site, frame: Frame) -> Floats:
    """Draw the way to the sea in a scene, from the ends of one to three drawn flowlines."""
    landscape, half_width = site.landscape, site.half_width_m
    flows = []
    for _ in range(1 if rng.random() < 0.7 else 3):
        across = rng.uniform(-0.6, 0.6) * half_width
        front = float(site.front(landscape.atlas, np.array([across], np.float32), half_width)[0])
        ends = []
        for sign in (-1, 1):
            x = front + sign * float(np.exp(rng.uniform(*np.log(_AWAY)))) * half_width
            place = landscape.centreline(x, x, 1.0)[:1] + np.array([0.0, across])
            column, row = frame.to_pixels(place)[0]
            ends.append((float(row), float(column)))
        flows.append((ends[0], ends[1]))
    return seaward((frame.size, frame.size), flows)


class SceneCache:
    """A rolling cache of scenes.

    Parameters
    ----------
    first_seed : int
        Seeds count up from here; the cache of one training uses ``first_seed … first_seed + drawn - 1``.
    count : int
        Scenes held.
    size : int
        Side in pixels.
    drawn : Drawn, optional
        What they are drawn from.
    """

    def __init__(self, first_seed: int, count: int, size: int, drawn: Drawn | None = None) -> None:
        self.next_seed = first_seed
        self.count, self.size = count, size
        self.drawn = drawn or Drawn()
        self.scenes: dict[int, Scene] = {}
        self._atlas: tuple[int, Atlas] | None = None

    def draw(self) -> None:
        """Add the scene of the next seed, in place of the oldest one when full; forty share an atlas."""
        atlas_seed = self.next_seed // 40 * 40
        if self._atlas is None or self._atlas[0] != atlas_seed:
            self._atlas = atlas_seed, Atlas.from_seed(atlas_seed)
        scene = draw_scene(self.next_seed, self._atlas[1], self.size, self.drawn)
        self.scenes[self.next_seed % self.count] = scene
        self.next_seed += 1

    def window(self, rng: np.random.Generator, size: int) -> tuple[Layers, Scene, Floats, Floats]:
        """Cut a random window of a random scene of the full cache, turned and mirrored; with its clouds and way."""
        scene = self.scenes[int(rng.integers(self.count))]
        r, c = (int(a) for a in rng.integers(0, self.size - size + 1, 2))
        quarter, flip = int(rng.integers(4)), bool(rng.integers(2))
        window = slice(r, r + size), slice(c, c + size)
        return (
            scene.layers.crop(*window).turned(quarter, flip).unpacked(),
            scene,
            scene.clouds[window].astype(np.float32),
            turned(scene.way[window].astype(np.float32), quarter, flip=flip),
        )


def _targets(layers: Layers, pixel_m: float) -> tuple[Floats, Floats]:
    ice = (layers.kind != OCEAN).astype(np.float32)
    front = ((np.abs(layers.front_m) <= 1.5 * pixel_m) & (layers.kind != ROCK)).astype(np.float32)
    return ice, front


def sar_sample(
    cache: SceneCache, rng: np.random.Generator, size: int, foreign: float = 0.0, bare_share: float = 0.0
) -> Sample:
    """Cut a window as a radar sees it, in dB; the cross-polarised band is dropped four times in ten.

    A share ``foreign`` has looks of no place (:mod:`icefront_dask.train.foreign`), and ``bare_share`` of these no other
    texture.
    """
    layers, scene, _, way = cache.window(rng, size)
    radar = without(draw_radar(rng), cache.drawn.ablated)
    looks = None
    if foreign and rng.random() < foreign:
        if bare_share and rng.random() < bare_share:
            radar, looks = bare(radar), bare_looks(layers, rng)
        else:
            looks = foreign_looks(layers, rng)
    co, cross = render_sar(layers, radar, rng, scene.pixel_m, scene.cliff_m, looks)
    ice, front = _targets(layers, scene.pixel_m)
    second = to_decibel(cross, CROSS_FLOOR_DB) if rng.random() > 0.4 else None
    return Sample(to_decibel(co, CO_FLOOR_DB), second, ice, front, np.ones_like(ice), way=way)


def optical_sample(cache: SceneCache, rng: np.random.Generator, size: int) -> Sample:
    """Cut a window in the near infrared, at times with clouds; opaque cloud carries no loss."""
    layers, scene, field, way = cache.window(rng, size)
    sky = without(draw_sky(rng), cache.drawn.ablated)
    clouds = cloud_masks(field, sky)
    image = render_optical(layers, sky, rng, scene.pixel_m, clouds)
    ice, front = _targets(layers, scene.pixel_m)
    return Sample(image, None, ice, front, (clouds[0] < 0.5).astype(np.float32), way=way)

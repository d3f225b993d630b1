"""Single scenes of places that are seen once, with their front, fjord and flowline in pixels.

They hold tracing and its uncertainty against the truth, over more places than an archive of a few regions has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import find_contours

from icefront_dask.simulate.fields import Atlas, sample
from icefront_dask.simulate.layers import draw_surface, make_layers
from icefront_dask.simulate.optical import cloud_masks, draw_sky, render_optical
from icefront_dask.simulate.sar import draw_radar, render_sar
from icefront_dask.simulate.sites import Frame, draw_site

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from icefront_dask.simulate.fields import Floats
    from icefront_dask.simulate.landscape import FrontShape, Landscape

__all__ = ["VIEW_SEED", "View", "draw_view"]

VIEW_SEED = 700_000_000  # no training and no archive uses seeds from here on
_PER_ATLAS = 20
_LEAST_PIECE = 0.12  # shorter pieces of the front, as a share of the longest, are crumbs of its warp


@dataclass(frozen=True)
class View:
    """A scene of a place.

    Attributes
    ----------
    seed : int
    sensor : {"sar", "optical"}
    bands : dict of str to (H, W) float32 ndarray
        ``hh`` and at times ``hv`` (linear gamma0), or ``nir`` (reflectance).
    calibration : {"gamma0", "reflectance"}
    cloud : (H, W) bool ndarray
    pixel_m : float
        Side of a pixel, metres.
    front : tuple of (n, 2) float64 ndarray
        The true front, x and y of pixels (the centre of pixel [r, c] is (c + 0.5, r + 0.5)), exact to 0.05 px;
        empty where the scene shows none.
    fjord : (H, W) bool ndarray
        Where a boundary of ice and ocean can be.
    flow : ((row, column), (row, column)) or None
        Inland and seaward end of the central flowline within the fjord and the scene.
    """

    seed: int
    sensor: str
    bands: dict[str, NDArray[np.float32]]
    calibration: str
    cloud: NDArray[np.bool_]
    pixel_m: float
    front: tuple[NDArray[np.float64], ...]
    fjord: NDArray[np.bool_]
    flow: tuple[tuple[float, float], tuple[float, float]] | None


def draw_view(seed: int, sensor: str, *, size: int = 320, fjord_px: tuple[float, float] = (60.0, 250.0)) -> View:
    """Draw a place, a front and a scene of it; equal arguments give equal bytes.

    Parameters
    ----------
    seed : int
        Of place and scene; from `VIEW_SEED` on nothing else uses them.
    sensor : {"sar", "optical"}
    size : int
        Side of the scene in pixels of 10 to 60 m.
    fjord_px : (float, float)
        The fjord's width is drawn between these.
    """
    rng = np.random.default_rng([seed, 0x71E3])
    atlas = _atlas(seed // _PER_ATLAS * _PER_ATLAS)
    site = draw_site(rng, atlas, fjord_px)
    landscape, front, pixel_m = site.landscape, site.front, site.pixel_m
    surface = draw_surface(rng, site.half_width_m, pixel_m)
    frame = Frame(size, pixel_m, float(rng.uniform(0, 2 * np.pi)), rng.uniform(-0.15, 0.15, 2) * size)
    rows, cols = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = frame.to_place(cols + 0.5, rows + 0.5)
    layers = make_layers(landscape, front, surface, x, y, pixel_m)
    cloud = np.zeros((size, size), dtype=bool)
    if sensor == "sar":
        co, cross = render_sar(layers, draw_radar(rng), rng, pixel_m, surface.cliff_m)
        bands = {"hh": co, "hv": cross} if rng.random() < 0.6 else {"hh": co}
    else:
        sky = replace(draw_sky(rng), cloud_share=0.0) if rng.random() < 0.6 else draw_sky(rng)
        field = sample(atlas.smooth, rows / 1.3 + rng.uniform(0, 512), cols / 1.3 + rng.uniform(0, 512))
        clouds = cloud_masks(field, sky)
        bands = {"nir": render_optical(layers, sky, rng, pixel_m, clouds)}
        cloud = np.asarray(clouds[0] >= 0.5)
    wall = landscape.wall(x, y)
    fjord = np.asarray(wall <= 0)
    return View(
        seed=seed,
        sensor=sensor,
        bands={name: values.astype(np.float32) for name, values in bands.items()},
        calibration="gamma0" if sensor == "sar" else "reflectance",
        cloud=cloud,
        pixel_m=pixel_m,
        front=_front(landscape.ice(x, y, front), wall),
        fjord=fjord,
        flow=_flow(landscape, front, frame, fjord),
    )


@lru_cache(maxsize=1)
def _atlas(seed: int) -> Atlas:
    return Atlas.from_seed(seed)


def _front(level: Floats, wall: Floats) -> tuple[NDArray[np.float64], ...]:
    """Zero line of the level within the fjord, x and y of pixels."""
    lines = [line[:, ::-1] + 0.5 for line in find_contours(level.astype(np.float64), 0.0, mask=wall <= 0)]
    longest = max((len(line) for line in lines), default=0)
    return tuple(line for line in lines if len(line) >= max(_LEAST_PIECE * longest, 2))


def _flow(
    landscape: Landscape, front: FrontShape, frame: Frame, fjord: NDArray[np.bool_]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return the ends of the central flowline in the fjord, None where they are not on both sides of the front."""
    reach = frame.size * frame.pixel_m
    way = landscape.centreline(-reach, reach, frame.pixel_m)
    level = landscape.ice(way[:, 0], way[:, 1], front)
    xy = frame.to_pixels(way)
    inside = np.asarray(((xy >= 0) & (xy < frame.size)).all(axis=1))
    at = np.floor(np.where(inside[:, None], xy, 0)).astype(np.intp)
    places = np.flatnonzero(inside & fjord[at[:, 1], at[:, 0]])
    if not len(places) or level[places[0]] >= 0 or level[places[-1]] <= 0:
        return None
    (x0, y0), (x1, y1) = xy[places[0]], xy[places[-1]]
    return (float(y0), float(x0)), (float(y1), float(x1))

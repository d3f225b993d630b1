"""One simulated scene on its own product grid, as the provider's pixels.

Each scene is rendered at the landscape's coordinates of its own pixel centres, never warped from another
grid, so the truth is exact in the region's CRS whatever the scene's projection is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from affine import Affine
from scipy.ndimage import binary_dilation

from icefront_dask.simulate.fields import Floats, sample
from icefront_dask.simulate.layers import GLACIER, OCEAN, Layers, Surface, draw_surface, make_layers
from icefront_dask.simulate.optical import cloud_masks, draw_sky, render_optical
from icefront_dask.simulate.orbits import sun_elevation
from icefront_dask.simulate.sar import Radar, draw_radar, render_sar
from icefront_dask.simulate.table import LANDSAT_SPECTRUM, SEASON_MIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from icefront_dask.simulate.evolution import FrontState
    from icefront_dask.simulate.place import Place
    from icefront_dask.simulate.plan import LandsatPlan, SentinelPlan

__all__ = ["LANDSAT_SCALE", "RTC_NODATA", "Grid", "Scene", "landsat_scene", "sentinel_scene"]

RTC_NODATA = -32768.0
LANDSAT_SCALE = (2.75e-05, -0.2)
_SUMMER_DAYS = 75.0
_MARGIN_PX = 10
_SLC_FAILED = np.datetime64("2003-05-31")


@dataclass(frozen=True)
class Grid:
    """Pixel grid of a product: affine transform, (rows, columns) and CRS."""

    transform: Affine
    shape: tuple[int, int]
    crs: str

    @property
    def pixel_m(self) -> float:
        """Pixel size in the projection."""
        return float(self.transform.a)

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """East and north (H, W) of the pixel centres."""
        columns = self.transform.c + (np.arange(self.shape[1]) + 0.5) * self.transform.a
        rows = self.transform.f + (np.arange(self.shape[0]) + 0.5) * self.transform.e
        east, north = np.meshgrid(columns, rows)
        return east, north


@dataclass(frozen=True)
class Scene:
    """What was rendered.

    Attributes
    ----------
    grid : Grid
    bands : dict of str to ndarray (H, W)
        By asset key, as stored.
    clear : ndarray (H, W) bool
        Valid, and neither cloud nor cloud shadow.
    footprint : Polygon
        Of the valid pixels, in the grid's CRS.
    facts : dict
        For the item: ``cloud_cover`` and ``sun_elevation``, or ``incidence``.
    """

    grid: Grid
    bands: dict[str, NDArray[Any]]
    clear: NDArray[np.bool_]
    footprint: shapely.Polygon
    facts: Mapping[str, float]


def sentinel_scene(place: Place, state: FrontState, plan: SentinelPlan, time: np.datetime64, number: int) -> Scene:
    """Render Sentinel-1 RTC: linear gamma0 at 20 m in UTM, -32768 beyond the swath, 0 at its border."""
    rng = np.random.default_rng([place.plan.seed, 0x51, number])
    crs = f"EPSG:{32600 + plan.zone if place.plan.lat > 0 else 32700 + plan.zone}"
    grid = _grid(place, crs, 20.0, 0.0)
    layers, surface = _layers(place, state, grid, rng, time)
    radar = _radar(rng, place, plan, state, _season(place, time))
    co, cross = render_sar(layers, radar, rng, grid.pixel_m, surface.cliff_m)
    beyond, footprint = _cut(grid, plan.cut, 0.17 if plan.ascending else -0.17, east=plan.ascending)
    border = binary_dilation(beyond, iterations=int(rng.integers(3, 9))) & ~beyond
    bands: dict[str, NDArray[Any]] = {}
    for name, power in zip(place.plan.polarisations, (co, cross), strict=False):
        stored = np.where(border, np.float32(0), power)
        bands[name] = np.where(beyond, np.float32(RTC_NODATA), stored).astype(np.float32)
    return Scene(grid, bands, ~beyond & ~border, footprint, {"incidence": radar.incidence_deg})


def landsat_scene(place: Place, state: FrontState, plan: LandsatPlan, time: np.datetime64, number: int) -> Scene:
    """Render Landsat Collection 2 Level 2: uint16 surface reflectance, QA_PIXEL and QA_RADSAT at 30 m."""
    rng = np.random.default_rng([place.plan.seed, 0x1A, number])
    grid = _grid(place, plan.crs, 30.0, 15.0)
    layers, _ = _layers(place, state, grid, rng, time)
    elevation = sun_elevation(place.plan.lat, place.plan.lon, time)
    mix = str(_pick(rng, SEASON_MIX["optical"][_season(place, time)]))
    sky = replace(draw_sky(rng, mix=mix, cloud_share=plan.cloud_share), sun_elevation_deg=elevation)
    rows, columns = np.indices(grid.shape).astype(np.float32)
    at = rng.uniform(0, 512, 2)
    field = sample(place.landscape.atlas.smooth, rows / 9 + np.float32(at[0]), columns / 9 + np.float32(at[1]))
    opacity, shade = cloud_masks(field, sky)
    near_infrared = render_optical(layers, sky, rng, grid.pixel_m, (opacity, shade))

    beyond, footprint = _cut(grid, float(rng.choice([0.0, 0.04])), -0.2, east=bool(rng.random() < 0.5))
    fill = beyond.copy()
    if plan.platform == "landsat-7" and time > _SLC_FAILED:
        fill |= _slc_gaps(rng, grid.shape)
    eight_bit = plan.platform in {"landsat-5", "landsat-7"}
    bands: dict[str, NDArray[Any]] = {}
    saturated = np.zeros(grid.shape, np.uint16)
    first_bit = 1 if eight_bit else 2  # QA_RADSAT counts bands from 1; green is band 2 of TM and ETM+, 3 of OLI
    for position, (name, spectrum) in enumerate(LANDSAT_SPECTRUM.items()):
        reflectance = near_infrared * _spectral_ratio(layers, spectrum, opacity)
        if eight_bit:
            reflectance = np.round(np.clip(reflectance, 0, 1.0) * 255) / 255
            saturated |= np.where(reflectance >= 1.0, 1 << (first_bit + position), 0).astype(np.uint16)
        scale, offset = LANDSAT_SCALE
        number_ = np.clip(np.round((reflectance - offset) / scale), 1, 65535).astype(np.uint16)
        bands[name] = np.where(fill, 0, number_).astype(np.uint16)
    cloud = (opacity > 0.4) & ~fill
    false_cloud = _false_cloud(rng, place, layers, near_infrared, rows, columns)
    bands["qa_pixel"] = _qa_pixel(layers, cloud | (false_cloud & ~fill), shade, fill)
    bands["qa_radsat"] = np.where(fill, 0, saturated).astype(np.uint16)
    clear = ~fill & (opacity < 0.2) & ~shade
    cover = 100.0 * float(cloud.sum()) / max(int((~fill).sum()), 1)
    return Scene(grid, bands, clear, footprint, {"cloud_cover": round(cover, 2), "sun_elevation": elevation})


def _grid(place: Place, crs: str, pixel: float, phase: float) -> Grid:
    """Grid of a product that covers the region; its edges are multiples of the pixel plus a phase."""
    ring = shapely.segmentize(place.region.outline.exterior, place.plan.size_m / 20)
    to_scene = pyproj.Transformer.from_crs(place.plan.crs, crs, always_xy=True)
    x, y = to_scene.transform(*shapely.get_coordinates(ring).T)
    margin = _MARGIN_PX * pixel
    west = np.floor((x.min() - margin - phase) / pixel) * pixel + phase
    north = np.ceil((y.max() + margin - phase) / pixel) * pixel + phase
    columns = int(np.ceil((x.max() + margin - west) / pixel))
    rows = int(np.ceil((north - y.min() + margin) / pixel))
    return Grid(Affine(pixel, 0.0, float(west), 0.0, -pixel, float(north)), (rows, columns), crs)


def _season(place: Place, time: np.datetime64) -> str:
    day = (time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")).astype(int)
    away = abs((int(day) - place.plan.motion.peak_day + 182) % 365 - 182)
    return "summer" if away < _SUMMER_DAYS else "winter"


def _pick(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    return str(rng.choice(list(shares), p=list(shares.values())))


def _layers(
    place: Place, state: FrontState, grid: Grid, rng: np.random.Generator, time: np.datetime64
) -> tuple[Layers, Surface]:
    east, north = grid.centres()
    if grid.crs != place.plan.crs:
        to_region = pyproj.Transformer.from_crs(grid.crs, place.plan.crs, always_xy=True)
        east, north = to_region.transform(east, north)
    x, y = place.to_landscape(east, north)
    surface = _surface(place, state, rng, time, grid.pixel_m)
    return make_layers(place.landscape, state, surface, x, y, grid.pixel_m), surface


def _surface(place: Place, state: FrontState, rng: np.random.Generator, time: np.datetime64, pixel_m: float) -> Surface:
    """Draw the looks of a date: the place's ice, which has moved, the year's rift, and a new sea."""
    w = place.plan.half_width_m
    year = int(str(time)[:4])
    ice = draw_surface(np.random.default_rng([place.plan.seed, 0x1CE]), w, pixel_m)
    of_year = draw_surface(np.random.default_rng([place.plan.seed, 0x1CE, year]), w, pixel_m)
    sea = draw_surface(rng, w, pixel_m)
    if _season(place, time) == "winter":
        sea = replace(sea, cover=1.0 if rng.random() < 0.7 else sea.cover)
    return replace(
        sea,
        crevasse_m=ice.crevasse_m,
        crevasse_aspect=ice.crevasse_aspect,
        crevasse_bow=ice.crevasse_bow,
        ridge=ice.ridge,
        fine_m=ice.fine_m,
        stripe_m=ice.stripe_m,
        cliff_m=ice.cliff_m,
        rift_m=of_year.rift_m,
        moved_m=ice.moved_m + state.moved_m,
    )


def _radar(rng: np.random.Generator, place: Place, plan: SentinelPlan, state: FrontState, season: str) -> Radar:
    """Radiometry of an acquisition: the season's sea, Sentinel-1 IW's looks, brighter water in VV."""
    mix = _pick(rng, SEASON_MIX["sar"][season])
    radar = draw_radar(rng, mix=mix)
    fixed = draw_radar(np.random.default_rng([place.plan.seed, 0xC11F])).false_cliff
    ocean = radar.ocean
    if place.plan.polarisations[0] == "vv" and mix in {"calm", "windy"}:
        ocean = (ocean[0] + float(np.interp(radar.incidence_deg, [20, 45], [0.5, 5.0])), ocean[1])
    return replace(
        radar,
        ocean=ocean,
        look=1 if plan.ascending else -1,
        looks=4.4,
        smooth_px=float(rng.uniform(0.3, 0.7)),
        # The line of an outdated elevation model stays where it is while the front moves.
        false_cliff=None if fixed is None else (fixed[0] - state.offset_m, fixed[1]),
    )


def _cut(grid: Grid, share: float, slope: float, *, east: bool) -> tuple[NDArray[np.bool_], shapely.Polygon]:
    """Pixels beyond a slanting edge that leaves out a share of the scene, and the footprint of the others."""
    height, width = grid.shape
    rows, columns = np.indices(grid.shape) + 0.5
    along = (columns if not east else width - columns) + slope * (rows - height / 2)
    edge = float(np.quantile(along, share)) if share > 0 else -1e9
    corners = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    frame = shapely.Polygon(corners)
    if share > 0:
        far = 4.0 * (width + height)
        # The line along == edge, as a half plane far beyond the scene.
        at = [(y, edge - slope * (y - height / 2)) for y in (-far, far)]
        line = [(x if not east else width - x, y) for y, x in at]
        side = -far if not east else far
        frame = frame.difference(shapely.Polygon([*line, (line[1][0] + side, far), (line[0][0] + side, -far)]))
    t = grid.transform
    ground = shapely.transform(frame, lambda xy: np.column_stack([t.c + t.a * xy[:, 0], t.f + t.e * xy[:, 1]]))
    return along < edge, ground


def _slc_gaps(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the wedges that Landsat 7 misses since its scan line corrector failed: up to 14 of 33 lines."""
    rows, columns = np.indices(shape, dtype=np.float32)
    away = rng.uniform(0.15, 0.9) + rng.choice([-1, 1]) * columns / 6000  # of the scene's middle, in half swaths
    across = rows + rng.choice([-1, 1]) * 0.17 * columns + rng.uniform(0, 33)
    return np.asarray(across % 33 < 14 * np.clip(away, 0, 1), dtype=bool)


def _spectral_ratio(layers: Layers, spectrum: tuple[float, float, float, float], opacity: Floats) -> Floats:
    """Return the reflectance of a band relative to the near infrared, by what lies there and clouds."""
    glacier, ocean, rock, cloud = spectrum
    blocks = layers.cover * glacier + (1 - layers.cover) * ocean
    ground = np.where(layers.kind == OCEAN, blocks, np.where(layers.kind == GLACIER, glacier, rock))
    return ((1 - opacity) * ground + opacity * cloud).astype(np.float32)


def _false_cloud(
    rng: np.random.Generator, place: Place, layers: Layers, reflectance: Floats, rows: Floats, columns: Floats
) -> NDArray[np.bool_]:
    """Bright ice that the cloud mask takes for cloud, as CFMask does: up to a tenth of the glacier."""
    share = float(rng.choice([0.0, rng.uniform(0.0, 0.1)]))
    at = rng.uniform(0, 512, 2)
    field = sample(place.landscape.atlas.rough, rows / 12 + np.float32(at[0]), columns / 12 + np.float32(at[1]))
    candidates = (layers.kind == GLACIER) & (reflectance > 0.6)
    if share == 0 or not candidates.any():
        return np.zeros(layers.kind.shape, bool)
    return np.asarray(candidates & (field > np.quantile(field[candidates], 1 - share)), dtype=bool)


def _qa_pixel(
    layers: Layers, cloud: NDArray[np.bool_], shade: NDArray[np.bool_], fill: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    """QA_PIXEL of Collection 2: one fill value, else flags with their confidences."""
    dilated = binary_dilation(cloud, iterations=3) & ~cloud
    shadow = shade & ~cloud
    water = (layers.kind == OCEAN) & (layers.cover < 0.5) & (layers.berg <= 0) & (layers.fast == 0) & ~cloud
    snow = ~water & (layers.kind != 2) & ~cloud
    qa = np.full(cloud.shape, 1 << 14, np.uint16)  # cirrus: low
    for where, bit in ((dilated, 1), (cloud, 3), (shadow, 4), (snow, 5), (~cloud & ~dilated, 6), (water, 7)):
        qa |= np.where(where, 1 << bit, 0).astype(np.uint16)
    for where, low_bit in ((cloud, 8), (shadow, 10), (snow, 12)):
        qa |= np.where(where, 3 << low_bit, 1 << low_bit).astype(np.uint16)
    return np.where(fill, 1, qa).astype(np.uint16)

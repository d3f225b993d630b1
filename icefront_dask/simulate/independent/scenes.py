"""SAR scenes of the second generator with their true fronts, as a data set of the layout ``scenes``."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import rasterio
import shapely
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning
from scipy.ndimage import distance_transform_edt

from icefront_dask.errors import InputError, StoreError
from icefront_dask.simulate.independent.clutter import correlated_normal, gamma_texture, speckle
from icefront_dask.simulate.independent.geometry import (
    ICE,
    OCEAN,
    ROCK,
    Mosaic,
    Place,
    draw_place,
    fjord_of,
    flowline_of,
    mosaic,
)
from icefront_dask.simulate.independent.quilting import even_crop, quilt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Scene", "draw_scene", "read_textures", "write_scenes"]

_CROP_PX = 96
_CRS = "EPSG:3413"
_SEAS = {"melange": 0.4, "calm": 0.2, "windy": 0.15, "melt": 0.15, "sea_ice": 0.1}


@dataclass(frozen=True)
class Scene:
    """A scene.

    Attributes
    ----------
    bands : dict of str to (H, W) float32 ndarray
        ``hh`` and ``hv``, linear gamma0.
    place : Place
    pixel_m, looks : float
    sea : str
        melange, calm, windy, melt or sea_ice.
    """

    bands: dict[str, NDArray[np.float32]]
    place: Place
    pixel_m: float
    looks: float
    sea: str


def draw_scene(seed: int, size: int = 320, textures: Sequence[NDArray[np.float32]] = ()) -> Scene:
    """Draw a scene of ``size`` x ``size`` pixels of 10 to 60 m whose front is in it.

    Parameters
    ----------
    seed : int
        Of all that is drawn.
    size : int
    textures : sequence of (h, w) ndarray
        Looks of real radar images (see :func:`read_textures`), quilted onto glacier and mélange; without any, these
        have the texture of cells and of K-distributed clutter alone.
    """
    rng = np.random.default_rng([seed, 0xB0B0])
    place = draw_place(rng, size)
    while place.front.length < 0.15 * size:
        place = draw_place(rng, size)
    pixel_m = float(np.exp(rng.uniform(np.log(10), np.log(60))))
    looks = float(rng.choice([4.4, 10.7, rng.uniform(2, 30)]))
    sea = str(rng.choice(list(_SEAS), p=list(_SEAS.values())))
    resolution = tuple(np.clip(rng.uniform(15, 30, 2) * (1 if looks < 10 else 3) / pixel_m, 0.6, 3.0))
    shape = (size, size)

    glacier_db = rng.uniform(-14, -5) if sea != "melt" else rng.uniform(-23, -16)
    sea_db = {
        "melange": glacier_db + rng.normal(0, 1.0),
        "calm": rng.uniform(-27, -19),
        "windy": glacier_db + rng.uniform(-3, 3),
        "melt": glacier_db + rng.uniform(2, 7),
        "sea_ice": rng.uniform(-23, -12),
    }[sea]
    ice_texture = _cracks(rng, place, size) + _quilted(rng, textures, shape)
    blocks = mosaic(rng, size, float(np.exp(rng.uniform(np.log(3), np.log(18)))))
    sea_texture = np.zeros(shape)
    if sea in {"melange", "melt"}:
        sea_texture = _floes(rng, blocks) + _quilted(rng, textures, shape)
    rock_db = rng.uniform(-16, -4) + 3 * correlated_normal(rng, shape, rng.uniform(4, 20))
    edge = _cliff(rng, place)
    floors = rng.uniform(-34, -26), rng.uniform(-33, -22)
    clutter = gamma_texture(rng, shape, rng.uniform(3, 40), rng.uniform(1, 6))
    bands = {}
    for name, drop, floor in (("hh", 0.0, floors[0]), ("hv", rng.uniform(5, 9), floors[1])):
        water = sea in {"calm", "windy"}
        low = sea_db - drop - (rng.uniform(2, 6) if name == "hv" and water else 0)
        db = np.where(place.kind == ICE, glacier_db - drop + ice_texture, low + sea_texture)
        db = np.where(place.kind == ROCK, rock_db - drop, db) + edge
        power = 10 ** (db / 10) * clutter * speckle(rng, shape, looks, (resolution[0], resolution[1]))
        bands[name] = (power + 10 ** (floor / 10) * speckle(rng, shape, looks, (0.6, 0.6))).astype(np.float32)
    return Scene(bands, place, pixel_m, looks, sea)


def _cracks(rng: np.random.Generator, place: Place, size: int) -> NDArray[np.float64]:
    """Texture (dB) of a crevassed surface: cells drawn out across the flow, dark or bright at their borders."""
    angle = float(np.arctan2(place.down[1], place.down[0])) + np.pi / 2 + rng.normal(0, 0.2)
    cells = mosaic(rng, size, rng.uniform(3, 9), rng.uniform(1.5, 5), angle)
    tone = rng.normal(0, rng.uniform(0.5, 2.5), cells.cells)
    return tone[cells.cell] + rng.uniform(-4, 3) * np.exp(-cells.border)


def _floes(rng: np.random.Generator, blocks: Mosaic) -> NDArray[np.float64]:
    """Texture (dB) of blocks afloat, with gaps between them."""
    tone = rng.normal(0, rng.uniform(0.8, 3), blocks.cells)
    return tone[blocks.cell] + rng.uniform(-5, 2) * np.exp(-blocks.border / rng.uniform(0.5, 1.5))


def _quilted(
    rng: np.random.Generator, textures: Sequence[NDArray[np.float32]], shape: tuple[int, int]
) -> NDArray[np.float64]:
    if not textures:
        return np.zeros(shape)
    source = textures[int(rng.integers(len(textures)))]
    crop = even_crop(source, min(_CROP_PX, *source.shape), rng)
    found = quilt(crop, shape, rng).astype(np.float64)
    return rng.uniform(0.5, 2.5) * (found - found.mean()) / (found.std() + 1e-6)


def _cliff(rng: np.random.Generator, place: Place) -> NDArray[np.float64]:
    """Brightening (dB) of a front that faces the radar, darkening behind one that does not; the radar looks along x."""
    if (place.kind != OCEAN).all() or (place.kind != ICE).all():
        return np.zeros(place.kind.shape)
    sea = place.kind == OCEAN
    ice = place.kind == ICE
    away = distance_transform_edt(~ice) - distance_transform_edt(ice)
    facing = float(rng.choice([-1, 1])) * place.down[0]
    strength = rng.uniform(2, 9) * facing if facing > 0 else rng.uniform(2, 8) * facing
    wide = rng.uniform(0.8, 2.5)
    near = np.exp(-np.abs(away - 0.5) / wide)
    return np.where(sea | ice, strength * near, 0.0)


def read_textures(folder: str | Path) -> list[NDArray[np.float32]]:
    """Read the first bands of the images of a folder as looks of radar, ranked to a normal distribution.

    Raises
    ------
    InputError
        The folder holds no PNG or TIFF of at least 96 x 96 pixels.
    """
    from scipy.special import ndtri
    from scipy.stats import rankdata

    found = []
    for path in sorted(Path(folder).glob("*")):
        if path.suffix.lower() not in {".png", ".tif", ".tiff"}:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="PNG" if path.suffix.lower() == ".png" else "GTiff") as source:
                band = source.read(1).astype(np.float32)
        if min(band.shape) >= _CROP_PX:
            ranks = rankdata(band, method="average").reshape(band.shape) / (band.size + 1)
            found.append(ndtri(ranks).astype(np.float32))
    if not found:
        raise InputError(f"{folder}: no PNG or TIFF of at least {_CROP_PX} x {_CROP_PX} px to take textures from")
    return found


def write_scenes(
    out: str | Path,
    count: int,
    *,
    seed: int = 0,
    size: int = 320,
    textures: str | Path | None = None,
    guides: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Write scenes as ``NAME.tif`` (gamma0 of HH and HV), ``NAME.geojson`` (the front), ``NAME_ice.png``.

    The PNG is white on land and ice, so that robustness to other water can be scored.

    Parameters
    ----------
    out : path
        New or empty folder.
    count : int
    seed : int
        Of the first scene; the next ones count on.
    size : int
        Side in pixels.
    textures : path, optional
        Folder of real radar images, see :func:`read_textures`.
    guides : bool
        Write ``NAME_fjord.geojson`` and ``NAME_flowlines.geojson`` too: what a region of a run states.
    progress : callable, optional
        Called with what is done, and of how much.

    Returns
    -------
    list of str
        Names of the scenes.

    Raises
    ------
    StoreError
        The folder is not empty.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} is not an empty folder; name a new one for the scenes")
    looks = [] if textures is None else read_textures(textures)
    out.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(count):
        name = f"independent-{seed + number:06d}"
        scene = draw_scene(seed + number, size, looks)
        _write(out, name, scene)
        if guides:
            _write_guides(out, name, scene)
        names.append(name)
        if progress is not None:
            progress(number + 1, count)
    return names


def _transform(scene: Scene) -> Affine:
    return Affine(scene.pixel_m, 0, 200_000.0, 0, -scene.pixel_m, -2_500_000.0)


def _write_lonlat(path: Path, scene: Scene, geometry: shapely.Geometry, properties: dict[str, Any]) -> None:
    """Write a geometry in pixels as GeoJSON."""
    transform, to_lonlat = _transform(scene), pyproj.Transformer.from_crs(_CRS, 4326, always_xy=True)
    ground = shapely.transform(
        geometry,
        lambda xy: np.column_stack(
            to_lonlat.transform(transform.c + transform.a * xy[:, 0], transform.f + transform.e * xy[:, 1])
        ),
    )
    feature = {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(ground)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}) + "\n", encoding="utf-8")


def _write_guides(out: Path, name: str, scene: Scene) -> None:
    _write_lonlat(out / f"{name}_fjord.geojson", scene, fjord_of(scene.place), {})
    _write_lonlat(out / f"{name}_flowlines.geojson", scene, flowline_of(scene.place), {})


def _write(out: Path, name: str, scene: Scene) -> None:
    size = len(scene.place.kind)
    profile = {"driver": "GTiff", "height": size, "width": size, "crs": _CRS, "transform": _transform(scene)}
    with rasterio.open(
        out / f"{name}.tif", "w", count=len(scene.bands), dtype="float32", nodata=np.nan, compress="deflate", **profile
    ) as target:
        for index, (band, values) in enumerate(scene.bands.items(), start=1):
            target.write(values, index)
            target.set_band_description(index, band)
        target.update_tags(calibration="gamma0", looks=f"{scene.looks:.2f}", sea=scene.sea)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        mask = rasterio.open(
            out / f"{name}_ice.png", "w", driver="PNG", height=size, width=size, count=1, dtype="uint8"
        )
    with mask:
        mask.write(np.where(scene.place.kind == OCEAN, 0, 255).astype(np.uint8), 1)
    properties = {"glacier": name, "sea": scene.sea, "looks": scene.looks, "pixel_size_m": scene.pixel_m}
    _write_lonlat(out / f"{name}.geojson", scene, scene.place.front, properties)

"""Labelled images of each layout, read one at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.models.normalise import CO_FLOOR_DB, CROSS_FLOOR_DB, to_decibel
from icefront_dask.score.caffe import CLASSES, caffe_files, describe, read_zones, zones_of
from icefront_dask.score.calfin import calfin_files, front_of_mask
from icefront_dask.score.calfin import describe as describe_calfin
from icefront_dask.score.files import existing_folder, matched, open_image
from icefront_dask.simulate.fields import Atlas
from icefront_dask.simulate.layers import GLACIER, OCEAN, ROCK
from icefront_dask.simulate.optical import cloud_masks, draw_sky, render_optical
from icefront_dask.simulate.sar import draw_radar, render_sar
from icefront_dask.train.cubes import cube_entries
from icefront_dask.train.labelled import Entry, Labelled
from icefront_dask.train.pairs import Pair, read_pairs
from icefront_dask.train.simulated import draw_scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from icefront_dask.train.sections import Data

__all__ = ["LAYOUTS", "entries"]


def _image(file: Path) -> NDArray[np.float32]:
    """Bands of an image but its alpha, float32, NaN where its nodata value says so."""
    with open_image(file) as source:
        bands = [i for i, meaning in enumerate(source.colorinterp, 1) if meaning.name != "alpha"]
        data = source.read(bands, masked=source.nodata is not None)
    return np.ma.filled(data.astype(np.float32), np.nan)


def _shape(file: Path) -> tuple[int, int]:
    with open_image(file) as source:
        return source.height, source.width


def _same_size(image: Path, *labels: Path) -> tuple[int, int]:
    shape = _shape(image)
    for label in labels:
        if (other := _shape(label)) != shape:
            raise InputError(f"{label}: {other} px, its image {image.name} has {shape}; they must be equal")
    return shape


def _folder(data: Data) -> Path:
    if data.path is None:
        raise ConfigError(f"data: layout {data.layout} needs 'path', its folder")
    return existing_folder(data.path)


def _pairs(data: Data) -> list[Entry]:
    """Mohajerani et al. (2019); sides are known near the line only, fronts everywhere but beside its ends."""
    pairs = read_pairs(_folder(data))
    return [Entry(p.name, p.glacier, (p.ice.shape[0], p.ice.shape[1]), partial(_pair, p)) for p in pairs]


def _pair(pair: Pair) -> Labelled:
    line = pair.distance == 0
    return Labelled(
        pair.name,
        pair.glacier,
        pair.image[None],
        pair.ice > 0.5,
        pair.weight > 0,
        line,
        line | (pair.ends >= 10),
    )


def _caffe(data: Data) -> list[Entry]:
    """Gourmelon et al. (2022), one split; every pixel is labelled, NA is a zone, its side is not known."""
    folder = _folder(data)
    images, fronts = caffe_files(folder, data.split)
    layout = "caffe: sar_images/SPLIT/NAME.png with fronts/SPLIT/NAME_front.png and zones/SPLIT/NAME_zones.png"
    matched(images, fronts, folder, layout)
    found = []
    for name, image in images.items():
        zones = zones_of(image)
        if not zones.is_file():
            raise InputError(f"{zones}: no zones for {image}; layout {layout}")
        _caffe_line(fronts[name])
        shape = _same_size(image, zones, fronts[name])
        read = partial(_caffe_image, name, image, zones, fronts[name])
        found.append(Entry(name, describe(name)["glacier"], shape, read))
    return found


def _caffe_line(file: Path) -> NDArray[np.bool_]:
    line = _image(file)[0] > 127
    if not line.any():
        raise InputError(f"{file}: the label has no front; leave the image out")
    return line


def _caffe_image(name: str, image: Path, zones_file: Path, front: Path) -> Labelled:
    zones = read_zones(zones_file)
    ice = (zones == CLASSES["rock"]) | (zones == CLASSES["glacier"])
    known = zones != CLASSES["na"]
    everywhere = np.ones(zones.shape, bool)
    grey = _image(image)[:1]
    return Labelled(name, describe(name)["glacier"], grey, ice, known, _caffe_line(front), everywhere, zones)


def _calfin(data: Data) -> list[Entry]:
    """Cheng et al. (2021): masks of land and ice; every pixel is labelled."""
    folder = _folder(data)
    images, masks = calfin_files(folder)
    matched(images, masks, folder, "calfin: NAME.png with NAME_mask.png")
    found = []
    for name, image in images.items():
        shape = _same_size(image, masks[name])
        if not front_of_mask(_image(masks[name])[0] > 127).any():
            raise InputError(f"{masks[name]}: the mask has no front between ice and ocean; leave the image out")
        read = partial(_calfin_image, name, image, masks[name])
        found.append(Entry(name, describe_calfin(name)["glacier"], shape, read))
    return found


def _calfin_image(name: str, image: Path, mask: Path) -> Labelled:
    ice = _image(mask)[0] > 127
    everywhere = np.ones(ice.shape, bool)
    group = describe_calfin(name)["glacier"]
    return Labelled(name, group, _image(image), ice, everywhere, front_of_mask(ice), everywhere)


def _simulated(data: Data) -> list[Entry]:
    """Scenes of the simulator, each a glacier of its own."""
    shape = data.scene_px, data.scene_px
    seeds = range(data.first_seed, data.first_seed + data.scenes)
    return [Entry(f"simulated-{s}", f"simulated-{s}", shape, partial(_simulated_image, data, s)) for s in seeds]


def _simulated_image(data: Data, seed: int) -> Labelled:
    scene = draw_scene(seed, Atlas.from_seed(seed // 40 * 40), data.scene_px)
    layers, rng = scene.layers.unpacked(), np.random.default_rng([seed, 0x1AB31])
    everywhere = np.ones(layers.kind.shape, bool)
    known = everywhere
    if data.sensor == "sar":
        co, cross = render_sar(layers, draw_radar(rng), rng, scene.pixel_m, scene.cliff_m)
        image = np.stack([to_decibel(co, CO_FLOOR_DB), to_decibel(cross, CROSS_FLOOR_DB)])
    else:
        sky = draw_sky(rng)
        clouds = cloud_masks(scene.clouds.astype(np.float32), sky)
        image = render_optical(layers, sky, rng, scene.pixel_m, clouds)[None]
        known = clouds[0] < 0.5
    ice = layers.kind != OCEAN
    line = front_of_mask(ice) & (np.abs(layers.front_m) <= 1.5 * scene.pixel_m) & (layers.kind != ROCK)
    zones = np.zeros(layers.kind.shape, np.uint8)
    for kind, zone in ((OCEAN, "ocean"), (GLACIER, "glacier"), (ROCK, "rock")):
        zones[layers.kind == kind] = CLASSES[zone]
    name = f"simulated-{seed}"
    return Labelled(name, name, image.astype(np.float32), ice, known, line, known, zones)


LAYOUTS: dict[str, Callable[[Data], list[Entry]]] = {
    "pairs": _pairs,
    "caffe": _caffe,
    "calfin": _calfin,
    "cube": cube_entries,
    "simulated": _simulated,
}


def entries(data: Data) -> list[Entry]:
    """List the labelled images of a data set; none is decoded but to check that its label has a front.

    Raises
    ------
    ConfigError
        An unknown layout, or a key that it needs is missing.
    InputError
        The folder is missing or empty, labels lack images or images labels, sizes differ, a label has no front.
    """
    if data.layout not in LAYOUTS:
        raise ConfigError(f"data: unknown layout {data.layout!r}; known: {', '.join(LAYOUTS)}")
    return LAYOUTS[data.layout](data)

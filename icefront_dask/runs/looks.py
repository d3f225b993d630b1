"""Labelled images as another sensor would see them, to score networks where no labels of that sensor are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from icefront_dask.errors import ConfigError
from icefront_dask.runs.image_file import Image, read_image
from icefront_dask.train.pairs import read_pairs, restyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from icefront_dask.score import Sample

__all__ = ["LOOKS", "image_reader"]

LOOKS = ("plain", "sar")


def image_reader(data: str | Path, layout: str, looks: str = "plain") -> Callable[[Sample], Image]:
    """Return what reads the image of a sample.

    Parameters
    ----------
    data : path
        Folder of the samples.
    layout : str
    looks : {"plain", "sar"}
        As they are; or, of the layout ``pairs``, as co-polarised backscatter in dB: texture from the image, levels of
        ice and ocean, cliff line and speckle drawn anew, see `icefront_dask.train.pairs.restyle`. What is drawn depends
        on the name of the image alone.

    Raises
    ------
    ConfigError
        Other looks, or those of SAR for another layout.
    """
    if looks not in LOOKS:
        raise ConfigError(f"--looks takes {' or '.join(LOOKS)}, not {looks!r}")
    if looks == "plain":
        return lambda sample: read_image(sample.image)
    if layout != "pairs":
        raise ConfigError(f"--looks sar needs both sides of a line, as layout pairs gives them, not {layout!r}")
    pairs = {pair.name: pair for pair in read_pairs(Path(data))}

    def restyled(sample: Sample) -> Image:
        rng = np.random.default_rng([crc32(sample.name.encode()), 0x5A2])
        return Image(restyle(pairs[sample.name], rng, {"radar": 1.0})[None], ("hh",))

    return restyled

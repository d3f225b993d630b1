"""The layout ``calfin``: images with masks of land and ice, named as by Cheng et al. (2021).

``NAME.png`` with ``NAME_mask.png`` beside it, or in the folders ``images`` and ``masks``; NAME is
``DOMAIN_SATELLITE_LEVEL_DATE_PATH-ROW_TIER_BAND``. The mask is white on land and ice, black on the ocean and
mélange. ``fjords/DOMAIN*.png`` is white where there may be an ice-ocean boundary; without one, the coast counts too.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.ndimage import binary_dilation

from icefront_dask.errors import InputError
from icefront_dask.score.dataset import Sample
from icefront_dask.score.distances import pixel_path
from icefront_dask.score.files import existing_folder, open_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["calfin_files", "describe", "front_of_mask", "read_calfin"]

_SENTINEL = "S1"


def describe(name: str) -> dict[str, str]:
    """Return domain, sensor and date of an image's name; the date of Sentinel-1 names stands one place later.

    Raises
    ------
    InputError
        The name is not of the published form.
    """
    parts = name.split("_")
    try:
        sentinel = parts[1].startswith(_SENTINEL)
        date = dt.date.fromisoformat(parts[4 if sentinel else 3])
    except (IndexError, ValueError) as error:
        raise InputError(f"{name}: not a CALFIN name, DOMAIN_SATELLITE_LEVEL_YYYY-MM-DD_PATH-ROW_TIER_BAND") from error
    return {"glacier": parts[0], "sensor": parts[1], "date": date.isoformat(), "year": str(date.year)}


def calfin_files(folder: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return images and masks by name."""
    separate = (folder / "images").is_dir()
    images = sorted((folder / "images" if separate else folder).glob("*.png"))
    masks = sorted(existing_folder(folder / "masks").glob("*.png")) if separate else images
    return (
        {file.stem: file for file in images if separate or not file.stem.endswith("_mask")},
        {file.stem.removesuffix("_mask"): file for file in masks if separate or file.stem.endswith("_mask")},
    )


def front_of_mask(ice: NDArray[np.bool_], fjord: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Return the ice pixels (H, W) with an ocean pixel among their eight neighbours, inside the fjord."""
    edge = ice & binary_dilation(~ice, np.ones((3, 3), bool))
    return edge if fjord is None else edge & fjord


def _grey(file: Path) -> NDArray[np.uint8]:
    with open_image(file) as source:
        band: NDArray[np.uint8] = source.read(1)
    return band


def read_calfin(folder: Path, images: Mapping[str, Path], masks: Mapping[str, Path]) -> list[Sample]:
    """Return the samples of a folder of images and masks; for errors see ``layouts.read_dataset``."""
    samples = []
    for name, image in images.items():
        attributes = describe(name)
        with open_image(image) as source:
            shape = source.shape
        mask = _grey(masks[name])
        outlines = sorted((folder / "fjords").glob(f"{attributes['glacier']}*.png"))
        fjord = _grey(outlines[0]) if outlines else None
        for file, grey in ((masks[name], mask), *([(outlines[0], fjord)] if outlines else [])):
            if grey is not None and grey.shape != shape:
                raise InputError(f"{file}: {grey.shape} px, its image {image.name} has {shape}; they must be equal")
        edge = front_of_mask(mask > 127, None if fjord is None else fjord > 127)
        rows, cols = np.nonzero(edge)
        if rows.size < 2:
            raise InputError(f"{masks[name]}: no front between ice and ocean in the fjord; leave the image out")
        pixels = np.asarray(np.column_stack([cols, rows]) + 0.5, dtype=np.float64)
        samples.append(
            Sample(
                name,
                attributes["glacier"],
                image,
                masks[name],
                shape,
                shapely.LineString(pixel_path(pixels)),
                pixels,
                fjord=outlines[0] if outlines else None,
                attributes={key: attributes[key] for key in ("glacier", "sensor", "year")},
            )
        )
    return samples

"""Scenes of a stored cube as pictures under maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from icefront_dask.cube import open_cube
from icefront_dask.errors import StoreError
from icefront_dask.publish import Background, stretch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr

    from icefront_dask.regions import Region

__all__ = ["scene_picture", "scene_pictures"]

_POWER = ("hh", "hv", "vv", "vh")
_FAMILIES = ("sentinel-1", "landsat")


def scene_pictures(store: str | Path, region: Region) -> Callable[[str], Background | None]:
    """Return a function that gives the picture of a scene by its ``scene_id``, None for one that is not stored.

    Parameters
    ----------
    store : str or Path
        Zarr hierarchy that ``icefront cube`` or ``icefront run`` wrote.
    region : Region

    Raises
    ------
    StoreError
        If the store holds no cube of the region.
    """
    cubes = []
    for family in _FAMILIES:
        try:
            cubes.append(open_cube(store, region=region.name, family=family))
        except StoreError:  # a region may have scenes of one family only
            continue
    if not cubes:
        raise StoreError(f"{store} holds no cube of region {region.name!r}; check the path and the region")

    def picture(scene_id: str) -> Background | None:
        for cube in cubes:
            found = np.flatnonzero(cube["scene_id"].to_numpy() == scene_id)
            if len(found):
                return scene_picture(cube.isel(time=int(found[0])), region.crs)
        return None

    return picture


def scene_picture(scene: xr.Dataset, crs: str) -> Background | None:
    """Return the first band of a scene (y, x) that has a value, in tones; None where none has."""
    for name, values in scene.data_vars.items():
        if name == "quality":
            continue
        array = values.to_numpy()
        if not np.isfinite(array).any():
            continue
        x, y = scene["x"].to_numpy(), scene["y"].to_numpy()
        half = abs(float(x[1] - x[0])) / 2
        power = name in _POWER and values.attrs.get("calibration") != "uncalibrated"
        return Background(
            array=stretch(array, decibel=power),
            bounds=(float(x.min()) - half, float(y.min()) - half, float(x.max()) + half, float(y.max()) + half),
            crs=crs,
            label=f"{scene['platform'].item()} {name}, {np.datetime_as_string(scene['time'].to_numpy(), 'D')}",
        )
    return None

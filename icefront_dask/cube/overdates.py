"""The filter over dates, lifted to lazy arrays: refused before anything is read where a fjord is near."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import shapely

from icefront_dask.cube.speckle import HALO_PX, check_distance, multitemporal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.cube.scene import Scene
    from icefront_dask.regions import Region

__all__ = ["filtered_over_dates"]


def filtered_over_dates(
    arrays: Mapping[str, da.Array], scenes: Sequence[Scene], geobox: Any, region: Region, fjord: Any = None
) -> dict[str, da.Array]:
    """Filter the speckle of calibrated radar images over all dates of a cube.

    Parameters
    ----------
    arrays : mapping of str to dask.array.Array
        Variables of a cube, dims (time, y, x), float32, NaN nodata.
    scenes : sequence of Scene
        Along time.
    geobox : odc.geo.geobox.GeoBox
        The cube's grid.
    region : Region
        Its fjord counts where `fjord` is not given.
    fjord : Polygon or MultiPolygon, optional
        The nearest, in the CRS of the grid.

    Returns
    -------
    dict of str to dask.array.Array
        The same names, lazy: linear power filtered over dates, all else as it was.

    Raises
    ------
    InputError
        Where the grid comes within 3 km of the fjord on the ground, or none is given.
    """
    fjord = region.fjord if fjord is None else fjord
    distance_m = None
    if fjord is not None:
        distance_m = float(shapely.box(*geobox.boundingbox.bbox).distance(fjord)) / region.scale_factor
    check_distance(distance_m)
    out = dict(arrays)
    for name, array in arrays.items():
        looks = [_looks(scene, name) for scene in scenes]
        if any(looks):
            work = partial(multitemporal, distance_m=distance_m, looks=[n or np.inf for n in looks])
            whole = array.rechunk({0: -1})
            filtered = da.map_overlap(
                work,
                whole,
                depth={1: HALO_PX, 2: HALO_PX},
                boundary="none",
                dtype=np.float32,
                meta=np.empty((0, 0, 0), np.float32),
            )
            out[name] = filtered.rechunk({0: 1})
    return out


def _looks(scene: Scene, variable: str) -> float | None:
    """Return the fewest looks of a scene's items that have a variable; None where it is no power, or has none."""
    return min((s.looks for s in scene.sources if s.looks and variable in s.variables), default=None)

"""How bright the glacier is behind a front: what shows that a scene has turned dark, as in melt (NumPy kernel)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from icefront_dask.fronts.isolate import lookup
from icefront_dask.fronts.refine import resample, seaward

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]
    Float: TypeAlias = npt.NDArray[np.float64]

__all__ = ["CO_POLARISED", "POWER", "co_polarised", "inland_db"]

CO_POLARISED = ("hh", "vv")
POWER = ("gamma0", "sigma0")  # calibrations that are linear power

_REACH_M = 1_000.0
_APART_PX = 3.0  # the cliff is no glacier surface
_STEP_PX = 1.0
_FEWEST = 30  # pixels below which speckle is most of the mean


def inland_db(
    power: npt.NDArray[np.float32] | None, xy: Float, *, pixel_size_m: float, fjord: Mask | None = None
) -> float:
    """Return the mean backscatter of the glacier up to 1 km inland of a front, dB.

    Parameters
    ----------
    power : (H, W) float32 ndarray or None
        Linear power of a co-polarised band (gamma0, or sigma0 where the scene has that), NaN nodata.
    xy : (n, 2) float64 ndarray
        Front, x and y of pixels, the glacier on its left as one looks at the image.
    pixel_size_m : float
    fjord : (H, W) bool ndarray, optional
        Only pixels in it count: rock does not melt.

    Returns
    -------
    float
        10 log10 of the mean power; NaN without a band or a line, where fewer than 30 pixels have
        data, or none has power.
    """
    if power is None or len(xy) < 2:
        return math.nan
    line = resample(xy)
    offsets = np.arange(_APART_PX, max(_REACH_M / pixel_size_m, _APART_PX + 1), _STEP_PX)
    places = (line[:, None] - offsets[None, :, None] * seaward(line)[:, None]).reshape(-1, 2)
    useful = np.isfinite(power) if fjord is None else np.isfinite(power) & fjord
    found = np.floor(places[lookup(useful, places)]).astype(np.intp)
    pixels = np.unique(found[:, 1] * power.shape[1] + found[:, 0])
    if len(pixels) < _FEWEST:
        return math.nan
    mean = float(np.ravel(power)[pixels].mean(dtype=np.float64))
    return 10 * math.log10(mean) if mean > 0 else math.nan


def co_polarised(bands: Mapping[str, npt.NDArray[np.float32] | None]) -> npt.NDArray[np.float32] | None:
    """Return the co-polarised band of a radar scene that has data, HH before VV; None where there is none."""
    for name in CO_POLARISED:
        power = bands.get(name)
        if power is not None and np.isfinite(power).any():
            return power
    return None

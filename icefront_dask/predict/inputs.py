"""What `segment` accepts, brought to one form: named bands with dims (time, y, x) on a grid in metres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rioxarray  # noqa: F401  registers data.rio
import xarray as xr

from icefront_dask._kinds import kind_of
from icefront_dask.errors import GridError, InputError, ModelMismatchError, NotGeoreferencedError
from icefront_dask.sensors import VARIABLES

if TYPE_CHECKING:
    from pyproj import CRS

    from icefront_dask._kinds import Kind

__all__ = ["Bands", "read_bands"]

_SQUARE = 1e-3
"""Largest difference, as a share of a pixel, between its sides and between the steps of a coordinate."""


@dataclass(frozen=True)
class Bands:
    """Named bands on one grid.

    Attributes
    ----------
    arrays : dict of str to DataArray
        Dims (time, y, x) or (y, x), in that order.
    nodata : dict of str to (float or None)
        Value that stands for a missing pixel besides NaN (``data.rio.nodata``).
    quality : DataArray or None
        The same dims, integer bits.
    frame : Dataset
        Coordinates and attributes of what was given.
    crs : pyproj.CRS
    transform : Affine
    pixel_size_m : float
        Side of a pixel, in metres of the map.
    calibration : str
    kind : {"optical", "radar"} or None
        Of the sensors, by the bands' names or coordinate ``sensor``.
    """

    arrays: dict[str, xr.DataArray]
    nodata: dict[str, float | None]
    quality: xr.DataArray | None
    frame: xr.Dataset
    crs: CRS
    transform: Any
    pixel_size_m: float
    calibration: str
    kind: Kind | None


def read_bands(data: xr.DataArray | xr.Dataset) -> Bands:
    """Bring a DataArray or Dataset to one form, without reading a pixel.

    Raises
    ------
    InputError
        For another kind of object, or dims that are not (y, x) or (time, y, x).
    NotGeoreferencedError
        Without a CRS, with one in degrees, or with rotated or irregular pixels.
    GridError
        If pixels are not square.
    ModelMismatchError
        If no band has a name of the closed list.
    """
    if not isinstance(data, (xr.DataArray, xr.Dataset)):
        raise InputError(f"segment() takes an xarray DataArray or Dataset, not {type(data).__name__}")
    crs, transform, pixel_size_m = _grid(data)
    named = _from_array(data) if isinstance(data, xr.DataArray) else {str(name): data[name] for name in data.data_vars}
    arrays = {name: _ordered(name, array) for name, array in named.items() if name in VARIABLES}
    if not arrays:
        raise ModelMismatchError(
            f"none of {', '.join(named) or 'no variables'} is a band that is known; name the bands by "
            f"{', '.join(VARIABLES)}: as variables of a Dataset, or as coordinate 'band' of a DataArray"
        )
    nodata = {name: _nodata(array) for name, array in arrays.items()}
    quality = None
    if "quality" in named:
        quality = _ordered("quality", named["quality"])
        if not np.issubdtype(quality.dtype, np.integer):
            raise InputError(f"variable 'quality' holds bits and must be of an integer type, not {quality.dtype}")
    dims = next(iter(arrays.values())).dims
    for name, array in {**arrays, **({} if quality is None else {"quality": quality})}.items():
        if array.dims != dims:
            raise InputError(f"variable {name!r} has the dims {array.dims}, another band has {dims}")
    frame = data.to_dataset(name="data") if isinstance(data, xr.DataArray) else data
    frame = frame[list(frame.coords)].assign_attrs(data.attrs)
    frame = frame.drop_dims([dim for dim in frame.dims if dim not in dims])
    frame = frame.drop_vars([name for name in ("band",) if name in frame.coords])
    calibration = data.attrs.get("calibration")
    if calibration is None:
        calibration = next(
            (a.attrs["calibration"] for a in arrays.values() if "calibration" in a.attrs), "uncalibrated"
        )
    kind = kind_of(arrays, _sensors(frame))
    return Bands(arrays, nodata, quality, frame, crs, transform, pixel_size_m, str(calibration), kind)


def _sensors(frame: xr.Dataset) -> list[str]:
    """Names in coordinate ``sensor``; none where it is lazy."""
    if "sensor" not in frame.coords or not isinstance(frame["sensor"].variable.data, np.ndarray):
        return []
    return [str(name) for name in np.unique(frame["sensor"].to_numpy().astype(str))]


def _grid(data: xr.DataArray | xr.Dataset) -> tuple[CRS, Any, float]:
    for dim in ("y", "x"):
        if dim not in data.dims:
            other = " and ".join(str(name) for name in data.dims)
            raise InputError(
                f"the data has no dim {dim!r}, only {other or 'none'}; rename them: "
                "data.rename({'latitude': 'y', 'longitude': 'x'})"
            )
    crs = data.rio.crs
    if crs is None:
        raise NotGeoreferencedError(
            "the data has no CRS; state that of its coordinates, such as data.rio.write_crs('EPSG:3413'), "
            "and correct scenes in radar geometry first"
        )
    for dim in ("y", "x"):
        if dim not in data.coords:
            raise NotGeoreferencedError(f"the data has no coordinate {dim!r}: add the pixel centres in metres")
    if crs.is_geographic:
        longitude, latitude = (float(data[dim].mean()) for dim in ("x", "y"))
        zone = f"EPSG:{32600 + 100 * (latitude < 0) + int((longitude + 180) % 360 // 6) + 1}"
        target = "EPSG:3413" if latitude >= 60 else "EPSG:3031" if latitude <= -60 else zone
        raise NotGeoreferencedError(
            f"the data is in degrees ({crs.to_string()}) and a front is measured in metres; reproject it, "
            f"for example data.rio.reproject({target!r}, resolution=30)"
        )
    metres = float(crs.linear_units_factor[1])
    if abs(metres - 1) > 1e-9:
        raise NotGeoreferencedError(
            f"{crs.to_string()} counts in {crs.linear_units}, not in metres; reproject the data"
        )
    steps = [_step(data[dim]) for dim in ("y", "x")]
    if abs(abs(steps[0]) - abs(steps[1])) > _SQUARE * abs(steps[1]):
        raise GridError(
            f"pixels are {abs(steps[1]):g} m × {abs(steps[0]):g} m and must be square; resample it, for "
            f"example data.rio.reproject(data.rio.crs, resolution={max(map(abs, steps)):g})"
        )
    return crs, data.rio.transform(recalc=True), abs(steps[1])


def _step(coordinate: xr.DataArray) -> float:
    values = np.asarray(coordinate.values, dtype=np.float64)
    if coordinate.ndim != 1 or values.size < 2:
        raise NotGeoreferencedError(f"coordinate {coordinate.name!r} must have one dim and at least two pixels")
    steps = np.diff(values)
    if not np.abs(steps - steps.mean()).max() <= _SQUARE * abs(steps.mean()) or steps.mean() == 0:
        raise NotGeoreferencedError(f"the steps of coordinate {coordinate.name!r} differ; resample to a regular grid")
    return float(steps.mean())


def _from_array(data: xr.DataArray) -> dict[str, xr.DataArray]:
    """Bands of a DataArray: along its dim ``band``, or itself."""
    if "band" not in data.dims:
        return {str(data.name) if data.name in VARIABLES else "grey": data}
    labels = [str(label) for label in data["band"].values] if "band" in data.coords else []
    if not set(labels) & set(VARIABLES):
        described = data.attrs.get("long_name", ())
        if isinstance(described, (list, tuple)) and len(described) == data.sizes["band"]:
            labels = [str(label) for label in described]
    labels = [label.lower() for label in labels]
    if not set(labels) & set(VARIABLES):
        if data.sizes["band"] == 1:
            return {str(data.name) if data.name in VARIABLES else "grey": data.isel(band=0)}
        raise ModelMismatchError(
            f"the {data.sizes['band']} bands ({', '.join(labels) or 'unnamed'}) have no known names; say "
            f"what they are, for example data.assign_coords(band=['hh', 'hv']), from: {', '.join(VARIABLES)}"
        )
    return {label: data.isel(band=index) for index, label in enumerate(labels)}


def _ordered(name: str, array: xr.DataArray) -> xr.DataArray:
    order = [dim for dim in ("time", "y", "x") if dim in array.dims]
    if extra := [str(dim) for dim in array.dims if dim not in order]:
        raise InputError(
            f"variable {name!r} has the dim {', '.join(extra)} besides (time, y, x); select along it, for "
            f"example data.isel({extra[0]}=0)"
        )
    return array.transpose(*order)


def _nodata(array: xr.DataArray) -> float | None:
    value = array.rio.nodata
    return None if value is None or np.isnan(value) else float(value)
